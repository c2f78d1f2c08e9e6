"""Fields compared: with closed forms on the same nodes, across grids, and over time."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.pde.comparison import error_over_time, exact_field, on_nodes, shared_parts
from engines.core import Run, UserError, catalog
from engines.data import Problem, SampledField

X, Y, T = np.linspace(0, 1, 21), np.linspace(-1, 1, 31), np.linspace(0, 2, 9)


def wave(x, y, t, name="u", **more) -> SampledField:
    values = np.sin(2 * x)[None, :, None] * np.cos(y)[None, None] * np.exp(-t)[:, None, None]
    return SampledField.of(values, x, y, times=t, components=(name,), **more)


PROBLEM = Problem(
    coordinates=("x", "y", "t"), time="t", lower=[0, -1, 0], upper=[1, 1, 2], equations=("u_t = -u",),
    exact={"u": "sin(2*x)*cos(y)*exp(-t)"},
)  # fmt: skip


def compare(**inputs):
    method = catalog().get("compare-fields")
    return method.run(inputs, method.params(), Run())


def test_the_exact_solution_is_taken_at_nodes_and_times():
    np.testing.assert_allclose(exact_field(wave(X, Y, T), PROBLEM).values, wave(X, Y, T).values, atol=1e-14)
    assert exact_field(wave(X, Y, T, name="pressure"), PROBLEM) is None


def test_a_field_is_brought_to_other_nodes_and_is_unknown_beyond_its_own():
    at = wave(np.linspace(0.1, 1.2, 12), np.linspace(-0.5, 0.5, 7), np.linspace(0.1, 1.9, 5))
    found = on_nodes(wave(X, Y, T), at)
    inside = at.x <= 1
    np.testing.assert_allclose(found.values[:, :, inside], at.values[:, :, inside], atol=2e-4)
    assert np.isnan(found.values[:, :, ~inside]).all()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_steady_fields_of_each_dimension(dimensions):
    fine, rough = np.linspace(0, 1, 13), np.linspace(0, 1, 7)
    values = [np.add.reduce(np.meshgrid(*[n**2] * dimensions, indexing="ij")) for n in (fine, rough)]
    one, other = (SampledField.of(v, *[n] * dimensions) for v, n in zip(values, (fine, rough), strict=True))
    np.testing.assert_allclose(on_nodes(one, other).values, other.values, atol=1e-12)


def test_the_scores_are_those_of_the_closed_form():
    field = wave(X, Y, T).replace(values=wave(X, Y, T).values + 0.01)
    found = compare(field=field, problem=PROBLEM)
    truth = wave(X, Y, T).values
    columns = found["scores"].columns
    assert columns["Largest error"][0] == pytest.approx(0.01)
    assert columns["Relative L2 error"][0] == pytest.approx(0.01 * np.sqrt(truth.size) / np.linalg.norm(truth))
    np.testing.assert_allclose(found["error"].values, 0.01)
    np.testing.assert_allclose(found["over_time"].series["largest error, u"], 0.01)


def test_a_reference_is_taken_before_the_exact_solution():
    found = compare(
        field=wave(X, Y, T), reference=wave(X, Y, T).replace(values=wave(X, Y, T).values + 1), problem=PROBLEM
    )
    assert found["scores"].columns["Largest error"][0] == pytest.approx(1)


def test_components_meet_by_name_and_single_ones_whatever_they_are_called():
    two = SampledField.of(np.stack([np.ones((21, 31)), np.zeros((21, 31))]), X, Y, components=("u", "v"))
    swapped = two.replace(values=two.values[:, ::-1], components=("v", "u"))
    mine, theirs = shared_parts(two, swapped)
    np.testing.assert_array_equal(mine.values, theirs.values)
    mine, theirs = shared_parts(wave(X, Y, T, "a"), wave(X, Y, T, "b"))
    np.testing.assert_array_equal(mine.values, theirs.values)
    with pytest.raises(UserError, match="no component"):
        shared_parts(two, wave(X, Y, T, "w"))


def test_a_vanishing_truth_has_no_relative_error():
    zero = wave(X, Y, T).replace(values=np.zeros_like(wave(X, Y, T).values))
    curve = error_over_time(wave(X, Y, T), zero)
    assert np.isnan(curve.series["relative L2 error, u"]).all()
    assert np.isfinite(curve.series["largest error, u"]).all()
