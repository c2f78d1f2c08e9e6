"""Two measures, or a cost matrix, made into a problem that a solver takes, and the solver's plan given back.

A solver sees costs C (m, n) divided by ``scale``, and weights a (m,), b (n,), all positive and of one total. Points
without mass are left out; in the coupling they stand again, with no mass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.costs import Cost, GroundCost
from engines.core import Artifact, Param, Params, Run, UserError
from engines.data import CostMatrix, Coupling, Measure, MeasureOrCost

SAME_TOTAL = 1e-9
"""Totals that differ by more than this share of themselves are refused."""
ON_SPHERE = 1e-6
GIVEN = "given"
"""Name of the cost where a cost matrix is given."""


class CouplingParams(Params):
    """Settings that all methods that compute a coupling share."""

    cost: GroundCost = Param(
        "squared Euclidean", label="Ground cost", source="usual choice",
        help="What it takes to move a unit of mass between two points; a cost matrix brings its own",
    )  # fmt: skip
    p: float = Param(
        1.5, ge=1, le=10, advanced=True, label="Exponent of the p-norm", source="own choice",
        help="The p-norm cost is the sum over coordinates of |x − y| to this power",
    )  # fmt: skip
    tau: float = Param(
        1.0, ge=0, le=1e6, advanced=True, label="Weight of the city block", source="own choice",
        help="The elastic cost is ½|x − y|² plus this much of the city block distance",
    )  # fmt: skip
    scale: Literal["largest", "mean", "none"] = Param(
        "largest", label="Divide costs by", source="usual choice",
        help="Their largest or mean size, so that the regularisation means the same for all data. Results are told "
        "in the costs as they were",
    )  # fmt: skip
    weights: Literal["as they are", "normalised"] = Param(
        "as they are", label="Weights", source="own choice", help="Normalised: each side is divided by its total mass"
    )

    @property
    def ground_cost(self) -> Cost:
        return Cost(self.cost, self.p, self.tau)


@dataclass(frozen=True, eq=False)
class TransportProblem:
    """min over P >= 0 with P 1 = a and P' 1 = b of <C, P>, regularised by whoever solves it.

    ``costs`` (m, n), ``a`` (m,) and ``b`` (n,) are float64 on the run's device; costs are those of the data divided by
    ``scale``. ``rows`` and ``columns`` are the points that have mass, of ``shape`` in all.
    """

    costs: Tensor
    a: Tensor
    b: Tensor
    scale: float
    shape: tuple[int, int]
    rows: np.ndarray
    columns: np.ndarray
    cost_name: str
    between: Callable[[np.ndarray, np.ndarray], Tensor]
    """Unscaled costs of some rows and some columns of all."""
    source: Measure | None = None
    target: Measure | None = None
    source_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether every point has mass."""
        return self.shape == (len(self.rows), len(self.columns))

    def coupling(
        self,
        *,
        plan: Tensor | np.ndarray | None = None,
        entries: tuple[Tensor | np.ndarray, ...] | None = None,
        potentials: tuple[Tensor | np.ndarray, Tensor | np.ndarray] | None = None,
        kind: str = "",
        name: str = "Coupling",
    ) -> Coupling:
        """The coupling of all points, from a dense ``plan`` (m, n) or from ``entries``: rows, columns and mass.

        ``potentials`` (m,) and (n,) belong to the scaled costs; in the coupling they belong to the costs as they were.
        A point without mass has the largest potential that no constraint f_i + g_j <= c_ij forbids (its c-transform):
        an entropic potential of the convention in which it would be −∞ is filled in the same way.
        """
        given: dict[str, Any] = {}
        if plan is not None:
            given["plan"] = self._spread(_array(plan))
        elif entries is not None:
            rows, columns, mass = map(_array, entries)
            given |= {"rows": self.rows[rows], "columns": self.columns[columns], "mass": mass}
        if potentials is not None:
            given |= self._potentials(*(self.scale * _array(f) for f in potentials))
        return Coupling(
            name=name,
            source_weights=_filled(_array(self.a), self.rows, self.shape[0]),
            target_weights=_filled(_array(self.b), self.columns, self.shape[1]),
            source=self.source, target=self.target, source_names=self.source_names, target_names=self.target_names,
            kind=kind, cost=self.cost_name, **given,
        )  # fmt: skip

    def _spread(self, plan: np.ndarray) -> np.ndarray:
        if self.is_whole:
            return plan
        whole = np.zeros(self.shape)
        whole[np.ix_(self.rows, self.columns)] = plan
        return whole

    def _potentials(self, f: np.ndarray, g: np.ndarray) -> dict[str, np.ndarray]:
        whole_f, whole_g = _filled(f, self.rows, self.shape[0]), _filled(g, self.columns, self.shape[1])
        lost_rows = np.setdiff1d(np.arange(self.shape[0]), self.rows)
        lost_columns = np.setdiff1d(np.arange(self.shape[1]), self.columns)
        if len(lost_rows):
            costs = self.between(lost_rows, self.columns).cpu().numpy()
            whole_f[lost_rows] = np.nan_to_num((costs - g).min(1), posinf=0, neginf=0)
        if len(lost_columns):
            costs = self.between(np.arange(self.shape[0]), lost_columns).cpu().numpy()
            whole_g[lost_columns] = np.nan_to_num((costs - whole_f[:, None]).min(0), posinf=0, neginf=0)
        return {"source_potential": whole_f, "target_potential": whole_g}


def posed(source: MeasureOrCost, target: Measure | None, params: CouplingParams, run: Run) -> TransportProblem:
    """The problem between two measures, or of a cost matrix. Refuses what has no answer, in the user's words."""
    if run.device.type == "mps":
        raise UserError("Transport needs double precision.", "This device has none.", "Run it on the CPU.")
    if isinstance(source, Measure):
        a, b, between, named = _of_measures(source, target, params, run)
    else:
        a, b, between, named = _of_costs(source, target, run)
    a, b = _balanced(a, b, params.weights)
    rows, columns = np.flatnonzero(a), np.flatnonzero(b)
    _say_what_is_left_out(len(a) - len(rows), len(b) - len(columns), run)
    costs = between(rows, columns)
    if not bool(torch.isfinite(costs).all()):
        raise UserError("A cost is not finite.", "The points are too far apart, or the costs too large.",
                        "Divide the coordinates or costs by a large number.")  # fmt: skip
    size = {"largest": lambda: costs.abs().max(), "mean": lambda: costs.abs().mean(), "none": lambda: 1.0}
    scale = float(size[params.scale]()) or 1.0  # where all costs are zero there is nothing to scale
    if scale != 1:  # in place where nobody else holds them
        costs = costs.div_(scale) if isinstance(source, Measure) else costs / scale
    return TransportProblem(
        costs=costs,
        a=torch.from_numpy(a[rows]).to(run.device),
        b=torch.from_numpy(b[columns]).to(run.device),
        scale=scale,
        shape=(len(a), len(b)),
        rows=rows,
        columns=columns,
        between=between,
        **named,
    )


Parts = tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], Tensor], dict[str, Any]]
"""Weights of both sides, costs of some rows and columns, and what a problem tells of where it came from."""


def _of_costs(given: MeasureOrCost, target: Measure | None, run: Run) -> Parts:
    if not isinstance(given, CostMatrix):
        raise TypeError(f"neither a measure nor a cost matrix: {type(given).__name__}")
    if target is not None:
        raise UserError(
            "A cost matrix is given, and a second measure.",
            "The cost matrix holds its targets already.",
            "Leave out the second measure, or choose a measure in place of the cost matrix.",
        )
    m, n = given.costs.shape
    a, b = given.source_weights, given.target_weights
    total = a.sum() if a is not None else b.sum() if b is not None else 1.0
    a = np.full(m, total / m) if a is None else a
    b = np.full(n, total / n) if b is None else b
    matrix = torch.from_numpy(np.array(given.costs)).to(run.device)

    def between(rows: np.ndarray, columns: np.ndarray) -> Tensor:
        if (len(rows), len(columns)) == (m, n):
            return matrix
        return matrix[torch.from_numpy(rows).to(run.device)[:, None], torch.from_numpy(columns).to(run.device)]

    named = {"cost_name": GIVEN, "source_names": given.source_names, "target_names": given.target_names}
    return a, b, between, named


def _of_measures(source: Measure, target: Measure | None, params: CouplingParams, run: Run) -> Parts:
    if target is None:
        raise UserError(
            "The second measure is missing.",
            "Mass is brought from one measure to another.",
            "Choose a second measure, or a cost matrix in place of the first.",
        )
    _check_comparable(source, target)
    cost = params.ground_cost
    if cost.name == "sphere geodesic":
        _check_sphere(source, target, run)
    x, y = (torch.from_numpy(np.array(measure.points)).to(run.device) for measure in (source, target))

    def between(rows: np.ndarray, columns: np.ndarray) -> Tensor:
        return cost.pairwise(x[torch.from_numpy(rows).to(run.device)], y[torch.from_numpy(columns).to(run.device)])

    return source.mass, target.mass, between, {"cost_name": cost.name, "source": source, "target": target}


def _check_comparable(source: Measure, target: Measure) -> None:
    ours, theirs = source.points.shape[1], target.points.shape[1]
    if ours != theirs:
        raise UserError(
            f"One measure has points in {ours}D, the other in {theirs}D.",
            "A cost needs two points in the same space.",
            "Choose measures with the same coordinates.",
        )
    if source.unit and target.unit and source.unit != target.unit:
        raise UserError(f"One measure is in {source.unit}, the other in {target.unit}.",
                        "A distance between them means nothing.", "Convert one of them.")  # fmt: skip
    # Histograms along one axis, or on grids that cover the same extent, can be compared node by node. Pictures of
    # different sizes lie in different frames, so that a distance between their pixels means little.
    pictures = len(source.grid) > 1 and len(target.grid) > 1
    if pictures and source.grid != target.grid and not np.allclose(source.bounds, target.bounds):
        shapes = [" × ".join(map(str, grid)) for grid in (source.grid, target.grid)]
        raise UserError(
            f"One grid has {shapes[0]} nodes, the other {shapes[1]}.",
            "They cover different extents, so that positions in them cannot be compared.",
            "Resample one: use 'Image to measure' with the same rows and columns for both.",
        )


def _check_sphere(source: Measure, target: Measure, run: Run) -> None:
    for which, measure in (("first", source), ("second", target)):
        radius = np.linalg.norm(measure.points, axis=1)
        if not radius.all():
            raise UserError(f"A point of the {which} measure is the centre of the sphere.",
                            "It has no direction.", "Remove the point, or choose another ground cost.")  # fmt: skip
        if np.abs(radius - 1).max() > ON_SPHERE:
            run.warn(f"The points of the {which} measure do not lie on the unit sphere; their directions are used.")


def _balanced(a: np.ndarray, b: np.ndarray, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """Weights of one total. Raises :class:`UserError` where the totals differ and are to be kept."""
    for which, w in (("first", a), ("second", b)):
        if not (np.isfinite(w).all() and np.isfinite(w.sum()) and w.sum() > 0 and w.min() >= 0):
            raise UserError(f"The weights of the {which} side cannot be used.",
                            "Each must be a number, none negative, and some above zero.", "Correct them.")  # fmt: skip
    total, other = a.sum(), b.sum()
    if weights == "normalised":
        return a / total, b / other
    if abs(total - other) > SAME_TOTAL * max(total, other):
        raise UserError(
            f"The two sides have different totals: {total:.10g} and {other:.10g}.",
            "All mass of the one must go to the other.",
            "Set Weights to 'normalised', or correct the weights.",
        )
    return a, b * (total / other)  # to the last digit, or no plan would keep both


def _say_what_is_left_out(rows: int, columns: int, run: Run) -> None:
    for count, side in ((rows, "first"), (columns, "second")):
        if count:
            points = "1 point has" if count == 1 else f"{count:,} points have"
            run.note(f"{points} no mass on the {side} side: left out, and put back into the result.")


def sizes(inputs: Mapping[str, Artifact]) -> tuple[int, int]:
    """Sources and targets of the inputs ``source`` and ``target`` of a method; 0 where one is missing."""
    source, target = inputs.get("source"), inputs.get("target")
    if isinstance(source, CostMatrix):
        return source.costs.shape
    return tuple(len(side.points) if isinstance(side, Measure) else 0 for side in (source, target))  # type: ignore[return-value]


def memory_for(matrices: float, extra: float = 200e6) -> Callable[[Mapping[str, Artifact], Any], int]:
    """For ``memory=`` of a method that holds so many (m, n) float64 matrices at once, costs and plan among them."""

    def memory(inputs: Mapping[str, Artifact], params: Any) -> int:
        m, n = sizes(inputs)
        return int(8 * matrices * m * n + extra)

    return memory


def _filled(values: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    whole = np.zeros(count)
    whole[places] = values
    return whole


def _array(values: Tensor | np.ndarray) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


__all__ = ["CouplingParams", "TransportProblem", "memory_for", "posed", "sizes"]
