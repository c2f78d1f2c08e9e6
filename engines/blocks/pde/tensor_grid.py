"""A problem of one unknown on a tensor grid: its nodes, what is prescribed at them, and the equation made linear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.equations import Compiled, Index
from engines.blocks.pde.grids import as_field
from engines.core import UserError
from engines.data import SampledField


@dataclass(frozen=True)
class TensorGrid:
    """Nodes of a problem's box, ``axes`` one tensor for each coordinate; fields on it have ``shape``."""

    compiled: Compiled
    axes: tuple[Tensor, ...]

    @classmethod
    def even(cls, compiled: Compiled, counts: Sequence[int], device: torch.device | str = "cpu") -> TensorGrid:
        """Evenly spaced nodes with both ends, float64."""
        ends = zip(compiled.lower.tolist(), compiled.upper.tolist(), counts, strict=True)
        return cls(compiled, tuple(torch.linspace(a, b, n, dtype=torch.float64, device=device) for a, b, n in ends))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(nodes) for nodes in self.axes)

    @property
    def points(self) -> Tensor:
        """(P, D) all nodes, the last axis fastest."""
        return torch.cartesian_prod(*self.axes).reshape(-1, len(self.axes))

    def residual(self, jets: Mapping[Index, Tensor]) -> Tensor:
        """Left minus right side of the equation; jets and result have the grid's shape."""
        (unknown,) = self.compiled.unknowns
        flat = {unknown: {index: values.reshape(-1) for index, values in jets.items()}}
        return self.compiled.residual(self.points, flat)[:, 0].reshape(self.shape)

    def linearised(self, jets: Mapping[Index, Tensor]) -> tuple[Tensor, dict[Index, Tensor]]:
        """The residual at ``jets``, and its derivative by each of them; both have the grid's shape.

        The residual at a node depends on the jets at that node alone, so one gradient gives all of them.
        """
        with torch.enable_grad():
            leaves = {index: values.detach().requires_grad_() for index, values in jets.items()}
            value = self.residual(leaves)
            found = torch.autograd.grad(value.sum(), list(leaves.values()), allow_unused=True)
        slopes = zip(leaves, found, strict=True)
        return value.detach(), {i: torch.zeros(self.shape).to(value) if g is None else g for i, g in slopes}

    def prescribed(self) -> tuple[Tensor, Tensor]:
        """Where conditions give the unknown its value (bool), and the values there; both have the grid's shape.

        A node on several faces counts once, for the condition that comes first.
        """
        device = self.axes[0].device
        mask = torch.zeros(self.shape, dtype=torch.bool, device=device)
        values = torch.zeros(self.shape, dtype=torch.float64, device=device)
        points = self.points.reshape(*self.shape, -1)
        for condition in self.compiled.conditions:
            if condition.value is None:
                continue
            face = tuple(slice(None) if a != condition.axis else -condition.side for a in range(len(self.shape)))
            given = condition.value(points[face].reshape(-1, len(self.shape)))[:, 0].reshape(mask[face].shape)
            values[face] = torch.where(mask[face], values[face], given)
            mask[face] = True
        return mask, values

    def exact(self) -> Tensor | None:
        """The exact solution at the nodes, where it is known."""
        found = self.compiled.exact(self.points)
        return None if found is None else found[:, 0].reshape(self.shape)

    def field(self, values: Tensor | np.ndarray, name: str = "") -> SampledField:
        """A field from values at the nodes. Time becomes the time of the field."""
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        return as_field(self.compiled.problem, [nodes.cpu().numpy() for nodes in self.axes], array, name)


def single_equation(compiled: Compiled, who: str, most_axes: int) -> None:
    """Refuse what a solver for one unknown on a box of a few axes cannot do. Raises :class:`UserError`."""
    problem = compiled.problem
    if len(problem.unknowns) > 1 or compiled.equations > 1:
        raise UserError(
            f"{who} solves one equation for one unknown.",
            f"This problem has {compiled.equations} and {len(problem.unknowns)} ({', '.join(problem.unknowns)}).",
            "Choose another method, or a problem with one unknown.",
        )
    if len(problem.coordinates) > most_axes:
        raise UserError(
            f"{who} works on grids of at most {most_axes} axes.",
            f"This problem has {len(problem.coordinates)}: {', '.join(problem.coordinates)}.",
            "Choose another method.",
        )
    if problem.estimated:
        raise UserError(
            f"{who} cannot find coefficients from measurements.",
            f"The problem asks for {', '.join(problem.estimated)}.",
            "Give them as definitions.",
        )


__all__ = ["TensorGrid", "single_equation"]
