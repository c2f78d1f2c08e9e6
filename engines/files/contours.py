"""From planes with loops, as contour files list them, to checked :class:`Slices`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engines.blocks.polygons import nesting, self_crossing
from engines.blocks.sectioning import conflicts, plane_frames
from engines.data import Slices
from engines.files import guard
from engines.files.registry import Loaded

OFF_PLANE_REFUSED = 1e-2  # of the size of the whole; sheet 12
OFF_PLANE_WARNED = 1e-3
OFF_PLANE_ROUNDING = 1e-12  # nearer than that a vertex is left as it is, so that files survive a round trip
LARGEST = 1e100  # beyond it squares overflow


@dataclass
class PlaneLoops:
    """One plane as the file has it. ``equation`` A, B, C, D; ``loops`` index ``vertices``; lines count from 1."""

    line: int
    equation: np.ndarray
    vertices: np.ndarray
    first_vertex_line: int = 0
    loops: list[np.ndarray] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    parents: list[int | None] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def assemble(path: Path, planes: list[PlaneLoops], unit: str = "") -> Loaded:
    """Check and join. Raises UserError for what cannot be used; the rest is said in ``problems``."""
    problems: list[str] = []
    normals, offsets = _equations(path, planes)
    if not any(p.loops for p in planes):
        raise guard.refuse(
            path,
            "has no contour.",
            f"All of its {len(planes)} planes are empty.",
            "Draw or export at least one closed contour.",
        )
    loops = [_loop(path, plane, i, problems) for plane in planes for i in range(len(plane.loops))]
    counts = np.array([len(loop) for loop in loops])
    starts = np.cumsum(counts) - counts
    loop_planes = np.repeat(np.arange(len(planes)), [len(p.loops) for p in planes])
    offsets, vertices = _on_planes(path, planes, normals, offsets, np.concatenate(loops), counts, problems)
    flat = _flatten(vertices, normals, np.repeat(loop_planes, counts))
    slices = Slices(
        name=path.stem,
        normals=normals,
        offsets=offsets,
        vertices=vertices,
        loop_starts=starts,
        loop_planes=loop_planes,
        loop_labels=np.array([label for p in planes for label in p.labels]),
        loop_parents=_parents(planes, flat, starts, problems),
        unit=unit,
    )
    crossing = np.flatnonzero(self_crossing(flat, starts))
    if len(crossing):
        lines = [line for p in planes for line in p.lines]
        problems.append(
            f"{_many(len(crossing), 'contour crosses itself', 'contours cross themselves')} "
            f"(line {lines[crossing[0]]}); the even-odd rule decides what is inside."
        )
    problems += agreement_problems(slices)
    return Loaded((slices,), tuple(problems))


def agreement_problems(slices: Slices) -> list[str]:
    """What the user should know before reconstructing from these planes."""
    used = np.unique(slices.loop_planes)
    found = []
    if len(used) == 1:
        found.append("Only one plane has contours; one slice cannot define a volume.")
    contradictions = conflicts(slices)
    if contradictions.conflicting:
        pairs = len(np.unique(contradictions.planes, axis=0))
        a, b = contradictions.planes[0] + 1
        found.append(
            f"Planes contradict each other at {contradictions.conflicting:,} of {contradictions.samples:,} samples on "
            f"the lines where they meet ({_many(pairs, 'pair', 'pairs')} of planes, such as {a} and {b})."
        )
    return found


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _equations(path: Path, planes: list[PlaneLoops]) -> tuple[np.ndarray, np.ndarray]:
    """(P, 3) unit normals and (P,) offsets n·x."""
    equations = np.stack([p.equation for p in planes])
    lengths = np.linalg.norm(np.clip(equations[:, :3], -LARGEST, LARGEST), axis=1)
    bad = np.flatnonzero((lengths < 1e-30) | (np.abs(equations) > LARGEST).any(1))
    if len(bad):
        raise guard.refuse(
            path,
            f"has a plane without a normal at line {planes[bad[0]].line}.",
            f"Plane {bad[0] + 1} has the normal ({', '.join(f'{v:g}' for v in equations[bad[0], :3])}).",
            "Give each plane Ax + By + Cz + D = 0 a normal (A, B, C) that is not zero.",
        )
    lengths[np.abs(lengths - 1) < 1e-12] = 1.0  # a unit normal keeps its bits
    return equations[:, :3] / lengths[:, None], -equations[:, 3] / lengths


def _loop(path: Path, plane: PlaneLoops, index: int, problems: list[str]) -> np.ndarray:
    """(n, 3) the vertices of one loop, without immediate repeats."""
    vertices = plane.vertices[plane.loops[index]]
    if len(vertices):
        repeated = (vertices == np.roll(vertices, 1, axis=0)).all(1)
        vertices = vertices[~repeated]
    if len(vertices) < 3:
        raise guard.refuse(
            path,
            f"has a contour with fewer than three vertices at line {plane.lines[index]}.",
            f"It has {len(vertices)} different ones; such a loop surrounds nothing.",
            "Remove that contour or complete it.",
        )
    if np.abs(vertices).max() > LARGEST:
        raise guard.refuse(
            path,
            f"has an impossible coordinate in the contour at line {plane.lines[index]}.",
            f"{np.abs(vertices).max():g} is too large to compute with.",
            "Correct it in the source.",
        )
    return vertices


def _on_planes(
    path: Path,
    planes: list[PlaneLoops],
    normals: np.ndarray,
    offsets: np.ndarray,
    vertices: np.ndarray,
    counts: np.ndarray,
    problems: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and vertices after projection; some writers of the format give Ax + By + Cz = D instead."""
    of_plane = np.repeat(np.repeat(np.arange(len(planes)), [len(p.loops) for p in planes]), counts)
    size = float(np.ptp(vertices, axis=0).max()) or 1.0
    height = (vertices * normals[of_plane]).sum(1)
    off = height - offsets[of_plane]
    worst = np.abs(off).max() / size
    if worst > OFF_PLANE_REFUSED:
        flipped = height + offsets[of_plane]
        if np.abs(flipped).max() / size <= OFF_PLANE_WARNED:
            offsets, off, worst = -offsets, flipped, np.abs(flipped).max() / size
            problems.append(
                "The vertices lie on the planes Ax + By + Cz = D, not on Ax + By + Cz + D = 0 as the format says; "
                "the sign of every D was turned."
            )
    if worst > OFF_PLANE_REFUSED:
        at = int(np.abs(off).argmax())
        plane = int(of_plane[at])
        raise guard.refuse(
            path,
            f"has vertices that do not lie on their plane (plane {plane + 1}, line {planes[plane].line}).",
            f"One is {abs(off[at]):.4g} away, {100 * worst:.3g} % of the size; 1 % is allowed.",
            "Check the plane's equation Ax + By + Cz + D = 0 and the order of the planes.",
        )
    if worst > OFF_PLANE_WARNED:
        many = int((np.abs(off) > OFF_PLANE_WARNED * size).sum())
        problems.append(
            f"{_many(many, 'vertex lies', 'vertices lie')} off the plane by up to {100 * worst:.2g} % of the size; "
            "they were projected onto it."
        )
    move = np.where(np.abs(off) > OFF_PLANE_ROUNDING * size, off, 0.0)
    return offsets, vertices - move[:, None] * normals[of_plane]


def _flatten(vertices: np.ndarray, normals: np.ndarray, of_plane: np.ndarray) -> np.ndarray:
    """(V, 2) in-plane coordinates."""
    return np.einsum("vij,vj->vi", plane_frames(normals)[of_plane], vertices)


def _parents(planes: list[PlaneLoops], flat: np.ndarray, starts: np.ndarray, problems: list[str]) -> np.ndarray:
    """(L,) parents over all loops; a hole whose parent does not exist gets the loop around it, if there is one."""
    parents = np.full(len(starts), -1)
    ends = np.append(starts[1:], len(flat))
    lost, base = [], 0
    for plane in planes:
        count = len(plane.loops)
        orphans = {i for i, p in enumerate(plane.parents) if p is not None and (p < 0 or p >= count or p == i)}
        for i, parent in enumerate(plane.parents):
            if parent is not None and i not in orphans:
                parents[base + i] = base + parent
        if orphans:
            span = slice(starts[base], ends[base + count - 1])
            around = nesting(flat[span], starts[base : base + count] - starts[base])[1]
            for i in orphans:
                parents[base + i] = base + around[i] if around[i] >= 0 else -1
                lost.append(plane.lines[i])
        base += count
    if lost:
        problems.append(
            f"{_many(len(lost), 'hole names', 'holes name')} a contour that does not exist (line {lost[0]}); "
            "the even-odd rule decides what is inside."
        )
    return parents
