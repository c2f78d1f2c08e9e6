"""The 3D view of a transport: what lies under the cursor is lit with its links, as on a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers import overlay, transport_ink, transport_layers, transport_lit, transport_words
from app.viewers.camera import Pose
from app.viewers.scene import Scene3D
from app.viewers.transport_axes import Seen
from app.viewers.transport_content import Journey
from app.viewers.transport_lit import Lit


class TransportScene(Scene3D):
    hovered = Signal(str)
    """What is to be said of the point under the cursor; "" of none."""

    def __init__(self, parent: QWidget) -> None:
        self.lit: Lit | None = None
        self._journey: Journey | None = None
        self._places: tuple[np.ndarray, ...] = ()
        super().__init__(parent, bar=False)

    def show_points(self, journey: Journey, seen: Seen) -> None:
        """Whose points these are that its layers show."""
        self._light(None)  # what is said of its point is of before
        self._journey, self._places = journey, seen.places

    def move(self, at: QPointF, held: bool) -> bool:
        self._light(None if held else self._under(at))
        return super().move(at, held)

    def _under(self, at: QPointF) -> tuple[int, int] | None:
        seen = [key for key, layer in self.layers.items() if layer.style.visible]
        hidden = np.zeros((0, 3))
        places = [p if f"cloud-{k}" in seen else hidden for k, p in enumerate(self._places)]
        return transport_lit.nearest([self.canvas.project(p) if len(p) else p for p in places], at)

    def _light(self, point: tuple[int, int] | None) -> None:
        before = None if self.lit is None else (self.lit.cloud, self.lit.point)
        if point == before or self._journey is None:
            return
        self.lit = None if point is None else transport_lit.lit(self._journey, *point)
        self.overlay.update()
        self.hovered.emit("" if point is None else transport_words.describe(self._journey, *point))

    def leaveEvent(self, event: Any) -> None:
        self._light(None)
        super().leaveEvent(event)

    def _paint_legend(self, painter: QPainter, size: QSizeF) -> None:
        """At the upper left: whose colour is whose."""
        if self._journey is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.font(0.95))
        rows = [(transport_ink.colour_of(c.role, k), f"{c.title} ({len(c.points):,})", f"cloud-{k}", c.colors is None)
                for k, c in enumerate(self._journey.clouds)]  # fmt: skip
        travel = self.layers.get("travel")
        if isinstance(travel, transport_layers.TravelLayer) and 0 < travel.moment < 1:
            rows.append((transport_ink.colour_of("travel"), "On the way", "travel", travel.colours is None))
        y = 16.0
        for colour, title, key, is_filled in rows:
            layer = self.layers.get(key)
            if layer is None or not layer.style.visible:
                continue
            painter.setPen(QPen(QColor(colour), 1.6))
            painter.setBrush(QColor(colour) if is_filled else Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(18, y), 4.5, 4.5)
            box = QRectF(30, y - 10, max(0.0, size.width() - 42), 20)
            overlay.draw_text(painter, box, overlay.BESIDE, title, theme.colors().view_top)
            y += 19
        painter.restore()

    def picture(self, width: int, height: int, pose: Pose | None = None, supersample: int = 2) -> QImage:
        image = super().picture(width, height, pose, supersample)
        overlay.onto_image(image, self._paint_legend)
        return image

    def _paint_above(self, painter: QPainter, size: QSizeF) -> None:
        super()._paint_above(painter, size)
        self._paint_legend(painter, size)
        if self.lit is not None:
            at = self.canvas.project(self._places[self.lit.cloud][self.lit.point][None])[0, :2]
            others = self._places[1 - self.lit.cloud][self.lit.others] if len(self.lit.others) else np.zeros((0, 3))
            ends = self.canvas.project(others)[:, :2] if len(others) else np.zeros((0, 2))
            transport_lit.paint(painter, at, ends, self.lit.mass, theme.colors().view_bottom)


__all__ = ["TransportScene"]
