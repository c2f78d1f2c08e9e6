"""Finite differences of second order on a tensor grid, in one to three dimensions.

    u_x ~ (u_{i+1} - u_{i-1}) / 2h,     u_xx ~ (u_{i+1} - 2 u_i + u_{i-1}) / h^2

inside, one-sided formulas of the same order at the ends. The sparse system is factorised, or iterated with an
incomplete factor where it is large; nonlinear problems take Newton steps.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from engines.blocks.pde.differentiation import finite_differences
from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.tensor_grid import single_equation
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Problem
from engines.pde.reference_chebyshev import check_order, per_axis
from engines.pde.reference_newton import CollocationSystem, ReferenceSolution, example, reference


class FiniteDifferencesParams(Params):
    nodes: tuple[int, ...] = Param(
        (101,), ge=5, le=5000, source="own choice", help="Nodes along each axis: one number for all, or one for each"
    )


@method(
    key="finite-differences",
    title="Finite differences",
    family="pde",
    job="Solve a steady problem on a grid in one to three dimensions, to second order.",
    role="baseline",
    presets={"quick": {"nodes": (41,)}},
    sample=Example(lambda: example("lap(u) - u^3 = f", "sin(5*x)*cos(4*y)", "x", "y"), {"nodes": (81,)}, "On a square"),
    smoke=Example(lambda: example("u_xx + u = f", "sin(9*x)", "x"), {"nodes": (60,)}, "On a line"),
    degenerate=(
        Example(lambda: example("u_t - u_xx = f", "sin(x)*exp(-t)", "x", "t", time="t"), {}, "A problem in time"),
        Example(lambda: example("u_xxx = f", "sin(x)", "x"), {}, "A derivative of third order"),
    ),
    memory=lambda inputs, params: _memory(inputs, params),
    lighter=("nodes",),
    tags=("finite differences", "reference", "sparse", "Newton"),
)
def finite_difference_solution(
    problem: Annotated[Problem, "one equation for one unknown, without time"], params: FiniteDifferencesParams, run: Run
) -> ReferenceSolution:
    """The solution at the nodes. Computed on the CPU in double precision."""
    compiled = compile_problem(problem)
    single_equation(compiled, "Finite differences", 3)
    if compiled.time is not None:
        raise UserError(
            "Finite differences solve steady problems here.",
            f"This one has the time {compiled.coordinates[compiled.time]}.",
            "Use the method of lines.",
        )
    check_order(compiled, "Finite differences")
    counts = per_axis(params.nodes, len(compiled.coordinates))
    spans = zip(counts, compiled.lower.tolist(), compiled.upper.tolist(), compiled.periodic, strict=True)
    axes = [finite_differences(n, a, b, periodic) for n, a, b, periodic in spans]
    values = CollocationSystem(compiled, axes).solve(run)
    return reference(compiled, axes, values, 0)


def _memory(inputs: Any, params: FiniteDifferencesParams) -> int:
    """Bytes: mostly the fill of the factor, which grows faster than the nodes do."""
    problem = inputs.get("problem")
    axes = min(3, len(problem.coordinates)) if problem is not None else 1
    nodes = float(np.prod(params.nodes * axes if len(params.nodes) == 1 else params.nodes))
    fill = {1: 10.0, 2: 10 * np.log2(max(2.0, nodes)), 3: min(10 * nodes ** (1 / 3), 300.0)}[axes]
    return int(16 * nodes * (fill + 60) + 50_000_000)
