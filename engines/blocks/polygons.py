"""Polygons in the plane: even-odd membership, areas, nesting and self-intersections, all vectorised.

A loop is an (n, 2) array of vertices that closes itself. A set of loops is a flat (V, 2) array with
``starts`` (L,), the first vertex of each loop.
"""

from __future__ import annotations

import numpy as np

PAIRS_AT_ONCE = 1 << 19  # about 20 MB of working memory, and it stays in the cache of a small machine


def inside(points: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """(N,) bool: which ``points`` (N, 2) an odd number of the loops made by ``segments`` (E, 2, 2) surrounds.

    A ray along one axis is half-open at the ends of a segment, so that a point level with a vertex counts
    each crossing once. The side of a segment is the sign of one float64 cross product. Points on the
    boundary itself fall to either side. Cost: one test for each pair of a point and a segment level with it.
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    segments = np.asarray(segments, dtype=np.float64).reshape(-1, 2, 2)
    result = np.zeros(len(points), dtype=bool)
    if not len(points) or not len(segments):
        return result
    if _prefers_other_axis(segments):
        points, segments = points[:, ::-1], segments[:, :, ::-1]
    order = np.argsort(points[:, 1], kind="stable")
    px, py = points[order, 0], points[order, 1]

    upward = segments[:, 0, 1] <= segments[:, 1, 1]
    low = np.where(upward[:, None], segments[:, 0], segments[:, 1])
    high = np.where(upward[:, None], segments[:, 1], segments[:, 0])
    first = np.searchsorted(py, low[:, 1], side="left")
    counts = np.searchsorted(py, high[:, 1], side="left") - first
    used = np.flatnonzero(counts)
    first, counts, low, high = first[used], counts[used], low[used], high[used]
    run = high - low
    odd = np.zeros(len(points), dtype=np.int32)
    for begin, end in _chunks(counts):
        some = counts[begin:end]
        if end - begin == 1:  # one segment beside many points needs no index arrays
            span = slice(first[begin], first[begin] + some[0])
            odd[span] += _left_of(px[span], py[span], low[begin], run[begin])
            continue
        which = np.repeat(np.arange(begin, end), some)
        at = np.arange(some.sum()) + np.repeat(first[begin:end] - (np.cumsum(some) - some), some)
        hit = _left_of(px[at], py[at], low[which].T, run[which].T)
        np.add.at(odd, at[hit], 1)
    result[order] = odd % 2 == 1
    return result


def _left_of(px: np.ndarray, py: np.ndarray, low: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Whether points lie left of the upward segments that start at ``low`` and go by ``run``."""
    return np.asarray(run[0] * (py - low[1]) > (px - low[0]) * run[1])


def _prefers_other_axis(segments: np.ndarray) -> bool:
    """Whether fewer pairs arise along the other axis. It depends on the segments alone, so that the answer
    for a point doesn't depend on which other points are asked for."""
    span = np.ptp(segments.reshape(-1, 2), axis=0)
    lengths = np.abs(segments[:, 1] - segments[:, 0]).sum(0)
    x_share, y_share = lengths / np.where(span > 0, span, 1)
    return bool(x_share < 0.5 * y_share and span[0] > 0)


def _chunks(counts: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of segments with about PAIRS_AT_ONCE pairs each."""
    total = np.cumsum(counts)
    ranges, begin = [], 0
    while begin < len(counts):
        done = total[begin - 1] if begin else 0
        end = max(int(np.searchsorted(total, done + PAIRS_AT_ONCE, side="right")), begin + 1)
        ranges.append((begin, end))
        begin = end
    return ranges


def loop_segments(vertices: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(V, 2, 2) the edges of closed loops; edge i starts at vertex i."""
    if not len(starts):
        return np.zeros((0, 2, vertices.shape[1]))
    following = np.arange(1, len(vertices) + 1)
    ends = np.append(starts[1:], len(vertices))
    following[ends - 1] = starts
    return np.stack([vertices, vertices[following]], axis=1)


def signed_areas(vertices: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(L,) areas, positive for counter-clockwise loops."""
    if not len(starts):
        return np.zeros(0)
    counts = np.diff(np.append(starts, len(vertices)))
    local = vertices - np.repeat(vertices[starts], counts, axis=0)  # keeps the digits far from the origin
    edge = loop_segments(local, starts)
    cross = edge[:, 0, 0] * edge[:, 1, 1] - edge[:, 0, 1] * edge[:, 1, 0]
    return np.asarray(0.5 * np.add.reduceat(cross, starts))


def nesting(vertices: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(L,) depths and (L,) parents of loops that do not cross.

    ``depth`` counts the loops around a loop: an odd one is a hole, in the smallest loop around it (its parent).
    Loops of even depth have parent -1.
    """
    count = len(starts)
    if not count:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    areas = np.abs(signed_areas(vertices, starts))
    segments = loop_segments(vertices, starts)
    ends = np.append(starts[1:], len(vertices))
    lengths = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
    # The middle of the longest edge stands for a loop: a vertex may touch its neighbour.
    longest = [s + int(lengths[s:e].argmax()) for s, e in zip(starts, ends, strict=True)]
    probes = segments[longest].mean(1)
    low, high = np.minimum.reduceat(vertices, starts), np.maximum.reduceat(vertices, starts)
    depths = np.zeros(count, dtype=np.int64)
    parents = np.full(count, -1)
    smallest = np.full(count, np.inf)
    for outer in range(count):
        may = ((probes > low[outer]) & (probes < high[outer])).all(1) & (areas < areas[outer])
        candidates = np.flatnonzero(may)
        if not len(candidates):
            continue
        within = candidates[inside(probes[candidates], segments[starts[outer] : ends[outer]])]
        depths[within] += 1
        closer = within[areas[outer] < smallest[within]]
        parents[closer], smallest[closer] = outer, areas[outer]
    return depths, np.where(depths % 2 == 1, parents, -1)


def self_crossing(vertices: np.ndarray, starts: np.ndarray, most_pairs: int = 20_000_000) -> np.ndarray:
    """(L,) bool: loops of which two edges properly cross.

    Touching and overlapping edges do not count. A loop with more than ``most_pairs`` pairs of edges to look
    at is looked at that far.
    """
    ends = np.append(starts[1:], len(vertices))
    segments = loop_segments(vertices, starts)
    found = np.zeros(len(starts), dtype=bool)
    for loop, (start, end) in enumerate(zip(starts, ends, strict=True)):
        found[loop] = end - start > 3 and _any_crossing(segments[start:end], most_pairs)
    return found


def _any_crossing(segments: np.ndarray, most_pairs: int) -> bool:
    if _prefers_other_axis(segments):  # the sweep below runs along x; here short edges along y are better
        segments = segments.copy()
    else:
        segments = segments[:, :, ::-1].copy()
    low, high = segments.min(1), segments.max(1)
    order = np.argsort(low[:, 0], kind="stable")
    segments, low, high = segments[order], low[order], high[order]
    # Partners of a segment in the sweep: those that start before it ends.
    counts = np.searchsorted(low[:, 0], high[:, 0], side="right") - np.arange(len(low)) - 1
    seen = 0
    for begin, end in _chunks(counts):
        some = counts[begin:end]
        seen += int(some.sum())
        if seen > most_pairs:
            return False
        i = np.repeat(np.arange(begin, end), some)
        j = i + 1 + np.arange(len(i)) - np.repeat(np.cumsum(some) - some, some)
        overlap = (low[i, 1] <= high[j, 1]) & (low[j, 1] <= high[i, 1])
        a, b = segments[i[overlap]], segments[j[overlap]]
        if (_straddles(a, b) & _straddles(b, a)).any():
            return True
    return False


def _straddles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether the ends of segments ``b`` lie strictly on different sides of the lines through ``a``."""
    run = a[:, 1] - a[:, 0]

    def side(p: np.ndarray) -> np.ndarray:
        left, right = run[:, 0] * (p[:, 1] - a[:, 0, 1]), run[:, 1] * (p[:, 0] - a[:, 0, 0])
        cross = left - right
        # What rounding may have made of zero counts as zero: touching is not crossing.
        return np.where(np.abs(cross) > 1e-12 * (np.abs(left) + np.abs(right)), np.sign(cross), 0)

    return np.asarray(side(b[:, 0]) * side(b[:, 1]) < 0)
