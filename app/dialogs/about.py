"""Versions, how to cite, and whose work this stands on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata

from PySide6.QtWidgets import QHeaderView, QPlainTextEdit, QTabWidget, QTreeWidget, QTreeWidgetItem, QWidget

from app import theme
from app.background import run_in_background
from app.dialogs.frame import Dialog, copy_text
from app.dialogs.report import machine_lines


@dataclass(frozen=True)
class Dependency:
    name: str
    version: str
    licence: str


def dependencies() -> list[Dependency]:
    """What the installed package requires, with versions and licences. Reads files: not for the GUI thread."""
    try:
        required = metadata.requires("fieldwright") or []
    except metadata.PackageNotFoundError:
        required = []
    found = []
    for line in required:
        if "extra ==" in line:
            continue
        name = re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0]
        try:
            info = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(Dependency(info["Name"] or name, info["Version"] or "", _licence(info)))
    return sorted(found, key=lambda d: d.name.lower())


def _licence(info: metadata.PackageMetadata) -> str:
    for given in (info.get("License-Expression"), info.get("License")):
        first = (given or "").strip().split("\n")[0]
        if first and len(first) < 60:
            return str(first)
    classes = [c.split("::")[-1].strip() for c in info.get_all("Classifier") or [] if c.startswith("License")]
    return ", ".join(classes) or "see the package"


CITATION = """@software{fieldwright,
  title = {Fieldwright: a desktop workbench for learned geometry, fields and generative models},
  version = {%s}
}
"""


class AboutDialog(Dialog):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("about_dialog", "About Fieldwright", parent, (560, 480))
        try:
            version = metadata.version("fieldwright")
        except metadata.PackageNotFoundError:
            version = "development"
        self.heading(
            f"Fieldwright {version}",
            "Learned geometry, fields and generative models on your desk. Each method's card cites its paper.",
        )
        tabs = QTabWidget(objectName="about_tabs")
        tabs.setAccessibleName("About")
        self.versions = self._page("about_versions", "Versions")
        self.citation = self._page("about_citation", "Citation")
        self.citation.setPlainText(CITATION % version)
        self.licences = QTreeWidget(objectName="about_licences", rootIsDecorated=False)
        self.licences.setAccessibleName("Licences")
        self.licences.setHeaderLabels(["Package", "Version", "Licence"])
        self.licences.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        tabs.addTab(self.versions, "Versions")
        tabs.addTab(self.citation, "Cite")
        tabs.addTab(self.licences, "Licences")
        self.body.addWidget(tabs, 1)
        self.add_button("Copy versions", lambda: copy_text(self.versions.toPlainText()), left=True, icon="copy")
        self.add_button("Copy citation", lambda: copy_text(self.citation.toPlainText()), left=True, icon="cite")
        self.add_button("Close", self.accept, "primary").setFocus()
        self.versions.setPlainText("Looking…")
        run_in_background(lambda: "\n".join(machine_lines()), done=self.versions.setPlainText, owner=self)
        run_in_background(dependencies, done=self._show_licences, owner=self)

    def _page(self, name: str, title: str) -> QPlainTextEdit:
        page = QPlainTextEdit(objectName=name, readOnly=True)
        page.setAccessibleName(title)
        page.setFont(theme.mono())
        page.setProperty("kind", "page")
        return page

    def _show_licences(self, found: list[Dependency]) -> None:
        for one in found:
            QTreeWidgetItem(self.licences, [one.name, one.version, one.licence])
