import geomloss
import numpy as np
import ot
import pytest
import torch

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import entropic_cost, entropic_cost_of, self_cost, sinkhorn_divergence


def clouds(n: int = 30, m: int = 25, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    draw = lambda count: torch.randn(count, 2, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(n), 0.7 * draw(m) + 1


@pytest.mark.parametrize("name", ["squared Euclidean", "Euclidean", "elastic"])
def test_the_value_is_that_of_pot_in_both_conventions(name):
    x, y = clouds()
    cost, epsilon = Cost(name), 0.1
    found = entropic_cost(x, y, cost, epsilon, tolerance=1e-12, sweeps=50_000)
    C = cost.pairwise(x, y).numpy()
    P = ot.sinkhorn(np.full(30, 1 / 30), np.full(25, 1 / 25), C, epsilon, stopThr=1e-15, numItermax=50_000)
    kl = (P * C).sum() + epsilon * (P * np.log(P * 30 * 25)).sum()
    entropy = (P * C).sum() + epsilon * (P * np.log(P)).sum()
    assert float(found.value) == pytest.approx(kl, abs=1e-8)
    other = entropic_cost(x, y, cost, epsilon, tolerance=1e-12, sweeps=50_000, convention="entropy")
    assert float(other.value) == pytest.approx(entropy, abs=1e-8)
    assert float(found.value - other.value) == pytest.approx(epsilon * np.log(30 * 25), abs=1e-12)


@pytest.mark.parametrize("epsilon", [0.1, 0.5])
def test_the_divergence_is_that_of_geomloss(epsilon):
    """Its p = 2 means the cost 1/2 |x - y|^2 with epsilon = blur^2; it is not converged but for large epsilon."""
    x, y = clouds()
    theirs = geomloss.SamplesLoss("sinkhorn", p=2, blur=(epsilon / 2) ** 0.5, scaling=0.9995, backend="tensorized")
    found = sinkhorn_divergence(x, y, Cost(), epsilon, tolerance=1e-10, sweeps=50_000)
    assert found.error <= 1e-10
    assert float(found.value) == pytest.approx(2 * float(theirs(x, y)), abs=1e-5)


def test_the_gradient_by_finite_differences():
    x, y = clouds(8, 6)
    for value in (
        lambda x: entropic_cost(x, y, Cost("Euclidean"), 0.1, tolerance=1e-13, sweeps=50_000).value,
        lambda x: self_cost(x, Cost(), 0.1, tolerance=1e-13, sweeps=5000).value,
        lambda x: sinkhorn_divergence(x, y, Cost(), 0.1, tolerance=1e-13, sweeps=50_000).value,
        lambda x: sinkhorn_divergence(y, x, Cost("elastic"), 0.1, tolerance=1e-13, sweeps=50_000).value,
    ):
        moved = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(value(moved), moved)
        for index in np.ndindex(8, 2):
            step = torch.zeros_like(x)
            step[index] = 1e-5
            slope = float(value(x + step) - value(x - step)) / 2e-5
            assert float(gradient[index]) == pytest.approx(slope, abs=1e-7)


def test_costs_may_have_a_gradient_of_their_own():
    """Both arguments may move, as in the Monge gap: C_ij = c(x_i, T(x_j))."""
    x, y = clouds(9, 7)
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)

    def value(s):
        return entropic_cost_of(Cost().pairwise(x * s, y * s**2), 0.3, tolerance=1e-13, sweeps=50_000).value

    (gradient,) = torch.autograd.grad(value(scale), scale)
    with torch.no_grad():
        slope = float(value(scale + 1e-5) - value(scale - 1e-5)) / 2e-5
    assert float(gradient) == pytest.approx(slope, abs=1e-7)


def test_a_divergence_is_zero_between_equal_clouds_and_not_negative():
    x, y = clouds()
    same = sinkhorn_divergence(x, x.flip(0), Cost(), 1.0, tolerance=1e-8, sweeps=50_000)
    assert float(same.value) == pytest.approx(0, abs=1e-10)
    assert float(sinkhorn_divergence(x, y, Cost("Euclidean"), 0.1).value) > 0
    shift = torch.tensor([3.0, 4.0], dtype=torch.float64)
    moved = sinkhorn_divergence(x, x + shift, Cost(), 1.0, tolerance=1e-8, sweeps=50_000)
    assert float(moved.value) == pytest.approx(25, abs=1e-8)  # |shift|^2, whatever epsilon


def test_weights_count_points_as_often_as_they_say():
    x, y = clouds(6, 5)
    twice = torch.cat([x, x[:2]])
    a = torch.tensor([2, 2, 1, 1, 1, 1], dtype=torch.float64) / 8
    one = sinkhorn_divergence(x, y, Cost(), 0.2, a=a, tolerance=1e-12, sweeps=50_000).value
    other = sinkhorn_divergence(twice, y, Cost(), 0.2, tolerance=1e-12, sweeps=50_000).value
    assert float(one) == pytest.approx(float(other), abs=1e-10)


def test_the_next_step_starts_where_this_one_ended():
    x, y = clouds(200, 200)
    first = sinkhorn_divergence(x, y, Cost(), 0.05)
    second = sinkhorn_divergence(x + 1e-3, y, Cost(), 0.05, start=first.cross.g)
    assert first.error <= 1e-3
    assert second.error <= 1e-3
    assert second.cross.sweeps <= first.cross.sweeps / 2


def test_single_precision_points_are_solved_in_double():
    x, y = (points.float().requires_grad_() for points in clouds())
    value = sinkhorn_divergence(x, y, Cost(), 1e-3, anneal=True).value
    assert value.dtype == torch.float32
    gradients = torch.autograd.grad(value, (x, y))
    assert all(g.dtype == torch.float32 and torch.isfinite(g).all() for g in gradients)
