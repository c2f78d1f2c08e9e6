"""Gaussian processes on tensor grids of one or two axes, whose covariance is a Kronecker product K_1 (x) K_2.

With nodal values U (N_1 x N_2, or N_1 in one dimension) and the Cholesky factors L_d of K_d + jitter:

    log|K|        = sum_d log|K_d| prod_{e != d} N_e
    u^T K^-1 u    = sum( (K_1^-1 U) o (K_2^-1 U^T)^T )
    d^a d^b U     = K_1^(a) K_1^-1 U (K_2^(b) K_2^-1)^T
    U             = L_1 Z L_2^T        with Z white

Cost O(sum N_d^3 + sum N_d prod N_d), memory O(sum N_d^2 + prod N_d); the product itself is never formed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.core import UserError

MOST_JITTER = 1e-3


def along(matrix: Tensor, values: Tensor, axis: int) -> Tensor:
    """``matrix`` (M, N) applied along one axis (0 or 1) of ``values`` (N[, N_2] or (N_1, N))."""
    return matrix @ values if axis == 0 else values @ matrix.mT


def along_all(matrices: Sequence[Tensor], values: Tensor) -> Tensor:
    """One matrix along each axis."""
    for axis, matrix in enumerate(matrices):
        values = along(matrix, values, axis)
    return values


def cholesky(K: Tensor, jitter: float, axis: str) -> Tensor:
    """The factor L of K + jitter I. Where it fails the jitter is raised tenfold, up to 1e-3.

    Raises :class:`UserError`, which names the axis, where that does not help either.
    """
    eye = torch.eye(len(K), dtype=K.dtype, device=K.device)
    while True:
        L, failed = torch.linalg.cholesky_ex(K + jitter * eye)
        if not failed and bool(torch.isfinite(L.detach().diagonal()).all()):
            return L
        if jitter >= MOST_JITTER or not bool(torch.isfinite(K.detach()).all()):
            raise UserError(
                f"The kernel matrix along {axis} cannot be factorised.",
                f"It is singular to rounding, with a jitter of {jitter:g} too.",
                f"Use fewer nodes along {axis}, a larger jitter or a smaller learning rate.",
            )
        jitter = min(10 * jitter, MOST_JITTER)


@dataclass(frozen=True)
class AxisKernel:
    """One axis: the factor L (N, N) of K + jitter, and ``derivatives[a]`` = K^(a) (N, N) for a = 1, 2 …"""

    factor: Tensor
    derivatives: tuple[Tensor, ...]

    @classmethod
    def of(cls, K: Tensor, derivatives: Sequence[Tensor], jitter: float, axis: str = "x") -> AxisKernel:
        return cls(cholesky(K, jitter, axis), tuple(derivatives))

    def solve(self, values: Tensor, axis: int = 0) -> Tensor:
        """K^-1 along an axis of the values."""
        columns = values.mT if axis == 1 else values if values.ndim == 2 else values[:, None]
        solved = torch.cholesky_solve(columns, self.factor)
        return solved.mT if axis == 1 else solved.reshape(values.shape)

    def log_determinant(self) -> Tensor:
        return 2 * self.factor.diagonal().log().sum()

    def whitened(self, order: int) -> Tensor:
        """(N, N) K^(a) L^-T: takes white values to the ``order``-th derivative at the nodes; L itself for order 0."""
        if order == 0:
            return self.factor
        K = self.derivatives[order - 1]
        return torch.linalg.solve_triangular(self.factor.mT, K, upper=True, left=False)


@dataclass(frozen=True)
class GridPrior:
    """The prior of values on a tensor grid."""

    axes: tuple[AxisKernel, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.factor) for axis in self.axes)

    def log_determinant(self) -> Tensor:
        count = float(torch.Size(self.shape).numel())
        terms = [axis.log_determinant() * (count / len(axis.factor)) for axis in self.axes]
        return torch.stack(terms).sum()

    def solved(self, U: Tensor) -> Tensor:
        """(K_1 (x) K_2)^-1 u, in the shape of ``U``."""
        for index, axis in enumerate(self.axes):
            U = axis.solve(U, index)
        return U

    def quadratic(self, U: Tensor, first: Tensor | None = None) -> Tensor:
        """u^T K^-1 u; ``first`` is K_1^-1 U where it is known already."""
        first = self.axes[0].solve(U) if first is None else first
        other = U if len(self.axes) == 1 else self.axes[1].solve(U, 1)
        return (first * other).sum()

    def derivatives(self, U: Tensor, orders: Sequence[tuple[int, ...]]) -> tuple[dict[tuple[int, ...], Tensor], Tensor]:
        """Each derivative of the conditional mean at the nodes, by its orders, and K_1^-1 U."""
        first = self.axes[0].solve(U)
        second: Tensor | None = None  # (K_2^-1 U^T)^T
        found: dict[tuple[int, ...], Tensor] = {}
        for order in orders:
            values = U if order[0] == 0 else self.axes[0].derivatives[order[0] - 1] @ first
            if len(order) > 1 and order[1]:
                if order[0] == 0:
                    second = self.axes[1].solve(U, 1) if second is None else second
                    solved = second
                else:
                    solved = self.axes[1].solve(values, 1)
                values = along(self.axes[1].derivatives[order[1] - 1], solved, 1)
            found[order] = values
        return found, first

    def coloured(self, Z: Tensor) -> Tensor:
        """U = L_1 Z L_2^T."""
        return along_all([axis.factor for axis in self.axes], Z)


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor],
    right: Tensor,
    start: Tensor,
    precondition: Callable[[Tensor], Tensor],
    tolerance: float,
    most: int,
) -> tuple[Tensor, int]:
    """Solve H x = b for a symmetric positive definite H; x and the number of products with H.

    Ends when |b - H x| < ``tolerance`` |b| or after ``most`` products.
    """
    x = start.clone()
    r = right - apply(x)
    goal = tolerance * float(right.norm())
    z = precondition(r)
    p, rz = z, (r * z).sum()
    for count in range(1, most + 1):
        if float(r.norm()) <= goal:
            return x, count
        Hp = apply(p)
        step = rz / (p * Hp).sum()
        x = x + step * p
        r = r - step * Hp
        z = precondition(r)
        rz, before = (r * z).sum(), rz
        p = z + rz / before * p
    return x, most


__all__ = ["AxisKernel", "GridPrior", "along", "along_all", "cholesky", "conjugate_gradients"]
