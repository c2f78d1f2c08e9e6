"""Chebyshev collocation: the honest winner on intervals and rectangles where everything is smooth.

The solution is a polynomial in each coordinate, through its values at Chebyshev points; along periodic axes it is a
trigonometric polynomial. The equation holds at the points, conditions hold at those on the faces (Trefethen 2000). Time
is an axis like another. For smooth solutions the error falls exponentially as points are added.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from engines.blocks.pde.differentiation import chebyshev, fourier
from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.tensor_grid import single_equation
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import Problem
from engines.pde.reference_newton import CollocationSystem, ReferenceSolution, example, reference


class ChebyshevParams(Params):
    nodes: tuple[int, ...] = Param(
        (64,), ge=4, le=1000, source="own choice", help="Points along each axis: one number for all, or one for each"
    )
    samples: int = Param(201, ge=2, le=2000, source="own choice", help="Points of the field along each axis")


def per_axis(nodes: tuple[int, ...], axes: int) -> tuple[int, ...]:
    """One number of nodes for each axis. Raises :class:`UserError` where there are too many or too few."""
    found = nodes * axes if len(nodes) == 1 else nodes
    if len(found) != axes:
        raise UserError(
            f"The nodes are given for {len(found)} axes; the problem has {axes}.",
            mend="Give one number for all axes, or one for each.",
        )
    return found


def check_order(compiled: Any, who: str) -> None:
    """At most second derivatives along axes that are not periodic: there is one condition for each face."""
    for axis, name in enumerate(compiled.coordinates):
        order = max((i[axis] for i in compiled.needs[compiled.unknowns[0]]), default=0)
        if order > 2 and not compiled.periodic[axis]:
            raise UserError(
                f"The equation takes a derivative of order {order} along {name}.",
                f"{who} sets one condition at each end, which is enough for order two.",
                "Choose a problem of order two, or one that is periodic.",
            )


@method(
    key="chebyshev",
    title="Chebyshev collocation",
    family="pde",
    job="Solve a smooth problem on an interval or rectangle to many digits.",
    role="baseline",
    paper=Paper(
        title="Spectral Methods in MATLAB", authors="Trefethen, Lloyd N.", year=2000, venue="SIAM",
        url="https://doi.org/10.1137/1.9780898719598",
    ),
    presets={"quick": {"nodes": (32,)}},
    sample=Example(
        lambda: example("lap(u) + exp(u) = f", "sin(3*x)*cos(4*y)", "x", "y"), {"nodes": (24,)}, "On a square"
    ),
    smoke=Example(lambda: example("u_xx = f", "sin(20*x)", "x"), {"nodes": (32,), "samples": 50}, "A wave on a line"),
    degenerate=(
        Example(lambda: example("lap(u) = f", "x*y*z", "x", "y", "z"), {}, "Three axes"),
        Example(lambda: example("u_xxx = f", "sin(x)", "x"), {}, "A derivative of third order"),
        Example(lambda: example("u_xx = f", "sin(20*x)", "x"), {"nodes": (8, 8)}, "Nodes for two axes"),
    ),
    memory=lambda inputs, params: _memory(inputs, params),
    lighter=("nodes", "samples"),
    tags=("spectral", "collocation", "reference", "Newton"),
)  # fmt: skip
def chebyshev_collocation(
    problem: Annotated[Problem, "one equation for one unknown on one or two axes"], params: ChebyshevParams, run: Run
) -> ReferenceSolution:
    """The solution at evenly spaced points, interpolated as exactly as it was solved.

    Nonlinear problems take Newton steps. Computed on the CPU in double precision.
    """
    compiled = compile_problem(problem)
    single_equation(compiled, "Chebyshev collocation", 2)
    check_order(compiled, "Chebyshev collocation")
    counts = per_axis(params.nodes, len(compiled.coordinates))
    spans = zip(counts, compiled.lower.tolist(), compiled.upper.tolist(), compiled.periodic, strict=True)
    axes = [fourier(n, a, b) if periodic else chebyshev(n, a, b) for n, a, b, periodic in spans]
    values = CollocationSystem(compiled, axes).solve(run)
    return reference(compiled, axes, values, params.samples)


def _memory(inputs: Any, params: ChebyshevParams) -> int:
    """Bytes: a dense matrix for each derivative and a few for the solve."""
    problem = inputs.get("problem")
    axes = min(2, len(problem.coordinates)) if problem is not None else 1
    nodes = int(np.prod(params.nodes * axes if len(params.nodes) == 1 else params.nodes))
    return 8 * 8 * nodes**2 + 200 * params.samples**axes + 100_000_000
