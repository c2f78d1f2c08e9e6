"""The Monge gap of a map: how much more its displacements cost than the cheapest way to the same images.

    gap(T) = (1/n) sum_i c(x_i, T x_i) - W(x, T x) >= 0        (Uscidu and Cuturi 2023, eq. 6)

is zero exactly when no other assignment of the points to their images is cheaper. W may be exact or entropic:

    W_eps = min_P <P, C> - eps Ent(P)           ("entropy"; Ent(P) = -sum P log P)
          = min_P <P, C> + eps KL(P | a b')     ("KL")  - 2 eps log n  for uniform weights

With "entropy" the gap is never negative, and between eps log n and 2 eps log n for an optimal map; with "KL" it is
never above the exact gap and may be negative. Both have the same gradient. What is shown is the exact one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import entropic_cost
from engines.blocks.transport.exact import exact, exact_cost
from engines.blocks.transport.sinkhorn import Convention

MOST_EXACT = 2000
"""Points for an exact gap: the best assignment takes about the cube of their number."""
ROUNDING = 1e-12
"""Share of the cost below which a gap is one of rounding only."""
SIMPLEX_FROM = 400
"""Points above which the network simplex is faster than shortest paths: at 2,000 that are optimal, 12 times."""


@torch.no_grad()
def exact_gap(x: Tensor, moved: Tensor, cost: Cost) -> float:
    """The gap without entropy, of points x (n, d) and their images (n, d): the cheapest assignment is found exactly."""
    C = cost.pairwise(x, moved).cpu().numpy()
    if len(C) > SIMPLEX_FROM:
        share = np.full(len(C), 1 / len(C))
        cheapest = exact(C, share, share).cost
    else:
        cheapest = exact_cost(C)
    paid = float(C.diagonal().mean())
    return 0.0 if abs(paid - cheapest) <= ROUNDING * abs(paid) else paid - cheapest


def entropic_gap(
    x: Tensor, moved: Tensor, cost: Cost, epsilon: float, convention: Convention = "entropy", **more: Any
) -> Tensor:
    """(): the gap with W_eps, differentiable in the points; ``more`` as :func:`.divergence.entropic_cost` takes it."""
    found = entropic_cost(x, moved, cost, epsilon, convention=convention, **more)
    return cost.paired(x, moved).mean() - found.value


def crossings(starts: np.ndarray, ends: np.ndarray) -> float:
    """Share of all pairs of segments from starts (n, 2) to ends (n, 2) that cross each other.

    Optimal displacements for the Euclidean cost never do; for its square they may.
    """
    n = len(starts)
    if n < 2:
        return 0.0

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        """On which side of the line from a to b c lies."""
        return np.sign(
            (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        )

    i, j = np.triu_indices(n, 1)
    a, b, c, d = starts[i], ends[i], starts[j], ends[j]
    crossed = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    return float(crossed.mean())


__all__ = ["MOST_EXACT", "crossings", "entropic_gap", "exact_gap"]
