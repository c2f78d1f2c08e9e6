"""Ground costs c(x, y): what it takes to bring a unit of mass from x to y.

squared Euclidean   |x - y|^2                       (no half)
Euclidean           |x - y|
city block          |x - y|_1
p-norm              |x - y|_p^p = sum_k |x_k - y_k|^p: city block at p = 1, squared Euclidean at p = 2
elastic             1/2 |x - y|^2 + tau |x - y|_1
sphere geodesic     the arc between x / |x| and y / |y|
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

GroundCost = Literal["squared Euclidean", "Euclidean", "city block", "p-norm", "elastic", "sphere geodesic"]
BY_COORDINATE = 8
"""Up to so many dimensions squared distances come from differences, which cancel nothing; then from a product."""


@dataclass(frozen=True)
class Cost:
    """A ground cost with its settings: ``p`` of the p-norm, ``tau`` of the elastic cost."""

    name: GroundCost = "squared Euclidean"
    p: float = 1.5
    tau: float = 1.0

    def pairwise(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, m) costs between all of x (n, d) and y (m, d), in their dtype and on their device; differentiable.

        Where two points coincide, the gradient of a cost that has none there is 0.
        """
        match self.name:
            case "squared Euclidean":
                return squared_distances(x, y)
            case "Euclidean":
                return _distances(x, y, 2.0)
            case "city block":
                return _distances(x, y, 1.0)
            case "p-norm":
                return _distances(x, y, self.p).pow(self.p)
            case "elastic":
                return squared_distances(x, y).mul(0.5).add(_distances(x, y, 1.0), alpha=self.tau)
            case "sphere geodesic":
                x, y = _on_sphere(x), _on_sphere(y)
                return _arc(_distances(x, y, 2.0), _distances(x, -y, 2.0))
        raise ValueError(f"no ground cost is called {self.name!r}")

    def paired(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) cost of each x[i] and y[i]; the diagonal of :meth:`pairwise` of n points with n."""
        apart = x - y
        match self.name:
            case "squared Euclidean":
                return apart.square().sum(-1)
            case "Euclidean":
                return torch.linalg.vector_norm(apart, dim=-1)
            case "city block":
                return apart.abs().sum(-1)
            case "p-norm":
                return apart.abs().pow(self.p).sum(-1)
            case "elastic":
                return 0.5 * apart.square().sum(-1) + self.tau * apart.abs().sum(-1)
            case "sphere geodesic":
                x, y = _on_sphere(x), _on_sphere(y)
                return _arc(torch.linalg.vector_norm(x - y, dim=-1), torch.linalg.vector_norm(x + y, dim=-1))
        raise ValueError(f"no ground cost is called {self.name!r}")


class _SquaredDistances(torch.autograd.Function):
    """Its gradient is two products of matrices, where automatic differentiation would keep (n, m, d) differences."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        if x.shape[1] <= BY_COORDINATE:
            return _distances(x, y, 2.0).square_()
        middle = y.mean(0)  # centred, so that little cancels
        x, y = x - middle, y - middle
        both = x.square().sum(1)[:, None] + y.square().sum(1)
        return both.addmm_(x, y.T, alpha=-2).clamp_(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        (gradient,), (x, y) = gradients, ctx.saved_tensors
        of_x = of_y = None
        if ctx.needs_input_grad[0]:
            of_x = 2 * (gradient.sum(1, keepdim=True) * x - gradient @ y)
        if ctx.needs_input_grad[1]:
            of_y = 2 * (gradient.sum(0)[:, None] * y - gradient.T @ x)
        return of_x, of_y


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(n, m) squared Euclidean distances of x (n, d) and y (m, d); differentiable once."""
    found: Tensor = _SquaredDistances.apply(x, y)
    return found


def _distances(x: Tensor, y: Tensor, p: float) -> Tensor:
    # Not by a product of matrices: that loses half of the digits where points are close.
    return torch.cdist(x, y, p=p, compute_mode="donot_use_mm_for_euclid_dist")


def _on_sphere(x: Tensor) -> Tensor:
    return x / torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def _arc(apart: Tensor, across: Tensor) -> Tensor:
    """From the chords to a point and to its antipode. The arc cosine of x·y would lose half of the digits near 0."""
    return 2 * torch.atan2(apart, across)


__all__ = ["Cost", "GroundCost", "squared_distances"]
