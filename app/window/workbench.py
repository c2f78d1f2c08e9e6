"""What the window works on: the project, its queue of jobs, and the catalog. No widgets.

All of it is used on the GUI thread; whatever touches files or engines goes to the background.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from app.background import Task, run_in_background
from app.jobs import Job, JobQueue, JobSpec
from app.jobs.at_once import carry_out, edited_name
from app.jobs.bridge import JobBridge
from app.jobs.recorder import Recorder, resume_spec
from app.project import Entry, Project, RunRecord
from app.project.ownership import short_name
from app.settings import settings
from app.window.requests import Current, Estimate, Note, Request
from engines.core import Artifact, Catalog, Method, Params, UserError

log = logging.getLogger("fieldwright.window")


class Workbench(QObject):
    project_replaced = Signal()
    project_changed = Signal(str, object)
    """Kind of change and ids; always on the GUI thread."""
    catalog_loaded = Signal()
    noticed = Signal(object)
    saving = Signal(float, str)
    saved = Signal()
    current_changed = Signal()
    undo_changed = Signal()
    """Of what a view can undo by itself."""
    edit_wanted = Signal(str)
    """Id of an artifact that is to be edited in a view of its own."""
    _told = Signal(object, str, object)

    def __init__(self, project: Project | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.catalog: Catalog | None = None
        self._closing: list[threading.Event] = []
        self._saving: list[threading.Event] = []
        self.current = Current()
        self._told.connect(self._relay, Qt.ConnectionType.QueuedConnection)
        self._unsubscribe: Callable[[], None] = lambda: None
        self.project: Project
        self.queue: JobQueue
        self.bridge: JobBridge
        self.recorder: Recorder
        self._attach(project or Project.new())

    # --- the project ---

    def _attach(self, project: Project) -> None:
        self.project = project
        self.queue = JobQueue(threads=settings().get("threads") or None, nice=5)
        self.bridge = JobBridge(self.queue, self)
        self.recorder = Recorder(project, self.queue)
        self._unsubscribe = project.subscribe(
            lambda change, project=project: self._told.emit(project, change.kind, change.ids)
        )

    def _detach(self) -> None:
        """Let go of the project; its jobs are cancelled and it is closed in the background."""
        project, queue, recorder = self.project, self.queue, self.recorder
        self._unsubscribe()
        self.bridge.close()
        self.bridge.deleteLater()

        closed = threading.Event()
        self._closing = [e for e in self._closing if not e.is_set()] + [closed]

        def wind_up() -> None:
            try:
                queue.shutdown(timeout=5.0)
                recorder.close()
                project.close()
            finally:
                closed.set()

        run_in_background(wind_up, failed=lambda error: log.error("closing a project failed", exc_info=error))

    def replace(self, project: Project) -> None:
        """Work on another project from now on."""
        self._detach()
        self._attach(project)
        if project.path is not None:
            settings().add_recent(project.path)
        self.project_replaced.emit()

    def shut_down(self) -> None:
        self._detach()

    def _relay(self, project: Project, kind: str, ids: Any) -> None:
        if project is self.project:
            self.project_changed.emit(kind, ids)

    def open(
        self,
        path: str | Path,
        done: Callable[[], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> Task:
        """Open a file in the background, after what is being closed has let go of it."""

        where = Path(path).absolute()
        unwanted = failed or self.fail

        def opened(project: Project) -> None:
            self.replace(project)
            if done is not None:
                done()

        def saved(_: Any) -> None:
            if self.project.path == where:
                self.replace(Project.new())  # it holds the lock of the file that is opened again
            closing = list(self._closing)

            def work() -> Project:
                _wait_for(closing)
                return Project.open(where)

            run_in_background(work, done=opened, failed=unwanted, owner=self)

        return run_in_background(_wait_for, list(self._saving), done=saved, failed=unwanted, owner=self)

    def save(self, path: str | Path | None = None, done: Callable[[], None] | None = None) -> None:
        """Save in the background; ``saving`` tells of progress and ``saved`` of the end."""
        target = Path(path) if path is not None else None

        def finished(_: Any = None) -> None:
            if self.project.path is not None:
                settings().add_recent(self.project.path)
            self.saved.emit()
            if done is not None:
                done()

        def failed(error: BaseException) -> None:
            self.saving.emit(1.0, "")
            self.fail(error)

        self.saving.emit(0.0, "Saving")
        project = self.project
        ended = threading.Event()
        self._saving = [e for e in self._saving if not e.is_set()] + [ended]

        def work(progress: Callable[[float, str], None]) -> None:
            try:
                project.save(target, progress=progress)
            finally:
                ended.set()

        run_in_background(
            work,
            done=finished,
            failed=failed,
            progress=self.saving.emit,
            owner=self,
        )

    # --- what is in it ---

    def entry(self, entry_id: str) -> Entry | None:
        return self.project.entries.get(entry_id)

    def load(
        self,
        ids: Iterable[str],
        done: Callable[[dict[str, Artifact]], None],
        failed: Callable[[BaseException], None] | None = None,
        owner: QObject | None = None,
    ) -> Task:
        """Read artifacts off the GUI thread."""
        project, wanted = self.project, list(ids)
        return run_in_background(
            lambda: {i: project.artifact(i) for i in wanted},
            done=done,
            failed=failed or self.fail,
            owner=owner or self,
        )

    def add(
        self, artifacts: Iterable[Artifact], *, origin: str = "", done: Callable[[list[Entry]], None] | None = None
    ) -> None:
        """Add datasets; hashing and journaling happen in the background."""
        project, given = self.project, list(artifacts)

        def work() -> list[Entry]:
            return [project.add(a, origin=origin) for a in given]

        run_in_background(work, done=done, failed=self.fail, owner=self)

    def edit(
        self, entry_id: str, params: Params, done: Callable[[Entry], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Make an edited version of an artifact by the method that takes it with such params; the artifact stays."""
        project, entry = self.project, self.entry(entry_id)
        kind = Artifact.registry.get(entry.type) if entry is not None else None
        able = [m for m in self.catalog or () if kind is not None and type(params) is m.params and m.accepts(kind)]
        if entry is None or kind is None or not able:
            failed(UserError("This cannot be edited.", "It is no longer in the project, or no method is known for it."))
            return
        method, before = able[0], entry
        inputs = {str(method.accepts(kind)): entry_id}
        title = self._run_title(method)

        def work() -> Entry:
            name = edited_name(before.name, (e.name for e in project.entries.values()))
            return carry_out(
                project, method, inputs, params, title=title, name=name, label=f"Edit {short_name(before.name)}"
            )[0]

        run_in_background(work, done=done, failed=failed, owner=self)

    def stale_reason(self, entry: Entry) -> str:
        """Why a result is out of date, or ""."""
        run = self.project.runs.get(entry.run or "")
        if entry.role != "result" or run is None:
            return ""
        for input_name, input_id in run.inputs.items():
            given = self.entry(input_id)
            if given is None:
                return f"Its input '{input_name}' was removed from the project."
            if run.input_hashes.get(input_name) not in (None, given.hash):
                return f"Its input '{input_name}' has changed since."
        now = self.current
        if now.method != run.method or dict(now.input_ids) != dict(run.inputs) or not now.params:
            return ""
        same = [r for r in self.project.runs.values() if r.method == run.method and dict(r.inputs) == dict(run.inputs)]
        if same and same[-1].id == run.id and dict(run.params) != dict(now.params):
            return "It was made with other settings than the form shows now."
        return ""

    def set_current(self, current: Current) -> None:
        if current != self.current:
            self.current = current
            self.current_changed.emit()

    # --- methods ---

    def load_catalog(self) -> Task:
        """Import torch, the methods and the file formats behind the window."""

        def work() -> Catalog:
            import engines.files  # noqa: F401 - so that the first import dialog opens at once
            from engines.core import catalog

            return catalog()

        def done(found: Catalog) -> None:
            self.catalog = found
            for broken in found.broken:
                log.warning("the method module %s could not be loaded:\n%s", broken.name, broken.report)
            self.catalog_loaded.emit()

        return run_in_background(work, done=done, failed=self.fail, owner=self)

    def method(self, key: str) -> Method | None:
        return self.catalog.get(key) if self.catalog is not None and key in self.catalog else None

    def method_title(self, key: str) -> str:
        found = self.method(key)
        return found.title if found is not None else key

    def estimate(self, request: Request, done: Callable[[Estimate], None], owner: QObject) -> Task:
        """Memory and refusal of a request, computed in the background."""
        project = self.project

        def work() -> Estimate:
            inputs = {name: project.artifact(i) for name, i in request.input_ids.items()}
            memory = request.method.memory
            need: int | None = None
            try:
                need = memory(inputs, request.params) if memory is not None else None
                request.method.check(inputs, request.params)
            except UserError as error:
                return Estimate(need, error)
            return Estimate(need)

        def failed(error: BaseException) -> None:
            problem = error if isinstance(error, UserError) else UserError("This cannot be estimated.", str(error))
            done(Estimate(None, problem))

        return run_in_background(work, done=done, failed=failed, owner=owner)

    def start(
        self,
        request: Request,
        done: Callable[[Job], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Load the inputs, check them, and queue the job."""
        project, queue = self.project, self.queue

        def work() -> JobSpec:
            inputs = {name: project.artifact(i) for name, i in request.input_ids.items()}
            request.method.check(inputs, request.params)
            return JobSpec(
                method=request.method.key,
                inputs=inputs,
                params=request.params,
                seed=request.seed,
                device=request.device,
                isolated=request.isolated,
                title=self._run_title(request.method),
                preset=request.preset,
                input_ids=dict(request.input_ids),
            )

        self._submit(work, queue, done, failed)

    def resume(self, run_id: str, done: Callable[[Job], None] | None = None) -> None:
        """Go on with a run from its last checkpoint."""
        project, queue = self.project, self.queue
        isolated = settings().get("isolated")
        self._submit(lambda: resume_spec(project, run_id, queue.find, isolated=isolated), queue, done, None)

    def _submit(
        self,
        work: Callable[[], JobSpec],
        queue: JobQueue,
        done: Callable[[Job], None] | None,
        failed: Callable[[BaseException], None] | None,
    ) -> None:
        def ready(spec: JobSpec) -> None:
            if queue is not self.queue:
                return
            job = queue.submit(spec)
            if done is not None:
                done(job)

        run_in_background(work, done=ready, failed=failed or self.fail, owner=self)

    def _run_title(self, method: Method) -> str:
        taken = {r.title for r in self.project.runs.values()} | {j.title for j in self.queue.jobs}
        number = 1
        while f"{method.title} {number}" in taken:
            number += 1
        return f"{method.title} {number}"

    def request_of(self, record: RunRecord) -> Request:
        """The request that would repeat a run. Raises :class:`UserError` when that cannot be."""
        method = self.method(record.method)
        if method is None:
            raise UserError(
                f"The method '{record.method}' is not installed here.", mend="Install the package that brings it."
            )
        missing = [name for name, i in record.inputs.items() if self.entry(i) is None]
        if missing:
            raise UserError(
                f"The input '{missing[0]}' of this run is no longer in the project.", mend="Undo its removal."
            )
        return Request(
            method=method,
            input_ids=dict(record.inputs),
            params=method.params.parse(record.params),
            seed=record.seed,
            device=record.device or "auto",
            preset=record.preset,
        )

    def job_of(self, run_id: str) -> Job | None:
        """The latest job of a run in this session."""
        return next((j for j in reversed(self.queue.jobs) if j.run_id == run_id), None)

    # --- telling ---

    def notice(self, note: Note) -> None:
        self.noticed.emit(note)

    def fail(self, error: BaseException) -> None:
        """Show what the user can mend; hand bugs to the crash dialog."""
        if isinstance(error, UserError):
            detail = " ".join(part for part in (error.why, error.mend) if part)
            self.notice(Note(error.what, "bad", detail=detail))
        else:
            import sys

            sys.excepthook(type(error), error, error.__traceback__)


def _wait_for(events: Iterable[threading.Event]) -> None:
    for event in events:
        event.wait(10.0)
