"""STL: triangles as text or binary. Equal corners are merged into shared vertices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import Mesh
from engines.files import guard
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import finite, first_bad_line, merge_equal, numbers

RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
# The words of a facet, longer ones first, and how often each stands in it ("facet" and "loop" also end others).
WORDS = {b"endfacet": 1, b"endloop": 1, b"facet": 2, b"loop": 2, b"normal": 1, b"outer": 1, b"vertex": 3}
BLOCK = 1 << 23  # bytes of text parsed at once


class StlReadOptions(Params):
    unit: str = Param("", help="Length unit of the coordinates; the format does not say")


class StlWriteOptions(Params):
    encoding: Literal["binary", "ascii"] = Param("binary", help="Binary is five times smaller")


@reader(key="stl", title="STL mesh", extensions=(".stl",), gives=(Mesh,), options=StlReadOptions)
def read_stl(path: Path, options: StlReadOptions) -> Loaded:
    raw = guard.read_bytes(path)
    count = int.from_bytes(raw[80:84], "little") if len(raw) >= 84 else -1
    if count >= 0 and len(raw) == 84 + 50 * count:
        corners = np.frombuffer(raw, RECORD, count, 84)["corners"].reshape(-1, 3)
    elif raw[:512].lstrip().lower().startswith(b"solid") and b"\0" not in raw[:1024]:
        corners = _ascii_corners(path, raw)
    else:
        raise guard.refuse(
            path,
            "is not a complete STL file.",
            f"A binary STL with the announced {count:,} triangles has {84 + 50 * count:,} bytes; this has {len(raw):,}."
            if count >= 0
            else f"It has {len(raw)} bytes; a binary STL has at least 84.",
        )
    if not len(corners):
        raise guard.refuse(path, "has no triangle.", "", "Export the mesh again.")
    finite(path, corners, "corner")
    vertices, where = merge_equal(corners)
    faces = where.reshape(-1, 3)
    flat = (faces == np.roll(faces, 1, axis=1)).any(1)
    problems = (f"{int(flat.sum()):,} triangles with two equal corners were left out.",) if flat.any() else ()
    mesh = Mesh(name=path.stem, vertices=vertices, faces=faces[~flat], unit=options.unit)
    return Loaded((mesh,), problems)


def _ascii_corners(path: Path, raw: bytes) -> np.ndarray:
    """(3 F, 3) corners; block by block the words go out and all numbers are parsed at once."""
    if not re.search(rb"(?i)(^|\n)[ \t]*endsolid[^\n]*\s*$", raw[-4096:]):
        raise guard.refuse(path, "is cut off.", "An ASCII STL ends with 'endsolid'.")
    end_of_facet = re.compile(rb"endfacet\s", re.IGNORECASE)
    blocks, at = [], 0
    while at < len(raw):
        found = end_of_facet.search(raw, at + BLOCK)
        end = found.end() if found else len(raw)
        blocks.append(_block_corners(path, raw, at, end))
        at = end
    return np.concatenate(blocks)


def _block_corners(path: Path, raw: bytes, begin: int, end: int) -> np.ndarray:
    text = raw[begin:end].lower()
    if b"solid" in text:  # lines with the name of a solid, which may be anything
        text = re.sub(rb"(?m)^[ \t]*(end)?solid[^\n]*", b"", text)
    facets = text.count(b"endfacet")
    counts = {word: text.count(word) for word in WORDS}
    if any(counts[word] != times * facets for word, times in WORDS.items()):
        line = raw.count(b"\n", 0, begin) + 1
        raise guard.refuse(
            path, "is damaged.", f"After line {line} {facets:,} facets end, but words that belong to them are missing."
        )
    for word in WORDS:
        text = text.replace(word, b" ")
    values = numbers(text)
    if values is not None and len(values) == 12 * facets:
        return values.reshape(-1, 4, 3)[:, 1:].reshape(-1, 3).astype(np.float32)
    first = raw.count(b"\n", 0, begin)
    lines = [
        (first + i, line.strip()[6:])
        for i, line in enumerate(raw[begin:end].lower().splitlines(), 1)
        if line.lstrip().startswith(b"vertex")
    ]
    number, shown = first_bad_line(lines)
    where = f"at line {number}." if number else f"in a facet after line {first + 1}."
    raise guard.refuse(path, f"has something that is no number {where}", f"Found '{shown}'." if shown else "")


@writer(key="stl", title="STL mesh", extensions=(".stl",), takes=(Mesh,), options=StlWriteOptions)
def write_stl(mesh: Mesh, path: Path, options: StlWriteOptions) -> None:
    corners = mesh.vertices[mesh.faces].astype(np.float32)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = (normals / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    if options.encoding == "binary":
        records = np.zeros(len(corners), RECORD)
        records["normal"], records["corners"] = normals, corners
        with path.open("wb") as out:
            out.write(b"Fieldwright".ljust(80) + len(records).to_bytes(4, "little"))
            out.write(records.tobytes())
        return
    row = "facet normal %.9g %.9g %.9g\nouter loop\n" + "vertex %.9g %.9g %.9g\n" * 3 + "endloop\nendfacet\n"
    rows = np.concatenate([normals, corners.reshape(-1, 9)], axis=1)
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.write("solid fieldwright\n")
        out.writelines(row % tuple(r) for r in rows)
        out.write("endsolid fieldwright\n")
