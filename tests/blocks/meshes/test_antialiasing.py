"""Blended silhouettes against covered lengths and areas, supersampling and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.meshes import antialiasing, compiled
from engines.blocks.meshes.rasterising import Edges, antialias, interpolate, rasterise
from tests.blocks.meshes import hand, knot

needs_library = pytest.mark.skipif(compiled.library() is None, reason="the compiled rasteriser was not built")
SIZE = 48
LENS = torch.tensor([[SIZE, SIZE, SIZE / 2, SIZE / 2]], dtype=torch.float64)


def at_pixels(corners, depth: float = 3.0, dtype=torch.float64) -> torch.Tensor:
    """Points (V, 3) that ``LENS`` sees at these places of the picture."""
    places = torch.as_tensor(corners, dtype=dtype)
    xy = (places - SIZE / 2) * (depth / SIZE)
    return torch.cat([xy, torch.full((len(places), 1), depth, dtype=dtype)], dim=1)


def masks(points: torch.Tensor, faces: torch.Tensor, lenses: torch.Tensor, width: int, height: int) -> torch.Tensor:
    found = rasterise(points, faces, lenses, width, height)
    return antialias(found.mask[..., None].to(points), found, points, faces, lenses)[..., 0]


def test_rows_have_the_covered_length():
    """Between two slanted lines, in rows; with x and y exchanged, in columns."""
    corners = torch.tensor([[10.3, -9.0], [30.6, -9.0], [21.7, 60.0], [17.2, 60.0]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    middle = torch.arange(SIZE) + 0.5
    wide = (30.6 - 8.9 * (middle + 9) / 69) - (10.3 + 6.9 * (middle + 9) / 69)
    rows = masks(at_pixels(corners)[None], faces, LENS, SIZE, SIZE)[0]
    columns = masks(at_pixels(corners.flip(1))[None], faces, LENS, SIZE, SIZE)[0]
    assert (rows.sum(1) - wide).abs().max() < 1e-5
    assert (columns.sum(0) - wide).abs().max() < 1e-5
    assert ((rows == 0) | (rows == 1)).all(1).sum() < 3  # the lines do pass beside the centres


def test_the_derivative_of_a_covered_area():
    corners = torch.tensor([[7.2, 9.1], [40.4, 13.3], [20.9, 43.6]], dtype=torch.float64, requires_grad=True)
    masks(at_pixels(corners)[None], torch.tensor([[0, 1, 2]]), LENS, SIZE, SIZE).sum().backward()
    found = corners.grad.clone()
    corners.grad = None
    x, y = corners.unbind(1)
    (0.5 * (x * (y.roll(-1) - y.roll(1))).sum().abs()).backward()
    assert (found - corners.grad).abs().max() < 0.05 * corners.grad.abs().max()  # outlines are sampled once a pixel


def test_a_nearer_surface_before_another():
    """Its border is at x = 20.3: the pixel whose centre is at 20.5 has 0.3 of it, the other surface the rest."""
    points = torch.cat(
        [at_pixels([[-9, -9], [99, -9], [-9, 99]], 5.0), at_pixels([[-50, -99], [20.3, -99], [20.3, 99]])]
    )
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    found = rasterise(points[None], faces, LENS, SIZE, SIZE)
    colours = torch.tensor([[0.0, 4.0], [1.0, 2.0]], dtype=torch.float64)
    image = antialias(colours[found.triangles.long()], found, points[None], faces, LENS)[0]
    row = image[20]
    assert row[19].tolist() == pytest.approx([1, 2])
    assert row[20].tolist() == pytest.approx([0.3, 0.3 * 2 + 0.7 * 4], abs=1e-6)
    assert row[21].tolist() == [0, 4]


def test_nothing_changes_without_a_silhouette():
    ground = at_pixels([[-99, -99], [199, -99], [199, 199], [-99, 199]])[None]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    found = rasterise(ground, faces, LENS, SIZE, SIZE)
    noise = torch.rand(1, SIZE, SIZE, 3, dtype=torch.float64)
    assert torch.equal(antialias(noise, found, ground, faces, LENS), noise)
    empty = rasterise(-ground, faces, LENS, SIZE, SIZE)
    assert torch.equal(antialias(noise, empty, -ground, faces, LENS), noise)
    none = rasterise(ground, faces[:0], LENS, SIZE, SIZE)
    assert torch.equal(antialias(noise, none, ground, faces[:0], LENS), noise)


@pytest.mark.parametrize("levels", [0, 2])
def test_a_hand_against_supersampling(levels):
    """Also where triangles are smaller than pixels."""
    points, faces, lenses = hand.views(levels, 2, 64, 56)
    plain = rasterise(points, faces, lenses, 64, 56).mask.float()
    fine = rasterise(points, faces, lenses * 8, 64 * 8, 56 * 8).mask.float()
    covered = fine.reshape(2, 56, 8, 64, 8).mean((2, 4))
    smooth = masks(points, faces, lenses, 64, 56)
    assert (smooth - covered).square().mean().sqrt() < 0.3 * (plain - covered).square().mean().sqrt()
    assert abs(smooth.sum() / covered.sum() - 1) < 1e-3


def test_a_border_that_passes_the_camera():
    """A strip of ground between two straight lines that end behind the camera: each row has its length."""
    points = torch.tensor([[-0.5, 1, -4], [0.6, 1, -4], [0.6, 1, 900], [-0.5, 1, 900]], dtype=torch.float64)
    points.requires_grad_()
    lens = torch.tensor([[SIZE, SIZE, SIZE / 2, -0.2]], dtype=torch.float64)
    found = masks(points[None], torch.tensor([[0, 1, 2], [0, 2, 3]]), lens, SIZE, SIZE)[0]
    depth = 1 / ((torch.arange(SIZE) + 0.7) / SIZE)
    wide = SIZE * (1.1 / depth)
    assert (found.sum(1) - wide)[2:38].abs().max() < 1e-5  # thinner than a pixel before, wider than the picture after
    found.sum().backward()
    assert torch.isfinite(points.grad).all()
    assert points.grad[:2].abs().max() > 0.1


@pytest.mark.parametrize("coloured", [False, True])
def test_the_derivative_against_finite_differences(coloured):
    points, faces, lenses = hand.views(0, 2, 80, 70)
    edges = Edges.of(faces)
    rng = np.random.default_rng(3)
    colours = torch.tensor(rng.uniform(size=(len(points[0]), 2)))
    target = torch.tensor(rng.uniform(size=(2, 70, 80, 2)))
    given = points.clone().requires_grad_()

    def loss(p: torch.Tensor) -> torch.Tensor:
        found = rasterise(p, faces, lenses, 80, 70)
        image = interpolate(colours.to(p), faces, found) if coloured else found.mask[..., None].to(p)
        return (target * antialias(image, found, p, faces, lenses, edges=edges) ** 2).sum()

    loss(given).backward()
    for seed in range(3):
        move = torch.tensor(np.random.default_rng(seed).normal(size=points.shape))
        step, exact = 1e-8, points.double()
        measured = float(loss(exact + step * move) - loss(exact - step * move)) / (2 * step)
        assert float((given.grad * move).sum()) == pytest.approx(measured, rel=0.01)
        assert abs(measured) > 10


def test_a_silhouette_finds_its_place():
    """A hand 4 mm beside its mask is pulled there, by its silhouette alone."""
    points, faces, lenses = hand.views(0, 1, 64, 56)
    edges = Edges.of(faces)
    with torch.no_grad():
        target = masks(points, faces, lenses, 64, 56)
    shift = torch.tensor([0.0028, -0.0028])
    errors = []
    for step in range(16):
        given = shift.clone().requires_grad_()
        moved = points + torch.nn.functional.pad(given, (0, 1))
        found = rasterise(moved, faces, lenses, 64, 56)
        image = antialias(found.mask[..., None].float(), found, moved, faces, lenses, edges=edges)[..., 0]
        error = ((image - target) ** 2).sum()
        error.backward()
        assert step or given.grad @ shift > 0
        errors.append(float(error.detach()))
        shift -= 0.001 * 0.8**step * given.grad / given.grad.norm()
    assert shift.norm() < 0.0004
    assert errors[-1] < 0.05 * errors[0]


def test_the_same_bits_with_any_number_of_threads(monkeypatch):
    """Also of the plain twin, with more numbers than torch sums in turn."""
    monkeypatch.setattr(compiled, "serves", lambda *tensors: False)
    points, faces, lenses = hand.views(0, 1, 150, 140)

    def results(threads: int) -> list[torch.Tensor]:
        torch.set_num_threads(threads)
        given = points.clone().requires_grad_()
        found = rasterise(given, faces, lenses, 150, 140)
        image = interpolate(given[0], faces, found)
        image = antialias(image, found, given, faces, lenses)
        (image**2).sum().backward()
        return [image.detach(), given.grad]

    assert 9 * int(rasterise(points, faces, lenses, 150, 140).mask.sum()) > 32768
    alone = results(1)
    for threads in (2, 5):
        for one, other in zip(alone, results(threads), strict=True):
            assert torch.equal(one, other)


def sorted_rows(found) -> torch.Tensor:
    rows = torch.stack([found.views, *found.ends.T, found.line, found.first, found.second, found.surface_first], dim=1)
    return rows[rows[:, 4].argsort()]


@needs_library
@pytest.mark.parametrize("scene", ["hand", "fine hand", "near", "within"])
def test_the_library_finds_the_same_crossings(scene):
    size = 70, 60
    if "hand" in scene:
        points, faces, lenses = hand.views(2 if "fine" in scene else 0, 3, *size)
    else:
        points, faces, lenses = knot.views(3, *size, far=1.2 if scene == "near" else 0.8)
    seen = rasterise(points, faces, lenses, *size)
    given = points, faces, Edges.of(faces), lenses, seen.triangles, seen.depths, 0.01
    for one, other in zip(compiled.crossings(*given), antialiasing.crossings(*given), strict=True):
        assert torch.equal(sorted_rows(one), sorted_rows(other))
        assert len(one.first) > 10


@needs_library
def test_more_crossings_than_expected():
    """Stripes narrower than two pixels: nearly each pair of a row."""
    left = torch.arange(0, 60, 1.9).repeat_interleave(4) + torch.tensor([0.0, 0.9, 0.9, 0.0]).repeat(32)
    up = torch.tensor([-9.0, -9.0, 60.0, 60.0]).repeat(32)
    points = at_pixels(torch.stack([left, up], 1), dtype=torch.float32)[None]
    first = 4 * torch.arange(32)[:, None]
    faces = torch.cat([first + torch.tensor([0, 1, 2]), first + torch.tensor([0, 2, 3])]).int()
    seen = rasterise(points, faces, LENS, SIZE, SIZE)
    given = points, faces, Edges.of(faces), LENS, seen.triangles, seen.depths, 0.01
    rows, columns = compiled.crossings(*given)
    assert len(rows.first) > 4 * 2 * SIZE
    assert len(columns.first) == 0
    assert torch.equal(sorted_rows(rows), sorted_rows(antialiasing.crossings(*given)[0]))


def test_edges_of_a_mesh():
    edges = Edges.of(torch.tensor([[0, 1, 2], [2, 1, 3]], dtype=torch.int32))
    assert edges.ends.tolist() == [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]]
    assert edges.of_faces.tolist() == [[0, 2, 1], [2, 3, 4]]
    assert edges.forward.tolist() == [[True, True, False], [False, True, False]]


def test_what_is_refused():
    points, faces, lenses = hand.views(0, 1, 20, 20)
    seen = rasterise(points, faces, lenses, 20, 20)
    image = torch.zeros(1, 20, 20, 1)
    with pytest.raises(ValueError, match="is wanted"):
        antialias(image[:, 1:], seen, points, faces, lenses)
    with pytest.raises(ValueError, match="other faces"):
        antialias(image, seen, points, faces, lenses, edges=Edges.of(faces[1:]))
