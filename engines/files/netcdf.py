"""Fields in NetCDF files (``.nc``), versions 3 and 4, by the CF conventions.

Dimensions have names, and variables of the same names hold their nodes. Packed values (``scale_factor``,
``add_offset``) are unpacked and missing ones (``_FillValue``) become NaN. Version 4 is HDF5, read and written as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.core import Param, Params, UserError
from engines.data import SampledField
from engines.files import guard
from engines.files.gridded import FieldOptions, Stored, field_from
from engines.files.hdf5 import arrays_of, text
from engines.files.hdf5_file import SIGNATURE, opened
from engines.files.registry import Loaded, reader, writer
from engines.files.settings import restored, settings_of

MASKS = ("_FillValue", "missing_value", "scale_factor", "add_offset")
CLASSIC = {"f4", "f8", "i1", "i2", "i4"}
"""The types of numbers that version 3 has; it has no unsigned ones."""


class NetcdfWriteOptions(Params):
    version: Literal["4", "3"] = Param("4", help="Version 3 is read by older programs, but holds at most 4 GB")
    compress: bool = Param(False, help="Pack the values with gzip (version 4)")


@reader(
    key="netcdf", title="NetCDF field", extensions=(".nc", ".nc4", ".cdf"), gives=(SampledField,), options=FieldOptions
)
def read_netcdf(path: Path, options: FieldOptions) -> Loaded:
    with path.open("rb") as file:
        head = file.read(8)
    if head[:4] in (b"CDF\1", b"CDF\2"):
        return _read_classic(path, options)
    if head != SIGNATURE:
        raise guard.refuse(path, "is not a NetCDF file.", "Its signature is missing.")
    with opened(path) as file:
        stored = arrays_of(path, file)
        about = {name: {a: _plain(file[name].attrs.get(a)) for a in MASKS} for name in stored}
        units = {name: s.unit for name, s in stored.items()}
        return _field(path, stored, about, units, text(file, "settings"), options)


def _read_classic(path: Path, options: FieldOptions) -> Loaded:
    import scipy.io

    guard.room(path, path.stat().st_size)
    with guard.foreign(path, "NetCDF"), scipy.io.netcdf_file(path, "r", mmap=False, maskandscale=False) as file:
        names = [n for n, v in file.variables.items() if v.data.dtype.kind in "iuf"]
        stored = {n: _classic_array(file.variables[n]) for n in names}
        about = {n: {a: _plain(getattr(file.variables[n], a, None)) for a in MASKS} for n in names}
        units = {n: s.unit for n, s in stored.items()}
        return _field(path, stored, about, units, _word(getattr(file, "settings", "")), options)


def _classic_array(variable: Any) -> Stored:
    values = np.array(variable.data)
    return Stored(
        values.shape, values.dtype, lambda: values, variable.dimensions, _word(getattr(variable, "units", ""))
    )


def _word(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> float | None:
    """A number that an attribute gives."""
    found = np.asarray(value if value is not None else ())
    return float(found.reshape(-1)[0]) if found.size and found.dtype.kind in "iuf" else None


def _field(
    path: Path,
    stored: dict[str, Stored],
    about: Mapping[str, Mapping[str, float | None]],
    units: Mapping[str, str],
    settings: str,
    options: FieldOptions,
) -> Loaded:
    if settings and not options.values:
        return Loaded((_own(path, stored, settings),))
    unpacked = {name: _unpacked(array, about[name]) for name, array in stored.items()}
    return field_from(path, unpacked, options, units=units)


def _unpacked(array: Stored, about: Mapping[str, float | None]) -> Stored:
    """As it was meant: scaled, and NaN where values are missing."""
    missing = [v for a in MASKS[:2] if (v := about[a]) is not None and not np.isnan(v)]
    scale, offset = about["scale_factor"], about["add_offset"]
    if not missing and scale is None and offset is None:
        return array

    def read() -> np.ndarray:
        raw = array.read()
        double = raw.dtype.itemsize > 4 or (raw.dtype.kind != "f" and raw.dtype.itemsize > 2)
        values = raw.astype(np.float64 if double else np.float32)
        values = values * (scale if scale is not None else 1) + (offset if offset is not None else 0)
        for value in missing:
            values[raw == value] = np.nan
        return values.astype(np.float64 if double else np.float32)

    whole = array.dtype.kind != "f" and scale is None and offset is None
    touched = not whole or array.size > max(array.shape, default=1)  # nodes stay as they are
    return replace(array, dtype=np.dtype(np.float64), read=read) if touched else array


def _own(path: Path, stored: Mapping[str, Stored], settings: str) -> SampledField:
    try:
        about = json.loads(settings)
        arrays = {axis: stored[axis].read().astype(np.float64) for axis in ("x", "y", "z")}
        arrays["times"] = stored["t"].read().astype(np.float64)
        parts = [stored[name].read() for name in variable_names(about["components"])]
        values = np.stack([part.transpose(0, 3, 2, 1) for part in parts], axis=1) if len(parts) > 1 else None
        arrays["values"] = parts[0].transpose(0, 3, 2, 1)[:, None] if values is None else values
        arrays["values"] = arrays["values"].astype(arrays["values"].dtype.newbyteorder("="), copy=False)
        field = restored(SampledField, about, arrays, path.stem)
    except (KeyError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise guard.refuse(path, "is not a whole field.", f"{type(error).__name__}: {error}."[:200]) from None
    assert isinstance(field, SampledField)
    return field


def variable_names(components: Any) -> list[str]:
    """Names that NetCDF takes, for components whose names may be anything."""
    found: list[str] = []
    for component in components:
        name = re.sub(r"\W", "_", str(component)) or "value"
        name = name if name[0].isalpha() and name not in ("t", "x", "y", "z") else f"v_{name}"
        found.append(name if name not in found else f"{name}_{len(found)}")
    return found


@writer(
    key="netcdf", title="NetCDF field", extensions=(".nc", ".nc4"), takes=(SampledField,), options=NetcdfWriteOptions
)
def write_netcdf(field: SampledField, path: Path, options: NetcdfWriteOptions) -> None:
    (_write_classic if options.version == "3" else _write_hdf5)(field, path, options.compress)


def _axes(field: SampledField) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
    """Nodes and attributes of the dimensions."""
    long = dict(zip("xyz", field.coordinates, strict=False))
    found = {"t": (field.times, {"units": field.time_unit, "long_name": field.time_name, "axis": "T"})}
    for name, nodes in zip("xyz", (field.x, field.y, field.z), strict=True):
        about = {"units": field.length_unit, "long_name": long.get(name, name), "axis": name.upper()}
        found[name] = nodes, about
    return found


def _write_hdf5(field: SampledField, path: Path, compress: bool) -> None:
    import h5py

    with h5py.File(path, "w", libver=("v110", "v110"), track_order=True) as file:
        file.attrs["Conventions"], file.attrs["settings"] = "CF-1.8", json.dumps(settings_of(field))
        for number, (name, (nodes, about)) in enumerate(_axes(field).items()):
            made = file.create_dataset(name, data=nodes, track_order=True)
            made.make_scale(name)
            made.attrs["_Netcdf4Dimid"] = np.int32(number)
            made.attrs.update({k: v for k, v in about.items() if v})
        for index, name in enumerate(variable_names(field.components)):
            values = field.values[:, index].transpose(0, 3, 2, 1)
            chunks = (1, *(min(64, n) for n in values.shape[1:])) if compress else None
            made = file.create_dataset(
                name, values.shape, values.dtype, chunks=chunks, compression="gzip" if compress else None,
                shuffle=compress, track_order=True,
            )  # fmt: skip
            for time, frame in enumerate(values):
                made[time] = frame
            made.attrs["long_name"] = field.components[index]
            if field.unit:
                made.attrs["units"] = field.unit
            for axis, dimension in enumerate("tzyx"):
                made.dims[axis].attach_scale(file[dimension])


def _write_classic(field: SampledField, path: Path, compress: bool) -> None:
    import scipy.io

    if field.values.nbytes > 4e9:
        raise UserError("The field is too large for version 3.", "It takes at most 4 GB.", "Choose version 4.")
    if field.values.dtype.str[1:] not in CLASSIC:
        kind = field.values.dtype.name
        raise UserError(f"Version 3 has no numbers of type {kind}.", mend="Choose version 4.")
    with scipy.io.netcdf_file(path, "w", version=2) as file:
        file.Conventions, file.settings = "CF-1.8", json.dumps(settings_of(field))
        for name, (nodes, about) in _axes(field).items():
            file.createDimension(name, len(nodes))
            variable = file.createVariable(name, "f8", (name,))
            variable[:] = nodes
            for key, value in about.items():
                if value:
                    setattr(variable, key, value.encode())
        for index, name in enumerate(variable_names(field.components)):
            values = field.values[:, index].transpose(0, 3, 2, 1)
            variable = file.createVariable(name, values.dtype.str[1:], ("t", "z", "y", "x"))
            variable[:] = values
            variable.long_name = field.components[index].encode()
            if field.unit:
                variable.units = field.unit.encode()
