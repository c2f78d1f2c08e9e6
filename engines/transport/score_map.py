"""How good a transport map is on points that are given: a learned one, a baseline, or one from another program."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import torch

from engines.blocks.transport.clouds import check_dimensions
from engines.blocks.transport.costs import Cost, GroundCost
from engines.blocks.transport.map_scores import Judge, sampled, score_table
from engines.blocks.transport.maps import mapper
from engines.blocks.transport.monge_gap import MOST_EXACT
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Measure, Table, TransportMap
from engines.transport.gaussian_map import gaussian_map_between
from engines.transport.moving_clouds import gaussian_clouds


class ScoreMapParams(Params):
    cost: GroundCost = Param("squared Euclidean", help="Of which displacements should have little", source="paper")
    p: float = Param(1.5, ge=1, le=10, advanced=True, help="Of the p-norm: Σ |x − y|ᵖ", source="own choice")
    tau: float = Param(1.0, ge=0, le=1e6, advanced=True, label="τ", help="Of the elastic cost", source="own choice")
    fit_cost: Literal["squared Euclidean", "Euclidean"] = Param(
        "squared Euclidean", label="Cost of the divergence", help="Between images and target", source="as the Monge gap"
    )
    epsilon: float = Param(0.1, gt=0, le=1e6, log=True, label="ε", help="Of the divergence", source="as the Monge gap")
    epsilon_unit: Literal["mean cost", "absolute"] = Param(
        "mean cost", label="Unit of ε", help="Whether ε is a multiple of the mean cost within the target",
        source="as the Monge gap",
    )  # fmt: skip
    points: int = Param(1000, ge=2, le=MOST_EXACT, log=True, help="At most so many of each cloud", source="own choice")


def _inputs() -> dict[str, Any]:
    made = gaussian_clouds.function(gaussian_clouds.params(points=200), Run())
    return {"map": gaussian_map_between(made.source, made.target), "source": made.source, "target": made.target,
            "known": made.known}  # fmt: skip


def _flat() -> dict[str, Any]:
    return _inputs() | {"target": Measure(points=np.eye(3))}


@method(
    key="map-scores", title="Score a map", family="transport", role="preparation",
    job="Measure how well a transport map reaches its target, and at what cost.",
    sample=Example(_inputs, {}, "A Gaussian map"),
    degenerate=(Example(_flat, {}, "A target of another dimension"),),
    tags=("Sinkhorn divergence", "MMD", "Monge gap", "L2-UVP"),
)  # fmt: skip
def map_scores(
    map: Annotated[TransportMap, "the map to judge"],
    source: Annotated[Measure, "points to move; best those that it was not learned from"],
    target: Annotated[Measure, "where they should come to"],
    known: Annotated[TransportMap | None, "the true map, where it is known"],
    params: ScoreMapParams,
    run: Run,
) -> Table:
    """Each score is the better the lower it is; no map at all stands beside it. Points are drawn by their weights.

    Raises UserError where the map or the target has other coordinates than the source.
    """
    check_dimensions(source, target)
    x, y = (
        torch.tensor(sampled(m, params.points, run.rng), dtype=torch.float64, device=run.device)
        for m in (source, target)
    )  # fmt: skip
    if params.cost == "sphere geodesic" and not float(x.norm(dim=1).min()) > 0:
        raise UserError("A point of the source is at the centre of the sphere.", "It has no direction.",
                        "Remove that point, or choose another cost.")  # fmt: skip
    fit = Cost(params.fit_cost)
    mean = float(fit.pairwise(y, y).mean()) if params.epsilon_unit == "mean cost" else 1.0
    truth = None if known is None else mapper(known, run.device)(x)
    judge = Judge(x, y, Cost(params.cost, params.p, params.tau), fit, params.epsilon * (mean or 1.0), truth,
                  most=params.points, check=run.check)  # fmt: skip
    images = {"Map": mapper(map, run.device)(x), "No map": x}
    names = list(images)
    scores = {names[k]: judge(images[names[k]]) for k in run.steps(len(names), "Scoring")}
    return score_table(scores, f"Scores of {map.name or 'the map'}")


__all__ = ["ScoreMapParams", "map_scores"]
