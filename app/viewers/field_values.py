"""What is looked at of a field: its quantities, cuts through it, its history at a point. Arrays only, no Qt.

Everything is read through the slices that it needs, so that a field in a file of any size stays there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.data import GridField, SampledField

IN_PLANE = ((1, 2), (0, 2), (0, 1))
"""For a cut across axis 0, 1, 2: the axes to the right and upwards."""
SOME = 400_000
"""Values that are looked at, evenly spread, to choose a range of colours."""


@dataclass(frozen=True)
class Quantity:
    """A component of a field, or something made of one of its vectors (``kind``, and the components it takes)."""

    key: str
    title: str
    kind: str
    parts: tuple[int, ...]

    @property
    def is_derivative(self) -> bool:
        return self.kind in ("vorticity", "divergence")


def quantities(
    components: Sequence[str], vectors: Sequence[Sequence[str]], dimensions: int, *, derivatives: bool = True
) -> list[Quantity]:
    """The components, and of each vector its length and, where it has as many parts as space, its derivatives."""
    found = [Quantity(name, name, "component", (k,)) for k, name in enumerate(components)]
    for name, *parts in vectors:
        places = tuple(list(components).index(part) for part in parts)
        found.append(Quantity(f"|{name}|", f"|{name}|", "magnitude", places))
        if derivatives and len(parts) == dimensions > 1:
            curl = "vorticity" if dimensions == 2 else "|curl|"
            own = "" if name == "velocity" else f" of {name}"
            found.append(Quantity(f"curl {name}", f"{curl}{own}", "vorticity", places))
            found.append(Quantity(f"div {name}", f"divergence{own}", "divergence", places))
    return found


@dataclass(frozen=True, eq=False)
class Plane:
    """A cut: ``values[i, j]`` at (``right[i]``, ``up[j]``). A curve has one row: ``up`` is one long."""

    values: np.ndarray
    right: np.ndarray
    up: np.ndarray
    names: tuple[str, str]
    units: tuple[str, str] = ("", "")
    title: str = ""
    unit: str = ""
    time: float = 0.0
    """Of the values: that of the field which is nearest to the one asked for."""
    is_strip: bool = False
    """Whether it goes upwards in time instead of space."""

    @property
    def is_curve(self) -> bool:
        return len(self.up) == 1

    def at(self, right: np.ndarray | float, up: np.ndarray | float) -> np.ndarray:
        """Values at points, linear between the nodes; NaN outside."""
        right, up = np.broadcast_arrays(np.asarray(right, float), np.asarray(up, float))
        i, a, inside = _place(self.right, right)
        if self.is_curve:
            values = self.values[:, 0]
            found = values[i] * (1 - a) + values[np.minimum(i + 1, len(values) - 1)] * a
            return np.where(inside, found, np.nan)
        j, b, within = _place(self.up, up)
        i1, j1 = np.minimum(i + 1, len(self.right) - 1), np.minimum(j + 1, len(self.up) - 1)
        v = self.values
        low = v[i, j] * (1 - a) + v[i1, j] * a
        high = v[i, j1] * (1 - a) + v[i1, j1] * a
        return np.where(inside & within, low * (1 - b) + high * b, np.nan)

    def row(self, up: float) -> np.ndarray:
        """(R,) values along the right at the row nearest to ``up``."""
        return np.asarray(self.values[:, int(np.abs(self.up - up).argmin())])


def _place(nodes: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Node before each place, share of the next one, and whether it is within the nodes."""
    if len(nodes) == 1:
        return np.zeros(at.shape, int), np.zeros(at.shape), np.ones(at.shape, bool)
    slack = 1e-9 * (nodes[-1] - nodes[0])
    inside = (at >= nodes[0] - slack) & (at <= nodes[-1] + slack)
    i = np.clip(np.searchsorted(nodes, at, "right") - 1, 0, len(nodes) - 2)
    return i, np.clip((at - nodes[i]) / (nodes[i + 1] - nodes[i]), 0, 1), inside


def some_of(count: int, most: int) -> np.ndarray:
    """Indices of at most ``most`` of ``count`` nodes, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def nearest(nodes: np.ndarray, at: float) -> int:
    """Index of the node nearest to a place."""
    return int(np.abs(nodes - at).argmin())


def evaluate(field: SampledField, quantity: Quantity, times: slice, cut: Sequence[slice]) -> np.ndarray:
    """(T, X, Y, Z) float a quantity on a box of nodes, ``cut`` giving a slice along x, y and z.

    Derivatives are taken by second-order differences with one node more on each side where there is one.
    """
    if quantity.kind == "component":
        return np.asarray(field.values[(times, quantity.parts[0], *cut)])
    if quantity.kind == "magnitude":
        parts = [np.asarray(field.values[(times, k, *cut)], float) for k in quantity.parts]
        return np.sqrt(sum(part**2 for part in parts))
    wide, inner = [], []
    for part, nodes in zip(cut, (field.x, field.y, field.z), strict=True):
        start, stop, _ = part.indices(len(nodes))
        low, high = max(start - 1, 0), min(stop + 1, len(nodes))
        wide.append(slice(low, high))
        inner.append(slice(start - low, stop - low))
    nodes = [n[part] for n, part in zip((field.x, field.y, field.z), wide, strict=True)]
    parts = [np.asarray(field.values[(times, k, *wide)], float) for k in quantity.parts]

    def d(values: np.ndarray, axis: int) -> np.ndarray:
        if len(nodes[axis]) < 2:
            return np.zeros_like(values)
        return np.asarray(np.gradient(values, nodes[axis], axis=1 + axis, edge_order=min(2, len(nodes[axis]) - 1)))

    if quantity.kind == "divergence":
        found = sum(d(part, axis) for axis, part in enumerate(parts))
    elif len(parts) == 2:
        found = d(parts[1], 0) - d(parts[0], 1)
    else:
        u, v, w = parts
        found = np.sqrt((d(w, 1) - d(v, 2)) ** 2 + (d(u, 2) - d(w, 0)) ** 2 + (d(v, 0) - d(u, 1)) ** 2)
    return np.asarray(found[(slice(None), *inner)])


def _whole(field: SampledField) -> list[slice]:
    return [slice(0, n) for n in field.values.shape[2:]]


def plane(field: SampledField, quantity: Quantity, time: int, axis: int = 2, index: int = 0) -> Plane:
    """A quantity at the ``time``-th time: all of a field in one or two dimensions, or the cut through a field in
    three across ``axis`` at its ``index``-th node. A field in one dimension that changes gives a strip in time."""
    length, unit = field.length_unit, unit_of(quantity, field.unit, field.length_unit)
    names = (*field.coordinates, "x", "y", "z")
    if field.dimensions == 1:
        strip = len(field.times) > 1
        times = slice(None) if strip else slice(time, time + 1)
        values = evaluate(field, quantity, times, _whole(field))[:, :, 0, 0].T
        up = field.times if strip else np.zeros(1)
        return Plane(
            values, field.x, up, (names[0], field.time_name), (length, field.time_unit),
            quantity.title, unit, float(field.times[time]), strip,
        )  # fmt: skip
    cut = _whole(field)
    axis = axis if field.dimensions == 3 else 2
    if field.dimensions == 3:
        index = int(np.clip(index, 0, field.values.shape[2 + axis] - 1))
        cut[axis] = slice(index, index + 1)
    right, up = IN_PLANE[axis]
    values = evaluate(field, quantity, slice(time, time + 1), cut)[0].squeeze(axis)
    axes = (field.x, field.y, field.z)
    return Plane(
        values, axes[right], axes[up], (names[right], names[up]), (length, length),
        quantity.title, unit, float(field.times[time]),
    )  # fmt: skip


def in_plane(field: SampledField, vector: Sequence[str], time: int, axis: int, index: int) -> tuple[Plane, Plane]:
    """The parts of a vector to the right and upwards, on a plane."""
    right, up = IN_PLANE[axis if field.dimensions == 3 else 2]
    found = []
    for k in (right, up):
        part = list(field.components).index(vector[k])
        found.append(plane(field, Quantity(vector[k], vector[k], "component", (part,)), time, axis, index))
    return found[0], found[1]


def history(field: SampledField, quantity: Quantity, point: Sequence[float]) -> np.ndarray:
    """(T,) a quantity at a point in space over all times, linear between the nodes."""
    cut, shares = [], []
    for nodes, at in zip((field.x, field.y, field.z), [*point, 0.0, 0.0], strict=False):
        i, share, _ = _place(nodes, np.array(float(at)))
        cut.append(slice(int(i), min(int(i) + 2, len(nodes))))
        shares.append(float(share))
    values = np.asarray(evaluate(field, quantity, slice(None), cut), float)
    for share in shares:  # the first axis of space goes each time
        values = values[:, 0] if values.shape[1] == 1 else values[:, 0] * (1 - share) + values[:, 1] * share
    return values


def some_values(field: SampledField, quantity: Quantity) -> np.ndarray:
    """Values of a quantity at all times, thinned out evenly: for its range."""
    count, axes = len(field.times), field.values.shape[2:]
    if quantity.is_derivative:
        # Thinning out in space would change derivatives: fewer times, and in three dimensions fewer planes.
        many = int(np.prod(axes)) if field.dimensions < 3 else 3 * axes[0] * axes[1]
        chosen = np.unique(np.linspace(0, count - 1, int(np.clip(SOME // many, 1, 12))).astype(int))
        levels = [slice(0, axes[2])]
        if field.dimensions == 3:
            levels = [slice(k, k + 1) for k in np.unique(np.linspace(0, axes[2] - 1, 5)[1:-1].astype(int))]
        cuts = [[slice(0, axes[0]), slice(0, axes[1]), level] for level in levels]
        parts = [evaluate(field, quantity, slice(t, t + 1), cut) for t in chosen for cut in cuts]
        return np.concatenate([part.ravel() for part in parts])
    times = max(1, -(-count // 24))
    rest = max(1, -(-count // times) * int(np.prod(axes)) // SOME)
    step = int(np.ceil(rest ** (1 / max(field.dimensions, 1))))
    steps = [slice(0, n, step if n > 2 * step else 1) for n in axes]
    return evaluate(field, quantity, slice(0, count, times), steps).ravel()


def unit_of(quantity: Quantity, unit: str, length_unit: str) -> str:
    """Of a quantity: that of the field, for derivatives by the length where both are known."""
    if not quantity.is_derivative:
        return unit
    if not unit or not length_unit:
        return ""
    return (
        f"1/{unit.removeprefix(f'{length_unit}/')}" if unit.startswith(f"{length_unit}/") else f"{unit}/{length_unit}"
    )


def difference(first: Plane, second: Plane) -> Plane:
    """``second`` minus ``first`` on the nodes of the first, NaN where the second has no values."""
    r, u = np.meshgrid(first.right, first.up, indexing="ij")
    values = second.at(r, u) - first.values
    return Plane(
        values, first.right, first.up, first.names, first.units,
        f"difference of {first.title}", first.unit, first.time, first.is_strip,
    )  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """Of a plane. The integral is by the trapezoidal rule; what is not a number counts as nothing there."""

    low: float
    high: float
    mean: float
    integral: float
    norm: float
    """The square root of the integral of the square."""


def measures(shown: Plane) -> Measures | None:
    """None where there is no number at all."""
    values = shown.values.astype(float)
    across, upwards = _trapezoid(shown.right), _trapezoid(shown.up)
    good = np.isfinite(values)
    area = float(across.sum() * upwards.sum())
    if not good.all():
        if not good.any():
            return None
        low, high = float(values[good].min()), float(values[good].max())
        area = float(across @ good @ upwards)
        values = np.where(good, values, 0.0)
    else:
        low, high = float(values.min()), float(values.max())
    integral, square = float(across @ values @ upwards), float(across @ values**2 @ upwards)
    return Measures(low, high, integral / area if area else 0.0, integral, float(np.sqrt(max(square, 0.0))))


def _trapezoid(nodes: np.ndarray) -> np.ndarray:
    if len(nodes) == 1:
        return np.ones(1)
    steps = np.diff(nodes)
    weights = np.zeros(len(nodes))
    weights[:-1] += steps / 2
    weights[1:] += steps / 2
    return weights


def as_grid(field: SampledField, quantity: Quantity, time: int) -> GridField:
    """A quantity of a field in space at one time, on evenly spaced nodes.

    Raises :class:`~engines.core.UserError` where a value is no number.
    """
    values = evaluate(field, quantity, slice(time, time + 1), [slice(0, n) for n in field.shape])[0]
    axes = [np.linspace(nodes[0], nodes[-1], len(nodes)) for nodes in field.axes]
    if not field.is_even:
        values = _evenly(values, field.axes, axes)
    return GridField(
        values=values, origin=[nodes[0] for nodes in axes],
        spacing=[nodes[1] - nodes[0] if len(nodes) > 1 else 1.0 for nodes in axes],
        quantity=quantity.title, unit=unit_of(quantity, field.unit, field.length_unit),
        length_unit=field.length_unit, name=field.name,
    )  # type: ignore[arg-type]  # fmt: skip


def _evenly(values: np.ndarray, axes: Sequence[np.ndarray], even: Sequence[np.ndarray]) -> np.ndarray:
    """Values on evenly spaced nodes instead, linear along each axis in turn."""
    for axis, (nodes, wanted) in enumerate(zip(axes, even, strict=True)):
        if len(nodes) < 3:
            continue
        below = np.clip(np.searchsorted(nodes, wanted, "right") - 1, 0, len(nodes) - 2)
        share = (wanted - nodes[below]) / (nodes[below + 1] - nodes[below])
        shape = [-1 if k == axis else 1 for k in range(3)]
        low, high = np.take(values, below, axis), np.take(values, below + 1, axis)
        values = low + share.reshape(shape) * (high - low)
    return values
