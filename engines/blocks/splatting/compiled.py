"""The compiled renderer for the CPU, if it was built: float32 tensors in, float32 tensors out."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from engines.blocks.cameras import Camera

CHANNELS = (1, 3, 4, 6, 7)
"""Numbers of features that there is a loop for."""


class _Camera(ctypes.Structure):
    _fields_ = (
        ("rotation", ctypes.c_float * 9),
        ("translation", ctypes.c_float * 3),
        *((name, ctypes.c_float) for name in ("fx", "fy", "cx", "cy", "width", "height", "near", "blur")),
        ("anti_aliased", ctypes.c_int),
    )


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or does not load."""
    for path in sorted(Path(__file__).parent.glob("kernels*.so")) + sorted(Path(__file__).parent.glob("kernels*.pyd")):
        try:
            found = ctypes.CDLL(str(path))
            found.splat_count.restype = ctypes.c_int64
            return found
        except (OSError, AttributeError):
            continue
    return None


def vector_width() -> int:
    """Bits of the vectors that the loops use on this machine; 0 without the library."""
    lib = library()
    return int(lib.splat_vector_width()) if lib is not None else 0


def serves(*tensors: Tensor) -> bool:
    """Whether these can go to the library."""
    return library() is not None and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    assert tensor.is_contiguous()
    return ctypes.c_void_p(tensor.data_ptr())


class Project(torch.autograd.Function):
    """As :func:`engines.blocks.splatting.twin.project`."""

    @staticmethod
    def forward(ctx, means, quaternions, log_scales, opacity_logits, sh, camera: Camera, degree, near, blur, aa):  # type: ignore[no-untyped-def]
        inputs = [t.detach().contiguous() for t in (means, quaternions, log_scales, opacity_logits, sh)]
        ctx.camera = _camera(camera, near, blur, aa)
        ctx.degree = degree
        n = len(means)
        outputs = [means.new_empty(n, *shape) for shape in ((2,), (3,), (), (3,), ())]
        _call("splat_project", n, *inputs, sh.shape[1], degree, ctx.camera, *outputs, torch.get_num_threads())
        ctx.save_for_backward(*inputs, outputs[4])
        return tuple(outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *adjoints):  # type: ignore[no-untyped-def]
        *inputs, depths = ctx.saved_tensors
        results = [torch.empty_like(t) for t in inputs]
        given = [g.contiguous() for g in adjoints]
        _call(
            "splat_project_backward", len(depths), *inputs, inputs[4].shape[1], ctx.degree, ctx.camera, depths, *given,
            *results, torch.get_num_threads(),
        )  # fmt: skip
        return (*results, None, None, None, None, None)


class Rasterise(torch.autograd.Function):
    """As :func:`engines.blocks.splatting.twin.rasterise`; depths carry no derivative."""

    @staticmethod
    def forward(ctx, means, conics, opacities, features, depths, width, height, widest):  # type: ignore[no-untyped-def]
        given = [t.detach().contiguous() for t in (means, conics, opacities, features)]
        depths = depths.detach().contiguous()
        n, channels, threads = len(means), features.shape[1], torch.get_num_threads()
        counts = torch.empty(n, dtype=torch.int32)
        extents = means.new_empty(n, 3)
        pairs = _call("splat_count", n, *given[:3], depths, width, height, counts, extents, threads)
        tiles = -(-width // 16) * -(-height // 16)
        starts = torch.empty(tiles + 1, dtype=torch.int64)
        ids, slots = torch.empty(pairs, dtype=torch.int32), torch.empty(pairs, dtype=torch.int64)
        _call("splat_bin", n, given[0], given[1], extents, depths, width, height, counts, starts, ids, slots, threads)
        image, clear = means.new_empty(channels, height, width), means.new_empty(height, width)
        last = torch.empty(height, width, dtype=torch.int32)
        _call(
            "splat_forward", n, channels, *given, extents, width, height, starts, ids, image, clear, last, threads,
            widest,
        )  # fmt: skip
        ctx.save_for_backward(*given, extents, counts, starts, ids, slots, clear, last)
        ctx.size, ctx.widest = (width, height), widest
        ctx.mark_non_differentiable(counts)
        return image, clear, counts

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_image, d_clear, _):  # type: ignore[no-untyped-def]
        means, conics, opacities, features, extents, counts, starts, ids, slots, clear, last = ctx.saved_tensors
        channels = features.shape[1]
        results = [torch.empty_like(t) for t in (means, conics, opacities, features)]
        _call(
            "splat_backward", len(means), channels, means, conics, opacities, features, extents, *ctx.size, counts,
            starts, ids, slots, clear, last, d_image.contiguous(), d_clear.contiguous(),
            means.new_empty(len(ids), 6 + channels), *results, torch.get_num_threads(), ctx.widest,
        )  # fmt: skip
        return (*results, None, None, None, None)


class Blur(torch.autograd.Function):
    """(C, H, W) under a symmetric window of 11 weights along both axes, zeros outside: its own adjoint."""

    @staticmethod
    def forward(ctx, planes, weights):  # type: ignore[no-untyped-def]
        ctx.weights = weights
        return _blur(planes.detach(), weights)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, adjoint):  # type: ignore[no-untyped-def]
        return _blur(adjoint, ctx.weights), None


def _blur(planes: Tensor, weights: Tensor) -> Tensor:
    planes, result = planes.contiguous(), torch.empty_like(planes, memory_format=torch.contiguous_format)
    _call("splat_blur", len(planes), planes, result, *planes.shape[1:], weights, torch.get_num_threads())
    return result


def _camera(camera: Camera, near: float, blur: float, anti_aliased: bool) -> _Camera:
    return _Camera(
        (ctypes.c_float * 9)(*camera.rotation.ravel().tolist()),
        (ctypes.c_float * 3)(*camera.translation.tolist()),
        camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height, near, blur, int(anti_aliased),
    )  # fmt: skip


def _call(name: str, count: int, *arguments: Tensor | int | _Camera) -> int:
    """Call an entry point; tensors go as pointers, the first argument as 64 bits."""
    lib = library()
    assert lib is not None
    as_c = [
        _pointer(a) if isinstance(a, Tensor) else ctypes.byref(a) if isinstance(a, _Camera) else ctypes.c_int(a)
        for a in arguments
    ]
    return int(getattr(lib, name)(ctypes.c_int64(count), *as_c))
