"""Where arrows on a plane cross each other."""

from __future__ import annotations

import numpy as np

from app.viewers.transport_ink import Links

MOST = 400
"""Arrows that are looked at; of more, the heaviest."""


def crossings(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(X, 2) where two of the segments between ``starts`` and ``ends`` (K, 2) meet, each pair once.

    Segments p + s d and q + t e meet where s = (q - p) × e / (d × e) and t = (q - p) × d / (d × e) lie between 0 and 1.
    """
    first, second = np.triu_indices(len(starts), 1)
    d, e = (ends - starts)[first], (ends - starts)[second]
    gap = starts[second] - starts[first]
    turn = d[:, 0] * e[:, 1] - d[:, 1] * e[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        s = (gap[:, 0] * e[:, 1] - gap[:, 1] * e[:, 0]) / turn
        t = (gap[:, 0] * d[:, 1] - gap[:, 1] * d[:, 0]) / turn
    met = (turn != 0) & (s > 0) & (s < 1) & (t > 0) & (t < 1)
    return starts[first[met]] + s[met, None] * d[met]


def of(links: Links) -> tuple[np.ndarray, str]:
    """The crossings of the heaviest arrows, and in words how many of their pairs cross."""
    starts, ends = links.starts[:MOST, :2], links.ends[:MOST, :2]
    found, pairs = crossings(starts, ends), len(starts) * (len(starts) - 1) // 2
    share = 100 * len(found) / max(pairs, 1)
    return found, f"{len(found):,} of {pairs:,} pairs of arrows cross: {share:.3g} %"


__all__ = ["crossings", "of"]
