"""The renderer on a GPU against gsplat's, in one run: ``python -m tests.benchmarks.splatting_gpu --help``.

Each line that is printed is a JSON object. Without gsplat only our own figures are taken.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians, Rendering, render, without_fast_renderer
from engines.core import Run, catalog

GPU = torch.device("cuda", 0)
SCENES = ((100_000, 0.008, 800, 600), (1_000_000, 0.0025, 800, 600), (1_000_000, 0.0025, 1920, 1080))
"""Gaussians, their size, and the picture's."""


def tell(what: str, **figures: Any) -> None:
    rounded = {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what, **rounded}), flush=True)


def cloud(count: int, scale: float, seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)
    parts = (
        rng.uniform(-1, 1, (count, 3)), rng.normal(size=(count, 4)), np.log(scale) + rng.normal(0, 0.5, (count, 3)),
        rng.normal(0, 1.5, count), rng.normal(0, 0.2, (count, 16, 3)),
    )  # fmt: skip
    return Gaussians(*(torch.tensor(part, dtype=torch.float32, device=GPU) for part in parts))


def camera(width: int, height: int) -> Camera:
    return Camera(look_at([0, -3.2, 0.8], [0, 0, 0]), 0.9 * width, 0.9 * width, width / 2, height / 2, width, height)


def milliseconds(function: Callable[[], object], times: int = 20) -> float:
    """Median of some calls on the GPU's clock, each waited for."""
    for _ in range(5):
        function()
    torch.cuda.synchronize()
    found = []
    for _ in range(times):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        function()
        end.record()
        end.synchronize()
        found.append(begin.elapsed_time(end))
    return float(np.median(found))


# ---- gsplat behind our call ------------------------------------------------------------------------------------------


class _Means:
    """gsplat's (1, N, 2) means on the image, with their derivative as (N, 2)."""

    def __init__(self, means: torch.Tensor) -> None:
        self.means = means

    def retain_grad(self) -> None:
        self.means.retain_grad()

    @property
    def grad(self) -> torch.Tensor | None:
        return None if self.means.grad is None else self.means.grad[0]


@dataclass
class _Projection:
    means: _Means


def peer_render(
    gaussians: Gaussians, view: Camera, *, background: torch.Tensor | None = None, degree: int | None = None,
    with_depth: bool = False, anti_aliased: bool = False,
) -> Rendering:  # fmt: skip
    from gsplat import rasterization

    g = gaussians
    pose = torch.tensor(view.world_to_camera, dtype=torch.float32).to(GPU, non_blocking=True)
    matrix = torch.tensor(view.matrix, dtype=torch.float32).to(GPU, non_blocking=True)
    image, alpha, found = rasterization(
        g.means, g.quaternions, g.log_scales.exp(), g.opacity_logits.sigmoid(), g.sh, pose[None], matrix[None],
        view.width, view.height, sh_degree=g.degree if degree is None else min(degree, g.degree), packed=False,
        tile_size=16, rasterize_mode="antialiased" if anti_aliased else "classic",
        backgrounds=None if background is None else background[None],
    )  # fmt: skip
    touched = (found["radii"][0] > 0).all(-1).int()
    return Rendering(image[0].permute(2, 0, 1), alpha[0, ..., 0], None, _Projection(_Means(found["means2d"])), touched)


def has_peer() -> bool:
    try:
        import gsplat
        from gsplat.cuda._backend import _C
    except ImportError as error:
        tell("no peer", error=str(error))
        return False
    tell("peer", name="gsplat", version=gsplat.__version__, built=_C is not None)
    return _C is not None


# ---- single pictures -------------------------------------------------------------------------------------------------


def pictures(peer: bool, profile: bool) -> None:
    """Forward, and forward with backward, from parameters to picture and back."""
    for count, scale, width, height in SCENES:
        gaussians, view = cloud(count, scale), camera(width, height)
        figures: dict[str, Any] = {}
        shown = {}
        for name, draw in (("ours", render), *([("gsplat", peer_render)] if peer else [])):
            found, shown[name] = timed(draw, gaussians, view, name if profile and count == 1_000_000 else "")
            figures |= {f"{name} {key}": value for key, value in found.items()}
        if peer:
            figures["mean difference"] = float((shown["ours"] - shown["gsplat"]).abs().mean())
            figures["ratio forward"] = figures["gsplat forward ms"] / figures["ours forward ms"]
            figures["ratio both"] = figures["gsplat both ms"] / figures["ours both ms"]
        tell("picture", gaussians=count, width=width, height=height, **figures)


def timed(
    draw: Callable[..., Rendering], gaussians: Gaussians, view: Camera, profiled_as: str
) -> tuple[dict[str, float], torch.Tensor]:
    weights = torch.rand(3, view.height, view.width, device=GPU)
    leaves = gaussians.map(lambda t: t.clone().requires_grad_())

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return draw(gaussians, view).image

    def both() -> None:
        (draw(leaves, view).image * weights).sum().backward()
        for tensor in vars(leaves).values():
            tensor.grad = None

    figures = {"forward ms": milliseconds(forward)}
    torch.cuda.reset_peak_memory_stats()
    figures |= {"both ms": milliseconds(both), "peak MB": torch.cuda.max_memory_allocated() / 1e6}
    if profiled_as:
        kernels(profiled_as, both)
    return figures, forward()


def kernels(name: str, function: Callable[[], object]) -> None:
    """Where the GPU's time goes."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    with profiled(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        for _ in range(5):
            function()
        torch.cuda.synchronize()
    rows = sorted(found.key_averages(), key=lambda r: -r.self_device_time_total)[:16]
    tell(
        f"kernels of {name}, us", **{r.key[:60]: r.self_device_time_total / 5 for r in rows if r.self_device_time_total}
    )


# ---- training --------------------------------------------------------------------------------------------------------


class Watch:
    """Remembers what the run tells."""

    def __init__(self) -> None:
        self.levels: list[tuple[int, float, float]] = []
        self.trained = 0.0

    def emit(self, event: Any) -> None:
        values = getattr(event, "values", {})
        if "PSNR, held out" in values:
            self.levels.append((event.step, event.seconds, values["PSNR, held out"]))
        if values:
            self.trained = event.seconds
        elif getattr(event, "text", ""):
            tell("told", text=event.text)

    def wants_preview(self) -> bool:
        return False


def training(photos: Any, name: str, iterations: int, changes: dict[str, Any]) -> None:
    """The same trainer, schedule and seed with one or the other renderer."""
    from engines.shape import gaussian_splatting

    method, watch = catalog().get("gaussian-splatting"), Watch()
    params = method.params.parse({"iterations": iterations, **changes}, method.preset("paper"))
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    own = gaussian_splatting.render
    began = time.perf_counter()
    try:
        gaussian_splatting.render = peer_render if name == "gsplat" else own
        outputs = method.run(
            {"photos": photos}, params, Run(seed=0, device=str(GPU), listener=watch, checkpoint_seconds=1e9)
        )
    finally:
        gaussian_splatting.render = own
    scores = outputs["scores"].columns
    tell(
        "training", renderer=name, iterations=iterations, seconds=time.perf_counter() - began, trained=watch.trained,
        psnr=float(np.mean(scores["PSNR"])), ssim=float(np.mean(scores["SSIM"])), gaussians=len(outputs["cloud"]),
        peak_MB=torch.cuda.max_memory_allocated() / 1e6,
        levels=[[s + 1, round(t, 1), round(p, 2)] for s, t, p in watch.levels[:: max(1, len(watch.levels) // 8)]],
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lego", type=Path, help="transforms_train.json of photos to train on")
    options.add_argument("--iterations", type=int, default=7000)
    options.add_argument("--peer-iterations", type=int, help="of gsplat's run; 0: none (default: the same)")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the training")
    options.add_argument("--no-pictures", action="store_true")
    options.add_argument("--no-peer", action="store_true")
    options.add_argument("--profile", action="store_true", help="list the kernels' times")
    given = options.parse_args()
    tell(
        "machine", gpu=torch.cuda.get_device_name(0), torch=torch.__version__, cuda=torch.version.cuda,
        cores=os.cpu_count(),
    )  # fmt: skip
    began = time.perf_counter()
    tell("compiled", missing=without_fast_renderer(GPU), seconds=time.perf_counter() - began)
    peer = not given.no_peer and has_peer()
    if not given.no_pictures:
        pictures(peer, given.profile)
    if given.lego:
        from engines.data import Photos
        from engines.files import read

        photos = next(a for a in read(given.lego).artifacts if isinstance(a, Photos))
        changes = dict(pair.split("=", 1) for pair in given.set)
        training(photos, "ours", given.iterations, changes)
        wanted = given.iterations if given.peer_iterations is None else given.peer_iterations
        if peer and wanted:
            training(photos, "gsplat", wanted, changes)


if __name__ == "__main__":
    main()
