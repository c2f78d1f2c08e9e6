"""Hands: what their types refuse, and how joints are found by name."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.data import PoseSequence
from tests.hands import NAMES, avatar, capture, template


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"weights": np.full((4, 3), 0.4)}, "miss 1"),
        ({"weights": np.array([[2, -1, 0]] * 4)}, "negative"),
        ({"parents": np.array([-1, 2, 1])}, "tree"),
        ({"parents": np.array([-1, -1, 1])}, "tree"),
        ({"joint_names": ("a", "a", "b")}, "names"),
        ({"axes": np.ones((3, 3, 3))}, "right angles"),
        ({"axes": np.tile(np.diag([1.0, 1, -1]), (3, 1, 1))}, "right angles"),
        ({"side": "upper"}, "upper"),
        ({"faces": np.array([[0, 1, 9]])}, "."),
        ({"vertices": np.full((4, 3), np.nan)}, "finite"),
    ],
)
def test_a_template_that_cannot_be(changes, word):
    with pytest.raises(UserError, match=word):
        template(**changes)


def test_poses_follow_the_names_of_joints():
    poses = PoseSequence.of(np.arange(18.0).reshape(2, 3, 3), NAMES)
    turned = poses.for_joints(("index2", "wrist", "index1"))
    np.testing.assert_array_equal(turned.rotations[:, 1], poses.rotations[:, 0])
    assert turned.for_joints(NAMES).content_hash() == poses.content_hash()
    assert poses.for_joints(NAMES[:2]).rotations.shape == (2, 2, 3)
    with pytest.raises(UserError, match="thumb1"):
        poses.for_joints(("wrist", "thumb1"))
    with pytest.raises(UserError, match="scale"):
        PoseSequence.of(np.zeros((1, 3, 3)), NAMES, scales=np.zeros(1))


def test_a_capture_knows_which_photo_is_which():
    made = capture()
    assert (made.photo(0, 1), made.photo(1, 0), made.view_count) == (1, None, 2)
    assert made.view_label(1) == "camera 2"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"frame": np.array([0, 0, 2])}, "frame 2"),
        ({"frame": np.array([0, 0]), "view": np.array([0, 1])}, "2 numbers"),
        ({"view": np.array([0, 0, 1])}, "same frame"),
        ({"surface": np.zeros((1, 4, 3))}, "1 of 2"),
        ({"poses": PoseSequence.of(np.zeros((2, 1, 3)), ("wrist",))}, "index1"),
    ],
)
def test_a_capture_that_cannot_be(changes, word):
    with pytest.raises(UserError, match=word):
        capture(**changes)


def test_an_avatar_needs_a_configuration():
    assert avatar().configuration == {"levels": 1}
    with pytest.raises(UserError, match="JSON"):
        avatar(config="[")
