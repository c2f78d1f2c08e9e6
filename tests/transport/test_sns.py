"""SNS: the counts of its steps, its certificate, the plan of two other solvers, and what goes wrong."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch

from engines.blocks.transport.posing import posed
from engines.blocks.transport.sinkhorn import sinkhorn
from engines.core import Cancelled, Checkpointed, Control, Logged, Noted, Run, UserError, catalog
from engines.data import CostMatrix, Measure
from engines.transport.densities import DensitiesParams, two_densities
from engines.transport.digit_pair import digit
from engines.transport.random_assignment import random_costs

FIXED = {"switch": "after all sweeps", "sweeps": 20, "scale": "none"}


class Heard:
    def __init__(self) -> None:
        self.events: list = []

    def emit(self, event) -> None:
        self.events.append(event)

    def wants_preview(self) -> bool:
        return False

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Noted)]


def solve(inputs, heard=None, **params):
    method = catalog().get("sns")
    return method.run(inputs, method.params.parse(params), Run(seed=0, listener=heard))


def figures(made) -> dict[str, float]:
    return {name: float(column[0]) for name, column in made["scores"].columns.items()}


@functools.cache
def assignment(size: int = 500):
    return {"source": random_costs(size, np.random.default_rng(0))}


def densities(bins: int = 60):
    made = two_densities(DensitiesParams(bins=bins))
    return {"source": made.first, "target": made.second}


def digits(size: int = 12, background: float = 0.01):
    return {"source": digit(3, 0, size, background), "target": digit(5, 0, size, background)}


def test_the_values_of_the_random_assignment():
    """n = 500, eta = 1200: <C, P>, the objective and the dual value as they were computed independently."""
    found = figures(solve(assignment(), **FIXED))
    assert found["Transport cost"] == pytest.approx(0.0034504128667, abs=1e-12)
    assert found["Objective"] == pytest.approx(-0.0023765243673, abs=1e-12)
    assert abs(found["Objective minus dual value"]) <= 1e-12
    assert found["Newton steps"] <= 12
    assert found["Row error"] + found["Column error"] <= 1e-12


@pytest.mark.parametrize(("kept", "steps"), [(3, 22), (4, 13), (6, 9), (10, 8), (20, 8)])
def test_the_counts_of_steps_by_the_entries_kept(kept, steps):
    made = solve(assignment(), **FIXED, kept=kept, widening=False, tolerance=1e-13)
    assert figures(made)["Newton steps"] == pytest.approx(steps, abs=1)
    assert figures(made)["Sweeps"] == 20


def test_two_entries_per_row_are_too_few_for_more_than_a_straight_line():
    made = solve(assignment(), **FIXED, kept=2, widening=False, tolerance=1e-13)
    error = made["history"].columns["Marginal error"][20:]
    assert len(error) == 60
    assert error[-1] > 1e-13
    rates = error[21:51:10] / error[11:41:10]
    assert (rates ** (1 / 10) > 0.5).all()


def test_the_tail_is_faster_than_linear():
    made = solve(assignment(), **FIXED)
    error = made["history"].columns["Marginal error"]
    gained = np.log10(error[-4:-1] / error[-3:])
    assert (np.diff(gained) > 0).all()
    assert gained[-1] > 5
    # Each of the last two steps gains two decades; the third last is where the quadratic range begins.
    assert (gained[1:] >= 1.9).all()


@pytest.mark.parametrize("sweeps", [5, 200])
def test_the_dual_value_never_falls(sweeps):
    """In sweeps and in steps, short ones among them, by more than rounding."""
    short = 0
    for inputs, params in ((assignment(100), {"inverse_regularisation": 5000.0}), (digits(), {"cost": "city block"})):
        columns = solve(inputs, switch="after all sweeps", sweeps=sweeps, **params)["history"].columns
        gap = np.nan_to_num(columns["Below the optimum"])
        short += int((columns["Step length"] < 0.1).sum())
        assert len(gap) > 20
        assert (np.diff(gap) <= 1e-15 + 1e-13 * gap[:-1]).all()
    assert short > 10


@pytest.mark.parametrize("eta", [100.0, 300.0])
def test_the_plan_is_that_of_newton_with_all_entries_and_of_many_sweeps(eta):
    inputs = assignment(100)
    ours = solve(inputs, inverse_regularisation=eta, scale="none")["coupling"].plan
    whole = solve(inputs, inverse_regularisation=eta, scale="none", hessian="full")["coupling"].plan
    C = torch.from_numpy(inputs["source"].costs.copy())
    a = torch.full((100,), 0.01, dtype=torch.float64)
    swept = sinkhorn(C, a, a, 1 / eta, tolerance=1e-13, sweeps=50_000, check_every=100).plan().numpy()
    assert np.abs(ours - whole).max() <= 1e-9
    assert np.abs(ours - swept).max() <= 1e-9
    assert np.abs(ours - swept).sum() <= 1e-9


def test_potentials_belong_to_the_costs_as_they_were():
    made = solve(densities())["coupling"]
    C = (made.source.points - made.target.points.T) ** 2
    epsilon = figures(solve(densities()))["Regularisation ε"]
    assert epsilon == pytest.approx(C.max() / 1200)
    exponent = (made.source_potential[:, None] + made.target_potential - C) / epsilon - 1
    np.testing.assert_allclose(np.exp(exponent), made.plan, rtol=1e-8, atol=1e-18)


def test_nothing_underflows_at_a_large_eta():
    """exp(-eta C) has rows of nothing but zeros here."""
    inputs = {"source": CostMatrix(costs=0.5 + 0.5 * np.random.default_rng(4).random((40, 40)))}
    for eta in (5e3, 1e5):
        found = figures(solve(inputs, inverse_regularisation=eta, scale="none"))
        assert found["Row error"] <= 1e-12
        assert abs(found["Objective minus dual value"]) <= 1e-12


def test_costs_with_many_optimal_plans_converge_by_widening():
    """City block costs between pixels, after the 700 sweeps of the paper, with too few entries to begin with."""
    heard = Heard()
    made = solve(digits(14), heard, cost="city block", sweeps=700, switch="after all sweeps", kept=3)
    assert figures(made)["Row error"] <= 1e-12
    assert sum("Too few entries" in text for text in heard.texts) >= 1
    fixed = solve(digits(14), cost="city block", sweeps=700, switch="after all sweeps", kept=3, widening=False)
    assert figures(fixed)["Row error"] > 1e-12


def test_eta_rises_from_a_gentle_one_where_newton_came_too_early():
    heard = Heard()
    made = solve(digits(14), heard, cost="city block")
    columns = made["history"].columns
    assert any("come too early" in text for text in heard.texts)
    eta = columns["η"]
    begun = int(np.argmin(eta))
    assert eta[0] == eta[-1] == 1200
    assert eta[begun] <= 100
    assert (np.diff(eta[begun:]) >= 0).all()
    assert np.isnan(columns["Below the optimum"][eta != 1200]).all()
    assert figures(made)["Row error"] <= 1e-12
    assert len(eta) < 200


@pytest.mark.parametrize("limits", [{"sweeps": 6}, {"newton_steps": 3}, {"sweeps": 7, "newton_steps": 1}])
def test_the_last_eta_is_the_one_asked_for_even_where_sweeps_and_steps_run_out(limits):
    heard = Heard()
    made = solve(digits(14), heard, cost="city block", **limits)
    assert made["history"].columns["η"][-1] == 1200
    assert made["coupling"].kind == "entropic, η = 1200"
    assert figures(made)["Newton steps"] <= limits.get("newton_steps", 60)
    assert any("not reached" in text for text in heard.texts) == (figures(made)["Row error"] > 1e-12)


@pytest.mark.parametrize("points", [3, 40, 100])
def test_a_run_that_climbs_goes_on_where_it_was(points):
    """Cancelled in its first stages, amid smaller eta, and near the end."""
    params = catalog().get("sns").params.parse({"cost": "city block"})
    whole, control = solve(digits(14), cost="city block"), Control()

    class Cancelling(Heard):
        def emit(self, event) -> None:
            super().emit(event)
            if sum(isinstance(e, Logged) for e in self.events) >= points:
                control.cancel()

    heard = Cancelling()
    with pytest.raises(Cancelled):
        catalog().get("sns").run(digits(14), params, Run(seed=0, listener=heard, control=control))
    (*_, last) = [event.checkpoint for event in heard.events if isinstance(event, Checkpointed)]
    rest = catalog().get("sns").run(digits(14), params, Run(seed=0, checkpoint=last))
    assert {name: a.content_hash() for name, a in rest.items()} == {n: a.content_hash() for n, a in whole.items()}


@pytest.mark.parametrize("seed", range(6))
def test_random_problems_of_all_kinds_converge(seed):
    """Shapes, weights over many magnitudes, ties, eta up to 20,000, and any unit of cost and mass."""
    rng = np.random.default_rng(seed)
    m, n = rng.integers(2, 50, 2)
    ties = np.abs(rng.integers(0, 5, (m, 1, 2)) - rng.integers(0, 5, (n, 2))).sum(-1).astype(float)
    costs = (ties, rng.normal(size=(m, n)) * 1e5, rng.random((m, n)))[seed % 3]
    a, b = (rng.dirichlet(np.full(k, 10 ** rng.uniform(-2, 2))) + 1e-14 for k in (m, n))
    mass, eta = 10 ** rng.uniform(-6, 6), 10 ** rng.uniform(2, 4.3)
    given = CostMatrix(costs=costs, source_weights=mass * a / a.sum(), target_weights=mass * b / b.sum())
    found = figures(solve({"source": given}, inverse_regularisation=eta))
    assert found["Row error"] + found["Column error"] <= 1.01e-12 * mass
    assert abs(found["Objective minus dual value"]) <= 1e-11 * np.abs(costs).max() * mass


def test_dense_newton_takes_over_where_all_entries_are_kept():
    made = solve(densities(30), kept=30, tolerance=1e-13)
    assert figures(made)["Inner iterations"] == 0
    assert made["history"].columns["Entries kept"][-1] == 900


def test_large_systems_are_left_to_conjugate_gradients(monkeypatch):
    monkeypatch.setattr("engines.blocks.transport.newton.MOST_FACTORISED", 10)
    inputs = assignment(60)
    for params in ({"inverse_regularisation": 3000.0}, {"hessian": "full"}):
        found = figures(solve(inputs, **params))
        assert found["Row error"] <= 1e-12
        assert found["Inner iterations"] > 0


def test_zero_weights_are_left_out_and_stand_again_in_the_coupling():
    heard = Heard()
    made = solve(digits(12, 0.0), heard)["coupling"]
    empty = made.source_weights == 0
    assert empty.any()
    assert made.shape == (144, 144)
    assert made.plan[empty].sum() == 0
    assert np.isfinite(made.source_potential).all()
    assert any("no mass on the first side" in text for text in heard.texts)


def test_mass_other_than_one_is_a_matter_of_scale():
    one = densities(40)
    many = {side: m.replace(weights=1e3 * m.weights) for side, m in one.items()}
    ours, theirs = (solve(inputs, inverse_regularisation=300.0)["coupling"].plan for inputs in (one, many))
    np.testing.assert_allclose(1e3 * ours, theirs, rtol=1e-9, atol=1e-14)


def test_the_plan_by_its_entries():
    whole = solve(assignment(100), **FIXED)["coupling"]
    listed = solve(assignment(100), **FIXED, form="entries", negligible=1e-10)["coupling"]
    assert listed.plan is None
    assert 100 <= listed.count < 5000
    assert 0 <= whole.plan.sum() - listed.mass.sum() < 1e-10
    np.testing.assert_allclose(listed.dense()[listed.rows, listed.columns], whole.plan[listed.rows, listed.columns])


def test_the_barycentric_map_has_the_mean_of_each_row():
    made = solve(digits(10, 0.0), barycentric=True)
    coupling, means = made["coupling"], made["barycentric"]
    held = coupling.source_weights > 0
    assert len(means.starts) == held.sum() < 100
    plan = coupling.plan[held]
    np.testing.assert_allclose(means.ends, plan @ coupling.target.points / plan.sum(1, keepdims=True), atol=1e-12)
    np.testing.assert_allclose(means.weights, coupling.source_weights[held])
    assert "barycentric" not in solve(assignment(60), barycentric=True)


def test_a_large_plan_is_given_by_its_entries(monkeypatch):
    monkeypatch.setattr("engines.transport.sns_results.MOST_DENSE", 1000)
    assert solve(assignment(100), inverse_regularisation=3000.0)["coupling"].plan is None
    assert solve(assignment(100), inverse_regularisation=10.0)["coupling"].plan is not None  # most entries count


def test_histories_and_curves_tell_the_same():
    heard = Heard()
    made = solve(assignment(60), heard)
    columns, curve = made["history"].columns, made["convergence"]
    newton = columns["Stage"] == "Newton"
    assert np.isnan(columns["Step length"][~newton]).all()
    assert (columns["Step length"][newton] > 0).all()
    np.testing.assert_array_equal(curve.series["Marginal error"], columns["Marginal error"])
    np.testing.assert_array_equal(made["by_seconds"].x, columns["Time"])
    assert (np.diff(columns["Time"]) >= 0).all()
    logged = [event for event in heard.events if isinstance(event, Logged)]
    assert [event.values["marginal error"] for event in logged] == columns["Marginal error"].tolist()
    assert made["history"].content_hash() == solve(assignment(60))["history"].content_hash()


def test_a_tolerance_out_of_reach_ends_with_a_warning():
    heard = Heard()
    made = solve(assignment(100), heard, tolerance=1e-15, newton_steps=1000, inverse_regularisation=4000.0)
    found = figures(made)
    assert found["Newton steps"] < 100
    assert found["Row error"] < 1e-12
    heard = Heard()
    solve(assignment(100), heard, newton_steps=1, sweeps=5)
    assert any("is not reached" in text for text in heard.texts)


def test_no_newton_steps_are_plain_sinkhorn():
    made = solve(assignment(60), **FIXED, newton_steps=0)
    assert figures(made)["Newton steps"] == 0
    assert figures(made)["Sweeps"] == 20


@pytest.mark.parametrize("case", ["one point", "one row", "equal costs"])
def test_small_and_flat_problems(case):
    costs = {"one point": np.ones((1, 1)), "one row": np.arange(5.0)[None], "equal costs": np.full((4, 6), 2.0)}[case]
    made = solve({"source": CostMatrix(costs=costs)})
    m, n = costs.shape
    np.testing.assert_allclose(made["coupling"].plan, np.full((m, n), 1 / (m * n)), rtol=1e-9)


def test_the_same_grid_and_a_permutation():
    """Coinciding clouds: the plan is symmetric; for a large eta the diagonal holds all of the mass."""
    points = np.random.default_rng(5).normal(size=(30, 3))
    cloud = Measure(points=points)
    made = solve({"source": cloud, "target": cloud}, inverse_regularisation=1e6)["coupling"].plan
    np.testing.assert_allclose(made, np.eye(30) / 30, atol=1e-12)


REFUSED = {
    "different totals": ({"source": CostMatrix(costs=np.ones((2, 2)), source_weights=[1, 1], target_weights=[1, 2])},
                         "different totals"),
    "no target": ({"source": Measure(points=[[0.0]])}, "second measure is missing"),
    "both": ({"source": CostMatrix(costs=np.ones((2, 2))), "target": Measure(points=[[0.0]])}, "and a second measure"),
    "dimensions": ({"source": Measure(points=[[0.0]]), "target": Measure(points=[[0.0, 1]])}, "2D"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_answer_is_refused_in_words(case):
    inputs, words = REFUSED[case]
    with pytest.raises(UserError, match=words):
        solve(inputs)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_costs_that_are_not_finite_are_refused(bad):
    costs = np.ones((3, 3))
    costs[1, 2] = bad
    with pytest.raises(UserError, match="not finite"):
        CostMatrix(costs=costs)


def test_a_problem_that_memory_does_not_hold_is_refused_with_numbers():
    costs = np.lib.stride_tricks.as_strided(np.zeros(1), (10**6, 10**6), (0, 0))
    method = catalog().get("sns")
    need = method.memory({"source": Measure(points=np.zeros((10**6, 1))),
                          "target": Measure(points=np.zeros((10**6, 1)))}, method.params())  # fmt: skip
    assert need >= 16 * costs.size


def test_the_problem_stays_as_it_is():
    inputs = assignment(60)
    params = catalog().get("sns").params()
    before = posed(inputs["source"], None, params, Run()).costs.clone()
    solve(inputs)
    assert torch.equal(posed(inputs["source"], None, params, Run()).costs, before)


def test_tensors_do_what_numpy_does(monkeypatch):
    """As it is on a GPU: no views for numpy, scalars that stay on the device, a residual that is seldom looked at."""
    ours = solve(assignment(), **FIXED)
    for module in ("scaled_plan", "newton"):
        monkeypatch.setattr(f"engines.blocks.transport.{module}.on_cpu", lambda x: False)
    theirs = solve(assignment(), **FIXED)
    assert figures(theirs)["Newton steps"] == figures(ours)["Newton steps"]
    assert figures(theirs)["Inner iterations"] >= figures(ours)["Inner iterations"]
    assert figures(theirs)["Row error"] + figures(theirs)["Column error"] <= 1e-12
    np.testing.assert_allclose(theirs["coupling"].plan, ours["coupling"].plan, atol=1e-14)
