"""What is known of a plan or a cost matrix on show: its order, its marginals and what they should be, and words."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from app.viewers import plan_pixels
from app.viewers.overlay import number
from app.viewers.plan_pixels import Matrix
from engines.data import CostMatrix, Coupling

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Facts:
    """Of one artifact. Pairs are of rows and columns, by their original indices; ``order`` tells which is where."""

    artifact: Coupling | CostMatrix
    matrix: Matrix
    order: Pair
    is_sorted: bool
    wanted: tuple[np.ndarray | None, np.ndarray | None]
    """The mass that each should give or get; None where nothing is known of it."""
    given: tuple[np.ndarray | None, np.ndarray | None]
    """The mass that each gives or gets; None of a cost matrix."""
    names: tuple[tuple[str, ...], tuple[str, ...]]
    words: list[str] = field(default_factory=list)

    @property
    def quantity(self) -> str:
        return "cost" if isinstance(self.artifact, CostMatrix) else "mass"

    @property
    def unit(self) -> str:
        return self.artifact.unit if isinstance(self.artifact, CostMatrix) else ""

    @property
    def titles(self) -> tuple[str, str]:
        """Of the axes."""
        order = ", by barycentre" if self.is_sorted else ""
        return f"source{order}", f"target{order}"

    def describe(self, row: int, column: int) -> str:
        """The entry at a place on show, in words."""
        i, j = int(self.order[0][row]), int(self.order[1][column])
        sides = zip(self.names, (i, j), ("source", "target"), strict=True)
        called = [names[k] if names else f"{side} {k}" for names, k, side in sides]
        value = self.matrix.at(i, j)
        text = f"{called[0]} → {called[1]}   {self.quantity} {number(value, 4)} {self.unit}".rstrip()
        given = self.given
        if value <= 0 or given[0] is None or given[1] is None:
            return text
        shares = (100 * value / given[0][i], 100 * value / given[1][j])
        return f"{text}   {number(shares[0], 3)} % of what it gives, {number(shares[1], 3)} % of what that gets"


def facts_of(artifact: Coupling | CostMatrix, *, by_barycentre: bool) -> Facts:
    """Not for the GUI thread: it goes over all entries."""
    matrix = Matrix.of(artifact)
    order = plan_pixels.orders(artifact, by_barycentre=by_barycentre)
    names = artifact.source_names, artifact.target_names
    wanted = artifact.source_weights, artifact.target_weights
    _ = matrix.span
    if isinstance(artifact, CostMatrix):
        return Facts(artifact, matrix, order, by_barycentre, wanted, (None, None), names, [artifact.summary()])
    given = artifact.marginals
    off = [float(np.abs(a - b).sum()) for a, b in zip(given, wanted, strict=True)]
    count = artifact.count
    share = number(100 * count / (artifact.shape[0] * artifact.shape[1]), 3)
    words = [
        f"{artifact.shape[0]:,} × {artifact.shape[1]:,}",
        f"{count:,} entries ({share} %)",
        f"marginal errors: rows {number(off[0], 2)}, columns {number(off[1], 2)}",
    ]
    return Facts(artifact, matrix, order, by_barycentre, wanted, given, names, words)


__all__ = ["Facts", "facts_of"]
