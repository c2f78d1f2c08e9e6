"""Palettes of images, and colours moved along couplings of them."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.k_means import k_means
from engines.core import Run, UserError, catalog
from engines.data import Coupling, Image, Measure
from engines.transport.colour_transfer import moves, small
from engines.transport.palette import NAMES, colours_of, rgb_of, sunset


def run(key, inputs, **changes):
    method = catalog().get(key)
    (made,) = method.run(inputs, method.params.parse(changes), Run(seed=3)).values()
    return made


def test_k_means_finds_clusters_that_lie_apart():
    rng = np.random.default_rng(0)
    true = np.array([[0, 0], [5, 0], [0, 5.0], [5, 5]])
    member = rng.integers(0, 4, 400)
    centres, nearest = k_means(true[member] + 0.2 * rng.normal(size=(400, 2)), 4, rng)
    match = np.linalg.norm(centres[:, None] - true, axis=2).argmin(1)
    assert sorted(match) == [0, 1, 2, 3]
    assert (match[nearest] == member).all()
    sums = np.stack([(true[member] + 0)[nearest == c].mean(0) for c in range(4)])
    np.testing.assert_allclose(centres, sums, atol=0.1)


def test_k_means_takes_points_that_coincide():
    centres, nearest = k_means(np.zeros((5, 2)), 3, np.random.default_rng(0))
    assert centres.tolist() == [[0, 0]] * 3
    assert len(nearest) == 5


@pytest.mark.parametrize("space", ["Lab", "RGB"])
def test_colour_spaces_there_and_back(space):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3)).astype(np.uint8)
    back = rgb_of(colours_of(pixels, space), space).reshape(7, 5, 3)
    assert np.abs(np.rint(255 * back) - pixels).max() <= 1
    white = colours_of(np.full((1, 1, 3), 255, np.uint8), "Lab")
    np.testing.assert_allclose(white, [[100, 0, 0]], atol=0.02)
    np.testing.assert_allclose(colours_of(np.full((1, 1, 1), 0.5, np.float32), "RGB"), [[0.5, 0.5, 0.5]])


@pytest.mark.parametrize("choice", ["k-means", "random pixels"])
def test_a_palette_weighs_colours_by_their_pixels(choice):
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:3] = [200, 30, 30]
    found = run("palette", {"image": Image(pixels=pixels)}, choice=choice, colours=2, space="RGB")
    order = np.argsort(found.points[:, 0])
    np.testing.assert_allclose(found.mass[order], [0.7, 0.3])
    assert found.colors[order].tolist() == [[0, 0, 0, 255], [200, 30, 30, 255]]
    assert found.dimensions == NAMES["RGB"]


def test_a_palette_of_an_image_with_few_colours_has_those():
    found = run("palette", {"image": Image(pixels=np.zeros((4, 4, 3), np.uint8))}, colours=50)
    assert len(found.points) == 1
    many = run("palette", {"image": sunset(30)}, colours=40)
    assert len(many.points) == 40
    assert many.mass.sum() == pytest.approx(1)


def test_pixels_that_cannot_be_seen_do_not_count():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0] = [255, 255, 255, 255]
    found = run("palette", {"image": Image(pixels=pixels)}, colours=2, space="RGB")
    assert found.points.tolist() == [[1, 1, 1]]


def test_colours_go_to_the_mean_of_where_their_mass_goes():
    points = np.array([[0.0, 0, 0], [1, 1, 1]])
    palette = Measure(points=points, dimensions=NAMES["RGB"])
    coupling = Coupling(plan=[[0.3, 0.2], [0.0, 0.5]], source_weights=[0.5, 0.5], target_weights=[0.3, 0.7],
                        source=palette, target=palette)  # fmt: skip
    colours, by, space = moves(coupling)
    assert space == "RGB"
    np.testing.assert_allclose(colours + by, [[0.4] * 3, [1] * 3])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_of_palette_colours_go_where_these_go_and_transparency_stays(dtype, channels):
    top = 255 if dtype == np.uint8 else 1
    points = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 1]])
    target = np.array([[0.2, 0, 0], [0.2, 0.6, 0.4], [0.8, 1, 1]])
    third = np.full(3, 1 / 3)
    coupling = Coupling(rows=[0, 1, 2], columns=[0, 1, 2], mass=third, source_weights=third, target_weights=third,
                        source=Measure(points=points, dimensions=NAMES["RGB"]),
                        target=Measure(points=target, dimensions=NAMES["RGB"]))  # fmt: skip
    pixels = np.full((1, 3, channels), 0.25 * top)
    pixels[0, :, : 3 if channels > 2 else 1] = (points * top)[:, : 3 if channels > 2 else 1]
    found = run("colour-transfer", {"image": Image(pixels=pixels.astype(dtype)), "coupling": coupling}).pixels
    assert found.dtype == dtype
    np.testing.assert_allclose(found[0, :, :3] / top, target, atol=0.004)
    if channels in (2, 4):
        assert (found[..., -1] == np.asarray(0.25 * top).astype(dtype)).all()


def test_pixels_keep_what_they_differ_from_the_palette_and_no_strength_changes_nothing():
    given = small()
    same = run("colour-transfer", given, strength=0)
    np.testing.assert_allclose(same.pixels.astype(int), given["image"].pixels, atol=1)
    one = given["coupling"].source.points[:1]
    shift = Coupling(plan=[[1.0]], source_weights=[1.0], target_weights=[1.0],
                     source=Measure(points=one, dimensions=NAMES["RGB"]),
                     target=Measure(points=one - 0.1, dimensions=NAMES["RGB"]))  # fmt: skip
    moved = run("colour-transfer", {"image": given["image"], "coupling": shift})
    expected = np.clip(given["image"].pixels / 255 - 0.1, 0, 1)
    np.testing.assert_allclose(moved.pixels / 255, expected, atol=0.003)


@pytest.mark.parametrize("change", [{"source": None}, {"target": None}])
def test_couplings_that_are_not_of_palettes_are_refused(change):
    given = small()
    with pytest.raises(UserError, match="palettes"):
        moves(given["coupling"].replace(**change))
    in_lab = given["coupling"].target.replace(dimensions=NAMES["Lab"])
    with pytest.raises(UserError, match="palettes"):
        moves(given["coupling"].replace(target=in_lab))


def test_an_image_in_the_colours_of_another_has_its_palette():
    """From palettes by k-sparse transport to the picture: its mean colour comes close to that of the other."""
    first, other = sunset(20), Image(pixels=np.ascontiguousarray(sunset(20).pixels[:, :, ::-1]))
    palettes = [run("palette", {"image": image}, colours=20, space="RGB") for image in (first, other)]
    method = catalog().get("k-sparse")
    plan = method.run(dict(zip(("source", "target"), palettes, strict=True)), method.params.parse({"k": 4}), Run())
    made = run("colour-transfer", {"image": first, "coupling": plan["feasible"]})
    apart = [np.abs(image.pixels.mean((0, 1)) - other.pixels.mean((0, 1))).max() for image in (first, made)]
    assert apart[1] < 0.2 * apart[0]
