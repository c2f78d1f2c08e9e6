"""Entropic transport between batches of points that change from step to step, with the gradient for training.

    W_eps = min_P <P, C> + eps KL(P | a b'),   P marginals a and b uniform

The plan is found without gradients; by the envelope theorem the gradient of W_eps is that of <P, C> with P held fixed.
Everything below is in units of eps: potentials f and g are those of P = a b exp(f + g - C / eps).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engines.blocks.transport.costs import Cost

RELAXATION = 1.7
"""Scalings go so many times as far, in the logarithm, as a plain sweep would: measured, 2 to 5 times fewer sweeps."""
NEAR = 0.3
"""Marginal error below which they do: further off, sweeps that overshoot need not converge (Thibault et al. 2021)."""
BEFORE_ABSORBING = 200
"""Sweeps after which the scalings go into the potentials, and the kernel is made anew."""


@dataclass(frozen=True)
class Solved:
    """A plan P between two batches, and how well its marginals are met."""

    value: Tensor
    """W_eps () in the convention "KL", as its dual has it; its gradient in the points holds P fixed."""
    error: float
    """L1 distance of the marginals from the weights; NaN where the sweeps broke down."""
    sweeps: int


class BatchSinkhorn:
    """Solves each batch from where the last one ended.

    The potential f of the last batch says what g is at *any* point, g(y) = -log sum_i a_i exp(f_i - c(x_i, y) / eps):
    there the next batch starts, so that some tens of sweeps do. The first starts with eps falling to its value.
    Sweeps multiply by the kernel exp(f + g - C / eps), which holds the potentials found so far (stabilised scaling);
    where it underflows nevertheless, they are made in the logarithm.
    """

    def __init__(self, cost: Cost, epsilon: float, tolerance: float = 1e-3, most: int = 2000, every: int = 10) -> None:
        """``tolerance`` of the marginal error (L1), looked at ``every`` so many sweeps, of which there are ``most``."""
        self.cost, self.epsilon, self.tolerance, self.most, self.every = cost, epsilon, tolerance, most, every
        self.points: Tensor | None = None
        self.potential: Tensor | None = None

    def __call__(self, x: Tensor, y: Tensor) -> Solved:
        """Between points x (n, d) and y (m, d), float64."""
        costs = self.cost.pairwise(x, y)
        with torch.no_grad():
            C = costs.detach() / self.epsilon
            g = _annealed(C) if self.points is None else self._continued(y)
            f, sweeps, error, relaxed = _softmin(C - g, 1), 1, math.inf, 1.0
            while True:
                K = torch.sub(f[:, None] + (g - math.log(C.numel())), C).exp_()
                u, v, error, done = self._scaled(K, min(BEFORE_ABSORBING, self.most - sweeps), relaxed)
                sweeps += done
                if not math.isfinite(error) and sweeps < self.most:
                    f, g = _softmin(C - g, 1), _softmin(C - f[:, None], 0)
                    sweeps += 1
                    continue
                f, g = f + u.log(), g + v.log()
                if not error > self.tolerance or sweeps >= self.most:
                    break
            self.points, self.potential = x.detach(), f
            plan = K.mul_(v).mul_(u[:, None])
        transport = (plan * costs).sum()
        return Solved(transport + (self.epsilon * (f.mean() + g.mean()) - transport.detach()), error, sweeps)

    def _scaled(self, K: Tensor, most: int, relaxed: float) -> tuple[Tensor, Tensor, float, int]:
        """Scalings u, v with u K v near to uniform marginals, the error, and the number of sweeps."""
        (n, m), sweeps, last = K.shape, 0, math.inf
        u, v = K.new_ones(n), K.new_ones(m)
        while True:
            for _ in range(self.every):
                to_v = 1 / (m * (u @ K))
                v = to_v if relaxed == 1 else v.pow_(1 - relaxed).mul_(to_v.pow_(relaxed))
                to_u = 1 / (n * (K @ v))
                u = to_u if relaxed == 1 else u.pow_(1 - relaxed).mul_(to_u.pow_(relaxed))
            v = 1 / (m * (u @ K))  # ends with a plain half sweep, so that the mass is one and the dual is the value
            error = float((u * (K @ v) - 1 / n).abs().sum())
            sweeps += self.every
            if not error > self.tolerance or sweeps >= most or not math.isfinite(error):
                return u, v, error, sweeps
            relaxed, last = RELAXATION if error < min(NEAR, last) else 1.0, error

    def _continued(self, y: Tensor) -> Tensor:
        """(m,) the other potential at y, as that of the last batch has it."""
        assert self.points is not None
        assert self.potential is not None
        return _softmin(self.cost.pairwise(self.points, y) / self.epsilon - self.potential[:, None], 0)

    def state(self) -> dict[str, Any]:
        return {"points": self.points, "potential": self.potential}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.points, self.potential = state["points"], state["potential"]


def _softmin(C: Tensor, axis: int) -> Tensor:
    """-log of the mean of exp(-C) along an axis."""
    return math.log(C.shape[axis]) - torch.logsumexp(-C, axis)


def _annealed(C: Tensor) -> Tensor:
    """(m,) g to start with: sweeps while eps falls from the mean cost to its value, by four from one to the next."""
    g, wider = C.new_zeros(C.shape[1]), max(1.0, float(C.mean()))
    while wider > 1:
        f = wider * _softmin((C - g) / wider, 1)
        g = wider * _softmin((C - f[:, None]) / wider, 0)
        wider /= 4
    return g


__all__ = ["BatchSinkhorn", "Solved"]
