"""Reference solvers: differentiation against closed forms, orders of convergence, and known answers."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.pde.differentiation import chebyshev, finite_differences, fourier, on_grid
from engines.core import Run, UserError
from engines.data import Problem
from engines.pde.reference_chebyshev import chebyshev_collocation
from engines.pde.reference_differences import finite_difference_solution
from engines.pde.reference_lines import method_of_lines
from engines.pde.reference_newton import example


def box(equation: str, *conditions: str, coordinates=("x",), time="", exact="", lower=0.0, upper=1.0) -> dict:
    count = len(coordinates)
    made = Problem(
        coordinates=coordinates, time=time, lower=np.full(count, lower), upper=np.full(count, upper),
        equations=(equation,), definitions={"f": "manufactured"} if exact and "f" in equation else {},
        exact={"u": exact} if exact else {}, conditions=conditions,
    )  # fmt: skip
    return {"problem": made}


def error(method, inputs, **params) -> float:
    return float(method.run(inputs, method.params.parse(params), Run())["scores"].columns["Relative L2 error"][0])


def test_chebyshev_differentiates_polynomials_exactly():
    axis = chebyshev(9, -0.5, 2.0)
    x = axis.nodes
    assert x[0] == -0.5
    assert x[-1] == 2.0
    np.testing.assert_allclose(axis.matrix(1) @ x**7, 7 * x**6, atol=1e-10)
    np.testing.assert_allclose(axis.matrix(2) @ x**7, 42 * x**5, atol=1e-9)
    np.testing.assert_allclose(axis.matrix(3) @ x**4, 24 * x, atol=1e-8)
    at = np.array([-0.5, 0.1, 1.7, 2.0])
    np.testing.assert_allclose(axis.interpolation(at) @ x**8, at**8, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("count", [16, 17])
def test_fourier_differentiates_waves_exactly(count):
    axis = fourier(count, 1.0, 3.0)
    x, k = axis.nodes, 2 * np.pi * 3 / 2.0
    np.testing.assert_allclose(axis.matrix(1) @ np.sin(k * x), k * np.cos(k * x), atol=1e-11)
    np.testing.assert_allclose(axis.matrix(2) @ np.sin(k * x), -(k**2) * np.sin(k * x), atol=1e-10)
    at = np.array([1.0, 1.21, 2.7])
    np.testing.assert_allclose(axis.interpolation(at) @ np.sin(k * x), np.sin(k * at), atol=1e-13)


def test_finite_differences_are_exact_for_parabolas_up_to_the_ends():
    axis = finite_differences(8, -1.0, 2.5)
    x = axis.nodes
    np.testing.assert_allclose(axis.matrix(1) @ x**2, 2 * x, atol=1e-12)
    np.testing.assert_allclose(axis.matrix(2) @ x**3, 6 * x, atol=1e-11)  # the ends, too, are of second order
    around = finite_differences(64, 0.0, 1.0, periodic=True)
    wave = np.sin(2 * np.pi * around.nodes)
    np.testing.assert_allclose(around.matrix(2) @ wave, -((2 * np.pi) ** 2) * wave, atol=0.1)


def test_partial_derivatives_on_a_grid():
    x, y = chebyshev(6, 0, 1), chebyshev(7, 0, 2)
    X, Y = np.meshgrid(x.nodes, y.nodes, indexing="ij")
    found = on_grid([x, y], (1, 2)) @ (X**3 * Y**4).reshape(-1)
    np.testing.assert_allclose(found.reshape(6, 7), 3 * X**2 * 12 * Y**2, atol=1e-9)


@pytest.mark.parametrize(
    ("coordinates", "exact"), [("x", "sin(4*x)"), ("xy", "sin(4*x)*cos(3*y)"), ("xyz", "sin(3*x)*y*exp(z)")]
)
def test_finite_differences_converge_to_second_order(coordinates, exact):
    inputs = example("lap(u) + u = f", exact, *coordinates)
    coarse = error(finite_difference_solution, inputs, nodes=(11,))
    fine = error(finite_difference_solution, inputs, nodes=(21,))
    assert np.log2(coarse / fine) == pytest.approx(2, abs=0.25)


def test_slopes_at_the_sides_keep_second_order():
    slopes = ("u_x = 3 at x = 0", "u_x + 2*u = 3*cos(3) + 2*sin(3) at x = 1")
    inputs = box("u_xx - u = f", *slopes, exact="sin(3*x)")
    errors = [error(finite_difference_solution, inputs, nodes=(n,)) for n in (41, 81)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.2)
    assert error(chebyshev_collocation, inputs, nodes=(24,)) < 1e-12


def test_chebyshev_converges_exponentially():
    inputs = example("lap(u) = f", "sin(6*x)*exp(y)", "x", "y")
    errors = [error(chebyshev_collocation, inputs, nodes=(n,)) for n in (8, 12, 16, 20)]
    assert errors[0] / errors[1] > 50
    assert errors[1] / errors[2] > 50
    assert errors[3] < 1e-10


def test_newton_finds_the_solution_of_a_nonlinear_problem():
    inputs = example("lap(u) + u^3 - u*u_x = f", "sin(3*x)*cos(2*y)", "x", "y")
    assert error(chebyshev_collocation, inputs, nodes=(20,)) < 1e-10
    assert error(finite_difference_solution, inputs, nodes=(41,)) < 1e-3


def test_a_periodic_axis():
    problem = box(
        "u_xx + u_yy - u = f", "periodic in x", "u = exact at y = 0, y = 1", coordinates=("x", "y"),
        exact="sin(2*pi*x)*exp(y)",
    )  # fmt: skip
    assert error(chebyshev_collocation, problem, nodes=(16, 14)) < 1e-11
    assert error(finite_difference_solution, problem, nodes=(48,)) < 3e-3


def test_time_is_an_axis_of_chebyshev_and_refused_by_finite_differences():
    inputs = example("u_t - 0.1*u_xx = f", "sin(3*x)*exp(-t)", "x", "t", time="t")
    assert error(chebyshev_collocation, inputs, nodes=(16,)) < 1e-11
    with pytest.raises(UserError, match="method of lines"):
        finite_difference_solution.run(inputs, finite_difference_solution.params(), Run())


def test_what_has_no_solution_is_said():
    open_sides = box("u_xx = 1", "u_x = 0 on boundary")
    with pytest.raises(UserError, match="do not have one solution"):
        chebyshev_collocation.run(open_sides, chebyshev_collocation.params(nodes=(16,)), Run())
    with pytest.raises(UserError, match="do not have one solution"):
        finite_difference_solution.run(open_sides, finite_difference_solution.params(nodes=(16,)), Run())
    blown_up = box("u_xx + 40*exp(u) = 0", "u = 0 on boundary")  # Bratu's problem above its fold has no solution
    with pytest.raises(UserError, match="does not converge"):
        chebyshev_collocation.run(blown_up, chebyshev_collocation.params(nodes=(24,)), Run())


def test_large_systems_in_space_are_iterated_to_the_same_answer(monkeypatch):
    from engines.pde import reference_newton

    inputs = example("lap(u) - u = f", "sin(3*x)*y*exp(z)", "x", "y", "z")
    direct = finite_difference_solution.run(inputs, finite_difference_solution.params(nodes=(12,)), Run())
    monkeypatch.setitem(reference_newton.DIRECT, 3, 10)
    iterated = finite_difference_solution.run(inputs, finite_difference_solution.params(nodes=(12,)), Run())
    np.testing.assert_allclose(iterated["field"].values, direct["field"].values, atol=1e-8)


def ring(equation: str, exact: str, *, length: float = 2 * np.pi, end: float = 1.0, more: dict | None = None) -> dict:
    made = Problem(
        coordinates=("x", "t"), time="t", lower=[0, 0], upper=[length, end], equations=(equation,), exact={"u": exact},
        definitions=more or {}, conditions=("u = exact at t = 0", "periodic in x"),
    )  # fmt: skip
    return {"problem": made}


def test_heat_on_a_ring_is_exact_up_to_rounding():
    inputs = ring("u_t - 0.3*u_xx + 2*u_x = 0", "exp(-0.3*9*t)*sin(3*(x - 2*t))")
    assert error(method_of_lines, inputs, nodes=(32,), times=5, time_steps=4) < 1e-12


def test_etdrk4_converges_to_fourth_order():
    inputs = ring("u_t - 0.1*u_xx + u*u_x + u^3 = f", "sin(x - t)*exp(-t)", more={"f": "manufactured"})
    coarse = error(method_of_lines, inputs, nodes=(32,), times=3, time_steps=10)
    fine = error(method_of_lines, inputs, nodes=(32,), times=3, time_steps=20)
    assert np.log2(coarse / fine) == pytest.approx(4, abs=0.4)


def test_a_soliton_keeps_its_shape():
    """Korteweg and de Vries: u_t + 6 u u_x + u_xxx = 0, u = 2 sech^2(x - 4 t)."""
    inputs = ring("u_t + 6*u*u_x + u_xxx = 0", "2*sech(x - 12 - 4*t)^2", length=30.0, end=1.0)
    assert error(method_of_lines, inputs, nodes=(128,), times=3, time_steps=600) < 1e-4


def test_two_unknowns_make_a_wave_on_a_ring():
    made = Problem(
        coordinates=("x", "t"), time="t", lower=[0, 0], upper=[2 * np.pi, 3.0], unknowns=("u", "v"),
        equations=("u_t = v", "v_t = u_xx"), exact={"u": "sin(2*x)*cos(2*t)", "v": "-2*sin(2*x)*sin(2*t)"},
        conditions=("u = exact at t = 0", "v = exact at t = 0", "periodic in x"),
    )  # fmt: skip
    params = method_of_lines.params(nodes=(16,), times=4, time_steps=400)
    scores = method_of_lines.run({"problem": made}, params, Run())["scores"].columns
    assert scores["Field"].tolist() == ["u", "v"]
    assert scores["Relative L2 error"].max() < 1e-7


@pytest.mark.parametrize("integrator", ["BDF", "Radau"])
def test_lines_converge_to_second_order_in_space(integrator):
    inputs = example("u_t - 0.2*u_xx + u*u_x = f", "sin(3*x)*exp(-t)", "x", "t", time="t")
    errors = [
        error(method_of_lines, inputs, nodes=(n,), times=3, integrator=integrator, tolerance=1e-8) for n in (21, 41)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.25)


def test_slopes_at_the_sides_of_a_plate_in_time():
    made = Problem(
        coordinates=("x", "y", "t"), time="t", lower=[0, 0, 0], upper=[1, 1, 0.2], equations=("u_t = lap(u)",),
        exact={"u": "exp(-2*pi^2*t)*cos(pi*x)*cos(pi*y)"},
        conditions=("u = exact at t = 0", "u_x = 0 at x = 0, x = 1", "u_y = 0 at y = 0, y = 1"),
    )  # fmt: skip
    errors = [error(method_of_lines, {"problem": made}, nodes=(n,), times=3, tolerance=1e-6) for n in (9, 17)]
    assert errors[1] < 3e-3
    assert np.log2(errors[0] / errors[1]) > 1.8  # at the coarse nodes the sides' own, third order shows


def test_what_is_no_evolution_is_refused_and_a_solution_that_ends_is_said():
    blow_up = ring("u_t - u^2 = 0", "1/(1 - t)", end=2.0)
    with pytest.raises(UserError, match="without bound"):
        method_of_lines.run(blow_up, method_of_lines.params(nodes=(8,), times=21, time_steps=200), Run())
    sides = example("u_t - u_xx = f", "x*t", "x", "t", time="t")
    with pytest.raises(UserError, match="ETDRK4 needs"):
        method_of_lines.run(sides, method_of_lines.params(integrator="ETDRK4"), Run())


@pytest.mark.parametrize("equation", ["lap(u) - u = f", "(1 + x)*u_xx + (2 + y*x)*u_yy + 0.3*u_xy + u_x = f"])
def test_quadratic_elements_converge_to_third_order(equation):
    pytest.importorskip("skfem")
    from engines.pde.reference_elements import finite_element_solution

    inputs = example(equation, "sin(4*x)*cos(3*y)", "x", "y")
    errors = [error(finite_element_solution, inputs, cells=(n,), samples=37) for n in (6, 12)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.5)
    assert errors[1] < 1e-3
