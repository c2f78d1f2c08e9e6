"""A plan with both marginals exact and at most k entries in a column, from supports that a dual solution proposes.

Which supports are best is a combinatorial question; here each column keeps k entries that it is given, and the mass on
them is that of quadratic optimal transport restricted to them,

    min <C, T> + gamma/2 ||T||^2 over T >= 0 on the supports, T1 = a, T'1 = b,

whose dual is smooth: max alpha.a + beta.b - 1/(2 gamma) sum over the supports of max(alpha_i + beta_j - c_ij, 0)^2.
Whether there is such a plan at all is a question of flows, and is asked first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.lbfgs import Lbfgs
from engines.blocks.transport.k_simplex import Entries

EXACT = 1e-13
"""Marginals that are off by less than this share of the mass are so by rounding."""
DESCENTS, MEMORY, NEWTON_STEPS = 300, 50, 40


def routable(where: Tensor, a: Tensor, b: Tensor) -> float:
    """The largest share of the mass that supports (n, k) let pass from sources a (m,) to targets b (n,)."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, vstack

    rows = where.cpu().numpy().ravel()
    columns = np.repeat(np.arange(len(b)), where.shape[1])
    one, place = np.ones(len(rows)), np.arange(len(rows))
    out, into = coo_array((one, (rows, place))), coo_array((one, (columns, place)))
    out.resize(len(a), len(rows))
    most = torch.cat([a, b]).cpu().numpy() / float(a.sum())
    found = linprog(-one, A_ub=vstack([out, into]).tocsr(), b_ub=most, method="highs")
    return -float(found.fun) if found.success else 0.0


def restricted(costs: Tensor, where: Tensor, a: Tensor, b: Tensor, gamma: float, start: Tensor) -> Tensor:
    """(n, k) masses of quadratic optimal transport on supports ``where`` (n, k), with their ``costs``; nearest to
    both marginals where the supports are not feasible. ``start``: potentials (m + n,). L-BFGS, then Newton's steps."""
    m, potentials = len(a), start.clone()

    def evaluate(at: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        t = (at[where] + at[m:, None] - costs).clamp_(min=0) / gamma
        value = at[:m] @ a + at[m:] @ b - 0.5 * gamma * t.square().sum()
        lacks = torch.cat([a - Entries(where, t).total(m), b - t.sum(1)])
        return value, lacks, t

    descent = Lbfgs(potentials, MEMORY)
    for _ in range(DESCENTS):
        descent.iterate(lambda: tuple(-found for found in evaluate(potentials)[:2]))  # type: ignore[arg-type,return-value]
        if descent.stalled:
            break
    value, lacks, t = evaluate(potentials)
    for _ in range(NEWTON_STEPS):
        if float(lacks.abs().sum()) <= EXACT * float(a.sum()):
            break
        step, length = _newton(where, t, lacks, m, gamma), 1.0
        while length > 1e-6:
            found = evaluate(potentials + length * step)
            if float(found[1].abs().sum()) < float(lacks.abs().sum()) or float(found[0]) > float(value):
                break
            length /= 2
        else:
            break
        potentials = potentials + length * step
        value, lacks, t = found
    return t


def nearest(plan: Entries, a: Tensor, b: Tensor) -> Entries:
    """The nearest plan on the same entries that has both marginals, if they allow it: min 1/2 ||T' - T||^2."""
    start = torch.zeros(len(a) + len(b), dtype=a.dtype, device=a.device)
    return Entries(plan.where, restricted(-plan.values, plan.where, a, b, 1.0, start))


def _newton(where: Tensor, t: Tensor, lacks: Tensor, m: int, gamma: float) -> Tensor:
    """H step = lacks with minus the second derivative H of the dual: 1/gamma on the pairs that have mass."""
    from scipy.sparse import coo_array, eye_array
    from scipy.sparse.linalg import spsolve

    column, place = t.nonzero(as_tuple=True)
    i, j = where[column, place].cpu().numpy(), column.cpu().numpy() + m
    size, one = len(lacks), np.ones(len(i))
    places: Any = (np.concatenate([i, j, i, j]), np.concatenate([i, j, j, i]))
    H = coo_array((np.tile(one, 4) / gamma, places), (size, size)).tocsc()
    step = spsolve(H + 1e-10 / gamma * eye_array(size, format="csc"), lacks.cpu().numpy())  # it has a null space
    return torch.from_numpy(step).to(lacks)


__all__ = ["EXACT", "nearest", "restricted", "routable"]
