"""The queue: one running job per device, in the order the user wants."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable

from app.jobs.execute import Outcome, Work, failed
from app.jobs.job import Job, JobEvent, JobSpec, Removed, Reordered, Submitted
from app.jobs.processes import ProcessRunner
from app.jobs.threads import Handle, Runner, ThreadRunner
from engines.core import Event, Method, UserError, catalog, resolve

Callback = Callable[[Job, JobEvent], None]
log = logging.getLogger("fieldwright.jobs")


class JobQueue:
    """Takes jobs and runs them, one per device at a time.

    ``find`` gives a method by its key (default: the catalog). ``threads`` limits torch on the CPU; by default
    one core is left to the window. ``nice`` > 0 gives the window's thread the right of way (Linux).
    """

    def __init__(
        self,
        find: Callable[[str], Method] | None = None,
        *,
        threads: int | None = None,
        nice: int = 0,
        runner: Runner | None = None,
        isolated_runner: Runner | None = None,
    ) -> None:
        self.threads = threads
        self.find = find or (lambda key: catalog().get(key))
        self._runner: Runner = runner or ThreadRunner(nice)
        self._isolated: Runner = isolated_runner or ProcessRunner()
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._jobs: list[Job] = []
        self._busy: dict[str, Job] = {}
        self._untold: set[str] = set()  # a job starts only after all subscribers know of it
        self._handles: dict[str, Handle] = {}
        self._callbacks: list[Callback] = []
        self._dispatcher: threading.Thread | None = None
        self._closing = False

    @property
    def jobs(self) -> list[Job]:
        """All jobs that were not removed, in order; queued ones start from the front."""
        with self._lock:
            return list(self._jobs)

    def job(self, job_id: str) -> Job | None:
        return next((job for job in self.jobs if job.id == job_id), None)

    def submit(self, spec: JobSpec) -> Job:
        """Queue a job. Returns at once; imports nothing heavy on the calling thread."""
        with self._lock:
            if self._closing:
                raise RuntimeError("the queue is shut down")
            job = Job(spec, self._tell, self._lock)
            self._jobs.append(job)
            self._untold.add(job.id)
        self._tell(job, Submitted())
        with self._changed:
            self._untold.discard(job.id)
            if self._dispatcher is None:
                self._dispatcher = threading.Thread(target=self._dispatch, name="job queue", daemon=True)
                self._dispatcher.start()
            self._changed.notify_all()
        return job

    def move(self, job: Job, index: int) -> None:
        """Put a job at ``index`` of :attr:`jobs`; queued jobs start in that order."""
        with self._changed:
            if job not in self._jobs:
                return
            self._jobs.remove(job)
            self._jobs.insert(max(0, index), job)
            self._changed.notify_all()
        self._tell(job, Reordered())

    def remove(self, job: Job) -> None:
        """Take an ended job off the list."""
        with self._lock:
            if job not in self._jobs or not job.ended:
                return
            self._jobs.remove(job)
        self._tell(job, Removed())

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """``callback(job, event)`` comes on worker threads and must return at once. Returns the way out."""
        with self._lock:
            self._callbacks.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

        return unsubscribe

    def shutdown(self, timeout: float = 5.0) -> list[Job]:
        """Cancel everything and wait; isolated jobs that linger are killed. Returns jobs that still run."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for job in self.jobs:
            job.cancel()
        until = time.monotonic() + timeout
        for job in self.jobs:
            if not job.wait(max(0.0, until - time.monotonic())):
                job.kill()
                job.wait(1.0)
        with self._lock:
            handles = list(self._handles.values())
        for handle in handles:
            handle.join(0.5)
        if self._dispatcher is not None:
            self._dispatcher.join(0.5)
        return [job for job in self.jobs if not job.ended]

    def _tell(self, job: Job, event: JobEvent) -> None:
        with self._changed:
            callbacks = list(self._callbacks)
            if not isinstance(event, Event):
                self._changed.notify_all()
        for callback in callbacks:
            try:
                callback(job, event)
            except Exception:  # a subscriber's bug must not fail the run
                log.exception("a subscriber of the job queue failed")

    def _dispatch(self) -> None:
        devices: dict[str, str] = {}
        while True:
            with self._changed:
                job = self._next(devices)
                while job is None and not self._closing:
                    self._changed.wait()
                    job = self._next(devices)
                if self._closing or job is None:
                    return
            wanted = job.spec.device
            try:
                if wanted not in devices:
                    devices[wanted] = resolve(wanted)  # imports torch: here, not on the caller's thread
                    continue
                self._start(job, self.find(job.spec.method), devices[wanted])
            except UserError as error:
                job.end(failed(error))
            except Exception:
                job.end(Outcome("failed", error=traceback.format_exc()))

    def _next(self, devices: dict[str, str]) -> Job | None:
        """The first queued job whose device is free or not yet known."""
        return next(
            (
                j
                for j in self._jobs
                if j.status == "queued" and j.id not in self._untold and devices.get(j.spec.device) not in self._busy
            ),
            None,
        )

    def _start(self, job: Job, method: Method, device: str) -> None:
        spec = job.spec
        work = Work(
            spec.method,
            method.module,
            spec.inputs,
            spec.params,
            spec.seed,
            device,
            spec.checkpoint,
            self.threads,
        )
        if not job.begin(device):
            return
        with self._lock:
            self._busy[device] = job

        def done(outcome: Outcome) -> None:
            job.end(outcome)
            with self._changed:
                self._busy.pop(device, None)
                self._handles.pop(job.id, None)
                self._changed.notify_all()

        runner = self._isolated if spec.isolated else self._runner
        try:
            handle = runner.start(method, work, job, job.control, done)
        except Exception:
            done(Outcome("failed", error=traceback.format_exc()))
            return
        with self._lock:
            if job.id in {busy.id for busy in self._busy.values()}:
                self._handles[job.id] = handle
        job.started_as(handle.kill)
