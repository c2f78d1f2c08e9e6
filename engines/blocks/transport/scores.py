"""What a coupling costs and how well it keeps its weights, and how far two samples are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.costs import squared_distances
from engines.blocks.transport.posing import TransportProblem
from engines.data import Coupling, Table

MMD_SCALES = (2.0, 1.0, 0.5, 0.1, 0.01, 0.005)
"""Of the radial kernels over which the discrepancy of cells is averaged in the literature on drug responses."""


def transport_cost(problem: TransportProblem, coupling: Coupling) -> float:
    """<C, P> in the costs as they were."""
    costs = problem.costs.cpu().numpy()
    if coupling.plan is not None:
        plan = coupling.plan if problem.is_whole else coupling.plan[np.ix_(problem.rows, problem.columns)]
        return problem.scale * float(np.vdot(costs, plan))
    rows, columns, mass = coupling.entries()
    rows, columns = np.searchsorted(problem.rows, rows), np.searchsorted(problem.columns, columns)
    return problem.scale * float(mass @ costs[rows, columns])


def score_table(
    problem: TransportProblem, coupling: Coupling, more: Mapping[str, float | str] | None = None, name: str = "Scores"
) -> Table:
    """One row: what the coupling costs, ``more`` of the method's own, how far its marginals are off, its entries."""
    out, into = coupling.marginal_errors
    columns = {
        "Transport cost": transport_cost(problem, coupling),
        **(more or {}),
        "Row error": out,
        "Column error": into,
        "Entries": coupling.count,
    }
    return Table(name=name, columns={key: np.array([value]) for key, value in columns.items()})


def mmd(x: Tensor, y: Tensor, scales: Sequence[float] = MMD_SCALES) -> float:
    """Squared maximum mean discrepancy of samples x (n, d) and y (m, d), kernels exp(-gamma |x - y|^2), averaged.

    The mean over all pairs, those of a point with itself among them, so that it is never negative.
    """
    within_x, within_y, across = squared_distances(x, x), squared_distances(y, y), squared_distances(x, y)
    means = [[(-gamma * d).exp().mean() for d in (within_x, within_y, across)] for gamma in scales]
    return float(sum(xx + yy - 2 * xy for xx, yy, xy in means) / len(means))


def mean_shift(x: Tensor, y: Tensor) -> float:
    """Distance of the means of two samples."""
    return float(torch.linalg.vector_norm(x.mean(0) - y.mean(0)))


__all__ = ["MMD_SCALES", "mean_shift", "mmd", "score_table", "transport_cost"]
