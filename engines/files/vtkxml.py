"""The XML files of VTK: ``.vti`` for fields on grids, ``.vtp`` for meshes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from xml.sax.saxutils import quoteattr

import numpy as np

from engines.core import Param, Params
from engines.data import GridField, Mesh, PointCloud, SampledField
from engines.files import guard
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import checked_faces, fan, finite
from engines.files.vtk_document import (
    Appended,
    Document,
    VtkWriteOptions,
    data_array,
    open_document,
    reals,
    text_of,
    whole_numbers,
)
from engines.files.vtk_grids import grid_field


class VtiReadOptions(Params):
    kind: Literal["auto", "grid", "field"] = Param(
        "auto", help="One scalar in space, or a field with all components; auto takes a field where there is no scalar"
    )


@reader(
    key="vti", title="VTK image data", extensions=(".vti",), gives=(GridField, SampledField), options=VtiReadOptions
)
def read_vti(path: Path, options: VtiReadOptions) -> Loaded:
    """A scalar in space becomes a grid field; what is flat, a vector or a field of ours a sampled field."""
    document = open_document(path, "ImageData")
    image, pieces = document.root.find("ImageData"), document.root.findall("ImageData/Piece")
    if options.kind == "field" or (options.kind == "auto" and _is_field(document)):
        return grid_field(document, "ImageData")
    if image is None or len(pieces) != 1:
        raise guard.refuse(path, f"has {len(pieces)} pieces.", "One is read.", "Save it as one piece.")
    extent = whole_numbers(document, pieces[0].get("Extent") or image.get("WholeExtent"), 6, "extent")
    shape = tuple(extent[2 * i + 1] - extent[2 * i] + 1 for i in range(3))
    if min(shape) < 1:
        raise guard.refuse(path, "has an empty extent.", f"It is {extent}.")
    count = shape[0] * shape[1] * shape[2]
    arrays = [a for a in pieces[0].findall("PointData/DataArray") if a.get("NumberOfComponents", "1") == "1"]
    if not arrays:
        raise guard.refuse(path, "has no values at its nodes.", "One scalar point array is needed.")
    data = pieces[0].find("PointData")
    chosen = next((a for a in arrays if data is not None and a.get("Name") == data.get("Scalars")), arrays[0])
    name = chosen.get("Name") or "value"
    values = data_array(document, chosen, count, f"'{name[:60]}'")[:, 0].reshape(shape, order="F")
    direction = reals(document, image.get("Direction", "1 0 0 0 1 0 0 0 1"), 9, "direction")
    spacing = reals(document, image.get("Spacing", "1 1 1"), 3, "spacing")
    origin = reals(document, image.get("Origin", "0 0 0"), 3, "origin") + spacing * np.array(extent[::2])
    problems = (
        () if np.allclose(direction, np.eye(3).reshape(-1)) else ("The grid is rotated; the rotation was left out.",)
    )
    extras = {a.get("Name"): (a.text or "").strip() for a in document.root.findall("ImageData/FieldData/Array")}
    field = GridField(
        name=path.stem,
        values=values.astype(np.float32),
        origin=origin,
        spacing=spacing,
        quantity=name,
        unit=text_of(extras.get("unit")),
        length_unit=text_of(extras.get("length_unit")),
        level=_level(text_of(extras.get("level"))),
    )
    more = f"{len(arrays) - 1} more arrays were not read."
    return Loaded((field,), (*problems, more) if len(arrays) > 1 else problems)


def _is_field(document: Document) -> bool:
    if any(a.get("Name") == "settings" for a in document.root.findall("ImageData/FieldData/DataArray")):
        return True
    arrays = document.root.findall("ImageData/Piece/PointData/DataArray")
    return bool(arrays) and all(a.get("NumberOfComponents", "1") != "1" for a in arrays)


@reader(key="vtp", title="VTK poly data", extensions=(".vtp",), gives=(Mesh, PointCloud))
def read_vtp(path: Path, options: Params) -> Loaded:
    document = open_document(path, "PolyData")
    pieces = document.root.findall("PolyData/Piece")
    if len(pieces) != 1:
        raise guard.refuse(path, f"has {len(pieces)} pieces.", "One is read.", "Save it as one piece.")
    piece = pieces[0]
    point_count = whole_numbers(document, piece.get("NumberOfPoints"), 1, "number of points")[0]
    poly_count = whole_numbers(document, piece.get("NumberOfPolys", "0"), 1, "number of polygons")[0]
    if point_count < 1 or poly_count < 0:
        raise guard.refuse(path, "has no points.")
    points = data_array(document, piece.find("Points/DataArray"), point_count, "points")
    if points.shape[1] != 3:
        raise guard.refuse(path, "has points without three coordinates.")
    extra: dict[str, object] = {"name": path.stem, "scalars": {}}
    for element in piece.findall("PointData/DataArray"):
        name, values = element.get("Name") or "values", data_array(document, element, point_count, "point values")
        if values.shape[1] == 1:
            with np.errstate(over="ignore"):
                extra["scalars"][name] = finite(path, np.repeat(values, 3, 1).astype(np.float32), "value")[:, 0]  # type: ignore[index]
        elif name.lower() == "normals" and values.shape[1] == 3:
            extra["normals"] = finite(path, values, "normal")
        elif values.dtype == np.uint8 and values.shape[1] in (3, 4) and "colors" not in extra:
            alpha = np.full((point_count, 4 - values.shape[1]), 255, np.uint8)
            extra["colors"] = np.concatenate([values, alpha], axis=1)
    vertices = finite(path, points.astype(np.float64))
    if not poly_count:
        return Loaded((PointCloud(points=vertices, **extra),))  # type: ignore[arg-type]
    named = {a.get("Name"): a for a in piece.findall("Polys/DataArray")}
    ends = data_array(document, named.get("offsets"), poly_count, "polygon offsets")[:, 0].astype(np.int64)
    counts = np.diff(ends, prepend=0)
    if (counts < 0).any():
        raise guard.refuse(path, "has polygon offsets that go back.")
    corners = data_array(document, named.get("connectivity"), int(ends[-1]), "polygon corners")[:, 0].astype(np.int64)
    faces = checked_faces(path, fan(corners, counts), point_count)
    return Loaded((Mesh(vertices=vertices, faces=faces, **extra),))  # type: ignore[arg-type]


def _level(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


@writer(key="vti", title="VTK image data", extensions=(".vti",), takes=(GridField,), options=VtkWriteOptions)
def write_vti(field: GridField, path: Path, options: VtkWriteOptions) -> None:
    data = Appended(options.compress)
    extent = " ".join(f"0 {n - 1}" for n in field.values.shape)
    place = [" ".join(f"{v:.17g}" for v in values) for values in (field.origin, field.spacing)]
    name = field.quantity or "value"
    array = data.element(name, field.values.reshape(-1, order="F"))
    level = "" if field.level is None else f"{field.level:.17g}"
    extras = {"unit": field.unit, "length_unit": field.length_unit, "level": level}
    texts = "".join(
        f'<Array type="String" Name="{k}" NumberOfTuples="1" format="ascii">{" ".join(map(str, v.encode()))} 0</Array>'
        for k, v in extras.items()
        if v
    )
    data.save(
        path,
        "ImageData",
        f'<ImageData WholeExtent="{extent}" Origin="{place[0]}" Spacing="{place[1]}">'
        + (f"<FieldData>{texts}</FieldData>" if texts else "")
        + f'<Piece Extent="{extent}"><PointData Scalars={quoteattr(name)}>{array}</PointData></Piece></ImageData>',
    )


@writer(
    key="vtp",
    title="VTK poly data",
    extensions=(".vtp",),
    takes=(Mesh, PointCloud),
    options=VtkWriteOptions,
    holds=("colors",),
)
def write_vtp(item: Mesh | PointCloud, path: Path, options: VtkWriteOptions) -> None:
    data = Appended(options.compress)
    item = item.plain() if isinstance(item, Mesh) else item
    points = item.vertices if isinstance(item, Mesh) else item.points
    arrays = [data.element(name, values) for name, values in item.scalars.items()]
    if item.normals is not None:
        arrays.append(data.element("Normals", item.normals))
    if item.colors is not None:
        arrays.append(data.element("RGBA", item.colors))
    faces = item.faces if isinstance(item, Mesh) else np.zeros((0, 3), np.int32)
    corners = faces if len(faces) else np.arange(len(points))[:, None]
    cells = data.element("connectivity", corners.reshape(-1).astype(np.int64))
    cells += data.element("offsets", (np.arange(len(corners)) + 1) * corners.shape[1])
    count, kind = ("NumberOfPolys", "Polys") if len(faces) else ("NumberOfVerts", "Verts")
    attributes = ' Normals="Normals"' if item.normals is not None else ""
    data.save(
        path,
        "PolyData",
        f'<PolyData><Piece NumberOfPoints="{len(points)}" {count}="{len(corners)}"><PointData{attributes}>'
        f"{''.join(arrays)}</PointData><Points>{data.element('Points', points)}</Points>"
        f"<{kind}>{cells}</{kind}></Piece></PolyData>",
    )
