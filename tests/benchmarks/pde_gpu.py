"""Solvers of equations on a GPU, each for so many seconds, where nothing but torch, numpy, scipy and sympy is at hand.

python -m tests.benchmarks.pde_gpu pig-helmholtz:150 pig-mixing:150 gp-hm-plane:100 insr-advection:40 insr-flow:100
    insr-spot:150

Each prints its errors as they fall, and what it ended with. ``FIELDWRIGHT_SPOT`` names an archive of arrays ``points``
and ``tetrahedra``: the body that insr-spot drops. Figures of the sheets: PIG on Helmholtz 1e-4 (paper 4.1e-5), flow
mixing 1e-3; GP-HM on sums of waves 1e-2; INSR-PDE 100 steps of the vortices and 20 of the body.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time

import numpy as np
import torch

from engines.core import Artifact, Cancelled, Control, Logged, Noted, Run, catalog

PLANE = {"solution": "sums of waves", "length": math.pi}
CASES = {
    "pig-helmholtz": ("pig", ("helmholtz", {}), "paper", {}),
    "pig-helmholtz-32": ("pig", ("helmholtz", {}), "paper", {"single": True}),
    "pig-helmholtz-own": (
        "pig",
        ("helmholtz", {}),
        "large",
        {"gaussians": 800, "redraw_every": 1000, "steps": 40_000, "interior": 10_000, "face": 1000},
    ),
    "pig-mixing": ("pig", ("flow-mixing", {}), "paper, in time", {}),
    "pig-mixing-own": (
        "pig",
        ("flow-mixing", {}),
        "large",
        {
            "gaussians": 1000,
            "sigma": 0.15,
            "redraw_every": 500,
            "steps": 40_000,
            "interior": 12_000,
            "face": 1000,
            "residual_weight": 1.0,
        },
    ),
    "gp-hm-plane": ("gp-hm", ("rapid-plane", PLANE), None, {"nodes": "100,100"}),
    "insr-advection": ("insr", ("advection", {}), "paper", {}),
    "insr-flow": ("insr-flow", None, "paper", {"iterations": 400, "patience": 100, "first_iterations": 4000}),
    "insr-spot": ("insr-elastic", ("spot", {}), "paper", {"iterations": 400, "patience": 100}),
}


class Ear:
    """Prints what is logged, every few seconds, and ends the run when its time is over."""

    def __init__(self, limit: float) -> None:
        self.limit, self.control, self.began = limit, Control(), time.monotonic()
        self.said, self.last = -1e9, ""
        self.errors: dict[str, tuple[float, float]] = {}

    def emit(self, event) -> None:
        spent = time.monotonic() - self.began
        if isinstance(event, Noted):
            print(f"    {spent:6.1f} s  {event.level}: {event.text}", flush=True)
        if isinstance(event, Logged):
            for name, value in event.values.items():
                if "error" in name.lower():
                    self.errors[name] = (value, min(value, self.errors.get(name, (math.inf, math.inf))[1]))
            values = ", ".join(f"{k} {v:.4g}" for k, v in event.values.items())
            self.last = f"step {event.step}: {values}"
            if spent - self.said > self.limit / 8:
                self.said = spent
                print(f"    {spent:6.1f} s  {self.last}", flush=True)
        if spent > self.limit:
            self.control.cancel()

    def wants_preview(self) -> bool:
        return False


def inputs_of(source: tuple[str, dict] | None) -> dict[str, Artifact]:
    if source is None:
        return {}
    key, params = source
    if key == "spot":
        return {"body": spot()}
    method = catalog().get(key)
    made = next(iter(method.run({}, method.params.parse(params), Run()).values()))
    return {"problem": made}


def spot() -> Artifact:
    from engines.data import MeshField

    held = np.load(os.environ["FIELDWRIGHT_SPOT"])
    points = held["points"].astype(float)
    mesh = MeshField(points=points, cells=held["tetrahedra"], values=np.zeros((1, 1, len(points))), times=[0.0])
    method = catalog().get("mesh-body")
    return next(iter(method.run({"mesh": mesh}, method.params(), Run()).values()))


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(torch.cuda.get_device_name() if device == "cuda" else "CPU", torch.__version__, flush=True)
    for wanted in sys.argv[1:]:
        name, _, limit = wanted.partition(":")
        key, source, preset, changes = CASES[name]
        method = catalog().get(key)
        params = method.params.parse(changes, method.preset(preset))
        ear = Ear(float(limit or 60))
        print(f"{name}: {key} on {device}, {limit} s", flush=True)
        outputs: dict[str, Artifact] = {}
        with contextlib.suppress(Cancelled):
            outputs = method.run(
                inputs_of(source), params, Run(seed=0, device=device, control=ear.control, listener=ear)
            )
        spent = time.monotonic() - ear.began
        peak = torch.cuda.max_memory_allocated() / 1e9 if device == "cuda" else 0.0
        print(f"  {name}: {spent:.1f} s, {'finished' if outputs else 'stopped'}, {peak:.2f} GB; {ear.last}", flush=True)
        for error, (end, best) in ear.errors.items():
            print(f"    {error}: {end:.4g} at the end, {best:.4g} at best", flush=True)
        for part, artifact in outputs.items():
            columns = getattr(artifact, "columns", None)
            print(f"    {part}: {columns if columns else artifact.summary()}", flush=True)
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


if __name__ == "__main__":
    main()
