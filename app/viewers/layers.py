"""What a 3D view shows: one layer per artifact, with its style and its VTK actors.

An update hands new arrays to the same mappers and actors, so that a live preview does not flicker.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkCommonDataModel import vtkPlane, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkProperty

from app import theme
from app.viewers import colour_maps, surfaces
from app.viewers.registry import Shown
from app.viewers.surfaces import Surface
from engines.data import GridField, Mesh, PointCloud, Slices, Volume

COARSE_POINTS = 60_000


@dataclass
class Style:
    """How a layer looks; JSON-able. Empty strings and None mean: chosen automatically."""

    visible: bool = True
    opacity: float = 1.0
    color: str = ""
    by: str = ""  # "", "planes", "labels", "colors" or the name of a scalar
    cmap: str = ""
    low: float | None = None
    high: float | None = None
    wireframe: bool = False
    flat: bool = False
    point_size: float = 4.0
    line_width: float = 3.0
    level: float | None = None

    @classmethod
    def from_json(cls, data: Any, default: Style) -> Style:
        """``data`` over ``default``; entries of a wrong type are left out."""
        values = asdict(default)
        for f in fields(cls):
            given = data.get(f.name) if isinstance(data, dict) else None
            old = values[f.name]
            number = isinstance(given, int | float) and not isinstance(given, bool) and bool(np.isfinite(given))
            if (isinstance(old, bool) and isinstance(given, bool)) or (isinstance(old, str) and isinstance(given, str)):
                values[f.name] = given
            elif number and not isinstance(old, bool | str):
                values[f.name] = float(given)
        values["opacity"] = min(max(values["opacity"], 0.0), 1.0)
        values["point_size"] = min(max(values["point_size"], 1.0), 40.0)
        values["line_width"] = min(max(values["line_width"], 1.0), 20.0)
        if values["color"] and not (len(values["color"]) == 7 and values["color"][0] == "#"):
            values["color"] = default.color
        return cls(**values)


class Drawn:
    """One actor with its mapper, kept for the life of its layer."""

    def __init__(self) -> None:
        self.mapper, self.actor = vtkPolyDataMapper(), vtkActor()
        self.mapper.SetInterpolateScalarsBeforeMapping(True)
        self.mapper.SetResolveCoincidentTopologyToPolygonOffset()
        self.mapper.SetInputData(vtkPolyData())
        self.actor.SetMapper(self.mapper)
        self.inside = vtkProperty()
        self.arrays: dict[str, np.ndarray] = {}

    def give(self, data: vtkPolyData, arrays: dict[str, np.ndarray]) -> None:
        self.arrays = arrays
        for name, values in arrays.items():
            made = numpy_to_vtk(np.ascontiguousarray(values, np.float32))
            made.SetName(name)
            data.GetPointData().AddArray(made)
        self.mapper.SetInputData(data)

    def paint(self, colours: np.ndarray) -> None:
        """(V, 3) uint8 colours, one per point."""
        made = numpy_to_vtk(np.ascontiguousarray(colours, np.uint8))
        made.SetName("colours on screen")
        self.mapper.GetInput().GetPointData().AddArray(made)
        self.mapper.SetScalarModeToUsePointFieldData()
        self.mapper.SelectColorArray("colours on screen")
        self.mapper.SetColorModeToDirectScalars()
        self.mapper.ScalarVisibilityOn()


class Layer:
    """Base: fine geometry, and a coarse stand-in that is shown while the camera moves."""

    kind: ClassVar[str] = ""
    icon: ClassVar[str] = "artifact"
    uses: ClassVar[tuple[str, ...]] = ()
    """Settings of Style that the layer panel offers."""

    def __init__(self, item: Shown, index: int) -> None:
        self.id, self.name, self.index = item.id, item.name, index
        self.artifact: Any = item.artifact
        self.style = Style()
        self.fine, self.coarse = Drawn(), Drawn()
        self.has_coarse = False
        self.moving = False
        self.pixel_scale = 1.0
        self.clip: vtkPlane | None = None
        self.lut = vtkLookupTable()
        self.value_range = (0.0, 1.0)
        self.cmap = "viridis"

    # ---- to be said by each kind ---
    def set_artifact(self, artifact: Any) -> None:
        raise NotImplementedError

    def colourings(self) -> list[tuple[str, str]]:
        """(key, title) of the ways to colour this layer."""
        return [("", "One colour")]

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        """(V, 3) uint8 for the special colourings, None for scalars and one colour."""
        return None

    @property
    def bounds(self) -> np.ndarray | None:
        raise NotImplementedError

    def extent(self) -> np.ndarray:
        """Some points (n, 3) that span the layer; none when it is empty."""
        data = self.fine.mapper.GetInput()
        if data.GetNumberOfPoints() == 0:
            return np.zeros((0, 3))
        points = vtk_to_numpy(data.GetPoints().GetData())
        ends = np.concatenate([points.argmin(0), points.argmax(0)])
        return np.concatenate([points[:: max(1, len(points) // 4000)], points[ends]]).astype(float)

    def pick_points(self) -> np.ndarray | None:
        """Points to snap to, for layers that are not surfaces."""
        return None

    # ---- the same for all ---
    @property
    def actors(self) -> list[vtkActor]:
        return [self.fine.actor, self.coarse.actor]

    @property
    def scalar(self) -> str:
        """The name of the scalar that colours this layer, or ""."""
        return self.style.by if self.style.by in self.fine.arrays else ""

    @property
    def base_colour(self) -> str:
        return self.style.color or (
            theme.colors().surface if self.index == 0 else colour_maps.SURFACE_COLOURS[self.index % 9]
        )

    def set_style(self, style: Style) -> None:
        self.style = style
        if style.by not in {key for key, _ in self.colourings()}:
            self.style.by = ""
        self.apply()

    def set_clip(self, plane: vtkPlane | None) -> None:
        self.clip = plane
        for drawn in (self.fine, self.coarse):
            drawn.mapper.RemoveAllClippingPlanes()
            if plane is not None:
                drawn.mapper.AddClippingPlane(plane)
        self.apply()

    def set_moving(self, moving: bool) -> None:
        self.moving = moving
        self._show()

    def _show(self) -> None:
        stand_in = self.moving and self.has_coarse
        self.fine.actor.SetVisibility(self.style.visible and not stand_in)
        self.coarse.actor.SetVisibility(self.style.visible and stand_in)

    def apply(self) -> None:
        self._show()
        self._choose_range()
        for drawn in (self.fine, self.coarse) if self.has_coarse else (self.fine,):
            self._apply_to(drawn)

    def _choose_range(self) -> None:
        name = self.scalar
        if not name:
            return
        cmap, (low, high) = colour_maps.choose(self.fine.arrays[name])
        self.cmap = self.style.cmap or cmap
        if self.cmap == "diverging":
            edge = max(abs(low), abs(high))
            low, high = -edge, edge
        low = low if self.style.low is None else self.style.low
        high = high if self.style.high is None else self.style.high
        self.value_range = (low, high) if high > low else (low, low + 1e-12 + abs(low) * 1e-6)
        colours = colour_maps.table(self.cmap)
        self.lut.SetNumberOfTableValues(256)
        rgba = np.concatenate([colours, np.full((256, 1), 255, np.uint8)], 1)
        held = numpy_to_vtk(rgba, deep=True)
        self.lut.SetTable(held)
        self.lut.SetTableRange(*self.value_range)

    def _apply_to(self, drawn: Drawn) -> None:
        look, style = drawn.actor.GetProperty(), self.style
        look.SetColor(*colour_maps.rgb(self.base_colour))
        look.SetOpacity(style.opacity)
        look.SetRepresentation(1 if style.wireframe else 2)
        look.SetInterpolation(0 if style.flat else 2)
        look.SetAmbient(0.10)
        look.SetDiffuse(0.92)
        look.SetSpecular(0.16)
        look.SetSpecularPower(28)
        look.SetLineWidth(max(1.0, (1.0 if style.wireframe else style.line_width) * self.pixel_scale))
        look.SetPointSize(max(1.0, style.point_size * self.pixel_scale))
        colours = self.point_colours(drawn)
        if colours is not None:
            drawn.paint(colours)
        elif self.scalar:
            drawn.mapper.SetLookupTable(self.lut)
            drawn.mapper.UseLookupTableScalarRangeOn()
            drawn.mapper.SetScalarModeToUsePointFieldData()
            drawn.mapper.SelectColorArray(self.scalar)
            drawn.mapper.SetColorModeToMapScalars()
            drawn.mapper.ScalarVisibilityOn()
        else:
            drawn.mapper.ScalarVisibilityOff()
        self.finish(drawn)

    def finish(self, drawn: Drawn) -> None:
        """What a kind adds to the common look."""


class SurfaceLayer(Layer):
    kind = "mesh"
    icon = "Mesh"
    uses = ("by", "color", "opacity", "wireframe", "flat")

    def __init__(self, item: Shown, index: int, surface: Surface) -> None:
        super().__init__(item, index)
        self._locator: Any = None
        self.surface = surface
        self.set_surface(surface)
        # A mesh that comes with one set of values was made to show it.
        self.style.by = next(iter(surface.scalars)) if len(surface.scalars) == 1 else ""
        if surface.colors is not None and not surface.scalars:
            self.style.by = "colors"
        self.apply()

    def set_surface(self, surface: Surface) -> None:
        self.surface, self._locator = surface, None
        self.has_coarse = surface.coarse is not None
        for drawn, source in ((self.fine, surface), (self.coarse, surface.coarse)):
            if source is not None:
                data = surfaces.poly_data(source.points, faces=source.faces, normals=source.normals)
                drawn.give(data, source.scalars)
        self.apply()

    def colourings(self) -> list[tuple[str, str]]:
        found = super().colourings()
        if self.surface.colors is not None:
            found.append(("colors", "Colours of the file"))
        return found + [(name, name.capitalize()) for name in self.surface.scalars]

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        source = self.surface if drawn is self.fine else self.surface.coarse
        if source is None:
            return None
        if self.style.by == "colors" and source.colors is not None:
            return source.colors[:, :3]
        if self.style.by == "label" and "label" in source.scalars:
            labels = np.round(source.scalars["label"]).astype(int)
            distinct, place = np.unique(labels, return_inverse=True)
            colours = [[round(c * 255) for c in colour_maps.rgb(colour_maps.label_colour(n))] for n in distinct]
            return np.array(colours, np.uint8)[place]
        return None

    @property
    def scalar(self) -> str:
        return "" if self.style.by == "label" else super().scalar

    @property
    def bounds(self) -> np.ndarray | None:
        points = self.surface.points
        return np.stack([points.min(0), points.max(0)]).astype(float) if len(points) else None

    def finish(self, drawn: Drawn) -> None:
        # A translucent surface shows its front only: without it, its own back shines through unsorted.
        drawn.actor.GetProperty().SetBackfaceCulling(self.style.opacity < 0.99 and self.clip is None)
        if self.clip is None:
            drawn.actor.SetBackfaceProperty(None)
        else:
            drawn.inside.DeepCopy(drawn.actor.GetProperty())
            drawn.inside.SetColor(*(0.55 * c for c in colour_maps.rgb(self.base_colour)))
            drawn.inside.SetSpecular(0.0)
            drawn.actor.SetBackfaceProperty(drawn.inside)

    def hit(self, origin: np.ndarray, direction: np.ndarray, length: float) -> np.ndarray | None:
        """The first point (3,) that the ray meets, or None."""
        if not len(self.surface.faces):
            return None
        if self._locator is None:
            from vtkmodules.vtkCommonDataModel import vtkStaticCellLocator

            self._locator = vtkStaticCellLocator()
            self._locator.SetDataSet(surfaces.poly_data(self.surface.points, faces=self.surface.faces))
            self._locator.BuildLocator()
        from vtkmodules.vtkCommonCore import mutable

        t, sub, where, local = mutable(0.0), mutable(0), [0.0] * 3, [0.0] * 3
        start = np.array(origin, float)
        for _ in range(64):  # past what is clipped away
            if not self._locator.IntersectWithLine(start, origin + direction * length, 0.0, t, where, local, sub):
                return None
            if self.clip is None or self.clip.EvaluateFunction(where) >= 0:
                return np.array(where)
            start = np.array(where) + direction * length * 1e-6
        return None


class MeshLayer(SurfaceLayer):
    def __init__(self, item: Shown, index: int, surface: Surface | None = None) -> None:
        super().__init__(item, index, surface or surfaces.of_mesh(item.artifact))

    def set_artifact(self, artifact: Mesh, surface: Surface | None = None) -> None:
        self.artifact = artifact
        self.set_surface(surface or surfaces.of_mesh(artifact))


class IsosurfaceLayer(SurfaceLayer):
    kind = "isosurface"
    icon = "GridField"
    uses = ("level", "by", "color", "opacity", "wireframe", "flat")

    def __init__(self, item: Shown, index: int, surface: Surface | None = None) -> None:
        grid = item.artifact
        self.level = default_level(grid)
        super().__init__(item, index, surface or surfaces.isosurface(grid, self.level))
        if isinstance(grid, Volume) and grid.is_label:
            self.style.by = "label"
            self.apply()

    def set_artifact(self, artifact: GridField | Volume, surface: Surface | None = None) -> None:
        self.artifact = artifact
        level = self.level if self.style.level is None else self.style.level
        self.set_surface(surface or surfaces.isosurface(artifact, level))

    @property
    def level_range(self) -> tuple[float, float]:
        values = self.artifact.values
        step = max(1, values.size // 200_000)
        some = np.nan_to_num(values.ravel()[::step].astype(float))
        low, high = (float(v) for v in np.percentile(some, (0.5, 99.5)))
        return (low, high) if high > low else (low - 0.5, low + 0.5)


def default_level(grid: GridField | Volume) -> float:
    """The field's own level; 0 where it changes sign; else the middle of its range."""
    if isinstance(grid, GridField) and grid.level is not None:
        return float(grid.level)
    low, high = float(np.nanmin(grid.values)), float(np.nanmax(grid.values))
    return 0.0 if low < 0 < high else (low + high) / 2


class ContourLayer(Layer):
    kind = "contours"
    icon = "Slices"
    uses = ("by", "color", "opacity", "line_width")

    def __init__(self, item: Shown, index: int) -> None:
        super().__init__(item, index)
        self.style.by = "labels" if len(item.artifact.labels) > 1 else "planes"
        self.set_artifact(item.artifact)

    def set_artifact(self, artifact: Slices) -> None:
        self.artifact = artifact
        edges = artifact.edges if len(artifact.vertices) else np.zeros((0, 2), np.int32)
        self.fine.give(surfaces.poly_data(artifact.vertices, lines=edges), {})
        self.apply()

    def colourings(self) -> list[tuple[str, str]]:
        return [("planes", "Planes"), ("labels", "Labels"), *super().colourings()]

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        slices: Slices = self.artifact
        if not len(slices.vertices):
            return None
        if self.style.by == "planes":
            return colour_maps.ramp(slices.plane_count, theme.colors().dark)[slices.vertex_planes]
        if self.style.by == "labels":
            own = slices.loop_labels
            of_loop = np.where(slices.loop_parents >= 0, own[slices.loop_parents], own)
            colours = [[round(c * 255) for c in colour_maps.rgb(colour_maps.label_colour(n))] for n in of_loop]
            return np.repeat(np.array(colours, np.uint8), slices.loop_counts, axis=0)
        return None

    @property
    def base_colour(self) -> str:
        return self.style.color or theme.colors().accent

    @property
    def bounds(self) -> np.ndarray | None:
        return self.artifact.bounds if len(self.artifact.vertices) else None

    def pick_points(self) -> np.ndarray | None:
        return self.artifact.vertices

    def finish(self, drawn: Drawn) -> None:
        look = drawn.actor.GetProperty()
        look.SetRepresentation(1)
        look.SetRenderLinesAsTubes(True)
        look.SetAmbient(0.45)
        look.SetDiffuse(0.6)
        look.SetSpecular(0.0)
        # Contours lie in the surface that was made from them: draw them just in front of it.
        drawn.mapper.SetRelativeCoincidentTopologyLineOffsetParameters(0.0, -12.0)


class PointLayer(Layer):
    kind = "points"
    icon = "PointCloud"
    uses = ("by", "color", "opacity", "point_size")

    def __init__(self, item: Shown, index: int) -> None:
        super().__init__(item, index)
        cloud: PointCloud = item.artifact
        self.style.by = "colors" if cloud.colors is not None else next(iter(cloud.scalars), "")
        self.set_artifact(cloud)

    def set_artifact(self, artifact: PointCloud) -> None:
        self.artifact = artifact
        count = len(artifact.points)
        self.has_coarse = count > 2 * COARSE_POINTS
        self._every = slice(None, None, max(1, count // COARSE_POINTS))
        for drawn, part in ((self.fine, slice(None)), (self.coarse, self._every)):
            if drawn is self.fine or self.has_coarse:
                normals = None if artifact.normals is None else artifact.normals[part]
                data = surfaces.poly_data(artifact.points[part], verts=True, normals=normals)
                drawn.give(data, {k: v[part] for k, v in artifact.scalars.items()})
        self.apply()

    def colourings(self) -> list[tuple[str, str]]:
        own = [("colors", "Colours of the file")] if self.artifact.colors is not None else []
        return [*super().colourings(), *own, *((k, k.capitalize()) for k in self.artifact.scalars)]

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        if self.style.by != "colors" or self.artifact.colors is None:
            return None
        return self.artifact.colors[slice(None) if drawn is self.fine else self._every, :3]

    @property
    def base_colour(self) -> str:
        return self.style.color or theme.colors().accent

    @property
    def bounds(self) -> np.ndarray | None:
        return self.artifact.bounds if len(self.artifact.points) else None

    def pick_points(self) -> np.ndarray | None:
        return self.artifact.points

    def finish(self, drawn: Drawn) -> None:
        look = drawn.actor.GetProperty()
        look.SetRepresentation(0)
        look.SetRenderPointsAsSpheres(len(self.artifact.points) <= 200_000)
        if self.artifact.normals is None:
            look.SetAmbient(0.5)
            look.SetDiffuse(0.6)


LAYERS: dict[type, type[Layer]] = {
    Mesh: MeshLayer,
    Slices: ContourLayer,
    PointCloud: PointLayer,
    GridField: IsosurfaceLayer,
    Volume: IsosurfaceLayer,
}


def slow_part(artifact: Any) -> bool:
    """Whether making this layer's surface takes long enough to do it off the GUI thread."""
    if isinstance(artifact, Mesh):
        return len(artifact.faces) > 60_000
    return isinstance(artifact, GridField | Volume) and artifact.values.size > 60**3


def prepare(artifact: Any, level: float | None = None) -> Surface | None:
    """The part of a layer that needs no GUI thread; None for kinds that have none."""
    if isinstance(artifact, Mesh):
        return surfaces.of_mesh(artifact)
    if isinstance(artifact, GridField | Volume):
        return surfaces.isosurface(artifact, default_level(artifact) if level is None else level)
    return None
