"""The photos view, through what a person sees and presses."""

import dataclasses
import json

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from app.viewers.photos_grid import small_picture
from app.viewers.photos_layer import frusta, frustum_depth
from app.viewers.registry import Shown, viewers_for
from engines.blocks.cameras import look_at
from engines.data import Photos, UnposedPhotos
from tests.viewers.test_splat_view import fine, shell, until


def some_photos(count=6, held_out=(1,), size=(40, 30), points=50, **more) -> Photos:
    """Grey photos from around the origin, each a little lighter than the one before, with a red corner."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    images = []
    for k in range(count):
        pixels = np.full((size[1], size[0], 3), 40 + 20 * k, np.uint8)
        pixels[:5, :5] = (255, 0, 0)
        images.append(pixels)
    rng = np.random.default_rng(0)
    return Photos.of(
        images,
        world_to_camera=np.stack([look_at(3 * np.array([np.cos(a), np.sin(a), 0.3]), np.zeros(3)) for a in angles]),
        intrinsics=np.tile([50.0, 50.0, size[0] / 2, size[1] / 2], (count, 1)),
        held_out=np.isin(np.arange(count), held_out),
        points=rng.normal(size=(points, 3)) * 0.3 if points else None,
        names=tuple(f"shot {k}" for k in range(count)), **more,
    )  # fmt: skip


def settled(view):
    until(lambda: view.photos is None or len(view.grid.pictures.pictures) == len(view.photos))
    until(lambda: view._task is None or view.pane.image is not None or view.pane.message)


@pytest.fixture
def view(show):
    made = show("photos", 700, 420)
    made.show_artifacts([Shown("p", "Shots", some_photos())])
    settled(made)
    return made


def test_a_frustum_ends_where_its_photo_does():
    photos = some_photos()
    corners = frusta(photos, 0.7)
    for k in range(len(photos)):
        turn, shift = photos.world_to_camera[k, :3, :3], photos.world_to_camera[k, :3, 3]
        local = corners[k] @ turn.T + shift
        assert np.abs(local[0]).max() < 1e-12
        assert local[1:, 2] == pytest.approx(0.7)
        pixels = 50 * local[1:, :2] / local[1:, 2:] + [20, 15]
        assert np.allclose(pixels, [[0, 0], [40, 0], [40, 30], [0, 30]])
    spread = np.linalg.norm(np.ptp(corners[:, 0], axis=0))
    assert 0.04 * spread <= frustum_depth(photos) <= 0.3 * spread
    assert frustum_depth(some_photos(1)) > 0


def test_small_pictures_come_with_names_and_marks(view):
    model = view.grid.pictures
    assert model.rowCount() == 6
    assert [model.data(model.index(k)) for k in range(3)] == ["shot 0", "shot 1", "shot 2"]
    assert [model.is_held_out(k) for k in range(3)] == [False, True, False]
    assert "held out" in model.data(model.index(1), Qt.ItemDataRole.ToolTipRole)
    for k in range(6):
        assert model.pictures[k].pixelColor(100, 100).red() == pytest.approx(40 + 20 * k, abs=2)
    assert view.layer.texture is not None  # and they hang in space


def test_the_chosen_photo_is_shown_large_and_stepped_through(view, qtbot):
    assert view.chosen == 0
    view.activateWindow()
    view.grid.setFocus()
    until(view.grid.hasFocus)
    qtbot.keyClick(view.grid, Qt.Key.Key_PageDown)
    assert view.chosen == 1
    assert view.readout.text() == "shot 1  ·  40 × 30 pixels  ·  held out"
    until(lambda: view.pane.image is not None and view.pane.image.pixelColor(30, 20).red() == 60)
    assert view.layer.chosen == 1
    qtbot.keyClick(view.grid, Qt.Key.Key_PageUp)
    qtbot.keyClick(view.grid, Qt.Key.Key_PageUp)
    assert view.chosen == 5
    assert view.grid.currentIndex().row() == 5


def test_a_click_on_a_frustum_shows_its_photo(view, qtbot):
    canvas = view.scene.canvas
    flat = canvas.project(view.layer.corners.reshape(-1, 3)).reshape(-1, 5, 3)
    for k in np.argsort(flat[:, 0, 2])[:2]:
        x, y = flat[k, 1:, :2].mean(0)
        assert view.layer.at(canvas.project, x, y) == k
        qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(round(x), round(y)))
        assert view.chosen == k
    before = view.chosen
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert view.chosen == before
    assert view.layer.at(canvas.project, 2, 2) == -1


def test_it_sends_a_splat_view_to_the_camera(view, show, qtbot):
    view.choose(2)
    view.fly()
    assert "splat view" in view.notice.text()
    splats = show("splats", 320, 260)
    splats.show_artifacts([Shown("c", "Ball", shell(200, radius=0.5))])
    fine(splats)
    view.fly()
    assert view.notice.isHidden()
    until(lambda: not splats.flight.under_way)
    assert np.allclose(splats.pose.back, -view.photos.world_to_camera[2, 2, :3])
    assert splats.lens == pytest.approx(15 / 50)
    centre = -view.photos.world_to_camera[2, :3, :3].T @ view.photos.world_to_camera[2, :3, 3]
    eye = splats.pose.focal + splats.pose.back * splats.pose.half_height / splats.lens
    assert np.allclose(eye, centre)


def test_a_damaged_photo_is_told_and_the_others_are_shown(show):
    photos = some_photos()
    broken = photos.encoded.copy()
    broken[photos.starts[2] : photos.starts[2] + 40] = 0
    view = show("photos", 700, 420)
    view.show_artifacts([Shown("p", "Shots", photos.replace(encoded=broken))])
    settled(view)
    assert view.grid.pictures.pictures[2] is None
    assert view.grid.pictures.pictures[3] is not None
    assert small_picture(photos, 2) is not None
    view.choose(2)
    until(lambda: view.pane.image is None and bool(view.pane.message))
    assert "shot 2 cannot be read" in view.pane.message
    view.choose(3)
    until(lambda: view.pane.image is not None)


def test_pictures_state_and_narrow_views(view, show):
    view.choose(4)
    view.scene.set_pose(view.scene.pose.orbited(0.4, 0.1).zoomed(1.5))
    picture = view.screenshot(300, 200)
    assert picture.shape == (200, 300, 3)
    assert picture.std() > 5
    state = json.loads(json.dumps(view.state()))
    other = show("photos", 300, 420)
    assert other.split.orientation() == Qt.Orientation.Vertical
    other.restore(state)
    other.show_artifacts([Shown("p", "Shots", view.photos)])
    assert other.chosen == 4
    other.restore(state)
    assert other.scene.pose.same_as(view.scene.pose)
    other.restore({"photo": True, "sizes": [[10**30, 1], 2], "scene": 3, "set": 9})
    assert other.chosen == 4


def test_photos_without_points_or_of_mixed_sizes_and_none_at_all(show):
    view = show("photos", 700, 420)
    for photos in (some_photos(1, points=0), some_photos(2, size=(11, 60))):
        view.show_artifacts([Shown("p", "Shots", photos)])
        settled(view)
        assert view.chosen in range(len(photos))
        assert view.layer.at(view.scene.canvas.project, -99, -99) == -1
    empty = some_photos(1).replace(
        world_to_camera=np.zeros((0, 4, 4)), intrinsics=np.zeros((0, 4)), sizes=np.zeros((0, 2), np.int64),
        starts=np.zeros(1, np.int64), held_out=np.zeros(0, bool), points=None, names=(),
    )  # fmt: skip
    view.show_artifacts([Shown("p", "None", empty)])
    assert view.pane.message == "There are no photos in it."
    view.show_artifacts([])
    QApplication.processEvents()
    assert view.empty.isVisible()


def test_photos_are_drawn_in_the_3d_view_too(show):
    scene = show("scene")
    bare = scene.screenshot(160, 120).astype(int)
    scene.show_artifacts([Shown("p", "Shots", some_photos())])
    assert np.abs(scene.screenshot(160, 120).astype(int) - bare).max(-1).mean() > 1
    assert [spec.key for spec in viewers_for(Photos)][:2] == ["photos", "scene"]


def test_photos_without_cameras_are_small_and_large_pictures_and_no_space(view, qtbot):
    posed = some_photos()
    alone = UnposedPhotos(encoded=posed.encoded, starts=posed.starts, sizes=posed.sizes, names=posed.names)
    view.show_artifacts([Shown("a", "Photos", alone)])
    assert view.grid.isVisible()
    assert view.pane.isVisible()
    assert not view.scene.isVisible()
    assert "Structure from motion" in view.hint.text()
    assert view.hint.isVisible()
    qtbot.waitUntil(lambda: len(view.grid.pictures.pictures) == len(alone))
    view.step(1)
    assert view.chosen == 1
    assert view.camera(1) is None
    assert view.screenshot(64, 48).shape == (48, 64, 3)
    view.show_artifacts([Shown("b", "Photos", posed)])
    assert view.scene.isVisible()
    assert not view.hint.isVisible()
    assert view.camera(1) is not None


def test_cameras_in_the_splat_view_show_their_photos(show):
    splats = show("splats", 300, 220)
    red = np.zeros((30, 40, 3), np.uint8)
    red[..., 0] = 255
    photos = Photos.of(
        [red], world_to_camera=look_at(np.array([0.0, 0.0, 6.0]), np.zeros(3), np.array([0.0, 1.0, 0.0]))[None],
        intrinsics=[[20.0, 20.0, 20.0, 15.0]],
    )  # fmt: skip
    splats.show_artifacts([Shown("s", "Splats", shell(50, radius=0.1, colour=(0, 0, 1))), Shown("p", "Shots", photos)])
    layer = splats.solids.layers["p"]
    until(lambda: layer.texture is not None)
    fine(splats)
    pose = dataclasses.replace(
        splats.pose, focal=layer.corners[0, 1:].mean(0), back=np.array([0.0, 0.0, 1.0]), up=np.array([0.0, 1.0, 0.0]),
        half_height=1.2 * layer.depth,
    )  # fmt: skip
    pixels = splats.solids.draw(pose, 120, 90).paint.reshape(-1, 3)
    assert ((pixels[:, 0] > 0.8) & (pixels[:, 1:].max(1) < 0.2)).sum() > 20, "the photo's red is in its frustum"
    splats.show_artifacts([Shown("s", "Splats", shell(50))])
    assert not splats.solids._hanging
