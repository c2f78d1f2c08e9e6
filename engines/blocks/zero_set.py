"""Values of a field on a grid, evaluated in full only near its zero set: coarse to fine.

A coarse grid is evaluated everywhere. A cell is refined when its corners differ in sign, or when the field could
reach zero in it: min |f| at its corners is below 3/2 of the largest step between neighbouring nodes in the cell
and around it (a local Lipschitz bound: half a diagonal times sqrt(3) steps). Cells of given seeds, such as points
of contours, are always refined. On the finest grid the surface is then followed out of the evaluated part until it
closes, so that a part that was met anywhere is complete. Elsewhere values are interpolated, which keeps their sign.
What can still be missed is a separate piece smaller than a coarse cell, in which no seed lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Field = Callable[[np.ndarray], np.ndarray]
COARSEST = 40  # cells along an axis; below, parts of ordinary shapes fall between the nodes


@dataclass(frozen=True)
class NodeValues:
    """(R + 1)^3 float32 values over [-1, 1]^3; ``evaluated`` points of the field were asked for."""

    values: np.ndarray
    evaluated: int

    @property
    def origin(self) -> np.ndarray:
        return np.full(3, -1.0)

    @property
    def spacing(self) -> np.ndarray:
        return np.full(3, 2.0 / (len(self.values) - 1))


def near_zero_set(
    field: Field, resolution: int, seeds: np.ndarray | None = None, *, coarsest: int = COARSEST
) -> NodeValues:
    """Evaluate ``field``, (M, 3) float32 points to (M,) values, on ``resolution`` cells along each axis of [-1, 1]^3.

    ``seeds`` (S, 3): points near which the zero set is known to pass. ``coarsest``: the least number of cells along an
    axis of the coarse grid.
    """
    halvings = 0
    while resolution >> (halvings + 1) >= coarsest:
        halvings += 1
    size = -(-resolution // 2**halvings) + 1
    stride = 2.0 / resolution * 2**halvings
    values = np.empty((size, size, size), np.float32)
    values.reshape(-1)[:] = field(_positions(np.arange(size**3), size, stride))
    evaluated = values.size
    for _ in range(halvings):
        active = _may_hold_zero(values)
        if seeds is not None and len(seeds):
            cells = np.clip(((seeds + 1) / stride).astype(np.int64), 0, size - 2)
            active[tuple(cells.T)] = True
        active = np.argwhere(active)
        values = _upsampled(values)
        size, stride = 2 * size - 1, stride / 2
        wanted = np.zeros(values.shape, bool)
        for dx, dy, dz in np.ndindex(3, 3, 3):
            wanted[2 * active[:, 0] + dx, 2 * active[:, 1] + dy, 2 * active[:, 2] + dz] = True
        wanted[::2, ::2, ::2] = False
        nodes = np.flatnonzero(wanted)
        values.reshape(-1)[nodes] = field(_positions(nodes, size, stride))
        evaluated += len(nodes)
    if halvings:
        evaluated += _follow(field, values, wanted, active, stride)
    keep = slice(0, resolution + 1)
    return NodeValues(np.ascontiguousarray(values[keep, keep, keep]), evaluated)


def _positions(nodes: np.ndarray, size: int, stride: float) -> np.ndarray:
    return np.stack(np.unravel_index(nodes, (size,) * 3), axis=1).astype(np.float32) * np.float32(stride) - np.float32(
        1
    )


def _may_hold_zero(values: np.ndarray) -> np.ndarray:
    """(X-1, Y-1, Z-1) bool."""
    nearest = _over_cells(np.abs(values), np.minimum)
    negative = values < 0
    crossed = _over_cells(negative, np.logical_or) & ~_over_cells(negative, np.logical_and)
    steps = np.zeros(nearest.shape, np.float32)
    for axis in range(3):
        along = np.abs(np.diff(values, axis=axis))
        for other in {0, 1, 2} - {axis}:
            along = _pairs(along, other, np.maximum)
        np.maximum(steps, along, out=steps)
    for axis in range(3):  # the largest step of the 27 cells around
        wide = steps.copy()
        low, high = (np.moveaxis(a, axis, 0) for a in (steps, wide))
        np.maximum(high[1:], low[:-1], out=high[1:])
        np.maximum(high[:-1], low[1:], out=high[:-1])
        steps = wide
    return crossed | (nearest <= 1.5 * steps)


def _pairs(values: np.ndarray, axis: int, function: np.ufunc) -> np.ndarray:
    moved = np.moveaxis(values, axis, 0)
    return np.moveaxis(function(moved[:-1], moved[1:]), 0, axis)


def _over_cells(values: np.ndarray, function: np.ufunc) -> np.ndarray:
    for axis in range(3):
        values = _pairs(values, axis, function)
    return values


def _upsampled(values: np.ndarray) -> np.ndarray:
    """Linear interpolation to half the spacing."""
    size = 2 * len(values) - 1
    fine = np.empty((size, size, size), np.float32)
    fine[::2, ::2, ::2] = values
    fine[1::2, ::2, ::2] = 0.5 * (values[:-1] + values[1:])
    fine[:, 1::2, ::2] = 0.5 * (fine[:, :-1:2, ::2] + fine[:, 2::2, ::2])
    fine[:, :, 1::2] = 0.5 * (fine[:, :, :-1:2] + fine[:, :, 2::2])
    return fine


def _follow(field: Field, values: np.ndarray, known: np.ndarray, refined: np.ndarray, stride: float) -> int:
    """Evaluate cells beside crossed faces until none is missing. Returns how many points that took."""
    size = len(values)
    known[::2, ::2, ::2] = True  # from the coarser grids
    strides = np.array([size * size, size, 1])
    whole = np.zeros(values.size, bool)
    corner = np.array([dx * strides[0] + dy * strides[1] + dz for dx, dy, dz in np.ndindex(2, 2, 2)])
    frontier = (2 * refined[:, None, :] + np.array(list(np.ndindex(2, 2, 2)))[None]).reshape(-1, 3) @ strides
    whole[frontier] = True
    flat, have = values.reshape(-1), known.reshape(-1)
    count = 0
    while len(frontier):
        frontier = np.unique(np.concatenate(list(_beside_crossed_faces(flat, frontier, size, strides))))
        frontier = frontier[~whole[frontier]]
        whole[frontier] = True
        nodes = np.unique((frontier[:, None] + corner).ravel()) if len(frontier) else frontier
        nodes = nodes[~have[nodes]]
        flat[nodes] = field(_positions(nodes, size, stride))
        have[nodes] = True
        count += len(nodes)
    return count


def _beside_crossed_faces(flat: np.ndarray, cells: np.ndarray, size: int, strides: np.ndarray) -> Iterator[np.ndarray]:
    """Cells across those faces of ``cells`` whose four corners differ in sign."""
    place = np.unravel_index(cells, (size,) * 3)
    for axis in range(3):
        b, c = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
        for side, turn in ((0, -1), (1, 1)):
            negative = flat[cells[:, None] + side * strides[axis] + np.array([0, b, c, b + c])] < 0
            crossed = negative.any(1) & ~negative.all(1)
            beyond = place[axis] + turn
            crossed &= (beyond >= 0) & (beyond < size - 1)
            yield cells[crossed] + turn * strides[axis]
