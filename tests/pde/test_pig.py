"""PIG and its baseline: residuals of exact solutions, gradients, the separable variant, causal weights, estimation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from engines.blocks.pde import derivatives
from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.forms import evaluator
from engines.blocks.pde.grids import even_grid
from engines.blocks.pde.residual_loss import LossSettings, ResidualLoss, measured
from engines.blocks.pde.sampled_solution import truth
from engines.blocks.pde.training import Schedule, Trainer
from engines.core import Noted, Previewed, Run, UserError, catalog
from engines.data import Problem, SampledField, Table
from engines.pde.pig_network import PigNetwork, PigShape, start, turning
from engines.pde.pig_separable import SeparableShape, start_separable
from engines.pde.pinn import PinnNetwork, PinnShape, first_parameters
from tests.contract.examples import Ear as RunEar

F64 = torch.float64
EXACT = ["helmholtz", "poisson", "klein-gordon", "flow-mixing", "advection"]


class Ear:
    def __init__(self):
        self.texts: list[str] = []
        self.values: dict[str, list[float]] = {}

    def emit(self, event) -> None:
        if isinstance(event, Noted):
            self.texts.append(event.text)
        for name, value in getattr(event, "values", {}).items():
            self.values.setdefault(name, []).append(value)

    def wants_preview(self) -> bool:
        return False


def made(key: str, **changes) -> Problem:
    source = catalog().get(key)
    return source.run({}, source.params.parse(changes), Run())["problem"]


def source(key: str) -> Problem:
    method = catalog().get(key)
    return next(iter(method.run({}, method.params(), Run()).values()))


def solve(problem: Problem, seed: int = 0, key: str = "pig", ear: Ear | None = None, more=None, **changes):
    method = catalog().get(key)
    inputs = {"problem": problem, **(more or {})}
    return method.run(inputs, method.params.parse(changes), Run(seed=seed, listener=ear))


SMALL = {"gaussians": 10, "channels": 2, "width": 6, "interior": 128, "face": 16, "nodes": 17, "times": 5}


def heat(**changes) -> Problem:
    whole = {
        "coordinates": ("x", "t"), "time": "t", "lower": [0, 0], "upper": [1, 0.5], "equations": ("u_t = 0.1*u_xx",),
        "conditions": ("u = 0 on boundary", "u = sin(pi*x) at t = 0"),
        "exact": {"u": "exp(-0.1*pi^2*t)*sin(pi*x)"},
    }  # fmt: skip
    return Problem(**(whole | changes))


@pytest.mark.parametrize("key", EXACT)
def test_the_exact_solution_leaves_nothing_over(key):
    compiled = compile_problem(source(key))
    at = torch.as_tensor(np.random.default_rng(0).uniform(compiled.lower, compiled.upper, (500, len(compiled.lower))))
    left = compiled.residual(at, compiled.exact_jets(at)).abs().max()
    assert float(left) < 1e-9


def pig_network(dimensions: int, turned: bool = False, width: int = 6) -> tuple[PigNetwork, torch.Tensor]:
    lower, upper = (-1.0, 2.0, 0.0)[:dimensions], (3.0, 5.0, 0.5)[:dimensions]
    shape = PigShape(lower, upper, 2, 3, 12, width)
    network, flat = start(shape, Run(seed=1), 0.4, F64, [])
    network.layout.split(flat)["weights"].mul_(100)
    if turned:
        network, flat = turning(network, flat)
        network.layout.split(flat)["turns"].add_(torch.rand(3, 12, 2 if dimensions == 2 else 4, dtype=F64))
    return network, flat


@pytest.mark.parametrize("width", [0, 6])
@pytest.mark.parametrize(("dimensions", "turned"), [(1, False), (2, False), (2, True), (3, False), (3, True)])
def test_derivatives_of_the_whole_network(dimensions, turned, width):
    network, flat = pig_network(dimensions, turned, width)
    parts, shape = network.layout.split(flat), network.shape
    at = torch.as_tensor(np.random.default_rng(0).uniform(shape.lower, shape.upper, (30, dimensions)))
    wanted = [i for i in itertools.product(range(4), repeat=dimensions) if sum(i) <= 2]
    found = network.jets(parts, at, wanted)
    expected = derivatives.by_autograd(lambda x: network.plain(parts, x), at, wanted)
    for index in wanted:
        assert (found[index] - expected[index]).abs().max() <= 1e-10 * expected[index].abs().max(), index
    third = (3, *(0,) * (dimensions - 1))
    assert torch.isfinite(network.jets(parts, at, [third])[third]).all()


def test_turning_starts_from_the_diagonal_field():
    network, flat = pig_network(2)
    at = torch.rand(20, 2, dtype=F64) + 2
    turned, more = turning(network, flat)
    before = network.evaluate(network.layout.split(flat))(at)
    torch.testing.assert_close(turned.evaluate(turned.layout.split(more))(at), before, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("turned", [False, True])
def test_gaussians_in_the_units_of_the_problem(turned):
    network, flat = pig_network(2, turned)
    parts = network.layout.split(flat)
    cloud = network.cloud(parts, Problem(lower=[-1, 2], upper=[3, 5], equations=("u = 0",)))
    at = np.random.default_rng(0).uniform([-1, 2], [3, 5], (25, 2))
    apart = at[:, None, None] - cloud.means
    powers = np.einsum("pcgi,cgij,pcgj->pcg", apart, np.linalg.inv(cloud.covariances), apart)
    expected = (cloud.weights * np.exp(-0.5 * powers)).sum(-1)
    np.testing.assert_allclose(network.features(parts, torch.as_tensor(at), [(0, 0)])[0, 0], expected, rtol=1e-9)


def test_the_separable_variant_is_the_same_on_a_grid_and_at_its_points():
    shape = SeparableShape((-1.0, 0.0, 2.0), (1.0, 3.0, 3.0), 2, 2, 9, 5, rank=4)
    network, flat = start_separable(shape, Run(seed=2), 0.3, F64, [])
    parts = network.layout.split(flat)
    axes = [torch.linspace(a, b, n, dtype=F64) for a, b, n in zip(shape.lower, shape.upper, (4, 5, 6), strict=True)]
    at = torch.stack([g.flatten() for g in torch.meshgrid(*axes, indexing="ij")], 1)
    wanted = [(0, 0, 0), (2, 0, 0), (0, 1, 1), (0, 0, 2)]
    on_grid, one_by_one = network.grid_jets(parts, axes, wanted), network.jets(parts, at, wanted)
    expected = derivatives.by_forward(lambda x: _separable(network, parts, x), at, wanted)
    for index in wanted:
        torch.testing.assert_close(on_grid[index], one_by_one[index], rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(one_by_one[index], expected[index], rtol=1e-8, atol=1e-8)


def _separable(network, parts, x):
    """The formula, written with the features by subtraction so that it can be differentiated by others."""
    from engines.blocks.pde import gaussian_features, mlp

    product = 1.0
    for j in range(network.shape.dimensions):
        low, high = network.shape.lower[j], network.shape.upper[j]
        inside = ((x[:, j] - (low + high) / 2) * 2 / (high - low))[:, None]
        A = gaussian_features.precision(parts["sigmas"][j].abs() + 1e-4)
        features = gaussian_features.direct(inside, parts["means"][j], A, parts["weights"][j], [(0,)])[(0,)]
        own = {name: parts[f"{j}.{name}"] for name in network.shape.layers}
        product = product * mlp.values(features, own).view(len(x), network.shape.outputs, network.shape.rank)
    return product.sum(-1)


def loss_of(problem: Problem, **settings) -> tuple[ResidualLoss, torch.Tensor]:
    compiled = compile_problem(problem)
    shape = PinnShape(tuple(compiled.lower), tuple(compiled.upper), len(compiled.unknowns), 8, 2)
    run = Run(seed=4)
    network = PinnNetwork(shape, F64)
    flat = first_parameters(shape, run, [])
    whole = {"interior": 64, "face": 16, "sampling": "uniform", "redraw_every": 5, "residual_weight": 1.0}
    loss = ResidualLoss(compiled, network, run, LossSettings(**(whole | settings)))
    loss.redraw(0, flat)
    return loss, flat


def test_the_loss_is_the_sum_of_separate_means():
    loss, flat = loss_of(heat(), residual_weight=0.3)
    parts = loss.network.layout.split(flat)
    terms = dict(loss.terms(flat))
    assert set(terms) == {"residual", "boundary", "initial"}
    u = derivatives.by_autograd(lambda x: loss.network.values(parts, x), loss.points, [(0, 1), (2, 0)])
    residual = (u[0, 1] - 0.1 * u[2, 0]).square().mean()
    torch.testing.assert_close(terms["residual"], 0.3 * residual)
    faces = {name: torch.cat(f) for name, f in zip([g.name for g in loss.groups], loss.on_faces, strict=True)}
    torch.testing.assert_close(terms["boundary"], loss.network.values(parts, faces["boundary"]).square().mean())
    start = loss.network.values(parts, faces["initial"])[:, 0] - torch.sin(math.pi * faces["initial"][:, 0])
    torch.testing.assert_close(terms["initial"], start.square().mean())


def test_slopes_and_periods_are_conditions_too():
    loss, flat = loss_of(heat(conditions=("periodic in x", "u = sin(2*pi*x) at t = 0", "u_t = 3 at t = 0"), exact={}))
    terms = dict(loss.terms(flat))
    assert set(terms) == {"residual", "periodic", "initial", "initial slopes"}
    values = lambda x: loss.network.values(loss.network.layout.split(flat), x)  # noqa: E731
    (low,) = loss.on_faces[0]
    high = low + torch.tensor([1.0, 0.0], dtype=F64)
    jets = [derivatives.by_autograd(values, side, [(0, 0), (1, 0)]) for side in (low, high)]
    gaps = torch.cat([jets[0][i] - jets[1][i] for i in ((0, 0), (1, 0))])
    torch.testing.assert_close(terms["periodic"], gaps.square().mean())


def test_causal_weights_follow_the_slabs_before():
    loss, flat = loss_of(heat(), slabs=4, causality=2.0, live=True, interior=400)
    squares = loss._residual(loss.network.layout.split(flat)).square().mean(1)
    slab = (loss.points[:, 1] / 0.5 * 4).long()
    means = torch.stack([squares[slab == m].mean() for m in range(4)])
    weights = torch.exp(-2.0 * torch.tensor([float(means[:m].sum()) for m in range(4)], dtype=F64))
    torch.testing.assert_close(dict(loss.terms(flat))["residual"], (weights * means).mean())
    frozen, _ = loss_of(heat(), slabs=4, causality=2.0, interior=400)
    before = dict(frozen.terms(flat))["residual"]
    torch.testing.assert_close(before, (weights * means).mean())


def test_points_are_drawn_anew_when_due_and_not_before():
    loss, flat = loss_of(heat(), redraw_every=5)
    first = loss.points
    assert not loss.redraw(3, flat)
    assert loss.points is first
    assert loss.redraw(5, flat)
    assert not torch.equal(loss.points, first)


def test_a_loss_that_is_not_finite_brings_the_last_good_parameters_back():
    class Trap:
        def terms(self, flat):
            yield "bowl", (flat**2).sum() if float(flat.detach().abs().max()) > 0.5 else flat.sum() * math.nan

        def redraw(self, step, flat):
            return False

        def state(self):
            return {}

        def restore(self, state):
            pass

    ear = Ear()
    trainer = Trainer(Run(listener=ear), torch.ones(3, dtype=F64), Trap(), Schedule("Adam", 200, 0.05))
    list(trainer.steps("Training"))
    assert torch.isfinite(trainer.flat).all()
    assert any("not finite" in text for text in ear.texts)
    assert any("last good parameters are kept" in text for text in ear.texts)


@pytest.mark.parametrize("changes", [
    {}, {"optimiser": "Adam"}, {"slabs": 4}, {"slabs": 4, "optimiser": "Adam"}, {"separable": True},
    {"covariance": "diagonal, then full", "full_steps": 5}, {"moving": False}, {"width": 0}, {"single": True},
    {"sampling": "grid"}, {"sampling": "Latin hypercube"},
])  # fmt: skip
def test_every_way_to_train_goes_down_and_can_be_sampled_again(changes):
    ear = Ear()
    found = solve(heat(), ear=ear, steps=40, redraw_every=0, **(SMALL | changes))
    errors = ear.values["Relative L2 error"]
    assert errors[-1] < 0.9 * errors[0]
    solution, field = found["solution"], found["field"]
    evaluate = evaluator(solution)
    compiled = compile_problem(solution.problem)
    axes = even_grid(compiled.problem, 17, 5)
    at = torch.as_tensor([[axes[0][3], axes[1][2]]])
    assert float(evaluate(at)) == pytest.approx(float(field.values[2, 0, 3, 0, 0]), rel=1e-5)
    assert field.values.shape == (5, 1, 17, 1, 1)
    assert ("gaussians" in found) == (not changes.get("separable", False))


def test_a_coefficient_is_found_from_measurements():
    problem = heat(
        equations=("u_t = k*u_xx",), estimated={"k": 0.0}, exact={}, conditions=("u = 0 on boundary",),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, t = rng.uniform(0, 1, 150), rng.uniform(0, 0.5, 150)
    table = Table(columns={"x": x, "t": t, "u": np.exp(-0.1 * np.pi**2 * t) * np.sin(np.pi * x)})
    found = solve(problem, more={"measurements": table}, steps=150, **(SMALL | {"interior": 64}))
    assert found["coefficients"].columns["Estimate"][0] == pytest.approx(0.1, rel=0.03)
    assert found["coefficients"].columns["First guess"][0] == 0.0
    with pytest.raises(UserError, match="nothing was measured"):
        solve(problem, steps=1, **SMALL)


def test_scores_tell_of_errors_only_where_the_truth_is_known():
    known = solve(heat(), steps=2, **SMALL)["scores"].columns
    unknown = solve(heat(exact={}), steps=2, **SMALL)["scores"].columns
    assert known["Relative L2 error, final"][0] > 0
    assert list(unknown) == ["Steps", "Evaluations", "Parameters"]


def test_measurements_must_name_what_they_measure():
    compiled = compile_problem(heat())
    like = torch.zeros(0, dtype=F64)
    for columns in ({"x": [1.0], "u": [1.0]}, {"x": [1.0], "t": [0.1]}, {"x": ["a"], "t": [0.1], "u": [1.0]}):
        table = Table(columns={k: np.array(v) for k, v in columns.items()})
        with pytest.raises(UserError, match="measurements"):
            measured(compiled, table, like)


def test_a_reference_stands_for_the_exact_solution():
    compiled = compile_problem(heat(exact={}))
    x, t = np.linspace(0, 1, 9), np.linspace(0, 0.5, 4)
    values = np.exp(-0.1 * np.pi**2 * t)[:, None] * np.sin(np.pi * x)
    field = SampledField.of(values, x, times=t)
    known = truth(compiled, field, 11, 5, torch.zeros(0, dtype=F64))
    exact = lambda p: (torch.exp(-0.1 * math.pi**2 * p[:, 1]) * torch.sin(math.pi * p[:, 0]))[:, None]  # noqa: E731
    assert known.relative_error(exact) < 1e-12
    outside = SampledField.of(values, x + 1, times=t)
    with pytest.raises(UserError, match="does not fit"):
        truth(compiled, outside, 11, 5, torch.zeros(0, dtype=F64))
    assert truth(compiled, None, 11, 5, torch.zeros(0, dtype=F64)) is None


def test_inconsistent_corners_are_told_with_the_size_of_the_jump():
    ear = Ear()
    solve(heat(conditions=("u = 0 on boundary", "u = 1 + x at t = 0"), exact={}), ear=ear, steps=2, **SMALL)
    assert any("differ by" in text for text in ear.texts)


@pytest.mark.parametrize(("changes", "said"), [
    ({"covariance": "diagonal, then full", "separable": True}, "separable"),
    ({"slabs": 3}, "no time"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_refused(changes, said):
    with pytest.raises(UserError, match=said):
        solve(made("poisson"), steps=1, **(SMALL | changes))


def test_equations_of_third_order_are_trained_by_nested_differentiation():
    problem = Problem(
        coordinates=("x",), lower=[0.0], upper=[1.0], equations=("u_xxx = 6",),
        conditions=("u = 0 on x = 0", "u = 1 on x = 1", "u_x = 0 on x = 0"), exact={"u": "x^3"},
    )  # fmt: skip
    ear = Ear()
    solve(problem, ear=ear, steps=40, **(SMALL | {"face": 1, "interior": 32, "redraw_every": 0}))
    totals = np.sum([values for name, values in ear.values.items() if name.startswith("Loss")], 0)
    assert totals[-1] < 0.5 * totals[0]
    assert any("nested" in text for text in ear.texts)


def test_the_preview_shows_where_the_equation_and_the_field_are_off():
    method = catalog().get("pig")
    ear = RunEar(watched=True)
    run = Run(seed=0, listener=ear, preview_seconds=0)
    method.run(method.smoke.inputs(), method.params.parse(method.smoke.params), run)
    shown = ear.of(Previewed)[-1].artifacts
    assert shown["residual"] is shown["error"] is shown["field"] is SampledField


def test_the_residual_at_points_is_that_of_the_loss():
    loss, flat = loss_of(heat())
    at = loss.residual_at(flat, loss.points, block=10)
    first = next(iter(loss.terms(flat)))
    assert first[0] == "residual"
    torch.testing.assert_close(at.square().mean(), first[1].detach())
