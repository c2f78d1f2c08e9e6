"""How the lines of curves are told apart: by colour per run and dash per quantity, or by colour per quantity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen

from app import theme
from app.viewers.curve_series import Series

Key = tuple[str, str]
"""Run (or "" where there is one only) and name of the series."""

_DASHES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
    Qt.PenStyle.DashDotDotLine,
)


def pen(key: Key, runs: Sequence[str], names: Sequence[str], width: float, *, together: bool) -> QPen:
    """Colour per run; in one plot, where there is one run, colour per quantity, else dash per quantity."""
    several = len(runs) > 1
    run, name = runs.index(key[0]), names.index(key[1])
    colour = theme.series_color(name if together and not several else run)
    dash = _DASHES[name % len(_DASHES)] if together and several else Qt.PenStyle.SolidLine
    return pg.mkPen(colour, width=width, style=dash)


def dress(series: Series, pen: QPen, scale: float) -> None:
    """Give both lines of a series their pens; ``scale`` is how many pixels a unit of width takes."""
    series.line.setPen(pen)
    series.line.setSymbolBrush(pen.color())
    series.line.setSymbolPen(None)
    pale = QColor(pen.color())
    pale.setAlpha(70)
    series.raw.setPen(pg.mkPen(pale, width=scale))


def span(series: Sequence[Series], axis: int, smooth: bool, log: bool) -> tuple[float, float]:
    """The range that shows all of these along x (``axis`` 0) or y, as logarithms where the axis is logarithmic."""
    ends = [end for one in series for end in one.span(axis, smooth, log)]
    low, high = (min(ends), max(ends)) if ends else (1.0, 10.0) if log else (0.0, 1.0)
    if log:
        low, high = float(np.log10(low)), float(np.log10(high))
    if high > low:
        return low, high
    half = 0.5 if log or low == 0 else abs(low) * 0.5
    return low - half, high + half
