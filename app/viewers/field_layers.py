"""Fields as layers of a 3D view: as a surface over the plane, and on a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.vtkRenderingCore import vtkProp3D

from app.viewers import field_colours, field_values, layers, surfaces
from app.viewers.field_meshes import arrow_lines, boundary, dress_arrows, moving_normals, squares
from app.viewers.field_space import SpaceLayer
from app.viewers.field_values import Quantity
from app.viewers.layer import Drawn, Style
from app.viewers.layers import SurfaceLayer
from app.viewers.registry import Shown
from app.viewers.surfaces import Surface
from engines.data import MeshField, SampledField

SURFACE_NODES, COARSE_NODES = 320, 96
"""Along each side of a surface over the plane, when it stands still and when it does not."""
RISE = 0.35
"""Height of a surface over the plane by default, by the longer side of the plane."""


class _Timed(SurfaceLayer):
    """What the layers of fields have in common: a quantity, the time on show, and colours that hold for all times."""

    quantities: list[Quantity]
    height_title = "Height"

    def __init__(self, item: Shown, index: int, surface: Surface) -> None:
        super().__init__(item, index, surface)
        self.style.by = "value"
        self.apply()

    # ---- the time and the quantity ---
    @property
    def times(self) -> np.ndarray:
        return np.asarray(self.given.times)

    @property
    def quantity(self) -> Quantity:
        found = [q for q in self.quantities if q.key == self.style.quantity]
        return found[0] if found else self.quantities[0]

    def set_time(self, time: float) -> None:
        index = field_values.nearest(self.times, time)
        if index != self.time:
            self.time = index
            self.rebuild()

    def rebuild(self) -> None:
        """Draw the quantity and the time that are chosen now."""
        self.set_surface(self._made())

    def set_artifact(self, artifact: Any, surface: Surface | None = None) -> None:
        self.given = artifact
        self.artifact = artifact
        self._span = None
        self._take()
        self.time = min(self.time, len(self.times) - 1)
        self.rebuild()

    def _take(self) -> None:
        """A new field: what follows from it for all times."""

    def _made(self) -> Surface:
        raise NotImplementedError

    def set_style(self, style: Style) -> None:
        old, self.style = self.style, style
        if (old.quantity, old.height, old.arrows) != (style.quantity, style.height, style.arrows):
            self._span = None if old.quantity != style.quantity else self._span
            self.rebuild()
        super().set_style(style)

    # ---- colours ---
    _span: tuple[str, float, float] | None = None
    time = 0

    def _some_values(self) -> np.ndarray:
        raise NotImplementedError

    @property
    def span(self) -> tuple[str, float, float]:
        """Map and range of the quantity at all times."""
        if self._span is None:
            self._span = field_colours.span(self._some_values())
        return self._span

    def _coloured_values(self) -> np.ndarray | None:
        return np.array(self.span[1:]) if self.scalar else None

    def _automatic(self, values: np.ndarray) -> tuple[str, tuple[float, float]]:
        return self.span[0], self.span[1:]

    def colourings(self) -> list[tuple[str, str]]:
        return [("", "One colour"), ("value", self.quantity.title)]

    def finish(self, drawn: Drawn) -> None:
        super().finish(drawn)
        if self.scalar:  # colours say values: strong light and shade would change them
            look = drawn.actor.GetProperty()
            look.SetAmbient(0.34)
            look.SetDiffuse(0.7)
            look.SetSpecular(0.04)

    @property
    def scalar_title(self) -> tuple[str, str]:
        return self.quantity.title, field_values.unit_of(self.quantity, self.given.unit, self.given.length_unit)


class HeightLayer(_Timed):
    """A field over the plane as a surface: as high as its values. One dimension and time make a plane, too."""

    kind = "height"
    icon = "SampledField"
    uses = ("quantity", "by", "color", "height", "opacity", "wireframe")  # type: ignore[assignment]

    def __init__(self, item: Shown, index: int) -> None:
        self.given = self.artifact = item.artifact
        self.style = Style()
        self._take()
        super().__init__(item, index, self._made())

    def _take(self) -> None:
        field: SampledField = self.given
        self.quantities = field_values.quantities(field.components, field.vectors, field.dimensions)

    @property
    def times(self) -> np.ndarray:
        return np.asarray(self.given.times if self.given.dimensions > 1 else np.zeros(1))

    def _some_values(self) -> np.ndarray:
        return field_values.some_values(self.given, self.quantity)

    def _made(self) -> Surface:
        plane = field_values.plane(self.given, self.quantity, self.time)
        surface = self._surface(plane, SURFACE_NODES)
        if max(plane.values.shape) > COARSE_NODES:
            surface.coarse = self._surface(plane, COARSE_NODES)
        return surface

    def _surface(self, plane: field_values.Plane, nodes: int) -> Surface:
        i, j = (field_values.some_of(count, nodes) for count in plane.values.shape)
        values = np.asarray(plane.values[np.ix_(i, j)], float)
        right, up = plane.right[i], plane.up[j]
        extent = max(float(np.ptp(right)), float(np.ptp(up)), 1e-300)
        _, low, high = self.span
        scale = self.style.height * RISE * extent / max(abs(low), abs(high), 1e-300)
        z = scale * values
        r, u = np.meshgrid(right, up, indexing="ij")
        slopes = [np.gradient(z, nodes, axis=k) if len(nodes) > 1 else 0 * z for k, nodes in enumerate((right, up))]
        normals = np.stack([-slopes[0], -slopes[1], np.ones_like(z)], -1)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        good = np.isfinite(z)
        points = np.stack([r, u, np.where(good, z, 0.0)], -1).reshape(-1, 3).astype(np.float32)
        return Surface(
            points, squares(good), np.nan_to_num(normals).reshape(-1, 3).astype(np.float32),
            {"value": values.reshape(-1).astype(np.float32)},
        )  # fmt: skip


class MeshFieldLayer(_Timed):
    """A field on a mesh that may move: its surface, coloured by a quantity; of tetrahedra their boundary."""

    kind = "field on a mesh"
    icon = "MeshField"
    height_title = "Exaggeration"

    def __init__(self, item: Shown, index: int) -> None:
        self.given = self.artifact = item.artifact
        self.style = Style()
        self.flow = Drawn()
        self._take()
        super().__init__(item, index, self._made())

    @property
    def uses(self) -> tuple[str, ...]:
        field: MeshField = self.given
        moves = ("height",) if field.displacements is not None else ()
        arrows = ("arrows",) if self._vector() is not None else ()
        return ("quantity", "by", "color", *moves, "opacity", "wireframe", "flat", *arrows)

    def _take(self) -> None:
        field: MeshField = self.given
        self.vertices, self.faces = boundary(field.cells, len(field.points))
        dimensions = 2 if field.is_flat else 3
        self.quantities = field_values.quantities(field.components, field.vectors, dimensions, derivatives=False)
        if field.displacements is not None:
            self.quantities.append(Quantity("|displacement|", "|displacement|", "displacement", ()))

    def _values(self, time: int | slice) -> np.ndarray:
        field, quantity = self.given, self.quantity
        if quantity.kind == "component":
            return np.asarray(field.values[time, quantity.parts[0]])
        if quantity.kind == "displacement":
            return np.linalg.norm(np.asarray(field.displacements[time], float), axis=-1)
        return np.sqrt(sum(np.asarray(field.values[time, k], float) ** 2 for k in quantity.parts))

    def _some_values(self) -> np.ndarray:
        step = max(1, len(self.times) // 40)
        return self._values(slice(None, None, step)).ravel()

    @property
    def scalar_title(self) -> tuple[str, str]:
        unit = self.given.length_unit if self.quantity.kind == "displacement" else self.given.unit
        return self.quantity.title, unit

    def _positions(self) -> np.ndarray:
        field: MeshField = self.given
        points = field.points[self.vertices]
        if field.displacements is not None:
            points = points + self.style.height * np.asarray(field.displacements[self.time])[self.vertices]
        return points

    def _made(self) -> Surface:
        points = self._positions().astype(np.float32)
        values = self._values(self.time)[self.vertices].astype(np.float32)
        surface = Surface(points, self.faces, moving_normals(points, self.faces, self.given.is_flat), {"value": values})
        self._draw_arrows(points)
        return surfaces.with_coarse(surface, surfaces.COARSE_TRIANGLES)

    # ---- arrows ---
    def _vector(self) -> np.ndarray | None:
        """(T, V, 3) view of what arrows show: the first vector of the field, else how it moves."""
        field: MeshField = self.given
        if field.vectors:
            places = [field.components.index(part) for part in field.vectors[0][1:]]
            flow = np.zeros((len(field.points), 3))
            flow[:, : len(places)] = np.stack([field.values[self.time, k] for k in places], 1)
            return flow
        return None if field.displacements is None else np.asarray(field.displacements[self.time])

    def _draw_arrows(self, points: np.ndarray) -> None:
        flow = self._vector() if self.style.arrows else None
        ends, lines = arrow_lines(points, None if flow is None else flow[self.vertices])
        self.flow.give(surfaces.poly_data(ends, lines=lines), {})

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, self.flow.actor]

    def _show(self) -> None:
        super()._show()
        self.flow.actor.SetVisibility(self.style.visible and self.style.arrows)

    def apply(self) -> None:
        super().apply()
        dress_arrows(self.flow, self.pixel_scale)

    def pick_points(self) -> np.ndarray | None:
        return None


def _of_grid(field: SampledField) -> type[layers.Layer] | None:
    if field.dimensions == 3 and min(field.shape) > 1:
        return SpaceLayer
    if min(field.shape) > 1 and (field.dimensions == 2 or (field.dimensions == 1 and len(field.times) > 1)):
        return HeightLayer
    return None


layers.LAYERS[SampledField] = _of_grid
layers.LAYERS[MeshField] = MeshFieldLayer
