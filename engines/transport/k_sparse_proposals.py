"""On which k entries of each column a plan with both marginals is looked for."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from engines.blocks.transport.exact import exact
from engines.blocks.transport.k_simplex import Entries
from engines.blocks.transport.largest import largest
from engines.core import Run
from engines.transport.k_sparse_repair import restricted, routable
from engines.transport.k_sparse_solve import Solver

LOST = 1e-6
"""Supports that let pass all but this share of the mass may do: what a linear programme says is only as exact."""
KEPT = 1e-9
"""Marginals of a feasible plan are off by less than this share of the mass."""


def proposals(solver: Solver, run: Run) -> Iterator[Tensor]:
    """Supports (n, k): of the relaxed plan, by the potentials, and of an exact plan, which has few entries."""
    k = solver.settings.k
    if solver.relaxed is not None:
        yield torch.topk(solver.relaxed.T, k, dim=1).indices
    yield likeliest(solver, k)
    yield torch.topk(exact_plan(solver, run).T, k, dim=1).indices


def likeliest(solver: Solver, count: int) -> Tensor:
    """(n, ``count``) the largest entries of alpha - C of each column."""
    return largest(solver.per_column, solver.best[: len(solver.a)], count)[1]


def exact_plan(solver: Solver, run: Run) -> Tensor:
    """(m, n) of exact transport."""
    found = exact(*(part.cpu().numpy() for part in (solver.costs, solver.a, solver.b)), run.check)
    plan = torch.zeros_like(solver.costs)
    plan[found.rows, found.columns] = torch.from_numpy(found.mass).to(plan)
    return plan


def with_marginals(solver: Solver, where: Tensor) -> Entries | None:
    """The plan of quadratic transport on supports (n, k), if they allow both marginals."""
    a, b = solver.a, solver.b
    if not routable(where, a, b) > 1 - LOST:
        return None
    alpha = solver.best[: len(a)]
    start = torch.cat([alpha, solver.dual.column_potentials(alpha)])
    costs = solver.per_column.gather(1, where)
    mass = restricted(costs, where, a, b, solver.settings.gamma, start)
    plan = Entries(where, mass)
    off = float((plan.total(len(a)) - a).abs().sum() + (mass.sum(1) - b).abs().sum())
    return plan if off <= KEPT * float(a.sum()) else None


def least_feasible(solver: Solver, run: Run) -> int:
    """The smallest number above k of entries of each column with which a plan with both marginals is found."""

    def feasible(count: int) -> bool:
        return routable(likeliest(solver, count), solver.a, solver.b) > 1 - KEPT

    few, many = solver.settings.k, int((exact_plan(solver, run) > 0).sum(0).amax())  # these always do
    while many - few > 1:
        middle = min((few + many) // 2, 2 * few)
        run.check()
        if feasible(middle):
            many = middle
        else:
            few = middle
    return many


__all__ = ["exact_plan", "least_feasible", "likeliest", "proposals", "with_marginals"]
