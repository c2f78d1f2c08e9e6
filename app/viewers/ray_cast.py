"""The values of a grid as a translucent cloud, by ray casting: how much there is, where a surface shows only one level.

The colour of a point comes from the layer's colour map, its opacity from how deep inside its value is: for fields that
are negative inside that is how low in the range of colours, for others how high.
"""

from __future__ import annotations

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPiecewiseFunction, vtkPlane
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkColorTransferFunction, vtkVolume
from vtkmodules.vtkRenderingVolume import vtkFixedPointVolumeRayCastMapper
from vtkmodules.vtkRenderingVolumeOpenGL2 import vtkSmartVolumeMapper

from app.viewers import colour_maps, sections
from engines.data import GridField, Volume


def inner_values(grid: Volume | GridField) -> np.ndarray:
    """(n,) The values that a cloud shows: of a field that is negative inside, those up to its level."""
    values = np.asarray(grid.values).ravel()
    if sections.is_signed_out(grid):
        level = (grid.level if isinstance(grid, GridField) else None) or 0.0
        inside = values[values <= level]
        values = np.append(inside, np.float32(level)) if len(inside) > 1 else values
    return values


NODES = 160**3
"""Grids with more nodes are thinned out."""
COARSE_STEP = 4.0
"""Pixels between two rays while the camera moves in software GL."""


class RayCast:
    """One vtkVolume, kept for the life of its layer. ``software``: on the processor, which is faster there than GL."""

    def __init__(self, software: bool) -> None:
        self.software = software
        self.mapper = vtkFixedPointVolumeRayCastMapper() if software else vtkSmartVolumeMapper()
        if software:
            self.mapper.AutoAdjustSampleDistancesOff()
            self.mapper.SetImageSampleDistance(1.0)
        self.actor = vtkVolume()
        self.actor.SetMapper(self.mapper)
        self.actor.VisibilityOff()
        self._colours, self._opacity = vtkColorTransferFunction(), vtkPiecewiseFunction()
        look = self.actor.GetProperty()
        look.SetColor(self._colours)
        look.SetScalarOpacity(self._opacity)
        look.SetInterpolationTypeToLinear()
        look.ShadeOff()
        self._size = 1.0
        self._grid: Volume | GridField | None = None

    def give(self, grid: Volume | GridField) -> None:
        if grid is self._grid:
            return
        self._grid = grid
        step = max(1, int(np.ceil((grid.values.size / NODES) ** (1 / 3))))
        values = np.asarray(grid.values[::step, ::step, ::step], np.float32)
        finite = np.isfinite(values)  # a scan's gaps are as little seen as its lowest values
        if not finite.all():
            values = np.where(finite, values, values[finite].min() if finite.any() else 0.0).astype(np.float32)
        image = vtkImageData()
        image.SetDimensions(*values.shape)
        image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(values.ravel(order="F"))))
        self.mapper.SetInputData(image)
        affine = sections.affine_of(grid) @ np.diag([step, step, step, 1.0])
        matrix = vtkMatrix4x4()
        matrix.DeepCopy(affine.ravel())
        self.actor.SetUserMatrix(matrix)
        self._size = float(max(values.shape))

    def dress(self, cmap: str, low: float, high: float, opacity: float) -> None:
        """Colours from ``low`` to ``high``; ``opacity`` (0 to 1) of an eighth of the grid, wholly inside."""
        if self._grid is None:
            return
        table = colour_maps.table(cmap)[::8] / 255
        places = np.linspace(low, high, len(table))
        inside = sections.is_signed_out(self._grid)
        self._colours.RemoveAllPoints()
        self._opacity.RemoveAllPoints()
        for place, colour, share in zip(places, table, np.linspace(0, 1, len(table)), strict=True):
            self._colours.AddRGBPoint(float(place), *(float(c) for c in colour))
            # A signed field is deepest at the low end of the range, others at the high one; the far end is not seen.
            depth = 1 - share if inside else max(0.0, (share - 0.12) / 0.88)
            self._opacity.AddPoint(float(place), float(min(1.0, opacity) * depth**1.2))
        self.actor.GetProperty().SetScalarOpacityUnitDistance(self._size / 8)

    def set_clip(self, plane: vtkPlane | None) -> None:
        self.mapper.RemoveAllClippingPlanes()
        if plane is not None:
            self.mapper.AddClippingPlane(plane)

    def set_moving(self, moving: bool) -> None:
        if self.software:
            self.mapper.SetImageSampleDistance(COARSE_STEP if moving else 1.0)
