"""``.csl``: closed contours on planes, as text (format CSLC).

::

    CSLC
    <planes> <labels>
    <plane id> <vertices> <components> <A> <B> <C> <D>      plane Ax + By + Cz + D = 0
    <x> <y> <z>                                             one line per vertex
    <indices>[h<parent>] <label> <i0> <i1> ...              one line per component, indices from 0 in this plane

Blank lines may stand anywhere. A component with ``h<k>`` is a hole in component ``k`` of its plane.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.core import Param, Params
from engines.data import Slices
from engines.files import guard
from engines.files.contours import PlaneLoops, assemble
from engines.files.registry import Loaded, reader, writer


class CslReadOptions(Params):
    unit: str = Param("", help="Length unit of the coordinates; the format does not say")


class CslWriteOptions(Params):
    digits: int = Param(17, ge=4, le=17, help="Significant digits; 17 keeps every bit")


@dataclass
class _Lines:
    """The non-blank lines with their numbers, and where we are."""

    path: Path
    lines: list[tuple[int, str]]
    at: int = 0

    def take(self, count: int, what: str) -> list[tuple[int, str]]:
        left = len(self.lines) - self.at
        if count > left:
            raise guard.refuse(
                self.path,
                "is shorter than its counts say.",
                f"{what}: {count:,} lines were announced, {left:,} are left.",
                "The file is cut off, or a count is wrong: export it again.",
            )
        self.at += count
        return self.lines[self.at - count : self.at]


@reader(key="csl", title="Contours on planes (CSL)", extensions=(".csl",), gives=(Slices,), options=CslReadOptions)
def read_csl(path: Path, options: CslReadOptions) -> Loaded:
    with path.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start.startswith(b"CSLC"):
        raise guard.refuse(
            path, "is not a CSL file.", "Its first line is not 'CSLC'.", "Choose a .csl file of format CSLC."
        )
    text = guard.read_text(path)
    numbered = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = _Lines(path, numbered, 1)
    number, header = lines.take(1, "The header")[0]
    counts = header.split()
    if len(counts) != 2:
        raise guard.refuse(
            path, f"has a wrong header at line {number}.", f"Expected two counts; found '{header[:60]}'."
        )
    plane_count = guard.integer_in(path, counts[0], number, "The number of planes", 1, max(1, len(numbered)))
    guard.integer_in(path, counts[1], number, "The number of labels")  # known to be unreliable: not used
    planes = [_plane(lines, index) for index in range(plane_count)]
    if lines.at < len(numbered):
        raise guard.refuse(
            path,
            "is longer than its counts say.",
            f"Line {numbered[lines.at][0]} stands after the last of {plane_count} planes.",
            "A count is wrong: export the file again.",
        )
    return assemble(path, planes, options.unit)


def _plane(lines: _Lines, index: int) -> PlaneLoops:
    path = lines.path
    number, text = lines.take(1, f"Plane {index + 1}")[0]
    head = text.split()
    if len(head) != 7:
        raise guard.refuse(
            path,
            f"has a wrong plane header at line {number}.",
            f"Plane {index + 1} needs 'id vertices components A B C D'; found '{text.strip()[:60]}'.",
            "A count above that line is wrong, or the file is damaged.",
        )
    guard.integer_in(path, head[0], number, "The plane's number", -(2**31))
    vertex_count = guard.integer_in(path, head[1], number, "The number of vertices")
    component_count = guard.integer_in(path, head[2], number, "The number of components")
    equation = guard.floats(path, [(number, " ".join(head[3:]))], 4, "The plane's equation")[0]
    vertex_lines = lines.take(vertex_count, f"Vertices of plane {index + 1}")
    vertices = guard.floats(path, vertex_lines, 3, f"A vertex of plane {index + 1}")
    found = PlaneLoops(number, equation, vertices, first_vertex_line=vertex_lines[0][0] if vertex_lines else number)
    for line, component in lines.take(component_count, f"Components of plane {index + 1}"):
        loop, label, parent = _component(path, line, component.split(), vertex_count, index)
        found.loops.append(loop)
        found.labels.append(label)
        found.parents.append(parent)
        found.lines.append(line)
    return found


def _component(
    path: Path, line: int, tokens: list[str], vertex_count: int, plane: int
) -> tuple[np.ndarray, int, int | None]:
    """Vertex indices, label, and None or the component that this one is said to be a hole in."""
    first = re.fullmatch(r"(\d{1,18})(?:[hH](-?\d{1,18}))?", tokens[0])
    if first is None or len(tokens) < 2:
        raise guard.refuse(
            path,
            f"has a wrong component at line {line}.",
            f"Expected 'count[h<parent>] label indices…'; found '{' '.join(tokens)[:60]}'.",
            "A count above that line is wrong, or the file is damaged.",
        )
    if int(first[1]) != len(tokens) - 2:
        raise guard.refuse(
            path,
            f"has a component with a wrong count at line {line}.",
            f"{first[1]} vertex indices were announced, {len(tokens) - 2} are there.",
            "Correct the count, or export the file again.",
        )
    label = guard.integer_in(path, tokens[1], line, "The label", -(2**31))
    try:
        loop = np.array(tokens[2:], dtype=np.int64)
    except (ValueError, OverflowError):
        for token in tokens[2:]:
            guard.integer_in(path, token, line, "A vertex index", -(2**62), 2**62)
        raise
    bad = np.flatnonzero((loop < 0) | (loop >= vertex_count))
    if len(bad):
        raise guard.refuse(
            path,
            f"has a vertex index out of range at line {line}.",
            f"Index {loop[bad[0]]} was found; plane {plane + 1} has vertices 0 to {vertex_count - 1}.",
            "Indices count from 0 within each plane: correct that line.",
        )
    return loop, label, int(first[2]) if first[2] is not None else None


@writer(key="csl", title="Contours on planes (CSL)", extensions=(".csl",), takes=(Slices,), options=CslWriteOptions)
def write_csl(slices: Slices, path: Path, options: CslWriteOptions) -> None:
    form = f"%.{options.digits}g"
    place = np.zeros(slices.loop_count, dtype=np.int64)  # of each loop within its plane
    labels = len(np.unique(slices.loop_labels)) + 1
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.write(f"CSLC\n{slices.plane_count} {labels}\n")
        for plane, (normal, offset) in enumerate(zip(slices.normals, slices.offsets, strict=True)):
            loops = np.flatnonzero(slices.loop_planes == plane)
            place[loops] = np.arange(len(loops))
            spans = [slice(slices.loop_starts[i], slices.loop_starts[i] + slices.loop_counts[i]) for i in loops]
            vertices = np.concatenate([slices.vertices[s] for s in spans]) if spans else np.zeros((0, 3))
            equation = " ".join(form % v for v in (*normal, -offset))
            out.write(f"\n{plane + 1} {len(vertices)} {len(loops)} {equation}\n\n")
            np.savetxt(out, vertices, fmt=form)
            out.write("\n")
            first = 0
            for loop in loops:
                count, parent = int(slices.loop_counts[loop]), int(slices.loop_parents[loop])
                hole = f"h{place[parent]}" if parent >= 0 else ""
                indices = " ".join(map(str, range(first, first + count)))
                out.write(f"{count}{hole} {slices.loop_labels[loop]} {indices}\n")
                first += count
