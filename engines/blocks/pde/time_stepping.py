"""Marching in time with one set of weights for each step (INSR-PDE, sec. 3).

    theta_0 fits the initial field;    theta_{n+1} = argmin over theta of the time-discrete residual, from theta_n

A method gives three functions to :class:`TimeStepper`: ``start(fit)`` makes the networks of the first time,
``advance(n, before, fit)`` those of the next from all before, and ``measure(n, nets)`` figures of a finished step.
Networks are flat tensors by name; ``fit(start, problem)`` minimises a sub-problem (:mod:`engines.blocks.pde.fitting`).

Random numbers of each step come from the run's generator, seeded anew for the step: a run that was stopped in the
middle of a step begins that step again and goes on as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.fitting import Fitted, StopRule, SubProblem, fit
from engines.core import Artifact, Run, UserError
from engines.data import Curve

Nets = dict[str, Tensor]
Fit = Callable[[Tensor, SubProblem], Tensor]
FINISHING = 0.03
"""Share of the run that is left for sampling what was found."""
POINTS = 40
"""Points of the loss curve for each fit."""


@dataclass
class History:
    """``nets[n]`` are the networks after n steps and ``rows[n]`` the figures of that time."""

    nets: list[Nets] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)
    iterations: int = 0

    def state(self) -> dict[str, Any]:
        names = self.nets[0] if self.nets else {}
        nets = {name: torch.stack([n[name] for n in self.nets]) for name in names}
        return {"nets": nets, "rows": [dict(row) for row in self.rows], "iterations": self.iterations}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> History:
        stacked: Mapping[str, Tensor] = state["nets"]
        count = len(next(iter(stacked.values()), ()))
        nets = [{name: all_times[n].clone() for name, all_times in stacked.items()} for n in range(count)]
        return cls(nets, [dict(row) for row in state["rows"]], int(state["iterations"]))

    def weights(self, name: str) -> dict[str, np.ndarray]:
        """One row for each time, as a trajectory has them."""
        return {"network": np.stack([nets[name].detach().cpu().numpy() for nets in self.nets])}

    def curve(
        self, times: np.ndarray, names: Sequence[str], label: str, *, y_log: bool = False, title: str = ""
    ) -> Curve:
        """Figures over time; those that were not taken at a time are not numbers there."""
        series = {name: np.array([row.get(name, np.nan) for row in self.rows]) for name in names}
        known = {name: values for name, values in series.items() if np.isfinite(values).any()}
        return Curve(
            x=times, series=known, x_label="time", y_label=label, y_log=y_log, name=title or label.capitalize()
        )


class TimeStepper:
    """``stages``: fits in each step. ``preview(nets)`` shows a state, also while it is being fitted."""

    def __init__(
        self,
        run: Run,
        steps: int,
        stages: int,
        rule: StopRule,
        first: StopRule,
        preview: Callable[[History, Nets], Artifact | Mapping[str, Artifact]] | None = None,
    ) -> None:
        self.run, self.steps, self.stages, self.rule, self.first, self.preview = (
            run,
            steps,
            stages,
            rule,
            first,
            preview,
        )
        self.history = History()
        whole = first.iterations + steps * stages * rule.iterations
        self._share_first = (1 - FINISHING) * first.iterations / whole
        self._share_each = (1 - FINISHING) * rule.iterations / whole
        self._row: dict[str, float] = {}

    def march(
        self,
        start: Callable[[Fit], Nets],
        advance: Callable[[int, Sequence[Nets], Fit], Nets],
        measure: Callable[[int, Sequence[Nets]], dict[str, float]],
    ) -> History:
        """Carry out what is left: all of it, or what a checkpoint says that is not done yet."""
        saved = self.run.restored()
        if saved is not None:
            self.history = History.from_state(saved)
            done = len(self.history.nets) - 1
            for _ in self.run.steps(1, "Going on", share=self._share_first + done * self.stages * self._share_each):
                pass
        history = self.history
        for step in range(len(history.nets), self.steps + 1):
            self.run.generator.manual_seed(self.run.seed * 1_000_003 + step)
            self._row = {}
            if step == 0:
                nets = start(self._fit_with(step, self.first, self._share_first))
            else:
                nets = advance(step, history.nets, self._fit_with(step, self.rule, self._share_each))
            history.nets.append({name: flat.detach() for name, flat in nets.items()})
            figures = measure(step, history.nets)
            history.rows.append(self._row | figures)
            self.run.log(step=history.iterations, **{k: v for k, v in figures.items() if np.isfinite(v)})
        return history

    def _fit_with(self, step: int, rule: StopRule, share: float) -> Fit:
        def one(start: Tensor, problem: SubProblem) -> Tensor:
            label = (
                f"Step {step} of {self.steps}: {problem.label}"
                if step
                else problem.label[:1].upper() + problem.label[1:]
            )
            found = fit(
                start,
                SubProblem(label, problem.draw, problem.loss),
                rule,
                self.run,
                share,
                self._each(rule),
                self._ready,
            )
            self._keep(problem.label, found)
            return found.parameters

        return one

    def _each(self, rule: StopRule) -> Callable[[int, float, Tensor], None]:
        before, every = self.history.iterations, max(1, rule.iterations // POINTS)

        def told(index: int, loss: float, parameters: Tensor) -> None:
            if index % every == 0:
                self.run.log(step=before + index, loss=loss)
            if self.preview is not None and self.history.nets:
                self.run.preview(lambda: self.preview(self.history, self.history.nets[-1]))  # type: ignore[misc,return-value]

        return told

    def _ready(self) -> None:
        """Offer what is finished; within a step it stays as it is, so it is whole at any moment."""
        if self.history.nets:
            self.run.checkpoint(self.history.state)

    def _keep(self, label: str, found: Fitted) -> None:
        self.history.iterations += found.iterations
        self._row |= {f"loss of {label}": found.loss, f"iterations of {label}": float(found.iterations)}


def check_first_fit(run: Run, error: float, largest: float, what: str) -> None:
    """Tell the relative error of the initial fit, and refuse to march from a field that the network does not hold."""
    run.note(f"The network holds {what} with an error of {100 * error:.3g} % of its largest value.")
    if not error <= largest:
        raise UserError(
            f"The network holds {what} with an error of {100 * error:.3g} %, more than {100 * largest:.3g} %.",
            "Every step starts from the one before, so this error would stay in all of them.",
            "Use more iterations at the start, a wider network or a higher frequency, or allow a larger error.",
        )


__all__ = ["Fit", "History", "Nets", "TimeStepper", "check_first_fit"]
