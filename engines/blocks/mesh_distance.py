"""Exact distances from points to triangle meshes, and points spread evenly on them.

A balanced tree of boxes over the triangles is walked level by level for many points at once, and only
the triangles that may be nearer than the best one found so far are looked at. The answer is exact, not sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.mesh_topology import face_areas

CHUNK = 1 << 12  # points looked at in one go
PAIRS = 1 << 18  # pairs of a point and a triangle looked at in one go
LEAF = 6


@dataclass(frozen=True)
class Closest:
    """For N points: distance (N,), the nearest face (N,) and the nearest point on it (N, 3)."""

    distance: np.ndarray
    face: np.ndarray
    point: np.ndarray


class MeshDistance:
    """Closest-point queries against one mesh; build once, ask often."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        corners = np.asarray(vertices, float)[np.asarray(faces)]
        self._depth = max(0, int(np.ceil(np.log2(max(1, len(corners) / LEAF)))))
        self._order = _balanced_order(corners.mean(1), self._depth)
        self._corners = corners[self._order]
        self._boxes = []
        for level in range(self._depth + 1):
            groups = self._corners.reshape(1 << level, -1, 3)
            self._boxes.append((groups.min(1), groups.max(1)))
        self._centroids = self._corners.mean(1)
        self._reach = np.linalg.norm(self._corners - self._centroids[:, None], axis=2).max(1)
        cross = np.cross(self._corners[:, 1] - self._corners[:, 0], self._corners[:, 2] - self._corners[:, 0])
        length = np.linalg.norm(cross, axis=1, keepdims=True)
        self._normals = cross / np.where(length > 0, length, 1.0)
        self._tree = cKDTree(self._centroids)

    def __call__(self, points: np.ndarray, check: Callable[[], object] = lambda: None) -> Closest:
        """Nearest points for (N, 3) points; ``check`` is called every few thousand points."""
        points = np.asarray(points, float).reshape(-1, 3)
        parts = []
        for i in range(0, len(points), CHUNK):
            check()
            parts.append(self._some(points[i : i + CHUNK]))
        if not parts:
            return Closest(np.zeros(0), np.zeros(0, int), np.zeros((0, 3)))
        return Closest(*(np.concatenate([getattr(p, key) for p in parts]) for key in ("distance", "face", "point")))

    def _some(self, points: np.ndarray) -> Closest:
        best = np.full(len(points), np.inf)
        face = np.zeros(len(points), np.int64)
        foot = np.zeros_like(points)
        # The triangles with the nearest centroids give a first distance that prunes nearly everything else.
        first = min(4, len(self._corners))
        near = self._tree.query(points, k=np.arange(1, first + 1))[1]
        self._improve(points, np.repeat(np.arange(len(points)), first), near.ravel(), best, face, foot)
        level = min(6, self._depth)
        low, high = self._boxes[level]
        row, node = np.nonzero(_squared_gap(points[:, None], low, high) < best[:, None] ** 2)
        for low, high in self._boxes[level + 1 :]:
            row, node = np.repeat(row, 2), np.stack([2 * node, 2 * node + 1], axis=1).ravel()
            keep = _squared_gap(points[row], low[node], high[node]) < best[row] ** 2
            row, node = row[keep], node[keep]
        size = len(self._corners) >> self._depth
        for i in range(0, len(row), PAIRS // size):
            rows = np.repeat(row[i : i + PAIRS // size], size)
            faces = (node[i : i + PAIRS // size, None] * size + np.arange(size)).ravel()
            # A triangle lies in a disc about its centroid: a lower bound that is tight for faces seen head-on.
            away = points[rows] - self._centroids[faces]
            height = _dot(away, self._normals[faces])
            aside = np.sqrt(np.maximum(_dot(away, away) - height * height, 0)) - self._reach[faces]
            may = np.flatnonzero(height**2 + np.maximum(aside, 0) ** 2 < best[rows] ** 2)
            self._improve(points, rows[may], faces[may], best, face, foot)
        return Closest(best, self._order[face], foot)

    def _improve(
        self,
        points: np.ndarray,
        rows: np.ndarray,
        faces: np.ndarray,
        best: np.ndarray,
        face: np.ndarray,
        foot: np.ndarray,
    ) -> None:
        """Lower ``best`` where one of the candidate pairs (row, face) is nearer."""
        if not len(rows):
            return
        nearest = nearest_on_triangles(points[rows], self._corners[faces])
        distance = np.linalg.norm(nearest - points[rows], axis=1)
        order = np.lexsort((distance, rows))
        first = order[np.flatnonzero(np.diff(rows[order], prepend=-1))]
        won = first[distance[first] < best[rows[first]]]
        best[rows[won]], face[rows[won]], foot[rows[won]] = distance[won], faces[won], nearest[won]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products of (..., 3) vectors; numpy's sum over so short an axis is several times slower."""
    return np.einsum("...k,...k->...", a, b)


def _squared_gap(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Squared distances of (..., 3) points from boxes; 0 inside."""
    gap = np.maximum(np.maximum(low - points, points - high), 0)
    return _dot(gap, gap)


def _balanced_order(centers: np.ndarray, depth: int) -> np.ndarray:
    """Indices of the (F, 3) centers so that halves of halves of ... are compact; padded to a multiple of 2^depth."""
    order = np.arange(len(centers))
    order = np.concatenate([order, np.full(-len(order) % (1 << depth), len(centers) - 1)])
    for level in range(depth):
        groups = centers[order].reshape(1 << level, -1, 3)
        axis = np.ptp(groups, axis=1).argmax(1)
        keys = np.take_along_axis(groups, axis[:, None, None], axis=2)[:, :, 0]
        within = np.argsort(keys, axis=1, kind="stable")
        order = np.take_along_axis(order.reshape(1 << level, -1), within, axis=1).ravel()
    return order


def nearest_on_triangles(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(N, 3) for each point the nearest point of its own triangle, given as ``corners`` (N, 3, 3)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = _dot(ab, ab), _dot(ab, ac), _dot(ac, ac)
    d20, d21 = _dot(ap, ab), _dot(ap, ac)
    det = d00 * d11 - d01 * d01
    safe = np.where(det > 0, det, 1.0)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    nearest = a + v[:, None] * ab + w[:, None] * ac
    outside = np.flatnonzero((det <= 1e-24 * d00 * d11) | (v < 0) | (w < 0) | (v + w > 1))
    if len(outside):
        p, tri = points[outside], corners[outside]
        best = np.full(len(p), np.inf)
        for k in range(3):
            start, along = tri[:, k], tri[:, (k + 1) % 3] - tri[:, k]
            length = _dot(along, along)
            t = np.clip(_dot(p - start, along) / np.where(length > 0, length, 1.0), 0, 1)
            foot = start + t[:, None] * along
            distance = _dot(foot - p, foot - p)
            nearer = distance < best
            best = np.where(nearer, distance, best)
            nearest[outside[nearer]] = foot[nearer]
    return nearest


def sample_surface(
    vertices: np.ndarray, faces: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(count, 3) points spread evenly over the area, and the (count,) face of each; stratified along the area."""
    areas = face_areas(vertices, faces)
    along = (np.arange(count) + rng.random(count)) / count * areas.sum()
    face = np.minimum(np.searchsorted(np.cumsum(areas), along), len(faces) - 1)
    root, second = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - root, root * (1 - second), root * second], axis=1)
    return (weights[:, :, None] * np.asarray(vertices, float)[np.asarray(faces)[face]]).sum(1), face
