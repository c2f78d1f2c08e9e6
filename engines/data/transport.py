"""What optimal transport takes and gives: measures, cost matrices, couplings, maps and displacements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engines.core import Artifact, UserError, array, arrays
from engines.data.configurations import configuration


class MeasureOrCost(Artifact, abstract=True):
    """What a transport problem begins with: a measure, to which another belongs, or a cost matrix with its weights."""

    title: ClassVar[str] = "Measure or cost matrix"


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure(MeasureOrCost):
    """N weighted points in D dimensions: a cloud, colours, a table of cells, or a histogram on a grid.

    ``weights`` need not sum to one; None is 1/N each. With a ``grid`` the points are its nodes in row-major order:
    (rows, columns), the first row uppermost (its y is the largest), or (depth, rows, columns), or (bins,).
    """

    title: ClassVar[str] = "Measure"

    points: np.ndarray = array("N D", "float64", "positions")
    weights: np.ndarray | None = array("N", "float64", "mass at each point, not negative", optional=True)
    colors: np.ndarray | None = array("N 4", "uint8", "RGBA", optional=True)
    grid: tuple[int, ...] = ()
    dimensions: tuple[str, ...] = ()
    """Names of the D coordinates; empty: x, y, z, or numbers."""
    unit: str = ""

    def validate(self) -> None:
        if not self.points.size:
            raise UserError("The measure has no point.", mend="Give one point or more, each with a coordinate or more.")
        if self.dimensions and len(self.dimensions) != self.points.shape[1]:
            raise UserError(
                f"The measure has {self.points.shape[1]} coordinates and {len(self.dimensions)} names for them.",
                mend="Give each coordinate one name, or none at all.",
            )
        if self.grid and (min(self.grid) < 1 or int(np.prod(self.grid)) != len(self.points)):
            raise UserError(
                f"The grid of {'×'.join(map(str, self.grid))} does not fit {len(self.points):,} points.",
                mend="Check how the measure was put together.",
            )
        if self.weights is not None:
            _check_weights(self.weights, "measure")

    @property
    def mass(self) -> np.ndarray:
        """(N,) float64: the weights as they are, or 1/N each."""
        return self.weights if self.weights is not None else np.full(len(self.points), 1 / len(self.points))

    @property
    def coordinates(self) -> tuple[str, ...]:
        """A name for each of the D coordinates."""
        if self.dimensions:
            return self.dimensions
        count = self.points.shape[1]
        return ("x", "y", "z")[:count] if count <= 3 else tuple(str(i + 1) for i in range(count))

    @property
    def bounds(self) -> np.ndarray:
        """(2, D) lowest and highest corner."""
        return np.stack([self.points.min(0), self.points.max(0)])

    def summary(self) -> str:
        where = f"{'×'.join(map(str, self.grid))} nodes" if self.grid else f"{len(self.points):,} points"
        total = "" if self.weights is None or np.isclose(self.weights.sum(), 1) else f", mass {self.weights.sum():.4g}"
        return f"{where} in {self.points.shape[1]}D{total}"


@dataclass(frozen=True, kw_only=True, eq=False)
class CostMatrix(MeasureOrCost):
    """What it costs to bring a unit of mass from each of M sources to each of N targets. Weights: None is uniform."""

    title: ClassVar[str] = "Cost matrix"

    costs: np.ndarray = array("M N", "float64", "cost of a unit of mass from source (row) to target (column)")
    source_weights: np.ndarray | None = array("M", "float64", "mass of each source", optional=True)
    target_weights: np.ndarray | None = array("N", "float64", "mass of each target", optional=True)
    source_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    unit: str = ""

    def validate(self) -> None:
        if not self.costs.size:
            raise UserError("The cost matrix is empty.", mend="Give a source and a target or more.")
        sides = zip(
            ("source", "target"), (self.source_weights, self.target_weights),
            (self.source_names, self.target_names), self.costs.shape, strict=True,
        )  # fmt: skip
        for side, weights, names, count in sides:
            if weights is not None:
                _check_weights(weights, f"cost matrix, {side}s,")
            if names and len(names) != count:
                raise UserError(f"The cost matrix has {count:,} {side}s and {len(names):,} names for them.",
                                mend="Give each one name, or none at all.")  # fmt: skip

    def summary(self) -> str:
        return f"{self.costs.shape[0]:,} sources × {self.costs.shape[1]:,} targets"


@dataclass(frozen=True, kw_only=True, eq=False)
class Coupling(Artifact):
    """How much mass goes from each of M sources to each of N targets: a plan, dense or by its entries.

    Exactly one of ``plan`` and (``rows``, ``columns``, ``mass``) is given. ``source`` and ``target`` are the measures
    that it couples, where there are such. Potentials x (M,) and y (N,) are those of the method that ``kind`` names.
    """

    title: ClassVar[str] = "Coupling"

    plan: np.ndarray | None = array("M N", "float64", "mass from source (row) to target (column)", optional=True)
    rows: np.ndarray | None = array("K", "int64", "source of each entry", optional=True)
    columns: np.ndarray | None = array("K", "int64", "target of each entry", optional=True)
    mass: np.ndarray | None = array("K", "float64", "mass of each entry", optional=True)
    source_weights: np.ndarray = array("M", "float64", "mass that each source should give")
    target_weights: np.ndarray = array("N", "float64", "mass that each target should get")
    source_potential: np.ndarray | None = array("M", "float64", "dual potential of the sources", optional=True)
    target_potential: np.ndarray | None = array("N", "float64", "dual potential of the targets", optional=True)
    source: Measure | None = None
    target: Measure | None = None
    source_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    kind: str = ""
    """Which problem it solves, in a few words: ``"entropic, η = 1200"``, ``"at most 2 sources a target"``."""
    cost: str = ""
    """Name of the ground cost."""

    def validate(self) -> None:
        entries = (self.rows, self.columns, self.mass)
        if (self.plan is None) == (entries[0] is None) or len({e is None for e in entries}) > 1:
            raise UserError("The coupling has no plan, or two.", mend="Give a dense plan, or rows, columns and mass.")
        if self.rows is not None and self.columns is not None and len(self.rows):
            low = min(int(self.rows.min()), int(self.columns.min()))
            if low < 0 or self.rows.max() >= self.shape[0] or self.columns.max() >= self.shape[1]:
                raise UserError("An entry of the coupling lies outside of it.",
                                f"It has {self.shape[0]:,} rows and {self.shape[1]:,} columns, counted from 0.",
                                "Check its rows and columns.")  # fmt: skip
        held = self.plan if self.plan is not None else self._listed[2]
        if held.size and held.min() < 0:
            raise UserError("The coupling holds negative mass.", mend="Check how the plan was put together.")
        for side, measure, names, count in (
            ("source", self.source, self.source_names, self.shape[0]),
            ("target", self.target, self.target_names, self.shape[1]),
        ):
            if (measure is not None and len(measure.points) != count) or (names and len(names) != count):
                raise UserError(f"The coupling has {count:,} {side}s; what it is said to couple has other numbers.",
                                mend="Check how the coupling was put together.")  # fmt: skip

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.source_weights), len(self.target_weights)

    @property
    def _listed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and mass as they were given; of a dense plan, of its entries that are not zero, by rows."""
        if self.rows is not None and self.columns is not None and self.mass is not None:
            return self.rows, self.columns, self.mass
        plan = np.asarray(self.plan)
        rows, columns = np.nonzero(plan)
        return rows, columns, plan[rows, columns]

    @property
    def count(self) -> int:
        """How many entries are not zero."""
        return int(np.count_nonzero(self.plan if self.plan is not None else self._listed[2]))

    def entries(self, least: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and mass of the entries above ``least``, by rows."""
        rows, columns, mass = self._listed
        kept = np.flatnonzero(mass > least)
        if self.plan is None:
            kept = kept[np.lexsort((columns[kept], rows[kept]))]
        return rows[kept], columns[kept], mass[kept]

    def dense(self) -> np.ndarray:
        """(M, N) float64."""
        if self.plan is not None:
            return self.plan
        rows, columns, mass = self._listed
        return np.bincount(rows * self.shape[1] + columns, mass, self.shape[0] * self.shape[1]).reshape(self.shape)

    @property
    def marginals(self) -> tuple[np.ndarray, np.ndarray]:
        """(M,) and (N,): the mass that goes out of each source and into each target."""
        if self.plan is not None:
            return self.plan.sum(1), self.plan.sum(0)
        rows, columns, mass = self._listed
        return np.bincount(rows, mass, self.shape[0]), np.bincount(columns, mass, self.shape[1])

    @property
    def marginal_errors(self) -> tuple[float, float]:
        """L1 distance of the two marginals from the weights."""
        out, into = self.marginals
        return float(np.abs(out - self.source_weights).sum()), float(np.abs(into - self.target_weights).sum())

    def summary(self) -> str:
        kind = f"; {self.kind}" if self.kind else ""
        return f"{self.shape[0]:,} × {self.shape[1]:,}, {self.count:,} entries{kind}"


@dataclass(frozen=True, kw_only=True, eq=False)
class TransportMap(Artifact):
    """A learned or closed map T of points in D dimensions, that takes ``source`` to ``target``.

    ``form`` says how ``weights`` and ``config`` (JSON) become T: a name of :mod:`engines.blocks.transport.maps`.
    """

    title: ClassVar[str] = "Transport map"

    weights: dict[str, np.ndarray] = arrays("...", "any", "parameters by name")
    form: str
    config: str = "{}"
    source: Measure
    target: Measure
    cost: str = ""
    """Name of the ground cost that its displacements should have little of."""

    def validate(self) -> None:
        _ = self.configuration  # raises where it cannot be read

    @property
    def configuration(self) -> dict[str, Any]:
        return configuration(self.config, "transport map", "Learn the map again.")

    @property
    def size(self) -> int:
        """How many numbers it stores."""
        return sum(w.size for w in self.weights.values())

    def summary(self) -> str:
        return f"{self.form} in {self.source.points.shape[1]}D, {self.size:,} numbers"


@dataclass(frozen=True, kw_only=True, eq=False)
class Displacements(Artifact):
    """N points and where a map takes them, with the measure that they should come to, where it is known."""

    title: ClassVar[str] = "Displacements"

    starts: np.ndarray = array("N D", "float64", "points as they were")
    ends: np.ndarray = array("N D", "float64", "where each of them goes")
    weights: np.ndarray | None = array("N", "float64", "mass of each, not negative; none: 1/N", optional=True)
    target: Measure | None = None
    dimensions: tuple[str, ...] = ()
    unit: str = ""

    def validate(self) -> None:
        if self.dimensions and len(self.dimensions) != self.starts.shape[1]:
            raise UserError("The displacements have other coordinates than names.", mend="Name each coordinate once.")
        if self.weights is not None:
            _check_weights(self.weights, "displacements")
        if self.target is not None and self.target.points.shape[1] != self.starts.shape[1]:
            raise UserError("The target of the displacements has other dimensions than they.",
                            mend="Choose a target in the same space.")  # fmt: skip

    @property
    def moved(self) -> Measure:
        """The points where they end."""
        return Measure(name=self.name, points=self.ends, weights=self.weights, dimensions=self.dimensions,
                       unit=self.unit)  # fmt: skip

    def summary(self) -> str:
        length = float(np.linalg.norm(self.ends - self.starts, axis=1).mean()) if len(self.starts) else 0.0
        unit = f" {self.unit}" if self.unit else ""
        return f"{len(self.starts):,} points in {self.starts.shape[1]}D, moved by {length:.3g}{unit} on average"


def _check_weights(weights: np.ndarray, of: str) -> None:
    if len(weights) and weights.min() < 0:
        bad = int(np.argmin(weights))
        raise UserError(f"A weight of the {of.rstrip(',')} is negative.", f"Weight {bad + 1:,} is {weights[bad]:.4g}.",
                        "Correct or remove it: mass is never negative.")  # fmt: skip
    if not weights.sum() > 0:
        raise UserError(f"The weights of the {of.rstrip(',')} are all zero.", mend="Give some mass to one of them.")


__all__ = ["CostMatrix", "Coupling", "Displacements", "Measure", "MeasureOrCost", "TransportMap"]
