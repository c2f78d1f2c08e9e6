"""A field in space as a layer of a 3D view: a surface on which it has one value, a cloud, or planes across."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.vtkCommonDataModel import vtkPlane
from vtkmodules.vtkRenderingCore import vtkProp3D

from app.viewers import field_colours, field_values, surfaces
from app.viewers.field_meshes import arrow_lines, dress_arrows, squares
from app.viewers.field_values import Quantity
from app.viewers.layer import Drawn, Style
from app.viewers.layers import IsosurfaceLayer
from app.viewers.registry import Shown
from app.viewers.surfaces import Surface
from engines.blocks.pde.grids import velocity
from engines.data import GridField, SampledField

SPACE_NODES, HASTY_NODES = 128**3, 64**3
"""Of more nodes some are left out: when it stands still, and while time goes on without a graphics card."""


ARROWS = 8
"""Along each side of the field, at most."""


class SpaceLayer(IsosurfaceLayer):
    """A field in space: a surface on which it has one value, a cloud, or planes across."""

    kind = "field in space"
    icon = "SampledField"

    def __init__(self, item: Shown, index: int) -> None:
        self.time = 0
        self._span: tuple[str, float, float] | None = None
        self.slabs = Drawn()
        self._is_hasty = False
        self.flow = Drawn()
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
        arrows = ("arrows",) if self.field.vectors or velocity(self.field.components, 3) else ()
        return (*found, *arrows, "planes", *(("cuts",) if self.style.planes else ()))

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
        self._is_hasty = self.moving and self.software
        self.artifact = self._frame(self.time, HASTY_NODES if self._is_hasty else SPACE_NODES)
        self._draw_arrows()
        if self.style.planes:
            self._make_slabs()
            self.apply()
        elif self.is_cloud:
            self.apply()
        else:
            level = self.level if self.style.level is None else self.style.level
            self.set_surface(surfaces.isosurface(self.artifact, level))

    def set_moving(self, moving: bool) -> None:
        super().set_moving(moving)
        if self._is_hasty and not moving:
            self.rebuild()

    def set_style(self, style: Style) -> None:
        def counts(of: Style) -> tuple[object, ...]:
            return (of.quantity, of.arrows, of.planes, of.volume, of.level, of.cut_x, of.cut_y, of.cut_z)

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
        return field_values.as_grid(field, self.quantity, 0 if step > 1 else time)

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
    def cuts(self) -> list[float]:
        """Where the planes across each axis lie."""
        grid, shares = self.artifact, (self.style.cut_x, self.style.cut_y, self.style.cut_z)
        places = [round(share * (count - 1)) for share, count in zip(shares, grid.values.shape, strict=True)]
        steps = grid.origin / grid.spacing + np.array(places)  # rounded: a plane through zero lies at zero
        return [float(v) for v in steps.round(9) * grid.spacing]

    @property
    def is_cloud(self) -> bool:
        return super().is_cloud and not self.style.planes

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, self.slabs.actor, self.flow.actor]

    def _draw_arrows(self) -> None:
        """From an even choice of nodes, along the first vector of the field."""
        field = self.field
        vectors = field.vectors or velocity(field.components, 3)
        if not self.style.arrows or not vectors or len(vectors[0]) != 4:
            self.flow.give(surfaces.poly_data(np.zeros((0, 3))), {})
            return
        some = [np.unique(np.linspace(0, n - 1, min(n, ARROWS)).astype(int)) for n in field.shape]
        cut = np.ix_(*some)
        parts = [field.values[self.time, field.components.index(part)][cut] for part in vectors[0][1:]]
        nodes = np.meshgrid(*(n[k] for n, k in zip(field.axes, some, strict=True)), indexing="ij")
        points = np.stack(nodes, -1).reshape(-1, 3)
        ends, lines = arrow_lines(points, np.stack(parts, -1).reshape(-1, 3).astype(float), len(points))
        self.flow.give(surfaces.poly_data(ends, lines=lines), {})

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
            faces.append(squares(np.isfinite(part)) + count)
            values.append(np.nan_to_num(part).reshape(-1))
            count += part.size
        data = surfaces.poly_data(np.concatenate(points), faces=np.concatenate(faces))
        self.slabs.give(data, {"value": np.concatenate(values)})

    def apply(self) -> None:
        super().apply()
        dress_arrows(self.flow, self.pixel_scale)
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
        self.flow.actor.SetVisibility(self.style.visible and self.style.arrows)
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
