"""The rasteriser of meshes on a CUDA device, against the CPU's; skipped elsewhere. Runs on a bare GPU machine."""

from __future__ import annotations

import pytest
import torch

from engines.blocks.meshes.rasterising import antialias, interpolate, rasterise, without_fast_rasteriser
from tests.blocks.meshes import knot

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(600),
]
GPU = torch.device("cuda", 0)


def drawn(device, count: int, width: int, height: int, dtype=torch.float32, **options) -> list[torch.Tensor]:
    """A picture of the knot, whose colours are its points, what its pixels show, and a derivative."""
    points, faces, lenses = (t.to(device) for t in knot.views(count, width, height, **options))
    given = points.to(dtype).requires_grad_()
    found = rasterise(given, faces, lenses, width, height)
    colours = given[0].detach().clone().requires_grad_()
    image = antialias(interpolate(colours, faces, found), found, given, faces, lenses)
    ((image**2).sum() + found.depths.sum()).backward()
    results = [found.triangles, found.barycentrics, found.depths, image, given.grad, colours.grad]
    return [t.detach().cpu() for t in results]


def test_the_kernels_can_be_used():
    assert without_fast_rasteriser(GPU) == ""


@pytest.mark.parametrize("far", [3.0, 1.2])
def test_pictures_and_derivatives(far):
    found, expected = (drawn(device, 3, 200, 150, far=far) for device in (GPU, "cpu"))
    for one, other in zip(found[:3], expected, strict=False):
        assert torch.equal(one, other)
    for one, other in zip(found[3:], expected[3:], strict=True):
        assert (one - other).norm() < 1e-4 * other.norm()


def test_the_same_bits_each_time():
    sizes = {"rings": 900, "sides": 40}
    one, other = (drawn(GPU, 4, 512, 334, **sizes) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


def test_the_twin_serves_other_numbers():
    found, expected = drawn(GPU, 1, 60, 50, torch.float64), drawn("cpu", 1, 60, 50, torch.float64)
    assert torch.equal(found[0], expected[0])
    assert (found[4] - expected[4]).norm() < 1e-6 * expected[4].norm()
