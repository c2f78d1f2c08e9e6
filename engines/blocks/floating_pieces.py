"""Pieces of a surface that no contour speaks for.

A field that was fitted on planes is free between them and may put islands or bubbles there. A piece (a connected
part of the mesh) floats when

    no contour comes nearer to it than ``reach``, and
    no plane that cuts it says, where it does, that the piece's inner side is right:
    inside for a piece of the solid, outside for a cavity.

The second condition spares a part that is real but was fitted far too small.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.contour_sampling import PlaneContours, points_on_contours
from engines.blocks.mesh_topology import face_components, volume


def floating_faces(
    vertices: np.ndarray, faces: np.ndarray, planes: Sequence[PlaneContours], reach: float
) -> tuple[np.ndarray, int]:
    """(F,) which faces belong to floating pieces, and how many such pieces there are.

    ``vertices`` (V, 3) and ``planes`` share a frame; ``faces`` (F, 3) turn outwards. ``reach`` should be no less than
    the size of a triangle. None floats when all would: a surface without any support is left as it is.
    """
    piece = face_components(faces)
    count = int(piece.max(initial=-1)) + 1
    if count < 2:
        return np.zeros(len(faces), bool), 0
    contours = points_on_contours(planes, reach / 4)
    used = np.unique(faces)
    distance = cKDTree(contours).query(vertices[used], distance_upper_bound=reach)[0]
    near = np.zeros(len(vertices), bool)
    near[used] = np.isfinite(distance)
    far = np.flatnonzero(np.bincount(piece, near[faces].any(1), minlength=count) == 0)
    if len(far) == count:
        return np.zeros(len(faces), bool), 0
    parts = {p: faces[piece == p] for p in far.tolist()}
    floating = {p for p, part in parts.items() if not _called_for(vertices, part, planes)}
    # What a floating piece encloses goes with it: a cavity without its solid would be a solid turned inside out.
    boxes = {p: (vertices[part].min((0, 1)), vertices[part].max((0, 1))) for p, part in parts.items()}
    for p in parts.keys() - floating:
        low, high = boxes[p]
        if any((boxes[q][0] < low).all() and (high < boxes[q][1]).all() for q in floating):
            floating = floating | {p}
    return np.isin(piece, list(floating)), len(floating)


def _called_for(vertices: np.ndarray, faces: np.ndarray, planes: Sequence[PlaneContours]) -> bool:
    """Whether a plane that cuts the piece agrees with it at one of the points where it does."""
    right = 0.0 if volume(vertices, faces) > 0 else 1.0
    start, end = vertices[faces].reshape(-1, 3), vertices[faces[:, [1, 2, 0]]].reshape(-1, 3)
    for plane in planes:
        normal = np.cross(plane.axes[0], plane.axes[1])
        a, b = (start - plane.origin) @ normal, (end - plane.origin) @ normal
        cut = (a < 0) != (b < 0)
        if not cut.any():
            continue
        t = (a[cut] / (a[cut] - b[cut]))[:, None]
        flat = ((1 - t) * start[cut] + t * end[cut] - plane.origin) @ plane.axes.T
        if (plane.labels(flat) == right).any():
            return True
    return False
