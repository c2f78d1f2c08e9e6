"""pyqtgraph in the workbench's colours."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QWidget

from app import theme


def dress(plot: pg.PlotItem) -> None:
    """Background, axes and grid as the theme has them now."""
    found = theme.colors()
    view = plot.getViewWidget()
    if view is not None:
        view.setBackground(found.plot)
    for side in ("left", "bottom", "top", "right"):
        axis = plot.getAxis(side)
        axis.setPen(pg.mkPen(found.border))
        axis.setTextPen(pg.mkPen(found.muted))
        axis.setTickPen(pg.mkPen(found.border))
        axis.setStyle(tickFont=theme.font(0.9, numbers=True), tickLength=-4)
        axis.label.setDefaultTextColor(QColor(found.muted))
        axis.label.setFont(theme.font(0.95))
        axis.enableAutoSIPrefix(False)


def dress_sparely(plot: pg.PlotItem, *, lines: bool = False) -> None:
    """As :func:`dress`, with small numbers close to a picture; ``lines``: along the axes too."""
    dress(plot)
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        if not lines:
            axis.setPen(None)
        axis.setStyle(tickFont=theme.font(0.82, numbers=True), tickLength=-3, tickTextOffset=3)
        axis.label.setFont(theme.font(0.85))
        if axis.labelText:
            axis.setLabel(axis.labelText, color=theme.colors().muted)


def scale_of(width: int) -> float:
    """How much larger text and lines are in a picture of this width: it is laid out as a view 900 wide."""
    return max(0.5, width / 900)


def grab(widget: QWidget, width: int, height: int, scale: float | None = None) -> QImage:
    """A picture of a widget laid out anew at this size, whatever its size on screen."""
    old = widget.geometry()
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(QColor(theme.colors().plot))
    scale = scale or scale_of(width)
    inner = QRect(0, 0, max(1, round(width / scale)), max(1, round(height / scale)))
    updates = widget.updatesEnabled()
    widget.setUpdatesEnabled(False)
    widget.resize(inner.size())
    widget.ensurePolished()
    if widget.layout() is not None:
        widget.layout().activate()
    painter = QPainter(image)
    try:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.scale(scale, scale)
        widget.setUpdatesEnabled(updates)
        if isinstance(widget, pg.GraphicsView):
            widget.render(painter, inner, inner)
        else:
            widget.render(painter, QPoint())
    finally:  # a traceback would keep the painter alive longer than the image, and Qt would crash
        painter.end()
        widget.setGeometry(old)
    return image


def pixels(image: QImage) -> np.ndarray:
    """(H, W, 3) uint8."""
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()
