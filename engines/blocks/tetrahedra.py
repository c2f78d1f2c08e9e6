"""Filled meshes, of triangles in the plane or of tetrahedra in space: boxes, boundaries, samples, gradients.

A mesh of dimension d has points (V, d) and cells (E, d + 1). Sampling draws a cell in proportion to its measure, then
barycentric coordinates uniformly: exponential numbers over their sum.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor


def box_mesh(lower: np.ndarray, upper: np.ndarray, cells: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Points (V, d) and simplices (E, d + 1) of a box cut into bricks, each into d! simplices of the same diagonal."""
    d = len(cells)
    axes = [np.linspace(a, b, n + 1) for a, b, n in zip(lower, upper, cells, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, d)
    number = np.arange(len(points)).reshape([n + 1 for n in cells])
    base = number[tuple(slice(n) for n in cells)].reshape(-1)
    strides = np.array(number.strides) // number.itemsize
    found = []
    for order in permutations(range(d)):  # one simplex for each way from the lowest corner to the highest
        path = np.concatenate([[0], np.cumsum(strides[list(order)])])
        swap = np.linalg.det(np.eye(d)[list(order)]) < 0
        path[-2:] = path[-2:][::-1] if swap else path[-2:]
        found.append(base[:, None] + path)
    return points, np.concatenate(found)


def shape_matrices(points: Tensor, cells: Tensor) -> Tensor:
    """(E, d, d) edges of each cell from its first corner, as columns."""
    return (points[cells[:, 1:]] - points[cells[:, :1]]).transpose(1, 2)


def measures(points: Tensor, cells: Tensor) -> Tensor:
    """(E,) signed areas or volumes."""
    d = cells.shape[1] - 1
    return torch.linalg.det(shape_matrices(points, cells)) / (2 if d == 2 else 6)


def lumped(points: Tensor, cells: Tensor) -> Tensor:
    """(V,) each vertex's share of the measure: that of a cell is divided evenly among its corners."""
    shares = measures(points, cells)[:, None].expand(-1, cells.shape[1]) / cells.shape[1]
    return torch.zeros(len(points), dtype=points.dtype, device=points.device).index_add_(
        0, cells.reshape(-1), shares.reshape(-1)
    )


class Sampler:
    """Draws points uniformly by measure."""

    def __init__(self, points: Tensor, cells: Tensor) -> None:
        self.corners = points[cells]
        share = measures(points, cells).abs().double().cumsum(0)
        self.share = (share / share[-1]).to(points.dtype)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, d)."""
        uniform = torch.rand(
            count, 1 + self.corners.shape[1], generator=generator, device=self.share.device, dtype=self.share.dtype
        )
        cell = torch.searchsorted(self.share, uniform[:, 0].contiguous()).clamp_(max=len(self.share) - 1)
        parts = uniform[:, 1:].clamp_(min=1e-12).log_().neg_()
        return torch.einsum("nk,nkd->nd", parts / parts.sum(1, keepdim=True), self.corners[cell])


def boundary(cells: np.ndarray) -> np.ndarray:
    """(F, d) facets that belong to one cell only, turned outwards for cells of positive measure."""
    d = cells.shape[1] - 1
    outward = {2: [(1, 2), (2, 0), (0, 1)], 3: [(1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1)]}[d]
    facets = np.concatenate([cells[:, list(corner)] for corner in outward])
    _, first, count = np.unique(np.sort(facets, 1), axis=0, return_index=True, return_counts=True)
    return facets[np.sort(first[count == 1])]


def parts(cells: np.ndarray, vertices: int) -> int:
    """How many disconnected parts the cells form; vertices of no cell do not count."""
    rows, columns = cells[:, :-1].reshape(-1), cells[:, 1:].reshape(-1)
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(vertices, vertices))
    _, labels = connected_components(graph, directed=False)
    return len(np.unique(labels[np.unique(cells)]))


__all__ = ["Sampler", "boundary", "box_mesh", "lumped", "measures", "parts", "shape_matrices"]
