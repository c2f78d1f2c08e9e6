"""A baseline: the barycentric map of the entropic plan, which is defined at new points as well.

    T(x) = sum_j y_j p_j(x),   p_j(x) ~ b_j exp((g_j - c(x, y_j)) / eps)        (Pooladian and Niles-Weed 2021, eq. 5)

g is the potential of the target points. For the squared Euclidean cost T is the gradient of a convex function; for
other costs it is the barycentric projection of the plan all the same, which has no such meaning.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch

from engines.blocks.transport.clouds import check_dimensions, on_sphere
from engines.blocks.transport.costs import Cost, GroundCost
from engines.blocks.transport.map_scores import sampled
from engines.blocks.transport.sinkhorn import Scaling, annealed
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import Measure, TransportMap
from engines.transport.moving_clouds import pair_of_moons

MOST_POINTS = 2000
ROUGH = 1e-2


class EntropicMapParams(Params):
    cost: GroundCost = Param("squared Euclidean", help="What it takes to move a unit of mass", source="paper")
    p: float = Param(1.5, ge=1, le=10, advanced=True, help="Of the p-norm: Σ |x − y|ᵖ", source="own choice")
    tau: float = Param(1.0, ge=0, le=1e6, advanced=True, label="τ", help="Of the elastic cost", source="own choice")
    epsilon: float = Param(0.01, gt=0, le=1e6, log=True, label="ε", source="own choice",
                           help="Entropy of the plan; small: images spread as far as the target does")  # fmt: skip
    epsilon_unit: Literal["mean cost", "absolute"] = Param(
        "mean cost", label="Unit of ε", help="Whether ε is a multiple of the mean cost", source="own choice"
    )
    points: int = Param(2000, ge=2, le=20_000, log=True, help="At most so many of each cloud", source="own choice")
    sweeps: int = Param(2000, ge=1, le=1_000_000, log=True, help="At most so many", source="own choice")
    tolerance: float = Param(1e-4, gt=0, le=0.1, log=True, help="Marginal error to end at", source="own choice")


def entropic_map_between(
    source: Measure, target: Measure, cost: Cost, epsilon: float, run: Run, **more: Any
) -> TransportMap:
    """The map at a given ε, in the units of the cost, from at most ``points`` of each cloud (default 2,000).

    ``more``: ``points``, ``sweeps``, ``tolerance``; and ``resumable``, where the run's checkpoints are its own.
    """
    count, sweeps, tolerance = more.get("points", MOST_POINTS), more.get("sweeps", 2000), more.get("tolerance", 1e-4)
    x, y = (torch.tensor(sampled(m, count, run.rng), dtype=torch.float64, device=run.device) for m in (source, target))
    costs = cost.pairwise(x, y)
    a, b = (torch.full((len(z),), 1 / len(z), dtype=torch.float64, device=run.device) for z in (x, y))
    resumable = more.get("resumable", False)
    g, saved = None, run.restored() if resumable else None  # after the draw, which is then that of the first time
    levels = [*annealed(costs, epsilon), epsilon]
    first = int(saved["level"]) if saved else 0
    for level in range(first, len(levels)):
        last = levels[level] == epsilon
        scaling = Scaling(costs, a, b, levels[level], start=g)
        if saved and level == first:
            scaling.restore(saved["scaling"])
        label = f"Sweeping at ε = {levels[level]:.3g}"
        for _ in run.steps(sweeps if last else 100, label, start=scaling.sweeps, share=0.8 if last else 0.02):
            error = scaling.sweep(tolerance if last else ROUGH, measure=scaling.sweeps % 10 == 0)
            if scaling.sweeps % 10 == 1 and np.isfinite(error):
                run.log(**{"marginal error": error})
            if error <= (tolerance if last else ROUGH):
                break
            if resumable:
                run.checkpoint(lambda: {"level": level, "scaling": scaling.state()})  # noqa: B023
        g = scaling.potentials()[1]
    for _ in run.steps(1, "Making the map"):
        if not scaling.error <= tolerance and (off := scaling.row_error()) > tolerance:  # not looked at in each sweep
            run.warn(f"Sinkhorn ended at its cap of {sweeps:,} sweeps with a marginal error of {off:.2g}.")
        sphere = cost.name == "sphere geodesic"
        config = {"cost": cost.name, "p": cost.p, "tau": cost.tau, "epsilon": epsilon, "sphere": sphere}
        made = TransportMap(
            name="Entropic map", form="barycentric", config=json.dumps(config),
            weights={"points": y.cpu().numpy(), "potential": g.cpu().numpy(), "weights": b.cpu().numpy()},
            source=source, target=target, cost=cost.name,
        )  # fmt: skip
    return made


def memory(inputs: Mapping[str, Any], params: EntropicMapParams) -> int:
    """Bytes: six matrices of all pairs."""
    m, n = (min(params.points, len(inputs[name].points)) if name in inputs else 0 for name in ("source", "target"))
    return int(6 * 8 * m * n + 50e6)


@method(
    key="entropic-map", title="Entropic map", family="transport", role="baseline",
    job="Map one cloud onto another by averaging over the entropic plan.",
    paper=Paper(
        title="Entropic Estimation of Optimal Transport Maps",
        authors="Pooladian, Aram-Alexandre and Niles-Weed, Jonathan",
        year=2021,
        venue="arXiv:2109.12004",
        url="https://arxiv.org/abs/2109.12004",
    ),
    sample=Example(lambda: pair_of_moons(1000), {}, "Two moons onto a curve"),
    smoke=Example(lambda: pair_of_moons(60), {"epsilon": 0.02}, "A short run"),
    degenerate=(
        Example(lambda: pair_of_moons(9) | {"target": Measure(points=np.ones((4, 3)))}, {}, "Other dimensions"),
    ),
    memory=memory, lighter=("points",),
    tags=("Sinkhorn", "barycentric projection", "optimal transport"),
)  # fmt: skip
def entropic_map(
    source: Annotated[Measure, "the cloud to be moved"],
    target: Annotated[Measure, "the cloud to move it onto"],
    params: EntropicMapParams,
    run: Run,
) -> TransportMap:
    """Where clouds have more points than asked for, or weights that differ, points are drawn by their weights.

    Raises UserError for clouds of other dimensions.
    """
    check_dimensions(source, target)
    if run.device.type == "mps":
        raise UserError("The entropic map needs double precision.", "This device has none.", "Run it on the CPU.")
    cost = Cost(params.cost, params.p, params.tau)
    if cost.name == "sphere geodesic":
        source, target = (
            m.replace(points=on_sphere(m.points, n, run)) for m, n in ((source, "source"), (target, "target"))
        )
    epsilon = params.epsilon
    if params.epsilon_unit == "mean cost":
        few = [torch.tensor(m.points[:2000].copy()) for m in (source, target)]
        epsilon *= float(cost.pairwise(*few).mean()) or 1.0
    limits = {"points": params.points, "sweeps": params.sweeps, "tolerance": params.tolerance}
    return entropic_map_between(source, target, cost, epsilon, run, resumable=True, **limits)


__all__ = ["EntropicMapParams", "entropic_map", "entropic_map_between"]
