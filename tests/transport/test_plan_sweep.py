"""The sweep: one table and one plot with exact, entropic, quadratic and k-sparse plans (sheet 07, acceptance 5)."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import Noted, Run, UserError, catalog
from engines.data import CostMatrix
from engines.transport.k_sparse import clouds
from tests.contract.examples import Ear


def sweep(inputs, **changes):
    method, ear = catalog().get("plan-sweep"), Ear()
    return method.run(inputs, method.params.parse(changes), Run(listener=ear)), ear.of(Noted)


@pytest.fixture(scope="module")
def of_p():
    return sweep(clouds(20, 30), ks=(1, 3, 5, 10))


def test_all_plans_stand_in_one_table(of_p):
    found, _ = of_p
    columns = {name: values.tolist() for name, values in found["plans"].columns.items()}
    assert columns["Plan"] == ["Exact", "Entropic", "k = 1", "k = 3", "k = 5", "k = 10", "Quadratic"]
    assert columns["Entries"][0] == 20 + 30 - 1
    assert columns["Entries"][1] > 10 * columns["Entries"][0] / 2
    assert columns["Most sources"][2:6] == [1, 3, 5, pytest.approx(8, abs=2)]
    bounds = columns["Lower bound"][2:]
    assert bounds == sorted(bounds, reverse=True)
    assert min(columns["Transport cost"][1:2] + columns["Transport cost"][3:]) >= columns["Transport cost"][0]
    assert [name for name in found if name.startswith("couplings")] == [f"couplings/{i}" for i in range(1, 8)]


def test_the_ends_of_the_sweep_are_exact_and_quadratic_transport(of_p):
    found, _ = of_p
    columns, pair = found["plans"].columns, clouds(20, 30)
    scale = ((pair["source"].points[:, None] - pair["target"].points) ** 2).sum(-1).max()
    constant = 0.5 * scale * (pair["target"].weights ** 2).sum()
    assert columns["Lower bound"][2] == pytest.approx(columns["Transport cost"][0] + constant, rel=1e-12)
    assert columns["Objective"][-1] == pytest.approx(columns["Lower bound"][-1], rel=1e-9)
    objective = found["objective"].series
    assert (objective["k-sparse, lower bound"] <= np.nan_to_num(objective["k-sparse"], nan=np.inf) + 1e-9).all()
    assert np.isnan(objective["k-sparse"][0])  # one source a target cannot keep both marginals
    assert (objective["Quadratic"] == objective["Quadratic"][0]).all()


def test_what_no_plan_can_have_is_left_out_and_told():
    costs = np.random.default_rng(0).random((9, 4))
    found, notes = sweep({"source": CostMatrix(costs=costs)}, ks=(2, 3, 9, 20))
    assert found["plans"].columns["Plan"].tolist()[2:] == ["k = 3", "Quadratic"]
    assert any("k = 2, 9, 20" in note.text for note in notes)
    with pytest.raises(UserError, match="between 3 and 8"):
        sweep({"source": CostMatrix(costs=costs)}, ks=(1, 2))


@pytest.mark.parametrize("size", [(1, 5), (5, 1)])
def test_a_problem_between_whose_ends_no_k_lies_is_refused_without_naming_one(size):
    with pytest.raises(UserError) as refused:
        sweep(clouds(*size), ks=(1, 2))
    assert "two sources and two targets" in refused.value.mend
