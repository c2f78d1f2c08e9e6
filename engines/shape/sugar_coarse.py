"""SuGaR's first three phases: plain splatting, opacities to 0 or 1, and Gaussians aligned with the surface."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from engines.blocks.splatting import Gaussians, Rendering
from engines.blocks.splatting.densification import Densification
from engines.blocks.splatting.density import Shapes, nearest
from engines.blocks.splatting.optimiser import GaussianOptimiser
from engines.blocks.splatting.surface_alignment import Alignment, entropy, near_depth, points_in
from engines.blocks.views import View, Views
from engines.core import Run, UserError
from engines.data import GaussianCloud
from engines.shape.gaussian_splatting import Trainer
from engines.shape.sugar_params import SugarParams

CLOSE = 2.0
"""In sdf mode points are drawn in Gaussians that lie so many of their standard deviations from the depth map."""


class Settled(Densification):
    """Neither adds nor removes Gaussians."""

    def loss(self, gaussians: Gaussians) -> float:
        return 0.0

    def observe(self, rendering: Rendering, width: int, height: int) -> None:
        pass

    def act(self, step: int, optimiser: GaussianOptimiser, generator: torch.Generator) -> None:
        pass

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


class CoarseTrainer(Trainer):
    """The trainer of Gaussian splatting with the terms of the phase that it is in."""

    def __init__(self, params: SugarParams, views: Views, training: np.ndarray, size: float, run: Run) -> None:
        super().__init__(params.splatting(), views, training, size, run)
        self.sugar = params
        self.prune_at = params.iterations + params.entropy_steps
        self.neighbours = torch.zeros(0, params.neighbours, dtype=torch.int64)
        self.terms: dict[str, torch.Tensor] = {}

    def step(self, step: int) -> None:
        if step >= self.sugar.iterations and not isinstance(self.densification, Settled):
            self.densification = Settled()
        aligned = step >= self.prune_at
        self.with_depth = aligned and self.sugar.regularisation == "sdf"
        if aligned and ((step - self.prune_at) % self.sugar.refresh_every == 0 or not len(self.neighbours)):
            self.neighbours = nearest(self.optimiser.parameters["means"], self.sugar.neighbours)
        super().step(step)

    def added_loss(self, gaussians: Gaussians, found: Rendering, view: View) -> torch.Tensor | float:
        if self.done < self.sugar.iterations:
            return super().added_loss(gaussians, found, view)
        if self.done < self.prune_at:
            return self._entropy(gaussians, found)
        return self._alignment(gaussians, found, view)

    def _entropy(self, gaussians: Gaussians, found: Rendering) -> torch.Tensor:
        """Phase B, over the Gaussians in view."""
        seen = found.touched > 0
        if not seen.any():
            return gaussians.means.new_zeros(())
        term = entropy(gaussians.opacity_logits[seen].sigmoid())
        self.terms = {"entropy": term.detach()}
        return self.sugar.entropy_weight * term

    def _alignment(self, gaussians: Gaussians, found: Rendering, view: View) -> torch.Tensor | float:
        """Phase C, at points in the Gaussians in view."""
        params, run = self.sugar, self.run
        if params.estimation_weight == 0 and params.normal_weight == 0:
            return 0.0
        seen, depth = found.touched > 0, None
        if found.depth is not None:
            # What is behind everything must be far, not at 0, or edges would pull Gaussians to the camera.
            depths = found.projection.depths
            farthest = depths[seen].max().detach() if seen.any() else depths.new_zeros(())
            depth = found.depth + (1 - found.alpha) * farthest
            with torch.no_grad():
                seen = seen & near_depth(gaussians, depth, view.camera, CLOSE)
        visible = seen.nonzero()[:, 0]
        if not len(visible):
            return 0.0
        device = visible.device
        owners = visible[torch.randint(len(visible), (params.samples,), generator=run.generator, device=device)]
        noise = torch.randn(params.samples, 3, generator=run.generator, device=device)
        points = points_in(gaussians, owners, noise, params.spread)
        factor = 1.0 if depth is None else 1 / params.neighbours
        there = Alignment(Shapes.of(gaussians), points, owners, self.neighbours, factor)
        estimation = there.density_loss() if depth is None else there.sdf_loss(depth, view.camera, self.size)
        normals = there.normal_loss()
        self.terms = {params.regularisation: estimation.detach(), "normals": normals.detach()}
        return params.estimation_weight * estimation + params.normal_weight * normals

    @torch.no_grad()
    def prune(self) -> None:
        """Remove faint Gaussians, once, between the phases B and C. Raises :class:`UserError` if too few are left."""
        params = self.sugar
        opacities = self.optimiser.parameters["opacity_logits"].sigmoid()
        keep = opacities >= params.prune_opacity
        left, before = int(keep.sum()), len(keep)
        if left == 0:
            raise UserError(
                f"None of the {before:,} Gaussians has an opacity of {params.prune_opacity:g} or more.",
                f"The highest is {float(opacities.max()) if before else 0.0:.2g}: all would be removed.",
                "Train longer in the first phase, or prune at a lower opacity.",
            )
        if left <= params.neighbours:
            raise UserError(
                f"Only {left} of {before:,} Gaussians are left; the density is summed over {params.neighbours}.",
                f"Those with an opacity below {params.prune_opacity:g} were removed.",
                "Train longer in the first phase, prune at a lower opacity, or look at fewer neighbours.",
            )
        none = self.optimiser.gaussians.map(lambda t: t.detach()[:0])
        self.optimiser.replace_rows(keep, none)
        self.neighbours = self.neighbours[:0]
        self.run.note(f"{before - left:,} of {before:,} Gaussians were fainter than {params.prune_opacity:g}; removed.")

    def state(self) -> dict[str, Any]:
        return super().state() | {"neighbours": self.neighbours}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.neighbours = state["neighbours"]
        if self.done >= self.sugar.iterations:
            self.densification = Settled()


def from_cloud(cloud: GaussianCloud, degree: int, run: Run) -> Gaussians:
    """A given cloud with colours of another ``degree``: what is missing is 0, what is too much is left out."""
    sh = torch.tensor(cloud.sh)
    wanted = (degree + 1) ** 2
    if wanted != sh.shape[1]:
        what = "those beyond are left out" if wanted < sh.shape[1] else "those missing begin at 0"
        run.warn(f"The cloud's colours have degree {cloud.degree}, the setting asks for {degree}: {what}.")
        sh = torch.cat([sh, sh.new_zeros(len(sh), max(0, wanted - sh.shape[1]), 3)], dim=1)[:, :wanted]
    return Gaussians(
        torch.tensor(cloud.means), torch.tensor(cloud.quaternions), torch.tensor(cloud.log_scales),
        torch.tensor(cloud.opacity_logits), sh,
    ).map(lambda t: t.to(run.device))  # fmt: skip


def flatness(gaussians: Gaussians) -> np.ndarray:
    """(N,) smallest scale in parts of the middle one: 0 for a disc, 1 for what is round across."""
    ordered = gaussians.log_scales.detach().sort(dim=1).values
    return np.asarray((ordered[:, 0] - ordered[:, 1]).exp().cpu().numpy(), dtype=np.float64)
