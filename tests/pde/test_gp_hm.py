"""GP-HM: interpolation, derivatives and gradients against closed forms; small problems from end to end."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.forms import evaluator
from engines.blocks.pde.spectral_kernels import KERNELS, Components
from engines.blocks.pde.tensor_grid import TensorGrid
from engines.core import Logged, Noted, Run, UserError, catalog
from engines.data import Problem, SampledField
from engines.pde.gp_hm import Training, gp_hm
from engines.pde.gp_hm_objective import Collocation, best_nodes, objective, precision_roots
from engines.pde.gp_hm_posterior import Process, deviation_of
from engines.pde.gp_hm_solve import GridSystem, kronecker, rows_of, solve_line
from tests.contract.examples import Ear

F64 = torch.float64


def line(exact: str = "sin(20*x)", equation: str = "u_xx = f") -> Problem:
    return Problem(
        coordinates=("x",), lower=[0], upper=[1], equations=(equation,), definitions={"f": "manufactured"},
        exact={"u": exact}, conditions=("u = exact on boundary",),
    )  # fmt: skip


def plane(exact: str = "sin(9*x)*cos(7*y)", equation: str = "u_xx + 2*u_yy + u_x - u = f") -> Problem:
    return Problem(
        coordinates=("x", "y"), lower=[0, 0], upper=[1, 1], equations=(equation,), definitions={"f": "manufactured"},
        exact={"u": exact}, conditions=("u = exact on boundary",),
    )  # fmt: skip


def collocation(problem: Problem, *counts: int, jitter: float = 1e-6) -> Collocation:
    return Collocation(TensorGrid.even(compile_problem(problem), counts), jitter, 200.0, True)


def random_components(axes: int, count: int = 4, seed: int = 0) -> tuple[Components, ...]:
    draw = torch.Generator().manual_seed(seed)

    def normal() -> torch.Tensor:
        return torch.randn(count, dtype=F64, generator=draw)

    return tuple(Components(0.5 * normal(), 0.5 * normal(), 3 * normal().abs()) for _ in range(axes))


@pytest.mark.parametrize("kernel", KERNELS[:2])
@pytest.mark.parametrize("axes", [1, 2])
def test_the_mean_at_the_nodes_is_what_was_drawn_there(kernel, axes):
    problem = collocation((line(), plane())[axes - 1], *(12,) * axes, jitter=1e-10)
    components = random_components(axes)
    prior = problem.prior(kernel, components)
    U = prior.coloured(torch.randn(prior.shape, dtype=F64, generator=torch.Generator().manual_seed(1)))
    process = Process(kernel, problem.grid.axes, components, prior.solved(U))
    assert float((process.on_grid(problem.grid.axes) - U).abs().max()) < 1e-5 * float(U.abs().max())
    points = problem.grid.points
    torch.testing.assert_close(process.at(points).reshape(U.shape), process.on_grid(problem.grid.axes))


def test_the_second_derivative_of_waves_in_the_kernels_band():
    problem = collocation(line(), 100, jitter=1e-10)
    frequencies = torch.tensor([3.0, 7.0], dtype=F64)
    components = Components(torch.zeros(2, dtype=F64), torch.zeros(2, dtype=F64), frequencies)
    x, m = problem.grid.axes[0], 2 * math.pi * frequencies
    u = torch.sin(m[0] * x + 0.3) + torch.cos(m[1] * x)
    prior = problem.prior(KERNELS[1], (components,))
    found = prior.derivatives(u, [(2,)])[0][(2,)]
    wanted = -(m[0] ** 2) * torch.sin(m[0] * x + 0.3) - m[1] ** 2 * torch.cos(m[1] * x)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-4


@pytest.mark.parametrize("axes", [1, 2])
def test_the_gradient_of_the_joint_objective(axes):
    problem = collocation((line(equation="u_xx + u^3 = f"), plane())[axes - 1], *((9,) if axes == 1 else (5, 6)))
    parts = random_components(axes, 3)
    U = torch.randn(problem.grid.shape, dtype=F64, generator=torch.Generator().manual_seed(3))
    flat = [t for p in parts for t in (p.log_weights, p.log_rates, p.frequencies)]
    log = torch.tensor([0.1, -2.0], dtype=F64)

    def value(u, log, *flat):
        found = tuple(Components(*flat[3 * i : 3 * i + 3]) for i in range(axes))
        return objective(problem, problem.prior(KERNELS[0], found), u, *log).objective * 1e-4

    leaves = [t.clone().requires_grad_() for t in (U, log, *flat)]
    assert torch.autograd.gradcheck(value, leaves, eps=1e-5, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("axes", [1, 2])
def test_the_objective_is_stationary_in_the_nodal_values_that_were_eliminated(axes):
    problem = collocation((line(), plane())[axes - 1], *((20,) if axes == 1 else (8, 9)), jitter=1e-3)
    prior = problem.prior(KERNELS[0], random_components(axes))
    log_tau, log_v = torch.tensor(0.5, dtype=F64), torch.tensor(-1.0, dtype=F64)
    start = torch.zeros(problem.grid.shape, dtype=F64)
    U = best_nodes(problem, prior, start, log_tau, log_v, products=400)

    def slope(u):
        u = u.clone().requires_grad_()
        (found,) = torch.autograd.grad(objective(problem, prior, u, log_tau, log_v).objective, u)
        return float(found.norm())

    assert slope(U) < 1e-6 * slope(start)


def test_the_gradient_at_fixed_nodes_is_that_through_the_solve():
    problem = collocation(line(), 14, jitter=1e-4)
    (part,) = random_components(1)
    log_tau, log_v = torch.tensor(0.5, dtype=F64), torch.tensor(-1.0, dtype=F64)
    roots = precision_roots(problem, log_tau, log_v)
    leaves = [t.clone().requires_grad_() for t in (part.log_weights, part.log_rates, part.frequencies)]
    prior = problem.prior(KERNELS[0], (Components(*leaves),))
    jets, _ = prior.derivatives(torch.zeros(14, dtype=F64), problem.orders)
    linear = problem.linearised(jets)
    rows, given = rows_of(problem, prior, *linear, *roots)
    through = prior.axes[0].factor @ torch.linalg.solve(rows.mT @ rows, rows.mT @ given)
    solved = solve_line(problem, prior, *linear, *roots)
    torch.testing.assert_close(solved, through, rtol=1e-7, atol=1e-7)
    whole = torch.autograd.grad(objective(problem, prior, through, log_tau, log_v).objective, leaves, retain_graph=True)
    fixed = torch.autograd.grad(objective(problem, prior, through.detach(), log_tau, log_v).objective, leaves)
    for a, b in zip(whole, fixed, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_conjugate_gradients_agree_with_orthogonal_factors_in_two_dimensions():
    """With coefficients that vary, so that the preconditioner is not exact, and corners that are counted once."""
    problem = collocation(plane(equation="(1 + x)*u_xx + u_yy + y*u_xy = f"), 9, 10, jitter=1e-6)
    prior = problem.prior(KERNELS[0], random_components(2))
    zero = torch.zeros(9, 10, dtype=F64)
    jets, _ = prior.derivatives(zero, problem.orders)
    linear = problem.linearised(jets)
    rows, given = rows_of(problem, prior, *linear, 14.0, 3.0)
    z = torch.linalg.lstsq(rows, given[:, None]).solution[:, 0]
    wanted = prior.coloured(z.reshape(9, 10))
    found = GridSystem(problem, prior, *linear, 14.0, 3.0).solve(zero, 2000, 1e-13)
    assert float((found - wanted).norm() / wanted.norm()) < 1e-6
    assert int(problem.mask.sum()) == 2 * 9 + 2 * 10 - 4


def test_a_wave_is_found_with_its_frequency():
    ear = Ear()
    outputs = gp_hm.run({"problem": line()}, gp_hm.params(nodes=(50,), steps=300, components=16), Run(listener=ear))
    scores = dict(zip(*(column.tolist() for column in outputs["scores"].columns.values()), strict=True))
    assert scores["Relative L2 error"] < 1e-3
    assert scores["Frequency of the heaviest component along x"] == pytest.approx(20 / (2 * np.pi), abs=0.3)
    spectrum = outputs["spectrum"]
    assert spectrum.steps[0] == 0
    assert spectrum.steps[-1] == 299
    peak = spectrum.source_frequencies[0, spectrum.source_amplitudes[0].argmax()]
    assert peak == pytest.approx(20 / (2 * np.pi), abs=0.3)
    # The solution can be had anywhere, later.
    x = torch.linspace(0, 1, 77, dtype=F64)[:, None]
    values = evaluator(outputs["solution"])(x)[:, 0]
    assert float((values - torch.sin(20 * x[:, 0])).norm() / torch.sin(20 * x[:, 0]).norm()) < 1e-3
    assert np.abs(outputs["error"].values).max() == pytest.approx(scores["Largest error"])


def test_an_equation_that_is_not_linear():
    problem = line("sin(6*x)", "u_xx + u*(u^2 - 1) = f")
    params = gp_hm.params(nodes=(30,), steps=80, components=6, highest_frequency=4)
    outputs = gp_hm.run({"problem": problem}, params, Run())
    assert outputs["scores"].columns["Value"][0] < 1e-2


def test_the_papers_way_to_move_the_nodal_values():
    ear = Ear()
    params = gp_hm.params(nodes=(30,), steps=300, components=6, highest_frequency=4, unknown="optimised")
    gp_hm.run({"problem": line("sin(6*x)", "u_xx + u*(u^2 - 1) = f")}, params, Run(listener=ear))
    told = [event.values for event in ear.of(Logged)]
    assert told[-1]["negative log posterior"] < told[0]["negative log posterior"]
    assert told[-1]["Relative L2 error"] < told[0]["Relative L2 error"] < 1.01


def test_two_dimensions():
    params = gp_hm.params(nodes=(20, 22), steps=40, components=8, highest_frequency=4, samples=31)
    outputs = gp_hm.run({"problem": plane()}, params, Run())
    assert outputs["scores"].columns["Value"][0] < 2e-2
    assert outputs["field"].shape == (31, 31)
    points = torch.rand(50, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    values = evaluator(outputs["solution"])(points)[:, 0]
    truth = torch.sin(9 * points[:, 0]) * torch.cos(7 * points[:, 1])
    assert float((values - truth).norm() / truth.norm()) < 2e-2


def test_time_is_an_axis_like_another():
    problem = Problem(
        coordinates=("x", "t"), time="t", lower=[0, 0], upper=[1, 1], equations=("u_t + 3*u_x = 0",),
        exact={"u": "sin(4*(x - 3*t))"}, conditions=("u = exact at t = 0", "u = exact at x = 0"),
    )  # fmt: skip
    params = gp_hm.params(nodes=(20,), steps=60, components=8, highest_frequency=4, samples=25, boundary_weight=500)
    outputs = gp_hm.run({"problem": problem}, params, Run())
    field = outputs["field"]
    assert field.dimensions == 1
    assert len(field.times) == 25
    assert outputs["scores"].columns["Value"][0] < 2e-2
    np.testing.assert_allclose(field.component(0, 0), np.sin(4 * field.x), atol=0.05)


def test_values_on_the_nodes_are_added_to_the_right_side():
    x = np.linspace(0, 1, 40)
    problem = Problem(
        coordinates=("x",), lower=[0], upper=[1], equations=("u_xx = 0",), exact={"u": "sin(15*x)"},
        conditions=("u = exact on boundary",),
    )  # fmt: skip
    source = SampledField.of(-225 * np.sin(15 * x), x)
    params = gp_hm.params(nodes=(40,), steps=150, components=10, highest_frequency=8)
    outputs = gp_hm.run({"problem": problem, "source": source}, params, Run())
    assert outputs["scores"].columns["Value"][0] < 1e-2
    with pytest.raises(UserError, match="40 values; the collocation grid has 41"):
        gp_hm.run({"problem": problem, "source": source}, gp_hm.params(nodes=(41,)), Run())
    moved = source.replace(x=x + 0.1)
    with pytest.raises(UserError, match="are not those of the collocation grid"):
        gp_hm.run({"problem": problem, "source": moved}, params, Run())
    broken = source.replace(values=np.where(source.values > 200, np.nan, source.values))
    with pytest.raises(UserError, match="not finite"):
        gp_hm.run({"problem": problem, "source": broken}, params, Run())


def test_the_second_process_takes_what_the_first_one_leaves():
    """A wave on a parabola, with a kernel that has no low frequency to make the parabola of."""
    problem = line("sin(60*x) - 2*(x - 0.5)^2")
    settings = {"nodes": (60,), "steps": 120, "components": 1, "highest_frequency": 9.5}
    with_it = gp_hm.run({"problem": problem}, gp_hm.params.parse({**settings, "extra_process": True}), Run())
    assert len(with_it["solution"].configuration["kernels"]) == 2
    assert np.isfinite(with_it["field"].values).all()
    x = torch.linspace(0, 1, 9, dtype=F64)[:, None]
    sampled = evaluator(with_it["solution"])(x)[:, 0]
    np.testing.assert_allclose(sampled, np.interp(x[:, 0], with_it["field"].x, with_it["field"].component(0)), atol=0.2)


@pytest.mark.parametrize("axes", [1, 2])
def test_the_deviation_is_that_of_the_dense_posterior(axes):
    problem = collocation((line(), plane())[axes - 1], *((12,) if axes == 1 else (5, 6)), jitter=1e-4)
    components = random_components(axes)
    prior = problem.prior(KERNELS[0], components)
    zero = torch.zeros(problem.grid.shape, dtype=F64)
    jets, _ = prior.derivatives(zero, problem.orders)
    rows, _ = rows_of(problem, prior, *problem.linearised(jets), 2.0, 0.1)
    process = Process(KERNELS[0], problem.grid.axes, components, zero)
    fine = TensorGrid.even(problem.grid.compiled, [7] * axes)
    factors = [axis.factor for axis in prior.axes]
    found = deviation_of(fine, process, rows, factors).values.reshape(-1)
    cross = kronecker([process.cross(i, at) for i, at in enumerate(fine.axes)])
    white = cross @ torch.linalg.inv(kronecker(factors)).mT
    free = kronecker([part.log_weights.exp().sum().reshape(1, 1) for part in components])
    wanted = free - white @ white.mT + white @ torch.linalg.inv(rows.mT @ rows) @ white.mT
    np.testing.assert_allclose(found**2, wanted.diagonal().numpy(), rtol=1e-6, atol=1e-8 * float(free))


def test_the_deviation_is_given_on_request_and_refused_where_it_is_too_much():
    settings = {"steps": 3, "components": 3, "highest_frequency": 2, "samples": 4, "deviation": True}
    outputs = gp_hm.run({"problem": plane()}, gp_hm.params.parse({**settings, "nodes": (10, 11)}), Run())
    assert outputs["deviation"].shape == (4, 4)
    with pytest.raises(UserError, match="standard deviation"):
        gp_hm.run({"problem": plane()}, gp_hm.params.parse({**settings, "nodes": (60,)}), Run())


def test_what_cannot_be_resolved_is_told_and_zero_stays_zero():
    ear = Ear()
    gp_hm.run({"problem": line()}, gp_hm.params(nodes=(20,), steps=1), Run(listener=ear))
    notes = [event.text for event in ear.events if hasattr(event, "text")]
    assert any("45 nodes" in text for text in notes), notes
    nothing = Problem(
        coordinates=("x",), lower=[0], upper=[1], equations=("u_xx = 0",), conditions=("u = 0 on boundary",)
    )
    ear = Ear()
    outputs = gp_hm.run({"problem": nothing}, gp_hm.params(nodes=(50,), steps=50), Run(listener=ear))
    assert not outputs["field"].values.any()
    assert any("zero" in event.text for event in ear.events if hasattr(event, "text"))


def test_it_stops_when_the_errors_are_small_enough():
    ear = Ear()
    params = gp_hm.params(nodes=(50,), steps=300, components=16, tolerance=1e-2)
    gp_hm.run({"problem": line()}, params, Run(listener=ear))
    assert any("after" in event.text for event in ear.events if hasattr(event, "text"))


def test_a_factorisation_that_fails_ends_the_run_with_what_was_learned_before(monkeypatch):
    step, ear = Training.step, Ear()

    def breaking(self, index):
        terms = step(self, index)
        if index == 45:
            self.stages[-1].theta.data.fill_(float("nan"))
            return dataclasses.replace(terms, residual_error=terms.residual_error * float("nan"))
        return terms

    monkeypatch.setattr(Training, "step", breaking)
    method = catalog().get("gp-hm")
    source = catalog().get("rapid-line")
    problem = source.run({}, source.preset("quick"), Run())["problem"]
    found = method.run({"problem": problem}, method.params.parse({"nodes": "60", "steps": 80}), Run(listener=ear))
    assert "At step 45" in ear.of(Noted)[-1].text
    assert np.isfinite(found["field"].values).all()
    assert found["scores"].columns["Value"][0] < 0.5
