"""Clouds on a line as curves of their density: where it begins above, where it comes to hanging below, and what is
under way on its way down between the two."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from app import theme
from app.viewers import transport_ink
from app.viewers.transport_axes import Seen
from app.viewers.transport_content import Cloud, Journey

TALL = 0.75
"""Height of the largest density, where the two lines are 1 apart."""
MOST_BINS = 160


def spread(places: np.ndarray, mass: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Density at evenly spaced ``nodes`` of mass at ``places``: each goes to the two nodes beside it, linearly."""
    width = float(nodes[1] - nodes[0])
    at = np.clip((places - nodes[0]) / width, 0, len(nodes) - 1)
    below = np.minimum(at.astype(np.int64), len(nodes) - 2)
    share = at - below
    found = np.bincount(below, mass * (1 - share), len(nodes)) + np.bincount(below + 1, mass * share, len(nodes))
    # The nodes at the ends stand for half as much of the line.
    found[[0, -1]] *= 2
    return found / width


def nodes_of(journey: Journey) -> np.ndarray:
    """Evenly spaced, over all clouds: as close as those of the finest histogram, or as many as the points allow."""
    ends = [f(c.points) for c in journey.clouds if len(c.points) for f in (np.min, np.max)]
    low, high = float(min(ends)), float(max(ends))
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    steps = [np.ptp(c.points) / (c.grid[0] - 1) for c in journey.clouds if len(c.grid) == 1 and c.grid[0] > 1]
    points = max(len(c.points) for c in journey.clouds)
    count = round((high - low) / min(steps)) + 1 if steps and min(steps) > 0 else int(2 * np.sqrt(points)) + 12
    return np.linspace(low, high, int(np.clip(count, 2, 4000 if steps else MOST_BINS)))


def under_way(journey: Journey, nodes: np.ndarray, t: float) -> np.ndarray:
    """Density at the ``nodes`` at a time from 0 to 1, of all entries. May take a while."""
    entries = journey.entries
    first, second = (journey.clouds[k].points[:, 0] for k in range(2))
    return spread((1 - t) * first[entries.rows] + t * second[entries.columns], entries.mass, nodes)


class Curves:
    """Of one plot."""

    def __init__(self, plot: pg.PlotItem) -> None:
        self._plot = plot
        self._items: list[tuple[pg.PlotDataItem, str]] = []
        self._rails: list[pg.InfiniteLine] = []
        self._moving = pg.PlotDataItem()
        self._moving.setZValue(4)
        self.journey: Journey | None = None
        self.nodes = np.zeros(0)
        self._highest = 1.0
        self._scale = 1.0

    @property
    def is_on(self) -> bool:
        return self.journey is not None

    def show(self, journey: Journey, seen: Seen) -> None:
        for item in (*(i for i, _ in self._items), *self._rails, self._moving):
            self._plot.removeItem(item)
        self._items, self._rails = [], []
        self.journey = journey if journey.dimensions == 1 and not journey.is_listed else None
        if self.journey is None:
            return
        self.nodes = nodes_of(journey)
        curves = [self._curve(cloud) for cloud in journey.clouds]
        self._highest = max(float(y.max()) for _, y in curves) or 1.0
        for k, (cloud, (x, y)) in enumerate(zip(journey.clouds, curves, strict=True)):
            base, sign = self._rail(k)
            heights = base + sign * TALL * y / self._highest if journey.moves else y
            item = pg.PlotDataItem(x, heights, fillLevel=base, antialias=True)
            self._items.append((item, transport_ink.colour_of(cloud.role, k)))
            self._plot.addItem(item)
        if journey.moves:
            for level in (0, 1):
                self._rails.append(pg.InfiniteLine(level, angle=0))
                self._plot.addItem(self._rails[-1], ignoreBounds=True)
            self._moving.setData([], [])
            self._plot.addItem(self._moving)
        self._plot.setLabel("left", "" if journey.moves else "density", siPrefixEnableRanges=())
        self.dress(self._scale)

    def _rail(self, cloud: int) -> tuple[float, float]:
        """The height of a cloud's line, and whether its curve stands on it or hangs from it."""
        assert self.journey is not None
        return (1.0, 1.0) if cloud == 0 and self.journey.moves else (0.0, -1.0 if self.journey.moves else 1.0)

    def _curve(self, cloud: Cloud) -> tuple[np.ndarray, np.ndarray]:
        places = cloud.points[:, 0]
        steps = np.diff(places)
        if len(cloud.grid) == 1 and len(steps) and np.ptp(steps) <= 1e-6 * np.abs(steps).max():
            return places, cloud.mass / abs(float(steps[0]))
        return self.nodes, spread(places, cloud.mass, self.nodes)

    def set_moving(self, density: np.ndarray, t: float) -> None:
        """What is under way at a time: on a line of its own between the two."""
        if self.is_on and len(density) == len(self.nodes):
            self._moving.setVisible(0 < t < 1)
            self._moving.setData(self.nodes, 1 - t + TALL * density / self._highest)
            self._moving.setFillLevel(1 - t)

    @property
    def rect(self) -> QRectF:
        assert self.journey is not None
        low, high = float(self.nodes[0]), float(self.nodes[-1])
        return QRectF(low, -0.8, high - low, 2.6) if self.journey.moves else QRectF(low, 0, high - low, self._highest)

    def dress(self, scale: float) -> None:
        self._scale = scale
        if self.journey is None:
            return
        roles = [transport_ink.colour_of(c.role, k) for k, c in enumerate(self.journey.clouds)]
        self._items = [(item, colour) for (item, _), colour in zip(self._items, roles, strict=True)]
        for item, hue in (*self._items, (self._moving, transport_ink.colour_of("travel"))):
            colour, fill = QColor(hue), QColor(hue)
            fill.setAlpha(60)
            item.setPen(pg.mkPen(colour, width=1.6 * scale))
            item.setFillBrush(fill)
        for rail in self._rails:
            rail.setPen(pg.mkPen(theme.colors().border, width=1 * scale))


__all__ = ["Curves", "nodes_of", "spread", "under_way"]
