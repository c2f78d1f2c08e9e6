import numpy as np
import pytest
import torch

from engines.blocks.transport.posing import CouplingParams, memory_for, posed, sizes
from engines.blocks.transport.scores import score_table, transport_cost
from engines.core import Run, UserError
from engines.data import CostMatrix, Measure
from tests.contract.examples import Ear


def pair(**changes) -> tuple[Measure, Measure]:
    draw = np.random.default_rng(0)
    source = Measure(points=draw.normal(size=(5, 2)), weights=draw.dirichlet(np.ones(5)))
    target = Measure(points=draw.normal(size=(4, 2)), weights=draw.dirichlet(np.ones(4)))
    return source.replace(**changes), target


def grid(rows: int, columns: int, extent: float | None = None) -> Measure:
    y, x = np.meshgrid(np.arange(rows)[::-1], np.arange(columns), indexing="ij")
    points = np.stack([x, y], -1).reshape(-1, 2).astype(float)
    return Measure(points=points if extent is None else extent * points / points.max(0), grid=(rows, columns))


@pytest.mark.parametrize("scale", ["largest", "mean", "none"])
def test_costs_are_scaled_and_results_are_not(scale):
    source, target = pair()
    problem = posed(source, target, CouplingParams(scale=scale), Run())
    costs = ((source.points[:, None] - target.points) ** 2).sum(-1)
    assert problem.scale == pytest.approx({"largest": costs.max(), "mean": costs.mean(), "none": 1}[scale])
    np.testing.assert_allclose(problem.costs * problem.scale, costs)
    assert problem.costs.dtype == problem.a.dtype == problem.b.dtype == torch.float64
    coupling = problem.coupling(plan=torch.outer(problem.a, problem.b), potentials=(problem.a, problem.b))
    assert transport_cost(problem, coupling) == pytest.approx(source.mass @ costs @ target.mass)
    np.testing.assert_allclose(coupling.source_potential, problem.scale * source.mass)
    assert coupling.marginal_errors == pytest.approx((0, 0), abs=1e-15)
    assert (coupling.cost, coupling.source, coupling.target) == ("squared Euclidean", source, target)


def test_a_cost_matrix_needs_no_measures():
    given = CostMatrix(costs=[[1.0, -4], [0, 2]], source_weights=[3, 5], source_names=("a", "b"))
    problem = posed(given, None, CouplingParams(), Run())
    assert problem.scale == 4  # the largest size; costs may be negative
    assert problem.b.tolist() == [4, 4]  # no weights: the same for all, of the other side's total
    assert problem.coupling(plan=problem.costs * 0).source_names == ("a", "b")
    assert posed(CostMatrix(costs=[[0.0, 0]]), None, CouplingParams(), Run()).scale == 1


def test_points_without_mass_are_left_out_and_put_back():
    ear = Ear()
    source, target = pair(weights=[0.5, 0, 0.25, 0, 0.25])
    problem = posed(source, target, CouplingParams(), Run(listener=ear))
    assert problem.costs.shape == (3, 4)
    assert ["2 points have no mass on the first side" in event.text for event in ear.events] == [True]
    plan = torch.outer(problem.a, problem.b)
    f, g = problem.costs.amin(1), torch.zeros(4, dtype=torch.float64)
    dense = problem.coupling(plan=plan, potentials=(f, g))
    listed = problem.coupling(entries=(*torch.nonzero(plan, as_tuple=True), plan.reshape(-1)))
    for coupling in (dense, listed):
        np.testing.assert_allclose(coupling.dense(), np.outer(source.weights, target.weights), atol=1e-17)
        table = score_table(problem, coupling, {"Sweeps": 3})
        costs = ((source.points[:, None] - target.points) ** 2).sum(-1)
        assert table.columns["Transport cost"][0] == pytest.approx(np.vdot(costs, coupling.dense()))
        assert (table.columns["Entries"][0], table.columns["Sweeps"][0]) == (12, 3)
    np.testing.assert_allclose(dense.source_potential, costs.min(1))  # also where there is no mass: the c-transform
    back = posed(target, source, CouplingParams(), Run())
    turned = back.coupling(plan=plan.T, potentials=(g, f)).target_potential
    np.testing.assert_allclose(turned, costs.min(1))


def refusal(*given, **settings) -> str:
    with pytest.raises(UserError) as refused:
        posed(*given, CouplingParams(**settings), Run())
    assert refused.value.mend
    return str(refused.value)


def test_different_totals_are_refused_with_both_sums_and_can_be_normalised():
    source, target = pair(weights=np.full(5, 0.5))
    text = refusal(source, target)
    assert "2.5 and 1" in text
    assert "normalised" in text
    problem = posed(source, target, CouplingParams(weights="normalised"), Run())
    assert float(problem.a.sum()) == pytest.approx(1, abs=1e-15)
    near = source.replace(weights=np.full(5, 0.2 * (1 + 1e-11)))
    problem = posed(near, target, CouplingParams(), Run())
    assert float(problem.a.sum() - problem.b.sum()) == pytest.approx(0, abs=1e-15)


def test_what_has_no_answer_is_refused():
    source, target = pair()
    costs = CostMatrix(costs=np.eye(2))
    assert "second measure is missing" in refusal(source, None)
    assert "holds its targets already" in refusal(costs, target)
    assert "2D, the other in 3D" in refusal(source, Measure(points=np.ones((2, 3))))
    assert "mm, the other in km" in refusal(source.replace(unit="mm"), target.replace(unit="km"))
    far = source.replace(points=source.points * 1e200)
    assert "not finite" in refusal(far, target)
    zero = Measure(points=np.zeros((1, 3)))
    assert "centre of the sphere" in refusal(zero, zero, cost="sphere geodesic")
    for bad in (np.nan, np.inf):
        with pytest.raises(UserError, match="not finite"):
            CostMatrix(costs=[[0, bad]])
        with pytest.raises(UserError, match="not finite"):
            Measure(points=[[0.0]], weights=[bad])
    with pytest.raises(UserError, match="negative"):
        Measure(points=[[0.0], [1]], weights=[1, -1])


def test_pictures_of_different_sizes_are_to_be_resampled():
    text = refusal(grid(2, 3), grid(4, 5))
    assert "2 × 3 nodes, the other 4 × 5" in text
    assert "Image to measure" in text
    for fine in (grid(4, 5, 1.0), grid(2, 3, 1.0)):  # of one extent they can be compared
        posed(grid(2, 3, 1.0), fine, CouplingParams(), Run())


def test_points_off_the_sphere_are_told_of():
    ear = Ear()
    source, target = pair()
    posed(source, target, CouplingParams(cost="sphere geodesic"), Run(listener=ear))
    assert sum("do not lie on the unit sphere" in event.text for event in ear.events) == 2


def test_sizes_and_memory():
    source, target = pair()
    assert sizes({"source": source, "target": target}) == (5, 4)
    assert sizes({"source": CostMatrix(costs=np.zeros((2, 3)))}) == (2, 3)
    assert memory_for(3, 100)({"source": source, "target": target}, None) == 3 * 8 * 20 + 100
    assert memory_for(3, 100)({"source": source}, None) == 100
