import numpy as np
import pytest

from engines.core import Run, catalog
from engines.data import CostMatrix, Measure


def solved(inputs, **settings):
    method = catalog().get("exact-transport")
    return method.run(inputs, method.params.parse(settings), Run())


def test_an_assignment_of_its_own_name():
    costs = np.ones((4, 4)) - np.eye(4)[[2, 0, 3, 1]]
    found = solved({"source": CostMatrix(costs=costs)})
    np.testing.assert_allclose(found["coupling"].dense(), np.eye(4)[[2, 0, 3, 1]] / 4)
    assert found["scores"].columns["Transport cost"][0] == pytest.approx(0, abs=1e-15)


def test_potentials_prove_the_cost_in_the_costs_as_they_were():
    draw = np.random.default_rng(2)
    source = Measure(
        points=10 * draw.normal(size=(20, 3)), weights=np.concatenate([[0.0], draw.dirichlet(np.ones(19))])
    )
    target = Measure(points=10 * draw.normal(size=(30, 3)))
    found = solved({"source": source, "target": target}, cost="Euclidean")
    coupling, scores = found["coupling"], found["scores"].columns
    costs = np.linalg.norm(source.points[:, None] - target.points, axis=-1)
    f, g = coupling.source_potential, coupling.target_potential
    assert (costs - f[:, None] - g).min() > -1e-10  # the point without mass is no exception
    assert scores["Dual value"][0] == pytest.approx(scores["Transport cost"][0], rel=1e-12)
    assert scores["Transport cost"][0] == pytest.approx(source.mass @ f + target.mass @ g, rel=1e-12)
    assert scores["Entries"][0] <= 48
    assert coupling.marginal_errors == pytest.approx((0, 0), abs=1e-13)
