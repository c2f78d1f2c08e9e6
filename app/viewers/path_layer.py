"""A camera path in space: the way of the camera, and a frustum at each key view, the first one marked."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkRenderingCore import vtkProp3D

from app import theme
from app.viewers import colour_maps, surfaces
from app.viewers.layer import Drawn, Layer
from app.viewers.path_shapes import EDGES, frusta, frustum_depth
from app.viewers.registry import Shown
from engines.blocks.camera_paths import Track
from engines.data import CameraPath

MOST_FRUSTA = 120
"""Of more key views, some that are evenly spaced."""
FIRST_COLOUR = "#E69F00"


class PathLayer(Layer):
    kind = "path"
    icon = "path"
    uses = ("color", "opacity", "line_width")

    def __init__(self, item: Shown, index: int) -> None:
        self.way = Drawn()
        super().__init__(item, index)
        self.style.line_width = 2.0
        self.set_artifact(item.artifact)

    def set_artifact(self, artifact: CameraPath) -> None:
        self.artifact = artifact
        some = np.arange(0, len(artifact), max(1, len(artifact) // MOST_FRUSTA))
        self.corners = frusta(artifact, frustum_depth(artifact))[some]
        edges = (5 * np.arange(len(some))[:, None, None] + EDGES).reshape(-1, 2)
        self.fine.give(surfaces.poly_data(self.corners.reshape(-1, 3), lines=edges), {})
        line = Track(artifact).line(max(2, min(24, 4000 // len(artifact))))
        ends = np.arange(len(line) - 1)
        self.way.give(surfaces.poly_data(line, lines=np.stack([ends, ends + 1], 1)), {})
        self.line = line
        self.apply()

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, self.way.actor]

    @property
    def base_colour(self) -> str:
        return self.style.color or theme.colors().accent

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        if drawn is not self.fine:
            return None
        own = [colour_maps.rgb(c) for c in (self.base_colour, FIRST_COLOUR)]
        kinds = np.zeros(len(self.corners), int)
        kinds[0] = 1
        return np.repeat((255 * np.array(own)).round().astype(np.uint8)[kinds], 5, axis=0)

    @property
    def bounds(self) -> np.ndarray | None:
        points = self.extent()
        return np.stack([points.min(0), points.max(0)])

    def extent(self) -> np.ndarray:
        return np.concatenate([self.corners.reshape(-1, 3), self.line])

    def pick_points(self) -> np.ndarray | None:
        return self.corners[:, 0]

    def _show(self) -> None:
        super()._show()
        self.way.actor.SetVisibility(self.style.visible)

    def apply(self) -> None:
        super().apply()
        look = self.way.actor.GetProperty()
        look.SetColor(*colour_maps.rgb(self.base_colour))
        look.SetLineWidth(max(1.0, 1.25 * self.style.line_width * self.pixel_scale))
        look.SetOpacity(self.style.opacity)
        look.SetLighting(False)

    def set_clip(self, plane) -> None:
        self.way.mapper.RemoveAllClippingPlanes()
        if plane is not None:
            self.way.mapper.AddClippingPlane(plane)
        super().set_clip(plane)

    def finish(self, drawn: Drawn) -> None:
        look = drawn.actor.GetProperty()
        look.SetRepresentation(1)
        look.SetLighting(False)
