"""Sheet 30, acceptance 1 to 3: the terms that pull Gaussians onto a surface, against closed forms and autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.quaternions import rotation_matrices
from engines.blocks.splatting import Gaussians, render
from engines.blocks.splatting.density import Shapes, density, density_along, density_slope, nearest
from engines.blocks.splatting.surface_alignment import (
    Alignment,
    clipped,
    depth_under,
    distance_of,
    entropy,
    near_depth,
    points_in,
)
from engines.core import UserError

K = 16
NAMES = ("means", "quaternions", "log_scales", "opacity_logits")


def random_cloud(seed: int, count: int = 200) -> Gaussians:
    rng = np.random.default_rng(seed)
    values = (
        rng.uniform(-0.5, 0.5, (count, 3)),
        rng.normal(size=(count, 4)),
        rng.uniform(math.log(0.02), math.log(0.15), (count, 3)),
        rng.normal(0.5, 1.5, count),
        rng.normal(0, 0.3, (count, 1, 3)),
    )
    return Gaussians(*(torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in values))


def flat_sheet(size: int, spacing: float, thickness: float, opacity: float) -> Gaussians:
    """A lattice of (2 size + 1)^2 flat Gaussians in the plane z = 0, half a spacing wide."""
    at = spacing * torch.arange(-size, size + 1, dtype=torch.float64)
    x, y = torch.meshgrid(at, at, indexing="ij")
    means = torch.stack([x.ravel(), y.ravel(), torch.zeros_like(x.ravel())], dim=1)
    count = len(means)
    return Gaussians(
        means,
        torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).repeat(count, 1),
        torch.tensor([spacing / 2, spacing / 2, thickness], dtype=torch.float64).log().repeat(count, 1),
        torch.full((count,), math.log(opacity / (1 - opacity)), dtype=torch.float64),
        torch.zeros(count, 1, 3, dtype=torch.float64),
    )


def test_the_distance_of_one_flat_opaque_gaussian_is_the_distance_from_its_plane():
    s = 0.05
    one = flat_sheet(0, 1.0, s, 0.5)
    one = Gaussians(
        one.means, one.quaternions, one.log_scales, torch.full((1,), torch.inf, dtype=torch.float64), one.sh
    )
    z = torch.linspace(-5, 5, 101, dtype=torch.float64) * s
    points = torch.stack([torch.zeros_like(z), torch.zeros_like(z), z], dim=1)
    near = Shapes.of(one).at(torch.zeros(len(z), 1, dtype=torch.int64))
    found = distance_of(density(points, near), near.thinnest.mean(1))
    torch.testing.assert_close(found, z.abs(), rtol=1e-6, atol=1e-12)


def test_where_the_density_is_one_or_more_it_is_one_with_the_slope_of_its_logarithm():
    d = torch.tensor([0.3, 1.0, 1.7, 40.0, 0.0], dtype=torch.float64, requires_grad=True)
    value = clipped(d)
    assert value.tolist() == [0.3, 1.0, 1.0, 1.0, 1e-16]
    value.sum().backward()
    np.testing.assert_allclose(d.grad.numpy(), [1, 1 / 1.0, 1 / 1.7, 1 / 40, 0], rtol=1e-12)
    d = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    distance_of(d, torch.ones(2, dtype=torch.float64)).sum().backward()
    assert torch.isfinite(d.grad).all()
    assert (d.grad < 0).all(), "more density must still mean nearer"


def test_the_level_over_a_lattice_of_flat_gaussians():
    h, s, a, level = 0.2, 0.01, 0.8, 0.3
    sheet = flat_sheet(12, h, s, a)
    shapes = Shapes.of(sheet)
    middle = len(sheet) // 2
    everything = torch.arange(len(sheet))[None]
    assert sum(math.exp(-2 * j * j) for j in range(-9, 10)) ** 2 == pytest.approx(1.616309, abs=1e-6)
    some = nearest(sheet.means, K)[middle][None]
    # Of the 16 nearest, 13 have no rival; the last three of eight at distance sqrt(5) weigh 3 exp(-10) at the node.
    assert float(density(sheet.means[middle][None], shapes.at(some))) / a == pytest.approx(1.616082, abs=1e-6)
    for ids, expected in ((everything, 1.616309), (some, 1.616082)):
        z = s * math.sqrt(2 * math.log(a * expected / level))
        point = sheet.means[middle][None] + torch.tensor([[0.0, 0.0, z]], dtype=torch.float64)
        assert float(density(point, shapes.at(ids))) == pytest.approx(level, rel=1e-5)
    # At the middle of a cell it depends on which three of the eight are kept: 1.512076 with those farthest from it.
    corner = sheet.means[middle][None] + torch.tensor([[h / 2, h / 2, 0.0]], dtype=torch.float64)
    found = float(density(corner, shapes.at(some))) / a
    lattice = (sheet.means[some[0], :2] / h).round().numpy()
    assert found == pytest.approx(float(np.exp(-2 * ((lattice - 0.5) ** 2).sum(1)).sum()), abs=1e-9)
    assert 1.512076 - 1e-6 < found < 1.525673 + 1e-6


def test_density_and_its_slope_against_autograd_over_a_sum_in_full():
    cloud = random_cloud(0)
    ids = nearest(cloud.means, K)
    brute = torch.cdist(cloud.means, cloud.means).topk(K, largest=False).indices
    assert all(set(a) == set(b) for a, b in zip(ids.tolist(), brute.tolist(), strict=True))
    owners = torch.arange(200)
    rng = np.random.default_rng(1)
    points = (cloud.means + torch.tensor(rng.normal(0, 0.05, (200, 3)))).detach().requires_grad_()
    turns, scales = rotation_matrices(cloud.quaternions), cloud.log_scales.exp()
    covariances = turns @ torch.diag_embed(scales**2) @ turns.transpose(1, 2)
    apart = points[:, None] - cloud.means[brute]
    squares = torch.einsum("pki,pkij,pkj->pk", apart, torch.linalg.inv(covariances)[brute], apart)
    expected = (cloud.opacity_logits.sigmoid()[brute] * torch.exp(-0.5 * squares)).sum(1)
    near = Shapes.of(cloud).at(ids[owners])
    torch.testing.assert_close(density(points, near), expected, rtol=1e-9, atol=1e-12)
    (slope,) = torch.autograd.grad(expected.sum(), points, retain_graph=True)
    torch.testing.assert_close(density_slope(points, near), slope, rtol=1e-8, atol=1e-10)
    ours = torch.autograd.grad(density(points, near).square().sum(), [getattr(cloud, n) for n in NAMES])
    theirs = torch.autograd.grad(expected.square().sum(), [getattr(cloud, n) for n in NAMES])
    for name, one, other in zip(NAMES, ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10, msg=name)


def test_density_along_rays_is_that_at_their_points():
    cloud = random_cloud(2)
    near = Shapes.of(cloud).at(nearest(cloud.means, K)[:50])
    rng = np.random.default_rng(0)
    ways = torch.nn.functional.normalize(torch.tensor(rng.normal(size=(50, 3))), dim=1)
    steps = torch.linspace(-0.2, 0.2, 7, dtype=torch.float64).expand(50, 7)
    found = density_along(cloud.means[:50], ways, steps, near)
    for i in range(7):
        expected = density(cloud.means[:50] + steps[:, i, None] * ways, near)
        torch.testing.assert_close(found[:, i], expected, rtol=1e-8, atol=1e-12)


class Reference:
    """All of it once more, one point after the other, by the formulas of the sheet."""

    def __init__(self, cloud: Gaussians, points: torch.Tensor, owners: torch.Tensor, phi: float) -> None:
        turns, scales = rotation_matrices(cloud.quaternions), cloud.log_scales.exp()
        opacities = cloud.opacity_logits.sigmoid()
        self.d, self.beta, self.away, normal_terms = [], [], [], []
        for p, g in zip(points, owners.tolist(), strict=True):
            near = (cloud.means - cloud.means[g]).norm(dim=1).topk(K, largest=False).indices.tolist()
            d, thin, normals, weights = 0.0, [], [], []
            n_g = turns[g][:, int(scales[g].argmin())]
            for k in near:
                y = torch.diag(1 / scales[k]) @ turns[k].T @ (p - cloud.means[k])
                part = phi * opacities[k] * torch.exp(-0.5 * y @ y)
                s_k, n_k = scales[k].min(), turns[k][:, int(scales[k].argmin())]
                n_k = n_k * torch.sign(n_k @ n_g).detach()
                weight = part * ((p - cloud.means[k]) @ n_k).abs() / s_k.clamp_min(1e-6) ** 2
                d, thin = d + part, [*thin, s_k]
                normals, weights = [*normals, n_k], [*weights, weight.detach()]
            w = torch.stack(weights) / torch.stack(weights).sum()
            normal_terms.append((n_g - (w[:, None] * torch.stack(normals)).sum(0)).square().sum())
            self.d.append(d)
            self.beta.append(torch.stack(thin).mean())
            self.away.append((p - cloud.means[g]) @ n_g)
        self.d, self.beta, self.away = (torch.stack(x) for x in (self.d, self.beta, self.away))
        self.normal_loss = torch.stack(normal_terms).mean()
        self.density_loss = (self.d - torch.exp(-(self.away**2) / (2 * self.beta**2))).abs().mean()


def between_pixels(points: torch.Tensor, depth: torch.Tensor, camera: Camera) -> torch.Tensor:
    """The depth map (H, W) at the pixels of points (P, 3), minus their own z (P,); one point after the other."""
    found = []
    for p in points:
        x, y, z = torch.tensor(camera.rotation) @ p + torch.tensor(camera.translation)
        u = (x / z * camera.fx + camera.cx - 0.5).clamp(0, camera.width - 1)
        v = (y / z * camera.fy + camera.cy - 0.5).clamp(0, camera.height - 1)
        i, j = min(int(u), camera.width - 2), min(int(v), camera.height - 2)
        a, b = u - i, v - j
        (one, two), (three, four) = depth[j : j + 2, i : i + 2]
        found.append((1 - b) * ((1 - a) * one + a * two) + b * ((1 - a) * three + a * four) - z)
    return torch.stack(found)


@pytest.mark.parametrize("term", ["density_loss", "sdf_loss", "normal_loss"])
def test_each_loss_and_its_derivatives_against_the_formulas(term):
    cloud = random_cloud(3)
    rng = np.random.default_rng(4)
    owners = torch.from_numpy(rng.integers(0, 200, 60))
    phi = 1 / 16 if term == "sdf_loss" else 1.0
    points = points_in(cloud, owners, torch.tensor(rng.normal(size=(60, 3))), 1.5)
    camera = Camera(look_at([0.3, -2.5, 0.8], [0, 0, 0]), 60.0, 70.0, 31.0, 25.0, 64, 48)
    extent = 1.3
    ours = Alignment(Shapes.of(cloud), points, owners, nearest(cloud.means, K), phi)
    theirs = Reference(cloud, points, owners, phi)
    torch.testing.assert_close(ours.beta, theirs.beta)
    if term == "sdf_loss":
        depth = 2.5 + 0.1 * torch.sin(torch.arange(48 * 64, dtype=torch.float64)).reshape(48, 64).requires_grad_()
        found = ours.sdf_loss(depth, camera, extent)
        f = theirs.beta * torch.sqrt(-2 * theirs.d.log())
        assert (theirs.d < 0.99).all()
        expected = ((f - between_pixels(points, depth, camera).abs()).abs() / (extent / 10)).clamp_max(10 * extent)
        expected = expected.mean()
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    else:
        found, expected, depth = getattr(ours, term)(), getattr(theirs, term), cloud.means
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    used = [getattr(cloud, n) for n in NAMES] + [depth]
    slopes = [
        torch.autograd.grad(value, used, retain_graph=True, allow_unused=True, materialize_grads=True)
        for value in (found, expected)
    ]
    if term == "sdf_loss":
        assert slopes[0][-1].abs().sum() > 0, "the depth map must learn too"
    for one, other in zip(*slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)


def thickness_slope(term: str, thickness: float) -> float:
    """d loss / d ln s for a flat sheet of which all Gaussians grow thicker together, s their thickness."""
    grow = torch.zeros((), dtype=torch.float64, requires_grad=True)
    sheet = flat_sheet(6, 0.2, thickness, 0.95)
    sheet = Gaussians(
        sheet.means, sheet.quaternions, sheet.log_scales + torch.tensor([0.0, 0.0, 1.0]) * grow, sheet.opacity_logits,
        sheet.sh,
    )  # fmt: skip
    owners = torch.arange(len(sheet)).repeat(20)
    noise = torch.randn(len(owners), 3, generator=torch.Generator().manual_seed(0)).double()
    points = points_in(sheet, owners, noise, 1.5)
    phi = 1.0 if term == "density" else 1 / K
    there = Alignment(Shapes.of(sheet), points, owners, nearest(sheet.means, K), phi)
    if term == "density":
        loss = there.density_loss()
    else:
        above = Camera(look_at([0, 0, 4], [0, 0, 0]), 40.0, 40.0, 32.0, 32.0, 64, 64)
        loss = there.sdf_loss(torch.full((64, 64), 4.0, dtype=torch.float64), above, 1.0)
    return float(torch.autograd.grad(loss, grow)[0])


@pytest.mark.parametrize("thickness", [0.01, 0.04])
def test_only_the_distance_term_flattens_a_sheet(thickness):
    """d and d_bar depend on z / s alone, and points are drawn at z ~ s: the density term does not know thick from thin.

    The distance term does: it is a length, and falls with s.
    """
    assert abs(thickness_slope("density", thickness)) < 1e-12
    assert thickness_slope("sdf", thickness) > 0.1 * thickness


def test_normals_alone_are_turned_by_the_normal_term():
    cloud = random_cloud(5)
    owners = torch.arange(200)
    points = points_in(cloud, owners, torch.randn(200, 3, generator=torch.Generator().manual_seed(0)).double(), 1.5)
    Alignment(Shapes.of(cloud), points, owners, nearest(cloud.means, K), 1.0).normal_loss().backward()
    assert cloud.quaternions.grad.abs().sum() > 0
    for name in ("means", "log_scales", "opacity_logits"):
        slope = getattr(cloud, name).grad
        assert slope is None or not slope.any(), name


def test_entropy_in_closed_form():
    assert float(entropy(torch.tensor([0.5], dtype=torch.float64))) == pytest.approx(math.log(2), abs=1e-9)
    assert float(entropy(torch.tensor([0.0, 1.0], dtype=torch.float64))) == pytest.approx(0, abs=1e-9)
    a = torch.tensor([0.2, 0.7], dtype=torch.float64, requires_grad=True)
    entropy(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [math.log(0.8 / 0.2) / 2, math.log(0.3 / 0.7) / 2], rtol=1e-7)


def test_points_are_spread_as_the_gaussian_is():
    cloud = random_cloud(6, 1)
    noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = points_in(cloud, torch.zeros(len(noise), dtype=torch.int64), noise, 1.5).detach()
    turn, scale = rotation_matrices(cloud.quaternions)[0].detach(), cloud.log_scales.exp()[0].detach()
    expected = 2.25 * turn @ torch.diag(scale**2) @ turn.T
    found = torch.cov(points.T)
    assert (found - expected).norm() / expected.norm() < 0.02
    torch.testing.assert_close(points.mean(0), cloud.means[0].detach(), rtol=0, atol=2e-3)


def test_the_depth_map_is_read_between_pixels_and_gaussians_far_from_it_are_told():
    camera = Camera(look_at([0, -3, 0], [0, 0, 0]), 50.0, 50.0, 16.0, 16.0, 32, 32)
    ramp = (torch.arange(32, dtype=torch.float64) + 0.5).expand(32, 32)  # its value is the pixel's u
    points = torch.tensor([[0.0, 0.0, 0.0], [0.31, 0.0, 0.2], [0.0, 0.5, -0.4]], dtype=torch.float64)
    found, z = depth_under(points, ramp, camera)
    pixels, depths = camera.pixels(points.numpy())
    np.testing.assert_allclose(found.numpy(), pixels[:, 0], atol=1e-9)
    np.testing.assert_allclose(z.numpy(), depths, atol=1e-12)
    sheet = flat_sheet(0, 0.2, 0.1, 0.5)  # 0.1 wide along y, the view ray
    flat = torch.full((32, 32), 3.0, dtype=torch.float64)
    for shift, kept in ((0.0, True), (0.19, True), (0.21, False), (-0.21, False)):
        moved = Gaussians(
            sheet.means + torch.tensor([0.0, shift, 0.0]), sheet.quaternions, sheet.log_scales, sheet.opacity_logits,
            sheet.sh,
        )  # fmt: skip
        assert bool(near_depth(moved, flat, camera, 2.0)[0]) is kept


def test_a_surface_that_is_pushed_off_comes_back():
    """Ten steps of each term lower it: all signs are right."""
    for term in ("density_loss", "normal_loss"):
        cloud = random_cloud(7)
        adam = torch.optim.Adam([getattr(cloud, n) for n in NAMES], lr=3e-3)
        values = []
        for step in range(15):
            owners = torch.arange(200)
            noise = torch.randn(200, 3, generator=torch.Generator().manual_seed(step % 3)).double()
            points = points_in(cloud, owners, noise, 1.5)
            found = getattr(Alignment(Shapes.of(cloud), points, owners, nearest(cloud.means, K), 1.0), term)()
            values.append(float(found.detach()))
            adam.zero_grad()
            found.backward()
            adam.step()
        assert np.mean(values[-3:]) < 0.9 * np.mean(values[:3]), term


def test_too_few_gaussians_and_copies_in_one_place_are_refused():
    with pytest.raises(UserError, match="16 Gaussians; 16 neighbours"):
        nearest(torch.rand(16, 3), 16)
    with pytest.raises(UserError, match="share their centre"):
        nearest(torch.cat([torch.rand(20, 3), torch.zeros(20, 3)]), 16)


def test_rendered_depth_learns_too():
    """The blended depth of the renderer carries derivatives to the means: the sdf mode relies on it."""
    cloud = random_cloud(8).map(lambda t: t.detach().float().requires_grad_())
    camera = Camera(look_at([0, -3, 0], [0, 0, 0]), 50.0, 50.0, 16.0, 16.0, 32, 32)
    found = render(cloud, camera, with_depth=True)
    found.depth.sum().backward()
    assert cloud.means.grad[:, 1].abs().sum() > 0
