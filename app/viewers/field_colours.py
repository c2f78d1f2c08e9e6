"""Which colours the values of fields get: one map and one range for all that are to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from app import theme
from app.viewers import colour_maps
from app.viewers.overlay import BESIDE, ColourBar, draw_strip, number
from app.viewers.plot_axis import apart, nice
from app.viewers.saved_state import is_number

STRAY = 5.0
"""A few values that stretch the range by more than this are left beyond its ends."""


def span(values: np.ndarray) -> tuple[str, float, float]:
    """A fitting map and range: all values, unless a few in a thousand lie far away from the others."""
    good = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if good.size == 0:
        return "viridis", 0.0, 1.0
    name, (low, high) = colour_maps.choose(good)
    least, most = float(good.min()), float(good.max())
    if most - least <= STRAY * (high - low):
        if name in colour_maps.DIVERGING:
            edge = max(-least, most)
            least, most = -edge, edge
        low, high = min(low, least), max(high, most)
    return name, low, high


@dataclass
class FieldColours:
    """What the user chose; "" and None are automatic."""

    cmap: str = ""
    low: float | None = None
    high: float | None = None
    _auto: dict[Any, tuple[str, float, float]] = field(default_factory=dict)

    def reset(self) -> None:
        self.low = self.high = None

    def of(self, key: Any, values: Any, *, chosen: bool = True) -> tuple[str, float, float]:
        """Map, lowest and highest value; ``values()`` gives those that count, and is asked once for each ``key``.

        Unless ``chosen`` it is the automatic one.
        """
        if key not in self._auto:
            self._auto = dict(list(self._auto.items())[-16:])
            self._auto[key] = span(values())
        name, low, high = self._auto[key]
        if not chosen:
            return name, low, high if high > low else low + 1e-12 + abs(low) * 1e-6
        name = self.cmap or name
        if name in colour_maps.DIVERGING:
            edge = max(abs(low), abs(high))
            low, high = -edge, edge
        low = low if self.low is None else self.low
        high = high if self.high is None else self.high
        return name, low, high if high > low else low + 1e-12 + abs(low) * 1e-6

    def forget(self) -> None:
        """The values are others now."""
        self._auto.clear()

    def restore(self, cmap: Any, ends: Any) -> None:
        """From a saved state; junk is ignored."""
        if isinstance(cmap, str) and cmap in colour_maps.MAPS:
            self.cmap = cmap
        if isinstance(ends, list) and len(ends) == 2:
            self.low, self.high = (float(v) if is_number(v) else None for v in ends)


def pixels(values: np.ndarray, name: str, low: float, high: float) -> np.ndarray:
    """Values (right, up) as picture (up, right, 4) uint8; what is not a number is transparent."""
    values = values.T
    scaled = (values - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)
    bad = None
    if scaled.dtype.kind == "f":
        bad = np.isnan(scaled)
        scaled = np.where(bad, 0, scaled) if bad.any() else scaled
    rgba = _table(name)[np.clip(scaled, 0, 255).astype(np.uint8)]
    if bad is not None and bad.any():
        rgba[bad, 3] = 0
    return rgba


_TABLES: dict[str, np.ndarray] = {}


def _table(name: str) -> np.ndarray:
    """(256, 4) uint8."""
    if name not in _TABLES:
        _TABLES[name] = np.concatenate([colour_maps.table(name), np.full((256, 1), 255, np.uint8)], 1)
    return _TABLES[name]


class ScaleBar(QWidget):
    """An upright bar of colours with round numbers beside it and the quantity above."""

    WIDTH = 74

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("colour-bar")
        self.bar: ColourBar | None = None
        self.marks: Sequence[float] = ()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFixedWidth(self.WIDTH)
        theme.signals.changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(self.WIDTH, 120)

    def show_bar(self, bar: ColourBar, marks: Sequence[float] = ()) -> None:
        """``marks``: values at which there are contour lines."""
        if bar != self.bar or list(marks) != list(self.marks):
            self.bar, self.marks = bar, marks
            self.setAccessibleName(f"{bar.title} from {number(bar.low)} to {number(bar.high)} {bar.unit}".rstrip())
            self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().plot))
        if self.bar is not None:
            self._paint(painter, self.bar)
        painter.end()

    def _paint(self, painter: QPainter, bar: ColourBar) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        found, font = theme.colors(), theme.font(0.85, numbers=True)
        painter.setFont(font)
        measure = QFontMetricsF(font)
        title = f"{bar.title} ({bar.unit})" if bar.unit else bar.title
        if bar.unit and measure.horizontalAdvance(title) > self.width() - 4:
            title = bar.unit  # the name stands above the map too, its unit nowhere else
        painter.setPen(QColor(found.muted))
        elided = measure.elidedText(title, Qt.TextElideMode.ElideRight, self.width() - 4)
        painter.drawText(QRectF(2, 2, self.width() - 4, 16), BESIDE, elided)
        box = QRectF(4, 26, 12, max(10.0, self.height() - 26 - 40))
        draw_strip(painter, box, bar.cmap)
        scale = box.height() / (bar.high - bar.low)
        for value in self.marks:
            if bar.low < value < bar.high:
                y = box.bottom() - (value - bar.low) * scale
                painter.setPen(QColor(255, 255, 255, 150) if bar.cmap not in colour_maps.DIVERGING else QColor("#555"))
                painter.drawLine(int(box.left()) + 1, int(y), int(box.right()) - 1, int(y))
        painter.setPen(QColor(found.text))
        values = nice(bar.low, bar.high, max(2, int(box.height() / 30)))
        for value, text in zip(values, apart(values), strict=True):
            y = box.bottom() - (value - bar.low) * scale
            painter.drawText(QRectF(box.right() + 5, y - 9, self.width(), 18), BESIDE, text)
