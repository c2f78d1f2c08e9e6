"""SNS: entropic optimal transport to machine precision, by Sinkhorn's sweeps and then sparse Newton steps.

The problem is min <C, P> + (1/eta) sum P log P over plans P >= 0 with P 1 = a, P' 1 = b. Its dual is to maximise

    f(x, y) = -(1/eta) sum_ij exp(eta (x_i + y_j - C_ij) - 1) + a.x + b.y,    P_ij = exp(eta (x_i + y_j - C_ij) - 1),

with gradient (a - P 1, b - P' 1) and Hessian -eta [[diag(P 1), P], [P', diag(P' 1)]]. Two stages (Tang et al. 2024):

1. N1 sweeps of Sinkhorn, that is, of ascent in x and in y by turns. Afterwards nearly all of the mass of P stands in
   few of its entries.
2. N2 Newton steps at most, with a Hessian in which only the largest entries of P are kept, its diagonal exact.
   Conjugate gradients solve such a system in little time; a line search keeps f from falling.

Where Newton steps come too early for the plan, they are short. With the automatic switch more sweeps are made then and,
if 20 were not enough, the problem is solved roughly for a much smaller eta, and for ones twice as large in turn, each
from the potentials of the one before.

At the optimum f = <C, P> + (1/eta) sum P log P, which certifies it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

from engines.blocks.transport.posing import TransportProblem, memory_for, posed
from engines.core import Example, Run, method
from engines.data import Measure, MeasureOrCost
from engines.transport.densities import pair_of_densities
from engines.transport.random_assignment import assignment_of
from engines.transport.sns_params import PAPER, SnsParams
from engines.transport.sns_results import History, SnsResult, result, shown
from engines.transport.sns_stages import FIRST, Newton, Sweeps

GENTLE, ROUGH = 100.0, 1e-2
"""The ladder of eta begins where eta times the spread of the costs is at most this; its steps are solved to this error,
as a share of the mass."""


def solve(
    problem: TransportProblem, params: SnsParams, run: Run, saved: Mapping[str, Any], share: float = 0.95,
    label: str = "", whole: Callable[[dict[str, Any]], Any] = dict,
) -> Newton:  # fmt: skip
    """Both stages, and the ladder of eta if Newton steps came too early. ``whole`` makes a checkpoint of the state,
    which is what ``saved`` was.
    """
    history = History.begun(run, saved.get("history"), label)
    etas: list[float] = list(saved.get("etas", [params.inverse_regularisation]))
    stage = _restored(problem, _at(params, etas), history, saved)
    rungs = ladder(problem, params.inverse_regularisation)  # one sweep each even when all are used up, and two turns
    climbed, steps = saved.get("climbed", False), params.sweeps + params.newton_steps + 3 * len(rungs)
    for done in run.steps(steps, label or "Sweeps and Newton steps", start=saved.get("done", 0), share=share):
        if isinstance(stage, Sweeps):
            if stage.step(run):
                stage = stage.newton(run)
        elif not stage.is_done():
            if stage.came_too_early(stage.step(run)):
                if climbed or history.sweeps < FIRST:  # a few sweeps more cost less
                    stage = stage.sweeps(problem, stage.params)
                else:
                    climbed, etas = True, rungs
                    stage = Sweeps(problem, _at(params, etas), history, params.kept)
                    run.note(
                        f"Newton steps come too early: η rises to its value from {etas[0]:.4g}, doubling each time."
                    )
        elif len(etas) > 1:
            etas = etas[1:]
            stage = stage.sweeps(problem, _at(params, etas))
        else:
            break
        run.preview(lambda stage=stage: {"coupling": shown(problem, stage.plan, stage.kept)})  # type: ignore[misc]
        state = partial(_state, stage, history, {"etas": etas, "climbed": climbed, "done": done + 1})
        run.checkpoint(lambda state=state: whole(state()))  # type: ignore[misc]
    return stage if isinstance(stage, Newton) else stage.newton(run)


def ladder(problem: TransportProblem, eta: float) -> list[float]:
    """eta, and before it halves of it, down to where it is gentle for these costs; the smallest first."""
    spread = float(problem.costs.max() - problem.costs.min())
    count = math.ceil(math.log2(max(1.0, eta * spread / GENTLE)))
    return [eta / 2**k for k in range(count, -1, -1)]


def _at(params: SnsParams, etas: list[float]) -> SnsParams:
    """Settings for the first of them: rough ones, if it is not the last."""
    rough = {"inverse_regularisation": etas[0], "tolerance": max(ROUGH, params.tolerance)}
    return params if len(etas) == 1 else params.model_copy(update=rough)


def _restored(
    problem: TransportProblem, params: SnsParams, history: History, saved: Mapping[str, Any]
) -> Sweeps | Newton:
    if "newton" in saved:
        return Newton.restored(problem, params, history, saved["newton"])
    stage = Sweeps(problem, params, history, params.kept)
    if "sweeps" in saved:
        stage.restore(saved["sweeps"])
    return stage


def _state(stage: Sweeps | Newton, history: History, more: dict[str, Any]) -> dict[str, Any]:
    name = "newton" if isinstance(stage, Newton) else "sweeps"
    return {name: stage.state(), "history": history.state(), **more}


def _tell(stage: Newton, run: Run) -> None:
    sweeps, steps = stage.history.sweeps, stage.history.newton_steps
    told = f"Marginal error {stage.error:.2g} after {sweeps:,} sweeps and {steps:,} Newton steps"
    if stage.error <= stage.params.tolerance * stage.mass:
        run.note(f"{told}.")
    else:
        hint = "what is left is rounding" if stage.stuck else "make more sweeps or steps, or keep more entries per row"
        run.warn(f"{told}. The tolerance is not reached: {hint}.")


@method(
    key="sns", title="SNS: sparse Newton iterations", family="transport", paper=PAPER,
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
