"""Derivatives of networks of sines against finite differences and autograd; their initialisation and their form."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engines.blocks.pde.forms import evaluator
from engines.blocks.pde.siren import SirenShape, jets, laplacian, shape_of, stacked, values
from engines.core import UserError
from engines.data import Trajectory

SHAPE = SirenShape(3, 2, 16, 2, (-1.0, -2.0, 0.0), (1.0, 3.0, 2.0))
FORMS = (laplacian(3), {(0, 1): 1.0}, {(1, 2): 2.0, (0, 0): -1.0})


def made(shape: SirenShape = SHAPE, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    flat = shape.initialised(generator, dtype=dtype)
    low, high = torch.tensor(shape.lower, dtype=dtype), torch.tensor(shape.upper, dtype=dtype)
    return flat, low + (high - low) * torch.rand(9, shape.inputs, generator=generator, dtype=dtype)


def plain(shape: SirenShape, flat, points):
    """As one writes it down."""
    low, high = points.new_tensor(shape.lower), points.new_tensor(shape.upper)
    h, layers = (points - (low + high) / 2) / ((high - low) / 2), shape.split(flat)
    for k, (weight, bias) in enumerate(layers[:-1]):
        h = torch.sin((shape.first_frequency if k == 0 else shape.frequency) * (h @ weight.T + bias))
    return h @ layers[-1][0].T + layers[-1][1]


@pytest.mark.parametrize("first_frequency", [30.0, 7.0])
def test_values_and_derivatives_are_those_of_autograd(first_frequency):
    shape = SirenShape(3, 2, 16, 2, SHAPE.lower, SHAPE.upper, first_frequency=first_frequency)
    flat, points = made(shape)
    u, first, second = jets(shape, flat, points, (0, 1, 2), FORMS)
    one = lambda x: plain(shape, flat, x[None])[0]  # noqa: E731
    jacobian = torch.func.vmap(torch.func.jacrev(one))(points)
    hessian = torch.func.vmap(torch.func.hessian(one))(points)
    torch.testing.assert_close(u, plain(shape, flat, points))
    torch.testing.assert_close(first, jacobian.permute(2, 0, 1))
    expected = [
        hessian.diagonal(dim1=2, dim2=3).sum(-1),
        hessian[:, :, 0, 1],
        2 * hessian[:, :, 1, 2] - hessian[:, :, 0, 0],
    ]
    torch.testing.assert_close(second, torch.stack(expected))


def test_derivatives_are_those_of_central_differences():
    flat, points = made()
    step = 1e-5
    u, first, (lap,) = jets(SHAPE, flat, points, (0, 1, 2), (laplacian(3),))
    total = torch.zeros_like(u)
    for axis in range(3):
        move = torch.zeros(3, dtype=torch.float64)
        move[axis] = step
        ahead, behind = plain(SHAPE, flat, points + move), plain(SHAPE, flat, points - move)
        torch.testing.assert_close(first[axis], (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-6)
        far = jets(SHAPE, flat, points + move, (axis,))[1][0] - jets(SHAPE, flat, points - move, (axis,))[1][0]
        total += far / (2 * step)
    torch.testing.assert_close(lap, total, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("axes", [(0, 1, 2), (2,), ()])
def test_one_backward_pass_gives_the_gradient_of_everything(axes):
    flat, points = made()
    forms = FORMS if len(axes) == 3 else ({(0, 0): 1.5},) if axes else ()
    flat.requires_grad_()
    weights = [torch.randn(k, 9, 2, dtype=torch.float64) for k in (1, len(axes), len(forms))]

    def gradient(u, first, second):
        loss = (weights[0][0] * u).sum() + (weights[1] * first).sum() + (weights[2] * second).sum()
        return torch.autograd.grad(loss, flat)[0]

    one = lambda x: plain(SHAPE, flat, x[None])[0]  # noqa: E731
    jacobian = torch.func.vmap(torch.func.jacrev(one))(points).permute(2, 0, 1)[list(axes)]
    hessian = torch.func.vmap(torch.func.hessian(one))(points)
    seconds = [sum(v * hessian[:, :, axes[i], axes[j]] for (i, j), v in q.items()) for q in forms]
    seconds = torch.stack(seconds) if seconds else torch.zeros(0, 9, 2, dtype=torch.float64)
    torch.testing.assert_close(
        gradient(*jets(SHAPE, flat, points, axes, forms)), gradient(plain(SHAPE, flat, points), jacobian, seconds)
    )


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_before_each_sine_values_have_a_deviation_of_about_one(inputs):
    box = (-1.0,) * inputs, (1.0,) * inputs
    shape = SirenShape(inputs, 1, 256, 3, *box)
    generator = torch.Generator().manual_seed(1)
    flat = shape.initialised(generator)
    h = torch.rand(4000, inputs, generator=generator) * 2 - 1
    for k, (weight, bias) in enumerate(shape.split(flat)[:-1]):
        y = 30 * (h @ weight.T)
        if k:
            assert 0.9 < float(y.std()) < 1.1
        h = torch.sin(y + 30 * bias)


def test_the_sheets_network_for_advection_has_901_parameters():
    assert SirenShape(1, 1, 20, 2, (-2.0,), (2.0,)).size == 901


def test_a_trajectory_is_evaluated_by_its_form():
    flat, points = made(dtype=torch.float32)
    trajectory = Trajectory(
        times=[0.0, 1.0], form="siren", lower=SHAPE.lower, upper=SHAPE.upper, weights=stacked([flat, 2 * flat]),
        config=json.dumps(SHAPE.config()), components=("a", "b"),
    )  # fmt: skip
    torch.testing.assert_close(evaluator(trajectory, step=0)(points), values(SHAPE, flat, points))
    torch.testing.assert_close(evaluator(trajectory, step=1)(points), values(SHAPE, 2 * flat, points))
    assert shape_of(trajectory.configuration) == SHAPE
    broken = trajectory.replace(weights={"network": np.zeros((2, 5), np.float32)})
    with pytest.raises(UserError, match="do not fit"):
        evaluator(broken)
