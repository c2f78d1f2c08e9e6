"""Derivatives of high order, the integrator by itself, fitting and its stop rule, and the method on closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.evolution import Evolution
from engines.blocks.pde.fitting import OnDevice, Plateau, StopRule, SubProblem, fit
from engines.blocks.pde.forms import evaluator
from engines.blocks.pde.grid_reading import reader
from engines.blocks.pde.siren import SirenShape, values
from engines.blocks.pde.siren_taylor import JetPlan, taylor
from engines.core import Noted, Run, UserError, catalog
from engines.data import Problem, SampledField
from engines.pde.insr import advection, heat, insr


def test_derivatives_of_every_order_are_those_of_autograd():
    shape = SirenShape(2, 2, 8, 1, (-1.0, 0.0), (2.0, 5.0), first_frequency=4.0, frequency=3.0)
    generator = torch.Generator().manual_seed(0)
    flat = shape.initialised(generator, dtype=torch.float64)
    points = torch.rand(5, 2, generator=generator, dtype=torch.float64)
    wanted = [(0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (3, 0), (2, 1), (4, 0), (2, 2), (1, 3)]
    found = JetPlan.of(wanted).jets(shape, flat, points)

    def derivative(index, x):
        x = x.requires_grad_()
        u = values_of(shape, flat, x)
        for axis, times in enumerate(index):
            for _ in range(times):
                u = torch.stack(
                    [torch.autograd.grad(u[:, c].sum(), x, create_graph=True)[0][:, axis] for c in range(2)], 1
                )
        return u.detach()

    for index in wanted:
        torch.testing.assert_close(found[index], derivative(index, points.clone()), rtol=1e-9, atol=1e-9)
    along = taylor(shape, flat, points, np.array([1.0, 0.0]), 1)
    torch.testing.assert_close(along[1], found[1, 0])


def values_of(shape, flat, points):
    low, high = points.new_tensor(shape.lower), points.new_tensor(shape.upper)
    h, layers = (points - (low + high) / 2) / ((high - low) / 2), shape.split(flat)
    for k, (weight, bias) in enumerate(layers[:-1]):
        h = torch.sin((shape.first_frequency if k == 0 else shape.frequency) * (h @ weight.T + bias))
    return h @ layers[-1][0].T + layers[-1][1]


def test_gradients_of_high_orders_reach_the_parameters():
    shape = SirenShape(1, 1, 6, 1, (0.0,), (1.0,), first_frequency=3.0, frequency=2.0)
    flat = shape.initialised(torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    points = torch.linspace(0, 1, 4, dtype=torch.float64)[:, None]
    assert torch.autograd.gradcheck(lambda w: JetPlan.of([(4,), (3,)]).jets(shape, w, points)[(4,)], flat)


@pytest.mark.parametrize(("midpoint", "order"), [(True, 2), (False, 1)], ids=["midpoint", "implicit Euler"])
def test_the_integrator_has_its_order_when_the_basis_is_rich(midpoint, order):
    """A linear basis of 64 Fourier modes in the place of the network: least squares leaves the time error alone."""
    problem = Problem(
        coordinates=("x", "t"), lower=np.array([0.0, 0.0]), upper=np.array([2 * np.pi, 1.0]), time="t",
        equations=("u_t + u_x = 0",), conditions=("u = exp(sin(x)) at t = 0", "periodic in x"),
        exact={"u": "exp(sin(x - t))"},
    )  # fmt: skip
    evolution = Evolution(compile_problem(problem), midpoint)
    rate = evolution.rates["u"]
    x = torch.linspace(0, 2 * np.pi, 301, dtype=torch.float64)[:-1, None]
    k = torch.arange(1, 33, dtype=torch.float64)
    basis = torch.cat([torch.ones_like(x), torch.cos(k * x), torch.sin(k * x)], 1)
    slope = torch.cat([torch.zeros_like(x), -k * torch.sin(k * x), k * torch.cos(k * x)], 1)
    operator = torch.stack(
        [rate(evolution.at(x, 0.0), {"u": {(1, 0): column, (0, 0): column}})[:, 0] for column in slope.T], 1
    )
    errors = []
    for steps in (20, 40, 80):
        dt, share = 1 / steps, 0.5 if midpoint else 1.0
        c = torch.linalg.lstsq(basis, evolution.compiled.exact(evolution.at(x, 0.0))).solution
        for _ in range(steps):
            right = (basis / dt + (1 - share) * operator) @ c
            c = torch.linalg.lstsq(basis / dt - share * operator, right).solution
        errors.append(float((basis @ c - evolution.exact(x, 1.0)).square().mean().sqrt()))
    slopes = np.diff(np.log(errors)) / np.log(0.5)
    assert slopes == pytest.approx([order, order], abs=0.1)


def quadratic(target: float = 3.0, noise: float = 0.0, generator: torch.Generator | None = None) -> SubProblem:
    draw = lambda: (torch.rand(4, generator=generator),)  # noqa: E731
    return SubProblem(
        "a parabola", draw, lambda p, u: ((p - target).square().sum() + noise * u.mean(), p.new_zeros(()))
    )


def test_the_fit_on_a_device_takes_the_same_steps_as_the_plain_one():
    rule = StopRule(900, 0.1, patience=20)
    run = Run(seed=1)
    plain = fit(
        torch.zeros(3), quadratic(noise=1e-3, generator=run.generator), rule, run, 1.0, lambda *_: None, lambda: None
    )
    run = Run(seed=1)
    state = OnDevice(torch.zeros(3), quadratic(noise=1e-3, generator=run.generator), rule)
    while float(state.running):
        state.iterate()
    state.iterate()  # a graph goes on to the end of its chunk; nothing may move
    assert int(state.count) == plain.iterations < 900
    assert float(state.rate) == pytest.approx(plain.learning_rate)
    torch.testing.assert_close(state.parameters.detach(), plain.parameters, rtol=1e-5, atol=1e-6)
    assert float(state.mean) == pytest.approx(plain.loss, rel=1e-3)


def test_the_plateau_divides_by_ten_four_times_and_then_stops():
    plateau, count = Plateau(StopRule(10_000, 1e-4, patience=5)), 0
    while not plateau.step(1.0):
        count += 1
    assert plateau.rate == pytest.approx(1e-8)
    assert count == 4 * 6  # the first loss is a gain, and what follows is not


def test_losses_below_zero_are_watched_too():
    plateau = Plateau(StopRule(100, 1e-4, patience=3))
    for loss in (-1.0, -2.0, -1.9999, -1.9999, -1.9999):
        plateau.step(loss)
    assert plateau.best == -2.0
    assert plateau.bad == 3


class Ear:
    def __init__(self):
        self.events = []

    def emit(self, event):
        self.events.append(event)

    def wants_preview(self):
        return False


def test_a_lost_fit_begins_again_with_half_the_learning_rate():
    count = iter(range(1000))

    def loss(p, u):
        bad = next(count) == 3
        return (p - 3).square().sum() * (float("nan") if bad else 1.0), p.new_zeros(())

    ear = Ear()
    run = Run(listener=ear)
    found = fit(
        torch.zeros(1), SubProblem("a parabola", quadratic().draw, loss), StopRule(50, 0.2), run, 1.0,
        lambda *_: None, lambda: None,
    )  # fmt: skip
    assert found.learning_rate == 0.1
    assert any("half the learning rate" in e.text for e in ear.events if isinstance(e, Noted))
    always = SubProblem("a parabola", quadratic().draw, lambda p, u: (p.sum() * float("nan"), p.new_zeros(())))
    with pytest.raises(UserError, match="stay finite"):
        fit(torch.zeros(1), always, StopRule(50, 0.2), Run(), 1.0, lambda *_: None, lambda: None)


def test_heat_in_a_rod_follows_its_exact_solution():
    params = insr.params.parse({
        "time_step": 0.05, "width": 16, "layers": 1, "samples": 128, "frequency": 4.0, "first_iterations": 800,
        "iterations": 200, "learning_rate": 2e-3,
    })  # fmt: skip
    made = insr(heat(), None, params=params, run=Run(seed=0))
    assert len(made.field.times) == 3
    assert float(made.accuracy.series["mean error"][-1]) < 5e-3
    assert float(np.abs(made.error.values).max()) < 2e-2
    points = torch.tensor(made.field.x, dtype=torch.float32)[:, None]
    again = evaluator(made.trajectory, step=2)(points)[:, 0].numpy()
    np.testing.assert_allclose(again, made.field.component(0, 2), atol=1e-6)


def test_two_unknowns_of_unlike_sizes_swing_as_they_should():
    """u_t = v, v_t = -w^2 u at every point: the size of v is 20 times that of u."""
    problem = Problem(
        coordinates=("x", "t"), lower=np.array([0.0, 0.0]), upper=np.array([1.0, 0.02]), time="t",
        unknowns=("u", "v"), equations=("u_t = v", "v_t = -400*u"),
        conditions=("u = x*(1 - x) at t = 0", "v = 0 at t = 0"),
        exact={"u": "x*(1-x)*cos(20*t)", "v": "-20*x*(1-x)*sin(20*t)"},
    )  # fmt: skip
    evolution = Evolution(compile_problem(problem), True)
    evolution.place(SirenShape(1, 2, 8, 1, (0.0,), (1.0,)), torch.device("cpu"), torch.Generator().manual_seed(0))
    assert evolution.scales == pytest.approx([0.25, 1.0], rel=1e-3)
    params = insr.params.parse({
        "time_step": 0.01, "width": 16, "layers": 1, "samples": 64, "frequency": 3.0, "first_iterations": 800,
        "iterations": 250, "learning_rate": 2e-3,
    })  # fmt: skip
    made = insr(problem, None, params=params, run=Run(seed=0))
    u, v = np.abs(made.error.values[-1]).reshape(2, -1).max(1)
    assert u < 0.01
    assert v < 0.1


def test_a_periodic_condition_joins_the_ends():
    problem = Problem(
        coordinates=("x", "t"), lower=np.array([0.0, 0.0]), upper=np.array([1.0, 0.1]), time="t",
        equations=("u_t + u_x = 0",), conditions=("u = sin(2*pi*x) at t = 0", "periodic in x"),
    )  # fmt: skip
    evolution = Evolution(compile_problem(problem), True)
    shape = SirenShape(1, 1, 8, 1, (0.0,), (1.0,))
    generator = torch.Generator().manual_seed(0)
    evolution.place(shape, torch.device("cpu"), generator)
    flat = shape.initialised(generator)
    (points,) = evolution.draw_faces(10)
    assert float(points) == 0
    found = float(evolution._face_loss(flat, (points,), 0.0))
    ends = evolution._jets(evolution.face_plan, flat, torch.tensor([[0.0], [1.0]]))
    expected = sum(float((v[0] - v[1]).square()) for v in ends.values())
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_exact_solution_has_no_residual_but_for_the_time_error():
    """The step's loss of a network is what the formula says, taken from values alone."""
    problem, dt = advection(), 0.05
    evolution = Evolution(compile_problem(problem), True)
    shape = SirenShape(1, 1, 10, 1, (-2.0,), (2.0,))
    generator = torch.Generator().manual_seed(0)
    evolution.place(shape, torch.device("cpu"), generator)
    old, new = shape.initialised(generator), shape.initialised(generator)
    points = evolution.draw(50)
    main, rest = evolution.step_loss(old, 0.0, dt, 2.0)(new, points, *evolution.draw_faces(10))
    h = 1e-3
    shift = lambda flat: (values(shape, flat, points + h) - values(shape, flat, points - h)) / (2 * h)  # noqa: E731
    speed = (values(shape, new, points) - values(shape, old, points)) / dt
    residual = speed + 0.25 * (shift(new) + shift(old)) / 2
    assert float(main) == pytest.approx(float(residual.square().mean()), rel=1e-2)
    ends = values(shape, new, torch.tensor([[-2.0], [2.0]]))
    assert float(rest) == pytest.approx(2 * float(ends.square().sum()), rel=1e-4)


def test_a_field_on_a_grid_is_read_between_its_nodes_in_any_dimension():
    generator = torch.Generator().manual_seed(0)
    axes = [np.linspace(0, 1, 11) ** 1.2, np.linspace(-1, 2, 13), np.linspace(0, 3, 9)]
    for d in (1, 2, 3):
        grid = np.meshgrid(*axes[:d], indexing="ij")
        values = np.stack([sum(g**2 for g in grid), np.sin(sum(grid))])
        low, high = torch.tensor([a[0] for a in axes[:d]]), torch.tensor([a[-1] for a in axes[:d]])
        points = low + (high - low) * torch.rand(50, d, generator=generator, dtype=torch.float64)
        found = reader(values, axes[:d])(points)
        exact = torch.stack([points.square().sum(1), points.sum(1).sin()], 1)
        assert float((found - exact).abs().max()) < 5e-3
        corner = torch.tensor(values.reshape(2, -1)[:, 0])
        torch.testing.assert_close(reader(values, axes[:d])(low[None] - 1)[0], corner)


def sine(low: float = 0.0, unknown: str = "u") -> SampledField:
    x = np.linspace(low, 1, 41)
    return SampledField.of(np.sin(np.pi * x), x, components=(unknown,))


def test_a_march_may_start_from_measured_values():
    compiled = compile_problem(heat())
    for initial in (sine(), sine(-0.5), sine(unknown="temperature")):
        evolution = Evolution(compiled, True, initial)
        evolution.place(SirenShape(1, 1, 8, 1, (0.0,), (1.0,)), torch.device("cpu"), torch.Generator())
        points = torch.linspace(0, 1, 30)[:, None]
        torch.testing.assert_close(evolution.first_values(points), (np.pi * points).sin(), atol=1e-4, rtol=0)
        assert not evolution.knows_exact
    with pytest.raises(UserError, match="does not cover"):
        Evolution(compiled, True, sine(0.2))
    with pytest.raises(UserError, match="gaps"):
        Evolution(compiled, True, sine().replace(values=np.full((1, 1, 41, 1, 1), np.nan)))


def test_problems_of_the_gallery_march_or_are_refused_in_words():
    marched = 0
    for source in catalog():
        if source.role != "source" or all(out.type is not Problem for out in source.outputs):
            continue
        (problem,) = (a for a in source.run({}, source.params(), Run()).values() if isinstance(a, Problem))
        try:
            evolution = Evolution(compile_problem(problem), True)
        except UserError:
            continue
        box = tuple(evolution.lower.tolist()), tuple(evolution.upper.tolist())
        shape, generator = SirenShape(len(box[0]), len(problem.unknowns), 6, 1, *box), torch.Generator().manual_seed(0)
        evolution.place(shape, torch.device("cpu"), generator)
        flat = shape.initialised(generator).requires_grad_()
        inside, faces = evolution.draw(20), evolution.draw_faces(10)
        main, rest = evolution.step_loss(flat.detach(), evolution.start_time, 0.01, 1.0)(flat, inside, *faces)
        assert bool(torch.autograd.grad(main + rest, flat)[0].isfinite().all()), source.key
        marched += 1
    assert marched >= 4


def test_coefficients_that_are_to_be_found_are_taken_as_guessed():
    problem = heat().replace(definitions={}, estimated={"nu": 0.5}, exact={})
    params = insr.params.parse({
        "time_step": 0.01, "steps": 1, "width": 6, "layers": 1, "samples": 32, "first_iterations": 5, "iterations": 5,
        "largest_fit_error": 10,
    })  # fmt: skip
    ear = Ear()
    insr(problem, None, params=params, run=Run(listener=ear))
    assert any("nu = 0.5" in e.text for e in ear.events if isinstance(e, Noted))
