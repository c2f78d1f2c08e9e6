"""The field of a learned solution on a grid that is chosen afterwards: finer, smaller or at other times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from engines.blocks.pde.grids import even_axes
from engines.blocks.pde.resampling import box_of, even_times, sample
from engines.blocks.pde.residual_field import residual_field
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import Problem, SampledField, Solution, Trajectory


class SampleSolutionParams(Params):
    nodes: int = Param(201, ge=2, le=4_096, log=True, help="Along the longest side of the region", source="own choice")
    times: int = Param(51, ge=1, le=10_000, help="How many, evenly spaced", source="own choice")
    lower: tuple[float, ...] = Param((), help="Lowest corner of the region in space", empty="the whole domain",
                                     source="own choice")  # fmt: skip
    upper: tuple[float, ...] = Param((), help="Highest corner of the region in space", empty="the whole domain",
                                     source="own choice")  # fmt: skip
    first_time: float | None = Param(None, help="Where time begins", empty="at the start", source="own choice")
    last_time: float | None = Param(None, help="Where time ends", empty="at the end", source="own choice")
    residual: bool = Param(False, help="Also what the equations leave over: their left minus their right side",
                           source="own choice")  # fmt: skip


@dataclass(frozen=True)
class SampledSolution:
    field: Annotated[SampledField, "the unknowns on the grid"]
    residual: Annotated[SampledField | None, "left minus right side of each equation there, where it was asked for"]


FIELD_SHARE = 0.1
"""Of the time, where the residual is sampled too: its derivatives take the rest."""


def travelling_front() -> Solution:
    """u = tanh(3 x - 2 t + 1) on [-1, 1] and for t in [0, 1], as a network of one unit."""
    problem = Problem(
        coordinates=("x", "t"), time="t", lower=[-1, 0], upper=[1, 1], equations=("u_t + 2/3*u_x = 0",),
        exact={"u": "tanh(3*x - 2*t + 1)"}, name="Travelling front",
    )  # type: ignore[arg-type]  # fmt: skip
    config = {"lower": [-1.0, 0.0], "upper": [1.0, 1.0], "outputs": 1, "width": 1, "depth": 1}
    # inside the network time goes from -1 to 1 as well
    weights = {
        "weight.0": np.array([[3.0, -1.0]]), "bias.0": np.zeros(1), "weight.1": np.ones((1, 1)), "bias.1": np.zeros(1),
    }  # fmt: skip
    return Solution(problem=problem, form="mlp", weights=weights, config=json.dumps(config), name="Front")


def standing_wave() -> Trajectory:
    """The front as it is at two times."""
    front = travelling_front()
    weights = {name: np.stack([w, w]) for name, w in front.weights.items()}
    weights["weight.0"] = weights["weight.0"][:, :, :1]
    config = front.configuration | {"lower": [-1.0], "upper": [1.0]}
    return Trajectory(times=[0, 1], form="mlp", lower=[-1], upper=[1], weights=weights, config=json.dumps(config))  # type: ignore[arg-type]


def _bytes(inputs: Mapping[str, Artifact], params: SampleSolutionParams) -> int:
    solution = inputs.get("solution") or inputs.get("trajectory")
    if not isinstance(solution, (Solution, Trajectory)):
        return 0
    lower, upper = _region(solution, params)
    nodes = int(np.prod([len(a) for a in even_axes(lower, upper, params.nodes)]))
    names = solution.components if isinstance(solution, Trajectory) else solution.problem.unknowns
    return nodes * (params.times * len(names) * (6 if params.residual else 3) * 8 + 8 * len(lower))


@method(
    key="sample-solution", title="Sample a solution", family="pde", role="preparation",
    job="Get the field of a learned solution on any grid, at any times.",
    presets={"quick": {"nodes": 65, "times": 11}, "fine": {"nodes": 801, "times": 201}},
    sample=Example(inputs=lambda: {"solution": travelling_front()}),
    smoke=Example(inputs=lambda: {"solution": travelling_front()}, params={"nodes": 11, "times": 3, "residual": True}),
    degenerate=(
        Example(title="No solution"),
        Example(inputs=lambda: {"solution": travelling_front()}, params={"lower": (0.0, 0.0), "upper": (1.0,)},
                title="Corners of different kinds"),
        Example(inputs=lambda: {"trajectory": standing_wave()}, params={"residual": True},
                title="The residual of a trajectory"),
    ),
    memory=_bytes, lighter=("nodes", "times"), tags=("evaluate", "resample", "grid"),
)  # fmt: skip
def sample_solution(
    solution: Annotated[Solution | None, "over the whole domain, time included"],
    trajectory: Annotated[Trajectory | None, "one set of weights for each time; known at these times"],
    params: SampleSolutionParams,
    run: Run,
) -> SampledSolution:
    """The region may reach beyond the domain: what is learned there is a guess, and the run says so."""
    given = solution if solution is not None else trajectory
    if given is None:
        raise UserError("There is no solution to sample.", mend="Choose a solution or a trajectory.")
    if params.residual and not isinstance(given, Solution):
        raise UserError(
            "A trajectory has no residual.",
            "It is known at its own times alone, so it has no derivative in time.",
            "Choose a solution over the whole domain, or sample the field alone.",
        )
    lower, upper = _region(given, params)
    times = even_times(given, params.times)
    if params.first_time is not None or params.last_time is not None:
        first = times[0] if params.first_time is None else params.first_time
        last = times[-1] if params.last_time is None else params.last_time
        if first > last:
            raise UserError(f"Time ends at {last:g}, before it begins at {first:g}.", mend="Exchange the two.")
        times = np.linspace(first, last, params.times) if last > first else np.array([first])
    box = box_of(given)
    if (lower < box[0] - 1e-9).any() or (upper > box[1] + 1e-9).any():
        run.warn("The region reaches beyond the domain; there the solution is a guess.")
    steps = iter(run.steps(1000, "Sampling"))
    state = {"at": next(steps)}

    def tick(part: float) -> None:
        while state["at"] < min(999, int(1000 * part)):
            state["at"] = next(steps)

    axes = even_axes(lower, upper, params.nodes)
    share = FIELD_SHARE if params.residual else 1.0
    field = sample(given, axes, times, run.device, lambda part: tick(share * part))
    left_over = None
    if params.residual and isinstance(given, Solution):
        left_over = residual_field(given, axes, times, run.device, lambda part: tick(share + (1 - share) * part))
    for _ in steps:
        pass
    names = [f"{given.name}, {what}" if given.name else what.capitalize() for what in ("sampled", "residual")]
    return SampledSolution(
        field.replace(name=names[0]), None if left_over is None else left_over.replace(name=names[1])
    )


def _region(solution: Solution | Trajectory, params: SampleSolutionParams) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = box_of(solution)
    low = np.array(params.lower) if params.lower else lower
    high = np.array(params.upper) if params.upper else upper
    if low.shape != lower.shape or high.shape != lower.shape or (low >= high).any():
        raise UserError(
            f"The region from ({', '.join(f'{v:g}' for v in low)}) to ({', '.join(f'{v:g}' for v in high)}) is empty "
            "or of another dimension.",
            f"The solution has {len(lower)} coordinates in space.",
            "Give each corner one number for each of them, the lower ones below the upper ones.",
        )
    return low, high
