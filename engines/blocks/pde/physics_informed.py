"""What every physics-informed training does around its network: curves, previews, checkpoints, the best error seen.

The error against the truth is watched and never used: the parameters that come out are the last ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.equations import Compiled
from engines.blocks.pde.forms import Evaluate
from engines.blocks.pde.grids import tensor_points
from engines.blocks.pde.residual_loss import ResidualLoss, residual_names
from engines.blocks.pde.sampled_solution import Truth, error_of, of_rows
from engines.blocks.pde.training import Schedule, Trainer
from engines.core import Artifact, Run, UserError
from engines.data import Table

POINTS_ON_CURVES = 400


@dataclass
class Progress:
    """What is remembered from phase to phase of a run."""

    phase: int = 0
    steps: int = 0
    evaluations: int = 0
    error: float = math.nan
    best_error: float = math.nan
    best_step: int = 0

    def state(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class Phase:
    """One objective trained with one schedule. ``evaluate`` makes the field of parameters, ``look`` what is shown."""

    label: str
    loss: ResidualLoss
    schedule: Schedule
    evaluate: Callable[[Tensor], Evaluate]
    look: Callable[[Tensor], Mapping[str, Artifact]]
    share: float | None = None
    """Of the whole run; None: all that is left."""
    axes: Sequence[np.ndarray] = ()
    """Nodes along each coordinate at which the residual is looked at; none: it is not."""


def train(
    run: Run, phase: Phase, flat: Tensor, progress: Progress, known: Truth | None, saved: dict[str, Any] | None
) -> Tensor:
    """Parameters after a phase, from ``flat`` or from where a checkpoint's ``saved`` state left off."""
    trainer = Trainer(
        run, flat, phase.loss, phase.schedule, lambda whole: {"trainer": whole, "progress": progress.state()}
    )
    before = progress.steps, progress.evaluations
    if saved is not None:
        trainer.restore(saved["trainer"])
        before = before[0] - trainer.step, before[1] - trainer.evaluations
    often = max(1, phase.schedule.steps // POINTS_ON_CURVES)
    seldom = max(1, phase.schedule.steps // 100)
    for step in trainer.steps(phase.label, phase.share):
        progress.steps, progress.evaluations = before[0] + trainer.step, before[1] + trainer.evaluations
        last = trainer.ended or step + 1 == phase.schedule.steps
        figures: dict[str, Any] = {}
        if known is not None and (step % seldom == 0 or last):
            progress.error = known.relative_error(torch.no_grad()(phase.evaluate(trainer.flat)))
            if not progress.error >= progress.best_error:
                progress.best_error, progress.best_step = progress.error, progress.steps
            figures["Relative L2 error"] = progress.error
        if figures or step % often == 0 or last:
            parts = phase.loss.network.layout.split(trainer.flat)
            figures |= {f"Loss, {name}": value for name, value in trainer.losses.items()}
            figures |= {"Evaluations": progress.evaluations, **phase.loss.coefficients(parts)}
            run.log(step=progress.steps, **figures)
        run.preview(lambda: {**phase.look(trainer.flat), **_maps(phase, trainer.flat, known)})
    return trainer.flat


def scores(progress: Progress, parameters: int) -> Table:
    """One row: errors at the end and at best (found with the truth at hand, where it is known), and effort."""
    errors = {
        "Relative L2 error, final": progress.error,
        "Relative L2 error, best seen": progress.best_error,
        "Step of the best": progress.best_step,
    }
    effort = {"Steps": progress.steps, "Evaluations": progress.evaluations, "Parameters": parameters}
    known = {} if math.isnan(progress.error) else errors
    return Table(columns={name: np.array([value]) for name, value in (known | effort).items()}, name="Scores")


def _maps(phase: Phase, flat: Tensor, known: Truth | None) -> dict[str, Artifact]:
    """Where the equations do not hold yet, and where the field is off, if that is known."""
    compiled, shown = phase.loss.compiled, dict[str, Artifact]()
    if phase.axes:
        values = phase.loss.residual_at(flat, torch.as_tensor(tensor_points(phase.axes)).to(flat))
        names = residual_names(values.shape[1])
        shown["residual"] = of_rows(values, compiled.problem, phase.axes, "residual", names)
    if known is not None:
        shown["error"] = error_of(torch.no_grad()(phase.evaluate(flat)), known, compiled.problem, "error")
    return shown


def check_problem(compiled: Compiled, run: Run, measurements: Table | None) -> None:
    """Refuse what has no answer; warn of jumps between conditions. Raises :class:`UserError`."""
    if not compiled.conditions and measurements is None:
        raise UserError(
            "The problem has no condition, so it has many solutions.",
            "The equations alone do not say which one is meant.",
            "Give values on the boundary or at the start, or add measurements.",
        )
    if compiled.problem.estimated and measurements is None:
        raise UserError(
            f"Coefficients are to be estimated ({', '.join(compiled.problem.estimated)}), but nothing was measured.",
            "The equations alone do not tell them.",
            "Add a table of measurements, or give the coefficients values.",
        )
    if len(compiled.problem.space) > 3 or not compiled.problem.space:
        raise UserError(
            f"The problem has {len(compiled.problem.space)} coordinates in space.",
            "Fields in one to three dimensions are sampled.",
            "Use fewer coordinates, or name one of them as time.",
        )
    for text in compiled.jumps():
        run.warn(text)


__all__ = ["Phase", "Progress", "check_problem", "scores", "train"]
