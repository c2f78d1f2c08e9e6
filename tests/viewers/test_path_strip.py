"""Putting a camera path together below a splat view, through what a person sees and presses."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from app.viewers.path_edit import KeyView, PathEdit
from app.viewers.path_links import wishes
from app.viewers.pinhole import camera_of
from app.viewers.registry import Shown
from engines.blocks.camera_routes import orbit
from engines.blocks.cameras import look_at
from engines.data import CameraPath
from tests.viewers.test_splat_view import fine, shell, until


def key(x: float) -> KeyView:
    return KeyView(look_at([x, -3.0, 1.0], [0, 0, 0]), 40.0)


def edit(*xs: float, **more) -> PathEdit:
    made = PathEdit(**more)
    for x in xs:
        made = made.added(key(x), len(made) - 1)
    return made


def places(made: PathEdit) -> list[float]:
    return [round(float(-(v.world_to_camera[:3, :3].T @ v.world_to_camera[:3, 3])[0]), 6) for v in made.views]


# ---- the values -------------------------------------------------------------------------------------------


def test_key_views_follow_each_other_in_even_time():
    made = edit(0, 1, 2)
    assert places(made) == [0, 1, 2]
    assert made.path().times.tolist() == [0, 2, 4]
    assert made.seconds == 4
    assert PathEdit().path() is None
    assert edit(5).path().seconds == 2  # a single one is held


def test_one_in_between_shares_the_time_and_one_at_the_end_makes_it_longer():
    made = edit(0, 1, 2).added(key(9), 0)
    assert places(made) == [0, 9, 1, 2]
    assert made.path().times.tolist() == [0, 1, 2, 4]
    longer = made.added(key(3), 3)
    assert longer.seconds == pytest.approx(4 + 4 / 3)
    closed = edit(0, 1, 2, closed=True)
    assert closed.seconds == 6
    assert closed.added(key(3), 2).seconds == 8


def test_removing_leaves_the_others_when_they_were():
    made = edit(0, 1, 2, 3)
    assert made.removed(1).path().times.tolist() == [0, 4, 6]
    assert made.removed(0).path().times.tolist() == [0, 2, 4]
    assert made.removed(3).path().times.tolist() == [0, 2, 4]
    assert edit(0).removed(0).path() is None


def test_reordering_keeps_the_times_and_stops_at_the_ends():
    made = edit(0, 1, 2).lasting(10)
    assert made.path().times.tolist() == [0, 5, 10]
    assert places(made.moved(2, -1)) == [0, 2, 1]
    assert made.moved(2, 1) is made
    assert made.moved(2, -1).path().times.tolist() == [0, 5, 10]
    assert places(made.renewed(1, key(7))) == [0, 7, 2]


@pytest.mark.parametrize("closed", [True, False])
def test_a_path_of_the_project_and_a_saved_state_come_back(closed):
    made = edit(0, 1, 2, closed=closed, even_speed=False, width=640, height=360, rate=12.0, unit="m")
    made = made.added(key(4), 0)
    path = made.path()
    assert PathEdit.of(path).path().content_hash() == path.content_hash()
    assert PathEdit.from_json(made.to_json()).path().content_hash() == path.content_hash()
    for junk in (None, {}, {"views": 3}, {**made.to_json(), "legs": [1]}, {**made.to_json(), "size": [1, 2, 3]}):
        assert PathEdit.from_json(junk) is None


# ---- the strip --------------------------------------------------------------------------------------------


@pytest.fixture
def view(show):
    made = show("splats", 900, 460)
    made.show_artifacts([Shown("c", "Shell", shell(300))])
    fine(made)
    made.activateWindow()
    made.canvas.setFocus()
    until(made.canvas.hasFocus)
    return made


def button(view, name):
    return next(b for b in view.path.bar.findChildren(object) if b.objectName() == f"{name}-button")


def three(view, qtbot):
    for _ in range(3):
        view.set_pose(view.pose.orbited(0.6, 0.1))
        qtbot.keyClick(view.canvas, Qt.Key.Key_K)
    return view.path


def test_k_opens_the_strip_and_adds_the_view_that_is_on_screen(view, qtbot):
    assert not view.path.isVisible()
    qtbot.keyClick(view.canvas, Qt.Key.Key_T)
    assert view.path.isVisible()
    assert view.path.hint.isVisible()
    qtbot.keyClick(view.canvas, Qt.Key.Key_T)
    assert not view.path.isVisible()
    strip = three(view, qtbot)
    assert strip.isVisible()
    assert not strip.hint.isVisible()
    assert view.canvas.hasFocus()
    assert len(strip.edit) == 3
    camera = camera_of(view.pose, 800, 600, view.lens)
    np.testing.assert_allclose(strip.edit.views[2].world_to_camera, camera.world_to_camera, atol=1e-9)
    assert strip.edit.views[2].field_of_view == pytest.approx(30)
    assert strip.path.unit == "mm"
    assert strip.time.text().startswith("key view 3 of 3")


def test_a_mark_leads_to_its_view_and_keys_change_it(view, qtbot):
    strip = three(view, qtbot)
    bar = strip.timeline
    first = strip.edit.views[0].world_to_camera
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.place_of_mark(0).toPoint())
    assert strip.chosen == 0
    until(lambda: not view.flight.under_way)
    np.testing.assert_allclose(camera_of(view.pose, 99, 99, view.lens).world_to_camera, first, atol=1e-6)
    qtbot.keyClick(bar, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert strip.chosen == 1
    assert strip.edit.views[1].world_to_camera is first
    qtbot.keyClick(bar, Qt.Key.Key_Delete)
    assert len(strip.edit) == 2
    strip.undo_stack.undo()
    strip.undo_stack.undo()
    assert strip.edit.views[0].world_to_camera is first
    assert len(strip.edit) == 3
    strip.undo_stack.redo()
    assert strip.edit.views[1].world_to_camera is first
    qtbot.keyClick(bar, Qt.Key.Key_PageDown)
    assert strip.chosen == 2


def test_scrubbing_moves_the_camera_along_the_path(view, qtbot):
    strip = three(view, qtbot)
    bar = strip.timeline
    until(lambda: bar.width() > 100)
    middle = (bar.place_of_mark(0) + bar.place_of_mark(1)).toPoint() / 2
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=middle)
    assert strip.chosen == -1
    assert 0.8 < strip.at < 1.3
    camera = camera_of(view.pose, 99, 99, view.lens)
    expected = strip._track.cameras(np.array([strip.at]))[0]
    np.testing.assert_allclose(camera.world_to_camera, expected.world_to_camera, atol=1e-6)
    bar.setFocus()
    qtbot.keyClick(bar, Qt.Key.Key_End)
    assert strip.at == pytest.approx(strip.edit.seconds)
    assert strip.chosen == 2


def test_it_plays_and_another_hand_stops_it(view, qtbot):
    strip = three(view, qtbot)
    strip.choose(0)
    until(lambda: not view.flight.under_way)
    before = view.pose
    qtbot.keyClick(view.canvas, Qt.Key.Key_Space)
    assert strip.clock.playing
    until(lambda: strip.at > 0.3)
    assert not np.allclose(view.pose.back, before.back)
    qtbot.keyClick(view.canvas, Qt.Key.Key_Left)
    assert not strip.clock.playing
    qtbot.mouseClick(button(view, "path-play"), Qt.MouseButton.LeftButton)
    assert strip.clock.playing
    qtbot.keyClick(view.canvas, Qt.Key.Key_T)
    assert not strip.clock.playing


def test_length_pace_and_size_are_set_and_undone(view, qtbot):
    strip = three(view, qtbot)
    strip.seconds.setValue(9.0)
    assert strip.path.seconds == 9
    qtbot.mouseClick(strip.closed, Qt.MouseButton.LeftButton, pos=QPoint(8, strip.closed.height() // 2))
    assert strip.path.closed
    assert strip.path.seconds == pytest.approx(13.5)
    strip.sizes.setCurrentIndex(1)
    strip.sizes.activated.emit(1)
    assert (strip.path.width, strip.path.height) == (1920, 1080)
    for _ in range(3):
        strip.undo_stack.undo()
    assert (strip.path.width, strip.path.closed, strip.path.seconds) == (1280, False, 4)
    assert strip.seconds.value() == 4
    assert not strip.closed.isChecked()


def test_the_path_is_drawn_while_the_strip_is_open_and_nothing_plays(view, qtbot):
    strip = three(view, qtbot)
    view.set_pose(view.pose.zoomed(0.4).orbited(0.9, 0.3))
    fine(view)

    def picture() -> np.ndarray:
        image = view.canvas.grab().toImage()
        return np.array([[image.pixel(x, y) for x in range(0, image.width(), 3)] for y in range(0, image.height(), 3)])

    drawn, edit = picture(), strip.edit
    strip._put(PathEdit(), -1)
    bare = picture()
    assert (drawn != bare).sum() > 100
    strip._put(edit, 0)
    strip.clock._timer.start(60_000)  # plays, and has not moved yet
    assert np.array_equal(picture(), bare)


def test_what_is_put_together_is_offered_to_the_window(view, qtbot):
    strip = three(view, qtbot)
    heard = []
    wishes.save_wanted.connect(lambda v, p: heard.append(("save", v, p)))
    wishes.render_wanted.connect(lambda v, p: heard.append(("render", v, p)))
    qtbot.mouseClick(button(view, "path-save"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(button(view, "path-render"), Qt.MouseButton.LeftButton)
    assert "Add the cloud to the project first" in view.notice.text()  # nobody took it up
    wishes.save_wanted.disconnect()
    wishes.render_wanted.disconnect()
    assert [(word, v, p.content_hash()) for word, v, p in heard] == [
        (word, view, strip.path.content_hash()) for word in ("save", "render")
    ]


def test_a_path_of_the_project_opens_in_the_strip_and_changes_stay(view, qtbot):
    path = orbit(np.zeros(3), np.array([0, 0, 1.0]), 4.0, 20.0, 6.0, 40.0, width=640, height=360)
    cloud = view.items[0]
    view.show_artifacts([cloud, Shown("p", "Orbit", path)])
    strip = view.path
    assert strip.isVisible()
    assert strip.path.content_hash() == path.content_hash()
    assert strip.sizes.currentText() == "Small 640 × 360"
    assert view.solids is None  # it is not drawn twice
    strip.remove_chosen()
    view.show_artifacts([cloud, Shown("p", "Renamed", path)])
    assert len(strip.edit) == 23
    state = view.state()
    view.show_artifacts([cloud])
    view.path_action.setChecked(False)
    strip._put(PathEdit(), -1)
    view.restore(state)
    assert len(strip.edit) == 23
    assert strip.isVisible()
    assert isinstance(strip.path, CameraPath)
    view.restore({**state, "path": {"edit": {"views": "junk"}, "open": "x", "at": []}})
    assert len(strip.edit) == 23
