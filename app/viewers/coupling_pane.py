"""One plan or cost matrix as a picture, with its marginals at the sides, and its colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app import theme
from app.viewers import colour_maps, plotting
from app.viewers.coupling_facts import Facts
from app.viewers.field_colours import ScaleBar
from app.viewers.field_head import Head
from app.viewers.live_evaluator import PATIENCE, LiveEvaluator
from app.viewers.overlay import BESIDE, ColourBar, draw_strip
from app.viewers.plan_axis import EntryAxis
from app.viewers.plan_pixels import Matrix, Window, pooled
from app.viewers.plot_axis import apart, nice_powers

SIDE = 54
"""Pixels for the marginals at a side."""
NARROW = 260
"""Below this width or height there is no room for them."""
PLAIN, WITH_NAMES = 52, 92
"""Pixels for the numbers of the rows, or for their names."""


@dataclass(frozen=True)
class Looks:
    """How values become colours, and what a pixel shows of several entries."""

    cmap: str = "viridis"
    low: float = 0.0
    high: float = 1.0
    log: bool = True
    pool: str = "largest"


@dataclass(frozen=True, eq=False)
class _Wanted:
    matrix: Matrix
    order: tuple[np.ndarray, np.ndarray]
    window: Window
    size: tuple[int, int]
    looks: Looks


def _drawn(wanted: _Wanted, stale: Any) -> np.ndarray:
    """(h, w, 4) uint8; blank is transparent."""
    looks = wanted.looks
    values = pooled(wanted.matrix, wanted.order, wanted.window, wanted.size, looks.pool)
    blank = np.isnan(values)
    low, high = looks.low, looks.high
    if looks.log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log10(values)
        low, high = np.log10(low), np.log10(high)
    rgba = np.empty((*values.shape, 4), np.uint8)
    rgba[..., :3] = colour_maps.coloured(values, looks.cmap, low, high)
    rgba[..., 3] = np.where(blank, 0, 255)
    return rgba


class _Scale(ScaleBar):
    """A bar of colours that may be logarithmic."""

    log = False

    def _paint(self, painter: QPainter, bar: ColourBar) -> None:
        if not self.log:
            super()._paint(painter, bar)
            return
        painter.setFont(theme.font(0.85, numbers=True))
        painter.setPen(QColor(theme.colors().muted))
        painter.drawText(QRectF(2, 2, self.width() - 4, 16), BESIDE, bar.title)
        box = QRectF(4, 26, 12, max(10.0, self.height() - 26 - 40))
        draw_strip(painter, box, bar.cmap)
        painter.setPen(QColor(theme.colors().text))
        low, high = np.log10(bar.low), np.log10(bar.high)
        powers = nice_powers(low, high, max(2, int(box.height() / 30)))
        for power, text in zip(powers, apart([10.0**p for p in powers]), strict=True):
            y = box.bottom() - (power - low) / max(high - low, 1e-12) * box.height()
            painter.drawText(QRectF(box.right() + 5, y - 9, self.width(), 18), BESIDE, text)


class CouplingPane(QWidget):
    hovered = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setMinimumSize(120, 90)
        self.head = Head(self)
        self.graphics = pg.GraphicsLayoutWidget(self)
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.graphics.setAccessibleName("Plan with its marginals")
        self.scale = _Scale(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(0)
        grid.addWidget(self.head, 0, 0, 1, 2)
        grid.addWidget(self.graphics, 1, 0)
        grid.addWidget(self.scale, 1, 1)
        grid.setRowStretch(1, 1)
        grid.setColumnStretch(0, 1)
        self.facts: Facts | None = None
        self.looks = Looks()
        self._follows, self._in_picture = True, 0.0
        self._make_plots()
        self.evaluator = LiveEvaluator(_drawn, self, name="plan")
        self.evaluator.answered.connect(self._answered)
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._ask)
        theme.signals.changed.connect(self.dress)
        self.dress()

    def _make_plots(self) -> None:
        layout = self.graphics.ci
        layout.setContentsMargins(2, 6, 4, 2)
        layout.setSpacing(4)
        self.axes = EntryAxis("left"), EntryAxis("bottom")
        self.plot = layout.addPlot(1, 0, axisItems=dict(zip(("left", "bottom"), self.axes, strict=True)))
        self.top, self.right = layout.addPlot(0, 0), layout.addPlot(1, 1)
        for plot in (self.plot, self.top, self.right):
            plot.setMenuEnabled(False)
            plot.hideButtons()
        for plot in (self.top, self.right):
            plot.setMouseEnabled(False, False)
            plot.hideAxis("bottom")
            plot.hideAxis("left")
        self.plot.invertY(True)
        self.right.invertY(True)
        self.top.setXLink(self.plot)
        self.right.setYLink(self.plot)
        self.top.setMaximumHeight(SIDE)
        self.right.setMaximumWidth(SIDE)
        self.right.layout.setContentsMargins(0, 0, 0, 0)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.frame = pg.PlotCurveItem()
        self.cross = [pg.InfiniteLine(angle=0), pg.InfiniteLine(angle=90)]
        for item in (self.image, self.frame, *self.cross):
            self.plot.addItem(item, ignoreBounds=True)
        for line in self.cross:
            line.hide()
        self.given = [pg.BarGraphItem(x0=[], y0=[], width=[], height=[]) for _ in range(2)]
        self.wanted = [pg.PlotCurveItem() for _ in range(2)]
        for k, plot in enumerate((self.right, self.top)):
            plot.addItem(self.given[k])
            plot.addItem(self.wanted[k])
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: setattr(self, "_follows", False))
        self.plot.vb.sigRangeChanged.connect(lambda *_: self._changed())
        self.plot.vb.sigResized.connect(lambda *_: self._resized())

    # ---- content ------------------------------------------------------------------------------------------
    def show_facts(self, facts: Facts, looks: Looks, title: str) -> None:
        before, self.facts, self.looks = self.facts, facts, looks
        self.head.say(title, facts.words, ", ".join(facts.words))
        for axis, names, order in zip(self.axes, facts.names, facts.order, strict=True):
            axis.set_names(names, order, facts.is_sorted)
        rows, columns = facts.matrix.shape
        # The marginal above begins where the picture does, whatever the numbers beside it need.
        left = WITH_NAMES if facts.names[0] else PLAIN
        self.plot.getAxis("left").setWidth(left)
        self.top.layout.setContentsMargins(left, 0, 0, 0)
        for side, words in zip(("left", "bottom"), facts.titles, strict=True):
            self.plot.getAxis(side).setLabel(words, color=theme.colors().muted)
        self.frame.setData([0, columns, columns, 0, 0], [0, 0, rows, rows, 0])
        self._draw_marginals(facts)
        self._place_sides()
        self.scale.log = looks.log
        self.scale.show_bar(ColourBar(facts.quantity, looks.cmap, looks.low, looks.high, facts.unit))
        self.scale.update()
        if self._follows or before is None or before.matrix.shape != facts.matrix.shape:
            self.fit()
        self._changed()

    def _draw_marginals(self, facts: Facts) -> None:
        for k, plot in enumerate((self.right, self.top)):
            wanted = facts.wanted[k]
            given = facts.given[k]
            if wanted is None:
                continue
            order = facts.order[k]
            bars = wanted[order] if given is None else given[order]
            at, ones = np.arange(len(bars), dtype=float), np.ones(len(bars))
            zeros = np.zeros(len(bars))
            if k == 0:
                self.given[k].setOpts(x0=zeros, y0=at, width=bars, height=ones)
            else:
                self.given[k].setOpts(x0=at, y0=zeros, width=ones, height=bars)
            steps = np.repeat(np.arange(len(bars) + 1, dtype=float), 2)[1:-1]
            line = np.repeat(wanted[order], 2)
            self.wanted[k].setData(line, steps) if k == 0 else self.wanted[k].setData(steps, line)
            self.wanted[k].setVisible(given is not None)
            most = 1.08 * max(float(wanted.max()), float(bars.max())) or 1.0
            (plot.setXRange if k == 0 else plot.setYRange)(0, most, padding=0)

    def fit(self) -> None:
        """Show everything, and go on doing so as the view changes its size."""
        self._follows = True
        if self.facts is not None:
            rows, columns = self.facts.matrix.shape
            self.plot.vb.setRange(QRectF(0, 0, columns, rows), padding=0.01)

    def zoom_to(self, row: int, column: int, around: int = 8) -> None:
        """Show an entry, by its place on show, with some around it."""
        self._follows = False
        self.plot.vb.setRange(QRectF(column - around, row - around, 2 * around + 1, 2 * around + 1), padding=0)

    # ---- drawing ------------------------------------------------------------------------------------------
    def _changed(self) -> None:
        if self._in_picture:
            self._draw_now()
        else:
            self._later.start()

    def _resized(self) -> None:
        if self._follows:
            self.fit()
        self._changed()

    @property
    def is_settled(self) -> bool:
        return not self._later.isActive() and self.evaluator.is_settled

    def _wish(self) -> _Wanted | None:
        if self.facts is None:
            return None
        rows, columns = self.facts.matrix.shape
        box = self.plot.vb
        rect = box.viewRect()
        left, right = max(0, int(np.floor(rect.left()))), min(columns, int(np.ceil(rect.right())))
        top, bottom = max(0, int(np.floor(rect.top()))), min(rows, int(np.ceil(rect.bottom())))
        if right <= left or bottom <= top:
            return None
        scale = self._in_picture or self.devicePixelRatioF()
        # No more pixels than there are on the screen: each then covers one of it or more, and is seen.
        across = max(1, int(box.width() * scale * (right - left) / rect.width()))
        down = max(1, int(box.height() * scale * (bottom - top) / rect.height()))
        window = Window(top, bottom, left, right)
        return _Wanted(self.facts.matrix, self.facts.order, window, (down, across), self.looks)

    def _ask(self) -> None:
        wanted = self._wish()
        if wanted is None or not self.isVisible():
            self.evaluator.forget()
            return
        self.evaluator.ask(wanted, give_up=False)

    def _draw_now(self) -> None:
        wanted = self._wish()
        if wanted is not None:
            self._put(wanted, _drawn(wanted, None))

    def _answered(self, wanted: _Wanted, rgba: np.ndarray) -> None:
        if self.facts is not None and wanted.matrix is self.facts.matrix:
            self._put(wanted, rgba)

    def _put(self, wanted: _Wanted, rgba: np.ndarray) -> None:
        window = wanted.window
        self.image.setImage(rgba, autoLevels=False)
        self.image.setRect(QRectF(window.left, window.top, window.width, window.height))

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._later.start()

    # ---- mouse --------------------------------------------------------------------------------------------
    def _hover(self, at: QPointF) -> None:
        box, facts = self.plot.vb, self.facts
        text = ""
        if facts is not None and box.sceneBoundingRect().contains(at):
            point = box.mapSceneToView(at)
            row, column = int(np.floor(point.y())), int(np.floor(point.x()))
            if 0 <= row < facts.matrix.shape[0] and 0 <= column < facts.matrix.shape[1]:
                text = facts.describe(row, column)
                for line, place in zip(self.cross, (row, column), strict=True):
                    line.setValue(place + 0.5)
        for line in self.cross:
            line.setVisible(bool(text))
        self.hovered.emit(text)

    def leaveEvent(self, event: Any) -> None:
        for line in self.cross:
            line.hide()
        self.hovered.emit("")
        super().leaveEvent(event)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._place_sides()

    def _place_sides(self) -> None:
        """The marginals, where they are known and there is room for them."""
        wide, high = self.width() >= NARROW, self.height() >= NARROW
        known = [False, False] if self.facts is None else [w is not None for w in self.facts.wanted]
        for plot, on in ((self.right, wide and known[0]), (self.top, high and known[1])):
            plot.setVisible(on)
            (plot.setMaximumWidth if plot is self.right else plot.setMaximumHeight)(SIDE if on else 0)
        self.scale.setVisible(wide)

    # ---- looks --------------------------------------------------------------------------------------------
    def dress(self) -> None:
        found = theme.colors()
        self.graphics.setBackground(found.plot)
        plotting.dress_sparely(self.plot)
        scale = self._in_picture or self.devicePixelRatioF()
        self.frame.setPen(pg.mkPen(found.border, width=scale))
        for line in self.cross:
            line.setPen(pg.mkPen(QColor(found.muted), width=scale, style=Qt.PenStyle.DotLine))
        for k, bars in enumerate(self.given):
            fill = QColor(theme.series_color(k))
            fill.setAlpha(150)
            bars.setOpts(brush=fill, pen=pg.mkPen(None))
            self.wanted[k].setPen(pg.mkPen(found.muted, width=1.0 * scale))

    def begin_picture(self, scale: float) -> None:
        self._in_picture = scale
        self.dress()
        self._draw_now()

    def end_picture(self) -> None:
        self._in_picture = 0.0
        self.dress()
        self._later.start()

    def picture(self, width: int, height: int) -> QImage:
        scale = plotting.scale_of(width)
        self.begin_picture(scale)
        try:
            return plotting.grab(self, width, height, scale)
        finally:
            self.end_picture()

    def stop(self, patience: float = PATIENCE) -> None:
        self._later.stop()
        self.evaluator.stop(patience)


__all__ = ["CouplingPane", "Looks"]
