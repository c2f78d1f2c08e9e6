"""Wavefront OBJ, with the pictures that its materials (MTL) name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from engines.blocks.mesh_topology import equal_rows
from engines.core import Param, Params, UserError
from engines.data import Mesh, PointCloud
from engines.files import guard
from engines.files.obj_materials import companions, worn, write_material
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import checked_faces, fan, finite, first_bad_line, numbers


class ObjReadOptions(Params):
    unit: str = Param("", help="Length unit of the coordinates; the format does not say")


class ObjWriteOptions(Params):
    digits: int = Param(17, ge=4, le=17, help="Significant digits; 17 keeps every bit")


@reader(key="obj", title="Wavefront OBJ mesh", extensions=(".obj",), gives=(Mesh, PointCloud), options=ObjReadOptions)
def read_obj(path: Path, options: ObjReadOptions) -> Loaded:
    raw = guard.read_bytes(path, guard.TEXT_LIMIT)
    if b"\0" in raw:
        raise guard.refuse(path, "is not an OBJ file.", "It holds zero bytes; OBJ is text.")
    if b"\\\n" in raw or b"\\\r\n" in raw:
        raw = re.sub(rb"\\\r?\n", b" ", raw)
    lines = raw.splitlines()
    kinds = np.array([line[:2] for line in lines], dtype="S2")
    for i in np.flatnonzero(np.char.startswith(kinds, (b" ")) | np.char.startswith(kinds, b"\t")):
        lines[i] = lines[i].strip()
        kinds[i] = lines[i][:2]
    chosen = {
        "v": np.flatnonzero((kinds == b"v ") | (kinds == b"v\t")),
        "vn": np.flatnonzero(kinds == b"vn"),
        "vt": np.flatnonzero(kinds == b"vt"),
        "f": np.flatnonzero((kinds == b"f ") | (kinds == b"f\t")),
    }
    if not len(chosen["v"]):
        raise guard.refuse(path, "has no vertex.", "No line begins with 'v'.", "Choose an OBJ file with geometry.")
    table = _table(path, lines, chosen["v"], "v", (3, 4, 6, 7))
    vertices = finite(path, table[:, :3], "vertex")
    extra: dict[str, Any] = {"name": path.stem, "unit": options.unit}
    if table.shape[1] >= 6:
        rgb = np.nan_to_num(table[:, 3:6]).clip(0, 1) * 255
        extra["colors"] = np.concatenate([rgb.round(), np.full((len(rgb), 1), 255)], axis=1).astype(np.uint8)
    problems: list[str] = []
    files: list[Path] = []
    if not len(chosen["f"]):
        return Loaded((PointCloud(points=vertices, **extra),), tuple(problems))
    corners, texture_at, normals_at, counts = _faces(path, lines, chosen)
    if len(chosen["vn"]) == len(vertices) and normals_at is not None and np.array_equal(normals_at, corners):
        normals = _table(path, lines, chosen["vn"], "vn", (3,))
        extra["normals"] = normals if np.isfinite(normals).all() else None
    faces = checked_faces(path, fan(corners, counts), len(vertices))
    if b"mtllib" in raw and texture_at is not None:
        try:
            places = _table(path, lines, chosen["vt"], "vt", (2, 3)) if len(chosen["vt"]) else np.zeros((0, 2))
            if texture_at.min(initial=0) < -1 or texture_at.max(initial=0) >= len(places):
                raise guard.refuse(path, "has faces that point to places in a texture that are not there.")
            triangles = np.repeat(np.arange(len(counts)), counts - 2), fan(np.arange(len(corners)), counts)
            found = worn(path, lines, chosen["f"], texture_at, places[:, :2], problems, triangles, files)
            extra |= dict(zip(("uv", "texture"), found, strict=True)) if found is not None else {}
        except UserError as error:  # the shape can be used all the same
            problems.append(f"The texture is not loaded. {error.what}")
    elif b"mtllib" in raw:
        problems.append("The materials are not loaded: the faces have no places in a texture.")
    return Loaded((Mesh(vertices=vertices, faces=faces, **extra),), tuple(problems), tuple(dict.fromkeys(files)))


def _table(path: Path, lines: list[bytes], at: np.ndarray, word: str, widths: tuple[int, ...]) -> np.ndarray:
    """(n, width) numbers after ``word``; a colour or weight must be on all lines or on none."""
    rows = [lines[i][len(word) :] for i in at]
    width = len(rows[0].split())
    values = numbers(b" ".join(rows))
    if values is not None and width in widths and len(values) == len(at) * width:
        return values.reshape(-1, width)
    for i, row in zip(at, rows, strict=True):
        found = numbers(row)
        if found is None or len(found) != width or width not in widths:
            shown = row.decode("utf-8", "replace").strip()[:60]
            raise guard.refuse(
                path, f"has a wrong '{word}' line at line {i + 1}.", f"Expected {widths[0]} numbers; found '{shown}'."
            )
    raise guard.refuse(path, f"has '{word}' lines of different lengths.")


def _faces(
    path: Path, lines: list[bytes], chosen: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, np.ndarray]:
    """Flat vertex indices from 0, those of texture places and normals (-1: none) if there are any, corners per face."""
    at = chosen["f"]
    rows = [lines[i][1:] for i in at]
    counts = np.array([len(row.split()) for row in rows])
    short = np.flatnonzero(counts < 3)
    if len(short):
        raise guard.refuse(path, f"has a face with fewer than three corners at line {at[short[0]] + 1}.")
    joined = b" ".join(rows)
    total, slashes, doubled = int(counts.sum()), joined.count(b"/"), joined.count(b"//")
    # Each corner is v, v/vt, v//vn or v/vt/vn. Most files use one form throughout; parts without texture may differ.
    forms = {(0, 0): 1, (total, 0): 2, (2 * total, total): 2, (2 * total, 0): 3}
    parts = forms.get((slashes, doubled), 0)
    if not parts or (np.array([row.count(b"/") for row in rows]) * total != counts * slashes).any():
        joined, parts, doubled = b" ".join(map(_whole_corner, joined.split())), 3, 0
        slashes = 2 * total
    values = numbers(joined.replace(b"/", b" "))
    whole = values is not None and len(values) == parts * total and bool((values == np.floor(values)).all())
    if values is None or not whole or (values[::parts] == 0).any() or np.abs(values).max() >= 2**31:
        number, shown = first_bad_line([(i + 1, re.sub(rb"/\S*", b"", r)) for i, r in zip(at, rows, strict=True)])
        where = f"at line {number}" if number else "in a face"
        raise guard.refuse(path, f"has a wrong vertex index {where}.", f"Indices count from 1. Found '{shown}'.")
    table = values.astype(np.int64).reshape(total, parts)
    corners = _absolute(table[:, 0], at, counts, chosen["v"])
    places = _absolute(table[:, 1], at, counts, chosen["vt"]) if slashes and not doubled else None
    normals = _absolute(table[:, -1], at, counts, chosen["vn"]) if slashes == 2 * total else None
    return corners, places, normals, counts


def _whole_corner(corner: bytes) -> bytes:
    """A corner as v/vt/vn, with 0 for what it has not."""
    return corner.replace(b"//", b"/0/") + b"/0" * (2 - corner.count(b"/"))


def _absolute(indices: np.ndarray, at: np.ndarray, counts: np.ndarray, defined: np.ndarray) -> np.ndarray:
    """Indices from 0; negative ones count back from the last item defined above their face."""
    relative = indices < 0
    if not relative.any():
        return indices - 1
    known = np.repeat(np.searchsorted(defined, at), counts)
    return np.where(relative, known + indices, indices - 1)


@writer(
    key="obj",
    title="Wavefront OBJ mesh",
    extensions=(".obj",),
    takes=(Mesh,),
    options=ObjWriteOptions,
    folder=True,
    beside=lambda path, arrays: companions(path) if "texture" in arrays else (),
    holds=("colors", "texture"),
)
def write_obj(mesh: Mesh, path: Path, options: ObjWriteOptions) -> None:
    """A texture goes to a PNG file, and its material to an MTL file, beside it."""
    number = f"%.{options.digits}g"
    table, form = mesh.vertices, f"v {number} {number} {number}"
    if mesh.colors is not None:
        table, form = np.concatenate([table, mesh.colors[:, :3] / 255.0], axis=1), form + " %.6g %.6g %.6g"
    corners = mesh.faces.astype(np.int64)[:, :, None] + 1
    parts, joints = [corners], "%d"
    if mesh.uv is not None:
        places = mesh.uv.reshape(-1, 2)
        first, where = equal_rows(places)
        places = places[first]
        parts, joints = [corners, where.reshape(-1, 3, 1) + 1], "%d/%d"
    if mesh.normals is not None:
        parts, joints = [*parts, corners], joints + ("/%d" if mesh.uv is not None else "//%d")
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write("# Fieldwright\n")
        if mesh.texture is not None:
            out.write(write_material(mesh, path))
        np.savetxt(out, table, fmt=form)
        if mesh.uv is not None:
            np.savetxt(out, places, fmt="vt %.9g %.9g")
        if mesh.normals is not None:
            np.savetxt(out, mesh.normals, fmt="vn %.9g %.9g %.9g")
        rows = np.concatenate(parts, axis=2).reshape(len(corners), 3 * len(parts))
        np.savetxt(out, rows, fmt=f"f {joints} {joints} {joints}")
