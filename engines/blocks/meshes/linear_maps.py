"""Sparse matrices applied to the vertices of a mesh: sums over neighbours, differences along edges, refinement.

The derivative of y = A x is A^T, applied to what comes back. It is kept beside A as rows of its own, which is several
times faster than what torch derives, and adds in the same order each time.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, csr_matrix
from torch import Tensor


class LinearMap:
    """A sparse matrix (M, N), in whichever precision and on whichever device it is asked for."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = csr_array(matrix)
        self.shape: tuple[int, int] = self.matrix.shape
        self._held: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def __call__(self, values: Tensor) -> Tensor:
        """(..., M, C) of values (..., N, C); differentiable as often as wanted."""
        rows, columns = self._on(values)
        if values.dim() == 2:
            return _Product.apply(values, rows, columns)
        # All of a batch in one product: its columns stand side by side.
        flat = values.movedim(-2, 0)
        found: Tensor = _Product.apply(flat.flatten(1), rows, columns)
        return found.unflatten(1, flat.shape[1:]).movedim(0, -2)

    def _on(self, like: Tensor) -> tuple[Tensor, Tensor]:
        key = (like.device, like.dtype)
        if key not in self._held:
            there = self.matrix.astype(np.float32 if like.dtype == torch.float32 else np.float64)
            self._held[key] = tuple(_tensor(m, like) for m in (there, there.T.tocsr()))
        return self._held[key]


def _tensor(matrix: csr_matrix, like: Tensor) -> Tensor:
    matrix.sort_indices()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")  # said once, of all that it has
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32)), torch.from_numpy(matrix.indices.astype(np.int32)),
            torch.from_numpy(matrix.data).to(like.dtype), matrix.shape, device=like.device, check_invariants=False,
        )  # fmt: skip


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        ctx.rows, ctx.columns = rows, columns
        return rows @ values

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        return _Product.apply(slope.contiguous(), ctx.columns, ctx.rows), None, None
