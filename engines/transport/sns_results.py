"""What SNS gives: the coupling, how it converged, and its certificate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import torch

from engines.blocks.transport.posing import TransportProblem
from engines.blocks.transport.scaled_plan import ScaledPlan
from engines.blocks.transport.scores import score_table
from engines.core import Run
from engines.data import Coupling, Curve, Displacements, Table
from engines.transport.sns_params import SnsParams

MOST_DENSE = 4_000_000
"""Larger plans are given by their entries, where that takes less room."""
FIGURES = ("error", "dual", "eta", "length", "iterations", "entries", "seconds")
SINKHORN, NEWTON = "Sinkhorn", "Newton"


@dataclass(frozen=True)
class SnsResult:
    coupling: Coupling
    convergence: Annotated[Curve, "marginal error, gap and step length by iteration"]
    by_seconds: Annotated[Curve, "marginal error by seconds"]
    history: Annotated[Table, "stage, error, gap, step length, inner iterations, entries and seconds of each iteration"]
    scores: Annotated[Table, "cost, objective, dual value, marginal errors and counts"]
    barycentric: Annotated[Displacements | None, "where the mass of each source goes on average"]


@dataclass
class History:
    """One row for each sweep and each Newton step; what was not measured is NaN."""

    rows: list[list[float]] = field(default_factory=list)
    newton: list[bool] = field(default_factory=list)
    began: float = 0.0
    """When on the run's clock this began."""
    label: str = ""
    """Whose marginal errors these are in the live curves, where there are several."""

    @classmethod
    def begun(cls, run: Run, state: Mapping[str, Any] | None = None, label: str = "") -> History:
        """A new one, or one that goes on."""
        if not state:
            return cls(began=run.seconds, label=label)
        rows = np.asarray(state["rows"], float).tolist()
        return cls(rows, np.asarray(state["newton"], bool).tolist(), run.seconds - (rows[-1][-1] if rows else 0), label)

    def add(self, run: Run, stage: str, **figures: float) -> None:
        figures["seconds"] = run.seconds - self.began
        self.rows.append([float(figures.get(name, math.nan)) for name in FIGURES])
        self.newton.append(stage == NEWTON)
        told = {self.label or "marginal error": figures["error"]}
        run.log(
            step=len(self.rows), **told | ({} if self.label or stage != NEWTON else {"step length": figures["length"]})
        )

    @property
    def newton_steps(self) -> int:
        return sum(self.newton)

    @property
    def sweeps(self) -> int:
        return len(self.newton) - self.newton_steps

    def column(self, name: str) -> np.ndarray:
        return np.array(self.rows, float).reshape(-1, len(FIGURES))[:, FIGURES.index(name)]

    def state(self) -> dict[str, Any]:
        return {"rows": np.array(self.rows, float).reshape(-1, len(FIGURES)), "newton": np.array(self.newton, bool)}

    def gap(self, optimum: float) -> np.ndarray:
        """How far the dual value is below its largest, where it is that of the same problem; NaN within rounding."""
        gap, eta = optimum - self.column("dual"), self.column("eta")
        return np.where((gap > 1e-16 * abs(optimum)) & (eta == eta[-1:]), gap, np.nan)

    def table(self, optimum: float, scale: float) -> Table:
        columns = {
            "Iteration": np.arange(1, len(self.rows) + 1),
            "Stage": np.where(np.array(self.newton, bool), NEWTON, SINKHORN),
            "Marginal error": self.column("error"),
            "Below the optimum": scale * self.gap(optimum),
            "η": self.column("eta"),
            "Step length": self.column("length"),
            "Inner iterations": self.column("iterations"),
            "Entries kept": self.column("entries"),
            "Time": self.column("seconds"),
        }
        return Table(name="Iterations", columns=columns, units={"Time": "s"}, clocked=("Time",))

    def curves(self, optimum: float, scale: float) -> tuple[Curve, Curve]:
        error = self.column("error")
        series = {"Marginal error": error, "Below the optimum": scale * self.gap(optimum),
                  "Step length": self.column("length")}  # fmt: skip
        count = np.arange(1.0, len(error) + 1)
        return (
            Curve(name="Convergence", x=count, series=series, x_label="iteration", y_log=True,
                  y_label="error, step length"),
            Curve(name="Convergence by time", x=self.column("seconds"), series={"Marginal error": error},
                  x_label="seconds", y_log=True, y_label="marginal error", clocked=("x",)),
        )  # fmt: skip


def result(problem: TransportProblem, plan: ScaledPlan, history: History, params: SnsParams) -> SnsResult:
    """Uses up the plan: its memory becomes that of the coupling."""
    eta, scale, optimum = plan.eta, problem.scale, plan.dual()
    potentials = plan.potentials
    cost, log_mass = plan.primal()
    objective = cost + log_mass / eta
    by_iteration, by_seconds = history.curves(optimum, scale)
    more = {
        "Objective": scale * objective,
        "Dual value": scale * optimum,
        "Objective minus dual value": scale * (objective - optimum),
        "Regularisation ε": scale / eta,
        "Sweeps": history.sweeps,
        "Newton steps": history.newton_steps,
        "Inner iterations": int(np.nansum(history.column("iterations"))),
    }
    table = history.table(optimum, scale)
    means = _means(problem, plan) if params.barycentric else None
    coupling = problem.coupling(
        **_held(plan, params), potentials=potentials, kind=f"entropic, η = {eta:g}", name="Entropic coupling"
    )
    return SnsResult(coupling, by_iteration, by_seconds, table, score_table(problem, coupling, more), means)


def _means(problem: TransportProblem, plan: ScaledPlan) -> Displacements | None:
    """x_i goes to sum_j P_ij y_j / sum_j P_ij, for the sources that have mass; None without points."""
    source, target = problem.source, problem.target
    if source is None or target is None:
        return None
    points = torch.from_numpy(target.points[problem.columns]).to(plan.v)
    ends = (torch.mm(plan.kernel, plan.v[:, None] * points) / plan.Kv[:, None]).cpu().numpy()
    return Displacements(
        name="Barycentric map", starts=source.points[problem.rows], ends=ends, weights=problem.a.cpu().numpy(),
        target=target, dimensions=source.dimensions, unit=source.unit,
    )  # fmt: skip


def _held(plan: ScaledPlan, params: SnsParams) -> dict[str, Any]:
    """The plan for the coupling: dense, or by the entries that hold all but a negligible share of the mass."""
    count, n = plan.kernel.numel(), len(plan.b)
    if params.form == "dense" or (params.form == "automatic" and count <= MOST_DENSE):
        return {"plan": plan.into_dense()}
    places, masses = plan.above(params.negligible * plan.mass / count)  # so many of these are less than that share
    if params.form == "automatic" and 3 * len(places) > count:
        return {"plan": plan.into_dense()}
    rows = torch.div(places, n, rounding_mode="floor")
    return {"entries": (rows, places - rows * n, masses)}


def shown(problem: TransportProblem, plan: ScaledPlan, kept: int) -> Coupling:
    """The kept entries as a coupling, while the run goes on."""
    places, masses = plan.largest(kept * len(plan.a))
    rows = torch.div(places, len(plan.b), rounding_mode="floor")
    entries = rows, places - rows * len(plan.b), masses
    return problem.coupling(entries=entries, potentials=plan.potentials, name="Largest entries so far")


__all__ = ["NEWTON", "SINKHORN", "History", "SnsResult", "result", "shown"]
