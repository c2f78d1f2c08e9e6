"""Fields in HDF5 files (``.h5``, ``.hdf5``), ours and those of others, and what transport takes and gives.

Ours hold ``values`` as (t, c, z, y, x), the order that ParaView expects, and the nodes ``t``, ``x``, ``y``, ``z`` as
dimension scales; the attribute ``settings`` (JSON) has the names. Files of others are searched for the largest array
and for vectors of nodes beside it. Large arrays that are stored in one piece stay in their file.

Measures, cost matrices, couplings, transport maps and displacements of ours have a dataset for each array by its name,
and the same ``settings``. A coupling: ``plan`` (M, N), or its entries ``rows``, ``columns`` (int64, from 0) and
``mass``; ``source_weights`` (M), ``target_weights`` (N), ``source_potential``, ``target_potential``, and what it
couples in the groups ``source`` and ``target`` (``points``, ``weights``). In Python, its plan is
``scipy.sparse.coo_array((f["mass"][:], (f["rows"][:], f["columns"][:])), shape)``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Artifact, Param, Params
from engines.data import CostMatrix, Coupling, Displacements, GridField, Measure, SampledField, TransportMap
from engines.files import guard
from engines.files.gridded import FieldOptions, Stored, field_from
from engines.files.hdf5_file import opened
from engines.files.mapped import array_in, stays
from engines.files.registry import Loaded, reader, writer
from engines.files.settings import TYPE, restored, settings_of
from engines.files.voxels import GZIP_RATIO
from engines.files.vtkhdf import read_vtkhdf

MOST_DATASETS = 2_000
DEEPEST = 6
FILTERS = {"gzip", "shuffle", "fletcher32", "lzf"}
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable"
"""How NetCDF marks dimensions that have a length but no nodes."""
AXES = ("x", "y", "z")
DECLARED: dict[str, type[Artifact]] = {
    kind.__name__: kind for kind in (Measure, CostMatrix, Coupling, TransportMap, Displacements)
}
"""Types whose layout follows from their declaration."""


class Hdf5WriteOptions(Params):
    compress: bool = Param(
        False, help="Pack the values with gzip. Unpacked, parts of a large field can be had without reading it all"
    )


@reader(
    key="hdf5", title="HDF5 file", extensions=(".h5", ".hdf5"), gives=(SampledField, GridField, *DECLARED.values()),
    options=FieldOptions,
)  # fmt: skip
def read_hdf5(path: Path, options: FieldOptions) -> Loaded:
    with opened(path) as file:
        if file.get("VTKHDF", getlink=True) is None:
            if "settings" in file.attrs:
                return Loaded((own_artifact(path, file),))
            return field_from(path, beside_each_other(arrays_of(path, file)), options)
    return read_vtkhdf(path, options)


def arrays_of(path: Path, file: Any) -> dict[str, Stored]:
    """All arrays of numbers by their way from the root; links that lead elsewhere are left out."""
    import h5py

    found: dict[str, Stored] = {}
    groups = [("", file, 0)]
    while groups:
        prefix, group, depth = groups.pop(0)
        for name in list(group)[:MOST_DATASETS]:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            if isinstance(item, h5py.Group) and depth < DEEPEST and len(groups) < MOST_DATASETS:
                groups.append((f"{prefix}{name}/", item, depth + 1))
            elif isinstance(item, h5py.Dataset) and len(found) < MOST_DATASETS and _is_numbers(item):
                found[f"{prefix}{name}"] = stored_array(path, item)
    return found


def beside_each_other(stored: dict[str, Stored]) -> dict[str, Stored]:
    """Arrays in the group of the largest one, and in the root, by their short names; the others by their whole way."""
    numbers = {k: s for k, s in stored.items() if s.dtype.kind in "biufc"}
    largest = max(numbers, key=lambda k: numbers[k].size, default="")
    group = largest.rpartition("/")[0]
    near = {k.removeprefix(f"{group}/"): k for k in stored if group and k.rpartition("/")[0] == group}
    return {next((short for short, long in near.items() if long == k), k): s for k, s in stored.items()}


def _is_numbers(dataset: Any) -> bool:
    kind = dataset.dtype
    if text(dataset, "NAME").startswith(NO_VARIABLE):
        return False
    return dataset.shape is not None and (kind.kind in "biufc" or kind.names == ("real", "imag"))


def stored_array(path: Path, dataset: Any) -> Stored:
    """An array of an open file; it is read while the file is open."""
    kind = np.dtype(np.complex128) if dataset.dtype.names else dataset.dtype
    return Stored(
        dataset.shape, kind, lambda: read_dataset(path, dataset), dimension_names(dataset), text(dataset, "units")
    )


def read_dataset(path: Path, dataset: Any) -> np.ndarray:
    """The values; checked first: they must lie in this file, and not take more room than it can unpack to."""
    if dataset.external or dataset.is_virtual:
        raise guard.refuse(path, "holds its values elsewhere.", "They are in other files.", "Save it as one file.")
    packed = set(dict(dataset._filters))
    if packed - FILTERS:
        raise guard.refuse(path, "is packed in an unknown way.", f"Filters: {', '.join(sorted(packed))}.")
    need, size = dataset.size * dataset.dtype.itemsize, path.stat().st_size
    if need > size * GZIP_RATIO:
        raise guard.refuse(path, "announces too much data.", f"{need:,} bytes in a file of {size:,}.")
    offset = dataset.id.get_offset()
    if dataset.chunks is None and offset is not None and stays(dataset.dtype, dataset.shape):
        return array_in(path, int(offset), dataset.dtype, dataset.shape)
    guard.room(path, need)
    values = dataset[...]
    return values["real"] + 1j * values["imag"] if values.dtype.names else np.asarray(values)


def dimension_names(dataset: Any) -> tuple[str, ...]:
    """Names of the scales that are attached to the axes, or of the axes themselves; () unless all have one."""
    names = []
    for axis in dataset.dims:
        scales = axis.keys()
        own = [str(axis[0].name).rsplit("/", 1)[-1]] if scales else []
        names.append(own[0] if own else str(axis.label))
    return tuple(names) if names and all(names) and len(set(names)) == len(names) else ()


def text(holder: Any, name: str) -> str:
    """An attribute as text, or nothing."""
    value = holder.attrs.get(name)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def own_artifact(path: Path, file: Any) -> Artifact:
    """What :func:`put_field` or :func:`put_declared` wrote."""
    try:
        settings = json.loads(text(file, "settings"))
        kind = DECLARED.get(settings.get(TYPE) if isinstance(settings, dict) else "")
        found = arrays_of(path, file)
        if kind is not None:
            return restored(kind, settings, {name: stored.read() for name, stored in found.items()}, path.stem)
        arrays = {name: found[name].read() for name in AXES}
        arrays |= {"times": found["t"].read(), "values": found["values"].read().transpose(0, 1, 4, 3, 2)}
        return restored(SampledField, settings, arrays, path.stem)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise guard.refuse(path, "is not whole.", f"{type(error).__name__}: {error}."[:200]) from None


def own_field(path: Path, file: Any) -> SampledField:
    """A field that :func:`put_field` wrote."""
    field = own_artifact(path, file)
    if not isinstance(field, SampledField):
        raise guard.refuse(path, "holds no field.", f"It is a {field.title.lower()}.")
    return field


def put_field(field: SampledField, file: Any, compress: bool) -> None:
    """Write a field into an open file, as the head of this module says."""
    file.attrs["settings"] = json.dumps(settings_of(field))
    for name, nodes in zip(("t", *AXES), (field.times, field.x, field.y, field.z), strict=True):
        file.create_dataset(name, data=nodes).make_scale(name)
    values = field.values.transpose(0, 1, 4, 3, 2)
    chunks = (1, 1, *(min(64, n) for n in values.shape[2:])) if compress else None
    made = file.create_dataset(
        "values", values.shape, values.dtype, chunks=chunks, compression="gzip" if compress else None, shuffle=compress
    )
    for time, frame in enumerate(values):  # one time after the other, for fields that are larger than the memory
        made[time] = frame
    for axis, name in enumerate(("t", "", "z", "y", "x")):
        made.dims[axis].label = name or "component"
        if name:
            made.dims[axis].attach_scale(file[name])


def put_declared(item: Artifact, file: Any, compress: bool) -> None:
    """Write an artifact of one of the declared types into an open file, as the head of this module says."""
    file.attrs["settings"] = json.dumps(settings_of(item))
    for name, values in item.parts().items():
        packed = {"compression": "gzip", "shuffle": True} if compress and values.size else {}
        file.create_dataset(name, data=values, **packed)


@writer(key="hdf5", title="HDF5 field", extensions=(".h5", ".hdf5"), takes=(SampledField,), options=Hdf5WriteOptions)
def write_hdf5(field: SampledField, path: Path, options: Hdf5WriteOptions) -> None:
    import h5py

    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        put_field(field, file, options.compress)


@writer(
    key="hdf5-transport", title="HDF5 file", extensions=(".h5", ".hdf5"), takes=tuple(DECLARED.values()),
    options=Hdf5WriteOptions,
)  # fmt: skip
def write_hdf5_transport(item: Artifact, path: Path, options: Hdf5WriteOptions) -> None:
    import h5py

    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        put_declared(item, file, options.compress)
