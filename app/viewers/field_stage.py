"""The maps of a field view side by side, and the curves below them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QGridLayout, QSplitter, QWidget

from app import theme
from app.viewers.field_pane import FieldPane
from app.viewers.field_plots import FieldPlots

SHARE = 0.66
"""Of the height for the maps, while there are curves."""


AROUND = (104, 84)
"""Pixels beside and above a map that its scale, its axes and its heading take."""


def columns_for(count: int, width: int, height: int) -> int:
    """How many maps stand in a row, so that square ones are the largest."""
    sides = {}
    for columns in range(1, max(count, 1) + 1):
        rows = -(-count // columns)
        sides[columns] = min(width / columns - AROUND[0], height / max(rows, 1) - AROUND[1])
    return max(sides, key=lambda c: (sides[c], -c))


class FieldStage(QSplitter):
    def __init__(self, parent: QWidget, connect: Callable[[FieldPane], None]) -> None:
        """``connect`` is called with each pane that is made."""
        super().__init__(Qt.Orientation.Vertical, parent)
        self._connect = connect
        self.panes: list[FieldPane] = []
        self.setChildrenCollapsible(False)
        self.setHandleWidth(5)
        self._maps = QWidget(self)
        self._maps.setAutoFillBackground(True)
        self._grid = QGridLayout(self._maps)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(1)
        self._columns = 0
        self._maps.installEventFilter(self)
        self.plots = FieldPlots(self)
        self.addWidget(self._maps)
        self.addWidget(self.plots)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 1)

    def set_count(self, count: int) -> None:
        """So many maps."""
        self._maps.setVisible(count > 0)
        if count == len(self.panes):
            return
        while len(self.panes) > count:
            pane = self.panes.pop()
            self._grid.removeWidget(pane)
            pane.hide()
            pane.deleteLater()
        while len(self.panes) < count:
            pane = FieldPane(self._maps, f"Map {len(self.panes) + 1}")
            self._connect(pane)
            self.panes.append(pane)
            pane.map.set_pens(self.devicePixelRatioF())
        self._columns = 0
        self._arrange()

    def _arrange(self) -> None:
        """In as many columns as leave the maps the largest."""
        columns = columns_for(len(self.panes), self._maps.width(), self._maps.height())
        if columns != self._columns:
            self._columns = columns
            for k, pane in enumerate(self.panes):
                self._grid.addWidget(pane, k // columns, k % columns)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._maps and event.type() == QEvent.Type.Resize:
            self._arrange()
        return super().eventFilter(watched, event)

    def share_room(self) -> None:
        """Curves that come into view take a third of it; later it is as the user wants it."""
        if self.plots.isVisibleTo(self) and self._maps.isVisibleTo(self):
            upper = round(SHARE * self.height())
            self.setSizes([upper, self.height() - upper])

    def set_pens(self, scale: float) -> None:
        for pane in self.panes:
            pane.map.set_pens(scale)
        self.plots.set_pens(scale)

    def dress(self) -> None:
        palette = self._maps.palette()
        palette.setColor(palette.ColorRole.Window, QColor(theme.colors().plot))
        self._maps.setPalette(palette)
        for pane in self.panes:
            pane.map.dress()
        self.plots.dress()
