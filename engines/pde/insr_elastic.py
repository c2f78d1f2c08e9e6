"""INSR-PDE for elastic bodies with contact: the displacement of each time in the weights of one network.

With q = X + phi_theta(X) and F = dq/dX, theta_{n+1} minimises from theta_n, over points X drawn anew by volume in each
iteration and over all vertices,

    mean( c_arap |s - 1|^2 + c_vol (det F - 1)^2 + c_kin |(q - q_n)/dt - v_n|^2 - f . (q - q_n) + k/2 depth^2 )
    + mean over held vertices of  k_held |phi - target|^2

(variational implicit Euler; Chen et al. 2023, sec. 4.3). Lengths are those of the body's largest half extent. At rest
the last layer is zero, so that the start is exact.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde import contact
from engines.blocks.pde.fitting import StopRule, SubProblem
from engines.blocks.pde.moving_bodies import Potential, obstacle_mesh
from engines.blocks.pde.siren import SirenShape, jets, values
from engines.blocks.pde.time_stepping import Fit, History, Nets, TimeStepper
from engines.blocks.tetrahedra import Sampler, parts
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import Curve, ElasticBody, Mesh, MeshField, Trajectory
from engines.pde import insr_params as shared
from engines.pde.elastic_bodies import dropped_body
from engines.pde.insr import INSR, effort, memory

ENERGIES = ["kinetic energy", "elastic energy", "contact energy", "total energy"]
SHAPES = ["volume", "depth in obstacles"]


class InsrElasticParams(Params):
    time_step: float = shared.time_step(0.1, "reference, elasticity scripts")
    steps: int = Param(20, ge=1, le=100_000, help="Time steps", source="reference, elasticity scripts")
    width: int = shared.width(66, "reference, spot")
    layers: int = shared.layers(3, "reference, elasticity scripts")
    samples: int = shared.samples(1000, "own: paper 20³")
    vertices: int = Param(
        500, ge=0, le=1_000_000, log=True, source="own: paper all",
        help="Vertices in each iteration, at most; drawn anew",
    )  # fmt: skip
    iterations: int = shared.iterations(300, "in a step", "own: paper 20,000")
    learning_rate: float = shared.learning_rate(5e-4, "own: paper 1e-4")
    patience: int = shared.patience()
    frequency: float = shared.frequency(5.0, "own: reference 30", "the body")
    contact_form: Literal["depth", "published"] = Param(
        "depth", advanced=True, source="own choice",
        help="Push by the depth; or as the published code, where spheres push by the distance to their middle",
    )  # fmt: skip


@dataclass(frozen=True)
class BodyMarched:
    motion: Annotated[MeshField, "the moving mesh, its stretch and change of volume"]
    obstacles: Annotated[Mesh | None, "what it runs into"]
    trajectory: Annotated[Trajectory, "the network of each time: displacements at any point"]
    energy: Annotated[Curve, "energies over time"]
    shape: Annotated[Curve, "volume, and depth in obstacles, over time"]
    effort: Annotated[Curve, "loss and iterations of each step"]


class Stepping:
    """The sub-problem of a step."""

    def __init__(self, body: ElasticBody, params: InsrElasticParams, run: Run) -> None:
        self.params, self.run = params, run
        self.potential = Potential.of(body, run.device)
        d = body.dimensions
        self.axes = tuple(range(d))
        self.shape = SirenShape(
            d, d, params.width, params.layers, (-1.0,) * d, (1.0,) * d, first_frequency=params.frequency
        )
        self.sampler = Sampler(self.potential.points, self.potential.cells)
        self.rest = torch.eye(d, device=run.device)

    def start(self) -> Tensor:
        flat = self.shape.initialised(self.run.generator, self.run.device)
        weight, bias = self.shape.split(flat)[-1]
        weight.zero_()
        bias.zero_()
        return flat

    def draw(self) -> tuple[Tensor]:
        inside = self.sampler.draw(self.params.samples, self.run.generator)
        points = self.potential.points
        if self.params.vertices < len(points):
            uniform = torch.rand(self.params.vertices, generator=self.run.generator, device=points.device)
            points = points[(uniform * len(points)).long().clamp_(max=len(points) - 1)]
        return (torch.cat([inside, points]),)

    def deformed(self, flat: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """q (N, d) and F (N, d, d)."""
        phi, slopes, _ = jets(self.shape, flat, points, self.axes)
        return points + phi, self.rest + slopes.permute(1, 2, 0)

    def step(self, old: Tensor, older: Tensor | None, time: float) -> SubProblem:
        """``older`` is None in the first step, which starts with the velocity of the body."""
        potential, dt, published = self.potential, self.params.time_step, self.params.contact_form == "published"
        first_velocity, force = potential.velocity, potential.force
        acts = 1.0 if time < potential.body.force_until - 1e-9 else 0.0

        def loss(flat: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
            with torch.no_grad():
                before = points + values(self.shape, old, points)
                velocity = first_velocity
                if older is not None:
                    velocity = (before - points - values(self.shape, older, points)) / dt
            q, F = self.deformed(flat, points)
            main = potential.stored(F) + potential.moving(q, before, velocity, dt)
            main = main - acts * ((q - before) * force).sum(1) + potential.touching(q, before, published)
            return main.mean(), self.holding(flat)

        return SubProblem("deformation", self.draw, loss)

    def holding(self, flat: Tensor) -> Tensor:
        potential = self.potential
        if len(potential.held) == 0:
            return flat.new_zeros(())
        phi = values(self.shape, flat, potential.points[potential.held])
        return potential.body.holding * (phi - potential.held_to).square().sum(1).mean()

    @torch.no_grad()
    def at_vertices(self, nets: Nets) -> tuple[Tensor, Tensor]:
        return self.deformed(nets["network"], self.potential.points)

    def figures(self, nets: Sequence[Nets]) -> dict[str, float]:
        q, F = self.at_vertices(nets[-1])
        dt = self.params.time_step
        before = self.at_vertices(nets[-2])[0] if len(nets) > 1 else q - dt * self.potential.velocity
        return self.potential.figures(q, before, F, self.potential.share, dt)

    def field(self, history: History) -> MeshField:
        states = [self.at_vertices(nets) for nets in history.nets]
        times = self.params.time_step * np.arange(len(states))
        return self.potential.field([q - self.potential.points for q, _ in states], [F for _, F in states], times)


def falling(cells: int, **more: object) -> dict[str, ElasticBody]:
    """A square above a plane, for examples."""
    params = dropped_body.params.parse({"shape": "square", "cells": cells, "gap": 0.2} | more)
    return {"body": dropped_body(params=params, run=Run())}


def within_obstacle() -> dict[str, ElasticBody]:
    """A square that cannot be moved, for examples."""
    body = falling(2)["body"]
    return {"body": body.replace(planes=np.array([[0.0, 0, 0, 0, 1, 0]]))}


SMOKE = {"steps": 3, "width": 12, "layers": 1, "samples": 32, "vertices": 9, "iterations": 15, "learning_rate": 2e-3}


@method(
    key="insr-elastic",
    title="INSR-PDE: elastic body",
    family="pde",
    job="March an elastic body that falls, stretches or bounces, with one small network as its displacement.",
    paper=INSR,
    presets={
        "quick": {"steps": 8, "samples": 300, "vertices": 100, "iterations": 150, "width": 32, "layers": 2},
        "paper": {
            "samples": 8000, "vertices": 1_000_000, "iterations": 20_000, "learning_rate": 1e-4, "patience": 500,
            "frequency": 30.0,
        },
    },
    sample=Example(
        lambda: falling(8), {"steps": 8, "samples": 300, "vertices": 100, "iterations": 150, "width": 32, "layers": 2},
        "A square that falls on a plane",
    ),
    smoke=Example(lambda: falling(2), SMOKE, "A square that falls on a plane"),
    degenerate=(Example(within_obstacle, SMOKE, "The obstacle is within the body"),),
    memory=lambda inputs, params: memory(params.samples + params.vertices, params.width, params.layers, 4),
    lighter=("samples", "vertices", "width"),
    tags=("time-dependent", "neural representation", "SIREN", "elasticity", "contact", "deformation"),
)  # fmt: skip
def insr_elastic(
    body: Annotated[ElasticBody, "its mesh at rest, material, loads and obstacles"],
    params: InsrElasticParams,
    run: Run,
) -> BodyMarched:
    """One set of weights for each time; see the module for what is minimised."""
    check_body(body, run)
    stepping = Stepping(body, params, run)

    def start(fit: Fit) -> Nets:
        return {"network": stepping.start()}

    def advance(step: int, before: Sequence[Nets], fit: Fit) -> Nets:
        older = before[-2]["network"] if len(before) > 1 else None
        old = before[-1]["network"]
        return {"network": fit(old, stepping.step(old, older, (step - 1) * params.time_step))}

    def preview(history: History, nets: Nets) -> dict[str, Artifact]:
        obstacles = obstacle_mesh(body)
        return {"motion": stepping.field(history), **({"obstacles": obstacles} if obstacles else {})}

    rule = StopRule(params.iterations, params.learning_rate, params.patience)
    stepper = TimeStepper(run, params.steps, 1, rule, replace(rule, iterations=0), preview)
    history = stepper.march(start, advance, lambda step, nets: stepping.figures(nets))
    for _ in run.steps(1, "Moving the mesh"):
        field = stepping.field(history)
    return BodyMarched(
        field, obstacle_mesh(body), _trajectory(stepping, history, field.times),
        history.curve(field.times, ENERGIES, "energy", title="Energy over time"),
        history.curve(field.times, SHAPES, "volume, depth", title="Volume and depth over time"),
        effort(history, field.times),
    )  # fmt: skip


def check_body(body: ElasticBody, run: Run) -> None:
    """Refuse a body that starts within an obstacle; warn of one in several parts."""
    potential = Potential.of(body)
    depth = contact.depth(potential.points, potential.obstacles)
    if depth > 1e-6:
        raise UserError(
            f"The body starts {depth * body.length:.3g} deep within an obstacle.",
            "It would be thrown out at once.",
            "Move the obstacle away from the body.",
        )
    if (count := parts(body.cells, len(body.points))) > 1:
        run.warn(f"The body is in {count} parts. One network holds them all, so near parts may stick together.")


def _trajectory(stepping: Stepping, history: History, times: np.ndarray) -> Trajectory:
    """The networks in the lengths of the mesh."""
    body, d = stepping.potential.body, stepping.potential.dimensions
    lower, upper = (body.middle - body.length)[:d], (body.middle + body.length)[:d]
    placed = replace(stepping.shape, lower=tuple(lower.tolist()), upper=tuple(upper.tolist()))
    return Trajectory(
        times=times, form="siren", lower=lower, upper=upper, weights=history.weights("network"),
        config=json.dumps(placed.config() | {"scale": body.length}), components=("x", "y", "z")[:d],
        name=f"{body.name or 'Body'}, networks",
    )  # fmt: skip


__all__ = ["InsrElasticParams", "Stepping", "check_body", "falling", "insr_elastic", "within_obstacle"]
