"""The video view, and a camera path in the 3D view, through what a person sees and presses."""

import io

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt

from app.viewers.registry import Shown
from engines.blocks.camera_routes import orbit
from engines.data import DepthVideo, Video
from tests.viewers.test_splat_view import until


def film(count=6, rate=10.0) -> Video:
    files = []
    for number in range(count):
        out = io.BytesIO()
        Image.fromarray(np.full((12, 16, 3), 40 * number, np.uint8)).save(out, "PNG")
        files.append(out.getvalue())
    return Video.packed(files, 16, 12, rate)


@pytest.fixture
def view(show):
    made = show("video", 420, 300)
    made.show_artifacts([Shown("v", "Film", film())])
    made.activateWindow()
    made.timeline.setFocus()
    until(made.timeline.hasFocus)
    until(lambda: made.drawn_index == 0)
    return made


def test_keys_go_from_picture_to_picture(view, qtbot):
    qtbot.keyClick(view.timeline, Qt.Key.Key_PageDown)
    until(lambda: view.drawn_index == 1)
    assert view.item.image[0, 0].tolist() == [40, 40, 40]
    assert view.time.text().startswith("2 of 6   0.1 / 0.6 s")
    qtbot.keyClick(view.timeline, Qt.Key.Key_PageUp)
    qtbot.keyClick(view.timeline, Qt.Key.Key_PageUp)
    until(lambda: view.drawn_index == 5)
    qtbot.keyClick(view.timeline, Qt.Key.Key_Home)
    until(lambda: view.drawn_index == 0)


def test_it_plays_stops_and_comes_round(view, qtbot):
    seen = set()
    view.evaluator.answered.connect(lambda wanted, _: seen.add(wanted.index))
    qtbot.keyClick(view.timeline, Qt.Key.Key_Space)
    assert view.clock.playing
    until(lambda: len(seen) >= 5 and 0 in seen and view.index > 1)
    qtbot.keyClick(view.timeline, Qt.Key.Key_Space)
    assert not view.clock.playing
    view.clock.start(0)
    view.hide()
    assert not view.clock.playing


def test_a_click_on_the_bar_goes_there(view, qtbot):
    bar = view.timeline
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.rect().center())
    assert view.index in (2, 3)


def test_values_are_told_in_their_unit(view):
    assert view.describe(3.2, 4.9) == "x 3, y 4   0, 0, 0"
    assert view.describe(-1, 0) == ""
    depth = np.full((2, 6, 8), 2.5, np.float32)
    depth[:, 0] = 0
    depth[1, 3:] = 4
    view.show_artifacts([Shown("v", "Film", film()), Shown("d", "Depth", DepthVideo(depth=depth, unit="m"))])
    view.videos.setCurrentIndex(1)
    view.videos.activated.emit(1)
    until(lambda: view.item.image.shape[:2] == (6, 8))
    assert view.describe(2, 2) == "x 2, y 2   depth 2.5 m"
    assert view.range.text() == "dark 2.5, bright 4 m"
    assert view.describe(2, 0) == "x 2, y 0   nothing"
    assert view.item.image[0, 0].tolist() == [0, 0, 0]
    colours = view.item.image[2, 2].tolist()
    view.show_index(1)
    until(lambda: view.drawn_index == 1)
    assert view.item.image[2, 2].tolist() == colours  # one range for all pictures
    assert view.item.image[4, 2].tolist() != colours
    view.restore({"video": "v", "picture": 3})
    until(lambda: view.drawn_index == 3 and view.item.image.shape[:2] == (12, 16))
    assert view.state() == {"video": "v", "picture": 3}


def test_a_damaged_picture_is_said_and_the_view_lives(view):
    broken = Video.packed([b"nothing"] * 2, 16, 12, 10.0)
    view.show_artifacts([Shown("b", "Broken", broken)])
    until(lambda: "cannot be read" in view.readout.text())


def test_a_camera_path_in_the_3d_view(show):
    scene = show("scene", 240, 200)
    path = orbit(np.zeros(3), np.array([0, 0, 1.0]), 3.0, 20.0, 5.0, 45.0)
    scene.show_artifacts([Shown("p", "Orbit", path)])
    picture = scene.screenshot(120, 100).astype(int)
    scene.layers["p"].style.visible = False
    scene.layers["p"].apply()
    without = scene.screenshot(120, 100).astype(int)
    assert (np.abs(picture - without).max(2) > 40).sum() > 60
    low, high = scene.layers["p"].bounds
    assert np.linalg.norm(high - low) > 5
