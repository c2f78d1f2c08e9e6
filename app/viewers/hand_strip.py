"""The strip below a hand in which poses follow each other: key poses on a bar of time, played, kept as a sequence."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox

from app.viewers.hand_links import wishes
from app.viewers.hand_timeline import KeyTimeline
from app.viewers.key_strip import KeyStrip, length_box
from app.viewers.value_change import Change
from engines.blocks.avatars.key_poses import LEG, KeyPoses
from engines.core import UserError
from engines.data import PoseSequence

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
NUDGE = 0.1
"""Seconds by which a key pose is moved by the keyboard."""


class HandStrip(KeyStrip):
    KEY, KEYS, DIGITS = "key", "key poses", 3
    view: HandView
    timeline: KeyTimeline

    def __init__(self, view: HandView) -> None:
        super().__init__(view, "hand-strip", "Motion of the hand")
        self.posing = view.posing
        self.keys = KeyPoses.empty(0)
        self.rate = 25.0
        """Poses a second, of what is kept."""
        self._gesture = 1_000_000
        self._last_tick = 0.0
        self._loaded: PoseSequence | None = None
        hint = "Pose the hand, then press K. Do so again for each pose of its motion."
        self._make_row(KeyTimeline(self), "strip-hint", hint)
        self._make_bar("strip-bar", "Tools of the motion")
        self.timeline.mark_dragged.connect(lambda index, value: self._drag(index, value / 1000))
        self.timeline.drag_ended.connect(self._end_drag)
        self.clock.ticked.connect(self._ticked)
        self.posing.handled.connect(self.clock.stop)
        self.posing.hand_changed.connect(self._other_hand)
        self.hide()
        self._other_hand()

    def _fill_bar(self) -> None:
        act = self.bar.action
        self.play_action = act("play", "Play or stop", "play", self.toggle, "Space", keep=95)
        self.add_action = act(
            "key-add", "Add this pose", "add", self.add_key, "K", keep=98,
            help="As a key pose: where the time stands, or after the one that is marked.",
        )  # fmt: skip
        self.remove_action = act("key-remove", "Remove the key pose", "remove", self.remove_chosen, "Del", keep=90)
        self.renew_action = act(
            "key-renew", "Put this pose in the place of the key pose", "again", self.renew, "U", keep=60
        )
        self.bar.gap()
        self.steps = [
            act("key-previous", "Previous key pose", "caret-left", partial(self.step, -1), "Ctrl+Left", keep=80),
            act("key-next", "Next key pose", "caret-right", partial(self.step, 1), "Ctrl+Right", keep=80),
        ]
        self.moves = [
            act("key-earlier", "Key pose earlier", "arrow-left", partial(self.nudge, -NUDGE), "Alt+Left", keep=40),
            act("key-later", "Key pose later", "arrow-right", partial(self.nudge, NUDGE), "Alt+Right", keep=40),
        ]
        self.bar.gap()
        self.loop_action = act(
            "loop", "Play again and again", "repeat", lambda on: None, checkable=True, checked=True, keep=55
        )
        row = self.bar.group("strip-pace", "Length and pace", "time", keep=45)
        row.setSpacing(10)
        self.seconds = length_box("strip-seconds", "Length of the motion", 80)
        self.smooth = QCheckBox("Smooth")
        self.smooth.setAccessibleName("Smooth motion")
        self.smooth.setToolTip("Without a jolt at the key poses; off: straight on from each to the next")
        self.closed = QCheckBox("Closed")
        self.closed.setAccessibleName("Closed motion")
        self.closed.setToolTip("Back to the first key pose in the end")
        for widget in (self.seconds, self.smooth, self.closed):
            row.addWidget(widget)
        row.addSpacing(6)
        self.seconds.valueChanged.connect(lambda s: self._change("Change length", self.keys.lasting(s)))
        self.smooth.toggled.connect(lambda on: self._change("Smooth motion", replace(self.keys, smooth=on)))
        self.closed.toggled.connect(lambda on: self._change("Close motion", replace(self.keys, closed=on)))
        self.speeds = self.bar.choice("strip-speed", "Speed of playing", "lightning", keep=42)
        for speed in SPEEDS:
            self.speeds.addItem(f"{speed:g} ×", speed)
        self.speeds.setCurrentIndex(SPEEDS.index(1.0))
        self.speeds.setToolTip("Speed of playing, and of what is kept")
        self.speeds.activated.connect(lambda _: self.set_speed(self.speeds.currentData()))
        self.bar.stretch()
        self.sequences = self.bar.choice("strip-sequences", "Poses to load", "import", keep=50)
        self.sequences.setPlaceholderText("Load poses")
        self.sequences.setToolTip("Load poses that were captured or kept. Files of poses can be dropped on the view.")
        self.sequences.activated.connect(lambda _: self._load_chosen())
        self.save_action = act(
            "strip-save", "Keep the motion in the project", "save", self.save, words="Keep poses", shrinks=True,
            keep=88, help="As a pose sequence: to export, to animate an avatar with, to load again.",
        )  # fmt: skip
        shut = partial(self.view.strip_shown, False)
        for action in (self.add_action, self.remove_action, self.renew_action, *self.steps, *self.moves):
            self.view.addAction(action)  # its keys work while this strip is not open
        act("strip-close", "Close the motion", "close", shut, keep=70)

    # ---- what it is ---------------------------------------------------------------------------------------
    def _other_hand(self) -> None:
        self.clock.stop()
        self.keys, self.chosen, self.at = KeyPoses.empty(len(self.posing.joint_names)), -1, 0.0
        self._loaded = None
        self._refresh()

    def set_open(self, on: bool) -> None:
        if not on:
            self.clock.stop()
        self.setVisible(on)

    def offer(self, sequences: list[tuple[str, PoseSequence]]) -> None:
        """Which poses there are to be loaded."""
        self.sequences.clear()
        for name, sequence in sequences:
            self.sequences.addItem(name, sequence)
        self.sequences.setCurrentIndex(-1)
        self.bar.set_shown(self.sequences.parentWidget(), bool(sequences))

    def _load_chosen(self) -> None:
        found = self.sequences.currentData()
        self.sequences.setCurrentIndex(-1)
        if found is not None:
            self.load(found)

    def load(self, sequence: PoseSequence, *, once: bool = False) -> bool:
        """Take over poses; ``once``: unless they were already. False, and a word on screen, when they do not fit."""
        if once and sequence is self._loaded:
            return True
        self._loaded = sequence
        try:
            fitting = sequence.for_joints(self.posing.joint_names)
        except UserError as error:
            self.view.say(f"{error.what} {error.mend}")
            return False
        self.rate = sequence.rate
        self.at = 0.0
        self._change("Load poses", KeyPoses.of(fitting), 0)
        self.view.strip_shown(True)
        self.seek(0.0)
        return True

    def _change(self, text: str, keys: KeyPoses, chosen: int | None = None, gesture: int = -1) -> None:
        self.clock.stop()
        old, new = (self.keys, self.chosen), (keys, self.chosen if chosen is None else chosen)
        self.posing.undo_stack.push(Change(text, lambda value: self._put(*value), old, new, gesture))

    def _put(self, keys: KeyPoses, chosen: int) -> None:
        if keys.rotations.shape[1:] != (len(self.posing.joint_names), 3):
            return  # of a hand that was here before
        self.keys, self.chosen = keys, min(chosen, len(keys) - 1)
        if self.chosen >= 0:
            self.at = float(keys.times[self.chosen])
        self.at = min(self.at, max(keys.seconds, float(keys.times[-1]) if len(keys) else 0.0))
        self._refresh()

    def _refresh(self) -> None:
        keys, count = self.keys, len(self.keys)
        self._row.show_keys(keys.times, self.chosen, keys.seconds or LEG, self.at)
        blocked = [QSignalBlocker(w) for w in (self.seconds, self.smooth, self.closed)]
        self.seconds.setValue(keys.seconds)
        self.smooth.setChecked(keys.smooth)
        self.closed.setChecked(keys.closed)
        for blocker in blocked:
            blocker.unblock()
        for widget in (self.seconds, self.smooth, self.closed):
            widget.setEnabled(count > 1)
        for action in (self.play_action, *self.steps):
            action.setEnabled(count > 1)
        for action in (self.remove_action, self.renew_action):
            action.setEnabled(self.chosen >= 0)
        for action in self.moves:
            action.setEnabled(self.chosen >= 0 and count > 1)
        self.add_action.setEnabled(bool(self.posing.joint_names))
        self.save_action.setEnabled(count > 0)
        self._tell_time()

    def _count(self) -> int:
        return len(self.keys)

    def _length(self) -> float:
        return self.keys.seconds

    # ---- key poses ----------------------------------------------------------------------------------------
    def add_key(self) -> None:
        """The pose on screen becomes a key pose: where the time stands, or after the one that is marked."""
        if not self.posing.joint_names:
            return
        self.view.strip_shown(True)
        times = self.keys.times
        if self.chosen < 0:
            at = self.at
        elif self.chosen == len(times) - 1:
            at = float(times[-1]) + (self.keys.return_leg if len(times) > 1 else LEG)
        else:
            at = float(times[self.chosen] + times[self.chosen + 1]) / 2
        made = self.keys.added(self.posing.pose, at)
        self._change("Add key pose", made, int(np.abs(made.times - at).argmin()))

    def remove_chosen(self) -> None:
        if self.chosen >= 0:
            self._change("Remove key pose", self.keys.removed(self.chosen), min(self.chosen, len(self.keys) - 2))

    def renew(self) -> None:
        if self.chosen >= 0:
            self._change("Change key pose", self.keys.renewed(self.chosen, self.posing.pose))

    def nudge(self, seconds: float) -> None:
        """Move the marked key pose in time."""
        if self.chosen >= 0:
            made, index = self.keys.moved(self.chosen, float(self.keys.times[self.chosen]) + seconds)
            self._change("Move key pose", made, index)

    def _drag(self, index: int, at: float) -> None:
        if 0 < index < len(self.keys) or (index == 0 and len(self.keys) > 1):
            made, index = self.keys.moved(index, max(at, 0.0))
            self.timeline.grab_mark(index)
            self._change("Move key pose", made, index, self._gesture)

    def _end_drag(self) -> None:
        self._gesture += 1

    def choose(self, index: int) -> None:
        """Mark a key pose and show it."""
        self.clock.stop()
        if 0 <= index < len(self.keys):
            self.chosen, self.at = index, float(self.keys.times[index])
            self._refresh()
            self.posing.show(self.keys.pose(index))
            self.view.stir()

    # ---- time ---------------------------------------------------------------------------------------------
    def set_speed(self, speed: float) -> None:
        self.clock.stop()
        self.speed = speed if speed in SPEEDS else 1.0
        self.speeds.setCurrentIndex(SPEEDS.index(self.speed))
        self._tell_time()

    def toggle(self) -> None:
        self._last_tick = 0.0
        super().toggle()

    def _ticked(self, at: float) -> None:
        if at < self._last_tick and not self.loop_action.isChecked():
            self.clock.stop()
            self.seek(self.keys.seconds)
            return
        self._last_tick = at
        self.seek(at * self.speed)

    def seek(self, at: float) -> None:
        """Show the pose of this moment."""
        if not len(self.keys):
            return
        self._come_to(at, self.keys.times)
        self.posing.show(self.keys.at(self.at))
        self.view.stir()

    # ---- elsewhere ----------------------------------------------------------------------------------------
    def sequence(self) -> PoseSequence | None:
        """What is played, as it would be kept."""
        return self.keys.sequence(self.posing.joint_names, self.rate, self.speed) if len(self.keys) else None

    def save(self) -> None:
        sequence = self.sequence()
        if sequence is not None:
            unheard = "Add the hand to the project first; then its poses can be kept there."
            self._wish(wishes.save_wanted, sequence, unheard)

    def state(self) -> dict[str, Any]:
        found = {"open": self.isVisibleTo(self.view), "at": self.at, "speed": self.speed, "rate": self.rate}
        kept = len(self.keys) <= 200  # longer ones are sequences of the project
        return {**found, **({"keys": self.keys.to_json()} if len(self.keys) and kept else {})}

    def restore(self, state: Any) -> None:
        """Take over a state that :meth:`state` gave; junk is ignored."""
        state = state if isinstance(state, dict) else {}
        keys = KeyPoses.from_json(state.get("keys"), self.posing.joint_names)
        at, speed, rate = (state.get(key) for key in ("at", "speed", "rate"))
        if isinstance(speed, float) and speed in SPEEDS:
            self.set_speed(speed)
        if isinstance(rate, int | float) and 0 < rate < 10_000:
            self.rate = float(rate)
        if keys is not None:
            self.at = float(at) if isinstance(at, int | float) and 0 <= at < 1e6 else 0.0
            self._put(keys, -1)
        if isinstance(state.get("open"), bool):
            self.view.strip_shown(state["open"])
