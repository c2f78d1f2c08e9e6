"""Finite elements of second order on triangles, for linear steady problems on a rectangle.

    sum_m c_m u_m = f    with second derivatives integrated by parts:

    int a_xx u_xx v = - int a_xx u_x v_x - int (d a_xx / dx) u_x v     (v = 0 where u is prescribed)

with quadratic elements of scikit-fem. Slopes of the coefficients come from automatic differentiation of their formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch

from engines.blocks.pde.equations import Compiled, Formula, Index, LinearOperator, compile_problem
from engines.blocks.pde.field_metrics import difference, score_table
from engines.blocks.pde.tensor_grid import TensorGrid, single_equation
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import MeshField, Problem, SampledField, Table
from engines.pde.reference_chebyshev import per_axis
from engines.pde.reference_newton import example

WHO = "The method of finite elements"


class FiniteElementsParams(Params):
    cells: tuple[int, ...] = Param(
        (32,), ge=2, le=512, source="own choice", help="Pairs of triangles along each axis: one number, or one for each"
    )
    samples: int = Param(101, ge=2, le=1000, source="own choice", help="Points of the sampled field along each axis")


@dataclass(frozen=True)
class ElementSolution:
    field: SampledField
    mesh: MeshField
    scores: Table | None
    error: SampledField | None


@method(
    key="finite-elements",
    title="Finite elements",
    family="pde",
    job="Solve a linear steady problem on a rectangle with quadratic triangles.",
    role="baseline",
    presets={"quick": {"cells": (16,)}},
    sample=Example(lambda: example("lap(u) - u = f", "sin(5*x)*cos(4*y)", "x", "y"), {}, "On a square"),
    smoke=Example(
        lambda: example("lap(u) = f", "sin(3*x)*y", "x", "y"), {"cells": (8,), "samples": 21}, "A small square"
    ),
    degenerate=(
        Example(lambda: example("u_xx = f", "sin(x)", "x"), {}, "One axis"),
        Example(lambda: example("lap(u) - u^3 = f", "x*y", "x", "y"), {}, "A nonlinear equation"),
        Example(lambda: example("u_xxxx + u_yyyy = f", "x*y", "x", "y"), {}, "Fourth order"),
    ),
    memory=lambda inputs, params: 3000 * int(np.prod((params.cells * 2)[:2])) + 500 * params.samples**2 + 100_000_000,
    lighter=("cells",),
    needs={"skfem": "elements"},
    tags=("finite elements", "reference", "mesh"),
)
def finite_element_solution(
    problem: Annotated[Problem, "one linear equation of second order on two axes, with values at all sides"],
    params: FiniteElementsParams,
    run: Run,
) -> ElementSolution:
    """The solution at evenly spaced points and on its mesh, with errors where the truth is known. Double precision."""
    compiled = compile_problem(problem)
    operator = checked(compiled)
    cells = per_axis(params.cells, 2)
    for step in run.steps(2, "Finite elements"):
        if step == 0:
            basis, values = _solved(compiled, operator, cells)
            run.check()
        else:
            made = _result(compiled, basis, values, params.samples)
    return made


def checked(compiled: Compiled) -> LinearOperator:
    """The operator. Raises :class:`UserError` for what these elements cannot do."""
    single_equation(compiled, WHO, 2)
    operator = compiled.linear_operator()
    orders = max((sum(index) for _, index in operator.terms), default=0) if operator is not None else 0
    if len(compiled.coordinates) != 2 or compiled.time is not None or operator is None or orders > 2:
        raise UserError(
            f"{WHO} solves linear steady problems of second order on a rectangle here.",
            "This one has another number of axes, time, products of the unknown, or a higher order.",
            "Use finite differences or Chebyshev collocation.",
        )
    sides = {(c.axis, c.side) for c in compiled.conditions if c.kind == "value"}
    if len(sides) < 4 or any(c.kind != "value" for c in compiled.conditions):
        raise UserError(
            f"{WHO} takes values at all four sides here.",
            f"Values are given at {len(sides)} of them.",
            "Give the others, or use finite differences.",
        )
    return operator


def _at(formula: Formula, x: np.ndarray, slope: int | None = None) -> np.ndarray:
    """A coefficient at places ``x`` (2, …), or its derivative along an axis."""
    points = torch.tensor(np.moveaxis(x, 0, -1).reshape(-1, 2), dtype=torch.float64, requires_grad=slope is not None)
    values = formula(points)[:, 0]
    if slope is None:
        return values.detach().numpy().reshape(x.shape[1:])
    if not values.requires_grad:
        return np.zeros(x.shape[1:])
    (gradient,) = torch.autograd.grad(values.sum(), points)
    return gradient[:, slope].numpy().reshape(x.shape[1:])


def _solved(compiled: Compiled, operator: LinearOperator, cells: tuple[int, ...]) -> tuple[Any, np.ndarray]:
    import skfem

    lines = [np.linspace(a, b, n + 1) for a, b, n in zip(compiled.lower, compiled.upper, cells, strict=True)]
    mesh = skfem.MeshTri.init_tensor(*lines)
    basis = skfem.Basis(mesh, skfem.ElementTriP2(), intorder=6)
    terms: Mapping[Index, Formula] = {index: formula for (_, index), formula in operator.terms.items()}

    @skfem.BilinearForm
    def form(u, v, w):  # type: ignore[no-untyped-def]
        total = 0.0 * u.value * v.value
        for index, formula in terms.items():
            axes = [axis for axis, order in enumerate(index) for _ in range(order)]
            factor = _at(formula, np.asarray(w.x))
            if not axes:
                total = total + factor * u.value * v.value
            elif len(axes) == 1:
                total = total + factor * u.grad[axes[0]] * v.value
            else:
                first, second = axes
                total = total - factor * u.grad[first] * v.grad[second]
                total = total - _at(formula, np.asarray(w.x), second) * u.grad[first] * v.value
        return total

    @skfem.LinearForm
    def load(v, w):  # type: ignore[no-untyped-def]
        return _at(operator.source, np.asarray(w.x)) * v.value

    values = np.zeros(basis.N)
    fixed = np.zeros(basis.N, bool)
    for condition in compiled.conditions:
        on_face = np.isclose(basis.doflocs[condition.axis], condition.at) & ~fixed
        assert condition.value is not None
        values[on_face] = _at(condition.value, basis.doflocs[:, on_face])
        fixed |= on_face
    solved = skfem.solve(*skfem.condense(form.assemble(basis), load.assemble(basis), x=values, D=np.flatnonzero(fixed)))
    return basis, np.asarray(solved)


def _result(compiled: Compiled, basis: Any, values: np.ndarray, samples: int) -> ElementSolution:
    grid = TensorGrid.even(compiled, (samples, samples))
    sampled = (basis.probes(grid.points.numpy().T) @ values).reshape(grid.shape)
    field, truth = grid.field(sampled, "Solution"), grid.exact()
    exact = None if truth is None else grid.field(truth)
    vertices = basis.mesh.p.T
    mesh = MeshField(
        name="Solution on its mesh", points=np.column_stack([vertices, np.zeros(len(vertices))]),
        cells=basis.mesh.t.T, values=values[basis.nodal_dofs[0]][None, None], times=np.zeros(1),
        components=compiled.unknowns,
    )  # fmt: skip
    scores = None if exact is None else score_table(field, exact)
    return ElementSolution(field, mesh, scores, None if exact is None else difference(field, exact))
