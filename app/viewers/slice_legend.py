"""The line below a section: what its colours and its lines mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import theme
from app.viewers import colour_maps

ROW, MARGIN, APART, INNER = 20.0, 12.0, 16.0, 6.0


@dataclass(frozen=True)
class Scale:
    """A strip of colours between two words or numbers."""

    cmap: str
    low: str
    high: str

    @property
    def words(self) -> str:
        return f"colours from {self.low} to {self.high}"


@dataclass(frozen=True)
class Line:
    title: str
    colour: str
    width: float
    dots: bool = False
    dashed: bool = False

    @property
    def words(self) -> str:
        return self.title


@dataclass(frozen=True)
class Patch:
    title: str
    colour: str

    @property
    def words(self) -> str:
        return self.title


Entry = Scale | Line | Patch


def _width(entry: Entry, measure: QFontMetricsF, narrow: bool) -> float:
    if isinstance(entry, Scale):
        texts = measure.horizontalAdvance(entry.low) + measure.horizontalAdvance(entry.high)
        return texts + 2 * INNER + (56 if narrow else 120)
    return (22 if isinstance(entry, Line) else 12) + INNER + measure.horizontalAdvance(entry.title)


def arrange(entries: Sequence[Entry], width: float) -> tuple[list[QRectF], float]:
    """Where each entry goes, wrapped into lines, and the height of all."""
    measure, narrow = QFontMetricsF(_font()), width < 420
    found, x, y = [], MARGIN, 3.0
    for entry in entries:
        wide = _width(entry, measure, narrow)
        if x > MARGIN and x + wide > width - MARGIN:
            x, y = MARGIN, y + ROW
        found.append(QRectF(x, y, wide, ROW))
        x += wide + APART
    return found, (y + ROW + 3) if entries else 0.0


def draw(painter: QPainter, entries: Sequence[Entry], width: float) -> None:
    """In device-independent pixels from the painter's origin."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setFont(_font())
    measure = QFontMetricsF(_font())
    text, strong = QColor(theme.colors().muted), QColor(theme.colors().strong)
    boxes, _ = arrange(entries, width)
    for entry, box in zip(entries, boxes, strict=True):
        left, middle = box.left(), box.center().y()
        if isinstance(entry, Scale):
            low, high = measure.horizontalAdvance(entry.low), measure.horizontalAdvance(entry.high)
            strip = QRectF(left + low + INNER, middle - 4, box.width() - low - high - 2 * INNER, 8)
            colours = np.ascontiguousarray(colour_maps.table(entry.cmap)[None])
            painter.drawImage(strip, QImage(colours.data, 256, 1, 768, QImage.Format.Format_RGB888))
            painter.setPen(QPen(strong, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(strip)
            painter.setPen(text)
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, entry.low)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, entry.high)
            continue
        if isinstance(entry, Line):
            # On the middle tone of the picture, as the lines are drawn there: a dark line is not seen on a dark window.
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor("#F1F0EE"))
            painter.drawRoundedRect(QRectF(left, middle - 6, 22, 12), 3, 3)
            painter.setPen(QPen(QColor(entry.colour), entry.width, line_style(entry.dashed)))
            painter.drawLine(QPointF(left + 2, middle), QPointF(left + 20, middle))
            if entry.dots:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor(entry.colour))
                for x in (left + 6, left + 16):
                    painter.drawEllipse(QPointF(x, middle), 2.6, 2.6)
        else:
            painter.setPen(QPen(strong, 1))
            painter.setBrush(QColor(entry.colour))
            painter.drawRoundedRect(QRectF(left, middle - 5, 10, 10), 2, 2)
        painter.setPen(text)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, entry.title)


def line_style(dashed: bool) -> Qt.PenStyle:
    return Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine


def _font():
    return theme.font(0.9, numbers=True)


class SliceLegend(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("slice-legend")
        self.entries: list[Entry] = []
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.signals.changed.connect(self.update)

    def set_entries(self, entries: Sequence[Entry]) -> None:
        if list(entries) != self.entries:
            self.entries = list(entries)
            self.setAccessibleName("Legend: " + ", ".join(entry.words for entry in entries))
            self._fit_height()
            self.update()

    def _fit_height(self) -> None:
        height = round(arrange(self.entries, self.width())[1])
        if height != self.height():
            self.setFixedHeight(height)

    def sizeHint(self) -> QSize:
        return QSize(240, round(arrange(self.entries, self.width())[1]))

    def resizeEvent(self, event) -> None:
        self._fit_height()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().plot))
        draw(painter, self.entries, self.width())
        painter.end()
