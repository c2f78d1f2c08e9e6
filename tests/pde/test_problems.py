"""The problems that ship: their exact solutions hold, and what is typed becomes what was meant."""

from __future__ import annotations

import pytest
import torch

from engines.blocks.formulas import FormulaError
from engines.blocks.pde.equations import compile_problem
from engines.core import Run, UserError, catalog
from engines.data import Problem

SOURCES = [m for m in catalog() if m.role == "source" and m.outputs[0].type is Problem]


def made(key: str, **params) -> Problem:
    method = next(m for m in SOURCES if m.key == key)
    return method.run({}, method.params.parse(params), Run())["problem"]


@pytest.mark.parametrize("method", SOURCES, ids=lambda m: m.key)
def test_the_exact_solution_fulfils_equations_and_conditions(method):
    for preset in (None, *method.presets):
        problem = method.run({}, method.preset(preset), Run())["problem"]
        compiled = compile_problem(problem)
        draw = torch.rand(
            500, len(problem.coordinates), dtype=torch.float64, generator=torch.Generator().manual_seed(3)
        )
        points = torch.tensor(problem.lower) + draw * torch.tensor(problem.upper - problem.lower)
        if not compiled.has_exact:
            continue
        jets = compiled.exact_jets(points)
        scale = max(float(values.abs().max()) for of_one in jets.values() for values in of_one.values())
        assert compiled.residual(points, jets).abs().max() < 1e-9 * max(1, scale)
        for condition in compiled.conditions:
            if condition.residual is None:
                continue
            needs: dict[str, list] = {u: [] for u in compiled.unknowns}
            for unknown, index in condition.needs:
                needs[unknown].append(index)
            at = condition.place(points)
            assert condition.residual(at, compiled.exact_jets(at, needs)).abs().max() < 1e-4


def test_every_preset_of_the_typed_problem_is_a_problem():
    inverse = made("typed-problem", estimated="nu = 1/4", domain="x in [0, 2*pi]; t: 0, 1", definitions="", exact="",
                   equations="u_t = nu*u_xx", conditions="periodic in x; u = sin(x) at t = 0")  # fmt: skip
    assert inverse.estimated == {"nu": 0.25}
    assert inverse.time == "t"
    assert inverse.upper[0] == pytest.approx(6.283185307)
    assert len(inverse.conditions) == 2


@pytest.mark.parametrize(
    ("params", "text", "column"),
    [
        ({"equations": "u_xx + qq = 0"}, "u_xx + qq = 0", 7),
        ({"equations": "u_xx = 0\nu_yy + sin u = 1"}, "u_yy + sin u = 1", 11),
        ({"definitions": "k = 1\nq = manufactured\nj = k +"}, "k +", 3),
        ({"domain": "x in [0, 1]\ny between 0 and 1"}, "y between 0 and 1", 0),
        ({"domain": "x in [0, 1+]\ny in [0, 1]"}, "x in [0, 1+]", 11),
        ({"conditions": "u = 0 on boundary\nu = z on x = 1"}, "u = z on x = 1", 4),
        ({"exact": "u = sin(pi x)"}, "sin(pi x)", 4),
        ({"estimated": "nu = a"}, "nu = a", 5),
    ],
)
def test_a_mistake_is_shown_where_it_is(params, text, column):
    with pytest.raises(FormulaError) as caught:
        made("typed-problem", **params)
    assert (caught.value.text, caught.value.column) == (text, column)


def test_conditions_that_disagree_are_told(recorded):
    run, warnings = recorded
    method = next(m for m in SOURCES if m.key == "typed-problem")
    method.run({}, method.params.parse({"conditions": "u = 0 on x = -1; u = 1 on y = 1"}), run)
    assert "differ by 1" in warnings()[0]
    with pytest.raises(UserError, match="empty"):
        made("typed-problem", domain="x in [1, 1]")


@pytest.fixture
def recorded():
    from engines.core import Noted

    events: list = []

    class Ear:
        def emit(self, event):
            events.append(event)

        def wants_preview(self):
            return False

    return Run(listener=Ear()), lambda: [e.text for e in events if isinstance(e, Noted) and e.level == "warning"]
