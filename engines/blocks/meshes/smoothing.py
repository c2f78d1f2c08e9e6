"""What keeps the vertices of a mesh in order while it is learned.

    roughness    l_v = |mean of the neighbours of v - x_v| / N        (uniform Laplacian, N vertices)
    smoothness   sum_v w_v l_v
    growth       mean over the edges of clip(|e|^2 - |e_0|^2, 0, 1)

The weights w_v are any that a caller likes. XHand (Gan et al. 2024) smooths by parts: w_v = 1 where l_v exceeds its own
lower quantile and 0 elsewhere, or the other way round, so that detail is left where there is no noise.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_array
from torch import Tensor

from engines.blocks.mesh_topology import edges_of
from engines.blocks.meshes.linear_maps import LinearMap


def uniform_laplacian(faces: np.ndarray, vertex_count: int) -> LinearMap:
    """(V, V): the mean of the neighbours of each vertex less itself; 0 for a vertex without any."""
    ends = edges_of(faces)
    here, there = np.concatenate([ends, ends[:, ::-1]]).T
    n = np.bincount(here, minlength=vertex_count)
    numbers = np.arange(vertex_count)
    values = np.concatenate([1 / n[here], -(n > 0).astype(float)])
    places = (np.concatenate([here, numbers]), np.concatenate([there, numbers]))
    return LinearMap(coo_array((values, places), shape=(vertex_count, vertex_count)))


def roughness(laplacian: LinearMap, values: Tensor) -> Tensor:
    """(..., V) l_v of places, displacements, colours or weights (..., V, C). Where it is 0, so is its derivative."""
    return torch.linalg.vector_norm(laplacian(values), dim=-1) / values.shape[-2]


def above_quantile(roughness: Tensor, quantile: float = 0.25) -> Tensor:
    """(..., V) bool: greater than the quantile along the vertices.

    It is the one that interpolates linearly (as ``torch.quantile``): of V different values, floor((1 - quantile) V) are
    above the lower quarter or half. Values that are equal to it are not.
    """
    return _beside(roughness, quantile, np.floor, torch.gt)


def below_quantile(roughness: Tensor, quantile: float = 0.25) -> Tensor:
    """(..., V) bool: less than the quantile of :func:`above_quantile`."""
    return _beside(roughness, quantile, np.ceil, torch.lt)


def smoothness(roughness: Tensor, weights: Tensor) -> Tensor:
    """(...) sum of l_v (..., V) times weights (V,) or (..., V); these may be bool."""
    return (roughness * weights).sum(-1)


class EdgeGrowth:
    """How much longer edges have become than at rest; lengths are squared, in the unit of the vertices."""

    def __init__(self, faces: np.ndarray, rest: np.ndarray) -> None:
        ends, rest = edges_of(faces), np.asarray(rest, np.float64)
        count = len(ends)
        rows, signs = np.tile(np.arange(count), 2), np.repeat([-1.0, 1.0], count)
        self.differences = LinearMap(coo_array((signs, (rows, ends.T.ravel())), shape=(count, len(rest))))
        self.rest = torch.from_numpy(((rest[ends[:, 1]] - rest[ends[:, 0]]) ** 2).sum(1))
        """(E,) float64 squared lengths of the rest vertices (V, 3)."""

    def __call__(self, vertices: Tensor) -> Tensor:
        """(...) mean of clip(|e|^2 - |e_0|^2, 0, 1) for vertices (..., V, 3)."""
        self.rest = self.rest.to(vertices.device)
        squares = (self.differences(vertices) ** 2).sum(-1)
        return (squares - self.rest.to(vertices.dtype)).clamp(0, 1).mean(-1)


def _beside(values: Tensor, quantile: float, rounded: np.ufunc, compare: object) -> Tensor:
    # Of sorted values, just those beyond an interpolated quantile are beyond its neighbour on that side as well; to
    # find one of them is several times quicker than to sort.
    rank = int(rounded(quantile * (values.shape[-1] - 1))) + 1
    limit = values.detach().kthvalue(rank, dim=-1, keepdim=True).values
    return compare(values.detach(), limit)
