"""Incompressible flow in a box on a grid, to compare with: stable fluids (Stam 1999) with projection by cosines.

Values stand at the middles of N x N cells. With walls that let nothing through, u is a series of sines along x and
cosines along y, and v the other way round. Each step

    advection     u* (x) = u_n(x - dt u_n(x)), read between cells by cubic splines or linearly
    projection    in the series: u_hat - k (k . u_hat) / |k|^2, which leaves no divergence at all

The unknowns of a frame are 2 N^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from scipy.fft import dctn, dstn, idctn, idstn
from scipy.ndimage import map_coordinates

from engines.blocks.pde.grids import tensor_points
from engines.core import Example, Param, Params, Run, method
from engines.data import Curve, SampledField
from engines.pde.flow_scenes import Scene, flow_of


class GridFlowParams(Params):
    scene: Scene = Param("Taylor-Green", help="Flow to start from, where no field is given", source="as INSR-PDE")
    time_step: float = Param(0.05, gt=0, le=1e6, help="Time step", source="as INSR-PDE")
    steps: int = Param(20, ge=1, le=100_000, help="Time steps", source="as INSR-PDE")
    cells: int = Param(64, ge=8, le=4096, log=True, help="Cells along each axis", source="own choice")
    reading: Literal["cubic", "linear"] = Param(
        "cubic", help="How values are read between cells; linear is the original, and smears", source="own choice"
    )


@dataclass(frozen=True)
class GridFlowed:
    flow: Annotated[SampledField, "velocity and vorticity at all times, at the middles of the cells"]
    error: Annotated[SampledField | None, "distance from the exact velocity, for a steady flow"]
    figures: Annotated[Curve, "kinetic energy, and error where the flow is steady, over time"]


class Box:
    """Transforms of velocities (2, N, N) at the middles of cells; ``side`` are the lengths of the box."""

    def __init__(self, cells: int, side: tuple[float, float]) -> None:
        n = np.arange(cells)
        self.sine = [np.pi * (n + 1) / s for s in side]  # wave numbers of the sines along each axis
        self.cosine = [np.pi * n / s for s in side]
        self.cells = cells

    def transform(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients: [k, l] belongs to sin(k+1) cos(l) for u, and to cos(k) sin(l+1) for v."""
        first = dctn(dstn(u[0], 2, axes=[0], norm="ortho"), 2, axes=[1], norm="ortho")
        second = dstn(dctn(u[1], 2, axes=[0], norm="ortho"), 2, axes=[1], norm="ortho")
        return first, second

    def back(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        u = idstn(idctn(first, 2, axes=[1], norm="ortho"), 2, axes=[0], norm="ortho")
        v = idctn(idstn(second, 2, axes=[1], norm="ortho"), 2, axes=[0], norm="ortho")
        return np.stack([u, v])

    def project(self, u: np.ndarray) -> np.ndarray:
        """The nearest velocity without divergence."""
        first, second = (c.copy() for c in self.transform(u))
        # cos(k) cos(l) with k, l >= 1 comes from both; the last sine of each axis and l or k = 0 from one alone
        kx, ky = self.sine[0][:-1, None], self.sine[1][None, :-1]
        a, b = first[:-1, 1:], second[1:, :-1]
        across = (kx * a + ky * b) / (kx**2 + ky**2)
        first[:-1, 1:], second[1:, :-1] = a - kx * across, b - ky * across
        first[:, 0], second[0, :] = 0.0, 0.0
        first[-1, :], second[:, -1] = 0.0, 0.0
        return self.back(first, second)

    def vorticity(self, u: np.ndarray) -> np.ndarray:
        """v_x - u_y (N, N), from the series."""
        first, second = self.transform(u)
        v_x = np.zeros_like(second)
        v_x[:-1] = -self.cosine[0][1:, None] * second[1:]
        u_y = np.zeros_like(first)
        u_y[:, :-1] = -self.cosine[1][None, 1:] * first[:, 1:]
        both = lambda c: idstn(idstn(c, 2, axes=[0], norm="ortho"), 2, axes=[1], norm="ortho")  # noqa: E731
        return both(v_x) - both(u_y)


def carried(u: np.ndarray, dt: float, spacing: np.ndarray, order: int) -> np.ndarray:
    """(2, N, N) u(x - dt u(x)); beyond the walls the field is continued as its series is: odd and even."""
    nodes = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in u.shape[1:]), indexing="ij"))
    foot = nodes - dt * u / spacing[:, None, None]
    limits = np.array(u.shape[1:])[:, None, None] - 0.5
    foot = np.clip(foot, -0.5, limits)
    pad = 6
    found = []
    for k in range(2):
        wide = np.pad(u[k], pad, mode="symmetric")
        lines = [slice(None)] * 2
        for end in (slice(0, pad), slice(-pad, None)):  # the normal component changes its sign behind a wall
            lines[k] = end
            wide[tuple(lines)] *= -1
        found.append(map_coordinates(wide, foot + pad, order=order, mode="nearest"))
    return np.stack(found)


def _line() -> dict[str, SampledField]:
    return {"initial": SampledField.of(np.ones((2, 9)), np.linspace(0, 1, 9), components=("u", "v"))}


@method(
    key="grid-flow",
    title="Flow on a grid",
    family="pde",
    job="March an incompressible flow in a box on a grid, by stable fluids.",
    role="baseline",
    presets={"quick": {"cells": 32}, "as published": {"reading": "linear"}},
    sample=Example(lambda: {}, title="Taylor-Green vortices"),
    smoke=Example(lambda: {}, {"cells": 16, "steps": 3}, "Taylor-Green vortices"),
    degenerate=(Example(_line, title="A field on a line"),),
    memory=lambda inputs, params: int(1e8) + 8 * params.cells**2 * (40 + 3 * params.steps),
    lighter=("cells",),
    tags=("Euler equations", "incompressible flow", "stable fluids", "semi-Lagrangian", "vortex"),
)
def grid_flow(
    initial: Annotated[SampledField | None, "velocity to start from; its box is the domain"],
    params: GridFlowParams,
    run: Run,
) -> GridFlowed:
    """See the module."""
    flow = flow_of(initial, params.scene)
    side = (flow.upper[0] - flow.lower[0], flow.upper[1] - flow.lower[1])
    box, spacing = Box(params.cells, side), np.array(side) / params.cells
    axes = [low + h * (np.arange(params.cells) + 0.5) for low, h in zip(flow.lower, spacing, strict=True)]
    points = torch.from_numpy(tensor_points(axes))
    first = flow.velocity(points).T.double().numpy().reshape(2, params.cells, params.cells)
    u = box.project(first)
    kept, energies, errors = [u], [], []

    def note(u: np.ndarray) -> None:
        energies.append(float((u**2).sum(0).mean() / 2))
        errors.append(float(np.linalg.norm(u - first, axis=0).mean()))

    def field() -> SampledField:
        frames = np.stack([np.concatenate([v, box.vorticity(v)[None]]) for v in kept])
        return SampledField.of(
            frames, *axes, times=params.time_step * np.arange(len(kept)), components=("u", "v", "vorticity"),
            vectors=(("velocity", "u", "v"),), name=f"{flow.name}, on a grid",
        )  # fmt: skip

    note(u)
    for _ in run.steps(params.steps, "Carrying and projecting"):
        u = box.project(carried(u, params.time_step, spacing, 3 if params.reading == "cubic" else 1))
        kept.append(u)
        note(u)
        run.preview(field)
    made = field()
    series = {"kinetic energy": np.array(energies)} | ({"mean error": np.array(errors)} if flow.steady else {})
    apart = np.stack([np.linalg.norm(v - first, axis=0)[None] for v in kept])
    wrong = SampledField.of(apart, *axes, times=made.times, components=("error",), name=f"{made.name}, error")
    curve = Curve(x=made.times, series=series, x_label="time", y_label="figures", y_log=True, name="Figures over time")
    return GridFlowed(made, wrong if flow.steady else None, curve)


__all__ = ["Box", "GridFlowParams", "carried", "grid_flow"]
