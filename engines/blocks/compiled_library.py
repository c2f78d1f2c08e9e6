"""Libraries that setup.py compiles beside the module that calls them: plain C entry points, through ctypes."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

from torch import Tensor

Argument = Tensor | ctypes.Structure | ctypes.c_int64 | int | float | None


@functools.cache
def load(folder: Path, entry: str) -> ctypes.CDLL | None:
    """``kernels`` in this folder, if it has this entry point; None where it was not built or does not load."""
    for path in sorted(folder.glob("kernels*.so")) + sorted(folder.glob("kernels*.pyd")):
        try:
            found = ctypes.CDLL(str(path))
            getattr(found, entry)
            return found
        except (OSError, AttributeError):
            continue
    return None


def call(library: ctypes.CDLL, name: str, count: int, *arguments: Argument) -> int:
    """Call an entry point: ``count`` goes as 64 bits, tensors and structures as pointers, None as a null pointer,
    floats as double, other integers as 32 bits."""
    return int(getattr(library, name)(ctypes.c_int64(count), *(_as_c(argument) for argument in arguments)))


def _as_c(argument: Argument) -> object:
    if isinstance(argument, Tensor):
        assert argument.is_contiguous()
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, ctypes.Structure):
        return ctypes.byref(argument)
    if argument is None:
        return ctypes.c_void_p()
    if isinstance(argument, float):
        return ctypes.c_double(argument)
    return argument if isinstance(argument, ctypes.c_int64) else ctypes.c_int(argument)
