"""Linear blend skinning against products of matrices, one joint after the other."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.meshes.rotations import axis_angle_to_matrix
from engines.blocks.meshes.skinning import joint_transforms, posed_joints, skin
from engines.files.rigged_glb import the_open_hand


def by_matrices(rotations, vertices, weights, joints, parents):
    """G_j and the posed vertices as the definition has them."""
    globals_, rest = [], []
    for j, parent in enumerate(parents):
        local, still = np.eye(4), np.eye(4)
        local[:3, :3] = Rotation.from_rotvec(rotations[j]).as_matrix()
        local[:3, 3] = still[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
        globals_.append(globals_[parent] @ local if parent >= 0 else local)
        rest.append(rest[parent] @ still if parent >= 0 else still)
    moves = np.stack([g @ np.linalg.inv(r) for g, r in zip(globals_, rest, strict=True)])
    homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)
    each = np.einsum("jab,vb->vja", moves, homogeneous)
    return np.stack(globals_), (weights[..., None] * each).sum(1)[:, :3]


def random_pose(seed, count=16, size=0.8):
    return np.random.default_rng(seed).normal(0, size, (count, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_rest_pose_gives_the_rest_shape(dtype):
    hand = the_open_hand()
    vertices, weights, joints = (
        torch.tensor(np.array(x), dtype=dtype) for x in (hand.vertices, hand.weights, hand.joints)
    )
    transforms = joint_transforms(torch.zeros(16, 3, dtype=dtype), joints, hand.parents)
    assert torch.equal(transforms, torch.eye(4, dtype=dtype).expand(16, 4, 4))
    torch.testing.assert_close(skin(vertices, weights, transforms), vertices, atol=1e-6 * 0.2, rtol=0)


def test_it_is_the_product_of_matrices():
    hand = the_open_hand()
    rotations = random_pose(0)
    joints = torch.tensor(hand.joints)
    transforms = joint_transforms(torch.from_numpy(rotations), joints, hand.parents)
    globals_, posed = by_matrices(rotations, hand.vertices, hand.weights, hand.joints, hand.parents)
    found = skin(torch.tensor(hand.vertices), torch.tensor(hand.weights), transforms)
    np.testing.assert_allclose(found, posed, atol=1e-14)
    np.testing.assert_allclose(posed_joints(transforms, joints), globals_[:, :3, 3], atol=1e-15)
    assert np.abs(posed - hand.vertices).max() > 0.05


@pytest.mark.parametrize("parents", [[-1], [-1, 0, 1, 2, 3, 4, 5], [-1, -1, 0, 1, 3], [-1, 0, 0, 0]])
def test_trees_of_any_shape(parents):
    rng = np.random.default_rng(3)
    count = len(parents)
    joints, vertices = rng.normal(size=(count, 3)), rng.normal(size=(30, 3))
    weights = rng.dirichlet(np.ones(count), 30)
    rotations = random_pose(4, count)
    _, posed = by_matrices(rotations, vertices, weights, joints, parents)
    transforms = joint_transforms(torch.from_numpy(rotations), torch.from_numpy(joints), np.array(parents))
    found = skin(torch.from_numpy(vertices), torch.from_numpy(weights), transforms)
    np.testing.assert_allclose(found, posed, atol=1e-13)


def test_batches_of_poses_with_shapes_and_weights_of_their_own():
    hand = the_open_hand()
    rng = np.random.default_rng(5)
    poses = np.stack([random_pose(s) for s in range(6)]).reshape(2, 3, 16, 3)
    shapes = hand.vertices[::20] + rng.normal(0, 0.01, (2, 3, *hand.vertices[::20].shape))
    weights = rng.dirichlet(np.ones(16), (2, 3, shapes.shape[2]))
    transforms = joint_transforms(torch.from_numpy(poses), torch.tensor(hand.joints), hand.parents)
    apart = skin(torch.from_numpy(shapes), torch.from_numpy(weights), transforms)
    same = skin(torch.from_numpy(shapes[0, 0]), torch.from_numpy(weights[0, 0]), transforms)
    for a, b in np.ndindex(2, 3):
        _, own = by_matrices(poses[a, b], shapes[a, b], weights[a, b], hand.joints, hand.parents)
        _, shared = by_matrices(poses[a, b], shapes[0, 0], weights[0, 0], hand.joints, hand.parents)
        np.testing.assert_allclose(apart[a, b], own, atol=1e-14)
        np.testing.assert_allclose(same[a, b], shared, atol=1e-14)


def test_derivatives_by_pose_joints_shape_and_weights():
    rng = np.random.default_rng(6)
    parents = np.array([-1, 0, 1, 0])
    starts = [rng.normal(size=size) for size in ((2, 4, 3), (4, 3), (5, 3))]
    leaves = [torch.from_numpy(x).requires_grad_() for x in (*starts, rng.dirichlet(np.ones(4), 5))]

    def posed(pose, joints, vertices, weights):
        return skin(vertices, weights, joint_transforms(pose, joints, parents))

    assert torch.autograd.gradcheck(posed, leaves)


def test_all_weight_on_one_joint_turns_a_part_as_a_whole():
    hand = the_open_hand()
    pose = torch.zeros(16, 3, dtype=torch.float64)
    joint = hand.joint_names.index("index1")
    pose[joint, 0] = 0.6
    transforms = joint_transforms(pose, torch.tensor(hand.joints), hand.parents)
    turn, at = axis_angle_to_matrix(pose[joint]).numpy(), hand.joints[joint]
    found = skin(torch.tensor(hand.vertices), torch.tensor(hand.weights), transforms).numpy()
    finger = hand.weights[:, joint : joint + 3].sum(1)
    np.testing.assert_allclose(found[finger == 0], hand.vertices[finger == 0], atol=1e-15)
    expected = (hand.vertices[finger > 1 - 1e-7] - at) @ turn.T + at
    np.testing.assert_allclose(found[finger > 1 - 1e-7], expected, atol=1e-8)


def test_parents_in_a_ring_are_noticed():
    with pytest.raises(ValueError, match="ring"):
        joint_transforms(torch.zeros(2, 3), torch.zeros(2, 3), np.array([1, 0]))
