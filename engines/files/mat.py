"""MATLAB files (``.mat``) of versions 5 to 7.3, for the fields in them; structures, cells and objects are left alone.

Versions 5 to 7 are read here: a header of 128 bytes, then elements of a type, a size and data in multiples of 8 bytes;
matrices may be packed with zlib. Version 7.3 is HDF5 with its axes in the opposite order.
"""

from __future__ import annotations

import struct
import zlib
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engines.data import SampledField
from engines.files import guard
from engines.files.gridded import FieldOptions, Stored, field_from
from engines.files.hdf5 import arrays_of
from engines.files.hdf5_file import SIGNATURE, opened
from engines.files.registry import Loaded, reader
from engines.files.voxels import GZIP_RATIO

TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
MATRIX, PACKED = 14, 15
COMPLEX = 0x0800
MOST_MATRICES = 10_000
MOST_AXES = 32


class _Element(NamedTuple):
    kind: int
    data: memoryview
    end: int


@reader(key="mat", title="MATLAB field", extensions=(".mat",), gives=(SampledField,), options=FieldOptions)
def read_mat(path: Path, options: FieldOptions) -> Loaded:
    """Where lengths leave a choice, axes are x, y, z and then t, as is usual in MATLAB."""
    with path.open("rb") as file:
        head = file.read(1024)
    if SIGNATURE in (head[:8], head[512:520]):
        with opened(path) as file:
            found = {k: s.turned() for k, s in arrays_of(path, file).items() if not k.startswith("#")}
            return field_from(path, found, options, time_last=True)
    order = {b"IM": "<", b"MI": ">"}.get(head[126:128])
    if order is None:
        raise guard.refuse(
            path,
            "is not a MATLAB file of version 5 or later.",
            "Its header does not say so.",
            "Save it again in MATLAB with the option '-v7'.",
        )
    stored = {k: Stored.of(v) for k, v in _matrices(path, guard.read_bytes(path), order).items()}
    return field_from(path, stored, options, time_last=True)


def _matrices(path: Path, raw: bytes, order: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    at, total, data = 128, 0, memoryview(raw)
    while at + 8 <= len(data):
        element = _element(path, data, at, order)
        at = element.end
        if element.kind == PACKED:
            inner = _unpacked(path, element.data, len(raw) * GZIP_RATIO - total)
            total += len(inner)
            element = _element(path, memoryview(inner), 0, order)
        if element.kind == MATRIX and (named := _matrix(path, element.data, order)) is not None:
            found[named[0]] = named[1]
        if len(found) > MOST_MATRICES:
            raise guard.refuse(path, "holds too many matrices.", f"{MOST_MATRICES:,} are read.")
    return found


def _element(path: Path, data: memoryview, at: int, order: str) -> _Element:
    """The element at a place. Small ones hold up to four bytes in their own tag."""
    if at + 8 > len(data):
        raise _cut(path)
    kind, size = struct.unpack_from(order + "II", data, at)
    if kind >> 16:
        small = kind >> 16
        if small > 4:
            raise guard.refuse(path, "has a damaged element.", f"It says that {small} bytes fit into four.")
        return _Element(kind & 0xFFFF, data[at + 4 : at + 4 + small], at + 8)
    end = at + 8 + size
    if end > len(data):
        raise _cut(path)
    return _Element(kind, data[at + 8 : end], end if kind == PACKED else end + -size % 8)


def _cut(path: Path) -> Exception:
    return guard.refuse(path, "is cut off or damaged.", "One of its elements reaches beyond the end.")


def _unpacked(path: Path, packed: memoryview, most: int) -> bytes:
    """A matrix, unpacked as far as its own size says."""
    machine = zlib.decompressobj()
    try:
        head = machine.decompress(packed, 8)
        size = struct.unpack("<I", head[4:8])[0] if len(head) == 8 else 0
        size = min(size, struct.unpack(">I", head[4:8])[0]) if len(head) == 8 else 0
        guard.room(path, min(size, most))
        if size > most:
            raise guard.refuse(path, "announces too much data.", f"{size:,} bytes in one matrix.")
        return head + machine.decompress(machine.unconsumed_tail, max(1, size + 8))
    except zlib.error as error:
        raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None


def _matrix(path: Path, data: memoryview, order: str) -> tuple[str, np.ndarray] | None:
    """Name and values of a matrix of numbers; None for anything else."""
    flags = _element(path, data, 0, order)
    if len(flags.data) < 4:
        raise _cut(path)
    bits = struct.unpack_from(order + "I", flags.data)[0]
    dtype = CLASSES.get(bits & 0xFF)
    if dtype is None:
        return None
    shape_element = _element(path, data, flags.end, order)
    shape = tuple(np.frombuffer(_whole(shape_element.data, 4), order + "i4").tolist())
    name_element = _element(path, data, shape_element.end, order)
    name = bytes(name_element.data).decode("latin-1")
    if not 1 < len(shape) <= MOST_AXES or min(shape) < 0:
        raise guard.refuse(path, "has a damaged matrix.", f"'{name[:40]}' says that it is {shape[:6]}.")
    real = _element(path, data, name_element.end, order)
    values = _numbers(path, real, shape, dtype, order)
    if bits & COMPLEX:
        imaginary = _numbers(path, _element(path, data, real.end, order), shape, dtype, order)
        values = values + 1j * imaginary
    return name, values


def _numbers(path: Path, element: _Element, shape: tuple[int, ...], dtype: str, order: str) -> np.ndarray:
    """MATLAB stores whole numbers in fewer bytes where they fit."""
    code = TYPES.get(element.kind)
    if code is None or prod(shape) * int(code[1]) != len(element.data):
        raise guard.refuse(
            path, "has a damaged matrix.", f"{prod(shape):,} numbers were expected in {len(element.data):,} bytes."
        )
    return np.frombuffer(element.data, order + code).reshape(shape, order="F").astype(dtype)


def _whole(data: memoryview, size: int) -> memoryview:
    return data[: len(data) - len(data) % size]
