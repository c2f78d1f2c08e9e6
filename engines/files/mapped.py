"""Arrays that stay in their file: parts of them are read from the disk when they are looked at."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from engines.files import guard

MAP_FROM = 1 << 26
"""Bytes from which an array is left in its file; smaller ones are read, and no longer need it."""


def stays(dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    """Whether an array is left in its file: it is large, and its numbers can be used as they are."""
    plain = dtype.kind in "iuf" and dtype.isnative and (dtype.kind != "f" or dtype.itemsize in (4, 8))
    return plain and prod(shape) * dtype.itemsize >= MAP_FROM


def array_in(path: Path, offset: int, dtype: np.dtype, shape: tuple[int, ...], fortran: bool = False) -> np.ndarray:
    """The array at ``offset`` of a file, not read yet. While it is used, the file must not be cut or written over.

    Raises :class:`UserError` when the file is shorter than that.
    """
    need, size = prod(shape) * dtype.itemsize, path.stat().st_size
    if offset < 0 or offset + need > size:
        raise guard.refuse(
            path,
            "is shorter than its header says.",
            f"{'×'.join(map(str, shape))} values need {need:,} bytes; {max(0, size - offset):,} are there.",
            "It is cut off or its header is wrong: copy or export it again.",
        )
    return np.asarray(np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C"))


__all__ = ["MAP_FROM", "array_in", "stays"]
