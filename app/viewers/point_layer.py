"""A cloud of points in a 3D view."""

from __future__ import annotations

import numpy as np

from app import theme
from app.viewers import surfaces
from app.viewers.layer import Drawn, Layer
from app.viewers.registry import Shown
from engines.data import PointCloud

COARSE_POINTS = 60_000
"""While the camera moves."""


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
