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
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal
from shiboken6 import isValid

from app.background import post
from engines.core import UserError

log = logging.getLogger(__name__)
Evaluate = Callable[[Any, Callable[[], bool]], Any]
PATIENCE = 5.0
"""Seconds to wait for the work in hand when the application ends."""


class Stale(Exception):  # noqa: N818 - not an error
    """Raised by work in hand that is no longer wanted."""


class _Work:
    """What the thread of an evaluator knows: no Qt object, for it may outlive the view (see :mod:`app.background`)."""

    def __init__(self, evaluate: Evaluate, evaluator: LiveEvaluator) -> None:
        self._evaluate: Evaluate | None = evaluate
        self._evaluator = weakref.ref(evaluator)
        self.wanted = threading.Condition()
        self.request: tuple[int, Any] | None = None
        self.number = 0
        """Of the latest request."""
        self.cut = 0
        """What has a lower number is stale."""
        self.ended = self.busy = False
        self._answer: Any = None
        self._error: BaseException | None = None

    def is_stale(self, number: int) -> bool:
        return number < self.cut

    def run(self) -> None:
        while self._next():
            pass
        post(partial(self._forget, self._evaluate))

    def _forget(self, _: Evaluate | None) -> None:
        """On the GUI thread: what it held may be the last to hold a widget."""
        self._evaluate = None

    def _next(self) -> bool:
        with self.wanted:
            while self.request is None and not self.ended:
                self.wanted.wait()
            if self.ended:
                return False
            assert self.request is not None
            assert self._evaluate is not None
            number, request = self.request
            self.request, self.busy = None, True
        answer: Any = None
        error: BaseException | None = None
        try:
            answer = self._evaluate(request, partial(self.is_stale, number))
        except Stale:
            number = -1
        except BaseException as raised:
            error = raised
        with self.wanted:
            self.busy = False
        if number >= 0:
            post(partial(self._deliver, number, request, answer, error))
        return True

    def _deliver(self, number: int, request: Any, answer: Any, error: BaseException | None) -> None:
        evaluator = self._evaluator()
        if evaluator is None or not isValid(evaluator) or self.is_stale(number) or self.ended:
            return
        evaluator.delivered(number)
        if error is None:
            evaluator.answered.emit(request, answer)
        else:
            where = None if isinstance(error, UserError) else error  # what a user can mend is said by the view
            log.warning("a live view got no answer: %s", error, exc_info=where)
            evaluator.failed.emit(request, error)


class LiveEvaluator(QObject):
    answered = Signal(object, object)
    """Request and answer, on the GUI thread."""
    failed = Signal(object, object)
    """Request and error, on the GUI thread."""

    def __init__(self, evaluate: Evaluate, parent: QObject | None = None, *, name: str = "live") -> None:
        """``evaluate(request, stale)`` runs on the thread; it may raise :class:`Stale` once ``stale()`` is true."""
        super().__init__(parent)
        self._work, self._name = _Work(evaluate, self), name
        self._thread: threading.Thread | None = None
        self._open = 0  # the number of the latest request, until it is answered
        post(_nothing)  # the way to this thread is made here
        if parent is not None:  # deleted without being closed: nobody else would end the thread
            parent.destroyed.connect(partial(_end, self._work, None, 0.0))
        _all.add(self)

    @property
    def busy(self) -> bool:
        """Whether an answer is under way or waits to be worked on."""
        with self._work.wanted:
            return self._work.busy or self._work.request is not None

    @property
    def is_settled(self) -> bool:
        """Whether the latest request has had its answer, or an error for one, on the GUI thread."""
        return self._open == 0

    def delivered(self, number: int) -> None:
        """Its answer is about to be told."""
        if number == self._open:
            self._open = 0

    def ask(self, request: Any, *, give_up: bool = True) -> None:
        """Want this next. ``give_up``: the work in hand is not wanted any more; else its answer still is."""
        work = self._work
        with work.wanted:
            if work.ended:
                return
            work.number += 1
            self._open = work.number
            if give_up:
                work.cut = work.number
            work.request = (work.number, request)
            if self._thread is None:
                self._thread = threading.Thread(target=work.run, name=self._name, daemon=True)
                self._thread.start()
            work.wanted.notify()

    def forget(self) -> None:
        """Nothing is wanted now."""
        work = self._work
        with work.wanted:
            work.number += 1
            work.cut = work.number
            work.request = None
        self._open = 0

    def stop(self, patience: float = PATIENCE) -> bool:
        """End the thread; safe to call twice. False when the work in hand did not end in time."""
        self._open = 0
        return _end(self._work, self._thread, patience)


def _end(work: _Work, thread: threading.Thread | None, patience: float, *_: object) -> bool:
    with work.wanted:
        work.ended, work.request = True, None
        work.cut = work.number + 1
        work.wanted.notify()
    if thread is None or thread is threading.current_thread():
        return True
    thread.join(patience)
    return not thread.is_alive()


def _nothing() -> None:
    pass


_all: weakref.WeakSet[LiveEvaluator] = weakref.WeakSet()


def stop_all() -> None:
    """Before the interpreter ends: a thread inside compiled code would crash there."""
    for evaluator in list(_all):
        evaluator.stop()


atexit.register(stop_all)
