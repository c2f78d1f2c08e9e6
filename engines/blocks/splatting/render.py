"""From Gaussians and a camera to an image, differentiably."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.blocks.splatting import differentiable, twin
from engines.blocks.splatting.gaussians import Gaussians

NEAR, BLUR = 0.01, 0.3
"""Nothing nearer than this is drawn; and the low-pass filter, in squared pixels."""


@dataclass(frozen=True)
class Projection:
    """N Gaussians as a camera sees them; all 0 for those that it does not see."""

    means: Tensor  # (N, 2) pixels
    conics: Tensor  # (N, 3): a, b, c of q = a dx^2 + 2 b dx dy + c dy^2
    opacities: Tensor  # (N,)
    colours: Tensor  # (N, 3)
    depths: Tensor  # (N,)


@dataclass(frozen=True)
class Rendering:
    image: Tensor  # (3, H, W)
    alpha: Tensor  # (H, W)
    depth: Tensor | None  # (H, W), sum of T alpha z
    projection: Projection
    touched: Tensor  # (N,) tiles that each Gaussian touches; 0: not in view


def project(
    gaussians: Gaussians, camera: Camera, *, degree: int | None = None, near: float = NEAR, blur: float = BLUR,
    anti_aliased: bool = False,
) -> Projection:  # fmt: skip
    """EWA splatting (Zwicker et al. 2001) of each Gaussian. ``degree``: of the spherical harmonics that count."""
    degree = gaussians.degree if degree is None else min(degree, gaussians.degree)
    tensors = (
        gaussians.means, gaussians.quaternions, gaussians.log_scales, gaussians.opacity_logits, gaussians.sh,
    )  # fmt: skip
    if differentiable.backend(*tensors) is not None:
        return Projection(*differentiable.Project.apply(*tensors, camera, degree, near, blur, anti_aliased))
    return Projection(*twin.project(gaussians, camera, degree, near, blur, anti_aliased))


def rasterise(
    projection: Projection, features: Tensor, width: int, height: int, *, widest: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Features (N, C) blended front to back: (C, H, W), alpha (H, W), tiles touched (N,).

    ``widest`` limits the bits of the vectors that the loops on a CPU use (0: no limit).
    """
    p = projection
    if differentiable.backend(p.means, p.conics, p.opacities, features, p.depths) is not None:
        channels = features.shape[1]
        room = next((c for c in differentiable.CHANNELS if c >= channels), None)
        if room is None:
            raise ValueError(
                f"features have {channels} channels; at most {max(differentiable.CHANNELS)} can be drawn at once"
            )
        padded = torch.nn.functional.pad(features, (0, room - channels)) if room > channels else features
        found = differentiable.Rasterise.apply(p.means, p.conics, p.opacities, padded, p.depths, width, height, widest)
        image, clear, touched = found[0][:channels], found[1], found[2]
    else:
        image, clear, touched = twin.rasterise(p.means, p.conics, p.opacities, features, p.depths, width, height)
    return image, 1 - clear, touched


def render(
    gaussians: Gaussians, camera: Camera, *, background: Tensor | None = None, degree: int | None = None,
    with_depth: bool = False, near: float = NEAR, blur: float = BLUR, anti_aliased: bool = False,
) -> Rendering:  # fmt: skip
    """What the camera sees. ``background`` (3,): the colour behind everything; black if None."""
    found = project(gaussians, camera, degree=degree, near=near, blur=blur, anti_aliased=anti_aliased)
    features = torch.cat([found.colours, found.depths[:, None]], dim=1) if with_depth else found.colours
    image, alpha, touched = rasterise(found, features, camera.width, camera.height)
    colours = image[:3]
    if background is not None:
        colours = colours + (1 - alpha) * background[:, None, None]
    return Rendering(colours, alpha, image[3] if with_depth else None, found, touched)
