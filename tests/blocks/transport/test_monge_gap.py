"""The Monge gap: exact values of known maps, both conventions, gradients, and the solver of batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks.transport import batch_sinkhorn
from engines.blocks.transport.batch_sinkhorn import BatchSinkhorn
from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import entropic_cost
from engines.blocks.transport.map_scores import Judge, sampled, score_table, unexplained
from engines.blocks.transport.monge_gap import crossings, entropic_gap, exact_gap
from engines.data import Measure

F64 = torch.float64
SQUARED, EUCLID = Cost(), Cost("Euclidean")


def normal(count: int, dimensions: int = 2, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=(count, dimensions)))


def turned(degrees: float) -> torch.Tensor:
    t = math.radians(degrees)
    return torch.tensor([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]], dtype=F64)


X = normal(256)
OPTIMAL = {"identity": X, "shift": X + 3, "scaling": 2.5 * X, "gradient of a convex function": X + torch.tanh(X)}


@pytest.mark.parametrize("name", OPTIMAL)
def test_the_exact_gap_of_optimal_maps_is_zero(name):
    assert abs(exact_gap(X, OPTIMAL[name], SQUARED)) < 1e-9


@pytest.mark.parametrize(("degrees", "population"), [(90, 4.0), (180, 8.0)])
def test_the_exact_gap_of_rotations(degrees, population):
    """2 d (1 - cos theta) for a standard Gaussian in d dimensions: the identity is the best way to its own images."""
    moved = X @ turned(degrees).T
    found = exact_gap(X, moved, SQUARED)
    assert found == pytest.approx(population, rel=0.06)  # 256 points
    costs = torch.cdist(X, moved).square().numpy()
    import ot

    weights = np.full(256, 1 / 256)
    assert found == pytest.approx(np.trace(costs) / 256 - ot.emd2(weights, weights, costs), abs=1e-9)


def test_the_exact_gap_for_the_euclidean_cost():
    """Turning by half: optimal for no cost; 2.23 on the sample of the sheet."""
    assert exact_gap(X, -X, EUCLID) == pytest.approx(2.23, abs=0.1)
    assert abs(exact_gap(X, X + 3, EUCLID)) < 1e-9
    assert exact_gap(X, torch.cat([X[:1] + 1, X[1:]]), Cost("city block")) >= 0


@pytest.mark.parametrize("moved", [X, X + 3, X @ turned(90).T], ids=["identity", "shift", "turned"])
def test_the_entropic_gap_is_never_negative_and_comes_to_the_exact_one(moved):
    exact, mean, found = exact_gap(X, moved, SQUARED), float(SQUARED.pairwise(X, moved).mean()), []
    for share in (1.0, 0.1, 0.01):
        epsilon, most = share * mean, {"tolerance": 1e-7, "sweeps": 3000, "anneal": True}
        entropy = float(entropic_gap(X, moved, SQUARED, epsilon, "entropy", **most))
        kl = float(entropic_gap(X, moved, SQUARED, epsilon, "KL", **most))
        assert kl <= exact + 1e-9
        assert entropy >= max(0.0, exact)
        assert entropy - kl == pytest.approx(2 * epsilon * math.log(256), rel=1e-9)
        found.append((abs(entropy - exact), abs(kl - exact)))
    assert found == sorted(found, reverse=True)
    assert found[-1][1] < 0.2 * found[0][1] + 1e-9


def test_an_optimal_map_is_between_one_and_two_entropies():
    epsilon = 0.1 * float(SQUARED.pairwise(X, X).mean())
    found = float(entropic_gap(X, X, SQUARED, epsilon, "entropy", tolerance=1e-8))
    assert epsilon * math.log(256) < found < 2 * epsilon * math.log(256)


@pytest.mark.parametrize(
    "cost", [SQUARED, EUCLID, Cost("elastic", tau=0.5), Cost("p-norm", p=1.5)], ids=lambda c: c.name
)
def test_the_gradient_of_the_gap_against_differences(cost):
    x, direction = normal(24, seed=1), normal(24, seed=2)
    moved = 1.5 * x + 0.3 * normal(24, seed=3)
    epsilon = 0.1 * float(cost.pairwise(x, moved).mean())

    def gap(at: torch.Tensor) -> torch.Tensor:
        return entropic_gap(x, at, cost, epsilon, tolerance=1e-13, sweeps=20_000)

    at = moved.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(gap(at), at)
    h = 1e-5
    difference = float(gap(moved + h * direction) - gap(moved - h * direction)) / (2 * h)
    assert float((gradient * direction).sum()) == pytest.approx(difference, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("share", [1.0, 0.1, 0.02])
def test_a_batch_has_the_value_and_the_gradient_of_the_plain_solver(share):
    x, y = normal(60, 3, 4), 1 + normal(50, 3, 5)
    epsilon = share * float(SQUARED.pairwise(x, y).mean())
    at = y.clone().requires_grad_()
    found = BatchSinkhorn(SQUARED, epsilon, 1e-11, 50_000)(x, at)
    plain = entropic_cost(x, at, SQUARED, epsilon, tolerance=1e-11, sweeps=50_000)
    assert found.error < 1e-11
    assert found.value.item() == pytest.approx(plain.value.item(), abs=1e-9)
    ours, theirs = (torch.autograd.grad(value, at)[0] for value in (found.value, plain.value))
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


def test_sweeps_in_torch_as_on_a_gpu_are_those_in_numpy(monkeypatch):
    x, y = normal(60, 3, 4), 1 + normal(50, 3, 5)
    plain = BatchSinkhorn(SQUARED, 0.1)(x, y)
    monkeypatch.setattr(batch_sinkhorn, "_quick", lambda K: K)
    found = BatchSinkhorn(SQUARED, 0.1)(x, y)
    assert found.sweeps == plain.sweeps
    assert float(found.value) == pytest.approx(float(plain.value), rel=1e-12)


def test_a_batch_of_new_points_starts_near_its_solution():
    def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = normal(128, seed=seed)
        return x, x @ torch.tensor([[2.0, 0.5], [0.5, 1]], dtype=F64) + 2

    epsilon = 0.01 * float(SQUARED.pairwise(*batch(0)).mean())
    warm, cold = BatchSinkhorn(SQUARED, epsilon), BatchSinkhorn(SQUARED, epsilon)
    warm(*batch(0))
    sweeps = []
    for seed in range(1, 6):
        cold.points = None
        sweeps.append((warm(*batch(seed)).sweeps, cold(*batch(seed)).sweeps))
    ours, theirs = np.sum(sweeps, 0)
    assert ours < 0.8 * theirs


def test_a_batch_that_jumps_away_underflows_nowhere():
    """Potentials of clouds far apart, over an epsilon that is tiny: the kernel is all zeros but for the logarithm."""
    solver = BatchSinkhorn(SQUARED, 1e-3, 1e-3, 4000)
    solver(normal(40, seed=6), normal(40, seed=7))
    found = solver(1000 + normal(40, seed=8), -500 + 3 * normal(40, seed=9))
    assert math.isfinite(float(found.value))
    assert 0 <= found.error <= 2
    assert bool(torch.isfinite(solver.potential).all())
    nearer = BatchSinkhorn(SQUARED, 1e-2, 1e-3, 20_000)
    nearer(normal(40, seed=6), normal(40, seed=7))
    assert nearer(10 + normal(40, seed=8), -5 + 3 * normal(40, seed=9)).error < 1e-3


def test_the_cap_is_kept_and_told():
    found = BatchSinkhorn(SQUARED, 1e-3, 1e-9, 30)(normal(50), normal(50, seed=1))
    assert found.sweeps <= 41
    assert found.error > 1e-9


def test_segments_that_cross():
    starts = np.array([[0.0, 0], [1, 0], [5, 5]])
    ends = np.array([[1.0, 1], [0, 1], [6, 6]])
    assert crossings(starts, ends) == pytest.approx(1 / 3)
    assert crossings(starts, starts + 1) == 0
    assert crossings(starts[:1], ends[:1]) == 0


def test_the_best_assignment_for_the_euclidean_cost_has_no_crossings_and_that_for_its_square_may():
    from scipy.optimize import linear_sum_assignment

    x, y = normal(100).numpy(), 2 * normal(100, seed=1).numpy() + [1, 0]
    share = {}
    for cost in (EUCLID, SQUARED):
        _, columns = linear_sum_assignment(cost.pairwise(torch.tensor(x), torch.tensor(y)).numpy())
        share[cost.name] = crossings(x, y[columns])
    assert share["Euclidean"] == 0
    assert share["squared Euclidean"] > 0


def test_scores_of_the_truth_and_of_no_map():
    x, y = normal(200, seed=1), 2 + normal(200, seed=2)
    judge = Judge(x, y, SQUARED, SQUARED, 0.1, truth=x + 2)
    best, none = judge(x + 2), judge(x)
    assert best["L2-UVP (%)"] == 0
    assert none["L2-UVP (%)"] == pytest.approx(100 * 8 / float(x.var(0, correction=0).sum()))
    assert best["Exact Monge gap"] == pytest.approx(0, abs=1e-9)
    for score in ("Sinkhorn divergence", "MMD", "Mean shift"):
        assert best[score] < 0.2 * none[score]
    table = score_table({"Map": best, "No map": {k: v for k, v in none.items() if k != "MMD"}})
    assert np.isnan(table.columns["No map"][list(table.columns["Score"]).index("MMD")])


def test_a_map_that_is_off_by_one_leaves_the_share_of_variance_that_it_should():
    x = normal(40, 3, 1)
    assert unexplained(x + 1, x) == pytest.approx(300 / float(x.var(0, correction=0).sum()))


def test_points_are_drawn_by_their_weights():
    rng = np.random.default_rng(0)
    points = np.arange(4.0)[:, None]
    assert sampled(Measure(points=points), 9, rng).tolist() == points.tolist()
    assert len(np.unique(sampled(Measure(points=points), 3, rng))) == 3
    drawn = sampled(Measure(points=points, weights=[0.0, 3, 1, 0]), 4000, rng)
    assert (drawn == 1).mean() == pytest.approx(0.75, abs=0.03)
    assert set(np.unique(drawn)) == {1, 2}
