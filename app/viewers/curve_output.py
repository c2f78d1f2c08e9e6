"""What leaves the curves: a table for a spreadsheet, and a picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPen

from app import theme
from app.viewers import plotting
from app.viewers.curve_grid import cells
from app.viewers.curve_panel import HEAD, CurvePanel, draw_heading

LEGEND = 28
MARGIN = 8


def write_csv(path: str | Path, x_label: str, series: Mapping[tuple[str, str], tuple[np.ndarray, np.ndarray]]) -> None:
    """One row per x, one column per series (run, name); empty where a series has no value. Raises OSError."""
    xs = np.unique(np.concatenate([x for x, _ in series.values()] or [np.zeros(0)]))
    columns = []
    for x, y in series.values():
        column = np.full(len(xs), np.nan)
        column[np.searchsorted(xs, x)] = y
        columns.append(column)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([x_label, *(" · ".join(p for p in key if p) for key in series)])
        for i, x in enumerate(xs.tolist()):
            rows.writerow([_plain(x), *("" if np.isnan(c[i]) else _plain(float(c[i])) for c in columns)])


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def picture(panels: Sequence[CurvePanel], legend: Mapping[str, QPen], width: int, height: int) -> QImage:
    """The plots laid out anew at this size, below a line with the legend."""
    scale = plotting.scale_of(width)
    inner_width, inner_height = round(width / scale), round(height / scale)
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(QColor(theme.colors().plot))
    top = LEGEND if legend else MARGIN
    found, _ = cells(len(panels), inner_width - 2 * MARGIN, inner_height - top - MARGIN)
    painter = QPainter(image)
    try:
        for panel, cell in zip(panels, found, strict=True):
            left, upper = cell.rect.left() + MARGIN, cell.rect.top() + top
            head = 0 if panel.heading.isHidden() else HEAD
            had = panel.has_x_numbers
            panel.set_x_numbers(cell.is_last)
            panel.cross.setVisible(False)
            size = (round(cell.rect.width() * scale), round((cell.rect.height() - head) * scale))
            part = plotting.grab(panel.graphics, *size, scale)
            panel.set_x_numbers(had)
            painter.drawImage(QPointF(left * scale, (upper + head) * scale), part)
            if head:
                painter.save()
                painter.scale(scale, scale)
                painter.translate(left, upper)
                box = panel.heading.rect_within(cell.rect.width())
                draw_heading(painter, QRectF(box), panel.heading.name, panel.heading.values)
                painter.restore()
        _draw_legend(painter, legend, scale)
    finally:
        painter.end()
    return image


def _draw_legend(painter: QPainter, legend: Mapping[str, QPen], scale: float) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    painter.setFont(theme.font(0.95, numbers=True))
    left = 16.0
    for title, pen in legend.items():
        thin = QPen(pen)
        thin.setCosmetic(False)
        thin.setWidthF(2.0)
        painter.setPen(thin)
        painter.drawLine(QPointF(left, 15), QPointF(left + 20, 15))
        painter.setPen(QColor(theme.colors().text))
        painter.drawText(QPointF(left + 26, 19), title)
        left += 44 + painter.fontMetrics().horizontalAdvance(title)
