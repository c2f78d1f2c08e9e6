"""The one door to HDF5: one lock, checked opening, types and sizes, and files that are written whole.

What we write has every byte under a checksum: the 1.10 file format checks its metadata, small arrays lie inside
that metadata, and large ones are deflated (a zlib stream checks itself). So damage is found, not read.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil

from engines.core import UserError

LOCK = threading.RLock()  # libhdf5 is not thread safe, and one logical step often takes several calls
LIBVER = ("v110", "v110")  # checksums on all metadata; read by every HDF5 since 1.10

MAX_MEMBERS = 20_000  # artifacts, runs, or arrays of one artifact
MAX_LINKS = 500_000  # in a whole file
MAX_DEPTH = 12
MAX_TEXT = 256 << 20
MAX_ATTRIBUTE = 1 << 20
MAX_CHUNK = 256 << 20
_BROKEN = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, IndexError, LookupError, MemoryError)
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_LZF, h5py.h5z.FILTER_FLETCHER32}

Tick = Callable[[int], None]


def no_tick(nbytes: int) -> None:
    """Progress that nobody watches."""


@contextmanager
def damaged(what: str) -> Iterator[None]:
    """Turn whatever libhdf5 or numpy say about broken content into a :class:`UserError`."""
    try:
        yield
    except UserError:
        raise
    except _BROKEN as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        mend = "Open the backup beside it (.bak) or another copy."
        raise UserError(f"{what} is damaged.", reason.rstrip(".") + ".", mend) from error


def open_checked(path: Path) -> h5py.File:
    """Open an HDF5 file for reading. Raises :class:`UserError`: missing, unreadable, not HDF5, with links outside."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise UserError(f"'{path.name}' is not a file.", mend="Choose a .fieldwright file.")
        with path.open("rb") as probe:
            start = probe.read(8)
    except OSError as error:
        why = f"{error.strerror or error}."
        raise UserError(f"'{path}' cannot be opened.", why, "Check that it exists and may be read.") from error
    except ValueError as error:  # a NUL in the name
        raise UserError(f"'{path}' cannot be opened.", f"{error}.", "Check the path.") from error
    if start != b"\x89HDF\r\n\x1a\n":
        raise UserError(f"'{path.name}' is not a Fieldwright project.", "It is no HDF5 file.", "Choose another file.")
    with LOCK, damaged(f"'{path.name}'"):
        try:
            file = h5py.File(path, "r")
        except BlockingIOError as error:
            why = "Another program is writing to it."
            raise UserError(f"'{path.name}' is in use.", why, "Close it there first.") from error
        try:
            _refuse_links(file, path.name)
        except BaseException:
            file.close()
            raise
    return file


def _refuse_links(file: h5py.File, name: str) -> None:
    """Soft links may only stay inside the file, external ones not at all; we write neither, so none is accepted."""
    count, kinds = 0, set()

    def look(_: bytes, info: Any) -> bool | None:
        nonlocal count
        count += 1
        kinds.add(int(info.type))
        return True if count > MAX_LINKS or kinds - {h5py.h5l.TYPE_HARD} else None

    file.id.links.visit(look, info=True)
    if kinds - {h5py.h5l.TYPE_HARD}:
        raise UserError(
            f"'{name}' holds links to other places.",
            "A project file keeps everything inside; links could reach other files of yours.",
            "Do not trust this file, or remove the links with an HDF5 tool.",
        )
    if count > MAX_LINKS:
        raise UserError(f"'{name}' holds more than {MAX_LINKS:,} objects.", "No project is that large.")


def members(group: h5py.Group, limit: int = MAX_MEMBERS) -> list[str]:
    """Names in a group, refused when absurdly many."""
    count = len(group)
    if count > limit:
        raise UserError(f"The project's group '{group.name}' has {count:,} members.", f"At most {limit:,} are read.")
    return list(group)


def child(group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
    """A member reached by a hard link, or None."""
    key = name.encode("utf-8", "surrogateescape")
    if not group.id.links.exists(key) or group.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        return None
    found = group[name]
    return found if isinstance(found, (h5py.Group, h5py.Dataset)) else None


def subgroup(group: h5py.Group, name: str) -> h5py.Group | None:
    found = child(group, name)
    return found if isinstance(found, h5py.Group) else None


def check_type(type_id: Any, where: str) -> None:
    """Only plain numbers, booleans, complex numbers and strings of fixed length are read."""
    size = type_id.get_size()
    if not 0 < size <= MAX_TEXT:
        raise UserError(f"{where} has elements of {size:,} bytes.", "No project holds such.")
    kind = type_id.get_class()
    plain = kind in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM)
    plain |= kind == h5py.h5t.STRING and not type_id.is_variable_str()
    if not plain and (type_id.dtype.kind != "c" or type_id.dtype.hasobject):
        raise UserError(f"{where} is of a type that projects do not use.", f"It is {type_id.dtype}.")


def check_dataset(dataset: h5py.Dataset, where: str) -> int:
    """Check storage, type and shape before anything is allocated. Returns the bytes that reading all would take.

    A file can claim any shape: what it claims must fit what it stores.
    """
    identifier = dataset.id
    plan = identifier.get_create_plist()
    layout = plan.get_layout()
    if layout not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED) or plan.get_external_count():
        raise UserError(f"{where} lies outside the file.", "A project file keeps everything inside.")
    filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    if filters - _FILTERS:
        raise UserError(f"{where} is packed with an unknown filter.", f"Filters: {sorted(filters)}.")
    check_type(identifier.get_type(), where)
    shape, item = identifier.shape, identifier.get_type().get_size()
    if shape is None or len(shape) > 32:
        raise UserError(f"{where} has no usable shape.")
    nbytes = math.prod(shape) * item
    stored = identifier.get_storage_size()
    limit = stored
    if layout == h5py.h5d.CHUNKED:
        chunk = math.prod(plan.get_chunk()) * item
        if chunk > MAX_CHUNK:
            raise UserError(f"{where} is stored in pieces of {chunk:,} bytes.", f"At most {MAX_CHUNK:,} are read.")
        if filters & {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_LZF}:
            limit = stored * 1040  # deflate cannot shrink more; lzf shrinks far less
    if nbytes > limit or stored > h5py.h5i.get_file_id(identifier).get_filesize():
        raise UserError(
            f"{where} claims {nbytes:,} bytes ({'×'.join(map(str, shape))} of {item}).",
            f"The file stores only {stored:,} for it.",
            "The file is damaged; open its backup (.bak).",
        )
    return int(nbytes)


def check_memory(nbytes: int, what: str) -> None:
    """Refuse with numbers what would not fit into memory."""
    free = psutil.virtual_memory().available
    if nbytes > 0.9 * free:
        raise UserError(
            f"{what} needs {nbytes / 1e9:.1f} GB of memory.",
            f"Only {free / 1e9:.1f} GB are free.",
            "Close other programs or results first.",
        )


def put_attribute(target: h5py.Group | h5py.Dataset, name: str, value: str | int | float | bool) -> None:
    """A text (UTF-8 of fixed length) or a number as an attribute. Variable-length text has no checksum in HDF5."""
    if isinstance(value, str):
        data = value.encode("utf-8", "replace").replace(b"\0", b"")
        size = max(len(data), 1)
        target.attrs.create(name, np.array(data, f"S{size}"), dtype=h5py.string_dtype("utf-8", size))
    else:
        target.attrs[name] = value


def attribute(source: h5py.Group | h5py.Dataset, name: str) -> Any:
    """A small attribute as str, int, float, bool or array; None when it is missing."""
    key = name.encode()
    if not h5py.h5a.exists(source.id, key):
        return None
    opened = h5py.h5a.open(source.id, key)
    kind = opened.get_type()
    size = opened.get_storage_size()
    if size > MAX_ATTRIBUTE:
        raise UserError(f"The attribute '{name}' of '{source.name}' is absurdly large.")
    text = kind.get_class() == h5py.h5t.STRING
    if text and kind.is_variable_str():  # what other programs write: allowed for attributes
        value = source.attrs[name]
    elif text and opened.shape == () and 0 < size == kind.get_size():
        raw = np.empty((), f"S{size}")
        opened.read(raw, mtype=kind)
        value = raw.item()
    else:
        check_type(kind, f"The attribute '{name}'")
        value = source.attrs[name]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def attributes(source: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """All attributes, the count bounded."""
    count = h5py.h5a.get_num_attrs(source.id)
    if count > 1000:
        raise UserError(f"'{source.name}' has {count:,} attributes.", "No project has so many.")
    return {name: attribute(source, name) for name in list(source.attrs)}


@contextmanager
def written(path: Path) -> Iterator[h5py.File]:
    """Create an HDF5 file; at the end it is complete and flushed to disk, or an error is raised and it is gone.

    Raises OSError, with its number, when the disk is full.
    """
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        with LOCK:
            file = h5py.File(path, "w", libver=LIBVER, locking=False)
        try:
            yield file
        except BaseException:
            with LOCK, contextlib.suppress(Exception):
                os.ftruncate(file.id.get_vfd_handle(), 0)  # gives room to close: libhdf5 still writes what it holds
            with LOCK, contextlib.suppress(Exception):
                file.close()
            raise
        with LOCK:
            file.close()
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Flush a rename to disk. Not every file system can; those do it by themselves."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
