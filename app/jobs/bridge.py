"""Brings the queue's events to the GUI thread, at most twenty times a second. The only file here that knows Qt."""

from __future__ import annotations

import threading

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.jobs.job import ENDED, Job, JobEvent, Removed, Reordered, StatusChanged, Submitted
from app.jobs.queue import JobQueue
from engines.core import Previewed

INTERVAL_MS = 50


class JobBridge(QObject):
    """Signals about jobs, by id; look the job up with :meth:`job`. Lives on the GUI thread.

    A burst of events becomes one ``changed`` per job and interval. ``previewed`` says that
    ``job.latest_preview`` is new, ``finished`` that the job ended (finished, cancelled or failed; told once),
    and ``queue_changed`` that jobs were added, moved or removed. Call :meth:`close` before the queue goes away.
    """

    changed = Signal(str)
    previewed = Signal(str)
    finished = Signal(str)
    queue_changed = Signal()
    _woken = Signal()

    def __init__(self, queue: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.queue = queue
        self._lock = threading.Lock()
        self._changed: dict[str, None] = {}
        self._previewed: dict[str, None] = {}
        self._finished: dict[str, None] = {}
        self._reordered = self._awake = False
        self._timer = QTimer(self, singleShot=True, interval=INTERVAL_MS)
        self._timer.timeout.connect(self._flush)
        self._woken.connect(self._wake, Qt.ConnectionType.QueuedConnection)
        self._unsubscribe = queue.subscribe(self._take)

    def job(self, job_id: str) -> Job | None:
        return self.queue.job(job_id)

    def close(self) -> None:
        """Listen no longer. What waits is dropped."""
        self._unsubscribe()
        self._timer.stop()

    def _take(self, job: Job, event: JobEvent) -> None:
        """On worker threads."""
        with self._lock:
            if isinstance(event, (Submitted, Reordered, Removed)):
                self._reordered = True
            else:
                self._changed[job.id] = None
            if isinstance(event, Previewed):
                self._previewed[job.id] = None
            if isinstance(event, StatusChanged) and event.status in ENDED:
                self._finished[job.id] = None
            if self._awake:
                return
            self._awake = True
        self._woken.emit()

    def _wake(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _flush(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, {}
            previewed, self._previewed = self._previewed, {}
            finished, self._finished = self._finished, {}
            reordered, self._reordered = self._reordered, False
            self._awake = False
        if reordered:
            self.queue_changed.emit()
        for job_id in changed:
            self.changed.emit(job_id)
        for job_id in previewed:
            self.previewed.emit(job_id)
        for job_id in finished:
            self.finished.emit(job_id)
