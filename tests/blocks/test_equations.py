"""Problems compiled: derivatives, residuals, sources and conditions against closed forms."""

from __future__ import annotations

import math

import pytest
import torch

from engines.blocks.formulas import FormulaError
from engines.blocks.pde.equations import compile_problem
from engines.core import UserError
from engines.data import Problem


def problem(**changes) -> Problem:
    whole = {
        "coordinates": ("x", "y"), "lower": [-1, -1], "upper": [1, 1],
        "equations": ("u_xx + u_yy + k*u = q",), "definitions": {"k": "1", "q": "manufactured"},
        "exact": {"u": "sin(4*pi*y)*sin(pi*x)"}, "conditions": ("u = exact on boundary",),
    }  # fmt: skip
    return Problem(**(whole | changes))


def evolving(**changes) -> Problem:
    whole = {
        "coordinates": ("x", "t"), "lower": [0, 0], "upper": [1, 2], "time": "t",
        "equations": ("u_t = 0.1*lap(u) - u*u_x",), "conditions": ("u = 0 on boundary", "u = sin(pi*x) at t = 0"),
    }  # fmt: skip
    return Problem(**(whole | changes))


def points(of: Problem, count: int = 100) -> torch.Tensor:
    draw = torch.rand(count, len(of.coordinates), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return torch.tensor(of.lower) + draw * torch.tensor(of.upper - of.lower)


def test_the_exact_solution_fulfils_the_equation_with_its_manufactured_source():
    made = compile_problem(problem())
    at = points(made.problem)
    assert made.needs == {"u": {(0, 0), (2, 0), (0, 2)}}
    assert made.order == 2
    assert made.residual(at, made.exact_jets(at)).abs().max() < 1e-12
    x, y = at.unbind(-1)
    u = torch.sin(4 * math.pi * y) * torch.sin(math.pi * x)
    torch.testing.assert_close(made.exact(at)[:, 0], u)
    operator = made.linear_operator()
    torch.testing.assert_close(operator.source(at)[:, 0], (1 - 17 * math.pi**2) * u)
    assert {key: float(c(at)[0]) for key, c in operator.terms.items()} == {
        ("u", (2, 0)): 1, ("u", (0, 2)): 1, ("u", (0, 0)): 1,
    }  # fmt: skip


def test_operators_apply_the_product_rule():
    one = compile_problem(problem(equations=("lap(u^2) + diff(x*u, x) = 0",), definitions={}, exact={}, conditions=()))
    other = compile_problem(
        problem(equations=("2*u_x^2 + 2*u_y^2 + 2*u*(u_xx + u_yy) + u + x*u_x = 0",), definitions={}, exact={},
                conditions=())
    )  # fmt: skip
    at = points(one.problem)
    jets = {
        "u": {i: torch.sin(at @ torch.tensor([1.0 + i[0], 2.0 + i[1]], dtype=torch.float64)) for i in one.needs["u"]}
    }
    torch.testing.assert_close(one.residual(at, jets), other.residual(at, jets))
    assert one.linear_operator() is None


def test_an_evolution_is_solved_for_the_time_derivative():
    made = compile_problem(evolving())
    right = made.evolution()["u"]
    at = points(made.problem)
    jets = {"u": {i: torch.randn(100, dtype=torch.float64) for _, i in right.needs}}
    expected = 0.1 * jets["u"][(2, 0)] - jets["u"][(0, 0)] * jets["u"][(1, 0)]
    torch.testing.assert_close(right(at, jets)[:, 0], expected)
    assert made.time == 1
    assert compile_problem(evolving(equations=("u_tt = u_xx",))).evolution() is None
    assert compile_problem(problem()).evolution() is None


def test_coupled_rates_are_told_apart():
    both = compile_problem(
        evolving(unknowns=("u", "v"), equations=("u_t + 2*v_t = u_x", "u_t - v_t = v"), conditions=())
    )
    at = points(both.problem)
    u_x, v = torch.randn(2, 100, dtype=torch.float64)
    jets = {"u": {(1, 0): u_x}, "v": {(0, 0): v}}
    rates = both.evolution()
    torch.testing.assert_close(rates["u"](at, jets)[:, 0], (u_x + 2 * v) / 3)
    torch.testing.assert_close(rates["v"](at, jets)[:, 0], (u_x - v) / 3)


def test_conditions_say_their_faces_and_values():
    made = compile_problem(
        evolving(conditions=("u = t*x on x = 0, x = upper", "u_x + 2*u = 1 on x = 1", "2*u = sin(pi*x) at t = 0"))
    )
    kinds = [(c.kind, c.axis, c.side, c.is_initial) for c in made.conditions]
    assert kinds == [("value", 0, 0, False), ("value", 0, 1, False), ("general", 0, 1, False), ("value", 1, 0, True)]
    at = points(made.problem)
    initial = made.conditions[-1]
    torch.testing.assert_close(initial.value(at)[:, 0], torch.sin(math.pi * at[:, 0]) / 2)
    assert (initial.place(at)[:, 1] == 0).all()
    mixed = made.conditions[2]
    jets = {"u": {(0, 0): at[:, 0], (1, 0): at[:, 1]}}
    torch.testing.assert_close(mixed.residual(at, jets)[:, 0], at[:, 1] + 2 * at[:, 0] - 1)


def test_periodic_directions():
    made = compile_problem(evolving(conditions=("periodic in x", "u = cos(2*pi*x) at t = 0")))
    assert made.periodic == (True, False)
    with pytest.raises(FormulaError, match="no coordinate in space"):
        compile_problem(evolving(conditions=("periodic in t",)))


def test_values_that_disagree_on_an_edge_are_told_with_their_size():
    assert compile_problem(evolving()).jumps() == []
    (told,) = compile_problem(evolving(conditions=("u = 0 on boundary", "u = 0.25 + x at t = 0"))).jumps()
    assert "1.25" in told


def test_coefficients_to_be_estimated_stay_open():
    made = compile_problem(evolving(equations=("u_t = nu*u_xx",), estimated={"nu": 0.0}))
    at = points(made.problem)
    jets = {"u": {(0, 1): at[:, 0], (2, 0): at[:, 1]}}
    nu = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    residual = made.residual(at, jets, {"nu": nu})
    torch.testing.assert_close(residual[:, 0], at[:, 0] - 0.5 * at[:, 1])
    residual.sum().backward()
    torch.testing.assert_close(nu.grad, -at[:, 1].sum())


def test_coordinates_of_several_letters():
    made = compile_problem(
        Problem(coordinates=("x1", "x"), lower=[0, 0], upper=[1, 1], equations=("u_x1x + u_xx1x = 0",))
    )
    assert made.needs["u"] == {(1, 1), (1, 2)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"equations": ("u_xx + u_zz = q",)}, "u_zz"),
        ({"equations": ("x = q",)}, "does not hold an unknown"),
        ({"equations": ("u_xx + q^2 = 0",)}, "cannot be made"),
        ({"exact": {}}, "exact solution of u is not given"),
        ({"exact": {"u": "u + 1"}}, "'u' is not known"),
        ({"exact": {"v": "x"}}, "no unknown 'v'"),
        ({"definitions": {"k": "q", "q": "k"}}, "circle"),
        ({"definitions": {"sin": "1", "q": "1", "k": "1"}}, "name of a function"),
        ({"definitions": {"x": "1", "q": "1", "k": "1"}}, "name of a coordinate"),
        ({"conditions": ("u = 0",)}, "where it holds"),
        ({"conditions": ("u = 0 on x = 0.5",)}, "not an end"),
        ({"conditions": ("u = 0 on top",)}, "not a face"),
        ({"conditions": ("1 = x on x = 1",)}, "holds no unknown"),
        ({"equations": ("u_xxxxx = q",)}, "u_xxxxx"),
        ({"equations": ("diff(u, k) = q",)}, "coordinate"),
        ({"equations": ("dt(u) = q",)}, "no time"),
        ({"unknowns": ("u_1",)}, "cannot be the name"),
        ({"definitions": {"k": "1/0", "q": "1"}}, "divides by zero"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(changes, words):
    with pytest.raises(UserError) as caught:
        compile_problem(problem(**changes))
    assert words in str(caught.value)


def test_an_empty_box_is_refused():
    with pytest.raises(UserError, match="empty"):
        problem(lower=[0, 1], upper=[1, 1])
