"""Motion between key poses."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.blocks.avatars.key_poses import LEG, HandPose, KeyPoses
from engines.data import PoseSequence

NAMES = ("wrist", "index1", "index2")


def pose(x: float, place: float = 0.0, scale: float = 1.0) -> HandPose:
    return HandPose(np.array([[x, 0, 0], [0, x, 0], [0.1, 0.2, x]]), np.array([place, 0, 0]), scale)


def keys(*xs: float, step: float = 1.0, **more) -> KeyPoses:
    made = KeyPoses.empty(3)
    for k, x in enumerate(xs):
        made = made.added(pose(x, place=x), k * step)
    from dataclasses import replace

    return replace(made, **more)


def turned(motion: KeyPoses, moments) -> Rotation:
    return Rotation.from_rotvec(motion.at_all(np.asarray(moments, float))[0][:, 2])


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("smooth", [True, False])
def test_motion_goes_exactly_through_its_keys(closed, smooth):
    motion = keys(0.0, 0.7, 1.9, -0.4, closed=closed, smooth=smooth)
    rotations, places, scales = motion.at_all(motion.times)
    off = Rotation.from_rotvec(rotations.reshape(-1, 3)).inv() * Rotation.from_rotvec(motion.rotations.reshape(-1, 3))
    assert off.magnitude().max() < 1e-12
    assert np.allclose(places, motion.translations)
    assert np.allclose(scales, 1)
    if closed:
        assert motion.seconds == 4
        assert np.allclose(motion.at(4 - 1e-9).rotations, motion.rotations[0], atol=1e-6)


def test_smooth_motion_has_no_jumps_in_speed_where_keys_are_unevenly_spaced():
    motion = KeyPoses.empty(3)
    for x, at in ((0.0, 0.0), (0.4, 1.0), (1.5, 1.6), (1.9, 4.0)):
        motion = motion.added(pose(x), at)
    h = 1e-4
    for knot in motion.times[1:-1]:
        a, b, c = turned(motion, [knot - h, knot, knot + h])
        before, after = ((p.inv() * q).as_rotvec() / h for p, q in ((a, b), (b, c)))
        assert np.linalg.norm(before) > 0.1
        assert np.linalg.norm(after - before) < 0.01
    # Straight motion has such a jump.
    from dataclasses import replace

    a, b, c = turned(replace(motion, smooth=False), [1 - h, 1.0, 1 + h])
    assert np.linalg.norm((b.inv() * c).as_rotvec() - (a.inv() * b).as_rotvec()) / h > 0.5


def test_a_held_pose_is_held_and_none_is_overshot():
    motion = keys(0.0, 1.0, 1.0, 0.2)
    between = motion.at_all(np.linspace(1, 2, 21))[0]
    assert np.abs(between - motion.rotations[1]).max() < 1e-9
    bends = keys(0.0, 1.2, 0.3).at_all(np.linspace(0, 2, 101))[0][:, 0, 0]
    assert bends.min() > -1e-9
    assert bends.max() < 1.2 + 1e-9


def test_one_joint_turns_about_its_axis_alone_and_the_short_way():
    motion = keys(0.0, 2.0)
    rotations = motion.at_all(np.linspace(0, 1, 11))[0]
    assert np.abs(rotations[:, 0, 1:]).max() < 1e-12
    assert (np.diff(rotations[:, 0, 0]) > 0).all()
    wide = KeyPoses.empty(3).added(pose(3.0), 0).added(pose(-3.0), 1)
    middle = wide.at(0.5).rotations[0]
    assert abs(np.linalg.norm(middle) - np.pi) < 1e-9  # through pi, not through 0


def test_keys_are_added_in_order_of_time_and_replaced_where_one_is():
    made = KeyPoses.empty(3).added(pose(1), 5.0)
    assert made.times.tolist() == [0]  # it begins with the first
    made = made.added(pose(3), 2.0).added(pose(2), 1.0)
    assert made.rotations[:, 0, 0].tolist() == [1, 2, 3]
    again = made.added(pose(9), 1.0)
    assert again.rotations[:, 0, 0].tolist() == [1, 9, 3]
    assert len(again) == 3


def test_keys_move_past_each_other_and_keep_apart():
    made = keys(1, 2, 3)
    later, index = made.moved(0, 1.5)
    assert later.rotations[:, 0, 0].tolist() == [2, 1, 3]
    assert index == 1
    assert later.times.tolist() == [0, 0.5, 1]
    close, index = made.moved(0, 1.0)
    assert np.diff(close.times).min() > 0.01
    assert made.removed(0).times.tolist() == [0, 1]
    assert made.lasting(10).times.tolist() == [0, 5, 10]
    assert keys(1).removed(0).seconds == 0


def test_sequences_come_and_go_unchanged():
    rng = np.random.default_rng(0)
    rotations = rng.uniform(-1, 1, (7, 3, 3))
    sequence = PoseSequence.of(rotations, NAMES, rate=10.0, translations=rng.normal(size=(7, 3)))
    again = KeyPoses.of(sequence).sequence(NAMES, rate=10.0)
    assert np.allclose(again.rotations, rotations)
    assert np.allclose(again.translations, sequence.translations)
    slow = KeyPoses.of(sequence).sequence(NAMES, rate=10.0, speed=0.5)
    assert len(slow) == 13
    assert np.allclose(slow.rotations[::2], rotations)


def test_a_saved_motion_comes_back_and_junk_does_not():
    motion = keys(0.0, 1.0, 0.5, closed=True)
    again = KeyPoses.from_json(motion.to_json(), NAMES)
    assert again.to_json() == motion.to_json()
    broken = {**motion.to_json(), "times": [0, 2, 1]}
    endless = {**motion.to_json(), "scales": [1, float("nan"), 1]}
    for junk in (None, {}, 3, {"times": "a"}, broken, endless):
        assert KeyPoses.from_json(junk, NAMES) is None
    assert KeyPoses.from_json(motion.to_json(), NAMES[:2]) is None


def test_one_key_is_held():
    motion = keys(0.5)
    assert np.allclose(motion.at(3.0).rotations, pose(0.5).rotations)
    assert len(motion.sequence(NAMES)) == 1
    assert motion.return_leg == LEG
