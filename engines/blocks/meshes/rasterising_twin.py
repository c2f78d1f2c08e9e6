"""The rasteriser in plain torch: the reference of the compiled ones, and their stand-in. Any dtype, any device.

The formulas are in ``kernels.cpp``. Which triangle a pixel sees is found in float64, by the same operations in the
same order; barycentrics and depths follow from the corners by operations that autograd knows.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from engines.core import UserError

AT_ONCE = 1 << 20
"""Pairs of a triangle and a pixel that are tested at once."""
SLACK = 1e-6  # pixels
FARTHEST = (1 << 63) - 1


def not_finite() -> UserError:
    return UserError(
        "The mesh has points that are not finite.",
        "They lie nowhere in the picture.",
        "Check the pose; in training, lower the learning rate.",
    )


def no_such_vertex() -> ValueError:
    return ValueError("a face names a vertex that does not exist")


def rasterise(
    points: Tensor, faces: Tensor, intrinsics: Tensor, width: int, height: int, near: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Triangles (B, H, W) int32, barycentrics (B, H, W, 3) and depths (B, H, W); see :func:`.rasterising.rasterise`."""
    if len(faces) and (int(faces.min()) < 0 or int(faces.max()) >= points.shape[1]):
        raise no_such_vertex()
    if not torch.isfinite(points).all():
        raise not_finite()
    with torch.no_grad():
        lens = intrinsics.double()
        triangles = torch.stack(
            [_seen(p.double(), faces.long(), k, width, height, near) for p, k in zip(points, lens, strict=True)]
        )
    return triangles, *_coordinates(points, faces, intrinsics, triangles)


def interpolate(
    attributes: Tensor, faces: Tensor, triangles: Tensor, barycentrics: Tensor, pixels: Tensor | None
) -> Tensor:
    """Values (P, C) at these pixels of the pictures (of all without ``pixels``), 0 where there is no triangle."""
    flat = triangles.reshape(-1)
    places = torch.arange(len(flat), device=flat.device) if pixels is None else pixels
    rows = (flat[places] >= 0).nonzero()[:, 0]
    places = places[rows]
    corners = faces.long()[flat[places].long()]
    if attributes.dim() == 3:
        per_view = triangles.shape[1] * triangles.shape[2]
        corners = corners + len(attributes[0]) * torch.div(places, per_view, rounding_mode="floor")[:, None]
    found = _rows(attributes.reshape(-1, attributes.shape[-1]), corners)
    values = (barycentrics.reshape(-1, 3)[places, :, None] * found).sum(1)
    count = len(flat) if pixels is None else len(pixels)
    return values.new_zeros(count, attributes.shape[-1]).index_put((rows,), values)


def _rows(values: Tensor, which: Tensor) -> Tensor:
    """``values[which]`` whose derivative is summed in a fixed order; that of indexing is not, with several threads."""
    return torch.nn.functional.embedding(which, values)


def _seen(points: Tensor, faces: Tensor, lens: Tensor, width: int, height: int, near: float) -> Tensor:
    """Of one view: the triangle of each pixel, (H, W) int32."""
    corners = points[faces]
    p = corners.unbind(1)
    normals = torch.stack([_cross(p[(i + 1) % 3], p[(i + 2) % 3]) for i in range(3)], dim=1)
    volume = _dot(normals[:, 0], p[0])
    side = torch.where(volume < 0, -1.0, 1.0).to(volume)
    normals, volume = normals * side[:, None, None], volume * side
    owns = (normals[..., 0] > 0) | ((normals[..., 0] == 0) & (normals[..., 1] > 0))
    left, right, top, bottom = _boxes(corners, lens, near, width, height)
    across = (right - left + 1).clamp(min=0) * (volume > 0)
    counts = across * (bottom - top + 1).clamp(min=0)
    best = torch.full((height * width,), FARTHEST, dtype=torch.int64, device=points.device)
    for some in _parts(counts):
        which = some.repeat_interleave(counts[some])
        number = torch.arange(len(which), device=which.device)
        number = number - (counts[some].cumsum(0) - counts[some]).repeat_interleave(counts[some])
        x = left[which] + number % across[which]
        y = top[which] + torch.div(number, across[which], rounding_mode="floor")
        dx, dy = (x.double() + 0.5 - lens[2]) / lens[0], (y.double() + 0.5 - lens[3]) / lens[1]
        n = normals[which]
        e = n[..., 0] * dx[:, None] + (n[..., 1] * dy[:, None] + n[..., 2])
        depths = volume[which] / (e[:, 0] + e[:, 1] + e[:, 2])
        inside = ((e > 0) | ((e == 0) & owns[which])).all(1) & (depths >= near)
        which, depths, pixels = which[inside], depths[inside], (y * width + x)[inside]
        # Positive floats are ordered as their bits are; of equal depths the lower number comes first.
        keys = (depths.float().view(torch.int32).long() << 32) | which
        best.scatter_reduce_(0, pixels, keys, "amin")
    return torch.where(best < FARTHEST, best & 0xFFFFFFFF, -1).to(torch.int32).reshape(height, width)


def _parts(counts: Tensor) -> Iterator[Tensor]:
    """Numbers of triangles that together have about ``AT_ONCE`` pixels in their boxes."""
    some = counts.nonzero()[:, 0]
    group = torch.div(counts[some].cumsum(0), AT_ONCE, rounding_mode="floor")
    yield from some.split(torch.unique_consecutive(group, return_counts=True)[1].tolist())


def _cross(u: Tensor, v: Tensor) -> Tensor:
    (a, b, c), (x, y, z) = u.unbind(-1), v.unbind(-1)
    return torch.stack([b * z - c * y, c * x - a * z, a * y - b * x], dim=-1)


def _dot(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 0] + u[..., 1] * v[..., 1] + u[..., 2] * v[..., 2]


def _boxes(corners: Tensor, lens: Tensor, near: float, width: int, height: int) -> tuple[Tensor, ...]:
    """Left, right, top and bottom pixel of each triangle's part before the near plane, the last ones included."""
    after = corners.roll(-1, 1)
    z, z_after = corners[..., 2], after[..., 2]
    part = ((near - z) / torch.where(z == z_after, 1.0, z_after - z))[..., None]
    both = torch.cat([corners, torch.lerp(corners, after, part)], dim=1)
    counts = torch.cat([z >= near, (z >= near) != (z_after >= near)], dim=1)
    depth = torch.cat([z, torch.full_like(z, near)], dim=1)
    pixels = both[..., :2] / torch.where(counts, depth, 1.0)[..., None] * lens[:2] + lens[2:]
    low = torch.where(counts[..., None], pixels, torch.inf).amin(1)
    high = torch.where(counts[..., None], pixels, -torch.inf).amax(1)
    size = torch.tensor([width, height], device=corners.device)
    first = (low - 0.5 - SLACK).ceil().clamp(torch.zeros_like(size), size).long()
    last = (high - 0.5 + SLACK).floor().clamp(-torch.ones_like(size), size - 1).long()
    return first[:, 0], last[:, 0], first[:, 1], last[:, 1]


def _coordinates(points: Tensor, faces: Tensor, intrinsics: Tensor, triangles: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentrics and depths, differentiable by the points.

    With q_i = p_i - z_i d, e_i = d . (p_j x p_k) is the plane cross product of q_j and q_k: a pixel's offsets from the
    corners are small, so that float32 suffices.
    """
    views, height, width = triangles.shape
    flat = triangles.reshape(-1)
    places = (flat >= 0).nonzero()[:, 0]
    view = torch.div(places, height * width, rounding_mode="floor")
    row = torch.div(places, width, rounding_mode="floor") % height
    lens = intrinsics.to(points)[view]
    d = (torch.stack([places % width, row], dim=1).to(points) + 0.5 - lens[:, 2:]) / lens[:, :2]
    corners = _rows(points.reshape(-1, 3), faces.long()[flat[places].long()] + points.shape[1] * view[:, None])
    z = corners[..., 2]
    q = corners[..., :2] - z[..., None] * d[:, None]
    after, before = q.roll(-1, 1), q.roll(-2, 1)
    e = after[..., 0] * before[..., 1] - after[..., 1] * before[..., 0]
    b = e / e.sum(1, keepdim=True)
    barycentrics = points.new_zeros(len(flat), 3).index_put((places,), b)
    depths = points.new_zeros(len(flat)).index_put((places,), (b * z).sum(1))
    return barycentrics.reshape(views, height, width, 3), depths.reshape(views, height, width)
