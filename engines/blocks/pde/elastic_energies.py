"""Elastic energies as functions of the deformation gradient F (…, d, d), without singular value decompositions.

With signed singular values s of F (the least takes the sign of det F) and R the rotation of the polar decomposition,

    arap(F)   = |s - 1|^2 = |F - R|^2,    its gradient 2 (F - R),
    volume(F) = (det F - 1)^2.

R is had in closed form from f = s_1 + .. + s_d = tr(R^T F), of which it is the gradient (Lin, Chitalu and Komura 2022):

    d = 2:  f = sqrt(|F|^2 + 2 det F),   R = (F + cof F) / f
    d = 3:  f is the largest root of  f^4 - 2 a f^2 - 8 j f + a^2 - 4 b = 0,
            with a = |F|^2, b = |cof F|^2 and j = det F;
            R = ((f^2 + a) F + 2 f cof F - 2 F F^T F) / (f^3 - a f - 2 j).

At rest, where gradients of a singular value decomposition are not defined, these are. R is not unique where
two of the s add to nothing, as they do when a cell is about to be turned over; there the denominator is kept off zero.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NEWTON = 12
"""Iterations for the root; from sqrt(3 a), which is above it, they fall towards it and double their digits near it."""


def cofactors(F: Tensor) -> Tensor:
    """(…, d, d) the gradient of det F."""
    if F.shape[-1] == 2:
        (a, b), (c, d) = F[..., 0, :].unbind(-1), F[..., 1, :].unbind(-1)
        return torch.stack([torch.stack([d, -c], -1), torch.stack([-b, a], -1)], -2)
    x, y, z = F.unbind(-2)
    return torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], -2)


def determinants(F: Tensor) -> Tensor:
    """(…,) in closed form, which is many times as fast as a factorisation of small matrices."""
    return (F[..., 0, :] * cofactors(F)[..., 0, :]).sum(-1)


def rotations(F: Tensor) -> Tensor:
    """(…, d, d) the rotation R nearest to F."""
    if F.shape[-1] == 2:
        turned = F + cofactors(F)
        # |F + cof F|^2 = 2 (|F|^2 + 2 det F), so that rows and columns come out at unit length
        length = (turned.square().sum((-2, -1)) / 2).sqrt()
        return turned / length.clamp(min=1e-12)[..., None, None]
    cofactor = cofactors(F)
    j = (F[..., 0, :] * cofactor[..., 0, :]).sum(-1)
    C = F.transpose(-1, -2) @ F
    a = C.diagonal(dim1=-2, dim2=-1).sum(-1)
    b = cofactor.square().sum((-2, -1))
    f = (3 * a).sqrt()
    constant = a * a - 4 * b
    for _ in range(NEWTON):
        slope = 4 * (f * (f * f - a) - 2 * j)
        f = f - (f * (f * (f * f - 2 * a) - 8 * j) + constant) / slope.clamp(min=1e-6)
    wide, across = f[..., None, None], a[..., None, None]
    above = (wide * wide + across) * F + 2 * wide * cofactor - 2 * F @ C
    return above / (f * (f * f - a) - 2 * j).clamp(min=1e-6)[..., None, None]


class _Arap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, F: Tensor) -> Tensor:  # type: ignore[override]
        apart = F - rotations(F)
        ctx.save_for_backward(apart)
        return apart.square().sum((-2, -1))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        (apart,) = ctx.saved_tensors
        return 2 * grad[..., None, None] * apart  # R turns with F at right angles to F - R, so it adds nothing


class _Volume(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, F: Tensor) -> Tensor:  # type: ignore[override]
        cofactor = cofactors(F)
        excess = (F[..., 0, :] * cofactor[..., 0, :]).sum(-1) - 1
        ctx.save_for_backward(cofactor, excess)
        return excess.square()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        cofactor, excess = ctx.saved_tensors
        return (2 * grad * excess)[..., None, None] * cofactor


def arap(F: Tensor) -> Tensor:
    """(…,) |s - 1|^2, with its gradient in closed form."""
    return _Arap.apply(F)


def volume(F: Tensor) -> Tensor:
    """(…,) (det F - 1)^2, with its gradient in closed form."""
    return _Volume.apply(F)


__all__ = ["arap", "cofactors", "determinants", "rotations", "volume"]
