"""Values at the points of VTK's XML files: components and vectors of a field, and the settings that we add."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.core import Param, UserError
from engines.data import MeshField, SampledField
from engines.files import guard
from engines.files.grid_assembly import plain
from engines.files.settings import TYPE, settings_of
from engines.files.triangles import numbers
from engines.files.vtk_document import Appended, Document, VtkWriteOptions, data_array, text_of

MOST_ARRAYS = 64
MOVED = "displacement"


class OneTimeOptions(VtkWriteOptions):
    time: int | None = Param(None, ge=0, empty="the last", label="Time number", help="Which is written, from 0")


class PointValues(NamedTuple):
    """``components`` (N,) by name, ``vectors`` as a field has them, ``settings`` and ``displacements`` of ours."""

    components: dict[str, np.ndarray]
    vectors: tuple[tuple[str, ...], ...]
    settings: dict[str, Any]
    displacements: np.ndarray | None
    time: float
    problems: tuple[str, ...]


def point_values(document: Document, whole: ElementTree.Element, piece: ElementTree.Element, count: int) -> PointValues:
    """What stands at the ``count`` points of a piece."""
    settings = _settings(whole)
    components: dict[str, np.ndarray] = {}
    vectors: list[tuple[str, ...]] = []
    moved = None
    elements = piece.findall("PointData/DataArray")
    problems = [f"{len(elements) - MOST_ARRAYS} more arrays were not read."] if len(elements) > MOST_ARRAYS else []
    on_cells = len(piece.findall("CellData/DataArray"))
    if on_cells:
        problems.append(f"{on_cells} arrays of values on cells were left out; values at points are read.")
    for element in elements[:MOST_ARRAYS]:
        name = element.get("Name") or f"values {len(components) + 1}"
        values = plain(data_array(document, element, count, f"'{name[:60]}'"))
        if settings and name == MOVED and values.shape[1] == 3:
            moved = values
            continue
        names = _parts(name, values.shape[1], settings)
        components |= {n: values[:, i] for i, n in enumerate(names)}
        if 2 <= len(names) <= 3 and not settings:
            vectors.append((name, *names))
    return PointValues(components, tuple(vectors), settings, moved, _time(whole), tuple(problems))


def _parts(name: str, width: int, settings: dict[str, Any]) -> list[str]:
    if width == 1:
        return [name]
    own = [v for v in settings.get("vectors", ()) if isinstance(v, list) and v and v[0] == name]
    if own:
        return [str(n) for n in own[0][1:]]
    return [f"{name} {axis}" for axis in (("x", "y", "z")[:width] if width <= 3 else range(1, width + 1))]


def _settings(whole: ElementTree.Element) -> dict[str, Any]:
    texts = {a.get("Name"): (a.text or "").strip() for a in whole.findall("FieldData/DataArray")}
    try:
        found = json.loads(text_of(texts.get("settings")) or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _time(whole: ElementTree.Element) -> float:
    """As ParaView notes it in a file."""
    for element in whole.findall("FieldData/DataArray"):
        if element.get("Name") == "TimeValue" and element.get("format", "ascii") == "ascii":
            found = numbers((element.text or "").encode())
            if found is not None and len(found) == 1 and np.isfinite(found[0]):
                return float(found[0])
    return 0.0


def field_data(field: SampledField | MeshField, time: int) -> str:
    """The time, and the settings of the field, as field data: codes of characters, for not every reader has strings."""
    base = SampledField if isinstance(field, SampledField) else MeshField
    own = {f.name for f in dataclasses.fields(base)}  # what a type made from it has besides has no place here
    about = {k: v for k, v in settings_of(field).items() if k in own} | {TYPE: base.__name__}
    text = json.dumps(about).encode()
    return (
        '<FieldData><DataArray type="Float64" Name="TimeValue" NumberOfTuples="1" format="ascii">'
        f"{float(field.times[time])!r}</DataArray>"
        f'<DataArray type="UInt8" Name="settings" NumberOfTuples="{len(text)}" format="ascii">'
        f"{' '.join(map(str, text))}</DataArray></FieldData>"
    )


def put_values(data: Appended, field: SampledField | MeshField, values: np.ndarray) -> str:
    """Arrays of one time, (C, N): vectors as such, with three parts, and the other components alone."""
    values = plain(values)
    if values.dtype.itemsize not in (1, 2, 4, 8):
        values = values.astype(np.float64)
    place = {name: index for index, name in enumerate(field.components)}
    found, within = [], {part for _, *parts in field.vectors for part in parts}
    for name, *parts in field.vectors:
        columns = [values[place[part]] for part in parts]
        columns += [np.zeros_like(columns[0])] * (3 - len(columns))
        found.append(data.element(name, np.stack(columns, axis=1)))
    alone = [name for name in field.components if name not in within]
    return "".join(found + [data.element(name, values[place[name]]) for name in alone])


def time_number(field: SampledField | MeshField, time: int | None) -> int:
    """``time`` counted from 0; None is the last. Raises :class:`UserError` when there is none."""
    if time is None:
        return len(field.times) - 1
    if time >= len(field.times):
        raise UserError(
            f"The field has no time number {time}.",
            f"It has {len(field.times):,}, counted from 0.",
            "Choose one of these, or none for the last.",
        )
    return time


def component_order(found: PointValues, wanted: Sequence[Any]) -> list[str]:
    """The components in the order in which a field of ours had them; ValueError when one is missing."""
    names = [str(n) for n in wanted]
    if set(names) - set(found.components):
        raise ValueError(f"'{sorted(set(names) - set(found.components))[0]}' is missing")
    return names


def no_values(document: Document) -> Exception:
    return guard.refuse(
        document.path, "has no values at its points.", "One array or more is needed.", "Export it with its values."
    )
