"""What the import dialog says of fields, meshes, problems and solutions."""

from __future__ import annotations

import numpy as np

from app.dialogs import field_facts
from app.dialogs.facts import describe
from tests.files import made


def rows(artifact):
    return dict(describe(artifact).rows)


def test_a_field_has_axes_times_and_ranges():
    item = made.flow()
    found = rows(item)
    assert found["Nodes"] == "6 × 5, unevenly spaced"
    assert found["x"] == "-1 to 1 m"
    assert found["t"] == "0 to 2 s"
    assert found["Times"] == "3, unevenly spaced"
    low, high = item.values[:, 2].min(), item.values[:, 2].max()
    assert found["p"] == f"{low:.4g} to {high:.4g} m/s"
    assert found["Vector velocity"] == "u, v"


def test_a_large_field_is_looked_at_in_parts(monkeypatch):
    monkeypatch.setattr(field_facts, "LOOKED_AT", 1000)
    values = np.arange(20.0**3).reshape(20, 20, 20)
    assert field_facts.range_text(values) == "about 0 to 7999"
    values[0, 0, 0] = np.nan
    assert field_facts.range_text(values) == "about 1 to 7999, 1 not finite"


def test_meshes_problems_and_solutions():
    body = rows(made.body())
    assert (body["Vertices"], body["Tetrahedra"], body["Extent"]) == ("27", "48", "2 × 2 × 2")
    assert body["Moves"].startswith("by up to 0.")
    problem = rows(made.problem())
    assert problem["Equation"] == "u_t - nu*u_xx + u*u_x = 0"
    assert problem["t"] == "0 to 0.99 (time)"
    assert problem["To be found"] == "kappa (from 0.1)"
    assert rows(made.solution())["Numbers stored"] == "15"
    assert rows(made.trajectory())["Numbers stored"] == "5 for each time"
