"""NumPy arrays (``.npy``) as volumes or as fields; pickled objects are refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engines.core import Param
from engines.data import SampledField, Volume
from engines.files import guard
from engines.files.gridded import GridOptions, Stored, field_from
from engines.files.mapped import array_in, stays
from engines.files.registry import Loaded, NoOptions, reader, writer
from engines.files.voxels import VolumeReadOptions, data_bytes, three_axes, volume_from


class NpyReadOptions(VolumeReadOptions):
    spacing: tuple[float, ...] = Param((1.0,), gt=0, help="Voxel size along the axes (one for all, or three)")
    unit: str = Param("", help="Length unit of the spacing")


@reader(key="npy", title="NumPy volume", extensions=(".npy",), gives=(Volume,), options=NpyReadOptions)
def read_npy(path: Path, options: NpyReadOptions) -> Loaded:
    with path.open("rb") as file:
        values = read_array(path, file, path.stat().st_size)
    values, problems = three_axes(path, values, options.frame)
    spacing = np.array(options.spacing * 3 if len(options.spacing) == 1 else options.spacing)
    if len(spacing) != 3:
        raise guard.refuse(path, "needs one or three spacings.", f"{len(spacing)} were given.", "Correct the option.")
    return volume_from(path, values, np.diag([*spacing, 1.0]), options.unit, options, problems)


@reader(key="npy-field", title="NumPy field", extensions=(".npy",), gives=(SampledField,), options=GridOptions)
def read_npy_field(path: Path, options: GridOptions) -> Loaded:
    """The axes are told by the options, or counted: x, x y, x y z, t x y z. A large array stays in its file."""
    with path.open("rb") as file:
        shape, fortran, dtype = _head(path, file)
        if stays(dtype, shape):
            values = array_in(path, file.tell(), dtype, shape, fortran)
        else:
            file.seek(0)
            values = read_array(path, file, path.stat().st_size)
    if values.dtype.kind not in "biufc" or not values.size:
        raise guard.refuse(path, "holds no numbers.", f"It is {values.shape} of {values.dtype}.", "Save numbers.")
    return field_from(path, {"u": Stored.of(values.reshape(values.shape or (1,)))}, options)


def read_array(path: Path, file: BinaryIO, size: int) -> np.ndarray:
    """One array in NumPy's format from a stream of ``size`` bytes; the header is checked before the data is read."""
    shape, fortran, dtype = _head(path, file)
    if dtype.hasobject or dtype.kind not in "biufcUS" or not dtype.itemsize:
        raise guard.refuse(
            path,
            "holds no plain numbers.",
            f"Its values are {dtype}; Python objects are never loaded.",
            "Save an array of numbers.",
        )
    if shape and 0 in shape:
        return np.zeros(shape, dtype)
    need = data_bytes(path, shape or (1,), dtype.itemsize, max(0, size - file.tell()), False)
    raw = file.read(need)
    if len(raw) != need:
        raise guard.refuse(path, "is shorter than its header says.", f"{len(raw):,} of {need:,} bytes are there.")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def _head(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether the first index runs fastest, and type; the file stands at the first value then."""
    with guard.foreign(path, "NumPy"):
        version = np.lib.format.read_magic(file)
        head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = head(file)
        if any(not isinstance(n, int) or n < 0 for n in shape):
            raise ValueError(f"shape {shape}")
        return shape, fortran, dtype


def array_bytes(values: np.ndarray) -> bytes:
    """An array in NumPy's format."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(values), allow_pickle=False)
    return out.getvalue()


@writer(key="npy", title="NumPy volume", extensions=(".npy",), takes=(Volume,))
def write_npy(volume: Volume, path: Path, options: NoOptions) -> None:
    """Values only: the format has no place for the affine."""
    with path.open("wb") as out:
        np.lib.format.write_array(out, volume.values, allow_pickle=False)


@writer(key="npy-field", title="NumPy array", extensions=(".npy",), takes=(SampledField,))
def write_npy_field(field: SampledField, path: Path, options: NoOptions) -> None:
    """Values only: [t, c, x, y, z] without the axes of length one, times and dimensions that the field has not."""
    shape = [n for n in field.values.shape[:2] if n > 1]
    with path.open("wb") as out:
        np.lib.format.write_array(out, field.values.reshape(*shape, *field.shape), allow_pickle=False)
