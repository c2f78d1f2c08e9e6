"""One loss with its gradient of PIG, against the same by double automatic differentiation and by DeepXDE.

Helmholtz (4, 1), 4 channels of 100 Gaussians and the tanh layer of 16, 1600 points inside and 100 on each edge; then
twice the Gaussians and more points. float64, the same parameters and points for all, in one run. The values are checked
to agree before anything is timed.
"""

from __future__ import annotations

import math
import os
import time

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.residual_loss import LossSettings, ResidualLoss
from engines.blocks.pde.training import Schedule, Trainer
from engines.core import Run
from engines.pde.pig_network import SMALLEST, PigNetwork, PigShape, start
from engines.pde.steady_problems import helmholtz

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

THREADS = int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", os.cpu_count() or 1))
WEIGHT = 1e-4
SIZES = [(100, 1600, 100), (200, 2048, 128)]


@pytest.fixture(autouse=True)
def _threads(_calm):
    torch.set_num_threads(THREADS)


class PlainPig(nn.Module):
    """The network as its authors wrote it: differences, one exponential, sums; torch does the derivatives."""

    def __init__(self, network: PigNetwork, flat: Tensor) -> None:
        super().__init__()
        self.flat = nn.Parameter(flat.clone())
        self.split = network.layout.split
        self.regularizer = None

    def forward(self, x: Tensor) -> Tensor:
        p = self.split(self.flat)
        z = (x[:, None, None] - p["means"]) / (p["sigmas"].abs() + SMALLEST)
        features = (p["weights"] * torch.exp(-0.5 * (z**2).sum(-1))).sum(-1)
        hidden = torch.tanh(features @ p["weight.0"].T + p["bias.0"])
        return hidden @ p["weight.1"].T + p["bias.1"]


def source(x: Tensor) -> Tensor:
    u = torch.sin(4 * math.pi * x[:, 1:]) * torch.sin(math.pi * x[:, :1])
    return (1 - 17 * math.pi**2) * u


def least(function, times: int = 7) -> float:
    """Seconds of the fastest of some calls, after one to warm up."""
    function()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def ours(gaussians: int, interior: int, face: int) -> tuple[Trainer, PigNetwork, Tensor, Tensor]:
    """A trainer, its network, and the points inside and on the edges."""
    compiled = compile_problem(helmholtz.function(helmholtz.params(), Run()))
    run = Run(seed=0)
    network, flat = start(PigShape((-1.0, -1.0), (1.0, 1.0), 1, 4, gaussians, 16), run, 0.2, torch.float64, [])
    loss = ResidualLoss(compiled, network, run, LossSettings(interior, face, "Sobol", 0, WEIGHT))
    loss.redraw(0, flat)
    trainer = Trainer(run, flat, loss, Schedule("L-BFGS", 1, 1.0))
    return trainer, network, loss.points, torch.cat(loss.on_faces[0])


def by_double_differentiation(network: PigNetwork, flat: Tensor, inside: Tensor, edges: Tensor):
    model = PlainPig(network, flat)
    points = inside.clone().requires_grad_()

    def evaluate() -> tuple[Tensor, Tensor]:
        model.flat.grad = None
        u = model(points)
        (slope,) = torch.autograd.grad(u.sum(), points, create_graph=True)
        bends = [torch.autograd.grad(slope[:, i].sum(), points, create_graph=True)[0][:, i] for i in range(2)]
        residual = bends[0] + bends[1] + u[:, 0] - source(points.detach())[:, 0]
        loss = WEIGHT * residual.square().mean() + model(edges).square().mean()
        loss.backward()
        return loss.detach(), model.flat.grad

    return evaluate


def by_deepxde(network: PigNetwork, flat: Tensor, inside: Tensor, edges: Tensor):
    os.environ["DDE_BACKEND"] = "pytorch"
    dde = pytest.importorskip("deepxde")
    dde.config.set_default_float("float64")

    def equation(x: Tensor, u: Tensor) -> Tensor:
        bends = dde.grad.hessian(u, x, i=0, j=0) + dde.grad.hessian(u, x, i=1, j=1)
        return bends + u - source(x)

    square = dde.geometry.Rectangle([-1, -1], [1, 1])
    edge = dde.icbc.PointSetBC(edges.numpy(), np.zeros((len(edges), 1)))
    data = dde.data.PDE(square, equation, [edge], 0, 0, anchors=inside.numpy())
    plain = PlainPig(network, flat)

    class Net(dde.nn.NN):
        def __init__(self) -> None:
            super().__init__()
            self.plain = plain

        def forward(self, x: Tensor) -> Tensor:
            return self.plain(x)

    model = dde.Model(data, Net())
    model.compile("adam", lr=1e-3, loss_weights=[WEIGHT, 1.0], verbose=0)
    x, y, more = *data.train_next_batch()[:2], data.train_aux_vars

    def evaluate() -> tuple[Tensor, Tensor]:
        plain.flat.grad = None
        loss = model.outputs_losses_train(x, y, more)[1].sum()
        loss.backward()
        dde.grad.clear()
        return loss.detach(), plain.flat.grad

    return evaluate


@pytest.mark.parametrize(("gaussians", "interior", "face"), SIZES, ids=[f"{g} Gaussians" for g, _, _ in SIZES])
def test_a_loss_and_its_gradient(gaussians, interior, face):
    trainer, network, inside, edges = ours(gaussians, interior, face)
    flat = trainer.flat
    peers = {
        "double differentiation": by_double_differentiation(network, flat, inside, edges),
        "DeepXDE": by_deepxde(network, flat, inside, edges),
    }
    value, gradient = trainer.evaluate()
    for name, peer in peers.items():
        theirs, slope = peer()
        torch.testing.assert_close(theirs, value, rtol=1e-6, atol=0, msg=lambda m, n=name: f"{n}: {m}")
        torch.testing.assert_close(slope, gradient, rtol=1e-5, atol=1e-7 * float(gradient.abs().max()))
    mine = least(trainer.evaluate)
    said = f"{gaussians} Gaussians, {interior} points, {THREADS} threads"
    for name, peer in peers.items():
        took = least(peer, 3)
        print(f"{said}: {mine * 1e3:.1f} ms, {name} {took * 1e3:.1f} ms, {took / mine:.1f} times")
        assert took >= 3 * mine
