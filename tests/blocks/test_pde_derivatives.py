"""Derivatives of Gaussians and networks in closed form against automatic differentiation."""

from __future__ import annotations

import itertools

import pytest
import torch

from engines.blocks import dense_layers
from engines.blocks.pde import derivatives, gaussian_features, gaussian_sums, mlp
from engines.core import UserError

F64 = torch.float64


def indices(dimensions: int, highest: int) -> list[tuple[int, ...]]:
    return [i for i in itertools.product(range(highest + 1), repeat=dimensions) if sum(i) <= highest]


def drawn(dimensions: int, turned: bool, seed: int = 0):
    make = torch.Generator().manual_seed(seed)
    means = torch.rand(3, 17, dimensions, dtype=F64, generator=make) * 2 - 1
    sigmas = torch.rand(3, 17, dimensions, dtype=F64, generator=make) * 0.4 + 0.1
    weights = torch.randn(3, 17, dtype=F64, generator=make)
    size = {1: 1, 2: 2, 3: 4}[dimensions]
    turns = torch.randn(3, 17, size, dtype=F64, generator=make) if turned else None
    points = torch.rand(41, dimensions, dtype=F64, generator=make) * 2 - 1
    return points, means, sigmas, turns, weights


CASES = [(1, False), (2, False), (2, True), (3, False), (3, True)]


@pytest.mark.parametrize(("dimensions", "turned"), CASES)
def test_features_and_their_derivatives_up_to_the_third(dimensions, turned):
    points, means, sigmas, turns, weights = drawn(dimensions, turned)
    A = gaussian_features.precision(sigmas, turns)
    wanted = indices(dimensions, 3)
    found = gaussian_features.jets(points, means, A, weights, wanted)
    zero = (0,) * dimensions
    expected = derivatives.by_autograd(
        lambda x: gaussian_features.direct(x, means, A, weights, [zero])[zero], points, wanted
    )
    for index in wanted:
        assert (found[index] - expected[index]).abs().max() <= 1e-10 * expected[index].abs().max(), index


@pytest.mark.parametrize(("dimensions", "turned"), CASES)
def test_gradients_with_respect_to_all_that_is_trained(dimensions, turned, monkeypatch):
    points, means, sigmas, turns, weights = drawn(dimensions, turned)
    leaves = [t.requires_grad_() for t in (means, sigmas, weights, *([turns] if turned else []))]
    wanted = indices(dimensions, 2)

    def gradients(of) -> list[torch.Tensor]:
        jets = of(points, means, gaussian_features.precision(sigmas, turns), weights, wanted)
        loss = sum((k + 1) * (jets[i] ** 2).mean() / (1 + sum(i)) for k, i in enumerate(wanted))
        return list(torch.autograd.grad(loss, leaves))

    expected = gradients(gaussian_features.direct)
    for kept in (gaussian_sums.KEPT, 0):
        monkeypatch.setattr(gaussian_sums, "KEPT", kept)
        monkeypatch.setattr(gaussian_sums, "CACHED", 1000)  # several blocks of points
        for one, other in zip(gradients(gaussian_features.jets), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * float(other.abs().max()))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_without_a_turn_full_covariances_are_diagonal_ones(dimensions):
    points, means, sigmas, _, weights = drawn(dimensions, False)
    turns = torch.tensor(gaussian_features.no_turn(dimensions), dtype=F64).expand(3, 17, -1)
    wanted = indices(dimensions, 2)
    plain = gaussian_features.jets(points, means, gaussian_features.precision(sigmas), weights, wanted)
    full = gaussian_features.jets(points, means, gaussian_features.precision(sigmas, turns), weights, wanted)
    for index in wanted:
        assert (plain[index] - full[index]).abs().max() <= 1e-12 * plain[index].abs().max()


def test_turned_gaussians_are_plain_ones_at_points_turned_back():
    points, means, sigmas, _, weights = drawn(2, False)
    angle = torch.tensor(0.7, dtype=F64)
    turn = torch.stack([angle.cos(), angle.sin()])
    R = gaussian_features.rotations(turn)
    turns = turn.expand(3, 17, 2) * 3  # of any length
    turned = gaussian_features.jets(points, means @ R.T, gaussian_features.precision(sigmas, turns), weights, [(0, 0)])
    plain = gaussian_features.jets(points @ R, means, gaussian_features.precision(sigmas), weights, [(0, 0)])
    torch.testing.assert_close(turned[0, 0], plain[0, 0], rtol=1e-12, atol=1e-12)


def test_single_precision_subtracts_first():
    points, means, sigmas, _, weights = drawn(2, False)
    A = gaussian_features.precision(sigmas * 0.05)
    wanted = indices(2, 2)
    exact = gaussian_features.jets(points, means, A, weights, wanted)
    single = gaussian_features.jets(points.float(), means.float(), A.float(), weights.float(), wanted)
    for index in wanted:
        torch.testing.assert_close(single[index].double(), exact[index], rtol=1e-3, atol=1e-4 * float(A.max()))


@pytest.mark.parametrize(("dimensions", "sizes"), [(1, (1, 7, 2)), (2, (2, 9, 9, 3)), (3, (3, 8, 8, 8, 1))])
def test_networks_of_tanh(dimensions, sizes):
    make = torch.Generator().manual_seed(4)
    parts = {k: torch.empty(s, dtype=F64) for k, s in dense_layers.shapes(sizes).items()}
    dense_layers.initialise(parts, "uniform", make)
    points = torch.rand(23, dimensions, dtype=F64, generator=make)
    scale = [2.0, 0.5, 3.0][:dimensions]

    def network(x: torch.Tensor) -> torch.Tensor:
        return mlp.values(x * torch.tensor(scale, dtype=F64), parts)

    wanted = indices(dimensions, 2)
    found = mlp.jets_at(points * torch.tensor(scale, dtype=F64), scale, parts, wanted)
    expected = derivatives.by_autograd(network, points, wanted)
    forward = derivatives.by_forward(network, points, wanted)
    for index in wanted:
        torch.testing.assert_close(found[index], expected[index], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(forward[index], expected[index], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("f", [derivatives.tanh, derivatives.sine])
def test_activations(f):
    h = torch.linspace(-2, 2, 30, dtype=F64)[:, None]
    for have, want in zip(
        f(h, 2),
        derivatives.by_autograd(lambda x: f(x, 0)[0], h, [(0,), (1,), (2,)]).values(),
        strict=True,
    ):
        torch.testing.assert_close(have, want, rtol=1e-12, atol=1e-12)


def test_what_does_not_depend_on_a_coordinate_has_no_derivative_along_it():
    points = torch.rand(5, 2, dtype=F64)
    found = derivatives.by_autograd(lambda x: x[:, :1] ** 2, points, [(2, 0), (3, 0), (0, 1), (1, 1)])
    torch.testing.assert_close(found[2, 0], torch.full((5, 1), 2.0, dtype=F64))
    assert not any(found[index].any() for index in ((3, 0), (0, 1), (1, 1)))


def test_closure_holds_all_that_is_below():
    assert derivatives.closure([(1, 1), (0, 2)]) == ((0, 0), (1, 0), (0, 1), (1, 1), (0, 2))
    with pytest.raises(UserError, match="order 3"):
        derivatives.check_order([(3, 0)], 2, "This network")
