"""How good a map is, from samples: whether its images lie as the target does, and how little its displacements cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import sinkhorn_divergence
from engines.blocks.transport.monge_gap import crossings, exact_gap
from engines.blocks.transport.scores import mean_shift, mmd
from engines.data import Measure, Table

TOLERANCE, SWEEPS = 1e-4, 5000
JUDGED = 1000


@dataclass(frozen=True)
class Judge:
    """Points that a map has not seen, and what their displacements cost. ``truth`` (n, d): the true images, if known.

    At most ``most`` points of each are taken, both of uniform weights. ``check`` may raise between scores, to stop.
    """

    source: Tensor
    target: Tensor
    cost: Cost
    fit_cost: Cost
    fit_epsilon: float
    truth: Tensor | None = None
    most: int = JUDGED
    check: Callable[[], object] = lambda: None

    def __call__(self, moved: Tensor) -> dict[str, float]:
        """Scores by name of the images (n, d) of the source points; the lower the better, all of them."""
        x, y, images = self.source[: self.most], self.target[: self.most], moved[: self.most]
        apart = sinkhorn_divergence(
            images, y, self.fit_cost, self.fit_epsilon, tolerance=TOLERANCE, sweeps=SWEEPS, anneal=True
        )
        found = {"Sinkhorn divergence": float(apart.value)}
        self.check()
        found["MMD"] = mmd(images, y)
        found["Mean shift"] = mean_shift(moved, self.target)
        self.check()
        found["Exact Monge gap"] = exact_gap(x, images, self.cost)
        found["Mean cost"] = float(self.cost.paired(self.source, moved).mean())
        self.check()
        if x.shape[1] == 2:
            found["Crossing pairs (%)"] = 100 * crossings(x[:JUDGED].cpu().numpy(), images[:JUDGED].cpu().numpy())
        if self.truth is not None:
            found["L2-UVP (%)"] = unexplained(moved, self.truth)
        return found


def unexplained(moved: Tensor, truth: Tensor) -> float:
    """100 E|T - T*|^2 / Var T*: the share of variance that a map does not explain (Korotin et al. 2021)."""
    spread = (truth - truth.mean(0)).square().sum(1).mean()
    return 100 * float((moved - truth).square().sum(1).mean() / spread)


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


__all__ = ["JUDGED", "Judge", "sampled", "score_table", "unexplained"]
