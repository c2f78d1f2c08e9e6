"""Transport on a grid by classical schemes, to compare with: u_t + a u_x = 0 with constant a on a line.

With the Courant number c = a dt / dx, for a > 0 (for a < 0 the line is turned around):

    upwind            u_i <- u_i - c (u_i - u_{i-1})                                               (first order)
    Lax-Wendroff      u_i <- u_i - c/2 (u_{i+1} - u_{i-1}) + c^2/2 (u_{i+1} - 2 u_i + u_{i-1})      (second order)
    semi-Lagrangian   u_i <- cubic spline through u at x_i - a dt                                  (any c)
    WENO5             fifth-order weighted differences (Jiang and Shu 1996), three-stage Runge-Kutta

At the inflow the condition of the problem holds, at the outflow values are continued.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from engines.blocks.pde.equations import Compiled, compile_problem
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Curve, Problem, SampledField
from engines.pde.insr import advection, heat

Scheme = Literal["upwind", "Lax-Wendroff", "semi-Lagrangian", "WENO5"]
Advance = Callable[[np.ndarray, float, float], np.ndarray]
"""Takes values with three ghosts at each end, the Courant number and its sign alone; gives values without ghosts."""


class GridTransportParams(Params):
    scheme: Scheme = Param("upwind", help="How values are carried", source="sheet 38, peers")
    unknowns: int = Param(
        901, ge=8, le=10_000_000, log=True, help="Nodes of the grid", source="sheet 38: as the network"
    )
    courant: float = Param(
        0.5, gt=0, le=1, help="Of each inner step; semi-Lagrangian takes whole steps", source="sheet 38"
    )
    time_step: float = Param(0.05, gt=0, le=1e6, help="Between the times that are kept", source="paper, advection")
    steps: int | None = Param(
        None,
        ge=1,
        le=100_000,
        empty="to the end of the problem's time",
        help="Times that are kept",
        source="own choice",
    )


@dataclass(frozen=True)
class Carried:
    field: Annotated[SampledField, "values on the grid at all times"]
    error: Annotated[SampledField | None, "the field minus the exact solution, where it is known"]
    accuracy: Annotated[Curve, "largest value and errors over time"]


@dataclass(frozen=True)
class Line:
    """What is carried: speed, box and times, with initial values and what flows in."""

    speed: float
    lower: float
    upper: float
    first: Callable[[np.ndarray], np.ndarray]
    inflow: Callable[[float], float]
    exact: Callable[[np.ndarray, float], np.ndarray] | None


def line_of(compiled: Compiled) -> Line:
    """Raises :class:`UserError` for anything but u_t + a u_x = 0 with constant a and an initial value."""
    wrong = UserError(
        f"The equation {'; '.join(compiled.problem.equations)} is not u_t + a u_x = 0.",
        "These schemes carry one unknown along a line with constant speed.",
        "Use INSR-PDE for other equations.",
    )
    if compiled.time is None or len(compiled.coordinates) != 2 or compiled.equations != 1:
        raise wrong
    operator, time = compiled.linear_operator(), compiled.time
    first = tuple(int(i == time) for i in range(2)), tuple(int(i != time) for i in range(2))
    if operator is None or {index for _, index in operator.terms} != set(first):
        raise wrong
    unknown = compiled.unknowns[0]
    low, high = torch.tensor(compiled.lower), torch.tensor(compiled.upper)
    points = low + (high - low) * torch.rand(64, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rate, slope = (operator.terms[unknown, index](points)[:, 0].expand(64) for index in first)
    speeds, source = slope / rate, operator.source(points)
    if float(speeds.std()) > 1e-9 * float(speeds.abs().amax()) or float(source.abs().amax()) > 0:
        raise wrong
    start = next((c for c in compiled.conditions if c.is_initial and c.side == 0 and c.value is not None), None)
    if start is None:
        raise UserError("There is no initial value.", mend=f"Add a condition such as '{unknown} = sin(x) at t = 0'.")
    speed, space = float(speeds.mean()), 1 - time
    side = 0 if speed > 0 else 1
    door = next((c for c in compiled.conditions if c.axis == space and c.side == side and c.value is not None), None)

    def at(x: np.ndarray, t: float) -> torch.Tensor:
        pair = [torch.tensor(x), torch.full((len(x),), t, dtype=torch.float64)]
        return torch.stack(pair if time else pair[::-1], 1)

    def value(formula: Callable[..., torch.Tensor], x: np.ndarray, t: float) -> np.ndarray:
        return formula(at(x, t))[:, 0].expand(len(x)).numpy().copy()

    begin, edge = float(low[time]), np.array([float((low, high)[side][space])])
    return Line(
        speed, float(low[space]), float(high[space]), lambda x: value(start.value, x, begin),
        (lambda t: float(value(door.value, edge, t)[0])) if door else (lambda t: 0.0),
        (lambda x, t: value(compiled.exact, x, t)) if compiled.has_exact else None,
    )  # fmt: skip


def upwind(u: np.ndarray, courant: float) -> np.ndarray:
    return u[3:-3] - courant * (u[3:-3] - u[2:-4])


def lax_wendroff(u: np.ndarray, courant: float) -> np.ndarray:
    left, here, right = u[2:-4], u[3:-3], u[4:-2]
    return here - courant / 2 * (right - left) + courant**2 / 2 * (right - 2 * here + left)


def weno_change(u: np.ndarray, courant: float) -> np.ndarray:
    """-c (f_{i+1/2} - f_{i-1/2}) with fifth-order fluxes from the left."""
    a, b, c, d, e = (u[k : len(u) - 5 + k] for k in range(5))  # around each left cell of a face
    flat = (
        13 / 12 * (a - 2 * b + c) ** 2 + (a - 4 * b + 3 * c) ** 2 / 4,
        13 / 12 * (b - 2 * c + d) ** 2 + (b - d) ** 2 / 4,
        13 / 12 * (c - 2 * d + e) ** 2 + (3 * c - 4 * d + e) ** 2 / 4,
    )
    weights = [w / (1e-6 + s) ** 2 for w, s in zip((0.1, 0.6, 0.3), flat, strict=True)]
    guesses = (2 * a - 7 * b + 11 * c) / 6, (-b + 5 * c + 2 * d) / 6, (2 * c + 5 * d - e) / 6
    face = sum(w * g for w, g in zip(weights, guesses, strict=True)) / sum(weights)
    return -courant * np.diff(face)


def ghosts(u: np.ndarray, inflow: float) -> np.ndarray:
    return np.concatenate([np.full(3, inflow), u, np.full(3, u[-1])])


def carry(scheme: Scheme, u: np.ndarray, courant: float, inflow: float) -> np.ndarray:
    """One step of a field that moves to the right; its first node holds what flows in."""
    if scheme == "WENO5":
        one = u + weno_change(ghosts(u, inflow), courant)
        two = 0.75 * u + 0.25 * (one + weno_change(ghosts(one, inflow), courant))
        made = u / 3 + 2 / 3 * (two + weno_change(ghosts(two, inflow), courant))
    elif scheme == "semi-Lagrangian":
        nodes = np.arange(len(u), dtype=float)
        foot = nodes - courant
        made = np.where(foot < 0, inflow, CubicSpline(nodes, u)(np.maximum(foot, 0)))
    else:
        made = (upwind if scheme == "upwind" else lax_wendroff)(ghosts(u, inflow), courant)
    made[0] = inflow
    return made


def _heat() -> dict[str, Problem]:
    return {"problem": heat()}


@method(
    key="grid-transport",
    title="Transport on a grid",
    family="pde",
    job="Carry a field along a line by a classical scheme on a grid.",
    role="baseline",
    presets={"quick": {"unknowns": 201, "steps": 12}},
    sample=Example(lambda: {"problem": advection()}, title="Advection of a Gaussian"),
    smoke=Example(lambda: {"problem": advection()}, {"unknowns": 101, "steps": 4}, "Advection of a Gaussian"),
    degenerate=(Example(_heat, title="An equation that is no transport"),),
    memory=lambda inputs, params: int(1e8) + 400 * params.unknowns,
    lighter=("unknowns",),
    tags=("advection", "finite differences", "upwind", "Lax-Wendroff", "WENO", "semi-Lagrangian"),
)
def grid_transport(
    problem: Annotated[Problem, "u_t + a u_x = 0 with constant a"], params: GridTransportParams, run: Run
) -> Carried:
    """See the module. Inner steps are as long as the Courant number allows and end at the times that are kept."""
    compiled = compile_problem(problem)
    line = line_of(compiled)
    begin = float(compiled.lower[compiled.time])
    count = params.steps or max(1, round(float(compiled.upper[compiled.time] - begin) / params.time_step))
    x = np.linspace(line.lower, line.upper, params.unknowns)
    whole = abs(line.speed) * params.time_step / (x[1] - x[0])
    inner = 1 if params.scheme == "semi-Lagrangian" else max(1, math.ceil(whole / params.courant - 1e-9))
    turn = slice(None, None, 1 if line.speed > 0 else -1)
    u, times = line.first(x)[turn], begin + params.time_step * np.arange(count + 1)
    kept = [u[turn].copy()]
    for step in run.steps(count, f"Carrying, {params.scheme}"):
        for k in range(inner):
            run.check()
            u = carry(params.scheme, u, whole / inner, line.inflow(times[step] + (k + 1) / inner * params.time_step))
        kept.append(u[turn].copy())
        run.preview(lambda: SampledField.of(np.stack(kept), x, times=times[: len(kept)], name="Carried so far"))
    field = SampledField.of(
        np.stack(kept), x, times=times, components=compiled.unknowns,
        coordinates=(compiled.coordinates[1 - compiled.time], "y", "z"),
        time_name=problem.time, name=f"{problem.name or 'Problem'}, {params.scheme}",
    )  # fmt: skip
    figures = {f"largest {compiled.unknowns[0]}": field.values.reshape(len(times), -1).max(1)}
    wrong = None
    if line.exact is not None:
        exact = np.stack([line.exact(x, float(t)) for t in times])
        apart = np.stack(kept) - exact
        figures |= {"mean error": np.abs(apart).mean(1), "largest error": np.abs(apart).max(1)}
        wrong = field.replace(values=apart[:, None, :, None, None], name=f"{field.name}, error")
    curve = Curve(x=times, series=figures, x_label="time", y_label="figures", name="Figures over time")
    return Carried(field, wrong, curve)


__all__ = ["GridTransportParams", "Scheme", "carry", "grid_transport", "line_of", "weno_change"]
