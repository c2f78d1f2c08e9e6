"""Poses of a template from where its joints were seen: bones are laid along the ways between them.

The root turns and moves as a rigid body by the least squares of Kabsch 1976 over the joints that its children are; each
other joint turns by the shortest rotation that lays its bones along what was seen. Turns about a bone leave no trace in
such points and stay zero.
"""

from __future__ import annotations

import numpy as np
import torch

from engines.blocks.meshes.rotations import matrix_to_axis_angle
from engines.data import PoseSequence, RiggedTemplate


def poses_from_points(template: RiggedTemplate, points: np.ndarray) -> tuple[PoseSequence, np.ndarray]:
    """Poses, and by how many m each joint misses its point.

    ``points`` (T, J, 3) are in m, NaN where a joint was not seen; as are the misses (T, J). In each frame three of the
    root and its children should be seen.
    """
    rest, parents = template.joints, template.parents
    frames, count = points.shape[:2]
    seen = np.isfinite(points).all(2)
    palm = [0, *np.flatnonzero(parents == 0).tolist()]
    turns = np.tile(np.eye(3), (frames, count, 1, 1))  # of each joint in the world
    own = turns.copy()
    places = np.zeros((frames, count, 3))
    for t in range(frames):
        use = [j for j in palm if seen[t, j]]
        turns[t, 0], places[t, 0] = _rigid(rest[use], points[t, use], rest[0])
    own[:, 0] = turns[:, 0]
    for joint in range(count):
        above = int(parents[joint])
        if above >= 0:
            places[:, joint] = places[:, above] + turns[:, above] @ (rest[joint] - rest[above])
            here = np.where(seen[:, joint, None], points[:, joint], places[:, joint])
            below = np.flatnonzero(parents == joint)
            if len(below) == 1:
                bone = rest[below[0]] - rest[joint]
                towards = np.einsum("tji,tj->ti", turns[:, above], points[:, below[0]] - here)
                own[:, joint] = _shortest(bone, towards)
            turns[:, joint] = turns[:, above] @ own[:, joint]
    rotations = matrix_to_axis_angle(torch.from_numpy(own)).numpy()
    poses = PoseSequence.of(rotations, template.joint_names, translations=places[:, 0] - rest[0])
    return poses, np.linalg.norm(places - points, axis=2)


def _rigid(rest: np.ndarray, seen: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) and where ``root`` goes, by the rotation and shift that take points (n, 3) nearest to others."""
    middle, other = rest.mean(0), seen.mean(0)
    u, _, v = np.linalg.svd((rest - middle).T @ (seen - other))
    turn = v.T @ np.diag([1, 1, np.sign(np.linalg.det(v.T @ u.T))]) @ u.T
    return turn, turn @ (root - middle) + other


def _shortest(bone: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """(T, 3, 3) the shortest rotations from the direction of ``bone`` (3,) to those of ``towards`` (T, 3)."""
    lengths = np.linalg.norm(towards, axis=1, keepdims=True)
    known = np.isfinite(lengths[:, 0]) & (lengths[:, 0] > 1e-12) & (np.linalg.norm(bone) > 1e-12)
    a = np.tile(bone / max(np.linalg.norm(bone), 1e-12), (len(towards), 1))
    b = np.where(known[:, None], towards / np.where(known[:, None], lengths, 1), a)
    v, c = np.cross(a, b), (a * b).sum(1)
    k = np.zeros((len(a), 3, 3))
    k[:, [2, 0, 1], [1, 2, 0]], k[:, [1, 2, 0], [2, 0, 1]] = v, -v
    back = c < -1 + 1e-9  # any half turn across the bone
    found = np.eye(3) + k + k @ k / np.where(back, 1, 1 + c)[:, None, None]
    across = np.cross(a[0], np.eye(3)[np.argmin(np.abs(a[0]))])
    across /= max(np.linalg.norm(across), 1e-12)
    found[back] = 2 * np.outer(across, across) - np.eye(3)
    return found
