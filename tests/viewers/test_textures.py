"""Meshes with a texture in the 3D view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.viewers import layers, preparation, surfaces
from app.viewers.camera import STANDARD_VIEWS
from app.viewers.registry import Shown
from engines.data import Mesh
from tests.viewers.test_splat_view import until

BLUE, GREEN, RED, YELLOW = [20, 40, 230], [10, 200, 30], [220, 20, 20], [230, 220, 10]
PICTURE = np.array([[BLUE, GREEN], [RED, YELLOW]], np.uint8).repeat(16, 0).repeat(16, 1)


def square(**more) -> Mesh:
    """In the plane z = 0, seen from above as its picture: blue and green above, red and yellow below."""
    corners = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    uv = ((corners + 1) / 2)[faces].astype(np.float32)
    vertices = np.column_stack([corners, np.zeros(4)])
    return Mesh(vertices=vertices, faces=faces, uv=uv, texture=PICTURE, **more)


def from_above(scene):
    number = next(i for i, (_, back, _) in enumerate(STANDARD_VIEWS) if tuple(back) == (0, 0, 1))
    scene.look_from(number)


def quarters(scene):
    """Colours in the middle of the four quarters of what is shown, from the upper left on."""
    shot = scene.screenshot(200, 200)
    return [shot[y, x].astype(int)[:3] for y in (75, 125) for x in (75, 125)]


def test_a_texture_is_shown_the_right_way_up_in_its_own_colours(show):
    scene = show("scene", 400, 400)
    scene.show_artifacts([Shown("m", "Square", square())])
    from_above(scene)
    assert scene.layers["m"].style.by == "texture"
    np.testing.assert_allclose(quarters(scene), [BLUE, GREEN, RED, YELLOW], atol=3)


def test_colour_by_offers_texture_vertex_colours_and_one_colour(show, qtbot):
    scene = show("scene", 700, 500)
    colors = np.tile(np.array([[250, 0, 250, 255]], np.uint8), (4, 1))
    scene.show_artifacts([Shown("m", "Square", square(colors=colors))])
    from_above(scene)
    by = scene.panel.by
    assert by.isVisible()
    assert [by.itemText(i) for i in range(by.count())] == ["Texture", "One colour", "Vertex colours"]
    assert by.currentText() == "Texture"
    assert not scene.panel.flat.isVisible()  # it would change nothing
    textured = quarters(scene)

    def choose(text):
        by.setCurrentIndex(by.findText(text))
        by.activated.emit(by.currentIndex())

    choose("Vertex colours")
    for colour in quarters(scene):
        assert colour[0] > 150 > 60 > colour[1]
    choose("One colour")
    assert np.ptp(np.array(quarters(scene)), axis=0).max() < 12
    assert scene.panel.color.isVisible()
    assert scene.panel.flat.isVisible()
    choose("Texture")
    np.testing.assert_allclose(quarters(scene), textured, atol=2)
    scene.show_artifacts([Shown("m", "Square", square().plain())])  # the same layer, without a texture now
    assert np.abs(np.array(quarters(scene)) - textured).max() > 30


def test_points_are_split_so_that_each_corner_has_its_place():
    mesh = square()
    surface = surfaces.of_mesh(mesh)
    assert surface.points.shape == (6, 3)
    assert np.array_equal(surface.worn.places.reshape(2, 3, 2), mesh.uv)
    assert np.array_equal(surface.worn.rows, PICTURE[::-1])
    assert np.array_equal(surface.points[surface.faces], mesh.vertices[mesh.faces].astype(np.float32))
    assert not surface.worn.repeats
    assert surfaces.of_mesh(mesh.replace(uv=3 * mesh.uv)).worn.repeats


def test_large_textures_are_thinned_out_and_large_meshes_have_a_coloured_stand_in(monkeypatch):
    monkeypatch.setattr(surfaces, "LARGEST_TEXTURE", 10)
    mesh = square()
    assert surfaces.of_mesh(mesh).worn.rows.shape == (8, 8, 3)
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 30), np.linspace(-1, 1, 30), indexing="ij"), -1).reshape(-1, 2)
    i, j = np.meshgrid(np.arange(29), np.arange(29), indexing="ij")
    a = (i * 30 + j).ravel()
    faces = np.concatenate([np.stack([a, a + 30, a + 31], 1), np.stack([a, a + 31, a + 1], 1)])
    fine = Mesh(
        vertices=np.column_stack([grid, np.zeros(len(grid))]), faces=faces, uv=(grid[faces] + 1) / 2, texture=PICTURE
    )
    surface = surfaces.of_mesh(fine, 200)
    assert surface.coarse is not None
    upper_left = (surface.coarse.points[:, 0] < -0.4) & (surface.coarse.points[:, 1] > 0.4)
    np.testing.assert_allclose(surface.coarse.colors[upper_left], np.tile(BLUE, (upper_left.sum(), 1)), atol=2)


def test_while_the_camera_moves_the_stand_in_shows_the_colours(show, monkeypatch):
    monkeypatch.setattr(layers, "slow_part", lambda artifact: True)  # as if it were large
    monkeypatch.setattr(preparation, "COARSE_TRIANGLES", 0)
    scene = show("scene", 400, 400)
    scene.show_artifacts([Shown("m", "Square", square())])
    until(lambda: "m" in scene.layers)
    layer = scene.layers["m"]
    assert layer.has_coarse
    scene.set_style("m", replace(layer.style, by="texture"))
    assert layer.coarse.actor.GetTexture() is None
    assert layer.fine.actor.GetTexture() is not None
    assert layer.point_colours(layer.coarse) is not None


@pytest.mark.parametrize("channels", [3, 4])
def test_a_texture_with_an_alpha_channel(show, channels):
    picture = np.full((4, 4, channels), 255, np.uint8)
    picture[..., :3] = RED
    scene = show("scene", 300, 300)
    scene.show_artifacts([Shown("m", "Square", square().replace(texture=picture))])
    from_above(scene)
    np.testing.assert_allclose(quarters(scene), [RED] * 4, atol=3)
