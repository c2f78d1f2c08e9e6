"""exp(M C) V: sums over Gaussians of one exponential times several columns, and their derivatives.

On a CPU in blocks of points, whose exponentials stay in the cache, by matrix products. On a GPU by kernels that never
store an exponential (``gaussian_sums.cu``, compiled at run time); where these cannot be had, by the same products.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.blocks.cuda_kernels import THREADS, Kernels, Unavailable

SOURCE = Path(__file__).with_name("gaussian_sums.cu")
CACHED = 1 << 17
"""Exponentials of one block on a CPU: what stays in its second-level cache."""
KEPT = 48 * 2**20
"""Bytes of exponentials that are kept for the backward pass on a CPU; more are computed again."""
LARGEST = 450 * 2**20
"""Bytes of exponentials that are ever held at once."""
BLOCKS = 2048
"""Blocks of threads that keep a GPU busy."""
MOST_COLUMNS = 48
"""Above these the kernels would run out of registers."""


def sums(monomials: Tensor, coefficients: Tensor, columns: Tensor) -> Tensor:
    """exp(M C) V (c, P, K) for M (P, Q), C (c, Q, G), V (c, G, K).

    Differentiable once with respect to C and V.
    """
    found: Tensor = _Sums.apply(monomials, coefficients, columns)
    return found


def memory(points: int, width: int, itemsize: int = 8) -> int:
    """Bytes of exponentials that are held at once, forward and backward, for ``width`` Gaussians in all channels."""
    return 2 * min(LARGEST, points * width * itemsize)


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, monomials: Tensor, coefficients: Tensor, columns: Tensor) -> Tensor:
        ctx.kernels = kernels_for(monomials, coefficients.shape[1], columns.shape[2])
        if ctx.kernels is not None:
            coefficients, columns = coefficients.contiguous(), columns.contiguous()
            ctx.save_for_backward(monomials, coefficients, columns)
            return forward_by_kernels(ctx.kernels, monomials, coefficients, columns)
        channels, _, count = coefficients.shape
        ctx.rows, keep = _blocks(monomials, channels * count)
        found = monomials.new_empty(channels, len(monomials), columns.shape[2])
        kept = []
        for some, into in zip(monomials.split(ctx.rows), found.split(ctx.rows, 1), strict=True):
            exponentials = torch.matmul(some, coefficients).exp_()
            into.copy_(exponentials @ columns)
            if keep:
                kept.append(exponentials)
        ctx.save_for_backward(monomials, coefficients, columns, *kept)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        monomials, coefficients, columns, *kept = ctx.saved_tensors
        if ctx.kernels is not None:
            return None, *backward_by_kernels(ctx.kernels, monomials, coefficients, columns, gradient.contiguous())
        of_coefficients, of_columns = torch.zeros_like(coefficients), torch.zeros_like(columns)
        for block, (some, upper) in enumerate(zip(monomials.split(ctx.rows), gradient.split(ctx.rows, 1), strict=True)):
            exponentials = kept[block] if kept else torch.matmul(some, coefficients).exp_()
            of_columns.baddbmm_(exponentials.mT, upper)
            inner = torch.matmul(upper, columns.mT).mul_(exponentials)
            of_coefficients.baddbmm_(some.T.expand(len(inner), -1, -1), inner)
        return None, of_coefficients, of_columns


def _blocks(monomials: Tensor, width: int) -> tuple[int, bool]:
    """Points in a block, and whether its exponentials are kept."""
    size = monomials.element_size() * width * len(monomials)
    if monomials.is_cuda:
        return max(1, LARGEST // (monomials.element_size() * width)), size <= LARGEST
    return max(16, CACHED // width), size <= KEPT


# ---- on a GPU --------------------------------------------------------------------------------------------------------


def kernels_for(monomials: Tensor, powers: int, columns: int) -> Kernels | None:
    """Kernels for these sizes, compiled and loaded; None on a CPU, for other numbers, and where there are none."""
    if not monomials.is_cuda or monomials.dtype != torch.float64 or powers + columns > MOST_COLUMNS:
        return None
    index = torch.cuda.current_device() if monomials.device.index is None else monomials.device.index
    return _compiled(powers, columns, index)


@functools.cache
def _compiled(powers: int, columns: int, device: int) -> Kernels | None:
    try:
        found = Kernels(SOURCE, Q=powers, K=columns)
        found.ready(torch.device("cuda", device))
    except Unavailable:
        return None
    return found


def _parts(blocks: int, length: int) -> int:
    """Into how many parts of at least 64 a length is cut, so that there are enough blocks."""
    return max(1, min(-(-BLOCKS // blocks), length // 64, 512))


def forward_by_kernels(kernels: Kernels, monomials: Tensor, coefficients: Tensor, columns: Tensor) -> Tensor:
    channels, _, count = coefficients.shape
    points = len(monomials)
    across = -(-points // THREADS)
    parts = _parts(max(1, across * channels), count)
    found = monomials.new_empty(parts, channels, points, columns.shape[2])
    kernels.launch("sums", (across, channels, parts), monomials, coefficients, columns, found, points, count)
    return found.sum(0) if parts > 1 else found[0]


def backward_by_kernels(
    kernels: Kernels, monomials: Tensor, coefficients: Tensor, columns: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor]:
    channels, powers, count = coefficients.shape
    points = len(monomials)
    across = -(-count // THREADS)
    parts = _parts(across * channels, points)
    found = monomials.new_empty(parts, channels, count, powers + columns.shape[2])
    kernels.launch(
        "slopes", (across, channels, parts), monomials, coefficients, columns, gradient, found, points, count
    )
    whole = found.sum(0)
    return whole[..., :powers].mT.contiguous(), whole[..., powers:].contiguous()


__all__ = ["backward_by_kernels", "forward_by_kernels", "kernels_for", "memory", "sums"]
