"""Signed distances to closed contours in the plane, and points spread along them with outward normals."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.polygons import inside, loop_segments, nesting, signed_areas


def signed_distance(points: np.ndarray, segments: np.ndarray, spacing: float) -> np.ndarray:
    """(N,) distance of ``points`` (N, 2) from the contours made of ``segments`` (E, 2, 2); negative inside (even-odd).

    Segments are cut into pieces no longer than ``spacing`` and the pieces with the three nearest middles are
    looked at: distances below ``spacing`` are exact, larger ones to within spacing / 2.
    """
    pieces = _cut(segments, spacing)
    near = cKDTree(pieces.mean(1)).query(points, k=np.arange(1, min(3, len(pieces)) + 1))[1]
    start, along = pieces[near, 0], pieces[near, 1] - pieces[near, 0]
    length = (along * along).sum(-1)
    t = np.clip(((points[:, None] - start) * along).sum(-1) / np.where(length > 0, length, 1), 0, 1)
    distance = np.linalg.norm(start + t[..., None] * along - points[:, None], axis=-1).min(1)
    return np.where(inside(points, segments), -distance, distance)


def spread(vertices: np.ndarray, starts: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 2) about ``spacing`` apart on the loops, with (N, 2) unit normals out of what they enclose.

    Loops are given flat, as in :mod:`engines.blocks.polygons`; which side is out follows from their nesting.
    """
    segments = loop_segments(vertices, starts)
    depth, _ = nesting(vertices, starts)
    # To the right of a counter-clockwise loop of even depth lies the outside.
    rightward = (signed_areas(vertices, starts) > 0) == (depth % 2 == 0)
    counts = np.diff(np.append(starts, len(vertices)))
    sign = np.repeat(np.where(rightward, 1.0, -1.0), counts)
    along = segments[:, 1] - segments[:, 0]
    length = np.linalg.norm(along, axis=1)
    pieces = np.maximum(1, np.ceil(length / spacing).astype(int))
    owner = np.repeat(np.arange(len(segments)), pieces)
    t = (np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces) + 0.5) / pieces[owner]
    normal = np.stack([along[:, 1], -along[:, 0]], axis=1) * (sign / np.where(length > 0, length, 1))[:, None]
    keep = length[owner] > 0
    return (segments[owner, 0] + t[:, None] * along[owner])[keep], normal[owner][keep]


def _cut(segments: np.ndarray, longest: float) -> np.ndarray:
    """(M, 2, 2) the segments cut into equal pieces no longer than ``longest``."""
    along = segments[:, 1] - segments[:, 0]
    pieces = np.maximum(1, np.ceil(np.linalg.norm(along, axis=1) / longest).astype(int))
    owner = np.repeat(np.arange(len(segments)), pieces)
    index = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    at = np.stack([index, index + 1], axis=1) / pieces[owner, None]
    return segments[owner, None, 0] + at[..., None] * along[owner, None]
