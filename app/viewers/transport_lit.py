"""The point under the cursor with its links, on a plane and in space, and the names beside listed points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from app import theme
from app.viewers.overlay import draw_text, number
from app.viewers.transport_content import Cloud, Journey

REACH = 9.0
"""Pixels around a point in which the cursor means it."""
MOST_LIT, TOLD = 200, 8
"""Links that are drawn of a point, and those whose mass is written; the heaviest of more."""
NAME = 140.0
"""Pixels for a name."""


@dataclass(frozen=True, eq=False)
class Lit:
    """A point of a cloud, and the points of the other that its heaviest entries go to or come from."""

    cloud: int
    point: int
    others: np.ndarray
    mass: np.ndarray


def lit(journey: Journey, cloud: int, point: int) -> Lit:
    if cloud > 1 or not journey.moves:
        return Lit(cloud, point, np.zeros(0, np.int64), np.zeros(0))
    entries = journey.entries
    found = entries.of_point(point, second=cloud == 1)[:MOST_LIT]
    return Lit(cloud, point, (entries.rows if cloud == 1 else entries.columns)[found], entries.mass[found])


def nearest(places: Sequence[np.ndarray], at: QPointF) -> tuple[int, int] | None:
    """Which cloud and which of its ``places`` (N, 2) in pixels lies nearest, within reach; None: none does."""
    best, found = REACH, None
    for k, of in enumerate(places):
        if len(of):
            apart = np.hypot(*(of[:, :2] - (at.x(), at.y())).T)
            closest = int(apart.argmin())
            if apart[closest] < best:
                best, found = float(apart[closest]), (k, closest)
    return found


def paint(painter: QPainter, at: np.ndarray, ends: np.ndarray, mass: np.ndarray, halo: str) -> None:
    """The point at (2,) pixels with lines to ``ends`` (K, 2), and the mass of the heaviest."""
    accent = QColor(theme.colors().accent)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for end, heavy in zip(ends, mass, strict=True):
        share = float(heavy / mass[0])
        accent.setAlphaF(0.25 + 0.7 * share)
        painter.setPen(QPen(accent, 1.0 + 2.2 * share**0.5))
        painter.drawLine(QPointF(*at), QPointF(*end))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.colors().text), 1.6))
    painter.drawEllipse(QPointF(*at), 6.5, 6.5)
    painter.setFont(theme.font(0.85, numbers=True))
    written: list[QRectF] = []
    for end, heavy in zip(ends[:TOLD], mass[:TOLD], strict=True):
        box = QRectF(end[0] + 8, end[1] - 9, 90, 18)
        if any(box.intersects(other) for other in written):
            continue  # the heavier one has the room
        written.append(box)
        draw_text(painter, box, Qt.AlignmentFlag.AlignVCenter, number(float(heavy), 3), halo)


def paint_names(painter: QPainter, clouds: Sequence[Cloud], places: Sequence[np.ndarray], scale: float) -> None:
    """Beside the points of two columns at ``places`` in pixels, where there is room for the lines."""
    font = theme.font(0.9)
    font.setPointSizeF(font.pointSizeF() * scale)
    painter.setFont(font)
    painter.setPen(QColor(theme.colors().text))
    measure = QFontMetricsF(font)
    line, wide = measure.height(), NAME * scale
    for k, (cloud, of) in enumerate(zip(clouds, places, strict=True)):
        apart = abs(of[1, 1] - of[0, 1]) if len(of) > 1 else 1e9
        if not cloud.names or apart < 0.8 * line:
            continue
        side = Qt.AlignmentFlag.AlignRight if k == 0 else Qt.AlignmentFlag.AlignLeft
        for (x, y), name in zip(of, cloud.names, strict=True):
            left = x - wide - 12 * scale if k == 0 else x + 12 * scale
            words = measure.elidedText(name, Qt.TextElideMode.ElideRight, wide)
            painter.drawText(QRectF(left, y - line / 2, wide, line), side | Qt.AlignmentFlag.AlignVCenter, words)


__all__ = ["Lit", "lit", "nearest", "paint", "paint_names"]
