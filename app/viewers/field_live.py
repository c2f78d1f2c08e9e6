"""Solutions as fields: what a view shows of them is computed when it is asked for, beside the GUI thread.

At first coarsely, so that it follows the slider; finer as soon as nothing else is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer

from app.viewers import field_values
from app.viewers.field_sources import FieldSource
from app.viewers.field_values import Plane, Quantity
from app.viewers.live_evaluator import LiveEvaluator, Stale
from app.viewers.registry import Shown
from engines.blocks.pde.grids import tensor_points, velocity
from engines.data import SampledField, Solution, Trajectory

TIMES = 101
"""Of a solution that has a value at any time."""
COARSE, FINE = 48, 192
"""Nodes along the longer side of a plane."""
STILL_MS = 180
CHUNK = 8_192
"""Points computed between two looks at whether they are still wanted."""
COMPUTING = "being computed"
KEPT = 96 * 2**20
"""Bytes of planes that are remembered."""


@dataclass(frozen=True)
class Domain:
    """Where a solution has values: its coordinates in space, and which column of the points is time (-1: none).

    ``inner`` are values for coordinates in space beyond the third, in their middle.
    """

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    columns: tuple[int, ...]
    count: int
    time: int
    times: np.ndarray
    time_name: str
    components: tuple[str, ...]
    inner: tuple[tuple[int, float], ...] = ()

    @property
    def dimensions(self) -> int:
        return len(self.names)

    def axis(self, k: int, nodes: int) -> np.ndarray:
        """Nodes along the k-th coordinate in space, as dense as ``nodes`` along the longest."""
        extents = self.upper - self.lower
        count = max(9, round(nodes * float(extents[k] / extents.max()) ** 0.5))
        return np.linspace(self.lower[k], self.upper[k], count)


def domain_of(artifact: Solution | Trajectory) -> Domain:
    if isinstance(artifact, Trajectory):
        count = len(artifact.lower)
        names, columns = artifact.coordinates[:count], tuple(range(count))
        name = artifact.problem.time if artifact.problem is not None else ""
        return Domain(
            names, artifact.lower, artifact.upper, columns, count, -1, artifact.times, name or "t", artifact.components
        )
    problem = artifact.problem
    at = problem.coordinates.index(problem.time) if problem.time else -1
    space = [k for k in range(len(problem.coordinates)) if k != at]
    shown, rest = space[:3], space[3:]
    times = np.linspace(problem.lower[at], problem.upper[at], TIMES) if at >= 0 else np.zeros(1)
    return Domain(
        tuple(problem.coordinates[k] for k in shown), problem.lower[shown], problem.upper[shown], tuple(shown),
        len(problem.coordinates), at, times, problem.time or "t", problem.unknowns,
        tuple((k, float(problem.lower[k] + problem.upper[k]) / 2) for k in rest),
    )  # fmt: skip


class Sampler:
    """Values of a solution on tensor grids; belongs to one thread."""

    def __init__(self, artifact: Solution | Trajectory) -> None:
        self.artifact, self.domain = artifact, domain_of(artifact)
        self._evaluators: dict[int, Callable[[Any], Any]] = {}

    def _evaluator(self, step: int) -> Callable[[Any], Any]:
        from engines.blocks.pde.forms import evaluator

        step = step if isinstance(self.artifact, Trajectory) else 0
        if step not in self._evaluators:
            self._evaluators = dict(list(self._evaluators.items())[-8:])
            self._evaluators[step] = evaluator(self.artifact, step=step)
        return self._evaluators[step]

    def field(self, axes: Sequence[np.ndarray], times: np.ndarray, stale: Callable[[], bool]) -> SampledField:
        """All components at the nodes and times. Raises :class:`Stale` once ``stale()``."""
        import torch

        domain = self.domain
        grid = tensor_points(axes)
        points = np.zeros((len(grid), domain.count))
        points[:, list(domain.columns)] = grid
        for column, value in domain.inner:
            points[:, column] = value
        shape, found = [len(a) for a in axes], []
        for time in times:
            if domain.time >= 0:
                points[:, domain.time] = time
            evaluate = self._evaluator(field_values.nearest(domain.times, time))
            parts = []
            for part in torch.from_numpy(points.copy()).split(CHUNK):
                if stale():
                    raise Stale
                parts.append(evaluate(part).float().cpu().numpy())
            values = np.concatenate(parts).reshape(*shape, -1)
            found.append(np.moveaxis(values, -1, 0))
        names = domain.components
        vectors = velocity(names, domain.dimensions)
        return SampledField.of(
            np.stack(found), *axes, times=times, components=names, vectors=vectors,
            coordinates=(*domain.names, "y", "z")[: max(3, len(domain.names))], time_name=domain.time_name,
        )  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """``kind`` is "survey" (all of it, coarsely, for the range of colours), "plane" or "history"."""

    kind: str
    place: tuple[Any, ...] = ()
    nodes: int = 0


class LiveSource(FieldSource):
    def __init__(self, item: Shown, parent: QObject | None = None) -> None:
        super().__init__(item, parent)
        artifact: Solution | Trajectory = item.artifact  # type: ignore[assignment]
        self.domain = domain_of(artifact)
        self.dimensions, self.times = self.domain.dimensions, self.domain.times
        self.time_name, self.coordinates = self.domain.time_name, (*self.domain.names, "x", "y", "z")
        self.vectors = velocity(self.domain.components, self.dimensions)
        self.quantities = field_values.quantities(self.domain.components, self.vectors, self.dimensions)
        self.note = COMPUTING
        self._survey: SampledField | None = None
        self._planes: dict[tuple[Any, ...], tuple[int, SampledField]] = {}
        self._histories: dict[tuple[float, ...], SampledField] = {}
        self._place: tuple[Any, ...] = ()
        self._latest: SampledField | None = None
        # One sampler for each thread.
        self.evaluator = LiveEvaluator(_Answers(artifact), self, name="solution")
        self.prober = LiveEvaluator(_Answers(artifact), self, name="history")
        for evaluator in (self.evaluator, self.prober):
            evaluator.answered.connect(self._answered)
            evaluator.failed.connect(self._failed)
        self._still = QTimer(self, singleShot=True, interval=STILL_MS)
        self._still.timeout.connect(self._refine)
        self.evaluator.ask(Wanted("survey"))

    # ---- what is known ---
    def nodes(self, axis: int) -> np.ndarray:
        return np.linspace(self.domain.lower[axis], self.domain.upper[axis], 2 * (FINE // 2) + 1)

    def _at(self, time: float, axis: int, position: float) -> tuple[Any, ...]:
        if self.dimensions == 1 and len(self.times) > 1:
            return ("strip",)
        index = self.time_index(time)
        return (index, axis, position) if self.dimensions == 3 else (index,)

    def _field(self, time: float, axis: int, position: float) -> SampledField | None:
        """What is known of a plane; what is not known is asked for, and the latest stands in meanwhile."""
        place = self._at(time, axis, position)
        if place != self._place:
            self._place = place
            self._still.stop()
        known = self._planes.get(place)
        if known is None:
            if self._survey is not None:
                self.evaluator.ask(Wanted("plane", place, COARSE), give_up=False)
            latest = self._latest
            return latest if latest is None or self.dimensions < 3 or self._lies_across(latest, axis) else None
        if known[0] < FINE and not self._still.isActive():
            self._still.start()
        return known[1]

    def _lies_across(self, field: SampledField, axis: int) -> bool:
        return len(field.axes[axis]) <= 3

    def _refine(self) -> None:
        known = self._planes.get(self._place)
        if known is not None and known[0] < FINE:
            self.evaluator.ask(Wanted("plane", self._place, FINE))

    def plane(self, quantity: Quantity, time: float, axis: int, position: float) -> Plane | None:
        field = self._field(time, axis, position)
        if field is None:
            return None
        index = field_values.nearest(field.times, time)
        return field_values.plane(
            field, quantity, index, axis, len(field.axes[axis]) // 2 if self.dimensions == 3 else 0
        )

    def flow(self, time: float, axis: int, position: float) -> tuple[Plane, Plane] | None:
        field = self._field(time, axis, position) if self.vectors and self.dimensions > 1 else None
        if field is None:
            return None
        middle = len(field.axes[axis]) // 2 if self.dimensions == 3 else 0
        return field_values.in_plane(field, self.vectors[0][1:], 0, axis, middle)

    def some_values(self, quantity: Quantity) -> np.ndarray:
        return np.zeros(0) if self._survey is None else field_values.some_values(self._survey, quantity)

    @property
    def is_settled(self) -> bool:
        return self._planes.get(self._place, (0,))[0] == FINE or self.note != COMPUTING

    @property
    def version(self) -> Any:
        return self.serial, self._survey is not None

    def history(self, quantity: Quantity, point: Sequence[float]) -> np.ndarray | None:
        known = self._histories.get(tuple(point))
        if known is None:
            self.prober.ask(Wanted("history", tuple(point)), give_up=False)
            return None
        return field_values.history(known, quantity, point)

    # ---- answers ---
    def _answered(self, wanted: Wanted, field: SampledField) -> None:
        if wanted.kind == "survey":
            self._survey = field
        elif wanted.kind == "history":
            self._histories[wanted.place] = field
        else:
            self._planes.pop(wanted.place, None)
            self._planes[wanted.place] = (wanted.nodes, field)
            self._latest = field
            self._forget_oldest()
        self.changed.emit()

    def _forget_oldest(self) -> None:
        held = sum(known.values.nbytes for _, known in self._planes.values())
        for place in list(self._planes)[:-1]:
            if held <= KEPT:
                break
            held -= self._planes.pop(place)[1].values.nbytes

    def _failed(self, wanted: Wanted, error: BaseException) -> None:
        self.note = str(error)
        self.changed.emit()

    def stop(self) -> None:
        self._still.stop()
        self.evaluator.stop()
        self.prober.stop()


class _Answers:
    """What the thread of an evaluator computes; no Qt."""

    def __init__(self, artifact: Solution | Trajectory) -> None:
        self._sampler = Sampler(artifact)

    def __call__(self, wanted: Wanted, stale: Callable[[], bool]) -> SampledField:
        domain = self._sampler.domain
        if wanted.kind == "survey":
            nodes = {1: 64, 2: 32, 3: 14}[domain.dimensions]
            times = domain.times[np.unique(np.linspace(0, len(domain.times) - 1, 7).astype(int))]
            return self._sampler.field([domain.axis(k, nodes) for k in range(domain.dimensions)], times, stale)
        if wanted.kind == "history":
            return self._sampler.field(self._around(wanted.place), domain.times, stale)
        if wanted.place == ("strip",):
            times = domain.times if wanted.nodes == FINE else domain.times[:: max(1, len(domain.times) // COARSE)]
            return self._sampler.field([domain.axis(0, 2 * wanted.nodes)], times, stale)
        times = domain.times[wanted.place[0]][None]
        nodes = wanted.nodes * (8 if domain.dimensions == 1 else 1)  # a curve may oscillate, and costs little
        axes = [domain.axis(k, nodes) for k in range(domain.dimensions)]
        if domain.dimensions == 3:
            _, axis, position = wanted.place
            axes[axis] = self._beside(axis, position, wanted.nodes)
        return self._sampler.field(axes, times, stale)

    def _beside(self, k: int, position: float, nodes: int) -> np.ndarray:
        """Three nodes about a position, one of them at it: for derivatives across."""
        domain = self._sampler.domain
        step = float(domain.upper[k] - domain.lower[k]) / nodes
        middle = float(np.clip(position, domain.lower[k] + step, domain.upper[k] - step))
        return np.array([middle - step, min(max(position, middle - 0.99 * step), middle + 0.99 * step), middle + step])

    def _around(self, point: Sequence[float]) -> list[np.ndarray]:
        return [self._beside(k, at, 1_000) for k, at in enumerate(point)]


__all__ = ["LiveSource", "Sampler", "Wanted", "domain_of"]
