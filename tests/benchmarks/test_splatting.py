"""The compiled renderer of Gaussians against its plain twin, Numba and Warp, on one scene in one run."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians, compiled, render, twin
from engines.blocks.splatting.render import project

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

THREADS = int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", os.cpu_count() or 1))


@pytest.fixture(autouse=True)
def _threads(_calm):
    torch.set_num_threads(THREADS)


def cloud(count: int, scale: float, seed: int = 0) -> Gaussians:
    rng = np.random.default_rng(seed)
    return Gaussians(
        torch.tensor(rng.uniform(-1, 1, (count, 3)), dtype=torch.float32),
        torch.tensor(rng.normal(size=(count, 4)), dtype=torch.float32),
        torch.tensor(np.log(scale) + rng.normal(0, 0.5, (count, 3)), dtype=torch.float32),
        torch.tensor(rng.normal(0, 1.5, count), dtype=torch.float32),
        torch.tensor(rng.normal(0, 0.2, (count, 16, 3)), dtype=torch.float32),
    )


def camera(width: int, height: int) -> Camera:
    return Camera(look_at([0, -3.2, 0.8], [0, 0, 0]), 0.9 * width, 0.9 * width, width / 2, height / 2, width, height)


def least(function, times: int = 3) -> float:
    """Seconds of the fastest of some calls, after one to warm up."""
    function()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def pairs_of(projection, width: int, height: int) -> dict[str, np.ndarray]:
    """The tile lists, as the compiled renderer makes them, and the splats."""
    n, tiles = len(projection.means), -(-width // 16) * -(-height // 16)
    counts, extents = torch.empty(n, dtype=torch.int32), torch.empty(n, 3)
    p = projection
    total = compiled._call(
        "splat_count", n, p.means, p.conics, p.opacities, p.depths, width, height, counts, extents, THREADS
    )
    starts, ids = torch.empty(tiles + 1, dtype=torch.int64), torch.empty(total, dtype=torch.int32)
    slots = torch.empty(total, dtype=torch.int64)
    compiled._call(
        "splat_bin", n, p.means, p.conics, extents, p.depths, width, height, counts, starts, ids, slots, THREADS
    )
    firsts = np.cumsum(counts.numpy(), dtype=np.int64) - counts.numpy()
    return {
        "means": p.means.numpy(), "conics": p.conics.numpy(), "opacities": p.opacities.numpy(),
        "colours": p.colours.numpy(), "starts": starts.numpy(), "ids": ids.numpy(), "slots": slots.numpy(),
        "counts": counts.numpy(), "extents": extents.numpy(), "firsts": firsts,
    }  # fmt: skip


class Ours:
    """The two loops alone, on the same lists as the peers."""

    def __init__(self, arrays: dict[str, np.ndarray], width: int, height: int) -> None:
        self.a = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.size = (width, height)
        self.image, self.clear = torch.empty(3, height, width), torch.empty(height, width)
        self.last = torch.empty(height, width, dtype=torch.int32)
        self.d_pairs = torch.empty(len(arrays["ids"]), 9)
        self.results = [torch.empty_like(self.a[name]) for name in ("means", "conics", "opacities", "colours")]

    def _splats(self) -> list[torch.Tensor]:
        return [self.a[name] for name in ("means", "conics", "opacities", "colours", "extents")]

    def forward(self) -> None:
        a = self.a
        compiled._call(
            "splat_forward", len(a["means"]), 3, *self._splats(), *self.size, a["starts"], a["ids"], self.image,
            self.clear, self.last, THREADS, 0,
        )  # fmt: skip

    def backward(self, d_image: np.ndarray) -> np.ndarray:
        a = self.a
        compiled._call(
            "splat_backward", len(a["means"]), 3, *self._splats(), *self.size, a["counts"], a["starts"], a["ids"],
            a["slots"], self.clear, self.last, torch.from_numpy(d_image), torch.zeros_like(self.clear), self.d_pairs,
            *self.results, THREADS, 0,
        )  # fmt: skip
        means, conics, opacities, colours = (t.numpy() for t in self.results)
        return np.concatenate([means, conics, opacities[:, None], colours], axis=1)


def test_against_numba_and_warp():
    """100,000 Gaussians, 640 x 480; at least 5 times each."""
    numba = pytest.importorskip("numba", reason="the extra [bench] is not installed")
    pytest.importorskip("warp", reason="the extra [bench] is not installed")
    if compiled.library() is None:
        pytest.skip("the compiled renderer was not built")
    from tests.benchmarks.splatting_peers import NumbaPeer, WarpPeer

    numba.set_num_threads(min(THREADS, numba.config.NUMBA_NUM_THREADS))
    width, height = 640, 480
    with torch.no_grad():
        arrays = pairs_of(project(cloud(100_000, 0.008), camera(width, height)), width, height)
    d_image = np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)
    seconds, images, slopes = {}, {}, {}
    for name, peer in (("ours", Ours), ("Numba", NumbaPeer), ("Warp", WarpPeer)):
        made = peer(arrays, width, height)
        forward = least(made.forward)
        seconds[name] = (forward, least(lambda made=made: made.backward(d_image)))
        images[name], slopes[name] = np.asarray(made.image), made.backward(d_image)
    seen = arrays["counts"] > 0
    for name in ("Numba", "Warp"):
        assert np.abs(images[name] - images["ours"]).mean() < 1e-4
        assert np.linalg.norm((slopes[name] - slopes["ours"])[seen]) < 1e-2 * np.linalg.norm(slopes["ours"])
    evaluated = 256 * len(arrays["ids"])
    print(
        f"\n{len(arrays['ids']):,} tile pairs, {THREADS} threads, vectors of {compiled.vector_width()} bits: "
        + "; ".join(f"{n} {1e3 * f:.0f} ms forward, {1e3 * b:.0f} ms backward" for n, (f, b) in seconds.items())
        + f"; ours {evaluated / seconds['ours'][0]:.2g} and {evaluated / seconds['ours'][1]:.2g} pixel pairs a second. "
        + "Ratios: "
        + ", ".join(
            f"{n} {seconds[n][0] / seconds['ours'][0]:.1f} and {seconds[n][1] / seconds['ours'][1]:.1f}"
            for n in ("Numba", "Warp")
        )
    )
    for name in ("Numba", "Warp"):
        assert sum(seconds[name]) > 5 * sum(seconds["ours"])


def test_against_the_plain_twin():
    """Projection, lists, picture and all derivatives, 20,000 Gaussians, 320 x 240; at least 50 times."""
    if compiled.library() is None:
        pytest.skip("the compiled renderer was not built")
    view, gaussians = camera(320, 240), cloud(20_000, 0.012)

    def ours() -> None:
        g = gaussians.map(lambda t: t.clone().requires_grad_())
        render(g, view).image.sum().backward()

    def plain() -> None:
        g = gaussians.map(lambda t: t.clone().requires_grad_())
        means, conics, opacities, colours, depths = twin.project(g, view, 3, 0.01, 0.3, False)
        twin.rasterise(means, conics, opacities, colours, depths, view.width, view.height)[0].sum().backward()

    fast, slow = least(ours), least(plain, 1)
    print(f"\nforward and backward: ours {1e3 * fast:.0f} ms, plain torch {slow:.1f} s, ratio {slow / fast:.0f}")
    assert slow > 50 * fast


@pytest.mark.parametrize(("count", "scale", "most"), [(1_000_000, 0.0025, 1.0), (200_000, 0.005, 0.5)])
def test_a_frame_of_many(count, scale, most):
    view, gaussians = camera(800, 600), cloud(count, scale)
    with torch.no_grad():
        seconds = least(lambda: render(gaussians, view))
        moving = least(lambda: render(gaussians, view.resized(400, 300), degree=0))
    print(
        f"\n{count:,} Gaussians: a frame of 800x600 in {1e3 * seconds:.0f} ms; at half the size, plain colours, in "
        f"{1e3 * moving:.0f} ms ({1 / moving:.0f} a second)"
    )
    assert seconds < most
