"""A step of SuGaR's alignment in its parts, against plain torch with neighbours by brute force; and its extraction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.cameras import Camera, extent, look_at
from engines.blocks.mesh_topology import face_areas
from engines.blocks.quaternions import quaternions_of
from engines.blocks.splatting import Gaussians, render
from engines.blocks.splatting.density import Shapes, nearest
from engines.blocks.splatting.gaussians import C0
from engines.blocks.splatting.surface_alignment import Alignment, points_in
from engines.core import Run
from engines.shape.photographed import known_points
from engines.shape.sugar_mesh import level_points, surface_through
from engines.shape.sugar_params import SugarParams

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

THREADS = int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", os.cpu_count() or 1))
K = 16


@pytest.fixture(autouse=True)
def _threads(_calm):
    torch.set_num_threads(THREADS)


def on_torus(count: int, thickness: float = 0.25) -> Gaussians:
    """Flat opaque Gaussians that cover a torus, half their spacing wide."""
    mesh, rng = torus_mesh(Torus()), np.random.default_rng(0)
    points, colours = known_points(mesh, None, count, rng)
    normals = torch.tensor(Torus().gradient(points), dtype=torch.float32)
    first = torch.nn.functional.normalize(torch.linalg.cross(normals, torch.tensor([[0.3, 0.2, 0.9]])), dim=1)
    frames = torch.stack([first, torch.linalg.cross(normals, first), normals], dim=2)
    wide = 0.5 * float(np.sqrt(face_areas(mesh.vertices, mesh.faces).sum() / count))
    return Gaussians(
        torch.tensor(points, dtype=torch.float32),
        quaternions_of(frames),
        torch.tensor([wide, wide, thickness * wide]).log().repeat(count, 1),
        torch.full((count,), 4.0),
        torch.tensor((colours[:, None] / 255 - 0.5) / C0, dtype=torch.float32),
    )


def around(count: int, pixels: int) -> list[Camera]:
    angles = 2 * np.pi * np.arange(count) / count
    eyes = np.stack([2.3 * np.cos(angles), 2.3 * np.sin(angles), 1.4 * np.cos(3 * angles)], axis=1)
    half = pixels / 2
    return [Camera(look_at(eye, np.zeros(3)), 1.1 * pixels, 1.1 * pixels, half, half, pixels, pixels) for eye in eyes]


def least(function: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some calls, after one to warm up."""
    function()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return min(found)


def brute_nearest(means: Tensor, rows: int = 1024) -> Tensor:
    """(N, K) by all distances, the way of pytorch3d's knn_points."""
    parts = [torch.cdist(part, means).topk(K, largest=False).indices for part in means.split(rows)]
    return torch.cat(parts)


def plain_terms(g: Gaussians, points: Tensor, owners: Tensor, neighbours: Tensor) -> Tensor:
    """Both losses as one writes them down: matrices gathered for each point and neighbour."""
    ids = neighbours[owners]
    turns, scales, opacities = g.rotations(), g.log_scales.exp(), g.opacity_logits.sigmoid()
    inverse = turns / scales[:, None, :]
    apart = points[:, None] - g.means[ids]
    white = (inverse[ids].transpose(-1, -2) @ apart[..., None])[..., 0]
    each = opacities[ids] * torch.exp(-0.5 * white.square().sum(-1))
    thin, axis = scales.min(1)
    normals = turns.gather(2, axis[:, None, None].expand(-1, 3, 1))[..., 0]
    away = ((points - g.means[owners]) * normals[owners]).sum(1)
    loss = (each.sum(1) - torch.exp(-0.5 * (away / thin[ids].mean(1)).square())).abs().mean()
    others, own = normals[ids], normals[owners]
    others = others * (others * own[:, None]).sum(-1, keepdim=True).sign().detach()
    with torch.no_grad():
        weights = each * (apart * others).sum(-1).abs() / thin[ids].clamp_min(1e-6).square()
        weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
    return loss + (own - (weights[..., None] * others).sum(1)).square().sum(1).mean()


@pytest.mark.parametrize(("count", "samples", "pixels"), [(3_000, 20_000, 128), (20_000, 20_000, 400)])
def test_the_parts_of_an_aligned_step(count, samples, pixels):
    """Render, 16 neighbours (each 500th step) and density with its terms, with their derivatives."""
    gaussians, camera = on_torus(count), around(1, pixels)[0]
    generator = torch.Generator().manual_seed(0)
    owners = torch.randint(count, (samples,), generator=generator)
    noise = torch.randn(samples, 3, generator=generator)

    def leaves() -> Gaussians:
        return gaussians.map(lambda t: t.clone().requires_grad_())

    def drawn() -> None:
        render(leaves(), camera).image.square().mean().backward()

    neighbours = nearest(gaussians.means, K)
    slopes = {}

    def ours() -> None:
        g = leaves()
        there = Alignment(Shapes.of(g), points_in(g, owners, noise, 1.5), owners, neighbours, 1.0)
        (there.density_loss() + there.normal_loss()).backward()
        slopes["ours"] = g.means.grad

    def plain() -> None:
        g = leaves()
        plain_terms(g, points_in(g, owners, noise, 1.5), owners, neighbours).backward()
        slopes["plain"] = g.means.grad

    seconds = {
        "render": least(drawn),
        "density": least(ours),
        "16-NN": least(lambda: nearest(gaussians.means, K)),
        "plain density": least(plain),
        "brute 16-NN": least(lambda: brute_nearest(gaussians.means)),
    }
    brute = brute_nearest(gaussians.means)
    assert (brute.sort(1).values == neighbours.sort(1).values).float().mean() > 0.999
    assert (slopes["ours"] - slopes["plain"]).norm() < 1e-3 * slopes["plain"].norm()
    each = {name: 1e3 * value for name, value in seconds.items()}
    step = each["render"] + each["density"] + each["16-NN"] / 500
    print(
        f"\n{count:,} Gaussians, {samples:,} points, {pixels} x {pixels}, {THREADS} threads: a step of {step:.1f} ms = "
        f"render {each['render']:.1f} + density and normals {each['density']:.1f} + 16-NN {each['16-NN']:.1f} / 500; "
        f"{step / each['render']:.1f} times the photometric part. Plain torch: density {each['plain density']:.1f} "
        f"({each['plain density'] / each['density']:.1f} times ours), brute 16-NN {each['brute 16-NN']:.1f} "
        f"({each['brute 16-NN'] / each['16-NN']:.1f} times ours)"
    )
    assert seconds["plain density"] + seconds["brute 16-NN"] > seconds["density"] + seconds["16-NN"]


def test_extraction_of_a_million_points():
    """Diamonds, densities along 2 million rays, crossings; below 60 s on two cores. The mesh is timed beside it."""
    gaussians, cameras = on_torus(20_000), around(32, 400)
    params = SugarParams(surface_points=1_000_000)
    began = time.perf_counter()
    found = level_points(gaussians, cameras, torch.zeros(3), params, Run(), 1.0)
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    surface = surface_through(found, cameras, extent(cameras), params, Run())
    meshed = time.perf_counter() - began
    off = np.abs(Torus().value(found.points)).mean()
    print(
        f"\n{len(found.points):,} points in {seconds:.1f} s, {THREADS} threads, on average {off:.4f} from the torus; "
        f"Poisson mesh of {len(surface.faces):,} triangles in {meshed:.1f} s"
    )
    assert len(found.points) > 900_000
    assert off < 0.02
    assert seconds < 60
