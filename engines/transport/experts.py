"""A mixture of experts: what it costs to send a token to an expert, from the scores of a router.

Tokens are scikit-learn's digits, 8 by 8 pixels, without their mean. A router gives each token x a score for each of the
experts: S = log softmax of W x / temperature (linear: W by ridge regression on clusters), or of -|x - c_e|^2 /
temperature (k-means: c_e the centre of a cluster). The cost is C = -S, never negative; all tokens have one mass, and
each expert gets the same. With at most k tokens for an expert, k-sparse transport assigns tokens with a capacity
(Liu et al. 2023).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from engines.blocks.k_means import k_means
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import CostMatrix

DIGITS = 1797
RIDGE = 10.0


class ExpertsParams(Params):
    tokens: int = Param(300, ge=2, le=DIGITS, help="Digits, drawn at random", source="own choice")
    experts: int = Param(10, ge=2, le=256, help="How many", source="own choice")
    router: Literal["k-means", "linear"] = Param("linear", source="usual choice", help="What scores tokens")
    temperature: float = Param(
        0.2, gt=0, le=100, log=True, source="own choice",
        help="Scores are divided by this before the softmax; small: surer of itself",
    )  # fmt: skip
    capacity_factor: float = Param(
        1.0, ge=1, le=10, source="usual choice", help="Only told as a capacity: this times tokens by experts"
    )


def scores(x: np.ndarray, params: ExpertsParams, run: Run) -> np.ndarray:
    """(tokens, experts) log probabilities of tokens (tokens, 64)."""
    centres, cluster = k_means(x, params.experts, run.rng, check=run.check)
    if params.router == "k-means":
        logits = -((x[:, None] - centres) ** 2).sum(2)
    else:
        member = np.eye(params.experts)[cluster]
        W = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (member - member.mean(0)))
        logits = x @ W + member.mean(0)
    logits = logits / params.temperature
    top = logits.max(1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))


@method(
    key="experts", title="Tokens and experts", family="transport",
    job="Scores of digits for the experts of a mixture, as a cost matrix.",
    presets={"quick": {"tokens": 60, "experts": 5}}, sample=Example(),
    smoke=Example(params={"tokens": 30, "experts": 3}),
    degenerate=(Example(params={"tokens": 4, "experts": 8}, title="More experts than tokens"),),
    tags=("mixture of experts", "routing", "capacity", "assignment", "digits"),
)  # fmt: skip
def experts(params: ExpertsParams, run: Run) -> CostMatrix:
    """Give it to k-sparse transport with k = the capacity: then no expert takes more tokens than that."""
    if params.experts > params.tokens:
        raise UserError(f"{params.experts:,} experts share {params.tokens:,} tokens.", "Each has to get one or more.",
                        "Use fewer experts, or more tokens.")  # fmt: skip
    from sklearn.datasets import load_digits

    for _ in run.steps(1, "Scoring"):
        digits = load_digits()
        drawn = run.rng.permutation(DIGITS)[: params.tokens]
        x = digits.data / 16
        found = scores(x[drawn] - x.mean(0), params, run)
    capacity = math.ceil(params.capacity_factor * params.tokens / params.experts)
    run.note(f"An expert has room for {capacity:,} tokens: use k-sparse transport with k = {capacity:,}.")
    return CostMatrix(
        name=f"{params.tokens:,} tokens, {params.experts:,} experts", costs=-found,
        source_names=tuple(f"{digits.target[i]} (no. {i + 1})" for i in drawn),
        target_names=tuple(f"expert {e + 1}" for e in range(params.experts)), unit="nat",
    )  # fmt: skip


__all__ = ["ExpertsParams", "experts", "scores"]
