"""Axis-angle vectors against SciPy, near 0 and near pi, and turns about the axes of a joint."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.meshes.rotations import (
    angles_about,
    axis_angle_to_matrix,
    axis_angle_to_quaternion,
    matrix_to_axis_angle,
    quaternion_to_axis_angle,
    turned_about,
)

ANGLES = (0.0, 1e-300, 1e-160, 1e-12, 1e-6, 1e-3, 0.0999, 0.1001, 0.5, 2.0, 3.0, math.pi - 1e-3, math.pi - 1e-7)


def of_angles(angles=ANGLES) -> np.ndarray:
    """Two random axes for each angle."""
    axes = np.random.default_rng(0).normal(size=(2, len(angles), 3))
    return np.concatenate(axes / np.linalg.norm(axes, axis=-1, keepdims=True) * np.array(angles)[:, None])


def test_matrices_and_quaternions_are_scipys():
    vectors = np.concatenate([of_angles(), of_angles((4.0, 7.0, 100.0))])
    theirs = Rotation.from_rotvec(vectors)
    ours = torch.from_numpy(vectors)
    np.testing.assert_allclose(axis_angle_to_matrix(ours), theirs.as_matrix(), atol=3e-15)
    quaternions = axis_angle_to_quaternion(ours).numpy()
    np.testing.assert_allclose(quaternions[:, [1, 2, 3, 0]], theirs.as_quat(), atol=3e-14)
    single = axis_angle_to_matrix(ours[:26].float()).double()
    np.testing.assert_allclose(single, theirs.as_matrix()[:26], atol=4e-7)


def test_what_is_a_matrix_or_quaternion_comes_back_as_the_vector():
    vectors = torch.from_numpy(of_angles())
    back = matrix_to_axis_angle(axis_angle_to_matrix(vectors))
    torch.testing.assert_close(back, vectors, rtol=1e-9, atol=1e-12)
    quaternions = axis_angle_to_quaternion(vectors)
    for signed in (quaternions, -3 * quaternions):
        torch.testing.assert_close(quaternion_to_axis_angle(signed), vectors, rtol=1e-12, atol=1e-14)
    wide = vectors[vectors.norm(dim=1) > 0.4]
    other_way = wide * (1 - 2 * math.pi / wide.norm(dim=1, keepdim=True))
    torch.testing.assert_close(matrix_to_axis_angle(axis_angle_to_matrix(other_way)), wide, atol=1e-9, rtol=0)


def test_half_turns_about_any_axis():
    axes = torch.from_numpy(of_angles((1.0,) * 20))
    halves = 2 * axes[:, :, None] * axes[:, None, :] - torch.eye(3)
    found = matrix_to_axis_angle(halves)
    torch.testing.assert_close(found.norm(dim=1), torch.full((40,), math.pi, dtype=torch.float64))
    torch.testing.assert_close(axis_angle_to_matrix(found), halves, atol=1e-14, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.0999, 0.1001, 3.0])
def test_derivatives_hold_at_every_angle(angle):
    vectors = torch.from_numpy(of_angles((angle,))[:1]).requires_grad_()
    for function in (axis_angle_to_matrix, axis_angle_to_quaternion):
        assert torch.autograd.gradcheck(function, (vectors,))
        assert torch.autograd.gradgradcheck(function, (vectors,))
    back = lambda v: matrix_to_axis_angle(axis_angle_to_matrix(v))  # noqa: E731
    slopes = torch.autograd.functional.jacobian(back, vectors.detach()[0])
    torch.testing.assert_close(slopes, torch.eye(3).double(), atol=1e-9, rtol=0)


def test_turns_about_the_axes_of_a_joint_are_done_one_after_the_other():
    rng = np.random.default_rng(1)
    frames = Rotation.random(50, rng=rng).as_matrix()  # rows: flexion, spread, twist
    angles = rng.uniform(-1.5, 1.5, (50, 3))
    found = turned_about(torch.from_numpy(angles), torch.from_numpy(frames))
    first, second, third = (Rotation.from_rotvec(frames[:, k] * angles[:, k, None]) for k in range(3))
    np.testing.assert_allclose(axis_angle_to_matrix(found), (first * second * third).as_matrix(), atol=1e-13)
    np.testing.assert_allclose(angles_about(found, torch.from_numpy(frames)), angles, atol=1e-12)
    flexed = turned_about(torch.tensor([0.7, 0.0, 0.0]).double(), torch.from_numpy(frames[0]))
    np.testing.assert_allclose(flexed, 0.7 * frames[0, 0], atol=1e-14)


def test_any_rotation_has_angles_about_the_axes_even_where_they_are_not_unique():
    rng = np.random.default_rng(2)
    frame = torch.from_numpy(Rotation.random(rng=rng).as_matrix())
    vectors = torch.from_numpy(Rotation.random(200, rng=rng).as_rotvec())
    locked = turned_about(torch.tensor([[0.3, s * math.pi / 2, 0.5] for s in (-1, 1)]).double(), frame)
    for rotations in (vectors, locked):
        angles = angles_about(rotations, frame)
        assert angles[:, 1].abs().max() <= math.pi / 2
        again = axis_angle_to_matrix(turned_about(angles, frame))
        torch.testing.assert_close(again, axis_angle_to_matrix(rotations), atol=1e-7, rtol=0)
    assert (angles[:, 2] == 0).all()
