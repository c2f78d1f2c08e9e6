"""VTK's older files (``.vtk``), in text or binary: meshes, and fields on even and uneven grids.

A header of four lines, then sections that begin with a word. Binary numbers are big-endian. Since version 5.1 cells
are given by offsets and corners, before that by a count and the corners of each.
"""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import UserError
from engines.data import Mesh, MeshField, SampledField
from engines.files import guard
from engines.files.grid_assembly import assembled, not_finite, plain
from engines.files.grid_axes import Axis
from engines.files.mesh_cells import MeshOptions, mesh_from
from engines.files.registry import Loaded, reader
from engines.files.vtu import cells_of

TYPES = {"bit": "u1", "unsigned_char": "u1", "char": "i1", "unsigned_short": "u2", "short": "i2", "unsigned_int": "u4",
         "int": "i4", "unsigned_long": "u8", "long": "i8", "float": "f4", "double": "f8", "vtktypeint64": "i8",
         "vtktypeint32": "i4", "vtkidtype": "i8"}  # fmt: skip
MOST = 1 << 31
WIDTHS = {"VECTORS": 3, "NORMALS": 3, "TENSORS": 9}


class _Stream:
    """The file after its header, read from front to back."""

    def __init__(self, path: Path, raw: bytes, at: int, binary: bool) -> None:
        self.path, self.raw, self.at, self.binary = path, raw, at, binary

    def line(self) -> list[str]:
        """The words of the next line that is not empty; none at the end."""
        while self.at < len(self.raw):
            end = self.raw.find(b"\n", self.at)
            end = len(self.raw) if end < 0 else end
            words = self.raw[self.at : end].decode("latin-1").split()
            self.at = end + 1
            if words:
                return words
        return []

    def numbers(self, count: int, kind: str) -> np.ndarray:
        """(count,) numbers of one of VTK's types."""
        code = TYPES.get(kind.lower())
        if code is None or kind.lower() == "bit":
            raise self.broken(f"Numbers of the type '{kind[:40]}' are not read.")
        if self.binary:
            size = count * int(code[1])
            if self.at + size > len(self.raw):
                raise self.broken(f"{count:,} numbers were announced, and it ends before.")
            found = np.frombuffer(self.raw, ">" + code, count, self.at)
            self.at += size
            return found.astype(code)
        if count > len(self.raw) - self.at:
            raise self.broken(f"{count:,} numbers were announced, and it ends before.")
        parts = self.raw[self.at :].split(None, count)
        if len(parts) < count:
            raise self.broken(f"{count:,} numbers were announced, and {len(parts):,} are there.")
        rest = parts[count] if len(parts) > count else b""
        self.at = len(self.raw) - len(rest)
        try:
            values = np.array(parts[:count], dtype=np.float64)
            if code[0] != "f" and (not np.isfinite(values).all() or np.abs(values).max(initial=0) > 2**53):
                raise ValueError
            return values.astype(code)
        except ValueError:
            raise self.broken("There is something that is no number.") from None

    def broken(self, why: str) -> UserError:
        line = self.raw.count(b"\n", 0, min(self.at, len(self.raw))) + 1
        return guard.refuse(self.path, f"is not a whole VTK file (near line {line:,}).", why)


@reader(
    key="vtk", title="VTK legacy file", extensions=(".vtk",), gives=(MeshField, SampledField, Mesh), options=MeshOptions
)
def read_vtk(path: Path, options: MeshOptions) -> Loaded:
    raw = guard.read_bytes(path)
    head = raw.split(b"\n", 4)
    if not raw.startswith(b"# vtk DataFile Version") or len(head) < 5:
        raise guard.refuse(path, "is not a VTK file.", "It should begin with '# vtk DataFile Version'.")
    form, kind = head[2].strip().upper(), head[3].decode("latin-1").split()
    if form not in (b"ASCII", b"BINARY") or len(kind) != 2 or kind[0].upper() != "DATASET":
        raise guard.refuse(path, "has a damaged header.", "It does not say what it holds.")
    stream = _Stream(path, raw, sum(len(line) + 1 for line in head[:4]), form == b"BINARY")
    found = _sections(stream)
    values, vectors = _components(found.get("values", {}))
    if kind[1].upper() == "UNSTRUCTURED_GRID":
        return _mesh(stream, found, values, vectors, options)
    if kind[1].upper() in ("STRUCTURED_POINTS", "RECTILINEAR_GRID"):
        return _grid(stream, found, values, vectors)
    raise guard.refuse(
        path, f"holds a {kind[1][:40].lower()}.", "Unstructured and rectilinear grids are read.", "Convert it to VTU."
    )


def _sections(stream: _Stream) -> dict[str, Any]:
    """What the file holds, by the words of its sections in small letters."""
    found: dict[str, Any] = {"values": {}}
    at_points = True
    count = 0
    while words := stream.line():
        word, rest = words[0].upper(), words[1:]
        if word == "METADATA":
            _skip(stream)
        elif word in ("POINT_DATA", "CELL_DATA"):
            at_points, count = word == "POINT_DATA", _whole(stream, rest, 0)
        elif word == "POINTS":
            found["points"] = stream.numbers(3 * _whole(stream, rest, 0), rest[1] if len(rest) > 1 else "").reshape(
                -1, 3
            )
        elif word == "CELLS":
            found["cells"] = _cells(stream, _whole(stream, rest, 0), _whole(stream, rest, 1))
        elif word == "CELL_TYPES":
            found["kinds"] = stream.numbers(_whole(stream, rest, 0), "int")
        elif word in ("DIMENSIONS", "SPACING", "ASPECT_RATIO", "ORIGIN"):
            found["spacing" if word == "ASPECT_RATIO" else word.lower()] = _three(stream, rest)
        elif word in ("X_COORDINATES", "Y_COORDINATES", "Z_COORDINATES"):
            found[word[0].lower()] = stream.numbers(_whole(stream, rest, 0), _word(rest, 1))
        elif word in ("SCALARS", *WIDTHS, "FIELD"):
            arrays = _arrays(stream, word, rest, count)
            if at_points and count:
                found["values"] |= arrays
        elif word == "LOOKUP_TABLE":
            stream.numbers(4 * _whole(stream, rest, 1), "unsigned_char" if stream.binary else "float")
        else:
            raise stream.broken(f"A section '{words[0][:40]}' is not known.")
    return found


def _skip(stream: _Stream) -> None:
    """Notes on an array end with an empty line."""
    end = stream.raw.find(b"\n\n", stream.at)
    stream.at = len(stream.raw) if end < 0 else end + 2


def _whole(stream: _Stream, words: list[str], index: int) -> int:
    if index >= len(words) or not words[index].isdecimal() or int(words[index][:12]) > MOST:
        raise stream.broken("A count is missing or wrong.")
    return int(words[index])


def _word(words: list[str], index: int) -> str:
    return words[index] if index < len(words) else ""


def _three(stream: _Stream, words: list[str]) -> np.ndarray:
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError:
        values = np.zeros(0)
    if len(values) != 3 or not np.isfinite(values).all():
        raise stream.broken("Three numbers were expected.")
    return values


def _cells(stream: _Stream, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts of corners, and all corners, in the older or the newer form."""
    start = stream.at
    words = stream.line()
    if words and words[0].upper() == "OFFSETS":
        ends = stream.numbers(first, _word(words, 1))
        words = stream.line()
        if not words or words[0].upper() != "CONNECTIVITY":
            raise stream.broken("The corners of the cells are missing.")
        return np.diff(ends), stream.numbers(second, _word(words, 1))
    stream.at = start
    flat = stream.numbers(second, "int")
    sizes, starts = _counted(stream, flat, first)
    keep = np.ones(len(flat), bool)
    keep[starts] = False
    return sizes, flat[keep]


def _counted(stream: _Stream, flat: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """How many corners each cell has, and where that is said: each count tells where the next one is."""
    if count and len(flat) % count == 0 and (flat[:: len(flat) // count] == len(flat) // count - 1).all():
        width = len(flat) // count
        return np.full(count, width - 1), np.arange(count) * width
    starts, at, numbers = [], 0, flat.tolist()
    while at < len(numbers) and len(starts) < count:
        starts.append(at)
        at += max(0, numbers[at]) + 1
    if at != len(numbers) or len(starts) != count:
        raise stream.broken("The cells do not have the corners that were announced.")
    places = np.array(starts, np.int64)
    return flat[places], places


def _arrays(stream: _Stream, word: str, rest: list[str], count: int) -> dict[str, np.ndarray]:
    """Arrays by name, (count, width) each."""
    if word == "FIELD":
        found = {}
        for _ in range(_whole(stream, rest, 1)):
            words = stream.line()
            if words and words[0].upper() == "METADATA":
                _skip(stream)
                words = stream.line()
            if len(words) < 4:
                raise stream.broken("An array of a field has no name, size and type.")
            width, rows = _whole(stream, words, 1), _whole(stream, words, 2)
            values = stream.numbers(width * rows, words[3])
            if rows == count and width:
                found[words[0]] = values.reshape(rows, width)
        return found
    if len(rest) < 2:
        raise stream.broken("An array has no name and type.")
    width = WIDTHS.get(word) or (_whole(stream, rest, 2) if len(rest) > 2 else 1)
    if word == "SCALARS":
        start = stream.at
        words = stream.line()
        if not words or words[0].upper() != "LOOKUP_TABLE":
            stream.at = start
    return {rest[0]: stream.numbers(width * count, rest[1]).reshape(count, width)} if width else {}


def _components(arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[tuple[str, ...], ...]]:
    components: dict[str, np.ndarray] = {}
    vectors = []
    for name, values in list(arrays.items())[:64]:
        width = values.shape[1]
        axes = "xyz"[:width] if width <= 3 else range(1, width + 1)
        names = [name] if width == 1 else [f"{name} {axis}" for axis in axes]
        components |= {n: plain(values[:, i]) for i, n in enumerate(names)}
        if 2 <= width <= 3:
            vectors.append((name, *names))
    return components, tuple(vectors)


def _mesh(
    stream: _Stream, found: dict[str, Any], values: dict[str, np.ndarray], vectors: tuple[tuple[str, ...], ...],
    options: MeshOptions,
) -> Loaded:  # fmt: skip
    if not {"points", "cells", "kinds"} <= set(found) or not len(found["points"]):
        raise stream.broken("It has no points or no cells.")
    sizes, corners = found["cells"]
    kinds, points = found["kinds"], found["points"]
    if len(sizes) != len(kinds) or (sizes < 0).any() or sizes.sum() != len(corners):
        raise stream.broken("Kinds and corners of the cells do not fit together.")
    if any(len(v) != len(points) for v in values.values()):
        raise stream.broken("There are not as many values as points.")
    cells = cells_of(stream.path, kinds, sizes.astype(np.int64), corners.astype(np.int64))
    return mesh_from(stream.path, points, cells, options, values, vectors)


def _grid(
    stream: _Stream, found: dict[str, Any], values: dict[str, np.ndarray], vectors: tuple[tuple[str, ...], ...]
) -> Loaded:
    shape = [int(n) for n in found.get("dimensions", ())]
    if len(shape) != 3 or min(shape) < 1 or not values:
        raise stream.broken("It has no values at its points.")
    if any(v.size != prod(shape) for v in values.values()):
        raise stream.broken("Grid and values do not fit together.")
    if "x" in found:
        nodes = [found.get(a, np.zeros(0)).astype(np.float64) for a in "xyz"]
    else:
        origin, spacing = found.get("origin", np.zeros(3)), found.get("spacing", np.ones(3))
        nodes = [o + s * np.arange(n) for o, s, n in zip(origin, spacing, shape, strict=True)]
    if [len(n) for n in nodes] != shape:
        raise stream.broken("Grid and values do not fit together.")
    last = max((i for i in range(3) if shape[i] > 1), default=0) + 1
    axes = [Axis(a, shape[i], nodes[i]) for i, a in enumerate("xyz"[:last])]
    parts = {k: v.reshape(shape, order="F").reshape(shape[:last]) for k, v in values.items()}
    field = assembled(stream.path, parts, axes, vectors=vectors)
    return Loaded((field,), not_finite(field))
