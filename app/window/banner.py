"""Quiet banners above the views: what is the matter with the project, what that means and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.dialogs.notice import Notice, Tone
from app.project import Project
from app.window.widgets import name
from app.window.workbench import Workbench

log = logging.getLogger("fieldwright.window")
LISTED = 3
"""So many things that could not be read are named; the log names all."""


@dataclass(frozen=True)
class Trouble:
    key: str
    tone: Tone
    title: str
    text: str
    offers: tuple[str, ...] = ()
    """Keys of the window's actions that help."""


def troubles(project: Project) -> list[Trouble]:
    """What the user should know about the project, the most pressing first."""
    found = []
    if project.journal_problem:
        why = project.journal_problem.rstrip(".")
        found.append(
            Trouble(
                "journal",
                "bad",
                "What you do now would be lost in a crash",
                f"{why}. Save the project, then make room on the disk or check that its folder can be written.",
                ("save-as",) if project.path is None or project.read_only else ("save", "save-as"),
            )
        )
    if project.problems:
        count = len(project.problems)
        named = "; ".join(text.rstrip(".") for text in project.problems[:LISTED])
        more = f"; and {count - LISTED} more, which the log names" if count > LISTED else ""
        found.append(
            Trouble(
                "problems",
                "warn",
                f"{count} part{'s' if count > 1 else ''} of this project could not be read",
                f"{named}{more}. All else is here. The file stays as it is: save what could be read under another "
                "name, or fetch the file from a backup.",
                ("save-as", "log"),
            )
        )
    elif project.read_only:
        found.append(
            Trouble(
                "read-only",
                "info",
                "This project is read-only",
                f"{project.read_only_reason} To change it, save it under another name.",
                ("save-as",),
            )
        )
    return found


class ProjectBanner(QWidget):
    """Shows the troubles of the project that is open; one that was dismissed stays away until it changes."""

    def __init__(self, bench: Workbench, offers: dict[str, tuple[str, Callable[[], object]]]) -> None:
        """``offers`` are the buttons by key: words, and what they do."""
        super().__init__()
        name(self, "Troubles of the project")
        self.bench = bench
        self._offers = offers
        self._dismissed: set[Trouble] = set()
        self._shown: list[Trouble] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(8, 8, 8, 8)
        self._column.setSpacing(8)
        bench.project_replaced.connect(self._replaced)
        bench.project_changed.connect(lambda kind, _: self.refresh() if kind in ("dirty", "saved") else None)
        bench.saved.connect(self.refresh)
        self._replaced()

    def _replaced(self) -> None:
        self._dismissed.clear()
        for text in self.bench.project.problems:
            log.warning("the project holds what cannot be read: %s", text)
        self.refresh()

    def refresh(self) -> None:
        found = [t for t in troubles(self.bench.project) if t not in self._dismissed]
        self.setVisible(bool(found))
        if found == self._shown:
            return
        self._shown = found
        while item := self._column.takeAt(0):
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        for trouble in found:
            box = Notice(f"trouble:{trouble.key}")
            self._column.addWidget(box)
            acts = [self._offers[key] for key in trouble.offers if key in self._offers]
            box.say(trouble.tone, trouble.title, trouble.text, [*acts, ("Dismiss", lambda t=trouble: self._dismiss(t))])

    def _dismiss(self, trouble: Trouble) -> None:
        self._dismissed.add(trouble)
        self.refresh()
