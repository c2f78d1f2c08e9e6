"""The loss of a step of the Monge gap, with its gradient, against the same made of geomloss: ratios of one run.

Batches of 256 points are drawn anew in each step, as in training, between clouds whose map is nearly known. geomloss
sweeps a fixed number of times while ε falls; its ``scaling`` says how slowly. Both are compared with a converged loss.
"""

from __future__ import annotations

import math
import os
import time

import numpy as np
import pytest
import torch

from engines.blocks.transport.batch_sinkhorn import BatchSinkhorn
from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import self_cost
from engines.core import Run, catalog
from engines.transport.monge_gap import Learning
from engines.transport.monge_gap_params import MongeGapParams, prepared

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

SQUARED, STEPS = Cost(), 30


@pytest.fixture(autouse=True)
def _cores(_calm):
    torch.set_num_threads(int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", os.cpu_count() or 1)))


def batches(count: int, dimensions: int = 2) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Points, where a map that is nearly optimal takes them, and points of the target."""
    draw = np.random.default_rng(0)
    stretch = np.linspace(0.5, 2, dimensions)
    found = []
    for _ in range(STEPS):
        x, other = (torch.tensor(draw.normal(size=(count, dimensions))) for _ in range(2))
        moved = x * torch.tensor(stretch) + 2 + 0.1 * torch.sin(3 * x)
        found.append((x, moved.requires_grad_(), other * torch.tensor(stretch) + 2))
    return found


class Ours:
    def __init__(self, fit: float, gap: float, tolerance: float = 1e-3, most: int = 2000) -> None:
        ends = tolerance, most
        self.fit, self.gap, self.ends = BatchSinkhorn(SQUARED, fit, *ends), BatchSinkhorn(SQUARED, gap, *ends), ends

    def __call__(self, x: torch.Tensor, moved: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        tolerance, most = self.ends
        own = [self_cost(z, SQUARED, self.fit.epsilon, tolerance=tolerance, sweeps=most).value for z in (moved, y)]
        fitting = self.fit(moved, y).value - sum(own) / 2
        return fitting + SQUARED.paired(x, moved).mean() - self.gap(x, moved).value


class Geomloss:
    """Its cost for p = 2 is half the square, and its ε is the square of ``blur``: both are twice as large here."""

    def __init__(self, fit: float, gap: float, scaling: float) -> None:
        from geomloss import SamplesLoss

        common = {"p": 2, "scaling": scaling, "backend": "tensorized"}
        self.fit = SamplesLoss("sinkhorn", blur=math.sqrt(fit / 2), **common)
        self.gap = SamplesLoss("sinkhorn", blur=math.sqrt(gap / 2), debias=False, **common)

    def __call__(self, x: torch.Tensor, moved: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return 2 * self.fit(moved, y) + SQUARED.paired(x, moved).mean() - 2 * self.gap(x, moved)


def measured(loss, given: list) -> tuple[float, float, list[float], list[torch.Tensor]]:
    """Wall and core milliseconds of a step, the losses and their gradients; the first step warms up."""
    values, gradients = [], []
    for k, (x, moved, y) in enumerate(given):
        if k == 1:
            wall, core = time.perf_counter(), time.process_time()
        value = loss(x, moved, y)
        gradients.append(torch.autograd.grad(value, moved)[0])
        values.append(value.item())
    steps = len(given) - 1
    return 1e3 * (time.perf_counter() - wall) / steps, 1e3 * (time.process_time() - core) / steps, values, gradients


def off(found: tuple, wanted: tuple) -> tuple[float, float]:
    """Mean error of the values, and relative error of the gradients."""
    values = float(np.abs(np.subtract(found[2], wanted[2])).mean())
    gradients = [float((a - b).norm() / b.norm()) for a, b in zip(found[3], wanted[3], strict=True)]
    return values, float(np.mean(gradients))


@pytest.mark.parametrize("dimensions", [2, 16])
def test_the_loss_of_a_step_against_geomloss(dimensions):
    given = batches(256, dimensions)
    fit = 0.1 * float(SQUARED.pairwise(given[0][2], given[0][2]).mean())
    gap = 0.01 * float(SQUARED.pairwise(given[0][0], given[0][1].detach()).mean())
    exact = measured(Ours(fit, gap, 1e-9, 20_000), given)
    ours = measured(Ours(fit, gap), given)
    print(f"\nd = {dimensions}, n = 256: ours {ours[1]:.1f} core-ms a step ({ours[0]:.1f} ms), "
          "errors of value and gradient {:.1e}, {:.1e}".format(*off(ours, exact)))  # fmt: skip
    for scaling in (0.5, 0.9):
        theirs = measured(Geomloss(fit, gap, scaling), given)
        print(f"geomloss, scaling {scaling}: {theirs[1]:.1f} core-ms ({theirs[0]:.1f} ms), errors "
              "{:.1e}, {:.1e}; ratio {:.1f} (core), {:.1f} (wall)".format(
                  *off(theirs, exact), theirs[1] / ours[1], theirs[0] / ours[0]))  # fmt: skip
        assert theirs[1] > ours[1]


def test_the_tutorials_demo():
    """5,000 steps of 256 points; its authors give 54 to 83 s, on their machine. Here the first 500, scaled."""
    source = catalog().get("moons-to-curve")
    clouds = source.run({}, source.params.parse({"points": 5000}), Run())
    for name, values in (
        ("squared, λ = 0.1", {"gap_weight": 0.1}),
        ("Euclidean, λ = 2", {"cost": "Euclidean", "gap_weight": 2.0}),
    ):
        params, run = MongeGapParams.parse(values), Run()
        learning = Learning(prepared(clouds["source"], clouds["target"], params, run), params, params.gap_weight, run)
        learning.initialise()
        wall, core = time.perf_counter(), time.process_time()
        for index in range(500):
            learning.step(index, look=index % params.look_every == 0)
        wall, core = time.perf_counter() - wall, time.process_time() - core
        print(f"\n{name}: {2 * core:.1f} core-ms a step, 5,000 steps in {10 * core:.0f} core-s ({10 * wall:.0f} s)")
        assert 10 * core < 120
