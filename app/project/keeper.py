"""Keeps a project's journal: edits on a thread of its own, what runs produce at once, curves every second."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.project.journal import Journal, Record
from engines.core import UserError

CURVES_SECONDS = 1.0


class Keeper:
    """``pending`` gives the records of what changed little by little (curves); ``settle`` is told where a record lies;
    ``problem`` is told why the journal cannot be written, and "" when it can again."""

    def __init__(
        self,
        pending: Callable[[], list[Record]],
        settle: Callable[[Record, Path], None],
        problem: Callable[[str], None],
        journal: Journal | None = None,
    ) -> None:
        self._pending, self._settle, self._problem = pending, settle, problem
        self.journal = journal
        self.project: Path | None = None
        self._queue: queue.SimpleQueue[Record | threading.Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wanted = self._closed = False
        self._last = 0.0
        self._cleared = 0

    def put(self, record: Record) -> None:
        """Write a record soon; returns at once."""
        self._queue.put(record)
        self._wake()

    def put_now(self, record: Record) -> None:
        """Write a record; on return it is on disk (or ``problem`` was told)."""
        self._write(record)

    def curves_changed(self) -> None:
        self._wanted = True
        self._wake()

    def flush(self) -> None:
        """Return when all that was put is on disk."""
        if self._closed:
            return
        done = threading.Event()
        self._queue.put(done)
        self._wake()
        done.wait()

    def clear(self, seq: int) -> None:
        with self._lock:
            self._cleared, journal = max(self._cleared, seq), self.journal
        if journal is not None:
            journal.clear(seq)

    def moved(self, project: Path) -> None:
        """The project now lies elsewhere; an empty session starts anew beside it, a full one only says so."""
        with self._lock:
            self.project, journal = project, self.journal
            if journal is not None and not journal.records():
                self.journal = None
        if journal is not None and self.journal is None:
            journal.close()
        elif journal is not None:
            journal.point_to(project)

    def close(self, keep: bool) -> None:
        """End the thread; remove the session unless it is to be kept."""
        if keep:
            self.flush()
        self._closed = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        if self.journal is not None:
            self.journal.leave() if keep else self.journal.close()

    def ready(self) -> Journal | None:
        """The session, begun when first needed; None (and ``problem`` told) when it cannot be."""
        with self._lock:
            if self.journal is None and not self._closed:
                try:
                    self.journal = Journal.start(self.project)
                    self.journal.clear(self._cleared)
                except OSError as error:
                    self._problem(f"Unsaved work cannot be kept safe: {error.strerror or error}.")
            return self.journal

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._work, name="fieldwright-journal", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                item = self._queue.get(timeout=0.1 if self._closed else CURVES_SECONDS / 4)
            except queue.Empty:
                with self._lock:
                    if self._closed or (not self._wanted and self._queue.empty()):
                        self._thread = None
                        return
                item = None
            if isinstance(item, Record) and not self._closed:
                self._write(item)
            overdue = time.monotonic() - self._last >= CURVES_SECONDS
            if self._wanted and not self._closed and (overdue or isinstance(item, threading.Event)):
                self._wanted = False
                for record in self._pending():
                    self._write(record)
                self._last = time.monotonic()
            if isinstance(item, threading.Event):
                item.set()

    def _write(self, record: Record) -> None:
        journal = self.ready()
        if journal is None or self._closed:
            return
        try:
            journal.write(record, lambda path: self._settle(record, path))
        except OSError as error:
            self._problem(f"Unsaved work cannot be kept safe: {error.strerror or error}.")
        except UserError as error:
            self._problem(f"Unsaved work cannot be kept safe: {error}")
        else:
            self._problem("")
