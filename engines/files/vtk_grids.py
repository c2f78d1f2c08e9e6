"""Fields on VTK's grids, one time in a file: even (``.vti``) and uneven (``.vtr``) ones."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from engines.core import Params, UserError
from engines.data import SampledField
from engines.files import guard
from engines.files.grid_assembly import assembled, not_finite
from engines.files.grid_axes import Axis
from engines.files.registry import Loaded, reader, writer
from engines.files.settings import restored
from engines.files.vtk_document import Appended, Document, data_array, open_document, reals, whole_numbers
from engines.files.vtk_points import (
    OneTimeOptions,
    PointValues,
    component_order,
    field_data,
    no_values,
    point_values,
    put_values,
    time_number,
)


@reader(key="vtr", title="VTK rectilinear grid", extensions=(".vtr",), gives=(SampledField,))
def read_vtr(path: Path, options: Params) -> Loaded:
    return grid_field(open_document(path, "RectilinearGrid"), "RectilinearGrid")


def grid_field(document: Document, kind: str) -> Loaded:
    """The field in an open document: each array at its points, vectors by their parts."""
    path = document.path
    whole, pieces = document.root.find(kind), document.root.findall(f"{kind}/Piece")
    if whole is None or len(pieces) != 1:
        raise guard.refuse(path, f"has {len(pieces)} pieces.", "One is read.", "Save it as one piece.")
    extent = whole_numbers(document, pieces[0].get("Extent") or whole.get("WholeExtent"), 6, "extent")
    shape = [extent[2 * i + 1] - extent[2 * i] + 1 for i in range(3)]
    if min(shape) < 1:
        raise guard.refuse(path, "has an empty extent.", f"It is {extent}.")
    found = point_values(document, whole, pieces[0], shape[0] * shape[1] * shape[2])
    if not found.components:
        raise no_values(document)
    nodes = _even_nodes(document, whole, extent) if kind == "ImageData" else _nodes(document, pieces[0], shape)
    if found.settings.get("type") == "SampledField":
        return Loaded((_own(document, found, nodes, shape),), found.problems)
    parts = {k: v.reshape(shape, order="F") for k, v in found.components.items()}
    last = max((i for i in range(3) if shape[i] > 1), default=0) + 1
    axes = [Axis(n, shape[i], nodes[i]) for i, n in enumerate("xyz"[:last])]
    parts = {k: v.reshape(shape[:last]) for k, v in parts.items()}
    field = assembled(path, parts, axes, vectors=found.vectors).replace(times=np.array([found.time]))
    return Loaded((field,), (*found.problems, *not_finite(field)))


def _own(document: Document, found: PointValues, nodes: list[np.ndarray], shape: list[int]) -> SampledField:
    try:
        names = component_order(found, found.settings["components"])
        values = np.stack([found.components[n].reshape(shape, order="F") for n in names])[None]
        arrays = {"values": values, "times": np.array([found.time]), **dict(zip("xyz", nodes, strict=True))}
        field = restored(SampledField, found.settings, arrays, document.path.stem)
    except (KeyError, ValueError, TypeError) as error:
        raise guard.refuse(document.path, "is not a whole field.", f"{error}."[:200]) from None
    assert isinstance(field, SampledField)
    return field


def _even_nodes(document: Document, image: ElementTree.Element, extent: list[int]) -> list[np.ndarray]:
    spacing = reals(document, image.get("Spacing", "1 1 1"), 3, "spacing")
    origin = reals(document, image.get("Origin", "0 0 0"), 3, "origin")
    if (spacing <= 0).any():
        raise guard.refuse(document.path, "has a spacing that is not positive.", f"It is {spacing.tolist()}.")
    return [origin[i] + spacing[i] * np.arange(extent[2 * i], extent[2 * i + 1] + 1) for i in range(3)]


def _nodes(document: Document, piece: ElementTree.Element, shape: list[int]) -> list[np.ndarray]:
    elements = piece.findall("Coordinates/DataArray")
    if len(elements) != 3:
        raise guard.refuse(document.path, "does not have nodes along three axes.", f"It has {len(elements)}.")
    found = [data_array(document, e, n, f"nodes along {a}") for e, n, a in zip(elements, shape, "xyz", strict=True)]
    return [f[:, 0].astype(np.float64) for f in found]


@writer(
    key="vti-field", title="VTK image data, one time", extensions=(".vti",), takes=(SampledField,),
    options=OneTimeOptions,
)  # fmt: skip
def write_vti_field(field: SampledField, path: Path, options: OneTimeOptions) -> None:
    if not field.is_even:
        raise UserError(
            "The nodes of the field are not evenly spaced.",
            "Image data have the same distance between all nodes along an axis.",
            "Choose the rectilinear grid (.vtr).",
        )
    save_grid(field, time_number(field, options.time), path, options.compress, "ImageData")


@writer(
    key="vtr", title="VTK rectilinear grid, one time", extensions=(".vtr",), takes=(SampledField,),
    options=OneTimeOptions,
)  # fmt: skip
def write_vtr(field: SampledField, path: Path, options: OneTimeOptions) -> None:
    save_grid(field, time_number(field, options.time), path, options.compress, "RectilinearGrid")


def save_grid(field: SampledField, time: int, path: Path, compress: bool, kind: str) -> None:
    """One time of a field as a document of this kind."""
    data = Appended(compress)
    nodes = (field.x, field.y, field.z)
    extent = " ".join(f"0 {len(n) - 1}" for n in nodes)
    frame = field.values[time]
    arrays = put_values(data, field, frame.transpose(0, 3, 2, 1).reshape(len(frame), -1))
    place, coordinates = "", ""
    if kind == "ImageData":
        steps = [(n[-1] - n[0]) / (len(n) - 1) if len(n) > 1 else 1.0 for n in nodes]
        origin, spacing = (" ".join(repr(float(v)) for v in values) for values in ([n[0] for n in nodes], steps))
        place = f' Origin="{origin}" Spacing="{spacing}"'
    else:
        elements = [data.element(axis, along) for axis, along in zip("xyz", nodes, strict=True)]
        coordinates = f"<Coordinates>{''.join(elements)}</Coordinates>"
    data.save(
        path,
        kind,
        f'<{kind} WholeExtent="{extent}"{place}>{field_data(field, time)}'
        f'<Piece Extent="{extent}"><PointData>{arrays}</PointData>{coordinates}</Piece></{kind}>',
    )
