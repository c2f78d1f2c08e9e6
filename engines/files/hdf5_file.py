"""HDF5 files opened for reading, with what libhdf5 does not guard against looked at first."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engines.files import guard

SIGNATURE = b"\x89HDF\r\n\x1a\n"
HEAP = b"GCOL\x01\0\0\0"
MOST_IN_HEAPS = 200_000
LOOKED_AT = 1 << 26
"""Bytes at either end of a file in which heaps are looked for; between them lie the values of a large field."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An HDF5 file for reading; whatever the library says of a broken one becomes a :class:`UserError`."""
    import h5py

    with path.open("rb") as raw:
        if SIGNATURE not in raw.read(1024):
            raise guard.refuse(path, "is not an HDF5 file.", "Its signature is missing.")
        if not heaps_are_sound(raw):
            raise guard.refuse(path, "is not a readable HDF5 file.", "A heap of texts and references is damaged.")
    with guard.foreign(path, "HDF5"), h5py.File(path, "r", locking=False) as file:
        yield file


def heaps_are_sound(file: BinaryIO) -> bool:
    """Whether libhdf5 gets to the end of each global heap; at a free object of no size it would turn for ever."""
    walked = 0
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        at = _next_heap(raw, 0)
        while at >= 0 and walked < MOST_IN_HEAPS:
            end = at + int.from_bytes(raw[at + 8 : at + 16], "little")
            here = at + 16
            while here + 16 <= min(end, len(raw)):
                index = int.from_bytes(raw[here : here + 2], "little")
                size = int.from_bytes(raw[here + 8 : here + 16], "little")
                if index == 0 and size == 0:
                    return False
                here += size if index == 0 else 16 + size + -size % 8
                walked += 1
            at = _next_heap(raw, at + 8)
    return True


def _next_heap(raw: mmap.mmap, start: int) -> int:
    """Where the next heap begins; -1 if there is none."""
    tail = max(LOOKED_AT, len(raw) - LOOKED_AT)
    found = raw.find(HEAP, start, LOOKED_AT) if start < LOOKED_AT else -1
    return found if found >= 0 else raw.find(HEAP, max(start, tail))
