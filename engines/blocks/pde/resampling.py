"""Learned solutions on grids of any kind: the field at nodes that are chosen afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from engines.blocks.pde.forms import Evaluate, evaluator
from engines.blocks.pde.grids import tensor_points, three, velocity, with_time
from engines.core import UserError
from engines.data import SampledField, Solution, Trajectory

CHUNK = 1 << 14
MOST_DIMENSIONS = 3


def box_of(solution: Solution | Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """(2 of (D,)) corners of the domain in space.

    Raises :class:`UserError` where it has none, or more than three dimensions: no field on a grid holds it.
    """
    if isinstance(solution, Trajectory):
        lower, upper = solution.lower, solution.upper
    else:
        places = [solution.problem.coordinates.index(name) for name in solution.problem.space]
        lower, upper = solution.problem.lower[places], solution.problem.upper[places]
    if not 1 <= len(lower) <= MOST_DIMENSIONS:
        raise UserError(
            f"The solution has {len(lower)} coordinates in space.",
            "Fields on grids have one to three.",
            "Export its weights instead.",
        )
    return lower, upper


def even_times(solution: Solution | Trajectory, count: int) -> np.ndarray:
    """Times over all that a solution covers; of a trajectory, ``count`` or fewer of its own."""
    if isinstance(solution, Trajectory):
        return solution.times[np.unique(np.rint(np.linspace(0, len(solution.times) - 1, count)).astype(int))]
    problem = solution.problem
    if not problem.time:
        return np.zeros(1)
    axis = problem.coordinates.index(problem.time)
    return np.linspace(problem.lower[axis], problem.upper[axis], max(2, count))


def sample(
    solution: Solution | Trajectory,
    axes: Sequence[np.ndarray],
    times: np.ndarray,
    device: torch.device | str = "cpu",
    tick: Callable[[float], None] = lambda part: None,
) -> SampledField:
    """The field at the nodes of ``axes`` and at ``times``; ``tick`` is told the part that is done, and may raise.

    A trajectory is known at its own times alone: the nearest of them are taken, each once.
    """
    points = tensor_points(axes)
    if isinstance(solution, Trajectory):
        steps = np.unique(np.abs(solution.times[None] - np.asarray(times)[:, None]).argmin(1))
        times, names = solution.times[steps], solution.components
        frames = ((evaluator(solution, device, int(step)), points) for step in steps)
    else:
        evaluate, names = evaluator(solution, device), solution.problem.unknowns
        frames = ((evaluate, with_time(solution.problem, points, float(time))) for time in times)
    field = of_frames(solution, axes, times, frames, device, tick)
    if len(field.components) == len(names):
        field = field.replace(components=names)
    return field.replace(vectors=velocity(field.components, len(axes)))


def of_frames(
    solution: Solution | Trajectory, axes: Sequence[np.ndarray], times: np.ndarray,
    frames: Iterable[tuple[Evaluate, np.ndarray]], device: torch.device | str, tick: Callable[[float], None],
    chunk: int = CHUNK,
) -> SampledField:  # fmt: skip
    """Values of each frame at its points, as a field whose components have numbers for names."""
    dtype, problem, found = _precision(solution), solution.problem, []
    for k, (evaluate, points) in enumerate(frames):
        whole, parts = torch.as_tensor(points, dtype=dtype, device=device), []
        for part in whole.split(chunk):
            parts.append(evaluate(part).double().cpu())
            tick((k + min(1.0, len(parts) * chunk / len(points))) / len(times))
        found.append(torch.cat(parts).numpy().T.reshape(-1, *(len(a) for a in axes)))
    values = np.stack(found)
    return SampledField.of(
        values, *axes, times=times, components=tuple(f"value {i + 1}" for i in range(values.shape[1])),
        coordinates=three(solution.coordinates[: len(axes)] if isinstance(solution, Trajectory) else problem.space),
        time_name=(problem.time if problem is not None else "") or "t", name=solution.name,
    )  # fmt: skip


def _precision(solution: Solution | Trajectory) -> torch.dtype:
    """That of its weights."""
    sizes = [w.dtype.itemsize for w in solution.weights.values() if w.dtype.kind == "f"]
    return torch.float32 if sizes and max(sizes) <= 4 else torch.float64


__all__ = ["box_of", "even_times", "of_frames", "sample"]
