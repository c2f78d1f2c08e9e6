"""Solids given by a formula: exact inside tests, exact contours on planes and fine reference meshes.

A solid is the set f(x) <= 0 of a function whose gradient does not vanish on its surface, so that
Newton's method takes a nearby point onto the surface: x <- x - f g / |g|^2 with g = grad f, or with the
in-plane part of grad f when the point must stay on a plane.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from skimage.measure import find_contours, marching_cubes

from engines.blocks.polygons import nesting, signed_areas
from engines.blocks.sectioning import plane_frames
from engines.core import UserError
from engines.data import Mesh, Slices


class Solid(Protocol):
    """``value`` and ``gradient`` take (N, 3) points; the value is negative inside."""

    @property
    def bounds(self) -> np.ndarray: ...

    def value(self, points: np.ndarray) -> np.ndarray: ...

    def gradient(self, points: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Sphere:
    """|x - c| - R."""

    radius: float = 0.5
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def bounds(self) -> np.ndarray:
        return np.asarray(self.center) + self.radius * np.array([[-1.0] * 3, [1.0] * 3])

    def value(self, points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points - np.asarray(self.center), axis=-1) - self.radius

    def gradient(self, points: np.ndarray) -> np.ndarray:
        away = points - np.asarray(self.center)
        return away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class Torus:
    """sqrt((sqrt(x^2 + y^2) - R)^2 + z^2) - r about ``center``, the axis along z."""

    major: float = 0.55
    minor: float = 0.22
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def bounds(self) -> np.ndarray:
        half = np.array([self.major + self.minor, self.major + self.minor, self.minor])
        return np.asarray(self.center) + np.stack([-half, half])

    @property
    def volume(self) -> float:
        return 2 * np.pi**2 * self.major * self.minor**2

    @property
    def area(self) -> float:
        return 4 * np.pi**2 * self.major * self.minor

    def value(self, points: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(points - np.asarray(self.center), -1, 0)
        return np.hypot(np.hypot(x, y) - self.major, z) - self.minor

    def gradient(self, points: np.ndarray) -> np.ndarray:
        x, y, z = np.moveaxis(points - np.asarray(self.center), -1, 0)
        rho = np.maximum(np.hypot(x, y), 1e-12)
        tube = np.maximum(np.hypot(rho - self.major, z), 1e-12)
        radial = (rho - self.major) / tube
        return np.stack([radial * x / rho, radial * y / rho, z / tube], axis=-1)


@dataclass(frozen=True)
class TwoHoles:
    """Two equal tori side by side in the xy plane, melted together: a smooth solid with two holes.

    f = smin(f1, f2) with the quadratic smooth minimum: h = clip(1/2 + (f2 - f1) / 2k, 0, 1),
    f = h f1 + (1 - h) f2 - k h (1 - h), so that grad f = h grad f1 + (1 - h) grad f2.
    The tori's circles touch at the origin.
    """

    major: float = 0.36
    minor: float = 0.15
    blend: float = 0.12

    @property
    def tori(self) -> tuple[Torus, Torus]:
        return Torus(self.major, self.minor, (-self.major, 0, 0)), Torus(self.major, self.minor, (self.major, 0, 0))

    @property
    def bounds(self) -> np.ndarray:
        # Melting adds at most k/4 to the tube where the two meet.
        tube = self.minor + self.blend / 4
        half = np.array([2 * self.major + self.minor, self.major + self.minor, tube])
        return np.stack([-half, half])

    def value(self, points: np.ndarray) -> np.ndarray:
        first, second = (t.value(points) for t in self.tori)
        h = self._share(first, second)
        return h * first + (1 - h) * second - self.blend * h * (1 - h)

    def gradient(self, points: np.ndarray) -> np.ndarray:
        left, right = self.tori
        h = self._share(left.value(points), right.value(points))[..., None]
        return h * left.gradient(points) + (1 - h) * right.gradient(points)

    def _share(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        if self.blend <= 0:
            return (first <= second).astype(float)
        return np.clip(0.5 + 0.5 * (second - first) / self.blend, 0, 1)


def inside(solid: Solid, points: np.ndarray) -> np.ndarray:
    """(N,) bool, exact: whether the (N, 3) points lie in the solid."""
    return solid.value(points) <= 0


def to_surface(solid: Solid, points: np.ndarray, normal: np.ndarray | None = None, steps: int = 12) -> np.ndarray:
    """(N, 3) points moved onto the zero set by Newton's method, staying on their plane if a normal is given."""
    moved = np.array(points, dtype=float)
    reach = 0.02 * float(np.ptp(solid.bounds, axis=0).max())
    for _ in range(steps):
        slope = solid.gradient(moved)
        if normal is not None:
            slope = slope - (slope @ normal)[:, None] * normal
        step = (solid.value(moved) / np.maximum((slope**2).sum(1), 1e-6))[:, None] * slope
        length = np.linalg.norm(step, axis=1, keepdims=True)
        moved -= step * np.minimum(1, reach / np.maximum(length, 1e-30))
    return moved


def contours_on_plane(
    solid: Solid, normal: np.ndarray, offset: float, points_per_contour: int = 160, resolution: int = 192
) -> list[np.ndarray]:
    """The loops (n, 2) in the frame of :func:`plane_frames` in which the plane n.x = offset cuts the solid.

    Marching squares finds them, equal steps of arc length resample them, Newton's method puts the
    vertices on the zero set (1e-12). Loops smaller than a few cells are left out.
    """
    frame = plane_frames(normal)[0]
    center = solid.bounds.mean(0)
    radius = 0.52 * float(np.linalg.norm(np.ptp(solid.bounds, axis=0)))
    axis = np.linspace(-radius, radius, resolution)
    base = center + (offset - center @ normal) * normal

    def lift(flat: np.ndarray) -> np.ndarray:
        return base + flat @ frame

    flat = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    values = solid.value(lift(flat).reshape(-1, 3)).reshape(resolution, resolution)
    found = []
    for raw in find_contours(values, 0.0):
        if len(raw) < 8 or not np.array_equal(raw[0], raw[-1]):
            continue
        loop = _resample(raw * (axis[1] - axis[0]) - radius, points_per_contour)
        loop = to_surface(solid, lift(loop), normal)
        found.append(loop @ frame.T)
    return found


def slice_solid(
    solid: Solid,
    normals: np.ndarray,
    offsets: np.ndarray,
    points_per_contour: int = 160,
    *,
    thickness: float | None = None,
    name: str = "",
    check: Callable[[], object] = lambda: None,
) -> Slices:
    """Exact contours of the solid on the planes n.x = offset; outer loops turn counter-clockwise, holes clockwise.

    ``thickness`` of the solid's thinnest part sets how finely it is looked for; ``check`` is called at each plane.
    Raises UserError when no plane cuts the solid.
    """
    frames = plane_frames(normals)
    size = float(np.linalg.norm(np.ptp(solid.bounds, axis=0)))
    resolution = 192 if thickness is None else int(np.clip(16 * size / thickness, 192, 1200))
    vertices, counts, loop_planes, parents = [], [], [], []
    for p, (normal, offset) in enumerate(zip(normals, offsets, strict=True)):
        check()
        loops = contours_on_plane(solid, normal, float(offset), points_per_contour, resolution)
        if not loops:
            continue
        lengths = np.array([len(loop) for loop in loops])
        flat, starts = np.concatenate(loops), np.cumsum(lengths) - lengths
        _, inner = nesting(flat, starts)
        leftward = signed_areas(flat, starts) > 0
        for loop, parent, left in zip(loops, inner, leftward, strict=True):
            turned = loop if left == (parent < 0) else loop[::-1]
            vertices.append(offset * normal + turned @ frames[p])
            parents.append(parent + len(counts) if parent >= 0 else -1)
        counts += lengths.tolist()
        loop_planes += [p] * len(loops)
    if not counts:
        raise UserError("No plane cuts the shape.", "All planes are empty.", "Move the planes or add more of them.")
    return Slices(
        normals=normals,
        offsets=offsets,
        vertices=np.concatenate(vertices),
        loop_starts=np.cumsum(counts) - counts,
        loop_planes=np.array(loop_planes),
        loop_labels=np.ones(len(counts)),
        loop_parents=np.array(parents),
        name=name,
    )


def torus_mesh(solid: Torus, around: int = 128, tube: int = 64) -> Mesh:
    """The torus as a regular triangle mesh with exact vertices and normals, faces turned outwards."""
    s, t = np.meshgrid(np.arange(around), np.arange(tube), indexing="ij")
    phi, theta = 2 * np.pi * s / around, 2 * np.pi * t / tube
    normal = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)], -1).reshape(-1, 3)
    ring = np.stack([np.cos(phi), np.sin(phi), 0 * phi], -1).reshape(-1, 3)
    index = lambda i, j: ((i % around) * tube + j % tube).ravel()  # noqa: E731
    a, b, c, d = index(s, t), index(s + 1, t), index(s + 1, t + 1), index(s, t + 1)
    return Mesh(
        vertices=np.asarray(solid.center) + solid.major * ring + solid.minor * normal,
        faces=np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]),
        normals=normal,
        name="Torus",
    )


def solid_mesh(solid: Solid, resolution: int = 96, name: str = "") -> Mesh:
    """Marching cubes on a grid of ``resolution`` nodes along the longest side, vertices put on the zero set."""
    low, high = solid.bounds
    step = float((high - low).max()) / (resolution - 5)
    shape = np.ceil((high - low) / step).astype(int) + 5
    axes = [low[k] - 2 * step + step * np.arange(shape[k]) for k in range(3)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    values = solid.value(grid.reshape(-1, 3)).reshape(shape)
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(step,) * 3, allow_degenerate=False)
    points = to_surface(solid, vertices.astype(float) + low - 2 * step, steps=6)
    normals = solid.gradient(points)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    # Marching cubes may turn the faces inwards; the gradient points outwards.
    a, b, c = (points[faces[:, k]] for k in range(3))
    if (np.cross(b - a, c - a) * normals[faces[:, 0]]).sum() < 0:
        faces = faces[:, ::-1]
    return Mesh(vertices=points, faces=faces, normals=normals, name=name)


def _resample(closed: np.ndarray, count: int) -> np.ndarray:
    """``count`` points at equal steps of arc length along a closed (n, 2) polyline whose ends coincide."""
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.arange(count) * along[-1] / count
    return np.stack([np.interp(at, along, closed[:, k]) for k in range(2)], axis=1)
