"""An assignment problem with costs drawn from the uniform distribution: the usual test of solvers."""

from __future__ import annotations

import numpy as np

from engines.core import Artifact, Example, Param, Params, Run, method
from engines.data import CostMatrix


class RandomAssignmentParams(Params):
    size: int = Param(
        500, ge=2, le=20_000, help="Sources, and as many targets, all of one weight", source="SNS, sec. 5"
    )


def random_costs(size: int, rng: np.random.Generator) -> CostMatrix:
    return CostMatrix(name=f"Random assignment, {size:,} × {size:,}", costs=rng.random((size, size)))


def assignment_of(size: int) -> dict[str, Artifact]:
    """Inputs of a method, as an example."""
    return {"source": random_costs(size, np.random.default_rng(0))}


@method(
    key="random-assignment", title="Random assignment", family="transport",
    job="Costs between 0 and 1, drawn at random, to assign each source one target.",
    presets={"quick": {"size": 100}},
    smoke=Example(params={"size": 20}),
    tags=("cost matrix", "transport", "problem"),
)  # fmt: skip
def random_assignment(params: RandomAssignmentParams, run: Run) -> CostMatrix:
    """n × n costs, each uniform between 0 and 1. The exact optimum is near π²/6 a source, divided by n."""
    return random_costs(params.size, run.rng)
