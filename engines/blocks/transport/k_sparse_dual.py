"""Dual and semi-dual of optimal transport with at most k entries in a column, evaluated on a few candidates a column.

    semi-dual   D(alpha)       = alpha.a - sum_j Omega*_{b_j}(alpha - c_j)
    dual        D(alpha, beta) = alpha.a + beta.b - sum_j Omega*(alpha + beta_j - c_j)

(Liu et al. 2023; conjugates: :mod:`engines.blocks.transport.k_simplex`). Both are concave; their gradients
are what the marginals of the maximising plan T lack, a - T1 and b - T'1, and by the envelope theorem dD/dC = T.

One pass over the costs finds the largest s_i = alpha_i - c_ij of each column, as many as can have mass: at most k, and
of these those above -beta_j or gamma tau_j, which are few where gamma b_j is small against the costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from engines.blocks.transport.k_simplex import Entries, conjugate, conjugate_on_simplex, shares, threshold
from engines.blocks.transport.largest import largest

Form = Literal["semi-dual", "dual"]
FIRST_WIDTH = 16
"""So many entries of a column are looked for at first; where all of them have mass, twice as many, and so on."""


@dataclass(frozen=True)
class Evaluation:
    """Value of the (semi-)dual () and its gradient, (m,) or (m + n,), with the maximising plan, column by column."""

    value: Tensor
    gradient: Tensor
    plan: Entries


def evaluated(
    per_column: Tensor, a: Tensor, b: Tensor, potentials: tuple[Tensor, ...], k: int, gamma: float
) -> tuple[Tensor, Entries]:
    """D and its plan by a pass over all costs, for any batch: costs (..., n, m), a (..., m), b (..., n).

    ``potentials`` is (alpha,) for the semi-dual, (alpha, beta) for the dual. Differentiable; on a GPU in float32 too.
    """
    s = potentials[0][..., None, :] - per_column
    value = (potentials[0] * a).sum(-1)
    if len(potentials) == 1:
        gain, plan = conjugate_on_simplex(s, k, gamma, b)
        return value - gain.sum(-1), plan
    gain, plan = conjugate(s + potentials[1][..., None], k, gamma)
    return value + (potentials[1] * b).sum(-1) - gain.sum(-1), plan


class KSparseDual:
    """D for costs (n, m), one row for each *column* of the cost matrix, and positive weights a (m,) and b (n,)."""

    def __init__(
        self, per_column: Tensor, a: Tensor, b: Tensor, k: int, gamma: float, form: Form = "semi-dual"
    ) -> None:
        self.per_column, self.a, self.b, self.k, self.gamma, self.form = per_column, a, b, k, gamma, form
        self.width = min(self._widest, FIRST_WIDTH)
        self.known: Tensor | None = None
        """(n, width) the largest entries of the last evaluation, which make the next one quicker."""

    @property
    def size(self) -> int:
        """How many potentials there are."""
        return len(self.a) + (len(self.b) if self.form == "dual" else 0)

    def __call__(self, potentials: Tensor) -> Evaluation:
        alpha, beta = potentials[: len(self.a)], potentials[len(self.a) :]
        while True:
            s, where = largest(self.per_column, alpha, self.width, self.known)
            if len(beta):
                s += beta[:, None]
            gains, values, floor = self._best(s)
            self.known = where
            if self.width == self._widest or not bool((s[:, -1] > floor).any()):
                break
            self.width = min(2 * self.width, self._widest)
        plan = Entries(where, values)
        value, gradient = alpha @ self.a - gains.sum(), self.a - plan.total(len(self.a))
        if len(beta):
            value, gradient = value + beta @ self.b, torch.cat([gradient, self.b - values.sum(1)])
        return Evaluation(value, gradient, plan)

    @property
    def _widest(self) -> int:
        """How many entries of a column there can be to look at."""
        return self.k

    def _best(self, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n,) Omega* of s (n, width), its maximiser (n, width), and (n,) what a further s has to exceed to matter."""
        if self.form == "dual":
            values, floor = s.clamp(min=0) / self.gamma, torch.zeros_like(self.b)
        else:
            floor = self.gamma * threshold(s / self.gamma, self.b)
            values = ((s - floor[:, None]) / self.gamma).clamp_(min=0)
        return (values * s - 0.5 * self.gamma * values.square()).sum(1), values, floor

    def column_potentials(self, alpha: Tensor) -> Tensor:
        """(n,) the beta that maximises D(alpha, beta): -gamma tau of each column."""
        s, _ = largest(self.per_column, alpha, self.k)
        return -self.gamma * threshold(s / self.gamma, self.b)


class SmoothedDual(KSparseDual):
    """The dual with Omega*_mu in place of Omega*: differentiable, and above D by n mu k / (4 gamma) at most.

    Its plan may have more than k entries in a column, where shares z are between 0 and 1; at the maximum both of its
    marginals hold. It is then near the optimum of the convexified problem.
    """

    def __init__(self, per_column: Tensor, a: Tensor, b: Tensor, k: int, gamma: float, mu: float) -> None:
        super().__init__(per_column, a, b, k, gamma, "dual")
        self.mu = mu

    @property
    def _widest(self) -> int:
        return len(self.a)

    def _best(self, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        positive = s.clamp(min=0)
        squares = positive.square()
        z, eta = shares(squares, self.k, self.mu)
        gains = (z * squares - 0.5 * self.mu * z.square()).sum(1) / (2 * self.gamma)
        return gains, z * positive / self.gamma, eta.sqrt()


__all__ = ["Evaluation", "Form", "KSparseDual", "SmoothedDual", "evaluated"]
