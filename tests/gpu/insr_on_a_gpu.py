"""INSR-PDE on a GPU, in figures: an iteration three ways, 240 steps of advection, 100 of a flow, a large elastic body.

    python tests/gpu/insr_on_a_gpu.py [spot.mesh] [--part iteration|advection|flow|body] [--seconds 150] [--device cuda]

Needs torch, numpy, scipy and pydantic. Each part ends by itself when its seconds are over and prints how far it came.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engines.blocks.adam import Adam
from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.evolution import Evolution
from engines.blocks.pde.fitting import OnDevice, StopRule, SubProblem
from engines.blocks.pde.siren import SirenShape
from engines.blocks.tetrahedra import box_mesh
from engines.core import Cancelled, Control, Logged, Noted, Run
from engines.data import MeshField
from engines.pde.elastic_bodies import mesh_body
from engines.pde.grid_transport import grid_transport
from engines.pde.insr import advection, insr
from engines.pde.insr_elastic import insr_elastic
from engines.pde.insr_flow import insr_flow


class Clock:
    """Prints the figures of each step, and stops the run when its time is over."""

    def __init__(self, seconds: float, marker: str) -> None:
        self.began, self.seconds, self.marker, self.control = time.perf_counter(), seconds, marker, Control()
        self.rows: list[dict[str, float]] = []

    def emit(self, event: object) -> None:
        took = time.perf_counter() - self.began
        if isinstance(event, Noted):
            print(f"  {event.level}: {event.text}", flush=True)
        if isinstance(event, Logged) and self.marker in event.values:
            self.rows.append(dict(event.values) | {"iterations": event.step, "seconds": took})
            count = len(self.rows) - 1
            if count < 3 or count % 5 == 0:
                print(f"  step {count}, {took:.1f} s: {shown(self.rows[-1])}", flush=True)
        if took > self.seconds:
            self.control.cancel()

    def wants_preview(self) -> bool:
        return False


def shown(row: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "seconds")


def iteration(device: str) -> None:
    """Seconds of one iteration of advection: 5000 points, 901 parameters."""
    run = Run(device=device)
    evolution = Evolution(compile_problem(advection()), True)
    shape = SirenShape(1, 1, 20, 2, (-2.0,), (2.0,))
    evolution.place(shape, run.device, run.generator)
    old = shape.initialised(run.generator, device)
    problem = SubProblem(
        "advection", lambda: (evolution.draw(5000), *evolution.draw_faces(50)), evolution.step_loss(old, 0.0, 0.05, 1.0)
    )
    state = OnDevice(old, problem, StopRule(10**9, 1e-4))
    replay = state.recorded(run.generator) if device == "cuda" else None
    layers = [torch.nn.Linear(m, n).to(device) for n, m in shape.matrices]
    frozen = [torch.nn.Linear(m, n).to(device) for n, m in shape.matrices]
    adam = torch.optim.Adam([p for layer in layers for p in layer.parameters()], lr=1e-4)

    def net(stack: list[torch.nn.Linear], x: torch.Tensor) -> torch.Tensor:
        for layer in stack[:-1]:
            x = torch.sin(30 * layer(x))
        return stack[-1](x)

    def published() -> None:
        x = (torch.rand(5000, 1, device=device) * 4 - 2).requires_grad_()
        u, v = net(layers, x), net(frozen, x)
        dx = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
        vx = torch.autograd.grad(v.sum(), x)[0]
        ends = torch.tensor([[-2.0], [2.0]], device=device)
        loss = ((u - v.detach()) / 0.05 + 0.125 * (dx + vx)).square().mean() + net(layers, ends).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        loss.item()

    flat = old.clone().requires_grad_()
    plain = Adam(flat)

    def eager() -> None:
        main, rest = problem.loss(flat, *problem.draw())
        plain.step(torch.autograd.grad(main + rest, flat)[0], 1e-4)
        main.item()

    found = {"published way": timed(published, device), "closed forms, eager": timed(eager, device)}
    if replay is not None:
        found["closed forms, CUDA graph"] = timed(replay, device, 500)
    for name, seconds in found.items():
        print(f"  {name}: {1e3 * seconds:.3f} ms, {found['published way'] / seconds:.2f} times the speed", flush=True)


def timed(function, device: str, times: int = 100) -> float:
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(5):
        function()
    wait()
    began = time.perf_counter()
    for _ in range(times):
        function()
    wait()
    return (time.perf_counter() - began) / times


def carry(device: str, seconds: float) -> None:
    """The paper's 240 steps, against grids with as many unknowns and with fewer."""
    clock = Clock(seconds, "mean error")
    params = insr.params.parse({
        "steps": 240, "samples": 5000, "first_iterations": 15_000, "iterations": 2500, "learning_rate": 1e-4,
        "patience": 250, "first_patience": 1000, "boundary_weight": 1.0,
    })  # fmt: skip
    run = Run(seed=0, device=device, control=clock.control, listener=clock)
    try:
        insr(advection(), None, params=params, run=run)
    except Cancelled:
        print("  time is over")
    if not clock.rows:
        return
    last, steps = clock.rows[-1], max(1, len(clock.rows) - 1)
    print(f"  {len(clock.rows) - 1} steps in {last['seconds']:.1f} s, 901 numbers each: {shown(last)}", flush=True)
    for scheme in ("upwind", "Lax-Wendroff", "semi-Lagrangian", "WENO5"):
        for unknowns in (901, 200, 100, 50):
            settings = grid_transport.params.parse({"scheme": scheme, "unknowns": unknowns, "steps": steps})
            curves = grid_transport(advection(), params=settings, run=Run()).accuracy.series
            row = {name: float(values[-1]) for name, values in curves.items()}
            print(f"  {scheme}, {unknowns} unknowns: {shown(row)}", flush=True)


def flow(device: str, seconds: float) -> None:
    clock = Clock(seconds, "kinetic energy")
    params = insr_flow.params.parse({
        "steps": 100, "samples": 128**2, "first_iterations": 6000, "iterations": 1200, "patience": 150,
    })  # fmt: skip
    try:
        insr_flow(None, None, params=params, run=Run(seed=0, device=device, control=clock.control, listener=clock))
    except Cancelled:
        print("  time is over")
    if len(clock.rows) < 2:
        return
    first, last = clock.rows[0], clock.rows[-1]
    lower = sum(r["divergence"] < r["divergence before projection"] for r in clock.rows[1:])
    print(
        f"  {len(clock.rows) - 1} steps in {last['seconds']:.1f} s: energy drifts by "
        f"{100 * (last['kinetic energy'] / first['kinetic energy'] - 1):+.2f} %, mean error {last['mean error']:.2e}, "
        f"divergence {last['divergence']:.4f}, lower after projection in {lower} steps",
        flush=True,
    )


def read_medit(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) and tetrahedra (E, 4) of a text file."""
    words, found, at = Path(path).read_text().split(), {}, 0
    widths = {"Vertices": 4, "Triangles": 4, "Tetrahedra": 5}
    while at < len(words):
        if words[at] in widths:
            count, width = int(words[at + 1]), widths[words[at]]
            found[words[at]] = np.array(words[at + 2 : at + 2 + count * width], float).reshape(count, width)
            at += 1 + count * width
        at += 1
    return found["Vertices"][:, :3], found["Tetrahedra"][:, :4].astype(int) - 1


def body(device: str, seconds: float, path: str | None) -> None:
    points, cells = read_medit(path) if path else box_mesh(-np.ones(3), np.ones(3), (14, 14, 14))
    mesh = MeshField(points=points, cells=cells, values=np.zeros((1, 1, len(points))), times=[0.0], name="Body")
    settings = mesh_body.params.parse({"force_until": 0.0, "velocity": (0.0, 0.0, -4.0)})
    clock = Clock(seconds, "total energy")
    run = Run(seed=0, device=device, control=clock.control, listener=clock)
    made = mesh_body(mesh, params=settings, run=run)
    print(f"  {made.summary()}, half of its largest extent {made.length:.4f}")
    params = insr_elastic.params.parse(
        {"steps": 20, "samples": 8000, "vertices": 5000, "iterations": 3000, "patience": 100}
    )
    try:
        insr_elastic(made, params=params, run=run)
    except Cancelled:
        print("  time is over")
    if len(clock.rows) < 2:
        return
    energies = np.array([r["total energy"] for r in clock.rows])
    touched = next((k for k, r in enumerate(clock.rows) if r["contact energy"] > 1e-3 * energies[0]), len(energies))
    gain = np.diff(energies[touched:]).max(initial=0.0) / energies[0]
    deep = max(r["depth in obstacles"] for r in clock.rows)
    print(
        f"  {len(clock.rows) - 1} steps in {clock.rows[-1]['seconds']:.1f} s: touches in step {touched}, largest gain "
        f"of energy after that {gain:.1e}, deepest {deep:.4f}, volume {clock.rows[-1]['volume']:.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mesh", nargs="?")
    parser.add_argument("--part", choices=["iteration", "advection", "flow", "body"])
    parser.add_argument("--seconds", type=float, default=150.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    print(torch.cuda.get_device_name() if given.device == "cuda" else f"CPU, {torch.get_num_threads()} threads")
    parts = {
        "iteration": lambda: iteration(given.device),
        "advection": lambda: carry(given.device, given.seconds),
        "flow": lambda: flow(given.device, given.seconds),
        "body": lambda: body(given.device, given.seconds, given.mesh),
    }
    for name, part in parts.items():
        if given.part in (None, name):
            print(f"{name}:", flush=True)
            part()


if __name__ == "__main__":
    main()
