"""Scaling against a twin by plain log-sum-exp, POT, closed forms and the values of the method sheet."""

import math

import numpy as np
import ot
import pytest
import torch

from engines.blocks.transport import sinkhorn as module
from engines.blocks.transport.sinkhorn import Scaling, annealed, sinkhorn, symmetric_potential


def problem(m: int = 30, n: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = np.random.default_rng(seed)
    given = draw.random((m, n)), draw.dirichlet(np.full(m, 2.0)), draw.dirichlet(np.full(n, 2.0))
    return tuple(map(torch.from_numpy, given))


def by_log_sum_exp(C, a, b, epsilon, sweeps):
    """f and g as each sweep is written down in the "KL" convention."""
    g = torch.zeros_like(b)
    for _ in range(sweeps):
        f = -epsilon * torch.logsumexp((g - C) / epsilon + b.log(), 1)
        g = -epsilon * torch.logsumexp((f[:, None] - C) / epsilon + a.log()[:, None], 0)
    return f, g


@pytest.mark.parametrize("kernel", ["stored", "recomputed"])
@pytest.mark.parametrize("eta", [3.0, 100.0, 600.0])
def test_each_sweep_is_that_of_sinkhorn(kernel, eta, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_BYTES", {"cpu": 8 * 40 * 7})  # several blocks, the last one shorter
    monkeypatch.setattr(module, "WHOLE_BYTES", 0)
    C, a, b = problem()
    scaling = Scaling(C, a, b, 1 / eta, kernel=kernel)
    for _ in range(25):
        scaling.sweep()
    for ours, twin in zip(scaling.potentials(), by_log_sum_exp(C, a, b, 1 / eta, 25), strict=True):
        torch.testing.assert_close(ours, twin, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kernel", ["stored", "recomputed"])
def test_the_error_that_is_told_is_that_of_the_plan(kernel):
    C, a, b = problem()
    scaling = Scaling(C, a, b, 1 / 50, kernel=kernel)
    assert scaling.sweep() == math.inf  # before it, neither side has its mass
    for _ in range(5):
        before = scaling.errors()
        assert before[1] < 1e-14
        assert scaling.row_error() == pytest.approx(before[0], rel=1e-12)
        assert scaling.sweep() == pytest.approx(before[0], rel=1e-12)
        assert scaling.errors()[0] <= before[0]
    held = scaling.potentials()
    assert scaling.sweep(tolerance=1.0) <= 1.0  # good enough: nothing changes
    assert all(torch.equal(x, y) for x, y in zip(held, scaling.potentials(), strict=True))


def test_the_values_of_the_sheet():
    """n = 500, eta = 1200: both primal and dual value, once sparse Newton's precision is come close to."""
    C = torch.from_numpy(np.random.default_rng(0).random((500, 500)))
    a = torch.full((500,), 1 / 500, dtype=torch.float64)
    solved = sinkhorn(C, a, a, 1 / 1200, tolerance=1e-7, sweeps=20_000)
    values = solved.values()
    assert solved.error <= 1e-7
    assert values.transport == pytest.approx(0.0034504128667, abs=1e-9)
    assert values.entropy_dual == pytest.approx(-0.0023765243673, abs=3e-12)  # second order in the error
    assert values.entropy == pytest.approx(values.entropy_dual, abs=1e-9)
    assert values.kl - values.entropy == pytest.approx(2 * math.log(500) / 1200, abs=1e-12)


def test_plan_values_and_potentials_against_pot():
    C, a, b = problem()
    solved = sinkhorn(C, a, b, 0.02, tolerance=1e-13, sweeps=20_000)
    plan = ot.sinkhorn(a.numpy(), b.numpy(), C.numpy(), 0.02, stopThr=1e-15, numItermax=20_000)
    np.testing.assert_allclose(solved.plan(), plan, rtol=0, atol=1e-12)
    values, P = solved.values(), plan[plan > 0]
    assert values.transport == pytest.approx((plan * C.numpy()).sum(), abs=1e-11)
    assert values.entropy == pytest.approx(values.transport + 0.02 * (P * np.log(P)).sum(), abs=1e-11)
    product = np.outer(a, b)[plan > 0]
    assert values.kl == pytest.approx(values.transport + 0.02 * (P * np.log(P / product)).sum(), abs=1e-11)
    assert values.kl_dual == pytest.approx(values.kl, abs=1e-11)
    assert values.entropy_dual == pytest.approx(values.entropy, abs=1e-11)
    f, g = solved.potentials()
    x, y = solved.potentials("entropy")
    np.testing.assert_allclose(a[:, None] * b * torch.exp((f[:, None] + g - C) / 0.02), plan, atol=1e-12)
    np.testing.assert_allclose(torch.exp((x[:, None] + y - C) / 0.02 - 1), plan, atol=1e-12)
    assert float(a @ x + b @ y) - 0.02 == pytest.approx(values.entropy_dual, abs=1e-11)


@pytest.mark.parametrize("eta", [5_000.0, 1e5])
@pytest.mark.parametrize("kernel", ["stored", "recomputed"])
def test_nothing_underflows(eta, kernel):
    """Costs in [0, 1]: exp(-eta C) would be 0 almost everywhere."""
    C, a, b = problem(20, 20, seed=3)
    solved = sinkhorn(C, a, b, 1 / eta, sweeps=500, kernel=kernel)
    plan, (rows, columns) = solved.plan(), solved.errors()
    assert torch.isfinite(plan).all()
    assert columns < 1e-11
    assert rows == pytest.approx(solved.error, rel=1e-6)
    twin = by_log_sum_exp(C, a, b, 1 / eta, 500)
    f, g = solved.potentials()
    assert float((f[:, None] + g - twin[0][:, None] - twin[1]).abs().max()) < 60 / eta  # raised at first where far off
    assert solved.dual() >= float(a @ twin[0] + b @ twin[1]) - 1e-3


def test_far_clouds_and_tiny_weights():
    """Whole columns would have nothing in the first sweep, and weights lie 200 decades apart."""
    x = torch.linspace(0, 1, 30, dtype=torch.float64)[:, None]
    C = (x - (x.T + 5)).square()
    a = torch.full((30,), 1 / 30, dtype=torch.float64)
    b = torch.logspace(-200, 0, 30, dtype=torch.float64)
    b = b / b.sum()
    solved = sinkhorn(C, a, b, 1e-3, tolerance=1e-10, sweeps=20_000)
    assert solved.error <= 1e-10
    np.testing.assert_allclose(solved.plan().sum(0), b, rtol=1e-9)


def test_as_epsilon_falls_the_value_comes_to_the_exact_one_and_as_it_grows_to_the_product():
    C, a, b = problem()
    exact = ot.emd2(a.numpy(), b.numpy(), C.numpy())
    gaps = [sinkhorn(C, a, b, e, tolerance=1e-6, sweeps=100_000, anneal=True).values().transport - exact
            for e in (0.03, 0.01, 0.003)]  # fmt: skip
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 2e-3
    blurred = sinkhorn(C, a, b, 1e4)
    np.testing.assert_allclose(blurred.plan(), torch.outer(a, b), atol=1e-6)


def test_two_points_in_closed_form():
    """C = [[0, c], [c, 0]], uniform: the ratio of the entries is exp(-c / eps)."""
    C = torch.tensor([[0, 0.7], [0.7, 0]], dtype=torch.float64)
    half = torch.full((2,), 0.5, dtype=torch.float64)
    plan = sinkhorn(C, half, half, 0.25, tolerance=1e-15).plan()
    ratio = math.exp(-0.7 / 0.25)
    np.testing.assert_allclose(plan, [[0.5 / (1 + ratio), 0.5 * ratio / (1 + ratio)]] * 1
                               + [[0.5 * ratio / (1 + ratio), 0.5 / (1 + ratio)]], rtol=1e-14)  # fmt: skip


def test_total_mass_need_not_be_one():
    C, a, b = problem()
    one, seven = sinkhorn(C, a, b, 0.1, tolerance=1e-12), sinkhorn(C, 7 * a, 7 * b, 0.1, tolerance=1e-12)
    np.testing.assert_allclose(seven.plan(), 7 * one.plan(), atol=1e-12)
    values = seven.values()
    assert values.entropy == pytest.approx(values.entropy_dual, abs=1e-10)
    assert values.kl == pytest.approx(values.kl_dual, abs=1e-10)


def test_a_start_near_the_solution_is_made_use_of():
    C, a, b = problem()
    cold = sinkhorn(C, a, b, 0.02, tolerance=1e-8)
    warm = sinkhorn(C, a, b, 0.02, tolerance=1e-8, start=cold.potentials()[1] + 1e-6)
    assert warm.sweeps < 0.5 * cold.sweeps


@pytest.mark.parametrize("kernel", ["stored", "recomputed"])
def test_what_is_restored_goes_on_to_the_last_bit(kernel):
    C, a, b = problem()
    straight, stopped = (Scaling(C, a, b, 1e-3, kernel=kernel) for _ in range(2))
    for _ in range(40):
        straight.sweep()
    for _ in range(13):
        stopped.sweep()
    again = Scaling(C, a, b, 1e-3, kernel=kernel)
    again.restore(stopped.state())
    for _ in range(27):
        again.sweep()
    assert again.error == straight.error
    assert all(torch.equal(x, y) for x, y in zip(again.potentials(), straight.potentials(), strict=True))


def test_measuring_now_and_then_gives_the_same_and_absorbs_in_time():
    C, a, b = problem()
    each, seldom = Scaling(C, a, b, 1e-4), Scaling(C, a, b, 1e-4)
    for _ in range(200):
        each.sweep()
    for _ in range(200):
        seldom.sweep(measure=False)
        assert max(abs(np.log(seldom.s)).max(), abs(np.log(seldom.t)).max()) < 300
    torch.testing.assert_close(each.plan(), seldom.plan(), rtol=1e-9, atol=1e-12)


def test_annealing_ends_just_above_epsilon():
    found = annealed(torch.tensor([[0.0, 2.0]], dtype=torch.float64), 1e-3)
    assert found == sorted(found, reverse=True)
    assert 2 <= found[0] <= 8
    assert found[-1] == pytest.approx(4e-3)
    assert annealed(torch.zeros(1, 1, dtype=torch.float64), 1e-3) == []


def test_symmetric_steps_solve_a_measure_against_itself():
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    C, a = torch.cdist(x, x).square(), problem(40)[1]
    f, error = symmetric_potential(C, a, 1.0, tolerance=1e-13)
    assert error <= 1e-13
    solved = sinkhorn(C, a, a, 1.0, tolerance=1e-11, sweeps=50_000)
    assert float(2 * a @ f) == pytest.approx(solved.dual(), abs=1e-12)
    plan = a[:, None] * a * torch.exp(f[:, None] + f - C)
    np.testing.assert_allclose(plan, solved.plan(), atol=1e-12)


@pytest.mark.parametrize("kernel", ["stored", "recomputed"])
def test_tensors_do_what_views_for_numpy_do(kernel, monkeypatch):
    """As it is on a GPU."""
    C, a, b = problem()
    ours = sinkhorn(C, a, b, 1e-3, sweeps=300, kernel=kernel)
    monkeypatch.setattr(Scaling, "_native", lambda self, x: x)
    found = sinkhorn(C, a, b, 1e-3, sweeps=300, kernel=kernel)
    assert isinstance(found.s, torch.Tensor)
    torch.testing.assert_close(found.plan(), ours.plan(), rtol=1e-9, atol=1e-12)
    assert found.error == pytest.approx(ours.error, rel=1e-6)
    again = Scaling(C, a, b, 1e-3, kernel=kernel)
    again.restore(found.state())
    assert again.row_error() == pytest.approx(found.error, rel=1e-6)


def test_single_precision_is_refused():
    C, a, b = problem()
    with pytest.raises(TypeError, match="float64"):
        Scaling(C.float(), a, b, 0.1)
