"""Settings of the Monge gap, the clouds made ready for it, and what is refused before it starts."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.clouds import check_dimensions, on_sphere
from engines.blocks.transport.costs import Cost, GroundCost
from engines.blocks.transport.map_scores import JUDGED, sampled
from engines.blocks.transport.sinkhorn import Convention
from engines.core import Param, Params, Run, UserError
from engines.data import Measure

FEWEST = 8
ENOUGH = 2000
"""Points of each cloud for a mean cost."""
OTT = "OTT's tutorial"


class MongeGapParams(Params):
    cost: GroundCost = Param("squared Euclidean", source="paper", help="What displacements should have little of")
    p: float = Param(1.5, ge=1, le=10, advanced=True, source="own choice", help="Of the p-norm: Σ |x − y|ᵖ")
    tau: float = Param(1.0, ge=0, le=1e6, advanced=True, source="own choice", label="τ",
                       help="Of the elastic cost ½|x − y|² + τ|x − y|₁: moves few coordinates")  # fmt: skip
    gap_weight: float = Param(
        1.0, ge=0, le=10, label="Weight of the gap", source="paper; OTT's tutorial: 2 for Euclidean, 0.1 for squared",
        help="λ: 0 fits the target by any map; too large keeps the map from fitting it",
    )  # fmt: skip
    reference: Literal["source", "source and target"] = Param(
        "source", label="Gap over", source="paper", help="The points at which displacements shall be optimal"
    )
    fit_cost: Literal["squared Euclidean", "Euclidean"] = Param(
        "squared Euclidean", label="Cost of the fit", source="OTT's tutorial; cells: Euclidean",
        help="Of the Sinkhorn divergence that brings the images to the target",
    )  # fmt: skip
    epsilon_unit: Literal["mean cost", "absolute"] = Param(
        "mean cost", label="Unit of ε", source=OTT, help="Whether ε is a multiple of the mean cost"
    )
    fit_epsilon: float = Param(0.1, gt=0, le=1e6, log=True, label="ε of the fit", source="OTT's tutorial; 4i: 1",
                               help="Entropy of the divergence, by the mean cost within the target")  # fmt: skip
    gap_epsilon: float = Param(
        0.01, gt=0, le=1e6, log=True, label="ε of the gap", source="OTT's tutorial; 4i: 0.01",
        help="Entropy of the gap, by the mean cost from source to target",
    )  # fmt: skip
    convention: Convention = Param(
        "entropy", advanced=True, source="paper: entropy", label="Entropy counted as",
        help="Shifts the gap's curve by 2ε log n; the map is the same",
    )  # fmt: skip
    hidden: tuple[int, ...] = Param((32, 64, 32), ge=1, le=4096, source=OTT, help="Widths of the hidden layers")
    activation: Literal["GELU", "SiLU", "tanh", "ReLU"] = Param("GELU", source=OTT, help="Between the layers")
    residual: bool = Param(False, help="Learn the displacement, T(x) = x + N(x): for shifts that are large")
    standardised: bool = Param(True, help="Centre and scale both clouds for the network; costs stay in their units")
    optimiser: Literal["Adam", "AdamW"] = Param(
        "Adam", source="OTT's tutorial; cells: AdamW", help="AdamW decays weights"
    )
    learning_rate: float = Param(1e-3, gt=0, le=1, log=True, source="OTT's tutorial; cells: 1e-4", help="Of Adam")
    decay: float = Param(1.0, gt=0, le=1, log=True, source="OTT's tutorial; cells: 0.01",
                         help="The learning rate ends at this share of itself, by a half cosine")  # fmt: skip
    weight_decay: float = Param(1e-5, ge=0, le=1, advanced=True, source="4i configuration", help="Of AdamW")
    steps: int = Param(5000, ge=1, le=10_000_000, log=True, source="OTT's tutorial, 4i; sciplex: 1000", help="Of Adam")
    batch: int = Param(256, ge=4, le=16_384, log=True, source="OTT's tutorial, 4i; sciplex: 512",
                       help="Points of each cloud in a step")  # fmt: skip
    held_out: float = Param(0.2, gt=0, lt=0.9, source="sheet 35", label="Held-out share",
                            help="Share of both clouds that is kept for judging the map")  # fmt: skip
    look_every: int = Param(25, ge=1, le=100_000, advanced=True, source="sheet 35", label="Look every",
                            help="Steps between points of the curves")  # fmt: skip
    tolerance: float = Param(1e-3, gt=0, le=0.1, log=True, advanced=True, source=OTT,
                             help="Marginal error at which Sinkhorn's sweeps end")  # fmt: skip
    sweeps: int = Param(2000, ge=1, le=1_000_000, log=True, advanced=True, source=OTT, label="Most sweeps",
                        help="At most so many in each problem")  # fmt: skip
    compare: bool = Param(False, help="Also learn without the gap, and score maps that need no learning")

    @property
    def ground(self) -> Cost:
        return Cost(self.cost, self.p, self.tau)

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        return self.learning_rate * (self.decay + (1 - self.decay) * (1 + np.cos(np.pi * step / self.steps)) / 2)


@dataclass(frozen=True)
class Clouds:
    """Points that are learned from and points that are held out, of the coordinates that are not constant."""

    source: Tensor
    target: Tensor
    source_weights: Tensor
    target_weights: Tensor
    held_source: Tensor
    held_target: Tensor
    kept: np.ndarray
    """(k,) which coordinates they are."""
    batch: int

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch of each (n, k), by their weights, independent of one another."""
        x, y = (
            torch.searchsorted(
                mass, mass[-1] * torch.rand(self.batch, dtype=mass.dtype, device=mass.device, generator=generator)
            )
            for mass in self.mass
        )
        return self.source[x], self.target[y]

    @functools.cached_property
    def mass(self) -> tuple[Tensor, Tensor]:
        """Sums of the weights up to each point: a draw takes the logarithm of their number."""
        return self.source_weights.cumsum(0), self.target_weights.cumsum(0)


def prepared(source: Measure, target: Measure, params: MongeGapParams, run: Run) -> Clouds:
    """The clouds of a run; draws which points are held out. Refuses what no map can be learned from."""
    if run.device.type == "mps":
        raise UserError("The Monge gap needs double precision.", "This device has none.", "Run it on the CPU.")
    check_dimensions(source, target)
    points, weights = {}, {}
    for name, measure in (("source", source), ("target", target)):
        there = np.flatnonzero(measure.mass > 0)
        if len(there) < FEWEST:
            raise UserError(
                f"The {name} has {len(there)} points with mass; a map is learned from {FEWEST} or more.",
                "A part of them is held out to judge the map.",
                "Give more points, or couple the measures instead of learning a map.",
            )
        order = there[run.rng.permutation(len(there))]
        points[name], weights[name] = measure.points[order], measure.mass[order]
    kept = varying(points["source"], points["target"], params, run)
    if params.cost == "sphere geodesic":
        points = {name: on_sphere(found, name, run) for name, found in points.items()}
    parts = {}
    for name, found in points.items():
        held = min(max(2, round(params.held_out * len(found))), len(found) - 2)
        set_aside = sampled(Measure(points=found[:held, kept], weights=weights[name][:held]), held, run.rng)
        parts[name] = found[held:, kept], weights[name][held:], set_aside
    few = min(len(part[0]) for part in parts.values())
    batch = params.batch
    if few < 2 * batch:
        batch = max(2, few // 2)
        run.warn(f"Batches have {batch:,} points instead of {params.batch:,}: only {few:,} are there to learn from.")
    like = {"dtype": torch.float64, "device": run.device}
    (x, a, xh), (y, b, yh) = ([torch.tensor(np.ascontiguousarray(v), **like) for v in p] for p in parts.values())
    return Clouds(x, y, a, b, xh, yh, kept, batch)


def epsilons(clouds: Clouds, params: MongeGapParams) -> tuple[float, float]:
    """ε of the fit and of the gap, in the units of their costs."""
    if params.epsilon_unit == "absolute":
        return params.fit_epsilon, params.gap_epsilon
    x, y = (cloud[:ENOUGH] for cloud in (clouds.source, clouds.target))
    within, across = float(Cost(params.fit_cost).pairwise(y, y).mean()), float(params.ground.pairwise(x, y).mean())
    if not (0 < within < math.inf and 0 < across < math.inf):
        raise UserError(
            "The costs are zero, or too large for numbers.",
            f"On average they are {within:.3g} within the target and {across:.3g} from the source to it; ε is a share "
            "of that.",
            "Choose a target of more than one place, scale the coordinates, or set ε in absolute units.",
        )
    return params.fit_epsilon * within, params.gap_epsilon * across


def check_finite(loss: float) -> None:
    """Raises :class:`UserError` where learning has run away."""
    if not math.isfinite(loss):
        raise UserError(
            "The map has diverged.", "The loss is no number any more.", "Lower the learning rate, or raise ε."
        )


def varying(x: np.ndarray, y: np.ndarray, params: MongeGapParams, run: Run) -> np.ndarray:
    """(k,) the coordinates that are not the same for all points of both clouds."""
    both = np.concatenate([x, y])
    constant = np.ptp(both, axis=0) == 0
    if constant.all():
        raise UserError(
            "All points of both clouds are the same.", mend="Choose clouds with points at more than one place."
        )
    if params.cost == "sphere geodesic" or not constant.any():
        return np.arange(both.shape[1])
    run.note(f"{constant.sum():,} of {len(constant):,} coordinates are constant in both clouds: the map leaves them.")
    return np.flatnonzero(~constant)


def memory(inputs: Mapping[str, Any], params: MongeGapParams) -> int:
    """Bytes: matrices of a batch and of the scores, the clouds, the layers."""
    clouds = [inputs[name].points for name in ("source", "target") if name in inputs]
    held = min(JUDGED, int(params.held_out * max((len(c) for c in clouds), default=0)) + 2)
    layers = params.batch * sum(params.hidden) * 8 * 6
    return int(8 * (14 * params.batch**2 + 10 * held**2 + 6 * sum(c.size for c in clouds)) + layers + 100e6)


__all__ = ["Clouds", "MongeGapParams", "check_finite", "epsilons", "memory",
           "prepared", "varying"]  # fmt: skip
