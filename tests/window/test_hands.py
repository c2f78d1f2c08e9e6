"""Hands in the window: poses that are kept, and opened with their hand."""

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.window.pose_acts import with_hand
from app.window.run_sides import sides
from engines.data import PoseSequence, Table
from tests import hands
from tests.viewers.test_splat_view import until
from tests.window.conftest import find


@pytest.fixture
def hand(window, add):
    """A template of the project in the hand view."""
    window.file_acts.new_project()
    (template,) = add(hands.template(), name="Three joints")
    window.view_acts.show_artifacts([template])
    until(lambda: bool(window.views.current.viewers()))
    view = window.views.current.viewers()[0]
    assert view.objectName() == "hand-view"
    view.canvas.setFocus()
    until(view.canvas.hasFocus)
    return view


def kept(window):
    return [e for e in window.bench.project.entries.values() if e.type == "PoseSequence"]


def test_key_poses_become_part_of_the_project_and_are_opened_with_their_hand(window, hand, click, qtbot):
    qtbot.keyClick(hand.canvas, Qt.Key.Key_K)
    hand.posing.set_angle(1, 0, 60.0)
    qtbot.keyClick(hand.canvas, Qt.Key.Key_K)
    assert window.actions_["undo"].text() == "&Undo add key pose"
    click(find(hand, "strip-save-button"))
    until(lambda: len(kept(window)) == 1)
    (entry,) = kept(window)
    assert entry.name == "Poses"
    assert entry.origin == "view of Three joints"
    poses = window.bench.project.artifact(entry.id)
    assert poses.joint_names == hands.NAMES
    assert len(poses) == 26
    assert np.allclose(poses.rotations[-1, 1], hand.posing.pose.rotations[1])
    until(lambda: window.project_panel.selected_artifacts() == [entry.id])
    click(find(hand, "strip-save-button"))
    until(lambda: any("already" in box.note.text for box in window.notices.boxes()))
    assert len(kept(window)) == 1

    window.view_acts.show_artifacts([entry.id])
    until(lambda: len(window.views.current.artifact_ids()) == 2 and bool(window.views.current.viewers()))
    view = window.views.current.viewers()[0]
    until(lambda: len(view.strip.keys) == 26)
    assert view.choice.name == "Three joints"


def test_poses_alone_and_avatars_alone_find_what_belongs_to_them(window, add):
    window.file_acts.new_project()
    (poses,) = add(hands.poses(), name="Poses")
    assert with_hand(window.bench, [poses]) == [poses]
    (template,) = add(hands.template(), name="Template")
    (avatar,) = add(hands.avatar(), name="Avatar")
    assert with_hand(window.bench, [poses]) == [avatar, poses]
    assert with_hand(window.bench, [poses], on_show=[template]) == [template, poses]
    assert with_hand(window.bench, [avatar]) == [avatar]
    assert with_hand(window.bench, [avatar, poses]) == [avatar, poses]


def test_a_run_of_an_avatar_is_seen_with_its_capture():
    scores = Table(columns={"PSNR": np.ones(1)})
    left, right = sides({"capture": hands.capture()}, {"avatar": hands.avatar(), "scores": scores})
    assert (left.viewer, [item.id for item in left.items]) == ("hand", ["out/avatar", "in/capture"])
    assert right.items == []
    left, right = sides({"avatar": hands.avatar(), "poses": PoseSequence.of(np.zeros((2, 3, 3)), hands.NAMES)}, {})
    assert [item.id for item in left.items] == ["in/avatar", "in/poses"]
