"""The compiled renderer for the CPU, if it was built: float32 tensors in, float32 tensors out."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from engines.blocks import compiled_library
from engines.blocks.cameras import Camera

CHANNELS = (1, 3, 4, 6, 7)
"""Numbers of features that there is a loop for."""
TILE = 16
PROJECTED = ((2,), (3,), (), (3,), ())
"""Shapes of a Gaussian's mean, conic, opacity, colour and depth."""


class CameraForC(ctypes.Structure):
    """As kernels.cpp and kernels.cu declare it."""

    _fields_ = (
        ("rotation", ctypes.c_float * 9),
        ("translation", ctypes.c_float * 3),
        *((name, ctypes.c_float) for name in ("fx", "fy", "cx", "cy", "width", "height", "near", "blur")),
        ("anti_aliased", ctypes.c_int),
    )


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or does not load."""
    found = compiled_library.load(Path(__file__).parent, "splat_count")
    if found is not None:
        found.splat_count.restype = ctypes.c_int64
    return found


def vector_width() -> int:
    """Bits of the vectors that the loops use on this machine; 0 without the library."""
    lib = library()
    return int(lib.splat_vector_width()) if lib is not None else 0


def serves(*tensors: Tensor) -> bool:
    """Whether these can go to the library."""
    return library() is not None and all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors)


def project(inputs: Sequence[Tensor], camera: CameraForC, degree: int) -> list[Tensor]:
    """Means, conics, opacities, colours and depths of what :class:`Gaussians` holds."""
    n = len(inputs[0])
    outputs = [inputs[0].new_empty(n, *shape) for shape in PROJECTED]
    _call("splat_project", n, *inputs, inputs[4].shape[1], degree, camera, *outputs, torch.get_num_threads())
    return outputs


def project_backward(
    inputs: Sequence[Tensor], camera: CameraForC, degree: int, depths: Tensor, adjoints: Sequence[Tensor]
) -> list[Tensor]:
    """The derivatives by the inputs."""
    results = [torch.empty_like(t) for t in inputs]
    _call(
        "splat_project_backward", len(depths), *inputs, inputs[4].shape[1], degree, camera, depths, *adjoints,
        *results, torch.get_num_threads(),
    )  # fmt: skip
    return results


def rasterise(
    means: Tensor, conics: Tensor, opacities: Tensor, features: Tensor, depths: Tensor, width: int, height: int,
    widest: int = 0,
) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:  # fmt: skip
    """Image, transmittance, tiles that each Gaussian touches, and the lists for :func:`rasterise_backward`."""
    n, channels, threads = len(means), features.shape[1], torch.get_num_threads()
    given = (means, conics, opacities, features)
    counts = torch.empty(n, dtype=torch.int32)
    extents = means.new_empty(n, 3)
    pairs = _call("splat_count", n, *given[:3], depths, width, height, counts, extents, threads)
    tiles = -(-width // TILE) * -(-height // TILE)
    starts = torch.empty(tiles + 1, dtype=torch.int64)
    ids, slots = torch.empty(pairs, dtype=torch.int32), torch.empty(pairs, dtype=torch.int64)
    _call("splat_bin", n, means, conics, extents, depths, width, height, counts, starts, ids, slots, threads)
    image, clear = means.new_empty(channels, height, width), means.new_empty(height, width)
    last = torch.empty(height, width, dtype=torch.int32)
    _call(
        "splat_forward", n, channels, *given, extents, width, height, starts, ids, image, clear, last, threads, widest
    )
    return image, clear, counts, [extents, counts, starts, ids, slots, last]


def rasterise_backward(
    given: Sequence[Tensor], lists: Sequence[Tensor], clear: Tensor, d_image: Tensor, d_clear: Tensor, widest: int = 0
) -> list[Tensor]:
    """The derivatives by means, conics, opacities and features, which were ``given``."""
    extents, counts, starts, ids, slots, last = lists
    channels, (height, width) = given[3].shape[1], clear.shape
    results = [torch.empty_like(t) for t in given]
    _call(
        "splat_backward", len(counts), channels, *given, extents, width, height, counts, starts, ids, slots, clear,
        last, d_image, d_clear, clear.new_empty(len(ids), 6 + channels), *results, torch.get_num_threads(), widest,
    )  # fmt: skip
    return results


def blur(planes: Tensor, weights: Tensor) -> Tensor:
    """(C, H, W) under a window of 11 weights along both axes, zeros outside."""
    result = torch.empty_like(planes)
    _call("splat_blur", len(planes), planes, result, *planes.shape[1:], weights, torch.get_num_threads())
    return result


def camera_for_c(camera: Camera, near: float, blur: float, anti_aliased: bool) -> CameraForC:
    """The camera with the nearest depth that is drawn and the low-pass filter."""
    return CameraForC(
        (ctypes.c_float * 9)(*camera.rotation.ravel().tolist()),
        (ctypes.c_float * 3)(*camera.translation.tolist()),
        camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height, near, blur, int(anti_aliased),
    )  # fmt: skip


def _call(name: str, count: int, *arguments: Tensor | int | CameraForC) -> int:
    lib = library()
    assert lib is not None
    return compiled_library.call(lib, name, count, *arguments)
