"""SNS: entropic optimal transport to machine precision, by Sinkhorn's sweeps and then sparse Newton steps.

The problem is min <C, P> + (1/eta) sum P log P over plans P >= 0 with P 1 = a, P' 1 = b. Its dual is to maximise

    f(x, y) = -(1/eta) sum_ij exp(eta (x_i + y_j - C_ij) - 1) + a.x + b.y,    P_ij = exp(eta (x_i + y_j - C_ij) - 1),

with gradient (a - P 1, b - P' 1) and Hessian -eta [[diag(P 1), P], [P', diag(P' 1)]]. Two stages (Tang et al. 2024):

1. N1 sweeps of Sinkhorn, that is, of ascent in x and in y by turns. Afterwards nearly all of the mass of P stands in
   few of its entries.
2. N2 Newton steps at most, with a Hessian in which only the largest entries of P are kept, its diagonal exact.
   Conjugate gradients solve such a system in little time; a line search keeps f from falling.

At the optimum f = <C, P> + (1/eta) sum P log P, which certifies it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

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
from engines.blocks.transport.posing import TransportProblem, memory_for, posed
from engines.blocks.transport.scaled_plan import ScaledPlan
from engines.blocks.transport.sinkhorn import Scaling
from engines.core import Example, Run, method
from engines.data import Measure, MeasureOrCost
from engines.transport.densities import pair_of_densities
from engines.transport.random_assignment import assignment_of
from engines.transport.sns_params import PAPER, SnsParams
from engines.transport.sns_results import NEWTON, SINKHORN, History, SnsResult, result, shown

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
Newton steps begin anyway. If one is shorter than this, they came too early, and as many sweeps again are made."""
STALLED, ROUNDING = 6, 1e-9
"""So many Newton steps without a smaller error end the run, once it is below this share of the mass."""


class Sweeps:
    """Stage 1. ``quota``: how many sweeps before Newton steps begin anew; None: as the params say.

    ``kept`` and ``direct`` are for the Newton steps that follow.
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
        """x += (log a - log P 1) / eta, y += (log b - log P' 1) / eta. Whether it was the last."""
        scaling = self.scaling
        error = scaling.sweep(self.goal)  # the error that the sweep before this one has left
        if error <= self.goal:
            return True
        if scaling.sweeps > 1:
            self.history.add(run, SINKHORN, error=error, dual=self.dual)
        a, b = scaling.a, scaling.b  # f, since P has all of its mass now; the logarithms are between conventions
        self.dual = scaling.dual() + scaling.epsilon * float(a.dot(a.log()) + b.dot(b.log()))
        done = self.history.sweeps + 1
        if done >= self.params.sweeps or self.params.switch == "after all sweeps":
            return done >= self.params.sweeps
        if self.quota is not None:
            return scaling.sweeps >= self.quota
        return done >= FIRST or (done % LOOK_EVERY == 0 and self._is_sparse())

    @property
    def plan(self) -> ScaledPlan:
        return ScaledPlan.of(self.scaling)

    def _is_sparse(self) -> bool:
        plan = self.plan
        return float(plan.largest(self.kept * len(plan.a))[1].sum()) >= HELD * plan.mass

    def newton(self, run: Run) -> Newton:
        """On to stage 2, in the same memory."""
        stage = Newton(self.plan.rebuilt(), self.params, self.history, self.kept, self.direct)
        self.history.add(run, SINKHORN, error=stage.error, dual=stage.plan.dual())
        return stage

    def state(self) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in self.COUNTS}
        return counts | {"scaling": self.scaling.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.scaling.restore(state["scaling"])
        for name in self.COUNTS:
            setattr(self, name, state[name])


class Newton:
    """Stage 2: the plan, and how many entries of it stand in the Hessian for each row."""

    COUNTS = ("kept", "direct", "tiny", "least", "stalled", "best", "stuck")

    def __init__(self, plan: ScaledPlan, params: SnsParams, history: History, kept: int, direct: bool) -> None:
        self.params, self.history, self.kept = params, history, kept
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
        self.history.add(run, NEWTON, error=self.error, dual=self.plan.dual(), length=length,
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

    def sweeps(self, problem: TransportProblem) -> Sweeps:
        """Back to stage 1, for as many sweeps as there were; the column potential is all that is taken along."""
        start = self.plan.potentials[1] - self.plan.b.log() / self.plan.eta
        return Sweeps(problem, self.params, self.history, self.kept, self.direct, start, self.history.sweeps)

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.COUNTS} | {"plan": self.plan.state()}

    @classmethod
    def restored(
        cls, problem: TransportProblem, params: SnsParams, history: History, state: Mapping[str, Any]
    ) -> Newton:
        plan = ScaledPlan.restored(problem.costs, problem.a, problem.b, params.inverse_regularisation, state["plan"])
        stage = cls(plan, params, history, state["kept"], state["direct"])
        for name in cls.COUNTS:
            setattr(stage, name, state[name])
        return stage


def solve(
    problem: TransportProblem, params: SnsParams, run: Run, saved: Mapping[str, Any], share: float = 0.95,
    label: str = "", whole: Callable[[dict[str, Any]], Any] = dict,
) -> Newton:  # fmt: skip
    """Both stages, by turns if Newton steps came too early. ``whole`` makes a checkpoint of the state, which is what
    ``saved`` was.
    """
    history = History.begun(run, saved.get("history"), label)
    stage: Sweeps | Newton = Sweeps(problem, params, history, params.kept)
    if "newton" in saved:
        stage = Newton.restored(problem, params, history, saved["newton"])
    elif "sweeps" in saved and isinstance(stage, Sweeps):
        stage.restore(saved["sweeps"])
    steps = params.sweeps + params.newton_steps + 1
    for done in run.steps(steps, label or "Sweeps and Newton steps", start=saved.get("done", 0), share=share):
        if isinstance(stage, Sweeps):
            if stage.step(run):
                stage = stage.newton(run)
        elif stage.is_done():
            break
        else:
            length = stage.step(run)
            early = length < EARLY and params.switch == "automatic" and history.sweeps < params.sweeps
            if early and not stage.is_done():
                stage = stage.sweeps(problem)
        run.preview(lambda stage=stage: {"coupling": shown(problem, stage.plan, stage.kept)})  # type: ignore[misc]
        run.checkpoint(lambda stage=stage, done=done: whole(_state(stage, history, done + 1)))  # type: ignore[misc]
    return stage if isinstance(stage, Newton) else stage.newton(run)


def _state(stage: Sweeps | Newton, history: History, done: int) -> dict[str, Any]:
    name = "newton" if isinstance(stage, Newton) else "sweeps"
    return {name: stage.state(), "history": history.state(), "done": done}


def _tell(stage: Newton, run: Run) -> None:
    sweeps, steps = stage.history.sweeps, stage.history.newton_steps
    told = f"Marginal error {stage.error:.2g} after {sweeps:,} sweeps and {steps:,} Newton steps"
    if stage.error <= stage.params.tolerance * stage.mass:
        run.note(f"{told}.")
    else:
        hint = "what is left is rounding" if stage.stuck else "make more sweeps or steps, or keep more entries per row"
        run.warn(f"{told}. The tolerance is not reached: {hint}.")


@method(
    key="sns", title="Sparse Newton iterations (SNS)", family="transport", paper=PAPER,
    job="Compute an entropic coupling to machine precision in some tens of iterations.",
    presets={
        "quick": {"tolerance": 1e-6},
        "paper": {"kept": 3, "sweeps": 20, "switch": "after all sweeps"},
        "paper, city block": {"cost": "city block", "sweeps": 700, "kept": 29, "switch": "after all sweeps"},
    },
    sample=Example(inputs=lambda: assignment_of(500), title="Random assignment of 500 to 500"),
    smoke=Example(lambda: pair_of_densities(30), {"sweeps": 8, "switch": "after all sweeps", "barycentric": True}),
    degenerate=(
        Example(inputs=lambda: {"source": pair_of_densities(30)["source"]}, title="No second measure"),
        Example(inputs=lambda: {**pair_of_densities(30), **assignment_of(5)}, title="Costs and a measure"),
        Example(inputs=lambda: {**pair_of_densities(30), "target": Measure(points=[[0.0], [1]], weights=[1.0, 1])},
                title="Totals that differ"),
    ),
    memory=memory_for(4), tags=("entropic", "Sinkhorn", "coupling", "plan", "optimal transport"),
)  # fmt: skip
def sns(
    source: Annotated[MeasureOrCost, "first measure, or a cost matrix with its weights"],
    target: Annotated[Measure | None, "second measure; none with a cost matrix"],
    params: SnsParams,
    run: Run,
) -> SnsResult:
    """The coupling of least cost with some entropy, to machine precision.

    Sinkhorn's sweeps come first, then Newton steps in whose Hessian only the largest entries of the plan stand.
    """
    problem = posed(source, target, params, run)
    stage = solve(problem, params, run, run.restored() or {})
    _tell(stage, run)
    for _ in run.steps(1, "Putting the plan together"):
        made = result(problem, stage.plan, stage.history, params)
    return made
