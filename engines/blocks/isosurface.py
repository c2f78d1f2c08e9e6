"""A closed triangle mesh from values on a grid."""

from __future__ import annotations

import numpy as np
from skimage.measure import marching_cubes

from engines.core import UserError
from engines.data import GridField, Mesh


def grid_over(
    low: np.ndarray, high: np.ndarray, resolution: int, margin: int = 2
) -> tuple[np.ndarray, float, np.ndarray]:
    """(origin, spacing, shape) of cubic cells over a box, ``resolution`` along its longest side, ``margin`` around."""
    size = np.asarray(high, float) - low
    spacing = float(size.max()) / max(1, resolution - 2 * margin)
    shape = np.ceil(size / spacing - 1e-9).astype(int) + 1 + 2 * margin
    return (np.asarray(low) + high) / 2 - (shape - 1) * spacing / 2, spacing, shape


def closed_surface(field: GridField, level: float = 0.0, *, name: str = "", unit: str = "") -> Mesh:
    """The surface where the field crosses ``level``, faces turned towards larger values.

    Nodes on the boundary of the grid count as outside, so that the mesh is closed. Raises UserError when the
    field does not cross the level.
    """
    values = np.array(field.values, dtype=np.float64) - level
    scale = 1e-6 * max(float(np.abs(values).max()), 1e-30)
    # A node exactly on the level would make triangles without area.
    values[np.abs(values) < scale] = scale
    for axis in range(3):
        for end in (0, -1):
            face = np.moveaxis(values, axis, 0)[end]
            np.copyto(face, np.maximum(face, scale))
    if values.min() >= 0:
        raise UserError(
            "There is no surface at this resolution.",
            "The field has one sign at all nodes of the grid.",
            "Choose a finer grid, or check that the contours enclose something.",
        )
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=tuple(field.spacing), allow_degenerate=False)
    corners = vertices[faces].astype(float)
    enclosed = (np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum()
    if enclosed < 0:
        faces = faces[:, ::-1]
    return Mesh(vertices=vertices.astype(float) + field.origin, faces=faces, name=name, unit=unit)
