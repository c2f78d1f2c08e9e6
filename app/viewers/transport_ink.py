"""How clouds, links and what is under way look on a plane: sizes, colours and opacities by mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QImage, QPainter, QTransform

from app import theme
from app.viewers import link_raster
from app.viewers.discs import Discs, diameters, few_colours
from app.viewers.transport_content import Cloud, Entries

HEAD = 9.0
"""Pixels, of the head of an arrow."""
LAYERS = 1.8
"""So many lines may lie over each other before all get fainter: where they are parallel they would be a solid block."""
_ROLES = {"source": 0, "target": 1, "moved": 2, "travel": 3}
_OTHERS = (4, 5, 6, 7)


def colour_of(role: str, place: int = 0) -> str:
    """Hex. Blue is where it begins, orange where it should come to, green where it came to, purple on the way."""
    return theme.series_color(_ROLES[role] if role in _ROLES else _OTHERS[place % len(_OTHERS)])


def rgb_of(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


@dataclass(frozen=True, eq=False)
class Links:
    """Lines between places (K, 2) or (K, 3), the heaviest first, each with a width in pixels and an opacity."""

    starts: np.ndarray
    ends: np.ndarray
    widths: np.ndarray
    alphas: np.ndarray
    arrows: bool = False

    def __len__(self) -> int:
        return len(self.starts)


def links(places: tuple[np.ndarray, ...], entries: Entries, most: int, arrows: bool, *, faint: bool = False) -> Links:
    """Of the ``most`` heaviest entries: thickness and opacity go by mass, and all are the finer the more there are."""
    some = entries.top(most)
    rows, columns, mass, count = some.rows, some.columns, some.mass, len(some)
    if not count:
        none = np.zeros((0, places[0].shape[1]))
        return Links(none, none, np.zeros(0), np.zeros(0), arrows)
    relative, crowd = mass / mass[0], np.sqrt(count)
    widest, strongest = np.clip(32 / crowd, 0.9, 2.8), np.clip((7 if arrows else 11) / crowd, 0.12, 0.6)
    strongest *= 0.35 if faint else 1.0
    return Links(
        places[0][rows], places[1][columns], np.maximum(widest * np.sqrt(relative), 0.7),
        np.clip(strongest * relative**0.6, 0.03, 0.95), arrows,
    )  # fmt: skip


@dataclass(frozen=True)
class Mapping:
    """From the axes of a plot to pixels from the upper left: x ↦ ax x + bx, y ↦ ay y + by."""

    ax: float
    bx: float
    ay: float
    by: float

    @classmethod
    def of(cls, transform: QTransform) -> Mapping:
        return cls(transform.m11(), transform.dx(), transform.m22(), transform.dy())

    @classmethod
    def of_scene(cls, box: pg.ViewBox) -> Mapping:
        """To places of the scene, where the cursor is."""
        corner, unit = box.mapViewToScene(QPointF(0, 0)), box.mapViewToScene(QPointF(1, 1))
        return cls(unit.x() - corner.x(), corner.x(), unit.y() - corner.y(), corner.y())

    def __call__(self, places: np.ndarray) -> np.ndarray:
        return places[:, :2] * (self.ax, self.ay) + (self.bx, self.by)

    def moved(self, right: float, down: float) -> Mapping:
        return Mapping(self.ax, self.bx + right, self.ay, self.by + down)


def link_opacities(lines: Links, mapping: Mapping, size: tuple[int, int], scale: float) -> np.ndarray:
    """(height, width) of the lines on a plane. ``scale``: pixels for one of the screen's own. Off the GUI thread."""
    starts, ends = mapping(lines.starts), mapping(lines.ends)
    widths = lines.widths * scale
    alphas = lines.alphas * min(1.0, LAYERS / layers(starts, ends, widths))
    if lines.arrows:
        which, tips, barbs = link_raster.with_heads(starts, ends, HEAD * scale, 2.0 * scale)
        starts, ends = np.concatenate([starts, tips]), np.concatenate([ends, barbs])
        widths, alphas = np.concatenate([widths, widths[which]]), np.concatenate([alphas, alphas[which]])
    return link_raster.opacities(starts, ends, widths, alphas, size)


def layers(starts: np.ndarray, ends: np.ndarray, widths: np.ndarray) -> float:
    """How many of the lines lie over each other, on average, where there are any; 1 or more. All in pixels."""
    if not len(starts):
        return 1.0
    both = np.concatenate([starts, ends])
    width, height = np.ptp(both, axis=0) + widths.max()
    return max(1.0, float(np.linalg.norm(ends - starts, axis=1) @ widths / (width * height)))


def link_image(opacities: np.ndarray) -> QImage:
    """In the colour of text, as strong as the links are."""
    colour = QColor(theme.colors().text)
    height, width = opacities.shape
    held = np.empty((height, width, 4), np.uint8)
    for k, part in enumerate((colour.blue(), colour.green(), colour.red(), 255)):
        held[..., k] = part * opacities + 0.5
    return QImage(held.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied).copy()


class CloudInk:
    """A cloud's marks, made once for a theme and a scale of the screen."""

    def __init__(
        self, cloud: Cloud, places: np.ndarray, place: int, scale: float, *, faint: bool, in_picture: bool
    ) -> None:
        kept = np.flatnonzero(cloud.mass > 0)  # what has no mass is not seen
        self.places = places[kept]
        own = cloud.colors is not None
        colours, self._which = rgb_of(colour_of(cloud.role, place))[None], np.zeros(1, np.int64)
        if cloud.colors is not None:
            colours, self._which = few_colours(cloud.colors[kept])
        solid = 0.92 if own else 0.85
        sizes = diameters(cloud.mass[kept], len(kept))
        opacity = 0.3 if faint else solid
        self.discs = Discs(colours, sizes, theme.colors().plot, scale, opacity, in_picture=in_picture)

    def draw(self, painter: QPainter, mapping: Mapping) -> None:
        self.discs.draw(painter, mapping(self.places), self._which)


class TravelInk:
    """Entries under way: in their points' own colours, from the first to the last, or in one of their own."""

    def __init__(
        self, clouds: tuple[Cloud, ...], places: tuple[np.ndarray, ...], entries: Entries, scale: float, *,
        in_picture: bool,
    ) -> None:  # fmt: skip
        some = entries.sample
        rows, columns = some.rows, some.columns
        self.starts, self.ends = places[0][rows], places[1][columns]
        first, last = clouds[0].colors, clouds[1].colors
        self._between = None
        colours = rgb_of(colour_of("travel"))[None]
        if first is not None and last is not None:
            self._between = first[rows, :3].astype(float), last[columns, :3].astype(float)
            levels = np.arange(8) * 32 + 16
            colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
        sizes = diameters(some.mass, max(2 * len(rows), len(clouds[0].points)))
        self.discs = Discs(colours, sizes, theme.colors().plot, scale, 0.95, in_picture=in_picture)

    def at(self, t: float) -> np.ndarray:
        """(K, 2) places at a time from 0 to 1."""
        return self.starts + t * (self.ends - self.starts)

    def draw(self, painter: QPainter, mapping: Mapping, t: float) -> None:
        colour: int | np.ndarray = 0
        if self._between is not None:
            mixed = (1 - t) * self._between[0] + t * self._between[1]
            colour = (mixed.astype(np.int64) >> 5) @ np.array([64, 8, 1])
        self.discs.draw(painter, mapping(self.at(t)), colour)


__all__ = ["CloudInk", "Links", "Mapping", "TravelInk", "colour_of", "link_image", "link_opacities", "links", "rgb_of"]
