"""What fields and solutions can be written as besides themselves: solutions on a grid, meshes by their surface."""

from __future__ import annotations

import numpy as np
import torch

from engines.blocks.tetrahedra import boundary
from engines.core import UserError
from engines.data import Mesh, MeshField, SampledField, Solution, Trajectory
from engines.files.registry import conversion

NODES = {1: 257, 2: 129, 3: 49}
"""Along the longest axis of a solution that is sampled, by its dimensions."""
TIMES = 51
CHUNK = 1 << 14


@conversion(Solution, SampledField)
def solution_on_grid(solution: Solution) -> SampledField:
    """The fields of a solution on an even grid over its whole domain: 257, 129² or 49³ nodes, at 51 times."""
    from engines.blocks.pde.equations import compile_problem  # formulas load SymPy
    from engines.blocks.pde.forms import evaluator
    from engines.blocks.pde.sampled_solution import grid, sampled

    compiled = compile_problem(solution.problem)
    dimensions = len(solution.problem.space)
    if dimensions not in NODES:
        raise UserError(
            f"The solution has {dimensions} coordinates in space.",
            "Fields on grids have one to three.",
            "Write it as .npz.",
        )
    axes = grid(compiled, NODES[dimensions], TIMES)
    like = torch.zeros((), dtype=_dtype(solution))
    return sampled(evaluator(solution), compiled, axes, like, solution.name)


@conversion(Trajectory, SampledField)
def trajectory_on_grid(trajectory: Trajectory) -> SampledField:
    """The field at each of its times, on an even grid between its corners."""
    from engines.blocks.pde.forms import evaluator, in_chunks

    dimensions = len(trajectory.lower)
    if dimensions not in NODES:
        raise UserError(f"The trajectory has {dimensions} coordinates in space.", mend="Write it as .npz.")
    lengths = trajectory.upper - trajectory.lower
    counts = np.maximum(2, np.rint((NODES[dimensions] - 1) * lengths / lengths.max()).astype(int) + 1)
    ends = zip(trajectory.lower, trajectory.upper, counts.tolist(), strict=True)
    axes = [np.linspace(low, high, count) for low, high, count in ends]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, dimensions)
    places = torch.as_tensor(points, dtype=_dtype(trajectory))
    frames = []
    for step in range(len(trajectory.times)):
        values = torch.cat(list(in_chunks(evaluator(trajectory, step=step), places, CHUNK)))
        frames.append(values.double().numpy().T.reshape(-1, *counts))
    names = trajectory.components
    whole = np.stack(frames)
    if whole.shape[1] != len(names):
        names = tuple(f"value {i + 1}" for i in range(whole.shape[1]))
    coordinates = (*trajectory.coordinates[:dimensions], *("x", "y", "z")[dimensions:])
    return SampledField.of(
        whole, *axes, times=trajectory.times, components=names, coordinates=coordinates, name=trajectory.name
    )


def _dtype(solution: Solution | Trajectory) -> torch.dtype:
    """The precision of its weights."""
    floats = [w.dtype for w in solution.weights.values() if w.dtype.kind == "f"]
    return torch.float32 if floats and max(d.itemsize for d in floats) <= 4 else torch.float64


@conversion(MeshField, Mesh)
def surface_of(field: MeshField) -> Mesh:
    """The triangles, or the outside of the tetrahedra, where they are at the last time, with the values there."""
    faces = boundary(field.cells) if field.cells.shape[1] == 4 else field.cells
    values = field.values[-1].astype(np.float32)
    scalars = {name: np.nan_to_num(v) for name, v in zip(field.components, values, strict=True)}
    used = np.unique(faces)
    return Mesh(
        name=field.name,
        vertices=field.positions(-1)[used],
        faces=np.searchsorted(used, faces),
        scalars={name: v[used] for name, v in scalars.items()},
        unit=field.length_unit,
    )
