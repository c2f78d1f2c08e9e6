"""The rasteriser for CUDA devices: kernels.cu behind the same functions as :mod:`.compiled`."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from engines.blocks.cuda_kernels import THREADS, Kernels, Long
from engines.blocks.meshes.rasterising_twin import no_such_vertex, not_finite

KERNELS = Kernels(Path(__file__).with_name("kernels.cu"))
LANES = 8
"""Threads of a triangle."""


class Scene(ctypes.Structure):
    """As kernels.cu declares it."""

    _fields_ = (
        *((name, ctypes.c_longlong) for name in ("views", "vertices", "faces")),
        *((name, ctypes.c_int) for name in ("width", "height")),
        ("near", ctypes.c_double),
    )


def serves(*tensors: Tensor) -> bool:
    """Whether these can go to the kernels. The first call on a device may compile them."""
    if not all(t.device.type == "cuda" and t.dtype == torch.float32 for t in tensors):
        return False
    return not KERNELS.missing(tensors[0].device)


def rasterise(
    points: Tensor, faces: Tensor, intrinsics: Tensor, width: int, height: int, near: float
) -> tuple[Tensor, Tensor, Tensor]:
    views, vertices = points.shape[:2]
    fault = ((faces < 0) | (faces >= vertices)).any() + 2 * ~torch.isfinite(points).all()
    if code := int(fault):  # the one time that the CPU waits for the GPU
        raise no_such_vertex() if code % 2 else not_finite()
    scene = Scene(views, vertices, len(faces), width, height, near)
    keys = torch.full((views, height, width), -1, dtype=torch.int64, device=points.device)
    given = scene, points, faces, intrinsics, keys
    KERNELS.launch("draw_triangles", _blocks(views * len(faces) * LANES), *given)
    triangles = torch.empty_like(keys, dtype=torch.int32)
    barycentrics, depths = points.new_empty(*keys.shape, 3), points.new_empty(keys.shape)
    KERNELS.launch("resolve_pixels", _blocks(keys.numel()), *given, triangles, barycentrics, depths)
    return triangles, barycentrics, depths


def rasterise_backward(
    points: Tensor, faces: Tensor, intrinsics: Tensor, triangles: Tensor, d_barycentrics: Tensor, d_depths: Tensor
) -> Tensor:
    views, height, width = triangles.shape
    pixels = (triangles.reshape(-1) >= 0).nonzero()[:, 0]
    slopes = points.new_empty(len(pixels), 3, 3)
    scene = Scene(views, points.shape[1], len(faces), width, height, 0.0)
    KERNELS.launch(
        "slopes_at_pixels", _blocks(len(pixels)), scene, Long(len(pixels)), pixels, points, faces, intrinsics,
        triangles, d_barycentrics, d_depths, slopes,
    )  # fmt: skip
    result = torch.empty_like(points)
    starts, order = _by_vertex(faces, triangles, pixels, points.shape[1], views)
    rows = views * points.shape[1]
    KERNELS.launch("add_slopes", _blocks(3 * rows), Long(rows), 3, starts, order, slopes, result)
    return result


def interpolate(
    attributes: Tensor, faces: Tensor, triangles: Tensor, barycentrics: Tensor, pixels: Tensor | None
) -> Tensor:
    pixels, layout = _layout(attributes, triangles, pixels)
    values = attributes.new_empty(len(pixels), attributes.shape[-1])
    KERNELS.launch(
        "interpolate", _blocks(values.numel()), Long(len(pixels)), pixels, *layout, attributes, faces, triangles,
        barycentrics, values,
    )  # fmt: skip
    return values


def interpolate_backward(
    attributes: Tensor, faces: Tensor, triangles: Tensor, barycentrics: Tensor, pixels: Tensor | None,
    d_values: Tensor, by_attributes: bool, by_barycentrics: bool,
) -> tuple[Tensor | None, Tensor | None]:  # fmt: skip
    pixels, layout = _layout(attributes, triangles, pixels)
    d_attributes = d_barycentrics = None
    if by_barycentrics:
        d_barycentrics = torch.zeros_like(barycentrics)
        KERNELS.launch(
            "slopes_by_barycentrics", _blocks(3 * len(pixels)), Long(len(pixels)), pixels, *layout, attributes, faces,
            triangles, d_values, d_barycentrics,
        )  # fmt: skip
    if by_attributes:
        covered = (triangles.reshape(-1)[pixels] >= 0).nonzero()[:, 0]
        shown, given = pixels[covered], d_values[covered]
        weights = barycentrics.reshape(-1, 3)[shown]
        views = len(attributes) if attributes.dim() == 3 else 1
        starts, order = _by_vertex(faces, triangles, shown, attributes.shape[-2], views)
        d_attributes = torch.empty_like(attributes)
        rows, channels = views * attributes.shape[-2], attributes.shape[-1]
        KERNELS.launch(
            "add_weighted", _blocks(rows * channels), Long(rows), channels, starts, order, given, weights, d_attributes
        )
    return d_attributes, d_barycentrics


def _by_vertex(faces: Tensor, triangles: Tensor, pixels: Tensor, vertices: int, views: int) -> tuple[Tensor, Tensor]:
    """The pixels' corners, 3 P of them, in the order of their vertices, and where each vertex's begin.

    With more than one of ``views`` each has vertices of its own.
    """
    corners = faces[triangles.reshape(-1)[pixels].long()]
    if views > 1:
        view = torch.div(pixels, triangles.shape[1] * triangles.shape[2], rounding_mode="floor")
        corners = corners + vertices * view[:, None].int()
    found, order = corners.reshape(-1).sort(stable=True)
    numbers = torch.arange(vertices * views + 1, dtype=found.dtype, device=found.device)
    return torch.searchsorted(found, numbers), order


def _layout(attributes: Tensor, triangles: Tensor, pixels: Tensor | None) -> tuple[Tensor, tuple[Long, int, Long]]:
    """The pixels; pixels of a picture, channels, and how far apart the attributes of two views lie."""
    if pixels is None:
        pixels = torch.arange(triangles.numel(), device=triangles.device)
    stride = attributes.shape[1] * attributes.shape[2] if attributes.dim() == 3 else 0
    return pixels, (Long(triangles.shape[1] * triangles.shape[2]), attributes.shape[-1], Long(stride))


def _blocks(count: int) -> int:
    return -(-count // THREADS)
