"""The renderer of Gaussians against closed forms, a pixel-by-pixel twin, autograd and finite differences."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians, compiled, render, twin
from engines.blocks.splatting.render import project, rasterise
from tests.blocks.gaussians_by_pixel import harmonics, picture

NAMES = ("means", "quaternions", "log_scales", "opacity_logits", "sh")
needs_library = pytest.mark.skipif(compiled.library() is None, reason="the compiled renderer was not built")
WIDTHS = [w for w in (128, 256, 512) if w <= compiled.vector_width()]


def view(width: int = 96, height: int = 64) -> Camera:
    """Not square, fx != fy, the principal point off the middle."""
    return Camera(look_at([1.0, -3.5, 1.2], [0, 0, 0]), 90.0, 110.0, 45.0, 35.0, width, height)


def arrays(seed: int, count: int = 200, spread: float = 0.8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "means": rng.uniform(-spread, spread, (count, 3)),
        "quaternions": rng.normal(size=(count, 4)),
        "log_scales": rng.uniform(math.log(0.01), math.log(0.3), (count, 3)),
        "opacity_logits": rng.normal(0, 2, count),
        "sh": rng.normal(0, 0.3, (count, 16, 3)),
    }


def cloud(values: dict[str, np.ndarray], dtype=torch.float32) -> Gaussians:
    return Gaussians(*(torch.tensor(values[name], dtype=dtype, requires_grad=True) for name in NAMES))


@functools.cache
def by_pixel(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = arrays(seed)
    return picture({name: values[name].astype(np.float32).astype(float) for name in NAMES}, view(), 3)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_picture_against_a_loop_over_pixels(seed, dtype):
    values, camera = arrays(seed), view()
    image, clear, unsure = by_pixel(seed)
    with torch.no_grad():
        found = render(cloud(values, dtype), camera)
    off = np.abs(found.image.permute(1, 2, 0).numpy() - image).max(2)
    assert off[~unsure].max() < 2e-3
    assert off.mean() < 1e-5
    assert np.abs(1 - found.alpha.numpy() - clear)[~unsure].max() < 2e-3
    assert unsure.mean() < 0.25


def loss_of(gaussians: Gaussians, camera: Camera, background: torch.Tensor, target: torch.Tensor, **options):
    found = render(gaussians, camera, background=background, with_depth=True, **options)
    assert found.depth is not None
    return ((found.image - target) ** 2).sum() + 0.1 * found.depth.sum() + (found.alpha**2).sum()


def gradients(values, dtype, seed: int, **options) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(seed)
    background = torch.tensor(rng.uniform(size=3), dtype=dtype, requires_grad=True)
    target = torch.tensor(rng.uniform(size=(3, 64, 96)), dtype=dtype)
    gaussians = cloud(values, dtype)
    loss_of(gaussians, view(), background, target, **options).backward()
    return {**{name: getattr(gaussians, name).grad for name in NAMES}, "background": background.grad}


@needs_library
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("anti_aliased", [False, True])
def test_all_gradients_against_autograd_in_float64(seed, anti_aliased):
    # The float32 values are rounded first, so that both see the same cloud; cut-offs still may differ in single pixels.
    values = {name: v.astype(np.float32).astype(float) for name, v in arrays(seed).items()}
    ours = gradients(values, torch.float32, seed, anti_aliased=anti_aliased)
    exact = gradients(values, torch.float64, seed, anti_aliased=anti_aliased)
    for name, expected in exact.items():
        error = (ours[name].double() - expected).norm() / expected.norm()
        assert error < 1e-3, f"{name}: {error:.1e}"


@needs_library
@pytest.mark.parametrize("width", WIDTHS)
def test_every_instruction_set_draws_and_derives_the_same(width):
    values, camera = arrays(5), view()
    results = []
    for widest in (width, 0):
        gaussians = cloud(values)
        found = project(gaussians, camera)
        image, alpha, _ = rasterise(found, found.colours, camera.width, camera.height, widest=widest)
        (image.square().sum() + alpha.sum()).backward()
        results.append((image.detach(), gaussians.means.grad, gaussians.log_scales.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))


def test_gradients_against_finite_differences():
    """Twenty random entries, in float64, away from the cut-offs: few, wide and faint Gaussians."""
    values, camera = arrays(7, 12, 0.4), view(48, 32)
    values["log_scales"] += 0.5
    rng = np.random.default_rng(7)
    target = torch.tensor(rng.uniform(size=(3, 32, 48)))
    background = torch.tensor([0.2, 0.5, 0.7], dtype=torch.float64)

    def loss(changed) -> torch.Tensor:
        return loss_of(cloud(changed, torch.float64), camera, background, target)

    gaussians = cloud(values, torch.float64)
    loss_of(gaussians, camera, background, target).backward()
    agree = 0
    for _ in range(20):
        name = NAMES[rng.integers(5)]
        at = tuple(int(rng.integers(n)) for n in values[name].shape)
        step, sides = 1e-6, []
        for sign in (1, -1):
            moved = {**values, name: values[name].copy()}
            moved[name][at] += sign * step
            sides.append(float(loss(moved).detach()))
        difference = (sides[0] - sides[1]) / (2 * step)
        derivative = float(getattr(gaussians, name).grad[at])
        agree += abs(difference - derivative) <= 1e-4 * max(1.0, abs(derivative))
    assert agree >= 18  # a step across a cut-off moves a picture by a jump that no derivative knows


def one_gaussian(scale: float, logit: float) -> dict[str, np.ndarray]:
    return {
        "means": np.zeros((1, 3)),
        "quaternions": np.array([[1.0, 0, 0, 0]]),
        "log_scales": np.full((1, 3), math.log(scale)),
        "opacity_logits": np.array([logit]),
        "sh": np.zeros((1, 1, 3)),
    }


def test_one_round_gaussian_on_the_axis():
    """alpha = o exp(-r^2 / (2 (f^2 s^2 / z^2 + 0.3))), and its sum over the image is 2 pi o sqrt(det)."""
    f, z, s, logit = 100.0, 4.0, 0.2, 0.4
    camera = Camera(look_at([0, -z, 0], [0, 0, 0]), f, f, 64.5, 64.5, 129, 129)
    with torch.no_grad():
        alpha = render(cloud(one_gaussian(s, logit)), camera).alpha.numpy()
    variance = f**2 * s**2 / z**2 + 0.3
    y, x = np.mgrid[:129, :129] - 64.0
    opacity = 1 / (1 + math.exp(-logit))
    expected = opacity * np.exp(-(x**2 + y**2) / (2 * variance))
    expected[expected < 1 / 255] = 0
    assert np.abs(alpha - expected).max() < 1e-5
    tail = (1 / 255) / opacity  # what the cut-off takes from the integral
    assert alpha.sum() == pytest.approx(2 * math.pi * opacity * variance * (1 - tail), rel=2e-3)


def test_harmonics_are_those_of_scipy():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(50, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    expected = np.stack([harmonics(d, 3) for d in directions])
    np.testing.assert_allclose(twin.harmonics(torch.tensor(directions), 3).numpy(), expected, atol=1e-12)


@needs_library
def test_the_same_bits_with_any_number_of_threads():
    values, camera, before = arrays(3, 2000), view(200, 150), torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            gaussians = cloud(values)
            found = render(gaussians, camera, with_depth=True)
            (found.image.sum() + found.depth.sum()).backward()
            results.append([found.image.detach(), *(getattr(gaussians, name).grad for name in NAMES)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_cannot_be_seen_is_left_out(dtype):
    """Behind the camera, not finite, no rotation, no opacity, absurdly large: a finite picture and finite gradients."""
    values = arrays(4, 40)
    values["means"][0] = [2.0, -7.0, 2.0]  # behind
    values["means"][1] = np.nan
    values["means"][2] = np.inf
    values["quaternions"][3] = 0
    values["log_scales"][4] = np.nan
    values["log_scales"][5] = 80.0
    values["opacity_logits"][6] = -40.0
    values["opacity_logits"][7] = np.nan
    gaussians = cloud(values, dtype)
    found = render(gaussians, view())
    assert torch.isfinite(found.image).all()
    assert not found.touched[:8].any()
    assert found.touched[8:].any()
    found.image.sum().backward()
    for name in NAMES:
        seen = getattr(gaussians, name).grad[8:]
        assert torch.isfinite(seen).all(), name


def test_nothing_at_all():
    empty = Gaussians(*(torch.zeros(0, *shape) for shape in ((3,), (4,), (3,), (), (16, 3))))
    found = render(empty, view(), background=torch.tensor([0.1, 0.2, 0.3]))
    assert torch.allclose(found.image, torch.tensor([0.1, 0.2, 0.3])[:, None, None].expand(3, 64, 96))
    assert not found.alpha.any()


@needs_library
def test_loading_the_library_leaves_the_rounding_of_the_process_alone():
    """Linked with -ffast-math it would take very small numbers for 0 everywhere, on which SciPy's trees fall."""
    assert compiled.vector_width() > 0
    tiny = np.array([1e-310, 3e-320])
    assert (tiny * 1.0 > 0).all()
    assert (tiny[0] / 2 < tiny[0]) & (tiny[0] / 2 > 0)
