"""``.contour``: planes divided into materials by edges, as text.

::

    <planes>
    <A> <B> <C> <D>                             once per plane
    <vertices> <edges>
    <x> <y> <z>                                 one line per vertex
    <v1> <v2> <material left> <material right>  one line per edge, vertices from 0

Material 0 is outside. Each other material becomes a label; its loops are the edges that have it on one side only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.blocks.polygons import nesting, signed_areas
from engines.blocks.sectioning import chain, plane_frames
from engines.core import Param, Params
from engines.data import Slices
from engines.files import guard
from engines.files.contours import PlaneLoops, assemble
from engines.files.registry import Loaded, NoOptions, reader, writer

MOST_MATERIALS = 1000


class ContourReadOptions(Params):
    unit: str = Param("", help="Length unit of the coordinates; the format does not say")


@reader(
    key="contour",
    title="Contours with materials",
    extensions=(".contour",),
    gives=(Slices,),
    options=ContourReadOptions,
)
def read_contour(path: Path, options: ContourReadOptions) -> Loaded:
    text = guard.read_text(path)
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines or len(lines[0][1].split()) != 1:
        raise guard.refuse(path, "is not a contour file.", "Its first line is not the number of planes.")
    count = guard.integer_in(path, lines[0][1].split()[0], lines[0][0], "The number of planes", 1, max(1, len(lines)))
    planes, at, opened = [], 1, 0
    for index in range(count):
        plane, at, open_here = _plane(path, lines, at, index)
        planes.append(plane)
        opened += open_here
    if at < len(lines):
        raise guard.refuse(
            path, "is longer than its counts say.", f"Line {lines[at][0]} stands after the last of {count} planes."
        )
    loaded = assemble(path, planes, options.unit)
    if not opened:
        return loaded
    return Loaded(loaded.artifacts, (f"{opened} open contours were closed by a straight line.", *loaded.problems))


def _plane(path: Path, lines: list[tuple[int, str]], at: int, index: int) -> tuple[PlaneLoops, int, int]:
    if at + 2 > len(lines):
        raise guard.refuse(path, "is shorter than its counts say.", f"Plane {index + 1} is missing.")
    equation = guard.floats(path, lines[at : at + 1], 4, f"The equation of plane {index + 1}")[0]
    number, text = lines[at + 1]
    counts = text.split()
    if len(counts) != 2:
        raise guard.refuse(path, f"has wrong counts at line {number}.", f"Expected two; found '{text.strip()[:60]}'.")
    vertex_count, edge_count = (guard.integer_in(path, c, number, "A count") for c in counts)
    if vertex_count + edge_count > len(lines) - at - 2:
        raise guard.refuse(
            path,
            "is shorter than its counts say.",
            f"Plane {index + 1} announces {vertex_count:,} vertices and {edge_count:,} edges at line {number}.",
            "The file is cut off, or a count is wrong: export it again.",
        )
    begin = at + 2
    vertices = guard.floats(path, lines[begin : begin + vertex_count], 3, f"A vertex of plane {index + 1}")
    edge_lines = lines[begin + vertex_count : begin + vertex_count + edge_count]
    edges = guard.floats(path, edge_lines, 4, f"An edge of plane {index + 1}")
    bad = (edges != np.floor(edges)).any(1) | (np.abs(edges) >= 2**31).any(1)
    bad |= ((edges[:, :2] < 0) | (edges[:, :2] >= vertex_count)).any(1)
    if bad.any():
        line, shown = edge_lines[int(np.flatnonzero(bad)[0])]
        raise guard.refuse(
            path,
            f"has a vertex index out of range at line {line}.",
            f"Found '{shown.strip()[:60]}'; plane {index + 1} has vertices 0 to {vertex_count - 1}.",
        )
    plane = PlaneLoops(lines[at][0], equation, vertices, edge_lines[0][0] if edge_lines else number)
    opened = _loops(path, plane, edges.astype(np.int64), edge_lines)
    return plane, begin + vertex_count + edge_count, opened


def _loops(path: Path, plane: PlaneLoops, edges: np.ndarray, edge_lines: list[tuple[int, str]]) -> int:
    """Chain the border of each material; outer loops and holes follow from how they nest."""
    opened = 0
    materials = np.unique(edges[:, 2:])
    if len(materials) > MOST_MATERIALS:
        raise guard.refuse(
            path,
            f"has {len(materials):,} materials on the plane at line {plane.line}.",
            f"At most {MOST_MATERIALS:,} are read.",
        )
    first_line = edge_lines[0][0] if edge_lines else plane.line
    for material in materials:
        if material == 0:
            continue
        left, right = edges[:, 2] == material, edges[:, 3] == material
        # The material lies to the left of each directed edge.
        border = np.concatenate([edges[left & ~right][:, :2], edges[right & ~left][:, 1::-1]])
        loops, open_here = chain(border, len(plane.vertices))
        loops = [loop for loop in loops if len(loop) > 2]
        opened += open_here
        parents = _nested(plane, loops)
        base = len(plane.loops)
        plane.loops += loops
        plane.labels += [int(material)] * len(loops)
        plane.parents += [base + p if p >= 0 else None for p in parents]
        plane.lines += [first_line] * len(loops)
    return opened


def _nested(plane: PlaneLoops, loops: list[np.ndarray]) -> np.ndarray:
    length = float(np.linalg.norm(plane.equation[:3]))
    if not loops or not 1e-30 < length < 1e100 or np.abs(plane.vertices).max() > 1e100:
        return np.full(len(loops), -1)  # assemble refuses such planes
    frame = plane_frames(plane.equation[:3] / length)[0]
    starts = np.cumsum([0, *(len(loop) for loop in loops[:-1])])
    return nesting(plane.vertices[np.concatenate(loops)] @ frame.T, starts)[1]


@writer(key="contour", title="Contours with materials", extensions=(".contour",), takes=(Slices,))
def write_contour(slices: Slices, path: Path, options: NoOptions) -> None:
    """Each loop becomes edges between its label and 0; borders shared by two labels are written twice."""
    frames = plane_frames(slices.normals)
    flat = np.einsum("vij,vj->vi", frames[slices.vertex_planes], slices.vertices)
    areas = signed_areas(flat, slices.loop_starts)
    labels = np.where(slices.loop_parents >= 0, slices.loop_labels[slices.loop_parents], slices.loop_labels)
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.write(f"{slices.plane_count}\n")
        for plane, (normal, offset) in enumerate(zip(slices.normals, slices.offsets, strict=True)):
            mine = np.flatnonzero(slices.vertex_planes == plane)
            place = np.zeros(len(slices.vertices), dtype=np.int64)
            place[mine] = np.arange(len(mine))
            out.write(" ".join(f"{v:.17g}" for v in (*normal, -offset)) + f"\n{len(mine)} {len(mine)}\n")
            np.savetxt(out, slices.vertices[mine], fmt="%.17g")
            loop = np.repeat(np.arange(slices.loop_count), slices.loop_counts)[mine]
            inward = (areas[loop] > 0) == (slices.loop_parents[loop] < 0)  # the label lies to the left
            sides = np.stack([np.where(inward, labels[loop], 0), np.where(inward, 0, labels[loop])], axis=1)
            np.savetxt(out, np.concatenate([place[slices.edges[mine]], sides], axis=1), fmt="%d")
