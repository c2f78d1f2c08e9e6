"""One plot of curves with its heading: the quantity and its values, of every run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QGraphicsSimpleTextItem, QVBoxLayout, QWidget

from app import theme
from app.viewers import plotting
from app.viewers.overlay import number
from app.viewers.plot_axis import ROOM, FewTicks, short

HEAD = 18
AXIS_ROOM = 18
Y_WIDTH = 42

Value = tuple[float, str]
"""A value, and the colour of the run that it belongs to ("" where there is one run only)."""


def draw_heading(painter: QPainter, rect: QRectF, name: str, values: Sequence[Value]) -> None:
    """The name at the left, the values at the right: with fewer figures where there is less room."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    bold, plain = theme.font(0.92, bold=True), theme.font(0.92, numbers=True)
    measure, wide = QFontMetricsF(plain), QFontMetricsF(bold).horizontalAdvance(name)
    dot = 12.0 if any(colour for _, colour in values) else 0.0
    right, texts = rect.right(), []
    for digits in (4, 3, 2, 1):
        texts = [number(value, digits) for value, _ in values]
        taken = sum(measure.horizontalAdvance(text) + 10 + dot for text in texts)
        if wide + taken <= rect.width():
            break
    else:
        # Not even so: the values are in the legend and at the cursor too, a name is nowhere else.
        texts = [] if len(texts) > 1 else [number(values[0][0], 2)] if values else []
    painter.setFont(plain)
    for text, (_, colour) in reversed(list(zip(texts, values, strict=False))):
        advance = measure.horizontalAdvance(text)
        painter.setPen(QColor(theme.colors().text))
        painter.drawText(
            QRectF(right - advance - 1, rect.top(), advance + 2, rect.height()), Qt.AlignmentFlag.AlignVCenter, text
        )
        right -= advance
        if colour:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(QPointF(right - 7, rect.center().y() + 0.5), 3.2, 3.2)
            right -= dot
        right -= 10
    painter.setFont(bold)
    painter.setPen(QColor(theme.colors().muted))
    space = max(0.0, right - rect.left())
    fitted = QFontMetricsF(bold).elidedText(name, Qt.TextElideMode.ElideRight, space + 4)
    painter.drawText(QRectF(rect.left(), rect.top(), space + 4, rect.height()), Qt.AlignmentFlag.AlignVCenter, fitted)


class Heading(QWidget):
    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent)
        self.name = name
        self.values: list[Value] = []
        self.setFixedHeight(HEAD)

    def say(self, values: Sequence[Value]) -> None:
        self.values = list(values)
        told = ", ".join(number(value) for value, _ in values)
        self.setAccessibleName(f"{self.name}: {told}")
        self.setToolTip(f"{self.name}  {told}")
        self.update()

    def rect_within(self, width: float) -> QRectF:
        return QRectF(4, 0, width - 12, HEAD)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        draw_heading(painter, self.rect_within(self.width()), self.name, self.values)
        painter.end()


class _Plot(pg.PlotWidget):
    """The wheel zooms, unless the sheet around it can scroll; with Ctrl it always zooms."""

    def wheelEvent(self, event) -> None:
        grid = self.parentWidget().parentWidget().parentWidget().parentWidget() if self.parentWidget() else None
        if getattr(grid, "scrolls", False) and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.ignore()
        else:
            super().wheelEvent(event)


class CurvePanel(QWidget):
    hovered = Signal(object)
    """x under the cursor (float), or None when it left."""
    zoomed = Signal()
    """By hand."""
    x_range_changed = Signal(object)
    """This panel."""
    asked_for_all = Signal()

    def __init__(self, parent: QWidget, name: str) -> None:
        super().__init__(parent)
        self.name = name
        self.has_x_numbers = True
        self._labelled = False
        self.setObjectName(f"plot-of-{name}" if name else "plot-of-all")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.heading = Heading(self, name)
        column.addWidget(self.heading)
        axes = {side: FewTicks(side) for side in ("left", "bottom")}
        self.graphics = _Plot(self, axisItems=axes, enableMenu=False)
        self.graphics.setAccessibleName(f"Plot of {name}" if name else "Plot of the curves")
        self.graphics.setObjectName("plot")
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.graphics.setMinimumSize(20, 20)
        column.addWidget(self.graphics, 1)
        self.plot: pg.PlotItem = self.graphics.getPlotItem()
        self.plot.hideButtons()
        self.plot.showGrid(x=True, y=True, alpha=0.14)
        self.plot.layout.setContentsMargins(0, 2, ROOM, 0)  # half of a number may stand beyond the last tick
        self.plot.getAxis("left").setWidth(Y_WIDTH)
        self.plot.disableAutoRange()
        self.cross = pg.InfiniteLine(angle=90, movable=False, label="", labelOpts={"position": 0.1, "movable": False})
        self.cross.setVisible(False)
        self.plot.addItem(self.cross, ignoreBounds=True)
        self.x_word = QGraphicsSimpleTextItem(self.plot)
        """Names the x axis beside its numbers, where a line of its own would cost a small plot too much."""
        self.plot.vb.sigResized.connect(lambda *_: self._place_x_word())
        self.plot.vb.sigXRangeChanged.connect(lambda *_: self.x_range_changed.emit(self))
        self.plot.vb.sigResized.connect(lambda *_: self.x_range_changed.emit(self))
        self.plot.vb.sigRangeChangedManually.connect(lambda *_: self.zoomed.emit())
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self.graphics.viewport().installEventFilter(self)
        self.dress()

    def sizeHint(self) -> QSize:
        return QSize(240, 120)

    def dress(self) -> None:
        plotting.dress(self.plot)
        found = theme.colors()
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setStyle(tickFont=theme.font(0.82, numbers=True), tickLength=-3, tickTextOffset=3)
        self.cross.setPen(pg.mkPen(found.faint, width=1))
        self.cross.label.setColor(QColor(found.text))
        self.cross.label.setFont(theme.font(0.82, numbers=True))
        self.cross.label.fill = pg.mkBrush(QColor(found.plot))
        self.x_word.setFont(theme.font(0.82))
        self.x_word.setBrush(QColor(found.muted))
        self._place_x_word()
        self.heading.update()

    def set_logs(self, x: bool, y: bool) -> None:
        self.plot.setLogMode(x, y)

    def set_labels(self, x: str, y: str) -> None:
        """Names of the axes; "" for none."""
        for side, text in (("bottom", x), ("left", y)):
            self.plot.setLabel(side, text or None)
        self.plot.getAxis("left").setWidth(Y_WIDTH + (18 if y else 0))
        self._labelled = bool(x)
        self.dress()
        self.set_x_numbers(self.has_x_numbers)

    def set_x_word(self, word: str) -> None:
        self.x_word.setText(word)
        self._place_x_word()

    def _place_x_word(self) -> None:
        self.x_word.setVisible(self.has_x_numbers and not self._labelled)
        box = self.plot.vb.geometry()
        width = self.x_word.boundingRect().width()
        self.x_word.setPos(max(1.0, box.left() - width - 9), box.bottom() + 2)

    def set_x_numbers(self, on: bool) -> None:
        """Whether the x axis has its numbers here, or leaves them to the plot below."""
        self.has_x_numbers = on
        axis = self.plot.getAxis("bottom")
        axis.setStyle(showValues=on)
        axis.setHeight((AXIS_ROOM + (18 if self._labelled else 0)) if on else 2)
        self._place_x_word()

    def show_cross(self, x: float | None, *, log: bool, here: bool) -> None:
        """A line at ``x``, with its value where the cursor is."""
        self.cross.setVisible(x is not None)
        if x is not None:
            if log and x <= 0:
                self.cross.setVisible(False)
                return
            self.cross.setPos(math.log10(x) if log else x)
            self.cross.label.setFormat(short(x) if here else "")

    def _hover(self, at: QPointF) -> None:
        if not self.plot.vb.sceneBoundingRect().contains(at):
            self.hovered.emit(None)
            return
        x = float(self.plot.vb.mapSceneToView(at).x())
        self.hovered.emit(10**x if self.plot.getAxis("bottom").logMode else x)

    def eventFilter(self, watched, event) -> bool:
        if event.type() == event.Type.Leave:
            self.hovered.emit(None)
        elif event.type() == event.Type.MouseButtonDblClick:
            self.asked_for_all.emit()
        return False
