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
WORDS = (b"facet normal", b"outer loop", b"vertex", b"endloop", b"endfacet")


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
    elif raw[:512].lstrip().lower().startswith(b"solid"):
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
    """(3 F, 3) corners; the words go out and the numbers of all facets are parsed at once."""
    text = re.sub(rb"(?m)^[ \t]*(end)?solid[^\n]*", b"", raw.lower())
    if not raw.rstrip().lower().rpartition(b"\n")[2].lstrip().startswith(b"endsolid"):
        raise guard.refuse(path, "is cut off.", "An ASCII STL ends with 'endsolid'.")
    text = re.sub(rb"facet\s+normal", b"facet normal", text)
    text = re.sub(rb"outer\s+loop", b"outer loop", text)
    facets = text.count(b"endfacet")
    if text.count(b"facet normal") != facets or text.count(b"endloop") != facets or text.count(b"vertex") != 3 * facets:
        raise guard.refuse(path, "is damaged.", f"{facets:,} facets end, but words that belong to them are missing.")
    bare = text
    for word in WORDS:
        bare = bare.replace(word, b" ")
    values = numbers(bare)
    if values is None or len(values) != 12 * facets:
        lines = [
            (i, line.strip()[6:])
            for i, line in enumerate(raw.lower().splitlines(), 1)
            if line.lstrip().startswith(b"vertex")
        ]
        number, shown = first_bad_line(lines)
        where = f"at line {number}." if number else "in a facet."
        raise guard.refuse(path, f"has something that is no number {where}", f"Found '{shown}'." if shown else "")
    return values.reshape(-1, 4, 3)[:, 1:].reshape(-1, 3).astype(np.float32)


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
