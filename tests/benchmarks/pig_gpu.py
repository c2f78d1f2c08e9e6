"""PIG on a GPU with its papers' settings: ``python -m tests.benchmarks.pig_gpu --help``.

Each line that is printed is a JSON object. Nothing but torch, NumPy, SciPy, SymPy and pydantic is needed. Every problem
trains for its budget of seconds, evaluations apart from compiling; errors are those at the end, and the best seen.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import torch

from engines.blocks.pde.equations import compile_problem
from engines.blocks.pde.residual_loss import LossSettings, ResidualLoss
from engines.blocks.pde.training import Schedule, Trainer
from engines.core import Run, catalog
from engines.data import Problem
from engines.pde.pig_network import PigShape, start

SETTINGS: dict[str, dict[str, Any]] = {
    "helmholtz": {
        "gaussians": 800, "sigma": 0.1, "optimiser": "L-BFGS", "steps": 40_020, "interior": 10_000, "face": 10_000,
        "sampling": "uniform", "redraw_every": 200, "residual_weight": 1e-4,
    },
    "flow-mixing": {
        "gaussians": 4000, "sigma": 0.1, "optimiser": "Adam", "steps": 100_000, "interior": 27_000, "face": 900,
        "sampling": "grid", "redraw_every": 100, "residual_weight": 10.0,
    },
    "flow-mixing, L-BFGS": {
        "gaussians": 1000, "sigma": 0.2, "optimiser": "L-BFGS", "steps": 40_020, "interior": 32_768, "face": 2048,
        "sampling": "Sobol", "redraw_every": 200, "residual_weight": 1.0,
    },
    "klein-gordon": {
        "gaussians": 100, "sigma": 0.5, "optimiser": "Adam", "steps": 100_000, "interior": 4096, "face": 256,
        "sampling": "grid", "redraw_every": 100, "residual_weight": 1.0,
    },
}  # fmt: skip
"""Of the paper (app. C), but for points of Helmholtz, which stay for ten of its outer steps of 20 iterations, and for
flow mixing by L-BFGS, whose settings are ours."""
TARGETS = {"helmholtz": 1e-4, "flow-mixing": 1e-3, "flow-mixing, L-BFGS": 1e-3, "klein-gordon": 5e-3}


def tell(what: str, **figures: Any) -> None:
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what, **rounded}), flush=True)


def made(key: str) -> Problem:
    source = catalog().get(key.split(",")[0])
    return next(iter(source.run({}, source.params(), Run()).values()))


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def one_evaluation(key: str, device: str, single: bool) -> None:
    """Seconds of one loss with its gradient, and the memory it takes."""
    given, compiled, run = SETTINGS[key], compile_problem(made(key)), Run(device=device)
    dtype = torch.float32 if single else torch.float64
    lower, upper = tuple(compiled.lower.tolist()), tuple(compiled.upper.tolist())
    network, flat = start(PigShape(lower, upper, 1, 4, given["gaussians"], 16), run, given["sigma"], dtype, [])
    loss = ResidualLoss(
        compiled, network, run, LossSettings(given["interior"], given["face"], given["sampling"], 0, 1.0)
    )
    loss.redraw(0, flat)
    trainer = Trainer(run, flat, loss, Schedule("Adam", 1, 1e-3))
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(8):
        wait(device)
        began = time.perf_counter()
        trainer.evaluate()
        wait(device)
        times.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() / 1e6 if device.startswith("cuda") else 0.0
    tell(
        "evaluation", problem=key, bits=32 if single else 64, ms=1e3 * sorted(times)[len(times) // 2], peak_MB=peak,
        exponentials=4 * given["gaussians"] * (given["interior"] + sum(len(p) for f in loss.on_faces for p in f)),
    )  # fmt: skip


class Watch:
    """Remembers the errors that the run tells."""

    def __init__(self) -> None:
        self.errors: list[tuple[int, float, float]] = []
        self.often = 0.0

    def emit(self, event: Any) -> None:
        values = getattr(event, "values", {})
        if "Relative L2 error" in values:
            self.errors.append((event.step, event.seconds, values["Relative L2 error"]))
            if event.seconds - self.often > 15:
                self.often = event.seconds
                tell("so far", step=event.step, seconds=event.seconds, error=values["Relative L2 error"])
        if getattr(event, "text", ""):
            tell("told", text=event.text)

    def wants_preview(self) -> bool:
        return False


def training(key: str, device: str, seconds: float, seed: int, changes: dict[str, str]) -> None:
    method, watch = catalog().get("pig"), Watch()
    params = method.params.parse({**SETTINGS[key], "seconds": seconds, "nodes": 33, "times": 5, **changes})
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
    began = time.perf_counter()
    run = Run(seed=seed, device=device, listener=watch, checkpoint_seconds=1e9)
    outputs = method.run({"problem": made(key)}, params, run)
    row = {name: float(column[0]) for name, column in outputs["scores"].columns.items()}
    tell(
        "training", problem=key, seed=seed, device=device, seconds=time.perf_counter() - began, target=TARGETS[key],
        reached=row["Relative L2 error, final"] <= TARGETS[key], **row,
        peak_MB=torch.cuda.max_memory_allocated() / 1e6 if device.startswith("cuda") else 0.0,
        errors=[[s, round(t, 1), float(f"{e:.3g}")] for s, t, e in watch.errors[:: max(1, len(watch.errors) // 12)]],
    )  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("problems", nargs="*", help=f"of {', '.join(SETTINGS)}; by default all but the last")
    options.add_argument("--seconds", type=float, default=200.0, help="budget of each training")
    options.add_argument("--seed", type=int, default=100)
    options.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PIG")
    options.add_argument("--no-evaluations", action="store_true", help="do not time single evaluations")
    given = options.parse_args()
    problems = given.problems or list(SETTINGS)[:-1]
    if unknown := set(problems) - set(SETTINGS):
        options.error(f"unknown: {', '.join(sorted(unknown))}")
    on_gpu = given.device.startswith("cuda")
    tell(
        "machine", gpu=torch.cuda.get_device_name(0) if on_gpu else None, torch=torch.__version__,
        cuda=torch.version.cuda, cores=os.cpu_count(),
    )  # fmt: skip
    changes = dict(pair.split("=", 1) for pair in given.set)
    for key in problems:
        if not given.no_evaluations:
            one_evaluation(key, given.device, False)
            if on_gpu:
                one_evaluation(key, given.device, True)
        training(key, given.device, given.seconds, given.seed, changes)


if __name__ == "__main__":
    main()
