"""The default runner: a background thread of the application."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Protocol

from app.jobs.execute import Outcome, Work, execute
from engines.core import Control, Listener, Method


class Handle(Protocol):
    """A started run. ``kill`` returns at once."""

    def kill(self) -> None: ...

    def join(self, timeout: float | None = None) -> bool: ...


class Runner(Protocol):
    """Starts a run and returns at once; ``done`` is called once, on another thread, when it has ended."""

    def start(
        self, method: Method, work: Work, listener: Listener, control: Control, done: Callable[[Outcome], None]
    ) -> Handle: ...


class ThreadRunner:
    """``nice`` > 0 lets the window's thread go first where both want the processor (Linux only)."""

    def __init__(self, nice: int = 0) -> None:
        self.nice = nice

    def start(
        self, method: Method, work: Work, listener: Listener, control: Control, done: Callable[[Outcome], None]
    ) -> ThreadHandle:
        def body() -> None:
            if self.nice > 0 and hasattr(os, "setpriority"):
                with contextlib.suppress(OSError):
                    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self.nice)
            done(execute(method, work, listener, control))

        # A daemon: a method that does not come to its next step must not keep the program from ending.
        thread = threading.Thread(target=body, name=f"run {work.method}", daemon=True)
        thread.start()
        return ThreadHandle(thread, control)


class ThreadHandle:
    def __init__(self, thread: threading.Thread, control: Control) -> None:
        self._thread, self._control = thread, control

    def kill(self) -> None:
        """A thread cannot be killed from outside: it is asked to cancel."""
        self._control.cancel()

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return not self._thread.is_alive()
