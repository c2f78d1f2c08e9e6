import numpy as np
import pytest

from engines.blocks.dual_contouring import dual_contouring
from engines.blocks.mesh_topology import euler_characteristic, is_watertight
from engines.blocks.zero_set import near_zero_set


def dense(field, resolution):
    return near_zero_set(field, resolution, coarsest=resolution).values


def sphere(points):
    return 20 * (np.linalg.norm(points, axis=1) - 0.6)


def torus(points):
    ring = np.hypot(points[:, 0], points[:, 1]) - 0.55
    return np.hypot(ring, points[:, 2]) - 0.22


def saturated(points):
    return np.tanh(60 * torus(points)) * 15


@pytest.mark.parametrize("field", [sphere, torus, saturated])
@pytest.mark.parametrize("resolution", [83, 120])
def test_signs_and_values_near_the_surface_equal_those_of_the_dense_grid(field, resolution):
    every, some = dense(field, resolution), near_zero_set(field, resolution)
    assert some.values.shape == (resolution + 1,) * 3
    assert some.evaluated < every.size
    np.testing.assert_array_equal(some.values < 0, every < 0)
    a = dual_contouring(every, some.origin, some.spacing)
    b = dual_contouring(some.values, some.origin, some.spacing)
    np.testing.assert_array_equal(a.faces, b.faces)
    np.testing.assert_allclose(a.vertices, b.vertices, atol=1e-6)


def test_ten_times_fewer_points_at_300():
    asked = []

    def counted(points):
        asked.append(len(points))
        return saturated(points).astype(np.float32)

    grid = near_zero_set(counted, 300)
    assert grid.evaluated == sum(asked)
    assert 301**3 / grid.evaluated > 10
    surface = dual_contouring(grid.values, grid.origin, grid.spacing)
    assert is_watertight(surface.faces)
    assert euler_characteristic(surface.faces) == 0


def test_a_rod_thinner_than_a_coarse_cell_is_followed_to_its_end():
    """It leaves a ball, half a coarse cell thick, turned against the axes, so that coarse nodes miss most of it."""
    along = np.array([1.0, 0.23, 0.11]) / np.linalg.norm([1.0, 0.23, 0.11])
    away = np.array([0.013, 0.017, -0.011])

    def field(points):
        local = points - away
        t = np.clip(local @ along, 0, 0.85)
        rod = np.linalg.norm(local - t[:, None] * along, axis=1) - 0.0125
        return np.tanh(20 * np.minimum(rod, np.linalg.norm(local, axis=1) - 0.3)) * 10

    grid = near_zero_set(field, 160)
    np.testing.assert_array_equal(grid.values < 0, dense(field, 160) < 0)
    assert grid.evaluated < grid.values.size / 4


def test_a_piece_that_falls_between_the_coarse_nodes_is_found_from_its_seed():
    """A saturated speck of 0.6 coarse cells beside a ball: no coarse node tells of it."""
    middle = np.array([0.525, 0.525, 0.525])  # of a coarse cell of 40

    def field(points):
        speck = np.linalg.norm(points - middle, axis=1) - 0.016
        return np.tanh(400 * np.minimum(speck, np.linalg.norm(points, axis=1) - 0.3)) * 10

    wanted = dense(field, 160) < 0
    without = near_zero_set(field, 160).values < 0
    assert wanted.sum() > without.sum()
    np.testing.assert_array_equal(near_zero_set(field, 160, middle[None] + 0.016 * np.eye(3)[:1]).values < 0, wanted)


def test_small_grids_are_dense():
    grid = near_zero_set(sphere, 32)
    assert grid.evaluated == 33**3
    np.testing.assert_allclose(grid.spacing, 2 / 32)
    np.testing.assert_allclose(grid.values[0, 0, 0], 20 * (3**0.5 - 0.6), rtol=1e-5)
