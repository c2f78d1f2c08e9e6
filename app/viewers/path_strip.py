"""The strip below a splat view in which a camera path is put together and played.

Key views are marks on a bar of time; every change can be undone. What is drawn in space is in :mod:`path_ink`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QUndoStack
from PySide6.QtWidgets import QCheckBox

from app.viewers.key_strip import KeyStrip, length_box
from app.viewers.path_edit import KeyView, PathEdit
from app.viewers.path_links import wishes
from app.viewers.pinhole import camera_of, pose_of
from app.viewers.timeline import Timeline
from app.viewers.value_change import Change
from engines.blocks.camera_paths import Track
from engines.data import CameraPath

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView

SIZES = {
    "HD 1280 × 720": (1280, 720),
    "Full HD 1920 × 1080": (1920, 1080),
    "4K 3840 × 2160": (3840, 2160),
    "Square 1080 × 1080": (1080, 1080),
    "Upright 720 × 1280": (720, 1280),
    "Small 640 × 360": (640, 360),
}
MOST_PIECES = 240
"""Of the line that stands for the way."""
UNHEARD = "Add the cloud to the project first; then its camera paths can be kept and rendered."


class PathStrip(KeyStrip):
    KEY, KEYS, DIGITS = "key view", "key views", 2
    view: SplatView

    def __init__(self, view: SplatView) -> None:
        super().__init__(view, "path-strip", "Camera path")
        self.edit = PathEdit()
        self.undo_stack = QUndoStack(self)
        self.undo_stack.indexChanged.connect(lambda _: wishes.undo_moved.emit())
        self._track: Track | None = None
        self.line = np.zeros((0, 3))
        """(M, 3) places along the way."""
        self._loaded: CameraPath | None = None
        self._own_move = False
        self._make_bar("path-bar", "Tools of the camera path")
        hint = "Look from where the video should begin, then press K. Do so again for each view on its way."
        self._make_row(Timeline(self, "Time on the camera path"), "path-hint", hint)
        self.clock.ticked.connect(self.seek)
        view.canvas.moved.connect(self._view_moved)
        self.hide()
        self._refresh()

    def _fill_bar(self) -> None:
        act = self.bar.action
        self.play_action = act("path-play", "Play or stop", "play", self.toggle, "Space", keep=95)
        self.add_action = act("path-add", "Add this view", "add", self.add_view, "K", keep=98)
        self.remove_action = act("path-remove", "Remove the key view", "remove", self.remove_chosen, "Del", keep=90)
        self.renew_action = act(
            "path-renew", "Put the view on screen in the place of the key view", "again", self.renew, "U", keep=60
        )
        self.bar.gap()
        self.steps = [
            act("path-previous", "Previous key view", "caret-left", partial(self.step, -1), "PgUp", keep=80),
            act("path-next", "Next key view", "caret-right", partial(self.step, 1), "PgDown", keep=80),
        ]
        self.moves = [
            act("path-earlier", "Key view one earlier", "arrow-left", partial(self.move, -1), "Alt+Left", keep=55),
            act("path-later", "Key view one later", "arrow-right", partial(self.move, 1), "Alt+Right", keep=55),
        ]
        self.bar.gap()
        row = self.bar.group("path-pace", "Length and pace", "time", keep=45)
        self.seconds = length_box("path-seconds", "Length of the path", 88)
        self.closed = QCheckBox("Closed")
        self.closed.setAccessibleName("Closed path")
        self.closed.setToolTip("Back to the first key view in the end")
        self.even = QCheckBox("Even speed")
        self.even.setAccessibleName("Even speed")
        self.even.setToolTip("As fast everywhere; off: the same time from each key view to the next, as it was set")
        row.setSpacing(10)
        for widget in (self.seconds, self.closed, self.even):
            row.addWidget(widget)
        row.addSpacing(6)
        self.seconds.valueChanged.connect(lambda s: self._change("Change length", self.edit.lasting(s)))
        self.closed.toggled.connect(self._close_path)
        self.even.toggled.connect(
            lambda on: self._change("Even speed" if on else "Own speeds", replace(self.edit, even_speed=on))
        )
        self.sizes = self.bar.choice("path-size", "Size of the video", "corners-out", keep=40)
        for title, size in SIZES.items():
            self.sizes.addItem(title, size)
        self.sizes.activated.connect(lambda _: self._resize(self.sizes.currentData()))
        self.bar.stretch()
        self.save_action = act(
            "path-save", "Save as camera path", "save", self.save, words="Save path", shrinks=True, keep=88,
            help="As part of the project: to render, to export, to open again.",
        )  # fmt: skip
        self.render_action = act(
            "path-render", "Render a video along this path", "video", self.render_video, words="Render video…",
            keep=96,
        )  # fmt: skip
        shut = partial(self.view.path_action.setChecked, False)
        act("path-close", "Close the camera path", "close", shut, "T", keep=70)

    # ---- what it is ---------------------------------------------------------------------------------------
    @property
    def path(self) -> CameraPath | None:
        """What has been put together; None as long as there is no key view."""
        return self._track.path if self._track is not None else None

    def load(self, path: CameraPath) -> None:
        """Take over a path of the project, once; what was changed since stays."""
        if path is self._loaded:
            return
        self._loaded = path
        self.undo_stack.clear()
        self._put(PathEdit.of(path), 0)
        self.view.path_action.setChecked(True)

    def set_open(self, on: bool) -> None:
        if not on:
            self.clock.stop()
        self.setVisible(on)
        self.view.canvas.update()
        wishes.undo_moved.emit()

    def _change(self, text: str, edit: PathEdit, chosen: int | None = None) -> None:
        if edit is self.edit:
            return
        old, new = (self.edit, self.chosen), (edit, self.chosen if chosen is None else chosen)
        self.undo_stack.push(Change(text, lambda value: self._put(*value), old, new))

    def _put(self, edit: PathEdit, chosen: int) -> None:
        self.edit = edit
        path = edit.path()
        self._track = Track(path) if path is not None else None
        pieces = min(24, max(1, MOST_PIECES // max(1, len(edit))))
        self.line = self._track.line(pieces) if self._track is not None else np.zeros((0, 3))
        self.chosen = min(chosen, len(edit) - 1)
        if self.chosen >= 0 and self._track is not None and self._track.count > 1:
            self.at = float(self._track.key_times[self.chosen])
        self.at = min(self.at, edit.seconds)
        self._refresh()

    def _refresh(self) -> None:
        edit, count = self.edit, len(self.edit)
        moments = self._track.key_times if self._track is not None and count > 1 else np.zeros(count)
        self._row.show_keys(moments, self.chosen, edit.seconds, self.at)
        widgets = (self.seconds, self.closed, self.even, self.sizes)
        blocked = [QSignalBlocker(widget) for widget in widgets]
        self.seconds.setValue(edit.seconds)
        self.closed.setChecked(edit.closed)
        self.even.setChecked(edit.even_speed)
        size = (edit.width, edit.height)
        index = next((i for i in range(self.sizes.count()) if tuple(self.sizes.itemData(i)) == size), -1)
        if index < 0:
            self.sizes.addItem(f"{size[0]} × {size[1]}", size)
            index = self.sizes.count() - 1
        self.sizes.setCurrentIndex(index)
        for blocker in blocked:
            blocker.unblock()
        for widget in (self.seconds, self.closed, self.even):
            widget.setEnabled(count > 1)
        for action in (self.play_action, *self.steps):
            action.setEnabled(count > 1)
        for action in (self.remove_action, self.renew_action):
            action.setEnabled(self.chosen >= 0)
        self.moves[0].setEnabled(self.chosen > 0)
        self.moves[1].setEnabled(0 <= self.chosen < count - 1)
        self.save_action.setEnabled(count > 0)
        self.render_action.setEnabled(count > 1)
        self._tell_time()
        self.view.canvas.update()

    def _count(self) -> int:
        return len(self.edit)

    def _length(self) -> float:
        return self.edit.seconds

    def _playing_seconds(self) -> float:
        return self.edit.seconds if len(self.edit) > 1 else 0.0

    # ---- key views ----------------------------------------------------------------------------------------
    def present_view(self) -> KeyView:
        """What is on screen."""
        canvas = self.view.canvas
        camera = camera_of(self.view.pose, max(2, canvas.width()), max(2, canvas.height()), self.view.lens)
        return KeyView.of(camera)

    def add_view(self) -> None:
        """The view on screen becomes a key view, after the chosen one or at the end."""
        self.clock.stop()
        if not self.view.items:
            return
        self.view.path_action.setChecked(True)
        after = self.chosen if self.chosen >= 0 else len(self.edit) - 1
        edit = replace(self.edit, unit=self.view.unit) if not self.edit.views else self.edit
        self._change("Add key view", edit.added(self.present_view(), after), after + 1)

    def remove_chosen(self) -> None:
        if self.chosen >= 0:
            self._change("Remove key view", self.edit.removed(self.chosen), min(self.chosen, len(self.edit) - 2))

    def renew(self) -> None:
        if self.chosen >= 0:
            self._change("Change key view", self.edit.renewed(self.chosen, self.present_view()))

    def move(self, by: int) -> None:
        if self.chosen >= 0:
            self._change("Reorder key views", self.edit.moved(self.chosen, by), self.chosen + by)

    def choose(self, index: int) -> None:
        """Mark a key view and go there."""
        self.clock.stop()
        if self._track is None or not 0 <= index < len(self.edit):
            return
        self.chosen = index
        self.at = float(self._track.key_times[index]) if self._track.count > 1 else 0.0
        self._refresh()
        self._own_move = True
        self.view.fly_to(self._track.cameras(np.array([self.at]))[0])
        self._own_move = False

    def _close_path(self, on: bool) -> None:
        self._change("Close path" if on else "Open path", replace(self.edit, closed=on))

    def _resize(self, size: tuple[int, int]) -> None:
        self._change("Change size", replace(self.edit, width=size[0], height=size[1]))

    # ---- time ---------------------------------------------------------------------------------------------
    def seek(self, at: float) -> None:
        """Go where the camera is at this time."""
        if self._track is None:
            return
        self._come_to(at, self._track.key_times if self._track.count > 1 else None)
        camera = self._track.cameras(np.array([self.at]))[0]
        pose, lens = pose_of(camera, self.view.flight.depth_before(camera))
        self.view.framing.chosen = True
        self.view.lens = lens
        self._own_move = True
        self.view.set_pose(pose, moving=True)
        self._own_move = False

    def _playing_changed(self, on: bool) -> None:
        super()._playing_changed(on)
        self.view.canvas.update()

    def _view_moved(self) -> None:
        """By another hand: it takes over."""
        if not self._own_move:
            self.clock.stop()

    # ---- elsewhere ----------------------------------------------------------------------------------------
    def save(self) -> None:
        if self.path is not None:
            self._wish(wishes.save_wanted, self.path, UNHEARD)

    def render_video(self) -> None:
        if len(self.edit) > 1:
            self._wish(wishes.render_wanted, self.path, UNHEARD)

    def state(self) -> dict[str, Any]:
        return {"open": self.view.path_action.isChecked(), "at": self.at, "edit": self.edit.to_json()}

    def restore(self, state: Any) -> None:
        """Take over a state that :meth:`state` gave; junk is ignored."""
        state = state if isinstance(state, dict) else {}
        edit = PathEdit.from_json(state.get("edit"))
        if edit is not None:
            self.undo_stack.clear()
            at = state.get("at")
            self.at = float(at) if isinstance(at, int | float) and 0 <= at < 1e6 else 0.0
            self._put(edit, -1)
        if isinstance(state.get("open"), bool):
            self.view.path_action.setChecked(state["open"])
