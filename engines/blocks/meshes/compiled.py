"""The compiled rasteriser for the CPU, if it was built: float32 tensors in, float32 tensors out."""

from __future__ import annotations

import ctypes
from pathlib import Path

import torch
from torch import Tensor

from engines.blocks import compiled_library
from engines.blocks.meshes.antialiasing import Crossings, Edges
from engines.blocks.meshes.rasterising_twin import no_such_vertex, not_finite


def library() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or does not load."""
    return compiled_library.load(Path(__file__).parent, "mesh_rasterise")


def serves(*tensors: Tensor) -> bool:
    """Whether these can go to the library."""
    return all(t.device.type == "cpu" and t.dtype == torch.float32 for t in tensors) and library() is not None


def finds_silhouettes(*tensors: Tensor) -> bool:
    """Whether these can go to :func:`crossings`, which a library that was built some time ago may lack."""
    return serves(*tensors) and hasattr(library(), "mesh_crossings")


def rasterise(
    points: Tensor, faces: Tensor, intrinsics: Tensor, width: int, height: int, near: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Triangles (B, H, W) int32, barycentrics (B, H, W, 3), depths (B, H, W); faces int32, intrinsics float64."""
    views, vertices = points.shape[:2]
    triangles = torch.empty(views, height, width, dtype=torch.int32)
    barycentrics, depths = points.new_empty(views, height, width, 3), points.new_empty(views, height, width)
    fault = _call(
        "mesh_rasterise", views, vertices, len(faces), points, faces, intrinsics, width, height, near, triangles,
        barycentrics, depths, torch.get_num_threads(),
    )  # fmt: skip
    if fault:
        raise no_such_vertex() if fault == 1 else not_finite()
    return triangles, barycentrics, depths


def rasterise_backward(
    points: Tensor, faces: Tensor, intrinsics: Tensor, triangles: Tensor, d_barycentrics: Tensor, d_depths: Tensor
) -> Tensor:
    """The derivative by the points."""
    views, height, width = triangles.shape
    result = torch.empty_like(points)
    _call(
        "mesh_rasterise_backward", views, points.shape[1], points, faces, intrinsics, width, height, triangles,
        d_barycentrics, d_depths, result, torch.get_num_threads(),
    )  # fmt: skip
    return result


def interpolate(
    attributes: Tensor, faces: Tensor, triangles: Tensor, barycentrics: Tensor, pixels: Tensor | None
) -> Tensor:
    """Values (P, C) at these pixels, or at all."""
    _fit(faces, attributes.shape[-2], triangles)
    count = triangles.numel() if pixels is None else len(pixels)
    values = attributes.new_empty(count, attributes.shape[-1])
    _call(
        "mesh_interpolate", count, pixels, *_layout(attributes, triangles), attributes, faces, triangles, barycentrics,
        values, torch.get_num_threads(),
    )  # fmt: skip
    return values


def interpolate_backward(
    attributes: Tensor, faces: Tensor, triangles: Tensor, barycentrics: Tensor, pixels: Tensor | None,
    d_values: Tensor, by_attributes: bool, by_barycentrics: bool,
) -> tuple[Tensor | None, Tensor | None]:  # fmt: skip
    """The derivatives by attributes and barycentrics, where asked for."""
    d_attributes = torch.zeros_like(attributes) if by_attributes else None
    d_barycentrics = torch.zeros_like(barycentrics) if by_barycentrics else None
    _call(
        "mesh_interpolate_backward", len(d_values), pixels, *_layout(attributes, triangles), attributes, faces,
        triangles, barycentrics, d_values, d_barycentrics, d_attributes, torch.get_num_threads(),
    )  # fmt: skip
    return d_attributes, d_barycentrics


def crossings(
    points: Tensor, faces: Tensor, edges: Edges, lenses: Tensor, triangles: Tensor, depths: Tensor, near: float
) -> tuple[Crossings, Crossings]:
    """Where silhouettes part pixels of rows, and of columns."""
    views, height, width = triangles.shape
    _fit(faces, points.shape[1], triangles)
    _fit(edges.ends, points.shape[1])
    given = points, faces, edges.ends, edges.of_faces, edges.forward, lenses
    counts, room = torch.empty(2, dtype=torch.int64), 4 * views * (width + height)
    while True:  # as a rule once
        found = torch.empty(room, 7, dtype=torch.int64)
        _call(
            "mesh_crossings", views, points.shape[1], len(faces), len(edges.ends), *given, width, height, near,
            triangles, depths, ctypes.c_int64(room), found, counts, torch.get_num_threads(),
        )  # fmt: skip
        in_rows, in_columns = counts.tolist()
        if in_rows + in_columns <= room:
            break
        room = in_rows + in_columns
    parts = found[:in_rows], found[in_rows : in_rows + in_columns]
    rows, columns = (Crossings(p[:, 0], p[:, 1:3], p[:, 3], p[:, 4], p[:, 5], p[:, 6] > 0) for p in parts)
    return rows, columns


def _fit(faces: Tensor, vertices: int, triangles: Tensor | None = None) -> None:
    """Refuse what would lead the library to memory that is not its own."""
    if faces.numel() and int(faces.max()) >= vertices:
        raise no_such_vertex()
    if triangles is not None and triangles.numel() and int(triangles.max()) >= len(faces):
        raise ValueError("the fragments are those of other faces")


def _layout(attributes: Tensor, triangles: Tensor) -> tuple[ctypes.c_int64, int, ctypes.c_int64]:
    """Pixels of a picture, channels, and how far apart the attributes of two views lie."""
    stride = attributes.shape[1] * attributes.shape[2] if attributes.dim() == 3 else 0
    return ctypes.c_int64(triangles.shape[1] * triangles.shape[2]), attributes.shape[-1], ctypes.c_int64(stride)


def _call(name: str, count: int, *arguments: compiled_library.Argument) -> int:
    lib = library()
    assert lib is not None
    return compiled_library.call(lib, name, count, *arguments)
