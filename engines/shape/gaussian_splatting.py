"""3D Gaussian splatting: a cloud of coloured Gaussians from photos with known cameras (Kerbl et al., SIGGRAPH 2023).

The scene is N Gaussians with mean mu, covariance R diag(s^2) R^T, opacity o and a colour that depends on the direction
by spherical harmonics. A camera sees them projected (EWA splatting) and blended front to back
(:mod:`engines.blocks.splatting`). All parameters are fitted to one photo after the other by Adam:

    E = (1 - lambda) |I - I*|_1 + lambda (1 - SSIM(I, I*)),        lambda = 0.2

The harmonics' degree grows with time, the means' learning rate decays by a power law, and Gaussians are added and
removed while training goes on (:mod:`engines.blocks.splatting.densification`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch

from engines.blocks.cameras import extent
from engines.blocks.image_metrics import psnr, ssim
from engines.blocks.splatting import Gaussians, Rendering, render, without_fast_renderer
from engines.blocks.splatting.densification import Classic, Densification, Mcmc
from engines.blocks.splatting.initial import initial_cloud, spread_in_view
from engines.blocks.splatting.optimiser import GaussianOptimiser
from engines.blocks.views import View, Views, held_out
from engines.core import Artifact, Example, Paper, Param, Params, Run, UserError, method
from engines.data import Photos
from engines.shape.photographed import PhotographedParams, photograph
from engines.shape.splatting_results import Splats, finish, side_by_side, to_cloud

INRIA = "reference implementation"
BYTES_PER_GAUSSIAN = 1_100
"""59 numbers with their gradient and two moments, and what a picture needs of each."""
LOG_EVERY = 10


class SplattingParams(Params):
    iterations: int = Param(
        7_000, ge=1, le=1_000_000, help="Optimiser steps, one photo each", source=f"{INRIA}, preview; in full 30000"
    )
    strategy: Literal["classic", "MCMC"] = Param(
        "classic", label="Densification", source="paper; Kheradmand et al. 2024",
        help="Clone, split and prune by the image's pull; or fill a budget by moving what is dead onto what lives",
    )  # fmt: skip
    limit: int = Param(
        500_000,
        ge=100,
        le=20_000_000,
        log=True,
        help="Gaussians are never more than this",
        label="Most Gaussians",
        source="own choice",
    )
    image_scale: float = Param(
        1.0, gt=0.01, le=1, help="Photos are scaled by this before training", source="own choice"
    )
    sh_degree: int = Param(
        3,
        ge=0,
        le=3,
        help="Of the spherical harmonics: how colour follows the view",
        label="Colour degree",
        source=INRIA,
    )
    background: Literal["auto", "black", "white", "random"] = Param(
        "auto", source="own choice",
        help="Behind everything. Auto: random for photos with transparency, else black",
    )  # fmt: skip
    transparency: Literal["background", "ignore"] = Param(
        "background", source="own choice", advanced=True,
        help="What transparent pixels of photos say: nothing is there, or nothing is known there",
    )  # fmt: skip
    hold_out: int = Param(
        8, ge=0, le=1000, label="Hold out every", source="paper, sec. 7",
        help="Every so manieth photo is kept back to measure on, unless the dataset says which. 0: none",
    )  # fmt: skip
    dssim: float = Param(
        0.2, ge=0, le=1, help="Weight of 1 - SSIM against L1 (lambda)", label="Weight of DSSIM", source=INRIA
    )
    position_rate: float = Param(
        1.6e-4, gt=0, le=1e-1, log=True, source=INRIA, advanced=True,
        help="Learning rate of the means, times the scene's extent",
    )  # fmt: skip
    position_decay: float = Param(
        0.01, gt=0, le=1, log=True, source=INRIA, advanced=True, help="What is left of it at the end"
    )
    colour_rate: float = Param(2.5e-3, gt=0, le=1, log=True, source=INRIA, advanced=True, help="Of the constant colour")
    opacity_rate: float = Param(5e-2, gt=0, le=1, log=True, source=INRIA, advanced=True, help="Of the opacities")
    scale_rate: float = Param(5e-3, gt=0, le=1, log=True, source=INRIA, advanced=True, help="Of the log-scales")
    rotation_rate: float = Param(1e-3, gt=0, le=1, log=True, source=INRIA, advanced=True, help="Of the quaternions")
    degree_every: int = Param(
        1000, ge=1, source=INRIA, advanced=True, help="The harmonics' degree grows after so many steps"
    )
    densify_from: int = Param(500, ge=0, source=INRIA, advanced=True, help="First step of adding and removing")
    densify_until: int = Param(15_000, ge=0, source=INRIA, advanced=True, help="Last step of it")
    densify_every: int = Param(100, ge=1, source=INRIA, advanced=True, help="Steps between")
    threshold: float = Param(
        2e-4, ge=1e-6, le=1e-1, log=True, label="Pull threshold", source=INRIA, advanced=True,
        help="Classic: the image's pull at a mean from which a Gaussian is cloned or split",
    )  # fmt: skip
    dense: float = Param(
        0.01, gt=0, le=1, log=True, label="Split above", source=INRIA, advanced=True,
        help="Classic: larger Gaussians are split, smaller ones cloned; in parts of the scene's extent",
    )  # fmt: skip
    reset_every: int = Param(
        3000, ge=0, source=INRIA, advanced=True, help="Classic: opacities are lowered after so many steps. 0: never"
    )
    growth: float = Param(
        0.05, ge=0, le=1, source="Kheradmand et al. 2024", advanced=True,
        help="MCMC: there are more Gaussians by this share each time, up to the limit",
    )  # fmt: skip
    random_points: int = Param(
        100_000, ge=10, le=2_000_000, source=INRIA, advanced=True,
        help="Gaussians at the start where the dataset knows no points",
    )  # fmt: skip
    anti_aliased: bool = Param(
        False, source="Yu et al. 2024 (Mip-Splatting)", advanced=True, help="Small Gaussians grow fainter, not thicker"
    )


QUICK_GROWTH = 0.5
"""There are 7 times to grow where the published run has 245: at 5 % the number would not even double."""
QUICK = {
    "iterations": 1500, "sh_degree": 1, "densify_from": 200, "densify_until": 1000, "reset_every": 0,
    "degree_every": 500, "random_points": 5000, "limit": 50_000, "growth": QUICK_GROWTH,
}  # fmt: skip


def few_photos(views: int, resolution: int, points: int) -> Mapping[str, Artifact]:
    params = PhotographedParams(views=views, held_out=2, resolution=resolution, known_points=points)
    return {"photos": photograph.run({}, params, Run(seed=1))["photos"]}


def in_one_place() -> Mapping[str, Artifact]:
    photos: Any = few_photos(3, 16, 50)["photos"]
    return {"photos": photos.replace(held_out=np.ones(len(photos), bool))}


PAPER = Paper(
    title="3D Gaussian Splatting for Real-Time Radiance Field Rendering",
    authors="Bernhard Kerbl and Georgios Kopanas and Thomas Leimkühler and George Drettakis",
    year=2023,
    venue="ACM Transactions on Graphics (SIGGRAPH)",
    url="https://arxiv.org/abs/2308.04079",
)


def memory(inputs: Mapping[str, Artifact], params: SplattingParams) -> int:
    """Bytes: Gaussians at their limit, the decoded photos, and the pictures of one step."""
    photos: Any = inputs["photos"]
    pixels = (photos.sizes.prod(1) * params.image_scale**2).astype(np.int64)
    return int(3e8) + BYTES_PER_GAUSSIAN * params.limit + int(min(4 * pixels.sum(), 2e9)) + 400 * int(pixels.max())


@method(
    key="gaussian-splatting",
    title="Gaussian splatting",
    family="shape",
    job="Turn photos with known cameras into a cloud of Gaussians that can be seen from anywhere.",
    paper=PAPER,
    presets={"quick": QUICK, "paper": {"iterations": 30_000, "limit": 5_000_000}},
    sample=Example(lambda: few_photos(24, 96, 1000), QUICK, "Photos of a torus"),
    smoke=Example(
        lambda: few_photos(4, 32, 100),
        {**QUICK, "iterations": 120, "densify_from": 20, "densify_every": 30, "densify_until": 100},
        "Four small photos",
    ),
    degenerate=(Example(in_one_place, {"iterations": 10}, "No photo to train on"),),
    memory=memory,
    lighter=("limit", "image_scale", "sh_degree"),
    tags=("photos", "radiance field", "novel views", "3DGS", "splats"),
)  # fmt: skip
def train(
    photos: Annotated[Photos, "with their cameras; known points are a good start"], params: SplattingParams, run: Run
) -> Splats:
    """Fit Gaussians to the photos, one at a time in random order."""
    kept_back = held_out(photos, params.hold_out)
    training = np.flatnonzero(~kept_back)
    if not len(training):
        raise UserError(
            "There is no photo to train on.", "All are held out.", "Import more photos, or hold out fewer of them."
        )
    if len(training) < 3:
        run.warn(f"{len(training)} photos say little of a scene's depth: expect a picture that holds from there only.")
    if reason := without_fast_renderer(run.device):
        run.warn(reason)
    views = Views(photos, params.image_scale, run.device)
    size = extent([views.cameras[i] for i in training])
    if size == 0:
        run.warn("All cameras stand in one place: the scene's extent is taken as 1.")
        size = 1.0
    trainer = Trainer(params, views, training, size, run)
    saved = run.restored()
    if saved:
        trainer.restore(saved)
    else:
        trainer.begin(start(photos, params, views, run))
    for step in run.steps(params.iterations, "Training", start=trainer.done):
        trainer.step(step)
        if step % LOG_EVERY == 0 or step == params.iterations - 1:
            run.log(**trainer.figures)
        if (step + 1) % max(100, params.iterations // 40) == 0 and kept_back.any():
            run.log(**{"PSNR, held out": trainer.held_out_psnr(np.flatnonzero(kept_back)[:3])})
        run.preview(trainer.preview)
        run.checkpoint(trainer.state)
    return finish(trainer, photos, np.flatnonzero(kept_back), run)


def start(photos: Photos, params: SplattingParams, views: Views, run: Run) -> Gaussians:
    """Gaussians at the known points, or at random where the cameras look."""
    points, colours = photos.points, photos.point_colors
    if points is None or len(points) < 4:
        run.warn(f"The dataset knows no points: training starts from {params.random_points:,} random ones.")
        centres = np.stack([camera.centre for camera in views.cameras])
        axes = np.stack([camera.rotation[2] for camera in views.cameras])
        points = spread_in_view(params.random_points, centres, axes, run.rng)
        colours = None
    if len(points) > params.limit:
        run.warn(f"Only {params.limit:,} of {len(points):,} known points are used.")
        chosen = run.rng.choice(len(points), params.limit, replace=False)
        points, colours = points[chosen], None if colours is None else colours[chosen]
    rgb = np.full(points.shape, 0.5) if colours is None else colours / 255
    return initial_cloud(points, rgb, params.sh_degree).map(lambda t: t.to(run.device))


class Trainer:
    """One training run: parameters, optimiser and densification."""

    with_depth = False
    """Whether renders come with their depth, for terms of :meth:`added_loss`."""

    def __init__(self, params: SplattingParams, views: Views, training: np.ndarray, size: float, run: Run) -> None:
        self.params, self.views, self.training, self.size, self.run = params, views, training, size, run
        self.optimiser: GaussianOptimiser
        self.order = np.zeros(0, np.int64)
        self.done = 0
        self.figures: dict[str, float] = {}
        self.last = int(training[0])
        random = params.background == "random" or (params.background == "auto" and views.has_alpha)
        fixed = 1.0 if params.background == "white" or random else 0.0
        self.fixed_background = torch.full((3,), fixed, device=run.device)
        self.background = None if random else self.fixed_background
        self.densification: Densification
        until = min(params.densify_until, params.iterations)
        if params.strategy == "MCMC":
            self.densification = Mcmc(
                params.limit, params.densify_from, until, params.densify_every, params.growth
            )  # fmt: skip
        else:
            self.densification = Classic(
                size, params.limit, params.densify_from, until, params.densify_every, params.reset_every,
                params.threshold, params.dense,
            )  # fmt: skip

    def begin(self, gaussians: Gaussians) -> None:
        p = self.params
        rates = {
            "means": p.position_rate * self.size, "quaternions": p.rotation_rate, "log_scales": p.scale_rate,
            "opacity_logits": p.opacity_rate, "sh_dc": p.colour_rate, "sh_rest": p.colour_rate / 20,
        }  # fmt: skip
        self.optimiser = GaussianOptimiser(gaussians, rates)

    def step(self, step: int) -> None:
        """One photo: render, compare, step, then add and remove Gaussians."""
        params, run = self.params, self.run
        rate = params.position_rate * self.size * params.position_decay ** (step / max(1, params.iterations))
        self.optimiser.set_rate("means", rate)
        if not len(self.order):
            self.order = run.rng.permutation(self.training)
        self.last, self.order = int(self.order[0]), self.order[1:]
        view = self.views[self.last]
        background = self.background
        if background is None:
            background = torch.rand(3, generator=run.generator, device=run.device)
        degree = min(params.sh_degree, step // params.degree_every)
        gaussians = self.optimiser.gaussians
        found = render(
            gaussians, view.camera, background=background, degree=degree, anti_aliased=params.anti_aliased,
            with_depth=self.with_depth,
        )  # fmt: skip
        found.projection.means.retain_grad()
        image, truth = found.image, view.over(background)
        if params.transparency == "ignore" and view.alpha is not None:
            image, truth = image * view.alpha, view.colours * view.alpha
        l1, alike = (image - truth).abs().mean(), ssim(image, truth)
        loss = (1 - params.dssim) * l1 + params.dssim * (1 - alike) + self.added_loss(gaussians, found, view)
        loss.backward()
        self.densification.observe(found, view.camera.width, view.camera.height)
        self.optimiser.step()
        if isinstance(self.densification, Mcmc):
            self.densification.rate = rate
        self.densification.act(step + 1, self.optimiser, run.generator)
        self.done = step + 1
        if step % LOG_EVERY == 0 or self.done == params.iterations:
            if not torch.isfinite(loss):
                raise UserError(
                    f"The loss is not finite at step {step}.", "The learning rates are too high.", "Lower them."
                )
            self.figures = {"loss": loss.item(), "L1": l1.item(), "SSIM": alike.item(), "Gaussians": len(gaussians)}

    def added_loss(self, gaussians: Gaussians, found: Rendering, view: View) -> torch.Tensor | float:
        """What is added to the photometric loss of a step."""
        return self.densification.loss(gaussians)

    def gaussians(self) -> Gaussians:
        return self.optimiser.gaussians.map(torch.Tensor.detach)

    @torch.no_grad()
    def picture(self, index: int, degree: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Render and photo (3, H, W) of a view, on the background that does not change."""
        view = self.views[index]
        shown = render(
            self.gaussians(), view.camera, background=self.fixed_background, degree=degree,
            anti_aliased=self.params.anti_aliased,
        )  # fmt: skip
        return shown.image.clamp(0, 1), view.over(self.fixed_background)

    def held_out_psnr(self, indices: np.ndarray) -> float:
        return float(np.mean([psnr(*self.picture(int(i))) for i in indices]))

    def preview(self) -> dict[str, Artifact]:
        render_, photo = self.picture(self.last)
        return {"cloud": to_cloud(self.gaussians(), self.views.photos), "view": side_by_side(render_, photo)}

    def state(self) -> dict[str, Any]:
        return {
            "done": self.done,
            "order": self.order,
            "optimiser": self.optimiser.state(),
            "densification": self.densification.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.done, self.order = state["done"], np.asarray(state["order"])
        p = state["optimiser"]["parameters"]
        sh = torch.cat([p["sh_dc"], p["sh_rest"]], dim=1)
        self.begin(Gaussians(p["means"], p["quaternions"], p["log_scales"], p["opacity_logits"], sh))
        self.optimiser.restore(state["optimiser"])
        self.densification.restore(state["densification"])
