"""An item of a plot that is painted over all of it in pixels, whatever the scales of its axes."""

from __future__ import annotations

from collections.abc import Callable

import pyqtgraph as pg
from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QTransform

from app.viewers.transport_ink import Mapping


class PixelItem(pg.GraphicsObject):
    """``paint(painter, mapping)``: the mapping takes places on the axes to pixels."""

    def __init__(self, paint: Callable[[QPainter, Mapping], None]) -> None:
        super().__init__()
        self._paint = paint

    def boundingRect(self) -> QRectF:
        return self.viewRect() or QRectF()

    def viewRangeChanged(self, *_: object) -> None:
        self.prepareGeometryChange()

    def paint(self, painter: QPainter, *_: object) -> None:
        world = painter.worldTransform()
        painter.setWorldTransform(QTransform())
        self._paint(painter, Mapping.of(world))
        painter.setWorldTransform(world)


__all__ = ["PixelItem"]
