"""A view above tabs that say more about what it shows: as comparisons are laid out."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QSplitter, QTabWidget, QWidget

from app import theme
from app.viewers import saved_state

UPPER = 0.62
"""Of a picture's height for the view above the tabs."""


class TabbedSplit(QSplitter):
    """The first widget made with this as its parent stands above; :meth:`add_tabs` then adds the tabs."""

    tabs: QTabWidget

    def __init__(self, parent: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)

    def add_tabs(self, name: str) -> QTabWidget:
        """``name``: of the object, for style sheets and tests."""
        self.tabs = QTabWidget(self)
        self.tabs.setObjectName(name)
        self.tabs.setDocumentMode(True)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        return self.tabs

    def picture(self, width: int, height: int) -> QImage:
        """The view above what is in front below it."""
        image = QImage(width, height, QImage.Format.Format_RGB888)
        image.fill(theme.colors().panel)
        upper = round(height * UPPER)
        above: Any = self.widget(0)
        below: Any = self.tabs.currentWidget()
        painter = QPainter(image)
        try:
            painter.drawImage(0, 0, above.picture(width, upper))
            painter.drawImage(0, upper, below.picture(width, height - upper))
        finally:
            painter.end()
        return image

    def state(self) -> dict[str, Any]:
        return {"tab": self.tabs.currentIndex(), "sizes": self.sizes()}

    def restore(self, state: dict[str, Any]) -> None:
        """Values that cannot be are passed over."""
        tab, sizes = state.get("tab"), saved_state.sizes_in(state.get("sizes"), 1)
        if isinstance(tab, int) and 0 <= tab < self.tabs.count() and self.tabs.isTabVisible(tab):
            self.tabs.setCurrentIndex(tab)
        if sizes is not None:
            self.setSizes(sizes)


__all__ = ["TabbedSplit"]
