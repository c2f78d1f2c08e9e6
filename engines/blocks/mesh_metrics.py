"""How near one closed surface is to another: inside tests, overlap, distances, normals, topology.

    IoU        |A and B| / |A or B|, estimated on random points
    Chamfer    (mean_a d(a, B) + mean_b d(b, A)) / 2      over points spread evenly on the surfaces
    Hausdorff  max(max_a d(a, B), max_b d(b, A))          over the same points and all vertices
    F-score    harmonic mean of the shares of points closer than a threshold, both ways

Distances from points to triangles are exact. Everything here is numpy and scipy, vectorised and in chunks.
"""

from __future__ import annotations

import numpy as np

from engines.blocks.mesh_inside import MeshInside, inside_mesh
from engines.blocks.mesh_topology import is_watertight

__all__ = ["MeshInside", "inside_mesh", "iou", "is_watertight", "random_points"]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two (N,) bool inside tests of the same random points; 1 when both are empty."""
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 1.0


def random_points(bounds: np.ndarray, count: int, rng: np.random.Generator, margin: float = 0.05) -> np.ndarray:
    """(count, 3) points spread evenly in the box ``bounds`` (2, 3) grown by ``margin`` of its size."""
    pad = margin * np.ptp(bounds, axis=0)
    return rng.uniform(bounds[0] - pad, bounds[1] + pad, (count, 3))
