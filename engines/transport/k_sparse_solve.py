"""How the k-sparse dual is maximised: in stages, each an objective, where it starts, and an optimiser.

The first stage is the (semi-)dual itself. For small k it ends at a kink: two entries of a column tie at rank k, the
gradient does not vanish, and no direction that an optimiser finds goes up. Then, in stages,

* smoothed ties: Omega*_mu for falling mu (:class:`SmoothedDual`), which is differentiable and differs little; its plan,
  with both marginals made exact, also bounds the dual from above by the value of the convexified problem,
  <C, T> + gamma/2 sum_j ||t_j||^2 in the k-support norm; or
* larger gamma: the semi-dual itself, for 10 gamma, 5 gamma, 2 gamma and gamma.

For k = 1 the convexified problem is exact transport, plus gamma/2 sum_j b_j^2: its potentials are exact transport's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from engines.blocks.accelerated_gradient import AcceleratedGradient
from engines.blocks.lbfgs import Lbfgs
from engines.blocks.transport.exact import exact
from engines.blocks.transport.k_simplex import Entries, k_support_norm_squared
from engines.blocks.transport.k_sparse_dual import Evaluation, Form, KSparseDual, SmoothedDual
from engines.core import Run
from engines.transport.k_sparse_repair import EXACT, nearest

Continuation = Literal["automatic", "smoothed ties", "larger γ", "none"]
Optimiser = Literal["L-BFGS", "accelerated gradient"]
MUS = (1e-1, 1e-2, 1e-3, 1e-4)
"""Smoothing of the ties in units of the mean square of gamma b."""
GAMMAS = (10.0, 5.0, 2.0, 1.0)
STAGE_MEMORY = 100
"""Pairs that L-BFGS keeps on smoothed ties, where more of them help; with 10 it takes two to four times as long."""
PATIENCE = 30
"""A stage ends where for so many iterations neither value nor marginal error got better."""

LEAST_GAIN = 1e-9
"""Of the value, relatively: less is none."""


@dataclass(frozen=True)
class Settings:
    """What the solver needs to know; see the method's params."""

    k: int
    gamma: float
    form: Form = "semi-dual"
    optimiser: Optimiser = "L-BFGS"
    memory: int = 10
    tolerance: float = 1e-6
    gap: float = 1e-6
    """Relative difference of the bounds below which the dual is known well enough."""
    continuation: Continuation = "automatic"
    iterations: int = 5000
    stage_iterations: int = 500


@dataclass(frozen=True)
class Stage:
    name: str
    gamma: float
    mu: float = 0.0


@dataclass
class Record:
    """Of each iteration: value of the stage's objective, and marginal error of its plan."""

    value: list[float] = field(default_factory=list)
    error: list[float] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    """Where each stage but the first begins."""


class Solver:
    """Maximises the dual for costs (m, n) and positive weights. ``best`` are the best potentials so far."""

    def __init__(self, costs: Tensor, a: Tensor, b: Tensor, settings: Settings) -> None:
        self.a, self.b, self.settings = a, b, settings
        self.costs, self.per_column = costs, costs.T.contiguous()
        self.dual = KSparseDual(self.per_column, a, b, settings.k, settings.gamma, settings.form)
        self.stages = [Stage("first", settings.gamma)]
        self.record = Record()
        self.best, self.lower = torch.zeros_like(a.new_zeros(self.dual.size)), -math.inf
        self.upper, self.relaxed = math.inf, None
        self.going = True
        self._enter(self.best.clone())

    check: Callable[[], object] | None = None
    """Called within long steps; may raise, to stop them."""
    relaxed: Tensor | None
    """(m, n) the plan whose value in the convexified problem is ``upper``; both of its marginals hold."""

    @property
    def stage(self) -> Stage:
        return self.stages[-1]

    @property
    def gap(self) -> float:
        """Upper bound of the dual's maximum minus its value at the best potentials."""
        return self.upper - self.lower

    def _enter(self, start: Tensor) -> None:
        settings, stage = self.settings, self.stage
        given = (self.per_column, self.a, self.b, settings.k, stage.gamma)
        self.objective = SmoothedDual(*given, stage.mu) if stage.mu else KSparseDual(*given, settings.form)
        self.flat = start
        memory = STAGE_MEMORY if stage.mu else settings.memory
        self.optimiser = Lbfgs(start, memory) if settings.optimiser == "L-BFGS" else AcceleratedGradient(start)
        self.begun, self.waited, self.lowest = len(self.record.value), 0, (-math.inf, math.inf)

    def iterate(self) -> bool:
        """One iteration, and the next stage where this one has ended; False where there is none any more."""
        value = -self.optimiser.iterate(self._falling)
        error = math.inf if self.optimiser.gradient is None else float(self.optimiser.gradient.abs().sum())
        self.record.value.append(value)
        self.record.error.append(error)
        # At a kink the first stage gains less and less, and smoothed ties more; others shall end at their maximum.
        smoothed_next = self.settings.continuation in ("automatic", "smoothed ties") and not self.stage.mu
        least = max(LEAST_GAIN, self.settings.gap) if smoothed_next else LEAST_GAIN
        better = (value > self.lowest[0] + least * abs(value), error < 0.7 * self.lowest[1])
        self.lowest = (max(value, self.lowest[0]), min(error, self.lowest[1]))
        self.waited = 0 if any(better) else self.waited + 1
        used_up = bool(self.stage.mu) and len(self.record.value) - self.begun >= self.settings.stage_iterations
        if error > self.settings.tolerance and not (self.optimiser.stalled or self.waited >= PATIENCE or used_up):
            return True
        return self._next(error)

    def _falling(self) -> tuple[Tensor, Tensor]:
        found: Evaluation = self.objective(self.flat)
        return -found.value, -found.gradient

    def _next(self, error: float) -> bool:
        """Take what the stage has found, and enter the next one."""
        settings, number = self.settings, len(self.stages)
        solved = number == 1 and error <= settings.tolerance
        self.keep()
        if solved or self.gap <= settings.gap * max(abs(self.lower), 1e-300) or settings.continuation == "none":
            return False
        if settings.continuation == "larger γ":
            if number > len(GAMMAS):
                return False
            self.stages.append(Stage(f"{GAMMAS[number - 1]:g} γ", GAMMAS[number - 1] * settings.gamma))
            start = self.flat if number > 1 else self.best
        else:
            if number > len(MUS):
                return False
            mu = MUS[number - 1] * float((settings.gamma * self.b).square().mean())
            self.stages.append(Stage(f"ties smoothed, {MUS[number - 1]:g}", settings.gamma, mu))
            start = self.flat if number > 1 or settings.form == "dual" else self._with_columns(self.best)
        self._enter(start.clone())
        self.record.begins.append(len(self.record.value))
        return True

    def keep(self) -> None:
        """See whether the stage's potentials are better than the best, and its plan a better bound."""
        m = len(self.a)
        found = self.flat if self.settings.form == "dual" or not self.stage.mu else self.flat[:m]
        value = float(self.dual(found).value)
        if value > self.lower:
            self.lower, self.best = value, found.clone()
        if self.stage.mu or self.stage.gamma == self.settings.gamma:
            plan = self.objective(self.flat).plan
            plan = nearest(held(plan), self.a, self.b)
            self._bound(rounded(plan.dense(m).T, self.a, self.b))

    def _bound(self, plan: Tensor) -> None:
        value = convexified(self.costs, plan, self.settings.k, self.settings.gamma)
        if value < self.upper:
            # By rows, as a checkpoint gives it back: sums of another layout differ in their last digit.
            self.upper, self.relaxed = value, plan.contiguous()

    def _hand_over(self) -> None:
        found = exact(self.costs.cpu().numpy(), self.a.cpu().numpy(), self.b.cpu().numpy(), self.check)
        alpha = torch.from_numpy(found.f).to(self.a)
        potentials = self._with_columns(alpha) if self.settings.form == "dual" else alpha
        told = self.dual(potentials)
        self.lower, self.best = float(told.value), potentials
        self.record.value, self.record.error = [self.lower], [float(told.gradient.abs().sum())]
        plan = torch.zeros_like(self.costs)
        plan[found.rows, found.columns] = torch.from_numpy(found.mass).to(self.a)
        self._bound(plan)

    def _with_columns(self, alpha: Tensor) -> Tensor:
        return torch.cat([alpha, self.dual.column_potentials(alpha)])

    def solve(self, run: Run, label: str, share: float | None = None) -> Iterator[int]:
        """All iterations, as steps of the run; the checkpoint is the caller's to offer."""
        self.check = run.check
        if self.settings.k == 1 and self.settings.continuation == "automatic":
            for step in run.steps(1, "Exact transport", share=share):
                self._hand_over()
                yield step
            return
        if not self.going:  # it goes on from where it had ended
            return
        for step in run.steps(self.settings.iterations, label, start=len(self.record.value), share=share):
            self.going = self.iterate()
            yield step
            if not self.going:
                return
        self.keep()

    def state(self) -> dict[str, Any]:
        record = self.record
        return {
            "stages": [[s.name, s.gamma, s.mu] for s in self.stages], "flat": self.flat, "best": self.best,
            "lower": self.lower, "upper": self.upper, "relaxed": self.relaxed, "optimiser": self.optimiser.state(),
            "widths": [self.dual.width, self.objective.width], "begun": self.begun, "waited": self.waited,
            "lowest": list(self.lowest), "value": record.value, "error": record.error, "begins": record.begins,
            "going": self.going,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.stages = [Stage(*s) for s in state["stages"]]
        self._enter(state["flat"].clone())
        self.optimiser.restore(state["optimiser"])
        self.best, self.lower, self.upper = state["best"].clone(), state["lower"], state["upper"]
        self.relaxed, self.going = state["relaxed"], state["going"]
        self.dual.width, self.objective.width = state["widths"]
        self.begun, self.waited, self.lowest = state["begun"], state["waited"], tuple(state["lowest"])
        self.record = Record(*(list(state[key]) for key in ("value", "error", "begins")))


def convexified(costs: Tensor, plan: Tensor, k: int, gamma: float) -> float:
    """<C, T> + gamma/2 sum_j ||t_j||^2 in the k-support norm: that of T itself where no column has more than k."""
    return float((costs * plan).sum() + 0.5 * gamma * k_support_norm_squared(plan.T, k).sum())


def held(plan: Entries) -> Entries:
    """With as few places in a column as the fullest one needs."""
    most = max(1, int((plan.values > 0).sum(1).amax()))
    values, place = torch.topk(plan.values, most, dim=1)
    return Entries(plan.where.gather(1, place), values)


def rounded(plan: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The plan (m, n) with both marginals made exact: what is too much is scaled away, what lacks is added as a product
    of the two lacks (Altschuler et al. 2017, alg. 2). A plan that has them but for rounding stays as it is."""
    if float((a - plan.sum(1)).abs().sum() + (b - plan.sum(0)).abs().sum()) <= EXACT * float(a.sum()):
        return plan
    plan = plan * (a / plan.sum(1).clamp(min=1e-300)).clamp(max=1)[:, None]
    plan = plan * (b / plan.sum(0).clamp(min=1e-300)).clamp(max=1)
    rows, columns = (a - plan.sum(1)).clamp(min=0), (b - plan.sum(0)).clamp(min=0)
    return plan + rows[:, None] * columns / rows.sum().clamp(min=1e-300)


__all__ = ["Continuation", "Optimiser", "Record", "Settings", "Solver", "convexified", "rounded"]
