"""What Poisson reconstruction makes up beyond the points is cut away; what they enclose is kept."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.mesh_topology import is_watertight
from engines.blocks.poisson_surface import poisson_surface, unsupported


def disc(count: int, radius: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    away, angle = radius * np.sqrt(rng.uniform(size=count)), rng.uniform(0, 2 * np.pi, count)
    points = np.stack([away * np.cos(angle), away * np.sin(angle), np.zeros(count)], axis=1)
    return points, np.tile([0.0, 0.0, 1.0], (count, 1))


def sphere(count: int) -> tuple[np.ndarray, np.ndarray]:
    normals = np.random.default_rng(0).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals.copy(), normals


def surface(points: np.ndarray, normals: np.ndarray, reach: float):
    return poisson_surface(points, normals, np.full(points.shape, 0.5), 6, 0.0, reach, 20_000)


def test_a_flat_disc_loses_its_apron_and_nothing_else():
    points, normals = disc(30_000)
    cell = 1.1 * 2 / 2**6
    whole, cut = surface(points, normals, 0.0), surface(points, normals, 3.0)
    assert np.linalg.norm(whole.vertices, axis=1).max() > 1 + 4 * cell, "there is something to cut"
    assert np.linalg.norm(cut.vertices, axis=1).max() < 1 + 3.5 * cell
    corners = cut.vertices[cut.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    assert np.pi * 0.98 < area < np.pi * (1 + 3.5 * cell) ** 2


def test_a_closed_surface_stays_closed():
    found = surface(*sphere(4000), reach=3.0)
    assert is_watertight(found.faces)
    np.testing.assert_allclose(np.linalg.norm(found.vertices, axis=1), 1, atol=0.02)


def test_what_is_made_up_below_a_bowl_is_cut():
    points, normals = sphere(30_000)
    seen = points[:, 2] > -0.5
    guessed, cut = surface(points[seen], normals[seen], 0.0), surface(points[seen], normals[seen], 3.0)
    cell = 1.1 * 2 / 2**6
    assert guessed.vertices[:, 2].min() < -0.5 - 6 * cell, "there is something to cut"
    assert cut.vertices[:, 2].min() > -0.5 - 5 * cell
    assert cut.vertices[:, 2].max() > 0.98


@pytest.mark.parametrize(("x", "cut"), [(0.5, False), (1.15, False), (1.17, True)])
def test_sparse_points_reach_farther(x, cut):
    """(1, 0, 0) is on the edge of a lattice of 0.04; its eighth neighbour is 0.08 away; twice that is reached."""
    at = 0.04 * np.arange(-25, 26)
    lattice = np.stack(np.meshgrid(at, at, [0.0]), axis=-1).reshape(-1, 3)
    assert unsupported(np.array([[x, 0, 0]]), lattice, 0.01).tolist() == [cut]


def test_a_single_point_supports_what_is_near_it():
    far = unsupported(np.array([[0.05, 0, 0], [0.2, 0, 0]]), np.zeros((1, 3)), 0.1)
    assert far.tolist() == [False, True]
