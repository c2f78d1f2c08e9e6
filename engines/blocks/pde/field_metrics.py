"""How far a field is from the true one. All take numpy arrays or tensors of equal shape, and give a number.

NaN in the truth marks what is not known: it does not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from engines.data import SampledField, Table


def _pair(field: ArrayLike | Tensor, truth: ArrayLike | Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64, where the truth is known. Raises ValueError where their shapes differ."""
    a, b = (np.asarray(v.detach().cpu() if isinstance(v, Tensor) else v, float) for v in (field, truth))
    if a.shape != b.shape:
        raise ValueError(f"a field of shape {a.shape} cannot be compared with one of shape {b.shape}")
    known = ~np.isnan(b)
    return a[known], b[known]


def relative_l2(field: ArrayLike | Tensor, truth: ArrayLike | Tensor) -> float:
    """||field - truth|| / ||truth||; infinite where the truth vanishes and the field does not."""
    a, b = _pair(field, truth)
    apart, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(b))
    return apart / size if size else float("inf") if apart else 0.0


def largest_error(field: ArrayLike | Tensor, truth: ArrayLike | Tensor) -> float:
    """max |field - truth|."""
    a, b = _pair(field, truth)
    return float(np.abs(a - b).max(initial=0.0))


def mean_squared_error(field: ArrayLike | Tensor, truth: ArrayLike | Tensor) -> float:
    """mean (field - truth)^2."""
    a, b = _pair(field, truth)
    return float(np.mean((a - b) ** 2)) if a.size else 0.0


def normalised_squared_error(field: ArrayLike | Tensor, truth: ArrayLike | Tensor) -> float:
    """NSE = (||field - truth|| / ||truth||)^2."""
    return relative_l2(field, truth) ** 2


def coverage(
    mean: ArrayLike | Tensor, deviation: ArrayLike | Tensor, truth: ArrayLike | Tensor, width: float = 2.0
) -> float:
    """Share of the true values within ``width`` standard deviations of the mean (0.954 of a normal law for 2)."""
    a, b = _pair(mean, truth)
    s, _ = _pair(deviation, truth)
    return float(np.mean(np.abs(a - b) <= width * s)) if a.size else 0.0


STORED = "Numbers stored"


def score_table(field: SampledField, truth: SampledField, name: str = "Scores", stored: int = 0) -> Table:
    """Each metric of each component over all times and nodes.

    ``stored`` numbers hold the solution, where that is not what the field shows of it.
    """
    kept = {STORED: np.full(len(field.components), stored)} if stored else {}
    rows = [(field.values[:, c], truth.values[:, c]) for c in range(len(field.components))]
    return Table(
        name=name,
        columns={
            "Field": np.array(field.components),
            "Relative L2 error": np.array([relative_l2(*row) for row in rows]),
            "Largest error": np.array([largest_error(*row) for row in rows]),
            "Mean squared error": np.array([mean_squared_error(*row) for row in rows]),
            **kept,
        },
        units={"Largest error": field.unit, "Mean squared error": f"({field.unit})²" if field.unit else ""},
    )


def difference(field: SampledField, truth: SampledField) -> SampledField:
    """field - truth at the same nodes, as a field."""
    return field.replace(values=field.values - truth.values, name="Error", vectors=())


__all__ = [
    "STORED",
    "coverage",
    "difference",
    "largest_error",
    "mean_squared_error",
    "normalised_squared_error",
    "relative_l2",
    "score_table",
]
