"""A bar of time on which key poses are moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from app.viewers.timeline import Timeline

if TYPE_CHECKING:
    from app.viewers.hand_strip import HandStrip


class KeyTimeline(Timeline):
    """A bar of time on which marks can be dragged."""

    mark_dragged = Signal(int, int)
    """A mark, and the value that it was dragged to."""
    drag_ended = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Time of the poses")
        self._grabbed = -1
        self._from = 0.0
        self._dragging = False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        mark = self._mark_at(event.position().x()) if event.button() == Qt.MouseButton.LeftButton else -1
        self._grabbed, self._from, self._dragging = mark, event.position().x(), False
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        x = event.position().x()
        if self._grabbed >= 0 and event.buttons() & Qt.MouseButton.LeftButton:
            self._dragging = self._dragging or abs(x - self._from) > 4
            if self._dragging:
                self.mark_dragged.emit(self._grabbed, self._value_at(x))
            return
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if self._dragging:
            self.drag_ended.emit()
        self._grabbed, self._dragging = -1, False

    def grab_mark(self, index: int) -> None:
        """What is dragged has this number now."""
        self._grabbed = index


class MovieTimes:
    """A motion as :func:`app.viewers.capture.save_movie` goes through it."""

    def __init__(self, strip: HandStrip) -> None:
        self._strip = strip
        self.clock = strip.clock

    @property
    def has_times(self) -> bool:
        return len(self._strip.keys) > 1

    @property
    def times(self) -> np.ndarray:
        """Rising, in s."""
        keys = self._strip.keys
        return np.linspace(0, keys.seconds, max(2, round(keys.seconds * self._strip.rate) + 1))

    @property
    def index(self) -> int:
        return int(np.abs(self.times - self._strip.at).argmin())

    def set_index(self, index: int) -> None:
        self._strip.seek(float(self.times[index]))

    def set_time(self, time: float) -> None:
        self._strip.seek(time)
