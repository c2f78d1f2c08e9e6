"""Textures against closed forms: where texels lie, what bilinear lookups take, what cameras see (sheet 30, G)."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.cameras import Camera, look_at
from engines.blocks.mesh_topology import face_normals
from engines.blocks.ray_casting import RayCaster, mesh_picture
from engines.blocks.texture_atlas import Atlas, atlas
from engines.blocks.texture_baking import bake, filled, sights_of, visible
from engines.core import UserError
from engines.data import Mesh

PLANE = Mesh(
    vertices=np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]]), faces=np.array([[0, 1, 2], [0, 2, 3]])
)


def camera(eye, size=200, focal=220.0, target=(0.0, 0.0, 0.0)) -> Camera:
    return Camera(look_at(np.array(eye, float), np.array(target)), focal, focal, size / 2, size / 2, size, size)


def pattern(points: np.ndarray) -> np.ndarray:
    """(N, 3) smooth colours in [0, 1] of points (N, 3)."""
    x, y, z = points.T
    return 0.5 + 0.4 * np.stack([np.sin(2 * x + y), np.cos(2 * y - z), np.sin(x - 2 * y + z)], axis=1)


def shot(mesh: Mesh, at: Camera) -> np.ndarray:
    """(H, W, 4) what a camera sees of a mesh with the pattern on it; exact at the pixels' centres."""
    ways, _ = at.rays()
    hits = RayCaster(mesh.vertices, mesh.faces).first(at.centre, ways.reshape(-1, 3))
    met = hits.faces >= 0
    points = np.einsum("nk,nkd->nd", hits.weights[met], mesh.vertices[mesh.faces[hits.faces[met]]])
    rgba = np.zeros((len(met), 4))
    rgba[met] = np.column_stack([pattern(points), np.ones(len(points))])
    return rgba.reshape(at.height, at.width, 4)


def bake_all(mesh: Mesh, cameras, square=10, pictures=None):
    place = atlas(mesh.vertices, mesh.faces, square)
    pictures = pictures or [shot(mesh, at) for at in cameras]
    return place, bake(mesh.vertices, mesh.faces, place, cameras, pictures.__getitem__, range(len(cameras)))


def texels(mesh: Mesh, place: Atlas) -> np.ndarray:
    """(F, T, 3) points of the baked texels."""
    return place.weights @ mesh.vertices[place.corners(mesh.faces)]


@pytest.mark.parametrize("square", [4, 7, 10, 16])
@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_corners_lie_on_the_centres_of_pixels_and_texels_on_their_triangles(square, count):
    place = Atlas(count, square, np.arange(count) % 3)
    width, height = place.size
    x, y = width * place.uv[..., 0].astype(float) - 0.5, height * (1 - place.uv[..., 1].astype(float)) - 0.5
    np.testing.assert_allclose([x, y], np.rint([x, y]), atol=1e-3)
    corners = np.rint(np.stack([x, y], axis=2)).astype(int)
    assert len(np.unique(corners.reshape(-1, 2), axis=0)) == 3 * count
    assert (place.weights >= 0).all()
    np.testing.assert_allclose(place.weights.sum(1), 1, atol=1e-15)
    # A picture with the number of each face in it has that number at all of its corners and texels.
    numbers = np.broadcast_to(np.arange(count)[:, None, None] + 1.0, (count, len(place.weights), 3))
    picture = place.picture(numbers)
    assert picture.shape == (height, width, 3)
    assert (picture[corners[..., 1], corners[..., 0], 0] == np.arange(count)[:, None] + 1).all()
    turned = np.take_along_axis(corners, ((place.first[:, None] + np.arange(3)) % 3)[..., None], axis=1)
    inner = np.rint(place.weights @ turned).astype(int)
    assert (picture[inner[..., 1], inner[..., 0], 0] == np.arange(count)[:, None] + 1).all()


@pytest.mark.parametrize("square", [4, 5, 10])
def test_a_bilinear_lookup_never_leaves_its_triangle(square):
    """Neighbours in the atlas are black and white: within each, and to its very edges, there is nothing else."""
    place = Atlas(8, square, np.array([0, 1, 2, 0, 1, 2, 0, 1]))
    values = np.where(np.arange(8) % 2, 255.0, 0.0)
    picture = place.picture(np.broadcast_to(values[:, None, None], (8, len(place.weights), 3)))
    mesh = Mesh(vertices=np.zeros((3, 3)), faces=np.tile([0, 1, 2], (8, 1)), uv=place.uv, texture=picture)
    draw = np.random.default_rng(0)
    weights = np.concatenate(
        [draw.dirichlet(np.ones(3), 300), np.eye(3), [[0.5, 0.5, 0], [0, 0.3, 0.7], [0.1, 0, 0.9]]]
    )
    for face in range(8):
        found = mesh.texture_at(weights @ place.uv[face].astype(float))
        np.testing.assert_allclose(found, values[face], atol=0.05)


def test_colours_that_are_linear_on_a_triangle_come_back_on_all_of_it():
    place = Atlas(2, 10, np.array([0, 2]))
    corners = np.array(
        [[[20, 40, 60], [180, 90, 30], [120, 200, 220]], [[90, 90, 90], [30, 160, 200], [210, 20, 120.0]]]
    )
    turned = corners[np.arange(2)[:, None], (place.first[:, None] + np.arange(3)) % 3]
    mesh = Mesh(
        vertices=np.zeros((3, 3)), faces=[[0, 1, 2]] * 2, uv=place.uv, texture=place.picture(place.weights @ turned)
    )
    weights = np.random.default_rng(1).dirichlet(np.ones(3), 500)
    for face in range(2):
        found = mesh.texture_at(weights @ place.uv[face].astype(float))
        np.testing.assert_allclose(
            found, weights @ corners[face], atol=1.6
        )  # texels are rounded; three of them extrapolate
        ends = mesh.texture_at(place.uv[face].astype(float))
        np.testing.assert_allclose(ends, corners[face], atol=0.51)


def test_the_longest_side_lies_across_the_square():
    mesh = Mesh(
        vertices=np.array([[0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 5.0]]), faces=np.array([[0, 1, 2], [0, 1, 3]])
    )
    assert atlas(mesh.vertices, mesh.faces, 10).first.tolist() == [0, 0]
    assert atlas(mesh.vertices, mesh.faces[:, [1, 2, 0]], 10).first.tolist() == [2, 2]


def test_a_texture_that_no_card_takes_is_refused_with_numbers():
    faces = np.tile([0, 1, 2], (2 * 257**2, 1))
    with pytest.raises(UserError, match=r"16,448 × 16,448 pixels"):
        atlas(PLANE.vertices, faces, 64)


def test_a_plane_takes_the_pattern_that_its_cameras_see():
    cameras = [camera(eye, focal=150.0) for eye in ([0, 0, 2.4], [1, 0.3, 2.2], [-0.8, 1, 2.1])]
    place, found = bake_all(PLANE, cameras, square=64)
    assert found.seen.all()
    wanted = 255 * pattern(texels(PLANE, place).reshape(-1, 3)).reshape(found.colours.shape)
    # A lookup between pixels h apart is off by at most h^2 |f''| / 4; the pattern's second derivative is 2.2 at most
    # there, a pixel is 0.016 to 0.03 wide: 0.05 of 255. At the rim, where half of the pixels are sky, it is a
    # pixel's slope.
    inner = (np.abs(texels(PLANE, place)) < 0.97).all(2)
    assert np.abs(found.colours - wanted)[inner].max() < 0.05
    assert np.abs(found.colours - wanted).max() < 255 * 0.4 * 3 * 0.016
    mesh = PLANE.replace(uv=place.uv, texture=place.picture(found.colours))
    seen = mesh_picture(mesh, RayCaster(mesh.vertices, mesh.faces), cameras[0], oversampling=1)
    both = seen[..., 3] > 0
    assert np.abs(seen - shot(PLANE, cameras[0]))[both][:, :3].max() < 3 / 255


def test_sights_are_what_the_camera_says():
    mesh = torus_mesh(Torus(), around=12, tube=6)
    at, place = camera([1.2, 0.4, 1.9]), atlas(mesh.vertices, mesh.faces, 6)
    normals = face_normals(mesh.vertices, mesh.faces)
    found = sights_of(mesh.vertices[place.corners(mesh.faces)], normals, place.weights, at)
    points = texels(mesh, place).reshape(-1, 3)
    pixels, z = at.pixels(points)
    np.testing.assert_allclose(np.stack([found.x, found.y], axis=1), pixels, atol=1e-9)
    np.testing.assert_allclose(found.z, z, atol=1e-12)
    np.testing.assert_allclose(found.ways, points - at.centre, atol=1e-12)
    ways = (at.centre - points) / np.linalg.norm(at.centre - points, axis=1, keepdims=True)
    np.testing.assert_allclose(found.cosines, (ways * np.repeat(normals, 10, axis=0)).sum(1), atol=1e-9)


def test_texels_behind_something_are_found_exactly():
    """A small quad floats above a plane: where lines from the plane to the camera pass through it is plain geometry."""
    above = PLANE.vertices * 0.3 + [0.1, -0.05, 0.5]
    both = Mesh(vertices=np.concatenate([PLANE.vertices, above]), faces=np.concatenate([PLANE.faces, PLANE.faces + 4]))
    place = atlas(both.vertices, both.faces, 40)
    caster = RayCaster(both.vertices, both.faces)
    points = texels(both, place)
    corners, normals = both.vertices[place.corners(both.faces)], face_normals(both.vertices, both.faces)
    for eye in ([0, 0, 2.4], [1.2, 0.4, 1.9], [-0.5, 1.5, 1.7]):
        at = camera(eye, size=400)
        seen = visible(sights_of(corners, normals, place.weights, at), at, caster).reshape(points.shape[:2])
        crossing = at.centre + (points[:2] - at.centre) * (at.centre[2] - 0.5) / at.centre[2]
        hidden = (np.abs(crossing[..., :2] - [0.1, -0.05]) < 0.3).all(2)
        assert 100 < hidden.sum() < 600
        assert np.array_equal(seen[:2], ~hidden)
        assert seen[2:].all()


def test_what_no_camera_sees_is_counted_and_takes_the_colours_around_it():
    above = PLANE.vertices * 0.3 + [0, 0, 0.5]
    both = Mesh(vertices=np.concatenate([PLANE.vertices, above]), faces=np.concatenate([PLANE.faces, PLANE.faces + 4]))
    at = camera([0, 0, 2.4], size=400)
    place, found = bake_all(both, [at], square=40)
    points = texels(both, place)
    shadow = 0.3 * 2.4 / 1.9
    inside = (np.abs(points[:2, :, :2]) < shadow - 0.02).all(2)
    outside = ~(np.abs(points[:2, :, :2]) < shadow + 0.02).all(2)
    assert not found.seen[:2][inside].any()
    assert found.seen[:2][outside].all()
    # The quad in front leaves no mark: hidden texels look like the plane beside them, some 0.4 away at most.
    wanted = 255 * pattern(points[:2].reshape(-1, 3)).reshape(2, -1, 3)
    assert np.abs(found.colours[:2] - wanted)[found.seen[:2]].max() < 6
    assert np.abs(found.colours[:2] - wanted)[inside].max() < 255 * 0.4 * 2.3 * 0.45


def test_faces_that_no_camera_sees_take_the_colours_of_the_nearest():
    corners = np.zeros((3, 3, 3)) + np.array([0, 1, 5.0])[:, None, None]
    place = Atlas(3, 4, np.zeros(3, int))
    colours = np.zeros((3, 3, 3), np.float32) + np.array([10, 200, 0], np.float32)[:, None, None]
    seen = np.array([[True] * 3, [True] * 3, [False] * 3])
    made = filled(colours, seen, corners, place, lambda: None)
    far = np.sqrt(3) * np.array([5, 4])
    expected = (10 / far[0] + 200 / far[1]) / (1 / far[0] + 1 / far[1])
    np.testing.assert_allclose(made[2], expected, rtol=1e-5)
    np.testing.assert_array_equal(made[:2], colours[:2])


def test_pixels_of_something_else_and_of_the_background_do_not_count():
    """White sky, with no alpha in it, stays off the torus; so does the half of a picture that is transparent."""
    mesh = torus_mesh(Torus(), around=48, tube=24)
    cameras = [camera(eye, size=160, focal=150.0) for eye in ([0, -2.5, 2.0], [2.2, 1.5, 1.8], [-2, 2, -1.9])]
    on_white = [shot(mesh, at) for at in cameras]
    on_white = [p[..., :3] * p[..., 3:] + 1 - p[..., 3:] for p in on_white]
    place, found = bake_all(mesh, cameras, pictures=on_white)
    wanted = 255 * pattern(texels(mesh, place).reshape(-1, 3)).reshape(found.colours.shape)
    off = np.abs(found.colours - wanted).max(2)[found.seen]
    # Seen from the side, a pixel is ten times as wide on the surface; white, or the far side, would be off by 100.
    assert np.percentile(off, 99) < 12
    assert off.max() < 40
    half = [shot(mesh, at) for at in cameras]
    for pixels in half:
        pixels[:, 80:] = [1, 0, 1, 0]
    again = bake_all(mesh, cameras, pictures=half)[1]
    assert 0.2 < again.seen.mean() < 0.8 * found.seen.mean()
    assert found.opacity.min() > 0.999
    assert again.opacity.min() == 0
    assert (again.opacity[again.seen.any(1)] > 0).all()
    assert np.percentile(np.abs(again.colours - wanted).max(2)[again.seen], 99) < 12


def test_the_opacity_of_a_face_is_the_mean_of_what_pictures_show_of_it():
    at = camera([0, 0, 2.4], focal=180.0)
    pixels = shot(PLANE, at)
    below = (at.rays()[0] @ [1, -1, 0]) > 0  # the first of the two triangles
    pixels[below, 3] *= 0.25
    found = bake_all(PLANE, [at], square=64, pictures=[pixels])[1]
    np.testing.assert_allclose(found.opacity, [0.25, 1.0], atol=0.03)


def test_nothing_seen_is_said():
    with pytest.raises(UserError, match="No camera sees"):
        bake_all(PLANE, [camera([0, 0, -2.4])])


def test_pictures_of_a_mesh_by_texture_by_vertices_and_plain():
    at = camera([0, 0, 2.4], size=40, focal=40.0)
    caster = RayCaster(PLANE.vertices, PLANE.faces)
    plain = mesh_picture(PLANE, caster, at)
    assert np.allclose(plain[20, 20], [0.5, 0.5, 0.5, 1], atol=1e-3)
    assert np.array_equal(plain[0, 0], [0, 0, 0, 0])
    colors = np.array([[255, 0, 0, 255], [0, 0, 0, 255], [0, 0, 0, 255], [255, 0, 0, 255]], np.uint8)
    red = mesh_picture(PLANE.replace(colors=colors), caster, at)[20, 4:36]
    ways, _ = at.rays()
    x = (ways / -ways[..., 2:] * 2.4)[20, 4:36, 0]
    np.testing.assert_allclose(red[:, 0], (1 - x) / 2, atol=1e-4)
