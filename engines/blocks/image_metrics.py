"""How alike two images are: PSNR and SSIM (Wang et al. 2004). Images are (C, H, W) with values in [0, 1]."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from engines.blocks.splatting import differentiable

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def psnr(image: Tensor, truth: Tensor) -> float:
    """-10 log10 of the mean squared error, in dB; infinite when they are equal."""
    error = float(((image - truth) ** 2).mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(image: Tensor, truth: Tensor) -> Tensor:
    """Mean over the image of the structural similarity, Gaussian window of 11 x 11, zeros outside; a scalar."""
    if differentiable.cuda.serves(image, truth) and not truth.requires_grad:
        return differentiable.Ssim.apply(image, truth, _window(image.dtype, image.device))  # type: ignore[no-any-return]
    stack = torch.cat([image, truth, image * image, truth * truth, image * truth])
    mu_x, mu_y, xx, yy, xy = blur(stack).chunk(5)
    cross, squares = mu_x * mu_y, mu_x * mu_x + mu_y * mu_y
    top = (2 * cross + C1) * (2 * (xy - cross) + C2)
    bottom = (squares + C1) * (xx + yy - squares + C2)
    return (top / bottom).mean()


def blur(stack: Tensor) -> Tensor:
    """(C, H, W) under the window, which is the product of one along rows and one along columns."""
    kernel = _window(stack.dtype, stack.device)
    if differentiable.backend(stack) is not None:
        return differentiable.Blur.apply(stack, kernel)  # type: ignore[no-any-return]
    planes = stack[:, None]
    planes = torch.nn.functional.conv2d(planes, kernel[None, None, None, :], padding=(0, WINDOW // 2))
    return torch.nn.functional.conv2d(planes, kernel[None, None, :, None], padding=(WINDOW // 2, 0))[:, 0]


@functools.cache
def _window(dtype: torch.dtype, device: torch.device) -> Tensor:
    at = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-(at**2) / (2 * SIGMA**2))
    return (weights / weights.sum()).to(device, dtype)
