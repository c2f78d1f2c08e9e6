"""The CUDA kernels of the rasteriser, run on a CPU: against the library, bit for bit where they promise it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engines.blocks.meshes import compiled, cuda
from engines.blocks.meshes.rasterising import Fragments, interpolate, rasterise
from engines.core import UserError
from tests.blocks import cuda_on_cpu
from tests.blocks.meshes import knot

NAMES = (
    "draw_triangles", "resolve_pixels", "slopes_at_pixels", "add_slopes", "add_weighted", "interpolate",
    "slopes_by_barycentrics",
)  # fmt: skip


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    source = Path(cuda.__file__).with_name("kernels.cu")
    return cuda_on_cpu.build(tmp_path_factory.mktemp("kernels"), source, NAMES)


@pytest.fixture
def on_kernels(kernels, monkeypatch):
    """From here on the kernels stand in for the CPU's library."""

    def begin() -> None:
        monkeypatch.setattr(compiled, "serves", lambda *tensors: False)
        monkeypatch.setattr(cuda, "serves", lambda *tensors: all(t.dtype == torch.float32 for t in tensors))
        monkeypatch.setattr(cuda, "KERNELS", kernels)
        kernels.launched.clear()

    return begin


def drawn(points, faces, lenses, width, height, near=0.01) -> list[torch.Tensor]:
    """What the pixels show, and a derivative by the points."""
    given = points.clone().requires_grad_()
    found = rasterise(given, faces, lenses, width, height, near=near)
    rng = np.random.default_rng(1)
    adjoints = [torch.tensor(rng.normal(size=t.shape)).to(points) for t in (found.barycentrics, found.depths)]
    torch.autograd.backward([found.barycentrics, found.depths], adjoints)
    return [found.triangles, found.barycentrics.detach(), found.depths.detach(), given.grad]


# Around it, beside it so that it passes the near plane, and within the tube.
@pytest.mark.parametrize(("far", "near"), [(3.0, 0.01), (1.2, 0.01), (1.2, 0.5), (0.8, 0.05)])
def test_what_pixels_show_and_derivatives(on_kernels, kernels, far, near):
    scene = knot.views(2, 53, 37, far=far)
    expected = drawn(*scene, 53, 37, near)
    assert expected[0].unique().numel() > 30
    on_kernels()
    found = drawn(*scene, 53, 37, near)
    assert kernels.launched == ["draw_triangles", "resolve_pixels", "slopes_at_pixels", "add_slopes"]
    for one, other in zip(found[:3], expected, strict=False):
        assert torch.equal(one, other)
    assert (found[3] - expected[3]).norm() < 1e-5 * expected[3].norm()


@pytest.mark.parametrize("per_view", [False, True])
@pytest.mark.parametrize("channels", [1, 7])
def test_attributes_at_the_pixels(on_kernels, kernels, per_view, channels):
    points, faces, lenses = knot.views(2, 40, 30)
    seen = rasterise(points, faces, lenses, 40, 30)
    pixels = seen.covered()
    rng = np.random.default_rng(channels)
    values = torch.tensor(rng.normal(size=(2, len(points[0]), channels)), dtype=torch.float32)[: 2 if per_view else 1]
    adjoint = torch.tensor(rng.normal(size=(2, 30, 40, channels)), dtype=torch.float32)

    def derived() -> list[torch.Tensor]:
        results = []
        for chosen in (None, pixels):
            attributes = (values if per_view else values[0]).clone().requires_grad_()
            weights = seen.barycentrics.clone().requires_grad_()
            image = interpolate(attributes, faces, Fragments(seen.triangles, weights, seen.depths), chosen)
            image.backward(adjoint if chosen is None else adjoint.reshape(-1, channels)[chosen])
            results += [image.detach(), attributes.grad, weights.grad]
        return results

    expected = derived()
    on_kernels()
    for one, other in zip(derived(), expected, strict=True):
        assert (one - other).norm() < 1e-6 * other.norm()
    assert set(kernels.launched) == {"interpolate", "slopes_by_barycentrics", "add_weighted"}


def test_nothing_to_see_and_what_is_refused(on_kernels):
    points, faces, lenses = knot.views(1, 20, 20)
    on_kernels()
    for p, f in ((-points, faces), (points, faces[:0])):
        found = drawn(p, f, lenses, 20, 20)
        assert found[0].max() == -1
        assert not any(t.any() for t in found[1:])
    broken = points.clone()
    broken[0, 3, 0] = torch.nan
    with pytest.raises(UserError, match="not finite"):
        rasterise(broken, faces, lenses, 20, 20)
    for index in (-1, len(points[0])):
        wrong = faces.clone()
        wrong[5, 2] = index
        with pytest.raises(ValueError, match="does not exist"):
            rasterise(points, wrong, lenses, 20, 20)
