"""The strip below a view of something that changes: play, a bar to scrub along, and the time in its unit."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from app import theme
from app.viewers.overlay import number
from app.viewers.timeline import Clock, Timeline

FRAMES_A_SECOND = 30
NARROW = 330
"""Below this width the time is told, but not its number."""
SHORTEST = 3.0
"""Seconds that playing takes at least; few times are shown the longer."""


class TimeStrip(QWidget):
    moved = Signal(float)
    """Another of the times is shown, by whatever cause."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("time-strip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="panel")
        self.times = np.zeros(1)
        self._name, self._unit = "t", ""
        self._is_given = False
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 3, 12, 3)
        row.setSpacing(6)
        self.play = QToolButton(self)
        self.play.setObjectName("play-button")
        self.play.setAccessibleName("Play or stop")
        self.play.setToolTip("Play or stop (Space)")
        self.play.setIconSize(QSize(18, 18))
        self.play.setAutoRaise(True)
        self.play.setIcon(theme.icon("run"))
        self.play.clicked.connect(self.toggle)
        self.timeline = Timeline(self)
        self.timeline.valueChanged.connect(self._moved)
        self.label = QLabel(self)
        self.label.setObjectName("time-text")
        self.label.setAccessibleName("Time on show")
        self.label.setFont(theme.tabular(self.label.font()))
        theme.mark(self.label, tone="muted")
        row.addWidget(self.play)
        row.addWidget(self.timeline, 1)
        row.addWidget(self.label)
        self.clock = Clock(self, lambda: self.seconds)
        self.clock.ticked.connect(self._ticked)
        self.clock.playing_changed.connect(lambda on: self.play.setIcon(theme.icon("pause" if on else "run")))

    # ---- which times ---
    def set_times(self, times: np.ndarray | None, name: str = "t", unit: str = "") -> None:
        """Rising times; None: there is nothing to have any.

        The nearest to the one on show stays on show. Where later ones were added behind the last, which was on show,
        the new last one is: a solver that goes on in time is followed.
        """
        at, before = self.time, self.times if self._is_given else np.zeros(0)
        self._is_given = times is not None
        times = np.zeros(1) if times is None else np.asarray(times, float)
        grown = 0 < len(before) < len(times) and np.array_equal(times[: len(before)], before)
        if grown and self.index == len(before) - 1 and not self.playing:
            at = float(times[-1])
        self.times, self._name, self._unit = times, name, unit
        self.timeline.blockSignals(True)
        self.timeline.setRange(0, len(times) - 1)
        self.timeline.setPageStep(max(1, len(times) // 10))
        self.timeline.setValue(int(np.abs(self.times - at).argmin()))
        self.timeline.blockSignals(False)
        if not self.has_times:
            self.clock.stop()
        self._say()

    @property
    def has_times(self) -> bool:
        return len(self.times) > 1

    @property
    def index(self) -> int:
        return min(self.timeline.value(), len(self.times) - 1)

    @property
    def time(self) -> float:
        return float(self.times[self.index])

    def set_index(self, index: int) -> None:
        self.timeline.setValue(index)

    def set_time(self, time: float) -> None:
        """Show the time that is nearest to this one."""
        self.timeline.setValue(int(np.abs(self.times - time).argmin()))

    def step(self, by: int) -> None:
        self.clock.stop()
        self.timeline.setValue((self.index + by) % len(self.times))

    def _moved(self, _: int) -> None:
        self._say()
        self.moved.emit(self.time)

    def _say(self) -> None:
        last = number(float(np.abs(self.times).max()), 4)
        step = float(np.diff(self.times).min()) if self.has_times else 1.0
        places = int(np.clip(np.ceil(-np.log10(step) + 0.2), 0, 6)) if step > 0 else 4
        text = f"{self.time:.{places}f}".replace("-", "−") if "×" not in last else number(self.time, 4)
        brief = f"{self._name} = {text} {self._unit}".rstrip()
        self.label.setText(brief if self.width() < NARROW else f"{brief}   {self.index + 1} of {len(self.times)}")

    def minimumSizeHint(self) -> QSize:
        return QSize(140, super().minimumSizeHint().height())

    def resizeEvent(self, event) -> None:
        if (event.size().width() < NARROW) != (event.oldSize().width() < NARROW):
            self._say()

    # ---- playing ---
    @property
    def seconds(self) -> float:
        """How long it takes to play."""
        return max(SHORTEST, len(self.times) / FRAMES_A_SECOND) if self.has_times else 0.0

    @property
    def playing(self) -> bool:
        return self.clock.playing

    def toggle(self) -> None:
        """Play from the time on show, or stop."""
        if self.clock.playing:
            self.clock.stop()
        elif self.has_times:
            first, last = self.times[0], self.times[-1]
            at = 0.0 if self.index == len(self.times) - 1 else (self.time - first) / (last - first) * self.seconds
            self.clock.start(at)

    def _ticked(self, at: float) -> None:
        """Unevenly spaced times are played at their own pace."""
        time = self.times[0] + at / self.seconds * (self.times[-1] - self.times[0])
        self.timeline.setValue(max(0, int(np.searchsorted(self.times, time, "right")) - 1))

    def hideEvent(self, event) -> None:
        self.clock.stop()
        super().hideEvent(event)
