"""Couplings on a CUDA device against the CPU's, and the time of a sweep; skipped elsewhere. Needs no window library."""

from __future__ import annotations

import time

import pytest
import torch

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import sinkhorn_divergence
from engines.blocks.transport.k_sparse_dual import evaluated
from engines.blocks.transport.sinkhorn import Scaling, sinkhorn
from engines.core import Run
from engines.transport.k_sparse_solve import Settings, Solver

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(600),
]
GPU = torch.device("cuda", 0)


def clouds(n: int, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn(n, 2, generator=generator, dtype=torch.float64).to(device)  # noqa: E731
    return draw(), draw() + 1


@pytest.mark.parametrize("kernel", ["stored", "recomputed"])
@pytest.mark.parametrize("eta", [100.0, 5000.0])
def test_plans_are_those_of_the_cpu(eta, kernel):
    found = []
    for device in ("cpu", GPU):
        x, y = clouds(300, device)
        C = Cost().pairwise(x, y)
        a = torch.full((300,), 1 / 300, dtype=torch.float64, device=device)
        found.append(sinkhorn(C / C.max(), a, a, 1 / eta, sweeps=500, kernel=kernel).plan().cpu())
    torch.testing.assert_close(*found, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("k", [2, 8])
def test_k_sparse_bounds_are_those_of_the_cpu_and_repeat_bit_by_bit(k):
    """Each side goes its own way round ties, so that bounds agree to what they are known to."""

    def solved(device: torch.device | str) -> Solver:
        x, y = clouds(60, device)
        C, a = Cost().pairwise(x, y), torch.full((60,), 1 / 60, dtype=torch.float64, device=device)
        solver = Solver(C / C.max(), a, a, Settings(k, 1.0))
        for _ in solver.solve(Run(device=str(device)), "Maximising"):
            pass
        return solver

    one, other, again = solved("cpu"), solved(GPU), solved(GPU)
    assert abs(one.lower - other.lower) < 1e-5 * one.lower
    assert other.lower <= one.upper
    assert torch.equal(other.best, again.best)


def test_a_k_sparse_evaluation_in_single_precision_is_quick():
    """Sheet 07: 200 evaluations of 1000 x 1000, k = 8; the CPU's peer takes about 30 ms for each."""
    x, y = clouds(1000, GPU)
    C = Cost().pairwise(x, y).float()
    C, a = C / C.max(), torch.full((1000,), 1e-3, device=GPU)
    alpha = torch.zeros(1000, device=GPU)
    evaluated(C, a, a, (alpha,), 8, 1.0)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(200):
        evaluated(C, a, a, (alpha,), 8, 1.0)
    torch.cuda.synchronize()
    each = (time.perf_counter() - began) / 200
    print(f"k = 8, float32: {1e3 * each:.3f} ms an evaluation")
    assert each < 1e-3


def test_divergences_and_their_gradients_are_those_of_the_cpu():
    found = []
    for device in ("cpu", GPU):
        x, y = clouds(256, device)
        x.requires_grad_()
        value = sinkhorn_divergence(x, y, Cost("Euclidean"), 0.1, tolerance=1e-9).value
        (gradient,) = torch.autograd.grad(value, x)
        found.append((value.detach().cpu(), gradient.cpu()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_a_sweep_of_8192_points_takes_little_more_than_two_reads_of_the_kernel():
    x, y = clouds(8192, GPU)
    C = Cost().pairwise(x, y)
    a = torch.full((8192,), 1 / 8192, dtype=torch.float64, device=GPU)
    scaling = Scaling(C, a, a, float(C.max()) / 300)
    taken = {}
    for name, act in (("sweep", lambda: scaling.sweep(measure=False)), ("two reads", lambda: (C.sum(0), C.sum(1)))):
        act()
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(20):
            act()
        torch.cuda.synchronize()
        taken[name] = (time.perf_counter() - began) / 20
    print(", ".join(f"{name} {1e3 * seconds:.2f} ms" for name, seconds in taken.items()))
    assert taken["sweep"] < 3 * taken["two reads"]
