"""Many lines as one picture of opacities, by numpy alone: it can be drawn beside the GUI thread.

Qt takes 0.2 s for five thousand smooth lines, and no Qt object should be made on another thread. Where lines cross,
what they let through multiplies, so that the order in which they are drawn does not matter:
opacity = 1 - exp(Σ log(1 - a c)), with the opacity a of each line and the share c of a pixel that it covers.
"""

from __future__ import annotations

import numpy as np

CHUNK = 1_500_000
"""Pixels that are worked on at a time: 30 MB."""
GROUPS = 6
"""Widths are worked on together in so many groups: a wide line touches more pixels across."""


def opacities(
    starts: np.ndarray, ends: np.ndarray, widths: np.ndarray, alphas: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """(height, width) float32 from 0 to 1 of lines between ``starts`` and ``ends`` (K, 2), in pixels from the upper
    left; ``widths`` (K,) in pixels and ``alphas`` (K,) below 1; ``size`` is (width, height)."""
    width, height = size
    kept, starts, ends = _clipped(starts, ends, width, height)
    widths, alphas = widths[kept], alphas[kept]
    through = np.zeros(width * height)
    if not len(kept):
        return through.reshape(height, width).astype(np.float32)
    order = np.argsort(widths, kind="stable")
    for group in np.array_split(order, min(GROUPS, len(order))):
        _draw(through, starts[group], ends[group], widths[group], alphas[group], (width, height))
    return (-np.expm1(through)).reshape(height, width).astype(np.float32)


def _clipped(
    starts: np.ndarray, ends: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lines that meet the picture, cut at its edges (Liang and Barsky 1984): zoomed in, most lie outside."""
    along = ends - starts
    low, high = np.zeros(len(starts)), np.ones(len(starts))
    with np.errstate(divide="ignore", invalid="ignore"):
        for axis, most in ((0, width), (1, height)):
            for step, room in ((-along[:, axis], starts[:, axis] + 4), (along[:, axis], most + 4 - starts[:, axis])):
                at = room / step
                low = np.where(step < 0, np.maximum(low, at), low)
                high = np.where(step > 0, np.minimum(high, at), high)
                high = np.where((step == 0) & (room < 0), -1.0, high)
    kept = np.flatnonzero((low <= high) & np.isfinite(along).all(1) & np.isfinite(starts).all(1))
    begin = starts[kept] + low[kept, None] * along[kept]
    return kept, begin, starts[kept] + high[kept, None] * along[kept]


def _draw(
    through: np.ndarray, starts: np.ndarray, ends: np.ndarray, widths: np.ndarray, alphas: np.ndarray,
    size: tuple[int, int],
) -> None:  # fmt: skip
    """Walk each line pixel by pixel along its longer side, and cover the pixels across."""
    along = ends - starts
    steep = np.abs(along[:, 1]) > np.abs(along[:, 0])
    first = np.where(steep[:, None], starts[:, ::-1], starts)
    last = np.where(steep[:, None], ends[:, ::-1], ends)
    turned = first[:, 0] > last[:, 0]
    first[turned], last[turned] = last[turned], first[turned].copy()
    length = last[:, 0] - first[:, 0]
    slope = (last[:, 1] - first[:, 1]) / np.maximum(length, 1e-9)
    slope = np.where(length < 1e-9, 0.0, slope)
    across = widths * np.sqrt(1 + slope**2)
    begin = np.floor(first[:, 0]).astype(np.int64)
    counts = np.floor(last[:, 0]).astype(np.int64) - begin + 1
    ends_of = np.cumsum(counts)
    for part in np.array_split(np.arange(len(counts)), max(1, int(ends_of[-1]) // CHUNK)):
        line = np.repeat(part, counts[part])
        step = np.arange(len(line)) - np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
        major = begin[line] + step
        # The share of the pixel's column that the line passes through: its ends are cut where they are.
        cover = np.minimum(major + 1, last[line, 0]) - np.maximum(major, first[line, 0])
        cover = np.clip(cover, 0.0, 1.0)
        minor = first[line, 1] + slope[line] * (major + 0.5 - first[line, 0])
        nearest = np.floor(minor).astype(np.int64)
        aside = minor - nearest - 0.5
        half = (across[line] + 1) / 2
        reach = int(np.ceil(float(across[part].max(initial=1.0)) / 2 + 0.5))
        for tap in range(-reach, reach + 1):
            covered = np.clip(half - np.abs(tap - aside), 0.0, np.minimum(across[line], 1.0)) * cover
            at = nearest + tap
            x, y = np.where(steep[line], at, major), np.where(steep[line], major, at)
            inside = (covered > 0) & (x >= 0) & (x < size[0]) & (y >= 0) & (y < size[1])
            place = y[inside] * size[0] + x[inside]
            through += np.bincount(place, np.log1p(-alphas[line[inside]] * covered[inside]), len(through))


def with_heads(
    starts: np.ndarray, ends: np.ndarray, length: float, least: float = 2.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two strokes for the head of each arrow that is longer than ``least``: which arrows, their tips, and the ends."""
    along = ends - starts
    long = np.linalg.norm(along, axis=1)
    kept = np.flatnonzero(long > least)
    unit = along[kept] / long[kept, None]
    side = np.stack([-unit[:, 1], unit[:, 0]], 1)
    back = np.minimum(length, 0.45 * long[kept])[:, None]
    barbs = [ends[kept] - back * unit + s * 0.45 * back * side for s in (1, -1)]
    return np.tile(kept, 2), np.tile(ends[kept], (2, 1)), np.concatenate(barbs)


__all__ = ["opacities", "with_heads"]
