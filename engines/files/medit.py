"""MEDIT meshes as text (``.mesh``): vertices, triangles, quadrilaterals and tetrahedra, each with a label."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engines.core import UserError
from engines.data import Mesh, MeshField
from engines.files import guard
from engines.files.mesh_cells import Cells, MeshOptions, mesh_from
from engines.files.registry import Loaded, NoOptions, reader, writer
from engines.files.triangles import numbers

KINDS = {b"Triangles": ("triangle", 3), b"Quadrilaterals": ("quad", 4), b"Tetrahedra": ("tetra", 4)}
REFUSED = {b"Hexahedra": ("hexahedron", 8), b"Prisms": ("wedge", 6), b"Pyramids": ("pyramid", 5)}
WORD = re.compile(rb"[A-Za-z]\w*")


@reader(key="medit", title="MEDIT mesh", extensions=(".mesh",), gives=(MeshField, Mesh), options=MeshOptions)
def read_medit(path: Path, options: MeshOptions) -> Loaded:
    """Without values of its own, a filled mesh becomes a field of the labels at its vertices."""
    raw = guard.read_bytes(path, guard.TEXT_LIMIT)
    raw = re.sub(rb"#[^\n]*", b"", raw) if b"#" in raw else raw
    if not raw.lstrip().startswith((b"MeshVersionFormatted", b"MeshVersionUnformatted")) or b"\0" in raw:
        raise guard.refuse(path, "is not a MEDIT mesh in text.", "It should begin with 'MeshVersionFormatted'.")
    sections = _sections(raw)
    dimension = _count(path, sections, b"Dimension", 3)
    if dimension not in (2, 3):
        raise guard.refuse(path, "has a wrong dimension.", f"It is {dimension}; 2 and 3 are possible.")
    vertices = _table(path, sections, b"Vertices", dimension + 1)
    if vertices is None or not len(vertices):
        raise guard.refuse(path, "has no vertices.")
    cells = []
    for word, (kind, corners) in (KINDS | REFUSED).items():
        table = _table(path, sections, word, corners + 1)
        if table is not None:
            cells.append(Cells(kind, _indices(path, table[:, :corners], word)))
    labels = vertices[:, -1] if np.isfinite(vertices[:, -1]).all() and np.abs(vertices[:, -1]).max() < 2**31 else None
    return mesh_from(path, vertices[:, :-1], cells, options, labels=labels)


def _sections(raw: bytes) -> dict[bytes, bytes]:
    """The numbers after each word."""
    found: dict[bytes, bytes] = {}
    words = list(WORD.finditer(raw))
    # An exponent (1e-5) holds a letter, but no word begins within a number.
    words = [w for w in words if w.start() == 0 or raw[w.start() - 1 : w.start()].isspace()]
    words = [w for w in words if w[0].lower() not in (b"nan", b"inf", b"infinity")]
    for here, after in zip(words, [*words[1:], None], strict=True):
        found.setdefault(here[0], raw[here.end() : after.start() if after is not None else len(raw)])
    return found


def _count(path: Path, sections: dict[bytes, bytes], word: bytes, default: int) -> int:
    values = numbers(sections.get(word, str(default).encode()))
    if values is None or not len(values) or not float(values[0]).is_integer():
        raise guard.refuse(path, f"has a wrong number after '{word.decode()}'.")
    return int(values[0])


def _table(path: Path, sections: dict[bytes, bytes], word: bytes, width: int) -> np.ndarray | None:
    """(n, width) the rows of a section, as many as it says that it has."""
    if word not in sections:
        return None
    values = numbers(sections[word])
    name = word.decode()
    if values is None or not len(values):
        raise guard.refuse(path, f"has something that is no number among its {name.lower()}.")
    if values[0] < 0 or len(values) - 1 != values[0] * width:
        raise guard.refuse(
            path,
            f"has a wrong number of {name.lower()}.",
            f"It announces {values[0]:,.0f} of {width} numbers each; {len(values) - 1:,} numbers follow.",
            "It is cut off or damaged: export it again.",
        )
    return np.asarray(values[1:].reshape(-1, width))


def _indices(path: Path, table: np.ndarray, word: bytes) -> np.ndarray:
    """Vertices count from 1 in the file."""
    if not np.isfinite(table).all() or (table != np.rint(table)).any() or (np.abs(table) > 2**31).any():
        raise guard.refuse(path, f"has {word.decode().lower()} whose corners are no whole numbers.")
    return table.astype(np.int64) - 1


@writer(
    key="medit",
    title="MEDIT mesh, without values",
    extensions=(".mesh",),
    takes=(MeshField,),
)
def write_medit(field: MeshField, path: Path, options: NoOptions) -> None:
    if not len(field.cells):
        raise UserError("The mesh has no cells.", mend="Choose another mesh.")
    labels = np.zeros(len(field.points), int)
    if field.components == ("region",) and field.values.dtype.kind in "iu":
        labels = field.values[0, 0]
    word = "Triangles" if field.cells.shape[1] == 3 else "Tetrahedra"
    with path.open("w", encoding="ascii", newline="\n") as out:
        out.write(f"MeshVersionFormatted 2\nDimension 3\nVertices\n{len(field.points)}\n")
        out.writelines(
            f"{x!r} {y!r} {z!r} {label}\n"
            for (x, y, z), label in zip(field.points.tolist(), labels.tolist(), strict=True)
        )
        out.write(f"{word}\n{len(field.cells)}\n")
        out.writelines(f"{' '.join(map(str, row))} 0\n" for row in (field.cells + 1).tolist())
        out.write("End\n")
