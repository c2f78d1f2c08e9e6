"""NumPy archives of others (``.npz``) as measures and cost matrices.

Known by their names: two clouds ``X`` and ``Y`` with weights ``a`` and ``b``, costs ``C`` with the same weights, or
``points`` and ``weights``. Others are told by the options.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engines.core import Param, Params
from engines.data import CostMatrix, Measure
from engines.files import guard
from engines.files.npz import archive_arrays
from engines.files.registry import Loaded, reader

NAMES = {
    "points": ("X", "points", "x", "source"), "weights": ("a", "weights", "source_weights", "mass"),
    "second_points": ("Y", "y", "target"), "second_weights": ("b", "target_weights"),
    "costs": ("C", "M", "costs", "cost"),
}  # fmt: skip
"""What each array is called, the usual first."""


class NpzPointsOptions(Params):
    points: str = Param("", empty="X or points", help="Array (N, D) of positions")
    weights: str = Param("", empty="a or weights", help="Array (N) of their mass, or of the sources of costs")
    second_points: str = Param("", empty="Y", help="Array (M, D) of the positions of a second measure")
    second_weights: str = Param("", empty="b", help="Array (M) of their mass, or of the targets of costs")
    costs: str = Param("", empty="C or costs", help="Array (N, M) of costs")


@reader(
    key="npz-points", title="NumPy arrays of points or costs", extensions=(".npz",), gives=(Measure, CostMatrix),
    options=NpzPointsOptions,
)  # fmt: skip
def read_npz_points(path: Path, options: NpzPointsOptions) -> Loaded:
    """A cost matrix if there is one, or else one measure or two."""
    return points_from(path, archive_arrays(path), options)


def says_so(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether an archive holds nothing but clouds, or costs, with weights, by names that are used for nothing else."""
    shapes = {name: values.shape for name, values in arrays.items()}
    ends = {k: n for k, n in shapes.items() if k in ("a", "b", "weights")}
    if set(shapes) - set(ends) == {"X", "Y"}:
        return len(shapes["X"]) == len(shapes["Y"]) == 2 and shapes["X"][1] == shapes["Y"][1] and "weights" not in ends
    if set(shapes) - set(ends) == {"C"} and len(shapes["C"]) == 2 and "weights" not in ends:
        return bool(ends) and all(n == (shapes["C"][k == "b"],) for k, n in ends.items())
    return set(shapes) == {"points", "weights"} and shapes["points"][:1] == shapes["weights"]


def points_from(path: Path, arrays: Mapping[str, np.ndarray], options: NpzPointsOptions) -> Loaded:
    found: dict[str, np.ndarray | None] = {}
    used = []
    for role, usual in NAMES.items():
        given = getattr(options, role).strip()
        if given and given not in arrays:
            raise guard.refuse(
                path, f"has no array '{given[:60]}'.", f"It has: {guard.some(arrays)}.", "Choose one of them."
            )
        name = given or next((n for n in usual if n in arrays and n not in used), None)
        found[role] = None if name is None else _numbers(path, name, arrays[name])
        used += [] if name is None else [name]
    if found["costs"] is None and found["points"] is None:
        raise guard.refuse(
            path, "has no points and no costs.", f"Its arrays: {guard.some(arrays) or 'none'}.",
            "Call them X and Y with weights a and b, or C, or choose them below.",
        )  # fmt: skip
    left = [n for n in arrays if n not in used]
    problems = (f"Arrays that were left out: {guard.some(left)}.",) if left else ()
    if found["costs"] is not None:
        costs = CostMatrix(name=path.stem, costs=found["costs"], source_weights=found["weights"],
                           target_weights=found["second_weights"])  # fmt: skip
        return Loaded((costs,), problems)
    several = found["second_points"] is not None
    measures = [
        Measure(name=name if several else path.stem, points=_columns(points), weights=weights)
        for name, points, weights in (
            ("source", found["points"], found["weights"]), ("target", found["second_points"], found["second_weights"]),
        )
        if points is not None
    ]  # fmt: skip
    return Loaded(tuple(measures), problems)


def _numbers(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise guard.refuse(path, f"has no numbers in '{name[:60]}'.", f"They are {values.dtype}.", "Save real numbers.")
    return values


def _columns(points: np.ndarray) -> np.ndarray:
    """(N, D): a list of numbers is N points on a line."""
    return points[:, None] if points.ndim == 1 else points
