"""Fields in HDF5 (``.vtkhdf``, ``.h5``), laid out as VTK's ImageData, so that ParaView opens them as they are.

The group ``/VTKHDF`` has attributes Version, Type, WholeExtent, Origin, Spacing and Direction; its dataset
``PointData/<quantity>`` holds the values as (Z, Y, X). Our own attributes stand beside them. Metadata is written in
the checksummed HDF5 format and values carry Fletcher checksums, so that damage is noticed by the library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Param, Params
from engines.data import GridField
from engines.files import guard
from engines.files.hdf5_file import opened
from engines.files.registry import Loaded, reader, writer
from engines.files.voxels import GZIP_RATIO


class HdfWriteOptions(Params):
    compress: bool = Param(True, help="Pack the values with gzip")


@reader(key="vtkhdf", title="HDF5 field", extensions=(".vtkhdf",), gives=(GridField,))
def read_vtkhdf(path: Path, options: Params) -> Loaded:
    with opened(path) as file:
        group = _own(path, file, "VTKHDF")
        if group is None or _attribute(group, "Type") != "ImageData":
            raise guard.refuse(path, "holds no field.", "It has no group 'VTKHDF' of type ImageData.")
        data = _own(path, group, "PointData")
        names = [] if data is None else [n for n in list(data)[:1000] if getattr(_own(path, data, n), "ndim", 0) == 3]
        if data is None or not names:
            raise guard.refuse(path, "holds no field.", "'PointData' has no array of three axes.")
        quantity = str(_attribute(group, "quantity") or "")
        name = quantity if quantity in names else names[0]
        values = _values(path, data[name])
        level = _attribute(group, "level")
        field = GridField(
            name=path.stem,
            values=values.transpose(2, 1, 0),
            origin=np.array(group.attrs["Origin"], dtype=np.float64),
            spacing=np.array(group.attrs["Spacing"], dtype=np.float64),
            quantity=name,
            unit=str(_attribute(group, "unit") or ""),
            length_unit=str(_attribute(group, "length_unit") or ""),
            level=float(level) if level is not None and np.isfinite(level) else None,
        )
    return Loaded((field,), (f"{len(names) - 1} more arrays were not read.",) if len(names) > 1 else ())


def _own(path: Path, group: Any, name: str) -> Any:
    """A member of the file itself; links that lead elsewhere are refused."""
    import h5py

    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise guard.refuse(path, f"has a link at '{name}'.", "Soft and external links are not followed.")
    return group[name]


def _attribute(group: Any, name: str) -> Any:
    value = group.attrs.get(name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _values(path: Path, dataset: Any) -> np.ndarray:
    import h5py

    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.external
        or dataset.is_virtual
        or dataset.dtype.kind not in "iuf"
    ):
        raise guard.refuse(path, "holds its values elsewhere or in an unknown form.", "", "Save it again.")
    packed = set(dict(dataset._filters))
    if packed - {"gzip", "shuffle", "fletcher32"}:
        raise guard.refuse(path, "is packed in an unknown way.", f"Filters: {', '.join(sorted(packed))}.")
    need, size = dataset.size * dataset.dtype.itemsize, path.stat().st_size
    if need > size * GZIP_RATIO:
        raise guard.refuse(path, "announces too much data.", f"{need:,} bytes in a file of {size:,}.")
    guard.room(path, need)
    return np.asarray(dataset[...], dtype=np.float32)


@writer(
    key="vtkhdf",
    title="HDF5 field",
    extensions=(".vtkhdf", ".h5", ".hdf5"),
    takes=(GridField,),
    options=HdfWriteOptions,
)
def write_vtkhdf(field: GridField, path: Path, options: HdfWriteOptions) -> None:
    import h5py

    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        group = file.create_group("VTKHDF")
        group.attrs["Version"] = np.array([2, 0], np.int64)
        group.attrs.create("Type", b"ImageData", dtype=h5py.string_dtype("ascii", 9))
        shape = field.values.shape
        group.attrs["WholeExtent"] = np.array([0, shape[0] - 1, 0, shape[1] - 1, 0, shape[2] - 1], np.int64)
        group.attrs["Origin"], group.attrs["Spacing"] = field.origin, field.spacing
        group.attrs["Direction"] = np.eye(3).reshape(-1)
        group.attrs["quantity"], group.attrs["unit"] = field.quantity, field.unit
        group.attrs["length_unit"] = field.length_unit
        if field.level is not None:
            group.attrs["level"] = field.level
        name = field.quantity.replace("/", "_").replace(".", "_") or "value"
        group.create_group("PointData").create_dataset(
            name,
            data=field.values.transpose(2, 1, 0),
            chunks=tuple(min(64, n) for n in reversed(shape)),
            compression="gzip" if options.compress else None,
            compression_opts=4 if options.compress else None,
            shuffle=options.compress,
            fletcher32=True,
        )
