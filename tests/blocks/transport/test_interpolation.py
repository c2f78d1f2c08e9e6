import time

import numpy as np
import pytest

from engines.blocks.transport.interpolation import interpolation
from engines.core import UserError
from engines.data import Coupling, Measure
from tests import transports


def grid(*shape: int) -> np.ndarray:
    """Nodes, the first row uppermost."""
    places = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), 1)[:, ::-1].astype(float)
    if len(shape) > 1:
        places[:, 1] = shape[-2] - 1 - places[:, 1]
    return 0.5 * places + 3


def shifted(shape: tuple[int, ...], by: tuple[int, ...], seed: int = 0) -> Coupling:
    """A blob that moves by some nodes."""
    places = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), 1)
    inside = np.flatnonzero(((places + by < shape) & (places + by >= 0)).all(1))
    there = np.ravel_multi_index(tuple((places[inside] + by).T), shape)
    mass = np.random.default_rng(seed).random(len(inside))
    a, b = np.bincount(inside, mass, len(places)), np.bincount(there, mass, len(places))
    nodes = grid(*shape)
    return Coupling(rows=inside, columns=there, mass=mass, source_weights=a, target_weights=b,
                    source=Measure(points=nodes, weights=a, grid=shape),
                    target=Measure(points=nodes, weights=b, grid=shape))  # fmt: skip


@pytest.mark.parametrize(("shape", "by"), [((9,), (4,)), ((6, 8), (2, -4)), ((4, 5, 6), (2, 0, 2)), ((1, 5), (0, 2))])
def test_a_histogram_moves_from_one_to_the_other(shape, by):
    coupling = shifted(shape, by)
    way = interpolation(coupling)
    np.testing.assert_allclose(way.histogram(0), coupling.source_weights.reshape(shape), atol=1e-14)
    np.testing.assert_allclose(way.histogram(1), coupling.target_weights.reshape(shape), atol=1e-14)
    few = interpolation(coupling, most=2)
    assert few.kept < 1
    for t in (0, 0.3, 1):  # what was left out fades in and out
        assert few.histogram(t).sum() == pytest.approx(coupling.mass.sum())
    np.testing.assert_allclose(few.histogram(1), coupling.target_weights.reshape(shape), atol=1e-14)
    whole = interpolation(coupling, least_share=0)
    assert whole.kept == pytest.approx(1)
    expected = np.zeros(shape)
    places = np.array(np.unravel_index(coupling.rows, shape)).T + np.array(by) // 2
    np.add.at(expected, tuple(places.T), coupling.mass)
    np.testing.assert_allclose(whole.histogram(0.5), expected, atol=1e-12)  # half way the blob stands on nodes again
    third = whole.histogram(1 / 3).reshape(-1)
    assert third.sum() == pytest.approx(coupling.mass.sum())
    np.testing.assert_allclose(third @ grid(*shape), whole.mass @ whole.at(1 / 3), rtol=1e-12)  # its mean is kept


def test_mass_between_nodes_is_shared():
    nodes = grid(2, 2)
    one = Measure(points=nodes, weights=[1, 0, 0, 0], grid=(2, 2))
    other = one.replace(weights=[0, 0, 0, 1])
    coupling = Coupling(rows=[0], columns=[3], mass=[1.0], source_weights=one.weights, target_weights=other.weights,
                        source=one, target=other)  # fmt: skip
    np.testing.assert_allclose(interpolation(coupling).histogram(0.25), [[9 / 16, 3 / 16], [3 / 16, 1 / 16]])


def test_points_move_on_straight_lines():
    coupling = transports.dense_coupling()
    way = interpolation(coupling)
    assert way.grid == ()
    assert len(way.mass) == 6
    x, y = coupling.source.points, coupling.target.points
    np.testing.assert_allclose(way.at(0.25), (0.75 * x[:, None] + 0.25 * y).reshape(-1, 2))
    np.testing.assert_allclose(way.mass, coupling.plan.reshape(-1))
    with pytest.raises(ValueError, match="grid"):
        way.histogram(0.5)


def test_small_entries_are_left_out_and_it_says_how_much_is_kept():
    n = 50
    plan = np.full((n, n), 1e-9) + np.eye(n) / n
    points = np.random.default_rng(0).normal(size=(n, 2))
    coupling = Coupling(plan=plan, source_weights=plan.sum(1), target_weights=plan.sum(0),
                        source=Measure(points=points), target=Measure(points=points + 1))  # fmt: skip
    assert len(interpolation(coupling, least_share=0).mass) == n * n
    assert len(interpolation(coupling, least_share=1e-4).mass) == n
    few = interpolation(coupling, most=10)
    assert len(few.mass) == 10
    assert few.kept == pytest.approx(0.2, abs=1e-5)


def test_a_grid_that_is_not_even_moves_as_points():
    points = np.array([[0.0], [1], [3]])
    measure = Measure(points=points, weights=[1, 1, 1], grid=(3,))
    coupling = Coupling(plan=np.eye(3), source_weights=np.ones(3), target_weights=np.ones(3), source=measure,
                        target=measure)  # fmt: skip
    assert interpolation(coupling).grid == ()


def test_without_points_nothing_moves():
    with pytest.raises(UserError, match="no points"):
        interpolation(transports.coupling())  # it has no target


def test_it_is_quick_enough_for_a_slider():
    """64 x 64 nodes, 12,000 entries; at most a display's frame or two, where the machine is not busy."""
    coupling = shifted((64, 64), (5, 9))
    rows = np.concatenate([coupling.rows] * 3)
    way = interpolation(coupling.replace(rows=rows, columns=np.concatenate([coupling.columns] * 3),
                                         mass=np.concatenate([coupling.mass] * 3)))  # fmt: skip
    took = []
    for _ in range(5):
        began = time.process_time()
        way.histogram(0.37)
        took.append(time.process_time() - began)
    assert min(took) < 0.03
