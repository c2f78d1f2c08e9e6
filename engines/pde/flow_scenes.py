"""Flows in a box to start from: named scenes by their stream function, or a velocity on a grid.

With a stream function psi that vanishes at the walls, u = psi_y and v = -psi_x have no divergence and slip along them.

    Taylor-Green   psi = sin X sin Y / pi^2, X = (x + 1) pi, Y = (y + 1) pi       (steady for the Euler equations)
    two scales     such a vortex of size 1 in [-1, 0]^2 and one of size 1/4 in the upper right corner, both faded out
                   over 0.05 at their edges (INSR-PDE, fig. 6)
    vortex pair    two Gaussian vortices that turn the same way and merge
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import sympy
import torch
from torch import Tensor

from engines.blocks.pde.equations import Compiled, compile_problem
from engines.blocks.pde.grid_reading import reader
from engines.core import UserError
from engines.data import Problem, SampledField

Scene = Literal["Taylor-Green", "two scales", "vortex pair"]


def _cell(x: Tensor, y: Tensor, corner: tuple[float, float], size: float, fade: float) -> Tensor:
    inside_x, inside_y = (x - corner[0]) / size, (y - corner[1]) / size
    depth = torch.minimum(torch.minimum(inside_x, 1 - inside_x), torch.minimum(inside_y, 1 - inside_y)) * size
    t = (depth / fade).clamp(0, 1)
    vortex = torch.sin(math.pi * inside_x) * torch.sin(math.pi * inside_y) * (size / math.pi) ** 2
    return vortex * t * t * t * (t * (6 * t - 15) + 10)  # twice differentiable, so that the vorticity is continuous


def stream(scene: Scene, x: Tensor, y: Tensor) -> Tensor:
    if scene == "Taylor-Green":
        return torch.sin((x + 1) * math.pi) * torch.sin((y + 1) * math.pi) / math.pi**2
    if scene == "two scales":
        return _cell(x, y, (-1.0, -1.0), 1.0, 0.05) + _cell(x, y, (0.75, 0.75), 0.25, 0.05)
    near = lambda a: torch.exp(-((x - a) ** 2 + y**2) / (2 * 0.15**2))  # noqa: E731
    return 0.05 * (near(-0.3) + near(0.3)) * (1 - x**2) * (1 - y**2)


@dataclass(frozen=True)
class Flow:
    """``velocity`` takes points (P, 2) and gives (P, 2); ``steady`` says that it is to stay as it is."""

    name: str
    lower: tuple[float, float]
    upper: tuple[float, float]
    velocity: Callable[[Tensor], Tensor]
    steady: bool


EULER = ("{u}_{t} + {u}*{u}_{x} + {v}*{u}_{y} + {p}_{x} = 0", "{v}_{t} + {u}*{v}_{x} + {v}*{v}_{y} + {p}_{y} = 0",
         "{u}_{x} + {v}_{y} = 0")  # fmt: skip


def flow_of_problem(problem: Problem) -> Flow:
    """The flow that a problem begins with: Euler's equations in a box, with the velocity at the start.

    Raises :class:`UserError` where its equations are others, or where the velocity at the start is not given.
    """
    compiled = compile_problem(problem)
    names = dict(zip("xy", problem.space, strict=False)) | {"t": problem.time}
    names |= dict(zip("uvp", problem.unknowns, strict=False))
    fits = len(problem.space) == 2 and len(problem.unknowns) == 3 and bool(problem.time)
    if not fits or not _same_equations(compiled, tuple(text.format(**names) for text in EULER)):
        raise UserError(
            "The equations of the problem are not those of an incompressible fluid without viscosity.",
            "Wanted are u_t + u u_x + v u_y + p_x = 0, the same for v, and u_x + v_y = 0, with unknowns u, v, p in "
            "this order, over two coordinates and time.",
            "Choose such a problem, or INSR-PDE for equations that give each unknown's rate.",
        )
    start = {c.unknown: c.value for c in compiled.conditions if c.is_initial and c.value is not None}
    u, v = (start.get(name) for name in problem.unknowns[:2])
    if u is None or v is None:
        raise UserError(
            "The problem does not say the velocity at its start.", mend="Add conditions for both components at t = 0."
        )
    space = [problem.coordinates.index(name) for name in problem.space]
    when = compiled.time
    assert when is not None

    def velocity(points: Tensor) -> Tensor:
        whole = points.new_full((len(points), 3), float(problem.lower[when]), dtype=torch.float64)
        whole[:, space] = points.double()
        return torch.cat([u(whole), v(whole)], 1).to(points.dtype)

    low, high = (tuple(map(float, ends[space])) for ends in (problem.lower, problem.upper))
    moves = any(e.has(compiled.symbols.names[problem.time]) for e in compiled.exact_expressions.values())
    steady = compiled.has_exact and not moves
    return Flow(problem.name or "Flow", low, high, velocity, steady)  # type: ignore[arg-type]


def _same_equations(compiled: Compiled, wanted: tuple[str, ...]) -> bool:
    """Whether the equations are the wanted ones, in any order and with any factor in front."""
    plain = Problem(
        coordinates=compiled.coordinates, lower=compiled.lower, upper=compiled.upper, time=compiled.problem.time,
        unknowns=compiled.unknowns, equations=wanted,
    )  # fmt: skip
    mine = [sympy.expand(e) for e in compiled.residual.expressions]
    theirs = [sympy.expand(e) for e in compile_problem(plain).residual.expressions]
    return len(mine) == len(theirs) and all(
        any((ratio := sympy.cancel(one / other)).is_number and ratio != 0 for one in mine) for other in theirs
    )


def flow_of(initial: SampledField | None, scene: Scene) -> Flow:
    """The flow of a scene on [-1, 1]^2, or of a field. Raises :class:`UserError` for a field that is no velocity."""
    if initial is None:
        return Flow(scene, (-1.0, -1.0), (1.0, 1.0), lambda points: _curl(scene, points), scene == "Taylor-Green")
    if initial.dimensions != 2 or min(initial.shape) < 4:
        nodes = "×".join(map(str, initial.shape))
        raise UserError(
            f"The initial field has {nodes} nodes.",
            "A flow in two dimensions starts from four nodes or more along each of two axes.",
            "Choose another field.",
        )
    names = next((v[1:] for v in initial.vectors if len(v) == 3), initial.components[:2])
    if len(names) != 2:
        raise UserError(
            f"The initial field has one component, {initial.components[0]}.",
            "A velocity in two dimensions has two.",
            "Choose a field with two components.",
        )
    values = np.stack([initial.component(n) for n in names])
    if not np.isfinite(values).all() or np.abs(values).max() == 0:
        raise UserError(
            "The initial velocity is zero everywhere, or not finite.", mend="Choose a field that moves, without gaps."
        )
    low, high = (float(initial.x[0]), float(initial.y[0])), (float(initial.x[-1]), float(initial.y[-1]))
    return Flow(initial.name or "Flow", low, high, reader(values, initial.axes), False)


def _curl(scene: Scene, points: Tensor) -> Tensor:
    with torch.enable_grad():
        x, y = (c.detach().clone().requires_grad_() for c in points.unbind(1))
        dx, dy = torch.autograd.grad(stream(scene, x, y).sum(), (x, y))
    return torch.stack([dy, -dx], 1)


__all__ = ["Flow", "Scene", "flow_of", "flow_of_problem", "stream"]
