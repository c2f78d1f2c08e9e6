"""What a transport view shows, as plain arrays: clouds, and what goes from the first of them to the second.

A coupling, displacements and a map all become a :class:`Journey`; measures alone are one without entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from app.viewers.registry import Shown
from engines.blocks.transport.interpolation import Interpolation, interpolation
from engines.data import Coupling, Displacements, Measure, TransportMap

MOST_MAPPED = 20_000
"""Points of a map's source that are sent through it; of more, some that are evenly spaced in their order."""
MOST_LINKS = 5_000
"""That are drawn, and so many entries that are seen under way."""
MOST_LISTED = 6_000_000
"""Entries of a dense plan; of more, the heavier ones."""
ENOUGH = 0.99
"""Of the mass, from which the heaviest entries stand for all."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Weighted points (N, D). ``role`` is "source", "target", "moved" or "other", and says which colour it has."""

    title: str
    points: np.ndarray
    mass: np.ndarray
    role: str = "source"
    colors: np.ndarray | None = None
    grid: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def picture(self) -> np.ndarray | None:
        """(rows, columns) mass of a histogram on a grid in two dimensions."""
        is_picture = len(self.grid) == 2 and min(self.grid) > 1 and self.points.shape[1] == 2
        return self.mass.reshape(self.grid) if is_picture else None


@dataclass(frozen=True, eq=False)
class Entries:
    """What goes from which point of the first cloud to which of the second, by the points of the first."""

    rows: np.ndarray
    columns: np.ndarray
    mass: np.ndarray
    total: float
    """The mass of all of them, and of those that are not listed here."""
    count: int
    """How many there are in all."""

    @classmethod
    def of(cls, rows: np.ndarray, columns: np.ndarray, mass: np.ndarray) -> Entries:
        return cls(rows, columns, mass, float(mass.sum()), len(mass))

    def __len__(self) -> int:
        return len(self.mass)

    @cached_property
    def heaviest(self) -> np.ndarray:
        """Indices of at most :data:`MOST_LINKS`, the heaviest first."""
        if len(self) <= MOST_LINKS:
            return np.argsort(-self.mass, kind="stable")
        some = np.argpartition(self.mass, len(self) - MOST_LINKS)[-MOST_LINKS:]
        return some[np.argsort(-self.mass[some], kind="stable")]

    def share(self, count: int) -> float:
        """Of the mass, that the ``count`` heaviest carry."""
        return float(self.mass[self.heaviest[:count]].sum()) / self.total if self.total > 0 else 0.0

    def top(self, count: int) -> Entries:
        """The ``count`` heaviest, the heaviest first."""
        which = self.heaviest[:count]
        return Entries.of(self.rows[which], self.columns[which], self.mass[which])

    def some(self, most: int) -> Entries:
        """At most so many that stand for all: the heaviest where they carry nearly all mass; else a sample by mass.

        Of a dense plan the heaviest are those of the points with fewest neighbours: they alone would show another
        measure. A sample takes an entry for each equal part of the mass, row by row, and each carries as much.
        """
        if len(self) <= most or self.share(most) >= ENOUGH:
            return self.top(most)
        reached = np.cumsum(self.mass)
        at = np.searchsorted(reached, (np.arange(most) + 0.5) / most * reached[-1])
        which = np.minimum(at, len(self) - 1)
        return Entries.of(self.rows[which], self.columns[which], np.full(most, self.total / most))

    @cached_property
    def sample(self) -> Entries:
        """Those that are seen under way."""
        return self.some(MOST_LINKS)

    def of_point(self, point: int, *, second: bool) -> np.ndarray:
        """Indices of the entries of a point of the first or second cloud, the heaviest first."""
        if second:
            found = np.flatnonzero(self.columns == point)
        else:
            low, high = np.searchsorted(self.rows, (point, point + 1))
            found = np.arange(low, high)
        return found[np.argsort(-self.mass[found], kind="stable")]


def _listed(coupling: Coupling) -> Entries:
    """Of a large dense plan only the heavier entries: a list takes thrice the room of the plan."""
    plan = coupling.plan
    if plan is None or plan.size <= MOST_LISTED:
        return Entries.of(*coupling.entries())
    some = plan.ravel()[:: max(1, plan.size // 1_000_000)]
    least = float(np.quantile(some, 1 - 0.9 * MOST_LISTED / plan.size))
    return Entries(*coupling.entries(least), float(plan.sum()), int(np.count_nonzero(plan)))


NOTHING = Entries.of(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True, eq=False)
class Journey:
    """Clouds in one space; entries go from the first to the second."""

    id: str
    title: str
    clouds: tuple[Cloud, ...]
    entries: Entries = NOTHING
    artifact: Coupling | Displacements | TransportMap | None = None
    coordinates: tuple[str, ...] = ("x", "y")
    unit: str = ""
    is_listed: bool = False
    """No positions are known: sources stand in a column at the left, targets in one at the right."""
    arrows: bool = False
    """Each point goes to one place: drawn as an arrow."""
    note: str = ""

    @property
    def dimensions(self) -> int:
        return self.clouds[0].points.shape[1]

    @cached_property
    def is_pictures(self) -> bool:
        """Histograms on grids in two dimensions, which are looked at as images; on one grid, where mass moves."""
        known = [cloud.picture for cloud in self.clouds[:2]]
        if any(p is None for p in known):
            return False
        return not self.moves or (self.way is not None and bool(self.way.grid))

    @cached_property
    def way(self) -> Interpolation | None:
        """Where the mass of a coupling of images is on its way. Not for the GUI thread at first."""
        return interpolation(self.artifact) if isinstance(self.artifact, Coupling) and not self.is_listed else None

    @property
    def moves(self) -> bool:
        return len(self.entries) > 0


def journeys(items: Sequence[Shown], mapped: dict[str, Displacements]) -> list[Journey]:
    """One for each coupling, displacements and map, with the measures beside them; or one of measures alone.

    ``mapped`` holds the displacements of maps by their id. May take a while: not for the GUI thread.
    """
    measures = [item for item in items if isinstance(item.artifact, Measure)]
    found = [made for item in items if (made := _journey(item, mapped)) is not None]
    if not found:
        return [_of_measures(measures)] if measures else []
    for journey in found:
        _ = (
            journey.entries.heaviest,
            journey.entries.sample,
            journey.is_pictures,
        )  # found here, and not when they are drawn
    return [_with_others(journey, measures) for journey in found]


def _journey(item: Shown, mapped: dict[str, Displacements]) -> Journey | None:
    artifact = item.artifact
    if isinstance(artifact, Coupling):
        return _of_coupling(item, artifact)
    if isinstance(artifact, Displacements):
        return None if not len(artifact.starts) else _of_displacements(item, artifact)
    if isinstance(artifact, TransportMap):
        moved = mapped.get(item.id)
        return _of_map(item, artifact) if moved is None else _of_displacements(item, moved, artifact)
    return None


def _cloud(title: str, measure: Measure, role: str, names: tuple[str, ...] = ()) -> Cloud:
    return Cloud(title, measure.points, measure.mass, role, measure.colors, measure.grid, names)


def _of_measures(items: Sequence[Shown]) -> Journey:
    first = items[0].artifact
    roles = ("source", "target")
    same = [item for item in items if item.artifact.points.shape[1] == first.points.shape[1]]
    clouds = tuple(_cloud(item.name, item.artifact, roles[k] if k < 2 else "other") for k, item in enumerate(same))
    left = len(items) - len(same)
    note = f"{left} more in other dimensions" if left else ""
    return Journey(
        items[0].id, items[0].name, clouds, coordinates=first.coordinates, unit=first.unit, note=note
    )  # fmt: skip


def _of_coupling(item: Shown, coupling: Coupling) -> Journey:
    entries = _listed(coupling)
    source, target = coupling.source, coupling.target
    weights = coupling.source_weights, coupling.target_weights
    names = coupling.source_names, coupling.target_names
    if source is None or target is None or source.points.shape[1] != target.points.shape[1]:
        sides = ("Sources", "Targets")
        clouds = tuple(
            Cloud(sides[k], _column(k, len(weights[k])), weights[k], ("source", "target")[k], names=names[k])
            for k in range(2)
        )
        known = "" if source is None or target is None else "The two sides lie in spaces of other dimensions. "
        note = known + "In the order of the rows and columns: no common positions are known"
        return Journey(item.id, item.name, clouds, entries, coupling, ("", ""), is_listed=True, note=note)
    clouds = tuple(
        Cloud(m.name or role.capitalize(), m.points, given, role, m.colors, m.grid, called)
        for role, m, given, called in zip(("source", "target"), (source, target), weights, names, strict=True)
    )
    return Journey(item.id, item.name, clouds, entries, coupling, source.coordinates, source.unit)


def _column(side: int, count: int) -> np.ndarray:
    """(count, 2) places below each other, the first uppermost, in the left or the right column."""
    down = 1 - (np.arange(count) + 0.5) / count
    return np.stack([np.full(count, float(side)), down], 1)


def _of_displacements(item: Shown, moved: Displacements, of: TransportMap | None = None) -> Journey:
    count = len(moved.starts)
    mass = moved.weights if moved.weights is not None else np.full(count, 1 / max(count, 1))
    clouds = [
        Cloud("Before", moved.starts, mass, "source"),
        Cloud("After", moved.ends, mass, "moved"),
    ]
    if moved.target is not None:
        clouds.append(_cloud("Target", moved.target, "target"))
    kept = np.flatnonzero(mass > 0)
    names = moved.dimensions or Measure(points=moved.starts[:1]).coordinates
    note = "" if of is None or count == len(of.source.points) else f"{count:,} of {len(of.source.points):,} points"
    return Journey(
        item.id, item.name, tuple(clouds), Entries.of(kept, kept, mass[kept]), of or moved, names, moved.unit,
        arrows=True, note=note,
    )  # fmt: skip


def _of_map(item: Shown, made: TransportMap) -> Journey:
    """Before its points have been sent through it."""
    clouds = (_cloud("Source", made.source, "source"), _cloud("Target", made.target, "target"))
    return Journey(item.id, item.name, clouds, NOTHING, made, made.source.coordinates, made.source.unit)


def _with_others(journey: Journey, measures: Sequence[Shown]) -> Journey:
    fit = [m for m in measures if m.artifact.points.shape[1] == journey.dimensions and not journey.is_listed]
    known = [cloud.points for cloud in journey.clouds]
    new = [m for m in fit if not any(np.array_equal(m.artifact.points, points) for points in known)]
    more = tuple(_cloud(m.name, m.artifact, "other") for m in new)
    if not more:
        return journey
    return replace(journey, clouds=journey.clouds + more)


def displaced(made: TransportMap) -> Displacements:
    """Points of a map's source and where it takes them. Raises UserError. Not for the GUI thread."""
    from engines.blocks.transport import maps

    source = made.source
    some = np.unique(np.linspace(0, len(source.points) - 1, min(len(source.points), MOST_MAPPED)).astype(int))
    starts = source.points[some]
    weights = None if source.weights is None else source.weights[some]
    return Displacements(
        starts=starts, ends=np.asarray(maps.evaluate(made, starts), float), weights=weights, target=made.target,
        dimensions=source.dimensions, unit=source.unit,
    )  # fmt: skip


__all__ = ["NOTHING", "Cloud", "Entries", "Journey", "displaced", "journeys"]
