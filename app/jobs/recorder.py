"""Keeps a project up to date with its queue: records, curves, checkpoints and outputs of its runs. No Qt."""

from __future__ import annotations

import contextlib
import logging
import queue as queues
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal

from app.jobs.command import command_of
from app.jobs.job import ENDED, Job, JobEvent, JobSpec, StatusChanged, Submitted
from app.jobs.queue import JobQueue
from app.project import LogLine, Project, RunRecord
from app.project.records import now
from engines.core import ELAPSED, Artifact, Checkpointed, Logged, Method, Noted, UserError, versions
from engines.data import Curve, Table

log = logging.getLogger("fieldwright.jobs")
CURVES_SECONDS = 0.5


class Recorder:
    """Writes to the project from a thread of its own, so that no run waits for the disk.

    ``problem`` is told when something could not be recorded (default: the log). A run that was cancelled
    or failed keeps its curves, its checkpoint and, as results, the latest preview.
    """

    def __init__(
        self, project: Project, queue: JobQueue, problem: Callable[[BaseException], None] | None = None
    ) -> None:
        self.project, self.queue = project, queue
        self._problem = problem or (lambda error: log.error("a run could not be recorded", exc_info=error))
        self._work: queues.SimpleQueue[tuple[Job, JobEvent] | threading.Event | None] = queues.SimpleQueue()
        self._rows: dict[str, list[tuple[int, Mapping[str, float]]]] = {}
        self._checkpoints: dict[str, Job] = {}
        self._earlier: dict[str, tuple[LogLine, ...]] = {}
        self._unsubscribe = queue.subscribe(self._take)
        self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)
        self._thread.start()

    def flush(self, timeout: float = 60.0) -> bool:
        """Wait until everything told so far is in the project. False when it took too long."""
        done = threading.Event()
        self._work.put(done)
        return done.wait(timeout) if self._thread.is_alive() else True

    def close(self) -> None:
        """Record what was told so far, then listen no longer. Shut the queue down first."""
        self._unsubscribe()
        self._work.put(None)
        self._thread.join(60.0)

    def _take(self, job: Job, event: JobEvent) -> None:
        if isinstance(event, (Submitted, StatusChanged, Logged, Noted, Checkpointed)):
            self._work.put((job, event))

    def _record(self) -> None:
        flushed = time.monotonic()
        while True:
            item: tuple[Job, JobEvent] | threading.Event | None
            try:
                item = self._work.get(timeout=CURVES_SECONDS if self._rows or self._checkpoints else None)
            except queues.Empty:
                item = threading.Event()
            ending = isinstance(item, tuple) and isinstance(item[1], StatusChanged) and item[1].status in ENDED
            try:
                if isinstance(item, tuple):
                    self._note(*item)
                if not isinstance(item, tuple) or ending or time.monotonic() - flushed >= CURVES_SECONDS:
                    self._write_pending()
                    flushed = time.monotonic()
                if isinstance(item, tuple):
                    job, event = item
                    if isinstance(event, (Submitted, StatusChanged)):
                        self._write_run(job, event)
            except Exception as error:
                self._problem(error)
            if isinstance(item, threading.Event):
                item.set()
            if item is None:
                return

    def _note(self, job: Job, event: JobEvent) -> None:
        if isinstance(event, Logged):
            values = {**event.values, ELAPSED: event.seconds + job.spec.seconds}
            self._rows.setdefault(job.run_id, []).append((event.step, values))
        elif isinstance(event, Checkpointed):
            self._checkpoints[job.run_id] = job  # only the latest one counts

    def _write_pending(self) -> None:
        rows, self._rows = self._rows, {}
        checkpoints, self._checkpoints = self._checkpoints, {}
        for run_id, points in rows.items():
            if run_id in self.project.runs:  # the user may have removed it meanwhile
                self.project.add_curve_points(run_id, points)
        for run_id, job in checkpoints.items():
            if run_id in self.project.runs and job.checkpoint is not None:
                self.project.put_checkpoint(run_id, job.checkpoint)

    def _write_run(self, job: Job, event: Submitted | StatusChanged) -> None:
        if isinstance(event, Submitted):
            resumed = job.run_id in self.project.runs
            self.project.put_run(self._begun(job))
            if resumed:
                self.project.rewind_curves(job.run_id, job.spec.checkpoint.step if job.spec.checkpoint else 0)
            return
        record = self.project.runs.get(job.run_id)
        if record is None or record.status in ENDED:  # removed meanwhile, or an order that was too late
            return
        new = tuple(LogLine(line.level, line.text, line.seconds) for line in job.log)
        record = record.replace(
            status=event.status,
            device=job.device or record.device,
            started=record.started or (now() if event.status == "running" else ""),
            seconds=job.seconds,
            log=(*self._earlier.get(job.id, ()), *new),
            error=job.error,
        )
        if event.status not in ENDED:
            self.project.put_run(self._with_command(record))
            return
        self._earlier.pop(job.id, None)
        if event.status == "finished":
            self._finish(record, job.outputs or {}, self._role(job))
        else:
            self._finish(record, job.latest_preview or {}, "result")

    def _finish(self, record: RunRecord, outputs: Mapping[str, Artifact], role: Literal["dataset", "result"]) -> None:
        """End a run. What it gives replaces the previews that are left of the part before it was resumed."""
        earlier = dict(record.outputs) if outputs or record.status == "finished" else {}
        if earlier:
            self.project.put_run(record.replace(status="running", outputs={}))
        self.project.finish_run(record.replace(outputs={}) if earlier else record, outputs, role=role)
        entries = self.project.entries
        # One with a star was meant to be kept. The others go last, so that a crash in between costs nothing.
        self.project.remove(i for i in earlier.values() if i in entries and not entries[i].starred)

    def _role(self, job: Job) -> Literal["dataset", "result"]:
        """Sources and preparations give datasets; what measures (a table, a curve) gives results."""
        method = self.queue.find(job.spec.method)
        measures = any(issubclass(spec.type, (Table, Curve)) for spec in method.outputs)
        return "dataset" if method.role in ("source", "preparation") and not measures else "result"

    def _begun(self, job: Job) -> RunRecord:
        """The record of a run that was just queued; that of a resumed run goes on."""
        spec, earlier = job.spec, self.project.runs.get(job.run_id)
        inputs = {name: spec.input_ids.get(name) or self._place(spec.inputs[name]) for name in spec.inputs}
        entries = self.project.entries
        record = RunRecord(
            id=job.run_id,
            method=spec.method,
            title=job.title,
            seed=spec.seed,
            device=spec.device,
            versions=versions() | ({"threads": str(self.queue.threads)} if self.queue.threads else {}),
            params=spec.params.model_dump(mode="json"),
            preset=spec.preset,
            inputs=inputs,
            input_hashes={name: entries[i].hash for name, i in inputs.items() if i in entries},
            seconds=spec.seconds,
        )
        if earlier is not None:
            self._earlier[job.id] = earlier.log
            record = record.replace(
                started=earlier.started, note=earlier.note, log=earlier.log, outputs=earlier.outputs
            )
        return self._with_command(record)

    def _with_command(self, record: RunRecord) -> RunRecord:
        with contextlib.suppress(UserError):  # of an unknown method: the job fails with the same words in a moment
            record = record.replace(command=command_of(record, self.project, self.queue.find(record.method)))
        return record

    def _place(self, artifact: Artifact) -> str:
        """The project's id of an input; it is added when the project does not hold it yet."""
        digest = artifact.content_hash()
        known = (e.id for e in self.project.entries.values() if e.hash == digest and e.type == type(artifact).__name__)
        return next(known, "") or self.project.add(artifact).id


def resume_spec(project: Project, run_id: str, find: Callable[[str], Method], *, isolated: bool = False) -> JobSpec:
    """The job that goes on with a run from its last checkpoint, on the same device.

    Raises UserError when there is no such run or checkpoint, or when an input is gone or was changed.
    """
    record = project.runs.get(run_id)
    if record is None:
        raise UserError(f"There is no run '{run_id}'.", mend="List the project's runs with: fieldwright info.")
    if record.status == "finished":
        raise UserError(f"'{record.title}' is finished.", mend="Start a new run instead.")
    checkpoint = project.checkpoint(run_id)
    if checkpoint is None:
        raise UserError(
            f"'{record.title}' has no checkpoint.", "It ended before the first one was made.", "Start it again."
        )
    method = find(record.method)
    for name, artifact_id in record.inputs.items():
        entry = project.entries.get(artifact_id)
        if entry is None:
            raise UserError(f"The input '{name}' of '{record.title}' was removed.", mend="Undo its removal.")
        if record.input_hashes.get(name, entry.hash) != entry.hash:
            raise UserError(f"The input '{name}' of '{record.title}' has changed.", mend="Start a new run instead.")
    return JobSpec(
        method=record.method,
        inputs={name: project.artifact(i) for name, i in record.inputs.items()},
        params=method.params.parse(record.params),
        seed=record.seed,
        device=record.device,
        checkpoint=checkpoint,
        isolated=isolated,
        title=record.title,
        preset=record.preset,
        input_ids=record.inputs,
        run_id=run_id,
        curves=project.curves(run_id),
        seconds=record.seconds,
    )
