"""How the weights of a solution become values: one function for each form, found by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from engines.blocks.parameters import Layout
from engines.blocks.pde.derivatives import Index, Jets, by_autograd
from engines.core import UserError, catalog
from engines.data import Solution, Trajectory

Shape = TypeVar("Shape")
Evaluate = Callable[[Tensor], Tensor]
"""Takes points (P, D) in the coordinates of the problem and gives values (P, C)."""

Build = Callable[[Mapping[str, Tensor], Mapping[str, Any]], Evaluate]
"""Takes weights and configuration. What is missing or does not fit may raise KeyError, ValueError or RuntimeError.

What it gives may have ``jets(points, needs)``: its derivatives in closed form. It must have them where differentiating
it would give wrong ones, as at a kernel's |x - x'| = 0, or none.
"""


class Network(Protocol):
    """Parameters by name, and the field and its jets (P, U) that come of them."""

    layout: Layout
    dtype: torch.dtype

    def evaluate(self, parts: Mapping[str, Tensor]) -> Evaluate: ...

    def jets(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index]) -> Jets: ...


FORMS: dict[str, Build] = {}


def form(name: str) -> Callable[[Build], Build]:
    """Register ``build(weights, configuration) -> evaluate`` under a name that solutions give as their form."""

    def register(build: Build) -> Build:
        FORMS[name] = build
        return build

    return register


class OfNetwork:
    """The field of a network that has its derivatives in closed form."""

    def __init__(self, network: Network, weights: Mapping[str, Tensor]) -> None:
        self.network = network
        self.parts = network.layout.split(network.layout.join(weights))
        self.evaluate = network.evaluate(self.parts)

    def __call__(self, points: Tensor) -> Tensor:
        return self.evaluate(points)

    def jets(self, points: Tensor, needs: Sequence[Index]) -> Jets:
        return self.network.jets(self.parts, points.to(self.network.dtype), needs)


def evaluator(solution: Solution | Trajectory, device: torch.device | str = "cpu", step: int = 0) -> Evaluate:
    """The field of a solution, or of one ``step`` of a trajectory, as a function of points, without gradients.

    Raises :class:`UserError` when its form is unknown or its weights do not fit the form.
    """
    return torch.no_grad()(_built(solution, device, step))


def differentiator(
    solution: Solution, device: torch.device | str = "cpu"
) -> Callable[[Tensor, Sequence[Index]], Jets]:  # fmt: skip
    """Jets (P, C) of a solution at points (P, D): in closed form where it has one, else by differentiating it.

    Raises :class:`UserError` as :func:`evaluator` does.
    """
    built = _built(solution, device, 0)
    closed = getattr(built, "jets", None)
    return partial(by_autograd, built, create_graph=False) if closed is None else torch.no_grad()(closed)


def _built(solution: Solution | Trajectory, device: torch.device | str, step: int) -> Evaluate:
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
        return build({k: torch.tensor(np.asarray(w), device=device) for k, w in rows.items()}, solution.configuration)
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(
            "The weights of the solution do not fit its form.", f"{error}.", "Solve the problem again."
        ) from error


def sizes(kind: type[Shape], config: Mapping[str, Any]) -> Shape:
    """A dataclass of sizes from what is known of its fields in a configuration; lists become tuples."""
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k in names})


def in_chunks(evaluate: Evaluate, points: Tensor, size: int) -> Iterator[Tensor]:
    """Values of ``size`` points at a time."""
    for part in points.split(size):
        yield evaluate(part)


__all__ = ["FORMS", "Build", "Evaluate", "OfNetwork", "differentiator", "evaluator", "form", "in_chunks", "sizes"]
