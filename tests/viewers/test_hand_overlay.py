"""The template of a capture over its photos: drawn where the camera sees it, off the GUI thread."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.viewers.registry import Shown
from engines.blocks.hand_overlay import overlay, posed, seen
from engines.files import read
from tests.files import hand_sets


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    return read(hand_sets.folder(tmp_path_factory.mktemp("capture"))).artifacts[0]


def test_the_surface_lies_where_its_vertices_fall(capture):
    plain, drawn, outlined = (overlay(capture, 3, how) for how in ("none", "surface", "outline"))
    assert np.array_equal(plain, capture.photos.pixels(3))
    changed = (drawn != plain).any(-1)
    points = posed(capture, int(capture.frame[3]))[0].numpy()
    matrix, (fx, fy, cx, cy) = capture.photos.world_to_camera[3], capture.photos.intrinsics[3]
    local = points @ matrix[:3, :3].T + matrix[:3, 3]
    x, y = fx * local[:, 0] / local[:, 2] + cx, fy * local[:, 1] / local[:, 2] + cy
    inside = (x >= 0) & (x < 40) & (y >= 0) & (y < 32)
    assert seen(capture, 3) == inside.mean() > 0.5
    assert changed[y[inside].astype(int), x[inside].astype(int)].mean() > 0.98  # the rest lies at the silhouette
    assert 0.05 < changed.mean() < 0.8
    border = (outlined != plain).any(-1)
    assert border.any()
    assert not (border & ~changed).any()


def test_large_photos_are_drawn_small(capture):
    small = overlay(capture, 0, "surface", most=20)
    assert small.shape == (16, 20, 3)
    assert (small != overlay(capture, 0, "none", most=20)).any()


def test_frames_and_cameras_are_chosen(show, qtbot, capture):
    view = show("hand-overlay", 500, 360)
    with qtbot.waitSignal(view.drawn):
        view.show_artifacts([Shown("c", "Capture", capture)])
    assert [view.frames.itemText(i) for i in range(2)] == list(hand_sets.FRAMES)
    assert [view.views.itemText(i) for i in range(3)] == list(hand_sets.VIEWS)
    assert "% in view" in view.said.text()
    for frame, camera in ((1, 2), (0, 1)):
        with qtbot.waitSignal(view.drawn):
            view.show_photo(frame, camera)
        number = capture.photo(frame, camera)
        assert view.pane.image.pixelColor(0, 0).red() == capture.photos.pixels(number)[0, 0, 0]
    with qtbot.waitSignal(view.drawn):
        qtbot.keyClick(view, Qt.Key.Key_Right)
    assert (view.frame, view.view) == (1, 1)
    surface = view.screenshot(200, 150)
    with qtbot.waitSignal(view.drawn):
        view.draw_as("none")
    assert (view.screenshot(200, 150) != surface).any()
    state = view.state()
    with qtbot.waitSignal(view.drawn):
        view.show_photo(0, 0)
    with qtbot.waitSignal(view.drawn):
        view.restore(state)
    assert view.state() == state


def test_what_was_not_photographed_is_said(show, qtbot, capture):
    keep = [i for i in range(len(capture.photos)) if (capture.frame[i], capture.view[i]) != (1, 1)]
    given = capture.photos
    photos = given.of(
        [given.pixels(i) for i in keep], world_to_camera=given.world_to_camera[keep], intrinsics=given.intrinsics[keep]
    )
    fewer = capture.replace(photos=photos, frame=capture.frame[keep], view=capture.view[keep])
    view = show("hand-overlay", 500, 360)
    view.show_artifacts([Shown("c", "Capture", fewer)])
    view.show_photo(1, 1)
    qtbot.waitUntil(lambda: "no photo of this frame" in view.pane.message)
    view.show_artifacts([])
    assert view.empty.isVisible()
    assert "Choose a capture" in view.empty.accessibleName()
