"""Gradient and Hessian of the entropic dual by differences; sparsified systems; derivatives of the plan."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.transport.newton import (
    conjugate_gradients,
    defect,
    factorised,
    full_pair,
    iterated,
    plan_gradient,
    solved,
    sparse_pair,
)
from engines.blocks.transport.scaled_plan import ABSORB, ScaledPlan, products
from engines.blocks.transport.sinkhorn import Scaling, sinkhorn

ETA = 30.0


def problem(m: int = 12, n: int = 12, seed: int = 0):
    rng = np.random.default_rng(seed)
    C, a, b = rng.random((m, n)), rng.dirichlet(np.full(m, 5.0)), rng.dirichlet(np.full(n, 5.0))
    return tuple(torch.from_numpy(x) for x in (C, a, b))


def swept(sweeps: int = 3, eta: float = ETA, m: int = 12, n: int = 12) -> ScaledPlan:
    scaling = Scaling(*problem(m, n), 1 / eta, kernel="stored")
    for _ in range(sweeps):
        scaling.sweep()
    return ScaledPlan.of(scaling)


def plan_at(C, x, y, eta: float):
    """The formula, with nothing absorbed."""
    return torch.exp(eta * (x[:, None] + y - C) - 1)


def dual_at(C, a, b, x, y, eta: float):
    return -plan_at(C, x, y, eta).sum() / eta + x @ a + y @ b


def hessian(plan: ScaledPlan) -> torch.Tensor:
    """[[diag(P 1), P], [P', diag(P' 1)]], dense."""
    P = plan.part(slice(None))
    return torch.cat([torch.cat([torch.diag(P.sum(1)), P], 1), torch.cat([P.T, torch.diag(P.sum(0))], 1)])


def test_plan_sums_and_dual_value_are_those_of_the_formula():
    C, a, b = problem()
    plan = swept()
    x, y = plan.potentials
    P = plan_at(C, x, y, ETA)
    torch.testing.assert_close(plan.part(slice(None)), P, rtol=1e-12, atol=0)
    torch.testing.assert_close(plan.sums()[0], P.sum(1), rtol=1e-12, atol=0)
    torch.testing.assert_close(plan.sums()[1], P.sum(0), rtol=1e-12, atol=0)
    assert plan.dual() == pytest.approx(float(dual_at(C, a, b, x, y, ETA)), abs=1e-14)
    cost, log_mass = plan.primal()
    assert cost == pytest.approx(float((C * P).sum()), abs=1e-14)
    assert log_mass == pytest.approx(float((P * P.log()).sum()), abs=1e-13)


def test_gradient_and_hessian_vector_product_agree_with_differences():
    C, a, b = problem()
    plan = swept()
    x, y = plan.potentials
    r, c = plan.sums()
    gradient, H = torch.cat([a - r, b - c]), hessian(plan)
    z, step = torch.cat([x, y]), 1e-6
    unit = torch.eye(24, dtype=torch.float64) * step
    f = lambda z: float(dual_at(C, a, b, z[:12], z[12:], ETA))  # noqa: E731
    by_differences = torch.tensor([(f(z + e) - f(z - e)) / (2 * step) for e in unit], dtype=torch.float64)
    torch.testing.assert_close(gradient, by_differences, rtol=0, atol=1e-6)

    def slope(z):
        P = plan_at(C, z[:12], z[12:], ETA)
        return torch.cat([a - P.sum(1), b - P.sum(0)])

    along = torch.from_numpy(np.random.default_rng(1).normal(size=24))
    by_differences = (slope(z + step * along) - slope(z - step * along)) / (2 * step)
    torch.testing.assert_close(-ETA * (H @ along), by_differences, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kept", [1, 2, 5, 12, 40, 143, 144])
def test_the_sparsified_hessian_is_positive_semidefinite(kept):
    plan = swept()
    places, masses = plan.largest(kept)
    P = torch.zeros(144, dtype=torch.float64)
    P[places] = masses
    M = hessian(plan)
    M[:12, 12:], M[12:, :12] = P.view(12, 12), P.view(12, 12).T
    assert float(torch.linalg.eigvalsh(M).min()) > -1e-15


def test_diagonal_blocks_of_the_kept_entries_alone_would_be_singular():
    """Why the diagonal holds the sums of all of P: M Dz = grad f has no solution otherwise."""
    plan = swept()
    places, masses = plan.largest(14)
    P = torch.zeros(144, dtype=torch.float64)
    P[places] = masses
    P = P.view(12, 12)
    M = torch.cat([torch.cat([torch.diag(P.sum(1)), P], 1), torch.cat([P.T, torch.diag(P.sum(0))], 1)])
    assert int((torch.linalg.eigvalsh(M) < 1e-12).sum()) >= 2


@pytest.mark.parametrize("shape", [(12, 12), (9, 14), (14, 9)])
@pytest.mark.parametrize("kept", [20, None])
def test_all_ways_to_solve_give_the_direction(shape, kept):
    plan = swept(m=shape[0], n=shape[1])
    sums = plan.sums()
    gradient = plan.a - sums[0], plan.b - sums[1]
    pair = full_pair(plan, sums) if kept is None else sparse_pair(*plan.largest(kept), sums)
    by_factors = solved(pair, sums, gradient, factorised)
    by_iteration = solved(pair, sums, gradient, iterated(1e-13, 500))
    assert by_iteration.converged
    assert by_iteration.iterations > 1
    M = hessian(plan)
    if kept is not None:
        held = torch.zeros(shape[0] * shape[1], dtype=torch.float64)
        places, masses = plan.largest(kept)
        held[places] = masses
        M[: shape[0], shape[0] :] = held.view(shape)
        M[shape[0] :, : shape[0]] = held.view(shape).T
    for found in (by_factors, by_iteration):
        d = torch.cat([found.dx, found.dy])
        torch.testing.assert_close(M @ d, torch.cat(gradient), rtol=0, atol=1e-12)
    assert (defect(plan, sums, gradient, by_factors) < 1e-10) == (kept is None)


def test_the_defect_is_the_residual_of_the_full_system():
    plan = swept()
    sums = plan.sums()
    gradient = plan.a - sums[0], plan.b - sums[1]
    found = solved(sparse_pair(*plan.largest(15), sums), sums, gradient, factorised)
    residual = hessian(plan) @ torch.cat([found.dx, found.dy]) - torch.cat(gradient)
    expected = float(residual.abs().sum() / torch.cat(gradient).abs().sum())
    assert defect(plan, sums, gradient, found) == pytest.approx(expected, rel=1e-10)


def test_eliminating_one_side_halves_the_iterations_of_jacobi_on_both():
    plan = swept(2, 200.0, 60, 60)
    sums = plan.sums()
    gradient = plan.a - sums[0], plan.b - sums[1]
    places, masses = plan.largest(240)
    ours = solved(sparse_pair(places, masses, sums), sums, gradient, iterated(1e-10, 1000))
    root = torch.cat(sums).sqrt()
    held = torch.zeros(3600, dtype=torch.float64)
    held[places] = masses
    A = held.view(60, 60) / root[:60, None] / root[60:]
    both = lambda d: d + torch.cat([A @ d[60:], A.T @ d[:60]])  # noqa: E731
    found, iterations, converged = conjugate_gradients(both, torch.cat(gradient) / root, 1e-10, 1000)
    assert converged
    assert iterations >= 2 * ours.iterations - 6
    torch.testing.assert_close(found / root, torch.cat([ours.dx, ours.dy]), rtol=1e-6, atol=1e-9)


def test_conjugate_gradients_say_when_they_stagnate_and_take_a_zero():
    matrix = torch.diag(torch.logspace(0, -12, 40, dtype=torch.float64))
    found, iterations, converged = conjugate_gradients(matrix.mv, torch.ones(40, dtype=torch.float64), 1e-12, 20)
    assert (iterations, converged) == (20, False)
    assert bool(torch.isfinite(found).all())
    assert conjugate_gradients(matrix.mv, torch.zeros(40, dtype=torch.float64), 1e-12, 20)[1:] == (0, True)


@pytest.mark.parametrize("count", [1, 7, 30, 99])
def test_the_largest_entries_are_found_whatever_the_blocks_and_the_bound(count, monkeypatch):
    plan = swept(m=10, n=10)
    P = plan.part(slice(None)).reshape(-1)
    expected = torch.sort(torch.topk(P, count).indices).values
    least = float(P[expected].min())
    for block in (10, 30, 1000):
        monkeypatch.setattr("engines.blocks.transport.scaled_plan.BLOCK_ON_CPU", block)
        for bound in (0.0, 0.1 * least, least):
            places, masses = plan.largest(count, bound)
            assert torch.equal(places, expected)
            torch.testing.assert_close(masses, P[places], rtol=1e-14, atol=0)
    places, _ = plan.above(least)
    assert torch.equal(places, expected)


def test_both_products_are_had_in_one_pass(monkeypatch):
    rng = np.random.default_rng(6)
    matrix, right, left = (torch.from_numpy(rng.normal(size=shape)) for shape in ((50, 30), 30, 50))
    for cache, block in ((1, 90), (1, 100_000), (1 << 30, 90)):
        monkeypatch.setattr("engines.blocks.transport.scaled_plan.IN_CACHE", cache)
        monkeypatch.setattr("engines.blocks.transport.scaled_plan.BLOCK_ON_CPU", block)
        forth, back = products(matrix, right, left)
        torch.testing.assert_close(forth, matrix @ right)
        torch.testing.assert_close(back, matrix.T @ left)


def test_ties_keep_as_many_entries_as_are_asked_for():
    a = torch.full((6,), 1 / 6, dtype=torch.float64)
    scaling = Scaling(torch.zeros(6, 6, dtype=torch.float64), a, a, 1.0, kernel="stored")
    scaling.sweep()
    assert len(ScaledPlan.of(scaling).largest(10)[0]) == 10


@pytest.mark.parametrize("far", [0.3, 3.0])
def test_a_shift_is_the_same_in_the_old_kernel_and_in_one_of_its_own(far):
    C, a, b = problem()
    plan = swept()
    x, y = plan.potentials
    rng = np.random.default_rng(2)
    dx, dy = (torch.from_numpy(far * ETA * rng.normal(size=12)) for _ in range(2))
    moved = plan.shifted(dx, dy)
    own = float(torch.cat([dx, dy]).abs().max()) > ABSORB + 5
    assert (moved.kernel is not plan.kernel) == own == (far == 3.0)
    expected = torch.exp(torch.clamp(ETA * (x[:, None] + y - C) + dx[:, None] + dy - 1, max=700))
    torch.testing.assert_close(moved.part(slice(None)), expected, rtol=1e-11, atol=0)
    assert moved.dual() == pytest.approx(float(dual_at(C, a, b, x + dx / ETA, y + dy / ETA, ETA)), rel=1e-11)


def test_a_trial_far_away_is_finite():
    plan = swept()
    far = torch.full((12,), 1e5, dtype=torch.float64)
    assert np.isfinite(plan.shifted(far, far).dual())


def test_a_plan_goes_through_its_state_to_the_last_digit():
    C, a, b = problem()
    plan = swept().rebuilt()
    moved = plan.shifted(0.1 * a, -0.2 * b)
    again = ScaledPlan.restored(C, a, b, ETA, moved.state())
    assert torch.equal(again.part(slice(None)), moved.part(slice(None)))
    assert torch.equal(again.sums()[1], moved.sums()[1])


@pytest.mark.parametrize("kept", [None, 64])
def test_the_gradient_of_a_loss_of_the_plan_agrees_with_differences(kept):
    """dL/dC by one solve of the Newton system, against converged plans of costs that differ a little."""
    C, a, b = problem(8, 8)
    weigh = torch.from_numpy(np.random.default_rng(3).normal(size=(8, 8)))

    def converged(C) -> ScaledPlan:
        return ScaledPlan.of(sinkhorn(C, a, b, 1 / ETA, tolerance=1e-14, sweeps=20_000, kernel="stored"))

    def loss(C) -> float:
        P = converged(C).part(slice(None))
        return float((weigh * P).sum() + 3 * (P**2).sum())

    plan = converged(C)
    gradient = plan_gradient(plan, weigh + 6 * plan.part(slice(None)), kept)
    step = 1e-5
    for i, j in ((0, 0), (2, 5), (7, 3)):
        change = torch.zeros_like(C)
        change[i, j] = step
        assert float(gradient[i, j]) == pytest.approx((loss(C + change) - loss(C - change)) / (2 * step), abs=1e-6)


def test_a_sparse_system_comes_close_to_the_gradient_of_the_full_one():
    C, a, b = problem(30, 30)
    plan = ScaledPlan.of(sinkhorn(C, a, b, 1 / 300, tolerance=1e-13, sweeps=50_000, kernel="stored"))
    weigh = torch.from_numpy(np.random.default_rng(3).normal(size=(30, 30)))
    whole, sparse = plan_gradient(plan, weigh), plan_gradient(plan, weigh, 10 * 30)
    assert float((whole - sparse).norm() / whole.norm()) < 1e-3
    assert float(whole.norm()) > 0.1
