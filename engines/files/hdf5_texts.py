"""Texts in HDF5 datasets, with their lengths looked at first.

A text of variable length is stored as its length, and where it lies in a heap (16 bytes). libhdf5 takes room for that
length before it looks for the text: in a damaged file, gigabytes. So the lengths are read from the file itself.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from engines.files import guard
from engines.files.voxels import GZIP_RATIO

REFERENCE = 16
"""Bytes of a length, the address of a heap and a number in it."""
IN_MEMORY = 8
"""Bytes that libhdf5 counts for the same in a type that it hands out."""


def values_with_texts(path: Path, dataset: Any) -> np.ndarray:
    """The values of a list that may hold text; where they lie and what they take is looked at first."""
    if len(dataset.shape or ()) != 1:
        raise guard.refuse(path, "has a column that is no list.", f"'{dataset.name}' is {dataset.shape}.")
    if dataset.external or dataset.is_virtual:
        raise guard.refuse(path, "holds its values elsewhere.", "They are in other files.", "Save it as one file.")
    need, size = dataset.size * dataset.dtype.itemsize, path.stat().st_size
    if need > (size * GZIP_RATIO if dataset.chunks else size):
        raise guard.refuse(path, "announces too much data.", f"{need:,} bytes in a file of {size:,}.")
    guard.room(path, need)
    places, width = _references(dataset)
    if places and sum(_length(block, places, width) for block in _blocks(path, dataset, width)) > size:
        raise guard.refuse(path, "is not a readable HDF5 file.", "A text is said to be longer than the file.")
    return np.asarray(dataset[...])


def words(values: np.ndarray) -> list[str]:
    """Texts as h5py gives them; bytes that are no UTF-8 are replaced."""
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in values.tolist()]


def is_text(kind: np.dtype) -> bool:
    import h5py

    return h5py.check_string_dtype(kind) is not None or kind.kind == "S"


def _references(dataset: Any) -> tuple[list[int], int]:
    """Where in each element of a dataset there are references to texts, and how many bytes it takes in the file."""
    import h5py

    kind = dataset.id.get_type()
    if isinstance(kind, h5py.h5t.TypeStringID):
        return ([0], REFERENCE) if kind.is_variable_str() else ([], kind.get_size())
    if not isinstance(kind, h5py.h5t.TypeCompoundID):
        return [], kind.get_size()
    places: list[int] = []
    for i in range(kind.get_nmembers()):
        inner = kind.get_member_type(i)
        if isinstance(inner, h5py.h5t.TypeStringID) and inner.is_variable_str():
            places.append(kind.get_member_offset(i) + len(places) * (REFERENCE - IN_MEMORY))
    return places, kind.get_size() + len(places) * (REFERENCE - IN_MEMORY)


def _length(block: bytes, places: list[int], width: int) -> int:
    rows = np.frombuffer(block, np.uint8)[: len(block) // width * width].reshape(-1, width)
    lengths = [np.ascontiguousarray(rows[:, at : at + 4]).view("<u4") for at in places]
    return sum(int(found.sum(dtype=np.uint64)) for found in lengths)


def _blocks(path: Path, dataset: Any, width: int) -> Iterator[bytes]:
    """The elements as they are in the file; nothing of those that are packed in a way that cannot be undone here."""
    with path.open("rb") as file:
        if dataset.chunks is None:
            if (at := dataset.id.get_offset()) is not None:
                file.seek(at)
                yield file.read(dataset.size * width)
            return
        most = prod(dataset.chunks) * width
        for number in range(dataset.id.get_num_chunks()):
            where = dataset.id.get_chunk_info(number)
            file.seek(where.byte_offset or 0)
            yield _unpacked(path, file.read(where.size), most, width, dataset, where.filter_mask)


def _unpacked(path: Path, block: bytes, most: int, width: int, dataset: Any, skipped: int) -> bytes:
    plan = dataset.id.get_create_plist()
    for index in reversed(range(plan.get_nfilters())):
        code = plan.get_filter(index)[0]
        if skipped >> index & 1:
            continue
        if code == 1:
            try:
                block = zlib.decompressobj().decompress(block, most + 4)
            except zlib.error as error:
                raise guard.refuse(path, "has damaged compressed data.", f"{error}.") from None
        elif code == 2:
            block = np.frombuffer(block, np.uint8).reshape(width, -1).T.tobytes() if len(block) % width == 0 else b""
        elif code == 3:
            block = block[:-4]
        else:
            return b""
    return block


__all__ = ["is_text", "values_with_texts", "words"]
