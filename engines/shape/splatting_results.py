"""What a training of Gaussians gives: the cloud, how near renders come to photos that were kept back, histograms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch

from engines.blocks.image_scores import ImageScores
from engines.blocks.splatting import Gaussians
from engines.core import Run
from engines.data import Curve, GaussianCloud, Image, Photos, Table

if TYPE_CHECKING:
    from engines.shape.gaussian_splatting import Trainer

SHOWN_VIEWS = 6


@dataclass(frozen=True)
class Splats:
    cloud: Annotated[GaussianCloud, "the trained Gaussians"]
    scores: Annotated[Table | None, "how near renders come to photos that were kept back"]
    renders: Annotated[tuple[Image, ...], "render, photo and error, side by side, of such photos"]
    opacities: Annotated[Curve, "how many Gaussians have which opacity"]
    sizes: Annotated[Curve, "how many Gaussians have which size"]


def finish(trainer: Trainer, photos: Photos, kept_back: np.ndarray, run: Run) -> Splats:
    """Measure on the photos that were kept back."""
    score, rows = ImageScores(run), []
    names = [photos.label(int(i)) for i in kept_back]
    pictures = []
    for position in run.steps(len(kept_back), "Measuring"):
        shown, photo = trainer.picture(int(kept_back[position]))
        rows.append(score(shown, photo))
        if position < SHOWN_VIEWS:
            pictures.append(side_by_side(shown, photo).replace(name=PurePath(names[position]).stem))
    cloud = to_cloud(trainer.gaussians(), photos)
    scores = None
    if rows:
        held = score.table(rows)
        run.note(f"Held-out photos: {score.words(held.mean(0))}.")
        columns = {"Photo": np.array(names), **dict(zip(score.kinds, held.T, strict=True))}
        scores = Table(columns=columns, units={"PSNR": "dB"}, name="Scores")
    opacities = 1 / (1 + np.exp(-cloud.opacity_logits.astype(np.float64)))
    sizes = np.log10(np.e) * cloud.log_scales.max(1).astype(np.float64)
    return Splats(
        cloud,
        scores,
        tuple(pictures),
        histogram(opacities, (0.0, 1.0), "opacity", "Opacities"),
        histogram(sizes, None, "log10 of the largest standard deviation", "Sizes"),
    )


def histogram(values: np.ndarray, limits: tuple[float, float] | None, label: str, name: str) -> Curve:
    counts, edges = np.histogram(values, bins=40, range=limits)
    middle = 0.5 * (edges[1:] + edges[:-1])
    return Curve(x=middle, series={"Gaussians": counts.astype(float)}, x_label=label, name=name)


def to_cloud(gaussians: Gaussians, photos: Photos) -> GaussianCloud:
    arrays = gaussians.map(lambda t: t.cpu())
    return GaussianCloud(
        means=arrays.means.numpy(), quaternions=arrays.quaternions.numpy(), log_scales=arrays.log_scales.numpy(),
        opacity_logits=arrays.opacity_logits.numpy(), sh=arrays.sh.numpy(), unit=photos.unit,
        name=photos.name_for("Splats"),
    )  # fmt: skip


def side_by_side(shown: torch.Tensor, photo: torch.Tensor) -> Image:
    """Render, photo and four times their difference, as one image."""
    strip = torch.cat([shown, photo, (4 * (shown - photo).abs()).clamp(0, 1)], dim=2)
    return Image(
        pixels=(255 * strip).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy(), name="Render, photo, error"
    )
