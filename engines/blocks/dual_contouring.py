"""Dual contouring of a grid of values, vectorised.

In each cell that the surface passes, a vertex minimises

    sum_j (n_j . (v - p_j))^2 + (bias |v - mean(p_j)|)^2      within the cell,

where p_j are the linear zero crossings on the cell's edges and n_j the unit gradients there. Each edge with a sign
change gives a quad of the vertices of its four cells. Without gradients the vertex is the mean of the crossings.

A cell gets one vertex for each piece of surface in it (pieces are told apart by the signs at its corners alone), so
that two sheets which pass through one cell are not glued together and the mesh stays a manifold, up to two
neighbouring cells with ambiguous signs on the face between them. Negative is inside. Nodes on the border of
the grid count as outside: the mesh is always closed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.core import UserError

Gradient = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class DualSurface:
    """(V, 3) float64 vertices, (F, 3) int32 faces (outward), and where along its edge each crossing lies.

    ``ratios`` (E,) in [0, 1] is 0 at the lower node. Even in the middle for a well-behaved field; piles at 0 and
    1 tell of a field that saturates between nodes, whose mesh ripples.
    """

    vertices: np.ndarray
    faces: np.ndarray
    ratios: np.ndarray


@dataclass(frozen=True)
class _Crossings:
    """Edges with a sign change along one axis: flat index of the lower node, and what lies there."""

    axis: int
    nodes: np.ndarray
    leaving: np.ndarray  # inside at the lower node
    ratios: np.ndarray
    cells: np.ndarray  # (E, 4) flat, in a turn about the axis
    slots: np.ndarray  # (4,) which of the cell's twelve edges this is


def dual_contouring(
    values: np.ndarray,
    origin: np.ndarray,
    spacing: np.ndarray,
    gradient: Gradient | None = None,
    *,
    bias: float = 0.01,
    check: Callable[[], None] | None = None,
) -> DualSurface:
    """Zero level set of ``values`` (X, Y, Z) at the nodes origin + index * spacing.

    ``gradient`` takes (M, 3) positions and gives (M, 3) gradients of any length. ``check`` is called between parts
    of the work and may raise. Raises :class:`UserError` when there is no zero level set.
    """
    spacing = np.broadcast_to(np.asarray(spacing, np.float64), 3)
    origin = np.asarray(origin, np.float64)
    negative = inside_nodes(values)
    crossings = [_crossings(values, negative, axis) for axis in range(3)]
    if not any(len(c.nodes) for c in crossings):
        raise UserError(
            "The field has no zero level set.",
            f"Its values at the grid's nodes run from {values.min():.3g} to {values.max():.3g}.",
            "Train longer, or use a finer grid if the shape is thin.",
        )
    if check is not None:
        check()

    cells, vertex_cells, lookup = _vertices_of_cells(values.shape, negative, crossings)
    corners = np.stack(np.unravel_index(cells, values.shape), axis=1)[vertex_cells].astype(np.float64)
    owners = np.concatenate([lookup(c) for c in crossings])  # (E, 4)
    points = np.concatenate([_positions(c, values.shape) for c in crossings])
    normals = None
    if gradient is not None:
        normals = np.asarray(gradient(origin + points * spacing), np.float64) * spacing
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    if check is not None:
        check()
    placed = _place(points, normals, owners, corners, bias)
    leaving = np.concatenate([c.leaving for c in crossings])
    return DualSurface(
        vertices=origin + placed * spacing,
        faces=_triangles(owners, leaving, placed),
        ratios=np.concatenate([c.ratios for c in crossings]),
    )


def inside_nodes(values: np.ndarray) -> np.ndarray:
    """(X, Y, Z) bool: negative and not on the border."""
    negative = values < 0
    for axis in range(3):
        face = np.moveaxis(negative, axis, 0)
        face[0] = face[-1] = False
    return negative


def _crossings(values: np.ndarray, negative: np.ndarray, axis: int) -> _Crossings:
    shape = values.shape
    strides = (shape[1] * shape[2], shape[2], 1)
    changes = np.zeros(shape, bool)
    low, high = [slice(None)] * 3, [slice(None)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    np.not_equal(negative[tuple(low)], negative[tuple(high)], out=changes[tuple(low)])
    nodes = np.flatnonzero(changes)
    flat, signs = values.reshape(-1), negative.reshape(-1)
    here, there = (flat[n].astype(np.float64) for n in (nodes, nodes + strides[axis]))
    leaving = signs[nodes]
    # A border node counts as outside whatever its value: there the crossing is put in the middle.
    real = (here < 0) != (there < 0)
    ratios = np.where(real, here / np.where(real, here - there, 1.0), 0.5)
    b, c = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
    cells = nodes[:, None] - np.array([0, b, b + c, c])
    slots = 4 * axis + np.array([0, 2, 3, 1])
    return _Crossings(axis, nodes, leaving, ratios, cells, slots)


def _positions(crossings: _Crossings, shape: tuple[int, ...]) -> np.ndarray:
    """(E, 3) crossings in units of nodes."""
    points = np.stack(np.unravel_index(crossings.nodes, shape), axis=1).astype(np.float64)
    points[:, crossings.axis] += crossings.ratios
    return points


def _vertices_of_cells(
    shape: tuple[int, ...], negative: np.ndarray, crossings: list[_Crossings]
) -> tuple[np.ndarray, np.ndarray, Callable[[_Crossings], np.ndarray]]:
    """Flat indices of the cells (C,), the cell of each vertex (V,), and the (E, 4) vertices around crossings."""
    passed = np.zeros(negative.size, bool)
    for c in crossings:
        passed[c.cells.ravel()] = True
    cells = np.flatnonzero(passed)
    del passed
    signs = negative.reshape(-1)
    case = np.zeros(len(cells), np.int64)
    for corner in range(8):
        dx, dy, dz = corner >> 2 & 1, corner >> 1 & 1, corner & 1
        case |= signs[cells + (dx * shape[1] + dy) * shape[2] + dz].astype(np.int64) << corner
    pieces = _PIECES.max(1)[case] + 1
    first = np.cumsum(pieces) - pieces
    at_cell = np.empty(negative.size, np.int32)  # never read but where it was written
    at_cell[cells] = np.arange(len(cells), dtype=np.int32)

    def lookup(c: _Crossings) -> np.ndarray:
        index = at_cell[c.cells]
        return first[index] + _PIECES[case[index], c.slots]

    return cells, np.repeat(np.arange(len(cells)), pieces), lookup


def _place(
    points: np.ndarray, normals: np.ndarray | None, owners: np.ndarray, corners: np.ndarray, bias: float
) -> np.ndarray:
    """(V, 3) vertices, in units of nodes."""
    flat, count = owners.ravel(), len(corners)

    def gather(weights: np.ndarray) -> np.ndarray:
        return np.bincount(flat, np.repeat(weights, 4), minlength=count)

    share = np.bincount(flat, minlength=count)
    mean = np.stack([gather(points[:, a]) for a in range(3)], axis=1) / share[:, None]
    if normals is None:
        return mean
    heights = (normals * points).sum(1)
    matrix = np.empty((count, 3, 3))
    for a in range(3):
        for b in range(a, 3):
            matrix[:, a, b] = matrix[:, b, a] = gather(normals[:, a] * normals[:, b])
    right = np.stack([gather(normals[:, a] * heights) for a in range(3)], axis=1)
    right -= np.einsum("nij,nj->ni", matrix, mean)
    matrix[:, [0, 1, 2], [0, 1, 2]] += bias**2
    low = corners - mean
    step = _solve(matrix, right)
    outside = np.flatnonzero(((step < low) | (step > low + 1)).any(1))
    step[outside] = _box_minimum(matrix[outside], right[outside], low[outside], low[outside] + 1)
    return np.clip(mean + step, corners, corners + 1)


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """x (N, 3) of symmetric (N, 3, 3) systems by Cramer's rule; the bias keeps them regular."""
    a, b, c = matrix[:, 0], matrix[:, 1], matrix[:, 2]
    bc, ca, ab = np.cross(b, c), np.cross(c, a), np.cross(a, b)
    adjugate_right = bc * right[:, :1] + ca * right[:, 1:2] + ab * right[:, 2:]
    return adjugate_right / (a * bc).sum(1, keepdims=True)


def _box_minimum(matrix: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Minimiser of x A x / 2 - r x in the box when the free one lies outside.

    It lies on a face: inside one, or on one of its edges. All 6 + 12 candidates are compared.
    """
    best = np.clip(np.zeros_like(right), low, high)
    lowest = np.full(len(right), np.inf)

    def offer(x: np.ndarray, feasible: np.ndarray) -> None:
        energy = 0.5 * np.einsum("ni,nij,nj->n", x, matrix, x) - (right * x).sum(1)
        better = feasible & (energy < lowest)
        best[better], lowest[better] = x[better], energy[better]

    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        for side in (low, high):
            x = np.empty_like(right)
            x[:, a] = side[:, a]
            rb, rc = (right[:, k] - matrix[:, k, a] * x[:, a] for k in (b, c))
            determinant = matrix[:, b, b] * matrix[:, c, c] - matrix[:, b, c] ** 2
            x[:, b] = (matrix[:, c, c] * rb - matrix[:, b, c] * rc) / determinant
            x[:, c] = (matrix[:, b, b] * rc - matrix[:, b, c] * rb) / determinant
            pair = [b, c]
            offer(x, ((x[:, pair] >= low[:, pair]) & (x[:, pair] <= high[:, pair])).all(1))
            for other in (low, high):  # the edge along c
                x = x.copy()
                x[:, b] = other[:, b]
                free = (rc - matrix[:, b, c] * x[:, b]) / matrix[:, c, c]
                x[:, c] = np.clip(free, low[:, c], high[:, c])
                offer(x, np.ones(len(x), bool))
    return best


def _triangles(owners: np.ndarray, leaving: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(F, 3) two triangles for each quad, cut along its shorter diagonal."""
    quads = np.where(leaving[:, None], owners, owners[:, ::-1])
    a, b, c, d = (vertices[quads[:, k]] for k in range(4))
    across = ((a - c) ** 2).sum(1) <= ((b - d) ** 2).sum(1)
    first = np.where(across[:, None], quads[:, [0, 1, 2]], quads[:, [0, 1, 3]])
    second = np.where(across[:, None], quads[:, [0, 2, 3]], quads[:, [1, 2, 3]])
    return np.stack([first, second], axis=1).reshape(-1, 3).astype(np.int32)


def _pieces() -> np.ndarray:
    """(256, 12) int8: the piece of surface that crosses each edge of a cell, or -1.

    Case bit 4 x + 2 y + z is set when that corner is inside. Edge 4 a + 2 p + q runs along axis a at offsets p, q
    along axes a + 1, a + 2. On a face with four crossings each inside corner is cut off by itself: both cells
    beside a face then agree.
    """
    table = np.full((256, 12), -1, np.int8)

    def corner(axis: int, along: int, p: int, q: int) -> int:
        place = [0, 0, 0]
        place[axis], place[(axis + 1) % 3], place[(axis + 2) % 3] = along, p, q
        return 4 * place[0] + 2 * place[1] + place[2]

    def edge(one: int, other: int) -> int:
        axis = {4: 0, 2: 1, 1: 2}[one ^ other]
        place = (one >> 2 & 1, one >> 1 & 1, one & 1)
        return 4 * axis + 2 * place[(axis + 1) % 3] + place[(axis + 2) % 3]

    faces = [
        [corner(axis, side, p, q) for p, q in ((0, 0), (1, 0), (1, 1), (0, 1))] for axis in range(3) for side in (0, 1)
    ]
    for case in range(256):
        piece = {}
        for ring in faces:
            for k in range(4):
                if case >> ring[k] & 1 != case >> ring[k - 1] & 1:
                    piece.setdefault(edge(ring[k], ring[k - 1]), len(piece))
        for ring in faces:
            sides = [edge(ring[k], ring[(k + 1) % 4]) for k in range(4)]
            cut = [k for k in range(4) if sides[k] in piece]
            if len(cut) == 2:
                pairs = [(sides[cut[0]], sides[cut[1]])]
            else:
                pairs = [(sides[k - 1], sides[k]) for k in range(4) if len(cut) == 4 and case >> ring[k] & 1]
            for one, other in pairs:
                old, new = piece[one], piece[other]
                piece = {e: new if p == old else p for e, p in piece.items()}
        names = {p: i for i, p in enumerate(dict.fromkeys(piece.values()))}
        for e, p in piece.items():
            table[case, e] = names[p]
    return table


_PIECES = _pieces()
