"""Components and axes put together to a field on a tensor grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engines.data import SampledField
from engines.files import guard
from engines.files.grid_axes import Axis, rank
from engines.files.mapped import MAP_FROM


def plain(values: np.ndarray) -> np.ndarray:
    """As single or double precision, or whole numbers, in the byte order of the machine."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        return values.astype(np.float32 if values.dtype.itemsize < 4 else np.float64)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def assembled(
    path: Path,
    parts: Mapping[str, np.ndarray],
    axes: Sequence[Axis],
    ranges: Sequence[float] = (),
    unit: str = "",
    units: Mapping[str, str] | None = None,
    vectors: tuple[tuple[str, ...], ...] = (),
) -> SampledField:
    """A field from components of one shape, whose axes are known.

    Axes that fall are turned round. Nodes that are missing come from ``ranges``, first and last for each such axis, or
    are numbered. Raises :class:`UserError` where the axes cannot be those of a field.
    """
    axes = _with_all_nodes(path, axes, ranges)
    time, component, space = _kinds(path, axes)
    names = list(parts)
    values = [_in_order(v, axes, time, component, space) for v in parts.values()]
    whole = values[0] if len(values) == 1 else np.concatenate(values, axis=1)
    each = whole.shape[1] // len(names)
    names = names if each == 1 else [f"{n} {i + 1}" for n in names for i in range(each)]
    nodes = [_nodes(axes[i]) for i in space] + [np.zeros(1)] * (3 - len(space))
    coordinates = [axes[i].name for i in space]
    coordinates += [n for n in ("x", "y", "z") if n not in coordinates][: 3 - len(coordinates)]
    units = units or {}
    return SampledField(
        name=path.stem,
        values=whole,
        times=np.zeros(1) if time is None else _nodes(axes[time]),
        x=nodes[0],
        y=nodes[1],
        z=nodes[2],
        dimensions=max(1, len(space)),
        components=tuple(names),
        vectors=vectors,
        coordinates=tuple(coordinates),
        time_name="t" if time is None else axes[time].name,
        unit=unit,
        length_unit=next((units[n] for n in coordinates if units.get(n)), ""),
        time_unit="" if time is None else units.get(axes[time].name, ""),
    )


def _with_all_nodes(path: Path, axes: Sequence[Axis], ranges: Sequence[float]) -> list[Axis]:
    lacking = [a for a in axes if a.nodes is None and a.kind != "component"]
    if ranges and len(ranges) != 2 * len(lacking):
        raise guard.refuse(
            path,
            f"needs {2 * len(lacking)} numbers as ranges.",
            f"{len(ranges)} were given; axes without nodes are {', '.join(a.name for a in lacking) or 'none'}.",
            "Give two numbers for each of these axes, or none at all.",
        )
    ends = dict(zip([a.name for a in lacking], zip(ranges[::2], ranges[1::2], strict=True), strict=False))
    found = []
    for axis in axes:
        if axis.kind == "component":
            found.append(replace(axis, nodes=np.arange(axis.length, dtype=np.float64)))
            continue
        low, high = ends.get(axis.name, (0.0, float(axis.length - 1)))
        nodes = np.linspace(low, high, axis.length) if axis.nodes is None else axis.nodes
        _check(path, axis.name, nodes)
        found.append(replace(axis, nodes=nodes))
    return found


def _check(path: Path, name: str, nodes: np.ndarray) -> None:
    if not np.isfinite(nodes).all():
        bad = int(np.flatnonzero(~np.isfinite(nodes))[0])
        raise guard.refuse(path, f"has a node that is not finite along {name}.", f"It is number {bad}.", "Correct it.")
    steps = np.diff(nodes)
    if not ((steps > 0).all() or (steps < 0).all()):
        wrong = (steps <= 0) if nodes[-1] >= nodes[0] else (steps >= 0)
        bad = int(np.flatnonzero(wrong)[0])
        raise guard.refuse(
            path,
            f"has nodes along {name} that do not rise.",
            f"Nodes {bad} and {bad + 1} are at {nodes[bad]:.6g} and {nodes[bad + 1]:.6g}.",
            "Sort the nodes and the values with them, and leave out what is there twice.",
        )


def _kinds(path: Path, axes: Sequence[Axis]) -> tuple[int | None, int | None, list[int]]:
    """Which axes are time, components and space; x, y and z come in this order."""
    by_kind: dict[str, list[int]] = {"time": [], "component": [], "space": []}
    for index, axis in enumerate(axes):
        by_kind[axis.kind].append(index)
    space = by_kind["space"]
    for kind, most in (("time", 1), ("component", 1), ("space", 3)):
        if len(by_kind[kind]) > most:
            names = ", ".join(axes[i].name for i in by_kind[kind])
            raise guard.refuse(
                path,
                f"has too many axes of {kind}.",
                f"{names}; a field has {most}.",
                "Say what the axes are, or save a part of it.",
            )
    places = [rank(axes[i].name) for i in space]
    if None not in places and len(set(places)) == len(places):
        space = sorted(space, key=lambda i: rank(axes[i].name) or 0)
    return next(iter(by_kind["time"]), None), next(iter(by_kind["component"]), None), space


def _in_order(
    values: np.ndarray, axes: Sequence[Axis], time: int | None, component: int | None, space: Sequence[int]
) -> np.ndarray:
    """(T, C, X, Y, Z) a view of the values."""
    values = values[tuple(slice(None, None, -1) if _falls(a) else slice(None) for a in axes)]
    values = values.transpose([i for i in (time, component, *space) if i is not None])
    lacking = [i for i, axis in enumerate((time, component)) if axis is None]
    return np.expand_dims(values, (*lacking, *range(2 + len(space), 5)))


def _nodes(axis: Axis) -> np.ndarray:
    assert axis.nodes is not None
    return axis.nodes[::-1] if _falls(axis) else axis.nodes


def _falls(axis: Axis) -> bool:
    return axis.nodes is not None and len(axis.nodes) > 1 and bool(axis.nodes[0] > axis.nodes[-1])


def not_finite(field: SampledField) -> tuple[str, ...]:
    """What to say of values that are not finite; nothing of those that are still in their file."""
    values = field.values
    if values.dtype.kind != "f" or values.nbytes >= MAP_FROM:
        return ()
    bad = int(values.size - np.isfinite(values).sum())
    return (f"{bad:,} of {values.size:,} values are not finite.",) if bad else ()


__all__ = ["assembled", "not_finite", "plain"]
