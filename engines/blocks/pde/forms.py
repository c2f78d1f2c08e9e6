"""How the weights of a solution become values: one function for each form, found by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.core import UserError, catalog
from engines.data import Solution, Trajectory

Evaluate = Callable[[Tensor], Tensor]
"""Takes points (P, D) in the coordinates of the problem and gives values (P, C)."""

Build = Callable[[Mapping[str, Tensor], Mapping[str, Any]], Evaluate]
"""Takes weights and configuration. What is missing or does not fit may raise KeyError, ValueError or RuntimeError."""

FORMS: dict[str, Build] = {}


def form(name: str) -> Callable[[Build], Build]:
    """Register ``build(weights, configuration) -> evaluate`` under a name that solutions give as their form."""

    def register(build: Build) -> Build:
        FORMS[name] = build
        return build

    return register


def evaluator(solution: Solution | Trajectory, device: torch.device | str = "cpu", step: int = 0) -> Evaluate:
    """The field of a solution, or of one ``step`` of a trajectory, as a function of points, without gradients.

    Raises :class:`UserError` when its form is unknown or its weights do not fit the form.
    """
    if solution.form not in FORMS:
        catalog()  # a form comes with the method that makes it
    build = FORMS.get(solution.form)
    if build is None:
        raise UserError(
            f"The solution is of a form that is not known here: '{solution.form}'.",
            f"Known are: {', '.join(sorted(FORMS)) or 'none'}.",
            "Install what made it, or solve the problem again.",
        )
    rows = {k: w[step] if isinstance(solution, Trajectory) else w for k, w in solution.weights.items()}
    try:
        evaluate = build(
            {k: torch.tensor(np.asarray(w), device=device) for k, w in rows.items()}, solution.configuration
        )
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(
            "The weights of the solution do not fit its form.", f"{error}.", "Solve the problem again."
        ) from error
    return torch.no_grad()(evaluate)


def in_chunks(evaluate: Evaluate, points: Tensor, size: int) -> Iterator[Tensor]:
    """Values of ``size`` points at a time."""
    for part in points.split(size):
        yield evaluate(part)


__all__ = ["FORMS", "Build", "Evaluate", "evaluator", "form", "in_chunks"]
