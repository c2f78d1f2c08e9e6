"""Potentials as curves, and as coloured points on a plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app import theme
from app.viewers import colour_maps, plotting, transport_ink, transport_lit
from app.viewers.discs import Discs, diameters
from app.viewers.field_colours import ScaleBar
from app.viewers.field_head import Head
from app.viewers.overlay import ColourBar, number
from app.viewers.pixel_item import PixelItem
from app.viewers.plot_axis import FewTicks
from app.viewers.potential_sides import Side
from app.viewers.transport_ink import Mapping


class _Plot(pg.PlotWidget):
    hovered = Signal(str)

    def __init__(self, parent: QWidget, name: str, title: str) -> None:
        super().__init__(parent, axisItems={side: FewTicks(side) for side in ("left", "bottom")}, enableMenu=False)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumSize(90, 90)
        self.plot: pg.PlotItem = self.getPlotItem()
        self.plot.hideButtons()
        self.plot.layout.setContentsMargins(2, 8, 12, 2)
        self.scene().sigMouseMoved.connect(self._moved)

    def _moved(self, at: QPointF) -> None:
        inside = self.plot.vb.sceneBoundingRect().contains(at)
        self.hovered.emit(self.describe(at) if inside else "")

    def describe(self, at: QPointF) -> str:
        """What lies under a place of the scene, in words."""
        raise NotImplementedError

    def leaveEvent(self, event: Any) -> None:
        self.hovered.emit("")
        super().leaveEvent(event)

    def dress(self, scale: float, *, in_picture: bool = False) -> None:
        plotting.dress_sparely(self.plot, lines=True)


class PotentialCurves(_Plot):
    """Over positions along a line, or sorted, where there are no positions on a line or a plane."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "potential-curves", "Potentials as curves")
        self.plot.showGrid(x=True, y=True, alpha=0.14)
        self._lines: list[pg.PlotDataItem] = []
        self._sides: list[Side] = []
        self.legend = pg.LabelItem(justify="left")
        self.legend.setParentItem(self.plot.vb)
        self.legend.anchor((0, 0), (0, 0), offset=(6, 2))

    def show_sides(self, sides: Sequence[Side]) -> None:
        for line in self._lines:
            self.plot.removeItem(line)
        self._sides, self._lines = list(sides), []
        for side in sides:
            x, y = side.curve()
            line = pg.PlotDataItem(x, y, antialias=True, symbol="o" if len(x) <= 60 else None, symbolSize=5)
            self._lines.append(line)
            self.plot.addItem(line)
        first = sides[0].measure
        on_line = sides[0].form == "curve" and first is not None
        unit = f" ({first.unit})" if first is not None and first.unit else ""
        word = f"{first.coordinates[0]}{unit}" if on_line and first is not None else "rank, the largest first"
        # Without the last argument pyqtgraph scales small numbers by a thousand.
        self.plot.setLabel("bottom", word, siPrefixEnableRanges=())
        self.plot.setLabel("left", "potential", siPrefixEnableRanges=())
        self.dress(self.devicePixelRatioF())
        self.fit()

    def fit(self) -> None:
        """All of it, with room for the legend above."""
        if self._sides:
            ends = [np.array([v.min(), v.max()]) for side in self._sides for v in side.curve()]
            (low, high), (least, most) = (
                (min(e[0] for e in ends[k::2]), max(e[1] for e in ends[k::2])) for k in range(2)
            )
            tall = (most - least) or 1.0
            wide = (high - low) or 1.0
            self.plot.setRange(xRange=(low, low + wide), yRange=(least, least + 1.16 * tall), padding=0.03)

    def describe(self, at: QPointF) -> str:
        x = self.plot.vb.mapSceneToView(at).x()
        parts = []
        for side in self._sides:
            places, values = side.curve()
            if len(places) and places[0] <= x <= places[-1]:
                parts.append(f"{side.title}: {number(float(np.interp(x, places, values)), 5)}")
        return "   ".join([f"{number(float(x), 4)}:", *parts]) if parts else ""

    def dress(self, scale: float, *, in_picture: bool = False) -> None:
        import html

        super().dress(scale, in_picture=in_picture)
        words = []
        for side, line in zip(self._sides, self._lines, strict=True):
            colour = transport_ink.colour_of(side.role)
            line.setPen(pg.mkPen(colour, width=1.7 * scale))
            line.setSymbolBrush(colour)
            line.setSymbolPen(None)
            words.append(f'<span style="color:{colour}">●</span> {html.escape(side.title)}')
        self.legend.setText("<br>".join(words), color=theme.colors().text)


class _Points(_Plot):
    """Points on a plane in the colours of their potentials."""

    SHADES = 128

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "potential-points", "Potentials as colours of points")
        self.plot.setAspectLocked(True)
        self._side: Side | None = None
        self._colours = ("viridis", 0.0, 1.0)
        self._discs: Discs | None = None
        self._which = np.zeros(0, np.int64)
        self._item = PixelItem(self._paint)
        self.plot.addItem(self._item, ignoreBounds=True)
        self._follows = True
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))
        self.plot.vb.sigResized.connect(lambda *_: self.fit() if self._follows else None)

    def show_side(self, side: Side, colours: tuple[str, float, float]) -> None:
        assert side.measure is not None
        is_new = self._side is None or self._side.measure is not side.measure
        self._side, self._colours = side, colours
        unit = f" ({side.measure.unit})" if side.measure.unit else ""
        for place, name in zip(("bottom", "left"), side.measure.coordinates, strict=True):
            self.plot.setLabel(place, name + unit, siPrefixEnableRanges=())
        self.dress(self.devicePixelRatioF())
        if is_new or self._follows:
            self.fit()

    def dress(self, scale: float, *, in_picture: bool = False) -> None:
        super().dress(scale, in_picture=in_picture)
        if self._side is None or self._side.measure is None:
            return
        name, low, high = self._colours
        shades = colour_maps.coloured(np.linspace(low, high, self.SHADES), name, low, high)
        share = (self._side.values - low) / ((high - low) or 1.0)
        self._which = np.rint(np.clip(share, 0, 1) * (self.SHADES - 1)).astype(np.int64)
        sizes = diameters(self._side.measure.mass, len(self._side.values))
        self._discs = Discs(shades, 1.2 * sizes, theme.colors().plot, scale, 0.95, in_picture=in_picture)
        self._item.update()

    def _paint(self, painter: QPainter, mapping: Mapping) -> None:
        if self._discs is not None and self._side is not None and self._side.measure is not None:
            self._discs.draw(painter, mapping(self._side.measure.points), self._which)

    def fit(self) -> None:
        if self._side is not None and self._side.measure is not None:
            self._follows = True
            low, high = self._side.measure.bounds
            span = np.maximum(high - low, 1e-12)
            self.plot.vb.setRange(xRange=(low[0], low[0] + span[0]), yRange=(low[1], low[1] + span[1]), padding=0.06)

    def describe(self, at: QPointF) -> str:
        if self._side is None or self._side.measure is None:
            return ""
        found = transport_lit.nearest([Mapping.of_scene(self.plot.vb)(self._side.measure.points)], at)
        if found is None:
            return ""
        _, nearest = found
        where = ", ".join(number(float(v), 4) for v in self._side.measure.points[nearest])
        return f"{self._side.role} {nearest} at ({where})   potential {number(float(self._side.values[nearest]), 5)}"


class PotentialCloud(QWidget):
    """Coloured points with whose they are above and their colours beside."""

    hovered = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.head, self.points, self.bar = Head(self), _Points(self), ScaleBar(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.points, 1)
        row.addWidget(self.bar)
        column.addLayout(row, 1)
        self.points.hovered.connect(self.hovered)

    def show_side(self, side: Side, colours: tuple[str, float, float], words: list[str]) -> None:
        self.head.say(side.title, words)
        self.points.show_side(side, colours)
        self.bar.show_bar(ColourBar("potential", *colours))

    def fit(self) -> None:
        self.points.fit()

    def dress(self, scale: float, *, in_picture: bool = False) -> None:
        self.points.dress(scale, in_picture=in_picture)


__all__ = ["PotentialCloud", "PotentialCurves"]
