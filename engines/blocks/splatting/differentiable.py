"""The fast renderers as functions with a derivative: on the CPU the library, on a CUDA device the kernels.

Both are modules with the same functions (:mod:`.compiled`, :mod:`.cuda`): float32 tensors in, float32 tensors out.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.blocks.splatting import compiled, cuda

CHANNELS = compiled.CHANNELS


def backend(*tensors: Tensor) -> ModuleType | None:
    """What can work on these tensors, which lie on one device; None: only the plain twin can."""
    return next((module for module in (compiled, cuda) if module.serves(*tensors)), None)


def without_fast_renderer(device: torch.device) -> str:
    """What to tell the user of a device on which the plain twin has to serve; empty where a fast renderer works.

    On a CUDA device the first call compiles the kernels, which takes some seconds.
    """
    if device.type == "cpu":
        if compiled.library() is not None:
            return ""
        return "The compiled renderer is missing here: its plain stand-in takes over, which is many times slower."
    if device.type != "cuda":
        reason = f"There is no fast renderer for '{device.type}'."
    elif not (reason := cuda.KERNELS.missing(device)):
        return ""
    return f"The renderer for this GPU cannot be used. {reason} Its plain stand-in takes over; the CPU may be faster."


class Project(torch.autograd.Function):
    """As :func:`engines.blocks.splatting.twin.project`."""

    @staticmethod
    def forward(ctx, means, quaternions, log_scales, opacity_logits, sh, camera: Camera, degree, near, blur, aa):  # type: ignore[no-untyped-def]
        inputs = [t.detach().contiguous() for t in (means, quaternions, log_scales, opacity_logits, sh)]
        ctx.camera = compiled.camera_for_c(camera, near, blur, aa)
        ctx.degree, ctx.backend = degree, backend(*inputs)
        outputs = ctx.backend.project(inputs, ctx.camera, degree)
        ctx.save_for_backward(*inputs, outputs[4])
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *adjoints):  # type: ignore[no-untyped-def]
        *inputs, depths = ctx.saved_tensors
        given = [g.contiguous() for g in adjoints]
        return (*ctx.backend.project_backward(inputs, ctx.camera, ctx.degree, depths, given), *[None] * 5)


class Rasterise(torch.autograd.Function):
    """As :func:`engines.blocks.splatting.twin.rasterise`; depths carry no derivative."""

    @staticmethod
    def forward(ctx, means, conics, opacities, features, depths, width, height, widest):  # type: ignore[no-untyped-def]
        given = [t.detach().contiguous() for t in (means, conics, opacities, features)]
        ctx.backend, ctx.widest = backend(*given), widest
        image, clear, counts, lists = ctx.backend.rasterise(*given, depths.detach().contiguous(), width, height, widest)
        ctx.save_for_backward(*given, clear, *lists)
        ctx.mark_non_differentiable(counts)
        return image, clear, counts

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_image, d_clear, _):  # type: ignore[no-untyped-def]
        *given, clear = ctx.saved_tensors[:5]
        results = ctx.backend.rasterise_backward(
            given, ctx.saved_tensors[5:], clear, d_image.contiguous(), d_clear.contiguous(), ctx.widest
        )
        return (*results, *[None] * 4)


class Blur(torch.autograd.Function):
    """(C, H, W) under a symmetric window of 11 weights along both axes, zeros outside: its own adjoint."""

    @staticmethod
    def forward(ctx, planes, weights):  # type: ignore[no-untyped-def]
        ctx.weights, ctx.backend = weights, backend(planes, weights)
        return ctx.backend.blur(planes.detach().contiguous(), weights)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, adjoint):  # type: ignore[no-untyped-def]
        return ctx.backend.blur(adjoint.contiguous(), ctx.weights), None


class Ssim(torch.autograd.Function):
    """As :func:`engines.blocks.image_metrics.ssim`, in one pass each way, on a CUDA device; by the image alone."""

    @staticmethod
    def forward(ctx, image, truth, weights):  # type: ignore[no-untyped-def]
        given = [t.detach().contiguous() for t in (image, truth, weights)]
        mean, slopes = cuda.ssim(*given, ctx.needs_input_grad[0])
        ctx.save_for_backward(*given, slopes)
        return mean

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, adjoint):  # type: ignore[no-untyped-def]
        return cuda.ssim_backward(*ctx.saved_tensors, adjoint), None, None
