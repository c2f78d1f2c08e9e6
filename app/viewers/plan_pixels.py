"""A plan or a cost matrix as a picture: each of its pixels stands for the entries that lie in it, and none is lost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engines.data import CostMatrix, Coupling

POOLS = {"largest": "Largest entry", "sum": "Sum of entries", "mean": "Mean of entries"}
"""What a pixel shows of several entries."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """Numbers (M, N), dense or by entries; those that are not listed, and zeros of a plan, are blank."""

    shape: tuple[int, int]
    dense: np.ndarray | None = None
    rows: np.ndarray | None = None
    columns: np.ndarray | None = None
    values: np.ndarray | None = None
    zeros_are_blank: bool = True

    @classmethod
    def of(cls, artifact: Coupling | CostMatrix) -> Matrix:
        if isinstance(artifact, CostMatrix):
            return cls(artifact.costs.shape, artifact.costs, zeros_are_blank=False)  # type: ignore[arg-type]
        if artifact.plan is not None:
            return cls(artifact.shape, artifact.plan)
        return cls(artifact.shape, None, *artifact.entries())

    @cached_property
    def span(self) -> tuple[float, float]:
        """Lowest and highest value that is not blank."""
        values = self.dense if self.dense is not None else self.values
        assert values is not None
        high = float(values.max(initial=0.0)) if self.zeros_are_blank else float(values.max())
        if not self.zeros_are_blank:
            return float(values.min()), high
        low = float(np.min(values, initial=high, where=values > 0))
        return low, high

    def at(self, row: int, column: int) -> float:
        """One of them; 0 where none is listed."""
        if self.dense is not None:
            return float(self.dense[row, column])
        assert self.rows is not None
        assert self.columns is not None
        assert self.values is not None
        low, high = np.searchsorted(self.rows, (row, row + 1))  # entries come by rows
        return float(self.values[low:high][self.columns[low:high] == column].sum())


@dataclass(frozen=True)
class Window:
    """Rows and columns, in the order on show, from the first to before the last."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def pooled(
    matrix: Matrix, order: tuple[np.ndarray, np.ndarray], window: Window, size: tuple[int, int], pool: str = "largest"
) -> np.ndarray:
    """At most ``size`` (height, width) pixels of a window; NaN where all is blank.

    ``order`` holds the original index of the row and of the column at each place. Where there are fewer entries than
    pixels each entry is one pixel.
    """
    height, width = min(size[0], window.height), min(size[1], window.width)
    if matrix.dense is None:
        found = _pooled_entries(matrix, order, window, (height, width), pool)
    else:
        found = _pooled_dense(matrix.dense, order, window, (height, width), pool)
    if pool == "mean":  # of all entries, those that are not listed included
        many = [np.diff(np.append(_edges(n, k), n)) for n, k in ((window.height, height), (window.width, width))]
        found /= np.outer(*many)
    if matrix.zeros_are_blank:
        found[found == 0] = np.nan
    return found


def _edges(count: int, pixels: int) -> np.ndarray:
    """The first entry of each pixel."""
    return np.arange(pixels) * count // pixels


def _pooled_dense(
    values: np.ndarray, order: tuple[np.ndarray, np.ndarray], window: Window, size: tuple[int, int], pool: str
) -> np.ndarray:
    rows = order[0][window.top : window.bottom]
    columns = order[1][window.left : window.right]
    combine = np.maximum if pool == "largest" else np.add
    as_they_are = np.array_equal(columns, np.arange(columns[0], columns[0] + len(columns)))
    across = slice(int(columns[0]), int(columns[0]) + len(columns)) if as_they_are else columns
    tops, lefts = np.append(_edges(len(rows), size[0]), len(rows)), _edges(len(columns), size[1])
    found = np.empty(size)
    for k in range(size[0]):  # a strip at a time: a copy in another order of all of a large plan takes its room again
        strip = combine.reduce(values[rows[tops[k] : tops[k + 1]]], 0)[across]
        found[k] = combine.reduceat(strip, lefts)
    return found


def _pooled_entries(
    matrix: Matrix, order: tuple[np.ndarray, np.ndarray], window: Window, size: tuple[int, int], pool: str
) -> np.ndarray:
    assert matrix.rows is not None
    assert matrix.columns is not None
    assert matrix.values is not None
    place = [np.empty(n, np.int64) for n in matrix.shape]
    for k in range(2):
        place[k][order[k]] = np.arange(matrix.shape[k])
    down, right = place[0][matrix.rows] - window.top, place[1][matrix.columns] - window.left
    inside = (down >= 0) & (down < window.height) & (right >= 0) & (right < window.width)
    y = np.searchsorted(_edges(window.height, size[0]), down[inside], "right") - 1
    x = np.searchsorted(_edges(window.width, size[1]), right[inside], "right") - 1
    found = np.zeros(size[0] * size[1])
    if pool == "largest":
        np.maximum.at(found, y * size[1] + x, matrix.values[inside])
    else:
        found += np.bincount(y * size[1] + x, matrix.values[inside], len(found))
    return found.reshape(size)


def orders(artifact: Coupling | CostMatrix, *, by_barycentre: bool) -> tuple[np.ndarray, np.ndarray]:
    """The original index of the row and of the column at each place. Not for the GUI thread.

    By barycentre: where positions are known, rows along the direction in which source and target spread most, and
    columns by the mean place of what comes to them. Without positions, columns by the mean place of what comes to them
    and rows by that of where they send it, again and again, which brings out what belongs together (reciprocal
    averaging, Hill 1973).
    """
    matrix = Matrix.of(artifact)
    count = matrix.shape
    if not by_barycentre:
        return np.arange(count[0]), np.arange(count[1])
    known = _places(artifact)
    place = known if known is not None else np.linspace(-1, 1, count[0])
    if isinstance(artifact, CostMatrix):
        plan = artifact.costs.max() - artifact.costs  # what is cheap belongs together
    elif matrix.dense is not None:
        plan = matrix.dense
    else:
        from scipy.sparse import csr_array

        plan = csr_array((matrix.values, (matrix.rows, matrix.columns)), count)
    out, into = np.asarray(plan.sum(1)).ravel(), np.asarray(plan.sum(0)).ravel()
    for _ in range(1 if known is not None else 30):
        columns = _mean(plan.T @ place, into)
        if known is None:
            place = _mean(plan @ columns, out)
            place = place - np.average(place, weights=out) if out.sum() > 0 else place
            place = place / (np.abs(place).max() or 1.0)
    return np.argsort(place, kind="stable"), np.argsort(columns, kind="stable")


def _mean(sums: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Those that have no mass stand last."""
    found = np.zeros(len(sums))
    good = mass > 0
    found[good] = sums[good] / mass[good]
    found[~good] = found[good].max(initial=0.0)
    return found


def _places(artifact: Coupling | CostMatrix) -> np.ndarray | None:
    """(M,) of the sources along the direction in which both clouds together spread most."""
    source, target = getattr(artifact, "source", None), getattr(artifact, "target", None)
    if source is None or target is None or source.points.shape[1] != target.points.shape[1]:
        return None
    from app.viewers.transport_axes import principal
    from app.viewers.transport_content import Cloud

    middle, components, _ = principal([Cloud("", m.points, m.mass) for m in (source, target)])
    return np.asarray((source.points - middle) @ components[0])


__all__ = ["POOLS", "Matrix", "Window", "orders", "pooled"]
