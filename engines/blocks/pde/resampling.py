"""Learned solutions on grids of any kind: the field at nodes that are chosen afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    space, dtype = len(axes), _precision(solution)
    points = tensor_points(axes)
    if isinstance(solution, Trajectory):
        steps = np.unique(np.abs(solution.times[None] - np.asarray(times)[:, None]).argmin(1))
        times, names, coordinates = solution.times[steps], solution.components, solution.coordinates[:space]
    else:
        names, coordinates = solution.problem.unknowns, solution.problem.space
    frames = []
    for k, time in enumerate(times):
        if isinstance(solution, Trajectory):
            evaluate, whole = evaluator(solution, device, int(steps[k])), points
        else:
            evaluate, whole = evaluator(solution, device), with_time(solution.problem, points, float(time))
        values = _values(evaluate, torch.as_tensor(whole, dtype=dtype, device=device), (k, len(times)), tick)
        frames.append(values.T.reshape(-1, *(len(a) for a in axes)))
    values = np.stack(frames)
    if values.shape[1] != len(names):
        names = tuple(f"value {i + 1}" for i in range(values.shape[1]))
    return SampledField.of(
        values, *axes, times=times, components=names, name=solution.name, vectors=velocity(names, space),
        coordinates=three(coordinates),
    )  # fmt: skip


def _values(
    evaluate: Evaluate, points: torch.Tensor, frame: tuple[int, int], tick: Callable[[float], None]
) -> np.ndarray:
    parts = []
    for part in points.split(CHUNK):
        parts.append(evaluate(part).double().cpu())
        tick((frame[0] + min(1.0, len(parts) * CHUNK / len(points))) / frame[1])
    return torch.cat(parts).numpy()


def _precision(solution: Solution | Trajectory) -> torch.dtype:
    """That of its weights."""
    sizes = [w.dtype.itemsize for w in solution.weights.values() if w.dtype.kind == "f"]
    return torch.float32 if sizes and max(sizes) <= 4 else torch.float64


__all__ = ["box_of", "even_times", "sample"]
