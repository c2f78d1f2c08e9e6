"""Choosing vertices on screen: by a rectangle or a lasso, or a connected piece by a click."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from app import theme
from app.viewers.tools import CLICK, away
from engines.blocks.mesh_parts import pieces
from engines.blocks.mesh_topology import edges_of

PIECE, RECTANGLE, LASSO = "piece", "rectangle", "lasso"
TOOLS = (PIECE, RECTANGLE, LASSO)


@dataclass(frozen=True, eq=False)
class Topology:
    """What choosing needs to know of a mesh."""

    edges: np.ndarray  # (E, 2)
    pieces: np.ndarray  # (V,) numbers

    @staticmethod
    def of(faces: np.ndarray, count: int) -> Topology:
        """A second for a million triangles: not on the GUI thread."""
        return Topology(edges_of(faces), pieces(faces, count))


def inside(outline: QPolygonF, pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """(n,) which pixels (n, 2) of a view of this size lie within an outline."""
    mask = QImage(max(width, 1), max(height, 1), QImage.Format.Format_Grayscale8)
    mask.fill(0)
    painter = QPainter(mask)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("white"))
    painter.drawPolygon(outline, Qt.FillRule.OddEvenFill)
    painter.end()
    lines = np.frombuffer(mask.constBits(), np.uint8).reshape(mask.height(), mask.bytesPerLine())
    x, y = np.floor(pixels[:, 0]).astype(np.int64), np.floor(pixels[:, 1]).astype(np.int64)
    on = (x >= 0) & (x < mask.width()) & (y >= 0) & (y < mask.height())
    found = np.zeros(len(pixels), bool)
    found[on] = lines[y[on], x[on]] > 0
    return found


class Choice:
    """Takes the mouse to choose. ``region`` gets the outline that was drawn, ``click`` where the mouse was clicked."""

    def __init__(
        self,
        region: Callable[[QPointF | QPolygonF], None],
        click: Callable[[QPointF], None],
        changed: Callable[[], None],
        turning: Callable[[], bool],
    ) -> None:
        """``turning``: whether a key is held that leaves the mouse to the camera."""
        self._region, self._click, self._changed, self._turning = region, click, changed, turning
        self.tool = PIECE
        self._points: list[QPointF] = []
        self._pressed: QPointF | None = None

    def press(self, at: QPointF) -> bool:
        self._pressed = at
        self._points = [at] if self.tool != PIECE and not self._turning() else []
        return bool(self._points)

    def move(self, at: QPointF, held: bool) -> bool:
        if not held or not self._points:
            return False
        if self.tool == RECTANGLE:
            self._points = [self._points[0], at]
        elif away(at, self._points[-1]) >= 2:
            self._points.append(at)
        self._changed()
        return True

    def release(self, at: QPointF) -> bool:
        pressed, outline = self._pressed, self.outline()
        self._pressed, self._points = None, []
        self._changed()
        if pressed is None:
            return False
        box = outline.boundingRect()
        if max(box.width(), box.height(), away(at, pressed)) < CLICK:
            self._click(at)
        elif outline.size() > 2:
            self._region(outline)
        return True

    def outline(self) -> QPolygonF:
        """What has been drawn so far."""
        if self.tool == RECTANGLE and len(self._points) == 2:
            return QPolygonF(QRectF(*self._points).normalized())
        return QPolygonF(self._points)

    def paint(self, painter: QPainter) -> None:
        outline = self.outline()
        if outline.size() < 2:
            return
        accent = QColor(theme.colors().accent)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill = QColor(accent)
        fill.setAlpha(28)
        painter.setBrush(fill)
        painter.setPen(QPen(accent, 1.4, Qt.PenStyle.DashLine))
        painter.drawPolygon(outline)
        painter.restore()
