"""The largest entries of each column of alpha - C, found in a pass over the costs C.

On the CPU by a compiled kernel, if it was built, which takes a quarter of the time of :func:`torch.topk` or less where
it is told which entries were the largest a moment ago; elsewhere by :func:`torch.topk`.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from engines.blocks import compiled_library


def largest(per_column: Tensor, alpha: Tensor, count: int, known: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Values and places (n, ``count``), sorted downwards, of alpha (m,) - costs (n, m), one row for each *column*.

    ``known`` (n, W) int64 are rows that were among the largest before: they make it quicker, and change nothing but
    which of two equal entries is taken.
    """
    if not serves(per_column, alpha):
        found = torch.topk(alpha - per_column, count, dim=1)
        return found.values, found.indices
    kernel = library()
    assert kernel is not None
    columns, rows = per_column.shape
    values, places = per_column.new_empty(columns, count), torch.empty(columns, count, dtype=torch.int64)
    width = ctypes.c_int64(0 if known is None or known.shape[1] < count else known.shape[1])
    compiled_library.call(
        kernel, "transport_largest", columns, per_column, ctypes.c_int64(rows), alpha.contiguous(),
        ctypes.c_int64(count), None if known is None else known.contiguous(), width, values, places,
        torch.get_num_threads(),
    )  # fmt: skip
    return values, places


def serves(*tensors: Tensor) -> bool:
    """Whether these can go to the kernel."""
    return all(t.device.type == "cpu" and t.dtype == torch.float64 for t in tensors) and library() is not None


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or does not load."""
    return compiled_library.load(Path(__file__).parent, "transport_largest")


__all__ = ["largest", "library", "serves"]
