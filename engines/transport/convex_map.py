"""A baseline: the gradient of an input-convex network, learned by the dual of the squared Euclidean cost.

    sup over f, inf over g:   E_x [f(grad g(x)) - <x, grad g(x)>] - E_y f(y)           (Makkuva et al. 2020, eq. 6)

f and g are convex networks; grad g takes the source to the target. For one step of f, g makes several. It knows no
other cost than the squared Euclidean one, of which any gradient of a convex function is an optimal map.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.adam import Adam
from engines.blocks.parameters import Layout
from engines.blocks.transport.clouds import check_dimensions
from engines.blocks.transport.map_scores import sampled
from engines.blocks.transport.maps import convex, convex_gradient, convex_shapes, frame
from engines.core import Example, Paper, Param, Params, Run, UserError, method
from engines.data import Displacements, Measure, TransportMap
from engines.transport.moving_clouds import pair_of_gaussians

BETAS = (0.5, 0.9)
SHOWN = 256


class ConvexMapParams(Params):
    hidden: tuple[int, ...] = Param((64, 64), ge=1, le=1024, help="Widths of both networks", source="CellOT: 64 × 4")
    steps: int = Param(1000, ge=1, le=10_000_000, log=True, help="Of f", source="CellOT: 100,000")
    inner_steps: int = Param(10, ge=1, le=1000, help="Of g for each of f", source="Makkuva et al. 2020; CellOT")
    batch: int = Param(256, ge=4, le=16_384, log=True, help="Points of each cloud in a step", source="CellOT")
    learning_rate: float = Param(1e-2, gt=0, le=1, log=True, help="Of Adam", source="measured; CellOT: 1e-4")
    log_every: int = Param(10, ge=1, le=100_000, advanced=True, help="Steps between points of the curves")


class Potentials:
    """f and g in training, each a flat tensor of parameters."""

    def __init__(self, x: Tensor, y: Tensor, params: ConvexMapParams, run: Run) -> None:
        self.frame, self.params, self.generator = frame(x, y, True), params, run.generator
        self.x = (x - self.frame["source_centre"]) / self.frame["source_spread"]
        self.y = (y - self.frame["target_centre"]) / self.frame["target_spread"]
        self.layout = Layout(convex_shapes(x.shape[1], params.hidden))
        self.theta = {name: x.new_zeros(self.layout.size) for name in ("f", "g")}
        self.adam = {name: Adam(theta, betas=BETAS) for name, theta in self.theta.items()}

    def initialise(self) -> int:
        """Layers that start as the mean of the layer before; the step to begin with."""
        for theta in self.theta.values():
            for name, part in self.layout.split(theta).items():
                if name.startswith("x."):
                    part.uniform_(-1, 1, generator=self.generator).div_(math.sqrt(part.shape[1]))
                elif name.startswith("z."):
                    mean = math.log(math.expm1(1 / part.shape[1]))  # what softplus takes to 1 / width
                    part.normal_(mean, 0.1, generator=self.generator)
        return 0

    def _draw(self, points: Tensor) -> Tensor:
        count = min(self.params.batch, len(points))
        return points[torch.randint(len(points), (count,), generator=self.generator, device=points.device)]

    def step(self) -> dict[str, Tensor]:
        f, rate = self.layout.split(self.theta["f"]), self.params.learning_rate
        for _ in range(self.params.inner_steps):
            x, theta = self._draw(self.x), self.theta["g"].clone().requires_grad_()
            moved = convex_gradient(x, self.layout.split(theta), create_graph=True)
            loss = (convex(moved, f) - (x * moved).sum(1)).mean()
            (gradient,) = torch.autograd.grad(loss, theta)
            self.adam["g"].step(gradient, rate)
        x, y, theta = self._draw(self.x), self._draw(self.y), self.theta["f"].clone().requires_grad_()
        moved = self.moved(x)
        f = self.layout.split(theta)
        difference = convex(y, f).mean() - convex(moved, f).mean()
        (gradient,) = torch.autograd.grad(difference, theta)
        self.adam["f"].step(gradient, rate)
        dual = -difference.detach() - (x * moved).sum(1).mean()
        # With this constant the dual is half the squared distance of the standardised clouds.
        return {"dual value": dual + (self.x.square().sum(1).mean() + self.y.square().sum(1).mean()) / 2}

    def moved(self, x: Tensor) -> Tensor:
        """grad g at standardised points."""
        return convex_gradient(x, self.layout.split(self.theta["g"])).detach()

    def state(self, step: int) -> dict[str, Any]:
        return {"step": step, "theta": self.theta, "adam": {name: adam.state() for name, adam in self.adam.items()}}

    def restore(self, state: dict[str, Any]) -> int:
        for name, theta in self.theta.items():
            theta.copy_(state["theta"][name])
            self.adam[name].restore(state["adam"][name])
        return int(state["step"])


@method(
    key="convex-map", title="Convex potential", family="transport", role="baseline",
    job="Map one cloud onto another by the gradient of an input-convex network.",
    paper=Paper(
        title="Optimal Transport Mapping via Input Convex Neural Networks",
        authors="Makkuva, Ashok Vardhan and Taghvaei, Amirhossein and Oh, Sewoong and Lee, Jason D.",
        year=2020,
        venue="International Conference on Machine Learning",
        url="https://proceedings.mlr.press/v119/makkuva20a.html",
    ),
    presets={"quick": {"steps": 200, "batch": 128}},
    sample=Example(lambda: pair_of_gaussians(1000), {"steps": 200, "batch": 128}, "Two Gaussian clouds"),
    smoke=Example(
        lambda: pair_of_gaussians(60), {"steps": 4, "inner_steps": 2, "hidden": (8, 8), "log_every": 1}, "A short run"
    ),
    degenerate=(
        Example(lambda: pair_of_gaussians(9) | {"target": Measure(points=np.ones((4, 3)))}, {}, "Other dimensions"),
        Example(
            lambda: pair_of_gaussians(9) | {"target": Measure(points=np.ones((4, 2)))}, {}, "A target that is one point"
        ),
    ),
    tags=("ICNN", "Brenier", "dual", "neural optimal transport"),
)  # fmt: skip
def convex_map(
    source: Annotated[Measure, "the cloud to be moved"],
    target: Annotated[Measure, "the cloud to move it onto"],
    params: ConvexMapParams,
    run: Run,
) -> TransportMap:
    """Points of equal weights only are drawn evenly; others by their weights. Both clouds are standardised.

    Raises UserError for clouds of other dimensions, or of a single place.
    """
    check_dimensions(source, target)
    if run.device.type == "mps":
        raise UserError("The convex potential needs double precision.", "This device has none.", "Run it on the CPU.")
    for name, measure in (("source", source), ("target", target)):
        if not np.ptp(measure.points[measure.mass > 0], axis=0).any():
            raise UserError(f"All points of the {name} are the same.", mend="Choose a cloud with some extent.")
    x, y = (torch.tensor(sampled(m, len(m.points), run.rng), device=run.device) for m in (source, target))
    learning = Potentials(x, y, params, run)
    saved = run.restored()
    start = learning.restore(saved) if saved else learning.initialise()

    def preview() -> Displacements:
        ends = learning.moved(learning.x[:SHOWN]) * learning.frame["target_spread"] + learning.frame["target_centre"]
        return Displacements(starts=x[:SHOWN].cpu().numpy(), ends=ends.cpu().numpy(), target=target)

    for index in run.steps(params.steps, "Learning the potentials", start=start):
        found = learning.step()
        if index % params.log_every == 0:
            run.log(**found)
        run.preview(preview)
        run.checkpoint(lambda: learning.state(index + 1))  # noqa: B023
    weights = learning.layout.arrays(learning.theta["g"]) | {k: v.cpu().numpy() for k, v in learning.frame.items()}
    return TransportMap(
        name="Convex potential", form="convex potential", weights=weights, config=json.dumps({"hidden": params.hidden}),
        source=source, target=target, cost="squared Euclidean",
    )  # fmt: skip


__all__ = ["ConvexMapParams", "convex_map"]
