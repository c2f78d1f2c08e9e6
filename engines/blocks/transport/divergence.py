"""Entropic costs between two clouds, and the Sinkhorn divergence, with gradients in the points.

By the envelope theorem the gradient of W(C) = min over P of <C, P> + regularisation is that of <P, C> with the plan P
held fixed. So Sinkhorn runs without a tape, and only <P, C(points)> is differentiated; both conventions of epsilon
(see :mod:`.sinkhorn`) have this gradient. Values are those of the dual, whose error is of second order in that of the
potentials.

    S(alpha, beta) = W(alpha, beta) - 1/2 W(alpha, alpha) - 1/2 W(beta, beta)      ("KL" convention)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.sinkhorn import Convention, sinkhorn, symmetric_potential


@dataclass(frozen=True)
class Entropic:
    """``value`` is differentiable in the points; ``f`` and ``g`` are potentials of the "KL" convention."""

    value: Tensor
    f: Tensor
    g: Tensor
    error: float
    """L1 error of the marginals."""
    sweeps: int


@dataclass(frozen=True)
class Divergence:
    """``value`` is differentiable in the points; ``cross`` is its first term, whose ``g`` starts the next one."""

    value: Tensor
    cross: Entropic
    error: float
    """Largest L1 error of the marginals of its plans."""


def entropic_cost(
    x: Tensor, y: Tensor, cost: Cost, epsilon: float, *, a: Tensor | None = None, b: Tensor | None = None,
    convention: Convention = "KL", start: Tensor | None = None, tolerance: float = 1e-3, sweeps: int = 2000,
    check_every: int = 10, anneal: bool = False,
) -> Entropic:  # fmt: skip
    """W between points x (n, d) and y (m, d) with weights a (n,), b (m,), one total each (default: 1/n, 1/m).

    ``start`` is a g (m,) to start from: that of a step before, if y is the same or nearly so. The solver works in
    float64; the value has the dtype of the points. ``tolerance`` is relative to the total mass.
    """
    costs = cost.pairwise(x, y)
    return entropic_cost_of(costs, epsilon, a=a, b=b, convention=convention, start=start, tolerance=tolerance,
                            sweeps=sweeps, check_every=check_every, anneal=anneal)  # fmt: skip


def entropic_cost_of(
    costs: Tensor, epsilon: float, *, a: Tensor | None = None, b: Tensor | None = None, convention: Convention = "KL",
    start: Tensor | None = None, tolerance: float = 1e-3, sweeps: int = 2000, check_every: int = 10,
    anneal: bool = False,
) -> Entropic:  # fmt: skip
    """The same, for costs (n, m) that may have a gradient of their own."""
    C = costs.detach().double()
    a, b = _weights(a, C, 0), _weights(b, C, 1)
    mass = float(a.sum())
    solved = sinkhorn(C, a, b, epsilon, tolerance=tolerance * mass, sweeps=sweeps, check_every=check_every,
                      start=start, anneal=anneal)  # fmt: skip
    f, g = solved.potentials()
    value = a @ f + b @ g
    if convention == "entropy":
        value = value + epsilon * (a.log() @ a + b.log() @ b)
    return Entropic(_enveloped(value, costs, solved.plan), f, g, solved.error / mass, solved.sweeps)


def self_cost(
    x: Tensor, cost: Cost, epsilon: float, *, a: Tensor | None = None, tolerance: float = 1e-3, sweeps: int = 2000
) -> Entropic:
    """W("KL") between a cloud and itself; by symmetric steps, of which a few suffice."""
    costs = cost.pairwise(x, x)
    C = costs.detach().double()
    a = _weights(a, C, 0)
    mass = float(a.sum())
    f, error = symmetric_potential(C, a, epsilon, tolerance=tolerance * mass, sweeps=sweeps)

    def plan() -> Tensor:
        weighted = a * (f / epsilon).exp()
        return (C * (-1 / epsilon)).exp_().mul_(weighted[:, None]).mul_(weighted)

    return Entropic(_enveloped(2 * (a @ f), costs, plan), f, f, error / mass, 0)


def sinkhorn_divergence(
    x: Tensor, y: Tensor, cost: Cost, epsilon: float, *, a: Tensor | None = None, b: Tensor | None = None,
    start: Tensor | None = None, tolerance: float = 1e-3, sweeps: int = 2000, check_every: int = 10,
    anneal: bool = False,
) -> Divergence:  # fmt: skip
    """S between two clouds of one total mass: not negative, 0 where they are equal; arguments as above."""
    cross = entropic_cost(x, y, cost, epsilon, a=a, b=b, start=start, tolerance=tolerance, sweeps=sweeps,
                          check_every=check_every, anneal=anneal)  # fmt: skip
    ours = self_cost(x, cost, epsilon, a=a, tolerance=tolerance, sweeps=sweeps)
    theirs = self_cost(y, cost, epsilon, a=b, tolerance=tolerance, sweeps=sweeps)
    value = cross.value - 0.5 * (ours.value + theirs.value)
    return Divergence(value, cross, max(cross.error, ours.error, theirs.error))


def _weights(given: Tensor | None, costs: Tensor, side: int) -> Tensor:
    if given is not None:
        return given.detach().to(costs)
    count = costs.shape[side]
    return costs.new_full((count,), 1 / count)


class _Enveloped(torch.autograd.Function):
    """A value whose gradient in the costs is the plan."""

    @staticmethod
    def forward(ctx, value: Tensor, costs: Tensor, plan: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(plan)
        return value

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[None, Tensor, None]:  # type: ignore[no-untyped-def]
        (plan,) = ctx.saved_tensors
        return None, plan * gradients[0], None


def _enveloped(value: Tensor, costs: Tensor, plan) -> Tensor:  # type: ignore[no-untyped-def]
    value = value.to(costs.dtype)
    if not costs.requires_grad:
        return value
    found: Tensor = _Enveloped.apply(value, costs, plan().to(costs.dtype))
    return found


__all__ = ["Divergence", "Entropic", "entropic_cost", "entropic_cost_of", "self_cost", "sinkhorn_divergence"]
