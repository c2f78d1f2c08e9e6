"""SNS against POT's Sinkhorn and regot's Newton solvers on the random assignment: ratios from one run, in core seconds.

All solve C ~ U(0, 1), n = 500, uniform weights, eta = 1/reg = 1200, the plan's error being L1 over both marginals. SNS
goes to 1e-12. POT stops where its sweeps end: 20,000 bring it to 1e-9. regot's solvers are asked for 1e-9 in their own
measure, which brings their plans to 3e-11 and 1e-12, and costs them less than 1e-12 does.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
import torch

from engines.blocks.transport.newton import defect, factorised, iterated, solved, sparse_pair
from engines.blocks.transport.posing import posed
from engines.blocks.transport.scaled_plan import ScaledPlan
from engines.blocks.transport.sinkhorn import Scaling, sinkhorn
from engines.core import Run
from engines.transport.digit_pair import digit
from engines.transport.random_assignment import assignment_of
from engines.transport.sns import solve
from engines.transport.sns_params import SnsParams
from tests.benchmarks.timing import medians

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600), pytest.mark.usefixtures("one_thread")]

ETA = 1200.0


def error_of(plan: np.ndarray, a: np.ndarray) -> float:
    return float(abs(plan.sum(1) - a).sum() + abs(plan.sum(0) - a).sum())


def ours(n: int, **params):
    """A call that solves, the problem being posed already."""
    settings = SnsParams(**{"sweeps": 20, "switch": "after all sweeps", "scale": "none"} | params)
    problem = posed(assignment_of(n)["source"], None, settings, Run())
    return lambda: solve(problem, settings, Run(), {})


def test_sns_against_pot_and_regot():
    import ot
    import regot

    n = 500
    a, C = np.full(n, 1 / n), assignment_of(n)["source"].costs.copy()
    columns_first = np.asfortranarray(C)

    def pot(sweeps: int) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            return ot.sinkhorn(a, a, C, 1 / ETA, numItermax=sweeps, stopThr=0.0)

    peers = {
        "ssns": lambda: regot.sinkhorn_ssns(columns_first, a, a, 1 / ETA, tol=1e-9, max_iter=1000).plan,
        "newton": lambda: regot.sinkhorn_newton(columns_first, a, a, 1 / ETA, tol=1e-9, max_iter=1000).plan,
    }
    automatic = ours(n, sweeps=2000, switch="automatic")
    taken = medians(5, sns=ours(n), automatic=automatic, **peers) | medians(1, pot=lambda: pot(20_000))
    errors = {"sns": ours(n)().error, "automatic": automatic().error, "pot": error_of(pot(20_000), a)}
    errors |= {name: error_of(np.asarray(call()), a) for name, call in peers.items()}
    print(f"\nn = {n}, eta = {ETA:g}: " + ", ".join(
        f"{name} {1e3 * seconds:.0f} core-ms to {errors[name]:.1e} ({seconds / taken['sns']:.1f})"
        for name, seconds in taken.items()
    ))  # fmt: skip
    assert errors["sns"] <= 1e-12
    assert taken["sns"] <= 0.25
    assert taken["pot"] >= 5 * taken["sns"]
    assert min(taken["ssns"], taken["newton"]) >= taken["sns"]


@pytest.mark.parametrize("eta", [100.0, 300.0, 1200.0, 5000.0])
def test_sweep_over_the_regularisation(eta):
    n = 500
    run = ours(n, inverse_regularisation=eta, sweeps=2000, switch="automatic")
    stage = run()
    a, C = torch.full((n,), 1 / n, dtype=torch.float64), torch.from_numpy(assignment_of(n)["source"].costs.copy())
    began = time.process_time()
    swept = sinkhorn(C, a, a, 1 / eta, tolerance=1e-12, sweeps=60_000, check_every=20)
    theirs = time.process_time() - began
    mine = medians(3, sns=run)["sns"]
    history = stage.history
    print(
        f"\neta = {eta:g}: SNS {history.sweeps} + {history.newton_steps} iterations, {1e3 * mine:.0f} core-ms, error "
        f"{stage.error:.1e}; Sinkhorn {swept.sweeps:,} sweeps, {1e3 * theirs:.0f} core-ms, error {swept.error:.1e}. "
        f"Ratio {theirs / mine:.1f}"
    )
    assert stage.error <= 1e-12
    assert history.sweeps + history.newton_steps < swept.sweeps
    assert eta < 1000 or mine < theirs


def test_digits_by_squared_and_by_city_block_costs():
    """28 x 28 pixels; the paper needs 2,041 and 5,748 sweeps of Sinkhorn, and 20 + 33 and 700 + 77 iterations."""
    for cost in ("squared Euclidean", "city block"):
        settings = SnsParams(cost=cost)
        problem = posed(digit(3, 0, 28, 0.01), digit(5, 0, 28, 0.01), settings, Run())
        mine = medians(1, sns=lambda p=problem, s=settings: solve(p, s, Run(), {}))["sns"]
        stage = solve(problem, settings, Run(), {})
        began = time.process_time()
        swept = sinkhorn(problem.costs, problem.a, problem.b, 1 / ETA, tolerance=1e-12, sweeps=50_000, check_every=20)
        theirs = time.process_time() - began
        history = stage.history
        print(
            f"\n{cost}: SNS {history.sweeps} + {history.newton_steps} iterations, {mine:.2f} core-s, error "
            f"{stage.error:.1e}; Sinkhorn {swept.sweeps:,} sweeps, {theirs:.2f} core-s, error {swept.error:.1e}"
        )
        assert stage.error <= 1e-12
        assert mine < theirs


@pytest.mark.parametrize("n", [500, 4000])
def test_how_far_the_parts_are_from_one_pass_over_memory(n):
    """Each part of an iteration as a multiple of the time it takes to read the kernel once (its sum)."""
    a = torch.full((n,), 1 / n, dtype=torch.float64)
    scaling = Scaling(torch.from_numpy(assignment_of(n)["source"].costs.copy()), a, a, 1 / ETA, kernel="stored")
    for _ in range(20):
        scaling.sweep()
    plan = ScaledPlan.of(scaling).rebuilt()
    sums = plan.sums()
    gradient = plan.a - sums[0], plan.b - sums[1]
    places, masses = plan.largest(10 * n)
    least = float(masses.min())
    pair = sparse_pair(places, masses, sums)
    found = solved(pair, sums, gradient, iterated(1e-4, 500))
    calls = {
        "pass": lambda: plan.kernel.sum(),
        "sweep": lambda: (plan.kernel.numpy() @ plan.v.numpy(), plan.u.numpy() @ plan.kernel.numpy()),
        "exponential": lambda: plan.shifted(a * 0, a * 0).rebuilt(),
        "trial step": lambda: plan.shifted(a * 0, a * 0),
        "sums": lambda: plan.sums(),
        "first selection": lambda: plan.largest(10 * n),
        "selection": lambda: plan.largest(10 * n, least),
        "defect": lambda: defect(plan, sums, gradient, found),
        "sparse matrices": lambda: sparse_pair(places, masses, sums),
        "conjugate gradients": lambda: solved(pair, sums, gradient, iterated(1e-4, 500)),
    }
    if n <= 500:
        calls["factorisation"] = lambda: solved(pair, sums, gradient, factorised)
    taken = medians(5, **calls)
    one = taken["pass"]
    parts = ", ".join(f"{name} {seconds / one:.1f}" for name, seconds in taken.items())
    print(f"\nn = {n}: one pass {1e3 * one:.2f} core-ms; {parts} ({found.iterations} iterations)")
    step = sum(taken[name] for name in ("trial step", "sums", "selection", "defect", "sparse matrices"))
    assert n < 4000 or step + taken["conjugate gradients"] <= 4 * taken["sweep"]
