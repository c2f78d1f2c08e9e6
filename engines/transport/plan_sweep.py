"""One problem, all plans: exact, entropic and quadratic transport, and k-sparse transport for several k, side by side.

From exact transport (k = 1) to quadratic transport (k = the number of sources) plans get more entries, and the dual
smoother and lower; entropic plans have mass everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from engines.blocks.transport.exact import exact
from engines.blocks.transport.posing import CouplingParams, TransportProblem, memory_for, posed
from engines.blocks.transport.scores import transport_cost
from engines.blocks.transport.sinkhorn import Scaling
from engines.core import Example, Param, Run, UserError, method
from engines.data import Coupling, Curve, Measure, MeasureOrCost, Table
from engines.transport.k_sparse import clouds, coupled, repaired, table
from engines.transport.k_sparse_report import objective
from engines.transport.k_sparse_solve import Settings, Solver

EXACT, ENTROPIC, QUADRATIC = "Exact", "Entropic", "Quadratic"
TINY = 1e-12
"""Entries of an entropic plan below this share of the largest are not counted."""


class PlanSweepParams(CouplingParams):
    ks: tuple[int, ...] = Param((1, 2, 3, 5, 8, 13), ge=1, le=1_000_000, label="Sources of a target (k)",
                                source="sheet 07",
                                help="Every k to try; those that no plan can have are left out")  # fmt: skip
    gamma: float = Param(1.0, ge=1e-3, le=1e3, log=True, label="Quadratic weight γ", source="sheet 07",
                         help="Of the squared masses against the costs, which are divided as set")  # fmt: skip
    inverse_regularisation: float = Param(
        200.0, gt=0, le=1e6, log=True, label="η = 1 / ε", source="own choice",
        help="Of the entropic plan: the larger, the closer to exact transport",
    )  # fmt: skip
    tolerance: float = Param(1e-6, gt=0, le=1, log=True, source="sheet 07", help="Of the marginals, in all")
    iterations: int = Param(5000, ge=1, le=1_000_000, log=True, source="sheet 07", help="At most so many for each k")


@dataclass(frozen=True)
class PlanSweep:
    plans: Annotated[Table, "a row for each plan: bound, cost, marginal errors and entries"]
    objective: Annotated[Curve, "cost and quadratic term against k: lower bounds, and plans with both marginals"]
    cost: Annotated[Curve, "transport cost of plans with both marginals against k"]
    entries: Annotated[Curve, "number of entries against k"]
    convergence: Annotated[Curve, "marginal error at each iteration, for each k"]
    couplings: Annotated[tuple[Coupling, ...], "all the plans; for each k the one with both marginals, if there is one"]


def row(
    problem: TransportProblem, name: str, plan: Coupling, kept: Coupling | None, gamma: float, iterations: int,
    bound: float = np.nan,
) -> dict[str, Any]:  # fmt: skip
    """What the table tells of a plan; costs are those of ``kept``, a plan with both marginals, so that they compare."""
    _, columns, mass = plan.entries()
    counted = mass > TINY * mass.max(initial=0)
    off, of_targets = plan.marginal_errors
    return {
        "Plan": name,
        "Lower bound": bound,
        "Objective": np.nan if kept is None else objective(problem, kept, gamma),
        "Transport cost": np.nan if kept is None else transport_cost(problem, kept),
        "Row error": off,
        "Column error": of_targets,
        "Entries": int(counted.sum()),
        "Most sources": int(np.bincount(columns[counted]).max()),
        "Iterations": iterations,
    }


@method(
    key="plan-sweep", title="Sweep of plans", family="transport", role="preparation",
    job="Compare exact, entropic, quadratic and k-sparse plans of one problem.",
    presets={"quick": {"ks": (2, 5)}},
    sample=Example(lambda: clouds(60, 80), title="Two clouds in the plane"),
    smoke=Example(lambda: clouds(12, 15), {"ks": (1, 3)}),
    degenerate=(
        Example(table, {"ks": (1, 2)}, "No k that a plan can have"),
        Example(lambda: {"source": clouds(5, 8)["source"]}, title="No second measure"),
    ),
    memory=memory_for(16), tags=("sparse", "compare", "coupling", "k", "quadratic", "entropic"),
)  # fmt: skip
def plan_sweep(
    source: Annotated[MeasureOrCost, "first measure, or a cost matrix with its weights"],
    target: Annotated[Measure | None, "second measure; none with a cost matrix"],
    params: PlanSweepParams,
    run: Run,
) -> PlanSweep:
    """Costs of plans that keep both marginals can be compared; that of a plan whose rows are off can be too low."""
    problem = posed(source, target, params, run)
    m, n = problem.costs.shape
    ks = sorted({k for k in params.ks if m <= k * n and k < m})
    if not ks:
        least, most = -(-m // n), m - 1
        raise UserError(
            f"No k of those given suits {m:,} sources and {n:,} targets.",
            f"k must be below {m:,}, and k·n at least {m:,}: all sources have mass to give.",
            f"Use k between {least:,} and {most:,}." if least <= most else "Use two sources and two targets or more.",
        )
    if left := sorted(set(params.ks) - set(ks)):
        run.note(f"No plan can have k = {', '.join(map(str, left))}, or it is the quadratic one: left out.")
    share = 0.98 / (len(ks) + 3)
    made = [exactly(problem, params, run, share), entropically(problem, params, run, share)]
    errors: dict[str, list[float]] = {}
    for k in [*ks, m]:
        name = f"k = {k}" if k < m else QUADRATIC
        solver = maximised(problem, k, name, params, run, share)
        made.append(sparse(problem, solver, name, params, run))
        errors[name] = solver.record.error
        run.log(step=k, **{"lower bound": made[-1][0]["Lower bound"]})
    for _ in run.steps(1, "Putting the table together"):
        lines, couplings = zip(*made, strict=True)
        columns = {key: np.array([line[key] for line in lines]) for key in lines[0]}
        curves = [against_k(ks, columns, figure) for figure in ("Objective", "Transport cost", "Entries")]
    return PlanSweep(Table(name="Plans", columns=columns), *curves, convergence(errors), couplings)


def exactly(problem: TransportProblem, params: PlanSweepParams, run: Run, share: float) -> tuple[dict, Coupling]:
    for _ in run.steps(1, EXACT, share=share):
        costs, a, b = (part.cpu().numpy() for part in (problem.costs, problem.a, problem.b))
        found = exact(costs, a, b, run.check)
        plan = problem.coupling(entries=(found.rows, found.columns, found.mass), potentials=(found.f, found.g),
                                kind="exact", name=EXACT)  # fmt: skip
    return row(problem, EXACT, plan, plan, params.gamma, 0), plan


def entropically(problem: TransportProblem, params: PlanSweepParams, run: Run, share: float) -> tuple[dict, Coupling]:
    scaling = Scaling(problem.costs, problem.a, problem.b, 1 / params.inverse_regularisation)
    total = float(problem.a.sum())
    for _ in run.steps(params.iterations, ENTROPIC, share=share):
        scaling.sweep(measure=False)
        if scaling.sweeps % 20 == 0 and scaling.row_error() <= params.tolerance * total:
            break
    plan = problem.coupling(plan=scaling.plan(), potentials=scaling.potentials("entropy"),
                            kind=f"entropic, η = {params.inverse_regularisation:g}", name=ENTROPIC)  # fmt: skip
    return row(problem, ENTROPIC, plan, plan, params.gamma, scaling.sweeps), plan


def maximised(
    problem: TransportProblem, k: int, name: str, params: PlanSweepParams, run: Run, share: float
) -> Solver:  # fmt: skip
    settings = Settings(k, params.gamma, tolerance=params.tolerance * float(problem.a.sum()),
                        iterations=params.iterations)  # fmt: skip
    solver = Solver(problem.costs, problem.a, problem.b, settings)
    for _ in solver.solve(run, name, share=share):
        run.preview(lambda: coupled(problem, solver))
    return solver


def sparse(
    problem: TransportProblem, solver: Solver, name: str, params: PlanSweepParams, run: Run
) -> tuple[dict, Coupling]:  # fmt: skip
    """The row of the dual's plan, and the best plan to show: that with both marginals, if there is one."""
    dual = coupled(problem, solver)
    feasible = repaired(problem, solver, run, say=False)
    bound, iterations = problem.scale * solver.lower, len(solver.record.value)
    line = row(problem, name, dual, feasible, params.gamma, iterations, bound)
    return line, (dual if feasible is None else feasible).replace(name=name)


def against_k(ks: list[int], columns: dict[str, np.ndarray], figure: str) -> Curve:
    """The figure of the k-sparse plans, and a level line for each of the others."""
    values = columns[figure].astype(float)
    series = {}
    if figure == "Objective":
        series = {"k-sparse, lower bound": columns["Lower bound"].astype(float)[2:-1]}
    series |= {"k-sparse": values[2:-1]}
    series |= {str(columns["Plan"][i]): np.full(len(ks), values[i]) for i in (0, 1, -1)}
    return Curve(name=f"{figure} against k", x=np.array(ks, float), series=series, x_label="k",
                 y_label=figure.lower(), x_log=len(ks) > 2, y_log=figure == "Entries")  # fmt: skip


def convergence(errors: dict[str, list[float]]) -> Curve:
    x = np.arange(1.0, max(map(len, errors.values())) + 1)
    series = {name: np.pad(e, (0, len(x) - len(e)), constant_values=np.nan) for name, e in errors.items()}
    return Curve(name="Convergence", x=x, series=series, x_label="iteration", y_label="marginal error", y_log=True)


__all__ = ["PlanSweep", "PlanSweepParams", "plan_sweep"]
