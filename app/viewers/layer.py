"""A layer of a 3D view: one artifact with its style and its VTK actors; its kinds are in :mod:`app.viewers.layers`.

An update hands new arrays to the same mappers and actors, so that a live preview does not flicker.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkLookupTable
from vtkmodules.vtkCommonDataModel import vtkPlane, vtkPolyData
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkProp3D, vtkProperty

from app import theme
from app.viewers import colour_maps, saved_state, scalar_units
from app.viewers.registry import Shown


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
    volume: bool = False
    """The values of a grid as a cloud instead of a surface."""
    planes: bool = False
    """The values of a grid on three planes instead of a surface."""
    cut_x: float = 0.5
    cut_y: float = 0.5
    cut_z: float = 0.5
    """Where these planes are, from one end of the grid to the other."""
    quantity: str = ""
    """Which of a field's quantities is shown."""
    height: float = 1.0
    """How much higher a surface is drawn, or how much further a mesh moves, than by default."""
    arrows: bool = False

    @classmethod
    def from_json(cls, data: Any, default: Style) -> Style:
        """``data`` over ``default``; entries of a wrong type are left out."""
        values = asdict(default)
        for f in fields(cls):
            given = data.get(f.name) if isinstance(data, dict) else None
            old = values[f.name]
            number = saved_state.is_number(given)
            if (isinstance(old, bool) and isinstance(given, bool)) or (isinstance(old, str) and isinstance(given, str)):
                values[f.name] = given
            elif number and not isinstance(old, bool | str):
                values[f.name] = float(given)
        values["opacity"] = min(max(values["opacity"], 0.0), 1.0)
        values["point_size"] = min(max(values["point_size"], 1.0), 40.0)
        values["height"] = min(max(values["height"], 0.0), 1e4)
        for name in ("cut_x", "cut_y", "cut_z"):
            values[name] = min(max(values[name], 0.0), 1.0)
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
        self.given = self.artifact = item.artifact
        """What it was made for, and what of it is drawn: of a field that changes, the one at the time on show."""
        self.style = Style()
        self.fine, self.coarse = Drawn(), Drawn()
        self._extent: tuple[vtkPolyData, np.ndarray] | None = None
        self.has_coarse = False
        self.moving = False
        self.pixel_scale = 1.0
        self.software = True
        """Whether the view draws without a graphics card."""
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
        if self._extent is None or self._extent[0] is not data:
            points = np.zeros((0, 3))
            if data.GetNumberOfPoints():
                held = vtk_to_numpy(data.GetPoints().GetData())
                ends = np.concatenate([held.argmin(0), held.argmax(0)])
                points = np.concatenate([held[:: max(1, len(held) // 4000)], held[ends]]).astype(float)
            self._extent = (data, points)
        return self._extent[1]

    def hit(self, origin: np.ndarray, direction: np.ndarray, length: float) -> np.ndarray | None:
        """The first point (3,) of a surface that the ray meets, or None."""
        return None

    def pick_points(self) -> np.ndarray | None:
        """Points to snap to, for layers that are not surfaces."""
        return None

    @property
    def times(self) -> np.ndarray:
        """At which it is another; one where it does not change."""
        return np.zeros(1)

    @property
    def time_words(self) -> tuple[str, str]:
        """Name and unit of its time."""
        return getattr(self.given, "time_name", "t"), getattr(self.given, "time_unit", "")

    def set_time(self, time: float) -> None:
        """Show the time that is nearest to this one."""

    # ---- the same for all ---
    @property
    def actors(self) -> list[vtkProp3D]:
        return [self.fine.actor, self.coarse.actor]

    @property
    def scalar(self) -> str:
        """The name of the scalar that colours this layer, or ""."""
        return self.style.by if self.style.by in self.fine.arrays else ""

    @property
    def scalar_title(self) -> tuple[str, str]:
        """What to write beside the colours of the scalar, and its unit."""
        return scalar_units.titled(self.scalar, self.artifact)

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

    def _coloured_values(self) -> np.ndarray | None:
        """The values that the colours stand for; None where there are none."""
        return self.fine.arrays[self.scalar] if self.scalar else None

    def _automatic(self, values: np.ndarray) -> tuple[str, tuple[float, float]]:
        """The colour map and range for the coloured values while the user chooses none."""
        return colour_maps.choose(values)

    def _choose_range(self) -> None:
        values = self._coloured_values()
        if values is None:
            return
        cmap, (low, high) = self._automatic(values)
        self.cmap = self.style.cmap or cmap
        if self.cmap in colour_maps.DIVERGING:
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
