"""Labelled points in and around contours on planes (OReX, sec. 3): 0 inside, 1 outside, 0.5 on a contour.

For a level with radius r and count n, on each plane:

    (a) n points on a circle of radius r about each vertex, the first at angle -pi
    (b) n points at t = 0, 1/n, .. of each edge, moved by +r and by -r along the edge's normal
    (c) the same points unmoved: label 0.5, which pins the surface to the contour
    (d) points spread evenly over [-1, 1]^2 of the plane's frame

and (e) points on the convex hull of all vertices, a little enlarged: outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from engines.blocks.polygons import inside
from engines.blocks.sectioning import plane_frames
from engines.core import UserError
from engines.data import Slices


@dataclass(frozen=True)
class PlaneContours:
    """The loops of one plane in its own frame: position = origin + (u, v) @ axes."""

    origin: np.ndarray  # (3,)
    axes: np.ndarray  # (2, 3), orthonormal
    vertices: np.ndarray  # (V, 2)
    segments: np.ndarray  # (E, 2, 2), none without length

    def lift(self, flat: np.ndarray) -> np.ndarray:
        return self.origin + flat @ self.axes

    def labels(self, flat: np.ndarray) -> np.ndarray:
        """(N,) 0 where an odd number of loops surrounds the (N, 2) points, else 1."""
        return np.where(inside(flat, self.segments), 0.0, 1.0)


@dataclass(frozen=True)
class Samples:
    """(N, 3) points and their (N,) labels, float32."""

    points: np.ndarray
    labels: np.ndarray

    @staticmethod
    def join(parts: Sequence[Samples]) -> Samples:
        return Samples(np.concatenate([p.points for p in parts]), np.concatenate([p.labels for p in parts]))


def plane_contours(slices: Slices, vertices: np.ndarray) -> list[PlaneContours]:
    """Each plane with ``vertices`` (V, 3), those of ``slices`` after a similarity that keeps directions.

    The frame comes from the plane's normal; vertices are projected along it. Its origin is the mean of the plane's
    vertices. A plane without loops is kept when it passes through the unit cube: it says that nothing is there.
    """
    frames = plane_frames(slices.normals)
    scale = _scale(slices.vertices, vertices)
    shift = vertices[0] - slices.vertices[0] / scale
    found = []
    for p, (normal, axes) in enumerate(zip(slices.normals, frames, strict=True)):
        mine = slices.vertex_planes == p
        offset = slices.offsets[p] / scale + normal @ shift
        if not mine.any():
            if abs(offset) <= 1:
                found.append(PlaneContours(offset * normal, axes, np.zeros((0, 2)), np.zeros((0, 2, 2))))
            continue
        mean = vertices[mine].mean(0)
        origin = mean + (offset - normal @ mean) * normal
        flat = (vertices - origin) @ axes.T
        segments = flat[slices.edges[mine]]
        kept = np.abs(segments[:, 1] - segments[:, 0]).max(1) > 0
        found.append(PlaneContours(origin, axes, flat[mine], segments[kept]))
    return found


def flatten(slices: Slices) -> np.ndarray:
    """(V, 2) vertices in the frames of their planes, about the origin."""
    axes = plane_frames(slices.normals)[slices.vertex_planes]
    return np.asarray(np.einsum("vkd,vd->vk", axes, slices.vertices))


def _scale(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.linalg.norm(before - before.mean(0)) / np.linalg.norm(after - after.mean(0)))


def plane_samples(
    plane: PlaneContours, radius: float, count: int, white_noise: int, rng: np.random.Generator
) -> Samples:
    """(a) to (d) of one plane."""
    angles = -np.pi + 2 * np.pi * np.arange(count) / count
    circle = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    around = (plane.vertices[:, None] + circle).reshape(-1, 2)
    t = (np.arange(count) / count)[None, :, None]
    start, run = plane.segments[:, :1], plane.segments[:, 1:] - plane.segments[:, :1]
    on_edge = start + t * run
    lengths = np.linalg.norm(run, axis=2, keepdims=True)
    normal = run[..., ::-1] * [1.0, -1.0] / lengths
    beside = np.concatenate([on_edge + radius * normal, on_edge - radius * normal]).reshape(-1, 2)
    noise = rng.uniform(-1, 1, (white_noise, 2))
    known = np.concatenate([around, beside, noise])
    on_edge = on_edge.reshape(-1, 2)
    points = plane.lift(np.concatenate([known, on_edge]))
    labels = np.concatenate([plane.labels(known), np.full(len(on_edge), 0.5)])
    return Samples(points.astype(np.float32), labels.astype(np.float32))


def plane_sample_count(plane: PlaneContours, count: int, white_noise: int) -> int:
    """How many points :func:`plane_samples` gives."""
    return count * (len(plane.vertices) + 3 * len(plane.segments)) + white_noise


def hull_samples(vertices: np.ndarray, count: int, margin: float, rng: np.random.Generator) -> Samples:
    """(e): see :func:`on_hull`."""
    points = on_hull(vertices, count, margin, rng)
    return Samples(points.astype(np.float32), np.ones(count, np.float32))


def on_hull(vertices: np.ndarray, count: int, margin: float, rng: np.random.Generator) -> np.ndarray:
    """(count, 3) spread evenly over the convex hull of (V, 3) vertices, enlarged by 1 + ``margin`` about the origin.

    Raises :class:`UserError` when the vertices lie in one plane.
    """
    try:
        corners = vertices[ConvexHull(vertices).simplices]
    except (QhullError, ValueError):
        raise UserError(
            "All contours lie in one plane.", "One slice cannot define a volume.", "Add contours on a second plane."
        ) from None
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = corners[rng.choice(len(corners), count, p=areas / areas.sum())]
    weights = rng.dirichlet(np.ones(3), count)
    return (1 + margin) * np.einsum("nk,nkd->nd", weights, chosen)


def points_on_contours(planes: Sequence[PlaneContours], spacing: float) -> np.ndarray:
    """(N, 3) points along all contours, no further apart than ``spacing``."""
    found = [np.zeros((0, 3))]
    for plane in planes:
        start, run = plane.segments[:, 0], plane.segments[:, 1] - plane.segments[:, 0]
        pieces = np.maximum(np.ceil(np.linalg.norm(run, axis=1) / spacing), 1).astype(np.int64)
        edge = np.repeat(np.arange(len(pieces)), pieces)
        t = (np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[edge]
        found.append(plane.lift(start[edge] + t[:, None] * run[edge]))
    return np.concatenate(found)
