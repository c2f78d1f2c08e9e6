"""Solutions on grids: the field itself, the truth to hold it against, and by how much they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.collocation import tensor_points
from engines.blocks.pde.equations import Compiled
from engines.blocks.pde.forms import Evaluate, in_chunks
from engines.core import UserError
from engines.data import Problem, SampledField

CHUNK = 8192


def grid(compiled: Compiled, nodes: int, times: int) -> list[np.ndarray]:
    """Nodes along each coordinate; the longest axis in space has ``nodes``, the others are spaced as it is."""
    lower, upper = compiled.lower, compiled.upper
    lengths = [high - low for low, high in zip(lower, upper, strict=True)]
    longest = max((lengths[i] for i in _space(compiled)), default=1.0)
    counts = [
        times if i == compiled.time else max(2, round((nodes - 1) * length / longest) + 1)
        for i, length in enumerate(lengths)
    ]
    return [np.linspace(low, high, n) for low, high, n in zip(lower, upper, counts, strict=True)]


def _space(compiled: Compiled) -> list[int]:
    return [i for i in range(len(compiled.coordinates)) if i != compiled.time]


def sampled(
    evaluate: Evaluate, compiled: Compiled, axes: Sequence[np.ndarray], like: Tensor, name: str = ""
) -> SampledField:
    """The field of ``evaluate`` (points (P, D) to values (P, U)) at the nodes of ``axes``."""
    points = torch.as_tensor(tensor_points(axes)).to(like)
    values = torch.cat(list(in_chunks(evaluate, points, CHUNK))).double().cpu().numpy()
    return field_of(values, compiled, axes, name)


def titled(problem: Problem, what: str) -> str:
    """What a result for a problem is called: ``"Burgers, error"``."""
    return f"{problem.name}, {what}" if problem.name else what.capitalize()


def field_of(
    values: np.ndarray, compiled: Compiled, axes: Sequence[np.ndarray], name: str = "", components: tuple[str, ...] = ()
) -> SampledField:
    """From values (P, C) at the points of a tensor grid; C are the unknowns, unless ``components`` says what."""
    if not _space(compiled):
        raise UserError("The problem has no coordinate in space.", mend="Add one.")
    whole = np.moveaxis(values.reshape(*(len(axis) for axis in axes), -1), -1, 0)
    if compiled.time is not None:
        whole = np.moveaxis(whole, compiled.time + 1, 0)
    space = _space(compiled)
    return SampledField.of(
        np.ascontiguousarray(whole), *(axes[i] for i in space),
        times=None if compiled.time is None else axes[compiled.time],
        components=components or compiled.unknowns, name=name, time_name=compiled.problem.time or "t",
        coordinates=(*(compiled.coordinates[i] for i in space), *("x", "y", "z")[len(space):]),
    )  # fmt: skip


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
    axes = grid(compiled, nodes, times)
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


def difference(evaluate: Evaluate, known: Truth, compiled: Compiled, name: str) -> SampledField:
    """|u - true u| at the nodes of the truth; nan for unknowns that it does not have."""
    found = torch.cat(list(in_chunks(evaluate, known.points, CHUNK)))[:, known.columns]
    apart = np.full((len(known.points), len(compiled.unknowns)), np.nan)
    apart[:, known.columns] = (found - known.values).abs().double().cpu().numpy()
    return field_of(apart, compiled, known.axes, name)


__all__ = ["Truth", "difference", "field_of", "grid", "sampled", "titled", "truth"]
