"""Curves, log, error and command line of one job, live."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from app import theme
from app.background import run_in_background
from app.jobs import Job
from app.project import RunRecord
from app.viewers.overlay import number
from app.window.widgets import EmptyState, Glyph, label, name, push_button
from app.window.workbench import Workbench
from engines.core import UserError
from engines.data import Table

log = logging.getLogger("fieldwright.window")
REPEATS = "This line repeats the run, with the same result."
NO_BREAK = "\u00a0"
NOT_YET = ("No curves yet", "They appear as soon as the method reports numbers.")
UNSAVED = f"{REPEATS} Save the project first: the line names its file."


class CommandBox(QWidget):
    """The command line that repeats a run, with a button to copy it."""

    def __init__(self) -> None:
        super().__init__()
        name(self, "Command line")
        self._text = QPlainTextEdit()
        self._text.setReadOnly(True)
        self._text.setFont(theme.mono())
        self._text.setMaximumHeight(88)
        name(self._text, "Command line text")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 12, 12, 12)
        layout.setSpacing(8)
        self._hint = label(REPEATS, tone="muted", wrap=True)
        layout.addWidget(self._hint)
        layout.addWidget(self._text)
        row = QHBoxLayout()
        self.copy = push_button("Copy", self._copy, icon="copy", object_name="Copy the command line")
        row.addWidget(self.copy)
        row.addStretch(1)
        layout.addLayout(row)
        layout.addStretch(1)

    def show_run(self, bench: Workbench, record: RunRecord, wanted: Callable[[], bool] = lambda: True) -> None:
        """The line as it is now: inputs may have been renamed and the project saved since. ``wanted``: still asked."""
        project, method = bench.project, bench.method(record.method)

        def work() -> str:
            from app.jobs.command import command_of

            return command_of(record, project, method) if method is not None else record.command

        def done(text: str) -> None:
            if wanted():
                self.set_text(text)
                self._hint.setText(REPEATS if project.path is not None else UNSAVED)

        def failed(error: BaseException) -> None:
            log.info("the command line of %s is the one of its day: %s", record.title, error)
            done(record.command)

        run_in_background(work, done=done, failed=failed, owner=self)

    def set_text(self, text: str) -> None:
        if text != self._text.toPlainText():
            self._text.setPlainText(text)
        self.copy.setEnabled(bool(text))

    def text(self) -> str:
        return self._text.toPlainText()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self._text.toPlainText())


class ErrorBox(QFrame):
    """What went wrong, why, and how to mend it."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "box")
        self.setProperty("tone", "bad")
        name(self, "Error")
        self._what = label(kind="heading", wrap=True)
        self._rest = label(wrap=True)
        for words in (self._what, self._rest):
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 10, 12, 10)
        row.setSpacing(10)
        row.addWidget(Glyph("error", 18, "bad"), 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout()
        column.setSpacing(3)
        column.addWidget(self._what)
        column.addWidget(self._rest)
        row.addLayout(column, 1)
        self.hide()

    def show_error(self, error: UserError | None, text: str = "") -> None:
        if error is not None:
            self._what.setText(error.what)
            self._rest.setText("\n".join(p for p in (error.why, error.mend) if p))
        elif text:
            last = text.strip().splitlines()[-1]
            self._what.setText("This is a mistake in the program, not in your data.")
            self._rest.setText(f"{last}\nThe whole report is in the log below. Please send it to the developers.")
        self._rest.setVisible(bool(self._rest.text()))
        self.setVisible(error is not None or bool(text))


class LogText(QPlainTextEdit):
    """Lines of a run's log; only what is new is written."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setProperty("kind", "page")
        self.setFont(theme.mono())
        self.setMaximumBlockCount(5000)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        name(self, "Run log")
        self._count = 0

    def show_lines(self, lines: list[tuple[str, str, float]]) -> None:
        if len(lines) < self._count:
            self.clear()
            self._count = 0
        for level, text, seconds in lines[self._count :]:
            style = QTextCharFormat()
            role = {"warning": theme.colors().warn, "error": theme.colors().bad}.get(level, theme.colors().text)
            style.setForeground(_brush(role))
            cursor = QTextCursor(self.document())
            cursor.movePosition(QTextCursor.MoveOperation.End)
            if self._count or cursor.position():
                cursor.insertBlock()
            cursor.insertText(f"{seconds:8.1f} s  {text}", style)
            self._count += 1
            bar = self.verticalScrollBar()
            bar.setValue(bar.maximum())

    def reset(self) -> None:
        self.clear()
        self._count = 0


def _brush(color: str) -> Any:
    from PySide6.QtGui import QBrush, QColor

    return QBrush(QColor(color))


class JobDetail(QWidget):
    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "Job detail")
        self.bench = bench
        self.job: Job | None = None
        self._points: tuple[int, str] | None = None
        self._curves: Any = None
        self.error = ErrorBox()
        self.log = LogText()
        self.command = CommandBox()
        self._curve_stack = QStackedWidget()
        self._no_curves = EmptyState("curves", *NOT_YET, compact=True)
        self._curve_stack.addWidget(self._no_curves)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        name(self.tabs, "Job tabs")
        for widget, title in ((self._curve_stack, "Curves"), (self.log, "Log"), (self.command, "Command line")):
            self.tabs.addTab(widget, title)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        holder = QVBoxLayout()
        holder.setContentsMargins(12, 0, 12, 0)
        holder.addWidget(self.error)
        layout.addLayout(holder)
        layout.addWidget(self.tabs, 1)
        self.setMinimumWidth(280)
        bench.project_changed.connect(lambda kind, _: self._show_command() if kind in ("runs", "saved") else None)

    def show_job(self, job: Job | None) -> None:
        if job is self.job and job is not None:
            return
        self.job = job
        self._points = None
        self.log.reset()
        if self._curves is not None:
            self._curves.close()
            self._curve_stack.removeWidget(self._curves)
            self._curves.deleteLater()
            self._curves = None
        self.command.set_text("")
        self.refresh()

    def refresh(self) -> None:
        """Called at most twenty times a second while the job runs."""
        job = self.job
        if job is None:
            self.error.show_error(None)
            return
        self._show_curves(job)
        lines = [(n.level, n.text, n.seconds) for n in job.log]
        if job.status == "failed" and job.error:
            lines.append(("error", job.error.rstrip(), job.seconds))
        self.log.show_lines(lines)
        failed = job.status == "failed"
        self.error.show_error(job.user_error if failed else None, job.error if failed else "")
        if not self.command.text():
            self._show_command()

    def _show_curves(self, job: Job) -> None:
        curves = job.curves
        state = (sum(len(steps) for steps, _ in curves.values()), job.status)
        if state == self._points:
            return
        self._points = state
        if not curves:
            title, text = instead_of_curves(job)
            self._no_curves.title.setText(title)
            self._no_curves.text.setText(text)
            self._no_curves.text.setVisible(bool(text))
            self._curve_stack.setCurrentWidget(self._no_curves)
            return
        if self._curves is None:
            from app.viewers.curves_view import CurvesView

            self._curves = CurvesView(self)
            self._curve_stack.addWidget(self._curves)
        for series, (steps, values) in curves.items():
            self._curves.set_series(series, steps, values)
        self._curve_stack.setCurrentWidget(self._curves)

    def _show_command(self) -> None:
        job = self.job
        record = self.bench.project.runs.get(job.run_id) if job is not None else None
        if record is not None:
            self.command.show_run(self.bench, record, lambda: self.job is job)


def instead_of_curves(job: Job) -> tuple[str, str]:
    """Title and text for a job without a curve: what is to come, or what the run gives instead."""
    if not job.ended:
        return NOT_YET
    if job.status != "finished":
        return "No curves", "The run ended before the method reported any."
    scores = next((a for key, a in (job.outputs or {}).items() if key == "scores" and isinstance(a, Table)), None)
    return "This method reports no curves", scores_text(scores) if scores is not None else ""


def scores_text(scores: Table) -> str:
    """The scores of a run in a line or two, with their units: those of the first surface where there are several."""
    reference = {name.lower() for name in scores.columns if name.startswith("Reference ")}
    said = []
    for title, values in scores.columns.items():
        if values.dtype.kind not in "fiu" or not len(values) or not np.isfinite(values[0]):
            continue
        if title == "Watertight" or reference & {title.lower(), f"reference {title.lower()}"}:
            continue  # facts of the surface and of its reference, not scores
        unit = scores.units.get(title, "")
        said.append(f"{title} {number(float(values[0]), 3)}{'' if unit in ('', '°') else NO_BREAK}{unit}")
    return f"Scores: {', '.join(said)}" if said else ""


def lines_of(record: Any) -> Iterator[tuple[str, str, float]]:
    """A stored run's log as :class:`LogText` shows it."""
    for line in record.log:
        yield line.level, line.text, line.seconds
