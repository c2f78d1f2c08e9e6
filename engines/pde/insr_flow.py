"""INSR-PDE for the incompressible Euler equations in two dimensions: a network for the velocity, one for the pressure.

    u_t + (u . grad) u = -grad p,   div u = 0,   u . n = 0 at the walls

by operator splitting (Chen et al. 2023, sec. 4.2). In each step, with fresh points x in every iteration,

    advection    u*      minimises  mean | u - u_n(x - dt u_n(x)) |^2          + mean (u . n)^2
    pressure     p       minimises  mean ( lap p - div u* )^2                   + mean (dp/dn)^2       (p holds dt)
    projection   u_{n+1} minimises  mean | u - (u* - grad p) |^2                + mean (u . n)^2

Feet x - dt u_n(x) are kept in the box. Velocities are divided by the largest one of the start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.fitting import StopRule, SubProblem
from engines.blocks.pde.grids import tensor_points
from engines.blocks.pde.siren import SirenShape, jets, laplacian, values
from engines.blocks.pde.time_stepping import Fit, History, Nets, TimeStepper, check_first_fit
from engines.core import Artifact, Example, Param, Params, Run, method
from engines.data import Curve, Problem, SampledField, Trajectory
from engines.pde import insr_params as shared
from engines.pde.flow_scenes import Flow, Scene, flow_of, flow_of_problem
from engines.pde.insr import INSR, effort, memory

MEASURED = 96
"""Nodes along each axis at which figures are taken."""
FIGURES = ["kinetic energy", "divergence before projection", "divergence", "mean error"]


class InsrFlowParams(Params):
    scene: Scene = Param(
        "Taylor-Green",
        help="Flow to start from, where neither a problem nor a field is given",
        source="paper, sec. 4.2",
    )
    time_step: float = shared.time_step(0.05, "reference, fluid script")
    steps: int = Param(20, ge=1, le=100_000, help="Time steps", source="own choice: paper 100")
    width: int = shared.width(32, "reference, fluid script")
    layers: int = shared.layers(3, "reference, fluid script")
    samples: int = shared.samples(1024, "sheet 38: paper 128²")
    first_iterations: int = shared.iterations(2000, "for the initial velocity", "sheet 38: paper 20,000")
    iterations: int = shared.iterations(300, "for each part of a step", "sheet 38: paper 20,000")
    first_learning_rate: float = shared.learning_rate(1e-3, "own: paper 1e-4", "Of Adam for the initial velocity")
    learning_rate: float = shared.learning_rate(1e-4, "paper", "Of Adam in each step")
    patience: int = shared.patience()
    frequency: float = shared.frequency(10.0, "own: reference 30")
    boundary_weight: float = Param(1.0, ge=0, le=1e9, log=True, advanced=True, help="Of the walls", source="reference")
    largest_fit_error: float = shared.largest_fit_error("speed")
    resolution: int = Param(96, ge=8, le=1024, help="Nodes along each axis of the fields given", source="own choice")


@dataclass(frozen=True)
class FlowMarched:
    flow: Annotated[SampledField, "velocity, pressure and vorticity at all times"]
    trajectory: Annotated[Trajectory, "the velocity's network of each time"]
    pressure: Annotated[Trajectory, "the pressure's network of each time; it holds the time step"]
    error: Annotated[SampledField | None, "distance from the exact velocity, for a steady flow"]
    figures: Annotated[Curve, "kinetic energy, divergence and error over time"]
    effort: Annotated[Curve, "losses and iterations of each step"]


class Splitting:
    """The three sub-problems of a step, for velocities in units of ``scale``."""

    def __init__(self, flow: Flow, params: InsrFlowParams, run: Run) -> None:
        self.flow, self.params, self.run = flow, params, run
        sizes = {"width": params.width, "layers": params.layers, "first_frequency": params.frequency}
        self.velocity = SirenShape(2, 2, lower=flow.lower, upper=flow.upper, **sizes)  # type: ignore[arg-type]
        self.pressure = SirenShape(2, 1, lower=flow.lower, upper=flow.upper, **sizes)  # type: ignore[arg-type]
        self.low = torch.tensor(flow.lower, device=run.device)
        self.high = torch.tensor(flow.upper, device=run.device)
        self.scale = float(flow.velocity(self.grid(MEASURED)).norm(dim=1).amax())
        self.at_walls = max(10, params.samples // 100)

    def axes(self, nodes: int) -> list[np.ndarray]:
        return [np.linspace(a, b, nodes) for a, b in zip(self.flow.lower, self.flow.upper, strict=True)]

    def grid(self, nodes: int) -> Tensor:
        """(N, 2)."""
        return torch.tensor(tensor_points(self.axes(nodes)), dtype=torch.float32, device=self.run.device)

    def draw(self) -> tuple[Tensor, Tensor]:
        """Points inside (N, 2), and points at the walls: (2, B, 2), those where x is at an end and those where y is."""
        count = self.params.samples + 2 * self.at_walls
        uniform = torch.rand(count, 2, generator=self.run.generator, device=self.run.device)
        inside, walls = uniform[: self.params.samples], uniform[self.params.samples :].view(2, -1, 2)
        ends = torch.stack([walls[0, :, 0].round(), walls[1, :, 1].round()])
        walls = torch.stack([torch.stack([ends[0], walls[0, :, 1]], 1), torch.stack([walls[1, :, 0], ends[1]], 1)])
        return self.low + (self.high - self.low) * inside, self.low + (self.high - self.low) * walls

    def walls_of_velocity(self, flat: Tensor, walls: Tensor) -> Tensor:
        u = values(self.velocity, flat, walls.reshape(-1, 2)).view(2, -1, 2)
        return self.params.boundary_weight * (u[0, :, 0].square().mean() + u[1, :, 1].square().mean()) / 2

    def first(self) -> SubProblem:
        def loss(flat: Tensor, inside: Tensor, walls: Tensor) -> tuple[Tensor, Tensor]:
            apart = values(self.velocity, flat, inside) - self.flow.velocity(inside) / self.scale
            return apart.square().sum(1).mean(), flat.new_zeros(())

        return SubProblem("fitting the initial velocity", self.draw, loss)

    def advection(self, old: Tensor) -> SubProblem:
        def loss(flat: Tensor, inside: Tensor, walls: Tensor) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                foot = inside - self.params.time_step * self.scale * values(self.velocity, old, inside)
                carried = values(self.velocity, old, torch.minimum(torch.maximum(foot, self.low), self.high))
            apart = values(self.velocity, flat, inside) - carried
            return apart.square().sum(1).mean(), self.walls_of_velocity(flat, walls)

        return SubProblem("advection", self.draw, loss)

    def poisson(self, moved: Tensor) -> SubProblem:
        def loss(flat: Tensor, inside: Tensor, walls: Tensor) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                divergence = self.divergence(moved, inside)
            _, _, (lap,) = jets(self.pressure, flat, inside, (0, 1), (laplacian(2),))
            _, (across, up), _ = jets(self.pressure, flat, walls.reshape(-1, 2), (0, 1))
            half = len(across) // 2
            slope = (across[:half].square().mean() + up[half:].square().mean()) / 2
            return (lap[:, 0] - divergence).square().mean(), self.params.boundary_weight * slope

        return SubProblem("pressure", self.draw, loss)

    def projection(self, moved: Tensor, pressure: Tensor) -> SubProblem:
        def loss(flat: Tensor, inside: Tensor, walls: Tensor) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                _, slope, _ = jets(self.pressure, pressure, inside, (0, 1))
                target = values(self.velocity, moved, inside) - slope[:, :, 0].T
            apart = values(self.velocity, flat, inside) - target
            return apart.square().sum(1).mean(), self.walls_of_velocity(flat, walls)

        return SubProblem("projection", self.draw, loss)

    def divergence(self, flat: Tensor, points: Tensor) -> Tensor:
        """(P,) in units of ``scale``."""
        _, (dx, dy), _ = jets(self.velocity, flat, points, (0, 1))
        return dx[:, 0] + dy[:, 1]

    @torch.no_grad()
    def sampled(self, nets: Nets, points: Tensor) -> Tensor:
        """(P, 4): u, v, pressure (over the time step) and vorticity."""
        u, (dx, dy), _ = jets(self.velocity, nets["velocity"], points, (0, 1))
        p = values(self.pressure, nets["pressure"], points) / self.params.time_step
        return torch.cat([u, p - p.mean(), (dx[:, 1] - dy[:, 0])[:, None]], 1) * self.scale

    @torch.no_grad()
    def figures(self, nets: Nets, points: Tensor) -> dict[str, float]:
        u = values(self.velocity, nets["velocity"], points) * self.scale
        found = {
            "kinetic energy": float(u.square().sum(1).mean() / 2),
            "divergence": float(self.divergence(nets["velocity"], points).square().mean().sqrt()) * self.scale,
        }
        if self.flow.steady:
            found["mean error"] = float((u - self.flow.velocity(points)).norm(dim=1).mean())
        return found


def sampled(splitting: Splitting, history: History, resolution: int) -> SampledField:
    axes, points = splitting.axes(resolution), splitting.grid(resolution)
    stack = np.stack([splitting.sampled(nets, points).T.cpu().numpy() for nets in history.nets])
    times = splitting.params.time_step * np.arange(len(stack))
    return SampledField.of(
        stack.reshape(len(stack), 4, resolution, resolution), *axes, times=times,
        components=("u", "v", "pressure", "vorticity"), vectors=(("velocity", "u", "v"),),
        name=f"{splitting.flow.name}, flow",
    )  # fmt: skip


def error_of(flow: Flow, field: SampledField) -> SampledField:
    points = torch.tensor(tensor_points(field.axes), dtype=torch.float32)
    exact = flow.velocity(points).T.numpy().reshape(2, len(field.x), len(field.y), 1)
    apart = np.linalg.norm(field.values[:, :2] - exact, axis=1, keepdims=True)
    return field.replace(values=apart, components=("error",), vectors=(), name=f"{field.name}, error")


def _heat() -> Problem:
    return Problem(
        coordinates=("x", "t"), time="t", lower=np.zeros(2), upper=np.ones(2), equations=("u_t = u_xx",),
    )  # fmt: skip


def _one_component() -> SampledField:
    return SampledField.of(np.ones((8, 8)), np.linspace(0, 1, 8), np.linspace(0, 1, 8))


def _line() -> SampledField:
    return SampledField.of(np.ones((2, 9)), np.linspace(0, 1, 9), components=("u", "v"))


def _still() -> SampledField:
    return SampledField.of(np.zeros((2, 8, 8)), np.arange(8), np.arange(8), components=("u", "v"))


SMOKE = {
    "steps": 2, "width": 12, "layers": 1, "samples": 64, "first_iterations": 60, "iterations": 12,
    "first_learning_rate": 2e-3, "frequency": 6.0, "resolution": 12, "largest_fit_error": 5.0,
}  # fmt: skip


@method(
    key="insr-flow",
    title="INSR-PDE: flow",
    family="pde",
    job="March an incompressible flow in a box, with one small network for the velocity and one for the pressure.",
    paper=INSR,
    presets={
        "quick": {"steps": 3, "samples": 512, "first_iterations": 1000, "iterations": 150},
        "paper": {
            "steps": 100, "samples": 16_384, "first_iterations": 20_000, "iterations": 20_000, "patience": 500,
            "first_learning_rate": 1e-4, "frequency": 30.0,
        },
    },
    sample=Example(
        lambda: {},
        {"steps": 3, "samples": 512, "first_iterations": 800, "iterations": 120},
        "Taylor-Green vortices",
    ),
    smoke=Example(lambda: {}, SMOKE, "Taylor-Green vortices"),
    degenerate=(
        Example(lambda: {"initial": _one_component()}, SMOKE, "A field with one component"),
        Example(lambda: {"problem": _heat()}, SMOKE, "Another equation"),
        Example(lambda: {"initial": _line()}, SMOKE, "A field on a line"),
        Example(lambda: {"initial": _still()}, SMOKE, "Nothing moves"),
        Example(lambda: {}, SMOKE | {"largest_fit_error": 1e-9}, "A poor first fit"),
    ),
    memory=lambda inputs, params: (
        memory(params.samples, params.width, params.layers, 4) + 40 * params.resolution**2 * (params.steps + 1)
    ),
    lighter=("samples", "width", "resolution"),
    tags=("time-dependent", "neural representation", "SIREN", "Euler equations", "incompressible flow", "vortex"),
)  # fmt: skip
def insr_flow(
    problem: Annotated[Problem | None, "a flow without viscosity: its box, and its velocity at the start"],
    initial: Annotated[SampledField | None, "velocity to start from, where there is no problem; its box is the domain"],
    params: InsrFlowParams,
    run: Run,
) -> FlowMarched:
    """Advection, pressure, projection: three small fits in each step; see the module."""
    flow = flow_of(initial, params.scene) if problem is None else flow_of_problem(problem)
    splitting = Splitting(flow, params, run)
    side = min(b - a for a, b in zip(flow.lower, flow.upper, strict=True))
    if params.time_step * splitting.scale > 0.25 * side:
        far = params.time_step * splitting.scale / side
        run.warn(f"In one time step the flow goes {100 * far:.0f} % of the box, which is too far to follow well.")
    points = splitting.grid(MEASURED)

    def start(fit: Fit) -> Nets:
        first = splitting.velocity.initialised(run.generator, run.device)
        pressure = splitting.pressure.initialised(run.generator, run.device)
        velocity = fit(first, splitting.first())
        apart = values(splitting.velocity, velocity, points) - flow.velocity(points) / splitting.scale
        check_first_fit(
            run, float(apart.square().sum(1).mean().sqrt()), params.largest_fit_error, "the initial velocity"
        )
        return {"velocity": velocity, "pressure": pressure}

    before_projection: dict[str, float] = {}

    def advance(step: int, before: Sequence[Nets], fit: Fit) -> Nets:
        old = before[-1]
        moved = fit(old["velocity"], splitting.advection(old["velocity"]))
        with torch.no_grad():
            spread = float(splitting.divergence(moved, points).square().mean().sqrt()) * splitting.scale
        before_projection["divergence before projection"] = spread
        pressure = fit(old["pressure"], splitting.poisson(moved))
        return {"velocity": fit(moved, splitting.projection(moved, pressure)), "pressure": pressure}

    def measure(step: int, nets: Sequence[Nets]) -> dict[str, float]:
        return splitting.figures(nets[-1], points) | (before_projection if step else {})

    def preview(history: History, nets: Nets) -> Artifact:
        return sampled(splitting, history, min(params.resolution, 64))

    rule = StopRule(params.iterations, params.learning_rate, params.patience)
    first = StopRule(params.first_iterations, params.first_learning_rate, max(500, params.patience))
    history = TimeStepper(run, params.steps, 3, rule, first, preview).march(start, advance, measure)
    for _ in run.steps(1, "Sampling the fields"):
        field = sampled(splitting, history, params.resolution)
    trajectories = [
        Trajectory(
            times=field.times, form="siren", lower=flow.lower, upper=flow.upper, weights=history.weights(name),
            config=json.dumps(shape.config() | {"scale": splitting.scale}), components=components,
            coordinates=("x", "y"), name=f"{flow.name}, {name}",
        )
        for name, shape, components in (
            ("velocity", splitting.velocity, ("u", "v")), ("pressure", splitting.pressure, ("p",)),
        )
    ]  # fmt: skip
    return FlowMarched(
        field, trajectories[0], trajectories[1], error_of(flow, field) if flow.steady else None,
        history.curve(field.times, FIGURES, "figures", y_log=True, title="Figures over time"),
        effort(history, field.times),
    )  # fmt: skip


__all__ = ["InsrFlowParams", "Splitting", "insr_flow"]
