"""k-sparse transport's claims (sheet 07): from exact to quadratic transport, smoother with k; each with three draws.

Problem P is 20 normal points against 30 with Dirichlet weights; the larger one 100 against 120, drawn alike. Costs are
squared distances divided by the largest, and the quadratic weight is 1. The method draws no random numbers.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import math
import warnings

import numpy as np
import pytest
import torch

from engines.core import Run
from engines.transport.k_sparse_solve import Settings, Solver

pytestmark = [pytest.mark.claim, pytest.mark.timeout(3600)]

SEEDS = (0, 1, 2)
KS = (1, 2, 3, 5, 8, 13)
P, LARGER = (20, 30), (100, 120)


@functools.cache
def problem(seed: int, m: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, 2)), rng.normal(size=(n, 2)) + 1
    costs = ((x[:, None] - y) ** 2).sum(-1)
    return costs / costs.max(), rng.dirichlet(np.full(m, 5.0)), rng.dirichlet(np.full(n, 5.0))


def solve(seed: int, size: tuple[int, int], k: int, **changes: object) -> Solver:
    solver = Solver(*map(torch.from_numpy, problem(seed, *size)), Settings(k, 1.0, **changes))
    for _ in solver.solve(Run(), "Maximising"):
        pass
    return solver


@functools.cache
def best(seed: int, size: tuple[int, int], k: int) -> Solver:
    return solve(seed, size, k)


def pot(seed: int, size: tuple[int, int], k: int) -> dict[str, float]:
    """POT's own semi-dual with its default of 500 iterations; it prints shapes."""
    import ot

    costs, a, b = problem(seed, *size)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _, log = ot.smooth.smooth_ot_semi_dual(
            a, b, costs, 1.0, reg_type="sparsity_constrained", max_nz=k, log=True
        )  # fmt: skip
    return {f"value, k = {k}": -float(log["res"].fun), f"iterations, k = {k}": float(log["res"].nit)}


def sweep(seed: int) -> dict[str, float]:
    import ot

    found: dict[str, float] = {}
    for k in (1, 2, 3, 5, 10, 20):
        solver = best(seed, P, k)
        told = solver.dual(solver.best)
        found |= {f"value, k = {k}": solver.lower, f"entries, k = {k}": float((told.plan.values > 0).sum())}
    costs, a, b = problem(seed, *P)
    constant = 0.5 * float((b**2).sum())
    found["off from exact transport, k = 1"] = abs(found["value, k = 1"] - ot.emd2(a, b, costs) - constant)
    plan = quadratic(seed)
    found["off from quadratic transport, k = 20"] = abs(found["value, k = 20"] - (costs * plan + plan**2 / 2).sum())
    return found


def quadratic(seed: int) -> np.ndarray:
    """By POT."""
    import ot

    costs, a, b = problem(seed, *P)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return ot.smooth.smooth_ot_semi_dual(a, b, costs, 1.0, reg_type="l2", stopThr=1e-13, numItermax=3000)


@pytest.mark.parametrize("seed", SEEDS)
def test_from_exact_to_quadratic_transport(claim, seed):
    import ot

    costs, a, b = problem(seed, *P)
    row = claim("k-sparse", "Leads from exact transport at k = 1 to quadratic transport", "problem P, 20 × 30", seed)
    ours = row.measure(lambda: sweep(seed))

    def of(plan: np.ndarray) -> dict[str, float]:
        return {
            "cost": float((costs * plan).sum()),
            "objective": float((costs * plan).sum() + 0.5 * (plan**2).sum()),
            "entries": float((plan > 1e-12 * plan.max()).sum()),
        }

    row.measure(lambda: of(ot.emd(a, b, costs)), "exact transport (POT)")
    row.measure(lambda: of(quadratic(seed)), "quadratic transport (POT)")
    row.measure(lambda: of(ot.sinkhorn(a, b, costs, 5e-3, numItermax=100_000)), "Sinkhorn, ε = 0.005 (POT)")
    values = [ours[f"value, k = {k}"] for k in (1, 2, 3, 5, 10, 20)]
    ends = (ours["off from exact transport, k = 1"], ours["off from quadratic transport, k = 20"])
    row.conclude(
        max(ends) < 1e-7 and values == sorted(values, reverse=True),
        f"k = 1 is exact transport plus a constant to {ends[0]:.0e}, k = 20 quadratic transport to {ends[1]:.0e}; "
        f"values {', '.join(f'{v:.4f}' for v in values)}",
    )


def iterations(seed: int, k: int) -> dict[str, float]:
    """Of plain L-BFGS until the value is within a thousandth of the maximum; minus one where it gets stuck before."""
    solver = solve(seed, LARGER, k, continuation="none")
    value, top = np.array(solver.record.value), best(seed, LARGER, k).lower
    near = np.flatnonzero(value >= top - 1e-3 * abs(top))
    return {
        f"iterations, k = {k}": float(near[0] + 1) if len(near) else -1.0,
        f"short by, k = {k}": max(0.0, (top - value.max()) / top),
        f"marginal error, k = {k}": solver.record.error[-1],
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_a_larger_k_is_smoother_and_faster(claim, seed):
    row = claim("k-sparse", "Converges faster as k grows", "100 against 120 normal points", seed)
    ours = row.measure(lambda: {key: v for k in KS for key, v in iterations(seed, k).items()})
    row.measure(lambda: {key: v for k in KS for key, v in pot(seed, LARGER, k).items()}, "POT, 500 iterations at most")
    counts = [ours[f"iterations, k = {k}"] for k in KS]
    order = [math.inf if c < 0 else c for c in counts]
    short = [ours[f"short by, k = {k}"] for k in KS]
    falling = all(later <= sooner + 1 for sooner, later in itertools.pairwise(order))
    row.conclude(
        falling and order[0] > 3 * order[-1] and short[0] > 10 * short[2] > 10 * short[4],
        "iterations to within 0.1 %: "
        + ", ".join(f"{'never' if c < 0 else f'{c:.0f}'} (k = {k})" for k, c in zip(KS, counts, strict=True)),
    )


def shortfalls(seed: int, continuation: str, ks: tuple[int, ...]) -> dict[str, float]:
    """How far below the upper bound, relatively."""
    found = {}
    for k in ks:
        solver = solve(seed, LARGER, k, continuation=continuation)
        upper = best(seed, LARGER, k).upper
        found[f"short by at most, k = {k}"] = (upper - solver.lower) / upper
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_smoothed_ties_get_to_the_maximum_where_others_are_stuck(claim, seed):
    row = claim("k-sparse", "Smoothed ties lead past the kinks of small k", "100 against 120 normal points", seed)
    ks = (1, 2, 3)
    ours = row.measure(lambda: shortfalls(seed, "smoothed ties", ks))
    others = {
        "L-BFGS alone": lambda: shortfalls(seed, "none", ks),
        "from 10 γ down": lambda: shortfalls(seed, "larger γ", ks),
        "POT, 500 iterations at most": lambda: {
            f"short by at most, k = {k}": 1 - pot(seed, LARGER, k)[f"value, k = {k}"] / best(seed, LARGER, k).upper
            for k in ks
        },
    }
    theirs = [row.measure(make, name) for name, make in others.items()]
    keys = [f"short by at most, k = {k}" for k in ks]
    row.conclude(
        all(ours[key] < 1e-3 and all(ours[key] < other[key] for other in theirs) for key in keys),
        f"short of the maximum by at most {', '.join(f'{ours[key]:.1e}' for key in keys)} for k = 1, 2, 3; "
        f"L-BFGS alone {', '.join(f'{theirs[0][key]:.1e}' for key in keys)}",
    )
