"""Points of boxes and faces lie where they should, evenly as their kind promises, and repeat with the seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.pde import collocation

LIKE = torch.zeros(0, dtype=torch.float64)
LOWER, UPPER = np.array([-1.0, 2.0]), np.array([3.0, 5.0])
KINDS = ["uniform", "Sobol", "Latin hypercube", "grid"]


@pytest.mark.parametrize("kind", KINDS)
def test_points_fill_the_box(kind):
    points = collocation.in_box(kind, 1024, LOWER, UPPER, np.random.default_rng(0), LIKE).numpy()
    again = collocation.in_box(kind, 1024, LOWER, UPPER, np.random.default_rng(0), LIKE).numpy()
    assert points.shape == (1024, 2)
    assert (points >= LOWER).all()
    assert (points <= UPPER).all()
    np.testing.assert_array_equal(points, again)
    np.testing.assert_allclose(points.mean(0), (LOWER + UPPER) / 2, atol=0.15)


def test_each_slab_of_a_latin_hypercube_holds_one_point():
    unit = collocation.unit_points("Latin hypercube", 50, 3, np.random.default_rng(1))
    for column in unit.T:
        np.testing.assert_array_equal(np.sort((column * 50).astype(int)), np.arange(50))


def test_each_cell_of_a_net_of_sobol_points_holds_one():
    unit = collocation.unit_points("Sobol", 64, 2, np.random.default_rng(1))
    cells = (unit * 8).astype(int)
    assert len(np.unique(cells, axis=0)) == 64


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_generator_draws_the_same(kind):
    rng = np.random.default_rng(3)
    collocation.unit_points(kind, 16, 2, rng)
    state = rng.bit_generator.state
    first = collocation.unit_points(kind, 16, 2, rng)
    other = np.random.default_rng(99)
    other.bit_generator.state = state
    np.testing.assert_array_equal(collocation.unit_points(kind, 16, 2, other), first)


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_a_face_lie_on_it(kind):
    points = collocation.on_face(kind, 30, LOWER, UPPER, 1, 5.0, np.random.default_rng(0), LIKE).numpy()
    assert (points[:, 1] == 5).all()
    assert np.ptp(points[:, 0]) > 2
    one = collocation.on_face(kind, 30, LOWER[:1], UPPER[:1], 0, 3.0, np.random.default_rng(0), LIKE)
    assert one.tolist() == [[3.0]]


def test_resampling_follows_the_weights():
    points = torch.arange(1000, dtype=torch.float64)[:, None]
    weights = (points[:, 0] >= 500).double()
    chosen = collocation.resampled(points, weights, 200, np.random.default_rng(0))
    assert chosen.shape == (200, 1)
    assert (chosen >= 500).all()
    assert len(torch.unique(chosen)) == 200
    assert len(collocation.resampled(points, torch.zeros(1000), 50, np.random.default_rng(0))) == 50


def test_the_last_axis_of_a_tensor_grid_runs_fastest():
    grid = collocation.tensor_points([np.array([0.0, 1.0]), np.array([5.0, 6.0, 7.0])])
    np.testing.assert_array_equal(grid, [[0, 5], [0, 6], [0, 7], [1, 5], [1, 6], [1, 7]])
