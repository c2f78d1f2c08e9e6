"""GP-HM on a GPU: waves on a square at 100 x 100 nodes; the aim is a relative error of 1e-2 (sheet 15, acceptance 6).

    python -m tests.benchmarks.gp_hm_gpu [seconds]

For a bare machine: torch, numpy, scipy, sympy and what engines.core takes (pydantic, h5py). The number of steps is what
fits into the seconds (120). Prints time per step, the error over the steps, and the result beside finite differences.
"""

from __future__ import annotations

import math
import sys
import time

import torch

from engines.core import Logged, Noted, Run
from engines.data import Problem
from engines.pde.gp_hm import gp_hm
from engines.pde.reference_differences import finite_difference_solution


class Told:
    """Prints every twentieth report."""

    def __init__(self, every: int) -> None:
        self.every, self.heard = every, 0

    def emit(self, event: object) -> None:
        if isinstance(event, Noted):
            print(event.text)
        if isinstance(event, Logged):
            self.heard += 1
            if self.heard % self.every == 1:
                figures = ", ".join(f"{name} {value:.3g}" for name, value in event.values.items())
                print(f"  step {event.step}, {event.seconds:.1f} s: {figures}", flush=True)

    def wants_preview(self) -> bool:
        return False


def waves() -> Problem:
    return Problem(
        name="waves on a square", coordinates=("x", "y"), lower=[0.0, 0.0], upper=[math.pi, math.pi],
        equations=("u_xx + u_yy = f",), definitions={"f": "manufactured"},
        exact={"u": "sin(6*x)*cos(20*x) + sin(6*y)*cos(20*y)"}, conditions=("u = exact on boundary",),
    )  # type: ignore[arg-type]  # fmt: skip


def solve(steps: int, device: str, every: int, **changes: object) -> tuple[dict, float]:
    params = gp_hm.params.parse({"nodes": (100,), "steps": steps, "highest_frequency": 10.0, **changes})
    began = time.perf_counter()
    outputs = gp_hm.run({"problem": waves()}, params, Run(device=device, listener=Told(every)))
    return outputs, time.perf_counter() - began


def main() -> None:
    budget = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(f"device: {torch.cuda.get_device_name() if device == 'cuda' else 'CPU'}, torch {torch.__version__}")
    began = time.perf_counter()
    solve(2, device, 10**9)  # compiles and warms up
    _, few = solve(6, device, 10**9)
    each = few / 6
    left = 0.8 * budget - (time.perf_counter() - began)
    steps = max(20, min(1500, int(left / each)))
    print(f"about {1e3 * each:.0f} ms a step at first: {steps} steps")
    outputs, seconds = solve(steps, device, max(1, steps // 20))
    scores = dict(zip(*(c.tolist() for c in outputs["scores"].columns.values()), strict=True))
    for name, value in scores.items():
        print(f"{name}: {value:.6g}")
    error = scores["Relative L2 error"]
    verdict = "met" if error <= 1e-2 else "missed"
    print(f"{steps} steps in {seconds:.1f} s ({1e3 * seconds / steps:.0f} ms each); aim 1e-2: {verdict}")
    joint, taken = solve(200, device, 10**9, unknown="optimised", learning_rate=0.01, decay=1.0, jitter=1e-6)
    apart = joint["scores"].columns["Value"][0]
    print(f"the paper's way: {1e3 * taken / 200:.1f} ms a step; error after 200 steps {apart:.3g}")
    plain = finite_difference_solution.run({"problem": waves()}, finite_difference_solution.params(nodes=(100,)), Run())
    print(f"finite differences at the same nodes: {plain['scores'].columns['Relative L2 error'][0]:.3g}")


if __name__ == "__main__":
    main()
