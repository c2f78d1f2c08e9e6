"""The CUDA kernels, run on a CPU: against the library and against the plain twin in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks import image_metrics
from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians, compiled, cuda, render
from engines.blocks.splatting.render import Projection, rasterise
from tests.blocks import cuda_on_cpu

NAMES = ("means", "quaternions", "log_scales", "opacity_logits", "sh")


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return cuda_on_cpu.build(tmp_path_factory.mktemp("kernels"))


@pytest.fixture
def on_kernels(kernels, monkeypatch):
    """From here on the kernels stand in for the CPU's library."""

    def begin() -> None:
        monkeypatch.setattr(compiled, "serves", lambda *tensors: False)
        monkeypatch.setattr(cuda, "serves", lambda *tensors: all(t.dtype == torch.float32 for t in tensors))
        monkeypatch.setattr(cuda, "KERNELS", kernels)
        kernels.launched.clear()

    return begin


def view(width: int = 53, height: int = 37) -> Camera:
    """Ragged edges, fx != fy, the principal point off the middle."""
    return Camera(look_at([1.0, -3.5, 1.2], [0, 0, 0]), 50.0, 60.0, 24.0, 20.0, width, height)


def arrays(seed: int, count: int, degree: int = 3, spread: float = 0.8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = {
        "means": rng.uniform(-spread, spread, (count, 3)),
        "quaternions": rng.normal(size=(count, 4)),
        "log_scales": rng.uniform(math.log(0.01), math.log(0.3), (count, 3)),
        "opacity_logits": rng.normal(0, 2, count),
        "sh": rng.normal(0, 0.3, (count, (degree + 1) ** 2, 3)),
    }
    return {name: value.astype(np.float32).astype(float) for name, value in values.items()}


def cloud(values: dict[str, np.ndarray], dtype: torch.dtype = torch.float32) -> Gaussians:
    return Gaussians(*(torch.tensor(values[name], dtype=dtype, requires_grad=True) for name in NAMES))


def derived(values: dict[str, np.ndarray], dtype: torch.dtype, camera: Camera, **options) -> dict[str, torch.Tensor]:
    """Pictures and all derivatives of some loss."""
    rng = np.random.default_rng(0)
    gaussians = cloud(values, dtype)
    background = torch.tensor(rng.uniform(size=3), dtype=dtype, requires_grad=True)
    found = render(gaussians, camera, background=background, with_depth=True, **options)
    assert found.depth is not None
    target = torch.tensor(rng.uniform(size=found.image.shape), dtype=dtype)
    (((found.image - target) ** 2).sum() + 0.1 * found.depth.sum() + (found.alpha**2).sum()).backward()
    slopes = {name: getattr(gaussians, name).grad for name in NAMES}
    pictures = {"image": found.image.detach(), "alpha": found.alpha.detach(), "touched": found.touched}
    return {**pictures, **slopes, "background": background.grad}


@pytest.mark.parametrize(
    ("seed", "count", "options"),
    [(0, 60, {}), (1, 60, {"anti_aliased": True}), (2, 1500, {"near": 3.0}), (3, 60, {"degree": 1})],
)
def test_pictures_and_all_derivatives(on_kernels, kernels, seed, count, options):
    """1500 are more than a batch in some tile; ``near`` lies in the middle of them."""
    values, camera = arrays(seed, count, spread=0.4 if count > 1000 else 0.8), view()
    exact = derived(values, torch.float64, camera, **options)
    ours = derived(values, torch.float32, camera, **options)
    on_kernels()
    found = derived(values, torch.float32, camera, **options)
    assert {"project", "emit_16", "forward_4", "backward_4", "gather_4", "project_backward"} <= set(kernels.launched)
    assert count < 1000 or found["touched"].sum() > 256 * 12  # of 12 tiles, one has more than 256
    for name, expected in exact.items():
        if name == "touched":
            assert not (found[name] - ours[name]).any()
        else:
            error = (found[name].double() - expected).norm() / expected.norm()
            assert error < 1e-3, f"{name}: {error:.1e}"


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_each_degree_of_colour(on_kernels, degree):
    """Rows of coefficients are read in vectors where they can be, and else one by one."""
    values = arrays(4, 20, degree)
    exact = derived(values, torch.float64, view(20, 18))
    on_kernels()
    found = derived(values, torch.float32, view(20, 18))
    for name in ("image", "sh", "means"):
        assert (found[name].double() - exact[name]).norm() < 1e-3 * exact[name].norm(), name


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("size", [(16, 16), (35, 18)])
def test_each_number_of_features(on_kernels, channels, size):
    rng = np.random.default_rng(channels)
    width, height = size
    mean, turn = rng.uniform(-4, 20, (40, 2)), rng.normal(0, 0.6, (40, 2, 2)) + 0.2 * np.eye(2)
    shape = turn @ turn.transpose(0, 2, 1)
    conic = np.stack([shape[:, 0, 0], shape[:, 0, 1], shape[:, 1, 1]], 1) * 0.3
    given = [mean, conic, rng.uniform(0, 1, 40), rng.normal(size=(40, channels)), rng.uniform(1, 2, 40)]
    weights = rng.normal(size=(channels, height, width))

    def results(dtype: torch.dtype) -> list[torch.Tensor]:
        m, c, o, f, z = (torch.tensor(a, dtype=dtype, requires_grad=True) for a in given)
        image, alpha, _ = rasterise(Projection(m, c, o, f, z), f, width, height)
        ((image * torch.tensor(weights, dtype=dtype)).sum() + alpha.sum()).backward()
        return [image.detach(), alpha.detach(), m.grad, c.grad, o.grad, f.grad]

    exact = results(torch.float64)
    on_kernels()
    for one, other in zip(results(torch.float32), exact, strict=True):
        assert (one.double() - other).norm() < 1e-3 * other.norm()


def test_many_tiles_need_longer_numbers(on_kernels, kernels, monkeypatch):
    exact = derived(arrays(5, 30), torch.float64, view())
    on_kernels()
    monkeypatch.setattr(cuda, "SHORT_TILES", 3)
    found = derived(arrays(5, 30), torch.float32, view())
    assert {"emit_32", "begin_32"} <= set(kernels.launched)
    assert (found["image"].double() - exact["image"]).norm() < 1e-3 * exact["image"].norm()


def test_the_same_bits_each_time(on_kernels):
    on_kernels()
    one, other = (derived(arrays(6, 300), torch.float32, view()) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_cannot_be_seen_is_left_out(on_kernels):
    values = arrays(7, 40)
    values["means"][0] = [2.0, -7.0, 2.0]  # behind
    values["means"][1] = np.nan
    values["means"][2] = np.inf
    values["quaternions"][3] = 0
    values["log_scales"][4] = np.nan
    values["log_scales"][5] = 80.0
    values["opacity_logits"][6] = -40.0
    values["opacity_logits"][7] = np.nan
    on_kernels()
    gaussians = cloud(values)
    found = render(gaussians, view())
    assert torch.isfinite(found.image).all()
    assert not found.touched[:8].any()
    assert found.touched[8:].any()
    found.image.sum().backward()
    for name in NAMES:
        assert torch.isfinite(getattr(gaussians, name).grad[8:]).all(), name


@pytest.mark.parametrize("count", [0, 5])
def test_nothing_to_be_seen(on_kernels, count):
    """No Gaussian at all, or none before the camera: the background, and derivatives of 0."""
    on_kernels()
    values = arrays(8, max(count, 1))
    values["means"] += [0.0, -100.0, 0.0]
    gaussians = Gaussians(*(t.detach()[:count].requires_grad_() for t in vars(cloud(values)).values()))
    background = torch.tensor([0.1, 0.2, 0.3])
    found = render(gaussians, view(), background=background)
    assert torch.allclose(found.image, background[:, None, None].expand(3, 37, 53))
    found.image.sum().backward()
    assert not any(getattr(gaussians, name).grad.any() for name in NAMES)


@pytest.mark.parametrize("derived_by_both", [False, True])
@pytest.mark.parametrize("size", [(37, 53), (5, 4), (16, 64)])
def test_structural_similarity(on_kernels, kernels, size, derived_by_both):
    """In one pass; where the truth is derived by as well, by its window alone."""
    rng = np.random.default_rng(9)
    truth = rng.uniform(size=(3, *size))
    image = np.clip(truth + rng.normal(0, 0.1, truth.shape), 0, 1)

    def results(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        one = torch.tensor(image, dtype=dtype, requires_grad=True)
        level = image_metrics.ssim(one, torch.tensor(truth, dtype=dtype, requires_grad=derived_by_both))
        (3 * level).backward()
        return level.detach(), one.grad

    (exact, slope), _ = results(torch.float64), on_kernels()
    found, found_slope = results(torch.float32)
    assert ("blur" if derived_by_both else "ssim_backward") in kernels.launched
    assert abs(float(found) - float(exact)) < 1e-5
    assert (found_slope.double() - slope).norm() < 1e-3 * slope.norm()
    with torch.no_grad():
        measured = image_metrics.ssim(*(torch.tensor(a).float() for a in (image, truth)))
    assert abs(float(measured) - float(found)) < 1e-6
