"""Closedness, topology, area and volume of triangle meshes."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def edge_counts(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E, 2) undirected edges and (E, 2) how often faces run along each one forwards and backwards."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    forward = directed[:, 0] < directed[:, 1]
    pairs = np.sort(directed, axis=1)
    span = int(pairs.max(initial=0)) + 1
    keys, where = np.unique(pairs[:, 0] * span + pairs[:, 1], return_inverse=True)
    counts = np.stack([np.bincount(where, weights=w, minlength=len(keys)) for w in (forward, ~forward)], axis=1).astype(
        int
    )
    return np.stack([keys // span, keys % span], axis=1), counts


def is_watertight(faces: np.ndarray) -> bool:
    """Whether every edge has as many faces along it in one direction as in the other (closed and oriented)."""
    faces = np.asarray(faces)
    return bool(len(faces) and (np.diff(edge_counts(faces)[1], axis=1) == 0).all())


def is_closed(faces: np.ndarray) -> bool:
    """Whether every edge belongs to an even number of faces, however these are turned."""
    faces = np.asarray(faces)
    return bool(len(faces) and (edge_counts(faces)[1].sum(1) % 2 == 0).all())


def euler_characteristic(faces: np.ndarray) -> int:
    """V - E + F of the vertices that faces use: 2 for a sphere, 0 for a torus, summed over separate parts."""
    faces = np.asarray(faces)
    return len(np.unique(faces)) - len(edge_counts(faces)[0]) + len(faces) if len(faces) else 0


def face_components(faces: np.ndarray) -> np.ndarray:
    """(F,) number of the connected part that each face belongs to, from 0."""
    faces = np.asarray(faces, np.int64)
    if not len(faces):
        return np.zeros(0, int)
    span = int(faces.max()) + 1
    rows, columns = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    _, label = connected_components(coo_array((np.ones(len(rows)), (rows, columns)), shape=(span, span)), False)
    return np.unique(label[faces[:, 0]], return_inverse=True)[1]


def face_areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) areas."""
    return 0.5 * np.linalg.norm(_crosses(vertices, faces), axis=1)


def face_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F, 3) unit normals by the right-hand rule; zero for faces without area."""
    crosses = _crosses(vertices, faces)
    lengths = np.linalg.norm(crosses, axis=1, keepdims=True)
    return np.where(lengths > 0, crosses / np.where(lengths > 0, lengths, 1), 0.0)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Enclosed volume of a closed mesh; negative when its faces turn inwards."""
    corners = np.asarray(vertices, float)[faces]
    corners = corners - corners.mean((0, 1)) if len(corners) else corners
    return float((np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum() / 6)


def _crosses(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (np.asarray(vertices, float)[np.asarray(faces)[:, k]] for k in range(3))
    return np.cross(b - a, c - a)
