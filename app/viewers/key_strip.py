"""A strip below a view in which keys follow each other in time: a bar to scrub along with a mark for each, and playing.

What a key is, and what else can be done with it, is said by those that derive from this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt, SignalInstance
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers.timeline import Clock, Timeline, seconds_text
from app.viewers.toolbar import ViewBar, on_key

AT_END = 0.05
"""Seconds before the end from which playing starts anew."""


class TimeRow(QWidget):
    """A hint as long as there is no key, then a bar of time and what the time is."""

    def __init__(self, parent: QWidget, timeline: Timeline, hint: QLabel, widest: str) -> None:
        """``widest``: of the words that the time is told in, so that the bar stays as long as it is."""
        super().__init__(parent)
        self.timeline = timeline
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        theme.mark(self, kind="bar")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 3, 12, 3)
        self._pages = QStackedLayout()
        hint.setMinimumWidth(60)
        theme.mark(hint, tone="muted")
        self._pages.addWidget(hint)
        self._pages.addWidget(timeline)
        self.time = QLabel(parent)
        self.time.setAccessibleName("Time")
        self.time.setFont(theme.tabular(self.time.font()))
        theme.mark(self.time, tone="muted")
        self.time.setMinimumWidth(self.time.fontMetrics().horizontalAdvance(widest))
        self.time.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addLayout(self._pages, 1)
        row.addWidget(self.time)

    def show_keys(self, moments: Sequence[float] | np.ndarray, chosen: int, length: float, at: float) -> None:
        """All in seconds; nothing is told of it."""
        self._pages.setCurrentIndex(int(len(moments) > 0))
        blocker = QSignalBlocker(self.timeline)
        self.timeline.setRange(0, max(1, round(1000 * length)))
        self.timeline.setSingleStep(100)
        self.timeline.setPageStep(1000)
        self.timeline.setValue(round(1000 * at))
        self.timeline.set_marks([round(1000 * t) for t in moments], chosen)
        blocker.unblock()

    def show_time(self, at: float) -> None:
        blocker = QSignalBlocker(self.timeline)
        self.timeline.setValue(round(1000 * at))
        blocker.unblock()

    def tell(self, text: str) -> None:
        self.time.setText(text)
        self.timeline.setAccessibleDescription(text)


class KeyStrip(QWidget):
    KEY: str
    """What a key is called."""
    KEYS: str
    DIGITS: int
    """Of the largest number of keys that the words for the time leave room for."""
    play_action: QAction

    def __init__(self, view: Any, name: str, title: str) -> None:
        """``view`` has a ``canvas`` and can ``say`` something; ``title`` is what assistive technology calls it."""
        super().__init__(view)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.view = view
        self.chosen = -1
        """The key that is marked; -1 for none."""
        self.at = 0.0
        """Seconds from the start."""
        self.speed = 1.0
        self.is_heard = False
        """Whether a window has taken up the last wish."""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.clock = Clock(self, self._playing_seconds)
        self.clock.playing_changed.connect(self._playing_changed)
        on_key(view.canvas, "Space", self.toggle)

    # ---- how it is put together: what is made first has the focus first -----------------------------------
    def _make_row(self, timeline: Timeline, name: str, hint: str) -> None:
        self.hint = QLabel(hint)
        self.hint.setObjectName(name)
        widest = f"{self.KEY} {'0' * self.DIGITS} of {'0' * self.DIGITS}   {seconds_text(100, 100)}"
        self._row = TimeRow(self, timeline, self.hint, widest)
        self.timeline, self.time = timeline, self._row.time
        self._column.insertWidget(0, self._row)
        timeline.valueChanged.connect(lambda value: self._scrubbed(value / 1000))
        timeline.mark_chosen.connect(self.choose)

    def _make_bar(self, name: str, title: str) -> None:
        self.bar = ViewBar(self)
        self.bar.setObjectName(name)
        self.bar.setAccessibleName(title)
        self._fill_bar()
        self._column.addWidget(self.bar)

    def _fill_bar(self) -> None:
        raise NotImplementedError

    # ---- what the keys are --------------------------------------------------------------------------------
    def _count(self) -> int:
        raise NotImplementedError

    def _length(self) -> float:
        """Seconds from the first to the end."""
        raise NotImplementedError

    def _playing_seconds(self) -> float:
        return self._length() / self.speed

    def _refresh(self) -> None:
        raise NotImplementedError

    def choose(self, index: int) -> None:
        """Mark a key and show it."""
        raise NotImplementedError

    def seek(self, at: float) -> None:
        """Show this moment."""
        raise NotImplementedError

    # ---- what all do --------------------------------------------------------------------------------------
    def _tell_time(self) -> None:
        count = self._count()
        which = f"{self.KEY} {self.chosen + 1} of {count}   " if self.chosen >= 0 else f"{count} {self.KEYS}   "
        at = seconds_text(self.at / self.speed, self._length() / self.speed)
        self._row.tell(which + at if count > 1 else which if count else "")

    def step(self, by: int) -> None:
        count = self._count()
        if count:
            self.choose((self.chosen + by) % count if self.chosen >= 0 else 0)

    def toggle(self) -> None:
        """Play or stop."""
        if self.clock.playing:
            self.clock.stop()
        elif self.isVisible() and self._count() > 1:
            self.clock.start(self.at / self.speed if self.at < self._length() - AT_END else 0.0)

    def _come_to(self, at: float, moments: np.ndarray | None) -> None:
        """The time moves on; the key of these moments that it meets is marked. None: one key at all times."""
        self.at = min(max(at, 0.0), self._length())
        near = np.abs(moments - self.at) if moments is not None else np.zeros(1)
        chosen = int(near.argmin()) if near.min() < 1e-3 else -1
        self._row.show_time(self.at)
        if chosen != self.chosen:
            self.chosen = chosen
            self._refresh()
        self._tell_time()

    def _scrubbed(self, at: float) -> None:
        self.clock.stop()
        self.seek(at)

    def _playing_changed(self, on: bool) -> None:
        self.play_action.setIcon(theme.icon("pause" if on else "play"))

    def _wish(self, signal: SignalInstance, made: Any, unheard: str) -> None:
        """Ask the window for something; ``unheard`` is said where there is none."""
        self.is_heard = False
        signal.emit(self.view, made)
        if not self.is_heard:
            self.view.say(unheard)

    def hideEvent(self, event) -> None:
        self.clock.stop()
        super().hideEvent(event)


def length_box(name: str, title: str, width: int) -> QDoubleSpinBox:
    """A field for the seconds that something lasts."""
    box = QDoubleSpinBox()
    box.setRange(0.1, 3600)
    box.setDecimals(1)
    box.setSingleStep(0.5)
    box.setSuffix(" s")
    box.setFixedWidth(width)
    box.setKeyboardTracking(False)
    box.setObjectName(name)
    box.setAccessibleName(title)
    box.setToolTip(title)
    return box
