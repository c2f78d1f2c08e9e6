"""Adam over Gaussians that come and go, against torch's own."""

from __future__ import annotations

import copy

import pytest
import torch

from engines.blocks.splatting import Gaussians
from engines.blocks.splatting.optimiser import EPSILON, KINDS, GaussianOptimiser

RATES = dict(zip(KINDS, (1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3), strict=True))


@pytest.mark.parametrize("degree", [0, 2])
def test_steps_are_those_of_torch(degree):
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    gaussians = Gaussians(normal(20, 3), normal(20, 4), normal(20, 3), normal(20), normal(20, (degree + 1) ** 2, 3))
    ours = GaussianOptimiser(gaussians, RATES)
    theirs = {kind: copy.deepcopy(p.detach()).requires_grad_() for kind, p in ours.parameters.items()}
    groups = [{"params": [p], "lr": RATES[kind]} for kind, p in theirs.items()]
    adam = torch.optim.Adam(groups, lr=0.0, eps=EPSILON)
    for _ in range(5):
        for kind, parameter in ours.parameters.items():
            slope = normal(*parameter.shape)
            parameter.grad, theirs[kind].grad = slope.clone(), slope.clone()
        ours.step()
        adam.step()
        assert all(parameter.grad is None for parameter in ours.parameters.values())
    for kind, parameter in ours.parameters.items():
        torch.testing.assert_close(parameter.detach(), theirs[kind].detach(), rtol=1e-5, atol=1e-6)


def test_what_has_no_slope_stays():
    ours = GaussianOptimiser(Gaussians(*(torch.ones(3, *shape) for shape in ((3,), (4,), (3,), (), (1, 3)))), RATES)
    ours.parameters["means"].grad = torch.ones(3, 3)
    ours.step()
    assert bool((ours.parameters["means"] < 1).all())
    assert bool((ours.parameters["quaternions"] == 1).all())
