"""Work off the GUI thread whose answers come back on it.

No engine call and no file access runs on the GUI thread: it goes through :func:`run_in_background`.
"""

from __future__ import annotations

import inspect
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QThreadPool, Signal
from shiboken6 import isValid

log = logging.getLogger(__name__)

_pool: QThreadPool | None = None
_running: set[Task] = set()


class Task(QObject):
    """A piece of work under way. Its callbacks are called on the GUI thread, and not after :meth:`cancel`."""

    _progressed = Signal(float, str)
    _ended = Signal(object, object)  # result, exception

    def __init__(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[BaseException], None] | None,
        progress: Callable[[float, str], None] | None,
        owner: QObject | None,
    ) -> None:
        super().__init__()
        self._work, self._done, self._failed, self._progress, self._owner = work, done, failed, progress, owner
        self._cancel = threading.Event()
        self._last_report = 0.0
        self._progressed.connect(self._on_progress, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_end, Qt.ConnectionType.QueuedConnection)

    @property
    def cancelled(self) -> bool:
        return self._cancel.is_set()

    def cancel(self) -> None:
        """Drop the answer; work that looks at ``cancelled`` stops early."""
        self._cancel.set()

    def report(self, fraction: float, text: str = "") -> None:
        """Progress from the worker thread; at most 20 reports a second reach the window."""
        now = time.monotonic()
        if now - self._last_report >= 0.05 or fraction >= 1.0:
            self._last_report = now
            self._progressed.emit(float(fraction), str(text))

    def _run(self) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            if not self.cancelled:
                result = self._work()
        except BaseException as raised:
            error = raised
        try:
            self._ended.emit(result, error)
        except RuntimeError:  # the application is gone
            _running.discard(self)

    def _wanted(self) -> bool:
        return not self.cancelled and (self._owner is None or isValid(self._owner))

    def _on_progress(self, fraction: float, text: str) -> None:
        if self._progress is not None and self._wanted():
            self._progress(fraction, text)

    def _on_end(self, result: Any, error: BaseException | None) -> None:
        _running.discard(self)
        work_done, work_failed = self._done, self._failed
        wanted = self._wanted()
        self._work = self._done = self._failed = self._progress = None  # type: ignore[assignment]
        if not wanted:
            if error is not None:
                log.info("dropped the error of a cancelled task: %r", error)
        elif error is None:
            if work_done is not None:
                work_done(result)
        elif work_failed is not None:
            work_failed(error)
        else:
            sys.excepthook(type(error), error, error.__traceback__)


def run_in_background(
    function: Callable[..., Any],
    *args: Any,
    done: Callable[[Any], None] | None = None,
    failed: Callable[[BaseException], None] | None = None,
    progress: Callable[[float, str], None] | None = None,
    owner: QObject | None = None,
    **kwargs: Any,
) -> Task:
    """Run ``function(*args, **kwargs)`` on a worker thread; ``done(result)`` or ``failed(error)`` on the GUI thread.

    A function with a parameter named ``progress`` gets a callable ``(fraction, text)``; one with a
    parameter named ``cancelled`` gets a callable that says whether to stop. Callbacks are dropped once
    ``owner`` is deleted. An error without ``failed`` goes to ``sys.excepthook`` (the crash dialog).
    """
    global _pool
    if _pool is None:
        _pool = QThreadPool()
        _pool.setMaxThreadCount(4)
    task: Task
    takes = _parameters(function)
    if "progress" in takes:
        kwargs["progress"] = lambda fraction, text="": task.report(fraction, text)
    if "cancelled" in takes:
        kwargs["cancelled"] = lambda: task.cancelled
    task = Task(lambda: function(*args, **kwargs), done, failed, progress, owner)
    app = QCoreApplication.instance()
    if app is not None and task.thread() is not app.thread():
        task.moveToThread(app.thread())
    _running.add(task)
    _pool.start(task._run)
    return task


def wait_for_all(seconds: float = 5.0) -> bool:
    """Wait until no task is left and its callbacks were called (on close, in tests). False when time ran out."""
    limit = time.monotonic() + seconds
    app = QCoreApplication.instance()
    while _running and time.monotonic() < limit:
        if app is not None:
            app.sendPostedEvents(None, QEvent.Type.MetaCall.value)
        time.sleep(0.005)
    return not _running


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()
