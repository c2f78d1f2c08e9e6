"""Loop subdivision (Loop 1987) as sparse matrices, so that whatever vertices carry follows.

Each triangle becomes four. Old vertices come first, in their order, then one for each edge.

    new vertex on an edge (a, b) between triangles (a, b, c), (b, a, d):   3/8 (a + b) + 1/8 (c + d)
    on an edge of the border:                                              1/2 (a + b)
    old vertex with n neighbours:   (1 - n beta) v + beta sum of neighbours,
                                    beta = (5/8 - (3/8 + 1/4 cos(2 pi / n))^2) / n
    on the border, with the neighbours p, q along it:                      3/4 v + 1/8 (p + q)

An edge of more than two triangles counts as border; a vertex where other than two such edges meet stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, vstack

from engines.blocks.mesh_topology import numbered_edges


@dataclass(frozen=True, eq=False)
class Subdivision:
    """A refined mesh of V' vertices, and how it follows from the V of the coarse one."""

    faces: np.ndarray
    """(4^levels F, 3) int32; those of one coarse triangle in a row."""
    smooth: csr_array
    """(V', V) float64: smoothed places of coarse places."""
    midpoint: csr_array
    """(V', V) float64: what vertices carry (skinning weights, colours), at each level the mean of an edge's ends."""

    def __len__(self) -> int:
        return int(self.smooth.shape[0])


def loop_subdivision(faces: np.ndarray, vertex_count: int, levels: int = 1) -> Subdivision:
    """Triangles (F, 3) of ``vertex_count`` vertices subdivided so many times; V' = V + E after each."""
    faces = np.asarray(faces, np.int32)
    smooth = midpoint = eye_array(vertex_count, format="csr")
    for _ in range(levels):
        edges, sides = numbered_edges(faces)
        count = smooth.shape[0]
        smooth, midpoint = _loop(faces, edges, sides, count) @ smooth, _midpoint(edges, count) @ midpoint
        faces = _quarters(faces, (sides + count).astype(np.int32))
    return Subdivision(faces, csr_array(smooth), csr_array(midpoint))


def _quarters(faces: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """(4 F, 3) from the vertices in the middle of the sides (F, 3)."""
    (a, b, c), (ab, bc, ca) = faces.T, middles.T
    return np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)


def _midpoint(edges: np.ndarray, count: int) -> csr_array:
    rows = np.repeat(np.arange(len(edges)), 2)
    halves = coo_array((np.full(len(rows), 0.5), (rows, edges.ravel())), shape=(len(edges), count))
    return csr_array(vstack([eye_array(count), halves]))


def _loop(faces: np.ndarray, edges: np.ndarray, sides: np.ndarray, count: int) -> csr_array:
    inside = np.bincount(sides.ravel(), minlength=len(edges)) == 2
    rows, columns, values = [], [], []

    def add(row: np.ndarray, column: np.ndarray, value: np.ndarray | float) -> None:
        rows.append(row)
        columns.append(column)
        values.append(np.broadcast_to(value, row.shape))

    # new vertices
    for end in edges.T:
        add(count + np.arange(len(edges)), end, np.where(inside, 3 / 8, 1 / 2))
    for k in range(3):
        among = inside[sides[:, k]]
        add(count + sides[among, k], faces[among, (k + 2) % 3], 1 / 8)

    # old vertices
    n = np.bincount(edges.ravel(), minlength=count)
    border = edges[~inside]
    of_border = np.bincount(border.ravel(), minlength=count)
    free = (of_border == 0) & (n > 0)
    around = np.maximum(n, 1)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / around) / 4) ** 2) / around
    own = np.where(free, 1 - n * beta, np.where(of_border == 2, 3 / 4, 1.0))
    add(np.arange(count), np.arange(count), own)
    for here, there in (edges.T, edges.T[::-1]):
        add(here[free[here]], there[free[here]], beta[here[free[here]]])
    for here, there in (border.T, border.T[::-1]):
        smooth = of_border[here] == 2
        add(here[smooth], there[smooth], 1 / 8)

    parts = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return csr_array(coo_array(parts, shape=(count + len(edges), count)))
