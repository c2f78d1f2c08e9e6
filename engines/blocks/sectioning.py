"""Planes through meshes and volumes give loops; planes through each other tell whether loops agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.blocks.polygons import inside, nesting, signed_areas
from engines.data import Mesh, Slices


def plane_frames(normals: np.ndarray) -> np.ndarray:
    """(P, 2, 3) orthonormal in-plane axes u, v with u × v = n for unit ``normals`` (P, 3).

    A loop that is counter-clockwise in (u, v) is counter-clockwise seen against the normal.
    """
    normals = np.asarray(normals, dtype=np.float64).reshape(-1, 3)
    least = np.eye(3)[np.abs(normals).argmin(1)]
    u = np.cross(least, normals)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    return np.stack([u, np.cross(normals, u)], axis=1)


@dataclass(frozen=True)
class Conflicts:
    """Where planes that cut each other disagree about inside and outside.

    ``samples`` points were looked at on the lines in which pairs of planes meet; at ``conflicting`` of them the
    two planes contradict. ``points`` (C, 3) are those, ``planes`` (C, 2) the planes that disagree there.
    """

    samples: int
    conflicting: int
    points: np.ndarray
    planes: np.ndarray


MOST_PLANES, MOST_SAMPLES, MOST_LABELS = 400, 500_000, 64


def conflicts(slices: Slices, samples_per_line: int = 128, tolerance: float = 2e-3) -> Conflicts:
    """Compare pairs of planes on the lines in which they meet, inside the bounds of the vertices.

    A sample counts when the planes contradict there and also ``tolerance`` (of the bounds' diagonal) before and
    behind it: contours that meet almost exactly are no contradiction. With several labels the planes must agree
    on each (beyond MOST_LABELS on their union). Planes within 1° of parallel are left out. Of more than
    MOST_PLANES planes or MOST_SAMPLES samples an even selection is looked at.
    """
    none = Conflicts(0, 0, np.zeros((0, 3)), np.zeros((0, 2), dtype=np.int64))
    if slices.loop_count == 0 or slices.plane_count < 2:
        return none
    low, high = slices.bounds
    diagonal = float(np.linalg.norm(high - low))
    looked_at = np.unique(np.linspace(0, slices.plane_count - 1, MOST_PLANES).astype(np.int64))
    first, second = looked_at[np.stack(np.triu_indices(len(looked_at), 1))]
    direction = np.cross(slices.normals[first], slices.normals[second])
    sine = np.linalg.norm(direction, axis=1)
    meets = sine > np.sin(np.radians(1.0))
    first, second, direction, sine = first[meets], second[meets], direction[meets], sine[meets]
    direction = direction / sine[:, None]
    middle = (low + high) / 2
    n1, n2 = slices.normals[first], slices.normals[second]
    d1, d2 = slices.offsets[first] - n1 @ middle, slices.offsets[second] - n2 @ middle
    cosine = (n1 * n2).sum(1)
    a, b = (d1 - cosine * d2) / sine**2, (d2 - cosine * d1) / sine**2
    anchor = middle + a[:, None] * n1 + b[:, None] * n2
    begin, end = _clip(anchor, direction, low, high)
    used = np.flatnonzero(end - begin > 4 * tolerance * diagonal)
    if not len(used):
        return none
    samples_per_line = max(8, min(samples_per_line, MOST_SAMPLES // len(used)))
    used = used[:: -(-len(used) * samples_per_line // MOST_SAMPLES)]
    first, second = first[used], second[used]
    at = (np.arange(samples_per_line) + 0.5) / samples_per_line
    t = begin[used, None] + (end - begin)[used, None] * at
    wrong = np.ones(t.shape, dtype=bool)
    for shift in (0.0, -tolerance * diagonal, tolerance * diagonal):
        points = anchor[used, None] + (t + shift)[..., None] * direction[used, None]
        wrong &= _disagree(slices, first, second, points)
        if shift == 0.0:
            shown = points
    line, sample = np.nonzero(wrong)
    return Conflicts(
        wrong.size, len(line), shown[line, sample], np.stack([first[line], second[line]], axis=1).astype(np.int64)
    )


def _clip(
    anchor: np.ndarray, direction: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where lines enter and leave a box (end < begin: they miss it)."""
    flat = np.abs(direction) < 1e-12
    safe = np.where(flat, 1.0, direction)
    t0, t1 = (low - anchor) / safe, (high - anchor) / safe
    within = (anchor >= low) & (anchor <= high)
    enter = np.where(flat, np.where(within, -np.inf, np.inf), np.minimum(t0, t1))
    leave = np.where(flat, np.where(within, np.inf, -np.inf), np.maximum(t0, t1))
    return enter.max(1), leave.min(1)


def _disagree(slices: Slices, first: np.ndarray, second: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K, S) whether the planes ``first`` and ``second`` (K,) contradict at ``points`` (K, S, 3)."""
    frames = plane_frames(slices.normals)
    edges = slices.edges
    owners = np.where(slices.loop_parents >= 0, slices.loop_labels[slices.loop_parents], slices.loop_labels)
    if len(np.unique(owners)) > MOST_LABELS:
        owners = np.zeros_like(owners)
    edge_labels, edge_planes = np.repeat(owners, slices.loop_counts), slices.vertex_planes
    order = np.lexsort((edge_planes, edge_labels))
    groups = np.flatnonzero(np.diff(edge_labels[order], prepend=-1) | np.diff(edge_planes[order], prepend=-1))
    wrong = np.zeros(points.shape[:2], dtype=bool)
    pieces: dict[int, list[np.ndarray]] = {}
    for group in np.split(order, groups[1:]):
        pieces.setdefault(int(edge_labels[group[0]]), []).append(group)
    for of_label in pieces.values():
        answers = np.zeros((2, *wrong.shape), dtype=bool)
        for group in of_label:
            plane = int(edge_planes[group[0]])
            segments = slices.vertices[edges[group]] @ frames[plane].T
            for side, planes in enumerate((first, second)):
                lines = np.flatnonzero(planes == plane)
                asked = points[lines].reshape(-1, 3) @ frames[plane].T
                answers[side, lines] = inside(asked, segments).reshape(len(lines), points.shape[1])
        wrong |= answers[0] != answers[1]
    return wrong


def cut_mesh(mesh: Mesh, normal: np.ndarray, offset: float) -> tuple[list[np.ndarray], int]:
    """The closed loops (n, 3) in which the plane n·x = offset cuts a mesh, and how many had to be closed.

    A vertex on the plane counts as above it, so that each cut edge has two cut faces and the loops of a closed,
    evenly oriented mesh follow from one permutation. Other meshes are walked edge by edge, and open chains are
    closed by a straight line.
    """
    height = mesh.vertices @ normal - offset
    above = height >= 0
    corner_above = above[mesh.faces]
    cut = np.flatnonzero(corner_above.any(1) & ~corner_above.all(1))
    if not len(cut):
        return [], 0
    faces, corner_above = mesh.faces[cut].astype(np.int64), corner_above[cut]
    following = np.roll(faces, -1, axis=1)
    next_above = np.roll(corner_above, -1, axis=1)
    rows = np.arange(len(faces))
    # With outward faces the loop turns counter-clockwise when each segment goes from the falling to the rising edge.
    falling, rising = (corner_above & ~next_above).argmax(1), (~corner_above & next_above).argmax(1)
    ends = np.stack([_edge_keys(faces[rows, e], following[rows, e], len(mesh.vertices)) for e in (falling, rising)])
    keys, nodes = np.unique(ends, return_inverse=True)
    nodes = nodes.reshape(2, -1)
    a, b = keys // len(mesh.vertices), keys % len(mesh.vertices)
    t = height[a] / (height[a] - height[b])
    points = mesh.vertices[a] + t[:, None] * (mesh.vertices[b] - mesh.vertices[a])
    chains, opened = chain(nodes.T, len(keys))
    return [points[c] for c in chains], opened


def _edge_keys(a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
    return np.minimum(a, b) * count + np.maximum(a, b)


def chain(edges: np.ndarray, node_count: int) -> tuple[list[np.ndarray], int]:
    """Join directed ``edges`` (E, 2) of nodes to loops of nodes; also how many open chains became loops.

    Where each node is left once and entered once the edges' direction is kept.
    """
    if not len(edges):
        return [], 0
    leaving = np.bincount(edges[:, 0], minlength=node_count)
    entering = np.bincount(edges[:, 1], minlength=node_count)
    if leaving.max() > 1 or (leaving != entering).any():
        return _walk(edges)
    of_start = np.empty(node_count, dtype=np.int64)
    of_start[edges[:, 0]] = np.arange(len(edges))
    order, starts = cycles(of_start[edges[:, 1]])
    return np.split(edges[order, 0], starts[1:]), 0


def cycles(successor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cycles of a permutation: items cycle by cycle in order, and where each cycle starts.

    Pointer doubling: log2(n) gathers instead of a walk of n steps.
    """
    count = len(successor)
    rounds = max(1, int(np.ceil(np.log2(max(count, 2)))))
    smallest, jump = np.arange(count), successor.copy()
    for _ in range(rounds):
        smallest = np.minimum(smallest, smallest[jump])
        jump = jump[jump]
    last = successor == smallest  # the item before the smallest one of its cycle
    left, jump = np.where(last, 0, 1), np.where(last, np.arange(count), successor)
    for _ in range(rounds):
        left = left + left[jump]
        jump = jump[jump]
    order = np.lexsort((-left, smallest))
    first = np.flatnonzero(np.diff(smallest[order], prepend=-1))
    return order, first


def _walk(edges: np.ndarray) -> tuple[list[np.ndarray], int]:
    """Loops of an untidy graph: edges are used once, whichever way round; ends of odd degree are left first."""
    around: dict[int, list[int]] = {}
    for i, (a, b) in enumerate(edges.tolist()):
        around.setdefault(a, []).append(i)
        around.setdefault(b, []).append(i)
    pairs, used, found, opened = edges.tolist(), np.zeros(len(edges), dtype=bool), [], 0
    odd = [node for node, mine in around.items() if len(mine) % 2]
    for start in [*odd, *around]:
        while around[start]:
            node, nodes = start, [start]
            while True:
                mine = around[node]
                while mine and used[mine[-1]]:
                    mine.pop()
                if not mine:
                    break
                edge = mine.pop()
                used[edge] = True
                node = pairs[edge][1] if pairs[edge][0] == node else pairs[edge][0]
                if node == start:
                    break
                nodes.append(node)
            if len(nodes) > 1:
                opened += node != start
                found.append(np.array(nodes))
    return found, opened


def cut_grid(
    values: np.ndarray, affine: np.ndarray, level: float, normal: np.ndarray, offset: float
) -> list[np.ndarray]:
    """The loops (n, 3) around values above ``level`` on the plane n·x = offset through a grid.

    ``affine`` takes (i, j, k) to positions. The plane is sampled linearly, as finely as the finest voxel axis;
    outside the grid is below the level. Marching squares then follows the level.
    """
    from scipy.ndimage import map_coordinates

    frame = plane_frames(normal)[0]
    corners = np.array(np.meshgrid(*([-1, s] for s in values.shape), indexing="ij")).reshape(3, -1).T
    corners = corners @ affine[:3, :3].T + affine[:3, 3]
    flat = corners @ frame.T
    step = float(np.linalg.norm(affine[:3, :3], axis=0).min())
    low, high = flat.min(0), flat.max(0)
    size = np.minimum(np.ceil((high - low) / step).astype(int) + 1, 4096)
    axes = [low[i] + np.arange(size[i]) * (high[i] - low[i]) / max(size[i] - 1, 1) for i in range(2)]
    u, v = np.meshgrid(*axes, indexing="ij")
    points = u[..., None] * frame[0] + v[..., None] * frame[1] + offset * normal
    index = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    outside = below(values, level)
    at = np.moveaxis(index, -1, 0)
    sampled = map_coordinates(values, at, output=np.float64, order=1, mode="grid-constant", cval=outside)
    scale = np.array([(high[i] - low[i]) / max(size[i] - 1, 1) for i in range(2)])
    return [(low + loop * scale) @ frame + offset * normal for loop in level_loops(sampled, level, outside)]


def cut_grid_at(values: np.ndarray, affine: np.ndarray, level: float, axis: int, index: int) -> list[np.ndarray]:
    """As :func:`cut_grid`, on the plane of all voxels with ``index`` along ``axis``: no resampling."""
    image = np.take(values, index, axis=axis)
    others = [i for i in range(3) if i != axis]
    outside = below(values, level)
    found = []
    for loop in level_loops(image, level, outside):
        voxel = np.full((len(loop), 3), float(index))
        voxel[:, others] = loop
        found.append(voxel @ affine[:3, :3].T + affine[:3, 3])
    return found


def below(values: np.ndarray, level: float) -> float:
    """What stands for the outside of a grid: a mask ends half a voxel beyond its last voxel."""
    return min(float(values.min()), 2 * level - float(values.max()))


def level_loops(image: np.ndarray, level: float, outside: float) -> list[np.ndarray]:
    """Closed loops (n, 2), in pixels, around what lies above ``level``; beyond the border it is ``outside``."""
    from skimage.measure import find_contours

    padded = np.pad(image.astype(np.float64), 1, constant_values=outside)
    return [loop[:-1] - 1 for loop in find_contours(padded, level) if len(loop) > 3]


def voxel_plane(affine: np.ndarray, axis: int, index: int) -> tuple[np.ndarray, float]:
    """Unit normal (along the voxel axis) and offset of the plane of voxels with ``index`` along ``axis``."""
    others = [affine[:3, i] for i in range(3) if i != axis]
    normal = np.cross(*others)
    normal = normal / np.linalg.norm(normal)
    normal = normal * np.sign(normal @ affine[:3, axis])
    return normal, float(normal @ (affine[:3, 3] + index * affine[:3, axis]))


def join_loops(
    normals: np.ndarray,
    offsets: np.ndarray,
    loops: list[np.ndarray],
    planes: list[int],
    labels: list[int] | None = None,
    *,
    name: str = "",
    unit: str = "",
) -> Slices:
    """:class:`Slices` from loops (n, 3) in any order and direction.

    Repeated points and loops without area are dropped; nesting within plane and label makes outer loops
    counter-clockwise about the normal and holes clockwise, with the loop around them as parent.
    """
    frames = plane_frames(normals)
    labels = labels or [1] * len(loops)
    size = max((float(np.ptp(loop, axis=0).max()) for loop in loops), default=1.0)
    kept: list[tuple[int, int, np.ndarray]] = []
    for plane, label, loop in sorted(zip(planes, labels, loops, strict=True), key=lambda item: item[:2]):
        flat = loop @ frames[plane].T
        flat = flat[np.abs(flat - np.roll(flat, 1, axis=0)).max(1) > 1e-9 * size]
        if len(flat) > 2 and abs(signed_areas(flat, np.array([0]))[0]) > 1e-12 * size**2:
            kept.append((plane, label, flat))
    vertices, parents = [], np.full(len(kept), -1)
    groups = {key: [i for i, k in enumerate(kept) if k[:2] == key] for key in dict.fromkeys(k[:2] for k in kept)}
    for (plane, _), members in groups.items():
        pieces = [kept[i][2] for i in members]
        starts = np.cumsum([0, *map(len, pieces[:-1])])
        depths, inner = nesting(np.concatenate(pieces), starts)
        areas = signed_areas(np.concatenate(pieces), starts)
        for k, piece in enumerate(pieces):
            flat = piece if (areas[k] > 0) == (depths[k] % 2 == 0) else piece[::-1]
            vertices.append(flat @ frames[plane] + offsets[plane] * normals[plane])
            parents[members[k]] = members[inner[k]] if inner[k] >= 0 else -1
    counts = np.array([len(v) for v in vertices], dtype=np.int64)
    return Slices(
        name=name,
        normals=normals,
        offsets=offsets,
        vertices=np.concatenate(vertices) if vertices else np.zeros((0, 3)),
        loop_starts=np.cumsum(counts) - counts,
        loop_planes=np.array([k[0] for k in kept], dtype=np.int32),
        loop_labels=np.array([k[1] for k in kept], dtype=np.int32),
        loop_parents=parents,
        unit=unit,
    )
