"""Where the mass of each source goes on average: y_i = sum_j P_ij y_j / sum_j P_ij, the barycentric projection."""

from __future__ import annotations

import numpy as np

from engines.core import UserError
from engines.data import Coupling, Displacements


def barycentres(coupling: Coupling) -> tuple[np.ndarray, np.ndarray]:
    """Rows (K,) of the sources that give mass, and where that goes on average (K, D). A coupling of two measures."""
    if coupling.target is None:
        raise UserError("The coupling has no points to move to.", "It comes from a cost matrix, not from two measures.",
                        "Compute a coupling between two measures.")  # fmt: skip
    rows, columns, mass = coupling.entries()
    out = np.bincount(rows, mass, coupling.shape[0])
    sums = np.stack([np.bincount(rows, mass * axis, len(out)) for axis in coupling.target.points[columns].T], 1)
    held = np.flatnonzero(out)
    return held, sums[held] / out[held, None]


def displacements(coupling: Coupling, name: str = "Displacements") -> Displacements | None:
    """The sources that give mass, and where they go on average; None for a coupling without measures in one space."""
    source, target = coupling.source, coupling.target
    if source is None or target is None or source.points.shape[1] != target.points.shape[1]:
        return None
    held, ends = barycentres(coupling)
    if not len(held):
        return None
    return Displacements(name=name, starts=source.points[held], ends=ends, weights=coupling.source_weights[held],
                         target=target, dimensions=source.dimensions, unit=source.unit)  # fmt: skip


__all__ = ["barycentres", "displacements"]
