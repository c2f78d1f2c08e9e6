"""What to cite: the program, and the papers of the methods that the project used."""

from __future__ import annotations

from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app import theme
from app.dialogs.about import CITATION
from app.dialogs.frame import Dialog, copy_text
from app.window.widgets import name
from app.window.workbench import Workbench
from engines.core import versions


def bibliography(bench: Workbench) -> str:
    """BibTeX of the program and of every method that a run of the project used."""
    used = dict.fromkeys(run.method for run in bench.project.runs.values())
    papers = [m.paper.bibtex for key in used if (m := bench.method(key)) is not None and m.paper is not None]
    return "\n\n".join([CITATION.strip() % versions()["fieldwright"], *dict.fromkeys(papers)])


class CiteDialog(Dialog):
    def __init__(self, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__("cite_dialog", "Cite", parent, (600, 420))
        self.heading("What to cite", "The program, and the papers of the methods that this project used.", "cite")
        self.text = QPlainTextEdit(bibliography(bench))
        self.text.setReadOnly(True)
        self.text.setFont(theme.mono())
        name(self.text, "BibTeX")
        self.body.addWidget(self.text, 1)
        self.add_button("Copy BibTeX", lambda: copy_text(self.text.toPlainText()), icon="copy", left=True)
        self.add_button("Close", self.reject, "primary")
