"""The layouts of public captures of hands, on tiny files written alike."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engines.blocks.hand_overlay import posed
from engines.core import UserError
from engines.data import HandCapture
from engines.files import Question, read, readers_for
from engines.files.capture_deephandmesh import DeepHandMeshOptions
from engines.files.capture_interhand import TOWARDS, WRIST, InterHandOptions
from engines.files.rigged_glb import the_open_hand
from tests.files import hand_sets, mano_files
from tests.files.test_rigged_files import posed as posed_template
from tests.files.test_rigged_files import posed_joints


def interhand(path, **options) -> HandCapture:
    return read(path, InterHandOptions(**options)).artifacts[0]


def test_interhand_with_a_mano_file(tmp_path):
    given = mano_files.contents()
    where = hand_sets.interhand(tmp_path / "set", mean=given["hands_mean"])
    mano_files.write(where / "MANO_RIGHT.pkl", given)
    assert readers_for(where)[0].key == "interhand"
    loaded = read(where)
    found = loaded.artifacts[0]
    assert found.frame_names == ("13", "19")
    assert found.view_names == ("400262", "400263")  # colour alone
    assert len(found.photos) == 4
    np.testing.assert_allclose(found.poses.rotations, hand_sets.poses().rotations, atol=1e-12)
    np.testing.assert_allclose(found.photos.world_to_camera[0], hand_sets.cameras()[0], atol=1e-9)
    shaped = given["v_template"] + given["shapedirs"] @ np.full(10, 0.5)
    np.testing.assert_allclose(found.template.vertices, shaped, atol=1e-12)
    assert any("1 of 3 frames have no pose of the right hand" in text for text in loaded.problems)
    assert interhand(where, only_colour=False).view_count == 3
    few = interhand(where, frames=1, cameras=1)
    assert (len(few.photos), few.frame_names) == (1, ("13",))


@pytest.mark.parametrize("side", ["right", "left"])
def test_interhand_without_mano_asks_and_offers_the_open_hand(side, tmp_path):
    where = hand_sets.interhand(tmp_path / "set", side)
    with pytest.raises(Question, match=r"no MANO file.*may not be passed on") as asked:
        read(where)
    found = interhand(where, **asked.value.answers["Use the open hand"])
    assert found.template.side == side
    # The open hand, laid as MANO's hands lie, and posed by the angles as they are in the file:
    hand = the_open_hand(side)
    mirror = np.array([1.0 if side == "right" else -1.0, 1, 1])
    turn = _from_open_hand(hand, mirror)
    laid = hand.replace(
        vertices=(hand.vertices - hand.joints[0]) @ turn.T + WRIST * mirror,
        joints=(hand.joints - hand.joints[0]) @ turn.T + WRIST * mirror,
    )
    for frame in range(2):
        true = posed_template(laid, hand_sets.poses().rotations[frame]) + hand_sets.poses().translations[frame]
        np.testing.assert_allclose(posed(found, frame)[0].numpy(), true, atol=1e-9)


def _from_open_hand(hand, mirror):
    """(3, 3) that takes its middle finger's base to where MANO's points, and its palm down."""
    from engines.blocks import hand_anatomy as anatomy

    _, normal = anatomy.across_the_palm(hand.joints, hand.joint_names, hand.parents)
    palm = normal if hand.side == "right" else -normal
    ahead = hand.joints[4] - hand.joints[0]
    ahead, palm = ahead / np.linalg.norm(ahead), palm - palm @ ahead / (ahead @ ahead) * ahead
    palm /= np.linalg.norm(palm)
    here = np.stack([ahead, palm, np.cross(ahead, palm)])
    there = np.stack([TOWARDS * mirror, [0, -1.0, 0], np.cross(TOWARDS * mirror, [0, -1.0, 0])])
    return there.T @ here


def test_interhand_with_missing_parts(tmp_path):
    where = hand_sets.interhand(tmp_path / "set")
    (where / "images/test/Capture3/ROM01/cam400262/image19.jpg").unlink()
    loaded = read(where, InterHandOptions(open_hand=True))
    assert any("1 photos are missing: cam400262/image19.jpg" in text for text in loaded.problems)
    for options, words in (
        ({"capture": 9}, "no photos of Capture9"),
        ({"sequence": "ROM99"}, "no sequence 'ROM99'"),
        ({"hand": "left"}, "no frame with a pose of a left hand"),
        ({"template": str(tmp_path / "MANO_RIGHT.pkl")}, "may not be passed on"),
    ):
        with pytest.raises(UserError, match=words):
            interhand(where, **options)
    notes = where / "annotations/test/InterHand2.6M_test_MANO_NeuralAnnot.json"
    notes.write_text(json.dumps({"3": {"13": {"right": {"pose": [0.0] * 47, "trans": [0, 0, 0]}}}}))
    with pytest.raises(UserError, match="damaged annotations"):
        interhand(where, open_hand=True)
    notes.write_text(json.dumps({"7": {}}))
    with pytest.raises(UserError, match="no annotations of capture 3"):
        interhand(where, open_hand=True)
    notes.unlink()
    with pytest.raises(UserError, match="is not there"):
        interhand(where, open_hand=True)


def test_deephandmesh_lays_its_own_hand_through_the_keypoints(tmp_path):
    where = hand_sets.deephandmesh(tmp_path / "set")
    assert readers_for(where)[0].key == "deephandmesh"
    loaded = read(where)
    found, hand = loaded.artifacts[0], the_open_hand()
    assert found.frame_names == ("0007", "0009")
    assert found.view_names == ("400002", "400004")
    template = found.template
    assert template.side == "right"
    assert template.joint_names[0] == "b_r_wrist"
    np.testing.assert_allclose(template.vertices, hand.vertices, atol=1e-6)
    back = [template.joint_names.index(f"b_r_{name}") for name in hand.joint_names]
    np.testing.assert_allclose(template.weights[:, back], hand.weights, atol=1e-6)
    np.testing.assert_allclose(found.photos.world_to_camera[0], hand_sets.cameras()[0], atol=1e-6)
    np.testing.assert_allclose(found.photos.intrinsics[0], [60.4, 60, 21, 32], atol=0.1)
    for frame in range(2):
        true = posed_joints(hand, hand_sets.poses().rotations[frame]) + hand_sets.poses().translations[frame]
        np.testing.assert_allclose(posed(found, frame)[1].numpy()[back], true, atol=1e-6)
    said = " ".join(loaded.problems)
    assert "1 of 3 frames have no keypoints" in said
    assert "they miss by" in said


def test_poses_from_points_that_a_pose_without_twists_gives():
    from engines.blocks.hand_keypoints import poses_from_points

    hand, draw = the_open_hand(), np.random.default_rng(2)
    angles = draw.uniform(-0.6, 0.6, (5, 16, 3))
    for joint in range(1, 16):  # only across the bone: a turn about it moves no joint
        below = np.flatnonzero(hand.parents == joint)
        bone = hand.joints[below[0]] - hand.joints[joint] if len(below) else np.zeros(3)
        length = max(np.linalg.norm(bone), 1e-9)
        angles[:, joint] -= np.outer(angles[:, joint] @ bone / length, bone / length)
        angles[:, joint] *= bool(len(below))
    moves = draw.normal(size=(5, 3))
    points = np.stack([posed_joints(hand, a) + m for a, m in zip(angles, moves, strict=True)])
    found, misses = poses_from_points(hand, points)
    assert misses.max() < 1e-9
    np.testing.assert_allclose(found.rotations, angles, atol=1e-9)
    np.testing.assert_allclose(found.translations, moves, atol=1e-9)
    hidden = points.copy()
    hidden[:, 5] = np.nan
    found, misses = poses_from_points(hand, hidden)
    assert np.isfinite(found.rotations).all()
    assert np.nanmax(misses[:, :4]) < 1e-9


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("hand_model/hand.obj", "is not there"),
        ("annotations/keypoints", "no frame with keypoints"),
        ("images/subject_1/0000_fist", "has no sequence"),
    ],
)
def test_deephandmesh_with_missing_parts(lost, words, tmp_path):
    where = hand_sets.deephandmesh(tmp_path / "set")
    (where / lost).rename(tmp_path / "away")
    with pytest.raises(UserError, match=words):
        read(where)


def test_deephandmesh_with_damaged_parts(tmp_path):
    where = hand_sets.deephandmesh(tmp_path / "set")
    for name, text, words in (
        ("annotations/KRT_512", "cam\n1 0 0\n", "breaks off at line 2"),
        ("hand_model/skeleton.txt", "a 0 1\nb 1 0\n", "no tree"),
        ("hand_model/skinning_weight.txt", "0 nose 1 \n", "moves a vertex by 'nose'"),
        ("hand_model/global_pose.txt", "b_r_wrist 1 2 \n", "needs 16 numbers"),
    ):
        kept = (where / name).read_bytes()
        (where / name).write_text(text)
        with pytest.raises(UserError, match=words):
            read(where)
        (where / name).write_bytes(kept)
    assert read(where, DeepHandMeshOptions(frames=1)).artifacts[0].frame_names == ("0007",)
