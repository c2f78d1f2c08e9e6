"""NRRD volumes (``.nrrd``, ``.nhdr`` with a data file). Positions are turned to RAS from the space that the file names.

A file that names none, or none of a body, is taken for LPS, as ITK does; the reader says so.
"""

from __future__ import annotations

import bz2
import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Param, Params
from engines.data import GridField, Volume
from engines.files import guard
from engines.files.registry import Loaded, reader, writer
from engines.files.triangles import numbers
from engines.files.voxels import LPS, VolumeReadOptions, data_bytes, grid_of, in_millimetres, three_axes, volume_from

TYPES = {
    "signed char": "i1", "int8": "i1", "int8_t": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1",
    "uint8_t": "u1", "short": "i2", "short int": "i2", "signed short": "i2", "int16": "i2", "int16_t": "i2",
    "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "uint16_t": "u2", "int": "i4", "signed int": "i4",
    "int32": "i4", "int32_t": "i4", "uint": "u4", "unsigned int": "u4", "uint32": "u4", "uint32_t": "u4",
    "longlong": "i8", "long long": "i8", "int64": "i8", "int64_t": "i8", "ulonglong": "u8",
    "unsigned long long": "u8", "uint64": "u8", "uint64_t": "u8", "float": "f4", "double": "f8",
}  # fmt: skip
NAMES = {"i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32", "i8": "int64",
         "u8": "uint64", "f4": "float", "f8": "double"}  # fmt: skip

SPACES = {
    "left-posterior-superior": LPS,
    "left-anterior-superior": np.diag([-1.0, 1.0, 1.0, 1.0]),
    "right-anterior-superior": np.eye(4),
}


class NrrdWriteOptions(Params):
    compress: bool = Param(True, help="Pack the voxels with gzip")


@reader(key="nrrd", title="NRRD volume", extensions=(".nrrd", ".nhdr"), gives=(Volume,), options=VolumeReadOptions)
def read_nrrd(path: Path, options: VolumeReadOptions) -> Loaded:
    with path.open("rb") as file:
        start = file.read(1 << 18)
    if not start.startswith(b"NRRD"):
        raise guard.refuse(path, "is not an NRRD file.", "It does not begin with 'NRRD'.")
    header, end = _header(path, start)
    kind = str(header.get("type", ""))
    if kind not in TYPES:
        raise guard.refuse(path, "holds data of an unknown kind.", f"Its type is '{kind[:40]}'.")
    shape = tuple(int(n) for n in np.atleast_1d(header.get("sizes", [])))
    if len(shape) != header.get("dimension") or not 2 <= len(shape) <= 4:
        raise guard.refuse(path, "has a wrong header.", f"dimension is {header.get('dimension')}, sizes {shape}.")
    dtype = np.dtype((">" if header.get("endian") == "big" else "<") + TYPES[kind])
    values = _data(path, header, end, shape, dtype).reshape(shape, order="F")
    values, affine = _space(path, header, values)
    turn, notices = _to_ras(header)
    values, problems = three_axes(path, values, options.frame)
    units = header.get("space units") or header.get("units") or []
    unit = str(units[0]) if len(units) else "mm" if _named(header) in SPACES else ""
    return volume_from(path, values, turn @ affine, unit, options, notices + problems)


def _header(path: Path, start: bytes) -> tuple[dict[str, Any], int]:
    import nrrd

    ends = [(start.find(mark), len(mark)) for mark in (b"\n\n", b"\r\n\r\n") if mark in start]
    end = min(at + width for at, width in ends) if ends else len(start)
    with guard.foreign(path, "NRRD"):
        header = dict(nrrd.read_header(io.BytesIO(start[:end])))
    return header, end


def _data(path: Path, header: dict[str, Any], end: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    name = header.get("data file", header.get("datafile"))
    if name is not None and (str(name).split()[:1] == ["LIST"] or "%" in str(name)):
        raise guard.refuse(path, "is spread over several files.", "", "Save it as one .nrrd file.")
    source = path if name is None else guard.beside(path, str(name), "a data file")
    skip = end if name is None else 0
    encoding = str(header.get("encoding", ""))
    packed = encoding in ("gzip", "gz", "bzip2", "bz2")
    available = max(0, source.stat().st_size - skip)
    width = 1 if encoding in ("ascii", "text", "txt") else dtype.itemsize
    # bzip2 packs tighter than gzip, but no better than 1 : 50,000; its output is bounded while unpacking.
    need = data_bytes(path, shape, width, available * (50 if encoding.startswith("bz") else 1), packed)
    lines, at = (
        int(header.get("line skip", header.get("lineskip", 0))),
        int(header.get("byte skip", header.get("byteskip", 0))),
    )
    with source.open("rb") as file:
        file.seek(skip)
        raw = file.read(available)
    if lines < 0 or at < -1 or lines > raw.count(b"\n") or (at > available and not packed):
        raise guard.refuse(path, "has a wrong line skip or byte skip.", f"They are {lines} and {at}.")
    for _ in range(lines):
        raw = raw[raw.index(b"\n") + 1 :]
    if width == 1 and not packed and encoding != "raw":
        return _ascii(path, raw[max(at, 0) :], need, dtype)
    if encoding == "raw":
        begin = len(raw) - need if at == -1 else at
        raw = raw[begin : begin + need] if begin >= 0 else b""
    elif not packed:
        raise guard.refuse(path, "is encoded in an unknown way.", f"encoding is '{encoding[:40]}'.")
    else:
        raw = _unpacked(path, raw, encoding, need + max(at, 0))[max(at, 0) :]
    if len(raw) != need:
        raise guard.refuse(path, "is shorter than its header says.", f"{len(raw):,} of {need:,} bytes are there.")
    return np.frombuffer(raw, dtype)


def _unpacked(path: Path, raw: bytes, encoding: str, most: int) -> bytes:
    try:
        if encoding.startswith("bz"):
            return bz2.BZ2Decompressor().decompress(raw, most)
        return zlib.decompressobj(wbits=47).decompress(raw, most)
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None


def _ascii(path: Path, raw: bytes, count: int, dtype: np.dtype) -> np.ndarray:
    values = numbers(raw)
    if values is None or len(values) != count:
        found = "something that is no number" if values is None else f"{len(values):,} numbers"
        raise guard.refuse(path, "has the wrong amount of data.", f"Expected {count:,} numbers; found {found}.")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if not ((values >= limits.min) & (values <= limits.max)).all():
            raise guard.refuse(path, "has values that do not fit its type.", f"The type is {dtype.name}.")
    return values.astype(dtype)


def _named(header: dict[str, Any]) -> str:
    """The space of the file in full, "" when it names none."""
    name = str(header.get("space", "")).strip().lower().removesuffix("-time").removesuffix("t")
    short = {"lps": "left-posterior-superior", "las": "left-anterior-superior", "ras": "right-anterior-superior"}
    return short.get(name, name)


def _to_ras(header: dict[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """What takes the file's positions to RAS, and a notice when that had to be assumed."""
    name = _named(header)
    if name in SPACES:
        return SPACES[name], ()
    said = f"is '{name[:40]}', which is none of a body" if name else "is not given"
    return LPS, (f"The space of its positions {said}; left-posterior-superior was assumed, as ITK does.",)


def _space(path: Path, header: dict[str, Any], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values with the space axes first, and their affine."""
    directions = header.get("space directions")
    affine = np.eye(4)
    wrong = guard.refuse(path, "has wrong space directions.", "Each space axis needs one direction of three numbers.")
    if directions is not None:
        rows = [None if row is None else np.asarray(row, dtype=np.float64) for row in list(directions)]
        rows = [None if row is None or np.isnan(row).any() else row for row in rows]
        spatial = [i for i, row in enumerate(rows) if row is not None]
        if len(rows) != values.ndim or len(spatial) not in (2, 3):
            raise wrong
        rest = [i for i in range(values.ndim) if i not in spatial]
        values = np.transpose(values, [*spatial, *rest])
        for i, axis in enumerate(spatial):
            row = np.asarray(rows[axis])
            if row.shape not in ((2,), (3,)):
                raise wrong
            affine[: len(row), i] = row
    elif header.get("spacings") is not None:
        steps = np.asarray(header["spacings"], dtype=np.float64)
        for i, step in enumerate(steps[:3]):
            affine[i, i] = step if np.isfinite(step) else 1.0
    origin = header.get("space origin")
    if origin is not None:
        origin = np.asarray(origin, dtype=np.float64).reshape(-1)
        if len(origin) > 3:
            raise wrong
        affine[: len(origin), 3] = origin
    return values, affine


@writer(key="nrrd", title="NRRD volume", extensions=(".nrrd",), takes=(Volume, GridField), options=NrrdWriteOptions)
def write_nrrd(item: Volume | GridField, path: Path, options: NrrdWriteOptions) -> None:
    import nrrd

    """In RAS mm: few readers look at the units that NRRD can name, so known lengths are converted."""
    values, affine, unit = grid_of(item)
    affine, unit = in_millimetres(affine, unit)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    code = values.dtype.str[1:]
    if code not in NAMES:
        values, code = values.astype(np.float32), "f4"
    header: dict[str, Any] = {
        "type": NAMES[code],
        "encoding": "gzip" if options.compress else "raw",
        "endian": "little",
        "space": "right-anterior-superior",
        "space directions": affine[:3, :3].T,
        "space origin": affine[:3, 3],
        "kinds": ["domain"] * 3,
    }
    if unit and '"' not in unit and unit.isascii() and unit.isprintable():
        header["space units"] = [unit] * 3
    nrrd.write(str(path), values.astype("<" + code), header, compression_level=6)
