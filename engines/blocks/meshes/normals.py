"""Normals at the vertices of a mesh, differentiable: sums of the normals of the triangles around, by their areas."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array
from torch import Tensor

from engines.blocks.meshes.linear_maps import LinearMap


class VertexNormals:
    """For one set of triangles (F, 3) on so many vertices; adds in the same order each time, on every device."""

    def __init__(self, faces: np.ndarray, vertex_count: int) -> None:
        faces = np.asarray(faces, np.int64)
        count = len(faces)
        rows = np.arange(2 * count)
        places = (np.tile(rows, 2), np.concatenate([faces[:, 0], faces[:, 0], faces[:, 1], faces[:, 2]]))
        signs = np.repeat([-1.0, 1.0], 2 * count)
        self.sides = LinearMap(coo_array((signs, places), shape=(2 * count, vertex_count)))
        """(2 F, V): from the first corner to the second for each triangle, then to the third."""
        around = (faces.ravel(), np.repeat(np.arange(count), 3))
        self.sums = LinearMap(coo_array((np.ones(3 * count), around), shape=(vertex_count, count)))
        """(V, F): sums over the triangles around each vertex."""

    def __call__(self, vertices: Tensor) -> Tensor:
        """(..., V, 3) unit normals of vertices (..., V, 3); 0 where there is no triangle, or none with an area."""
        first, second = self.sides(vertices).chunk(2, dim=-2)
        return torch.nn.functional.normalize(self.sums(torch.linalg.cross(first, second)), dim=-1, eps=1e-30)
