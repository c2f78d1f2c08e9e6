"""How mass moves: clouds and the links of a coupling, maps and their arrows, and a slider from end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QComboBox, QStackedLayout, QVBoxLayout, QWidget

from app import theme
from app.viewers import (
    plotting,
    saved_state,
    transport_axes,
    transport_bar,
    transport_content,
    transport_ink,
    transport_words,
)
from app.viewers.capture import ask_for_picture
from app.viewers.choices import refill
from app.viewers.empty_state import EmptyState
from app.viewers.field_time import TimeStrip
from app.viewers.live_evaluator import LiveEvaluator
from app.viewers.pane_grid import PaneGrid
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from app.viewers.transport_axes import AUTOMATIC, Choice, Seen
from app.viewers.transport_content import Journey
from app.viewers.transport_foot import TransportFoot
from app.viewers.transport_pane import TransportPane
from engines.data import Coupling, Displacements, Measure, TransportMap

MOST = 4
"""Transports side by side; of more the first are shown, and one can be chosen."""
STEPS = 61
KINDS = (Measure, Coupling, Displacements, TransportMap)


@dataclass(frozen=True, eq=False)
class _Request:
    items: tuple[Shown, ...]
    choice: Choice
    mapped: dict[str, Displacements]


@dataclass(frozen=True, eq=False)
class _Found:
    journeys: list[Journey]
    seen: list[Seen]
    mapped: dict[str, Displacements]
    problems: tuple[str, ...] = ()


def _prepare(request: _Request, stale: Any) -> _Found:
    """On the evaluator's thread: maps are asked, entries sorted and points projected."""
    mapped, problems = dict(request.mapped), []
    for item in request.items:
        key = item.id
        if isinstance(item.artifact, TransportMap) and key not in mapped:
            try:
                mapped[key] = transport_content.displaced(item.artifact)
            except Exception as error:  # the clouds are shown all the same
                problems.append(f"{item.name} cannot be asked: {error}")
    found = transport_content.journeys(request.items, mapped)
    return _Found(found, [transport_axes.seen(j, request.choice) for j in found], mapped, tuple(problems))


class _Strip(TimeStrip):
    """From 0 to 1: which of the steps it is tells nothing."""

    def _say(self) -> None:
        self.label.setText(f"t = {self.time:.2f}")


class TransportView(QWidget):
    title_changed = Signal(str)
    time_moved = Signal(float)
    """By the user, by playing or by a link; read :attr:`time`."""
    shown = Signal()
    """What was given is on show."""
    names: QComboBox
    most: QComboBox
    axes: list[QComboBox]
    fit_action: QAction
    link_action: QAction
    point_action: QAction
    crossing_action: QAction

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport-view")
        self.setAccessibleName("Transport view")
        self.items: list[Shown] = []
        self.chosen = ""
        """The id of the only transport on show; "": all of them."""
        self.choice: Choice = AUTOMATIC
        self._found = _Found([], [], {})
        self._mapped: dict[str, tuple[TransportMap, Displacements]] = {}
        self._time_wanted: float | None = None
        self._is_new = True
        self._evaluator = LiveEvaluator(_prepare, self, name="transport")
        self._evaluator.answered.connect(self._prepared)
        self._evaluator.failed.connect(self._failed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self.strip = _Strip(self)
        self.strip.timeline.setAccessibleName("From source to target")
        self.strip.moved.connect(self._time_moved)
        transport_bar.fill(self)
        column.addWidget(self.bar)
        body = QWidget(self)
        self._stack = QStackedLayout(body)
        self.empty = EmptyState(
            body,
            "Coupling",
            "Nothing to move",
            "Choose a measure, a coupling, a transport map or displacements in the project.",
        )
        self._stage = PaneGrid(body, self._make_pane)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._stage)
        column.addWidget(body, 1)
        self.foot = TransportFoot(self)
        column.addWidget(self.foot)
        column.addWidget(self.strip)
        self.setFocusProxy(self.strip.timeline)
        theme.signals.changed.connect(self._theme_changed)
        self._show()

    # ---- content ------------------------------------------------------------------------------------------
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        self.items = [item for item in items if isinstance(item.artifact, KINDS)]
        self._ask()

    def _ask(self) -> None:
        if not self.items:
            self._evaluator.forget()
            self._found = _Found([], [], {})
            self._show()
            return
        self._stack.setCurrentWidget(self._stage)
        if not self.panes:
            self.foot.show()
            self.foot.say("Preparing…")
        # Of these very maps: an answer that came since may be about an earlier preview of one.
        wanted = {item.id: item.artifact for item in self.items}
        mapped = {key: moved for key, (of, moved) in self._mapped.items() if wanted.get(key) is of}
        self._evaluator.ask(_Request(tuple(self.items), self.choice, mapped), give_up=False)

    def _failed(self, _: _Request, error: BaseException) -> None:
        self.foot.say(f"This cannot be shown: {error}")

    def _prepared(self, request: _Request, found: _Found) -> None:
        if not self.items:
            return
        self._found = found
        by_id = {item.id: item.artifact for item in request.items}
        self._mapped = {k: (by_id[k], d) for k, d in found.mapped.items() if k in by_id}
        self._show()
        self.shown.emit()

    @property
    def journeys(self) -> list[Journey]:
        return self._found.journeys

    @property
    def shown_pairs(self) -> list[tuple[Journey, Seen]]:
        """What is on show: those on a plane side by side, in space one at a time."""
        pairs = list(zip(self._found.journeys, self._found.seen, strict=True))
        found = [pair for pair in pairs if pair[0].id == self.chosen] or pairs
        return found[:1] if found and found[0][1].in_space else [p for p in found if not p[1].in_space][:MOST]

    def _show(self) -> None:
        """What there is now, with the tools that go with it."""
        pairs = self.shown_pairs
        is_filled = bool(pairs) or not self._evaluator.is_settled
        self._stack.setCurrentWidget(self._stage if is_filled else self.empty)
        for part in (self.bar, self.foot):
            part.setVisible(is_filled)
        self._offer(pairs)
        moves = any(journey.moves for journey, _ in pairs)
        self.strip.set_times(np.linspace(0, 1, STEPS) if moves else None)
        self.strip.setVisible(moves)
        self._stage.set_count(len(pairs))
        if moves and self._is_new:
            self._is_new = False
            if self._time_wanted is None and any(j.is_pictures or j.dimensions == 1 for j, _ in pairs):
                self._time_wanted = 0.5  # what lies between says more than where it begins once more
        if moves and self._time_wanted is not None:
            self.strip.set_time(self._time_wanted)
            self._time_wanted = None
        self.redraw()

    def _offer(self, pairs: Sequence[tuple[Journey, Seen]]) -> None:
        several = len(self._found.journeys) > 1
        refill(self.names, [("", "All"), *((j.id, j.title) for j in self._found.journeys)], self.chosen)
        self.bar.set_shown(self.names.parentWidget(), several)
        first = pairs[0][0] if pairs else None
        choices = transport_axes.choices(first) if first is not None and not first.is_listed else []
        choice = transport_axes.valid(self.choice, first) if first is not None and choices else AUTOMATIC
        for k, box in enumerate(self.axes):
            refill(box, [*([("", "Flat")] if k == 2 else []), *choices], choice[k])
        self.bar.set_shown(self.axes[0].parentWidget(), bool(choices))
        moves, pictures = any(j.moves for j, _ in pairs), any(j.is_pictures for j, _ in pairs)
        self.point_action.setVisible(pictures)
        self.link_action.setVisible(moves)
        self.bar.set_shown(self.most.parentWidget(), moves)
        self.crossing_action.setVisible(any(j.arrows and not s.in_space for j, s in pairs))

    @property
    def panes(self) -> list[TransportPane]:
        return self._stage.panes

    def _make_pane(self, parent: QWidget) -> TransportPane:
        pane = TransportPane(parent)
        pane.hovered.connect(self.foot.say_of_point)
        return pane

    def redraw(self) -> None:
        pairs = self.shown_pairs
        most = self.most.currentData() if self.link_action.isChecked() else 0
        for pane, (journey, seen) in zip(self.panes, pairs, strict=False):
            flat = journey.dimensions == 1 and not journey.is_listed
            lines = transport_ink.links(seen.places, journey.entries, most, journey.arrows, faint=flat)
            pane.show_journey(
                journey, seen, lines, self.time, as_points=self.point_action.isChecked(),
                crossings=self.crossing_action.isChecked(), heading=len(pairs) > 1,
            )  # fmt: skip
        self.foot.say(" · ".join(self._found.problems) or self._status(pairs, most))

    def _status(self, pairs: Sequence[tuple[Journey, Seen]], most: int) -> str:
        if len(pairs) != 1:
            return ""
        journey, seen = pairs[0]
        pictures = journey.is_pictures and not self.point_action.isChecked()
        crossing = self.panes[0].crossing_text if self.panes else ""
        return transport_words.status(journey, 0 if pictures else most, self.time, [seen.note, crossing])

    # ---- time ---------------------------------------------------------------------------------------------
    @property
    def time(self) -> float:
        return self.strip.time if self.strip.has_times else 0.0

    @property
    def time_strip(self) -> TimeStrip:
        return self.strip

    @property
    def is_settled(self) -> bool:
        """Whether all is on show as it belongs at this time."""
        return self._evaluator.is_settled and self._stage.is_settled

    def set_time(self, time: float) -> None:
        """Show the time, from 0 to 1, that is nearest to this one."""
        if self.strip.has_times:
            self.strip.set_time(time)
        else:
            self._time_wanted = time

    def _time_moved(self, time: float) -> None:
        for pane in self.panes:
            pane.set_time(time)
        if len(self.panes) == 1:
            pairs = self.shown_pairs
            self.foot.say(self._status(pairs, self.most.currentData() if self.link_action.isChecked() else 0))
        self.time_moved.emit(time)

    # ---- edits --------------------------------------------------------------------------------------------
    def choose(self, key: str) -> None:
        self.chosen = key
        self._show()

    def choose_axes(self, choice: Sequence[str]) -> None:
        """What stands on the axes, as :data:`~app.viewers.transport_axes.Choice`."""
        self.choice = (choice[0], choice[1], choice[2])
        self._ask()

    def fit(self) -> None:
        self._stage.fit()

    def _theme_changed(self) -> None:
        self._stage.dress()

    # ---- leaving ------------------------------------------------------------------------------------------
    def save_picture(self) -> None:
        ask_for_picture(self)

    def picture(self, width: int, height: int) -> QImage:
        return self._stage.picture(width, height)

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def _switches(self) -> dict[str, QAction]:
        return {"links": self.link_action, "points": self.point_action, "crossings": self.crossing_action}

    def state(self) -> dict[str, Any]:
        return {
            "transport": self.chosen, "axes": list(self.choice), "time": round(self.time, 4),
            "most": self.most.currentData(), **saved_state.of_switches(self._switches()),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        state = saved_state.plain(state)
        self.chosen = state["transport"] if isinstance(state.get("transport"), str) else self.chosen
        axes = state.get("axes")
        if isinstance(axes, list) and len(axes) == 3 and all(isinstance(a, str) for a in axes):
            self.choice = (axes[0], axes[1], axes[2])
        if state.get("most") in transport_bar.MOST:
            self.most.setCurrentIndex(transport_bar.MOST.index(state["most"]))
        saved_state.restore_switches(self._switches(), state)
        if saved_state.is_number(state.get("time")):
            self._time_wanted = float(state["time"])
        self._ask()

    def closeEvent(self, event: Any) -> None:
        self.strip.clock.stop()
        self._evaluator.stop()
        self._stage.stop()
        super().closeEvent(event)


__all__ = ["TransportView"]
