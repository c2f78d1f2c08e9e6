"""What fields and solutions can be written as besides themselves: solutions on a grid, meshes by their surface."""

from __future__ import annotations

import numpy as np

from engines.blocks.pde.grids import even_axes
from engines.blocks.pde.resampling import box_of, even_times, sample
from engines.blocks.tetrahedra import boundary
from engines.data import Mesh, MeshField, SampledField, Solution, Trajectory
from engines.files.registry import conversion

NODES = {1: 257, 2: 129, 3: 49}
"""Along the longest axis of a solution that is sampled, by its dimensions."""
TIMES = 51


@conversion(Solution, SampledField)
def solution_on_grid(solution: Solution) -> SampledField:
    """The fields of a solution on an even grid over its whole domain: 257, 129² or 49³ nodes, at 51 times."""
    return _on_grid(solution)


@conversion(Trajectory, SampledField)
def trajectory_on_grid(trajectory: Trajectory) -> SampledField:
    """The field at each of its times, on an even grid between its corners."""
    return _on_grid(trajectory)


def _on_grid(solution: Solution | Trajectory) -> SampledField:
    return sample(solution, *grid_of(solution))


def grid_of(solution: Solution | Trajectory) -> tuple[list[np.ndarray], np.ndarray]:
    """Nodes along each axis in space, and the times, at which a solution is written.

    Raises :class:`UserError` where no field on a grid holds it.
    """
    lower, upper = box_of(solution)
    times = solution.times if isinstance(solution, Trajectory) else even_times(solution, TIMES)
    return even_axes(lower, upper, NODES[len(lower)]), times


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
