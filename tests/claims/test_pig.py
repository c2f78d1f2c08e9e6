"""PIG's claims (sheet 56, acceptance 3 and 4), against a tanh network and against Gaussians that stay where they are.

Helmholtz (4, 1): 4 channels of 100 Gaussians (2,097 parameters), first width 0.2, 1600 Sobol points drawn anew every
200 iterations of L-BFGS, 100 points on each edge, weight 1e-4 of the residual. Everyone has the same points, weights,
optimiser and time of one core. Errors are those at the end of that time, on 101 x 101 nodes.
"""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest

from engines.core import Cancelled, Control, Run, catalog
from engines.data import Problem

pytestmark = [pytest.mark.claim, pytest.mark.timeout(7200)]

SEEDS = (0, 1, 2)
EACH_SEED = pytest.mark.parametrize("seed", SEEDS, ids=[f"seed{s}" for s in SEEDS])
HELMHOLTZ = "Helmholtz (4, 1), 1600 points"
CORE_SECONDS = 90.0
FIRST = "Helmholtz to 2e-2 within 90 core seconds, 5 times nearer than a tanh network"
SAME = {
    "interior": 1600, "face": 100, "sampling": "Sobol", "redraw_every": 200, "residual_weight": 1e-4,
    "optimiser": "L-BFGS", "steps": 1_000_000,
}  # fmt: skip
PIG = {"gaussians": 100, "channels": 4, "width": 16, "sigma": 0.2}
TANH = {"width": 25, "depth": 4}  # 2,051 parameters


def made(key: str, **changes) -> Problem:
    source = catalog().get(key)
    return next(iter(source.run({}, source.params.parse(changes), Run()).values()))


class Clock:
    """Notes errors with the core seconds at which they were told, and stops the run when its time is over."""

    def __init__(self, limit: float) -> None:
        self.limit, self.control = limit, Control()
        self.began = time.process_time()
        self.errors: list[tuple[float, float, float]] = []
        self.evaluations = 0.0

    def emit(self, event) -> None:
        values = getattr(event, "values", {})
        spent = time.process_time() - self.began
        self.evaluations = values.get("Evaluations", self.evaluations)
        if "Relative L2 error" in values:
            self.errors.append((spent, self.evaluations, values["Relative L2 error"]))
        if spent >= self.limit:
            self.control.cancel()

    def wants_preview(self) -> bool:
        return False


def timed(key: str, problem: Problem, seed: int, limit: float = CORE_SECONDS, **changes) -> dict[str, float]:
    """The error when the time is over, with what it took; errors are watched every 20 steps."""
    method, clock = catalog().get(key), Clock(limit)
    # Errors are told a hundred times in a run, so its length says how often; the clock ends it.
    run = Run(seed=seed, listener=clock, control=clock.control, checkpoint_seconds=1e9)
    steps = {"steps": 1000} if limit <= CORE_SECONDS else {}
    with contextlib.suppress(Cancelled):
        method.run({"problem": problem}, method.params.parse({**SAME, **steps, **changes}), run)
    last = clock.errors[-1]
    reached = next((t for t, _, e in clock.errors if e <= 2e-2), float("inf"))
    return {
        "relative L2": last[2], "core seconds": last[0], "evaluations": last[1],
        "core seconds to 2e-2": reached if np.isfinite(reached) else -1.0,
    }  # fmt: skip


@EACH_SEED
def test_it_solves_helmholtz_in_time_and_better_than_a_network_of_tanh(claim, seed):
    row = claim("pig", FIRST, HELMHOLTZ, seed)
    problem = made("helmholtz")
    ours = row.measure(lambda: timed("pig", problem, seed, **PIG))
    # As much time as ours took, for it may have ended before the limit.
    theirs = row.measure(lambda: timed("pinn", problem, seed, ours["core seconds"], **TANH, steps=6000), "tanh network")
    row.conclude(
        ours["relative L2"] <= 2e-2 and 5 * ours["relative L2"] <= theirs["relative L2"],
        f"relative L2 {ours['relative L2']:.2e} after {ours['core seconds']:.0f} s of one core, "
        f"{theirs['relative L2']:.2e} by the tanh network",
    )


@EACH_SEED
def test_gaussians_that_move_are_better_than_fixed_ones(claim, seed):
    row = claim("pig", "Gaussians that move come nearer than fixed ones", HELMHOLTZ, seed)
    first = claim("pig", FIRST, HELMHOLTZ, seed)
    problem = made("helmholtz")
    ours = first.measure(lambda: timed("pig", problem, seed, **PIG))
    row.measure(lambda: ours, derived=True)
    fixed = row.measure(
        lambda: timed("pig", problem, seed, ours["core seconds"], **PIG, moving=False, steps=4000), "fixed centres"
    )
    row.conclude(
        ours["relative L2"] < fixed["relative L2"],
        f"relative L2 {ours['relative L2']:.2e}, with fixed centres {fixed['relative L2']:.2e}",
    )


@EACH_SEED
def test_the_small_network_helps(claim, seed):
    row = claim("pig", "With the small network it comes nearer than without", HELMHOLTZ, seed)
    first = claim("pig", FIRST, HELMHOLTZ, seed)
    problem = made("helmholtz")
    ours = first.measure(lambda: timed("pig", problem, seed, **PIG))
    row.measure(lambda: ours, derived=True)
    plain = row.measure(
        lambda: timed("pig", problem, seed, ours["core seconds"], **(PIG | {"width": 0}), steps=4000), "no network"
    )
    row.conclude(
        ours["relative L2"] < plain["relative L2"],
        f"relative L2 {ours['relative L2']:.2e}, without the network {plain['relative L2']:.2e}",
    )


def spread(seed: int, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances of centres to the bump, |w|, and sigmas after some steps on a bump of width 0.05."""
    method = catalog().get("pig")
    problem = made("poisson", width=0.05, centre=(0.3, -0.2))
    params = {**PIG, "interior": 4096, "face": 100, "steps": steps, "redraw_every": 200}
    cloud = method.run({"problem": problem}, method.params.parse(params), Run(seed=seed))["gaussians"]
    apart = np.linalg.norm(cloud.means - np.array([0.3, -0.2]), axis=-1)
    assert (cloud.spacings() > 1e-6).all(), "centres have fallen together"
    return apart, np.abs(cloud.weights), cloud.sigmas


@EACH_SEED
def test_the_gaussians_go_where_the_solution_is_hard(claim, seed):
    row = claim("pig", "Weighted by |w| the centres come nearer to a narrow bump", "Poisson, bump of 0.05", seed)

    def figures() -> dict[str, float]:
        found = {}
        for name, steps in (("start", 1), ("end", 400)):
            apart, weights, sigmas = spread(seed, steps)
            found[f"distance, {name}"] = float((apart * weights).sum() / weights.sum())
            found[f"smallest sigma, {name}"] = float(sigmas.min())
        return found

    found = row.measure(figures)
    row.conclude(
        found["distance, end"] < found["distance, start"] and found["smallest sigma, end"] > 1e-3,
        f"mean distance {found['distance, start']:.3f} at the start, {found['distance, end']:.3f} at the end; "
        f"smallest width {found['smallest sigma, end']:.4f}",
    )
