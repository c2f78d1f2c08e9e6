"""The rasteriser of meshes against its plain twin and against ray casting, on one hand in one run."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest
import torch

from engines.blocks.meshes import compiled
from engines.blocks.meshes.rasterising import Edges, Fragments, antialias, interpolate, rasterise
from tests.blocks.meshes import hand

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

THREADS = int(os.environ.get("FIELDWRIGHT_BENCH_THREADS", os.cpu_count() or 1))
SCENES = [(1, 1, 256, 256), (2, 1, 256, 256), (1, 1, 334, 512), (2, 1, 334, 512), (1, 8, 96, 96)]
"""Levels of subdivision (4,630 and 18,514 vertices), views, width and height."""
CHANNELS = 50


@pytest.fixture(autouse=True)
def _threads(_calm):
    torch.set_num_threads(THREADS)


def least(function, times: int = 7) -> float:
    """Milliseconds of the fastest of some calls, after one to warm up."""
    function()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return 1e3 * min(found)


def by_open3d(level: int, count: int, width: int, height: int):
    """Cast the rays; the tree has to be built anew for each pose, which is timed beside it."""
    import open3d as o3d

    vertices, faces = hand.mesh(level)
    rays: list[np.ndarray] = []
    for camera in hand.cameras(count, width, height):
        directions, _ = camera.rays()
        origins = np.broadcast_to(camera.centre, directions.shape)
        rays.append(np.concatenate([origins, directions], axis=2, dtype=np.float32))
    tensor = o3d.core.Tensor.from_numpy
    given, corners, triangles = (
        tensor(np.stack(rays)),
        tensor(vertices.astype(np.float32)),
        tensor(faces.astype(np.uint32)),
    )

    def scene():
        made = o3d.t.geometry.RaycastingScene(nthreads=THREADS)
        made.add_triangles(corners, triangles)
        return made

    ready = scene()
    cast = least(lambda: ready.cast_rays(given, nthreads=THREADS))
    return cast, least(lambda: scene().cast_rays(given, nthreads=THREADS))


def stages(points, faces, lenses, width, height) -> dict[str, float]:
    """Milliseconds of each, the way that serves now."""
    moving = points.clone().requires_grad_()
    seen = rasterise(moving, faces, lenses, width, height)
    pixels, adjoints = seen.covered(), [torch.ones_like(seen.barycentrics), torch.ones_like(seen.depths)]
    weights = seen.barycentrics.detach().requires_grad_()
    values = torch.randn(len(points[0]), CHANNELS, requires_grad=True)
    fixed = Fragments(seen.triangles, weights, seen.depths.detach())
    drawn = interpolate(values, faces, fixed, pixels)
    adjoint, shown = torch.randn_like(drawn), [seen.barycentrics, seen.depths]
    measured = {
        "triangles": lambda: rasterise(points, faces, lenses, width, height),
        "slopes by points": lambda: torch.autograd.grad(shown, [moving], adjoints, retain_graph=True),
        f"{CHANNELS} channels": lambda: interpolate(values, faces, fixed, pixels),
        "slopes by channels": lambda: torch.autograd.grad(drawn, [values, weights], adjoint, retain_graph=True),
    }
    return {name: least(function) for name, function in measured.items()}


@pytest.mark.parametrize(("level", "count", "width", "height"), SCENES)
def test_against_the_twin_and_ray_casting(level, count, width, height, monkeypatch):
    if compiled.library() is None:
        pytest.skip("the compiled rasteriser was not built")
    scene = hand.views(level, count, width, height)
    points, faces, lenses = scene
    seen, edges = rasterise(*scene, width, height), Edges.of(faces)
    mask = seen.mask[..., None].float()
    ours = stages(*scene, width, height)
    smooth = least(lambda: antialias(mask, seen, points, faces, lenses, edges=edges))
    cast, built_and_cast = by_open3d(level, count, width, height)
    monkeypatch.setattr(compiled, "serves", lambda *tensors: False)
    twin = stages(*scene, width, height)
    once = ours["triangles"]
    print(f"\n{len(points[0]):,} vertices, {count} x {width} x {height}, {int(mask.sum()):,} pixels, {THREADS} threads")
    for name, time_of in ours.items():
        print(f"  {name:20} {time_of:7.2f} ms; twin {twin[name]:8.2f} ms, {twin[name] / time_of:5.1f} x")
    print(f"  {'silhouettes':20} {smooth:7.2f} ms")
    print(f"  {'rays by Open3D':20} {cast:7.2f} ms, {cast / once:5.1f} x", end="; ")
    print(f"with a tree for this pose {built_and_cast:.2f} ms, {built_and_cast / once:.1f} x")
    assert once < twin["triangles"]
    assert once < built_and_cast
