"""Measures, couplings and maps check what they are given and say what they hold."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.data import Coupling, Measure
from tests import transports


def test_weights_that_are_not_given_are_uniform():
    assert Measure(points=np.zeros((4, 2))).mass.tolist() == [0.25] * 4
    assert Measure(points=np.zeros((2, 1)), weights=[3, 1]).mass.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": [1, 1, 1, 1, 1, -0.5]}, "negative"),
        ({"weights": np.zeros(6)}, "all zero"),
        ({"grid": (2, 2)}, "does not fit"),
        ({"dimensions": ("x",)}, "names"),
        ({"points": np.zeros((6, 0))}, "no point"),
        ({"weights": np.ones(5)}, "length"),
        ({"points": np.full((6, 2), np.nan)}, "not finite"),
    ],
)
def test_a_wrong_measure_is_refused(changes, said):
    with pytest.raises(UserError, match=said):
        transports.measure(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"costs": np.zeros((0, 3)), "source_weights": None}, "empty"),
        ({"costs": [[np.inf, 1, 2], [1, 2, 3]]}, "not finite"),
        ({"source_weights": [-1, 2]}, "negative"),
        ({"target_names": ("a",)}, "names"),
    ],
)
def test_a_wrong_cost_matrix_is_refused(changes, said):
    with pytest.raises(UserError, match=said):
        transports.costs(**changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": [2, 3]}, "outside"),
        ({"rows": [0, -1]}, "outside"),
        ({"mass": [0.5, -0.25]}, "negative"),
        ({"plan": np.zeros((2, 3))}, "two"),
        ({"rows": None}, "two"),
        ({"rows": None, "columns": None, "mass": None}, "no plan"),
        ({"source": Measure(points=np.zeros((3, 1)))}, "other numbers"),
    ],
)
def test_a_wrong_coupling_is_refused(changes, said):
    with pytest.raises(UserError, match=said):
        transports.coupling(**changes)


def test_a_coupling_is_the_same_dense_and_by_entries():
    dense = transports.dense_coupling()
    rows, columns, mass = dense.entries()
    entries = Coupling(
        rows=rows, columns=columns, mass=mass, source_weights=dense.source_weights,
        target_weights=dense.target_weights,
    )  # fmt: skip
    np.testing.assert_array_equal(entries.dense(), dense.plan)
    assert entries.count == dense.count == 6
    np.testing.assert_allclose(np.concatenate(entries.marginals), np.concatenate(dense.marginals))
    assert max(dense.marginal_errors) < 1e-15
    assert transports.coupling().marginal_errors == (0.25, 0.25)
    assert [part.tolist() for part in transports.coupling().entries(0.3)] == [[0], [2], [0.5]]


def test_displacements_know_where_they_end():
    moved = transports.displacements()
    np.testing.assert_array_equal(moved.moved.points, moved.ends)
    with pytest.raises(UserError, match="other dimensions"):
        transports.displacements(target=Measure(points=np.zeros((2, 3))))
