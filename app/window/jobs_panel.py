"""The jobs panel: what runs and waits, and the curves, log and command line of the one that is selected."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QProgressBar,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.jobs import ENDED, Job
from app.window.job_detail import JobDetail
from app.window.tree_model import STATUS_ROLES
from app.window.widgets import ElidedLabel, EmptyState, Glyph, name, tool_button
from app.window.wording import STATUS_WORDS, duration_text, left_text
from app.window.workbench import Workbench

TONES = {"paused": "muted", "queued": "muted", "failed": "bad", "cancelled": "muted", "finished": "good"}


def status_text(job: Job, place: int = 0) -> str:
    """One line about a job, such as ``"41 % · 2 min 10 s left · Fitting the field"``: what changes stands first."""
    if job.status == "queued":
        return "Next in the queue" if place <= 1 else f"Queued, number {place}"
    progress = job.progress
    if job.status in ("running", "paused") and progress is not None:
        parts = [f"{progress.fraction:.0%}".replace("%", " %")]
        parts += [left_text(progress.seconds_left) if job.status == "running" else "paused", progress.label]
        return " · ".join(p for p in parts if p)
    if job.status == "running":
        return "Starting"
    words = STATUS_WORDS[job.status]
    if job.status == "failed":
        return job.user_error.what if job.user_error is not None else "Failed: see the log"
    after = "in" if job.status == "finished" else "after"
    return f"{words} {after} {duration_text(job.seconds)}"


class JobRow(QWidget):
    """One job: title, bar, one line of status, and its buttons."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        name(self, f"Job {job.title}", f"job:{job.id}")
        self._glyph = Glyph(job.status, 18)
        self._title = ElidedLabel(job.title)
        self._title.setFont(theme.font(bold=True))
        self._status = ElidedLabel(tone="muted")
        self._status.setFont(theme.font(0.94, numbers=True))
        name(self._status, "Status of the job", "job status")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        name(self._bar, f"Progress of {job.title}", "job progress")
        self.pause = tool_button("pause", "Pause", self._toggle_pause)
        self.cancel = tool_button("cancel", "Cancel", job.cancel)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._title)
        words.addWidget(self._bar)
        words.addWidget(self._status)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(8)
        row.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self.pause)
        row.addWidget(self.cancel)
        self.shown_status = ""

    def _toggle_pause(self) -> None:
        if self.job.status == "paused":
            self.job.resume()
        else:
            self.job.pause()

    def refresh(self, place: int) -> None:
        job, status = self.job, self.job.status  # the job goes on while it is read: one status for all of the row
        if status != self.shown_status:
            self.shown_status = status
            self._glyph.show_icon(status, STATUS_ROLES[status])
            theme.mark(self._bar, tone=TONES.get(status, ""))
            paused, ended = status == "paused", status in ENDED
            words = "Resume" if paused else "Pause"
            self.pause.setIcon(theme.icon("resume" if paused else "pause"))
            self.pause.setToolTip(words)
            self.pause.setAccessibleName(words)
            self.pause.setVisible(not ended)
            self.cancel.setVisible(not ended)
            self._bar.setVisible(status in ("running", "paused"))
        self._status.setText(status_text(job, place))
        fraction = 1.0 if status == "finished" else (job.progress.fraction if job.progress else 0.0)
        self._bar.setValue(round(1000 * fraction))


class JobsPanel(QWidget):
    show_wanted = Signal(str)  # run id
    inspect_wanted = Signal(str)
    resume_wanted = Signal(str)

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        name(self, "Jobs")
        self.bench = bench
        self._rows: dict[str, JobRow] = {}
        self.list = QListWidget()
        self.list.setProperty("kind", "page")
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.setMinimumWidth(232)
        name(self.list, "Job list")
        self.detail = JobDetail(bench)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.list)
        split.addWidget(self.detail)
        split.setSizes([280, 900])
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        self._stack = QStackedWidget()
        self._empty = EmptyState(
            "jobs",
            "Nothing runs",
            "Choose a method on the right and press Run. Jobs wait here for their turn.",
            compact=True,
        )
        self._stack.addWidget(self._empty)
        self._stack.addWidget(split)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._stack)
        self.list.currentItemChanged.connect(lambda now, _: self._select(now))
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.list.itemDoubleClicked.connect(lambda item: self._show(item.data(Qt.ItemDataRole.UserRole)))
        # A running job without progress still shows its time.
        self._tick = QTimer(self, interval=1000)
        self._tick.timeout.connect(self._refresh_running)
        bench.project_replaced.connect(self._attach)
        self._attach()

    def _attach(self) -> None:
        self.list.clear()
        self._rows.clear()
        self.detail.show_job(None)
        bridge = self.bench.bridge
        bridge.queue_changed.connect(self.rebuild)
        bridge.changed.connect(self._changed)
        self.rebuild()

    # --- the list ---

    def rebuild(self) -> None:
        jobs = self.bench.queue.jobs
        selected = self.selected()
        if [self._item_id(i) for i in range(self.list.count())] != [j.id for j in jobs]:
            self.list.blockSignals(True)
            self.list.clear()
            self._rows.clear()
            for job in jobs:
                item = QListWidgetItem()
                item.setData(Qt.ItemDataRole.UserRole, job.id)
                row = JobRow(job)
                self._rows[job.id] = row
                item.setSizeHint(QSize(120, row.sizeHint().height()))
                self.list.addItem(item)
                self.list.setItemWidget(item, row)
            self.list.blockSignals(False)
            self.select(selected.id if selected in jobs and selected is not None else (jobs[-1].id if jobs else ""))
        self._refresh_all()
        self._stack.setCurrentIndex(1 if jobs else 0)

    def _item_id(self, row: int) -> str:
        return str(self.list.item(row).data(Qt.ItemDataRole.UserRole))

    def selected(self) -> Job | None:
        item = self.list.currentItem()
        return self.bench.queue.job(item.data(Qt.ItemDataRole.UserRole)) if item is not None else None

    def select(self, job_id: str) -> None:
        if job_id and job_id not in self._rows:
            self.rebuild()  # it was queued a moment ago
        for row in range(self.list.count()):
            if self._item_id(row) == job_id:
                self.list.setCurrentRow(row)
                self._select(self.list.item(row))

    def _select(self, item: QListWidgetItem | None) -> None:
        self.detail.show_job(self.selected() if item is not None else None)

    def row(self, job_id: str) -> JobRow | None:
        return self._rows.get(job_id)

    def _changed(self, job_id: str) -> None:
        row = self._rows.get(job_id)
        if row is None:
            return
        if row.shown_status != row.job.status:
            self._refresh_all()
        else:
            row.refresh(self._place(row.job))
        if self.detail.job is row.job:
            self.detail.refresh()

    def _place(self, job: Job) -> int:
        waiting = [j for j in self.bench.queue.jobs if j.status == "queued"]
        return waiting.index(job) + 1 if job in waiting else 0

    def _fit_rows(self) -> None:
        for at in range(self.list.count()):
            item = self.list.item(at)
            height = self._rows[self._item_id(at)].sizeHint().height()
            if item.sizeHint().height() != height:
                item.setSizeHint(QSize(120, height))

    def _refresh_all(self) -> None:
        for row in self._rows.values():
            row.refresh(self._place(row.job))
        self._fit_rows()
        running = any(not r.job.ended for r in self._rows.values())
        if running != self._tick.isActive():
            self._tick.start() if running else self._tick.stop()

    def _refresh_running(self) -> None:
        for row in self._rows.values():
            if row.job.status == "running":
                row.refresh(0)

    # --- acting on the selected job ---

    def pause_selected(self) -> None:
        job = self.selected()
        if job is not None:
            job.resume() if job.status == "paused" else job.pause()

    def cancel_selected(self) -> None:
        job = self.selected()
        if job is not None:
            job.cancel()

    def _show(self, job_id: str) -> None:
        job = self.bench.queue.job(job_id)
        if job is not None:
            self.show_wanted.emit(job.run_id)

    def _show_menu(self, at: QPoint) -> None:
        item = self.list.itemAt(at)
        job = self.bench.queue.job(item.data(Qt.ItemDataRole.UserRole)) if item is not None else None
        if job is None:
            return
        self._menu_of(job).popup(self.list.viewport().mapToGlobal(at))

    def _menu_of(self, job: Job) -> QMenu:
        menu = QMenu(self)
        jobs = self.bench.queue.jobs
        at = jobs.index(job)
        menu.addAction(theme.icon("show"), "Show", lambda: self.show_wanted.emit(job.run_id))
        menu.addAction(theme.icon("info"), "Provenance", lambda: self.inspect_wanted.emit(job.run_id))
        if job.status == "queued":
            before = [i for i in range(at) if jobs[i].status == "queued"]
            after = [i for i in range(at + 1, len(jobs)) if jobs[i].status == "queued"]
            if before:
                menu.addAction(theme.icon("up"), "Run sooner", lambda: self.bench.queue.move(job, before[-1]))
                menu.addAction("Run next", lambda: self.bench.queue.move(job, before[0]))
            if after:
                menu.addAction(theme.icon("down"), "Run later", lambda: self.bench.queue.move(job, after[0]))
        menu.addSeparator()
        if job.status == "paused":
            menu.addAction(theme.icon("resume"), "Resume", job.resume)
        elif not job.ended:
            menu.addAction(theme.icon("pause"), "Pause", job.pause)
        if not job.ended:
            menu.addAction(theme.icon("cancel"), "Cancel", job.cancel)
            if job.spec.isolated:
                menu.addAction(theme.icon("stop"), "Stop now", job.kill)
        else:
            record = self.bench.project.runs.get(job.run_id)
            if record is not None and record.has_checkpoint and job.status != "finished":
                menu.addAction(theme.icon("resume"), "Resume", lambda: self.resume_wanted.emit(job.run_id))
            menu.addAction(theme.icon("remove"), "Take off the list", lambda: self.bench.queue.remove(job))
        return menu

    def clear_ended(self) -> None:
        """Take ended jobs off the list; their runs stay in the project."""
        for job in self.bench.queue.jobs:
            if job.ended:
                self.bench.queue.remove(job)


def summary(jobs: Sequence[Job]) -> str:
    """What runs, for the status strip."""
    waiting = [j for j in jobs if not j.ended]
    running = next((j for j in waiting if j.status == "running"), None)
    if running is None:
        return ""
    tail = f", {len(waiting) - 1} more queued" if len(waiting) > 1 else ""
    return f"{running.title}: {status_text(running)}{tail}"
