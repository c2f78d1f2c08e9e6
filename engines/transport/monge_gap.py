"""The Monge gap: learn a map between two unpaired clouds whose displacements cost as little as they can.

    min over theta of  S_eps(T#mu, nu) + lambda gap(T)                               (Uscidu and Cuturi 2023, eq. 8)

S_eps is the Sinkhorn divergence, which brings the images to the target; the gap

    gap(T) = E c(x, T x) - W_{c,eps}(rho, T#rho)                                                            (eq. 6)

is what the displacements cost more than the cheapest way from rho to the same images. It is zero exactly for maps that
are optimal for the cost c, whichever c is: no structure of the map has to be built into the network. Each step draws a
batch of both clouds, solves three entropic problems and differentiates with their plans held fixed (envelope theorem).
The gap's W pairs the same points before and after T.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks import dense_layers
from engines.blocks.adam import Adam
from engines.blocks.parameters import Layout
from engines.blocks.transport.batch_sinkhorn import BatchSinkhorn, Solved
from engines.blocks.transport.costs import Cost
from engines.blocks.transport.divergence import Entropic, self_cost
from engines.blocks.transport.map_scores import Judge, unexplained
from engines.blocks.transport.maps import evaluate, frame, network
from engines.blocks.transport.monge_gap import exact_gap
from engines.core import Example, Paper, Run, method
from engines.data import Displacements, Measure, Table, TransportMap
from engines.transport.monge_gap_params import Clouds, MongeGapParams, check_finite, epsilons, memory, prepared
from engines.transport.monge_gap_scores import known_images, scored, unlearned
from engines.transport.moving_clouds import gaussian_clouds, pair_of_moons

LOOKED_AT = 256
"""Held-out points behind a point of the curves."""


class Learning:
    """One map in training, with or without the gap."""

    def __init__(self, clouds: Clouds, params: MongeGapParams, gap_weight: float, run: Run) -> None:
        self.clouds, self.params, self.gap_weight, self.generator = clouds, params, gap_weight, run.generator
        self.cost, self.fit = params.ground, Cost(params.fit_cost)
        self.fit_epsilon, self.gap_epsilon = epsilons(clouds, params)
        ends = params.tolerance, params.sweeps
        self.solvers = {name: BatchSinkhorn(self.fit, self.fit_epsilon, *ends) for name in ("fit", "held-out fit")}
        self.solvers["gap"] = BatchSinkhorn(self.cost, self.gap_epsilon, *ends)
        dimensions = len(clouds.kept)
        self.layout = Layout(dense_layers.shapes((dimensions, *params.hidden, dimensions)))
        self.theta = torch.zeros(self.layout.size, dtype=torch.float64, device=run.device)
        self.adam = Adam(self.theta)
        self.frame = frame(clouds.source, clouds.target, params.standardised)
        self.config = {"activation": params.activation, "residual": params.residual}
        self.config["sphere"] = params.cost == "sphere geodesic"
        self.capped, self.worst = 0, 0.0

    def initialise(self) -> int:
        """Draw the weights; the step to begin with."""
        dense_layers.initialise(self.layout.split(self.theta), "uniform", self.generator)
        return 0

    def moved(self, x: Tensor, theta: Tensor | None = None) -> Tensor:
        """T(x) (n, d); with gradients in ``theta`` where it is given."""
        parts = self.layout.split(self.theta if theta is None else theta)
        with torch.set_grad_enabled(theta is not None):
            return network(x, parts | self.frame, self.config)

    def step(self, index: int, look: bool) -> dict[str, float]:
        """One step of Adam on S_eps + lambda gap; the terms as they were before it, where somebody looks."""
        x, y = self.clouds.draw(self.generator)
        rho = x if self.params.reference == "source" else torch.cat([x[::2], y[::2]])
        theta = self.theta.clone().requires_grad_()
        if rho is x:
            images = image_of_rho = self.moved(x, theta)
        else:
            images, of_target = self.moved(torch.cat([x, y[::2]]), theta).split([len(x), len(y[::2])])
            image_of_rho = torch.cat([images[::2], of_target])
        across, own = self.solvers["fit"](images, y), self._own(images)
        loss = across.value - own.value / 2
        solved = [across, own]
        gap = loss.new_zeros(())
        if self.gap_weight > 0 or look:
            within = self.solvers["gap"](rho, image_of_rho)
            gap = self.cost.paired(rho, image_of_rho).mean() - within.value + self.shift(len(rho))
            loss, solved = loss + self.gap_weight * gap, [*solved, within]
        (gradient,) = torch.autograd.grad(loss, theta)
        rate = self.params.rate(index)
        if self.params.optimiser == "AdamW":
            self.theta.mul_(1 - rate * self.params.weight_decay)
        self.adam.step(gradient, rate)
        self._watch(solved)
        if not look:
            return {}
        terms = {"fitting": float(divergence_of(across, own, self._own(y))), "gap": float(gap.detach())}
        return terms | {"total": terms["fitting"] + self.gap_weight * terms["gap"]}

    def shift(self, n: int) -> float:
        """By how much the gap of n points differs from the one with relative entropy."""
        return 2 * self.gap_epsilon * math.log(n) if self.params.convention == "entropy" else 0.0

    def _own(self, points: Tensor) -> Entropic:
        return self_cost(points, self.fit, self.fit_epsilon, tolerance=self.params.tolerance, sweeps=self.params.sweeps)

    def _watch(self, solved: list[Solved | Entropic]) -> None:
        worst = max((s.error for s in solved if not s.error <= self.params.tolerance), default=None)
        if worst is not None:
            self.capped, self.worst = self.capped + 1, max(self.worst, worst)

    @torch.no_grad()
    def look(self, truth: Tensor | None) -> dict[str, float]:
        """How good the map is on points that it does not learn from."""
        x, y = self.clouds.held_source[:LOOKED_AT], self.clouds.held_target[:LOOKED_AT]
        images = self.moved(x)
        across = self.solvers["held-out fit"](images, y)
        found = {
            "held-out divergence": float(divergence_of(across, self._own(images), self._own(y))),
            "held-out exact gap": exact_gap(x, images, self.cost),
        }
        return found | ({} if truth is None else {"held-out L2-UVP (%)": unexplained(images, truth[: len(x)])})

    def result(self, source: Measure, target: Measure) -> TransportMap:
        weights = self.layout.arrays(self.theta) | {k: v.cpu().numpy() for k, v in self.frame.items()}
        if len(self.clouds.kept) < source.points.shape[1]:
            weights["kept"] = self.clouds.kept
        return TransportMap(
            name="Learned map", form="network", weights=weights, config=json.dumps(self.config), source=source,
            target=target, cost=self.params.cost,
        )  # fmt: skip

    def state(self, step: int) -> dict[str, Any]:
        solvers = {name: solver.state() for name, solver in self.solvers.items()}
        counts = {"capped": self.capped, "worst": self.worst}
        return {"step": step, "theta": self.theta, "adam": self.adam.state(), "solvers": solvers, "counts": counts}

    def restore(self, state: Mapping[str, Any]) -> int:
        self.theta.copy_(state["theta"])
        self.adam.restore(state["adam"])
        for name, solver in self.solvers.items():
            solver.restore(state["solvers"][name])
        self.capped, self.worst = int(state["counts"]["capped"]), float(state["counts"]["worst"])
        return int(state["step"])


def divergence_of(across: Solved, own: Entropic, target: Entropic) -> Tensor:
    """The Sinkhorn divergence (), without gradient."""
    return across.value.detach() - (own.value.detach() + target.value) / 2


@dataclass(frozen=True)
class LearnedMap:
    map: Annotated[TransportMap, "the map; apply-map takes it to other points"]
    moved: Annotated[Displacements, "all points of the source, and where they go"]
    scores: Annotated[Table, "of held-out points: this map, what it is compared with, and no map at all"]


def _gaussians() -> dict[str, Any]:
    made = gaussian_clouds.function(gaussian_clouds.params.parse({"points": 120}), Run())
    return {"source": made.source, "target": made.target, "known": made.known}


def _but(**changes: list) -> dict[str, Measure]:
    return pair_of_moons(50) | {name: Measure(points=points) for name, points in changes.items()}


@method(
    key="monge-gap",
    title="Monge gap",
    family="transport",
    job="Learn a map that moves one cloud onto another with little cost, for any ground cost.",
    paper=Paper(
        title="The Monge Gap: A Regularizer to Learn All Transport Maps",
        authors="Uscidu, Théo and Cuturi, Marco",
        year=2023,
        venue="International Conference on Machine Learning",
        url="https://proceedings.mlr.press/v202/uscidu23a.html",
    ),
    presets={
        "quick": {"steps": 500, "batch": 128, "learning_rate": 3e-3, "decay": 0.05},
        "paper": {"standardised": False},
        "2-D demo, Euclidean": {"cost": "Euclidean", "gap_weight": 2.0, "standardised": False},
        "2-D demo, squared": {"gap_weight": 0.1, "standardised": False},
        "cells": {
            "cost": "Euclidean", "fit_cost": "Euclidean", "epsilon_unit": "absolute", "fit_epsilon": 1.0,
            "gap_epsilon": 0.01, "hidden": (64, 64, 64, 64), "optimiser": "AdamW", "learning_rate": 1e-4,
            "decay": 0.01, "standardised": False,
        },
    },
    sample=Example(
        lambda: pair_of_moons(1500),
        {"cost": "Euclidean", "gap_weight": 2.0, "steps": 800, "batch": 128, "learning_rate": 3e-3, "decay": 0.05,
         "compare": True},
        "Two moons onto a curve",
    ),
    smoke=Example(
        _gaussians, {"steps": 12, "batch": 24, "hidden": (16,), "look_every": 3, "compare": True}, "A short run"
    ),
    degenerate=(
        Example(lambda: _but(target=[[k, k, k] for k in range(20)]), {}, "Clouds of different dimensions"),
        Example(lambda: _but(source=[[0, 0], [1, 1]]), {}, "Two points"),
        Example(lambda: _but(source=[[1, 1]] * 20, target=[[1, 1]] * 20), {}, "All points at one place"),
        Example(lambda: _but(target=[[1, 1]] * 20), {}, "A target that is one point"),
        Example(lambda: _but(source=[[0, 0], *[[1, 1]] * 9]), {"cost": "sphere geodesic"}, "The centre of a sphere"),
    ),
    memory=memory,
    lighter=("batch", "hidden"),
    tags=("transport map", "unpaired", "single cell", "perturbation", "neural optimal transport", "Sinkhorn"),
)  # fmt: skip
def monge_gap(
    source: Annotated[Measure, "the cloud to be moved"],
    target: Annotated[Measure, "the cloud to move it onto"],
    known: Annotated[TransportMap | None, "the true map, where it is known, to measure against"],
    params: MongeGapParams,
    run: Run,
) -> LearnedMap:
    """A network that takes the source to the target, and new points with it.

    Points are drawn by their weights; totals need not agree. Everything is computed in double precision.
    Raises UserError for clouds that no map can be learned from.
    """
    clouds = prepared(source, target, params, run)
    truth = None if known is None else known_images(known, source, clouds)
    saved = run.restored()
    finished = saved["finished"] if saved else []
    learned: list[Learning] = []
    for stage, gap_weight in enumerate([params.gap_weight, 0.0] if params.compare else [params.gap_weight]):
        learning = Learning(clouds, params, gap_weight, run)
        learned.append(learning)
        if stage < len(finished):
            learning.restore(finished[stage])
            continue
        going_on = saved is not None and stage == len(finished)
        start = learning.restore(saved["now"]) if going_on else learning.initialise()
        learn(learned, start, target, truth, run)
    return result(learned, source, target, known, run)


def learn(learned: list[Learning], start: int, target: Measure, truth: Tensor | None, run: Run) -> None:
    """Train the last of some maps; a checkpoint keeps the others, which are finished, as well."""
    *before, learning = learned
    params, seen = learning.params, learning.clouds.held_source[:LOOKED_AT]
    label, prefix = ("Learning without the gap", "without the gap: ") if before else ("Learning the map", "")
    names = tuple(target.coordinates[k] for k in learning.clouds.kept)
    shown = Measure(points=target.points[:, learning.clouds.kept], weights=target.weights, dimensions=names)

    def preview() -> Displacements:
        ends = learning.moved(seen).cpu().numpy()
        return Displacements(name=label, starts=seen.cpu().numpy(), ends=ends, target=shown, dimensions=names)

    def state() -> dict[str, Any]:
        return {"now": learning.state(index + 1), "finished": [other.state(params.steps) for other in before]}

    for index in run.steps(params.steps, label, start=start, share=0.45 if params.compare else 0.9):
        look = index % params.look_every == 0 or index == params.steps - 1
        terms = learning.step(index, look)
        if look:
            check_finite(terms["total"])
            run.log(**{prefix + name: value for name, value in (terms | learning.look(truth)).items()})
        run.preview(preview)
        run.checkpoint(state)
    if learning.capped:
        run.warn(
            f"In {learning.capped:,} of {params.steps:,} steps Sinkhorn ended at its cap of {params.sweeps:,} sweeps, "
            f"with a marginal error of {learning.worst:.2g} at worst: the gap is biased there. Raise ε or the cap."
        )


def result(
    learned: list[Learning], source: Measure, target: Measure, known: TransportMap | None, run: Run
) -> LearnedMap:
    first, clouds = learned[0], learned[0].clouds
    truth = None if known is None else known_images(known, source, clouds)
    judge = Judge(clouds.held_source, clouds.held_target, first.cost, first.fit, first.fit_epsilon, truth,
                  check=run.check)  # fmt: skip
    images = dict(zip(("Learned map", "Without the gap"), (l.moved(judge.source) for l in learned), strict=False))
    if len(learned) > 1:
        images |= unlearned(clouds, first.cost, first.gap_epsilon, judge.source, run)
    scores = scored(judge, images, run)
    made = first.result(source, target)
    starts = source.points
    if first.params.cost == "sphere geodesic":
        starts = starts / np.linalg.norm(starts, axis=1, keepdims=True)
    moved = Displacements(
        name="Moved source", starts=starts, ends=evaluate(made, starts, run.device), weights=source.weights,
        target=target, dimensions=source.dimensions, unit=source.unit,
    )  # fmt: skip
    return LearnedMap(made, moved, scores)


__all__ = ["LearnedMap", "Learning", "MongeGapParams", "monge_gap"]
