"""The dual potentials of a coupling, and over what each side is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.viewers.field_values import Plane
from engines.data import Coupling, Measure, SampledField


@dataclass(frozen=True, eq=False)
class Side:
    """Potentials (N,) of the sources or the targets. ``form``: "curve", "map", "cloud" or "sorted"."""

    role: str
    title: str
    values: np.ndarray
    measure: Measure | None
    form: str

    @property
    def symbol(self) -> str:
        return "x" if self.role == "source" else "y"

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions along the line, rising, and the potentials there; sorted: ranks, and the potentials that fall."""
        if self.form == "curve":
            assert self.measure is not None
            order = np.argsort(self.measure.points[:, 0], kind="stable")
            return self.measure.points[order, 0], self.values[order]
        return np.arange(len(self.values), dtype=float), np.sort(self.values)[::-1]

    def plane(self) -> Plane:
        """On a grid in two dimensions."""
        assert self.measure is not None
        right, up, values = _on_grid(self.measure, self.values)
        names = self.measure.coordinates
        unit = self.measure.unit
        return Plane(values, right, up, (names[0], names[1]), (unit, unit), self.title)

    def field(self) -> SampledField:
        """The same as a field, which a 3D view shows as a surface."""
        shown = self.plane()
        return SampledField.of(
            shown.values, shown.right, shown.up, components=("potential",), length_unit=shown.units[0],
            coordinates=(*shown.names, "z"), name=self.title,
        )  # fmt: skip


def _on_grid(measure: Measure, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rising nodes to the right and upwards, and (right, up) values."""
    nodes = measure.points.reshape(*measure.grid, 2)
    right, up = nodes[0, :, 0], nodes[:, 0, 1]
    turned = np.argsort(right, kind="stable"), np.argsort(up, kind="stable")
    return right[turned[0]], up[turned[1]], values.reshape(measure.grid).T[np.ix_(*turned)]


def sides(coupling: Coupling) -> list[Side]:
    """Those that are known."""
    found = []
    for role, values, measure in (
        ("source", coupling.source_potential, coupling.source),
        ("target", coupling.target_potential, coupling.target),
    ):
        if values is not None:
            name = measure.name if measure is not None else ""
            title = f"Potential of the {role}s" + (f" ({name})" if name else "")
            found.append(Side(role, title, values, measure, _form(measure)))
    return found


def _form(measure: Measure | None) -> str:
    if measure is None:
        return "sorted"
    dimensions = measure.points.shape[1]
    if dimensions == 1:
        return "curve"
    if dimensions != 2:
        return "sorted"
    return "map" if len(measure.grid) == 2 and min(measure.grid) > 1 and _is_tensor(measure) else "cloud"


def _is_tensor(measure: Measure) -> bool:
    """Whether the nodes of the grid lie in rows and columns along the axes."""
    nodes = measure.points.reshape(*measure.grid, 2)
    slack = 1e-6 * float(np.ptp(measure.points, axis=0).max())
    flat = np.ptp(nodes[..., 0], axis=0).max() <= slack and np.ptp(nodes[..., 1], axis=1).max() <= slack
    distinct = len(np.unique(nodes[:, 0, 1])), len(np.unique(nodes[0, :, 0]))
    return bool(flat and distinct == measure.grid)


__all__ = ["Side", "sides"]
