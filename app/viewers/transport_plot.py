"""Clouds on a plane, links between them and what is under way: the drawing of a transport view in two dimensions.

Links are drawn on another thread and marks once for each place of the plane, so that a move of the slider costs no more
than the marks under way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers import plotting, transport_ink, transport_lit, transport_words
from app.viewers.live_evaluator import PATIENCE, LiveEvaluator
from app.viewers.pixel_item import PixelItem
from app.viewers.plot_axis import FewTicks
from app.viewers.transport_axes import Seen
from app.viewers.transport_content import Journey
from app.viewers.transport_curves import Curves
from app.viewers.transport_ink import CloudInk, Links, Mapping, TravelInk
from app.viewers.transport_lit import Lit

BESIDE = 0.35
"""Of the width, that the names beside listed points may take."""
STRAYS, SHRINKS = 0.08, 0.6
"""Of the extent that was fitted: as far new clouds may reach beyond it, and as small they may get, before they are."""


@dataclass(frozen=True, eq=False)
class _Wanted:
    """Links to be drawn on a part of the plane."""

    links: Links
    mapping: Mapping
    size: tuple[int, int]
    scale: float
    rect: tuple[float, float, float, float]


def _drawn(wanted: _Wanted, stale: Any) -> np.ndarray:
    return transport_ink.link_opacities(wanted.links, wanted.mapping, wanted.size, wanted.scale)


class TransportPlot(pg.PlotWidget):
    hovered = Signal(str)
    """What is to be said of the point under the cursor; "" of none."""
    settled = Signal()
    """The links are drawn as they belong."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, axisItems={side: FewTicks(side) for side in ("left", "bottom")}, enableMenu=False)
        self.setObjectName("transport-plot")
        self.setAccessibleName("Clouds and links")
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumSize(120, 90)
        self.plot: pg.PlotItem = self.getPlotItem()
        self.plot.hideButtons()
        self.plot.layout.setContentsMargins(2, 8, 12, 2)
        self.journey: Journey | None = None
        self.seen: Seen | None = None
        self.links: Links | None = None
        self.time = 0.0
        self.lit: Lit | None = None
        """The point under the cursor."""
        self._picture_scale = 0.0
        """While a picture is drawn, its pixels for one of the screen's own."""
        self._follows = True
        self._fitted: np.ndarray | None = None
        self._clouds: list[CloudInk] = []
        self._travel: TravelInk | None = None
        self._faint = False
        self._kept: tuple[tuple[Any, ...], QPixmap] | None = None
        self._link_image: tuple[QImage, tuple[float, float, float, float]] | None = None
        self._opacities: np.ndarray | None = None
        self.evaluator = LiveEvaluator(_drawn, self, name="links")
        self.evaluator.answered.connect(self._links_drawn)
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._ask_links)
        self.curves = Curves(self.plot)
        self._still, self._moving = PixelItem(self._paint_still), PixelItem(self._paint_moving)
        self._crossings = pg.ScatterPlotItem(symbol="x", pxMode=True)
        for item, z in ((self._still, 2), (self._crossings, 4), (self._moving, 6)):
            item.setZValue(z)
            self.plot.addItem(item, ignoreBounds=True)
        self.legend = pg.LabelItem(justify="left")
        self.legend.setParentItem(self.plot.vb)
        self.legend.anchor((0, 0), (0, 0), offset=(6, 2))
        self.scene().sigMouseMoved.connect(self._hover)
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))
        self.plot.vb.sigRangeChanged.connect(lambda *_: self._later.start())
        self.plot.vb.sigResized.connect(lambda *_: self._resized())
        self.dress()

    # ---- content ------------------------------------------------------------------------------------------
    def show_journey(self, journey: Journey, seen: Seen, lines: Links) -> None:
        """Another one, or the same one anew: then the part of the plane on show stays."""
        self._light(None)  # what is said of its point is of before
        before, self.journey, self.seen, self.links = self.seen, journey, seen, lines
        self._link_image = self._opacities = None
        self.curves.show(journey, seen)
        flat = journey.dimensions == 1
        self.plot.setAspectLocked(not (journey.is_listed or flat or self._is_skew()))
        for side, title in zip(("bottom", "left"), seen.titles, strict=True):
            axis = self.plot.getAxis(side)
            axis.setLabel(title, color=theme.colors().muted)
            hidden = journey.is_listed or (side == "left" and flat and journey.moves)
            self.plot.showAxis(side, not hidden)
        self._make_ink()
        self._write_legend()
        if before is None or before.titles != seen.titles or (self._follows and self._has_strayed):
            self.fit()
        self._later.start()

    def set_crossings(self, places: np.ndarray) -> None:
        """Mark these (X, 2)."""
        self._crossings.setData(pos=places, size=8, pen=pg.mkPen(theme.series_color(5), width=1.4), brush=None)

    def set_time(self, time: float) -> None:
        self.time = time
        faint = self._is_under_way
        if faint != self._faint:
            self._make_ink()
            self._write_legend()
        self._moving.update()

    @property
    def _is_under_way(self) -> bool:
        return self.journey is not None and self.journey.moves and 0 < self.time < 1

    @property
    def is_settled(self) -> bool:
        return not self._later.isActive() and self.evaluator.is_settled

    def _is_skew(self) -> bool:
        span = np.ptp(self._box, axis=0)
        return bool(span.min() <= 0 or not 0.05 < span[0] / span[1] < 20)

    @property
    def _box(self) -> np.ndarray:
        """(2, 2) corners of all that is drawn."""
        assert self.seen is not None
        parts = [p[:, :2] for p in self.seen.places if len(p)]
        low = np.min([p.min(0) for p in parts], 0)
        high = np.max([p.max(0) for p in parts], 0)
        return np.stack([low, high])

    @property
    def _has_strayed(self) -> bool:
        """Whether the clouds left the extent that was fitted, or fill little of it: a live preview must not jump."""
        assert self.journey is not None
        if self.journey.dimensions == 1 or self._fitted is None:
            return True
        span = np.maximum(np.ptp(self._fitted, axis=0), 1e-12)
        beyond = np.abs(np.stack([self._fitted[0] - self._box[0], self._box[1] - self._fitted[1]]).clip(0)) / span
        return bool(beyond.max() > STRAYS or (np.ptp(self._box, axis=0) / span).max() < SHRINKS)

    def fit(self) -> None:
        """Show everything, and go on doing so as the view changes its size."""
        if self.seen is None or self.journey is None:
            return
        self._follows = True
        if self.journey.dimensions == 1:
            rect = self.curves.rect
        else:
            self._fitted = self._box
            (left, low), (right, high) = self._fitted
            rect = QRectF(left, low, (right - left) or 1.0, (high - low) or 1.0)
            if self.journey.is_listed:
                aside = BESIDE * rect.width()
                rect = rect.adjusted(-aside, 0, aside, 0.1 * rect.height())  # the legend stands above
        self.plot.setRange(rect, padding=0.05)

    def _resized(self) -> None:
        if self._follows:
            self.fit()
        self._later.start()

    # ---- ink ----------------------------------------------------------------------------------------------
    def _make_ink(self) -> None:
        self._kept = None
        if self.journey is None or self.seen is None or self.links is None:
            return
        scale = self._scale
        self._faint = self._is_under_way
        drawn = [] if self.curves.is_on else zip(self.journey.clouds, self.seen.places, strict=True)
        self._clouds = [
            CloudInk(cloud, places, k, scale, faint=self._faint and k < 2, in_picture=self._in_picture)
            for k, (cloud, places) in enumerate(drawn)
        ]
        self._travel = None
        if self.journey.moves and not self.curves.is_on:
            self._travel = TravelInk(
                self.journey.clouds, self.seen.places, self.journey.entries, scale, in_picture=self._in_picture
            )
        self._still.update()
        self._moving.update()

    def _ask_links(self) -> None:
        if self.links is None or not len(self.links) or not self.isVisible():
            self.evaluator.forget()
            self._link_image = self._opacities = None
            self._kept = None
            self._still.update()
            self.settled.emit()
            return
        self.evaluator.ask(self._wanted(self.devicePixelRatioF()), give_up=False)

    def _wanted(self, scale: float) -> _Wanted:
        """The part of the plane on show, at ``scale`` pixels for one of the screen's own."""
        assert self.links is not None
        box = self.plot.vb
        rect = box.viewRect()
        width, height = max(1, round(box.width() * scale)), max(1, round(box.height() * scale))
        ax, ay = width / (rect.width() or 1.0), -height / (rect.height() or 1.0)
        mapping = Mapping(ax, -ax * rect.left(), ay, -ay * rect.bottom())
        place = (rect.left(), rect.top(), rect.width(), rect.height())
        return _Wanted(self.links, mapping, (width, height), scale, place)

    def _links_drawn(self, wanted: _Wanted, opacities: np.ndarray) -> None:
        if wanted.links is not self.links:
            return
        self._opacities = opacities
        self._link_image = (transport_ink.link_image(opacities), wanted.rect)
        self._kept = None
        self._still.update()
        if self.is_settled:
            self.settled.emit()

    # ---- painting -----------------------------------------------------------------------------------------
    def _paint_still(self, painter: QPainter, mapping: Mapping) -> None:
        if self.journey is None:
            return
        if self._in_picture:
            self._paint_links_now(painter, mapping)
            self._paint_clouds(painter, mapping)
            return
        size = self.viewport().size()
        key = (mapping, size.toTuple(), self.devicePixelRatioF())
        if self._kept is None or self._kept[0] != key:
            ratio = self.devicePixelRatioF()
            sheet = QPixmap(size * ratio)
            sheet.setDevicePixelRatio(ratio)
            sheet.fill(QColor(0, 0, 0, 0))
            brush = QPainter(sheet)
            if self._link_image is not None:
                image, (left, low, width, height) = self._link_image
                corners = mapping(np.array([[left, low + height], [left + width, low]]))
                brush.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
                brush.drawImage(QRectF(QPointF(*corners[0]), QPointF(*corners[1])), image)
            self._paint_clouds(brush, mapping)
            brush.end()
            self._kept = (key, sheet)
        painter.drawPixmap(0, 0, self._kept[1])

    def _paint_links_now(self, painter: QPainter, mapping: Mapping) -> None:
        """For pictures of any size: at once, at their own resolution."""
        if self.links is None or not len(self.links):
            return
        box = self.plot.vb.viewRect()
        corners = mapping(np.array([[box.left(), box.bottom()], [box.right(), box.top()]]))
        size = np.maximum(np.rint(corners[1] - corners[0]), 1).astype(int)
        there = mapping.moved(*(-corners[0]))
        opacities = transport_ink.link_opacities(self.links, there, (int(size[0]), int(size[1])), self._scale)
        painter.drawImage(QPointF(*corners[0]), transport_ink.link_image(opacities))

    def _paint_clouds(self, painter: QPainter, mapping: Mapping) -> None:
        for cloud in self._clouds:
            cloud.draw(painter, mapping)
        if self.journey is not None and self.journey.is_listed:
            assert self.seen is not None
            places = [mapping(self.seen.places[k]) for k in range(2)]
            scale = self._scale if self._in_picture else 1.0
            transport_lit.paint_names(painter, self.journey.clouds[:2], places, scale)

    def _paint_moving(self, painter: QPainter, mapping: Mapping) -> None:
        if self._travel is not None and self.time > 0:
            self._travel.draw(painter, mapping, self.time)
        if self.lit is not None and not self._in_picture:
            self._paint_lit(painter, mapping, self.lit)

    def _paint_lit(self, painter: QPainter, mapping: Mapping, lit: Lit) -> None:
        assert self.seen is not None
        at = mapping(self.seen.places[lit.cloud][lit.point][None])[0]
        ends = mapping(self.seen.places[1 - lit.cloud][lit.others]) if len(lit.others) else np.zeros((0, 2))
        transport_lit.paint(painter, at, ends, lit.mass, theme.colors().plot)

    # ---- mouse --------------------------------------------------------------------------------------------
    def _hover(self, at: QPointF) -> None:
        inside = self.plot.vb.sceneBoundingRect().contains(at)
        self._light(self.point_at(at) if inside else None)

    def leaveEvent(self, event: Any) -> None:
        self._light(None)
        super().leaveEvent(event)

    def point_at(self, at: QPointF) -> tuple[int, int] | None:
        """Cloud and point under a place of the scene, or None."""
        if self.seen is None or self.curves.is_on:
            return None
        mapping = Mapping.of_scene(self.plot.vb)
        return transport_lit.nearest([mapping(places) for places in self.seen.places], at)

    def _light(self, point: tuple[int, int] | None) -> None:
        before = None if self.lit is None else (self.lit.cloud, self.lit.point)
        if point == before or self.journey is None:
            return
        self.lit = None if point is None else transport_lit.lit(self.journey, *point)
        self._moving.update()
        self.hovered.emit("" if point is None else self.describe(*point))

    def describe(self, cloud: int, point: int) -> str:
        """A point in words, with what goes from it or comes to it."""
        assert self.journey is not None
        return transport_words.describe(self.journey, cloud, point)

    # ---- look ---------------------------------------------------------------------------------------------
    def _write_legend(self) -> None:
        import html

        if self.journey is None:
            return
        lines = []
        for k, cloud in enumerate(self.journey.clouds):
            shape = "●" if cloud.colors is None else "○"
            mark = f'<span style="color:{transport_ink.colour_of(cloud.role, k)}">{shape}</span>'
            lines.append(f"{mark} {html.escape(cloud.title)} ({len(cloud.points):,})")
        if self._faint:
            shape = "○" if all(cloud.colors is not None for cloud in self.journey.clouds[:2]) else "●"
            lines.append(f'<span style="color:{transport_ink.colour_of("travel")}">{shape}</span> On the way')
        self.legend.setText("<br>".join(lines), color=theme.colors().text)

    def dress(self) -> None:
        plotting.dress_sparely(self.plot)
        self.curves.dress(self._scale)
        self._make_ink()
        self._write_legend()
        if self._opacities is not None and self._link_image is not None:
            self._link_image = (transport_ink.link_image(self._opacities), self._link_image[1])

    @property
    def _in_picture(self) -> bool:
        return self._picture_scale > 0

    @property
    def _scale(self) -> float:
        """Pixels for one of the screen's own."""
        return self._picture_scale or self.devicePixelRatioF()

    def begin_picture(self, scale: float) -> None:
        """What follows is drawn for a picture, at so many pixels for one of the screen's own."""
        self._picture_scale = scale
        self._make_ink()
        self.curves.dress(self._scale)

    def end_picture(self) -> None:
        self._picture_scale = 0.0
        self._make_ink()
        self.curves.dress(self._scale)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._later.start()

    def stop(self, patience: float = PATIENCE) -> None:
        self._later.stop()
        self.evaluator.stop(patience)


__all__ = ["TransportPlot"]
