"""Tiny methods for the tests of contract, queue, runners and command line."""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from engines.blocks.apart import apart
from engines.core import Example, Params, Run, UserError, method
from engines.core.params import Param
from engines.data import Mesh, PointCloud, Table


class WalkParams(Params):
    iterations: int = Param(40, ge=1, le=100_000, help="Steps of the walk", source="chosen for the tests")
    length: float = Param(0.1, gt=0, unit="mm", help="Length of a step", source="chosen", log=True)
    pause: float = Param(0.0, ge=0, unit="s", help="Time slept in each step", source="chosen")
    axis: Literal["x", "y", "z"] = Param("x", help="Axis that is walked along", source="chosen")
    levels: tuple[int, ...] = Param((1, 2), ge=1, le=9, help="Levels", source="chosen")
    fail: Literal["", "user", "bug", "exit", "memory", "die", "apart"] = Param(
        "", help="How to fail half way", source="chosen"
    )


@dataclass(frozen=True)
class Walk:
    path: PointCloud
    steps: tuple[Table, ...]
    mesh: Mesh | None


def _cloud(n: int = 5) -> dict[str, PointCloud]:
    return {"points": PointCloud(points=np.arange(n * 3, dtype=float).reshape(n, 3))}


@method(
    key="toy-walk",
    title="Toy walk",
    family="shape",
    job="Walk about at random.",
    presets={"quick": {"iterations": 5}, "paper": {"iterations": 400}},
    sample=Example(_cloud),
    smoke=Example(_cloud, {"iterations": 10}),
    degenerate=(Example(lambda: _cloud(0), title="no points"),),
    tags=("random",),
)
def walk(points: Annotated[PointCloud, "where to start"], params: WalkParams, run: Run) -> Walk:
    """A random walk of all points, with numpy's and torch's numbers."""
    import torch

    if len(points.points) == 0:
        raise UserError("There are no points.", "A walk starts somewhere.", "Add a point.")
    state = run.restored() or {"step": 0, "at": torch.from_numpy(points.points.copy()), "sizes": []}
    at, sizes = state["at"], list(state["sizes"])
    for step in run.steps(params.iterations, "Walking", start=state["step"], share=0.9):
        if step == params.iterations // 2 and params.fail:
            _fail(params.fail)
        noise = torch.randn(at.shape, generator=run.generator, device=run.device, dtype=torch.float64)
        at = at + params.length * (noise.cpu() + float(run.rng.normal()))
        sizes.append(float(at.norm()))
        time.sleep(params.pause)
        run.log(size=sizes[-1], twice=2 * sizes[-1])
        run.preview(lambda at=at: PointCloud(points=at.numpy()))
        run.checkpoint(lambda step=step, at=at: {"step": step + 1, "at": at, "sizes": sizes})
    for _ in run.steps(2, "Finishing"):
        pass
    run.note("walked")
    tables = tuple(Table(columns={"size": np.array(sizes) * level}) for level in params.levels)
    triangle = Mesh(vertices=at.numpy()[:3], faces=np.array([[0, 1, 2]])) if len(at) >= 3 else None
    return Walk(PointCloud(points=at.numpy(), name="Walk"), tables, triangle)


def _fail(how: str) -> None:
    match how:
        case "user":
            raise UserError("The walk stumbled.", "A stone lay there.", "Lift your feet.")
        case "bug":
            raise ZeroDivisionError("a bug of the toy")
        case "exit":
            raise SystemExit(3)
        case "memory":
            raise MemoryError
        case "apart":  # what a library does in a process of its own
            apart(math.sqrt, -1.0)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)


class SpinParams(Params):
    seconds: float = Param(5.0, gt=0, unit="s", help="How long to hold the interpreter")


@method(key="toy-spin", title="Toy spin", family="shape", job="Keep busy without a step.")
def spin(params: SpinParams, run: Run) -> Table:
    """Never looks whether it should stop."""
    run.note("spinning")
    until = time.monotonic() + params.seconds
    while time.monotonic() < until:
        pass
    return Table(columns={"a": np.zeros(1)})


TOYS = {toy.key: toy for toy in (walk, spin)}
