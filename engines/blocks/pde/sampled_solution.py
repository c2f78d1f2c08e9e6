"""Solutions on grids: the field itself, the truth to hold it against, and by how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.equations import Compiled
from engines.blocks.pde.field_metrics import difference
from engines.blocks.pde.forms import Evaluate, in_chunks
from engines.blocks.pde.grids import as_field, even_grid, tensor_points
from engines.core import UserError
from engines.data import Problem, SampledField

CHUNK = 8192


def sampled(
    evaluate: Evaluate, problem: Problem, axes: Sequence[np.ndarray], like: Tensor, name: str = ""
) -> SampledField:
    """The field of ``evaluate`` (points (P, D) to values (P, U)) at the nodes of ``axes``."""
    points = torch.as_tensor(tensor_points(axes)).to(like)
    return of_rows(torch.cat(list(in_chunks(evaluate, points, CHUNK))), problem, axes, name)


def of_rows(
    rows: Tensor, problem: Problem, axes: Sequence[np.ndarray], name: str = "", components: Sequence[str] = ()
) -> SampledField:
    """From values (P, C) at the points of a tensor grid; C are the unknowns, unless ``components`` says what."""
    values = rows.detach().double().cpu().numpy().T.reshape(-1, *(len(axis) for axis in axes))
    return as_field(problem, axes, values, name, components)


def titled(problem: Problem, what: str) -> str:
    """What a result for a problem is called: ``"Burgers, error"``."""
    return f"{problem.name}, {what}" if problem.name else what.capitalize()


@dataclass(frozen=True)
class Truth:
    """What the solution should be: values (P, K) of the unknowns ``columns`` at the points of a tensor grid."""

    axes: list[np.ndarray]
    points: Tensor
    values: Tensor
    columns: list[int]

    def relative_error(self, evaluate: Evaluate) -> float:
        """Relative L2 distance over all nodes."""
        found = torch.cat(list(in_chunks(evaluate, self.points, CHUNK)))[:, self.columns]
        return float((found - self.values).norm() / self.values.norm().clamp(min=1e-300))


def truth(compiled: Compiled, reference: SampledField | None, nodes: int, times: int, like: Tensor) -> Truth | None:
    """The reference where there is one, else the exact solution on a grid, else None.

    Raises :class:`UserError` where the reference does not lie in the box or has none of the unknowns.
    """
    if reference is not None:
        return _reference(compiled, reference, like)
    if not compiled.has_exact:
        return None
    axes = even_grid(compiled.problem, nodes, times)
    points = torch.as_tensor(tensor_points(axes)).to(like)
    exact = compiled.exact(points)
    assert exact is not None
    if not torch.isfinite(exact).all():
        return None
    return Truth(axes, points, exact, list(range(len(compiled.unknowns))))


def _reference(compiled: Compiled, reference: SampledField, like: Tensor) -> Truth:
    axes = list(reference.axes)
    if compiled.time is not None:
        axes.insert(compiled.time, reference.times)
    names = [u for u in compiled.unknowns if u in reference.components]
    if not names and len(reference.components) == len(compiled.unknowns) == 1:
        names = list(compiled.unknowns)
        parts = [0]
    else:
        parts = [reference.components.index(u) for u in names]
    slack = 1e-6 * (compiled.upper - compiled.lower)
    fits = len(axes) == len(compiled.coordinates) and bool(names)
    if not fits or any(
        axis[0] < low or axis[-1] > high
        for axis, low, high in zip(axes, compiled.lower - slack, compiled.upper + slack, strict=True)
    ):
        raise UserError(
            "The reference does not fit the problem.",
            f"It holds {reference.summary()}; the problem is {', '.join(compiled.unknowns)} over "
            f"{', '.join(compiled.coordinates)} and the reference must lie in its box.",
            "Choose another reference, or set the axes of this one.",
        )
    values = np.moveaxis(reference.values[:, parts].reshape(len(reference.times), len(parts), *reference.shape), 1, -1)
    whole = np.moveaxis(values, 0, compiled.time) if compiled.time is not None else values[0]
    rows = torch.as_tensor(np.ascontiguousarray(whole).reshape(-1, len(parts)).astype(float)).to(like)
    if not torch.isfinite(rows).all():
        raise UserError("The reference holds values that are not finite.", mend="Remove or replace them.")
    points = torch.as_tensor(tensor_points(axes)).to(like)
    return Truth(axes, points, rows, [compiled.unknowns.index(u) for u in names])


def error_of(evaluate: Evaluate, known: Truth, problem: Problem, name: str) -> SampledField:
    """The field minus the truth at the nodes of the truth, for the unknowns that it has."""
    found = torch.cat(list(in_chunks(evaluate, known.points, CHUNK)))[:, known.columns]
    names = [problem.unknowns[k] for k in known.columns]
    fields = [of_rows(rows, problem, known.axes, name, names) for rows in (found, known.values)]
    return difference(*fields).replace(name=name)


__all__ = ["Truth", "error_of", "of_rows", "sampled", "titled", "truth"]
