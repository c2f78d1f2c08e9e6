"""A call in a process of its own: for library calls that hold the interpreter lock for long and cannot be stopped."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

POLL_SECONDS = 0.05


def apart(function: Callable[..., Any], *args: Any, check: Callable[[], object] = lambda: None) -> Any:
    """``function(*args)``, computed elsewhere; when ``check`` raises meanwhile, the computation is killed.

    The function must be importable by name, and what goes in and comes out must survive pickling between our two
    processes. An exception of the function is raised here; RuntimeError when its process died.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, function, args), daemon=True)
    process.start()
    theirs.close()
    try:
        while not ours.poll(POLL_SECONDS):
            check()
        worked, result = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"the process of {function.__name__} ended with code {process.exitcode}") from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if not worked:
        raise result
    return result


def _answer(connection: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        answer: tuple[bool, Any] = (True, function(*args))
    except Exception as error:
        answer = (False, error)
    connection.send(answer)
    connection.close()
