"""Problems to try transport with: what they hold, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import Run, UserError, catalog


def made(key: str, seed: int = 0, **params):
    method = catalog().get(key)
    return method.run({}, method.params.parse(params), Run(seed=seed))


def test_a_random_assignment_is_that_of_its_seed():
    (costs,) = made("random-assignment", size=500).values()
    np.testing.assert_array_equal(costs.costs, np.random.default_rng(0).random((500, 500)))
    (other,) = made("random-assignment", 1, size=500).values()
    assert not np.array_equal(other.costs, costs.costs)


def test_densities_have_the_mass_and_the_mean_of_their_bumps():
    pair = made("densities", bins=2000, first=(0.3, 0.02, 1, 0.6, 0.03, 3), floor=0)
    x, weights = pair["first"].points[:, 0], pair["first"].weights
    assert weights.sum() == pytest.approx(1)
    mean = x @ weights
    assert mean == pytest.approx((0.3 + 3 * 0.6) / 4, abs=1e-6)
    spread = 0.25 * 0.02**2 + 0.75 * 0.03**2 + 0.25 * (0.3 - mean) ** 2 + 0.75 * (0.6 - mean) ** 2
    assert ((x - mean) ** 2) @ weights == pytest.approx(spread, rel=1e-5)
    assert pair["first"].grid == (2000,)


def test_the_floor_leaves_no_bin_empty():
    assert made("densities", bins=100, floor=0.01)["second"].weights.min() >= 0.01 / 100 * 0.99


@pytest.mark.parametrize("bumps", ["0.5, 0.1", "0.5, -0.1, 1", "0.5, 0.1, -1", "0.5, 0.1, 0", "50, 0.1, 1"])
def test_bumps_that_are_none_are_refused(bumps):
    with pytest.raises(UserError):
        made("densities", first=bumps)


def test_digits_are_pictures_with_their_top_uppermost():
    from sklearn.datasets import load_digits

    images, values = load_digits(return_X_y=True)
    pair = made("digit-pair", first=7, second=1, size=8, background=0)
    weights = pair["first"].weights.reshape(8, 8)
    expected = images[np.flatnonzero(values == 7)[0]].reshape(8, 8)
    np.testing.assert_allclose(weights, expected / expected.sum(), atol=1e-12)
    assert pair["first"].points[0].tolist() == [0, 7]
    assert pair["first"].points[-1].tolist() == [7, 0]


def test_a_background_puts_mass_on_every_pixel():
    pair = made("digit-pair", size=28, background=0.05)
    for side in pair.values():
        assert side.grid == (28, 28)
        assert side.weights.sum() == pytest.approx(1)
        assert side.weights.min() == pytest.approx(0.05 / 784)
    assert (made("digit-pair", size=28, background=0)["first"].weights == 0).any()


def test_a_digit_that_was_not_written_so_often_is_refused():
    with pytest.raises(UserError, match="was written 174 times"):
        made("digit-pair", first=8, which=180, size=8)
