"""The objective of GP-HM, and its best nodal values for given kernels (Fang et al. 2024, eq. 9-13).

For nodal values U on a tensor grid, with u's derivatives taken from the conditional mean of the Gaussian process,

    J = -1/2 log|K| - 1/2 u^T K^-1 u + lambda_b ( N_b/2 log tau - tau/2 |u_B - y|^2 ) + N_c/2 log v - v/2 |R(u)|^2

where R is the residual of the equation at the N_c nodes and B are the N_b nodes at which u is prescribed.

J is quadratic in u for a linear equation, so that u can be eliminated: with U = L_1 Z L_2^T it is the least-squares
solution of the equations that :mod:`engines.pde.gp_hm_solve` has. Because J is
stationary in u there, its gradient in the kernels is that at fixed u: the solve need not be differentiated. Equations
that are not linear take Gauss-Newton steps, with R's own derivatives as coefficients c_m.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from engines.blocks.pde.equations import Index
from engines.blocks.pde.kronecker import AxisKernel, GridPrior
from engines.blocks.pde.spectral_kernels import Components, kernel_matrices
from engines.blocks.pde.tensor_grid import TensorGrid
from engines.pde.gp_hm_solve import GridSystem, solve_line

MOST_LOG_PRECISION = 30.0
"""tau and v would run to infinity where the solution is reproduced exactly."""


@dataclass(frozen=True)
class Collocation:
    """The problem at the nodes: prescribed values, the equation, and what another process contributes already."""

    grid: TensorGrid
    jitter: float
    boundary_weight: float
    log_determinant: bool
    source: Tensor | None = None
    """Added to the right side of the equation, in the grid's shape."""
    base: Mapping[Index, Tensor] = field(default_factory=dict)
    """Derivatives of a solution to which this one is added."""

    @functools.cached_property
    def orders(self) -> tuple[Index, ...]:
        """The derivatives that the equation takes, the solution itself first."""
        (unknown,) = self.grid.compiled.unknowns
        return tuple(sorted({(0,) * len(self.grid.shape), *self.grid.compiled.needs[unknown]}))

    @functools.cached_property
    def _prescribed(self) -> tuple[Tensor, Tensor]:
        mask, values = self.grid.prescribed()
        return mask, values - self.base[self.orders[0]] if self.base else values

    @property
    def mask(self) -> Tensor:
        """Nodes at which u is prescribed, in the grid's shape."""
        return self._prescribed[0]

    @property
    def values(self) -> Tensor:
        """What is left to prescribe there."""
        return self._prescribed[1]

    @functools.cached_property
    def is_linear(self) -> bool:
        return self.grid.compiled.linear_operator() is not None

    def residual(self, jets: Mapping[Index, Tensor]) -> Tensor:
        value = self.grid.residual(self._whole(jets))
        return value if self.source is None else value - self.source

    def linearised(self, jets: Mapping[Index, Tensor]) -> tuple[dict[Index, Tensor], Tensor]:
        """Coefficients c_m at ``jets``, and f for which R(u) = sum_m c_m u_m - f to first order."""
        value, slopes = self.grid.linearised(self._whole(jets))
        value = value if self.source is None else value - self.source
        slopes = {index: slope for index, slope in slopes.items() if bool(slope.any())}
        return slopes, sum((slope * jets[index] for index, slope in slopes.items()), -value)

    def _whole(self, jets: Mapping[Index, Tensor]) -> dict[Index, Tensor]:
        return {i: v + self.base[i] if self.base else v for i, v in jets.items()}

    def prior(self, kernel: str, components: tuple[Components, ...]) -> GridPrior:
        """The Gaussian process at the nodes. Raises :class:`UserError` where a matrix cannot be factorised."""
        names = self.grid.compiled.coordinates
        axes = []
        for nodes, part, name in zip(self.grid.axes, components, names, strict=True):
            spacing = float(nodes[-1] - nodes[0]) / (len(nodes) - 1)
            K, *derivatives = kernel_matrices(kernel, len(nodes), spacing, part)
            axes.append(AxisKernel.of(K, derivatives, self.jitter, name))
        return GridPrior(tuple(axes))


@dataclass(frozen=True)
class Terms:
    """J and what it is made of."""

    objective: Tensor
    boundary_error: Tensor
    """Mean squared error at the prescribed nodes."""
    residual_error: Tensor
    """Mean squared residual of the equation."""

    @property
    def gap(self) -> float:
        return float(self.boundary_error.detach() + self.residual_error.detach())


def objective(problem: Collocation, prior: GridPrior, U: Tensor, log_tau: Tensor, log_v: Tensor) -> Terms:
    """J at nodal values ``U``; differentiable in all it takes."""
    log_tau, log_v = log_tau.clamp(max=MOST_LOG_PRECISION), log_v.clamp(max=MOST_LOG_PRECISION)
    jets, first = prior.derivatives(U, problem.orders)
    off = ((U - problem.values)[problem.mask] ** 2).sum()
    residual = (problem.residual(jets) ** 2).sum()
    bounded, nodes = int(problem.mask.sum()), U.numel()
    J = -0.5 * prior.quadratic(U, first)
    if problem.log_determinant:
        J = J - 0.5 * prior.log_determinant()
    J = J + problem.boundary_weight * (bounded / 2 * log_tau - log_tau.exp() / 2 * off)
    J = J + nodes / 2 * log_v - log_v.exp() / 2 * residual
    return Terms(J, off / max(1, bounded), residual / nodes)


def precision_roots(problem: Collocation, log_tau: Tensor, log_v: Tensor) -> tuple[float, float]:
    """sqrt(lambda_b tau) and sqrt(v)."""
    tau, v = (math.exp(0.5 * min(float(log), MOST_LOG_PRECISION)) for log in (log_tau, log_v))
    return math.sqrt(problem.boundary_weight) * tau, v


@torch.no_grad()
def best_nodes(
    problem: Collocation, prior: GridPrior, U: Tensor, log_tau: Tensor, log_v: Tensor, most: int = 3, products: int = 60
) -> Tensor:
    """The nodal values at which J is largest, from ``U`` on.

    At most ``most`` Gauss-Newton steps (one for a linear equation), of at most ``products`` products each in two
    dimensions.
    """
    roots = precision_roots(problem, log_tau, log_v)
    for _ in range(1 if problem.is_linear else most):
        jets, _ = prior.derivatives(U, problem.orders)
        coefficients, right = problem.linearised(jets)
        before = U
        if U.ndim == 1:
            U = solve_line(problem, prior, coefficients, right, *roots)
        else:
            U = GridSystem(problem, prior, coefficients, right, *roots).solve(U, products)
        if float((U - before).norm()) <= 1e-8 * float(U.norm()):
            break
    return U


__all__ = ["Collocation", "Terms", "best_nodes", "objective", "precision_roots"]
