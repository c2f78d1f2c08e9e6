"""Settings of SNS, and the paper that they come from."""

from __future__ import annotations

from typing import Literal

from engines.blocks.transport.posing import CouplingParams
from engines.core import Paper, Param

PAPER = Paper(
    title="Accelerating Sinkhorn Algorithm with Sparse Newton Iterations",
    authors="Tang, Xun and Shavlovsky, Michael and Rahmanian, Holakou and Tardini, Elisa and "
    "Thekumparampil, Kiran Koshy and Xiao, Tesi and Ying, Lexing",
    year=2024,
    venue="International Conference on Learning Representations",
    url="https://openreview.net/forum?id=Kuj5gVp5GQ",
)


class SnsParams(CouplingParams):
    inverse_regularisation: float = Param(
        1200.0, ge=1e-3, le=1e7, log=True, label="η = 1 / ε", source="paper, sec. 5",
        help="1/ε, for costs divided as below; the larger, the closer to exact transport and the longer it takes",
    )  # fmt: skip
    switch: Literal["automatic", "after all sweeps"] = Param(
        "automatic", label="Newton steps begin", source="own choice; paper: after all sweeps",
        help="Automatic: once the kept entries hold 99 % of the mass; if that was too early, sweeps go on",
    )  # fmt: skip
    sweeps: int = Param(
        2000, ge=1, le=1_000_000, log=True, label="Sinkhorn sweeps", source="paper: 20, and 700 for city block costs",
        help="Sweeps before the Newton steps, N₁ of the paper; if automatic, at most so many",
    )  # fmt: skip
    newton_steps: int = Param(60, ge=0, le=10_000, help="At most so many Newton steps, N₂", source="sheet 53")
    kept: int = Param(
        10, ge=1, le=100_000, label="Entries kept per row", source="measured; paper: 3, for city block costs 29",
        help="Of the plan, in the Hessian, on average. A share λ of all entries of the Hessian, as the paper counts, "
        "is λ·2n − 1 per row",
    )  # fmt: skip
    widening: bool = Param(
        True, label="Keep more if needed", source="sheet 53; where a step misses the full system: own choice",
        help="Twice as many entries wherever steps become tiny, systems are not solved, or entries are missed",
    )  # fmt: skip
    hessian: Literal["sparse", "full"] = Param(
        "sparse", label="Hessian", source="paper", help="Full: Newton's method with all entries, to compare with"
    )
    tolerance: float = Param(
        1e-12, ge=1e-15, le=1, log=True, label="Marginal error to reach", source="sheet 53",
        help="L1 distance of both marginals from the weights, as a share of the mass",
    )  # fmt: skip
    cg_tolerance: float = Param(
        1e-4, gt=0, lt=1, log=True, advanced=True, label="Tolerance of inner systems", source="sheet 53",
        help="Relative residual of conjugate gradients; the marginal error instead, where that is smaller",
    )  # fmt: skip
    barycentric: bool = Param(
        False, label="Barycentric map", help="Give where the mass of each source goes on average, too (two measures)"
    )
    form: Literal["automatic", "dense", "entries"] = Param(
        "automatic", advanced=True, label="Plan as", source="own choice",
        help="All of the plan, or its entries that are not negligible; automatic: all, up to four million entries",
    )  # fmt: skip
    negligible: float = Param(
        1e-13, ge=0, lt=0.1, log=False, advanced=True, label="Negligible mass", source="own choice",
        help="Where the plan is given by entries: those left out hold less than this share of the mass, together",
    )  # fmt: skip


__all__ = ["PAPER", "SnsParams"]
