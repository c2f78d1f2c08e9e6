"""What only a CUDA device can show; skipped elsewhere. Needs no window library: it runs on a bare GPU machine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from app.jobs.execute import Work, execute
from engines.blocks import image_metrics
from engines.blocks.splatting import cuda, twin, without_fast_renderer
from engines.blocks.splatting.render import Projection, rasterise
from engines.core import Control, Run, Silent, catalog
from tests.blocks import test_splatting_cuda as on_cpu

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.timeout(600),
]
GPU = torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _on_the_gpu(monkeypatch):
    """Tensors are made there where a test does not say otherwise."""
    monkeypatch.setattr(cuda.KERNELS, "_missing", {})
    torch.set_default_device(GPU)
    yield
    torch.set_default_device(None)


def test_the_kernels_can_be_used():
    assert without_fast_renderer(GPU) == ""


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"anti_aliased": True}, {"near": 3.0}, {"degree": 1}])
def test_pictures_and_all_derivatives(seed, options):
    values, camera = on_cpu.arrays(seed, 700), on_cpu.view(93, 70)
    exact = on_cpu.derived(values, torch.float64, camera, **options)
    found = on_cpu.derived(values, torch.float32, camera, **options)
    for name, expected in exact.items():
        if name != "touched":
            error = (found[name].double() - expected).norm() / expected.norm()
            assert error < 1e-3, f"{name}: {error:.1e}"


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7])
def test_each_number_of_features(channels):
    rng = np.random.default_rng(channels)
    shape = np.stack([rng.uniform(0.05, 1, 3000), rng.uniform(-0.04, 0.04, 3000), rng.uniform(0.05, 1, 3000)], 1)
    given = [
        rng.uniform(-20, 320, (3000, 2)), shape, rng.uniform(0, 1, 3000), rng.normal(size=(3000, channels)),
        rng.uniform(1, 2, 3000),
    ]  # fmt: skip

    def results(dtype: torch.dtype) -> list[torch.Tensor]:
        m, c, o, f, z = (torch.tensor(a, dtype=dtype, requires_grad=True) for a in given)
        image, alpha, _ = rasterise(Projection(m, c, o, f, z), f, 301, 203)
        (image.square().sum() + alpha.sum()).backward()
        return [image.detach(), alpha.detach(), m.grad, c.grad, o.grad, f.grad]

    for one, other in zip(results(torch.float32), results(torch.float64), strict=True):
        assert (one.double() - other).norm() < 1e-3 * other.norm()


def test_the_same_bits_each_time():
    """Also between two images whose lists are sorted in other orders of the same depths."""
    values = on_cpu.arrays(6, 50_000, spread=1.5)
    values["log_scales"] -= 1.5
    camera = on_cpu.view(800, 600)
    one, other = (on_cpu.derived(values, torch.float32, camera) for _ in range(2))
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def test_what_cannot_be_seen_is_left_out():
    values = on_cpu.arrays(7, 40)
    values["means"][0] = [2.0, -7.0, 2.0]  # behind
    values["means"][1] = np.nan
    values["quaternions"][2] = 0
    values["log_scales"][3] = 80.0
    values["opacity_logits"][4] = np.nan
    gaussians = on_cpu.cloud(values)
    found = on_cpu.render(gaussians, on_cpu.view())
    found.image.sum().backward()
    assert torch.isfinite(found.image).all()
    assert not found.touched[:5].any()
    assert torch.isfinite(gaussians.means.grad[5:]).all()
    nobody = on_cpu.render(gaussians.map(lambda t: t.detach()[:0]), on_cpu.view())
    assert not nobody.image.any()


def test_the_window_of_ssim():
    rng = np.random.default_rng(9)
    image, truth = (torch.tensor(rng.uniform(size=(3, 137, 253))) for _ in range(2))
    image.requires_grad_()
    image_metrics.ssim(image, truth).backward()
    short = image.detach().float().requires_grad_()
    image_metrics.ssim(short, truth.float()).backward()
    assert (short.grad.double() - image.grad).norm() < 1e-4 * image.grad.norm()


def test_another_stream_and_a_thread_of_autograd():
    values = on_cpu.arrays(3, 500)
    expected = on_cpu.derived(values, torch.float32, on_cpu.view())
    with torch.cuda.stream(torch.cuda.Stream()):
        found = on_cpu.derived(values, torch.float32, on_cpu.view())
    torch.cuda.synchronize()
    assert torch.equal(expected["means"], found["means"])


def test_the_twin_serves_other_numbers():
    """float64 goes to plain torch, on the GPU too."""
    values = on_cpu.arrays(3, 20)
    gaussians = on_cpu.cloud(values, torch.float64)
    assert twin.project(gaussians, on_cpu.view(), 3, 0.01, 0.3, False)[0].device.type == "cuda"


def trained(seed: int = 0, **changes) -> dict:
    torch.set_default_device(None)
    method, source = catalog().get("gaussian-splatting"), catalog().get("photographed-solid")
    taken = source.params.parse({"views": 24, "held_out": 6, "resolution": 128, "known_points": 300})
    photos = source.run({}, taken, Run(seed=0))["photos"]
    params = method.params.parse(changes, method.preset("quick"))
    work = Work("gaussian-splatting", method.module, {"photos": photos}, params, seed, "cuda:0")
    outcome = execute(method, work, Silent(), Control())
    return {"outcome": outcome, **(outcome.outputs or {})}


def test_training_reaches_30_decibels_and_repeats_bit_by_bit():
    one, other = trained(), trained()
    assert one["outcome"].status == "finished", one["outcome"].error
    assert np.mean(one["scores"].columns["PSNR"]) >= 30
    for name in ("means", "quaternions", "log_scales", "opacity_logits", "sh"):
        assert np.array_equal(getattr(one["cloud"], name), getattr(other["cloud"], name)), name


def test_training_by_mcmc():
    found = trained(strategy="MCMC", limit=6000)
    assert found["outcome"].status == "finished", found["outcome"].error
    assert np.mean(found["scores"].columns["PSNR"]) >= 28


def test_memory_that_runs_out_ends_the_run_and_tells_what_to_lower():
    torch.set_default_device(None)
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info(0)[1]
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 6e6) / total, 0)
    try:
        outcome = trained()["outcome"]
        taken = torch.empty(0, device=GPU)  # the device itself is well
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
    assert taken.device.type == "cuda"
    assert outcome.status == "failed"
    assert outcome.user_error is not None, outcome.error
    assert outcome.user_error.what == "The memory of the GPU ran out."
    assert "Most Gaussians" in outcome.user_error.mend
    assert "GB" in outcome.user_error.why


@pytest.mark.parametrize("key", ["gaussian-splatting", "sugar", "render-splats", "orex", "plain-mlp"])
def test_methods_that_compute_with_torch_run_there(key):
    torch.set_default_device(None)
    method = catalog().get(key)
    changes = {"extraction": "marching cubes"} if key == "sugar" else {}  # a bare machine has no Open3D
    inputs, params = method.smoke.inputs(), method.params.parse({**method.smoke.params, **changes})
    try:
        outputs = method.run(inputs, params, Run(seed=1, device="cuda:0"))
    except ModuleNotFoundError as error:
        pytest.skip(f"{error.name} is not installed")
    assert outputs
