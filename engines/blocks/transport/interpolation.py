"""Where the mass of a coupling is on its way (displacement interpolation, McCann 1997).

Mass P_ij goes from x_i to y_j on a straight line, evenly: at time t it is at (1 - t) x_i + t y_j. For a quadratic
cost and an optimal plan this is the geodesic between the two measures.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from engines.core import UserError
from engines.data import Coupling, Measure

MOST_ENTRIES = 250_000
LEAST_SHARE = 1e-4
"""Of the mass, this much may be left out at most to have fewer entries, where their number does not force it."""


@dataclass(frozen=True, eq=False)
class Interpolation:
    """The entries of a coupling that move, from ``starts`` (K, D) to ``ends``, with ``mass`` (K,).

    Where both measures are histograms on one even grid, ``grid`` is its shape, and ``first`` and ``last`` (K, A) are
    the places of the entries in it. ``kept`` is the share of the coupling's mass that they hold; of what they do not
    hold, ``left`` (2, *grid) says where it starts and ends.
    """

    starts: np.ndarray
    ends: np.ndarray
    mass: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    kept: float
    grid: tuple[int, ...] = ()
    first: np.ndarray | None = None
    last: np.ndarray | None = None
    left: np.ndarray | None = None

    def at(self, t: float) -> np.ndarray:
        """(K, D) positions at time t in [0, 1]."""
        return self.starts + t * (self.ends - self.starts)

    def histogram(self, t: float) -> np.ndarray:
        """Mass at the nodes of the grid, of its shape: each entry is shared among the 2^A nodes around it.

        The weights are those of (bi-, tri-)linear interpolation, so that mass and its mean position are kept. Mass of
        entries that were left out fades from where it starts to where it ends, so that all of it is there.
        """
        if self.first is None or self.last is None or self.left is None:
            raise ValueError("the measures do not stand on one grid")
        place = self.first + t * (self.last - self.first)
        low = np.minimum(place.astype(np.int64), np.maximum(np.array(self.grid) - 2, 0))
        upper = place - low
        strides = np.cumprod((1, *self.grid[:0:-1]))[::-1]
        node = low @ strides
        found = np.zeros(int(np.prod(self.grid)))
        for corner in itertools.product((0, 1), repeat=len(self.grid)):
            if any(c and n == 1 for c, n in zip(corner, self.grid, strict=True)):
                continue
            share = self.mass
            for axis, c in enumerate(corner):
                share = share * (upper[:, axis] if c else 1 - upper[:, axis])
            found += np.bincount(node + int(np.dot(corner, strides)), share, len(found))
        return found.reshape(self.grid) + (1 - t) * self.left[0] + t * self.left[1]


def interpolation(coupling: Coupling, most: int = MOST_ENTRIES, least_share: float = LEAST_SHARE) -> Interpolation:
    """The way of a coupling between two measures in one space.

    Entries are left out, the smallest first, as long as those that stay hold all but ``least_share`` of the mass, and
    beyond that where there are more than ``most``. Raises :class:`UserError` where the coupling knows no measures.
    """
    source, target = coupling.source, coupling.target
    if source is None or target is None or source.points.shape[1] != target.points.shape[1]:
        raise UserError("The coupling has no points to move.", "It comes from a cost matrix, not from two measures.",
                        "Compute a coupling between two measures.")  # fmt: skip
    rows, columns, mass = _largest(coupling, most, least_share)
    out, into = coupling.marginals
    kept = float(mass.sum() / out.sum()) if out.any() else 1.0
    starts, ends = source.points[rows], target.points[columns]
    if not _on_one_grid(source, target):
        return Interpolation(starts, ends, mass, rows, columns, kept)
    grid = source.grid
    places = np.stack(np.unravel_index(np.arange(len(source.points)), grid), 1).astype(float)
    left = np.stack([out - np.bincount(rows, mass, len(out)), into - np.bincount(columns, mass, len(into))])
    return Interpolation(starts, ends, mass, rows, columns, kept, grid, places[rows], places[columns],
                         np.maximum(left, 0).reshape(2, *grid))  # fmt: skip


def _largest(coupling: Coupling, most: int, least_share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The largest entries, by rows."""
    if coupling.plan is not None:
        held = coupling.plan.reshape(-1)
    else:
        given_rows, given_columns, held = coupling.entries()
    total = float(held.sum())
    kept = np.flatnonzero(held > least_share * total / max(1, len(held)))  # the others hold less than that together
    if len(kept) > most:
        kept = np.sort(kept[np.argpartition(held[kept], len(kept) - most)[len(kept) - most :]])
    mass = held[kept]
    order = np.argsort(mass, kind="stable")
    spare = least_share * total - (total - float(mass.sum()))
    kept = np.sort(kept[order[np.searchsorted(np.cumsum(mass[order]), spare, side="right") :]])
    if coupling.plan is not None:
        return kept // coupling.shape[1], kept % coupling.shape[1], held[kept]
    return given_rows[kept], given_columns[kept], held[kept]


def _on_one_grid(source: Measure, target: Measure) -> bool:
    """Whether both stand on one grid, whose nodes are evenly apart: then places in it interpolate as positions do."""
    if not source.grid or source.grid != target.grid:
        return False
    nodes = source.points.reshape(*source.grid, -1)
    origin, even = source.points[0], np.broadcast_to(source.points[0], nodes.shape)
    for axis, count in enumerate(source.grid):
        end = nodes[tuple(-1 if a == axis else 0 for a in range(len(source.grid)))]
        along = np.linspace(0, 1, count) if count > 1 else np.zeros(1)
        shape = [count if a == axis else 1 for a in range(len(source.grid))] + [1]
        even = even + along.reshape(shape) * (end - origin)
    near = 1e-6 * float(np.ptp(source.points, axis=0).max())
    return all(np.abs(even.reshape(source.points.shape) - points).max() <= near for points in
               (source.points, target.points))  # fmt: skip


__all__ = ["Interpolation", "interpolation"]
