"""Fingers by their joints' names, named poses, and what mirrors do."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.avatars.hand_poses import (
    FINGERS,
    PRESETS,
    angles_of,
    curl_of,
    curled,
    finger_of,
    fingers,
    hand_frame,
    mirrored,
    preset_angles,
    rotations_of,
)
from engines.blocks.meshes.rotations import turned_about
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.data import RiggedTemplate
from engines.files.rigged_glb import the_open_hand

MANO = ("wrist", *(f"{f}{k}" for f in ("index", "middle", "pinky", "ring", "thumb") for k in (1, 2, 3)))
MANO_PARENTS = np.array([-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14])
_BONES = ("metacarpal", "phalanx-proximal", "phalanx-intermediate", "phalanx-distal", "tip")
WEBXR = (
    *("wrist", "thumb-metacarpal", "thumb-phalanx-proximal", "thumb-phalanx-distal", "thumb-tip"),
    *(f"{finger}-finger-{bone}" for finger in ("index", "middle", "ring", "pinky") for bone in _BONES),
)
WEBXR_PARENTS = np.array([-1, 0, 1, 2, 3, *(p for f in range(4) for p in (0, *range(5 + 5 * f, 9 + 5 * f)))])


def some_axes(count, seed=0):
    return Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix()


def stick_hand(side="right") -> RiggedTemplate:
    """Joints in the plane z = 0, fingers along y, the palm towards z; the thumb at the left of who looks at it."""
    flip = 1 if side == "right" else -1
    joints, axes = np.zeros((16, 3)), np.zeros((16, 3, 3))
    for finger, x in (("index", 0.03), ("middle", 0.01), ("ring", -0.01), ("pinky", -0.03), ("thumb", 0.05)):
        for k in range(3):
            joints[MANO.index(f"{finger}{k + 1}")] = [flip * x, 0.08 + 0.03 * k - 0.05 * (finger == "thumb"), 0]
    away = {"index": 1, "middle": 1, "ring": -1, "pinky": -1, "thumb": 1, "wrist": 1}
    for k, name in enumerate(MANO):
        out = flip * away[name.rstrip("123")]
        axes[k] = [[1, 0, 0], [0, 0, -out], [0, out, 0]]  # about -z a finger goes from y to x
    return RiggedTemplate(
        vertices=joints, faces=np.array([[0, 1, 2]], np.int32), weights=np.eye(16), joints=joints,
        parents=MANO_PARENTS.astype(np.int32), axes=axes, joint_names=MANO, side=side,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "finger"),
    [
        ("index1", "index"), ("index-finger-phalanx-proximal", "index"), ("RightHandIndex2", "index"),
        ("pinky-finger-tip", "little"), ("b_l_pinky3", "little"), ("LittleFinger_02", "little"),
        ("thumb_03_l", "thumb"), ("index-finger-phalanx-intermediate", "index"),
        ("pointerFinger", "index"), ("wrist", None), ("spring", None),
        ("forearm", None), ("RightForeArm", None), ("ForeFinger1", "index"), ("lefthandring1", "ring"),
        ("SpringBone", None), ("thumb_middle", "thumb"),
    ],
)  # fmt: skip
def test_names_tell_the_finger(name, finger):
    assert finger_of(name) == finger


@pytest.mark.parametrize(("names", "parents"), [(MANO, MANO_PARENTS), (WEBXR, WEBXR_PARENTS)])
def test_each_joint_belongs_to_one_finger_in_order(names, parents):
    found = fingers(names, parents)
    assert [f.key for f in found] == ["wrist", *FINGERS]
    joints = [joint.index for finger in found for joint in finger.joints]
    assert sorted(joints) == list(range(len(names)))
    assert [j.role for j in found[2].joints if j.role not in ("palm", "tip")] == ["knuckle", "middle", "end"]
    assert [j.role for j in found[1].joints if j.role != "tip"] == ["base", "knuckle", "end"]


def test_what_is_no_hand_has_its_joints_too():
    found = fingers(("root", "arm", "leg"), np.array([-1, 0, 0]))
    assert [f.key for f in found] == ["wrist", "other"]
    assert [j.title for j in found[1].joints] == ["arm", "leg"]
    assert not preset_angles("fist", ("root", "arm", "leg"), np.array([-1, 0, 0])).any()


def test_angles_and_rotations_lead_to_each_other():
    rng = np.random.default_rng(1)
    axes, angles = some_axes(16), rng.uniform(-80, 80, (16, 3))
    rotations = rotations_of(angles, axes)
    assert np.abs(angles_of(rotations, axes) - angles).max() < 1e-6
    turned = turned_about(torch.from_numpy(np.radians(angles)), torch.from_numpy(axes)).numpy()
    assert np.abs(rotations - turned).max() < 1e-9
    assert np.abs(angles_of(rotations[None].repeat(2, 0), axes) - angles).max() < 1e-6
    only_bent = np.zeros((16, 3))
    only_bent[:, 0] = angles[:, 0]
    assert np.abs(rotations_of(only_bent, axes) - np.radians(angles[:, :1]) * axes[:, 0]).max() < 1e-9


def test_spread_by_a_right_angle_all_else_is_bending():
    axes = some_axes(1)
    rotations = rotations_of(np.array([[20.0, 90.0, 30.0]]), axes)
    found = angles_of(rotations, axes)
    assert found[0, 2] == 0
    assert np.abs(rotations_of(found, axes) - rotations).max() < 1e-6


def test_a_pinch_brings_the_tips_together_and_a_fist_closes_the_hand():
    hand = the_open_hand()

    def tips(key):
        turns = torch.from_numpy(rotations_of(preset_angles(key, hand.joint_names, hand.parents), hand.axes))
        rest, weights, joints = (torch.from_numpy(np.array(a)) for a in (hand.vertices, hand.weights, hand.joints))
        moved = skin(rest, weights, joint_transforms(turns, joints, hand.parents)).numpy()
        found = []
        for finger in ("thumb3", "index3"):
            joint = hand.joint_names.index(finger)
            own = np.flatnonzero(hand.weights[:, joint] > 0.9)
            far = own[np.argsort(np.linalg.norm(hand.vertices[own] - hand.joints[joint], axis=1))[-12:]]
            found.append(moved[far].mean(0))
        return found, moved

    (thumb, index), rest = tips("rest")
    assert np.linalg.norm(thumb - index) > 0.06
    (thumb, index), _ = tips("pinch")
    assert np.linalg.norm(thumb - index) < 0.015
    _, fist = tips("fist")
    along = hand_frame(hand).along
    assert np.ptp(fist @ along) < 0.75 * np.ptp(rest @ along)


def test_a_finger_is_rolled_up_by_as_much_as_was_said_and_its_spread_stays():
    index = next(f for f in fingers(MANO, MANO_PARENTS) if f.key == "index")
    angles = np.full((16, 3), 7.0)
    made = curled(index, angles, 0.6)
    assert curl_of(index, made) == pytest.approx(0.6)
    assert np.array_equal(made[:, 1:], angles[:, 1:])
    assert np.array_equal(made[4:], angles[4:])


def test_named_poses_are_natural_and_differ():
    found = fingers(MANO, MANO_PARENTS)
    poses = {key: preset_angles(key, MANO, MANO_PARENTS) for key in PRESETS}
    for key, angles in poses.items():
        for finger in found:
            for joint in finger.joints:
                for turn, (low, high) in zip(angles[joint.index], joint.ranges, strict=True):
                    assert low <= turn <= high, (key, joint)
    shapes = {angles.tobytes() for angles in poses.values()}
    assert len(shapes) == len(PRESETS)
    fist, point = poses["fist"], poses["point"]
    bent = [joint.index for finger in found if finger.key in ("middle", "ring", "little") for joint in finger.joints]
    assert np.array_equal(fist[bent], point[bent])
    assert not point[MANO.index("index1")].any()


def test_the_same_angles_are_mirror_images_on_both_hands():
    right, left = stick_hand("right"), stick_hand("left")
    angles = np.random.default_rng(2).uniform(-60, 60, (16, 3))
    # Seen in the mirror x -> -x, axes of rotation keep their x and turn around in y and z.
    assert np.abs(mirrored(rotations_of(angles, right.axes)) - rotations_of(angles, left.axes)).max() < 1e-12


def test_a_mirror_turns_rotations_about():
    v = np.array([0.3, -0.5, 0.9])
    mirror = np.diag([-1.0, 1, 1])
    assert np.allclose(
        Rotation.from_rotvec(mirrored(v)).as_matrix(), mirror @ Rotation.from_rotvec(v).as_matrix() @ mirror
    )
    normal = np.array([1.0, 2, -1])
    assert np.allclose(mirrored(mirrored(v, normal), normal), v)


def test_the_frame_of_a_hand_looks_out_of_the_palm():
    for side in ("right", "left"):
        frame = hand_frame(stick_hand(side))
        assert np.allclose(frame.along, [0, 1, 0], atol=0.05)
        assert np.allclose(frame.palm, [0, 0, 1], atol=0.05)
        assert np.allclose(frame.across, np.cross(frame.along, frame.palm))


def test_joints_in_one_place_have_a_frame_too():
    from tests.hands import template

    frame = hand_frame(template())
    axes = np.stack([frame.across, frame.along, frame.palm])
    assert np.allclose(axes @ axes.T, np.eye(3))
