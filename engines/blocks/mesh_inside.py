"""Inside tests for closed triangle meshes: rays through a grid of triangles, in numpy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engines.blocks.mesh_topology import is_closed

CHUNK = 1 << 18  # pairs of a point and a triangle looked at in one go


class MeshInside:
    """Inside test for a closed triangle mesh, built once and asked often.

    A ray leaves each point; an odd number of crossings means inside. The mesh is turned into general
    position first, so that rays parallel to axes do not meet edges of axis-aligned meshes, and each edge is
    evaluated from the same end for both of its triangles, so that a ray through it counts once. A mesh that
    is not closed is asked along three directions, and the majority says.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        vertices, faces = np.asarray(vertices, float), np.asarray(faces, np.int64)
        used = vertices[faces.ravel()] if len(faces) else np.zeros((1, 3))
        self.bounds = np.stack([used.min(0), used.max(0)])
        self._center = self.bounds.mean(0)
        self._scale = float(np.ptp(self.bounds, axis=0).max()) or 1.0
        turns = _general_rotations()[: 1 if is_closed(faces) else 3]
        local = (vertices - self._center) / self._scale
        self._rays = [(turn, _RayGrid(local @ turn.T, faces)) for turn in turns] if len(faces) else []

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool for (N, 3) points."""
        points = np.asarray(points, float)
        found = np.zeros(len(points), bool)
        near = np.flatnonzero(((points >= self.bounds[0]) & (points <= self.bounds[1])).all(1))
        if not self._rays or not len(near):
            return found
        local = (points[near] - self._center) / self._scale
        votes = sum(grid.odd(local @ turn.T).astype(np.int8) for turn, grid in self._rays)
        found[near] = votes * 2 > len(self._rays)
        return found


class _RayGrid:
    """Triangles sorted into the cells of a grid over (y, z); rays run along +x."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        corners = vertices[faces]
        flat = corners[:, :, 1:]
        self.low = flat.min((0, 1)) - 1e-9
        size = np.ptp(flat.reshape(-1, 2), axis=0) + 2e-9
        self.cells = int(np.clip(np.sqrt(len(faces)) * 0.8, 1, 2048))
        self.step = size / self.cells
        # Edge k runs between corners k and k + 1; its line is taken from the lower vertex index to the higher.
        first, second = faces, np.roll(faces, -1, axis=1)
        turned = first > second
        start = np.where(turned, second, first)
        end = np.where(turned, first, second)
        p, q = vertices[start][:, :, 1:], vertices[end][:, :, 1:]
        a, b = p[..., 1] - q[..., 1], q[..., 0] - p[..., 0]
        self.edge = np.stack([a, b, -(a * p[..., 0] + b * p[..., 1])], axis=-1)
        self.flip = turned
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        # x of the triangle's plane above (y, z); triangles seen edge-on are never crossed in general position.
        nx = np.where(np.abs(normal[:, 0]) > 1e-300, normal[:, 0], 1e-300)
        slope = -normal[:, 1:] / nx[:, None]
        anchor = corners.mean(1)
        self.depth = np.column_stack([slope, anchor[:, 0] - (slope * anchor[:, 1:]).sum(1)])
        self._fill(flat)

    def _fill(self, flat: np.ndarray) -> None:
        low = self._cell(flat.min(1))
        high = self._cell(flat.max(1))
        spans = high - low + 1
        counts = spans.prod(1)
        face = np.repeat(np.arange(len(flat)), counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        width = spans[face, 1]
        cell = (low[face, 0] + within // width) * self.cells + low[face, 1] + within % width
        order = np.argsort(cell, kind="stable")
        self.members = face[order].astype(np.int32)
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=self.cells**2))])

    def _cell(self, flat: np.ndarray) -> np.ndarray:
        return np.clip(((flat - self.low) / self.step).astype(np.int64), 0, self.cells - 1)

    def odd(self, points: np.ndarray) -> np.ndarray:
        """(N,) bool: whether the ray along +x from each point crosses the mesh an odd number of times."""
        crossings = np.zeros(len(points), np.int64)
        cell = self._cell(points[:, 1:])
        cell = cell[:, 0] * self.cells + cell[:, 1]
        counts = self.starts[cell + 1] - self.starts[cell]
        # Neighbouring points ask the same triangles: sorting keeps them in the processor's cache.
        order = np.argsort(cell, kind="stable")
        for rows in _batches(order, counts[order], CHUNK):
            n = counts[rows]
            point = np.repeat(rows, n)
            within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
            face = self.members[np.repeat(self.starts[cell[rows]], n) + within]
            y, z = points[point, 1], points[point, 2]
            above = self._side(face, 0, y, z)
            keep = np.flatnonzero(above == self._side(face, 1, y, z))
            face, point, y, z, above = face[keep], point[keep], y[keep], z[keep], above[keep]
            keep = np.flatnonzero(above == self._side(face, 2, y, z))
            face, point, y, z = face[keep], point[keep], y[keep], z[keep]
            depth = self.depth[face]
            ahead = depth[:, 0] * y + depth[:, 1] * z + depth[:, 2] > points[point, 0]
            crossings += np.bincount(point[ahead], minlength=len(points)) if ahead.any() else 0
        return crossings % 2 == 1

    def _side(self, face: np.ndarray, k: int, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        line = self.edge[face, k]
        return (line[:, 0] * y + line[:, 1] * z + line[:, 2] >= 0) != self.flip[face, k]


def inside_mesh(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N,) bool: which points the closed mesh surrounds. For many calls keep a :class:`MeshInside`."""
    return MeshInside(vertices, faces)(points)


def _general_rotations() -> list[np.ndarray]:
    """Three rotations whose first rows, the ray directions, are far from each other and from all axes."""
    turns = []
    for seed in range(3):
        q, r = np.linalg.qr(np.random.default_rng(20 + seed).normal(size=(3, 3)))
        turns.append(q * np.sign(np.diag(r)))
    return turns


def _batches(rows: np.ndarray, counts: np.ndarray, limit: int) -> Iterator[np.ndarray]:
    """Split rows so that the counts of each part add up to about ``limit``."""
    rows, counts = rows[counts > 0], counts[counts > 0]
    if len(rows):
        parts = np.cumsum(counts) // limit
        yield from np.split(rows, np.flatnonzero(np.diff(parts)) + 1)
