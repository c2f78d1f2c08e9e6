import math
from typing import get_args

import numpy as np
import pytest
import torch

from engines.blocks.transport.costs import Cost, GroundCost, squared_distances

NAMES = get_args(GroundCost)


def clouds(dimensions: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = lambda n: torch.randn(n, dimensions, generator=generator, dtype=torch.float64)  # noqa: E731
    return draw(5), draw(7)


@pytest.mark.parametrize("dimensions", [1, 3, 12])
@pytest.mark.parametrize("name", NAMES)
def test_costs_are_what_their_formulas_say(name, dimensions):
    x, y = clouds(dimensions)
    cost, z = Cost(name, p=1.7, tau=0.3), (x[:, None] - y).numpy()
    direction = lambda v: (v / v.norm(dim=1, keepdim=True)).numpy()  # noqa: E731
    expected = {
        "squared Euclidean": (z**2).sum(-1),
        "Euclidean": np.sqrt((z**2).sum(-1)),
        "city block": abs(z).sum(-1),
        "p-norm": (abs(z) ** 1.7).sum(-1),
        "elastic": 0.5 * (z**2).sum(-1) + 0.3 * abs(z).sum(-1),
        "sphere geodesic": np.arccos(np.clip(direction(x) @ direction(y).T, -1, 1)),
    }[name]
    np.testing.assert_allclose(cost.pairwise(x, y), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(cost.paired(x, y[:5]), expected[:, :5].diagonal(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 12])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_by_finite_differences(name, dimensions):
    x, y = (points.requires_grad_() for points in clouds(dimensions))
    assert torch.autograd.gradcheck(Cost(name).pairwise, (x, y))
    assert torch.autograd.gradcheck(Cost(name).paired, (x, y[:5].detach().requires_grad_()))


@pytest.mark.parametrize("name", NAMES)
def test_points_that_coincide_cost_nothing_and_have_a_gradient(name):
    x = clouds()[0].requires_grad_()
    for costs in (Cost(name).pairwise(x, x.detach()).diagonal(), Cost(name).paired(x, x.detach())):
        np.testing.assert_allclose(costs.detach(), 0, atol=1e-14)
        (gradient,) = torch.autograd.grad(costs.sum(), x)
        assert torch.isfinite(gradient).all()
        np.testing.assert_allclose(gradient, 0, atol=1e-12)


def test_p_norm_lies_between_city_block_and_squared_euclidean():
    x, y = clouds()
    torch.testing.assert_close(Cost("p-norm", p=1).pairwise(x, y), Cost("city block").pairwise(x, y))
    torch.testing.assert_close(Cost("p-norm", p=2).pairwise(x, y), Cost("squared Euclidean").pairwise(x, y))


def test_arcs_are_exact_where_an_arc_cosine_is_not():
    angle = 1e-9
    x = torch.tensor([[2.0, 0, 0]], dtype=torch.float64)
    y = 5 * torch.tensor([[math.cos(angle), math.sin(angle), 0], [-1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    found = Cost("sphere geodesic").pairwise(x, y)[0]
    np.testing.assert_allclose(found, [angle, math.pi, math.pi / 2], rtol=1e-12)


def test_far_from_the_origin_little_is_lost():
    x, y = clouds(12)
    near, far = squared_distances(x, y), squared_distances(x + 1e3, y + 1e3)
    np.testing.assert_allclose(far, near, rtol=1e-9)


def test_a_name_that_is_no_cost():
    x, y = clouds()
    with pytest.raises(ValueError, match="chessboard"):
        Cost("chessboard").pairwise(x, y)
    with pytest.raises(ValueError, match="chessboard"):
        Cost("chessboard").paired(x, y[:5])
