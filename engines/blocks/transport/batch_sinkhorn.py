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

import numpy as np
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
    """L1 distance of the marginals from the weights."""
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
            f, sweeps = (C - g).amin(1), 0  # so that each row of the kernel has a 1, and no entry is larger
            while True:
                K = self._kernel(f, g, C)
                u, v, error, done = self._scaled(K, min(BEFORE_ABSORBING, self.most - sweeps))
                sweeps += done
                if math.isfinite(error):
                    f, g = f + u.log(), g + v.log()
                else:
                    f, g = _potentials(C, g)
                    K = self._kernel(f, g, C)
                    u, v, error = torch.ones_like(f), torch.ones_like(g), float((K.sum(1) - 1 / len(f)).abs().sum())
                if not error > self.tolerance or sweeps >= self.most:  # no number ends it, too: the costs are none
                    break
            self.points, self.potential = x.detach(), f
            plan = K.mul_(v).mul_(u[:, None])
        transport = (plan * costs).sum()
        return Solved(transport + (self.epsilon * (f.mean() + g.mean()) - transport.detach()), error, sweeps)

    @staticmethod
    def _kernel(f: Tensor, g: Tensor, C: Tensor) -> Tensor:
        return torch.sub(f[:, None] + (g - math.log(C.numel())), C).exp_()

    @np.errstate(all="ignore")  # where the kernel underflows, the error says so
    def _scaled(self, K: Tensor, most: int) -> tuple[Tensor, Tensor, float, int]:
        """Scalings u, v with u K v near to uniform marginals, the error, and the number of sweeps."""
        kernel = _quick(K)
        (n, m), sweeps, last, relaxed = K.shape, 0, math.inf, 1.0
        transposed, u, v = kernel.T, kernel[:, 0] * 0 + 1, kernel[0] * 0 + 1
        while True:
            for _ in range(self.every):
                plain = 1 / (m * (transposed @ u))
                v = plain if relaxed == 1 else plain * (plain / v) ** (relaxed - 1)
                plain = 1 / (n * (kernel @ v))
                u = plain if relaxed == 1 else plain * (plain / u) ** (relaxed - 1)
            v = 1 / (m * (transposed @ u))  # a plain half sweep ends, so that the mass is one and the dual is the value
            error = float(abs(u * (kernel @ v) - 1 / n).sum())
            sweeps += self.every
            if not error > self.tolerance or sweeps >= most or not math.isfinite(error):
                return torch.as_tensor(u), torch.as_tensor(v), error, sweeps
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


def _quick(x: Tensor) -> Any:
    """A view for numpy on a CPU, where its small operations take a third of the time of torch's."""
    return x.numpy() if x.device.type == "cpu" else x


def _softmin(C: Tensor, axis: int) -> Tensor:
    """-log of the mean of exp(-C) along an axis."""
    return math.log(C.shape[axis]) - torch.logsumexp(-C, axis)


def _potentials(C: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """A sweep in the logarithm."""
    f = _softmin(C - g, 1)
    return f, _softmin(C - f[:, None], 0)


def _annealed(C: Tensor) -> Tensor:
    """(m,) g to start with: sweeps while eps falls from the mean cost to its value, by four from one to the next."""
    g, wider = C.new_zeros(C.shape[1]), max(1.0, float(C.mean()))
    while wider > 1:
        g = wider * _potentials(C / wider, g / wider)[1]
        wider /= 4
    return g


__all__ = ["BatchSinkhorn", "Solved"]
