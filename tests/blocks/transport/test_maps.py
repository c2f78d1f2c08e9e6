"""Forms of transport maps: what their weights become, against closed forms, and what does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engines.blocks import dense_layers
from engines.blocks.transport import maps
from engines.blocks.transport.bures import bures, gaussian_map, moments
from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import entropic_cost
from engines.core import UserError
from engines.data import Measure, TransportMap
from tests.transports import affine_map

DRAW = np.random.default_rng(5)
POINTS = DRAW.normal(size=(50, 2))
CLOUD = Measure(points=POINTS)


def made(form: str, weights: dict, config: dict | None = None, cloud: Measure = CLOUD) -> TransportMap:
    return TransportMap(form=form, weights=weights, config=json.dumps(config or {}), source=cloud, target=cloud)


def layers(*sizes: int) -> dict[str, torch.Tensor]:
    parts = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in dense_layers.shapes(sizes).items()}
    dense_layers.initialise(parts, "uniform", torch.Generator().manual_seed(0))
    return parts


def test_an_affine_map():
    found = maps.evaluate(affine_map(), POINTS)
    np.testing.assert_allclose(found, 2 * POINTS + 1)
    assert maps.evaluate(affine_map(), POINTS[:0]).shape == (0, 2)


def test_a_network_is_what_its_layers_say():
    from scipy.special import erf

    cloud, target = torch.tensor(POINTS), 3 * torch.tensor(POINTS) + 5
    parts = layers(2, 7, 2) | maps.frame(cloud, target, True)
    arrays = {name: part.numpy() for name, part in parts.items()}
    h = (POINTS - POINTS.mean(0)) / np.sqrt((POINTS - POINTS.mean(0)).var(0).mean()) @ arrays["weight.0"].T
    h = h + arrays["bias.0"]
    out = h * (1 + erf(h / np.sqrt(2))) / 2 @ arrays["weight.1"].T + arrays["bias.1"]
    target_spread = 3 * np.sqrt(POINTS.var(0).mean())
    plain = 3 * POINTS.mean(0) + 5 + target_spread * out
    np.testing.assert_allclose(maps.evaluate(made("network", arrays, {"activation": "GELU"}), POINTS), plain)
    residual = maps.evaluate(made("network", arrays, {"activation": "GELU", "residual": True}), POINTS)
    np.testing.assert_allclose(residual, plain + POINTS - POINTS.mean(0))
    onto = maps.evaluate(made("network", arrays, {"activation": "GELU", "sphere": True}), POINTS)
    np.testing.assert_allclose(np.linalg.norm(onto, axis=1), 1)


def test_a_map_of_some_coordinates_leaves_the_others():
    weights = {"matrix": np.array([[0.0, 1], [1, 0]]), "offset": np.zeros(2), "kept": np.array([0, 2])}
    points = DRAW.normal(size=(4, 3))
    found = maps.evaluate(made("affine", weights, cloud=Measure(points=points)), points)
    np.testing.assert_allclose(found, points[:, [2, 1, 0]])


def test_chunks_change_nothing(monkeypatch):
    arrays = {
        name: part.numpy() for name, part in (layers(2, 7, 2) | maps.frame(*2 * [torch.tensor(POINTS)], True)).items()
    }
    whole = maps.evaluate(made("network", arrays, {"activation": "tanh"}), POINTS)
    monkeypatch.setattr(maps, "AT_ONCE", 30)
    np.testing.assert_allclose(
        maps.evaluate(made("network", arrays, {"activation": "tanh"}), POINTS), whole, rtol=1e-14
    )


def test_the_barycentric_map_at_the_points_of_the_plan_is_its_projection():
    x, y, cost, epsilon = torch.tensor(POINTS), torch.tensor(1 + DRAW.normal(size=(40, 2))), Cost(), 0.3
    solved = entropic_cost(x, y, cost, epsilon, tolerance=1e-12)
    plan = ((solved.f[:, None] + solved.g - cost.pairwise(x, y)) / epsilon).exp().numpy() / (50 * 40)
    weights = {"points": y.numpy(), "potential": solved.g.numpy(), "weights": np.full(40, 1 / 40)}
    found = maps.evaluate(made("barycentric", weights, {"cost": cost.name, "epsilon": epsilon}), POINTS)
    np.testing.assert_allclose(found, plan @ y.numpy() * 50, atol=1e-9)


def test_the_gradient_of_a_convex_network():
    shapes = maps.convex_shapes(2, (6, 5))
    draw = torch.Generator().manual_seed(1)
    parts = {name: torch.randn(shape, dtype=torch.float64, generator=draw) for name, shape in shapes.items()}
    x = torch.tensor(POINTS)
    found, h = maps.convex_gradient(x, parts), 1e-6
    for k in range(2):
        step = h * torch.eye(2, dtype=torch.float64)[k]
        difference = (maps.convex(x + step, parts) - maps.convex(x - step, parts)) / (2 * h)
        torch.testing.assert_close(found[:, k], difference, rtol=1e-7, atol=1e-7)
    apart, moved = x[:, None] - x, found[:, None] - found
    assert float((apart * moved).sum(-1).min()) >= 0, "it is not monotone"
    a, b = x[::2], x[1::2]
    assert bool((maps.convex((a + b) / 2, parts) <= (maps.convex(a, parts) + maps.convex(b, parts)) / 2 + 1e-12).all())
    arrays = {name: part.numpy() for name, part in (parts | maps.frame(x, x, False)).items()}
    np.testing.assert_allclose(maps.evaluate(made("convex potential", arrays), POINTS), found.numpy(), atol=1e-12)


@pytest.mark.parametrize("weight", [-5.0, 0.0, 3.0])
def test_a_convex_network_may_contract(weight):
    """Without the network's own part the map is a scaling by softplus of the quadratic weight, less than 1 or more."""
    shapes = maps.convex_shapes(2, (6, 5))
    parts = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
    parts["quadratic"] += weight
    x = torch.tensor(POINTS)
    torch.testing.assert_close(maps.convex_gradient(x, parts), float(np.log1p(np.exp(weight))) * x)


def test_the_map_between_gaussians_against_pot():
    import ot

    x, y = (
        Measure(points=DRAW.normal(size=(300, 3))),
        Measure(points=DRAW.normal(size=(200, 3)) @ np.diag([1, 2, 0.5]) + 1),
    )
    matrix, offset = gaussian_map(x, y)
    theirs, theirs_offset = ot.gaussian.bures_wasserstein_mapping(
        *(moments(m)[0] for m in (x, y)), *(moments(m)[1] for m in (x, y))
    )
    np.testing.assert_allclose(matrix, theirs, atol=1e-9)
    np.testing.assert_allclose(offset, theirs_offset.ravel(), atol=1e-9)
    np.testing.assert_allclose(matrix @ moments(x)[1] @ matrix.T, moments(y)[1], atol=1e-9)


def test_the_map_between_gaussians_counts_weights_and_takes_flat_clouds():
    weighted = Measure(points=[[0.0], [1], [2]], weights=[2, 0, 2])
    mean, covariance = moments(weighted)
    assert (mean.item(), covariance.item()) == (1, 1)
    flat = np.diag([1.0, 0])
    matrix, offset = bures(np.zeros(2), flat, np.ones(2), np.diag([4.0, 1]))
    np.testing.assert_allclose(matrix, np.diag([2, 0]), atol=1e-12)
    np.testing.assert_allclose(offset, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"form": "unheard of"}, "is of a form that is not known"),
        ({"weights": {"matrix": np.eye(2)}}, "do not fit its form"),
        ({"weights": {"matrix": np.eye(3), "offset": np.ones(3)}}, "do not fit its form"),
        ({"form": "network", "config": '{"activation": "GELU"}'}, "do not fit its form"),
        ({"form": "barycentric"}, "do not fit its form"),
    ],
)
def test_what_does_not_fit_is_refused(change, says):
    with pytest.raises(UserError) as refused:
        maps.evaluate(affine_map().replace(**change), POINTS)
    assert says in refused.value.what


def test_points_of_another_space_are_refused():
    with pytest.raises(UserError) as refused:
        maps.evaluate(affine_map(), np.ones((3, 5)))
    assert "5 coordinates; the map takes 2" in refused.value.what
