"""Edits of the project and what is done with its selection: undo, rename, star, remove, show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoStack

if TYPE_CHECKING:
    from app.window.main_window import MainWindow


class EditActs(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.bench = window.bench
        self.panel = window.project_panel

    # --- undo: of the form that has the keyboard, of what a view can undo by itself, else of the project ---

    def _stack(self, *, redo: bool = False) -> QUndoStack | None:
        form = self.window.method_panel.focused_undo_stack()
        if form is not None:
            return form
        frame = self.window.views.current
        stacks = [getattr(viewer, "undo_stack", None) for viewer in (frame.viewers() if frame is not None else ())]
        return next((s for s in stacks if s is not None and (s.canRedo() if redo else s.canUndo())), None)

    def can_undo(self) -> bool:
        stack = self._stack()
        return stack.canUndo() if stack is not None else self.bench.project.history.can_undo

    def can_redo(self) -> bool:
        stack = self._stack(redo=True)
        return stack.canRedo() if stack is not None else self.bench.project.history.can_redo

    def show_undo(self) -> None:
        """Say in the menu what would be undone and redone."""
        history, actions = self.bench.project.history, self.window.actions_
        back, forth = self._stack(), self._stack(redo=True)
        undo = back.undoText() if back is not None else history.undo_label
        redo = forth.redoText() if forth is not None else history.redo_label
        for key, words, label in (("undo", "&Undo", undo), ("redo", "&Redo", redo)):
            actions[key].setText(f"{words} {label[:1].lower()}{label[1:]}" if label else words)
        actions["undo"].setEnabled(self.can_undo())
        actions["redo"].setEnabled(self.can_redo())

    def undo(self) -> None:
        stack = self._stack()
        stack.undo() if stack is not None else self.bench.project.history.undo()
        self.show_undo()

    def redo(self) -> None:
        stack = self._stack(redo=True)
        stack.redo() if stack is not None else self.bench.project.history.redo()
        self.show_undo()

    # --- the selection ---

    def has_artifacts(self) -> bool:
        return bool(self.panel.selected_artifacts())

    def has_selection(self) -> bool:
        return self.has_artifacts() or bool(self.panel.selected_runs())

    def rename(self) -> None:
        self.panel.rename_selected()

    def star(self) -> None:
        self.panel.star_selected()

    def remove(self) -> None:
        self.panel.remove_selected()

    def use(self, entry_id: str) -> None:
        """Take an artifact as input of the method that is open, or look for one that takes it."""
        self.window.show_panel("method")
        self.window.method_panel.set_selection([entry_id])
        if self.window.method_panel.page is None:
            self.window.method_panel.gallery.list.setFocus()

    def focus_filter(self) -> None:
        self.window.show_panel("project")
        self.panel.filter.setFocus()
        self.panel.filter.selectAll()

    def focus_methods(self) -> None:
        self.window.show_panel("method")
        self.window.method_panel.show_gallery()
        self.window.method_panel.gallery.search.setFocus()
