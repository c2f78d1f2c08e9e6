"""A map of a plane of a field: colours, contour lines, arrows and streamlines, pinned points and a line across."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers import colour_maps, field_colours, plotting
from app.viewers.field_values import Plane
from app.viewers.plot_axis import FewTicks

FINE = 384
"""Pixels along the longer side to which coarser planes are interpolated."""
FINE_ENOUGH = 200
"""Nodes along a side from which an even plane is drawn as it is."""
PIN = 11
"""Size of a pinned point."""
REACH = 9
"""Pixels around the end of the line in which a drag takes hold of it."""


class Raster:
    """The pixels of a plane: each node's own, or values between the nodes of a coarse or uneven grid, linearly."""

    def __init__(self, right: np.ndarray, up: np.ndarray, smooth: bool) -> None:
        self._nodes, self._smooth = (right, up), smooth
        extent = [float(np.ptp(nodes)) or 1.0 for nodes in (right, up)]
        even = all(len(n) < 3 or np.ptp(np.diff(n)) <= 1e-3 * np.diff(n).mean() for n in (right, up))
        fine = min(len(right), len(up)) >= FINE_ENOUGH
        self.as_it_is = even and (fine or not smooth)
        if self.as_it_is:
            half = [e / max(len(n) - 1, 1) / 2 for e, n in zip(extent, (right, up), strict=True)]
            self.rect = QRectF(
                right[0] - half[0], up[0] - half[1], extent[0] + 2 * half[0], extent[1] + 2 * half[1]
            )  # fmt: skip
            return
        self.rect = QRectF(right[0], up[0], *extent)
        self._steps = [self._along(nodes) for nodes in (right, up)]

    def same_as(self, right: np.ndarray, up: np.ndarray, smooth: bool) -> bool:
        return smooth == self._smooth and all(
            a is b or np.array_equal(a, b) for a, b in zip((right, up), self._nodes, strict=True)
        )

    def _along(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        count = max(FINE, len(nodes))
        at = nodes[0] + (np.arange(count) + 0.5) / count * (nodes[-1] - nodes[0])
        below = np.clip(np.searchsorted(nodes, at, "right") - 1, 0, max(len(nodes) - 2, 0))
        above = np.minimum(below + 1, len(nodes) - 1)
        width = nodes[above] - nodes[below]
        share = np.where(width > 0, (at - nodes[below]) / np.where(width > 0, width, 1), 0.0)
        return below, above, (share if self._smooth else np.round(share)).astype(np.float32)

    def values(self, of: np.ndarray) -> np.ndarray:
        """(right, up) values of the pixels."""
        if self.as_it_is:
            return of
        of = of.astype(np.float32, copy=False)
        below, above, share = self._steps[0]
        first = of[below]
        of = first + share[:, None] * (of[above] - first)
        below, above, share = self._steps[1]
        first = of[:, below]
        return first + share * (of[:, above] - first)


class _Strokes:
    """Lines with a faint halo, so that they are seen over any colour."""

    def __init__(self, plot: pg.PlotItem, z: float) -> None:
        self.halo, self.line = pg.PlotCurveItem(), pg.PlotCurveItem()
        self._look = ("#000000", "", 1.0, 1.0)
        self._hasty = False
        for item in (self.halo, self.line):
            item.setZValue(z)
            item.opts["antialias"] = True
            plot.addItem(item, ignoreBounds=True)

    def draw(self, points: np.ndarray, connect: str = "finite", *, hasty: bool = False) -> None:
        """``hasty``: in thin lines without halo, which Qt draws ten times as fast."""
        if hasty != self._hasty:
            self._hasty = hasty
            self.pens(*self._look)
        for item in (self.halo, self.line):
            if len(points):
                item.setData(points[:, 0], points[:, 1], connect=connect)
            elif item.xData is not None and len(item.xData):
                item.setData([], [])

    def pens(self, colour: str, halo: str, width: float, scale: float) -> None:
        self._look = (colour, halo, width, scale)
        if self._hasty:
            halo, width, scale = "", 1.0, 1.0
        self.line.setPen(pg.mkPen(colour, width=width * scale))
        if halo:
            self.halo.setPen(pg.mkPen(halo, width=(width + 1.8) * scale))
        self.halo.setVisible(bool(halo))


class FieldMap(pg.PlotWidget):
    hovered = Signal(object)
    """(right, up) under the cursor, or None."""
    clicked = Signal(float, float)
    reshaped = Signal()
    """Another part of space is shown, of another :attr:`aspect` perhaps."""
    line_drawn = Signal(object, bool)
    """Ends (2, 2) of the line, and whether the mouse let go of it."""

    def __init__(self, parent: QWidget, title: str) -> None:
        super().__init__(parent, axisItems={side: FewTicks(side) for side in ("left", "bottom")}, enableMenu=False)
        self.setObjectName("map")
        self.setAccessibleName(title)
        self.setFrameShape(self.Shape.NoFrame)
        self.plot: pg.PlotItem = self.getPlotItem()
        self.plot.hideButtons()
        self.plot.layout.setContentsMargins(2, 8, 10, 2)
        self.plot.getAxis("left").setWidth(56)
        self.plot.getAxis("bottom").setHeight(38)
        self.shown: Plane | None = None
        self.drawing_line = False
        """Whether a drag draws the line instead of moving the map."""
        self._raster: Raster | None = None
        self._follows, self._cmap, self._scale, self._held = True, "viridis", 1.0, -1
        self.image = pg.ImageItem(axisOrder="row-major")
        self.plot.addItem(self.image)
        self.contours, self.streams, self.arrows = (_Strokes(self.plot, z) for z in (2, 3, 3))
        self.cut = _Strokes(self.plot, 5)
        self.pins = pg.ScatterPlotItem(pxMode=True)
        self.now = pg.InfiniteLine(angle=0)
        self.now.hide()
        for item, z in ((self.pins, 6), (self.now, 4)):
            item.setZValue(z)
            self.plot.addItem(item, ignoreBounds=True)
        self.overlays: list[pg.GraphicsObject] = []
        self._ends = np.zeros((0, 2))
        self.plot.vb.mouseDragEvent = self._dragged
        self.scene().sigMouseMoved.connect(self._hover)
        self.scene().sigMouseClicked.connect(self._click)
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))
        self.plot.vb.sigResized.connect(lambda *_: self.fit() if self._follows else None)
        self.dress()

    # ---- content ------------------------------------------------------------------------------------------
    def show_plane(self, shown: Plane, colours: tuple[str, float, float], smooth: bool) -> None:
        before, self.shown = self.shown, shown
        up = shown.up if len(shown.up) > 1 else np.array([0.0, 1.0])
        values = shown.values if len(shown.up) > 1 else np.repeat(shown.values, 2, 1)
        if self._raster is None or not self._raster.same_as(shown.right, up, smooth):
            self._raster = Raster(shown.right, up, smooth)
            self.image.setRect(self._raster.rect)
        rgba = field_colours.pixels(self._raster.values(values), *colours)
        resized = self.image.image is None or self.image.image.shape != rgba.shape
        self.image.setImage(rgba, autoLevels=False)
        if resized:
            self.image.setRect(self._raster.rect)
        if colours[0] != self._cmap:
            self._cmap = colours[0]
            self.set_pens(self._scale)
        if before is None or _frame_of(before) != _frame_of(shown):
            self._framed(shown)

    def _framed(self, shown: Plane) -> None:
        """Another part of space: axes, aspect and extent."""
        self.plot.setAspectLocked(not _is_skew(shown))
        for side, name, unit, nodes in zip(
            ("bottom", "left"), shown.names, shown.units, (shown.right, shown.up), strict=True
        ):
            axis = self.plot.getAxis(side)
            axis.setLabel(f"{name} ({unit})" if unit else name, color=theme.colors().muted)
            axis.between = (float(nodes[0]), float(nodes[-1])) if len(nodes) > 1 else None
        self.fit()
        self.reshaped.emit()

    def set_streams(self, lines: np.ndarray, heads: np.ndarray, *, hasty: bool = False) -> None:
        if len(heads):
            # Heads as lines of their own, so that all is one path.
            pairs = heads.reshape(-1, 2, 2)
            gaps = np.full((len(pairs), 1, 2), np.nan)
            lines = np.concatenate([lines, np.concatenate([pairs, gaps], 1).reshape(-1, 2)])
        self.streams.draw(lines, hasty=hasty)

    def mark_time(self, time: float | None) -> None:
        """The line of the time on show in a strip in time."""
        self.now.setVisible(time is not None)
        if time is not None:
            self.now.setValue(time)

    def set_pins(self, points: Sequence[tuple[float, float]]) -> None:
        spots = [
            {"pos": p, "brush": pg.mkBrush(theme.series_color(k)), "pen": pg.mkPen("#FFFFFF", width=1.6)}
            for k, p in enumerate(points)
        ]
        self.pins.setData(spots, size=PIN)

    def set_line(self, ends: np.ndarray | None) -> None:
        self._ends = np.zeros((0, 2)) if ends is None else np.asarray(ends, float)
        self.cut.draw(self._ends)

    def set_overlays(self, items: list[pg.GraphicsObject]) -> None:
        """What lies over the map besides, such as ellipses."""
        for item in self.overlays:
            self.plot.removeItem(item)
        self.overlays = items
        for item in items:
            item.setZValue(3)
            self.plot.addItem(item, ignoreBounds=True)

    @property
    def aspect(self) -> float | None:
        """Width over height of the plane; None where its axes are not to the same scale."""
        if self.shown is None or self._raster is None or _is_skew(self.shown):
            return None
        return self._raster.rect.width() / self._raster.rect.height()

    def fit(self) -> None:
        """Show all of the plane, and go on doing so as the view changes its size."""
        self._follows = True
        if self._raster is not None:
            self.plot.setRange(self._raster.rect, padding=0.0 if self.aspect is None else 0.004)

    # ---- mouse --------------------------------------------------------------------------------------------
    def _at(self, scene: QPointF) -> QPointF:
        return self.plot.vb.mapSceneToView(scene)

    def _hover(self, at: QPointF) -> None:
        inside = self.shown is not None and self.plot.vb.sceneBoundingRect().contains(at)
        point = self._at(at)
        self.hovered.emit((point.x(), point.y()) if inside else None)

    def leaveEvent(self, event) -> None:
        self.hovered.emit(None)
        super().leaveEvent(event)

    def _click(self, event) -> None:
        at = event.scenePos()
        plain = event.button() == Qt.MouseButton.LeftButton and not event.double()
        if plain and self.plot.vb.sceneBoundingRect().contains(at) and not self.drawing_line:
            point = self._at(at)
            self.clicked.emit(point.x(), point.y())

    def _dragged(self, event, axis=None) -> None:
        vb = self.plot.vb
        if not self.drawing_line or event.button() != Qt.MouseButton.LeftButton:
            pg.ViewBox.mouseDragEvent(vb, event, axis)
            return
        event.accept()
        start, now = self._at(event.buttonDownScenePos()), self._at(event.scenePos())
        first, here = np.array([start.x(), start.y()]), np.array([now.x(), now.y()])
        if event.isStart():
            self._held = self._end_near(first)
            if self._held < 0:
                self._ends = np.stack([first, here])
                self._held = 1
        ends = self._ends.copy()
        ends[self._held] = here
        self.set_line(ends)
        self.line_drawn.emit(ends, event.isFinish())

    def _end_near(self, point: np.ndarray) -> int:
        if not len(self._ends):
            return -1
        pixel = np.array(self.plot.vb.viewPixelSize())
        away = np.linalg.norm((self._ends - point) / pixel, axis=1)
        return int(away.argmin()) if away.min() <= REACH else -1

    # ---- look ---------------------------------------------------------------------------------------------
    def dress(self) -> None:
        plotting.dress_sparely(self.plot)
        self.set_pens(self._scale)

    def set_pens(self, scale: float) -> None:
        """Pens are as wide in pixels of the screen at every scale: they are told the scale."""
        self._scale = scale
        if self._cmap in colour_maps.DIVERGING:
            self.contours.pens("#00000066", "", 1.0, scale)
            self.streams.pens("#202830D0", "#FFFFFF60", 1.1, scale)
            self.arrows.pens("#101418E0", "#FFFFFF70", 1.3, scale)
        else:
            self.contours.pens("#FFFFFF80", "", 1.0, scale)
            self.streams.pens("#FFFFFFD0", "#00000050", 1.1, scale)
            self.arrows.pens("#FFFFFFF0", "#00000070", 1.3, scale)
        self.cut.pens("#FFFFFF", "#101418", 1.8, scale)
        dark = self._cmap in colour_maps.DIVERGING
        self.now.setPen(pg.mkPen("#101418" if dark else "#FFFFFF", width=1.6 * scale, style=Qt.PenStyle.DashLine))


def _is_skew(shown: Plane) -> bool:
    """Whether the two axes are of different kinds, or so different in length that one would be a sliver."""
    width, height = (float(np.ptp(nodes)) or 1.0 for nodes in (shown.right, shown.up))
    return shown.is_strip or "t" in shown.names or shown.units[0] != shown.units[1] or not 0.1 < width / height < 10


def _frame_of(shown: Plane) -> tuple[object, ...]:
    return (shown.names, shown.units, *(float(v) for n in (shown.right, shown.up) for v in (n[0], n[-1])))
