"""How good a map is, from samples: whether its images lie as the target does, and how little its displacements cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import sinkhorn_divergence
from engines.blocks.transport.monge_gap import MOST_EXACT, crossings, exact_gap
from engines.data import Measure, Table

MMD_WIDTHS = (2.0, 1.0, 0.5, 0.1, 0.01, 0.005)
"""gamma of the kernels exp(-gamma |x - y|^2), as the single-cell literature takes them (Bunne et al. 2023)."""
TOLERANCE, SWEEPS = 1e-4, 5000
MOST_CROSSING = 1000


@dataclass(frozen=True)
class Judge:
    """Points that a map has not seen, and what their displacements cost. ``truth`` (n, d): the true images, if known.

    At most 2,000 points of each are taken; both are of uniform weights.
    """

    source: Tensor
    target: Tensor
    cost: Cost
    fit_cost: Cost
    fit_epsilon: float
    truth: Tensor | None = None

    def __call__(self, moved: Tensor) -> dict[str, float]:
        """Scores by name of the images (n, d) of the source points; the lower the better, all of them."""
        x, y = self.source[:MOST_EXACT], self.target[:MOST_EXACT]
        apart = sinkhorn_divergence(
            moved[: len(x)], y, self.fit_cost, self.fit_epsilon, tolerance=TOLERANCE, sweeps=SWEEPS, anneal=True
        )
        found = {
            "Sinkhorn divergence": float(apart.value),
            "MMD": mmd(moved[: len(x)], y),
            "Mean shift": float((moved.mean(0) - self.target.mean(0)).norm()),
            "Exact Monge gap": exact_gap(x, moved[: len(x)], self.cost),
            "Mean cost": float(self.cost.paired(self.source, moved).mean()),
        }
        if x.shape[1] == 2:
            ends = [points[:MOST_CROSSING].cpu().numpy() for points in (x, moved)]
            found["Crossing pairs (%)"] = 100 * crossings(*ends)
        if self.truth is not None:
            found["L2-UVP (%)"] = unexplained(moved, self.truth)
        return found


def unexplained(moved: Tensor, truth: Tensor) -> float:
    """100 E|T - T*|^2 / Var T*: the share of variance that a map does not explain (Korotin et al. 2021)."""
    spread = (truth - truth.mean(0)).square().sum(1).mean()
    return 100 * float((moved - truth).square().sum(1).mean() / spread)


def mmd(x: Tensor, y: Tensor) -> float:
    """Squared maximum mean discrepancy of points x (n, d) and y (m, d), the mean over kernels of several widths."""
    own, across = [torch.cdist(a, a).square() for a in (x, y)], torch.cdist(x, y).square()
    total = sum(
        torch.exp(-g * own[0]).mean() + torch.exp(-g * own[1]).mean() - 2 * torch.exp(-g * across).mean()
        for g in MMD_WIDTHS
    )
    return float(total) / len(MMD_WIDTHS)


def score_table(columns: Mapping[str, Mapping[str, float]], name: str = "Scores") -> Table:
    """One row for each score, one column for each map; NaN where a map has no such score."""
    rows = list(dict.fromkeys(score for scores in columns.values() for score in scores))
    values = {title: np.array([scores.get(row, np.nan) for row in rows]) for title, scores in columns.items()}
    return Table(name=name, columns={"Score": np.array(rows)} | values)


def sampled(measure: Measure, count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, d) at most ``count`` points of uniform weight: some of them, or drawn by their weights where these differ."""
    total, mass = len(measure.points), measure.mass
    if np.ptp(mass) > 1e-9 * mass.max():
        return measure.points[rng.choice(total, count, p=mass / mass.sum())]
    return measure.points if total <= count else measure.points[np.sort(rng.choice(total, count, replace=False))]


__all__ = ["Judge", "mmd", "sampled", "score_table", "unexplained"]
