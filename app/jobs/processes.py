"""The isolated runner: one process for one run, with the same events, that can be killed.

For methods that hold the interpreter lock and for people who want a crash to stay outside. What crosses is
pickled between our two processes only; nothing that came from a file is ever unpickled.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from app.jobs.execute import Outcome, Work, execute, failed
from engines.core import Control, Event, Listener, Method, UserError, catalog

POLL_SECONDS = 0.03


class ProcessRunner:
    def start(
        self, method: Method, work: Work, listener: Listener, control: Control, done: Callable[[Outcome], None]
    ) -> ProcessHandle:
        return ProcessHandle(work, listener, control, done)


class ProcessHandle:
    """Watches one worker process from a thread: passes its events on, and our wishes to it."""

    def __init__(self, work: Work, listener: Listener, control: Control, done: Callable[[Outcome], None]) -> None:
        self._work, self._listener, self._control, self._done = work, listener, control, done
        self._killed = threading.Event()
        self._process: Any = None
        self._thread = threading.Thread(target=self._watch, name=f"watch {work.method}", daemon=True)
        self._thread.start()

    def kill(self) -> None:
        self._killed.set()
        if self._process is not None:
            self._process.kill()

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        outcome: Outcome | None = None
        try:
            outcome = self._converse()
        except Exception:
            outcome = Outcome("failed", error=traceback.format_exc())
        if outcome is not None:
            self._done(outcome)  # at once: the process needs a while to wind up
        self._bury()
        if outcome is None:
            self._done(self._death())

    def _bury(self) -> None:
        if self._process is not None:
            self._process.join(0.5)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(5)

    def _converse(self) -> Outcome | None:
        """The worker's outcome, or None when it died without one."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_worker, args=(theirs,), name=f"run {self._work.method}", daemon=True)
        process.start()
        self._process = process
        theirs.close()  # so that the worker's death ends the conversation
        if self._killed.is_set():
            process.kill()
        with ours:
            try:
                ours.send(self._work)
                told: dict[str, bool] = {}
                while True:
                    for wish, value in self._wishes().items():
                        if told.get(wish, False) != value:
                            ours.send((wish, value))
                            told[wish] = value
                    if ours.poll(POLL_SECONDS):
                        message = ours.recv()
                        if isinstance(message, Outcome):
                            return message
                        self._listener.emit(message)
            except (EOFError, OSError):
                return None

    def _wishes(self) -> dict[str, bool]:
        return {
            "cancel": self._control.cancelled,
            "pause": self._control.paused,
            "preview": self._listener.wants_preview(),
        }

    def _death(self) -> Outcome:
        if self._killed.is_set():
            return Outcome("cancelled")
        code = self._process.exitcode if self._process is not None else None
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in {s.value for s in signal.Signals} else str(-code)
            why = f"It was ended by {name}."
            if name == "SIGKILL":
                why += " The system does that when memory runs out."
        else:
            why = f"It ended with code {code}."
        return failed(
            UserError(
                "The job's process ended before the run was done.",
                why,
                "Resume it from its last checkpoint, or try smaller settings.",
            )
        )


class _PipeListener:
    """The run's listener inside the worker."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self.preview = False

    def send(self, message: object) -> None:
        with self._lock:
            self._pipe.send(message)

    def emit(self, event: Event) -> None:
        self.send(event)

    def wants_preview(self) -> bool:
        return self.preview


def _worker(pipe: Connection) -> None:
    """The body of the worker process."""
    multiprocessing.current_process().daemon = False  # else it could have no processes of its own, which methods need
    # Ctrl+C reaches the whole group; our parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listener, control = _PipeListener(pipe), Control()
    try:
        work: Work = pipe.recv()
        threading.Thread(target=_obey, args=(pipe, listener, control), daemon=True).start()
        outcome = execute(_find(work), work, listener, control)
    except Exception:
        outcome = Outcome("failed", error=traceback.format_exc())
    listener.send(outcome)


def _obey(pipe: Connection, listener: _PipeListener, control: Control) -> None:
    """Receive wishes; when the parent is gone, end too instead of computing for nobody."""
    try:
        while True:
            wish, value = pipe.recv()
            if wish == "preview":
                listener.preview = value
            elif wish == "cancel":
                control.cancel()
            elif value:
                control.pause()
            else:
                control.resume()
    except (EOFError, OSError):
        time.sleep(0.5)  # a normal end closes the pipe as well
        os._exit(1)


def _find(work: Work) -> Method:
    """Import the method's own module only: far quicker than the whole catalog."""
    module = importlib.import_module(work.module)
    for value in vars(module).values():
        if isinstance(value, Method) and value.key == work.method:
            return value
    return catalog().get(work.method)
