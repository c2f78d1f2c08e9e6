"""What a learned map is compared with, and the table of its scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.costs import Cost
from engines.blocks.transport.map_scores import Judge, score_table
from engines.blocks.transport.maps import evaluate, mapper
from engines.core import Run
from engines.data import Measure, Table, TransportMap
from engines.transport.entropic_map import entropic_map_between
from engines.transport.gaussian_map import gaussian_map_between
from engines.transport.monge_gap_params import Clouds


def known_images(known: TransportMap, source: Measure, clouds: Clouds) -> Tensor:
    """(n, k) where the true map takes the held-out points."""
    whole = np.tile(source.points[:1], (len(clouds.held_source), 1))  # coordinates that are left out are constant
    whole[:, clouds.kept] = clouds.held_source.cpu().numpy()
    return torch.tensor(evaluate(known, whole)[:, clouds.kept], device=clouds.held_source.device)


def unlearned(clouds: Clouds, cost: Cost, epsilon: float, points: Tensor, run: Run) -> dict[str, Tensor]:
    """Images of the points under the maps that need no training, made from the same clouds."""
    x, y = (
        Measure(points=cloud.cpu().numpy(), weights=weights.cpu().numpy())
        for cloud, weights in ((clouds.source, clouds.source_weights), (clouds.target, clouds.target_weights))
    )
    made = {
        "Gaussian map": gaussian_map_between(x, y),
        "Entropic map": entropic_map_between(x, y, cost, epsilon, run),
    }
    return {name: mapper(found, run.device)(points) for name, found in made.items()}


def scored(judge: Judge, images: Mapping[str, Tensor], run: Run) -> Table:
    """One column for each of the maps, and one for no map at all."""
    every = {**images, "No map": judge.source}
    names = list(every)
    return score_table({names[k]: judge(every[names[k]]) for k in run.steps(len(names), "Scoring")})


__all__ = ["known_images", "scored", "unlearned"]
