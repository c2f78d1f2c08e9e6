"""Pinhole cameras: rays and pixels are each other's inverse, and resizing keeps what is seen."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.cameras import Camera, extent, look_at


def camera() -> Camera:
    return Camera(look_at([2.0, -3, 1], [0.2, 0.1, 0]), 70.0, 80.0, 31.0, 25.0, 60, 50)


def test_rays_hit_the_centres_of_their_pixels():
    directions, z = camera().rays()
    points = camera().centre + 2.5 * directions
    pixels, depths = camera().pixels(points.reshape(-1, 3))
    x, y = np.meshgrid(np.arange(60) + 0.5, np.arange(50) + 0.5)
    np.testing.assert_allclose(pixels, np.stack([x, y], 2).reshape(-1, 2), atol=1e-9)
    np.testing.assert_allclose(depths, 2.5 * z.ravel())


def test_the_target_is_in_the_middle_and_up_is_up():
    pixels, depths = camera().pixels(np.array([[0.2, 0.1, 0], [0.2, 0.1, 0.3]]))
    np.testing.assert_allclose(pixels[0], [31, 25], atol=1e-9)
    assert pixels[1, 1] < 25
    assert depths[0] == pytest.approx(np.linalg.norm(camera().centre - [0.2, 0.1, 0]))
    R = camera().rotation
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)


def test_half_the_size_sees_the_same():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    full, _ = camera().pixels(points)
    half, _ = camera().resized(30, 25).pixels(points)
    np.testing.assert_allclose(half, full / 2)


def test_looking_along_up_and_the_extent():
    assert np.isfinite(look_at([0, 0, 5.0], [0, 0, 0])).all()
    ring = [
        Camera(look_at([2 * np.cos(a), 2 * np.sin(a), 0.0], [0, 0, 0]), 1, 1, 0, 0, 1, 1)
        for a in (0, np.pi / 2, np.pi, 4.712388980384690)
    ]
    assert extent(ring) == pytest.approx(2.2)
    assert extent(ring[:1]) == 0
