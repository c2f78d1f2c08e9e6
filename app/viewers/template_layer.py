"""A rigged template in space: its surface, see-through, with its bones; the share of each joint as a colour map."""

from __future__ import annotations

import numpy as np
from vtkmodules.vtkRenderingCore import vtkProp3D

from app.viewers import layers, surfaces
from app.viewers.layer import Drawn
from app.viewers.layers import SurfaceLayer
from app.viewers.registry import Shown
from app.viewers.surfaces import Surface
from engines.data import RiggedTemplate

BONES_COLOUR = (0.902, 0.624, 0.0)


class TemplateLayer(SurfaceLayer):
    kind = "template"
    icon = "Mesh"

    def __init__(self, item: Shown, index: int, surface: Surface | None = None) -> None:
        self.bones, self.joints = Drawn(), Drawn()
        self._give_bones(item.artifact)
        super().__init__(item, index, _surface(item.artifact))
        self.style.by = "colors" if item.artifact.colors is not None else ""
        self.style.opacity = 0.55
        self.apply()

    def set_artifact(self, artifact: RiggedTemplate, surface: Surface | None = None) -> None:
        self.artifact = artifact
        self._give_bones(artifact)
        self.set_surface(_surface(artifact))

    def _give_bones(self, template: RiggedTemplate) -> None:
        below = np.flatnonzero(template.parents >= 0)
        lines = np.stack([template.parents[below], below], axis=1)
        self.bones.give(surfaces.poly_data(template.joints, lines=lines), {})
        self.joints.give(surfaces.poly_data(template.joints, verts=True), {})

    def colourings(self) -> list[tuple[str, str]]:
        own = [(key, title) for key, title in super().colourings() if key not in self.surface.scalars]
        return own + [(name, f"Share of {name}") for name in self.surface.scalars]

    @property
    def scalar_title(self) -> tuple[str, str]:
        return f"share of {self.scalar}", ""

    @property
    def actors(self) -> list[vtkProp3D]:
        return [*super().actors, self.bones.actor, self.joints.actor]

    def _show(self) -> None:
        super()._show()
        for drawn in (self.bones, self.joints):
            drawn.actor.SetVisibility(self.style.visible)

    def apply(self) -> None:
        super().apply()
        for drawn in (self.bones, self.joints):
            look = drawn.actor.GetProperty()
            look.SetColor(*BONES_COLOUR)
            look.SetLighting(False)
            look.SetLineWidth(2.0 * self.pixel_scale)
            look.SetPointSize(8.0 * self.pixel_scale)
            look.SetRenderPointsAsSpheres(True)
        self.joints.actor.GetProperty().SetRepresentation(0)


def _surface(template: RiggedTemplate) -> Surface:
    surface = surfaces.of_mesh(template.mesh)
    surface.scalars = dict(zip(template.joint_names, np.float32(template.weights.T), strict=True))
    return surface


layers.LAYERS[RiggedTemplate] = TemplateLayer
