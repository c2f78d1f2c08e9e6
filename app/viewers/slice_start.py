"""Where the slice view cuts at first: as the input was cut, in the middle."""

from __future__ import annotations

import numpy as np

from app.viewers import sections
from engines.data import GridField, Slices, Volume

PLANES = 3
"""The fourth way to cut, beside the three axes: along the planes of the input slices."""


def start(grid: Volume | GridField, slices: Slices | None) -> tuple[int, int | None]:
    """The axis (0, 1, 2, or :data:`PLANES`) and the index along it; None: the fullest section.

    Planes stacked along an axis of the grid give that axis, at the plane nearest to the middle of the stack; other
    planes are followed themselves.
    """
    if slices is None or not slices.plane_count:
        return 2, None
    drawn = np.unique(slices.vertex_planes) if len(slices.vertices) else np.arange(slices.plane_count)
    normal = slices.normals[drawn[0]]
    if np.abs(slices.normals[drawn] @ normal).min() < 1 - 1e-4:
        return PLANES, None
    places = slices.offsets[drawn] * np.sign(slices.normals[drawn] @ normal)
    middle = int(drawn[np.abs(places - (places.min() + places.max()) / 2).argmin()])
    affine = sections.affine_of(grid)
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    axis = int(np.abs(directions.T @ normal).argmax())
    # A slanting section would leave the plane within the picture.
    if abs(float(directions[:, axis] @ normal)) < 1 - 1e-4:
        return PLANES, middle
    point = slices.normals[middle] * slices.offsets[middle]
    index = np.linalg.solve(affine[:3, :3], point - affine[:3, 3])[axis]
    return axis, int(np.clip(round(float(index)), 0, grid.values.shape[axis] - 1))
