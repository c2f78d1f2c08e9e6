"""INSR-PDE: time-dependent equations with the field of each time in the weights of a small network (Chen et al. 2023).

For u_t = N[u] on a box, a network of sines u_theta(x) without time fits u(0); then, step by step, theta_{n+1}
minimises from theta_n, over points x drawn anew in each iteration,

    midpoint         mean | (u - u_n) / dt - N[(u + u_n) / 2] |^2  +  mean | boundary conditions |^2
    implicit Euler   mean | (u - u_n) / dt - N[u] |^2              +  mean | boundary conditions |^2

(sec. 3, eqs. 3-5; for linear N the first is the trapezoidal rule of the paper's advection). Unknowns are divided by
their largest initial value, so that losses and their stopping rule do not depend on units.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from engines.blocks.pde.comparison import exact_field
from engines.blocks.pde.equations import Compiled, compile_problem
from engines.blocks.pde.evolution import Evolution
from engines.blocks.pde.field_metrics import difference
from engines.blocks.pde.fitting import StopRule, SubProblem
from engines.blocks.pde.grids import three
from engines.blocks.pde.siren import SirenShape
from engines.blocks.pde.time_stepping import Fit, History, Nets, TimeStepper, check_first_fit
from engines.core import Artifact, Example, Paper, Param, Params, Run, UserError, method
from engines.data import Curve, Problem, SampledField, Trajectory
from engines.pde import insr_params as shared

INSR = Paper(
    title="Implicit Neural Spatial Representations for Time-dependent PDEs",
    authors="Chen, Honglin and Wu, Rundi and Grinspun, Eitan and Zheng, Changxi and Chen, Peter Yichen",
    year=2023,
    venue="International Conference on Machine Learning",
    url="https://arxiv.org/abs/2210.00124",
)
GRID_LIMIT = 40_000
"""Nodes at which figures are taken after each step, at most."""


class InsrParams(Params):
    time_step: float = shared.time_step(0.05, "paper, advection", "Time step, in the time of the problem")
    steps: int | None = Param(
        None, ge=1, le=100_000, empty="to the end of the problem's time", help="Time steps", source="own choice"
    )
    integrator: Literal["midpoint", "implicit Euler"] = Param(
        "midpoint", help="Second order, or first order and more damping", source="paper, sec. 4.1"
    )
    width: int = shared.width(20, "reference, advection script")
    layers: int = shared.layers(2, "reference, advection script")
    samples: int = shared.samples(1000, "own choice: paper 5000")
    first_iterations: int = shared.iterations(6000, "for the initial field", "sheet 38, own run")
    iterations: int = shared.iterations(400, "for each step", "sheet 38: paper 20,000")
    learning_rate: float = shared.learning_rate(5e-4, "sheet 38: paper 1e-4")
    patience: int = shared.patience("a step's fit")
    first_patience: int = Param(
        500, ge=1, le=100_000, advanced=True, source="reference", help="The same for the initial field"
    )
    frequency: float = shared.frequency(30.0, "reference")
    boundary_weight: float | None = Param(
        None, ge=0, le=1e12, empty="0.1 / time step²", advanced=True, source="own choice; reference 1, for advection",
        help="Of the conditions: a missed value counts as a rate of change over the time step does",
    )  # fmt: skip
    largest_fit_error: float = shared.largest_fit_error("value")
    resolution: int = Param(200, ge=4, le=4096, help="Nodes along each axis of the fields given", source="own choice")


@dataclass(frozen=True)
class Marched:
    field: Annotated[SampledField, "the unknowns at all times, on a grid"]
    trajectory: Annotated[Trajectory, "the network of each time"]
    error: Annotated[SampledField | None, "the field minus the exact solution, where it is known"]
    accuracy: Annotated[Curve, "figures over time"]
    effort: Annotated[Curve, "loss and iterations of each step"]


def stop_rules(params: InsrParams) -> tuple[StopRule, StopRule]:
    """Of the first fit and of a step."""
    rule = StopRule(params.iterations, params.learning_rate, params.patience)
    return StopRule(params.first_iterations, params.learning_rate, params.first_patience), rule


def time_steps(compiled: Compiled, params: InsrParams) -> int:
    assert compiled.time is not None
    span = float(compiled.upper[compiled.time] - compiled.lower[compiled.time])
    steps = params.steps or round(span / params.time_step)
    if steps < 1:
        raise UserError(
            f"The time step {params.time_step:g} is longer than the time of the problem, {span:g}.",
            mend="Use a shorter time step, or say how many steps.",
        )
    return steps


def advection() -> Problem:
    """The paper's: a narrow Gaussian that moves to the right and keeps its shape."""
    return Problem(
        coordinates=("x", "t"), lower=np.array([-2.0, 0.0]), upper=np.array([2.0, 12.0]), time="t",
        equations=("u_t + a*u_x = 0",), definitions={"a": "0.25"},
        conditions=("u = exp(-0.5*((x + 1.5)/0.1)^2) at t = 0", "u = 0 on boundary"),
        exact={"u": "exp(-0.5*((x - a*t + 1.5)/0.1)^2)"}, name="Advection of a Gaussian",
    )  # fmt: skip


def heat(end: float = 0.1) -> Problem:
    """A wave that melts away in a rod with cold ends."""
    return Problem(
        coordinates=("x", "t"), lower=np.array([0.0, 0.0]), upper=np.array([1.0, end]), time="t",
        equations=("u_t = nu*u_xx",), definitions={"nu": "0.5"},
        conditions=("u = sin(pi*x) at t = 0", "u = 0 on boundary"),
        exact={"u": "exp(-nu*pi^2*t)*sin(pi*x)"}, name="Heat in a rod",
    )  # fmt: skip


def _steady() -> Problem:
    return Problem(lower=np.zeros(2), upper=np.ones(2), equations=("lap(u) = 1",), conditions=("u = 0 on boundary",))


def memory(samples: int, width: int, layers: int, streams: int) -> int:
    """Bytes: for each layer streams of values and gradients, sine and cosine."""
    return int(2e8) + 4 * samples * width * (layers + 1) * (3 * streams + 6)


def fields(inputs: Mapping[str, Artifact], params: InsrParams) -> int:
    """Bytes of the fields that are given: values, and their distance from the exact ones, at all times."""
    problem = inputs["problem"]
    assert isinstance(problem, Problem)
    nodes = min(params.resolution, 48 if len(problem.space) == 3 else params.resolution) ** len(problem.space)
    spans = dict(zip(problem.coordinates, problem.upper - problem.lower, strict=True))
    steps = params.steps or float(spans.get(problem.time, 0.0)) / params.time_step
    return int(12 * nodes * len(problem.unknowns) * (steps + 1))


@method(
    key="insr",
    title="INSR-PDE",
    family="pde",
    job="Solve a time-dependent equation step by step, with a small network as the field of each time.",
    paper=INSR,
    presets={
        "quick": {"samples": 500, "first_iterations": 3000, "iterations": 200},
        "paper": {
            "samples": 5000, "first_iterations": 20_000, "iterations": 20_000, "learning_rate": 1e-4, "patience": 500,
            "boundary_weight": 1.0,
        },
    },
    sample=Example(
        lambda: {"problem": advection()},
        {"steps": 8, "samples": 500, "first_iterations": 3000, "iterations": 200},
        "Advection of a Gaussian",
    ),
    smoke=Example(
        lambda: {"problem": heat()},
        {
            "time_step": 0.02, "steps": 3, "width": 12, "layers": 1, "samples": 64, "first_iterations": 150,
            "iterations": 30, "learning_rate": 2e-3, "frequency": 5.0, "resolution": 30, "largest_fit_error": 1.0,
        },
        "Heat in a rod",
    ),
    degenerate=(
        Example(lambda: {"problem": _steady()}, title="A problem without time"),
        Example(lambda: {"problem": heat().replace(conditions=("u = 0 on boundary",))}, title="No initial field"),
        Example(lambda: {"problem": heat().replace(equations=("dt(u_t) = u_xx",))}, title="A second time derivative"),
        Example(lambda: {"problem": heat()}, {"time_step": 1.0}, "A time step longer than the time"),
        Example(
            lambda: {"problem": heat()}, {"first_iterations": 2, "iterations": 2, "samples": 64}, "A poor first fit",
        ),
    ),
    memory=lambda inputs, params: memory(params.samples, params.width, params.layers, 4) + fields(inputs, params),
    lighter=("samples", "width", "resolution"),
    tags=("time-dependent", "implicit neural representation", "SIREN", "advection", "diffusion", "Burgers"),
)  # fmt: skip
def insr(
    problem: Annotated[Problem, "first order in time, on a box, with an initial value for each unknown"],
    initial: Annotated[SampledField | None, "measured values to start from, in the place of the problem's"],
    params: InsrParams,
    run: Run,
) -> Marched:
    """One set of weights for each time; see the module for what is minimised."""
    compiled = compile_problem(problem)
    evolution = Evolution(compiled, params.integrator == "midpoint", initial)
    steps = time_steps(compiled, params)
    for text in compiled.jumps(1e-3) if initial is None else ():
        run.warn(text)
    if problem.estimated:
        known = ", ".join(f"{name} = {value:g}" for name, value in problem.estimated.items())
        run.warn(f"Coefficients that are to be found from measurements are taken as first guessed: {known}.")
    shape = SirenShape(
        len(evolution.space), len(compiled.unknowns), params.width, params.layers,
        tuple(evolution.lower.tolist()), tuple(evolution.upper.tolist()), first_frequency=params.frequency,
    )  # fmt: skip
    evolution.place(shape, run.device, run.generator)
    faces = max(10, params.samples // 100)
    weight = 0.1 / params.time_step**2 if params.boundary_weight is None else params.boundary_weight
    grid = evolution.grid(min(params.resolution, int(GRID_LIMIT ** (1 / len(evolution.space)))))
    times = evolution.start_time + params.time_step * np.arange(steps + 1)

    def start(fit: Fit) -> Nets:
        first = shape.initialised(run.generator, run.device)
        draw = lambda: (evolution.draw(params.samples),)  # noqa: E731
        flat = fit(first, SubProblem("fitting the initial field", draw, evolution.first_loss))
        check_first_fit(run, evolution.first_error(flat, grid), params.largest_fit_error, "the initial field")
        return {"network": flat}

    def advance(step: int, before: Sequence[Nets], fit: Fit) -> Nets:
        old = before[-1]["network"]
        draw = lambda: (evolution.draw(params.samples), *evolution.draw_faces(faces))  # noqa: E731
        loss = evolution.step_loss(old, float(times[step - 1]), params.time_step, weight)
        return {"network": fit(old, SubProblem("the equation", draw, loss))}

    def measure(step: int, nets: Sequence[Nets]) -> dict[str, float]:
        return evolution.figures(nets[-1]["network"], grid, float(times[step]))

    def preview(history: History, nets: Nets) -> Artifact:
        return sampled(evolution, history, times, min(params.resolution, 64 if len(evolution.space) > 1 else 400))

    stepper = TimeStepper(run, steps, 1, *reversed(stop_rules(params)), preview)
    history = stepper.march(start, advance, measure)
    for _ in run.steps(1, "Sampling the fields"):
        field = sampled(evolution, history, times, params.resolution)
        wrong = error_of(evolution, field) if evolution.knows_exact else None
    trajectory = Trajectory(
        times=times, form="siren", lower=evolution.lower, upper=evolution.upper, weights=history.weights("network"),
        config=json.dumps(shape.config() | {"scale": evolution.scales}), components=compiled.unknowns,
        coordinates=evolution.names, problem=problem, name=f"{problem.name or 'Problem'}, networks",
    )  # fmt: skip
    figures = [k for k in history.rows[-1] if not k.startswith(("loss", "iterations"))]
    return Marched(
        field, trajectory, wrong,
        history.curve(times, figures, "figures", y_log=evolution.knows_exact, title="Figures over time"),
        effort(history, times),
    )  # fmt: skip


def effort(history: History, times: np.ndarray) -> Curve:
    names = list(dict.fromkeys(k for row in history.rows for k in row if k.startswith(("loss", "iterations"))))
    return history.curve(times, names, "loss, iterations", y_log=True, title="Loss and iterations of each step")


def sampled(evolution: Evolution, history: History, times: np.ndarray, resolution: int) -> SampledField:
    """The unknowns at the times that are finished."""
    if len(evolution.space) == 3:
        resolution = min(resolution, 48)
    axes, points = evolution.axes(resolution), evolution.grid(resolution)
    values = [evolution.values(nets["network"], points).cpu().numpy() for nets in history.nets]
    stack = np.stack(values).transpose(0, 2, 1).reshape(len(values), -1, *(len(a) for a in axes))
    compiled = evolution.compiled
    return SampledField.of(
        stack.astype(np.float32), *axes, times=times[: len(values)], components=compiled.unknowns,
        coordinates=three(evolution.names),
        time_name=compiled.problem.time, name=f"{compiled.problem.name or 'Problem'}, solved",
    )  # fmt: skip


def error_of(evolution: Evolution, field: SampledField) -> SampledField:
    exact = exact_field(field, evolution.compiled)
    assert exact is not None
    return difference(field, exact.replace(values=exact.values.astype(np.float32))).replace(name=f"{field.name}, error")


__all__ = ["INSR", "InsrParams", "Marched", "advection", "effort", "heat", "insr", "memory"]
