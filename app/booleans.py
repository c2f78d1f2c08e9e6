"""Keeps Python's ``True`` and ``False`` alive under PySide releases that count references to them wrongly.

PySide6 6.12 hands back ``True`` from every ``Signal.emit`` without taking a reference to it. Each emitted signal takes
one away, and after as many signals as there were references (some ten thousand: minutes of a live run) the interpreter
ends with "deallocating True or False". From Python 3.12 on these objects are immortal, and nothing has to be done.
"""

from __future__ import annotations

import ctypes
import sys

SPARE = 1 << 40
"""More references than signals can be emitted in a lifetime."""


def protect() -> bool:
    """Give ``True``, ``False`` and ``None`` references to spare, once. Whether it was needed and done."""
    if sys.implementation.name != "cpython" or sys.version_info >= (3, 12):
        return False
    for thing in (True, False, None):
        count = ctypes.c_ssize_t.from_address(id(thing))
        known = sys.getrefcount(thing)
        # In builds that trace references the counter lies elsewhere: what is no counter is left alone.
        if abs(count.value - known) > 16 or known > SPARE // 2:
            return False
    for thing in (True, False, None):
        ctypes.c_ssize_t.from_address(id(thing)).value += SPARE
    return True
