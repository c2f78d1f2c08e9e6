"""Arrays in and out of HDF5 in moderate pieces.

Chunks are deflated here with zlib, which lets other threads run, and handed to libhdf5 ready made: its own pipeline
would hold the interpreter. Copying from file to file moves them as they are.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from app.project.hdf5 import LOCK, MAX_DEPTH, Tick, attributes, check_dataset, check_memory, child, members, no_tick
from engines.core import UserError

CHUNK_BYTES = 1 << 20
COMPACT_BYTES = 16 << 10  # smaller arrays lie in the object's header, under its checksum
WORTH = 0.75  # deflate only what shrinks at least to this


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Halve the longest side until a chunk is at most 1 MB, so that a cut along any axis reads few chunks."""
    sides = list(shape)
    while math.prod(sides) * itemsize > CHUNK_BYTES and max(sides) > 1:
        longest = sides.index(max(sides))
        sides[longest] = -(-sides[longest] // 2)
    return tuple(sides)


def _starts(shape: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(0, n, c) for n, c in zip(shape, chunk, strict=True)))


def _shuffled(block: np.ndarray) -> np.ndarray:
    """Bytes of equal significance together, as HDF5's shuffle filter has them."""
    flat = np.ascontiguousarray(block).reshape(-1)
    return np.ascontiguousarray(flat.view("u1").reshape(flat.size, flat.itemsize).T)


def write_array(
    group: h5py.Group, name: str, values: np.ndarray, *, type_id: Any = None, tick: Tick = no_tick
) -> h5py.Dataset:
    """Write an array: inside the header when small, else chunked, shuffled and deflated (stored when not worth it).

    ``type_id`` is the HDF5 type where it does not follow from the dtype. ``tick`` is told the bytes done and may raise.
    """
    shape, item = values.shape, values.dtype.itemsize
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    small = values.nbytes <= COMPACT_BYTES
    chunk = chunk_shape(shape, item) if not small else ()
    if small:
        plan.set_layout(h5py.h5d.COMPACT)
    else:
        plan.set_chunk(chunk)
        if item > 1:
            plan.set_shuffle()
        plan.set_deflate(1)
    with LOCK:
        space = h5py.h5s.create_simple(shape) if shape else h5py.h5s.create(h5py.h5s.SCALAR)
        kind = type_id if type_id is not None else h5py.h5t.py_create(values.dtype, logical=True)
        identifier = h5py.h5d.create(group.id, name.encode("utf-8", "surrogateescape"), kind, space, plan)
        if small:
            if values.size:
                identifier.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values), mtype=kind)
            tick(values.nbytes)
            return h5py.Dataset(identifier)
    level = _level(values, chunk)
    for start in _starts(shape, chunk):
        block = values[tuple(slice(s, s + c) for s, c in zip(start, chunk, strict=True))]
        done = block.nbytes
        if block.shape != chunk:  # chunks at the edge are stored whole
            whole = np.zeros(chunk, values.dtype)
            whole[tuple(slice(0, n) for n in block.shape)] = block
            block = whole
        packed = zlib.compress(_shuffled(block).data, level)
        with LOCK:
            identifier.write_direct_chunk(start, packed, 0)
        tick(done)
    return h5py.Dataset(identifier)


def _level(values: np.ndarray, chunk: tuple[int, ...]) -> int:
    """1 when a sample from the middle shrinks enough, else 0 (a zlib stream without compression)."""
    middle = tuple(
        slice(max(0, (n - c) // 2), max(0, (n - c) // 2) + c) for n, c in zip(values.shape, chunk, strict=True)
    )
    block = np.ascontiguousarray(values[middle]).reshape(-1)
    sample = _shuffled(block[: max(1, (256 << 10) // values.dtype.itemsize)])
    return 1 if len(zlib.compress(sample.data, 1)) < WORTH * sample.nbytes else 0


def read_array(dataset: h5py.Dataset, where: str, tick: Tick = no_tick) -> np.ndarray:
    """Read a whole array in slabs, so that no other reader waits long. Raises :class:`UserError` before allocating
    what the file does not store or memory cannot hold."""
    with LOCK:
        nbytes = check_dataset(dataset, where)
        shape, dtype, chunks = dataset.shape, dataset.dtype, dataset.chunks
    check_memory(nbytes, where)
    result = np.empty(shape, dtype)
    if not shape or not result.size:
        with LOCK:
            if result.size:
                result[()] = dataset[()]
        return result
    step = chunks[0] if chunks else 1
    rows = max(1, (16 << 20) // max(1, nbytes // shape[0]) // step) * step
    for first in range(0, shape[0], rows):
        part = slice(first, min(first + rows, shape[0]))
        with LOCK:
            dataset.read_direct(result, part, part)
        tick(result[part].nbytes)
    return result


def copy_group(source: h5py.Group, target: h5py.Group, name: str, tick: Tick = no_tick, depth: int = 0) -> None:
    """Copy a group with all in it, nothing decoded. Raises :class:`UserError` for what may not be in a project."""
    if depth > MAX_DEPTH:
        raise UserError(f"'{source.name}' is nested more than {MAX_DEPTH} deep.", "No project is.")
    key = name.encode("utf-8", "surrogateescape")
    with LOCK:
        names = members(source)
        # not with the source's creation properties: they name the place of its links in the source file
        made = h5py.Group(h5py.h5g.create(target.id, key))
        _copy_attributes(source, made)
    for member in names:
        with LOCK:
            found = child(source, member)
        if isinstance(found, h5py.Group):
            copy_group(found, made, member, tick, depth + 1)
        elif found is not None:
            _copy_dataset(found, made, member, tick)


def _copy_dataset(source: h5py.Dataset, target: h5py.Group, name: str, tick: Tick) -> None:
    """Not by H5Ocopy, which holds the interpreter for as long as it takes."""
    with LOCK:
        nbytes = check_dataset(source, f"'{source.name}'")
        plan, kind = source.id.get_create_plist(), source.id.get_type()
        shape, chunk = source.shape, source.chunks
        grid = math.prod(-(-n // c) for n, c in zip(shape, chunk, strict=True)) if chunk else 0
        key = name.encode("utf-8", "surrogateescape")
        made = h5py.h5d.create(target.id, key, kind, source.id.get_space(), plan)
        _copy_attributes(source, h5py.Dataset(made))
        whole = not chunk or source.id.get_num_chunks() != grid
    if whole:
        values = read_array(source, f"'{source.name}'", tick)
        with LOCK:
            if values.size:
                made.write(h5py.h5s.ALL, h5py.h5s.ALL, values, mtype=kind)
        return
    for start in _starts(shape, chunk):
        with LOCK:
            mask, packed = source.id.read_direct_chunk(start)
            made.write_direct_chunk(start, packed, mask)
        tick(nbytes // grid)


def _copy_attributes(source: h5py.Group | h5py.Dataset, target: h5py.Group | h5py.Dataset) -> None:
    for name in attributes(source):  # types and sizes are checked there
        key = name.encode("utf-8", "surrogateescape")
        opened = h5py.h5a.open(source.id, key)
        target.attrs.create(name, source.attrs[name], shape=opened.shape, dtype=opened.dtype)


def stored_size(group: h5py.Group) -> int:
    """Bytes that all arrays in a group take in the file."""
    total = 0

    def look(name: str, found: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(found, h5py.Dataset):
            total += found.id.get_storage_size()

    with LOCK:
        group.visititems(look)
    return total
