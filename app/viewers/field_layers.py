"""Fields as layers of a 3D view: as a surface over the plane, as surfaces, clouds and planes in space, on a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPlane
from vtkmodules.vtkRenderingCore import vtkProp3D

from app import theme
from app.viewers import colour_maps, field_colours, field_values, layers, surfaces
from app.viewers.field_meshes import arrow_lines, boundary, moving_normals
from app.viewers.field_values import Quantity
from app.viewers.layer import Drawn, Style
from app.viewers.layers import IsosurfaceLayer, SurfaceLayer
from app.viewers.registry import Shown
from app.viewers.surfaces import Surface
from engines.data import GridField, MeshField, SampledField

SURFACE_NODES, COARSE_NODES = 320, 96
"""Along each side of a surface over the plane, when it stands still and when it does not."""
SPACE_NODES = 128**3
"""Of a field in space: of more nodes some are left out."""
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
        step = max(1, -(-max(plane.values.shape) // nodes))
        values = np.asarray(plane.values[::step, ::step], float)
        right, up = plane.right[::step], plane.up[::step]
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
            points, _squares(good), np.nan_to_num(normals).reshape(-1, 3).astype(np.float32),
            {"value": values.reshape(-1).astype(np.float32)},
        )  # fmt: skip


def _squares(good: np.ndarray) -> np.ndarray:
    """(F, 3) two triangles for each square of nodes that all have values."""
    rows, columns = good.shape
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    whole = good[:-1, :-1] & good[1:, :-1] & good[1:, 1:] & good[:-1, 1:]
    a, b, c, d = (part[whole] for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


class SpaceLayer(IsosurfaceLayer):
    """A field in space: a surface on which it has one value, a cloud, or planes across."""

    kind = "field in space"
    icon = "SampledField"

    def __init__(self, item: Shown, index: int) -> None:
        self.time = 0
        self._span: tuple[str, float, float] | None = None
        self.slabs = Drawn()
        field: SampledField = item.artifact
        self.field = field
        self.style = Style()
        self.quantities = field_values.quantities(field.components, field.vectors, 3)
        first = Shown(item.id, item.name, self._frame(0))
        super().__init__(first, index)
        self.given = field
        self.level = self._default_level()
        self.rebuild()

    @property
    def uses(self) -> tuple[str, ...]:
        found = ["quantity", *super().uses]
        if self.style.planes:
            found = ["quantity", "opacity"]
        return (*found, "planes", *(("cuts",) if self.style.planes else ()))

    @property
    def quantity(self) -> Quantity:
        found = [q for q in self.quantities if q.key == self.style.quantity]
        return found[0] if found else self.quantities[0]

    @property
    def times(self) -> np.ndarray:
        return self.field.times

    def set_time(self, time: float) -> None:
        index = field_values.nearest(self.times, time)
        if index != self.time:
            self.time = index
            self.rebuild()

    def set_artifact(self, artifact: Any, surface: Surface | None = None) -> None:
        if isinstance(artifact, SampledField):
            self.given, self.field = artifact, artifact
            self.quantities = field_values.quantities(artifact.components, artifact.vectors, 3)
            self._span = None
            self.time = min(self.time, len(self.times) - 1)
            self.rebuild()

    def rebuild(self) -> None:
        """Draw the quantity and the time that are chosen now."""
        self.artifact = self._frame(self.time)
        if self.style.planes:
            self._make_slabs()
            self.apply()
        elif self.is_cloud:
            self.apply()
        else:
            level = self.level if self.style.level is None else self.style.level
            self.set_surface(surfaces.isosurface(self.artifact, level))

    def set_style(self, style: Style) -> None:
        def counts(of: Style) -> tuple[object, ...]:
            return (of.quantity, of.planes, of.volume, of.level, of.cut_x, of.cut_y, of.cut_z)

        old, self.style = self.style, style
        if old.quantity != style.quantity:
            self._span = None
            self.level, self.style.level = self._default_level(), None
        if counts(old) != counts(style):
            self.rebuild()
        super().set_style(self.style)

    # ---- values ---
    def _frame(self, time: int, most: int = SPACE_NODES) -> GridField:
        """The quantity at a time, on evenly spaced nodes, thinned out where there are very many."""
        field = self.field
        step = max(1, int(np.ceil((np.prod(field.shape) / most) ** (1 / 3))))
        if step > 1:
            field = field.replace(
                values=field.values[time : time + 1, :, ::step, ::step, ::step],
                times=field.times[time : time + 1], x=field.x[::step], y=field.y[::step], z=field.z[::step],
            )  # fmt: skip
        time = 0 if step > 1 else time
        whole = [slice(0, n) for n in field.shape]
        values = field_values.evaluate(field, self.quantity, slice(time, time + 1), whole)[0]
        axes = [np.linspace(nodes[0], nodes[-1], len(nodes)) for nodes in field.axes]
        if not field.is_even:
            values = _evenly(values, field.axes, axes)
        return GridField(
            values=values, origin=[nodes[0] for nodes in axes],
            spacing=[nodes[1] - nodes[0] if len(nodes) > 1 else 1.0 for nodes in axes],
            quantity=self.quantity.title, unit=field_values.unit_of(self.quantity, field.unit, field.length_unit),
            length_unit=field.length_unit, name=self.field.name,
        )  # fmt: skip

    @property
    def span(self) -> tuple[str, float, float]:
        """Map and range of the quantity at all times."""
        if self._span is None:
            self._span = field_colours.span(field_values.some_values(self.field, self.quantity))
        return self._span

    def _default_level(self) -> float:
        """Zero where the field has either sign, else a third of its range, which is low enough for each time."""
        _, low, high = self.span
        if low < 0 < high:
            return 0.0
        times = np.unique(np.linspace(0, len(self.times) - 1, 12).astype(int))
        frames = [self._frame(int(time), 24**3).values for time in times]
        ends = [(float(np.nanmin(values)), float(np.nanmax(values))) for values in frames]
        thirds = [a + (b - a) / 3 for a, b in ends if b - a > 0.01 * (high - low)]
        return min(thirds, default=low + (high - low) / 3)

    @property
    def level_range(self) -> tuple[float, float]:
        _, low, high = self.span
        return low, high if high > low else low + 1.0

    @property
    def scalar(self) -> str:
        return "value" if self.style.planes else super().scalar

    @property
    def scalar_title(self) -> tuple[str, str]:
        return (self.quantity.title, self.artifact.unit) if self.style.planes else super().scalar_title

    def _coloured_values(self) -> np.ndarray | None:
        return np.array(self.span[1:]) if self.style.planes or self.is_cloud else super()._coloured_values()

    def _automatic(self, values: np.ndarray) -> tuple[str, tuple[float, float]]:
        return self.span[0], self.span[1:]

    # ---- planes ---
    @property
    def is_cloud(self) -> bool:
        return super().is_cloud and not self.style.planes

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, self.slabs.actor]

    def _make_slabs(self) -> None:
        """Three planes across the grid as one surface."""
        grid = self.artifact
        points, faces, values, count = [], [], [], 0
        for axis, share in enumerate((self.style.cut_x, self.style.cut_y, self.style.cut_z)):
            shape = grid.values.shape
            index = round(share * (shape[axis] - 1))
            right, up = field_values.IN_PLANE[axis]
            i, j = np.meshgrid(np.arange(shape[right]), np.arange(shape[up]), indexing="ij")
            place = np.empty((*i.shape, 3))
            place[..., axis], place[..., right], place[..., up] = index, i, j
            part = np.take(grid.values, index, axis)
            points.append((grid.origin + place * grid.spacing).reshape(-1, 3))
            faces.append(_squares(np.isfinite(part)) + count)
            values.append(np.nan_to_num(part).reshape(-1))
            count += part.size
        data = surfaces.poly_data(np.concatenate(points), faces=np.concatenate(faces))
        self.slabs.give(data, {"value": np.concatenate(values)})

    def apply(self) -> None:
        super().apply()
        if self.style.planes:
            self._apply_to(self.slabs)
            look = self.slabs.actor.GetProperty()
            look.SetAmbient(1.0)  # the colours say values: light would change them
            look.SetDiffuse(0.0)
            look.SetSpecular(0.0)

    def set_clip(self, plane: vtkPlane | None) -> None:
        self.slabs.mapper.RemoveAllClippingPlanes()
        if plane is not None:
            self.slabs.mapper.AddClippingPlane(plane)
        super().set_clip(plane)

    def _show(self) -> None:
        super()._show()
        self.slabs.actor.SetVisibility(self.style.visible and self.style.planes)
        if self.style.planes:
            self.fine.actor.VisibilityOff()
            self.coarse.actor.VisibilityOff()

    @property
    def bounds(self) -> np.ndarray | None:
        """Of the whole field: its surface may come and go."""
        return np.array([[nodes[0] for nodes in self.field.axes], [nodes[-1] for nodes in self.field.axes]])

    def extent(self) -> np.ndarray:
        low, high = self.bounds  # type: ignore[misc]
        corners = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
        return np.asarray(low + corners * (high - low))


def _evenly(values: np.ndarray, axes: Any, even: Any) -> np.ndarray:
    """Values on evenly spaced nodes instead, linear along each axis in turn."""
    for axis, (nodes, wanted) in enumerate(zip(axes, even, strict=True)):
        if len(nodes) < 3:
            continue
        below = np.clip(np.searchsorted(nodes, wanted, "right") - 1, 0, len(nodes) - 2)
        share = (wanted - nodes[below]) / (nodes[below + 1] - nodes[below])
        shape = [-1 if k == axis else 1 for k in range(3)]
        low, high = np.take(values, below, axis), np.take(values, below + 1, axis)
        values = low + share.reshape(shape) * (high - low)
    return values


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
        look = self.flow.actor.GetProperty()
        look.SetColor(*colour_maps.rgb(theme.colors().text))
        look.SetLineWidth(1.5 * self.pixel_scale)
        look.LightingOff()

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
