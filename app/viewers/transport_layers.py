"""Clouds, links and what is under way as layers of a 3D view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtGui import QColor
from vtkmodules.vtkCommonDataModel import vtkPlane
from vtkmodules.vtkRenderingCore import vtkProp3D

from app import theme
from app.viewers import layers, surfaces, transport_ink
from app.viewers.discs import diameters
from app.viewers.layer import Drawn, Layer
from app.viewers.overlay import number
from app.viewers.registry import Shown
from app.viewers.transport_content import Cloud

CLASSES = 4
"""Points and lines are drawn in so many sizes: each actor has one."""


@dataclass(frozen=True, eq=False)
class Marks:
    """A cloud at places (N, 3)."""

    cloud: Cloud
    places: np.ndarray
    unit: str = ""

    def summary(self) -> str:
        return f"{len(self.places):,} points, mass {number(float(self.cloud.mass.sum()))}"


@dataclass(frozen=True, eq=False)
class Lines:
    links: transport_ink.Links
    unit: str = ""

    def summary(self) -> str:
        return f"{len(self.links):,} lines"


@dataclass(frozen=True, eq=False)
class Travel:
    """What goes from places (K, 3) to others, with its mass; ``many`` points are on show besides."""

    starts: np.ndarray
    ends: np.ndarray
    mass: np.ndarray
    colours: tuple[np.ndarray, np.ndarray] | None = None
    many: int = 1
    unit: str = ""

    def summary(self) -> str:
        return f"{len(self.mass):,} entries under way"


def classes_of(sizes: np.ndarray) -> list[np.ndarray]:
    """Indices of those of about one size; the last are the largest."""
    if not len(sizes) or np.ptp(sizes) < 0.02 * sizes.max():
        return [np.arange(len(sizes))]
    steps = np.linspace(sizes.min(), sizes.max(), CLASSES + 1)
    which = np.clip(np.searchsorted(steps, sizes, "right") - 1, 0, CLASSES - 1)
    return [found for k in range(CLASSES) if len(found := np.flatnonzero(which == k))]


class _Parts(Layer):
    """A layer of several actors, each with one size."""

    def __init__(self, item: Shown, index: int) -> None:
        self.parts: list[tuple[Drawn, np.ndarray, float]] = []
        self._all_parts: list[Drawn] = []
        super().__init__(item, index)
        self.set_artifact(item.artifact)

    def _set_parts(self, sizes: np.ndarray) -> None:
        found = classes_of(sizes)
        while len(self._all_parts) < max(CLASSES, len(found)):
            self._all_parts.append(Drawn() if self._all_parts else self.fine)
        self.parts = [
            (self._all_parts[k], which, float(sizes[which].mean()) if len(which) else 1.0)
            for k, which in enumerate(found)
        ]
        for drawn in self._all_parts[len(found) :]:
            drawn.give(surfaces.poly_data(np.zeros((0, 3))), {})

    @property
    def actors(self) -> list[vtkProp3D]:
        return [drawn.actor for drawn in self._all_parts]

    def _show(self) -> None:
        for drawn in self._all_parts:
            drawn.actor.SetVisibility(self.style.visible)

    def apply(self) -> None:
        self._show()
        for drawn, _, _ in self.parts:
            self._apply_to(drawn)

    def set_clip(self, plane: vtkPlane | None) -> None:
        self.clip = plane
        for drawn in self._all_parts:
            drawn.mapper.RemoveAllClippingPlanes()
            if plane is not None:
                drawn.mapper.AddClippingPlane(plane)
        self.apply()

    def _part_of(self, drawn: Drawn) -> tuple[np.ndarray, float]:
        return next((which, size) for known, which, size in self.parts if known is drawn)

    @property
    def bounds(self) -> np.ndarray | None:
        points = self.extent()
        return np.stack([points.min(0), points.max(0)]).astype(float) if len(points) else None


class _Dots(_Parts):
    uses = ("color", "opacity", "point_size")
    colours: np.ndarray | None = None
    """(N, 3) of each; None: the layer's own colour."""

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        if self.colours is None or self.style.color:
            return None
        return self.colours[self._part_of(drawn)[0]]

    def finish(self, drawn: Drawn) -> None:
        look = drawn.actor.GetProperty()
        look.SetRepresentation(0)
        look.SetRenderPointsAsSpheres(True)
        look.SetAmbient(0.5)
        look.SetDiffuse(0.6)
        look.SetPointSize(max(1.0, self._part_of(drawn)[1] * self.style.point_size / 4 * self.pixel_scale))


class MarksLayer(_Dots):
    kind = "cloud"
    icon = "Measure"

    def set_artifact(self, artifact: Marks) -> None:
        self.artifact = artifact
        cloud = artifact.cloud
        kept = np.flatnonzero(cloud.mass > 0)  # what has no mass is not seen
        self.colours = None if cloud.colors is None else cloud.colors[kept, :3]
        self._set_parts(diameters(cloud.mass[kept], len(kept)))
        for drawn, which, _ in self.parts:
            drawn.give(surfaces.poly_data(artifact.places[kept[which]], verts=True), {})
        self.apply()

    @property
    def base_colour(self) -> str:
        return self.style.color or transport_ink.colour_of(self.artifact.cloud.role, self.index)

    def extent(self) -> np.ndarray:
        return self.artifact.places

    def pick_points(self) -> np.ndarray | None:
        return self.artifact.places


class LinesLayer(_Parts):
    """Opacity becomes a step towards the background: lines that are let through need be sorted, which takes long."""

    kind = "links"
    icon = "Coupling"
    uses = ("color", "opacity", "line_width")

    def set_artifact(self, artifact: Lines) -> None:
        self.artifact = artifact
        links = artifact.links
        self._set_parts(links.widths)
        for drawn, which, _ in self.parts:
            which = which[::-1]  # the heaviest last, on top of the others
            ends = np.stack([links.starts[which], links.ends[which]], 1).reshape(-1, 3)
            drawn.give(surfaces.poly_data(ends, lines=np.arange(len(ends)).reshape(-1, 2)), {})
        self.apply()

    def point_colours(self, drawn: Drawn) -> np.ndarray | None:
        which = self._part_of(drawn)[0][::-1]
        share = np.repeat(self.artifact.links.alphas[which], 2)[:, None]
        behind, first, last = (
            np.array(QColor(c).getRgb()[:3], float) for c in (theme.colors().view_bottom, *self._ends)
        )
        along = np.tile([first, last], (len(which), 1))
        return np.rint((1 - share) * behind + share * along).astype(np.uint8)

    @property
    def _ends(self) -> tuple[str, str]:
        """Colours where a line begins and ends: an arrow, which has no head here, tells its way by them."""
        if self.artifact.links.arrows and not self.style.color:
            return transport_ink.colour_of("source"), transport_ink.colour_of("moved")
        return self.base_colour, self.base_colour

    @property
    def base_colour(self) -> str:
        return self.style.color or theme.colors().text

    def extent(self) -> np.ndarray:
        return np.concatenate([self.artifact.links.starts, self.artifact.links.ends])

    def finish(self, drawn: Drawn) -> None:
        look = drawn.actor.GetProperty()
        look.SetRepresentation(1)
        look.SetLighting(False)
        look.SetLineWidth(max(1.0, self._part_of(drawn)[1] * self.style.line_width / 3 * self.pixel_scale))


class TravelLayer(_Dots):
    kind = "travel"
    icon = "Displacements"
    moment = 0.0
    """The time from 0 to 1 on show."""

    def set_artifact(self, artifact: Travel) -> None:
        self.artifact = artifact
        self._set_parts(1.15 * diameters(artifact.mass, artifact.many))
        self.set_moment(self.moment)

    def set_moment(self, t: float) -> None:
        """Show what is under way at a time from 0 to 1; at the ends it lies on the clouds."""
        self.moment = t
        made: Travel = self.artifact
        places = made.starts + t * (made.ends - made.starts)
        if made.colours is not None:
            self.colours = np.rint((1 - t) * made.colours[0] + t * made.colours[1]).astype(np.uint8)
        for drawn, which, _ in self.parts:
            drawn.give(surfaces.poly_data(places[which], verts=True), {})
        self.apply()

    def _show(self) -> None:
        for drawn in self._all_parts:
            drawn.actor.SetVisibility(self.style.visible and self.moment > 0)

    @property
    def base_colour(self) -> str:
        return self.style.color or transport_ink.colour_of("travel")

    def extent(self) -> np.ndarray:
        return np.concatenate([self.artifact.starts, self.artifact.ends])


layers.LAYERS |= {Marks: MarksLayer, Lines: LinesLayer, Travel: TravelLayer}

__all__ = ["Lines", "LinesLayer", "Marks", "MarksLayer", "Travel", "TravelLayer"]
