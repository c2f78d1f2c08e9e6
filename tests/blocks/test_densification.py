"""Adding and removing Gaussians: what the rules say, that moments follow, and that the picture stays."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians, render
from engines.blocks.splatting.densification import Classic, Mcmc
from engines.blocks.splatting.initial import initial_cloud, spread_in_view
from engines.blocks.splatting.optimiser import KINDS, GaussianOptimiser

RATES = dict.fromkeys(KINDS, 1e-2)


def some(count: int, seed: int = 0, scale: float = 0.1, opacity: float = 0.5) -> Gaussians:
    rng = np.random.default_rng(seed)
    return Gaussians(
        torch.tensor(rng.uniform(-0.5, 0.5, (count, 3)), dtype=torch.float32),
        torch.tensor(rng.normal(size=(count, 4)), dtype=torch.float32),
        torch.full((count, 3), math.log(scale)),
        torch.full((count,), math.log(opacity / (1 - opacity))),
        torch.tensor(rng.normal(0, 0.3, (count, 4, 3)), dtype=torch.float32),
    )


def camera(size: int = 64) -> Camera:
    return Camera(look_at([0.3, -3, 0.4], [0, 0, 0]), 80.0, 80.0, size / 2, size / 2, size, size)


def stepped(optimiser: GaussianOptimiser, rule, pull: float = 1.0) -> None:
    """One backward pass with a strong pull, seen by the rule, and one step."""
    found = render(optimiser.gaussians, camera())
    found.projection.means.retain_grad()
    (pull * found.image.sum()).backward()
    rule.observe(found, 64, 64)
    optimiser.step()


def classic(**changes) -> Classic:
    settings = {
        "extent": 1.0, "limit": 10_000, "begin": 0, "end": 100, "every": 10, "reset_every": 0, "threshold": 1e-9,
        "dense": 0.2,
    }  # fmt: skip
    return Classic(**{**settings, **changes})


def test_small_ones_are_cloned_in_place_and_start_without_moments():
    optimiser, rule = GaussianOptimiser(some(20), RATES), classic()
    stepped(optimiser, rule)
    before = {kind: p.detach().clone() for kind, p in optimiser.parameters.items()}
    moments = optimiser.adam.state[optimiser.parameters["means"]]["exp_avg"].clone()
    rule.act(10, optimiser, torch.Generator().manual_seed(0))
    assert len(optimiser) == 40
    for kind, p in optimiser.parameters.items():
        assert torch.equal(p[:20], before[kind])
        assert torch.equal(p[20:], before[kind])
    kept = optimiser.adam.state[optimiser.parameters["means"]]["exp_avg"]
    assert torch.equal(kept[:20], moments)
    assert not kept[20:].any()


def test_large_ones_are_split_in_two_smaller_ones():
    optimiser, rule = GaussianOptimiser(some(15), RATES), classic(dense=0.01)
    stepped(optimiser, rule)
    before = optimiser.gaussians.map(torch.Tensor.detach)
    rule.act(10, optimiser, torch.Generator().manual_seed(0))
    after = optimiser.gaussians.map(torch.Tensor.detach)
    assert len(after) == 30
    expected = (before.log_scales - math.log(1.6)).repeat_interleave(2, dim=0)
    torch.testing.assert_close(after.log_scales, expected)
    apart = (after.means - before.means.repeat_interleave(2, dim=0)).norm(dim=1)
    assert float(apart.mean()) == pytest.approx(0.1 * math.sqrt(8 / math.pi), rel=0.4)  # N(0, Sigma), sigma 0.1


def test_nothing_happens_without_a_pull_and_faint_ones_go():
    faint = some(12)
    faint.opacity_logits[:5] = -8.0
    optimiser, rule = GaussianOptimiser(faint, dict.fromkeys(KINDS, 0.0)), classic(threshold=1e9)
    stepped(optimiser, rule)
    rule.act(10, optimiser, torch.Generator().manual_seed(0))
    assert len(optimiser) == 7


def test_the_limit_holds_and_the_hardest_pulled_come_first():
    optimiser, rule = GaussianOptimiser(some(20), RATES), classic(limit=25)
    stepped(optimiser, rule)
    pull = rule.state()["pull"].clone()
    rule.act(10, optimiser, torch.Generator().manual_seed(0))
    assert len(optimiser) == 25
    strongest = set(pull.topk(5).indices.tolist())
    copied = {
        int((optimiser.parameters["means"][:20] == row).all(1).nonzero()[0])
        for row in optimiser.parameters["means"][20:]
    }
    assert copied == strongest


def test_opacities_are_lowered_and_their_moments_forgotten():
    optimiser, rule = GaussianOptimiser(some(8), RATES), classic(reset_every=7, threshold=1e9)
    stepped(optimiser, rule)
    rule.act(7, optimiser, torch.Generator().manual_seed(0))
    opacities = optimiser.parameters["opacity_logits"].detach().sigmoid()
    assert float(opacities.max()) <= 0.01 + 1e-6
    assert not optimiser.adam.state[optimiser.parameters["opacity_logits"]]["exp_avg"].any()


def test_mcmc_moves_dead_ones_and_keeps_the_picture():
    gaussians = some(60, opacity=0.6)
    gaussians.opacity_logits[:20] = -9.0
    optimiser = GaussianOptimiser(gaussians, RATES)
    rule = Mcmc(limit=60, begin=0, end=100, every=1, rate=0.0)
    with torch.no_grad():
        before = render(optimiser.gaussians, camera()).image
    rule.act(1, optimiser, torch.Generator().manual_seed(0))
    with torch.no_grad():
        after = render(optimiser.gaussians, camera()).image
    assert len(optimiser) == 60
    assert float(optimiser.parameters["opacity_logits"].min()) > -9
    assert float((after - before).abs().mean()) < 0.02 * float(before.mean())


def test_mcmc_grows_to_its_budget():
    optimiser, rule = GaussianOptimiser(some(100), RATES), Mcmc(limit=112, begin=0, end=100, every=1)
    for step in range(1, 4):
        rule.act(step, optimiser, torch.Generator().manual_seed(step))
    assert len(optimiser) == 112


def test_mcmc_grows_by_its_share_each_time():
    optimiser = GaussianOptimiser(some(100), RATES)
    rule = Mcmc(limit=1000, begin=0, end=100, every=10, growth=0.5)
    for step in range(1, 31):
        rule.act(step, optimiser, torch.Generator().manual_seed(step))
    assert len(optimiser) == 338  # 100, 150, 225, 338


def test_n_in_one_place_of_one():
    """n equal Gaussians with the new opacity and scale weigh, as seen, what the one did (2 pi o sigma^2)."""
    optimiser, rule = GaussianOptimiser(some(1, opacity=0.7), RATES), Mcmc(limit=2, begin=0, end=9, every=1, growth=1.0)
    with torch.no_grad():
        before = render(optimiser.gaussians, camera(), blur=0.0)
    rule.act(1, optimiser, torch.Generator().manual_seed(0))
    with torch.no_grad():
        after = render(optimiser.gaussians, camera(), blur=0.0)
    assert float(optimiser.parameters["opacity_logits"].sigmoid()[0]) == pytest.approx(1 - math.sqrt(0.3), abs=1e-5)
    assert float((after.alpha - before.alpha).abs().max()) < 0.08


def test_state_and_back():
    optimiser = GaussianOptimiser(some(10), RATES)
    stepped(optimiser, classic())
    other = GaussianOptimiser(some(3, seed=5), RATES)
    other.restore(optimiser.state())
    for chosen in (optimiser, other):
        stepped(chosen, classic())
    for kind in KINDS:
        assert torch.equal(optimiser.parameters[kind], other.parameters[kind])


def test_where_gaussians_begin():
    points = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 5, 5]])
    cloud = initial_cloud(points, np.full((5, 3), 0.75), 2)
    assert cloud.sh.shape == (5, 9, 3)
    assert float(cloud.log_scales[0, 0].exp()) == pytest.approx(1.0)
    assert float(cloud.opacity_logits.sigmoid()[0]) == pytest.approx(0.1)
    assert float(0.5 + 0.28209479177387814 * cloud.sh[0, 0, 0]) == pytest.approx(0.75)
    twins = initial_cloud(np.zeros((4, 3)), np.zeros((4, 3)), 0)
    assert torch.isfinite(twins.log_scales).all()


def test_random_points_lie_where_the_cameras_look():
    rng = np.random.default_rng(0)
    middle = np.array([2.0, -1, 3])
    centres = middle + 4 * np.eye(3)[[0, 1, 2, 0]] * [[1], [1], [1], [-1]]
    axes = (middle - centres) / 4
    points = spread_in_view(1000, centres, axes, rng)
    assert np.abs(points.mean(0) - middle).max() < 0.2
    assert np.abs(points - middle).max() <= 2.0
    same_way = spread_in_view(100, np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 1], [0, 0, 1]]), rng)
    assert np.isfinite(same_way).all()
