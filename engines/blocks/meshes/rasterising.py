"""Triangle meshes as a camera sees them, differentiably: which triangle each pixel shows, and where in it.

    points = to_camera(vertices, world_to_camera)                      # (B, V, 3)
    fragments = rasterise(points, faces, intrinsics, width, height)
    image = interpolate(colours, faces, fragments)                     # (B, H, W, C)
    image = antialias(image, fragments, points, faces, intrinsics)

Barycentrics and depths carry derivatives by the points, as long as the pixel shows the same triangle; how silhouettes
ought to move is seen by :func:`antialias` alone (Laine et al. 2020, whose order of stages this is). Behind the door
stand compiled rasterisers for the CPU (``kernels.cpp``) and for CUDA devices (``kernels.cu``), and their twin in plain
torch (:mod:`.rasterising_twin`), which serves where there is neither and for other dtypes. The same bits come each
time, with any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.blocks.meshes import antialiasing, compiled, cuda, rasterising_twin
from engines.blocks.meshes.antialiasing import Edges

NEAR = 0.01
"""Nothing nearer than this is drawn (m)."""


@dataclass(frozen=True)
class Fragments:
    """What the pixels of B pictures show. Where there is nothing, barycentrics and depths are 0."""

    triangles: Tensor  # (B, H, W) int32, -1 where there is nothing
    barycentrics: Tensor  # (B, H, W, 3), perspective-correct: the point is their sum with the corners
    depths: Tensor  # (B, H, W), z in the camera's frame

    @property
    def mask(self) -> Tensor:
        """(B, H, W) bool, where there is something."""
        return self.triangles >= 0

    def covered(self) -> Tensor:
        """(P,) int64, the pixels where there is something, numbered through all pictures: ((b H) + y) W + x."""
        return (self.triangles.reshape(-1) >= 0).nonzero()[:, 0]

    def picture(self, values: Tensor, pixels: Tensor, background: float = 0.0) -> Tensor:
        """(B, H, W, C) with the values (P, C) at these pixels, ``background`` elsewhere."""
        flat = values.new_full((self.triangles.numel(), values.shape[1]), background)
        return flat.index_put((pixels,), values).reshape(*self.triangles.shape, -1)


def camera_tensors(
    cameras: Sequence[Camera], device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """``world_to_camera`` (B, 4, 4) and intrinsics (B, 4) float64: fx, fy, cx, cy in pixels."""
    poses = torch.tensor(np.stack([camera.world_to_camera for camera in cameras]), dtype=dtype, device=device)
    lenses = [(camera.fx, camera.fy, camera.cx, camera.cy) for camera in cameras]
    return poses, torch.tensor(lenses, dtype=torch.float64, device=device)


def to_camera(points: Tensor, world_to_camera: Tensor) -> Tensor:
    """Points (V, 3) or (B, V, 3) of the world in the frames (B, V, 3) of cameras (B, 4, 4); differentiable by both."""
    poses = world_to_camera.to(points)
    views = points.expand(len(poses), *points.shape[-2:])
    return torch.baddbmm(poses[:, None, :3, 3], views, poses[:, :3, :3].transpose(1, 2))


def rasterise(
    points: Tensor, faces: Tensor, intrinsics: Tensor, width: int, height: int, *, near: float = NEAR
) -> Fragments:
    """What each pixel's centre shows of B views of one mesh, front and back sides alike.

    ``points`` (B, V, 3) lie in the cameras' frames (OpenCV; see :mod:`engines.blocks.cameras`), ``faces`` (F, 3) are
    integers, ``intrinsics`` (B, 4) hold fx, fy, cx, cy in pixels and carry no derivative. Triangles that pass the near
    plane are drawn as far as they lie before it, those without an area not at all.

    Raises ``UserError`` if a coordinate is not finite, ``ValueError`` if shapes do not fit or a face names no vertex.
    """
    if points.dim() != 3 or points.shape[2] != 3 or faces.dim() != 2 or faces.shape[1] != 3:
        raise ValueError(f"points (B, V, 3) and faces (F, 3) are wanted, not {(*points.shape,)} and {(*faces.shape,)}")
    if intrinsics.shape != (len(points), 4):
        raise ValueError(f"intrinsics ({len(points)}, 4) are wanted, not {(*intrinsics.shape,)}")
    if not (width > 0 and height > 0 and near > 0):
        raise ValueError("width, height and near must be positive")
    if backend(points) is None:
        return Fragments(*rasterising_twin.rasterise(points, faces, intrinsics, width, height, near))
    lens = intrinsics.to(points.device, torch.float64).contiguous()
    return Fragments(*_Rasterise.apply(points, _plain(faces, points), lens, width, height, float(near)))


def interpolate(attributes: Tensor, faces: Tensor, fragments: Fragments, pixels: Tensor | None = None) -> Tensor:
    """Attributes of the vertices (V, C), or of each view's (B, V, C), at the pixels: (B, H, W, C), 0 where nothing is.

    With ``pixels`` (P,), as :meth:`Fragments.covered` gives them, each at most once: (P, C) at those alone, which saves
    the empty ones. One call with many channels is quicker than many calls with few. Differentiable by attributes and
    barycentrics.
    """
    triangles, barycentrics = fragments.triangles, fragments.barycentrics
    views = len(triangles)
    if attributes.dim() not in (2, 3) or (attributes.dim() == 3 and len(attributes) != views):
        raise ValueError(f"attributes (V, C) or ({views}, V, C) are wanted, not {(*attributes.shape,)}")
    if backend(attributes, barycentrics) is None:
        values = rasterising_twin.interpolate(attributes, faces, triangles, barycentrics, pixels)
    else:
        values = _Interpolate.apply(attributes, barycentrics, _plain(faces, triangles), triangles, pixels)
    return values if pixels is not None else values.reshape(*triangles.shape, -1)


def antialias(
    image: Tensor, fragments: Fragments, points: Tensor, faces: Tensor, intrinsics: Tensor, *,
    edges: Edges | None = None, near: float = NEAR,
) -> Tensor:  # fmt: skip
    """The image (B, H, W, C) of these fragments with pixels at silhouettes blended by how much of them is covered.

    The other arguments are those that :func:`rasterise` had. ``edges``: ``Edges.of(faces)``, to be made once where the
    same faces are drawn often. Differentiable by the image and, through the silhouettes, by the points.
    """
    if image.dim() != 4 or image.shape[:3] != fragments.triangles.shape:
        raise ValueError(f"an image ({(*fragments.triangles.shape,)}, C) is wanted, not {(*image.shape,)}")
    if edges is not None and edges.of_faces.shape != faces.shape:
        raise ValueError("the edges are those of other faces")
    plain, lens = _plain(faces, points), intrinsics.to(points.device, torch.float64).contiguous()
    finder = compiled if compiled.finds_silhouettes(points, fragments.depths) else antialiasing
    found = finder.crossings(
        points.detach().contiguous(), plain, Edges.of(plain) if edges is None else edges, lens, fragments.triangles,
        fragments.depths.detach().contiguous(), near,
    )  # fmt: skip
    return antialiasing.blend(image, points, lens, found)


def backend(*tensors: Tensor) -> ModuleType | None:
    """What can work on these tensors, which lie on one device; None: only the plain twin can."""
    return next((module for module in (compiled, cuda) if module.serves(*tensors)), None)


def without_fast_rasteriser(device: torch.device) -> str:
    """What to tell the user of a device on which the plain twin has to serve; empty where a fast rasteriser works."""
    if device.type == "cpu":
        if compiled.library() is not None:
            return ""
        return "The compiled rasteriser is missing here: its plain stand-in takes over, which is many times slower."
    if device.type != "cuda":
        return f"There is no fast rasteriser for '{device.type}': its plain stand-in takes over."
    if not (reason := cuda.KERNELS.missing(device)):
        return ""
    return f"The rasteriser for this GPU cannot be used. {reason} Its plain stand-in takes over."


def _plain(faces: Tensor, like: Tensor) -> Tensor:
    return faces.to(like.device, torch.int32).contiguous()


class _Rasterise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points, faces, intrinsics, width, height, near):  # type: ignore[no-untyped-def]
        given = points.detach().contiguous()
        ctx.backend = backend(given)
        triangles, barycentrics, depths = ctx.backend.rasterise(given, faces, intrinsics, width, height, near)
        ctx.save_for_backward(given, faces, intrinsics, triangles)
        ctx.mark_non_differentiable(triangles)
        return triangles, barycentrics, depths

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, _, d_barycentrics, d_depths):  # type: ignore[no-untyped-def]
        adjoints = d_barycentrics.contiguous(), d_depths.contiguous()
        return (ctx.backend.rasterise_backward(*ctx.saved_tensors, *adjoints), *[None] * 5)


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, attributes, barycentrics, faces, triangles, pixels):  # type: ignore[no-untyped-def]
        given = attributes.detach().contiguous(), faces, triangles, barycentrics.detach().contiguous()
        ctx.backend, ctx.pixels = backend(given[0], given[3]), pixels
        ctx.save_for_backward(*given)
        return ctx.backend.interpolate(*given, pixels)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_values):  # type: ignore[no-untyped-def]
        found = ctx.backend.interpolate_backward(
            *ctx.saved_tensors, ctx.pixels, d_values.contiguous(), *ctx.needs_input_grad[:2]
        )
        return (*found, None, None, None)
