"""Sums of Gaussians by the GPU's kernels against the CPU's products, and PIG there; skipped elsewhere."""

from __future__ import annotations

import pytest
import torch

from engines.blocks.pde import gaussian_features, gaussian_sums
from engines.core import Run, catalog

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(600),
]
GPU = torch.device("cuda", 0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_features_and_gradients_are_those_of_the_cpu_and_repeat_bit_by_bit(dimensions):
    make = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.rand(*shape, dtype=torch.float64, generator=make)  # noqa: E731
    given = [draw(3, 700, dimensions) * 2 - 1, draw(3, 700, dimensions) * 0.3 + 0.05, draw(3, 700) - 0.5]
    points = draw(5000, dimensions) * 2 - 1
    zero = (0,) * dimensions
    wanted = [zero, (1, *zero[1:]), (2, *zero[1:])]

    def found(device: torch.device) -> list[torch.Tensor]:
        means, sigmas, weights = leaves = [t.clone().to(device).requires_grad_() for t in given]
        A = gaussian_features.precision(sigmas)
        jets = gaussian_features.jets(points.to(device), means, A, weights, wanted)
        sum(jets[i].square().mean() for i in wanted).backward()
        return [t.detach().cpu() for t in (*jets.values(), *(leaf.grad for leaf in leaves))]

    on_gpu = found(GPU)
    for one, other in zip(on_gpu, found(torch.device("cpu")), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * float(other.abs().max()))
    assert all(torch.equal(one, other) for one, other in zip(on_gpu, found(GPU), strict=True))


def test_the_kernels_can_be_used():
    assert gaussian_sums.kernels_for(torch.zeros(4, 6, dtype=torch.float64, device=GPU), 6, 11) is not None


@pytest.mark.parametrize("changes", [{}, {"single": True}, {"optimiser": "Adam"}, {"separable": True}])
def test_methods_run_there(changes):
    for key in ("pig", "pinn"):
        method = catalog().get(key)
        known = set(method.params.model_fields)
        params = method.smoke.params | {k: v for k, v in changes.items() if k in known}
        params |= {"covariance": "diagonal"} if "separable" in changes and key == "pig" else {}
        run = Run(seed=1, device="cuda:0")
        assert method.run(method.smoke.inputs(), method.params.parse(params), run)["field"].values.std() > 0
