"""Problems without time whose solutions are known: Helmholtz, Poisson with a narrow bump, and rapid oscillations.

Sources are manufactured: what they must be for the exact solution to hold.
"""

from __future__ import annotations

import math
from typing import Literal

from engines.blocks.pde.equations import compile_problem
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import Problem

PIG = Paper(
    title="Physics-Informed Gaussians as Adaptive Parametric Mesh Representations",
    authors="Kang, Namgyu and Oh, Jaemin and Hong, Youngjoon and Park, Eunbyung",
    year=2025,
    venue="International Conference on Learning Representations",
    url="https://openreview.net/forum?id=tlFAp8Cl8C",
)
GP_HM = Paper(
    title="Solving High Frequency and Multi-Scale PDEs with Gaussian Processes",
    authors="Fang, Shikai and Cooley, Madison and Long, Da and Li, Shibo and Kirby, Robert M. and Zhe, Shandian",
    year=2024,
    venue="International Conference on Learning Representations",
)
EXACT = ("u = exact on boundary",)


class HelmholtzParams(Params):
    waves_x: float = Param(1.0, gt=0, le=100, help="Half waves along x, a₂ of the paper", source="PIG, app. D")
    waves_y: float = Param(4.0, gt=0, le=100, help="Half waves along y, a₁ of the paper", source="PIG, app. D")
    coefficient: float = Param(1.0, ge=-1e4, le=1e4, help="Factor λ of u in the equation", source="PIG, app. D")


@method(
    key="helmholtz", title="Helmholtz", family="pde", paper=PIG,
    job="Waves on a square: u_xx + u_yy + λu = q, with the exact solution.",
    presets={"quick": {}, "rapid": {"waves_x": 10.0, "waves_y": 10.0}},
    tags=("problem", "steady", "exact"),
)  # fmt: skip
def helmholtz(params: HelmholtzParams, run: Run) -> Problem:
    """u_xx + u_yy + λ u = q on [-1, 1]², u = sin(a₁ π y) sin(a₂ π x)."""
    a, b = params.waves_x, params.waves_y
    return Problem(
        name=f"Helmholtz ({b:g}, {a:g})", description="Waves on a square",
        lower=[-1, -1], upper=[1, 1], equations=("u_xx + u_yy + lambda*u = q",),
        definitions={"lambda": f"{params.coefficient!r}", "q": "manufactured"},
        exact={"u": f"sin({a!r}*pi*x)*sin({b!r}*pi*y)"}, conditions=EXACT,
    )  # type: ignore[arg-type]  # fmt: skip


class PoissonParams(Params):
    width: float = Param(0.05, ge=1e-3, le=10, help="Width of the bump, one standard deviation", source="sheet 56")
    centre: tuple[float, float] = Param(
        (0.3, -0.2), ge=-1, le=1, help="Where the bump is: x and y", source="own choice"
    )


@method(
    key="poisson", title="Poisson", family="pde",
    job="A narrow bump on a square: u_xx + u_yy = f, with the exact solution.",
    presets={"quick": {"width": 0.15}}, tags=("problem", "steady", "exact"),
    degenerate=(Example(params={"centre": (0.1,)}, title="One number for a place"),),
)  # fmt: skip
def poisson(params: PoissonParams, run: Run) -> Problem:
    """u_xx + u_yy = f on [-1, 1]², u = exp(-|x - c|² / (2 w²)): all that happens does so near c."""
    if len(params.centre) != 2:
        raise UserError(
            f"The centre has {len(params.centre)} numbers.", "A place on the square has two.", "Type x and y."
        )
    x, y = params.centre
    return Problem(
        name=f"Poisson, bump of {params.width:g}", description="A narrow bump on a square",
        lower=[-1, -1], upper=[1, 1], equations=("u_xx + u_yy = f",),
        definitions={"w": f"{params.width!r}", "f": "manufactured"},
        exact={"u": f"exp(-((x - {x!r})^2 + (y - {y!r})^2)/(2*w^2))"}, conditions=EXACT,
    )  # type: ignore[arg-type]  # fmt: skip


LINE = {
    "sin 100x": ("sin(100*x)", "2*pi"),
    "sin 6x cos 100x": ("sin(6*x)*cos(100*x)", "2*pi"),
    "x sin 200x": ("x*sin(200*x)", "2*pi"),
    "three scales": ("sin(x) + 0.1*sin(20*x) + 0.05*sin(100*x)", "1"),
    "sin 500x with parabola": ("sin(500*x) - 2*(x - 0.5)^2", "1"),
}
PLANE = {
    "sin 100x sin 100y": ("sin(100*x)*sin(100*y)", "2*pi"),
    "sums of waves": ("sin(6*x)*cos(20*x) + sin(6*y)*cos(20*y)", "2*pi"),
    "product of three scales": (
        "(sin(x) + 0.1*sin(20*x) + cos(100*x))*(sin(y) + 0.1*sin(20*y) + cos(100*y))", "2*pi",
    ),
}  # fmt: skip
OPERATORS = {"Poisson": "", "Allen–Cahn": " + u*(u^2 - 1)"}


class RapidLineParams(Params):
    solution: Literal[
        "sin 100x", "sin 6x cos 100x", "x sin 200x", "three scales", "sin 500x with parabola"
    ] = Param("sin 100x", help="The exact solution", source="GP-HM, sec. 6")  # fmt: skip
    equation: Literal["Poisson", "Allen–Cahn"] = Param("Poisson", help="u″ = f, or u″ + u(u² − 1) = f", source="GP-HM")
    length: float | None = Param(
        None, gt=0, le=1000, help="End of the interval, which begins at 0", empty="as in the paper", source="GP-HM"
    )


@method(
    key="rapid-line", title="Rapid oscillations on a line", family="pde", paper=GP_HM,
    job="u″ = f on an interval, or Allen–Cahn, with solutions that oscillate fast.",
    presets={"quick": {"length": 1.0}}, tags=("problem", "steady", "exact", "high frequency"),
)  # fmt: skip
def rapid_line(params: RapidLineParams, run: Run) -> Problem:
    """u_xx = f or u_xx + u (u² - 1) = f on [0, S], f made from the exact solution."""
    exact, end = LINE[params.solution]
    return _rapid(params.equation, ("x",), "u_xx", exact, end, params.length, params.solution)


class RapidPlaneParams(Params):
    solution: Literal["sin 100x sin 100y", "sums of waves", "product of three scales"] = Param(
        "sums of waves", help="The exact solution", source="GP-HM, sec. 6"
    )
    equation: Literal["Poisson", "Allen–Cahn"] = Param(
        "Poisson", help="Δu = f, or Δu + u(u² − 1) = f", source="GP-HM, sec. 6"
    )
    length: float | None = Param(
        None, gt=0, le=1000, help="Side of the square, which begins at 0", empty="as in the paper", source="GP-HM"
    )


@method(
    key="rapid-plane", title="Rapid oscillations on a square", family="pde", paper=GP_HM,
    job="Δu = f on a square, or Allen–Cahn, with solutions that oscillate fast.",
    presets={"quick": {"length": 1.0}}, tags=("problem", "steady", "exact", "high frequency"),
)  # fmt: skip
def rapid_plane(params: RapidPlaneParams, run: Run) -> Problem:
    """u_xx + u_yy = f or u_xx + u_yy + u (u² - 1) = f on [0, S]², f made from the exact solution."""
    exact, end = PLANE[params.solution]
    return _rapid(params.equation, ("x", "y"), "u_xx + u_yy", exact, end, params.length, params.solution)


def _rapid(
    equation: str, coordinates: tuple[str, ...], laplacian: str, exact: str, end: str, length: float | None, title: str
) -> Problem:
    side = length if length is not None else {"1": 1.0, "2*pi": 2 * math.pi}[end]
    made = Problem(
        name=f"{equation}, {title}", description="Rapid oscillations", coordinates=coordinates,
        lower=[0.0] * len(coordinates), upper=[side] * len(coordinates),
        equations=(f"{laplacian}{OPERATORS[equation]} = f",), definitions={"f": "manufactured"},
        exact={"u": exact}, conditions=EXACT,
    )  # type: ignore[arg-type]  # fmt: skip
    compile_problem(made)
    return made
