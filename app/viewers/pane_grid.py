"""Panes of one kind side by side, dressed, fitted and pictured together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, cast

from PySide6.QtCore import QEvent
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QGridLayout, QWidget

from app.viewers import plotting
from app.viewers.field_stage import columns_for


class Pane(Protocol):
    """What a widget has to offer to stand in a grid of its like."""

    @property
    def is_settled(self) -> bool: ...
    def fit(self) -> None: ...
    def dress(self) -> None: ...
    def begin_picture(self, scale: float) -> None: ...
    def end_picture(self) -> None: ...
    def picture(self, width: int, height: int) -> QImage: ...
    def stop(self, patience: float = ...) -> None: ...


P = TypeVar("P", bound=Pane)


class PaneGrid(QWidget, Generic[P]):
    def __init__(self, parent: QWidget, make: Callable[[QWidget], P]) -> None:
        """``make`` gives a pane, a widget, whose parent is this grid."""
        super().__init__(parent)
        self._make = make
        self.panes: list[P] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(1)
        self._columns = 0
        self._in_picture = False

    def set_count(self, count: int) -> None:
        """So many panes."""
        while len(self.panes) > count:
            pane = self.panes.pop()
            pane.stop(0.0)
            widget = cast(QWidget, pane)
            self._grid.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        while len(self.panes) < count:
            self.panes.append(self._make(self))
            self._columns = 0
        self._arrange()

    def _arrange(self) -> None:
        """In as many columns as leave the panes the largest."""
        columns = columns_for(len(self.panes), self.width(), self.height())
        if columns == self._columns:
            return
        for k in range(max(columns, self._grid.columnCount())):
            self._grid.setColumnStretch(k, int(k < columns))
        self._columns = columns
        for k, pane in enumerate(self.panes):
            widget = cast(QWidget, pane)
            self._grid.addWidget(widget, k // columns, k % columns)
            widget.show()  # at once: a picture may be asked for before the next turn of the event loop
        self._grid.activate()

    def fit(self) -> None:
        for pane in self.panes:
            pane.fit()

    def dress(self) -> None:
        for pane in self.panes:
            pane.dress()

    @property
    def is_settled(self) -> bool:
        return all(pane.is_settled for pane in self.panes)

    def picture(self, width: int, height: int) -> QImage:
        """The panes as they stand on screen, drawn anew at this size."""
        if len(self.panes) == 1:
            return self.panes[0].picture(width, height)
        scale = plotting.scale_of(width)
        self._in_picture = True
        for pane in self.panes:
            pane.begin_picture(scale)
        try:
            return plotting.grab(self, width, height, scale)
        finally:
            self._in_picture = False
            for pane in self.panes:
                pane.end_picture()

    def stop(self) -> None:
        """For good: nothing is drawn on other threads any more."""
        for pane in self.panes:
            pane.stop()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        if not self._in_picture:
            self._arrange()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.dress()
        return super().event(event)


__all__ = ["Pane", "PaneGrid"]
