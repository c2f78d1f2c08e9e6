"""What is told of k-sparse plans: curves of the dual, what each plan costs, and bounds of the optimum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engines.blocks.transport.posing import TransportProblem
from engines.blocks.transport.scores import transport_cost
from engines.data import Coupling, Curve, Table
from engines.transport.k_sparse_solve import Record, Solver


def curves(record: Record, scale: float) -> tuple[Curve, Curve]:
    """Value and marginal error at each iteration, those of later stages as series of their own."""
    x = np.arange(1.0, len(record.value) + 1)
    later = x > (record.begins[0] if record.begins else len(x))
    made = []
    for values, name in ((scale * np.array(record.value), "dual value"), (np.array(record.error), "marginal error")):
        series = {name: np.where(later, np.nan, values)}
        if later.any():
            series |= {f"{name}, continued": np.where(later, values, np.nan)}
        made.append(Curve(name=name.capitalize(), x=x, series=series, x_label="iteration", y_label=name,
                          y_log=name == "marginal error"))  # fmt: skip
    return made[0], made[1]


def sources_of_targets(found: dict[str, Coupling]) -> Curve:
    """Histogram: targets by the number of their sources."""
    counts = {
        name: np.bincount(np.bincount(plan.entries()[1], minlength=plan.shape[1])) for name, plan in found.items()
    }
    length = max(map(len, counts.values()))
    series = {name: np.pad(count, (0, length - len(count))).astype(float) for name, count in counts.items()}
    return Curve(name="Sources of targets", x=np.arange(float(length)), series=series,
                 x_label="sources of a target", y_label="targets")  # fmt: skip


def plan_table(problem: TransportProblem, found: dict[str, Coupling], gamma: float) -> Table:
    """A row for each plan."""
    columns: dict[str, list[Any]] = {}
    for name, plan in found.items():
        each = np.bincount(plan.entries()[1], minlength=plan.shape[1])[problem.columns]
        rows, targets = plan.marginal_errors
        figures = {
            "Plan": name,
            "Transport cost": transport_cost(problem, plan),
            "Objective": objective(problem, plan, gamma),
            "Row error": rows,
            "Column error": targets,
            "Entries": plan.count,
            "Fewest sources": int(each.min()),
            "Mean sources": float(each.mean()),
            "Most sources": int(each.max()),
        }
        for key, value in figures.items():
            columns.setdefault(key, []).append(value)
    return Table(name="Plans", columns={key: np.array(values) for key, values in columns.items()})


def objective(problem: TransportProblem, plan: Coupling, gamma: float) -> float:
    """<C, T> + gamma/2 ||T||^2, in the units of the costs as they were."""
    return transport_cost(problem, plan) + 0.5 * problem.scale * gamma * float(np.square(plan.entries()[2]).sum())


def certificate(problem: TransportProblem, solver: Solver, found: dict[str, Coupling]) -> Table:
    """Bounds of the dual's maximum and of the k-sparse optimum, in the units of the costs."""
    scale, record, gamma = problem.scale, solver.record, solver.settings.gamma
    rows: dict[str, float] = {"Dual value (lower bound)": scale * solver.lower}
    # A plan with both marginals and at most k entries a column bounds the convexified problem as well.
    best = objective(problem, found["feasible"], gamma) if "feasible" in found else math.inf
    upper = min(scale * solver.upper, best)
    if math.isfinite(upper):
        rows |= {"Dual optimum is at most": upper, "Gap of the dual": upper - scale * solver.lower}
    if math.isfinite(best):
        rows |= {"k-sparse optimum is at most": best, "Gap of the k-sparse optimum": best - scale * solver.lower}
    size = float(problem.costs.abs().max()) or 1.0
    rows |= {
        "Quadratic against linear: γ · largest weight / largest cost": gamma * float(problem.b.max()) / size,
        "Iterations": len(record.value),
        "Stages": len(solver.stages),
    }
    figures = {"Figure": np.array(list(rows)), "Value": np.array(list(map(float, rows.values())))}
    return Table(name="Certificate", columns=figures)


__all__ = ["certificate", "curves", "objective", "plan_table", "sources_of_targets"]
