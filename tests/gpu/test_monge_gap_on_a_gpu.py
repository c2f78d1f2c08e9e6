"""The Monge gap on a CUDA device: the same map as on a CPU, and the figures of sheet 35. Skipped elsewhere."""

from __future__ import annotations

import time

import pytest
import torch

from engines.blocks.transport.batch_sinkhorn import BatchSinkhorn
from engines.blocks.transport.costs import Cost
from engines.core import Run, catalog
from engines.transport.monge_gap import Learning
from engines.transport.monge_gap_params import MongeGapParams, prepared

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(600),
]


def cloud(count: int, dimensions: int, seed: int) -> torch.Tensor:
    return torch.randn(count, dimensions, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("cost", ["squared Euclidean", "Euclidean", "elastic"])
def test_a_batch_has_the_value_and_the_gradient_of_the_cpu(cost):
    found = []
    for device in ("cpu", "cuda"):
        x, y = cloud(200, 3, 0).to(device), (1 + cloud(150, 3, 1)).to(device).requires_grad_()
        solved = BatchSinkhorn(Cost(cost), 0.1, 1e-10, 20_000)(x, y)
        found.append((solved.value.detach().cpu(), torch.autograd.grad(solved.value, y)[0].cpu()))
    for cpu, gpu in zip(*found, strict=True):
        torch.testing.assert_close(gpu, cpu, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("key", ["monge-gap", "convex-map", "entropic-map"])
def test_the_smoke_example_runs(key):
    method = catalog().get(key)
    found = method.run(method.smoke.inputs(), method.params.parse(method.smoke.params), Run(seed=1, device="cuda"))
    assert found


@pytest.mark.parametrize(
    ("source", "made", "values", "limit"),
    [
        ("moons-to-curve", {"points": 5000}, {"gap_weight": 0.1}, 60),
        ("gaussian-clouds", {"points": 20_000, "dimensions": 64},
         {"batch": 1024, "hidden": (64, 64), "learning_rate": 3e-3, "decay": 0.02}, 300),
    ],
    ids=["the tutorial's demo", "64 dimensions, batches of 1,024"],
)  # fmt: skip
def test_five_thousand_steps(source, made, values, limit):
    """Seconds of the first 300 steps, scaled to 5,000."""
    method = catalog().get(source)
    clouds = method.run({}, method.params.parse(made), Run())
    params, run = MongeGapParams.parse(values), Run(device="cuda")
    learning = Learning(prepared(clouds["source"], clouds["target"], params, run), params, params.gap_weight, run)
    learning.initialise()
    for index in range(20):
        learning.step(index, look=False)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for index in range(20, 320):
        learning.step(index, look=index % params.look_every == 0)
    torch.cuda.synchronize()
    seconds = (time.perf_counter() - began) * 5000 / 300
    print(f"\n{source}: 5,000 steps in {seconds:.0f} s on {torch.cuda.get_device_name()}")
    assert seconds <= limit
