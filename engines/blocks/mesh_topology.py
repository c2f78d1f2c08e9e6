"""Edges, closedness, topology, area, normals and volume of triangle meshes; vertices made one."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def edges_of(faces: np.ndarray) -> np.ndarray:
    """(E, 2) int64 undirected edges, each once: the lower number first, in ascending order."""
    keys, span = _edge_keys(faces)
    found = np.unique(keys)
    return np.stack([found // span, found % span], axis=1)


def numbered_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The edges (E, 2) of :func:`edges_of`, and (F, 3) which of them joins corners k and k + 1 of each face."""
    keys, span = _edge_keys(faces)
    found, where = np.unique(keys, return_inverse=True)
    return np.stack([found // span, found % span], axis=1), where.reshape(3, -1).T


def edge_counts(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(E, 2) undirected edges and (E, 2) how often faces run along each one forwards and backwards."""
    edges, sides = numbered_edges(faces)
    forward = faces < np.roll(faces, -1, axis=1)
    counts = [np.bincount(sides[way], minlength=len(edges)) for way in (forward, ~forward)]
    return edges, np.stack(counts, axis=1)


def _edge_keys(faces: np.ndarray) -> tuple[np.ndarray, int]:
    """(3 F,) a * span + b for each side with the ends a < b, all first sides of faces before all second ones; span."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    low, high = directed.min(1), directed.max(1)
    span = int(high.max(initial=0)) + 1
    return low * span + high, span


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


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals: those of the triangles around, by their areas; 0 where there is none."""
    vertices, faces = np.asarray(vertices), np.asarray(faces)
    (x, y, z), (a, b, c) = np.ascontiguousarray(vertices.T), np.ascontiguousarray(faces.T)
    u, v = ((x[to] - x[a], y[to] - y[a], z[to] - z[a]) for to in (b, c))
    crosses = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    sums = [np.bincount(faces.ravel(), np.repeat(part, 3), len(vertices)) for part in crosses]
    normals = np.stack(sums, axis=1)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30))


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Enclosed volume of a closed mesh; negative when its faces turn inwards."""
    corners = np.asarray(vertices, float)[faces]
    corners = corners - corners.mean((0, 1)) if len(corners) else corners
    return float((np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum() / 6)


def _crosses(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = (np.asarray(vertices, float)[np.asarray(faces)[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


# ---- equal vertices --------------------------------------------------------------------------------------------------


def welded(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices at exactly the same place made one, as where a texture has a seam.

    The first of each kind stays, in their order: gives the numbers (W,) of those that stay, the number (V,) that each
    vertex has afterwards, and the faces (F, 3) int32. ``vertices`` (V, 3) are float32 or float64.
    """
    kept, where = equal_rows(vertices + 0.0)  # -0 becomes 0
    return kept, where, where[faces].astype(np.int32)


def equal_rows(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the first of each kind of rows, of all ``columns`` (n, ...) together, and which kind each row is.

    Kinds are in the order of first appearance. A row has a multiple of 4 bytes in every column. Sorting one 64-bit hash
    of the bits is several times faster than sorting rows; equal hashes of different rows are noticed, and then the rows
    are sorted after all.
    """
    parts = [np.ascontiguousarray(c).reshape(len(c), -1).view(np.uint32) for c in columns]
    mixed = np.zeros(len(parts[0]), dtype=np.uint64)
    for bits in parts:
        for column in bits.T:
            mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed)  # np.unique would sort stably, which is three times slower
    new = np.diff(mixed[order], prepend=mixed[order[:1]] + np.uint64(1)) != 0
    first = np.minimum.reduceat(order, np.flatnonzero(new)) if len(order) else order
    where = np.empty_like(order)
    where[order] = np.cumsum(new) - 1
    if not all((bits[first[where]] == bits).all() for bits in parts):
        _, first, where = np.unique(np.concatenate(parts, axis=1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[where.reshape(-1)]
