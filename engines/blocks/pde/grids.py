"""Grids over the box of a problem: their nodes, and fields made of values at them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.core import UserError
from engines.data import Problem, SampledField

FLOWS = (("u", "v", "w"), ("u", "v"), ("ux", "uy", "uz"), ("ux", "uy"), ("u1", "u2", "u3"), ("u1", "u2"))
"""Components of these names are taken to be the parts of a velocity, as is the custom of fluid mechanics."""


def tensor_points(axes: Sequence[np.ndarray]) -> np.ndarray:
    """(N1 N2 ..., D) points of a tensor grid, the last axis running fastest."""
    return np.stack([g.reshape(-1) for g in np.meshgrid(*axes, indexing="ij")], 1)


def even_axes(lower: np.ndarray, upper: np.ndarray, nodes: int) -> list[np.ndarray]:
    """Evenly spaced nodes between two corners; the longest side has ``nodes``, the others are spaced as it is."""
    lengths = np.asarray(upper, float) - lower
    counts = np.maximum(2, np.rint((nodes - 1) * lengths / lengths.max(initial=1e-300)).astype(int) + 1)
    return [np.linspace(low, high, n) for low, high, n in zip(lower, upper, counts.tolist(), strict=True)]


def even_grid(problem: Problem, nodes: int, times: int) -> list[np.ndarray]:
    """Nodes along each coordinate of a problem: in space as :func:`even_axes` has them, ``times`` along time."""
    clock = problem.coordinates.index(problem.time) if problem.time else None
    space = [i for i in range(len(problem.coordinates)) if i != clock]
    axes = even_axes(problem.lower[space], problem.upper[space], nodes)
    if clock is not None:
        axes.insert(clock, np.linspace(problem.lower[clock], problem.upper[clock], times))
    return axes


def as_field(
    problem: Problem, axes: Sequence[np.ndarray], values: np.ndarray, name: str = "", components: Sequence[str] = ()
) -> SampledField:
    """A field from values (C, N1, N2, ...), an axis for each coordinate of a problem; time becomes that of the field.

    C are its unknowns, unless ``components`` says what; a single one may come without its axis. Raises
    :class:`UserError` where there is no space.
    """
    values = values if values.ndim > len(axes) else values[None]
    clock = problem.coordinates.index(problem.time) if problem.time else None
    space = [nodes for i, nodes in enumerate(axes) if i != clock]
    if not space:
        raise UserError("The problem has no coordinate in space.", mend="Add one.")
    if clock is not None:
        values = np.moveaxis(values, 1 + clock, 0)
    return SampledField.of(
        np.ascontiguousarray(values), *space, times=None if clock is None else axes[clock], name=name,
        components=tuple(components) or problem.unknowns, coordinates=three(problem.space),
        time_name=problem.time or "t",
    )  # fmt: skip


def with_time(problem: Problem, points: np.ndarray, time: float) -> np.ndarray:
    """(P, D) points in all coordinates of a problem, of ``points`` in its space at a ``time``."""
    return np.insert(points, problem.coordinates.index(problem.time), time, axis=1) if problem.time else points


def three(names: Sequence[str]) -> tuple[str, ...]:
    """Three names for the axes of a field; those that it does not have do not count."""
    return (*names, *(n for n in ("x", "y", "z", "w") if n not in names))[:3]


def velocity(names: Sequence[str], dimensions: int) -> tuple[tuple[str, ...], ...]:
    """The vector that the names of components speak of, where nobody has said that there is one."""
    found = next((parts for parts in FLOWS if len(parts) == dimensions and set(parts) <= set(names)), None)
    return (("velocity", *found),) if found is not None and dimensions > 1 else ()


__all__ = ["as_field", "even_axes", "even_grid", "tensor_points", "three", "velocity", "with_time"]
