"""Running, following, repeating and comparing runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer

from app.jobs import Job
from app.project import RunRecord
from app.settings import settings
from app.window.inspector import InspectorFrame
from app.window.requests import Note
from app.window.run_frame import RunFrame
from app.window.tree import resumable
from app.window.wording import count_text, duration_text
from engines.core import UserError

if TYPE_CHECKING:
    from app.window.main_window import MainWindow

ENDED = ("finished", "cancelled", "failed")
MOST_COMPARED = 6


class RunActs(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.bench = window.bench
        self._told: set[tuple[str, str]] = set()
        self._waiting: list[Callable[[], object]] = []
        self.bench.project_changed.connect(self._project_changed)
        self.bench.project_replaced.connect(self._told.clear)
        self.bench.catalog_loaded.connect(self._methods_arrived)

    # --- jobs ---

    def has_method(self) -> bool:
        return self.window.method_panel.page is not None

    def has_job(self) -> bool:
        job = self.window.jobs_panel.selected()
        return job is not None and not job.ended

    def run_current(self) -> None:
        self.window.method_panel.run_current()

    def pause_job(self) -> None:
        self.window.jobs_panel.pause_selected()

    def cancel_job(self) -> None:
        self.window.jobs_panel.cancel_selected()

    def clear_jobs(self) -> None:
        self.window.jobs_panel.clear_ended()

    def started(self, job_id: str) -> None:
        """A job was queued: bring up the jobs panel and the view that follows it."""
        job = self.bench.queue.job(job_id)
        if job is None:
            return
        self.window.show_panel("jobs")
        self.window.jobs_panel.select(job_id)
        method = self.bench.method(job.spec.method)
        if method is not None and method.role in ("method", "baseline") and settings().get("live_preview"):
            self.show_run(job.run_id)

    # --- runs ---

    def _selected_runs(self) -> list[str]:
        found = self.window.project_panel.selected_runs()
        frame = self.window.views.current
        if not found and isinstance(frame, (RunFrame, InspectorFrame)):
            found = [frame.run_id]
        return found

    def has_runs(self) -> bool:
        return bool(self._selected_runs())

    def can_resume(self) -> bool:
        runs = self._selected_runs()
        record = self.bench.project.runs.get(runs[0]) if len(runs) == 1 else None
        return record is not None and resumable(record, self.bench)

    def can_compare(self) -> bool:
        return len(self.bench.project.runs) >= 2

    def show_run(self, run_id: str) -> None:
        self.window.show_workspace()
        self.window.views.open(RunFrame(self.bench, run_id))

    def inspect(self, run_id: str) -> None:
        self.window.show_workspace()
        self.window.views.open(self.connect_inspector(InspectorFrame(self.bench, run_id)))

    def connect_inspector(self, frame: InspectorFrame) -> InspectorFrame:
        frame.show_wanted.connect(lambda ids: self.window.views.show_artifacts(ids))
        frame.run_wanted.connect(self.show_run)
        frame.again_wanted.connect(self.again)
        frame.resume_wanted.connect(self.resume)
        return frame

    def inspect_selected(self) -> None:
        for run_id in self._selected_runs()[:1]:
            self.inspect(run_id)

    def again(self, run_id: str) -> None:
        """Open the method with the inputs, settings and seed of a run."""
        record = self.bench.project.runs.get(run_id)
        if record is None:
            return
        try:
            request = self.bench.request_of(record)
        except UserError as error:
            self.bench.fail(error)
            return
        self.window.show_panel("method")
        self.window.method_panel.open_request(request)

    def run_again(self) -> None:
        for run_id in self._selected_runs()[:1]:
            self.again(run_id)

    def resume(self, run_id: str) -> None:
        """Go on with a run; the job that ended makes room on the list for the one that goes on."""
        earlier = self.bench.job_of(run_id)

        def done(job: Job) -> None:
            if earlier is not None:
                self.bench.queue.remove(earlier)
            for box in self.window.notices.boxes():  # "was cancelled, Resume" is answered
                if box.note.text.startswith(f"{job.title} "):
                    box.dismiss()
            self.started(job.id)

        self.bench.resume(run_id, done)

    def resume_selected(self) -> None:
        for run_id in self._selected_runs()[:1]:
            self.resume(run_id)

    def compare(self, run_ids: Sequence[str]) -> None:
        from app.window.compare_frame import CompareFrame

        self.window.show_workspace()
        self.window.views.open(CompareFrame(self.bench, list(run_ids)[:MOST_COMPARED]))

    def compare_selected(self) -> None:
        """Compare the selected runs, or the last two."""
        chosen = self.window.project_panel.selected_runs()
        if len(chosen) < 2:
            ended = [r.id for r in self.bench.project.runs.values() if r.status == "finished" and r.id not in chosen]
            chosen = [*ended, *chosen][-2:]
        if len(chosen) >= 2:
            self.compare(chosen)
        else:
            self.bench.notice(Note("Select two runs or more to compare them."))

    # --- telling of results ---

    def _project_changed(self, kind: str, ids: Any) -> None:
        if kind not in ("runs", "artifacts"):
            return
        runs = self.bench.project.runs
        for job in self.bench.queue.jobs:
            record = runs.get(job.run_id)
            if record is None or record.status not in ENDED or not job.ended or (job.id, record.status) in self._told:
                continue
            if record.status == "finished" and not record.outputs:
                continue
            self._told.add((job.id, record.status))
            self._tell(record)

    def _tell(self, record: RunRecord) -> None:
        if record.status == "finished":
            results = count_text(len(record.outputs), "result")
            text = f"{record.title} finished in {duration_text(record.seconds)}"
            self.bench.notice(
                Note(text, "good", "Show", lambda: self._show_results(record.id), f"{results} in the project.")
            )
        elif record.status == "failed":
            first = record.error.strip().splitlines()[-1] if record.error else ""
            job = self.bench.job_of(record.id)
            what = job.user_error.what if job is not None and job.user_error is not None else first
            self.bench.notice(Note(f"{record.title} failed", "bad", "Why?", lambda: self.inspect(record.id), what))
        elif record.status == "cancelled":
            act = (lambda: self.resume(record.id)) if record.has_checkpoint else None
            self.bench.notice(Note(f"{record.title} was cancelled", "info", "Resume" if act else "", act))

    def _show_results(self, run_id: str) -> None:
        record = self.bench.project.runs.get(run_id)
        if record is None:
            return
        self.window.project_panel.select(list(record.outputs.values()))
        method = self.bench.method(record.method)
        if method is not None and method.role in ("source", "preparation"):
            self.window.view_acts.show_artifacts(list(record.outputs.values())[:1])
        else:
            self.show_run(run_id)

    # --- waiting for the catalog ---

    def when_methods_are_there(self, act: Callable[[], object]) -> None:
        if self.bench.catalog is not None:
            act()
        else:
            self._waiting.append(act)

    def _methods_arrived(self) -> None:
        waiting, self._waiting = self._waiting, []
        for act in waiting:
            QTimer.singleShot(0, act)

    # --- pictures ---

    def save_picture(self) -> None:
        frame = self.window.views.current
        viewers = frame.viewers() if frame is not None else []
        if not viewers:
            return
        from app.viewers.capture_dialog import CaptureDialog

        dialog = CaptureDialog(viewers[0], self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()
