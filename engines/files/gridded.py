"""Arrays from files of all kinds, put together to a field on a tensor grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.files import guard
from engines.files.grid_assembly import assembled, not_finite, plain
from engines.files.grid_axes import (
    Axis,
    known,
    matched,
    mesh_of,
    named_axes,
    named_by_default,
    vector_of,
    with_nodes,
)
from engines.files.mapped import MAP_FROM
from engines.files.registry import Loaded

MOST_COMPONENTS = 64
MOST_MESH = 1 << 24
"""Values up to which an array is looked at for being nodes in the manner of meshgrid."""


class GridOptions(Params):
    """How an array becomes a field."""

    axes: str = Param(
        "", empty="found out", help="What the axes of the array are, in their order: 't x y'; c is for components"
    )
    ranges: tuple[float, ...] = Param(
        (), empty="numbered", help="First and last position for each axis without nodes, in their order: '0, 1, -1, 1'"
    )
    complex_values: Literal["parts", "modulus", "real", "imaginary"] = Param(
        "parts", help="What complex numbers become; parts: two components", label="Complex values"
    )


class FieldOptions(GridOptions):
    """Which of the arrays of a file become a field, and how."""

    values: str = Param(
        "", label="Arrays", empty="the largest", help="Names of the arrays to read, with commas; each is a component"
    )


@dataclass(frozen=True)
class Stored:
    """An array in a file that has not been read yet. ``dims`` names its axes where the file does."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]
    dims: tuple[str, ...] = ()
    unit: str = ""

    @classmethod
    def of(cls, values: np.ndarray) -> Stored:
        return cls(values.shape, values.dtype, lambda: values)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def turned(self) -> Stored:
        """With its axes in the opposite order."""
        return replace(self, shape=self.shape[::-1], dims=self.dims[::-1], read=lambda: self.read().T)


def field_from(
    path: Path,
    stored: Mapping[str, Stored],
    options: GridOptions,
    *,
    time_last: bool = False,
    units: Mapping[str, str] | None = None,
) -> Loaded:
    """The field that arrays by name make up; vectors of nodes are among them.

    ``time_last``: the convention of the format where lengths leave a choice. ``units`` of axes by their names.
    Raises :class:`UserError` when nothing can be a field, or when axes and values do not fit.
    """
    numbers = {k: s for k, s in stored.items() if s.dtype.kind in "biufc" and s.size and s.shape}
    names = _chosen(path, numbers, getattr(options, "values", ""))
    first = numbers[names[0]]
    axes, problems = _axes(path, numbers, names, options, time_last)
    squeezed = first.shape if len(axes) == len(first.shape) else tuple(n for n in first.shape if n > 1)
    parts: dict[str, np.ndarray] = {}
    _room(path, [numbers[n] for n in names])
    for name in names:
        parts |= _real(name, numbers[name].read().reshape(squeezed), options)
    field = assembled(path, parts, axes, options.ranges, first.unit, units)
    if field.values.dtype.kind == "f" and field.values.nbytes < MAP_FROM and not np.isfinite(field.values).any():
        raise guard.refuse(path, "holds no finite value.", "All values are NaN or infinite.", "Export it again.")
    return Loaded((field,), (*problems, *not_finite(field)))


def _room(path: Path, chosen: Sequence[Stored]) -> None:
    """Several components are copied into one array; of one alone, what is large may stay in its file."""
    need = sum(s.size * s.dtype.itemsize for s in chosen)
    if len(chosen) > 1 or need < MAP_FROM:
        guard.room(path, need)


def _chosen(path: Path, numbers: Mapping[str, Stored], wanted: str) -> list[str]:
    """Names of the arrays that become components."""
    there = ", ".join(f"{k} ({'×'.join(map(str, s.shape))})" for k, s in list(numbers.items())[:12]) or "none"
    names = [n.strip() for n in wanted.split(",") if n.strip()]
    for name in names:
        if name not in numbers:
            raise guard.refuse(path, f"has no array '{name[:60]}'.", f"It has: {there}.", "Choose one of these.")
        if numbers[name].shape != numbers[names[0]].shape:
            raise guard.refuse(
                path,
                "has arrays that do not fit together.",
                f"'{names[0]}' and '{name}' have different shapes: {there}.",
                "Choose arrays of one shape.",
            )
    if names:
        return names[:MOST_COMPONENTS]
    dims = {d for s in numbers.values() for d in s.dims}
    free = {k: s for k, s in numbers.items() if k not in dims and not (len(numbers) > 1 and _is_nodes(k, s))}
    if not free:
        raise guard.refuse(path, "holds no field.", f"Its arrays of numbers: {there}.", "Choose another file.")
    largest = max(free, key=lambda k: (free[k].size, -list(free).index(k)))
    alike = [k for k, s in free.items() if (s.shape, s.dims) == (free[largest].shape, free[largest].dims)]
    if free[largest].size == max(free[largest].shape):  # vectors of unknown names: the others may be nodes
        alike = [largest]
    return alike[:MOST_COMPONENTS]


def _is_nodes(name: str, array: Stored) -> bool:
    """Whether an array has the name and the manner of nodes; a temperature may be called T, too."""
    if not known(name) or array.size == max(array.shape):
        return known(name)
    return array.size <= MOST_MESH and mesh_of(array.read(), array.shape) is not None


def _axes(
    path: Path, numbers: Mapping[str, Stored], names: Sequence[str], options: GridOptions, time_last: bool
) -> tuple[list[Axis], tuple[str, ...]]:
    """What the axes of the chosen arrays are. Fewer than the arrays have: those of length one are dropped."""
    first = numbers[names[0]]
    others = {k: s for k, s in numbers.items() if k not in names}
    vectors, fixed = {}, {}
    for name, other in others.items():
        if other.size == max(other.shape) and (found := vector_of(other.read())) is not None:
            vectors[name] = found
        elif other.shape == first.shape and _is_nodes(name, other):
            mesh = mesh_of(other.read(), first.shape)
            assert mesh is not None
            fixed[name], vectors[name] = mesh
    if options.axes.strip():
        return with_nodes(path, named_axes(path, options.axes, len(first.shape)), first.shape, vectors), ()
    if first.dims:
        _check_count(path, len(first.shape))
        return with_nodes(path, first.dims, first.shape, vectors), ()
    shape = tuple(n for n in first.shape if n > 1) or (1,)
    _check_count(path, len(shape))
    kept = [i for i, n in enumerate(first.shape) if n > 1]
    fixed = {k: kept.index(i) for k, i in fixed.items() if i in kept}
    axes, problems = matched(path, shape, vectors, time_last, fixed)
    return named_by_default(axes), problems


def _check_count(path: Path, count: int) -> None:
    if count > 5:
        raise guard.refuse(
            path,
            f"has values with {count} axes.",
            "Time, components and three of space are the most that a field has.",
            "Save a part of it.",
        )


def _real(name: str, values: np.ndarray, options: GridOptions) -> dict[str, np.ndarray]:
    """Components of real numbers in the byte order of the machine."""
    if values.dtype.kind == "c":
        both = {f"{name} real": values.real, f"{name} imaginary": values.imag}
        chosen: dict[str, dict[str, np.ndarray]] = {
            "parts": both,
            "modulus": {f"|{name}|": np.abs(values)},
            "real": {name: values.real},
            "imaginary": {name: values.imag},
        }
        return {k: plain(v) for k, v in chosen[options.complex_values].items()}
    return {name: plain(values)}


__all__ = ["FieldOptions", "GridOptions", "Stored", "field_from"]
