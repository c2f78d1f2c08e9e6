"""Contour lines, arrows and streamlines of a plane, as points of lines."""

from __future__ import annotations

import numpy as np

from app.viewers.field_values import Plane, some_of

LEVELS = 9
CONTOUR_NODES = 192
"""Along each side; finer planes are thinned out for contour lines, whose pixels are no finer."""

NEAR = 8
"""Steps that a streamline may stay near a cell before it counts as coming back."""


def levels_between(low: float, high: float, count: int = LEVELS) -> np.ndarray:
    """Round values in a range: some ``count`` of them, zero among them where the range holds it."""
    if not (np.isfinite(low) and np.isfinite(high)) or high <= low:
        return np.zeros(0)
    raw = (high - low) / (count + 1)
    base = 10.0 ** np.floor(np.log10(raw))
    step = base * next(k for k in (1, 2, 5, 10) if k * base >= raw * (1 - 1e-9))
    ends = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    inner = ends[(ends > low + 1e-9 * (high - low)) & (ends < high - 1e-9 * (high - low))]
    inner = np.round(inner / step) * step
    # Just beside zero: where a field is zero but for rounding, a line at zero would draw its noise.
    return np.where(np.abs(inner) < 1e-9 * step, 1e-6 * step, inner)


def contours(shown: Plane, levels: np.ndarray, nodes: int = CONTOUR_NODES) -> np.ndarray:
    """(N, 2) points of the lines along which the values cross the levels, with rows of NaN between lines."""
    from contourpy import LineType, contour_generator

    nothing = np.zeros((0, 2))
    if shown.is_curve or min(shown.values.shape) < 2 or not len(levels):
        return nothing
    i, j = (some_of(count, nodes) for count in shown.values.shape)
    values = np.asarray(shown.values[np.ix_(i, j)], float)
    if not np.isfinite(values).all():
        values = np.ma.masked_invalid(values)
    found = contour_generator(x=shown.right[i], y=shown.up[j], z=values.T, line_type=LineType.ChunkCombinedNan)
    parts = [points for level in levels for points in found.lines(float(level))[0] if points is not None]
    gap = np.full((1, 2), np.nan)
    return np.concatenate([p for part in parts for p in (part, gap)]) if parts else nothing


def _seeds(right: Plane, across: int) -> tuple[np.ndarray, np.ndarray]:
    """Middles of square cells over the plane, ``across`` along its longer side."""
    width, height = np.ptp(right.right), np.ptp(right.up)
    size = max(width, height) / across
    columns, rows = max(2, round(width / size)), max(2, round(height / size))
    x = right.right[0] + (np.arange(columns) + 0.5) * width / columns
    y = right.up[0] + (np.arange(rows) + 0.5) * height / rows
    found = np.meshgrid(x, y, indexing="ij")
    return found[0].ravel(), found[1].ravel()


def arrows(right: Plane, up: Plane, longest: float, across: int = 26) -> np.ndarray:
    """(6 N, 2) ends of segments, two by two: shaft and both sides of the head of each arrow.

    An arrow as long as the distance between two stands for the speed ``longest``.
    """
    x, y = _seeds(right, across)
    u, v = right.at(x, y), up.at(x, y)
    speed = np.hypot(u, v)
    good = np.isfinite(speed) & (speed > 0.01 * longest)
    x, y, u, v = (a[good] for a in (x, y, u, v))
    if not len(x) or longest <= 0:
        return np.zeros((0, 2))
    cell = max(np.ptp(right.right), np.ptp(right.up)) / across
    along = np.stack([u, v], 1) * (1.05 * cell / longest)
    middle = np.stack([x, y], 1)
    tail, tip = middle - along / 2, middle + along / 2
    aside = np.stack([-along[:, 1], along[:, 0]], 1)
    barbs = [tip - 0.32 * along + side * 0.17 * aside for side in (1, -1)]
    return np.stack([tail, tip, tip, barbs[0], tip, barbs[1]], 1).reshape(-1, 2)


def streamlines(right: Plane, up: Plane, across: int = 14, steps: int = 110) -> np.ndarray:
    """(N, 2) points of lines along the flow, with rows of NaN between them; no two come closer than about a cell.

    All lines are followed at once by the midpoint rule with steps of equal length; then one after the other keeps what
    runs through cells that no line before it has taken.
    """
    x, y = _seeds(right, across)
    order = np.argsort((np.arange(len(x)) * 0.6180339887) % 1)  # neighbours far apart in order
    start = np.stack([x[order], y[order]], 1)
    extent = max(np.ptp(right.right), np.ptp(right.up))
    lines = _follow(right, up, start, extent / 130, steps)
    cell = extent / (2.4 * across)
    return _apart(lines, steps, (lines - (right.right[0], right.up[0])) / cell)


def _follow(right: Plane, up: Plane, start: np.ndarray, step: float, count: int) -> np.ndarray:
    """(2 count + 1, N, 2) positions against the flow and with it, the start in the middle row; NaN from where a line
    has left the plane or stands still.

    The directions are put on an even grid first, where looking one up takes few operations, and points of the plane are
    complex numbers in its cells, which halves them.
    """
    nodes = 160
    low, cell = (np.array([along[0] for along in (right.right, right.up)]), np.zeros(2))
    cell[:] = np.ptp(right.right) / (nodes - 1), np.ptp(right.up) / (nodes - 1)
    axes = [first + c * np.arange(nodes) for first, c in zip(low, cell, strict=True)]
    r, u = np.meshgrid(*axes, indexing="ij")
    flow = np.stack([right.at(r, u), up.at(r, u)], -1)
    length = np.linalg.norm(flow, axis=-1, keepdims=True)
    flow = np.divide(flow, length, out=np.full_like(flow, np.nan), where=length > 1e-9 * np.nanmax(length, initial=0))
    directions = (step * flow / cell).ravel().view(complex)

    def look_up(at: np.ndarray) -> np.ndarray:
        x, y = at.real, at.imag
        with np.errstate(invalid="ignore"):
            i, j = x.astype(np.int64), y.astype(np.int64)
        # What is outside, or not a number, becomes a huge index one way or the other.
        outside = (x < 0) | (y < 0) | (i >= nodes - 1) | (j >= nodes - 1) | (i < 0) | (j < 0)
        first = np.where(outside, 0, i * nodes + j)
        a, b = x - i, y - j
        below = directions[first] + b * (directions[first + 1] - directions[first])
        above = directions[first + nodes] + b * (directions[first + nodes + 1] - directions[first + nodes])
        found = below + a * (above - below)
        found[outside] = complex(np.nan, np.nan)
        return found

    begin = ((start - low) / cell).ravel().view(complex)
    sign = np.repeat([-1.0, 1.0], len(begin))
    at = np.concatenate([begin, begin])
    found = np.empty((count + 1, len(at)), complex)
    found[0] = at
    for k in range(count):
        at = at + sign * look_up(at + 0.5 * sign * look_up(at))
        found[k + 1] = at
    whole = np.concatenate([found[::-1, : len(begin)], found[1:, len(begin) :]])
    return low + cell * whole[..., None].view(float).reshape(*whole.shape, 2)


def _apart(lines: np.ndarray, seed: int, cells: np.ndarray) -> np.ndarray:
    """Of lines (K, N, 2), of which row ``seed`` is where each started, the parts that are not taken already."""
    index = np.nan_to_num(cells, nan=-1.0).astype(int) + 1
    taken = np.full(tuple(index.reshape(-1, 2).max(0) + 1), -1)
    parts = []
    for k in range(lines.shape[1]):
        i, j = index[:, k, 0], index[:, k, 1]
        good = np.isfinite(lines[:, k]).all(1)
        free = good & ((taken[i, j] < 0) | (taken[i, j] == k))
        if not free[seed]:
            continue
        bad = np.flatnonzero(~free)
        first = bad[bad < seed].max(initial=-1) + 1
        last = bad[bad > seed].min(initial=len(lines))
        first, last = _once_round(i * taken.shape[1] + j, first, seed, last)
        if last - first < 16:
            continue
        taken[i[first:last], j[first:last]] = k
        parts += [lines[first:last, k], np.full((1, 2), np.nan)]
    return np.concatenate(parts) if parts else np.zeros((0, 2))


def _once_round(cells: np.ndarray, first: int, seed: int, last: int) -> tuple[int, int]:
    """Where a line through ``cells`` begins and ends if it does not come back to where it was: vortices are closed."""
    last = seed + _until_again(cells[seed:last], cells[:0])
    return seed + 1 - _until_again(cells[first : seed + 1][::-1], cells[seed + NEAR : last]), last


def _until_again(cells: np.ndarray, others: np.ndarray) -> int:
    """How many cells until one that was left more than ``NEAR`` steps ago, or that is one of the ``others``."""
    _, seen, which = np.unique(cells, return_index=True, return_inverse=True)
    steps = np.arange(len(cells))
    again = (steps - seen[which] > NEAR) | ((steps > NEAR) & np.isin(cells, others))
    return int(again.argmax()) if again.any() else len(cells)


def heads(lines: np.ndarray, size: float) -> np.ndarray:
    """(4 N, 2) ends of segments, two by two: a head in the middle of each line that is longer than three heads."""
    ends = np.flatnonzero(np.isnan(lines[:, 0]))
    if not len(ends):
        return np.zeros((0, 2))
    starts = np.concatenate([[0], ends[:-1] + 1])
    middle = (starts + ends) // 2
    middle = middle[(ends - starts) > 20]
    if not len(middle):
        return np.zeros((0, 2))
    tip, before = lines[middle], lines[middle - 1]
    along = (tip - before) / np.maximum(np.linalg.norm(tip - before, axis=1, keepdims=True), 1e-300) * size
    aside = np.stack([-along[:, 1], along[:, 0]], 1)
    return np.stack([tip, tip - along + 0.5 * aside, tip, tip - along - 0.5 * aside], 1).reshape(-1, 2)
