"""From an artifact's dataclass to an HDF5 group and back, with no code per type.

Every field is a member of the group, under its name:

- an array: a dataset. Unicode text is stored as UTF-8 (attribute ``text`` holds the numpy dtype), times as integers
  (attribute ``time``).
- a dictionary of arrays: a group with one dataset per key; its attribute ``keys`` is the JSON list of keys in order.
- another artifact: a group with the attribute ``type``.
- a text: a string dataset. Numbers and booleans: scalar datasets with the attribute ``scalar``.
- a dictionary of plain values or a tuple: a string dataset with JSON (attribute ``json``).
- None: no member.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

import engines.data  # noqa: F401 - registers the types that every project may hold
from app.project.chunks import read_array, write_array
from app.project.hdf5 import (
    LOCK,
    MAX_DEPTH,
    MAX_MEMBERS,
    Tick,
    attribute,
    check_dataset,
    child,
    damaged,
    members,
    no_tick,
    put_attribute,
    subgroup,
)
from engines.core import Artifact, UserError, catalog

_LONG_KEY = 200
_INLINE_TEXT = 2_000


@dataclass(frozen=True)
class Layout:
    """How one field of an artifact lies in the file: ``kind`` is array, arrays or value."""

    name: str
    kind: str
    shape: str = ""
    dtype: str = ""
    unit: str = ""
    help: str = ""
    optional: bool = False


def describe(cls: type[Artifact]) -> tuple[Layout, ...]:
    """The layout that follows from an artifact's declaration; documentation and exporters read it."""
    specs = cls.array_specs()
    rows = []
    for item in dataclasses.fields(cls):
        if item.name == "name":
            continue
        spec = specs.get(item.name)
        if spec is None:
            rows.append(Layout(item.name, "value", dtype=str(item.type)))
        else:
            kind = "arrays" if spec.mapping else "array"
            rows.append(Layout(item.name, kind, spec.shape, spec.dtype, spec.unit, spec.help, spec.optional))
    return tuple(rows)


def write_text(group: h5py.Group, name: str, text: str, mark: str = "") -> None:
    """A text as a string dataset: a scalar, or one element of an array when it is long."""
    data = text.encode("utf-8", "surrogatepass")
    raw = np.frombuffer(data, "u1") if b"\0" in data else None  # HDF5 strings end at the first NUL
    size = max(len(data), 1)
    values = raw if raw is not None else np.array(data if size <= _INLINE_TEXT else [data], f"S{size}")
    kind = None if raw is not None else h5py.h5t.py_create(h5py.string_dtype("utf-8", size), logical=True)
    dataset = write_array(group, name, values, type_id=kind)
    if mark:
        with LOCK:
            put_attribute(dataset, mark, 1)


def read_text(group: h5py.Group, name: str) -> str | None:
    """The text that :func:`write_text` wrote; None when it is missing."""
    with LOCK:
        dataset = child(group, name)
        if not isinstance(dataset, h5py.Dataset):
            return None
        return _text(dataset)


def _text(dataset: h5py.Dataset) -> str:
    check_dataset(dataset, f"'{dataset.name}'")
    values = np.asarray(dataset[()])
    if values.dtype.kind == "u":
        return values.tobytes().decode("utf-8", "surrogatepass")
    if values.dtype.kind != "S" or values.size != 1:
        raise UserError(f"'{dataset.name}' is no text.", "The file is damaged.", "Open its backup (.bak).")
    return bytes(values.reshape(-1)[0]).decode("utf-8", "surrogatepass")


def read_json(group: h5py.Group, name: str, default: Any) -> Any:
    """A JSON text; ``default`` when it is missing. Raises :class:`UserError` when it is broken or of another kind."""
    text = read_text(group, name)
    if text is None:
        return default
    with damaged(f"'{group.name}/{name}'"):
        value = json.loads(text)
    if default is not None and not isinstance(value, type(default)):
        raise UserError(f"'{group.name}/{name}' holds a {type(value).__name__}, not a {type(default).__name__}.")
    return value


def write_json(group: h5py.Group, name: str, value: Any, mark: str = "") -> None:
    """A JSON text. What JSON cannot say (a path, an enumeration) is written as its text."""
    write_text(group, name, json.dumps(value, ensure_ascii=False, default=str), mark)


def write_values(group: h5py.Group, name: str, values: np.ndarray, tick: Tick = no_tick) -> None:
    """An array of numbers, booleans, text or times. Raises :class:`UserError` for anything else."""
    kind, dtype = values.dtype.kind, values.dtype.str
    if values.dtype.hasobject or kind not in "biufcSUmM":
        raise UserError(
            f"The array '{name}' cannot be saved.",
            f"It is of type {values.dtype}.",
            "Projects hold numbers, booleans, text and times.",
        )
    mark, type_id = "", None
    if kind == "U":
        mark, values = "text", np.char.encode(values, "utf-8", "surrogatepass")
        type_id = h5py.h5t.py_create(h5py.string_dtype("utf-8", max(values.dtype.itemsize, 1)), logical=True)
    elif kind in "mM":
        mark, values = "time", values.view(values.dtype.str[0] + "i8")
    if values.dtype.itemsize == 0:
        values = values.astype("S1")
        type_id = None if kind == "S" else h5py.h5t.py_create(h5py.string_dtype("utf-8", 1), logical=True)
        mark = mark or "text"
    dataset = write_array(group, name, values, type_id=type_id, tick=tick)
    if mark:
        with LOCK:
            put_attribute(dataset, mark, dtype)


def read_values(dataset: h5py.Dataset, where: str, tick: Tick = no_tick) -> np.ndarray:
    """The array that :func:`write_values` wrote."""
    values = read_array(dataset, where, tick)
    with LOCK:
        text, time = attribute(dataset, "text"), attribute(dataset, "time")
    if text is None and time is None:
        return values
    dtype = np.dtype(str(text or time))
    if dtype.kind not in ("US" if text else "mM") or dtype.itemsize > 64 * max(values.dtype.itemsize, 1):
        raise UserError(f"{where} claims to hold {dtype}.", "The file is damaged.", "Open its backup (.bak).")
    if time is not None:
        return values.view(dtype)
    return np.char.decode(values, "utf-8", "surrogatepass").astype(dtype) if dtype.kind == "U" else values.astype(dtype)


def _member_name(index: int, key: str) -> str:
    """The key itself where HDF5 can carry it."""
    plain = key and "/" not in key and "\0" not in key and key.strip(".") and not key.startswith("%")
    try:
        short = len(key.encode()) <= _LONG_KEY
    except UnicodeEncodeError:
        short = False
    return key if plain and short else f"%{index}"


def write_arrays(parent: h5py.Group, name: str, arrays: Mapping[str, np.ndarray], tick: Tick = no_tick) -> None:
    """A dictionary of arrays as a group, in its order."""
    with LOCK:
        group = parent.create_group(name)
    for index, (key, values) in enumerate(arrays.items()):
        write_values(group, _member_name(index, key), np.asarray(values), tick)
    keys = json.dumps(list(arrays))
    if len(keys) <= _INLINE_TEXT:
        with LOCK:
            put_attribute(group, "keys", keys)
    else:
        write_text(group, "%keys", keys)


def arrays_keys(group: h5py.Group) -> list[tuple[str, str]] | None:
    """(key, member name) of a dictionary of arrays; None when the group is something else."""
    with LOCK:
        inline = attribute(group, "keys")
    text = inline if isinstance(inline, str) else read_text(group, "%keys")
    if text is None:
        return None
    with damaged(f"'{group.name}'"):
        keys = json.loads(text)
        if not isinstance(keys, list) or len(keys) > MAX_MEMBERS or not all(isinstance(k, str) for k in keys):
            raise UserError(f"'{group.name}' has a broken list of keys.")
        return [(key, _member_name(index, key)) for index, key in enumerate(keys)]


def read_arrays(group: h5py.Group, where: str, tick: Tick = no_tick) -> dict[str, np.ndarray]:
    found = {}
    for key, member in arrays_keys(group) or ():
        with LOCK:
            dataset = child(group, member)
        if not isinstance(dataset, h5py.Dataset):
            raise UserError(f"{where}/{key} is missing.", "The file is damaged.", "Open its backup (.bak).")
        found[key] = read_values(dataset, f"{where}/{key}", tick)
    return found


def write_artifact(
    parent: h5py.Group, name: str, artifact: Artifact, tick: Tick = no_tick, depth: int = 0
) -> h5py.Group:
    """Write every field of an artifact into a new group ``name``; its own name is kept for nested ones only."""
    if depth > MAX_DEPTH:
        raise UserError(f"The artifact is nested more than {MAX_DEPTH} deep.")
    with LOCK:
        group = parent.create_group(name)
        put_attribute(group, "type", type(artifact).__name__)
    for item in dataclasses.fields(artifact):
        value = getattr(artifact, item.name)
        if value is None or (item.name == "name" and depth == 0):
            continue
        if isinstance(value, np.ndarray):
            write_values(group, item.name, value, tick)
        elif isinstance(value, Artifact):
            write_artifact(group, item.name, value, tick, depth + 1)
        elif isinstance(value, dict) and ("array" in item.metadata or _all_arrays(value)):
            write_arrays(group, item.name, value, tick)
        elif isinstance(value, str):
            write_text(group, item.name, value)
        elif isinstance(value, (bool, int, float, complex, np.generic)) and np.asarray(value).dtype.kind in "biufc":
            scalar = write_array(group, item.name, np.asarray(value))
            with LOCK:
                put_attribute(scalar, "scalar", "numpy" if isinstance(value, np.generic) else type(value).__name__)
        else:
            _check_plain(value, f"{type(artifact).title}, {item.name}")
            write_json(group, item.name, value, "json-tuple" if isinstance(value, tuple) else "json")
    return group


def _all_arrays(value: dict[Any, Any]) -> bool:
    return bool(value) and all(isinstance(v, np.ndarray) for v in value.values())


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, (dict, list, tuple)):
        for part in value.values() if isinstance(value, dict) else value:
            _check_plain(part, where)
    elif not (value is None or isinstance(value, (str, bool, int, float))):
        raise UserError(f"{where} cannot be saved.", f"It holds a {type(value).__name__}.")


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def artifact_type(name: str) -> type[Artifact]:
    """The class of a stored artifact. Raises :class:`UserError` when no installed package declares it."""
    if name not in Artifact.registry:
        catalog()  # a method or plug-in that was not loaded yet may declare it
    if name not in Artifact.registry:
        raise UserError(
            f"This is a '{name}', which is not known here.",
            "It was made by a plug-in that is not installed, or by a newer version.",
            "Install the plug-in; the project keeps the data meanwhile.",
        )
    return Artifact.registry[name]


def read_artifact(
    group: h5py.Group, *, name: str | None = None, where: str = "", tick: Tick = no_tick, depth: int = 0
) -> Artifact:
    """The artifact in a group, validated. Raises :class:`UserError` when its type is unknown or its content broken."""
    with LOCK:
        kind = attribute(group, "type")
    where = where or f"'{group.name}'"
    if not isinstance(kind, str) or depth > MAX_DEPTH:
        raise UserError(f"{where} is no artifact.", "The file is damaged.", "Open its backup (.bak).")
    cls = artifact_type(kind)
    known = {item.name: item for item in dataclasses.fields(cls)}
    values: dict[str, Any] = {}
    with damaged(where):
        with LOCK:
            names = members(group)
        for key in names:
            if key not in known or (key == "name" and depth == 0):
                continue  # a field that this version of the type has no more; the file keeps it
            with LOCK:
                found = child(group, key)
            if isinstance(found, h5py.Group):
                if arrays_keys(found) is not None:
                    values[key] = read_arrays(found, f"{where}, {key}", tick)
                else:
                    values[key] = read_artifact(found, where=f"{where}, {key}", tick=tick, depth=depth + 1)
            elif found is not None:
                values[key] = _read_field(found, "array" in known[key].metadata, f"{where}, {key}", tick)
        if depth == 0:
            values["name"] = name or ""
        return cls(**values)


def _read_field(dataset: h5py.Dataset, is_array: bool, where: str, tick: Tick) -> Any:
    with LOCK:
        check_dataset(dataset, where)
        scalar, json_tuple = attribute(dataset, "scalar"), attribute(dataset, "json-tuple")
        plain = json_tuple or attribute(dataset, "json")
        if scalar is not None:
            if dataset.shape != ():
                raise UserError(f"{where} is no single value.", "The file is damaged.")
            value = dataset[()]
            return value if scalar == "numpy" else value.item()
        if plain:
            value = json.loads(_text(dataset))
            return _tuples(value) if json_tuple else value
        kind = dataset.dtype.kind
    if not is_array and kind in "Su" and dataset.size is not None:
        with LOCK:
            return _text(dataset)
    return read_values(dataset, where, tick)


def part(group: h5py.Group, path: str) -> h5py.Dataset | None:
    """The dataset of an array by its path, as :meth:`Artifact.parts` names it."""
    name, _, rest = path.partition("/")
    with LOCK:
        found = child(group, name)
    if isinstance(found, h5py.Dataset):
        return found if not rest else None
    if found is None or not rest:
        return None
    keys = arrays_keys(found)
    if keys is None:
        return part(found, rest)
    member = dict(keys).get(rest)
    with LOCK:
        dataset = child(found, member) if member is not None else None
    return dataset if isinstance(dataset, h5py.Dataset) else None


__all__ = [
    "Layout",
    "artifact_type",
    "describe",
    "part",
    "read_arrays",
    "read_artifact",
    "read_json",
    "read_text",
    "subgroup",
    "write_arrays",
    "write_artifact",
    "write_json",
    "write_text",
]
