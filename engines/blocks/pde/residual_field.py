"""What a learned solution leaves over of its equations, as a field on a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from engines.blocks.pde.derivatives import by_unknown, needed
from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.forms import differentiator
from engines.blocks.pde.grids import tensor_points, with_time
from engines.blocks.pde.resampling import of_frames
from engines.blocks.pde.residual_loss import COEFFICIENTS, residual_names
from engines.data import SampledField, Solution

CHUNK = 1 << 11
"""Points at a time: all that leads to their derivatives is kept meanwhile."""


def residual_field(
    solution: Solution,
    axes: Sequence[np.ndarray],
    times: np.ndarray,
    device: torch.device | str = "cpu",
    tick: Callable[[float], None] = lambda part: None,
) -> SampledField:
    """Left minus right side of each equation of its problem at the nodes of ``axes`` and at ``times``.

    Derivatives are exact: in closed form where its form has them, else by automatic differentiation. Coefficients that
    were to be found have the values that were found. ``tick`` is as in :func:`~.resampling.sample`.
    """
    problem, compiled = solution.problem, compile_problem(solution.problem)
    differentiate = differentiator(solution, device)
    needs = needed(compiled.needs, len(problem.coordinates))
    found = solution.weights.get(COEFFICIENTS, np.array(list(problem.estimated.values())))
    coefficients = {k: torch.tensor(float(v), device=device) for k, v in zip(problem.estimated, found, strict=True)}

    def evaluate(points: torch.Tensor) -> torch.Tensor:
        jets = by_unknown(differentiate(points, needs), compiled.unknowns)
        return compiled.residual(points, jets, coefficients).detach()

    points = tensor_points(axes)
    frames = ((evaluate, with_time(problem, points, float(time))) for time in times)
    field = of_frames(solution, axes, times, frames, device, tick, CHUNK)
    return field.replace(components=residual_names(len(field.components)))


__all__ = ["residual_field"]
