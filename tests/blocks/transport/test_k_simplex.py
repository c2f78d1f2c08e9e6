"""The projection with at most k entries, its conjugates and its norm, against brute force, differences and scipy."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from engines.blocks.transport import largest as compiled
from engines.blocks.transport.k_simplex import (
    conjugate,
    conjugate_on_simplex,
    k_support_norm_squared,
    project,
    shares,
)
from engines.blocks.transport.largest import largest


def projected(v: np.ndarray, size: float) -> np.ndarray:
    """On the whole simplex, by the sorted formula."""
    u = np.sort(v)[::-1]
    excess = np.cumsum(u) - size
    r = np.flatnonzero(u * np.arange(1, len(u) + 1) > excess)[-1]
    return np.maximum(v - excess[r] / (r + 1), 0)


def best_by_all_supports(s: np.ndarray, k: int, gamma: float, size: float) -> float:
    best = -np.inf
    for count in range(1, k + 1):
        for support in combinations(range(len(s)), count):
            t = projected(s[list(support)] / gamma, size)
            best = max(best, float(s[list(support)] @ t - 0.5 * gamma * t @ t))
    return best


def test_the_semi_dual_conjugate_is_the_best_over_all_supports():
    """1000 cases of up to 8 entries, half of them with ties (sheet 07, acceptance 2)."""
    rng = np.random.default_rng(0)
    for case in range(1000):
        m = int(rng.integers(1, 9))
        k = int(rng.integers(1, m + 1))
        s = rng.normal(size=m) if case % 2 else rng.integers(-2, 3, m) / 2.0
        gamma, size = float(rng.uniform(0.1, 5)), float(rng.uniform(0.05, 2))
        value, t = conjugate_on_simplex(torch.from_numpy(s), k, gamma, torch.tensor(size, dtype=torch.float64))
        dense = t.dense(m).numpy()
        assert np.count_nonzero(dense) <= k
        assert dense.min() >= 0
        assert dense.sum() == pytest.approx(size, abs=1e-14)
        assert float(value) == pytest.approx(s @ dense - 0.5 * gamma * dense @ dense, abs=1e-12)
        assert float(value) == pytest.approx(best_by_all_supports(s, k, gamma, size), abs=1e-12)


def test_the_dual_conjugate_takes_the_largest_positive_entries():
    s = torch.tensor([0.5, -1.0, 2.0, 0.25, 1.0], dtype=torch.float64)
    value, t = conjugate(s, 2, 0.5)
    assert float(value) == pytest.approx((4 + 1) / (2 * 0.5))
    assert t.dense(5).tolist() == [0, 0, 4, 0, 2]
    assert float(conjugate(-s.abs(), 3, 1.0)[0]) == 0


def test_any_batch_is_projected_row_by_row():
    s = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 7)))
    size = torch.from_numpy(np.random.default_rng(2).uniform(0.5, 2, (2, 3)))
    whole = project(s, 3, size).dense(7)
    for i, j in np.ndindex(2, 3):
        torch.testing.assert_close(whole[i, j], project(s[i, j], 3, size[i, j]).dense(7), atol=0, rtol=0)
    flat = project(s[0], 3, size[0])
    torch.testing.assert_close(flat.total(7), flat.dense(7).sum(0))


@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_the_k_support_norm_is_the_least_over_the_shares(k):
    from scipy.optimize import minimize

    w = np.random.default_rng(k).normal(size=6)
    start = np.full(6, k / 6)
    found = minimize(
        lambda z: (w**2 / z).sum(), start, jac=lambda z: -(w**2) / z**2, bounds=[(1e-6, 1)] * 6, method="SLSQP",
        constraints={"type": "ineq", "fun": lambda z: k - z.sum(), "jac": lambda z: -np.ones(6)},
        options={"ftol": 1e-13, "maxiter": 500},
    )  # fmt: skip
    assert float(k_support_norm_squared(torch.from_numpy(w), k)) == pytest.approx(found.fun, rel=1e-7)


def test_the_k_support_norm_between_its_ends():
    w = torch.tensor([[3.0, -1.0, 0.5, 0.0]], dtype=torch.float64)
    assert float(k_support_norm_squared(w, 1)) == pytest.approx(4.5**2)  # the squared sum of sizes
    assert float(k_support_norm_squared(w, 4)) == pytest.approx(10.25)  # the squared length
    few = torch.tensor([2.0, 0, 1.0, 0, 0], dtype=torch.float64)
    for k in (2, 3, 5):  # a vector with at most k entries has its own length
        assert float(k_support_norm_squared(few, k)) == pytest.approx(5)
    assert float(k_support_norm_squared(torch.zeros(3, dtype=torch.float64), 2)) == 0


@pytest.mark.parametrize("mu", [1e-3, 0.3, 10.0])
def test_the_shares_maximise_their_objective(mu):
    from scipy.optimize import minimize

    v = np.random.default_rng(5).uniform(0, 1, 8) ** 2
    z, eta = shares(torch.from_numpy(v), 3, mu)
    z = z.numpy()
    assert z.min() >= 0
    assert z.max() <= 1
    assert z.sum() <= 3 + 1e-9
    found = minimize(
        lambda z: -(z @ v - mu / 2 * z @ z), np.full(8, 3 / 8), jac=lambda z: mu * z - v, bounds=[(0, 1)] * 8,
        constraints={"type": "ineq", "fun": lambda z: 3 - z.sum(), "jac": lambda z: -np.ones(8)},
        method="SLSQP", options={"ftol": 1e-14},
    )  # fmt: skip
    assert z @ v - mu / 2 * z @ z == pytest.approx(-found.fun, abs=1e-9)
    np.testing.assert_allclose(z, np.clip((v - float(eta)) / mu, 0, 1))


needs_kernel = pytest.mark.skipif(
    not compiled.serves(torch.zeros(1, dtype=torch.float64)), reason="the kernel was not built"
)


@needs_kernel
@pytest.mark.parametrize("rows", [1, 7, 32, 33, 300])
def test_the_kernel_finds_what_a_sort_finds(rows):
    rng = np.random.default_rng(rows)
    costs, alpha = torch.from_numpy(rng.normal(size=(50, rows))), torch.from_numpy(rng.normal(size=rows))
    known = None
    for _ in range(3):  # the second and third time it is told where the largest were
        for count in {1, min(5, rows), rows}:
            values, where = largest(costs, alpha, count, known if known is not None and count <= 5 else None)
            order = torch.sort(alpha - costs, dim=1, descending=True, stable=True)
            assert torch.equal(values, order.values[:, :count])
            assert torch.equal(where, order.indices[:, :count])
            known = where if count == min(5, rows) else known
        alpha = alpha + 0.1 * torch.from_numpy(rng.normal(size=rows))


@needs_kernel
def test_the_kernel_breaks_ties_by_the_row_and_is_not_misled():
    costs = torch.zeros(4, 100, dtype=torch.float64)
    costs[:, ::3] = 1
    alpha = torch.zeros(100, dtype=torch.float64)
    where = largest(costs, alpha, 4)[1]
    assert where.tolist() == [[1, 2, 4, 5]] * 4
    twice = torch.full((4, 6), 1)  # the same row six times bounds nothing
    again = largest(costs + torch.arange(100.0, dtype=torch.float64), alpha, 4, twice)
    plain = largest(costs + torch.arange(100.0, dtype=torch.float64), alpha, 4)
    assert torch.equal(again[0], plain[0])
    assert torch.equal(again[1], plain[1])
    unknown = torch.full((100,), torch.nan, dtype=torch.float64)
    assert torch.equal(largest(costs, unknown, 4, where)[0], torch.full((4, 4), -torch.inf, dtype=torch.float64))


@needs_kernel
def test_the_kernel_gives_the_same_with_any_number_of_threads():
    rng = np.random.default_rng(3)
    costs, alpha = torch.from_numpy(rng.normal(size=(200, 150))), torch.from_numpy(rng.normal(size=150))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(largest(costs, alpha, 8))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
