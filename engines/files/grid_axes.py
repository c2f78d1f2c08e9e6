"""Which axis of an array is which: by names that the file gives, or by the lengths of the vectors of nodes in it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np

from engines.core import UserError
from engines.files import guard

TIMES = ("t", "tt", "time", "times", "tspan", "ts")
COMPONENTS = ("c", "component", "components", "channel", "channels")
SPACE = (
    ("x", "xx", "lon", "longitude", "xc", "projection_x_coordinate"),
    ("y", "yy", "lat", "latitude", "yc", "projection_y_coordinate"),
    ("z", "zz", "lev", "level", "depth", "height", "altitude", "zc"),
)
"""Names of the axes of space that have a place of their own, whatever their order in the file."""
NAMED = {
    1: ("x",),
    2: ("x", "y"),
    3: ("x", "y", "z"),
    4: ("t", "x", "y", "z"),
    5: ("t", "c", "x", "y", "z"),
}
"""What the axes of an array are taken for where nothing says what they are."""
MOST_VECTORS = 8


@dataclass(frozen=True)
class Axis:
    """``nodes`` are positions along it; None where the file has none."""

    name: str
    length: int
    nodes: np.ndarray | None = None

    @property
    def kind(self) -> str:
        name = self.name.lower()
        return "time" if name in TIMES else "component" if name in COMPONENTS else "space"


def rank(name: str) -> int | None:
    """0, 1 or 2 for names of x, y and z; None for others."""
    return next((i for i, names in enumerate(SPACE) if name.lower() in names), None)


def known(name: str) -> bool:
    """Whether a vector of this name holds the nodes of an axis."""
    return name.lower() in TIMES or rank(name) is not None


def named_axes(path: Path, text: str, dimensions: int) -> tuple[str, ...]:
    """Axis names as a person types them: ``"t x y"``, ``"t,x,y"`` or ``"txy"``."""
    names = tuple(re.split(r"[\s,;]+", text.strip()))
    if len(names) == 1 and len(text.strip()) == dimensions and set(text.strip()) <= set("tcxyz"):
        names = tuple(text.strip())
    if len(names) != dimensions or len(set(names)) != len(names):
        raise guard.refuse(
            path,
            f"cannot have the axes '{text.strip()}'.",
            f"Its values have {dimensions} axes; {len(set(names))} different names were given.",
            f"Give a name for each, such as '{' '.join(NAMED.get(dimensions, NAMED[3]))}'.",
        )
    return names


def with_nodes(path: Path, names: Sequence[str], shape: Sequence[int], vectors: Mapping[str, np.ndarray]) -> list[Axis]:
    """Axes by their names; each takes the vector of its name, which must be as long as the axis."""
    found = []
    for name, length in zip(names, shape, strict=True):
        nodes = vectors.get(name)
        if nodes is None and name.lower() in TIMES:
            nodes = next((v for k, v in vectors.items() if k.lower() in TIMES), None)
        if nodes is not None and len(nodes) != length:
            raise mismatch(path, shape, {name: nodes})
        found.append(Axis(name, length, nodes))
    return found


def matched(
    path: Path,
    shape: Sequence[int],
    vectors: Mapping[str, np.ndarray],
    time_last: bool,
    fixed: Mapping[str, int] | None = None,
) -> tuple[list[Axis], tuple[str, ...]]:
    """Axes by the lengths of vectors, and what should be said of it.

    Among the ways that fit, the one that uses the most vectors of known names is taken, in the order t, x, y, z (with
    ``time_last``: x, y, z, t). ``fixed`` says of some which axis they belong
    to. Raises :class:`UserError` when an axis is left without nodes while a vector of a known name fits none.
    """
    usable = {k: v for k, v in vectors.items() if len(v) in shape}
    order = sorted(usable, key=lambda k: (not known(k), _place(k, time_last)))[:MOST_VECTORS]
    place = dict(fixed or {})
    choices: list[list[str | None]] = [
        [*(k for k in order if len(usable[k]) == n and place.get(k, i) == i), None] for i, n in enumerate(shape)
    ]
    best: tuple[tuple[int, ...], tuple[str | None, ...]] | None = None
    for way in itertools.product(*choices):
        taken = [k for k in way if k is not None]
        if len(set(taken)) == len(taken) and (best is None or _score(way, time_last) > best[0]):
            best = _score(way, time_last), way
    assert best is not None  # no vector at all is a way, too
    way = best[1]
    left_over = {k: v for k, v in vectors.items() if known(k) and k not in way and len(v) > 1}
    if None in way and left_over:
        raise mismatch(path, shape, left_over)
    used = [k for k in way if k is not None]
    alike = [k for k in used if k not in place and sum(len(usable[other]) == len(usable[k]) for other in used) > 1]
    problems: tuple[str, ...] = ()
    if alike:
        problems = (
            f"{' and '.join(alike)} have equally many nodes ({len(usable[alike[0]]):,}): the axes were taken as"
            f" {', '.join(k or '?' for k in way)}. If that is wrong, say what they are.",
        )
    axes = [Axis(k or "", n, usable[k] if k else None) for k, n in zip(way, shape, strict=True)]
    return axes, problems


def _place(name: str, time_last: bool) -> int:
    """Where an axis stands by convention."""
    if name.lower() in TIMES:
        return 9 if time_last else -1
    place = rank(name)
    return 5 if place is None else place


def _score(way: Sequence[str | None], time_last: bool) -> tuple[int, ...]:
    places = [_place(k, time_last) for k in way if k is not None]
    wrong = sum(a > b for a, b in itertools.pairwise(places))
    return sum(k is not None and known(k) for k in way), len(places), -wrong


def mismatch(path: Path, shape: Sequence[int], vectors: Mapping[str, np.ndarray]) -> UserError:
    lengths = ", ".join(f"{k} has {len(v):,} nodes" for k, v in vectors.items())
    return guard.refuse(
        path,
        "has a grid that does not fit its axes.",
        f"The values are {'×'.join(f'{n:,}' for n in shape)}; {lengths}.",
        "Give nodes for each axis, or name the axes in the order of the array.",
    )


def named_by_default(axes: Sequence[Axis]) -> list[Axis]:
    """Names for those that have none: what is usual where nothing is known, else the first that are free."""
    if all(not a.name for a in axes):
        return [replace(a, name=n) for n, a in zip(NAMED[len(axes)], axes, strict=True)]
    free = iter([n for n in ("t", "x", "y", "z", "c") if not any(_same(n, a.name) for a in axes)])
    return [a if a.name else replace(a, name=next(free)) for a in axes]


def _same(one: str, other: str) -> bool:
    if one == other:
        return True
    if one == "t":
        return other.lower() in TIMES
    return rank(one) is not None and rank(one) == rank(other)


def vector_of(values: np.ndarray) -> np.ndarray | None:
    """(N,) nodes from a row or column of real numbers."""
    if values.dtype.kind not in "iuf" or values.size != max(values.shape, default=0) or not values.size:
        return None
    return values.reshape(-1).astype(np.float64)


def mesh_of(values: np.ndarray, shape: Sequence[int]) -> tuple[int, np.ndarray] | None:
    """Axis and nodes of an array that changes along one axis only, as meshgrid makes it for values of this shape."""
    if values.shape != tuple(shape) or values.dtype.kind not in "iuf" or prod(shape) < 2:
        return None
    for axis in range(values.ndim):
        line = tuple(slice(None) if i == axis else slice(0, 1) for i in range(values.ndim))
        if values.shape[axis] > 1 and np.array_equal(values, np.broadcast_to(values[line], values.shape)):
            return axis, values[line].reshape(-1).astype(np.float64)
    return None


__all__ = ["Axis", "known", "matched", "mesh_of", "mismatch", "named_axes", "named_by_default", "rank", "vector_of"]
