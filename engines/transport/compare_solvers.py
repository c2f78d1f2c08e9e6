"""How Sinkhorn, Newton's method and sparse Newton iterations converge on one problem, in one plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from engines.blocks.transport.posing import CouplingParams, TransportProblem, memory_for, posed
from engines.blocks.transport.sinkhorn import Scaling
from engines.core import Example, Param, Run, method
from engines.data import Curve, Measure, MeasureOrCost, Table
from engines.transport.densities import pair_of_densities
from engines.transport.random_assignment import assignment_of
from engines.transport.sns import solve
from engines.transport.sns_params import SnsParams
from engines.transport.sns_results import History

SPARSE, FULL, PLAIN = "SNS", "Newton, all entries", "Sinkhorn"
GROWTH = 1.02
"""Errors of Sinkhorn are looked at after so many times the sweeps before: some hundred points, however many sweeps."""
FIGURES = ("sweeps", "newton", "seconds", "error", "cost", "dual")


class CompareSolversParams(CouplingParams):
    inverse_regularisation: float = Param(
        1200.0, ge=1e-3, le=1e7, log=True, label="η = 1 / ε", source="SNS, sec. 5",
        help="1/ε, for costs divided as below",
    )  # fmt: skip
    tolerance: float = Param(
        1e-12, ge=1e-15, le=1, log=True, label="Marginal error to reach", source="sheet 53",
        help="L1 distance of both marginals from the weights, as a share of the mass",
    )  # fmt: skip
    sweeps: int = Param(
        50_000, ge=1, le=100_000_000, log=True, label="Most sweeps of Sinkhorn", source="own choice",
        help="Where the tolerance is not reached, Sinkhorn stops after so many",
    )  # fmt: skip
    kept: int = Param(
        10, ge=1, le=100_000, label="Entries kept per row", source="as SNS", help="Of the plan, in the sparse Hessian"
    )
    full: bool = Param(True, label="Newton with all entries", help="Left out, it takes no time: n³ a step")


@dataclass(frozen=True)
class SolverComparison:
    by_iteration: Annotated[Curve, "marginal error of each solver after each sweep or Newton step"]
    by_seconds: Annotated[Curve, "the same by time"]
    table: Annotated[Table, "iterations, time, error and values of each solver"]


@dataclass
class Trace:
    """What one solver did: iteration, marginal error and seconds (N,), and its figures at the end."""

    iterations: np.ndarray
    errors: np.ndarray
    seconds: np.ndarray
    figures: dict[str, float]

    def state(self) -> dict[str, Any]:
        return vars(self)


def newton(problem: TransportProblem, params: CompareSolversParams, run: Run, label: str, **more: Any) -> Trace:
    """SNS, or with all entries in the Hessian."""
    own = params.model_dump(include={"inverse_regularisation", "tolerance", "kept"})
    settings = SnsParams(**own, newton_steps=200, hessian="full" if label == FULL else "sparse")
    stage = solve(problem, settings, run, label=label, share=0.2, **more)
    history, errors = stage.history, stage.history.column("error")
    cost, _ = stage.plan.primal()
    figures = {"sweeps": history.sweeps, "newton": history.newton_steps, "seconds": history.column("seconds")[-1],
               "error": errors[-1], "cost": cost, "dual": stage.plan.dual()}  # fmt: skip
    return Trace(np.arange(1.0, len(errors) + 1), errors, history.column("seconds"), figures)


def plain(problem: TransportProblem, params: CompareSolversParams, run: Run, saved: Mapping[str, Any],
          whole: Any) -> Trace:  # fmt: skip
    """Sinkhorn alone."""
    scaling = Scaling(problem.costs, problem.a, problem.b, 1 / params.inverse_regularisation, kernel="stored")
    history = History.begun(run, saved.get("history"), PLAIN)
    iterations: list[float] = list(saved.get("iterations", ()))
    if saved:
        scaling.restore(saved["scaling"])
    goal = params.tolerance * float(problem.a.sum())
    for index in run.steps(params.sweeps, PLAIN, start=scaling.sweeps, share=0.55):
        looked = index > 0 and index >= GROWTH * (iterations[-1] if iterations else 0)
        error = scaling.sweep(goal if looked else 0.0, measure=looked or index == 0)
        if looked:  # what the sweeps before this one have left
            iterations.append(float(index))
            history.add(run, PLAIN, error=error)
            if error <= goal:
                break
        run.checkpoint(
            lambda: whole({"scaling": scaling.state(), "history": history.state(), "iterations": list(iterations)})
        )
    if not iterations or iterations[-1] < scaling.sweeps:
        iterations.append(float(scaling.sweeps))
        history.add(run, PLAIN, error=scaling.row_error())
    values = scaling.values()
    figures = {"sweeps": scaling.sweeps, "newton": 0, "seconds": history.column("seconds")[-1],
               "error": history.column("error")[-1], "cost": values.transport, "dual": values.entropy_dual}  # fmt: skip
    return Trace(np.array(iterations), history.column("error"), history.column("seconds"), figures)


def joined(traces: Mapping[str, Trace], axis: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """All abscissas in order, and the errors of each solver there; NaN where they are those of another."""
    every = [getattr(trace, axis) for trace in traces.values()]
    order = np.argsort(np.concatenate(every), kind="stable")
    owner = np.repeat(np.arange(len(every)), [len(part) for part in every])[order]
    errors = np.concatenate([trace.errors for trace in traces.values()])[order]
    return np.concatenate(every)[order], {
        name: np.where(owner == i, errors, np.nan) for i, name in enumerate(traces)
    }  # fmt: skip


@method(
    key="compare-solvers", title="Compare entropic solvers", family="transport", role="preparation",
    job="See how Sinkhorn, Newton and sparse Newton iterations converge on one problem.",
    presets={"quick": {"tolerance": 1e-6, "sweeps": 5000}},
    sample=Example(inputs=lambda: assignment_of(300), title="Random assignment of 300 to 300"),
    smoke=Example(inputs=lambda: pair_of_densities(30), params={"sweeps": 500, "inverse_regularisation": 300.0}),
    degenerate=(Example(inputs=lambda: {"source": pair_of_densities(30)["source"]}, title="No second measure"),),
    memory=memory_for(5), tags=("convergence", "Sinkhorn", "Newton", "SNS", "entropic", "comparison"),
)  # fmt: skip
def compare_solvers(
    source: Annotated[MeasureOrCost, "first measure, or a cost matrix with its weights"],
    target: Annotated[Measure | None, "second measure; none with a cost matrix"],
    params: CompareSolversParams,
    run: Run,
) -> SolverComparison:
    """Marginal error by iteration and by seconds, one solver after the other on the same costs and the same device."""
    problem = posed(source, target, params, run)
    saved = run.restored() or {"done": {}, "now": {}}
    traces = {name: Trace(**state) for name, state in saved["done"].items()}

    def whole(state: dict[str, Any]) -> dict[str, Any]:
        return {"done": {name: trace.state() for name, trace in traces.items()}, "now": state}

    for name in (FULL, SPARSE, PLAIN) if params.full else (SPARSE, PLAIN):  # SNS is drawn over what it equals
        if name in traces:
            continue
        now, saved = saved["now"], {"done": {}, "now": {}}
        if name == PLAIN:
            traces[name] = plain(problem, params, run, now, whole)
        else:
            traces[name] = newton(problem, params, run, name, saved=now, whole=whole)
    for _ in run.steps(1, "Putting the curves together"):
        made = SolverComparison(*_curves(traces), _table(traces, problem.scale))
    return made


def _curves(traces: Mapping[str, Trace]) -> tuple[Curve, Curve]:
    (x, series), (time, by_time) = joined(traces, "iterations"), joined(traces, "seconds")
    label = "marginal error"
    return (
        Curve(name="Error by iteration", x=x, series=series, x_label="iteration", y_label=label, x_log=True,
              y_log=True),
        Curve(name="Error by time", x=time, series=by_time, x_label="seconds", y_label=label, x_log=True, y_log=True,
              clocked=("x", *by_time)),
    )  # fmt: skip


def _table(traces: Mapping[str, Trace], scale: float) -> Table:
    found = {name: np.array([trace.figures[name] for trace in traces.values()]) for name in FIGURES}
    columns = {
        "Solver": np.array(list(traces)),
        "Sweeps": found["sweeps"].astype(int),
        "Newton steps": found["newton"].astype(int),
        "Time": found["seconds"],
        "Marginal error": found["error"],
        "Transport cost": scale * found["cost"],
        "Dual value": scale * found["dual"],
    }
    return Table(name="Solvers", columns=columns, units={"Time": "s"}, clocked=("Time",))


__all__ = ["CompareSolversParams", "SolverComparison", "Trace", "compare_solvers", "joined"]
