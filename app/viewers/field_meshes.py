"""Meshes of fields as surfaces: the boundary of tetrahedra, normals while they move, arrows at the vertices."""

from __future__ import annotations

import numpy as np

from app import theme
from app.viewers import colour_maps
from app.viewers.layer import Drawn
from engines.blocks.mesh_topology import vertex_normals

MOST_ARROWS = 600


def boundary(cells: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``count`` vertices lie on the surface (W,), and its triangles (F, 3) int32 among these.

    Triangles are kept as they are; of tetrahedra the faces that only one of them has, facing outwards.
    """
    faces = cells if cells.shape[1] == 3 else _outer_faces(cells)
    kept = np.unique(faces) if len(faces) else np.arange(count)
    index = np.zeros(count, np.int32)
    index[kept] = np.arange(len(kept), dtype=np.int32)
    return kept, index[faces].astype(np.int32)


def _outer_faces(cells: np.ndarray) -> np.ndarray:
    # Opposite to each vertex, anticlockwise seen from outside where the tetrahedron has a positive volume.
    faces = np.concatenate([cells[:, (1, 2, 3)], cells[:, (0, 3, 2)], cells[:, (0, 1, 3)], cells[:, (0, 2, 1)]])
    ordered = np.sort(faces, axis=1).astype(np.int64)
    size = int(cells.max(initial=0)) + 1
    keys = (ordered[:, 0] * size + ordered[:, 1]) * size + ordered[:, 2]
    _, first, times = np.unique(keys, return_index=True, return_counts=True)
    return faces[np.sort(first[times == 1])]


def moving_normals(points: np.ndarray, faces: np.ndarray, flat: bool) -> np.ndarray:
    """(V, 3) float32 unit normals."""
    if not flat:
        return vertex_normals(points, faces).astype(np.float32)
    normals = np.zeros(points.shape, np.float32)
    normals[:, 2] = 1.0
    return normals


def dress_arrows(drawn: Drawn, scale: float) -> None:
    """In the colour of the text, without light and shade."""
    look = drawn.actor.GetProperty()
    look.SetColor(*colour_maps.rgb(theme.colors().text))
    look.SetLineWidth(1.5 * scale)
    look.LightingOff()


def arrow_lines(points: np.ndarray, flow: np.ndarray | None, most: int = MOST_ARROWS) -> tuple[np.ndarray, np.ndarray]:
    """Points (4 N, 3) and lines (3 N, 2) of arrows from some of the points; the longest a ninth of the extent."""
    nothing = np.zeros((0, 3)), np.zeros((0, 2), np.int32)
    if flow is None or not len(points):
        return nothing
    step = max(1, len(points) // most)
    at, along = points[::step].astype(float), flow[::step].astype(float)
    speed = np.linalg.norm(along, axis=1)
    longest = float(np.nanmax(speed, initial=0.0))
    good = np.isfinite(speed) & (speed > 0.01 * longest)
    if longest == 0 or not good.any():
        return nothing
    size = float(np.linalg.norm(np.ptp(points, axis=0))) / 9 / longest
    at, along = at[good], along[good] * size
    # The barbs lie in the plane that is seen best: across the arrow, and across the axis it follows least.
    least = np.eye(3)[np.abs(along).argmin(1)]
    aside = np.cross(along, least)
    aside *= (np.linalg.norm(along, axis=1) / np.maximum(np.linalg.norm(aside, axis=1), 1e-300))[:, None]
    tip = at + along
    ends = np.stack([at, tip, tip - 0.3 * along + 0.14 * aside, tip - 0.3 * along - 0.14 * aside], 1).reshape(-1, 3)
    first = 4 * np.arange(len(at), dtype=np.int32)[:, None]
    lines = (first[..., None] + np.array([[0, 1], [1, 2], [1, 3]], np.int32)).reshape(-1, 2)
    return ends, lines


def squares(good: np.ndarray) -> np.ndarray:
    """(F, 3) two triangles for each square of nodes that all have values."""
    rows, columns = good.shape
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    whole = good[:-1, :-1] & good[1:, :-1] & good[1:, 1:] & good[:-1, 1:]
    a, b, c, d = (part[whole] for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
