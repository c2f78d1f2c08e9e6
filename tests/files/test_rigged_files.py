"""Rigged templates come in whole: surface, weights, joints, and the axes about which they bend."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engines.assets import asset_path
from engines.blocks import hand_anatomy as anatomy
from engines.core import UserError
from engines.data import Mesh, RiggedTemplate
from engines.files import Question, read, readers_for, writers_for
from engines.files.rigged_glb import RiggedGlbOptions, the_open_hand
from tests.files import rigs


def rigged(path, **options) -> RiggedTemplate:
    return read(path, RiggedGlbOptions(**options), "rigged-glb").artifacts[0]


def transforms(template: RiggedTemplate, rotations: np.ndarray) -> np.ndarray:
    """(J, 4, 4) where each joint is in a pose (J, 3), one after the other and as the types say it."""
    moves: list[np.ndarray] = []
    for joint, above in enumerate(template.parents):
        own = np.eye(4)
        own[:3, :3] = Rotation.from_rotvec(np.array(rotations[joint])).as_matrix()
        own[:3, 3] = template.joints[joint] - (template.joints[above] if above >= 0 else 0)
        moves.append(moves[above] @ own if above >= 0 else own)
    return np.array(moves)


def posed_joints(template: RiggedTemplate, rotations: np.ndarray) -> np.ndarray:
    return transforms(template, rotations)[:, :3, 3]


def posed(template: RiggedTemplate, rotations: np.ndarray) -> np.ndarray:
    """The vertices in a pose (J, 3)."""
    flat = transforms(template, rotations)
    flat[:, :3, 3] -= np.einsum("jab,jb->ja", flat[:, :3, :3], template.joints)
    return np.einsum("vj,jab,vb->va", template.weights, flat[:, :3, :3], template.vertices) + (
        template.weights @ flat[:, :3, 3]
    )


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_open_hand(side):
    hand = the_open_hand(side)
    assert hand.side == side
    assert hand.vertices.shape == (1159, 3)
    assert hand.faces.shape == (2314, 3)
    assert hand.joint_names == anatomy.MANO_NAMES
    assert hand.parents.tolist() == anatomy.MANO_PARENTS.tolist()
    edges = np.sort(np.concatenate([hand.faces[:, [0, 1]], hand.faces[:, [1, 2]], hand.faces[:, [2, 0]]]), axis=1)
    _, times = np.unique(edges, axis=0, return_counts=True)
    assert set(times) == {2}  # closed
    assert len(hand.vertices) - len(times) + len(hand.faces) == 2  # and a sphere
    assert 0.2 < np.ptp(hand.vertices, axis=0).max() < 0.22
    assert (hand.weights.sum(0) > 1).all()  # each joint moves something
    assert np.abs(posed(hand, np.zeros((16, 3))) - hand.vertices).max() < 1e-12


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_positive_bend_closes_the_hand_and_a_positive_spread_opens_it(side):
    hand = the_open_hand(side)
    radial, normal = anatomy.across_the_palm(hand.joints, hand.joint_names, hand.parents)
    palm = normal if side == "right" else -normal
    np.testing.assert_allclose(np.linalg.det(hand.axes), 1, atol=1e-6)
    for joint, name in enumerate(hand.joint_names):
        tip = (
            hand.weights[:, [j for j in range(16) if anatomy.finger_of(hand.joint_names[j]) == name[:-1]]].sum(1) > 0.9
        )
        if name == "wrist":
            tip = hand.weights[:, 0] < 0.1
        for axis in (0, 1):
            turn = np.zeros((16, 3))
            turn[joint] = 0.3 * hand.axes[joint, axis]
            went = (posed(hand, turn) - hand.vertices)[tip].mean(0)
            if axis == 0:
                towards = palm if not name.startswith("thumb") else palm - radial
            else:
                towards = {"ring": -radial, "pinky": -radial, "thumb": radial + palm}.get(name[:-1], radial)
            assert went @ towards > 0.3 * np.linalg.norm(went), (name, axis)
    fist = np.einsum("j,jk->jk", np.where([n == "wrist" for n in hand.joint_names], 0, 1.0), hand.axes[:, 0])
    closed = posed(hand, fist)
    for finger in anatomy.FINGERS[:4]:
        end = np.argmax(hand.weights[:, hand.joint_names.index(f"{finger}3")])
        heart = hand.joints[[1, 4, 7, 10]].mean(0) / 2 + hand.joints[0] / 2
        assert np.linalg.norm(closed[end] - heart) < 0.75 * np.linalg.norm(hand.vertices[end] - heart)


def test_the_same_angles_give_mirrored_poses():
    hand = the_open_hand("left")
    other = anatomy.mirrored_template(hand)
    assert other.side == "right"
    angles = np.random.default_rng(0).uniform(-0.5, 0.5, (16, 3))
    there, here = (np.einsum("ja,jab->jb", angles, t.axes) for t in (other, hand))
    np.testing.assert_allclose(posed(other, there), posed(hand, here) * [-1, 1, 1], atol=1e-12)
    true = the_open_hand("right")
    turned = np.degrees(np.arccos(np.clip((other.axes * true.axes).sum(2), -1, 1)))
    assert np.median(turned) < 5  # the two files were rigged one by one, but alike
    assert turned.max() < 15


@pytest.mark.parametrize("side", ["left", "right"])
def test_axes_from_bones_agree_with_those_that_the_hand_was_rigged_with(side):
    hand = the_open_hand(side)
    told = anatomy.side_told_by_shape(hand.joints, hand.joint_names, hand.parents)
    found = anatomy.axes_of_bones(hand.vertices, hand.weights, hand.joints, hand.parents, hand.joint_names, told)
    assert told == side
    assert np.degrees(np.arccos(np.clip((found * hand.axes).sum(2), -1, 1))).max() < 15


def test_all_joints_of_the_webxr_hand_with_their_hierarchy():
    path = asset_path("templates/generic-hand/left.glb")
    whole, reduced = rigged(path, reduce=False), rigged(path)
    assert len(whole.joints) == 25
    names = list(whole.joint_names)
    assert whole.joint_names[whole.parents[names.index("ring-finger-tip")]] == "ring-finger-phalanx-distal"
    assert whole.joint_names[whole.parents[names.index("thumb-metacarpal")]] == "wrist"
    assert np.array_equal(whole.vertices, reduced.vertices)
    tips = (
        whole.weights[:, names.index("ring-finger-tip")] + whole.weights[:, names.index("ring-finger-phalanx-distal")]
    )
    np.testing.assert_allclose(tips, reduced.weights[:, reduced.joint_names.index("ring3")], atol=1e-12)


def test_any_rig_keeps_its_joints(tmp_path):
    loaded = read(rigs.glb(tmp_path), format="rigged-glb")
    (found,) = loaded.artifacts
    made = rigs.finger()
    assert loaded.problems == ()
    assert found.joint_names == ("base", "end")
    assert found.parents.tolist() == [-1, 0]
    assert found.side == ""
    assert len(found.vertices) == 12  # the seam is none of the surface
    np.testing.assert_allclose(found.joints, made["joints"], atol=1e-6)
    np.testing.assert_allclose(found.weights, made["weights"][:12], atol=1e-6)
    np.testing.assert_allclose(np.abs(found.axes[0, 2]), [0, 1, 0], atol=0.3)  # twists along the bone
    bent = posed(found, np.array([[0, 0, 0], [np.pi / 2, 0, 0]]))
    np.testing.assert_allclose(bent[8:12, 2], 0.5, atol=0.11)


def test_the_armature_moves_and_scales_the_whole(tmp_path):
    armature = np.diag([0.01, 0.01, 0.01, 1])
    armature[:3, 3] = 1, 2, 3
    made = rigs.finger()
    found = rigged(rigs.glb(tmp_path, armature=armature))
    np.testing.assert_allclose(found.joints, 0.01 * made["joints"] + [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(found.vertices, 0.01 * made["vertices"][:12] + [1, 2, 3], atol=1e-6)


def test_a_file_that_stands_posed_gives_the_pose_it_was_rigged_in(tmp_path):
    turn = [[0, 0, 0, 1], Rotation.from_rotvec([0.7, 0, 0]).as_quat()]
    loaded = read(rigs.glb(tmp_path, posed=turn), format="rigged-glb")
    np.testing.assert_allclose(loaded.artifacts[0].joints, rigs.finger()["joints"], atol=1e-6)
    np.testing.assert_allclose(loaded.artifacts[0].vertices, rigs.finger()["vertices"][:12], atol=1e-6)
    assert "another pose" in loaded.problems[0]


def test_joints_without_one_root_get_one(tmp_path):
    loaded = read(rigs.glb(tmp_path, flat=True), format="rigged-glb")
    assert loaded.artifacts[0].joint_names == ("root", "base", "end")
    assert loaded.artifacts[0].parents.tolist() == [-1, 0, 0]
    assert "2 roots" in loaded.problems[0]


def test_weights_that_miss_one_are_normalised_and_told(tmp_path):
    weights = rigs.finger()["weights"] * 1.1
    weights[:4] = 0
    loaded = read(rigs.glb(tmp_path, weights=weights), format="rigged-glb")
    assert loaded.artifacts[0].weight_error < 1e-12
    assert loaded.artifacts[0].weights[0].tolist() == [1, 0]
    assert any("miss 1, by up to 1" in text for text in loaded.problems)
    assert any("hang on no joint" in text for text in loaded.problems)
    assert read(rigs.glb(tmp_path, in_bytes=True), format="rigged-glb").artifacts[0].weight_error < 1e-12


def test_no_skin_is_refused_and_as_a_mesh_it_stays_what_it_was(tmp_path):
    path = rigs.glb(tmp_path, skinless=True)
    with pytest.raises(UserError, match="has no skin"):
        rigged(path)
    assert isinstance(read(path).artifacts[0], Mesh)
    assert isinstance(read(rigs.glb(tmp_path)).artifacts[0], Mesh)
    assert len(read(rigs.glb(tmp_path)).artifacts[0].vertices) == 13


def test_a_joint_that_is_not_there_is_named(tmp_path):
    made = rigs.finger()
    path = rigs.glb(tmp_path, weights=np.pad(made["weights"], ((0, 0), (0, 1)), constant_values=0.5))
    with pytest.raises(UserError, match="Joint 2 of 2"):
        rigged(path)


@pytest.mark.parametrize(("scale", "unit"), [(1000, "mm"), (100, "cm"), (0.001, "")])
def test_hands_of_a_wrong_size_are_asked_about(tmp_path, scale, unit):
    hand = the_open_hand()
    path = rigs.glb(
        tmp_path, "hand.glb", vertices=hand.vertices * scale, faces=hand.faces, weights=hand.weights,
        joints=hand.joints * scale, names=hand.joint_names, parents=hand.parents.tolist(),
    )  # fmt: skip
    with pytest.raises(Question, match="Choose the unit") as asked:
        rigged(path)
    first = next(iter(asked.value.answers.values()))
    assert first == {"length": unit or "m"}
    found = rigged(path, **first)
    assert np.ptp(found.vertices, axis=0).max() == pytest.approx(0.212 if unit else 0.000212, rel=0.01)
    assert found.side == "right"  # by the shape: no name says it


def test_a_hand_that_is_called_by_the_other_side_is_told(tmp_path):
    hand = the_open_hand("left")
    path = rigs.glb(
        tmp_path, "right_hand.glb", vertices=hand.vertices, faces=hand.faces, weights=hand.weights,
        joints=hand.joints, names=hand.joint_names, parents=hand.parents.tolist(),
    )  # fmt: skip
    loaded = read(path, format="rigged-glb")
    assert loaded.artifacts[0].side == "right"
    assert "as that of a left one" in loaded.problems[0]
    assert rigged(path, side="left").side == "left"


@pytest.mark.parametrize(
    ("name", "side"),
    [("l_hand", "left"), ("Hand.R", "right"), ("mixamorig:LeftHandIndex1", "left"), ("ring1", ""), ("tool", "")],
)
def test_sides_in_names(name, side):
    assert anatomy.side_in(name) == side


def test_a_rigged_file_is_proposed_as_what_it_was_before():
    assert [r.key for r in readers_for("hand.glb")] == ["glb", "rigged-glb"]
    assert [w.key for w in writers_for(Mesh)][:2] == ["glb", "obj"]
