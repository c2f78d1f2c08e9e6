"""Finite elements for elastic bodies with contact, to compare with: the same potential, with vertices as unknowns.

q is linear in each cell, so F = D_s D_m^{-1} from the edges of a cell now (D_s) and at rest (D_m). Each step of
variational implicit Euler minimises, over the places q of all vertices,

    sum_e w_e ( c_arap arap(F_e) + c_vol (det F_e - 1)^2 )
    + sum_v w_v ( c_kin |(q - q_n)/dt - v_n|^2 - f . (q - q_n) + contact(q) )

with the shares w of cells and vertices in the volume, by L-BFGS. Held vertices are where they are held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from engines.blocks.pde.moving_bodies import Potential, obstacle_mesh
from engines.blocks.tetrahedra import measures, shape_matrices
from engines.core import Example, Param, Params, Run, method
from engines.data import Curve, ElasticBody, Mesh, MeshField
from engines.pde.insr_elastic import ENERGIES, SHAPES, check_body, falling, within_obstacle


class FemElasticParams(Params):
    time_step: float = Param(0.1, gt=0, le=1e6, help="Time step", source="as INSR-PDE")
    steps: int = Param(20, ge=1, le=100_000, help="Time steps", source="as INSR-PDE")
    iterations: int = Param(500, ge=1, le=100_000, help="Most iterations of L-BFGS in a step", source="own choice")


@dataclass(frozen=True)
class BodyMoved:
    motion: Annotated[MeshField, "the moving mesh, its stretch and change of volume"]
    obstacles: Annotated[Mesh | None, "what it runs into"]
    energy: Annotated[Curve, "energies over time"]
    shape: Annotated[Curve, "volume, and depth in obstacles, over time"]


class Elements:
    """The potential over vertices, in float64; ``free`` are those that are not held."""

    def __init__(self, body: ElasticBody) -> None:
        self.potential = Potential.of(body, dtype=torch.float64)
        points, cells = self.potential.points, self.potential.cells
        self.inverse = torch.linalg.inv(shape_matrices(points, cells))
        sizes = measures(points, cells)
        self.weights = sizes / sizes.sum()
        free = torch.ones(len(points), dtype=torch.bool)
        free[self.potential.held] = False
        self.free = free

    def gradients(self, q: Tensor) -> Tensor:
        """(E, d, d) F of each cell."""
        return shape_matrices(q, self.potential.cells) @ self.inverse

    def value(self, q: Tensor, before: Tensor, velocity: Tensor, dt: float, time: float) -> Tensor:
        potential = self.potential
        at_vertices = potential.moving(q, before, velocity, dt) + potential.pulled(q, before, time)
        at_vertices = at_vertices + potential.touching(q, before, False)
        return (self.weights * potential.stored(self.gradients(q))).sum() + (potential.share * at_vertices).sum()

    def step(self, before: Tensor, velocity: Tensor, dt: float, time: float, iterations: int, run: Run) -> Tensor:
        """(V, d) the next places."""
        start = before + dt * velocity
        start[self.potential.held] = self.potential.points[self.potential.held] + self.potential.held_to
        free, shape = self.free, start[self.free].shape

        def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
            run.check()
            inner = torch.tensor(x.reshape(shape), requires_grad=True)
            q = start.clone()
            q[free] = inner
            value = self.value(q, before, velocity, dt, time)
            (slope,) = torch.autograd.grad(value, inner)
            return float(value.detach()), slope.numpy().reshape(-1)

        found = minimize(
            objective, start[free].numpy().reshape(-1), jac=True, method="L-BFGS-B",
            options={"maxiter": iterations, "maxcor": 20, "ftol": 1e-10, "gtol": 1e-6},
        )  # fmt: skip
        q = start.clone()
        q[free] = torch.tensor(found.x.reshape(shape))
        return q

    def at_vertices(self, q: Tensor) -> Tensor:
        """(V, d, d) F at the vertices: the mean over their cells, by volume."""
        cells = self.potential.cells
        each = (self.weights[:, None, None] * self.gradients(q))[:, None].expand(-1, cells.shape[1], -1, -1)
        total = torch.zeros(len(q), *each.shape[2:], dtype=q.dtype).index_add_(
            0, cells.reshape(-1), each.reshape(-1, *each.shape[2:])
        )
        share = self.weights[:, None].expand(-1, cells.shape[1]).reshape(-1)
        return total / torch.zeros(len(q), dtype=q.dtype).index_add_(0, cells.reshape(-1), share)[:, None, None]


@method(
    key="fem-elastic",
    title="Finite elements: elastic body",
    family="pde",
    job="March an elastic body that falls, stretches or bounces, with the vertices of its mesh as unknowns.",
    role="baseline",
    presets={"quick": {"steps": 8}},
    sample=Example(lambda: falling(8), {"steps": 8}, "A square that falls on a plane"),
    smoke=Example(lambda: falling(2), {"steps": 3}, "A square that falls on a plane"),
    degenerate=(Example(within_obstacle, title="The obstacle is within the body"),),
    memory=lambda inputs, params: int(1e8) + 2000 * inputs["body"].cells.shape[0],
    tags=("elasticity", "contact", "finite elements", "deformation"),
)
def fem_elastic(
    body: Annotated[ElasticBody, "its mesh at rest, material, loads and obstacles"], params: FemElasticParams, run: Run
) -> BodyMoved:
    """See the module."""
    check_body(body, run)
    elements, dt = Elements(body), params.time_step
    saved = run.restored()
    places: list[Tensor] = list(saved["places"]) if saved else [elements.potential.points.clone()]
    rows: list[dict[str, float]] = list(saved["rows"]) if saved else []
    speed = elements.potential.velocity

    def note(before: Tensor) -> None:
        q = places[-1]
        row = elements.potential.figures(q, before, elements.gradients(q), elements.weights, dt)
        rows.append(row)
        run.log(**row)

    def field() -> MeshField:
        moved = [q - elements.potential.points for q in places]
        gradients = [elements.at_vertices(q) for q in places]
        return elements.potential.field(moved, gradients, dt * np.arange(len(places)))

    if not rows:
        note(places[0] - dt * speed)
    for step in run.steps(params.steps, "Minimising the potential", start=len(places) - 1):
        before = places[-1]
        velocity = (before - places[-2]) / dt if len(places) > 1 else speed.expand_as(before)
        places.append(elements.step(before, velocity, dt, step * dt, params.iterations, run))
        note(before)
        run.preview(field)
        run.checkpoint(lambda: {"places": list(places), "rows": [dict(r) for r in rows]})
    motion = field()
    curve = lambda names, label, title: Curve(  # noqa: E731
        x=motion.times,
        series={k: np.array([r[k] for r in rows]) for k in names},
        x_label="time",
        y_label=label,
        name=title,
    )
    return BodyMoved(
        motion, obstacle_mesh(body), curve(ENERGIES, "energy", "Energy over time"),
        curve(SHAPES, "volume, depth", "Volume and depth over time"),
    )  # fmt: skip


__all__ = ["Elements", "FemElasticParams", "fem_elastic"]
