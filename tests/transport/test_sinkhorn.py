import numpy as np
import ot
import pytest
from scipy.special import xlogy

from engines.core import Checkpointed, Run, catalog
from engines.data import CostMatrix, Measure
from tests.contract.examples import Ear


def solved(inputs, ear=None, **settings):
    method = catalog().get("sinkhorn")
    return method.run(inputs, method.params.parse(settings), Run(listener=ear))


def pair(m: int = 30, n: int = 25) -> dict[str, Measure]:
    draw = np.random.default_rng(0)
    return {
        "source": Measure(points=draw.normal(size=(m, 2)), weights=draw.dirichlet(np.ones(m))),
        "target": Measure(points=draw.normal(size=(n, 2)) + 1),
    }


@pytest.mark.parametrize("scale", ["largest", "none"])
def test_results_belong_to_the_costs_as_they_were(scale):
    inputs, eta = pair(), 30.0
    found = solved(inputs, inverse_regularisation=eta, tolerance=1e-12, scale=scale)
    a, b = inputs["source"].mass, inputs["target"].mass
    C = ((inputs["source"].points[:, None] - inputs["target"].points) ** 2).sum(-1)
    epsilon = (C.max() if scale == "largest" else 1) / eta
    plan = ot.sinkhorn(a, b, C, epsilon, stopThr=1e-15, numItermax=100_000)
    coupling, scores = found["coupling"], {key: column[0] for key, column in found["scores"].columns.items()}
    np.testing.assert_allclose(coupling.plan, plan, atol=1e-11)
    assert scores["Transport cost"] == pytest.approx((plan * C).sum(), abs=1e-9)
    objective = (plan * C).sum() + epsilon * xlogy(plan, plan).sum()
    assert scores["Objective"] == pytest.approx(objective, abs=1e-9)
    assert scores["Dual value"] == pytest.approx(objective, abs=1e-9)
    assert scores["Row error"] <= 2e-12
    x, y = coupling.source_potential, coupling.target_potential
    np.testing.assert_allclose(np.exp((x[:, None] + y - C) / epsilon - 1), plan, rtol=1e-8, atol=1e-12)
    assert coupling.kind == "entropic, η = 30"


def test_convergence_is_told_and_ends_where_it_should():
    curve = solved(pair(), inverse_regularisation=100, tolerance=1e-7)["convergence"]
    (errors,) = curve.series.values()
    assert (np.diff(errors) < 0).all()
    assert errors[-1] <= 1e-7 < errors[-2]
    assert curve.x.tolist() == [10.0 * (k + 1) for k in range(len(errors))]
    assert curve.y_log


def test_it_says_when_the_sweeps_ran_out():
    ear = Ear()
    found = solved(pair(), ear, inverse_regularisation=1000, sweeps=25)
    assert any("after 25 sweeps" in event.text for event in ear.events if hasattr(event, "text"))
    assert found["scores"].columns["Sweeps"].tolist() == [25]
    assert found["convergence"].x.tolist() == [10, 20, 25]


@pytest.mark.parametrize("settings", [{"anneal": True}, {"kernel": "recomputed"}, {"weights": "normalised"}])
def test_ways_to_the_same_plan(settings):
    inputs = pair()
    found = [solved(inputs, inverse_regularisation=300, tolerance=1e-11, sweeps=100_000, **more)["coupling"].plan
             for more in ({}, settings)]  # fmt: skip
    np.testing.assert_allclose(*found, atol=1e-10)


def test_a_cost_matrix_with_names_and_without_mass_somewhere():
    given = CostMatrix(costs=np.random.default_rng(0).random((3, 4)), source_weights=[1, 0, 1],
                       target_names=("a", "b", "c", "d"))  # fmt: skip
    coupling = solved({"source": given}, inverse_regularisation=10)["coupling"]
    assert coupling.target_names == ("a", "b", "c", "d")
    assert coupling.plan[1].tolist() == [0, 0, 0, 0]
    assert coupling.marginal_errors == pytest.approx((0, 0), abs=1e-8)
    assert np.isfinite(coupling.source_potential).all()


def test_it_goes_on_to_the_same_plan_from_every_checkpoint():
    ear, method = Ear(), catalog().get("sinkhorn")
    params = method.params.parse({"inverse_regularisation": 100, "tolerance": 1e-7})
    whole = method.run(pair(), params, Run(listener=ear, checkpoint_seconds=0))["coupling"]
    checkpoints = [event.checkpoint for event in ear.events if isinstance(event, Checkpointed)]
    assert len(checkpoints) > 3
    for checkpoint in (checkpoints[0], checkpoints[-1]):
        again = method.run(pair(), params, Run(checkpoint=checkpoint))["coupling"]
        assert again.content_hash() == whole.content_hash()
