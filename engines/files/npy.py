"""NumPy arrays (``.npy``) as volumes; pickled objects are refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engines.core import Param
from engines.data import Volume
from engines.files import guard
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


def read_array(path: Path, file: BinaryIO, size: int) -> np.ndarray:
    """One array in NumPy's format from a stream of ``size`` bytes; the header is checked before the data is read."""
    with guard.foreign(path, "NumPy"):
        version = np.lib.format.read_magic(file)
        head = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = head(file)
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
