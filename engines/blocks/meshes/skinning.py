"""Linear blend skinning (Magnenat-Thalmann et al. 1988): a rest shape that follows a tree of joints.

    v' = sum_j w_vj (R_j v + t_j)

A pose turns each joint j by R(theta_j) about its rest place x_j, in axes parallel to those of the rest shape, and its
parent carries it along. With G_j = G_parent(j) [R(theta_j) | x_j - x_parent(j)] the transform from rest is

    G_j(theta) G_j(0)^-1 = T_parent(j) [R(theta_j) | x_j - R(theta_j) x_j] = T_j

which is exactly the identity in the rest pose.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from engines.blocks.meshes.rotations import axis_angle_to_matrix


def joint_transforms(rotations: Tensor, joints: Tensor, parents: np.ndarray) -> Tensor:
    """(..., J, 4, 4) transforms from rest to a pose.

    ``rotations`` (..., J, 3) are axis-angle vectors in radians relative to the parent, ``joints`` (J, 3) the rest
    places, ``parents`` (J,) integers with -1 for a root.
    """
    turns = axis_angle_to_matrix(rotations)
    shifts = joints - (turns @ joints[..., None])[..., 0]
    above = torch.cat([turns, shifts[..., None]], dim=-1)
    below = above.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*above.shape[:-2], 1, 4)
    found = torch.cat([above, below], dim=-2)
    for on, up in _doublings(tuple(np.asarray(parents).tolist()), found.device):
        # Each joint that has not reached its root yet knows the product of as many steps as its ancestor does.
        found = found.index_copy(-3, on, found.index_select(-3, up) @ found.index_select(-3, on))
    return found


def posed_joints(transforms: Tensor, joints: Tensor) -> Tensor:
    """(..., J, 3) where the joints (J, 3) stand in the pose of :func:`joint_transforms`."""
    return (transforms[..., :3, :3] @ joints[..., None])[..., 0] + transforms[..., :3, 3]


def skin(vertices: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """(..., V, 3) posed vertices of rest vertices (V, 3) or (..., V, 3).

    ``weights`` (V, J) or (..., V, J) sum to 1 over the joints; ``transforms`` (..., J, 4, 4) as
    :func:`joint_transforms` gives them.
    """
    # Rows of 3 x 4 numbers that all vertices have in common first: long rows, which the processor works off in strides.
    rows = transforms[..., :3, :].flatten(-2).mT @ weights.mT
    x, y, z = vertices.mT[..., None, :, :].unbind(-2)
    a, b, c, shift = rows.unflatten(-2, (3, 4)).unbind(-2)
    return (a * x + b * y + c * z + shift).mT.contiguous()


@functools.lru_cache(maxsize=32)
def _doublings(parents: tuple[int, ...], device: torch.device) -> tuple[tuple[Tensor, Tensor], ...]:
    """Steps of pointer doubling (Hillis and Steele 1986): joints, and the ancestors whose transforms come before.

    A tree of depth D takes log2 D steps rather than D.
    """
    reach, steps = np.array(parents, np.int64), []
    while (reach >= 0).any():
        on = np.flatnonzero(reach >= 0)
        steps.append(tuple(torch.from_numpy(numbers).to(device) for numbers in (on, reach[on])))
        reach = np.where(reach >= 0, reach[reach], -1)
        if len(steps) > len(parents):
            raise ValueError("The parents of the joints form a ring.")
    return tuple(steps)
