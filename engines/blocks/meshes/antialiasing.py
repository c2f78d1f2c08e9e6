"""Silhouettes of meshes in pictures: pixels beside them are blended by how much of them is covered.

A picture made of one sample at each pixel's centre jumps when a silhouette passes a centre, and says nothing of how a
silhouette ought to move. Laine et al. 2020 (sec. 3.4) look at pairs of neighbouring pixels of which one, A, shows a
surface and the other, B, what lies behind it. The silhouette passes the line from A's centre to B's at the part u of
its length. For 1/2 < u the surface reaches into B, otherwise what lies behind it reaches into A:

    B += (u - 1/2) (A - B)    or    A += (1/2 - u) (B - A)

That is the covered length, exact along the line and continuous when a silhouette passes a centre; u, and with it the
picture, has a derivative by the two ends of the silhouette's edge. Edges that are steep in the picture blend pairs of a
row, the others pairs of a column: each piece of an outline counts once, so the derivative of a covered area is right.

The paper looks for the edge among those of A's triangle, and misses it where triangles are smaller than a pixel. Here
the edges look for the pairs: each silhouette edge is followed through the rows or columns that it crosses, and where
several cross between two centres the nearest counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

NEVER = (1 << 63) - 1


@dataclass(frozen=True)
class Edges:
    """The E edges of a mesh and whose they are; of the faces alone, so it can be kept while the points move."""

    ends: Tensor  # (E, 2) int64 vertices, the lower first
    of_faces: Tensor  # (F, 3) int64: the edge from corner i to corner i + 1
    forward: Tensor  # (F, 3) bool: whether the face runs along it from its first end to its second

    @classmethod
    def of(cls, faces: Tensor) -> Edges:
        """Of faces (F, 3), of any integer type."""
        starts = faces.long()
        stops = starts.roll(-1, 1)
        low, high = torch.minimum(starts, stops), torch.maximum(starts, stops)
        stride = int(high.max()) + 1 if len(faces) else 1
        keys, of_faces = torch.unique(low * stride + high, return_inverse=True)
        ends = torch.stack([torch.div(keys, stride, rounding_mode="floor"), keys % stride], dim=1)
        return cls(ends, of_faces, starts < stops)


@dataclass(frozen=True)
class Crossings:
    """K places where a silhouette parts two neighbours of a row, or of a column; no pair comes twice."""

    views: Tensor  # (K,) int64
    ends: Tensor  # (K, 2) int64 vertices of the edge
    line: Tensor  # (K,) int64 row, or column
    first: Tensor  # (K,) int64 pixel, numbered through all pictures
    second: Tensor  # (K,) int64 its right, or lower, neighbour
    surface_first: Tensor  # (K,) bool: the first pixel shows the surface, the second what lies behind

    def where(self, points: Tensor, lenses: Tensor, along: int) -> tuple[Tensor, Tensor]:
        """Where along the line they are, in pixels, and at what depth."""
        # Indexing sums its derivative in turn: these are float64.
        ends, lens, across = points[self.views[:, None], self.ends], lenses[self.views], 1 - along
        slope = (self.line + 0.5 - lens[:, 2 + across]) / lens[:, across]
        off = ends[..., across] - slope[:, None] * ends[..., 2]
        place = torch.lerp(ends[:, 0], ends[:, 1], (off[:, 0] / (off[:, 0] - off[:, 1]))[:, None])
        return lens[:, along] * place[:, along] / place[:, 2] + lens[:, 2 + along], place[:, 2]

    def some(self, which: Tensor) -> Crossings:
        """Those with these numbers."""
        return Crossings(*(getattr(self, field.name)[which] for field in fields(self)))


def blend(image: Tensor, points: Tensor, lenses: Tensor, found: Sequence[Crossings]) -> Tensor:
    """The image (B, H, W, C) with blended silhouettes, which cross its rows and its columns as ``found`` says."""
    height, width, channels = image.shape[1:]
    exact, flat = points.double(), image.reshape(-1, channels)
    result = flat
    for along, of in enumerate(found):
        start = of.first % width if along == 0 else torch.div(of.first, width, rounding_mode="floor") % height
        reach = of.where(exact, lenses.to(exact), along)[0] - (start + 0.5)
        u = torch.where(of.surface_first, reach, 1 - reach).to(image.dtype)
        into_second = (u > 0.5) == of.surface_first
        # Within each group no pixel comes twice: the order in which a device adds does not matter.
        for chosen, target, other in ((into_second, of.second, of.first), (~into_second, of.first, of.second)):
            t, o, part = target[chosen], other[chosen], (u[chosen] - 0.5).abs()
            result = result.index_put((t,), part[:, None] * (flat[o] - flat[t]), accumulate=True)
    return result.reshape(image.shape)


# ---- finding them in plain torch: the reference of outlines.cpp, and its stand-in ------------------------------------


@torch.no_grad()
def crossings(
    points: Tensor, faces: Tensor, edges: Edges, lenses: Tensor, triangles: Tensor, depths: Tensor, near: float
) -> tuple[Crossings, Crossings]:
    """Where silhouettes part pixels of rows, and of columns."""
    of_view, ends, sides = _silhouettes(points, faces, edges)
    behind = torch.where(triangles < 0, torch.inf, depths).reshape(-1)
    given = points.double(), lenses.double(), triangles.reshape(-1), behind
    size = triangles.shape[2], triangles.shape[1]
    rows, columns = (_crossings(of_view, ends, sides, *given, along, size, near) for along in (0, 1))
    return rows, columns


def _silhouettes(points: Tensor, faces: Tensor, edges: Edges) -> tuple[Tensor, Tensor, Tensor]:
    """Edges with all of their faces on one side: view, ends, and the side where (p x q) . d has the sign of this."""
    views, count = len(points), len(faces)
    corners = points.index_select(1, faces.reshape(-1)).reshape(views, count, 3, 3)
    p, q, r = corners.permute(2, 3, 0, 1).contiguous()  # each (3, B, F): such planes are quicker than triples
    (x, y, z), (ux, uy, uz), (vx, vy, vz) = p, q - p, r - p
    facing = torch.sign(x * (uy * vz - uz * vy) + y * (uz * vx - ux * vz) + z * (ux * vy - uy * vx))
    turned = torch.where(edges.forward, facing[..., None], -facing[..., None]).reshape(views, -1)
    index = edges.of_faces.reshape(-1)
    none = torch.zeros(views, len(edges.ends), dtype=torch.int32, device=points.device)
    on_left, on_right = (none.index_add(1, index, side.int()) > 0 for side in (turned > 0, turned < 0))
    of_view, which = (on_left ^ on_right).nonzero().unbind(1)
    return of_view, edges.ends[which], torch.where(on_left[of_view, which], 1.0, -1.0).double()


def _crossings(
    views: Tensor, vertices: Tensor, sides: Tensor, points: Tensor, lenses: Tensor, ids: Tensor, behind: Tensor,
    along: int, size: tuple[int, int], near: float,
) -> Crossings:  # fmt: skip
    across, lens, ends = 1 - along, lenses[views], points[views[:, None], vertices]
    z = ends[..., 2]
    # Of an edge that passes the near plane, the part before it.
    part = ((near - z) / torch.where(z == z.flip(1), 1.0, z.flip(1) - z)).clamp(0, 1)
    seen = torch.where((z < near)[..., None], torch.lerp(ends, ends.flip(1), part[..., None]), ends)
    pixels = seen[..., :2] / seen[..., 2:].clamp(min=near) * lens[:, None, :2] + lens[:, None, 2:]
    spans = (pixels[:, 1] - pixels[:, 0]).abs()
    steep = spans[:, across] >= spans[:, along] if along == 0 else spans[:, across] > spans[:, along]
    low, high = pixels[..., across].amin(1), pixels[..., across].amax(1)
    # Half-open, so that where two edges meet one of them crosses.
    first, past = ((edge - 0.5).ceil().clamp(0, size[across]).long() for edge in (low, high))
    counts = (past - first).clamp(min=0) * (steep & (z >= near).any(1))
    which = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
    line = torch.arange(len(which), device=counts.device) - (counts.cumsum(0) - counts)[which] + first[which]
    p, q = ends[which].unbind(1)
    # The component along the line of p x q, whose sign says to which side the surface lies.
    normal = p[:, 1] * q[:, 2] - p[:, 2] * q[:, 1] if along == 0 else p[:, 2] * q[:, 0] - p[:, 0] * q[:, 2]
    found = Crossings(views[which], vertices[which], line, line, line, sides[which] * normal < 0)
    where, depth = found.where(points, lenses, along)
    column = (where - 0.5).floor().clamp(-1, size[along]).long()
    step = 1 if along == 0 else size[0]
    pixel = found.views * size[0] * size[1] + line * (size[0] if along == 0 else 1) + column * step
    found = replace(found, first=pixel, second=pixel + step)
    inside = ((column >= 0) & (column < size[along] - 1)).nonzero()[:, 0]
    found, depth = found.some(inside), depth[inside]
    front = torch.where(found.surface_first, found.first, found.second)
    back = torch.where(found.surface_first, found.second, found.first)
    kept = (ids[front] != ids[back]) & (behind[front] < behind[back]) & (depth < behind[back])
    candidates = kept.nonzero()[:, 0]
    pairs, of_pair = torch.unique(found.first[candidates], return_inverse=True)
    keys = (depth[candidates].float().view(torch.int32).long() << 32) | candidates
    nearest = torch.full_like(pairs, NEVER).scatter_reduce(0, of_pair, keys, "amin")
    return found.some(nearest & 0xFFFFFFFF)
