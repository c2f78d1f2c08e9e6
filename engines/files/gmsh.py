"""Meshes of Gmsh (``.msh``), versions 2 and 4.1, in text or binary, with values at their nodes where there are some.

Sections stand between ``$Name`` and ``$EndName``. Nodes have numbers of their own, which need not be in order.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.core import UserError
from engines.data import Mesh, MeshField
from engines.files import guard
from engines.files.mesh_cells import Cells, MeshOptions, mesh_from
from engines.files.registry import Loaded, reader

KINDS = {1: ("line", 2), 2: ("triangle", 3), 3: ("quad", 4), 4: ("tetra", 4), 5: ("hexahedron", 8), 6: ("wedge", 6),
         7: ("pyramid", 5), 8: ("line3", 3), 9: ("triangle6", 6), 10: ("quad9", 9), 11: ("tetra10", 10),
         15: ("vertex", 1), 16: ("quad8", 8)}  # fmt: skip
"""Gmsh's numbers of kinds of cells, with how many nodes each has."""
MOST_BLOCKS = 1_000_000


class _Format(NamedTuple):
    version: float
    binary: bool
    order: str


class _Section:
    """The content of a section, read from front to back."""

    def __init__(self, path: Path, name: str, raw: bytes, form: _Format) -> None:
        self.path, self.name, self.raw, self.form, self.at = path, name, raw, form, 0
        self.tokens = [] if form.binary else raw.split()

    def take(self, count: int, code: str) -> np.ndarray:
        """(count,) numbers: ``code`` is their type in binary."""
        if count < 0:
            raise self.broken("A count is negative.")
        if self.form.binary:
            dtype = np.dtype(self.form.order + code)
            if self.at + count * dtype.itemsize > len(self.raw):
                raise self.broken("It ends before all that was announced.")
            found = np.frombuffer(self.raw, dtype, count, self.at)
            self.at += count * dtype.itemsize
            return found.astype(code)
        words = self.tokens[self.at : self.at + count]
        if len(words) < count:
            raise self.broken("It ends before all that was announced.")
        self.at += count
        try:
            values = np.array(words, dtype=np.float64)
            if code[0] != "f" and (not np.isfinite(values).all() or np.abs(values).max(initial=0) > 2**53):
                raise ValueError
            return values.astype(code)
        except ValueError:
            raise self.broken("There is something that is no number.") from None

    def whole(self, code: str) -> int:
        return int(self.take(1, code)[0])

    def line(self) -> list[bytes]:
        """The words of a line of text in a binary section."""
        end = self.raw.find(b"\n", self.at)
        end = len(self.raw) if end < 0 else end
        words = self.raw[self.at : end].split()
        self.at = end + 1
        return words

    def broken(self, why: str) -> UserError:
        return guard.refuse(self.path, f"has a damaged section '{self.name}'.", why)


@reader(key="gmsh", title="Gmsh mesh", extensions=(".msh",), gives=(MeshField, Mesh), options=MeshOptions)
def read_gmsh(path: Path, options: MeshOptions) -> Loaded:
    raw = guard.read_bytes(path, guard.TEXT_LIMIT)
    form = _format(path, raw)
    nodes, elements = _section(path, raw, "Nodes", form), _section(path, raw, "Elements", form)
    if nodes is None or elements is None:
        raise guard.refuse(path, "has no nodes or no elements.", "", "Save the mesh in Gmsh again.")
    old = form.version < 4
    numbers, points = _nodes_2(nodes) if old else _nodes_4(nodes)
    if not len(points):
        raise guard.refuse(path, "has no nodes.")
    order = np.argsort(numbers, kind="stable")
    numbers, points = numbers[order], points[order]
    if (np.diff(numbers) == 0).any():
        raise nodes.broken("Two nodes have the same number.")
    rows = [Cells(k, _places(elements, numbers, c)) for k, c in (_elements_2 if old else _elements_4)(elements)]
    components, vectors = _values(path, raw, form, numbers)
    return mesh_from(path, points, rows, options, components, vectors)


def _format(path: Path, raw: bytes) -> _Format:
    start = raw.find(b"$MeshFormat")
    words = raw[start + 11 : start + 80].split()[:3]
    if start < 0 or len(words) < 3 or words[1] not in (b"0", b"1") or words[2] != b"8":
        raise guard.refuse(path, "is not a mesh of Gmsh.", "It should begin with '$MeshFormat'.")
    version = {b"2": 2.0, b"2.0": 2.0, b"2.1": 2.1, b"2.2": 2.2, b"4.1": 4.1}.get(words[0])
    if version is None:
        shown = words[0].decode("latin-1")[:20]
        raise guard.refuse(path, f"is of Gmsh's version {shown}.", "2 and 4.1 are read.", "Save it as version 4.1.")
    if words[1] == b"0":
        return _Format(version, False, "<")
    end = raw.index(b"8", raw.index(words[0], start) + len(words[0])) + 1
    one = raw[end:].lstrip(b" \r")[1:5]
    return _Format(version, True, ">" if one == b"\0\0\0\1" else "<")


def _section(path: Path, raw: bytes, name: str, form: _Format, start: int = 0) -> _Section | None:
    begin = raw.find(f"${name}\n".encode(), start)
    begin = raw.find(f"${name}\r\n".encode(), start) if begin < 0 else begin
    end = raw.find(f"$End{name}".encode(), begin)
    if begin < 0 or end < 0:
        return None
    return _Section(path, name, raw[raw.index(b"\n", begin) + 1 : end], form)


def _announced(section: _Section) -> int:
    """In version 2 counts are written as text."""
    words = section.line() if section.form.binary else [section.tokens[0]] if section.tokens else []
    section.at = section.at if section.form.binary else 1
    if not words or not words[0].isdigit() or len(words[0]) > 12:
        raise section.broken("Its count is missing.")
    return int(words[0])


def _nodes_2(section: _Section) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (V,) and places (V, 3)."""
    count = _announced(section)
    if section.form.binary:
        row = np.dtype([("number", section.form.order + "i4"), ("place", section.form.order + "f8", 3)])
        if section.at + count * row.itemsize > len(section.raw):
            raise section.broken("It ends before all that was announced.")
        rows = np.frombuffer(section.raw, row, count, section.at)
        return rows["number"].astype(np.int64), rows["place"].astype(np.float64)
    table = section.take(4 * count, "f8").reshape(count, 4)
    if not np.isfinite(table[:, 0]).all():
        raise section.broken("A node has no number.")
    return table[:, 0].astype(np.int64), table[:, 1:]


def _nodes_4(section: _Section) -> tuple[np.ndarray, np.ndarray]:
    blocks, total, _, _ = section.take(4, "i8").tolist()
    _check_blocks(section, blocks, total)
    numbers, places = [], []
    for _ in range(blocks):
        section.take(2, "i4")
        parametric, count = section.whole("i4"), section.whole("i8")
        if parametric:
            raise section.broken("Parametric coordinates are not read.")
        numbers.append(section.take(count, "i8"))
        places.append(section.take(3 * count, "f8").reshape(-1, 3))
    if sum(map(len, numbers)) != total:
        raise section.broken(f"{total:,} nodes were announced.")
    return (np.concatenate(numbers), np.concatenate(places)) if numbers else (np.zeros(0, np.int64), np.zeros((0, 3)))


def _check_blocks(section: _Section, blocks: int, total: int) -> None:
    if not 0 <= blocks <= MOST_BLOCKS or blocks > len(section.raw) or total > len(section.raw):
        raise section.broken(f"{blocks:,} blocks with {total:,} entries were announced.")


def _elements_2(section: _Section) -> list[tuple[str, np.ndarray]]:
    """Kinds and numbers of nodes (E, K)."""
    count = _announced(section)
    if count > len(section.raw):
        raise section.broken(f"{count:,} elements were announced.")
    return _binary_2(section, count) if section.form.binary else _text_2(section, count)


def _binary_2(section: _Section, count: int) -> list[tuple[str, np.ndarray]]:
    found, done = [], 0
    while done < count:
        kind, many, tags = section.take(3, "i4").tolist()
        name, width = _kind(section, kind)
        if many < 1 or not 0 <= tags < 100:
            raise section.broken("A block of elements is empty or has too many tags.")
        rows = section.take(many * (1 + tags + width), "i4").reshape(many, -1)
        found.append((name, rows[:, 1 + tags :]))
        done += many
    return found


def _text_2(section: _Section, count: int) -> list[tuple[str, np.ndarray]]:
    """Elements of one kind and one count of tags are cut out together."""
    flat = section.take(len(section.tokens) - 1, "i8")
    starts, widths, at = [], [], 0
    numbers = flat.tolist()
    while len(starts) < count:
        if at + 3 > len(numbers):
            raise section.broken("It ends before all that was announced.")
        _, width = _kind(section, numbers[at + 1])
        tags = numbers[at + 2]
        if not 0 <= tags < 100 or at + 3 + tags + width > len(numbers):
            raise section.broken("An element has too many tags, or too few nodes.")
        starts.append(at)
        widths.append(3 + tags)
        at += 3 + tags + width
    where, heads = np.array(starts, np.int64), np.array(widths, np.int64)
    kinds = flat[where + 1]
    found = []
    for kind in np.unique(kinds).tolist():
        name, width = KINDS[kind]
        first = (where + heads)[kinds == kind]
        found.append((name, flat[first[:, None] + np.arange(width)]))
    return found


def _elements_4(section: _Section) -> list[tuple[str, np.ndarray]]:
    blocks, total, _, _ = section.take(4, "i8").tolist()
    _check_blocks(section, blocks, total)
    found = []
    for _ in range(blocks):
        section.take(2, "i4")
        name, width = _kind(section, section.whole("i4"))
        count = section.whole("i8")
        found.append((name, section.take(count * (1 + width), "i8").reshape(-1, 1 + width)[:, 1:]))
    return found


def _kind(section: _Section, kind: int) -> tuple[str, int]:
    if kind not in KINDS:
        raise section.broken(f"Elements of Gmsh's kind {kind} are not read.")
    return KINDS[kind]


def _places(section: _Section, numbers: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Where the nodes of elements stand among the sorted ``numbers``."""
    at = np.searchsorted(numbers, corners).clip(0, len(numbers) - 1)
    if (numbers[at] != corners).any():
        missing = int(corners[numbers[at] != corners][0])
        raise section.broken(f"An element points to node {missing}, which does not exist.")
    return at


def _values(
    path: Path, raw: bytes, form: _Format, numbers: np.ndarray
) -> tuple[dict[str, np.ndarray], tuple[tuple[str, ...], ...]]:
    """Components at the nodes from the sections NodeData; nodes without a value get NaN."""
    found: dict[str, np.ndarray] = {}
    vectors: list[tuple[str, ...]] = []
    start = raw.find(b"$NodeData")
    while start >= 0 and len(found) < 64:
        section = _section(path, raw, "NodeData", form, start)
        if section is None:
            break
        name, values = _node_data(section, numbers)
        width = values.shape[1]
        names = (
            [name] if width == 1 else [f"{name} {a}" for a in ("xyz"[:width] if width <= 3 else range(1, width + 1))]
        )
        found |= {n: values[:, i] for i, n in enumerate(names)}
        if 2 <= width <= 3:
            vectors.append((name, *names))
        start = raw.find(b"$NodeData", start + 1)
    return found, tuple(vectors)


def _node_data(section: _Section, numbers: np.ndarray) -> tuple[str, np.ndarray]:
    """Name and (V, width) values: tags as lines of text, then a row for each node."""
    section.at, name, sizes = 0, "", []
    for group in range(3):
        words = section.line()
        count = int(words[0]) if words and words[0].isdigit() and len(words[0]) < 3 else -1
        if count < 0:
            raise section.broken("Its tags are damaged.")
        lines = [section.line() for _ in range(count)]
        if group == 0 and lines:
            name = b" ".join(lines[0]).decode("utf-8", "replace").strip('"')
        if group == 2:
            sizes = [int(line[0]) if line and line[0].isdigit() and len(line[0]) < 13 else -1 for line in lines]
    if len(sizes) < 3 or not 1 <= sizes[1] <= 9 or sizes[2] < 0 or sizes[2] > len(section.raw):
        raise section.broken("It does not say how many values there are.")
    width, count = sizes[1], sizes[2]
    if section.form.binary:
        row = np.dtype([("node", section.form.order + "i4"), ("values", section.form.order + "f8", (width,))])
        if section.at + count * row.itemsize > len(section.raw):
            raise section.broken("It ends before all that was announced.")
        rows = np.frombuffer(section.raw, row, count, section.at)
        nodes, values = rows["node"].astype(np.int64), rows["values"].astype(np.float64)
    else:
        section.tokens, section.at = section.raw[section.at :].split(), 0
        table = section.take(count * (1 + width), "f8").reshape(count, 1 + width)
        if not np.isfinite(table[:, 0]).all():
            raise section.broken("A value has no node.")
        nodes, values = table[:, 0].astype(np.int64), table[:, 1:]
    whole = np.full((len(numbers), width), np.nan)
    whole[_places(section, numbers, nodes)] = values
    return name or "values", whole
