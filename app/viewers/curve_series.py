"""One series of a plot: its points, smoothed, and thinned out to what a screen can show."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average without the bias towards the start; NaN stays where it was.

    m_i = w m_(i-1) + (1 - w) y_i, divided by 1 - w^(i+1).
    """
    if weight <= 0:
        return values
    from scipy.signal import lfilter

    result = np.full(len(values), np.nan)
    good = np.isfinite(values)
    filtered = lfilter([1 - weight], [1, -weight], values[good])
    result[good] = filtered / -np.expm1(np.log(weight) * np.arange(1, len(filtered) + 1))
    return result


def decimated(x: np.ndarray, y: np.ndarray, low: float, high: float, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """What of a long series can be seen between two x: lowest and highest value in each of ``columns`` columns.

    A million points with a pen wider than a pixel take Qt seconds; two points a column look the same.
    """
    first = max(int(np.searchsorted(x, low)) - 1, 0)
    last = min(int(np.searchsorted(x, high, "right")) + 1, len(x))
    x, y = x[first:last], y[first:last]
    if len(x) <= 4 * columns:
        return x, y
    starts = np.arange(0, len(x), -(-len(x) // columns))
    ends = np.stack([np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)], 1)
    return np.repeat(x[starts], 2), ends.ravel()


class Series:
    """One line of a plot, and behind it, paler, what was measured."""

    def __init__(self) -> None:
        self.x = self.steps = self.y = np.zeros(0)
        self.dirty = True
        self.on = True
        self.smooth = self.y
        self.raw = pg.PlotDataItem(connect="finite", antialias=True)
        self.line = pg.PlotDataItem(connect="finite", antialias=True)
        self.raw.setZValue(-1)
        self._plot: pg.PlotItem | None = None

    def move_to(self, plot: pg.PlotItem | None) -> None:
        """Take both lines out of their plot and into another, or None."""
        if plot is self._plot:
            return
        for item in (self.raw, self.line):
            if self._plot is not None:
                self._plot.removeItem(item)
            if plot is not None:
                plot.addItem(item)
        self._plot = plot

    def leave(self, plot: pg.PlotItem) -> None:
        if plot is self._plot:
            self.move_to(None)

    def span(self, axis: int, smooth: bool, log: bool) -> list[float]:
        """Lowest and highest x (``axis`` 0) or y; none where there is nothing to show."""
        values = self.x if axis == 0 else self.smooth if smooth else self.y
        values = values[np.isfinite(values) & (values > 0)] if log else values[np.isfinite(values)]
        return [float(values.min()), float(values.max())] if self.on and len(values) else []

    def at(self, x: float) -> float | None:
        """The value at the nearest point."""
        if not len(self.x):
            return None
        right = int(np.clip(np.searchsorted(self.x, x), 1, max(len(self.x) - 1, 1)))
        nearest = min((right - 1, min(right, len(self.x) - 1)), key=lambda i: abs(self.x[i] - x))
        return float(self.y[nearest])


def line_icon(pen: QPen) -> QIcon:
    made = QPixmap(40, 24)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    thick = QPen(pen)
    thick.setWidthF(4)
    painter.setPen(thick)
    painter.drawLine(2, 12, 38, 12)
    painter.end()
    made.setDevicePixelRatio(2)
    return QIcon(made)
