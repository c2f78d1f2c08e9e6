"""Dual, semi-dual and smoothed dual: derivatives, bounds, and the evaluation in one pass against the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.transport.k_sparse_dual import KSparseDual, SmoothedDual, evaluated


def problem(m=12, n=17, seed=0):
    rng = np.random.default_rng(seed)
    given = (rng.random((n, m)), rng.dirichlet(np.full(m, 5.0)), rng.dirichlet(np.full(n, 5.0)))
    return tuple(map(torch.from_numpy, given))


def somewhere(size, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).normal(scale=0.2, size=size))


@pytest.mark.parametrize("form", ["semi-dual", "dual"])
@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_gradients_are_differences_away_from_ties(form, k):
    """To 1e-6 (sheet 07, acceptance 3)."""
    dual = KSparseDual(*problem(), k, 0.7, form)
    at = somewhere(dual.size)
    gradient, step = dual(at).gradient, 1e-6
    differences = [
        float(dual(at + step * e).value - dual(at - step * e).value) / (2 * step)
        for e in torch.eye(dual.size, dtype=torch.float64)
    ]
    np.testing.assert_allclose(gradient.numpy(), differences, atol=1e-6)


@pytest.mark.parametrize("mu", [1e-3, 0.1])
def test_gradients_of_the_smoothed_dual_are_differences_and_its_value_is_close(mu):
    k, gamma = 2, 0.7
    smooth, sharp = SmoothedDual(*problem(), k, gamma, mu), KSparseDual(*problem(), k, gamma, "dual")
    at = somewhere(smooth.size)
    found, step = smooth(at), 1e-6
    differences = [
        float(smooth(at + step * e).value - smooth(at - step * e).value) / (2 * step)
        for e in torch.eye(smooth.size, dtype=torch.float64)
    ]
    np.testing.assert_allclose(found.gradient.numpy(), differences, atol=1e-6)
    above = float(found.value - sharp(at).value)
    assert 0 <= above <= 17 * mu * k / (4 * gamma)


@pytest.mark.parametrize("form", ["semi-dual", "dual"])
def test_the_gradient_by_the_costs_is_the_plan(form):
    """The layer's rule; with autograd on the plain evaluation, and by differences of single costs."""
    costs, a, b = problem()
    at = somewhere(12 + 17)
    potentials = (at[:12],) if form == "semi-dual" else (at[:12], at[12:])
    costs.requires_grad_()
    value, plan = evaluated(costs, a, b, potentials, 3, 0.7)
    (gradient,) = torch.autograd.grad(value, costs)
    torch.testing.assert_close(gradient, plan.dense(12).detach(), atol=1e-13, rtol=0)
    column, row = map(int, (gradient > 0.01).nonzero()[0])
    moved = [costs.detach().clone() for _ in range(2)]
    moved[0][column, row] += 1e-6
    moved[1][column, row] -= 1e-6
    up, down = (float(evaluated(c, a, b, potentials, 3, 0.7)[0]) for c in moved)
    assert (up - down) / 2e-6 == pytest.approx(float(gradient[column, row]), abs=1e-8)


@pytest.mark.parametrize("form", ["semi-dual", "dual"])
@pytest.mark.parametrize("k", [1, 3, 40, 60])
def test_one_pass_gives_what_the_plain_evaluation_gives(form, k):
    """From place to place, so that what is known of the last is used; with supports wider than the first width."""
    costs, a, b = problem(60, 45)
    dual = KSparseDual(costs, a, b, k, 5.0, form)
    for seed in range(6):
        at = somewhere(dual.size, seed)
        potentials = (at,) if form == "semi-dual" else (at[:60], at[60:])
        value, plan = evaluated(costs, a, b, potentials, k, 5.0)
        found = dual(at)
        assert float(found.value) == pytest.approx(float(value), abs=1e-13)
        torch.testing.assert_close(found.plan.dense(60), plan.dense(60), atol=1e-14, rtol=0)
        rows = a - plan.dense(60).sum(0)
        torch.testing.assert_close(found.gradient[:60], rows, atol=1e-13, rtol=0)


@pytest.mark.parametrize("k", [2, 40])
def test_without_the_kernel_all_is_as_with_it(k, monkeypatch):
    from engines.blocks.transport import largest

    given, at = problem(60, 45), [somewhere(60, seed) for seed in range(3)]
    fast = KSparseDual(*given, k, 5.0)
    with_it = [fast(alpha) for alpha in at]
    monkeypatch.setattr(largest, "library", lambda: None)
    slow = KSparseDual(*given, k, 5.0)
    for alpha, one in zip(at, with_it, strict=True):
        other = slow(alpha)
        assert float(one.value) == pytest.approx(float(other.value), abs=1e-14)
        torch.testing.assert_close(one.gradient, other.gradient, atol=1e-14, rtol=0)


def test_a_batch_is_evaluated_problem_by_problem_in_either_precision():
    many = [problem(seed=seed) for seed in range(3)]
    costs, a, b = (torch.stack(parts) for parts in zip(*many, strict=True))
    alpha = torch.stack([somewhere(12, seed) for seed in range(3)])
    values, plan = evaluated(costs, a, b, (alpha,), 2, 1.0)
    for i, given in enumerate(many):
        found = KSparseDual(*given, 2, 1.0)(alpha[i])
        assert float(values[i]) == pytest.approx(float(found.value), abs=1e-14)
        torch.testing.assert_close(plan.dense(12)[i], found.plan.dense(12), atol=1e-15, rtol=0)
    single, _ = evaluated(costs.float(), a.float(), b.float(), (alpha.float(),), 2, 1.0)
    np.testing.assert_allclose(single.numpy(), values.numpy(), atol=1e-5)


def test_columns_of_the_semi_dual_are_exact_and_have_at_most_k_entries():
    """Sheet 07, acceptance 4."""
    costs, a, b = problem(40, 50)
    for k in (1, 2, 7):
        dense = KSparseDual(costs, a, b, k, 1.0)(somewhere(40)).plan.dense(40)
        assert int((dense > 0).sum(1).max()) <= k
        assert float((dense.sum(1) - b).abs().max()) <= 1e-12


def test_adding_a_constant_to_the_potentials_changes_nothing_of_the_semi_dual():
    dual = KSparseDual(*problem(), 3, 0.7)
    at = somewhere(12)
    assert float(dual(at + 5).value) == pytest.approx(float(dual(at).value), abs=1e-13)


def test_the_column_potentials_are_the_best_there_are():
    given = problem()
    semi, dual = KSparseDual(*given, 3, 0.7), KSparseDual(*given, 3, 0.7, "dual")
    alpha = somewhere(12)
    both = torch.cat([alpha, semi.column_potentials(alpha)])
    assert float(dual(both).value) == pytest.approx(float(semi(alpha).value), abs=1e-13)
    torch.testing.assert_close(dual(both).gradient[12:], torch.zeros(17, dtype=torch.float64), atol=1e-14, rtol=0)


def test_a_potential_that_is_not_a_number_gives_a_value_that_is_not():
    dual = KSparseDual(*problem(), 2, 1.0)
    before = dual(somewhere(12)).value
    assert torch.isnan(dual(torch.full((12,), torch.nan, dtype=torch.float64)).value)
    assert float(dual(somewhere(12)).value) == float(before)
