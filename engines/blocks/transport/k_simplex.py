"""Vectors with at most k entries: their projection onto a simplex, conjugates and norm (Liu et al. 2023).

With Omega(t) = gamma/2 ||t||^2 for t >= 0 with at most k entries that are not zero, and plus infinity elsewhere,

    Omega*(s)   = 1/(2 gamma) sum_{i in top_k(s)} max(s_i, 0)^2                    (the dual: t = max(s, 0)/gamma there)
    Omega*_b(s) = max_{t in b simplex, ||t||_0 <= k} s.t - gamma/2 ||t||^2          (the semi-dual).

The maximiser of the second takes the k largest s_i and projects s/gamma, restricted to them, onto the simplex of size
b: with u_1 >= ... >= u_k these k values of s/gamma, rho = max{r : u_r > (sum_{i<=r} u_i - b)/r},
tau = (sum_{i<=rho} u_i - b)/rho and t_i = max(u_i - tau, 0) (Kyrillidis et al. 2013). Neither function is smooth where
two entries tie at rank k; which of them is taken is then arbitrary, and the maximiser a subgradient.

The biconjugate of Omega is gamma/2 times the squared k-support norm, the least sum w_i^2 / z_i over 0 < z <= 1 with
sum z <= k. A small square of the shares z, taken off, smooths the ties:

    Omega*_mu(s) = max over 0 <= z <= 1, sum z <= k of 1/(2 gamma) (sum_i z_i max(s_i, 0)^2 - mu/2 ||z||^2),

differentiable, with gradient t = z max(s, 0)/gamma, and less than Omega* by mu k/(4 gamma) at most (own derivation).
Everything works on the last axis, in one batch.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Entries(NamedTuple):
    """Vectors (..., M) by those of their entries that may differ from zero: where they are, and what they hold."""

    where: Tensor
    """(..., k) int64"""
    values: Tensor
    """(..., k)"""

    def dense(self, length: int) -> Tensor:
        """(..., ``length``)"""
        return self.values.new_zeros(*self.values.shape[:-1], length).scatter_(-1, self.where, self.values)

    def total(self, length: int) -> Tensor:
        """(``length``,) the sum of vectors (n, ``length``). In a fixed order on a GPU, too, where adding has none."""
        if self.values.device.type != "cpu":
            return self.dense(length).sum(0)
        return self.values.new_zeros(length).index_add_(0, self.where.reshape(-1), self.values.reshape(-1))


def threshold(largest: Tensor, size: Tensor) -> Tensor:
    """(...) tau of the simplex of ``size`` (...), of values (..., k) that are sorted downwards."""
    excess = largest.cumsum(-1) - size[..., None]
    counts = torch.arange(1, largest.shape[-1] + 1, dtype=largest.dtype, device=largest.device)
    rho = (largest * counts > excess).sum(-1, keepdim=True).clamp_(min=1)  # the first holds: u_1 > u_1 - size
    return (excess.gather(-1, rho - 1) / rho).squeeze(-1)


def project(s: Tensor, k: int, size: Tensor) -> Entries:
    """The nearest to ``s`` (..., M) of the vectors t >= 0 with sum ``size`` (...) and at most k entries."""
    largest, where = torch.topk(s, k, dim=-1)
    return Entries(where, (largest - threshold(largest, size)[..., None]).clamp_(min=0))


def conjugate(s: Tensor, k: int, gamma: float) -> tuple[Tensor, Entries]:
    """Omega*(s) (...) and its maximiser, for ``s`` (..., M)."""
    largest, where = torch.topk(s, k, dim=-1)
    values = largest.clamp(min=0) / gamma
    return 0.5 * gamma * values.square().sum(-1), Entries(where, values)


def conjugate_on_simplex(s: Tensor, k: int, gamma: float, size: Tensor) -> tuple[Tensor, Entries]:
    """Omega*_b(s) (...) and its maximiser, for ``s`` (..., M) and ``size`` b (...)."""
    t = project(s / gamma, k, size)
    return (t.values * s.gather(-1, t.where) - 0.5 * gamma * t.values.square()).sum(-1), t


def shares(squares: Tensor, k: int, mu: float) -> tuple[Tensor, Tensor]:
    """z (..., M) that maximises sum z_i v_i - mu/2 ||z||^2 over 0 <= z <= 1, sum z <= k, for v = ``squares`` >= 0.

    z_i = min(max((v_i - eta)/mu, 0), 1) with the multiplier eta (...) of the sum, which is the root of a function that
    is linear between its breakpoints v_i and v_i - mu: mu sum z = sum (v_i - eta)_+ - sum (v_i - mu - eta)_+.
    """
    points, order = torch.cat([squares, squares - mu], -1).sort(-1, descending=True)
    signs = torch.where(order < squares.shape[-1], 1.0, -1.0).to(squares.dtype)
    slope, offset = signs.cumsum(-1), (signs * points).cumsum(-1)
    last = ((offset - points * slope <= k * mu).sum(-1, keepdim=True) - 1).clamp_(min=0)
    slope, offset = slope.gather(-1, last), offset.gather(-1, last)
    eta = torch.where(slope > 0, (offset - k * mu) / slope.clamp(min=1), points.gather(-1, last)).clamp_(min=0)
    return ((squares - eta) / mu).clamp_(0, 1), eta.squeeze(-1)


def k_support_norm_squared(w: Tensor, k: int) -> Tensor:
    """(...) min over 0 < z <= 1, sum z <= k of sum_i w_i^2 / z_i, for ``w`` (..., M) (Argyriou et al. 2012).

    The p < k largest have z = 1, the others z_i = |w_i| (k - p) / (their sum), for that p which makes no z exceed 1
    and the norm the least.
    """
    sizes = w.abs().sort(-1, descending=True).values
    nothing = torch.zeros_like(sizes[..., :1])
    rest = sizes.sum(-1, keepdim=True) - torch.cat([nothing, sizes.cumsum(-1)], -1)[..., :k]
    squares = torch.cat([nothing, sizes.square().cumsum(-1)], -1)[..., :k]
    left = k - torch.arange(k, dtype=w.dtype, device=w.device)  # k - p
    feasible = (sizes[..., :k] * left <= rest) | (left == 1)  # the last is so, but for rounding
    return torch.where(feasible, squares + rest.square() / left, torch.inf).amin(-1)


__all__ = [
    "Entries",
    "conjugate",
    "conjugate_on_simplex",
    "k_support_norm_squared",
    "project",
    "shares",
    "threshold",
]
