"""Exact optimal transport, the yardstick of all other couplings.

    min over P >= 0 with P 1 = a and P' 1 = b of <C, P>

is a linear programme, solved by the network simplex method of POT. Its plan has at most m + n - 1 entries, and its
potentials prove that none is cheaper: f_i + g_j <= c_ij, and a·f + b·g is the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from engines.blocks.transport.exact import exact
from engines.blocks.transport.posing import CouplingParams, memory_for, posed
from engines.blocks.transport.scores import score_table
from engines.core import Example, Paper, Run, method
from engines.data import Coupling, Measure, MeasureOrCost, Table
from engines.transport.sinkhorn import blobs, unequal


class ExactTransportParams(CouplingParams):
    pass


@dataclass(frozen=True)
class ExactResult:
    coupling: Annotated[Coupling, "the cheapest plan, and the potentials that prove it"]
    scores: Table


@method(
    key="exact-transport",
    title="Exact transport",
    family="transport",
    job="Compute the cheapest coupling, exactly.",
    role="baseline",
    paper=Paper(
        title="Displacement Interpolation Using Lagrangian Mass Transport",
        authors="Bonneel, Nicolas and van de Panne, Michiel and Paris, Sylvain and Heidrich, Wolfgang",
        year=2011,
        venue="SIGGRAPH Asia",
        url="https://doi.org/10.1145/2070781.2024192",
    ),
    sample=Example(blobs, title="One cloud goes to two"),
    smoke=Example(lambda: blobs(20)),
    degenerate=(
        Example(unequal, title="Totals differ"),
        Example(lambda: {"source": blobs(4)["source"]}, title="No second measure"),
    ),
    memory=memory_for(5),
    tags=("coupling", "assignment", "linear programme", "earth mover's distance", "optimal transport"),
)
def solve_exactly(
    source: Annotated[MeasureOrCost, "first measure, or a cost matrix with its weights"],
    target: Annotated[Measure | None, "second measure; none with a cost matrix"],
    params: ExactTransportParams,
    run: Run,
) -> ExactResult:
    """Points by the hundred take hundredths of a second, by the thousand seconds; time grows a little faster than the
    number of pairs. Large problems are solved in a process of their own, so that they can be stopped.
    """
    problem = posed(source, target, params, run)
    for _ in run.steps(1, "Solving"):
        solved = exact(*(x.cpu().numpy() for x in (problem.costs, problem.a, problem.b)), check=run.check)
    coupling = problem.coupling(
        entries=(solved.rows, solved.columns, solved.mass),
        potentials=(solved.f, solved.g),
        kind="exact",
        name="Exact coupling",
    )
    dual = problem.scale * float(problem.a.cpu().numpy() @ solved.f + problem.b.cpu().numpy() @ solved.g)
    return ExactResult(coupling, score_table(problem, coupling, {"Dual value": dual}))


__all__ = ["ExactResult", "ExactTransportParams", "solve_exactly"]
