"""The rasteriser of meshes against ray casting, its plain twin, closed forms and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from engines.blocks.meshes import compiled, rasterising, rasterising_twin
from engines.blocks.meshes.rasterising import Fragments, interpolate, rasterise
from engines.blocks.ray_casting import RayCaster
from engines.core import UserError
from tests.blocks.meshes import hand

needs_library = pytest.mark.skipif(compiled.library() is None, reason="the compiled rasteriser was not built")
WAYS = [pytest.param("compiled", marks=needs_library), "twin"]


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """Each way of doing it in turn."""
    if request.param == "twin":
        monkeypatch.setattr(compiled, "serves", lambda *tensors: False)
    return request.param


@pytest.fixture
def by_twin(monkeypatch):
    """From here on the plain twin serves."""
    return lambda: monkeypatch.setattr(compiled, "serves", lambda *tensors: False)


LENS = torch.tensor([[8.0, 8.0, 8.0, 8.0]], dtype=torch.float64)
"""16 x 16 pixels; at a depth of 8 a pixel is a unit wide."""


def at_pixels(corners: list[tuple[float, float]], depth: float = 8.0) -> torch.Tensor:
    """Points (1, V, 3) that are seen by ``LENS`` at these places of the picture."""
    xy = (torch.tensor(corners, dtype=torch.float32) - 8) * (depth / 8)
    return torch.cat([xy, torch.full((len(corners), 1), depth)], dim=1)[None]


def parts(fragments: Fragments) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return fragments.triangles, fragments.barycentrics, fragments.depths


def test_triangles_and_barycentrics_against_ray_casting():
    width, height = 150, 130
    vertices, faces = hand.mesh(1)
    assert len(vertices) == 4630
    found = rasterise(*hand.views(1, 3, width, height), width, height)
    caster = RayCaster(vertices, faces)
    for view, camera in enumerate(hand.cameras(3, width, height)):
        directions, steps = camera.rays()
        hits = caster.first(np.broadcast_to(camera.centre, (width * height, 3)), directions.reshape(-1, 3))
        ids = found.triangles[view].numpy().ravel()
        same = ids == hits.faces
        assert same.mean() >= 0.998
        inside = same & (ids >= 0)
        assert inside.sum() > 1500
        assert same[(ids >= 0) | (hits.faces >= 0)].mean() >= 0.998
        weights = found.barycentrics[view].numpy().reshape(-1, 3)
        assert np.abs(weights - hits.weights)[inside].max() < 5e-3
        assert np.abs(weights - hits.weights)[inside].mean() < 1e-4
        depths = (hits.along * steps.ravel())[inside]
        assert np.abs(found.depths[view].numpy().ravel()[inside] - depths).max() < 1e-5


@needs_library
@pytest.mark.parametrize("levels", [0, 2])
def test_the_library_and_the_twin_see_the_same(levels, by_twin):
    points, faces, lenses = hand.views(levels, 2, 97, 61)
    points.requires_grad_()
    exact = points.detach().double().requires_grad_()
    rng = np.random.default_rng(levels)
    adjoints = [torch.tensor(rng.normal(size=(2, 61, 97, 3))), torch.tensor(rng.normal(size=(2, 61, 97)))]
    found = rasterise(points, faces, lenses, 97, 61)
    torch.autograd.backward(parts(found)[1:], [a.float() for a in adjoints])
    by_twin()
    other = rasterise(exact, faces, lenses, 97, 61)
    assert torch.equal(found.triangles, other.triangles)
    assert (found.barycentrics - other.barycentrics).abs().max() < 1e-6
    assert (found.depths - other.depths).abs().max() < 1e-6
    torch.autograd.backward(parts(other)[1:], adjoints)
    assert (points.grad - exact.grad).norm() < 1e-5 * exact.grad.norm()
    short = rasterise(points.detach(), faces, lenses, 97, 61)
    assert torch.equal(short.triangles, found.triangles)
    assert (short.barycentrics - found.barycentrics).abs().max() < 1e-3


@needs_library
@pytest.mark.parametrize("per_view", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 21])
def test_attributes_at_the_pixels(per_view, channels, by_twin):
    points, faces, lenses = hand.views(0, 2, 60, 50)
    seen = rasterise(points, faces, lenses, 60, 50)
    rng = np.random.default_rng(channels)
    values = rng.normal(size=(2, len(points[0]), channels) if per_view else (len(points[0]), channels))
    adjoint = torch.tensor(rng.normal(size=(2, 50, 60, channels)))
    pixels = seen.covered()
    assert len(pixels) == int(seen.mask.sum())

    def derived(dtype, chosen):
        attributes = torch.tensor(values, dtype=dtype, requires_grad=True)
        weights = seen.barycentrics.detach().to(dtype).requires_grad_()
        image = interpolate(attributes, faces, Fragments(seen.triangles, weights, seen.depths), chosen)
        given = adjoint if chosen is None else adjoint.reshape(-1, channels)[chosen]
        image.backward(given.to(dtype))
        return image.detach(), attributes.grad, weights.grad

    found = [derived(torch.float32, chosen) for chosen in (None, pixels)]
    by_twin()
    exact = [derived(torch.float64, chosen) for chosen in (None, pixels)]
    assert exact[0][0].shape == (2, 50, 60, channels)
    assert not exact[0][0][~seen.mask].any()
    assert torch.equal(seen.picture(found[1][0], pixels), found[0][0])
    for one, other in zip(found, exact, strict=True):
        for short, long in zip(one, other, strict=True):
            assert (short - long).norm() < 1e-6 * long.norm()
    for short, long in zip(found[0][1:], found[1][1:], strict=True):
        assert torch.equal(short, long)


def test_no_pixel_of_a_common_edge_is_drawn_twice_or_missed(way):
    """A fan whose corners and many of whose edges lie at centres of pixels."""
    around = [(3, 1), (8, 1), (14, 1), (14, 5), (14, 8), (14, 13), (9, 13), (8, 13), (2, 13), (2, 8), (2, 6), (2, 1)]
    points = at_pixels([(8.5, 8.5), *((x + 0.5, y + 0.5) for x, y in around)])
    count = len(around)
    faces = [(0, 1 + i, 1 + (i + 1) % count) if i % 2 else (1 + (i + 1) % count, 1 + i, 0) for i in range(count)]
    drawn = [rasterise(points, torch.tensor([face]), LENS, 16, 16).mask.int() for face in faces]
    covered = torch.stack(drawn).sum(0)[0]
    assert torch.all(covered[1:13, 2:14] == 1)  # the upper and left borders belong to the fan, the others do not
    assert covered.sum() == 12 * 12
    together = rasterise(points, torch.tensor(faces), LENS, 16, 16)
    assert torch.equal(together.mask[0].int(), covered)


def test_a_wide_sliver_and_a_large_triangle(way):
    """Against the sign of the edges in exact arithmetic: quarters of pixels are exact."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        corners = rng.integers(-100, 164, (3, 2)) / 4
        found = rasterise(at_pixels(corners.tolist()), torch.tensor([[0, 1, 2]]), LENS, 16, 16)
        x, y = np.meshgrid(np.arange(16) + 0.5, np.arange(16) + 0.5)
        after = np.roll(corners, -1, 0)
        edges = [(bx - ax) * (y - ay) - (by - ay) * (x - ax) for (ax, ay), (bx, by) in zip(corners, after, strict=True)]
        low, high = np.min(edges, 0), np.max(edges, 0)
        mask = found.mask[0].numpy()
        assert np.all(mask[(low > 0) | (high < 0)])
        assert not mask[(low < 0) & (high > 0)].any()


def test_of_equal_depths_the_first_triangle_is_seen(way):
    points = at_pixels([(1, 1), (15, 1), (1, 15)])
    for faces in ([[0, 1, 2], [1, 0, 2]], [[1, 2, 0], [0, 1, 2], [2, 0, 1]]):
        assert rasterise(points, torch.tensor(faces), LENS, 16, 16).triangles.max() == 0


def test_a_plane_that_runs_below_and_behind_the_camera(way):
    """y = 1, far corners on both sides of the camera: hit at depth 1 / d_y, if that is beyond the near plane."""
    points = torch.tensor([[[-500.0, 1, -300], [400, 1, -200], [30, 1, 900]]], requires_grad=True)
    lens = torch.tensor([[20.0, 20, 30, 10]], dtype=torch.float64)
    found = rasterise(points, torch.tensor([[0, 1, 2]]), lens, 60, 40, near=0.8)
    d = ((torch.arange(40) + 0.5 - 10) / 20).double()[:, None].expand(40, 60)
    depths = torch.where(d > 0, 1 / d, 0)
    inside = found.mask[0]
    assert torch.equal(inside, (depths >= 0.8) & inside)
    assert torch.equal(inside[12:35, 20:40], (depths >= 0.8)[12:35, 20:40])  # the corners are beside this part
    assert (found.depths[0] / depths - 1)[inside].abs().max() < 1e-4
    assert (found.barycentrics[0].sum(-1) - 1)[inside].abs().max() < 1e-6
    places = interpolate(points[0].detach(), torch.tensor([[0, 1, 2]]), found)[0]
    across = ((torch.arange(60) + 0.5 - 30) / 20)[None, :] * found.depths[0]
    assert (places[..., 0] - across)[inside].abs().max() < 2e-3
    found.depths.sum().backward()
    assert torch.isfinite(points.grad).all()
    turned = points.detach() * torch.tensor([1.0, 1, -1]) - torch.tensor([0, 0, 1e3])
    behind = rasterise(turned, torch.tensor([[0, 1, 2]]), lens, 60, 40)
    assert not behind.mask.any()


def test_triangles_without_an_area_are_not_drawn(way):
    points = at_pixels([(1, 1), (15, 15), (8, 8), (15, 1)])
    points = torch.cat([points, points[:, :1] * 2, points[:, 1:2] * 3], dim=1).requires_grad_()
    faces = torch.tensor([[0, 1, 2], [0, 0, 3], [2, 2, 2], [0, 1, 4], [0, 1, 5]])  # the last two are seen edge-on
    found = rasterise(points, faces, LENS, 16, 16)
    assert not found.mask.any()
    (found.depths.sum() + found.barycentrics.sum()).backward()
    assert not points.grad.any()
    mixed = rasterise(points, torch.cat([faces, torch.tensor([[0, 1, 3]])]), LENS, 16, 16)
    assert set(mixed.triangles.unique().tolist()) == {-1, 5}


def test_a_view_of_nothing(way):
    points, faces, lenses = hand.views(0, 1, 40, 30)
    attributes = torch.ones(len(points[0]), 2, requires_grad=True)
    empty = faces[:0]
    for p, f in (
        (points + torch.tensor([9.0, 0, 0]), faces),
        (-points, faces),
        (points, empty),
        (points[:, :0], empty),
    ):
        p = p.requires_grad_() if p.is_leaf else p.detach().requires_grad_()
        found = rasterise(p, f, lenses, 40, 30)
        assert not found.mask.any()
        assert not found.barycentrics.any()
        assert len(found.covered()) == 0
        image = interpolate(attributes[: p.shape[1]], f, found)
        assert image.shape == (1, 30, 40, 2)
        assert not image.any()
        (image.sum() + found.depths.sum()).backward()
        assert not p.grad.any()
        assert interpolate(attributes, f, found, found.covered()).shape == (0, 2)


def test_what_is_refused(way):
    points, faces, lenses = hand.views(0, 1, 40, 30)
    for bad in (float("nan"), float("inf")):
        broken = points.clone()
        broken[0, 17, 1] = bad
        with pytest.raises(UserError, match="not finite"):
            rasterise(broken, faces, lenses, 40, 30)
    for index in (-1, len(points[0])):
        broken_faces = faces.clone()
        broken_faces[5, 2] = index
        with pytest.raises(ValueError, match="does not exist"):
            rasterise(points, broken_faces, lenses, 40, 30)
    for wrong in ((points[0], faces, lenses), (points, faces[:, :2], lenses), (points, faces, lenses[:, :3])):
        with pytest.raises(ValueError, match="are wanted"):
            rasterise(*wrong, 40, 30)
    with pytest.raises(ValueError, match="positive"):
        rasterise(points, faces, lenses, 40, 30, near=0.0)
    with pytest.raises(ValueError, match="are wanted"):
        interpolate(torch.ones(2, len(points[0]), 3), faces, rasterise(points, faces, lenses, 40, 30))


@needs_library
def test_the_same_bits_with_any_number_of_threads():
    points, faces, lenses = hand.views(1, 2, 90, 70)
    values = torch.tensor(np.random.default_rng(0).normal(size=(len(points[0]), 37)), dtype=torch.float32)

    def results(threads: int) -> list[torch.Tensor]:
        torch.set_num_threads(threads)
        given, attributes = points.clone().requires_grad_(), values.clone().requires_grad_()
        found = rasterise(given, faces, lenses, 90, 70)
        image = interpolate(attributes, faces, found)
        ((image**2).sum() + found.depths.sum()).backward()
        return [*parts(found), image, given.grad, attributes.grad]

    alone = results(1)
    for threads in (2, 3, 7):
        for one, other in zip(alone, results(threads), strict=True):
            assert torch.equal(one, other)


def test_several_views_at_once_are_each_alone(way):
    points, faces, lenses = hand.views(0, 3, 50, 40)
    lenses[1, :2] *= 1.3
    given = points.clone().requires_grad_()
    together = rasterise(given, faces, lenses, 50, 40)
    (together.depths.sum() + together.barycentrics[..., 0].sum()).backward()
    for view in range(3):
        one = points[view : view + 1].clone().requires_grad_()
        alone = rasterise(one, faces, lenses[view : view + 1], 50, 40)
        (alone.depths.sum() + alone.barycentrics[..., 0].sum()).backward()
        for a, b in zip(parts(together), parts(alone), strict=True):
            assert torch.equal(a[view], b[0])
        assert torch.allclose(given.grad[view], one.grad[0], rtol=1e-5, atol=1e-5 * float(one.grad.abs().max()))


def inner(fragments: Fragments) -> torch.Tensor:
    """(B, H, W) bool, pixels whose neighbours within 2 pixels all show about the same depth."""
    depths = fragments.depths.double().numpy()
    wide = (1, 5, 5)
    near, far = ndimage.minimum_filter(depths, wide), ndimage.maximum_filter(depths, wide)
    return torch.tensor((near > 0) & (far - near < 0.01))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_derivative_of_an_image_loss_against_finite_differences(seed):
    """Away from silhouettes, by moves of all points: within 1 %."""
    points, faces, lenses = hand.views(0, 2, 120, 100)
    rng = np.random.default_rng(seed)
    colours = torch.tensor(rng.uniform(size=(len(points[0]), 3)))
    target = torch.tensor(rng.uniform(size=(2, 100, 120, 3)))
    weight = inner(rasterise(points, faces, lenses, 120, 100))[..., None].double()
    assert weight.sum() > 1000

    def loss(given: torch.Tensor) -> torch.Tensor:
        found = rasterise(given, faces, lenses, 120, 100)
        image = interpolate(colours.to(given), faces, found)
        return (weight * (image - target) ** 2).sum() + 20 * (weight[..., 0] * found.depths).sum()

    given = points.clone().requires_grad_()
    loss(given).backward()
    move = torch.tensor(ndimage.gaussian_filter1d(rng.normal(size=points.shape), 2, axis=1))
    step, exact = 1e-7, points.double()
    measured = float(loss(exact + step * move) - loss(exact - step * move)) / (2 * step)
    assert float((given.grad * move).sum()) == pytest.approx(measured, rel=0.01)
    assert abs(measured) > 1


@needs_library
def test_what_does_not_fit_together_is_refused():
    points, faces, lenses = hand.views(0, 1, 40, 30)
    seen = rasterise(points, faces, lenses, 40, 30)
    with pytest.raises(ValueError, match="does not exist"):
        interpolate(points[0, :-9], faces, seen)
    with pytest.raises(ValueError, match="other faces"):
        interpolate(points[0], faces[:5], seen)


def test_the_twin_takes_any_precision():
    points, faces, lenses = hand.views(0, 1, 30, 30, torch.float64)
    assert rasterising.backend(points) is None
    assert rasterise(points, faces, lenses, 30, 30).barycentrics.dtype == torch.float64


def test_parts_of_a_large_picture_are_put_together(monkeypatch):
    points, faces, lenses = hand.views(0, 1, 64, 64, torch.float64)
    whole = rasterise(points, faces, lenses, 64, 64)
    monkeypatch.setattr(rasterising_twin, "AT_ONCE", 500)
    for one, other in zip(parts(whole), parts(rasterise(points, faces, lenses, 64, 64)), strict=True):
        assert torch.equal(one, other)


def test_what_the_user_is_told_without_a_library(monkeypatch):
    monkeypatch.setattr(compiled, "library", lambda: None)
    assert "stand-in" in rasterising.without_fast_rasteriser(torch.device("cpu"))
    assert rasterising.backend(torch.zeros(1)) is None
    assert "meta" in rasterising.without_fast_rasteriser(torch.device("meta"))
