"""Sinkhorn: entropic optimal transport by scaling rows and columns in turn.

    min over P >= 0 with P 1 = r and P' 1 = c of    <C, P> + 1/eta sum P log P

by P_ij = exp(eta (x_i + y_j - c_ij) - 1), whose rows and columns are scaled to their mass until both keep it. The error
falls by a constant factor a sweep, which comes close to 1 as eta grows: thousands of sweeps are usual. The baseline of
sparse Newton iterations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from engines.blocks.transport.posing import CouplingParams, memory_for, posed
from engines.blocks.transport.scores import score_table
from engines.blocks.transport.sinkhorn import Scaling, annealed
from engines.core import Example, Paper, Param, Run, method
from engines.data import CostMatrix, Coupling, Curve, Measure, MeasureOrCost, Table

CHECK_EVERY = 10
"""Sweeps between two looks at the error."""


class SinkhornParams(CouplingParams):
    inverse_regularisation: float = Param(
        1200.0, gt=0, le=1e6, log=True, label="η = 1 / ε", source="as SNS",
        help="The larger, the closer to exact transport, and the more sweeps",
    )  # fmt: skip
    tolerance: float = Param(
        1e-9, ge=1e-14, le=1e-1, log=True, source="usual choice",
        help="Stop when the mass of the rows is off by this share of all mass; the columns keep theirs",
    )  # fmt: skip
    sweeps: int = Param(10_000, ge=1, le=100_000_000, label="Most sweeps", source="own choice", help="Then stop anyway")
    kernel: Literal["auto", "stored", "recomputed"] = Param(
        "auto", advanced=True, source="own choice",
        help="The kernel is stored, or its exponentials are taken anew in each sweep: less memory, but slower",
    )  # fmt: skip
    anneal: bool = Param(
        False, label="Come from larger ε", help="Start with more regularisation, and lower it in steps"
    )


@dataclass(frozen=True)
class SinkhornResult:
    coupling: Annotated[Coupling, "the entropic plan and its potentials"]
    convergence: Annotated[Curve, "error of the marginals after each sweep"]
    scores: Table


def blobs(count: int = 300, apart: float = 1.0, seed: int = 0) -> dict[str, Measure]:
    """A round cloud, and two smaller ones beside it."""
    draw = np.random.default_rng(seed)
    side = draw.integers(0, 2, count)[:, None] * 2 - 1
    round_one = draw.normal(scale=0.5, size=(count, 2))
    two = draw.normal(scale=0.2, size=(count, 2)) + np.concatenate([np.full((count, 1), 2 * apart), side], 1)
    return {"source": Measure(points=round_one, name="One cloud"), "target": Measure(points=two, name="Two clouds")}


def unequal() -> dict[str, Measure]:
    pair = blobs(4)
    return pair | {"target": pair["target"].replace(weights=np.full(4, 0.5))}


@method(
    key="sinkhorn",
    title="Sinkhorn",
    family="transport",
    job="Compute an entropic coupling by scaling rows and columns.",
    role="baseline",
    paper=Paper(
        title="Sinkhorn Distances: Lightspeed Computation of Optimal Transport",
        authors="Cuturi, Marco",
        year=2013,
        venue="NIPS",
        url="https://arxiv.org/abs/1306.0895",
    ),
    presets={"quick": {"inverse_regularisation": 100.0, "tolerance": 1e-6}},
    sample=Example(blobs, {"inverse_regularisation": 300.0}, "One cloud goes to two"),
    smoke=Example(lambda: blobs(20), {"inverse_regularisation": 100.0}),
    degenerate=(
        Example(unequal, title="Totals differ"),
        Example(lambda: {"source": blobs(4)["source"]}, title="No second measure"),
        Example(lambda: {"source": CostMatrix(costs=np.eye(2)), "target": blobs(2)["target"]}, title="Both"),
    ),
    memory=memory_for(4),
    tags=("coupling", "entropic", "regularised", "optimal transport"),
)
def solve_sinkhorn(
    source: Annotated[MeasureOrCost, "first measure, or a cost matrix with its weights"],
    target: Annotated[Measure | None, "second measure; none with a cost matrix"],
    params: SinkhornParams,
    run: Run,
) -> SinkhornResult:
    """Each sweep is two products of the kernel with a vector. The kernel is kept near the solution, so that no
    regularisation is too small for it; a warning tells if the sweeps ran out.
    """
    problem = posed(source, target, params, run)
    epsilon = 1 / params.inverse_regularisation
    mass = float(problem.a.sum())
    saved = run.restored()
    seen: list[float] = list(saved["seen"]) if saved else []
    start = None
    if params.anneal and not saved:
        for larger in annealed(problem.costs, epsilon):
            rough = Scaling(problem.costs, problem.a, problem.b, larger, start=start, kernel=params.kernel)
            while rough.sweeps < 100 and rough.sweep(1e-2 * mass) > 1e-2 * mass:
                run.check()
            start = rough.potentials()[1]
    scaling = Scaling(problem.costs, problem.a, problem.b, epsilon, start=start, kernel=params.kernel)
    if saved:
        scaling.restore(saved["scaling"])
    checks = -(-params.sweeps // CHECK_EVERY)
    for check in run.steps(checks, "Scaling", start=len(seen), share=0.98):
        for sweep in range(min(CHECK_EVERY, params.sweeps - CHECK_EVERY * check)):
            run.check()
            scaling.sweep(measure=sweep == 0 and check == 0)
        seen.append(scaling.row_error() / mass)
        run.log(error=seen[-1])
        if seen[-1] <= params.tolerance:  # before a checkpoint is offered, from which sweeps would go on
            break
        run.preview(lambda: problem.coupling(plan=scaling.plan(), kind="entropic, so far"))
        run.checkpoint(lambda: {"seen": seen, "scaling": scaling.state()})
    else:
        run.warn(f"The error is {seen[-1]:.1e} after {params.sweeps:,} sweeps. Allow more, or lower η.")
    for _ in run.steps(1, "Putting the plan together"):
        values = scaling.values()
        coupling = problem.coupling(
            plan=scaling.plan(),
            potentials=scaling.potentials("entropy"),
            kind=f"entropic, η = {params.inverse_regularisation:g}",
            name="Entropic coupling",
        )
    sweeps = np.minimum(CHECK_EVERY * np.arange(1, len(seen) + 1), params.sweeps).astype(float)
    curve = Curve(x=sweeps, series={"Sinkhorn": np.array(seen)}, x_label="sweep", y_label="error of the marginals",
                  y_log=True, name="Convergence")  # fmt: skip
    more = {
        "Objective": problem.scale * values.entropy,
        "Dual value": problem.scale * values.entropy_dual,
        "Sweeps": scaling.sweeps,
    }
    return SinkhornResult(coupling, curve, score_table(problem, coupling, more))


__all__ = ["SinkhornParams", "SinkhornResult", "blobs", "solve_sinkhorn", "unequal"]
