"""Where the field view has its planes from: a field that is there, or a solution that is asked for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from app.viewers import field_values
from app.viewers.field_values import Plane, Quantity
from app.viewers.registry import Shown
from engines.blocks.pde.grids import velocity
from engines.data import SampledField, Solution, Trajectory

_serials = itertools.count()


class FieldSource(QObject):
    """A field by its planes. What is not there yet is None; ``changed`` says when to ask again."""

    changed = Signal()

    def __init__(self, item: Shown, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.id, self.name, self.artifact = item.id, item.name, item.artifact
        self.serial = next(_serials)
        self.dimensions = 2
        self.times = np.zeros(1)
        self.time_name, self.time_unit = "t", ""
        self.unit = self.length_unit = ""
        self.quantities: list[Quantity] = []
        self.vectors: tuple[tuple[str, ...], ...] = ()
        self.coordinates: tuple[str, ...] = ("x", "y", "z")
        self.note = ""
        """Why there is no plane."""

    def quantity(self, key: str) -> Quantity | None:
        """The quantity of this name, else the first."""
        found = [q for q in self.quantities if q.key == key]
        return found[0] if found else (self.quantities[0] if self.quantities else None)

    def time_index(self, time: float) -> int:
        return field_values.nearest(self.times, time)

    def nodes(self, axis: int) -> np.ndarray:
        """Positions of the cuts across an axis."""
        raise NotImplementedError

    def plane(self, quantity: Quantity, time: float, axis: int, position: float) -> Plane | None:
        raise NotImplementedError

    def flow(self, time: float, axis: int, position: float) -> tuple[Plane, Plane] | None:
        """The parts of its first vector to the right and upwards; None where it has none in the plane."""
        raise NotImplementedError

    def some_values(self, quantity: Quantity) -> np.ndarray:
        """For the range of the colours."""
        raise NotImplementedError

    def history(self, quantity: Quantity, point: Sequence[float]) -> np.ndarray | None:
        """(T,) at a point in space."""
        raise NotImplementedError

    @property
    def is_settled(self) -> bool:
        """Whether the plane that was asked for last is all that it will be."""
        return True

    @property
    def version(self) -> Any:
        """Changes when :meth:`some_values` does; no two sources ever have the same."""
        return self.serial

    def stop(self) -> None:
        """Free what it holds."""


class GridSource(FieldSource):
    def __init__(self, item: Shown, parent: QObject | None = None) -> None:
        super().__init__(item, parent)
        field: SampledField = item.artifact  # type: ignore[assignment]
        self.field = field
        self.dimensions, self.times = field.dimensions, field.times
        self.time_name, self.time_unit = field.time_name, field.time_unit
        self.unit, self.length_unit = field.unit, field.length_unit
        self.vectors = field.vectors or velocity(field.components, field.dimensions)
        self.coordinates = field.coordinates
        # Differences need neighbours along each axis of the vector.
        rich = min(field.shape, default=1) > 1
        self.quantities = field_values.quantities(field.components, self.vectors, field.dimensions, derivatives=rich)

    def nodes(self, axis: int) -> np.ndarray:
        return (self.field.x, self.field.y, self.field.z)[axis]

    def plane(self, quantity: Quantity, time: float, axis: int, position: float) -> Plane | None:
        index = field_values.nearest(self.nodes(axis), position)
        return field_values.plane(self.field, quantity, self.time_index(time), axis, index)

    def flow(self, time: float, axis: int, position: float) -> tuple[Plane, Plane] | None:
        vectors = [parts for _, *parts in self.vectors if len(parts) == self.dimensions]
        if not vectors or self.dimensions == 1:
            return None
        index = field_values.nearest(self.nodes(axis), position)
        return field_values.in_plane(self.field, vectors[0], self.time_index(time), axis, index)

    def some_values(self, quantity: Quantity) -> np.ndarray:
        return field_values.some_values(self.field, quantity)

    def history(self, quantity: Quantity, point: Sequence[float]) -> np.ndarray | None:
        return field_values.history(self.field, quantity, point)


def source_of(item: Shown, parent: QObject | None = None) -> FieldSource | None:
    """None for what is not a field."""
    if isinstance(item.artifact, SampledField):
        return GridSource(item, parent)
    if isinstance(item.artifact, Solution | Trajectory):
        from app.viewers.field_live import LiveSource

        return LiveSource(item, parent)
    return None
