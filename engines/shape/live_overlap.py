"""How much of the true solid a field covers while it is being fitted."""

from __future__ import annotations

import numpy as np
import torch

from engines.blocks.iterative_field import IterativeField
from engines.blocks.mesh_inside import MeshInside
from engines.blocks.mesh_metrics import iou, random_points
from engines.blocks.normalisation import Similarity
from engines.data import Mesh


class LiveOverlap:
    """IoU of a field with a reference mesh on a fixed set of random points in the reference's box."""

    def __init__(self, reference: Mesh, similarity: Similarity, count: int = 4096) -> None:
        points = random_points(reference.bounds, count, np.random.default_rng(0))
        self.inside = MeshInside(reference.vertices, reference.faces)(points)
        unit = similarity.apply(points)
        self.within = (np.abs(unit) <= 1).all(1)
        self.points = torch.from_numpy(unit.astype(np.float32))

    def __call__(self, field: IterativeField) -> float:
        if self.points.device != field.flat.device:
            self.points = self.points.to(field.flat.device)
        found = (field.logits(self.points) < 0).cpu().numpy() & self.within
        return iou(found, self.inside)
