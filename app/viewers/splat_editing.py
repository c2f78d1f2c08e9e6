"""The edit mode of a splat view: its button, keys and panel, for the first mesh with Gaussians that is on show."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel

from app import theme
from app.viewers.part_editor import PartEditor
from app.viewers.part_panel import PartPanel
from app.viewers.registry import Shown
from app.viewers.toolbar import on_key
from engines.core import Params
from engines.data import BoundGaussians

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView

HELP = "Choose a part of the mesh and move, turn or scale it; its Gaussians follow."


class Editing(QObject):
    """Made with its view; the panel when it is first wanted. Offered once somebody keeps what is made."""

    def __init__(self, view: SplatView) -> None:
        super().__init__(view)
        self.view = view
        self.editor = PartEditor(view, self)
        self.panel: PartPanel | None = None
        self._elsewhere: Callable[[str], object] | None = None
        self.is_offered = False
        self.action: QAction = view.bar.action(
            "edit-part", "Edit the mesh", "hand-grabbing", self._toggled, "E", checkable=True, help=HELP, keep=70
        )
        self.action.setVisible(False)
        self.hint = QLabel(view.canvas)
        self.hint.setObjectName("edit-hint")
        self.hint.setAccessibleName("Hint")
        theme.mark(self.hint, kind="chip")
        self.hint.hide()
        self.editor.left.connect(lambda: self.action.setChecked(False))
        self.editor.changed.connect(self._changed)
        self.editor.said.connect(self._say)
        for key, run in (
            ("Return", self.editor.apply), ("Enter", self.editor.apply), ("Esc", self.editor.step_back),
            ("A", self.editor.choose_all), ("N", self.editor.choose_none), ("I", self.editor.invert),
            ("M", lambda: self.editor.set_kind("move")), ("T", lambda: self.editor.set_kind("turn")),
            ("K", lambda: self.editor.set_kind("scale")),
        ):  # fmt: skip
            on_key(view.canvas, key, lambda key=key, run=run: self._pressed(key, run))
        view.layers_changed.connect(self.content_changed)
        view.canvas.resized.connect(self.arrange)

    def _pressed(self, key: str, run: Callable[[], object]) -> None:
        """Keys may mean something else outside of the mode; two shortcuts for one key would take each other out."""
        if self.view.box.is_active and key in ("Return", "Enter", "Esc"):
            self.view.box.stop()
        elif self.editor.is_active:
            run()
        elif key == "T":
            self.view.path_action.toggle()
        elif key == "K":
            self.view.path.add_view()

    @property
    def shown(self) -> Shown | None:
        """What would be edited."""
        there = (i for i in self.view.items if i.id not in self.view.hidden)
        return next((i for i in there if isinstance(i.artifact, BoundGaussians) and len(i.artifact)), None)

    def offer(self, keep: Callable[[str, Params], object]) -> None:
        """Offer the mode: ``keep`` gets the id of what is shown and the params of an edit, and shows what came of it
        under the same id; or it calls :meth:`PartEditor.failed`."""
        self.is_offered = True
        self.editor.applied.connect(keep)
        self.content_changed()

    def offer_elsewhere(self, go: Callable[[str], object]) -> None:
        """Offer it, but not here: ``go`` gets the id of what is to be edited."""
        self.is_offered, self._elsewhere = True, go
        self.content_changed()

    def start(self) -> None:
        if self.action.isVisible():
            self.action.setChecked(True)

    def content_changed(self) -> None:
        """What is on show has changed: offer the mode, or go on with the same mesh in its new shape."""
        shown = self.shown
        self.action.setVisible(self.is_offered and shown is not None)
        editor = self.editor
        if not editor.is_active:
            return
        if shown is None or shown.id != editor.id or not isinstance(shown.artifact, BoundGaussians):
            editor.end()
        else:
            editor.rebase(shown.artifact)

    def _toggled(self, on: bool) -> None:
        shown = self.shown
        if not on:
            self.editor.end()
        elif self._elsewhere is not None:
            self.action.setChecked(False)
            if shown is not None:
                self._elsewhere(shown.id)
            return
        elif shown is not None and isinstance(shown.artifact, BoundGaussians):
            if self.panel is None:
                self.panel = PartPanel(self.view.canvas, self.editor)
            self.panel.unit = shown.artifact.unit
            self.editor.begin(shown.id, shown.artifact)
            self.view.canvas.setFocus()
        self.view.framing.follow_size(self.view.extents(), self.view.room)

    def _changed(self) -> None:
        choosing = self.editor.is_active and self.editor.choice.tool != "piece"
        self.view.canvas.setCursor(Qt.CursorShape.CrossCursor if choosing else Qt.CursorShape.ArrowCursor)
        self.arrange()

    @property
    def covered(self) -> int:
        """Pixels at the right that the panel lies over."""
        panel = self.panel
        return panel.width() + 8 if panel is not None and not panel.isHidden() else 0

    def arrange(self) -> None:
        if self.panel is not None:
            self.panel.arrange()
        self.hint.move(8, 8)

    def _say(self, text: str) -> None:
        self.hint.setText(text)
        self.hint.adjustSize()
        self.hint.setVisible(bool(text))
        self.hint.raise_()
