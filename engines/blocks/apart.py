"""A call in a process of its own: for library calls that hold the interpreter lock for long and cannot be stopped."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

POLL_SECONDS = 0.05


def apart(function: Callable[..., Any], *args: Any, check: Callable[[], object] = lambda: None) -> Any:
    """``function(*args)``, computed elsewhere; when ``check`` raises meanwhile, the computation is killed.

    The function must be importable by name, and what goes in and comes out must survive pickling between our two
    processes. An exception of the function is raised here; RuntimeError when its process died.
    """
    with begun(_quietly, function, args, check=check) as work:
        return work.result()


def _quietly(tell: Callable[[Any], None], function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    return function(*args)


class Work:
    """A function that computes elsewhere, and tells of it."""

    def __init__(self, name: str, connection: Connection, process: Any, check: Callable[[], object]) -> None:
        self._name, self._connection, self._process, self._check = name, connection, process, check
        self._answer: tuple[bool, Any] | None = None

    def told(self) -> Any | None:
        """What it tells next; None once it has ended."""
        if self._answer is not None:
            return None
        while not self._connection.poll(POLL_SECONDS):
            self._check()
        try:
            kind, value = self._connection.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"the process of {self._name} ended with code {self._process.exitcode}") from None
        if kind == "told":
            return value
        self._answer = kind == "done", value
        return None

    def result(self) -> Any:
        """What it gives in the end; what it raised is raised here."""
        while self.told() is not None:
            pass
        assert self._answer is not None
        worked, value = self._answer
        if not worked:
            raise value
        return value


@contextlib.contextmanager
def begun(function: Callable[..., Any], *args: Any, check: Callable[[], object] = lambda: None) -> Iterator[Work]:
    """``function(tell, *args)`` computed elsewhere while the block runs; it is killed when the block is left.

    What it calls ``tell`` with (anything but None, from any of its threads) comes out of :meth:`Work.told`.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_carry_out, args=(theirs, function, args), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Work(function.__name__, ours, process, check)
    finally:
        process.kill()
        process.join()
        ours.close()


def _carry_out(connection: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer: tuple[str, Any] = ("done", function(lambda value: connection.send(("told", value)), *args))
    except Exception as error:
        answer = ("failed", error)
    connection.send(answer)
    connection.close()


def _end_with_parent() -> None:
    """A parent that was killed could not end this process; nobody would want its answer."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
