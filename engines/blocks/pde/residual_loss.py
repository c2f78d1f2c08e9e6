"""The loss of a physics-informed network: mean squares of what its equations and conditions leave over.

    L = l_r mean (N[u] - f)^2 + l_b mean (boundary)^2 + l_0 mean (initial)^2 + l_d mean (u - measured)^2

with separate means. Conditions that take the same derivatives share one mean: values on all faces are one term.
With slabs in time the first mean becomes causal (Wang et al. 2022, eq. 18): M slabs with means L_m and weights
w_m = exp(-eps sum_(l < m) L_l), without gradient; eps grows once the last weight is above 0.99.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from engines.blocks.parameters import Layout
from engines.blocks.pde.collocation import Sampling, in_box, on_face
from engines.blocks.pde.derivatives import Index, Jets, by_unknown, needed
from engines.blocks.pde.equations import Compiled, Condition
from engines.blocks.pde.grids import tensor_points
from engines.core import Run, UserError
from engines.data import Table

COEFFICIENTS = "coefficients"
"""The part of the parameters that holds the estimated coefficients, in the problem's order."""


class Network(Protocol):
    """A network for a problem: parameters by name and jets (P, U) in the coordinates of the problem."""

    layout: Layout
    dtype: torch.dtype

    def jets(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index]) -> Jets: ...

    def grid_jets(self, parts: Mapping[str, Tensor], axes: Sequence[Tensor], indices: Sequence[Index]) -> Jets | None:
        """Jets at the points of a tensor grid, the last axis running fastest; None where it has no shorter way."""
        ...


@dataclass(frozen=True)
class LossSettings:
    """Points in the box, on each face, and how often (in steps) they are drawn anew (0: never); weights of the terms.

    ``slabs`` of time for causal weights (0: without), which follow each evaluation only if ``live``: where a line
    search compares values, they stay as they are from draw to draw. ``on_grid``: interior points are a tensor grid.
    """

    interior: int
    face: int
    sampling: Sampling
    redraw_every: int
    residual_weight: float
    boundary_weight: float = 1.0
    initial_weight: float = 1.0
    data_weight: float = 1.0
    slabs: int = 0
    causality: float = 1.0
    live: bool = False
    on_grid: bool = False


@dataclass(frozen=True)
class _Group:
    """Conditions that take the same derivatives; a row of points for each."""

    name: str
    weight: float
    indices: tuple[Index, ...]
    conditions: tuple[Condition, ...]


class ResidualLoss:
    """An :class:`~engines.blocks.pde.training.Objective` for a problem and a network."""

    def __init__(
        self, compiled: Compiled, network: Network, run: Run, settings: LossSettings, measurements: Table | None = None
    ) -> None:
        self.compiled, self.network, self.run, self.settings = compiled, network, run, settings
        self.like = torch.zeros(0, dtype=network.dtype, device=run.device)
        self.dimensions = len(compiled.coordinates)
        self.indices = needed(compiled.needs, self.dimensions)
        self.names = tuple(compiled.problem.estimated)
        self.groups = _groups(compiled, settings)
        self.measured = None if measurements is None else measured(compiled, measurements, self.like)
        self.epsilon = settings.causality
        self.points = self.like.new_zeros(0, self.dimensions)
        self.axes: list[Tensor] = []
        self.on_faces: list[list[Tensor]] = []
        self._targets: list[list[Tensor | None]] = []
        self._weights: Tensor | None = None

    # ---- points ------------------------------------------------------------------------------------------------------

    def redraw(self, step: int, flat: Tensor) -> bool:
        """New points where they are due."""
        if step and (self.settings.redraw_every == 0 or step % self.settings.redraw_every):
            return False
        lower, upper, rng, s = self.compiled.lower, self.compiled.upper, self.run.rng, self.settings
        if s.on_grid:
            nodes = max(2, round(s.interior ** (1 / self.dimensions)))
            axes = [a + (b - a) * np.sort(rng.random(nodes)) for a, b in zip(lower, upper, strict=True)]
            self.axes = [torch.as_tensor(axis).to(self.like) for axis in axes]
            self.points = torch.as_tensor(tensor_points(axes)).to(self.like)
        else:
            self.points = in_box(s.sampling, s.interior, lower, upper, rng, self.like)
        self.on_faces = [
            [on_face(s.sampling, s.face, lower, upper, c.axis, c.at, rng, self.like) for c in group.conditions]
            for group in self.groups
        ]
        self._prepare()
        if s.slabs and not s.live:
            with torch.no_grad():
                squares = self._residual(self.network.layout.split(flat)).square().mean(1)
                self._weights = self._causal(self._slabs(squares))
        return True

    def _prepare(self) -> None:
        """Right sides of values on faces, which stay the same until the points are drawn anew."""
        self._targets = [
            [
                c.value(points)[:, 0] if c.value is not None and not c.value.coefficients else None
                for c, points in zip(group.conditions, faces, strict=True)
            ]
            for group, faces in zip(self.groups, self.on_faces, strict=True)
        ]

    def state(self) -> dict[str, Any]:
        return {
            "points": self.points, "axes": self.axes, "faces": self.on_faces, "epsilon": self.epsilon,
            "weights": self._weights,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.points, self.axes, self.on_faces = state["points"], list(state["axes"]), [list(f) for f in state["faces"]]
        self.epsilon, self._weights = state["epsilon"], state["weights"]
        self._prepare()

    # ---- terms -------------------------------------------------------------------------------------------------------

    def terms(self, flat: Tensor) -> Iterator[tuple[str, Tensor]]:
        split = self.network.layout.split
        squares = self._residual(split(flat)).square().mean(1)
        yield "residual", self.settings.residual_weight * self._over_time(squares)
        for group, faces, targets in zip(self.groups, self.on_faces, self._targets, strict=True):
            yield group.name, group.weight * self._left_over(split(flat), group, faces, targets).square().mean()
        if self.measured is not None:
            points, values, columns = self.measured
            zero = (0,) * self.dimensions
            found = self.network.jets(split(flat), points, (zero,))[zero]
            yield "measurements", self.settings.data_weight * (found[:, columns] - values).square().mean()

    def coefficients(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(zip(self.names, parts[COEFFICIENTS].unbind(), strict=True)) if self.names else {}

    def _residual(self, parts: Mapping[str, Tensor]) -> Tensor:
        """(P, E)."""
        jets = self.network.grid_jets(parts, self.axes, self.indices) if self.settings.on_grid else None
        if jets is None:
            jets = self.network.jets(parts, self.points, self.indices)
        return self.compiled.residual(self.points, by_unknown(jets, self.compiled.unknowns), self.coefficients(parts))

    @torch.no_grad()
    def residual_at(self, flat: Tensor, points: Tensor, block: int = 4096) -> Tensor:
        """(P, E) left minus right side of each equation at ``points`` (P, D)."""
        parts = self.network.layout.split(flat)
        found = []
        for some in points.split(block):
            jets = by_unknown(self.network.jets(parts, some, self.indices), self.compiled.unknowns)
            found.append(self.compiled.residual(some, jets, self.coefficients(parts)))
        return torch.cat(found)

    def _left_over(
        self, parts: Mapping[str, Tensor], group: _Group, faces: Sequence[Tensor], targets: Sequence[Tensor | None]
    ) -> Tensor:
        periodic = group.name == "periodic"
        points = [*faces, *(_opposite(self.compiled, c, p) for c, p in zip(group.conditions, faces, strict=True))] \
            if periodic else list(faces)  # fmt: skip
        jets = self.network.jets(parts, torch.cat(points), group.indices)
        pieces = {index: values.split([len(p) for p in points]) for index, values in jets.items()}
        found = []
        for k, (condition, face, target) in enumerate(zip(group.conditions, faces, targets, strict=True)):
            own = {index: piece[k] for index, piece in pieces.items()}
            if periodic:
                across = (0,) * self.dimensions, tuple(int(i == condition.axis) for i in range(self.dimensions))
                found += [(own[i] - pieces[i][len(faces) + k]).flatten() for i in across if i in own]
            elif target is not None:
                column = self.compiled.unknowns.index(condition.unknown)
                found.append(own[(0,) * self.dimensions][:, column] - target)
            else:
                assert condition.residual is not None
                unknowns = by_unknown(own, self.compiled.unknowns)
                found.append(condition.residual(face, unknowns, self.coefficients(parts)).flatten())
        return torch.cat(found)

    # ---- causality ---------------------------------------------------------------------------------------------------

    def _over_time(self, squares: Tensor) -> Tensor:
        if not self.settings.slabs:
            return squares.mean()
        means = self._slabs(squares)
        weights = self._causal(means.detach()) if self.settings.live or self._weights is None else self._weights
        return (weights * means).mean()

    def _slabs(self, squares: Tensor) -> Tensor:
        """(M,) means of squares (P,) in each slab of time."""
        time, count = self.compiled.time, self.settings.slabs
        assert time is not None
        low, high = float(self.compiled.lower[time]), float(self.compiled.upper[time])
        slab = ((self.points[:, time] - low) / (high - low) * count).long().clamp(0, count - 1)
        points = torch.bincount(slab, minlength=count).clamp(min=1)
        return squares.new_zeros(count).index_add(0, slab, squares) / points

    def _causal(self, means: Tensor) -> Tensor:
        before = torch.cumsum(means, 0) - means
        weights = torch.exp(-self.epsilon * before)
        if float(weights[-1]) > 0.99:
            self.epsilon *= 10
        return weights


def _opposite(compiled: Compiled, condition: Condition, points: Tensor) -> Tensor:
    moved = points.clone()
    moved[:, condition.axis] = float((compiled.upper, compiled.lower)[condition.side][condition.axis])
    return moved


def _groups(compiled: Compiled, settings: LossSettings) -> list[_Group]:
    dimensions = len(compiled.coordinates)
    zero = (0,) * dimensions
    found: dict[tuple[str, tuple[Index, ...]], list[Condition]] = {}
    for condition in compiled.conditions:
        if condition.kind == "periodic":
            slopes = [tuple(int(i == c.axis) for i in range(dimensions)) for c in compiled.conditions
                      if c.kind == "periodic"]  # fmt: skip
            key = "periodic", (zero, *(sorted(set(slopes)) if compiled.order >= 2 else ()))
        else:
            name = "initial" if condition.is_initial else "boundary"
            key = name, needed({condition.unknown: [i for _, i in condition.needs]}, dimensions)
        found.setdefault(key, []).append(condition)
    groups = []
    for (name, indices), conditions in found.items():
        weight = settings.initial_weight if name == "initial" else settings.boundary_weight
        slopes_too = name != "periodic" and any(map(sum, indices))
        groups.append(_Group(f"{name} slopes" if slopes_too else name, weight, indices, tuple(conditions)))
    return groups


def measured(compiled: Compiled, table: Table, like: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """Points (N, D), values (N, K) and which unknowns they are of. Raises :class:`UserError` where columns lack."""
    missing = [name for name in compiled.coordinates if name not in table.columns]
    unknowns = [name for name in compiled.unknowns if name in table.columns]
    if missing or not unknowns or table.rows == 0:
        raise UserError(
            f"The measurements do not fit the problem: their columns are {', '.join(table.columns) or 'none'}.",
            f"Needed are {', '.join(compiled.coordinates)} and one or more of {', '.join(compiled.unknowns)}.",
            "Rename or add columns.",
        )
    names = (*compiled.coordinates, *unknowns)
    numbers = [table.columns[name] for name in names]
    if any(column.dtype.kind not in "iuf" or not np.isfinite(column).all() for column in numbers):
        raise UserError("The measurements hold text or values that are not finite.", mend="Remove these rows.")
    rows = torch.as_tensor(np.stack([np.asarray(c, float) for c in numbers], 1)).to(like)
    return rows[:, : len(compiled.coordinates)], rows[:, len(compiled.coordinates) :], [
        compiled.unknowns.index(name) for name in unknowns
    ]  # fmt: skip


def residual_names(count: int) -> tuple[str, ...]:
    """What the residuals of the equations are called as components of a field."""
    return ("residual",) if count == 1 else tuple(f"residual {k + 1}" for k in range(count))


def residual_scale(compiled: Compiled, run: Run, points: int = 4096) -> float:
    """Mean square that u = 0 leaves over in the equations: how large their sources are. Draws no random numbers."""
    place = np.random.default_rng(0)
    like = torch.zeros(0, dtype=torch.float64, device=run.device)
    at = in_box("uniform", points, compiled.lower, compiled.upper, place, like)
    nothing = {u: {i: at.new_zeros(len(at)) for i in needs} for u, needs in compiled.needs.items()}
    coefficients = {name: at.new_tensor(value) for name, value in compiled.problem.estimated.items()}
    found = compiled.residual(at, nothing, coefficients)
    if not torch.isfinite(found).all():
        raise UserError(
            "The equations do not give finite numbers everywhere in the box.",
            f"At {int((~torch.isfinite(found)).any(1).sum()):,} of {points:,} points they divide by zero or leave the "
            "domain of a function.",
            "Check the formulas, or move the box away from that place.",
        )
    return float(found.square().mean())


__all__ = ["COEFFICIENTS", "LossSettings", "Network", "ResidualLoss", "measured", "residual_names", "residual_scale"]
