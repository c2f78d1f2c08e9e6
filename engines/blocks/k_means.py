"""k-means (Lloyd 1982) from centres that are drawn far apart (k-means++, Arthur & Vassilvitskii 2007)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import cKDTree


def k_means(
    points: np.ndarray, count: int, rng: np.random.Generator, rounds: int = 25, check: Callable[[], object] = bool
) -> tuple[np.ndarray, np.ndarray]:
    """Centres (count, D) of points (N, D) and the nearest of them to each point (N,) int; ``count`` <= N.

    A centre that loses all its points goes to the point that is farthest from its own. ``check`` is called in each
    round, and may raise.
    """
    centres = _far_apart(points, count, rng, check)
    nearest = np.zeros(0, np.int64)
    for _ in range(max(1, rounds)):
        check()
        distance, found = cKDTree(centres).query(points)
        if np.array_equal(found, nearest):
            break
        nearest = found
        mass = np.bincount(nearest, minlength=count)
        sums = np.stack([np.bincount(nearest, axis, count) for axis in points.T], 1)
        held = mass > 0
        centres[held] = sums[held] / mass[held, None]
        empty = np.flatnonzero(~held)
        if len(empty):
            centres[empty] = points[np.argsort(-distance, kind="stable")[: len(empty)]]
    return centres, cKDTree(centres).query(points)[1]


def _far_apart(
    points: np.ndarray, count: int, rng: np.random.Generator, check: Callable[[], object]
) -> np.ndarray:  # fmt: skip
    """Centres drawn one by one, each with a probability that grows with the squared distance from those before."""
    centres = np.empty((count, points.shape[1]))
    centres[0] = points[rng.integers(len(points))]
    far = ((points - centres[0]) ** 2).sum(1)
    for index in range(1, count):
        check()
        total = far.sum()
        where = rng.integers(len(points)) if not total > 0 else np.searchsorted(far.cumsum(), rng.random() * total)
        centres[index] = points[min(int(where), len(points) - 1)]
        np.minimum(far, ((points - centres[index]) ** 2).sum(1), out=far)
    return centres


__all__ = ["k_means"]
