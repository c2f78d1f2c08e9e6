"""What the training of a hand avatar minimises (XHand, Gan et al. 2024): the parts that are not formulas of one line.

    image        (1 - a) mean |I - I*| over the pixels that show the hand in both + a D(I, I*),       a = 0.2
    smoothness   sum_v w_v l_v,      w_v = 1 where l_v is above its lower quartile: by parts; or everywhere: uniform
    mean albedo  mean over red, green and blue of (mean over the pixels - (0.441, 0.361, 0.320))^2

D is LPIPS (VGG) where its weights are there; else 1 - SSIM and the difference of slopes, on three scales.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from engines.blocks import lpips
from engines.blocks.image_metrics import ssim
from engines.blocks.meshes.smoothing import (
    EdgeGrowth,
    above_quantile,
    below_quantile,
    roughness,
    smoothness,
    uniform_laplacian,
)

MEAN_ALBEDO = (0.44126652, 0.36127372, 0.31996773)
"""Of hands, red, green and blue, in the reference implementation."""
SCALES = 3
SMALLEST = 8
"""A scale with fewer pixels on a side says nothing."""
Parts = Literal["by parts", "uniform"]


class Likeness:
    """How different pictures look, as a differentiable number; ``lacking`` says why it is not LPIPS."""

    def __init__(self, device: torch.device) -> None:
        self.network, self.lacking = lpips.find(device)

    def __call__(self, images: Tensor, truths: Tensor) -> Tensor:
        """Mean over B pictures (B, H, W, 3) with values in [0, 1]."""
        ours, theirs = images.permute(0, 3, 1, 2), truths.permute(0, 3, 1, 2)
        if self.network is None or min(ours.shape[2:]) < self.network.network.least:
            return _by_scales(ours, theirs)
        return torch.stack([self._perceptual(*pair) for pair in zip(ours, theirs, strict=True)]).mean()

    def _perceptual(self, image: Tensor, truth: Tensor) -> Tensor:
        assert self.network is not None
        with torch.no_grad():
            wanted = self.network.features(truth)
        layers = zip(self.network.shares, self.network.features(image), wanted, strict=True)
        return torch.stack([(w[:, None, None] * (a - b) ** 2).sum(0).mean() for w, a, b in layers]).sum()


def _by_scales(images: Tensor, truths: Tensor) -> Tensor:
    """Mean over scales, each half the size of the one before, of pictures (B, 3, H, W)."""
    found = []
    for scale in range(SCALES):
        if scale:
            images, truths = avg_pool2d(images, 2), avg_pool2d(truths, 2)
        if scale and min(images.shape[2:]) < SMALLEST:
            break
        slopes = [(images.diff(dim=d) - truths.diff(dim=d)).abs().mean() for d in (2, 3)]
        found.append(1 - ssim(images.flatten(0, 1), truths.flatten(0, 1)) + slopes[0] + slopes[1])
    return torch.stack(found).mean()


class Smoothing:
    """Terms that keep the surface and what it carries in order; ``vertex_weights`` (N,) is their general form."""

    def __init__(
        self, faces: np.ndarray, rest: np.ndarray, parts: Parts, quantile: float, vertex_weights: Tensor | None = None
    ) -> None:
        self.laplacian = uniform_laplacian(faces, len(rest))
        self.growth = EdgeGrowth(faces, rest)
        """Of edges; squared lengths in m², to which its weight of 5e5 belongs."""
        self.parts, self.quantile, self.weights = parts, quantile, vertex_weights

    def rough(self, values: Tensor) -> Tensor:
        """What is rougher than the quantile, of values (N, C)."""
        l = roughness(self.laplacian, values)
        return self._sum(l, above_quantile(l, self.quantile)) if self.parts == "by parts" else self.all_of(values)

    def fine(self, values: Tensor) -> Tensor:
        """What is smoother than the quantile: it stays smooth."""
        l = roughness(self.laplacian, values)
        return self._sum(l, below_quantile(l, self.quantile)) if self.parts == "by parts" else self.all_of(values)

    def all_of(self, values: Tensor) -> Tensor:
        """Everything, alike."""
        l = roughness(self.laplacian, values)
        return self._sum(l, torch.ones_like(l))

    def _sum(self, l: Tensor, chosen: Tensor) -> Tensor:
        return smoothness(l, chosen if self.weights is None else chosen * self.weights)


def mean_albedo(albedo: Tensor) -> Tensor:
    """How far the mean of albedo (P, 3) is from that of hands."""
    return ((albedo.mean(0) - albedo.new_tensor(MEAN_ALBEDO)) ** 2).mean()
