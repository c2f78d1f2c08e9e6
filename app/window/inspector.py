"""Where a run came from and how it went, as a tab: provenance, settings, curves, log, command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QScrollArea,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.background import run_in_background
from app.form_field import number_text
from app.project import RunRecord
from app.window.frames import Frame
from app.window.job_detail import CommandBox, ErrorBox, LogText, lines_of
from app.window.tree import resumable
from app.window.tree_model import STATUS_ROLES
from app.window.widgets import EmptyState, Glyph, clear_layout, label, name, push_button
from app.window.wording import STATUS_WORDS, duration_text, moment, time_text
from app.window.workbench import Workbench


def value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, (int, float)):
        return number_text(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(value_text(v) for v in value)
    return "none" if value is None else str(value)


class InspectorFrame(Frame):
    kind = "inspector"
    show_wanted = Signal(list)
    run_wanted = Signal(str)
    again_wanted = Signal(str)
    resume_wanted = Signal(str)

    def __init__(self, bench: Workbench, run_id: str) -> None:
        super().__init__(bench)
        self.run_id = run_id
        name(self, f"Provenance of {self.title()}", "InspectorFrame")
        self.setProperty("kind", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._curves: Any = None
        self._shown: RunRecord | None = None
        self._save_note = QTimer(self, singleShot=True, interval=700)
        self._save_note.timeout.connect(self._store_note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._head())
        self._error = ErrorBox()
        holder = QVBoxLayout()
        holder.setContentsMargins(24, 0, 24, 8)
        holder.addWidget(self._error)
        layout.addLayout(holder)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        name(self.tabs, "Provenance tabs")
        self.tabs.addTab(self._overview(), "Overview")
        self._curve_stack = QStackedWidget()
        self._curve_stack.addWidget(EmptyState("curves", "No curves", "This run reported no numbers.", compact=True))
        self.tabs.addTab(self._curve_stack, "Curves")
        self._log = LogText()
        self.tabs.addTab(self._log, "Log")
        self._command = CommandBox()
        self.tabs.addTab(self._command, "Command line")
        self.tabs.currentChanged.connect(lambda _: self._load_curves())
        layout.addWidget(self.tabs, 1)
        self.refresh()

    # --- building ---

    def _head(self) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(24, 16, 24, 12)
        row.setSpacing(12)
        self._glyph = Glyph("finished", 28)
        row.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(2)
        self._title = label(scale=1.25, kind="heading")
        self._status = label(tone="muted", wrap=True)
        self._status.setFont(theme.font(numbers=True))
        words.addWidget(self._title)
        words.addWidget(self._status)
        row.addLayout(words, 1)
        self._resume = push_button("Resume", lambda: self.resume_wanted.emit(self.run_id), icon="resume")
        self._show = push_button("Show", lambda: self.run_wanted.emit(self.run_id), icon="show", object_name="Show run")
        again = push_button("Run again with these settings", lambda: self.again_wanted.emit(self.run_id), icon="again")
        for button in (self._resume, again, self._show):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        return head

    def _overview(self) -> QWidget:
        body = QWidget()
        body.setProperty("kind", "page")
        columns = QHBoxLayout(body)
        columns.setContentsMargins(24, 16, 24, 16)
        columns.setSpacing(32)
        left = QVBoxLayout()
        left.setSpacing(8)
        self._note = QLineEdit()
        self._note.setPlaceholderText("A note: what you want to remember of this run")
        name(self._note, "Note")
        self._note.textEdited.connect(lambda _: self._save_note.start())
        self._note.editingFinished.connect(self._store_note)
        left.addWidget(self._note)
        left.addSpacing(8)
        left.addWidget(label("Provenance", kind="heading"))
        self._facts = QGridLayout()
        self._facts.setHorizontalSpacing(16)
        self._facts.setVerticalSpacing(5)
        self._facts.setColumnStretch(1, 1)
        left.addLayout(self._facts)
        left.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(8)
        right.addWidget(label("Settings", kind="heading"))
        self._settings = QTableWidget(0, 3)
        self._settings.setHorizontalHeaderLabels(["Setting", "Value", "Default"])
        self._settings.verticalHeader().hide()
        self._settings.setShowGrid(False)
        self._settings.setAlternatingRowColors(True)
        self._settings.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self._settings.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self._settings.horizontalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self._settings.setMinimumHeight(240)
        name(self._settings, "Settings of the run")
        right.addWidget(self._settings, 1)
        columns.addLayout(left, 1)
        columns.addLayout(right, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(body)
        name(area, "Overview")
        return area

    # --- Frame ---

    def _record(self) -> RunRecord | None:
        return self.bench.project.runs.get(self.run_id)

    def title(self) -> str:
        record = self._record()
        return f"{record.title} · provenance" if record is not None else "Provenance"

    def icon(self) -> QIcon:
        return theme.icon("info")

    def key(self) -> str:
        return f"inspector:{self.run_id}"

    def state(self) -> dict[str, Any]:
        return {"kind": self.kind, "run": self.run_id, "tab": self.tabs.currentIndex()}

    @classmethod
    def restored(cls, bench: Workbench, state: Mapping[str, Any]) -> Frame | None:
        run_id = state.get("run")
        if not isinstance(run_id, str) or run_id not in bench.project.runs:
            return None
        frame = cls(bench, run_id)
        tab = state.get("tab")
        if isinstance(tab, int):
            frame.tabs.setCurrentIndex(tab)
        return frame

    def project_changed(self, kind: str, ids: Any) -> None:
        if kind in ("runs", "artifacts"):
            self.refresh()
        elif kind == "saved" and (record := self._record()) is not None:
            self._command.show_run(self.bench, record)
        elif kind == "curves" and self._curves is not None and self.isVisible():
            self._load_curves(again=True)

    def release(self) -> None:
        self._store_note()
        if self._curves is not None:
            self._curves.close()
            self._curves = None

    # --- filling ---

    def refresh(self) -> None:
        record = self._record()
        if record is None:
            self.setEnabled(False)
            return
        self.setEnabled(True)
        if record == self._shown:
            return
        self._shown = record
        self.title_changed.emit()
        self._glyph.show_icon(record.status, STATUS_ROLES.get(record.status, "muted"))
        self._title.setText(record.title)
        words = STATUS_WORDS.get(record.status, record.status)
        self._status.setText(f"{words}, {duration_text(record.seconds)} on {record.device or 'no device yet'}")
        self._resume.setVisible(resumable(record, self.bench))
        self._show.setEnabled(bool(record.outputs) or self.bench.job_of(self.run_id) is not None)
        self._error.show_error(None, "")
        if record.status == "failed" and record.error:
            self._show_error(record.error)
        self._fill_facts(record)
        self._fill_settings(record)
        if not self._note.hasFocus():
            self._note.setText(record.note)
        self._log.show_lines(list(lines_of(record)))
        self._command.show_run(self.bench, record)

    def _show_error(self, text: str) -> None:
        from engines.core import UserError

        if "Traceback" in text:
            self._error.show_error(None, text)
        else:
            self._error.show_error(UserError(text))

    def _fill_facts(self, record: RunRecord) -> None:
        clear_layout(self._facts)
        rows: list[tuple[str, QWidget]] = []

        def fact(title: str, value: str) -> None:
            if value:
                words = label(value, wrap=True)
                words.setFont(theme.font(numbers=True))
                words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                rows.append((title, words))

        fact("Method", self.bench.method_title(record.method))
        fact("Preset", record.preset.capitalize() if record.preset else "Custom settings")
        for key, entry_id in record.inputs.items():
            rows.append((f"Input {key}", self._link(entry_id)))
        for key, entry_id in record.outputs.items():
            rows.append((f"Result {key}", self._link(entry_id)))
        fact("Seed", str(record.seed))
        fact("Device", record.device)
        fact("Started", time_text(moment(record.started)))
        fact("Time", duration_text(record.seconds))
        fact("Versions", "\n".join(f"{k} {v}" for k, v in record.versions.items()))
        for at, (title, widget) in enumerate(rows):
            head = QLabel(title)
            head.setProperty("tone", "muted")
            self._facts.addWidget(head, at, 0, Qt.AlignmentFlag.AlignTop)
            self._facts.addWidget(widget, at, 1)

    def _link(self, entry_id: str) -> QWidget:
        entry = self.bench.entry(entry_id)
        if entry is None:
            return label("no longer in the project", tone="warn")
        button = push_button(entry.name, lambda: self.show_wanted.emit([entry_id]), kind="link")
        button.setToolTip(entry.summary)
        return button

    def _fill_settings(self, record: RunRecord) -> None:
        method = self.bench.method(record.method)
        specs = {s.name: s for s in method.params.specs()} if method is not None else {}
        defaults = method.params().model_dump(mode="json") if method is not None else {}
        self._settings.setRowCount(len(record.params))
        for row, (key, value) in enumerate(record.params.items()):
            spec = specs.get(key)
            unit = f" {spec.unit}" if spec is not None and spec.unit else ""
            default = defaults.get(key)
            changed = key in defaults and default != value
            for column, text in enumerate(
                (spec.label if spec else key, value_text(value) + unit, value_text(default) if key in defaults else "")
            ):
                item = QTableWidgetItem(text)
                item.setFont(theme.font(bold=changed and column < 2, numbers=True))
                self._settings.setItem(row, column, item)

    def _store_note(self) -> None:
        self._save_note.stop()
        record, text = self._record(), self._note.text().strip()
        if record is not None and text != record.note and not self.bench.project.read_only:
            self.bench.project.annotate_run(self.run_id, text)

    def activate(self) -> None:
        self.refresh()
        self._load_curves()

    def _load_curves(self, again: bool = False) -> None:
        if self.tabs.currentWidget() is not self._curve_stack or (self._curves is not None and not again):
            return
        project, run_id = self.bench.project, self.run_id
        run_in_background(lambda: project.curves(run_id), done=self._show_curves, owner=self)

    def _show_curves(self, curves: Mapping[str, Any]) -> None:
        if not curves:
            return
        if self._curves is None:
            from app.viewers.curves_view import CurvesView

            self._curves = CurvesView(self)
            self._curve_stack.addWidget(self._curves)
        for series, (steps, values) in curves.items():
            self._curves.set_series(series, steps, values)
        self._curve_stack.setCurrentWidget(self._curves)
