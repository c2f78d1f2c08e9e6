"""Fields on VTK's unstructured grids, one time in a file (``.vtu``): triangles or tetrahedra with values at vertices.

A mesh that moves is written at rest with the vector ``displacement``, or where it has moved to.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from engines.core import Param
from engines.data import Mesh, MeshField
from engines.files import guard
from engines.files.mesh_cells import Cells, MeshOptions, mesh_from
from engines.files.registry import Loaded, reader, writer
from engines.files.settings import restored
from engines.files.vtk_document import Appended, Document, data_array, open_document, whole_numbers
from engines.files.vtk_points import (
    MOVED,
    OneTimeOptions,
    PointValues,
    component_order,
    field_data,
    point_values,
    put_values,
    time_number,
)

KINDS = {5: ("triangle", 3), 8: ("quad", 4), 9: ("quad", 4), 10: ("tetra", 4), 11: ("hexahedron", 8),
         12: ("hexahedron", 8), 13: ("wedge", 6), 14: ("pyramid", 5), 22: ("triangle6", 6), 23: ("quad8", 8),
         24: ("tetra10", 10), 28: ("quad9", 9), 42: ("polyhedron", 0)}  # fmt: skip
"""VTK's numbers of kinds of cells; others are points and lines, or rare."""
PIXEL = 8
"""A rectangle whose last two corners are the other way round."""


class VtuWriteOptions(OneTimeOptions):
    deformed: bool = Param(False, help="Write a mesh that moves where it has moved to, instead of at rest")


@reader(key="vtu", title="VTK unstructured grid", extensions=(".vtu",), gives=(MeshField, Mesh), options=MeshOptions)
def read_vtu(path: Path, options: MeshOptions) -> Loaded:
    document = open_document(path, "UnstructuredGrid")
    whole, pieces = document.root.find("UnstructuredGrid"), document.root.findall("UnstructuredGrid/Piece")
    if whole is None or len(pieces) != 1:
        raise guard.refuse(path, f"has {len(pieces)} pieces.", "One is read.", "Save it as one piece.")
    piece = pieces[0]
    count = whole_numbers(document, piece.get("NumberOfPoints"), 1, "number of points")[0]
    cell_count = whole_numbers(document, piece.get("NumberOfCells"), 1, "number of cells")[0]
    if count < 1 or cell_count < 0:
        raise guard.refuse(path, "has no points.")
    points = data_array(document, piece.find("Points/DataArray"), count, "points")
    if points.shape[1] != 3:
        raise guard.refuse(path, "has points without three coordinates.")
    found = point_values(document, whole, piece, count)
    cells = _cells(document, piece, cell_count)
    if found.settings.get("type") == "MeshField":
        return Loaded((_own(path, found, points, cells),), found.problems)
    loaded = mesh_from(path, points, cells, options, found.components, found.vectors, time=found.time)
    return Loaded(loaded.artifacts, (*found.problems, *loaded.problems))


def _cells(document: Document, piece: ElementTree.Element, count: int) -> list[Cells]:
    named = {a.get("Name"): a for a in piece.findall("Cells/DataArray")}
    kinds = data_array(document, named.get("types"), count, "kinds of cells")[:, 0]
    ends = data_array(document, named.get("offsets"), count, "cell offsets")[:, 0].astype(np.int64)
    sizes = np.diff(ends, prepend=0)
    if (sizes < 0).any():
        raise guard.refuse(document.path, "has cell offsets that go back.")
    total = int(ends[-1]) if count else 0
    corners = data_array(document, named.get("connectivity"), total, "cell corners")[:, 0].astype(np.int64)
    return cells_of(document.path, kinds, sizes, corners)


def cells_of(path: Path, kinds: np.ndarray, sizes: np.ndarray, corners: np.ndarray) -> list[Cells]:
    """Cells of each known kind from VTK's numbers of kinds, counts of corners, and all corners one after the other."""
    found, starts = [], np.cumsum(sizes) - sizes
    for number in np.unique(kinds).tolist():
        if number not in KINDS:
            continue
        kind, width = KINDS[number]
        these = kinds == number
        if width and (sizes[these] != width).any():
            raise guard.refuse(path, f"has cells of the kind {kind} with a wrong number of corners.")
        table = corners[starts[these][:, None] + np.arange(width)]
        found.append(Cells(kind, table[:, [0, 1, 3, 2]] if number == PIXEL else table))
    return found


def _own(path: Path, found: PointValues, points: np.ndarray, cells: list[Cells]) -> MeshField:
    try:
        names = component_order(found, found.settings["components"])
        width = 4 if any(c.kind == "tetra" for c in cells) else 3
        corners = [c.corners for c in cells if c.corners.shape[1] == width]
        shape = (1, len(names), len(points))
        arrays = {
            "points": points,
            "cells": np.concatenate(corners) if corners else np.zeros((0, width), np.int32),
            "values": np.stack([found.components[n] for n in names])[None] if names else np.zeros(shape),
            "times": np.array([found.time]),
        }
        if found.displacements is not None:
            arrays["displacements"] = found.displacements[None]
        field = restored(MeshField, found.settings, arrays, path.stem)
    except (KeyError, ValueError, TypeError) as error:
        raise guard.refuse(path, "is not a whole field.", f"{error}."[:200]) from None
    assert isinstance(field, MeshField)
    return field


@writer(
    key="vtu", title="VTK unstructured grid, one time", extensions=(".vtu",), takes=(MeshField,),
    options=VtuWriteOptions,
)  # fmt: skip
def write_vtu(field: MeshField, path: Path, options: VtuWriteOptions) -> None:
    save_mesh(field, time_number(field, options.time), path, options.compress, options.deformed)


def save_mesh(field: MeshField, time: int, path: Path, compress: bool, deformed: bool) -> None:
    """One time of a field as a document."""
    data = Appended(compress)
    arrays = put_values(data, field, field.values[time])
    if field.displacements is not None and not deformed:
        arrays += data.element(MOVED, field.displacements[time])
    points = data.element("Points", field.positions(time) if deformed else field.points)
    width = field.cells.shape[1]
    cells = data.element("connectivity", field.cells.reshape(-1).astype(np.int64))
    cells += data.element("offsets", (np.arange(len(field.cells), dtype=np.int64) + 1) * width)
    cells += data.element("types", np.full(len(field.cells), 5 if width == 3 else 10, np.uint8))
    data.save(
        path,
        "UnstructuredGrid",
        f"<UnstructuredGrid>{field_data(field, time)}"
        f'<Piece NumberOfPoints="{len(field.points)}" NumberOfCells="{len(field.cells)}">'
        f"<PointData>{arrays}</PointData><Points>{points}</Points><Cells>{cells}</Cells></Piece></UnstructuredGrid>",
    )
