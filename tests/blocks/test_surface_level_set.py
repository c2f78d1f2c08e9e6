"""Depth by diamonds and points on a level of the density, against closed forms (sheet 30, acceptance 2)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.splatting import Gaussians
from engines.blocks.splatting.density import Shapes, density_along, nearest
from engines.blocks.splatting.diamonds import diamond_depth
from engines.blocks.splatting.level_set import level_crossings
from tests.blocks.test_surface_alignment import flat_sheet, random_cloud

CAMERA = Camera(look_at([0.6, -2.8, 0.9], [0, 0, 0]), 60.0, 70.0, 31.0, 25.0, 64, 48)


def by_triangles(gaussians: Gaussians, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's ray against the two triangles of every diamond, one after the other (Möller and Trumbore)."""
    scales, turns = gaussians.log_scales.exp().detach().numpy(), gaussians.rotations().detach().numpy()
    means = gaussians.means.detach().numpy()
    ways, z_of_step = camera.rays()
    depth, owner = np.full(ways.shape[:2], np.inf), np.full(ways.shape[:2], -1)
    for g in range(len(gaussians)):
        big, mid = np.argsort(-scales[g])[:2]
        a, b = 2 * scales[g][big] * turns[g][:, big], 2 * scales[g][mid] * turns[g][:, mid]
        corners = means[g] + np.array([a, b, -a, -b])
        for triangle in (corners[[0, 1, 2]], corners[[0, 2, 3]]):
            e1, e2 = triangle[1] - triangle[0], triangle[2] - triangle[0]
            p = np.cross(ways, e2)
            det = p @ e1
            t = camera.centre - triangle[0]
            u = (p @ t) / det
            q = np.cross(t, e1)
            v = (ways @ q) / det
            at = (q @ e2) / det * z_of_step
            hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (at > 0.01) & (at < depth)
            depth[hit], owner[hit] = at[hit], g
    return depth, owner


@pytest.mark.parametrize("seed", [0, 1])
def test_the_nearest_diamond_at_each_pixel(seed):
    cloud = random_cloud(seed, 150)
    found = diamond_depth(cloud, CAMERA)
    depth, owner = by_triangles(cloud, CAMERA)
    same = found.owner.numpy() == owner
    assert same.mean() > 0.999  # a ray may pass through an edge
    assert 0.15 < (owner >= 0).mean() < 1
    np.testing.assert_allclose(found.depth.numpy()[same], depth[same], rtol=1e-5)


def test_in_small_portions_the_same(monkeypatch):
    from engines.blocks.splatting import diamonds

    cloud = random_cloud(2, 100)
    whole = diamond_depth(cloud, CAMERA)
    monkeypatch.setattr(diamonds, "PAIRS", 50)
    parts = diamond_depth(cloud, CAMERA)
    assert torch.equal(whole.owner, parts.owner)
    assert torch.equal(whole.depth, parts.depth)


def test_what_reaches_behind_the_camera_or_out_of_sight_is_left_out():
    cloud = random_cloud(3, 3).map(torch.Tensor.detach)
    centre = torch.tensor(CAMERA.centre)
    places = torch.stack([centre, centre + 2 * (centre / centre.norm()), torch.tensor([50.0, 0, 0]).double()])
    found = diamond_depth(Gaussians(places, *list(vars(cloud).values())[1:]), CAMERA)
    assert (found.owner == -1).all()
    assert torch.isinf(found.depth).all()


@pytest.mark.parametrize("keep", [16, None])
@pytest.mark.parametrize("level", [0.1, 0.3, 0.5])
def test_rays_cross_the_level_of_a_flat_lattice_where_it_is(keep, level):
    """z* = s sqrt(2 ln(a theta / lambda)); the step between samples is 0.3 sigma."""
    h, s, a = 0.2, 0.01, 0.8
    sheet = flat_sheet(9, h, s, a)
    middle = len(sheet) // 2
    ids = torch.arange(len(sheet)).expand(len(sheet), -1) if keep is None else nearest(sheet.means, keep)
    theta = 1.616309 if keep is None else 1.616082
    hits, ways = sheet.means[middle][None], torch.tensor([[0.0, 0.0, -1.0]], dtype=torch.float64)
    found = level_crossings(sheet, Shapes.of(sheet), ids, hits, ways, torch.tensor([middle]), level)
    z = s * math.sqrt(2 * math.log(a * theta / level))
    assert float(found.points[0, 2]) == pytest.approx(z, abs=0.02 * 0.3 * s)
    np.testing.assert_allclose(found.normals.numpy(), [[0, 0, 1]], atol=2e-2)
    assert float(found.largest[0]) == pytest.approx(1.0)


def test_rays_that_start_inside_or_never_get_in_give_nothing():
    sheet = flat_sheet(3, 0.2, 0.01, 0.8)
    ids = nearest(sheet.means, 16)
    hits = sheet.means[[24, 24]] + torch.tensor([[0, 0, 0], [0, 0, 0.2]])
    ways = torch.tensor([[1.0, 0, 0], [1.0, 0, 0]], dtype=torch.float64)  # along the sheet; and above it
    found = level_crossings(sheet, Shapes.of(sheet), ids, hits, ways, torch.tensor([24, 24]), 0.3)
    assert found.rays.tolist() == [0] or not len(found.rays)
    assert 1 not in found.rays.tolist()
    assert float(found.largest[1]) < 1e-6
    up = level_crossings(
        sheet, Shapes.of(sheet), ids, sheet.means[[24]], torch.tensor([[0.0, 0, 1.0]]).double(), torch.tensor([24]), 0.3
    )
    assert float(up.points[0, 2]) < 0, "the first crossing counts"
    assert float(up.normals[0, 2]) < -0.99, "normals point to lower density"


def test_normals_are_those_of_the_density():
    cloud = random_cloud(4).map(torch.Tensor.detach)
    ids, shapes = nearest(cloud.means, 16), Shapes.of(cloud)
    rng = np.random.default_rng(0)
    ways = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(200, 3))), dim=1)
    owners = torch.arange(200)
    found = level_crossings(cloud, shapes, ids, cloud.means, ways, owners, 0.3)
    assert len(found.rays) > 30
    points = found.points.clone().requires_grad_()
    from engines.blocks.splatting.density import density

    (slope,) = torch.autograd.grad(density(points, shapes.at(ids[found.rays])).sum(), points)
    expected = -torch.nn.functional.normalize(slope, dim=1)
    torch.testing.assert_close(found.normals, expected, rtol=1e-6, atol=1e-8)


def test_very_thin_gaussians_are_met_in_single_precision_too():
    exact = random_cloud(4).map(torch.Tensor.detach)
    thin = exact.log_scales.clone()
    thin[:, 0] = math.log(1e-5)
    exact = Gaussians(**(vars(exact) | {"log_scales": thin}))
    rounded = exact.map(torch.Tensor.float)
    ids = nearest(exact.means, 16)
    ways = torch.tensor(np.random.default_rng(0).normal(size=(len(exact), 3)))
    ways = torch.nn.functional.normalize(ways, dim=1)
    near = Shapes.of(exact).at(ids)
    base = (near.whiten * (exact.means.T[:, :, None] - near.means)).sum(1)
    rate = (near.whiten * ways.T[:, :, None]).sum(1)
    steps = -(base * rate).sum(0) / rate.square().sum(0)  # where the ray comes nearest to each neighbour
    expected = density_along(exact.means, ways, steps, near)
    single = density_along(rounded.means, ways.float(), steps.float(), Shapes.of(rounded).at(ids))
    torch.testing.assert_close(single.double(), expected, rtol=0, atol=1e-3)
