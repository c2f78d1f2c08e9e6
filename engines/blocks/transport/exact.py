"""Exact optimal transport, min over P >= 0, P 1 = a, P' 1 = b of <C, P>, by the network simplex of POT."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.blocks.apart import apart
from engines.core import UserError

MOST_PIVOTS = 100_000_000
INTERRUPTIBLE = 1_000_000
"""Problems of more pairs than this are solved in a process of their own, which can be stopped; it takes seconds."""


@dataclass(frozen=True)
class Exact:
    """An optimal plan by its entries, at most m + n - 1, and potentials f (m,), g (n,) that prove it.

    f_i + g_j <= c_ij everywhere, with equality where mass goes, so that ``cost`` = <C, P> = a·f + b·g.
    """

    rows: np.ndarray
    columns: np.ndarray
    mass: np.ndarray
    f: np.ndarray
    g: np.ndarray
    cost: float


def exact(
    costs: np.ndarray, a: np.ndarray, b: np.ndarray, check: Callable[[], object] | None = None
) -> Exact:  # fmt: skip
    """Costs (m, n), weights a (m,) and b (n,) of one total, float64. ``check`` may raise, to stop a large problem."""
    if check is None or costs.size <= INTERRUPTIBLE:
        return _solved(costs, a, b)
    with tempfile.TemporaryDirectory() as folder:  # through a pipe the costs would go only once the process listens
        path = str(Path(folder) / "costs.npy")
        np.save(path, costs)
        return apart(_solved_from, path, a, b, check=check)


def _solved_from(path: str, a: np.ndarray, b: np.ndarray) -> Exact:
    return _solved(np.load(path), a, b)


def _solved(costs: np.ndarray, a: np.ndarray, b: np.ndarray) -> Exact:
    from ot.lp import emd  # heavy

    total = float(a.sum())  # POT wants masses that sum to about one
    plan, told = emd(a / total, b / float(b.sum()), np.ascontiguousarray(costs), numItermax=MOST_PIVOTS, log=True,
                     check_marginals=False)  # fmt: skip
    if told["warning"]:
        raise UserError("Exact transport was not found.", f"The solver says: {str(told['warning']).strip()}",
                        "Use fewer points, or entropic transport.")  # fmt: skip
    rows, columns = np.nonzero(plan)
    mass = total * plan[rows, columns]
    return Exact(rows, columns, mass, told["u"], told["v"], float(mass @ costs[rows, columns]))


def exact_cost(costs: np.ndarray, a: np.ndarray | None = None, b: np.ndarray | None = None) -> float:
    """<C, P> of the optimum; weights default to 1/m and 1/n. Square and uniform: an assignment, solved as such."""
    m, n = costs.shape
    if a is None and b is None and m == n:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(costs)
        return float(costs[rows, columns].mean())
    return exact(costs, np.full(m, 1 / m) if a is None else a, np.full(n, 1 / n) if b is None else b).cost


__all__ = ["Exact", "exact", "exact_cost"]
