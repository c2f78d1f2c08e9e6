"""The two stages of SNS: Sinkhorn's sweeps, and sparse Newton steps (see :mod:`engines.transport.sns`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from engines.blocks.transport.newton import (
    Direction,
    Pair,
    can_factorise,
    defect,
    factorised,
    full_pair,
    iterated,
    solved,
    sparse_pair,
)
from engines.blocks.transport.posing import TransportProblem
from engines.blocks.transport.scaled_plan import ScaledPlan
from engines.blocks.transport.sinkhorn import Scaling
from engines.core import Run
from engines.transport.sns_params import SnsParams
from engines.transport.sns_results import NEWTON, SINKHORN, History

ARMIJO = 1e-4
"""A step must gain this share of what the slope promises."""
FAR, TINY_STEP, SMALLEST_STEP = 50.0, 2.0**-20, 2.0**-40
TINY_STEPS = 3
"""After so many tiny steps the Hessian is taken to be too sparse."""
DEFECT = 0.1
"""And where the direction misses the equations of the full Hessian by this share, for then that is the rate."""
MOST_ITERATIONS = 2000
LOOK_EVERY, HELD, FIRST, EARLY = 5, 0.99, 20, 2.0**-4
"""Automatic switch: each so many sweeps it is seen whether the kept entries hold this share of the mass; after so many
Newton steps begin anyway. If one is shorter than this, they came too early."""
STALLED, ROUNDING = 6, 1e-9
"""So many Newton steps without a smaller error end the run, once it is below this share of the mass."""


class Sweeps:
    """Stage 1: x += (log a - log P 1) / eta, and then y += (log b - log P' 1) / eta, by turns.

    ``quota``: how many sweeps before Newton steps begin; None: as the params say. ``kept`` and ``direct`` are for the
    Newton steps. ``start`` is a potential y of the "KL" convention, for the same or another eta.
    """

    COUNTS = ("kept", "direct", "quota", "dual")

    def __init__(
        self, problem: TransportProblem, params: SnsParams, history: History, kept: int, direct: bool = False,
        start: Tensor | None = None, quota: int | None = None,
    ) -> None:  # fmt: skip
        self.params, self.history, self.kept, self.direct, self.quota = params, history, kept, direct, quota
        self.scaling = Scaling(
            problem.costs, problem.a, problem.b, 1 / params.inverse_regularisation, start=start, kernel="stored"
        )
        self.goal, self.dual = params.tolerance * float(problem.a.sum()), -math.inf

    def step(self, run: Run) -> bool:
        """One sweep; whether it was the last."""
        scaling = self.scaling
        error = scaling.sweep(self.goal)  # the error that the sweep before this one has left
        if error <= self.goal:
            return True
        if scaling.sweeps > 1:
            self.history.add(run, SINKHORN, error=error, dual=self.dual, eta=1 / scaling.epsilon)
        a, b = scaling.a, scaling.b  # f, since P has all of its mass now; the logarithms are between conventions
        self.dual = scaling.dual() + scaling.epsilon * float(a.dot(a.log()) + b.dot(b.log()))
        done = self.history.sweeps + 1
        if done >= self.params.sweeps or self.params.switch == "after all sweeps":
            return done >= self.params.sweeps
        if self.quota is not None:
            return scaling.sweeps >= self.quota
        return scaling.sweeps >= FIRST or (scaling.sweeps % LOOK_EVERY == 0 and self._is_sparse())

    @property
    def plan(self) -> ScaledPlan:
        return ScaledPlan.of(self.scaling)

    def _is_sparse(self) -> bool:
        plan = self.plan
        return float(plan.largest(self.kept * len(plan.a))[1].sum()) >= HELD * plan.mass

    def newton(self, run: Run) -> Newton:
        """On to stage 2, in the same memory."""
        plan, swept = self.plan.rebuilt(), self.quota or self.scaling.sweeps
        stage = Newton(plan, self.params, self.history, self.kept, self.direct, swept)
        self.history.add(run, SINKHORN, error=stage.error, dual=plan.dual(), eta=plan.eta)
        return stage

    def state(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.COUNTS}
        return counts | {"scaling": self.scaling.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.scaling.restore(state["scaling"])
        for name in self.COUNTS:
            setattr(self, name, state[name])


class Newton:
    """Stage 2: the plan, and how many entries of it stand in the Hessian for each row; ``swept`` sweeps came before."""

    COUNTS = ("kept", "direct", "swept", "tiny", "least", "stalled", "best", "stuck")

    def __init__(
        self, plan: ScaledPlan, params: SnsParams, history: History, kept: int, direct: bool, swept: int
    ) -> None:
        self.params, self.history, self.kept, self.swept = params, history, kept, swept
        self.direct = direct  # whether systems are factorised, conjugate gradients having failed on one
        self.tiny, self.least, self.stalled, self.best, self.stuck = 0, 0.0, 0, math.inf, False
        self._move(plan)

    def _move(self, plan: ScaledPlan) -> None:
        """(a) the plan, the gradient of f, and the marginal error."""
        self.plan, self.sums = plan, plan.sums()
        self.gradient: Pair = (plan.a - self.sums[0], plan.b - self.sums[1])
        error = float(self.gradient[0].abs().sum() + self.gradient[1].abs().sum())
        self.error = error if math.isfinite(error) else math.inf

    @property
    def mass(self) -> float:
        return float(self.plan.a.sum())

    @property
    def whole(self) -> bool:
        return self.params.hessian == "full" or self.kept >= self.plan.kernel.shape[1]

    def step(self, run: Run) -> float:
        """One Newton step; its length."""
        entries, missed = self.plan.kernel.numel(), 0.0
        if self.whole:
            found = self._whole_direction(run)
            length = self._search(found)
        else:
            entries = self.kept * len(self.plan.a)
            places, masses = self.plan.largest(entries, self.least)
            found = self._sparse_direction(places, masses, run)
            missed = defect(self.plan, self.sums, self.gradient, found)
            length = self._search(found)
            # As many as are kept have at least this much mass now, and so have the largest of the next step.
            self.least = (1 - 1e-9) * float(self.plan.at(places).min())
        self.history.add(run, NEWTON, error=self.error, dual=self.plan.dual(), eta=self.plan.eta, length=length,
                         iterations=found.iterations, entries=entries)  # fmt: skip
        self._look_back(found, length, missed, run)
        return length

    def _sparse_direction(self, places: Tensor, masses: Tensor, run: Run) -> Direction:
        """(b) M: the largest entries of P, its diagonal from all of them; (c) M dz = grad f."""
        pair = sparse_pair(places, masses, self.sums)
        if not self.direct:
            limit = min(*self.plan.kernel.shape, MOST_ITERATIONS)
            found = solved(pair, self.sums, self.gradient, iterated(self._tolerance(), limit, run.check))
            if found.converged or not can_factorise(self.plan):
                return found
            self.direct = True
            run.note("Conjugate gradients stagnate: systems are factorised from here on.")
        return solved(pair, self.sums, self.gradient, factorised)

    def _whole_direction(self, run: Run) -> Direction:
        """Newton's own direction."""
        solve = factorised if can_factorise(self.plan) else iterated(self._tolerance(), MOST_ITERATIONS, run.check)
        return solved(full_pair(self.plan, self.sums, run.check), self.sums, self.gradient, solve)

    def _tolerance(self) -> float:
        return min(self.params.cg_tolerance, self.error / self.mass)

    def _search(self, found: Direction) -> float:
        """(d) halve the step until f gains enough; (e) take it. 0 where no step gains anything.

        Where parts of the plan hang together by next to nothing, the direction is as long as it is well meant: no
        exponent changes by more than ``FAR`` in one step.
        """
        plan = self.plan
        longest = length = min(1.0, FAR / max(FAR, float(found.dx.abs().max()), float(found.dy.abs().max())))
        slope = float(self.gradient[0].dot(found.dx) + self.gradient[1].dot(found.dy))
        rise, mass = float(plan.a.dot(found.dx) + plan.b.dot(found.dy)), plan.mass
        while length >= SMALLEST_STEP * longest:
            trial = plan.shifted(length * found.dx, length * found.dy)
            # The change of eta f by its parts: the difference of two values of f would have no digits left.
            gain = length * rise - (trial.mass - mass)
            if gain >= ARMIJO * length * slope - 1e-15 * mass:
                self._move(trial)
                self.tiny = self.tiny + 1 if length < TINY_STEP * longest else 0
                return length
            length /= 2
        self.tiny += 1
        return 0.0

    def _look_back(self, found: Direction, length: float, missed: float, run: Run) -> None:
        """Keep twice as many entries where too few are kept, and see whether there is anything left to gain."""
        failed = self.tiny >= TINY_STEPS or length == 0 or not found.converged or missed > DEFECT
        if failed and self.params.widening and not self.whole:
            self.kept, self.least, self.tiny = 2 * self.kept, 0.0, 0
            run.note(f"Too few entries of the plan are kept: {self.kept} per row from here on.")
        else:
            self.stuck = length == 0
        self.stalled = 0 if self.error < self.best else self.stalled + 1
        self.best = min(self.best, self.error)
        self.stuck |= self.stalled >= STALLED and self.error < ROUNDING * self.mass

    def is_done(self) -> bool:
        reached = self.error <= self.params.tolerance * self.mass
        return reached or self.stuck or self.history.newton_steps >= self.params.newton_steps

    def came_too_early(self, length: float) -> bool:
        """Whether a step was so short that sweeps should go on, if they may."""
        may = self.params.switch == "automatic" and self.history.sweeps < self.params.sweeps
        return may and length < EARLY and not self.is_done()

    def sweeps(self, problem: TransportProblem, params: SnsParams) -> Sweeps:
        """Back to stage 1: for more sweeps, or with a larger eta. The column potential is all that is taken along."""
        start = self.plan.potentials[1] - self.plan.b.log() / self.plan.eta
        if params.inverse_regularisation != self.plan.eta:
            return Sweeps(problem, params, self.history, params.kept, start=start)
        return Sweeps(problem, params, self.history, self.kept, self.direct, start, 2 * self.swept)

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.COUNTS} | {"plan": self.plan.state()}

    @classmethod
    def restored(
        cls, problem: TransportProblem, params: SnsParams, history: History, state: Mapping[str, Any]
    ) -> Newton:
        plan = ScaledPlan.restored(problem.costs, problem.a, problem.b, params.inverse_regularisation, state["plan"])
        stage = cls(plan, params, history, state["kept"], state["direct"], state["swept"])
        for name in cls.COUNTS:
            setattr(stage, name, state[name])
        return stage


__all__ = ["FIRST", "Newton", "Sweeps"]
