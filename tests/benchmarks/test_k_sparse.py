"""The semi-dual of 1000 x 1000 against POT's and regot's: ratios from one run on one thread, in core seconds.

POT sorts all columns at each evaluation; regot solves the quadratic problem (k = m) only. All see the same costs:
squared distances of normal points, divided by the largest, uniform weights.
"""

from __future__ import annotations

import contextlib
import functools
import io
import time
import warnings

import numpy as np
import pytest
import torch

from engines.blocks.lbfgs import Lbfgs
from engines.blocks.transport.k_sparse_dual import KSparseDual

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

SIZE = 1000


@pytest.fixture(autouse=True)
def _one_thread(_calm):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def problem(size: int = SIZE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(size, 2)), rng.normal(size=(size, 2)) + 1
    costs = ((x[:, None] - y) ** 2).sum(-1)
    return costs / costs.max(), np.full(size, 1 / size), np.full(size, 1 / size)


class Ours:
    """L-BFGS on the semi-dual, and how long it took."""

    def __init__(self, k: int, iterations: int, tolerance: float = 0.0, value: float = np.inf) -> None:
        costs, a, b = problem()
        per_column = torch.from_numpy(np.ascontiguousarray(costs.T))
        began = time.process_time()
        self.dual = KSparseDual(per_column, torch.from_numpy(a), torch.from_numpy(b), k, 1.0)
        self.alpha = torch.zeros(len(a), dtype=torch.float64)
        optimiser, self.evaluations = Lbfgs(self.alpha, 10), 0
        for self.iterations in range(1, iterations + 1):
            optimiser.iterate(self.falling)
            assert optimiser.gradient is not None
            self.error = float(optimiser.gradient.abs().sum())
            if self.error <= tolerance or -float(optimiser.value or np.nan) >= value:
                break
        self.seconds = time.process_time() - began
        self.value = -float(optimiser.value or np.nan)

    def falling(self) -> tuple[torch.Tensor, torch.Tensor]:
        self.evaluations += 1
        found = self.dual(self.alpha)
        return -found.value, -found.gradient


def pot(k: int, iterations: int) -> tuple[float, float, int, int]:
    """Core seconds, value, iterations and evaluations."""
    import ot

    costs, a, b = problem()
    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _, log = ot.smooth.smooth_ot_semi_dual(
            a, b, costs, 1.0, reg_type="sparsity_constrained", max_nz=k, numItermax=iterations, log=True
        )
    return time.process_time() - began, -float(log["res"].fun), int(log["res"].nit), int(log["res"].nfev)


def test_a_semi_dual_iteration_and_the_way_to_one_value_against_pot():
    """The same number of iterations, and the time to the value that POT ends with."""
    Ours(8, 3)
    seconds, value, iterations, evaluations = pot(8, 200)
    same = Ours(8, iterations)
    there = Ours(8, 5000, value=value)
    print(
        f"\nk = 8: POT {seconds:.2f} core-s for {iterations} iterations ({1e3 * seconds / evaluations:.1f} ms an "
        f"evaluation) to {value:.10f}; ours {same.seconds:.2f} ({1e3 * same.seconds / same.evaluations:.2f}) for as "
        f"many, to {same.value:.10f}; {there.seconds:.2f} to POT's value. Ratios {seconds / same.seconds:.1f} and "
        f"{seconds / there.seconds:.1f}"
    )
    assert there.value >= value
    assert seconds >= 3 * same.seconds
    assert seconds >= 3 * there.seconds


def test_quadratic_transport_against_regot():
    """k = m, to a marginal error of 1e-6 (regot measures its own way; its error here is that of its plan's rows)."""
    import regot

    costs, a, b = problem()
    fortran = np.asfortranarray(costs)
    lines, taken = [], {}
    for name in ("qrot_lbfgs_semi_dual", "qrot_grssn"):
        began = time.process_time()
        found = getattr(regot, name)(fortran, a, b, 1.0, tol=1e-6, max_iter=3000)
        taken[name] = time.process_time() - began
        error = float(np.abs(np.asarray(found.plan.sum(1)).ravel() - a).sum())
        lines.append(f"{name} {taken[name]:.2f} core-s, {found.niter} iterations, rows off by {error:.1e}")
    ours = Ours(SIZE, 3000, tolerance=1e-6)
    ratio = taken["qrot_lbfgs_semi_dual"] / ours.seconds
    print(
        f"\nk = m: ours {ours.seconds:.2f} core-s, {ours.iterations} iterations, rows off by {ours.error:.1e}, at "
        f"most {ours.dual.width} entries a column; {'; '.join(lines)}. Against its L-BFGS {ratio:.1f}, its Newton "
        f"{taken['qrot_grssn'] / ours.seconds:.2f}"
    )
    assert ours.error <= 1e-6
    assert ours.seconds <= 2 * taken["qrot_lbfgs_semi_dual"]


def test_how_far_an_evaluation_is_from_one_pass_over_the_costs():
    """Against the sum of all costs, which reads as much: what the limit is."""
    costs = torch.from_numpy(np.ascontiguousarray(problem()[0].T))
    ours = Ours(8, 60)

    def least(function, times=20) -> float:
        found = []
        for _ in range(times):
            began = time.process_time()
            function()
            found.append(time.process_time() - began)
        return min(found)

    step = torch.from_numpy(np.random.default_rng(0).normal(scale=1e-4, size=SIZE))
    evaluation, read = least(lambda: ours.dual(ours.alpha.add_(step))), least(costs.sum)
    whole = least(lambda: torch.topk(ours.alpha - costs, 8, dim=1))
    print(
        f"\nan evaluation {1e3 * evaluation:.2f} ms; reading the costs {1e3 * read:.2f} ms "
        f"({8e-9 * SIZE**2 / read:.1f} GB/s); a partial sort of all columns {1e3 * whole:.2f} ms. "
        f"{evaluation / read:.1f} passes"
    )
    assert evaluation < whole
