"""Small plots in a grid that follows the room there is: one to four columns, scrolling when they get too small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from app import theme
from app.viewers.curve_panel import AXIS_ROOM, CurvePanel

NARROWEST, LOWEST, MOST_COLUMNS = 128, 50, 4
GAP = 4


@dataclass(frozen=True)
class Cell:
    rect: QRect
    is_last: bool  # of its column, which carries the numbers of the x axis


def cells(count: int, width: int, height: int) -> tuple[list[Cell], int]:
    """Where each of ``count`` plots goes, and the height needed; where that is more than ``height``, they scroll."""
    if count <= 0:
        return [], 0
    best: tuple[float, int] = (math.inf, 1)
    for columns in range(1, min(count, MOST_COLUMNS) + 1):
        if columns > 1 and width / columns < NARROWEST:
            break
        rows = -(-count // columns)
        tall = (height - AXIS_ROOM) / rows
        cost = abs(math.log(width / columns / max(tall, LOWEST) / 2.0)) + 0.3 * (rows * columns - count)
        cost += 0.0 if tall >= LOWEST else 0.4 * rows
        best = min(best, (cost, columns))
    columns = best[1]
    rows = -(-count // columns)
    tall = max(LOWEST, (height - AXIS_ROOM - GAP * (rows - 1)) / rows)
    wide = (width - GAP * (columns - 1)) / columns
    found = []
    for k in range(count):
        row, column = divmod(k, columns)
        last = k + columns >= count
        left, top = round(column * (wide + GAP)), round(row * (tall + GAP))
        found.append(Cell(QRect(left, top, round(wide), round(tall) + (AXIS_ROOM if last else 0)), last))
    return found, round(rows * tall + GAP * (rows - 1)) + AXIS_ROOM


class CurveGrid(QScrollArea):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("curve-grid")
        self.setAccessibleName("Plots of the curves")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._sheet = QWidget(self)
        self._sheet.setObjectName("curve-sheet")
        self.setWidget(self._sheet)
        self.panels: list[CurvePanel] = []
        theme.signals.changed.connect(self._paint_background)
        self._paint_background()

    def _paint_background(self) -> None:
        plot = theme.colors().plot
        self.setStyleSheet(f"#curve-grid, #curve-sheet {{ background: {plot}; }}")

    @property
    def sheet(self) -> QWidget:
        return self._sheet

    def set_panels(self, panels: Sequence[CurvePanel]) -> None:
        self.panels = list(panels)
        self._place()
        for panel in self.panels:
            panel.show()

    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self._place()

    def minimumSizeHint(self) -> QSize:
        return QSize(120, LOWEST + AXIS_ROOM)

    def sizeHint(self) -> QSize:
        return QSize(480, 240)

    @property
    def scrolls(self) -> bool:
        return self.verticalScrollBar().maximum() > 0

    def _place(self) -> None:
        full = self.maximumViewportSize()
        left, top, right, bottom = 6, 4, 6, 4
        inner = full.width() - left - right
        found, needed = cells(len(self.panels), inner, full.height() - top - bottom)
        if needed + top + bottom > full.height():  # the scroll bar takes some of the width
            inner -= self.verticalScrollBar().sizeHint().width()
            found, needed = cells(len(self.panels), inner, full.height() - top - bottom)
        self._sheet.resize(inner + left + right, max(needed + top + bottom, full.height()))
        for panel, cell in zip(self.panels, found, strict=True):
            panel.set_x_numbers(cell.is_last)
            panel.setGeometry(cell.rect.translated(left, top))
