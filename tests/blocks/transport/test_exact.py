import numpy as np
import pytest

from engines.blocks.transport import exact as module
from engines.blocks.transport.exact import exact, exact_cost
from engines.core import Cancelled


def test_potentials_prove_the_plan():
    draw = np.random.default_rng(0)
    C, a, b = draw.normal(size=(20, 30)), 3 * draw.dirichlet(np.ones(20)), 3 * draw.dirichlet(np.ones(30))
    found = exact(C, a, b)
    assert len(found.mass) <= 49
    np.testing.assert_allclose(np.bincount(found.rows, found.mass, 20), a, atol=1e-14)
    np.testing.assert_allclose(np.bincount(found.columns, found.mass, 30), b, atol=1e-14)
    slack = C - found.f[:, None] - found.g
    assert slack.min() > -1e-12
    assert abs(slack[found.rows, found.columns]).max() < 1e-12
    assert found.cost == pytest.approx(a @ found.f + b @ found.g, abs=1e-12)


def test_along_a_line_sorted_points_go_to_sorted_points():
    draw = np.random.default_rng(1)
    x, y = draw.normal(size=50), draw.normal(size=50) + 2
    assert exact_cost((x[:, None] - y) ** 2) == pytest.approx(((np.sort(x) - np.sort(y)) ** 2).mean(), abs=1e-12)
    uniform = np.full(50, 1 / 50)
    assert exact_cost(abs(x[:, None] - y), uniform) == pytest.approx(abs(np.sort(x) - np.sort(y)).mean(), abs=1e-12)


class _Stop:
    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        raise Cancelled


def test_a_large_problem_can_be_stopped(monkeypatch):
    monkeypatch.setattr(module, "INTERRUPTIBLE", 0)
    stop = _Stop()
    with pytest.raises(Cancelled):
        exact(np.random.default_rng(0).random((400, 400)), np.full(400, 1 / 400), np.full(400, 1 / 400), check=stop)
    assert stop.asked == 1


def test_a_large_problem_is_solved_elsewhere_to_the_same_end(monkeypatch):
    draw = np.random.default_rng(3)
    C, a, b = draw.random((30, 40)), np.full(30, 1 / 30), np.full(40, 1 / 40)
    here = exact(C, a, b)
    monkeypatch.setattr(module, "INTERRUPTIBLE", 0)
    there = exact(C, a, b, check=lambda: None)
    assert there.cost == here.cost
    np.testing.assert_array_equal(there.mass, here.mass)
