"""Answers that a view needs at once, computed beside the GUI thread: the latest request wins.

One thread for each evaluator. While it computes, newer requests replace each other; an answer that is no longer
wanted is dropped. Work in hand can ask ``stale()`` whether to go on.
"""

from __future__ import annotations

import atexit
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Seconds to wait for the work in hand when the application ends."""


class Stale(Exception):  # noqa: N818 - not an error
    """Raised by work in hand that is no longer wanted."""


class LiveEvaluator(QObject):
    answered = Signal(object, object)
    """Request and answer, on the GUI thread."""
    failed = Signal(object, object)
    """Request and error, on the GUI thread."""
    _came = Signal(int, object, object, object)

    def __init__(
        self, evaluate: Callable[[Any, Callable[[], bool]], Any], parent: QObject | None = None, *, name: str = "live"
    ) -> None:
        """``evaluate(request, stale)`` runs on the thread; it may raise :class:`Stale` once ``stale()`` is true."""
        super().__init__(parent)
        self._evaluate, self._name = evaluate, name
        self._wanted = threading.Condition()
        self._request: tuple[int, Any] | None = None
        self._number = 0
        """Of the latest request. A request that may not be given up keeps the work in hand; see :meth:`ask`."""
        self._cut = 0  # what has a lower number is stale
        self._ended = False
        self._thread: threading.Thread | None = None
        self._busy = False
        self._came.connect(self._deliver, Qt.ConnectionType.QueuedConnection)
        if parent is not None:  # deleted without being closed: nobody else would end the thread
            parent.destroyed.connect(lambda: self.stop(0.0))
        _all.add(self)

    @property
    def busy(self) -> bool:
        """Whether an answer is under way or waits to be worked on."""
        with self._wanted:
            return self._busy or self._request is not None

    def ask(self, request: Any, *, give_up: bool = True) -> None:
        """Want this next. ``give_up``: the work in hand is not wanted any more; else its answer still is."""
        with self._wanted:
            if self._ended:
                return
            self._number += 1
            if give_up:
                self._cut = self._number
            self._request = (self._number, request)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._wanted.notify()

    def forget(self) -> None:
        """Nothing is wanted now."""
        with self._wanted:
            self._number += 1
            self._cut = self._number
            self._request = None

    def stop(self, patience: float = PATIENCE) -> bool:
        """End the thread; safe to call twice. False when the work in hand did not end in time."""
        with self._wanted:
            self._ended, self._request = True, None
            self._cut = self._number + 1
            self._wanted.notify()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(patience)
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wanted:
                while self._request is None and not self._ended:
                    self._wanted.wait()
                if self._ended:
                    return
                assert self._request is not None
                number, request = self._request
                self._request, self._busy = None, True
            answer: Any = None
            error: BaseException | None = None
            try:
                answer = self._evaluate(request, lambda number=number: self._is_stale(number))
            except Stale:
                error = None
                number = -1
            except BaseException as raised:
                error = raised
            with self._wanted:
                self._busy = False
            if number >= 0:
                try:
                    self._came.emit(number, request, answer, error)
                except RuntimeError:  # the view is gone
                    return
            request = answer = error = None  # a large answer is not kept until the next request

    def _is_stale(self, number: int) -> bool:
        return number < self._cut

    def _deliver(self, number: int, request: Any, answer: Any, error: BaseException | None) -> None:
        if self._is_stale(number) or self._ended:
            return
        if error is None:
            self.answered.emit(request, answer)
        else:
            log.warning("a live view got no answer", exc_info=error)
            self.failed.emit(request, error)


_all: weakref.WeakSet[LiveEvaluator] = weakref.WeakSet()


def stop_all() -> None:
    """Before the interpreter ends: a thread inside compiled code would crash there."""
    for evaluator in list(_all):
        evaluator.stop()


atexit.register(stop_all)
