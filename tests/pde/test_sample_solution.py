"""Learned solutions on grids that are chosen afterwards, against the closed form that their weights stand for."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.forms import evaluator
from engines.blocks.pde.grids import tensor_points
from engines.core import Noted, Run, UserError, catalog
from engines.data import Problem, Solution, Trajectory
from engines.pde.sample_solution import travelling_front


def sampled(given, run=None, **params):
    method = catalog().get("sample-solution")
    key = "trajectory" if isinstance(given, Trajectory) else "solution"
    return next(iter(method.run({key: given}, method.params.parse(params), run or Run()).values()))


def test_the_field_is_the_closed_form_at_the_nodes_and_times_asked_for():
    field = sampled(travelling_front(), nodes=33, times=5, first_time=0.25, last_time=0.75)
    assert field.times.tolist() == [0.25, 0.375, 0.5, 0.625, 0.75]
    assert field.shape == (33,)
    expected = np.tanh(3 * field.x[None] - 2 * field.times[:, None] + 1)
    np.testing.assert_allclose(field.values[:, 0, :, 0, 0], expected, atol=1e-12)


def test_a_region_may_reach_beyond_the_domain_and_that_is_said():
    told: list[str] = []

    class Ear:
        def emit(self, event):
            if isinstance(event, Noted) and event.level == "warning":
                told.append(event.text)

        def wants_preview(self):
            return False

    inside = sampled(travelling_front(), Run(listener=Ear()), lower="0", upper="0.5", nodes=11, times=2)
    assert (inside.x[0], inside.x[-1]) == (0, 0.5)
    assert told == []
    sampled(travelling_front(), Run(listener=Ear()), lower="0", upper="2", nodes=11, times=2)
    assert "beyond" in told[0]


def test_a_trajectory_is_taken_at_its_own_times():
    front = travelling_front()
    weights = {k: np.stack([w * s for s in (1.0, 2.0, 3.0)]) for k, w in front.weights.items()}
    config = json.dumps({"lower": [0.0], "upper": [1.0], "outputs": 1, "width": 1, "depth": 1})
    weights["weight.0"] = weights["weight.0"][:, :, :1]
    steps = Trajectory(times=[0, 1, 2], form="mlp", lower=[0], upper=[1], weights=weights, config=config)
    field = sampled(steps, nodes=9, times=2)
    assert field.times.tolist() == [0, 2]
    near = sampled(steps, nodes=9, times=3, first_time=0.9, last_time=2.4)
    assert near.times.tolist() == [1, 2]
    np.testing.assert_allclose(near.values[0, 0, :, 0, 0], 2 * np.tanh(2 * 3 * (2 * near.x - 1)), atol=1e-12)


def residual(given, **params):
    method = catalog().get("sample-solution")
    found = method.run({"solution": given}, method.params.parse({"residual": True, **params}), Run())
    assert set(found) == {"field", "residual"}
    assert found["residual"].name == f"{given.name}, residual"
    return found["residual"]


def test_the_residual_is_what_the_equation_leaves_over():
    front = travelling_front()
    np.testing.assert_allclose(residual(front, nodes=17, times=3).values, 0, atol=1e-12)
    steeper = front.replace(problem=front.problem.replace(equations=("u_t + c*u*u_x = 0",), estimated={"c": 5.0}),
                            weights=front.weights | {"coefficients": np.array([2.0])})  # fmt: skip
    found = residual(steeper, nodes=17, times=3)
    u = np.tanh(3 * found.x[None] - 2 * found.times[:, None] + 1)
    np.testing.assert_allclose(found.component("residual", 1), ((6 * u - 2) * (1 - u**2))[1], atol=1e-12)
    assert found.coordinates[0] == "x"


@pytest.mark.parametrize(("key", "changes"), [
    ("pig", {"covariance": "diagonal", "steps": 2}), ("pig", {"covariance": "diagonal", "separable": True, "steps": 2}),
    ("gp-hm", {}),
])  # fmt: skip
def test_the_residual_of_every_form_is_that_of_differences(key, changes):
    method = catalog().get(key)
    solution = method.run(method.smoke.inputs(), method.params.parse({**method.smoke.params, **changes}), Run())[
        "solution"
    ]
    found = residual(solution, nodes=9)
    compiled = compile_problem(solution.problem)
    points, step = torch.from_numpy(tensor_points(found.axes)), 2e-4
    value, none, jets = evaluator(solution), (0,) * points.shape[1], {}
    for axis in range(points.shape[1]):
        shift = step * torch.eye(points.shape[1], dtype=torch.float64)[axis]
        twice = tuple(2 * int(i == axis) for i in range(points.shape[1]))
        jets[twice] = (value(points + shift) - 2 * value(points) + value(points - shift))[:, 0] / step**2
    expected = compiled.residual(points, {"u": {none: value(points)[:, 0], **jets}}, {})[:, 0]
    scale = max(float(jet.abs().max()) for jet in jets.values())  # of which the residual is a small difference
    np.testing.assert_allclose(found.values.reshape(-1), expected, atol=5e-5 * scale)


def test_a_flow_keeps_its_velocity():
    config = {"lower": [0.0, 0.0], "upper": [1.0, 2.0], "outputs": 2, "width": 1, "depth": 1}
    weights = {"weight.0": np.ones((1, 2)), "bias.0": np.zeros(1), "weight.1": np.ones((2, 1)), "bias.1": np.zeros(2)}
    problem = Problem(lower=[0, 0], upper=[1, 2], unknowns=("u", "v"), equations=("u_x + v_y = 0",))
    field = sampled(Solution(problem=problem, form="mlp", weights=weights, config=json.dumps(config)), nodes=21)
    assert field.vectors == (("velocity", "u", "v"),)
    assert field.shape == (11, 21)
    assert len(field.times) == 1


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"lower": "0, 0", "upper": "1"}, "another dimension"),
        ({"lower": "1", "upper": "0"}, "empty"),
        ({"first_time": 2.0, "last_time": 1.0}, "before it begins"),
    ],
)
def test_regions_that_are_none_are_refused(params, words):
    with pytest.raises(UserError, match=words):
        sampled(travelling_front(), **params)


def test_weights_that_do_not_fit_are_refused():
    broken = travelling_front().replace(weights={"weight.0": np.ones((1, 2))})
    with pytest.raises(UserError, match="do not fit"):
        sampled(broken)
    with pytest.raises(UserError, match="not known here"):
        sampled(travelling_front().replace(form="oracle"))
