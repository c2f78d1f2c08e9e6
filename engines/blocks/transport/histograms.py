"""Histograms on other bins: the mass of each bin is shared out among those that it overlaps, and none is lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def overlaps(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """(M, N): which part of each old bin lies in each new one. ``old`` (N+1,) and ``new`` (M+1,) are rising edges."""
    lower = np.maximum(new[:-1, None], old[None, :-1])
    upper = np.minimum(new[1:, None], old[None, 1:])
    return np.asarray((upper - lower).clip(0) / np.diff(old))


def rebinned(mass: np.ndarray, old: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> np.ndarray:
    """Mass on a grid with edges ``old`` along each axis, on one with edges ``new`` over the same extent."""
    for axis, (before, after) in enumerate(zip(old, new, strict=True)):
        mass = np.moveaxis(np.tensordot(overlaps(before, after), mass, (1, axis)), 0, axis)
    return mass


def cell_edges(nodes: np.ndarray) -> np.ndarray:
    """(N+1,) edges of the cells of N rising nodes: half way between them, and at the first and the last of them.

    Sums of values times these cells are the trapezium rule. A single node has a cell of length 1 about it.
    """
    if len(nodes) == 1:
        return np.array([nodes[0] - 0.5, nodes[0] + 0.5])
    return np.concatenate([nodes[:1], (nodes[1:] + nodes[:-1]) / 2, nodes[-1:]])


def centres(edges: np.ndarray) -> np.ndarray:
    return np.asarray((edges[1:] + edges[:-1]) / 2)


__all__ = ["cell_edges", "centres", "overlaps", "rebinned"]
