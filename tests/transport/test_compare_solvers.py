"""Three solvers on one problem: that they agree, and that their curves are theirs."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import Run, UserError, catalog
from engines.transport.compare_solvers import Trace, joined
from engines.transport.densities import pair_of_densities
from engines.transport.random_assignment import assignment_of


def compare(inputs, **params):
    method = catalog().get("compare-solvers")
    return method.run(inputs, method.params.parse(params), Run(seed=0))


def test_the_solvers_agree_and_newton_takes_the_fewest_iterations():
    columns = compare(assignment_of(80), inverse_regularisation=200.0)["table"].columns
    assert columns["Solver"].tolist() == ["Newton, all entries", "SNS", "Sinkhorn"]
    assert (columns["Marginal error"] <= 1e-12).all()
    assert np.ptp(columns["Transport cost"]) < 1e-12
    assert np.ptp(columns["Dual value"]) < 1e-12
    iterations = columns["Sweeps"] + columns["Newton steps"]
    assert iterations[1] < iterations[2] / 5


def test_each_series_has_the_values_of_its_solver_and_nothing_else():
    made = compare(pair_of_densities(30), inverse_regularisation=300.0, sweeps=200)
    for curve in (made["by_iteration"], made["by_seconds"]):
        held = np.array([np.isfinite(series) for series in curve.series.values()])
        assert (held.sum(0) == 1).all()
        assert (np.diff(curve.x) >= 0).all()
    columns = made["table"].columns
    for name, error in zip(columns["Solver"], columns["Marginal error"], strict=True):
        series = made["by_iteration"].series[name]
        assert series[np.isfinite(series)][-1] == error


def test_sinkhorn_stops_where_its_sweeps_end_and_tells_the_error_of_its_plan():
    columns = compare(assignment_of(50), sweeps=37, full=False)["table"].columns
    assert columns["Solver"].tolist() == ["SNS", "Sinkhorn"]
    assert columns["Sweeps"][1] == 37
    assert columns["Marginal error"][1] > 1e-6


def test_abscissas_are_joined_in_order():
    a = Trace(np.array([1.0, 3]), np.array([0.1, 0.01]), np.zeros(2), {})
    b = Trace(np.array([2.0, 3]), np.array([0.5, 0.4]), np.zeros(2), {})
    x, series = joined({"a": a, "b": b}, "iterations")
    assert x.tolist() == [1, 2, 3, 3]
    np.testing.assert_array_equal(series["a"], [0.1, np.nan, 0.01, np.nan])
    np.testing.assert_array_equal(series["b"], [np.nan, 0.5, np.nan, 0.4])


def test_one_measure_alone_is_refused():
    with pytest.raises(UserError, match="second measure is missing"):
        compare({"source": pair_of_densities(30)["source"]})
