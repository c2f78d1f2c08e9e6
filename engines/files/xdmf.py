"""Fields as XDMF (``.xdmf``): an XML text that says what the arrays in an HDF5 file beside it mean, for ParaView.

Ours are read back from the HDF5 file alone. Of others, meshes of triangles or tetrahedra with values at their nodes
are read, with one grid or a temporal collection of them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from engines.core import UserError
from engines.data import Mesh, MeshField, SampledField
from engines.files import guard
from engines.files.hdf5 import Hdf5WriteOptions, own_field, put_field, read_dataset
from engines.files.hdf5_file import opened
from engines.files.mesh_cells import Cells, MeshOptions, mesh_from
from engines.files.mesh_hdf5 import own_mesh_field, put_mesh_field
from engines.files.pvd import MOST_TIMES, joined
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import numbers

HEAVY = ".h5"
KINDS = {"triangle": ("triangle", 3), "quadrilateral": ("quad", 4), "tetrahedron": ("tetra", 4),
         "triangle_6": ("triangle6", 6), "tetrahedron_10": ("tetra10", 10), "hexahedron": ("hexahedron", 8),
         "wedge": ("wedge", 6), "pyramid": ("pyramid", 5)}  # fmt: skip


@reader(
    key="xdmf", title="XDMF field", extensions=(".xdmf", ".xmf"), gives=(SampledField, MeshField, Mesh),
    options=MeshOptions,
)  # fmt: skip
def read_xdmf(path: Path, options: MeshOptions) -> Loaded:
    root = _root(path)
    items = [(e.text or "").strip() for e in root.iter("DataItem")]
    names = list(dict.fromkeys(t.partition(":")[0] for t in items if re.fullmatch(r"[^\s:<>]+:/\S+", t)))
    if root.get("Creator") == "Fieldwright" and names:
        heavy = guard.beside(path, names[0], "a file of values")
        with opened(heavy) as file:
            field = own_field(path, file) if "x" in file else own_mesh_field(path, file)
        return Loaded((field,), (), (heavy,))
    grids = [g for g in root.iter("Grid") if g.get("GridType", "Uniform") == "Uniform"][: MOST_TIMES + 1]
    grids = [g for g in grids if g.find("Time") is not None] or grids  # a mesh alone stands before the times
    if not grids or len(grids) > MOST_TIMES:
        raise guard.refuse(path, f"holds {len(grids):,} grids.", "One or more are read.", "Export it again.")
    loaded = [_foreign(path, root, grid, options) for grid in grids]
    files = tuple(guard.beside(path, name, "a file of values") for name in names)
    problems = tuple(dict.fromkeys(p for one in loaded for p in one.problems))
    first = loaded[0].artifacts[0]
    if len(loaded) == 1 or isinstance(first, Mesh):
        return Loaded((first,), problems, files)
    order = np.argsort([f.times[0] for one in loaded for f in one.artifacts], kind="stable")  # type: ignore[attr-defined]
    frames = [loaded[i].artifacts[0] for i in order]
    times = np.array([f.times[0] for f in frames])  # type: ignore[attr-defined]
    return Loaded((joined(path, frames, times),), problems, files)


def _root(path: Path) -> ElementTree.Element:
    raw = guard.read_bytes(path, guard.TEXT_LIMIT)
    raw = re.sub(rb"<!DOCTYPE\s+Xdmf\s+SYSTEM\s+\"[^\"<>]*\"\s*(\[\s*\])?\s*>", b"", raw, count=1)
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise guard.refuse(path, "has declarations that XDMF files do not need.", "", "Export it again.")
    try:
        root = ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise guard.refuse(path, "is not an XDMF file.", f"{error}.") from None
    if root.tag != "Xdmf":
        raise guard.refuse(path, "is not an XDMF file.", f"It is '{root.tag[:40]}'.")
    return root


def _foreign(path: Path, root: ElementTree.Element, grid: ElementTree.Element, options: MeshOptions) -> Loaded:
    """One grid; what it takes over from another one is that of the first grid which has it."""
    topology = grid.find("Topology") if grid.find("Topology/DataItem") is not None else root.find(".//Topology")
    geometry = grid.find("Geometry") if grid.find("Geometry/DataItem") is not None else root.find(".//Geometry")
    if topology is None or geometry is None:
        raise guard.refuse(path, "has a grid without cells or points.")
    kind = (topology.get("TopologyType") or topology.get("Type") or "").lower()
    if kind not in KINDS:
        raise guard.refuse(path, f"has cells of the kind '{kind[:40]}'.", "Triangles and tetrahedra are read.")
    name, width = KINDS[kind]
    corners, points = _item(path, topology.find("DataItem")), _item(path, geometry.find("DataItem"))
    if corners.size % width or corners.dtype.kind not in "iuf" or points.ndim != 2 or points.shape[1] not in (2, 3):
        raise guard.refuse(path, "has cells or points of a wrong shape.", f"{corners.shape} and {points.shape}.")
    components: dict[str, np.ndarray] = {}
    vectors: list[tuple[str, ...]] = []
    for attribute in grid.findall("Attribute"):
        if attribute.get("Center", "Node") == "Node" and len(components) < 64:
            _take(path, attribute, len(points), components, vectors)
    time = grid.find("Time")
    value = numbers((time.get("Value", "0") if time is not None else "0").encode())
    return mesh_from(
        path, points, [Cells(name, np.rint(corners).astype(np.int64).reshape(-1, width))], options, components,
        tuple(vectors), time=float(value[0]) if value is not None and len(value) and np.isfinite(value[0]) else 0.0,
    )  # fmt: skip


def _take(
    path: Path, attribute: ElementTree.Element, count: int, components: dict[str, np.ndarray], vectors: list[Any]
) -> None:
    name = attribute.get("Name") or f"values {len(components) + 1}"
    values = _item(path, attribute.find("DataItem"))
    if not count or values.size % count or not values.size:
        raise guard.refuse(
            path, f"has a wrong number of values in '{name[:60]}'.", f"{values.size:,} at {count:,} points."
        )
    values = values.reshape(count, -1)
    width = values.shape[1]
    names = (
        [name] if width == 1 else [f"{name} {axis}" for axis in ("xyz"[:width] if width <= 3 else range(1, width + 1))]
    )
    components |= {n: values[:, i] for i, n in enumerate(names)}
    if 2 <= width <= 3:
        vectors.append((name, *names))


def _item(path: Path, element: ElementTree.Element | None) -> np.ndarray:
    """The numbers of a DataItem, in text or in an HDF5 file beside."""
    if element is None or element.get("ItemType", "Uniform") != "Uniform":
        raise guard.refuse(
            path, "has an array that is computed or missing.", "Plain arrays are read.", "Export it again."
        )
    shape = [int(n) for n in re.findall(r"\d{1,12}", element.get("Dimensions", ""))]
    content = (element.text or "").strip()
    if element.get("Format", "XML").upper() == "HDF":
        name, _, inside = content.partition(":")
        heavy = guard.beside(path, name, "a file of values")
        with opened(heavy) as file:
            import h5py

            dataset = file.get(inside)
            if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind not in "biuf":
                raise guard.refuse(path, "names an array that is not there.", f"'{inside[:80]}' in '{name[:60]}'.")
            values = read_dataset(heavy, dataset)
    elif element.get("Format", "XML").upper() == "XML":
        found = numbers(content.encode("utf-8", "replace"))
        if found is None:
            raise guard.refuse(path, "has an array with something that is no number.")
        values = found
    else:
        raise guard.refuse(
            path, f"has an array of the format '{element.get('Format', '')[:20]}'.", "XML and HDF are read."
        )
    if int(np.prod(shape)) != values.size:
        raise guard.refuse(
            path, "has an array of a wrong size.", f"{shape} was announced; {values.size:,} values are there."
        )
    return values.reshape(shape)


def _beside(path: Path, arrays: Collection[str]) -> tuple[Path, ...]:
    return (path.with_suffix(HEAVY),)


@writer(
    key="xdmf", title="XDMF with HDF5", extensions=(".xdmf",), takes=(SampledField, MeshField),
    options=Hdf5WriteOptions, folder=True, beside=_beside, also="The values go to an HDF5 file beside it.",
)  # fmt: skip
def write_xdmf(field: SampledField | MeshField, path: Path, options: Hdf5WriteOptions) -> None:
    """``<name>.xdmf`` and ``<name>.h5``. The values of each time are named as parts of one array."""
    import h5py

    heavy = path.with_suffix(HEAVY)
    if re.search(r"[\s:<>&]", heavy.name):
        raise UserError(
            f"XDMF cannot name a file '{heavy.name}'.", "Blanks and colons part names from each other.", "Rename it."
        )
    with h5py.File(heavy, "w", libver=("v110", "v110")) as file:
        if isinstance(field, SampledField):
            put_field(field, file, options.compress)
        else:
            put_mesh_field(field, file, options.compress)
    frames = [_frame(field, index, heavy.name) for index in range(len(field.times))]
    path.write_text(
        '<?xml version="1.0"?>\n<Xdmf Version="3.0" Creator="Fieldwright"><Domain>\n'
        f'<Grid Name="field" GridType="Collection" CollectionType="Temporal">\n{"".join(frames)}</Grid>\n'
        "</Domain></Xdmf>\n",
        encoding="utf-8",
    )


def _frame(field: SampledField | MeshField, time: int, heavy: str) -> str:
    if isinstance(field, SampledField):
        sizes = [len(n) for n in (field.z, field.y, field.x)]
        nodes = "".join(
            _array(heavy, a, [len(n)], n.dtype) for a, n in zip("xyz", (field.x, field.y, field.z), strict=True)
        )
        shape = " ".join(map(str, sizes))
        body = f'<Topology TopologyType="3DRectMesh" Dimensions="{shape}"/>'
        body += f'<Geometry GeometryType="VXVYVZ">{nodes}</Geometry>'
    else:
        sizes, kind = [len(field.points)], "Triangle" if field.cells.shape[1] == 3 else "Tetrahedron"
        cells = _array(heavy, "cells", list(field.cells.shape), field.cells.dtype)
        body = f'<Topology TopologyType="{kind}" NumberOfElements="{len(field.cells)}">{cells}</Topology>'
        points = _array(heavy, "points", list(field.points.shape), field.points.dtype)
        body += f'<Geometry GeometryType="XYZ">{points}</Geometry>'
        if field.displacements is not None:
            part = _part(heavy, "displacements", list(field.displacements.shape), [time], field.displacements.dtype)
            body += f'<Attribute Name="displacement" AttributeType="Vector" Center="Node">{part}</Attribute>'
    whole = [len(field.times), len(field.components), *sizes]
    parts = {
        name: _part(heavy, "values", whole, [time, index], field.values.dtype)
        for index, name in enumerate(field.components)
    }
    for name, *axes in field.vectors:
        body += _vector(name, [parts[a] for a in axes], sizes)
    for name, part in parts.items():
        body += f'<Attribute Name={quoteattr(name)} AttributeType="Scalar" Center="Node">{part}</Attribute>\n'
    value = float(field.times[time])
    return f'<Grid Name="time {time}" GridType="Uniform"><Time Value="{value!r}"/>\n{body}</Grid>\n'


def _array(heavy: str, name: str, shape: list[int], dtype: np.dtype) -> str:
    kind = {"f": "Float", "i": "Int", "u": "UInt"}[dtype.kind]
    size = " ".join(map(str, shape))
    about = f'Format="HDF" NumberType="{kind}" Precision="{dtype.itemsize}" Dimensions="{size}"'
    return f"<DataItem {about}>{heavy}:/{name}</DataItem>\n"


def _part(heavy: str, name: str, shape: list[int], at: list[int], dtype: np.dtype) -> str:
    """The part of an array at the given first indices."""
    start = [*at, *[0] * (len(shape) - len(at))]
    count = [*[1] * len(at), *shape[len(at) :]]
    rows = " ".join(map(str, [*start, *[1] * len(shape), *count]))
    size = " ".join(map(str, shape[len(at) :]))
    return (
        f'<DataItem ItemType="HyperSlab" Dimensions="{size}"><DataItem Dimensions="3 {len(shape)}" Format="XML">'
        f"{rows}</DataItem>{_array(heavy, name, shape, dtype)}</DataItem>"
    )


def _vector(name: str, parts: list[str], sizes: list[int]) -> str:
    wanted = ", ".join([*(f"${i}" for i in range(len(parts))), *["0*$0"] * (3 - len(parts))])
    size = " ".join(map(str, [*sizes, 3]))
    return (
        f'<Attribute Name={quoteattr(name)} AttributeType="Vector" Center="Node"><DataItem ItemType="Function"'
        f' Function="JOIN({wanted})" Dimensions="{size}">{"".join(parts)}</DataItem></Attribute>\n'
    )
