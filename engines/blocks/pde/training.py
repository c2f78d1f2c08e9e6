"""Training of a model whose parameters are one flat tensor: Adam or L-BFGS, over objectives that may redraw points.

A step of L-BFGS is one iteration; an *evaluation* is one loss with its gradient, whatever the optimiser, which is what
runs are compared by. After each step the state is whole: a run that is stopped anywhere goes on from the last step as
if nothing had been. Where the loss is not finite the last good parameters come back, and the run says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from engines.blocks.adam import Adam
from engines.blocks.lbfgs import Lbfgs
from engines.blocks.repairs import Repairs
from engines.core import Run, UserError

Optimiser = Literal["L-BFGS", "Adam"]


class Objective(Protocol):
    """What is minimised. Random numbers are drawn in ``redraw`` alone."""

    def terms(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Named parts of the loss, weighted already; each is differentiated by itself, so the next may reuse memory."""
        ...

    def redraw(self, step: int, flat: Tensor) -> bool:
        """Called before each step: whether the points are new, and so is the function to be minimised."""
        ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Schedule:
    """How to train: ``learning_rate`` times ``decay`` every ``decay_every`` steps (Adam), ``history`` pairs (L-BFGS).

    ``seconds`` ends it early (0: never).
    """

    optimiser: Optimiser
    steps: int
    learning_rate: float
    decay: float = 1.0
    decay_every: int = 1000
    history: int = 100
    seconds: float = 0.0


class Trainer:
    """Minimises an objective. ``losses`` are its terms at the last evaluation, ``evaluations`` counts them.

    ``keep`` makes what a checkpoint holds of the trainer's state, with what else the method has to remember.
    """

    def __init__(
        self,
        run: Run,
        flat: Tensor,
        objective: Objective,
        schedule: Schedule,
        keep: Callable[[dict[str, Any]], Any] = dict,
    ) -> None:
        self.run, self.objective, self.schedule = run, objective, schedule
        self.flat = flat.detach().clone()
        self.good = self.flat.clone()
        self.optimiser: Adam | Lbfgs = (
            Adam(self.flat) if schedule.optimiser == "Adam" else Lbfgs(self.flat, schedule.history)
        )
        self.evaluations, self.stalls, self.step = 0, 0, 0
        self.repairs = Repairs(run)
        self.spent, self.ended, self.keep = 0.0, False, keep
        self.losses: dict[str, Tensor] = {}
        self._whole: dict[str, Any] = {}

    def evaluate(self) -> tuple[Tensor, Tensor]:
        """The loss and its gradient at the parameters as they are now."""
        flat = self.flat.detach().requires_grad_(True)
        total = self.flat.new_zeros(())
        with torch.enable_grad():
            for name, term in self.objective.terms(flat):
                self.run.check(whole=True)  # a step may take long
                self.losses[name] = term.detach()
                total += term.detach()
                term.backward()
        self.evaluations += 1
        assert flat.grad is not None
        return total, flat.grad

    def steps(self, label: str, share: float | None = None) -> Iterator[int]:
        """Train, and yield after each step, for logs and previews. It ends early when nothing is gained any more."""
        began = self.run.seconds - self.spent
        if self.step == 0 and not self._whole:
            self.objective.redraw(0, self.flat)
            self._whole = self._state()
        for step in self.run.steps(0 if self.ended else self.schedule.steps, label, start=self.step, share=share):
            self.run.checkpoint(lambda: self.keep(self._whole))
            if not self._usable(self._advance(step)):
                self.ended = True
                break
            self.step, self.spent = step + 1, self.run.seconds - began
            self.ended = self._stuck() or 0 < self.schedule.seconds <= self.spent
            # Points for the next step are drawn now, so that the random numbers of a stored state are those after it.
            if step + 1 < self.schedule.steps and self.objective.redraw(step + 1, self.flat):
                self._restart()
            self._whole = self._state()
            yield step
            if self.ended:
                break

    def _restart(self) -> None:
        if isinstance(self.optimiser, Lbfgs):
            self.optimiser.restart()

    def _advance(self, step: int) -> float:
        if isinstance(self.optimiser, Lbfgs):
            return self.optimiser.iterate(self.evaluate)
        s = self.schedule
        loss, gradient = self.evaluate()
        rate = s.learning_rate * s.decay ** (step // s.decay_every) * self.repairs.slower
        self.optimiser.step(gradient, rate)
        return float(loss)

    def _usable(self, loss: float) -> bool:
        """Keep good parameters; bring the last ones back otherwise. False when that has happened too often."""
        if math.isfinite(loss) and bool(torch.isfinite(self.flat).all()):
            self.good = self.flat.clone()
            return True
        self.flat.copy_(self.good)
        self.optimiser = (
            Lbfgs(self.flat, self.schedule.history) if isinstance(self.optimiser, Lbfgs) else Adam(self.flat)
        )
        if self.repairs.count == 0 and self.step == 0:
            bad = ", ".join(name for name, term in self.losses.items() if not torch.isfinite(term))
            raise UserError(
                f"The loss is not a finite number at the start ({bad or 'its gradient'}).",
                "A formula of the problem may divide by zero or leave its domain somewhere in the box.",
                "Check the formulas, or move the box away from that place.",
            )
        return self.repairs.go_on(self.step)

    def _stuck(self) -> bool:
        """Whether L-BFGS finds nothing lower, even anew and with new points."""
        if not isinstance(self.optimiser, Lbfgs):
            return False
        if not self.optimiser.stalled:
            self.stalls = 0
            return False
        self.stalls += 1
        self.optimiser.restart()
        if self.stalls < 3:
            return False
        self.run.note(f"No direction lowers the loss any more after {self.step:,} steps.")
        return True

    def _state(self) -> dict[str, Any]:
        """What later steps do not change before they are done; the history of L-BFGS is not copied."""
        optimiser = self.optimiser.state()
        if isinstance(self.optimiser, Adam):
            optimiser = {k: v.clone() if isinstance(v, Tensor) else v for k, v in optimiser.items()}
        return {
            "flat": self.flat.clone(), "good": self.good, "optimiser": optimiser, "step": self.step,
            "evaluations": self.evaluations, "repairs": self.repairs.count, "stalls": self.stalls, "spent": self.spent,
            "ended": self.ended, "objective": self.objective.state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint held."""
        self.flat.copy_(state["flat"])
        self.good = state["good"].clone()
        if isinstance(self.optimiser, Lbfgs):
            self.optimiser.restore(state["optimiser"])
        else:
            self.optimiser.first.copy_(state["optimiser"]["first"])
            self.optimiser.second.copy_(state["optimiser"]["second"])
            self.optimiser.steps = state["optimiser"]["steps"]
        self.step, self.evaluations = state["step"], state["evaluations"]
        self.repairs.count, self.stalls, self.spent = state["repairs"], state["stalls"], state["spent"]
        self.ended = state["ended"]
        self.objective.restore(state["objective"])
        self._whole = self._state()


__all__ = ["Objective", "Optimiser", "Schedule", "Trainer"]
