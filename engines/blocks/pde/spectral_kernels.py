"""Stationary kernels in one dimension whose spectrum is a mixture of bumps, with their derivatives in closed form.

    k(D) = sum_q w_q g(|D|; r_q) cos(2 pi f_q D)

Gaussian envelope  g = exp(-r D^2):                              bumps of a Gaussian shape at ±f_q
Matérn 5/2         g = (1 + a|D| + a^2 D^2 / 3) exp(-a|D|), a = sqrt(5) r:   of a Student-t with 5 degrees of freedom

(Fang et al. 2024, sec. 3; Wilson and Adams 2013 for the Gaussian one). The derivatives are taken in the first argument,
D = x - x'. They are written out because |D| has no derivative at 0 that automatic differentiation could be trusted
with: a sign(0) of 0 would put zeros on the whole diagonal of K''.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

KernelName = Literal["Matérn × cosine", "Gaussian × cosine", "Matérn", "Gaussian"]
KERNELS: tuple[str, ...] = get_args(KernelName)
MOST_DERIVATIVES = 2


def is_mixture(kernel: str) -> bool:
    """Whether it has frequencies; otherwise it is one component at frequency 0."""
    return kernel.endswith("cosine")


@dataclass(frozen=True)
class Components:
    """Log weights, log inverse scales ``log r`` and frequencies (cycles per unit), each (Q,)."""

    log_weights: Tensor
    log_rates: Tensor
    frequencies: Tensor

    @classmethod
    def spread(cls, count: int, highest: float, kernel: str, device: torch.device | str = "cpu") -> Components:
        """Equal weights at even frequencies from 0 to ``highest``; a single component where there is no mixture."""
        count = count if is_mixture(kernel) else 1
        make = {"dtype": torch.float64, "device": device}
        return cls(
            torch.full((count,), -math.log(count), **make),  # type: ignore[arg-type]
            torch.zeros(count, **make),  # type: ignore[arg-type]
            torch.linspace(0, highest if is_mixture(kernel) else 0.0, count, **make),  # type: ignore[arg-type]
        )

    def length_scales(self, kernel: str) -> Tensor:
        """(Q,) in units of the axis: 1 / r of Matérn, 1 / sqrt(2 r) of the Gaussian."""
        rates = self.log_rates.exp()
        return 1 / rates if kernel.startswith("Matérn") else (2 * rates).rsqrt()


def envelope(kernel: str, D: Tensor, rates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """g, g' and g'' at signed lags ``D``; all broadcast against ``rates`` r."""
    if kernel.startswith("Gaussian"):
        g = torch.exp(-rates * D**2)
        return g, -2 * rates * D * g, (4 * rates**2 * D**2 - 2 * rates) * g
    a = math.sqrt(5) * rates
    aA = a * D.abs()
    E = torch.exp(-aA)
    first, slope = (1 + aA) * E, a**2 / 3
    return (1 + aA + aA**2 / 3) * E, -slope * D * first, -slope * (first - aA**2 * E)


def kernel_derivatives(kernel: str, D: Tensor, components: Components) -> tuple[Tensor, Tensor, Tensor]:
    """k, k' and k'' at signed lags ``D`` (any shape), each of that shape."""
    lag = D[..., None]
    g, g1, g2 = envelope(kernel, lag, components.log_rates.exp())
    m = 2 * math.pi * components.frequencies
    cos, sin = torch.cos(m * lag), torch.sin(m * lag)
    w = components.log_weights.exp()
    return (
        (g * cos) @ w,
        (g1 * cos - m * (g * sin)) @ w,
        (g2 * cos - 2 * m * (g1 * sin) - m**2 * (g * cos)) @ w,
    )


class _Toeplitz(torch.autograd.Function):
    """(N, N) T[i, j] = t[i - j] for lags of both signs in ``t`` (2 N - 1,), lag -(N - 1) first."""

    @staticmethod
    def forward(ctx, t: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        n = (len(t) + 1) // 2
        return t.flip(0).unfold(0, n, 1).flip(0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        # Sums along diagonals: with N columns of padding, row i of the flat matrix starts i places later.
        n = gradient.shape[0]
        skewed = torch.nn.functional.pad(gradient.flip(0), (0, n)).reshape(-1)[: n * (2 * n - 1)]
        return skewed.reshape(n, 2 * n - 1).sum(0).flip(0)


def toeplitz(half: Tensor, odd: bool = False) -> Tensor:
    """(N, N) matrix of a function of x_i - x_j on a uniform grid, from its values ``half`` (N,) at lags 0 to N - 1.

    Differentiable once; N function values take the place of N^2.
    """
    below = half[1:].flip(0)
    return _Toeplitz.apply(torch.cat([-below if odd else below, half]))  # type: ignore[no-any-return]


def kernel_matrices(kernel: str, count: int, spacing: float, components: Components) -> tuple[Tensor, Tensor, Tensor]:
    """K, K' and K'' (N, N) at ``count`` nodes of a uniform grid; no jitter is added."""
    lags = spacing * torch.arange(count, dtype=torch.float64, device=components.log_weights.device)
    k, k1, k2 = kernel_derivatives(kernel, lags, components)
    return toeplitz(k), toeplitz(k1, odd=True), toeplitz(k2)


__all__ = [
    "KERNELS",
    "MOST_DERIVATIVES",
    "Components",
    "KernelName",
    "envelope",
    "is_mixture",
    "kernel_derivatives",
    "kernel_matrices",
    "toeplitz",
]
