"""Lenses: bending is undone, and a straightened photo is what a pinhole camera would have taken."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.lenses import Lens, resample

LENSES = {
    "barrel": Lens(150, 155, 77.5, 59, 160, 120, (-0.2, 0.03, 0, 0)),
    "pincushion": Lens(150, 150, 80, 60, 160, 120, (0.12, 0.02, 0, 0)),
    "tangential": Lens(150, 152.5, 82.5, 60.5, 160, 120, (0.05, -0.08, 0.01, 0), (-2e-3, 1e-3)),
    "fisheye": Lens(70, 70.5, 80.5, 59.5, 160, 120, (0.02, -0.01, 0.003, -0.001), fisheye=True),
    "plain fisheye": Lens(70, 70, 80, 60, 160, 120, fisheye=True),
}


def scene(directions: np.ndarray) -> np.ndarray:
    """A smooth picture (..., 3) of directions (..., 2), from 0 to 255."""
    x, y = directions[..., 0], directions[..., 1]
    waves = [np.sin(9 * x + 2 * y), np.cos(7 * y - 3 * x), np.sin(5 * x) * np.cos(6 * y)]
    return 127.5 + 100 * np.stack(waves, axis=-1)


def grid(width: int, height: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1)


@pytest.mark.parametrize("name", LENSES)
def test_unbending_undoes_bending(name):
    lens = LENSES[name]
    directions = np.random.default_rng(0).uniform(-0.4, 0.4, (200, 2))
    np.testing.assert_allclose(lens.unbend(lens.bend(directions)), directions, atol=2e-6)


def test_bending_by_the_formulas():
    x, y, k1, k2, p1, p2 = 0.3, -0.2, 0.1, -0.05, 0.01, 0.02
    r2 = x * x + y * y
    lens = Lens(1, 1, 0, 0, 9, 9, (k1, k2, 0, 0), (p1, p2))
    radial = 1 + k1 * r2 + k2 * r2**2
    expected = [
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
    ]
    np.testing.assert_allclose(lens.bend(np.array([x, y])), expected, rtol=1e-14)
    angle = np.arctan(np.sqrt(r2))
    fisheye = Lens(1, 1, 0, 0, 9, 9, (k1, k2, 0.3, -0.2), fisheye=True)
    bent = angle * (1 + k1 * angle**2 + k2 * angle**4 + 0.3 * angle**6 - 0.2 * angle**8)
    np.testing.assert_allclose(fisheye.bend(np.array([x, y])), np.array([x, y]) / np.sqrt(r2) * bent, rtol=1e-14)


@pytest.mark.parametrize("name", LENSES)
def test_a_straightened_photo_is_that_of_a_pinhole_camera(name):
    lens = LENSES[name]
    taken = grid(lens.width, lens.height)
    seen = lens.unbend(((taken - [lens.cx, lens.cy]) / [lens.fx, lens.fy]).reshape(-1, 2)).reshape(taken.shape)
    photo = np.nan_to_num(scene(seen)).round().astype(np.uint8)
    pinhole, places = lens.pinhole()
    assert not pinhole.distorts
    assert (pinhole.fx, pinhole.fy) == (lens.fx, lens.fy)
    assert places.shape == (pinhole.height, pinhole.width, 2)
    assert places.min() > -1 and (places < np.array([lens.width, lens.height]) + 1).all()  # noqa: PT018
    straight = resample(photo, places)
    directions = (grid(pinhole.width, pinhole.height) - [pinhole.cx, pinhole.cy]) / [pinhole.fx, pinhole.fy]
    off = np.abs(straight - scene(directions))
    limit = np.tan(1.2) if lens.fisheye else np.inf  # far out, a fisheye's pixels are stretched
    near = (np.linalg.norm(directions, axis=-1) < limit)[..., None] & np.ones(3, bool)
    assert np.median(off) < 1
    assert np.quantile(off[near], 0.99) < 4
    assert pinhole.width * pinhole.height > 0.7 * lens.width * lens.height


def test_without_distortion_nothing_moves():
    lens = Lens(100, 110, 30.5, 20, 64, 48)
    assert not lens.distorts
    pinhole, places = lens.pinhole()
    assert (pinhole.width, pinhole.height) == (64, 48)
    np.testing.assert_allclose(places, grid(64, 48), atol=1e-4)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 4)).astype(np.uint8)
    pixels[..., 3] = 255
    assert np.abs(resample(pixels, places).astype(int) - pixels).max() <= 1


def test_what_is_transparent_does_not_colour_its_neighbours():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = [200, 100, 50, 255]
    pixels[:, 4:] = [0, 255, 0, 0]
    found = resample(pixels, grid(8, 8).astype(np.float32) + np.float32(0.4))
    solid = found[..., 3] > 20
    assert np.abs(found[solid][:, :3].astype(int) - [200, 100, 50]).max() <= 3


def test_a_lens_that_folds_is_refused():
    with pytest.raises(ValueError, match=r"folds|borders|direction"):
        Lens(300, 300, 160, 120, 320, 240, (-900.0, 0, 0, 0)).pinhole()


def test_scaling_keeps_the_view():
    lens = LENSES["tangential"].resized(160, 120)
    assert (lens.fx, lens.cx, lens.width) == (150, 82.5, 160)
    assert lens.radial == LENSES["tangential"].radial
