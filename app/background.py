"""Work off the GUI thread whose answers come back on it.

No engine call and no file access runs on the GUI thread: it goes through :func:`run_in_background`.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QThreadPool, Signal
from shiboken6 import isValid

log = logging.getLogger(__name__)

_pool: QThreadPool | None = None
_running: set[Task] = set()


class _Mailbox(QObject):
    """Carries calls to the GUI thread. The one Qt object that other threads touch; it is never deleted.

    What is carried waits here and not in Qt's events. A thread must neither keep nor drop the last reference to a Qt
    object, a widget that an answer is for among them: deleting one beside the GUI thread corrupts the table of
    wrappers that PySide reads without the interpreter's lock.
    """

    _arrived = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._letters: deque[Callable[[], None]] = deque()
        self._arrived.connect(self._open, Qt.ConnectionType.QueuedConnection)

    def post(self, letter: Callable[[], None]) -> None:
        self._letters.append(letter)
        del letter
        with contextlib.suppress(RuntimeError):  # the application is gone
            self._arrived.emit()

    def _open(self) -> None:
        with contextlib.suppress(IndexError):
            self._letters.popleft()()


_mailbox: _Mailbox | None = None


def post(letter: Callable[[], None]) -> None:
    """Call ``letter`` on the GUI thread, from any thread. It should hold Qt objects by weak references at most."""
    _the_mailbox().post(letter)


def _the_mailbox() -> _Mailbox:
    global _mailbox
    if _mailbox is None or not isValid(_mailbox):
        _mailbox = _Mailbox()
        app = QCoreApplication.instance()
        if app is not None and _mailbox.thread() is not app.thread():
            _mailbox.moveToThread(app.thread())
    return _mailbox


class Task:
    """A piece of work under way. Its callbacks are called on the GUI thread, and not after :meth:`cancel`."""

    def __init__(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None,
        failed: Callable[[BaseException], None] | None,
        progress: Callable[[float, str], None] | None,
        owner: QObject | None,
    ) -> None:
        self._work: Callable[[], Any] | None = work
        self._done, self._failed, self._progress, self._owner = done, failed, progress, owner
        self._result: Any = None
        self._error: BaseException | None = None
        self._cancel = threading.Event()
        self._last_report = 0.0

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
            post(partial(self._tell, float(fraction), str(text)))

    def _run(self) -> None:
        # On the worker thread. Nothing is kept in a local name: the last reference goes on the GUI thread.
        try:
            if not self.cancelled and self._work is not None:
                self._result = self._work()
        except BaseException as raised:
            self._error = raised
        post(self._end)

    def _wanted(self) -> bool:
        return not self.cancelled and (self._owner is None or isValid(self._owner))

    def _tell(self, fraction: float, text: str) -> None:
        if self._progress is not None and self._wanted():
            self._progress(fraction, text)

    def _end(self) -> None:
        _running.discard(self)
        result, error, wanted = self._result, self._error, self._wanted()
        done, failed = self._done, self._failed
        self._work = self._done = self._failed = self._progress = self._owner = self._result = self._error = None
        if not wanted:
            if error is not None:
                log.info("dropped the error of a cancelled task: %r", error)
        elif error is None:
            if done is not None:
                done(result)
        elif failed is not None:
            failed(error)
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
    _the_mailbox()  # made here, not on the worker
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
