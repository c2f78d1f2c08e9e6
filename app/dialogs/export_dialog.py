"""Export artifacts to files of other tools: choose format, options and name; written in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import Task, run_in_background
from app.dialogs.export_plan import Target, command_line, estimate, existing, keep_both, remarks, targets, write_all
from app.dialogs.frame import Dialog, copy_text, heading, muted, show_in_folder, size_text
from app.dialogs.notice import Notice
from app.forms import ParamForm
from app.settings import settings
from engines.core import Artifact, UserError

if TYPE_CHECKING:
    from app.project.project import Project
    from app.project.records import Entry


class ExportDialog(Dialog):
    """Ids are of artifacts, or of runs for their curves.

    ``exported(paths)`` after files were written; the dialog stays open with the result.
    """

    exported = Signal(list)

    def __init__(self, project: Project, artifact_ids: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__("export_dialog", "Export", parent, (640, 560))
        self.project = project
        self.targets: list[Target] = []
        self._wanted = len(artifact_ids)
        self._task: Task | None = None
        self._form: ParamForm | None = None
        self._stop = threading.Event()
        self._replace = False
        self._filling = False
        self.list = QListWidget(objectName="export_list")
        self.list.setAccessibleName("Artifacts to export")
        self.list.setIconSize(QSize(18, 18))
        self.list.setMaximumHeight(136)
        self.list.currentRowChanged.connect(lambda _: self._show_target())
        self.list.hide()
        self.body.addWidget(self.list)
        self._build_fields()
        self._options = QVBoxLayout()
        page = QWidget()
        page.setProperty("kind", "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 8, 0)
        column.addLayout(self._options)
        column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(page)
        self.body.addWidget(scroll, 1)
        self._build_command()
        self.notice = Notice("export_notice")
        self.body.addWidget(self.notice)
        self.progress = QProgressBar(objectName="export_progress")
        self.progress.setAccessibleName("Export progress")
        self.progress.setRange(0, 1000)
        self.progress.hide()
        self.body.addWidget(self.progress)
        self.close_button = self.add_button("Cancel", self.reject)
        self.export_button = self.add_button("&Export", self.export, "primary")
        self.export_button.setEnabled(False)
        self.detail.setText("Looking for formats…")
        run_in_background(
            targets,
            project,
            list(artifact_ids),
            settings().get("export_formats", {}),
            done=self._know_targets,
            failed=self._failed,
            owner=self,
        )

    # building ----------------------------------------------------------------------------------------

    def _build_fields(self) -> None:
        self.title = QLabel("", objectName="export_title", wordWrap=True)
        self.title.setProperty("kind", "heading")
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.detail = muted("", "export_detail")
        self.format = QComboBox(objectName="export_format")
        self.format.setAccessibleName("Format")
        self.format.activated.connect(self._choose_format)
        self.file = QLineEdit(objectName="export_file")
        self.file.setAccessibleName("File name")
        self.file.textChanged.connect(self._rename)
        self.folder = QLineEdit(self._start_folder(), objectName="export_folder")
        self.folder.setAccessibleName("Folder")
        self.folder.textChanged.connect(lambda _: self._touched())
        browse = QPushButton("Browse…", objectName="export_browse")
        browse.setAccessibleName("Browse for a folder")
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        self.size_label = QLabel(objectName="export_size")
        self.size_label.setFont(theme.font(numbers=True))
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(theme.GRID)
        grid.setColumnStretch(1, 1)
        grid.setColumnMinimumWidth(0, 80)
        self.body.addWidget(self.title)
        self.body.addWidget(self.detail)
        for row, (label, widget) in enumerate(
            {"Format": self.format, "File name": self.file, "Folder": self.folder, "Size": self.size_label}.items()
        ):
            name = QLabel(label)
            name.setBuddy(widget)
            grid.addWidget(name, row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(browse, 2, 2)
        self.body.addLayout(grid)

    def _start_folder(self) -> str:
        last = Path(settings().get("export_folder", ""))
        if last.is_dir() and str(last) != ".":
            return str(last)
        return str(self.project.path.parent) if self.project.path else settings().folder()

    def _build_command(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        self.command = QLineEdit(objectName="export_command", readOnly=True)
        self.command.setAccessibleName("The same on the command line")
        self.command.setFont(theme.mono())
        self.command.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        copy = QPushButton("Copy", objectName="export_copy_command")
        copy.setIcon(theme.icon("copy"))
        copy.setAccessibleName("Copy command line")
        copy.setAutoDefault(False)
        copy.clicked.connect(lambda: copy_text(self.command.text()))
        row.addWidget(self.command, 1)
        row.addWidget(copy)
        self._command_label = muted("The same on the command line", "export_command_label")
        self.body.addWidget(self._command_label)
        self.body.addLayout(row)

    # showing -----------------------------------------------------------------------------------------

    def _know_targets(self, found: list[Target]) -> None:
        self.targets = found
        if not found:
            self.detail.setText("")
            self.notice.say(
                "bad", "No format is known for this.", "There is no writer for the type of what was selected."
            )
            return
        self.list.setVisible(len(found) > 1)
        for target in found:
            row = QListWidgetItem(theme.icon(target.entry.type), target.entry.name, self.list)
            row.setToolTip(target.entry.summary)
        if left := self._wanted - len(found):
            self.notice.say("warn", f"{left} of {self._wanted} cannot be exported.", "No format is known for them.")
        self.list.setCurrentRow(0)
        self._show_target()
        self.export_button.setEnabled(True)
        self.file.setFocus()

    @property
    def current(self) -> Target | None:
        row = self.list.currentRow()
        return self.targets[row] if 0 <= row < len(self.targets) else None

    def _show_target(self) -> None:
        target = self.current
        if target is None:
            return
        self._filling = True
        self.title.setText(target.entry.name)
        self.detail.setText(_what(target.entry))
        self.format.clear()
        for writer in target.writers:
            for extension in writer.extensions:
                self.format.addItem(f"{writer.title} ({extension})", (writer.key, extension))
        index = next(
            i
            for i in range(self.format.count())
            if tuple(self.format.itemData(i)) == (target.writer.key, target.extension)
        )
        self.format.setCurrentIndex(index)
        self.file.setText(target.file_name)
        self._filling = False
        self._build_options(target)
        self._touched()

    def _build_options(self, target: Target) -> None:
        while (item := self._options.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.hide()
                old.deleteLater()
        self._form = None
        if not target.writer.options.model_fields:
            return
        self._options.addWidget(heading("Options", above=theme.GRID))
        form = ParamForm(target.writer.options)
        form.setObjectName("export_form")
        form.setAccessibleName("Format options")
        if target.params != form.params():
            form.set_params(target.params)
        form.changed.connect(lambda: self._options_changed(form))
        self._form = form
        self._options.addWidget(form)

    def _options_changed(self, form: ParamForm) -> None:
        if form.valid and self.current is not None:
            self.current.options[self.current.writer.key] = form.params()
        self._touched()

    def _choose_format(self, index: int) -> None:
        target = self.current
        if target is None:
            return
        key, extension = self.format.itemData(index)
        target.choose(next(w for w in target.writers if w.key == key), extension)
        self._show_target()

    def _rename(self, text: str) -> None:
        if self._filling or self.current is None:
            return
        target = self.current
        target.file_name = text
        # Typing another known extension chooses that format.
        for writer in target.writers:
            for extension in writer.extensions:
                if text.lower().endswith(extension) and not text.lower().endswith(target.writer.extensions):
                    target.writer, target.extension = writer, extension
                    at = self.file.cursorPosition()
                    self._show_target()
                    self.file.setCursorPosition(at)
                    return
        self._touched()

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Export to folder", self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _touched(self) -> None:
        """Something changed: what was said about the files before no longer holds."""
        self._replace = False
        target = self.current
        if target is None or self._filling:
            return
        if self.notice.tone != "warn" or "cannot be exported" not in self.notice.message:
            self.notice.clear()
        self.export_button.setText("&Export" if len(self.targets) < 2 else f"&Export {len(self.targets)} files")
        if said := remarks(target, self.project):
            (what, more), *rest = said
            self.notice.say("info", what, "\n".join([more, *(f"{a} {b}" for a, b in rest)]))
        count, most = estimate(target, self.project)
        self.size_label.setText(f"{'at most' if most else 'about'} {size_text(count)}")
        try:
            self.command.setText(command_line(target, self.project, Path(self.folder.text())))
        except UserError as error:
            self.command.setText("")
            self.notice.say_error(error)
        self.command.setCursorPosition(0)
        note = "" if self.project.path else " (save the project first)"
        self._command_label.setText(f"The same on the command line{note}")

    # writing -----------------------------------------------------------------------------------------

    def export(self) -> None:
        """Write the files, after asking inline when some exist already."""
        folder = Path(self.folder.text()).expanduser()
        try:
            if not folder.is_dir():
                raise UserError(f"There is no folder '{folder}'.", mend="Choose a folder that exists.")
            if self._form is not None:
                self._form.params()
            there = existing(self.targets, self.project, folder)
        except UserError as error:
            self.notice.say_error(error)
            return
        if there and not self._replace:
            self._ask_to_replace(there)
            return
        settings().set("export_folder", str(folder))
        chosen = {target.entry.type: target.extension for target in self.targets}
        settings().set("export_formats", settings().get("export_formats", {}) | chosen)
        self.notice.clear()
        self._set_busy(True)
        self._stop.clear()
        self._task = run_in_background(
            write_all,
            self.project,
            list(self.targets),
            folder,
            self._stop,
            done=self._done_writing,
            failed=self._failed,
            progress=self._progressed,
            owner=self,
        )

    def _ask_to_replace(self, there: list[Path]) -> None:
        first = there[0]
        facts = first.stat()
        day = time.strftime("%d %B %Y, %H:%M", time.localtime(facts.st_mtime))
        what = f"“{first.name}” exists already." if len(there) == 1 else f"{len(there)} of the files exist already."
        more = "" if len(there) == 1 else f" and {len(there) - 1} more"
        self.notice.say(
            "warn",
            what,
            f"{first.name}: {size_text(facts.st_size)}, changed on {day}{more}. Replacing cannot be undone.",
            actions=[("Replace", self._confirm_replace), ("Keep both", lambda: self._keep_both(there))],
        )

    def _confirm_replace(self) -> None:
        self._replace = True
        self.export()

    def _keep_both(self, there: list[Path]) -> None:
        keep_both(self.targets, self.project, Path(self.folder.text()).expanduser(), there)
        self._show_target()
        self.export()

    def _progressed(self, fraction: float, text: str) -> None:
        if len(self.targets) > 1:
            self.progress.setRange(0, 1000)
            self.progress.setValue(int(1000 * fraction))
        self.detail.setText(f"{text}…")

    def _set_busy(self, busy: bool) -> None:
        self.progress.setVisible(busy)
        self.progress.setRange(0, 0)
        self.export_button.setEnabled(not busy)
        for widget in (self.format, self.file, self.folder, self.list):
            widget.setEnabled(not busy)
        if self._form is not None:
            self._form.setEnabled(not busy)
        self.close_button.setText("Stop" if busy else "Cancel")

    def _done_writing(self, paths: list[Path]) -> None:
        self._task = None
        self._set_busy(False)
        self._replace = False
        if self.current is not None:
            self.detail.setText(_what(self.current.entry))
        self.close_button.setText("Close")
        if not paths:
            self.notice.say("info", "Nothing was written.")
            return
        total = sum(path.stat().st_size for path in paths if path.exists())
        what = f"Wrote {paths[0].name}" if len(paths) == 1 else f"Wrote {len(paths)} files"
        joined = "\n".join(map(str, paths))
        self.notice.say(
            "good",
            f"{what}, {size_text(total)}.",
            str(paths[0].parent),
            actions=[("Show in folder", lambda: show_in_folder(paths[0])), ("Copy path", lambda: copy_text(joined))],
        )
        self.close_button.setFocus()
        self.exported.emit([str(path) for path in paths])

    def _failed(self, error: BaseException) -> None:
        self._task = None
        self._set_busy(False)
        self.notice.say_error(error)

    def reject(self) -> None:
        """While writing: stop after the file that is being written. Else close."""
        if self._task is not None:
            self._stop.set()
            self.detail.setText("Stopping after this file…")
            return
        super().reject()


def _what(entry: Entry) -> str:
    """The kind of thing and what it holds: ``"Grid field, 65×65×65 nodes"``."""
    kind = Artifact.registry[entry.type].title if entry.type in Artifact.registry else entry.type
    return f"{kind}, {entry.summary}"
