"""Elastic bodies are checked when they are made."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.data import ElasticBody
from engines.data.bodies import cell_measures

TET = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)


def test_a_tetrahedron_has_a_sixth_and_turned_over_cells_are_mended():
    body = ElasticBody.of(TET, [[1, 0, 2, 3]])
    assert cell_measures(body.points, body.cells) == pytest.approx([1 / 6])
    assert body.dimensions == 3
    assert body.length == 0.5
    flat = ElasticBody.of(TET[:3, :2], [[0, 2, 1]])
    assert cell_measures(flat.points, flat.cells) == pytest.approx([0.5])
    assert flat.is_flat


@pytest.mark.parametrize(
    ("cells", "changes", "words"),
    [
        ([[0, 1, 2]], {"points": TET + np.arange(4)[:, None] * [0, 0, 1.0]}, "surface in space"),
        ([[0, 1, 2, 3], [0, 1, 2, 2]], {}, "turned inside out: 1"),
        ([[0, 1, 2, 3], [1, 0, 2, 3]], {}, "turned inside out: 1"),
        ([[0, 1, 2, 3]], {"inertia": 0.0}, "inertia is 0"),
        ([[0, 1, 2, 3]], {"arap": -1.0}, "arap is -1"),
        ([[0, 1, 2, 3]], {"planes": np.zeros((1, 6))}, "obstacle"),
        ([[0, 1, 2, 3]], {"spheres": np.zeros((1, 4))}, "obstacle"),
    ],
)
def test_what_cannot_be_moved_is_refused(cells, changes, words):
    with pytest.raises(UserError, match=words):
        ElasticBody.of(changes.pop("points", TET), cells, **changes)


def test_a_body_without_cells_is_refused():
    with pytest.raises(UserError, match="no cells"):
        ElasticBody.of(TET, np.zeros((0, 4), int))
