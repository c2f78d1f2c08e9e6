"""Captures and avatars in the hand view."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.viewers.hand_content import HandChoice, hands_in
from app.viewers.hand_pictures import places
from app.viewers.pinhole import camera_of
from app.viewers.registry import Shown
from tests import hands
from tests.viewers.hands.made import open_hand, pose_of, settled, small_avatar, small_capture
from tests.viewers.test_splat_view import until

# ---- captures ---------------------------------------------------------------------------------------------


def test_a_capture_is_seen_by_its_cameras_in_its_poses(view, qtbot):
    view.show_artifacts([Shown("c", "Capture", small_capture())])
    settled(view)
    assert np.allclose(view.posing.pose.rotations, pose_of("open").rotations)
    assert [view.captured.cameras.itemText(k) for k in range(2)] == ["front", "side"]
    view.canvas.setFocus()
    qtbot.keyClick(view.canvas, Qt.Key.Key_PageDown)
    assert np.allclose(view.posing.pose.rotations, pose_of("relaxed").rotations)
    assert view.captured.frames.currentIndex() == 1
    view.posing.set_angle(1, 0, 40.0)
    assert view.captured.frames.currentIndex() == -1
    view.captured.look_through(1)
    camera = camera_of(view.pose, 48, 64, view.lens)
    assert np.allclose(camera.centre, HandChoice("c", "", open_hand(), small_capture()).camera(0, 1).centre)


def test_photo_and_drawings_stand_side_by_side_and_are_measured(view, qtbot):
    view.resize(640, 420)
    view.show_artifacts([Shown("c", "Capture", small_capture())])
    view.canvas.setFocus()
    qtbot.keyClick(view.canvas, Qt.Key.Key_C)
    pictures = view.pictures
    assert pictures.shown_keys() == ["photo", "shaded", "normals"]
    until(lambda: {"photo", "shaded", "normals"} <= pictures.frames.keys() and pictures.is_settled)
    until(lambda: "dB" in pictures.captions["shaded"].text())
    score = float(pictures.captions["shaded"].text().split()[1])
    assert score > 40  # it was photographed by the same renderer
    pictures.cover.setValue(0)
    until(lambda: pictures.frames["photo"].request.cover == 0)
    shown, photo = pictures.frames["photo"].picture.astype(float), small_capture().photos.pixels(0)
    assert shown.shape[0] > photo.shape[0]
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2] == pytest.approx(photo[32, 24, :3], abs=12)
    view.captured.look_through(1)
    view.captured.take(1)
    until(lambda: pictures.is_settled and "no photo" in pictures.panes["photo"].message)
    assert pictures.picture(300, 200).width() == 300


def test_an_avatar_brings_its_capture(view):
    template = hands.template()
    choices = hands_in([Shown("a", "Avatar", hands.avatar()), Shown("c", "Capture", hands.capture())])
    assert [choice.name for choice in choices] == ["Avatar", "Capture, template"]
    assert choices[0].capture is not None
    assert choices[0].template.joint_names == template.joint_names


def test_tiles_are_as_large_as_they_can_be():
    assert [p[:2] for p in places(4, 800, 200, 1.0)] == [(0, 0), (200, 0), (400, 0), (600, 0)]
    assert [p[:2] for p in places(4, 400, 400, 1.0)] == [(0, 0), (200, 0), (0, 200), (200, 200)]


# ---- avatars ----------------------------------------------------------------------------------------------


def test_an_avatar_opens_neural_in_its_pose_and_light_and_follows_training(view):
    view.show_artifacts([Shown("a", "Avatar", small_avatar()), Shown("c", "Capture", small_capture())])
    assert (view.mode, view.light.captured) == ("neural", True)
    assert np.allclose(view.posing.pose.rotations, pose_of("open").rotations)
    offered = [view.modes.itemData(k) for k in range(view.modes.count())]
    assert offered == ["neural", "shaded", "normals", "albedo", "displacement", "weight"]
    settled(view)
    view.set_mode("displacement")
    until(lambda: view.drawing.is_settled and view.latest.request.mode == "displacement")
    (bar,) = view.colour_bars()
    assert bar.unit == "mm"
    assert bar.low == -bar.high
    assert 0.5 < bar.high < 20
    view.posing.set_angle(4, 0, 33.0)
    camera = view.pose
    younger = small_avatar().replace(name="later")
    view.show_artifacts([Shown("a", "Avatar", younger), Shown("c", "Capture", small_capture())])
    assert view.pose is camera
    assert (view.mode, view.posing.angles[4, 0]) == ("displacement", 33.0)
    until(lambda: view.drawing.is_settled and view.latest.request.hand is younger)
    view.side_action.setChecked(True)
    assert view.pictures.shown_keys() == ["photo", "shaded", "neural", "normals"]
    until(lambda: "neural" in view.pictures.frames and view.pictures.is_settled)
