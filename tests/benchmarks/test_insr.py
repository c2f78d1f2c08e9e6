"""One iteration of INSR-PDE against the published way: modules, autograd for the derivatives, torch's Adam.

Advection: 5000 points, 901 parameters, u and u_x of the new and the old network. Pressure: 1024 points, Laplacian.
Elasticity in space: 1500 points, Jacobian, energies by singular values. Same samples, same precision, same losses.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from engines.blocks.adam import Adam
from engines.blocks.pde.elastic_energies import arap, volume
from engines.blocks.pde.siren import SirenShape, jets, laplacian

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
THREADS = int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", os.cpu_count() or 1))


@pytest.fixture(autouse=True)
def _threads(_calm):
    torch.set_num_threads(THREADS)


class Published(torch.nn.Module):
    """The reference implementation's network with our parameters."""

    def __init__(self, shape: SirenShape, flat: Tensor) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList()
        for weight, bias in shape.split(flat.clone()):
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
            layer.weight, layer.bias = torch.nn.Parameter(weight.clone()), torch.nn.Parameter(bias.clone())
            self.layers.append(layer)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.sin(30 * layer(x))
        return self.layers[-1](x)


def slopes(u: Tensor, x: Tensor) -> Tensor:
    """(P, C, D) one call of autograd for each component."""
    parts = [torch.autograd.grad(u[:, c].sum(), x, create_graph=True)[0] for c in range(u.shape[1])]
    return torch.stack(parts, 1)


def best(function: Callable[[], object], times: int = 15) -> float:
    function()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def compare(
    shape: SirenShape, points: Tensor, ours: Callable[[Tensor], Tensor], theirs: Callable[[Published, Tensor], Tensor]
) -> tuple[float, float]:
    """Seconds of an iteration here and there; the two losses have to agree."""
    flat = shape.initialised(torch.Generator().manual_seed(0))
    net = Published(shape, flat)
    adam, other = Adam(flat := flat.clone().requires_grad_()), torch.optim.Adam(net.parameters(), lr=1e-12)

    def here() -> Tensor:
        loss = ours(flat)
        adam.step(torch.autograd.grad(loss, flat)[0], 1e-12)
        return loss

    def there() -> Tensor:
        other.zero_grad()
        loss = theirs(net, points.clone().requires_grad_())
        loss.backward()
        other.step()
        return loss

    assert float(here().detach()) == pytest.approx(float(there().detach()), rel=1e-3)
    return best(here), best(there)


def told(name: str, here: float, there: float, flops: float) -> float:
    print(
        f"{name}: {1e3 * here:.2f} ms an iteration, published way {1e3 * there:.2f} ms: {there / here:.2f} times; "
        f"{flops / here / 1e9:.1f} GFLOP/s in matrix products on {THREADS} threads",
        flush=True,
    )
    return there / here


def products(shape: SirenShape, points: int, streams: int) -> float:
    """Operations of the matrix products of a forward and a backward pass."""
    inner = sum(n * m for n, m in shape.matrices[1:])
    return 2 * points * streams * inner * 3


def test_advection():
    shape = SirenShape(1, 1, 20, 2, (-1.0,), (1.0,))
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(5000, 1, generator=generator) * 2 - 1
    old = shape.initialised(generator)
    frozen = Published(shape, old)

    def ours(flat: Tensor) -> Tensor:
        u, (dx,), _ = jets(shape, flat, points, (0,))
        with torch.no_grad():
            v, (vx,), _ = jets(shape, old, points, (0,))
        return ((u - v) / 0.05 + 0.125 * (dx + vx)).square().mean()

    def theirs(net: Published, x: Tensor) -> Tensor:
        u = net(x)
        v = frozen(x)
        dx, vx = slopes(u, x)[:, 0], slopes(v, x)[:, 0]
        return ((u - v.detach()) / 0.05 + 0.125 * (dx + vx.detach())).square().mean()

    here, there = compare(shape, points, ours, theirs)
    flops = products(shape, 5000, 2) * 4 / 3
    assert told("advection, 5000 points", here, there, flops) > 1


def test_pressure():
    shape = SirenShape(2, 1, 32, 3, (-1.0, -1.0), (1.0, 1.0))
    points = torch.rand(1024, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def ours(flat: Tensor) -> Tensor:
        return (jets(shape, flat, points, (0, 1), (laplacian(2),))[2][0] - 1).square().mean()

    def theirs(net: Published, x: Tensor) -> Tensor:
        first = slopes(net(x), x)[:, 0]
        total = sum(torch.autograd.grad(first[:, k].sum(), x, create_graph=True)[0][:, k] for k in range(2))
        return (total - 1).square().mean()

    here, there = compare(shape, points, ours, theirs)
    assert told("pressure, 1024 points", here, there, products(shape, 1024, 4)) > 1


def test_elasticity():
    shape = SirenShape(3, 3, 66, 3, (-1.0,) * 3, (1.0,) * 3)
    points = torch.rand(1500, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def ours(flat: Tensor) -> Tensor:
        _, first, _ = jets(shape, flat, points, (0, 1, 2))
        F = torch.eye(3) + first.permute(1, 2, 0)
        return (100 * arap(F) + 1000 * volume(F)).mean()

    def theirs(net: Published, x: Tensor) -> Tensor:
        F = torch.eye(3) + slopes(net(x), x)
        # The reference takes singular values; where det F < 0 ours turn the sign of the least, as det F does anyway.
        s = torch.linalg.svdvals(F + 1e-6 * torch.randn(F.shape, generator=torch.Generator().manual_seed(0)))
        sign = torch.ones_like(s)
        sign[:, 2] = torch.linalg.det(F).sign().detach()
        return (100 * (s * sign - 1).square().sum(1) + 1000 * (torch.linalg.det(F) - 1).square()).mean()

    here, there = compare(shape, points, ours, theirs)
    assert told("elasticity, 1500 points", here, there, products(shape, 1500, 4)) > 1
