"""Sparsity-constrained optimal transport: a plan in which every target gets mass from at most k sources.

    min over T >= 0, T 1 = a, T' 1 = b, ||t_j||_0 <= k for each column j of  <C, T> + gamma/2 sum_j ||t_j||^2

(Liu et al. 2023). The constraint is not convex; the dual and the semi-dual are concave all the same:

    max over alpha of          alpha.a - sum_j Omega*_{b_j}(alpha - c_j)                  (semi-dual: columns exact)
    max over alpha, beta of    alpha.a + beta.b - sum_j Omega*(alpha + beta_j - c_j)      (dual),

with conjugates that take the k largest entries of a vector (:mod:`engines.blocks.transport.k_simplex`); t_j is where
Omega* is attained. Their maximum is that of the convexified problem, gamma/2 ||t||^2 replaced by its biconjugate, the
squared k-support norm, and so bounds the k-sparse optimum from below; where no column has a tie at rank k, it is that
optimum, and T satisfies both marginals. k = 1 gives exact transport plus a constant, k >= m quadratic transport.

How the maximum is found where ties make the dual a function with kinks: :mod:`engines.transport.k_sparse_solve`. How
a plan with both marginals is made for few k: :mod:`engines.transport.k_sparse_repair`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from torch import Tensor

from engines.blocks.transport.barycentric import displacements
from engines.blocks.transport.k_simplex import Entries
from engines.blocks.transport.k_sparse_dual import Form
from engines.blocks.transport.posing import CouplingParams, TransportProblem, memory_for, posed
from engines.core import Example, Paper, Param, Run, UserError, method
from engines.data import CostMatrix, Coupling, Curve, Displacements, Measure, MeasureOrCost, Table
from engines.transport.k_sparse_proposals import least_feasible, proposals, with_marginals
from engines.transport.k_sparse_report import certificate, curves, plan_table, sources_of_targets
from engines.transport.k_sparse_solve import Continuation, Optimiser, Settings, Solver

NOTABLE = 1e-6
"""Marginals that are off by more than this share of the mass are worth a warning."""


class KSparseParams(CouplingParams):
    k: int = Param(3, ge=1, le=1_000_000, log=True, label="Sources of a target (k)", source="own choice",
                   help="Every target gets its mass from at most so many sources")  # fmt: skip
    gamma: float = Param(
        1.0, ge=1e-3, le=1e3, log=True, label="Quadratic weight γ", source="sheet 07",
        help="Of the squared masses against the costs, which are divided as set; larger spreads mass more evenly",
    )  # fmt: skip
    formulation: Form = Param(
        "semi-dual", source="paper: either", help="The semi-dual keeps the masses of targets to the last digit",
    )  # fmt: skip
    optimiser: Optimiser = Param("L-BFGS", source="paper: gradient methods", help="How the dual is maximised")
    memory: int = Param(10, ge=1, le=1000, advanced=True, source="usual choice", help="Pairs that L-BFGS keeps")
    tolerance: float = Param(
        1e-6, gt=0, le=1, log=True, source="sheet 07", help="Stop where the marginals are off by less, in all"
    )
    iterations: int = Param(5000, ge=1, le=1_000_000, log=True, source="sheet 07", help="At most so many")
    continuation: Continuation = Param(
        "automatic", label="Where ties block the way", advanced=True, source="own derivation; larger γ: sheet 07",
        help="For small k the dual has kinks. Smoothed ties, larger γ and back, or neither; automatic: exact "
        "transport for k = 1, else smoothed ties",
    )  # fmt: skip
    gap: float = Param(
        1e-6, ge=0, le=1, advanced=True, label="Gap", source="own choice",
        help="Stop smoothing where the bounds of the optimum differ by less than this share of it",
    )  # fmt: skip
    feasible: bool = Param(True, label="Make a plan with both marginals",
                           help="With at most k sources for each target, if the sources found allow it")  # fmt: skip

    def settings(self, k: int, total: float) -> Settings:
        return Settings(k, self.gamma, self.formulation, self.optimiser, self.memory, self.tolerance * total,
                        self.gap, self.continuation, self.iterations)  # fmt: skip


@dataclass(frozen=True)
class KSparseTransport:
    coupling: Annotated[
        Coupling, "the plan of the dual: at most k sources a target; sources may give too much or little"
    ]
    displacements: Annotated[Displacements | None, "where the mass of each source goes on average, between measures"]
    feasible: Annotated[Coupling | None, "at most k sources a target, both marginals exact"]
    relaxed: Annotated[Coupling | None, "both marginals exact; some targets have more than k sources"]
    value: Annotated[Curve, "value of the dual at each iteration"]
    error: Annotated[Curve, "error of the marginals at each iteration"]
    sources: Annotated[Curve, "how many targets have one source, two sources, and so on"]
    scores: Annotated[Table, "what each plan costs, its marginal errors and its entries"]
    certificate: Annotated[Table, "bounds of the optimum, and how they were reached"]


def clouds(m: int, n: int) -> dict[str, Measure]:
    """Two normal clouds in the plane, the second moved by (1, 1), with weights that differ (problem P of the sheet)."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(m, 2)), rng.normal(size=(n, 2)) + 1
    a, b = rng.dirichlet(np.full(m, 5.0)), rng.dirichlet(np.full(n, 5.0))
    return {
        "source": Measure(name="Sources", points=x, weights=a),
        "target": Measure(name="Targets", points=y, weights=b),
    }


def table(**fields: Any) -> dict[str, CostMatrix]:
    return {"source": CostMatrix(costs=np.add.outer(np.arange(6.0), -np.arange(2.0)) ** 2, **fields)}


@method(
    key="k-sparse", title="k-sparse transport", family="transport",
    job="Match two weighted point sets, each target from at most k sources.",
    paper=Paper(
        title="Sparsity-Constrained Optimal Transport",
        authors="Liu, Tianlin and Puigcerver, Joan and Blondel, Mathieu", year=2023,
        venue="International Conference on Learning Representations", url="https://openreview.net/forum?id=yHY9NbQJ5BP",
    ),
    presets={
        "quick": {"iterations": 1000, "gap": 1e-4},
        "paper": {"k": 2, "continuation": "none", "feasible": False},
    },
    sample=Example(inputs=lambda: clouds(60, 80), title="Two clouds in the plane"),
    smoke=Example(inputs=lambda: clouds(12, 15)),
    degenerate=(
        Example(inputs=lambda: table(), params={"k": 2}, title="Too few sources a target"),
        Example(inputs=lambda: clouds(5, 8), params={"k": 6}, title="More than there are sources"),
        Example(inputs=lambda: table(target_weights=[1.0, 2.0], source_weights=np.ones(6)), title="Different totals"),
        Example(inputs=lambda: {"source": clouds(5, 8)["source"]}, title="No second measure"),
    ),
    memory=memory_for(10), tags=("sparse", "quadratic", "assignment", "capacity", "experts", "coupling"),
)  # fmt: skip
def k_sparse(
    source: Annotated[MeasureOrCost, "first measure, or a cost matrix with its weights"],
    target: Annotated[Measure | None, "second measure; none with a cost matrix"],
    params: KSparseParams,
    run: Run,
) -> KSparseTransport:
    """The limit is on targets (columns): to limit the targets of a source, exchange the two.

    The plan that the dual gives keeps the limit always, but for small k its sources give too much or too little. Its
    transport cost can then be below that of any plan there is: see the plan with both marginals, and the bounds.
    """
    problem = posed(source, target, params, run)
    check(problem, params.k)
    solver = Solver(problem.costs, problem.a, problem.b, params.settings(params.k, float(problem.a.sum())))
    if (saved := run.restored()) is not None:
        solver.restore(saved)
    for _ in solver.solve(run, "Maximising the dual", share=0.9):
        run.log(**{"dual value": problem.scale * solver.record.value[-1], "marginal error": solver.record.error[-1]})
        run.preview(lambda: coupled(problem, solver))
        run.checkpoint(solver.state)
    return result(problem, solver, params, run)


def check(problem: TransportProblem, k: int) -> None:
    """Refuse a k that no plan can have."""
    m, n = problem.costs.shape
    if k > m:
        raise UserError(f"A target cannot get mass from {k:,} sources.", f"There are {m:,} sources with mass.",
                        f"Set k to {m:,} or less.")  # fmt: skip
    if k * n < m:
        raise UserError(
            f"With at most {k:,} for each of {n:,} targets, {m - k * n:,} sources are left over.",
            f"At most k·n = {k * n:,} sources can be used; there are {m:,}, and all of them have mass to give.",
            f"Set k to {math.ceil(m / n):,} or more, or exchange the two sides.",
        )  # fmt: skip


def coupled(problem: TransportProblem, solver: Solver) -> Coupling:
    """The plan of the dual at the best potentials so far."""
    potentials = solver.best
    m = problem.costs.shape[0]
    beta = potentials[m:] if len(potentials) > m else solver.dual.column_potentials(potentials)
    return by_entries(problem, solver.dual(potentials).plan, f"at most {solver.settings.k:,} sources a target",
                      "Coupling", (potentials[:m], beta))  # fmt: skip


def by_entries(
    problem: TransportProblem, plan: Entries, kind: str, name: str, potentials: tuple[Tensor, Tensor] | None = None
) -> Coupling:
    column, place = plan.values.nonzero(as_tuple=True)
    entries = (plan.where[column, place], column, plan.values[column, place])
    return problem.coupling(entries=entries, potentials=potentials, kind=kind, name=name)


def repaired(problem: TransportProblem, solver: Solver, run: Run, say: bool = True) -> Coupling | None:
    """A plan with both marginals and at most k entries in each column, if the supports that are tried allow one."""
    k = solver.settings.k
    for where in proposals(solver, run):
        if (plan := with_marginals(solver, where)) is not None:
            return by_entries(problem, plan, f"at most {k:,} sources a target, both marginals", "Feasible coupling")
    if say:
        least = least_feasible(solver, run)
        run.warn(
            f"No plan with both marginals was found with {k:,} source{'s' if k > 1 else ''} for each target; "
            f"with {least:,} there is one: set k to {least:,}."
        )
    return None


def result(problem: TransportProblem, solver: Solver, params: KSparseParams, run: Run) -> KSparseTransport:
    coupling = coupled(problem, solver)
    rows, columns = coupling.marginal_errors
    iterations = len(solver.record.value)
    off = rows + columns > NOTABLE * float(problem.a.sum())
    if off:
        run.warn(
            f"The plan of the dual keeps its marginals but for {rows:.3g} of the sources and {columns:.3g} of the "
            "targets. Its transport cost may be less than that of any true plan."
        )
    run.note(f"{iterations:,} iteration{'s' if iterations > 1 else ''} in {run.seconds:.3g} s.")
    feasible = relaxed = None
    for _ in run.steps(1, "Making a plan with both marginals"):
        if params.feasible:
            feasible = repaired(problem, solver, run)
        if off and solver.relaxed is not None:
            relaxed = problem.coupling(plan=solver.relaxed, kind="convexified, both marginals", name="Relaxed coupling")
    plans = {"of the dual": coupling, "feasible": feasible, "relaxed": relaxed}
    found = {name: plan for name, plan in plans.items() if plan is not None}
    value, error = curves(solver.record, problem.scale)
    moved = displacements(next(plan for plan in (feasible, relaxed, coupling) if plan is not None))
    return KSparseTransport(
        coupling, moved, feasible, relaxed, value, error, sources_of_targets(found),
        plan_table(problem, found, params.gamma), certificate(problem, solver, found),
    )  # fmt: skip


__all__ = ["KSparseParams", "KSparseTransport", "check", "clouds", "coupled", "k_sparse", "repaired", "table"]
