"""Planes through meshes and volumes give loops; planes through each other tell whether loops agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.blocks.polygons import inside
from engines.data import Slices


def plane_frames(normals: np.ndarray) -> np.ndarray:
    """(P, 2, 3) orthonormal in-plane axes u, v with u × v = n for unit ``normals`` (P, 3).

    A loop that is counter-clockwise in (u, v) is counter-clockwise seen against the normal.
    """
    normals = np.asarray(normals, dtype=np.float64).reshape(-1, 3)
    least = np.eye(3)[np.abs(normals).argmin(1)]
    u = np.cross(least, normals)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return np.stack([u, np.cross(normals, u)], axis=1)


@dataclass(frozen=True)
class Conflicts:
    """Where planes that cut each other disagree about inside and outside.

    ``samples`` points were looked at on the lines in which pairs of planes meet; at ``conflicting`` of them the
    two planes contradict. ``points`` (C, 3) are those, ``planes`` (C, 2) the planes that disagree there.
    """

    samples: int
    conflicting: int
    points: np.ndarray
    planes: np.ndarray


def conflicts(slices: Slices, samples_per_line: int = 128, tolerance: float = 2e-3) -> Conflicts:
    """Compare all pairs of planes on the lines in which they meet, inside the bounds of the vertices.

    A sample counts when the planes contradict there and also ``tolerance`` (of the bounds' diagonal) before and
    behind it: contours that meet almost exactly are no contradiction. With several labels the planes must agree
    on each. Planes within 1° of parallel are left out.
    """
    none = Conflicts(0, 0, np.zeros((0, 3)), np.zeros((0, 2), dtype=np.int64))
    if slices.loop_count == 0 or slices.plane_count < 2:
        return none
    low, high = slices.bounds
    diagonal = float(np.linalg.norm(high - low))
    first, second = np.triu_indices(slices.plane_count, 1)
    direction = np.cross(slices.normals[first], slices.normals[second])
    sine = np.linalg.norm(direction, axis=1)
    meets = sine > np.sin(np.radians(1.0))
    first, second, direction, sine = first[meets], second[meets], direction[meets], sine[meets]
    direction = direction / sine[:, None]
    middle = (low + high) / 2
    n1, n2 = slices.normals[first], slices.normals[second]
    d1, d2 = slices.offsets[first] - n1 @ middle, slices.offsets[second] - n2 @ middle
    cosine = (n1 * n2).sum(1)
    a, b = (d1 - cosine * d2) / sine**2, (d2 - cosine * d1) / sine**2
    anchor = middle + a[:, None] * n1 + b[:, None] * n2
    begin, end = _clip(anchor, direction, low, high)
    used = np.flatnonzero(end - begin > 4 * tolerance * diagonal)
    if not len(used):
        return none
    first, second = first[used], second[used]
    at = (np.arange(samples_per_line) + 0.5) / samples_per_line
    t = begin[used, None] + (end - begin)[used, None] * at
    wrong = np.ones(t.shape, dtype=bool)
    for shift in (0.0, -tolerance * diagonal, tolerance * diagonal):
        points = anchor[used, None] + (t + shift)[..., None] * direction[used, None]
        wrong &= _disagree(slices, first, second, points)
        if shift == 0.0:
            shown = points
    line, sample = np.nonzero(wrong)
    return Conflicts(
        wrong.size, len(line), shown[line, sample], np.stack([first[line], second[line]], axis=1).astype(np.int64)
    )


def _clip(
    anchor: np.ndarray, direction: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where lines enter and leave a box (end < begin: they miss it)."""
    flat = np.abs(direction) < 1e-12
    safe = np.where(flat, 1.0, direction)
    t0, t1 = (low - anchor) / safe, (high - anchor) / safe
    within = (anchor >= low) & (anchor <= high)
    enter = np.where(flat, np.where(within, -np.inf, np.inf), np.minimum(t0, t1))
    leave = np.where(flat, np.where(within, np.inf, -np.inf), np.maximum(t0, t1))
    return enter.max(1), leave.min(1)


def _disagree(slices: Slices, first: np.ndarray, second: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K, S) whether the planes ``first`` and ``second`` (K,) contradict at ``points`` (K, S, 3)."""
    frames = plane_frames(slices.normals)
    edges = slices.edges
    owners = np.where(slices.loop_parents >= 0, slices.loop_labels[slices.loop_parents], slices.loop_labels)
    edge_labels, edge_planes = np.repeat(owners, slices.loop_counts), slices.vertex_planes
    wrong = np.zeros(points.shape[:2], dtype=bool)
    for label in np.unique(owners):
        answers = np.zeros((2, *wrong.shape), dtype=bool)
        for plane in range(slices.plane_count):
            mine = edges[(edge_planes == plane) & (edge_labels == label)]
            if not len(mine):
                continue
            segments = slices.vertices[mine] @ frames[plane].T
            for side, planes in enumerate((first, second)):
                lines = np.flatnonzero(planes == plane)
                asked = points[lines].reshape(-1, 3) @ frames[plane].T
                answers[side, lines] = inside(asked, segments).reshape(len(lines), points.shape[1])
        wrong |= answers[0] != answers[1]
    return wrong
