"""Measurements are the field's values at its nodes, with the noise that was asked for."""

import numpy as np
import pytest

from engines.core import Run, catalog
from engines.data import SampledField

X, Y, T = np.linspace(0, 1, 31), np.linspace(0, 2, 41), np.linspace(0, 3, 11)
VALUES = np.sin(3 * X)[:, None] * np.cos(Y) * (1 + T)[:, None, None]
FIELD = SampledField.of(
    np.stack([VALUES, 2 * VALUES], 1), X, Y, times=T, components=("u", "v"), length_unit="m", time_unit="s"
)


def measured(field=FIELD, **params):
    method = catalog().get("measure-field")
    return method.run({"field": field}, method.params.parse(params), Run(seed=3))["table"]


def test_without_noise_the_values_are_exact():
    columns = measured(measurements=200, noise=0.0).columns
    expected = np.sin(3 * columns["x"]) * np.cos(columns["y"]) * (1 + columns["t"])
    np.testing.assert_allclose(columns["u"], expected, atol=1e-12)
    np.testing.assert_allclose(columns["v"], 2 * expected, atol=1e-12)
    assert len(set(zip(columns["x"], columns["y"], columns["t"], strict=True))) == 200


def test_the_noise_has_the_size_that_was_asked_for():
    exact, noisy = (measured(measurements=8000, noise=n).columns["u"] for n in (0.0, 0.1))
    assert (noisy - exact).std() == pytest.approx(0.1 * exact.std(), rel=0.05)
    assert abs((noisy - exact).mean()) < 0.01 * exact.std()


def test_a_part_of_the_time_and_what_is_not_known():
    values = np.array(FIELD.values)
    values[:, :, :15] = np.nan
    table = measured(FIELD.replace(values=values), measurements=300, first_time=1.0, last_time=2.0)
    assert table.columns["t"].min() >= 1
    assert table.columns["t"].max() <= 2
    assert table.columns["x"].min() >= X[15]
    assert table.units == {"x": "m", "y": "m", "t": "s"}


def test_a_steady_field_has_no_column_of_time():
    steady = SampledField.of(VALUES[0], X, Y)
    assert list(measured(steady, measurements=10).columns) == ["x", "y", "u"]
