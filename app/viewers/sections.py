"""Plane sections of grids, as arrays: along the grid's own axes, or in any plane in space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.viewers import colour_maps
from engines.data import GridField, Slices, Volume

IN_PLANE = ((1, 2), (0, 2), (0, 1))
"""For a section across axis 0, 1, 2: the axes to the right and upwards."""


def affine_of(grid: Volume | GridField) -> np.ndarray:
    """(4, 4) from index to position."""
    if isinstance(grid, Volume):
        return grid.affine
    affine = np.diag([*grid.spacing, 1.0])
    affine[:3, 3] = grid.origin
    return affine


@dataclass(frozen=True, eq=False)
class Section:
    """``values`` (right, up); ``rect`` (left, bottom, width, height) in the plane's coordinates;
    a point (r, u) of the plane lies at ``origin + r · right + u · up``."""

    values: np.ndarray
    rect: tuple[float, float, float, float]
    origin: np.ndarray
    right: np.ndarray
    up: np.ndarray

    def position(self, r: float, u: float) -> np.ndarray:
        return self.origin + r * self.right + u * self.up

    def value(self, r: float, u: float) -> float | None:
        """The value of the cell under (r, u), None outside."""
        left, bottom, width, height = self.rect
        i = int(np.floor((r - left) / width * self.values.shape[0]))
        j = int(np.floor((u - bottom) / height * self.values.shape[1]))
        inside = 0 <= i < self.values.shape[0] and 0 <= j < self.values.shape[1]
        return float(self.values[i, j]) if inside else None


def refined(section: Section, pixels: int = 512) -> Section:
    """The same section with the values between the nodes interpolated linearly, some ``pixels`` along its longer side.

    Values are interpolated and not colours, so that what is drawn agrees with the lines along which they cross a level.
    Where a node is not a number, its cell is not one either, and no other.
    """
    count = max(section.values.shape)
    times = int(np.clip(round(pixels / max(count, 1)), 1, 64))
    if times == 1:
        return section
    values = np.asarray(section.values, np.float32)
    good = np.isfinite(values)
    if good.all():
        return replace(section, values=_linear(_linear(values, times).T, times).T)
    weights = _linear(_linear(good.astype(np.float32), times).T, times).T
    filled = _linear(_linear(np.where(good, values, 0).astype(np.float32), times).T, times).T
    known = good.repeat(times, 0).repeat(times, 1)
    return replace(section, values=np.where(known, filled / np.where(known, weights, 1), np.nan).astype(np.float32))


def _linear(values: np.ndarray, times: int) -> np.ndarray:
    """(n, m) to (n · times, m): cells in ``times`` parts, values at their middles."""
    place = np.clip((np.arange(len(values) * times) + 0.5) / times - 0.5, 0, len(values) - 1)
    below = np.minimum(place.astype(int), max(len(values) - 2, 0))
    share = (place - below).astype(np.float32)[:, None]
    above = np.minimum(below + 1, len(values) - 1)
    return values[below] * (1 - share) + values[above] * share


@dataclass(frozen=True)
class Axis:
    """One axis of a grid: positions ``start + index · step`` for ``count`` nodes or voxels."""

    start: float
    step: float
    count: int

    def position(self, index: int) -> float:
        return self.start + index * self.step

    def nearest(self, position: float) -> int:
        return int(np.clip(round((position - self.start) / self.step), 0, self.count - 1))


def axes_of(grid: Volume | GridField) -> list[Axis]:
    """Positions along the grid's axes. Where the axes of a volume are oblique in space, distances from voxel 0."""
    affine, shape = affine_of(grid), grid.values.shape
    directions = affine[:3, :3]
    lengths = np.linalg.norm(directions, axis=0)
    straight = np.allclose(directions, np.diag(np.diag(directions)), atol=1e-6 * lengths.max())
    return [
        Axis(float(affine[k, 3]), float(affine[k, k]), shape[k]) if straight else Axis(0.0, float(lengths[k]), shape[k])
        for k in range(3)
    ]


def across(grid: Volume | GridField, axis: int, index: int) -> Section:
    """The section across one of the grid's axes."""
    axes, (r, u) = axes_of(grid), IN_PLANE[axis]
    index = int(np.clip(index, 0, grid.values.shape[axis] - 1))
    values = np.take(grid.values, index, axis)
    along = []
    for k, a in enumerate((axes[r], axes[u])):
        if a.step < 0:
            values = np.flip(values, k)
        low = min(a.start, a.position(a.count - 1)) - abs(a.step) / 2
        along.append((low, abs(a.step) * a.count))
    affine = affine_of(grid)
    units = affine[:3, :3] / np.array([a.step for a in axes])
    start = affine[:3, 3] - units @ np.array([a.start for a in axes])
    origin = start + units[:, axis] * axes[axis].position(index)
    return Section(values, (along[0][0], along[1][0], along[0][1], along[1][1]), origin, units[:, r], units[:, u])


def frame(normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors that span a plane, the second as upright as can be."""
    helper = np.array([0.0, 0.0, 1.0]) if abs(normal[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    right = np.cross(helper, normal)
    right /= np.linalg.norm(right)
    return right, np.cross(normal, right)


def on_plane(
    grid: Volume | GridField, slices: Slices, plane: int, pixels: int = 320, *, smooth: bool = True
) -> Section:
    """The grid on one of the slices' planes, interpolated linearly (``smooth``) or not; NaN outside the grid."""
    from scipy.ndimage import map_coordinates

    normal = slices.normals[plane]
    right, up = frame(normal)
    affine = affine_of(grid)
    corners = np.array(np.meshgrid(*[[-0.5, n - 0.5] for n in grid.values.shape], indexing="ij")).reshape(3, -1).T
    corners = corners @ affine[:3, :3].T + affine[:3, 3]
    loops = slices.vertices[slices.vertex_planes == plane] if len(slices.vertices) else slices.vertices
    centre = (loops.min(0) + loops.max(0)) / 2 if len(loops) else corners.mean(0)
    origin = centre + normal * (slices.offsets[plane] - float(normal @ centre))
    spread = np.stack([(slices.vertices - origin) @ right, (slices.vertices - origin) @ up], 1)
    around = loops if len(loops) else slices.vertices
    seen = np.stack([(around - origin) @ right, (around - origin) @ up], 1) if len(around) else spread
    if len(seen):
        half = float(np.abs(seen).max()) * 1.25
    else:
        half = float(np.linalg.norm(corners[-1] - corners[0])) / 2
    half = max(half, 1e-9)
    steps = (np.arange(pixels) + 0.5) / pixels * 2 * half - half
    r, u = np.meshgrid(steps, steps, indexing="ij")
    points = origin + r[..., None] * right + u[..., None] * up
    index = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    labels = isinstance(grid, Volume) and grid.is_label
    values = map_coordinates(
        grid.values, index.reshape(-1, 3).T, order=1 if smooth and not labels else 0,
        output=np.float32, mode="constant", cval=np.nan,
    ).reshape(pixels, pixels)  # fmt: skip
    return Section(values, (-half, -half, 2 * half, 2 * half), origin, right, up)


def distances(slices: Slices, section: Section) -> np.ndarray:
    """(P,) How far each plane is from the section; infinite for planes that are not parallel to it."""
    normal = np.cross(section.right, section.up)
    normal /= np.linalg.norm(normal)
    along = slices.normals @ normal
    away = np.abs(slices.offsets * np.sign(along) - float(normal @ section.origin))
    return np.where(np.abs(along) > 1 - 1e-6, away, np.inf)


def _loops_of(slices: Slices, section: Section, wanted: np.ndarray) -> list[np.ndarray]:
    found = []
    for plane, loop in slices.loops() if wanted.any() else ():
        if wanted[plane]:
            local = np.stack([(loop - section.origin) @ section.right, (loop - section.origin) @ section.up], 1)
            found.append(np.concatenate([local, local[:1]]))
    return found


def contours_on(slices: Slices, section: Section, tolerance: float) -> list[np.ndarray]:
    """(n, 2) closed loops of the planes that coincide with the section, within ``tolerance`` of it."""
    return _loops_of(slices, section, distances(slices, section) <= tolerance)


def contours_near(slices: Slices, section: Section, tolerance: float) -> tuple[list[np.ndarray], float]:
    """The loops on the section, else those of the nearest parallel plane, and how far away it is (0: on it).

    None where the section lies further outside of the stack of planes than any two neighbours are apart.
    """
    away = distances(slices, section)
    if not np.isfinite(away).any():
        return [], 0.0
    nearest = int(away.argmin())
    if away[nearest] <= tolerance:
        return contours_on(slices, section, tolerance), 0.0
    normal = slices.normals[nearest]
    parallel = np.isfinite(away)
    places = np.unique(slices.offsets[parallel] * np.sign(slices.normals[parallel] @ normal))
    if len(places) < 2 or away[nearest] > np.diff(places).max():
        return [], 0.0
    return _loops_of(slices, section, np.arange(slices.plane_count) == nearest), float(away[nearest])


def level_lines(section: Section, level: float) -> list[np.ndarray]:
    """(n, 2) lines in the section's plane along which the values cross ``level``."""
    from skimage.measure import find_contours

    if min(section.values.shape) < 2:
        return []
    left, bottom, width, height = section.rect
    scale = np.array([width / section.values.shape[0], height / section.values.shape[1]])
    lines = find_contours(section.values.astype(np.float32, copy=False), level)
    return [(line + 0.5) * scale + (left, bottom) for line in lines]


def is_inside(values: np.ndarray, field: GridField) -> np.ndarray:
    """Where values of a field lie inside of what its level encloses.

    Logits and signed distances are positive outside by convention here; of other fields, what most of the border is
    counts as outside.
    """
    level = 0.0 if field.level is None else field.level
    if not is_signed_out(field):
        faces = [field.values.take(end, axis) for axis in range(3) for end in (0, -1)]
        above = np.mean([float((face > level).mean()) for face in faces])
        if above < 0.5:
            return values > level
    return values < level


def is_signed_out(field: Volume | GridField) -> bool:
    """Whether a field is of the kind that is negative inside and positive outside."""
    if not isinstance(field, GridField):
        return False
    quantity = field.quantity.lower()
    return "logit" in quantity or "signed distance" in quantity


def fullest(grid: Volume | GridField, axis: int) -> int:
    """Index of the section across an axis that cuts most of what is inside; the middle if there is no inside."""
    count = grid.values.shape[axis]
    if not isinstance(grid, GridField):
        return count // 2
    thin = max(1, round((grid.values.size / 1_000_000) ** (1 / 3)))
    steps = [slice(None, None, 1 if k == axis else thin) for k in range(3)]
    others = tuple(k for k in range(3) if k != axis)
    area = is_inside(grid.values[tuple(steps)], grid).mean(others)
    good = np.flatnonzero(area >= 0.97 * area.max()) if area.max() > 0 else np.array([count // 2])
    return int(good[np.abs(good - count // 2).argmin()])


def fullest_plane(slices: Slices) -> int:
    """The plane whose contours spread furthest."""
    if not len(slices.vertices):
        return 0
    spread = np.zeros(slices.plane_count)
    for plane in np.unique(slices.vertex_planes):
        spread[plane] = np.linalg.norm(np.ptp(slices.vertices[slices.vertex_planes == plane], axis=0))
    return int(spread.argmax())


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * values))  # cannot overflow


def colours(values: np.ndarray, name: str, low: float, high: float) -> np.ndarray:
    """A section's values (right, up) as picture (up, right, 4) uint8; what is not a number is transparent."""
    values = values.T
    rgba = np.full((*values.shape, 4), 255, np.uint8)
    rgba[..., :3] = colour_maps.coloured(values, name, low, high)
    if values.dtype.kind == "f":
        rgba[..., 3][np.isnan(values)] = 0
    return rgba


def label_colours(values: np.ndarray) -> np.ndarray:
    """A section of labels (right, up) as picture (up, right, 4) uint8; 0 is transparent."""
    labels = np.nan_to_num(values.T).astype(int)
    distinct, place = np.unique(labels, return_inverse=True)
    palette = np.zeros((len(distinct), 4), np.uint8)
    for k, label in enumerate(distinct):
        if label != 0:
            palette[k] = [*(round(c * 255) for c in colour_maps.rgb(colour_maps.label_colour(label))), 255]
    return palette[place.reshape(labels.shape)]


def joined(lines: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lines (n, 2) as x and y of one, with gaps of NaN between them."""
    if not lines:
        return np.zeros(0), np.zeros(0)
    gap = np.full((1, 2), np.nan)
    points = np.concatenate([part for line in lines for part in (line, gap)])
    return points[:, 0], points[:, 1]
