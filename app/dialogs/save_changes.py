"""Save, don't save or cancel: asked before a project with changes is closed."""

from __future__ import annotations

from typing import Literal

from PySide6.QtWidgets import QWidget

from app.dialogs.frame import Dialog

Choice = Literal["save", "discard", "cancel"]


class SaveChangesDialog(Dialog):
    """``choice`` holds the answer after ``exec()`` (or ``finished``); Escape cancels."""

    def __init__(self, project_name: str, parent: QWidget | None = None, *, details: str = "") -> None:
        super().__init__("save_changes_dialog", "Save changes?", parent, (480, 176))
        self.choice: Choice = "cancel"
        self.heading(
            f"Save the changes to “{project_name or 'Untitled'}”?",
            details or "What you did since the last save is lost if you don't save it.",
            "save",
        )
        self.body.addStretch(1)
        self.discard_button = self.add_button("&Don't save", lambda: self._choose("discard"), left=True)
        self.cancel_button = self.add_button("Cancel", self.reject)
        self.save_button = self.add_button("&Save", lambda: self._choose("save"), "primary")

    def _choose(self, choice: Choice) -> None:
        self.choice = choice
        self.accept()

    @staticmethod
    def ask(project_name: str, parent: QWidget | None = None, *, details: str = "") -> Choice:
        dialog = SaveChangesDialog(project_name, parent, details=details)
        dialog.exec()
        dialog.deleteLater()
        return dialog.choice
