"""Contours on planes, as lines in a 3D view."""

from __future__ import annotations

import numpy as np

from app import theme
from app.viewers import colour_maps, surfaces
from app.viewers.layer import Drawn, Layer
from app.viewers.registry import Shown
from engines.data import Slices


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
