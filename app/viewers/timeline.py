"""Time at hand: a bar to scrub along, with marks, and a clock that plays."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QSlider, QWidget

from app import theme

REACH = 7
"""Pixels around a mark in which a click means it."""
SIDE = 10
TICK_MS = 33


class Timeline(QSlider):
    """A slider over moments, with marks to click on."""

    mark_chosen = Signal(int)
    """A mark was clicked."""

    def __init__(self, parent: QWidget | None = None, title: str = "Time") -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("timeline")
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self._marks: tuple[int, ...] = ()
        self._chosen = -1
        self._hovered = -1

    def sizeHint(self) -> QSize:
        return QSize(240, 28)

    def minimumSizeHint(self) -> QSize:
        return QSize(80, 28)

    def set_marks(self, marks: Sequence[int], chosen: int = -1) -> None:
        """Values at which there is a mark, and which of them is chosen (-1: none)."""
        self._marks, self._chosen = tuple(marks), chosen
        self.update()

    # ---- where things are ---
    def _x(self, value: float) -> float:
        span = max(1, self.maximum() - self.minimum())
        return SIDE + (value - self.minimum()) / span * (self.width() - 2 * SIDE)

    def place_of_mark(self, index: int) -> QPointF:
        """Where a mark is, in this widget's pixels."""
        return QPointF(self._x(self._marks[index]), self.height() / 2)

    def _mark_at(self, x: float) -> int:
        if len(self._marks) > self.width() / 14:
            return -1  # too close to each other to mean one of them
        near = [(abs(self._x(m) - x), i) for i, m in enumerate(self._marks)]
        distance, index = min(near, default=(REACH + 1.0, -1))
        return index if distance <= REACH else -1

    def _value_at(self, x: float) -> int:
        share = (x - SIDE) / max(1, self.width() - 2 * SIDE)
        return self.minimum() + round(min(max(share, 0.0), 1.0) * (self.maximum() - self.minimum()))

    # ---- mouse ---
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        mark = self._mark_at(event.position().x())
        if mark >= 0:
            self.mark_chosen.emit(mark)
        else:
            self.setSliderDown(True)
            self.setValue(self._value_at(event.position().x()))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setValue(self._value_at(event.position().x()))
        hovered = self._mark_at(event.position().x())
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def leaveEvent(self, event) -> None:
        self._hovered = -1
        self.update()

    # ---- look ---
    def paintEvent(self, event) -> None:
        c = theme.colors()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, at = self.height() / 2, self._x(self.value())
        on = self.isEnabled()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(c.border if not c.dark else c.strong))
        painter.drawRoundedRect(QRectF(SIDE, middle - 2, self.width() - 2 * SIDE, 4), 2, 2)
        if on:
            painter.setBrush(QColor(c.accent))
            painter.drawRoundedRect(QRectF(SIDE, middle - 2, max(0.0, at - SIDE), 4), 2, 2)
        crowded = len(self._marks) > self.width() / 14
        for index, mark in enumerate(self._marks):
            if crowded and index not in (self._chosen, self._hovered):
                if len(self._marks) < self.width() / 4:
                    painter.setPen(QPen(QColor(c.muted), 1))
                    painter.drawLine(QPointF(self._x(mark), middle - 3.5), QPointF(self._x(mark), middle + 3.5))
                continue
            size = 5.5 if index in (self._chosen, self._hovered) else 4.5
            x = self._x(mark)
            corners = ((x, middle - size), (x + size, middle), (x, middle + size), (x - size, middle))
            diamond = QPolygonF([QPointF(*corner) for corner in corners])
            painter.setPen(QPen(QColor(c.accent if index == self._chosen else c.muted), 1.4))
            painter.setBrush(QColor(c.accent if index == self._chosen else c.panel))
            painter.drawPolygon(diamond)
        if on:
            painter.setPen(QPen(QColor(c.panel), 1.5))
            painter.setBrush(QColor(c.accent))
            painter.drawRoundedRect(QRectF(at - 2.5, middle - 10, 5, 20), 2.5, 2.5)
        if self.hasFocus():
            painter.setPen(QPen(QColor(c.accent), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.end()


class Clock(QObject):
    """Plays from a moment on, around and around; ``ticked`` gives the time in s."""

    ticked = Signal(float)
    playing_changed = Signal(bool)

    def __init__(self, parent: QObject, length: Callable[[], float]) -> None:
        super().__init__(parent)
        self._length = length
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._origin = 0.0

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    def start(self, at: float) -> None:
        if self._length() <= 0:
            return
        self._origin = time.perf_counter() - at
        self._timer.start()
        self.playing_changed.emit(True)

    def stop(self) -> None:
        if self._timer.isActive():
            self._timer.stop()
            self.playing_changed.emit(False)

    def _tick(self) -> None:
        length = self._length()
        if length <= 0:
            self.stop()
            return
        self.ticked.emit((time.perf_counter() - self._origin) % length)


def seconds_text(at: float, length: float) -> str:
    """``"2.4 / 10.0 s"``."""
    return f"{at:.1f} / {length:.1f} s"
