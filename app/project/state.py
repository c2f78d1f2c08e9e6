"""What a project holds in memory: entries and runs with where their content lies."""

from __future__ import annotations

import itertools
import threading
import weakref
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import psutil

from app.project.codec import part, read_arrays, read_artifact, read_text
from app.project.hdf5 import LOCK, attribute, check_dataset, check_memory, damaged, open_checked, subgroup
from app.project.records import Entry, RunRecord
from app.project.sources import load_link
from engines.core import Artifact, Checkpoint, UserError

CurveData = dict[str, tuple[np.ndarray, np.ndarray]]


class Handle:
    """A file that is opened for reading when first needed, and stays open (even if deleted) while something uses it."""

    _alive: ClassVar[weakref.WeakValueDictionary[str, Handle]] = weakref.WeakValueDictionary()

    def __init__(self, path: Path, file: h5py.File | None = None) -> None:
        self.path = path
        self._file = file
        self._closed = False
        Handle._alive[str(path)] = self

    @staticmethod
    def before_unlink(path: Path) -> None:
        """Open the file if content in it is still wanted: on POSIX it can then be read though its name is gone."""
        handle = Handle._alive.get(str(path))
        if handle is not None:
            handle.file()

    def close(self) -> None:
        """Let go of the file; what was sliced from it lazily can be read no more."""
        with LOCK:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._closed = True

    def file(self) -> h5py.File:
        with LOCK:
            if self._closed:
                raise UserError(f"'{self.path.name}' was closed.", "Its project is no longer open.")
            if self._file is None:
                self._file = open_checked(self.path)
            return self._file


@dataclass(frozen=True)
class Stored:
    """A group in a file."""

    handle: Handle
    path: str

    def group(self) -> h5py.Group:
        with LOCK, damaged(f"'{self.path}'"):
            found: h5py.Group | None = self.handle.file()
            for name in self.path.strip("/").split("/"):
                found = subgroup(found, name) if found is not None else None
        if found is None:
            raise UserError(
                f"'{self.path}' is missing in '{self.handle.path.name}'.",
                "The file is damaged.",
                "Open its backup (.bak).",
            )
        return found


class EntryState:
    """An entry, and its artifact: held in memory until it lies in a file; neither when it is linked."""

    def __init__(self, entry: Entry, order: int, *, stored: Stored | None = None, held: Artifact | None = None) -> None:
        self.entry, self.order, self.stored, self.held = entry, order, stored, held

    def load(self, folder: Path | None) -> Artifact:
        """``folder`` is the project's, from which a link may lead to the file."""
        stored, held, link = self.stored, self.held, self.entry.link
        if link is not None:
            return load_link(link, folder, self.entry.hash, self.entry.nbytes).replace(name=self.entry.name)
        if held is not None:
            return held if held.name == self.entry.name else held.replace(name=self.entry.name)
        if stored is None:
            raise UserError(f"'{self.entry.name}' has no content.", "It could not be recovered.")
        return read_artifact(stored.group(), name=self.entry.name, where=f"'{self.entry.name}'")


class Series:
    """A growing curve; steps may repeat or go back."""

    def __init__(self, steps: Any = (), values: Any = ()) -> None:
        self.steps, self.values = array("q"), array("d")
        if len(steps):
            self.steps.frombytes(np.ascontiguousarray(steps, "int64").tobytes())
            self.values.frombytes(np.ascontiguousarray(values, "float64").tobytes())

    def add(self, step: int, value: float) -> None:
        self.steps.append(step)
        self.values.append(value)

    def rewind(self, step: int) -> None:
        """Forget the points at ``step`` and later."""
        keep = np.array(self.steps) < step
        kept = Series(np.array(self.steps)[keep], np.array(self.values)[keep])
        self.steps, self.values = kept.steps, kept.values

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.steps, "int64"), np.array(self.values, "float64")


def read_curves(group: h5py.Group) -> CurveData:
    """Curves of a run: each is an (N, 2) array of step and value."""
    found: CurveData = {}
    with damaged(f"'{group.name}'"):
        for key, values in read_arrays(group, f"'{group.name}'").items():
            table = np.asarray(values, "float64")
            if table.ndim != 2 or table.shape[1] != 2 or not np.isfinite(table[:, 0]).all():
                raise UserError(f"The curve '{key}' is damaged.", f"It has the shape {table.shape}.")
            found[key] = (table[:, 0].astype("int64"), table[:, 1].copy())
    return found


def read_checkpoint(group: h5py.Group) -> Checkpoint:
    with damaged(f"'{group.name}'"):
        with LOCK:
            step, arrays = attribute(group, "step"), subgroup(group, "arrays")
        if arrays is None:
            raise UserError("The checkpoint has no arrays.", "The file is damaged.")
        return Checkpoint(int(step), read_arrays(arrays, "The checkpoint"), read_text(group, "tree") or "{}")


@dataclass
class RunState:
    """A run with its curves and its checkpoint, each in memory or in a file."""

    record: RunRecord
    order: int
    series: dict[str, Series] | None = None
    curves_stored: Stored | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_stored: Stored | None = None
    curves_seq: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def has_checkpoint(self) -> bool:
        return self.checkpoint is not None or self.checkpoint_stored is not None

    def curves(self) -> CurveData:
        return {name: series.arrays() for name, series in self.load_series().items()}

    def load_series(self) -> dict[str, Series]:
        if self.series is None:
            stored = read_curves(self.curves_stored.group()) if self.curves_stored is not None else {}
            self.series = {name: Series(*points) for name, points in stored.items()}
        return self.series

    def load_checkpoint(self) -> Checkpoint | None:
        if self.checkpoint is not None:
            return self.checkpoint
        return read_checkpoint(self.checkpoint_stored.group()) if self.checkpoint_stored is not None else None


class Cache:
    """Loaded artifacts: all that somebody uses, and the latest others up to an eighth of the memory."""

    def __init__(self) -> None:
        self.budget = psutil.virtual_memory().total // 8
        self._weak: weakref.WeakValueDictionary[str, Artifact] = weakref.WeakValueDictionary()
        self._recent: OrderedDict[str, tuple[Artifact, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Artifact | None:
        with self._lock:
            if key in self._recent:
                self._recent.move_to_end(key)
            return self._weak.get(key)

    def put(self, key: str, artifact: Artifact) -> None:
        size = artifact.nbytes
        with self._lock:
            self._weak[key] = artifact
            self._forget(key)
            self._recent[key] = (artifact, size)
            self._bytes += size
            while self._bytes > self.budget and self._recent:
                self._forget(next(iter(self._recent)))

    def drop(self, key: str) -> None:
        with self._lock:
            self._weak.pop(key, None)
            self._forget(key)

    def _forget(self, key: str) -> None:
        found = self._recent.pop(key, None)
        if found is not None:
            self._bytes -= found[1]


class LazyArray:
    """An array in the project; slicing reads just that part. Results are plain numpy arrays."""

    def __init__(self, source: np.ndarray | h5py.Dataset, where: str = "The array") -> None:
        self._source, self._where = source, where
        if isinstance(source, h5py.Dataset):
            with LOCK, damaged(where):
                self.nbytes = check_dataset(source, where)
        else:
            self.nbytes = source.nbytes
        self.shape: tuple[int, ...] = tuple(source.shape)
        self.dtype: np.dtype[Any] = source.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        if not isinstance(self._source, h5py.Dataset):
            return np.asarray(self._source[key])
        check_memory(_cut_bytes(self.shape, self.dtype.itemsize, key), self._where)
        with LOCK, damaged(self._where):
            return np.asarray(self._source[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype=dtype)


def _cut_bytes(shape: tuple[int, ...], item: int, key: Any) -> int:
    """Bytes of a cut made of integers and slices (others count whole)."""
    keys = key if isinstance(key, tuple) else (key,)
    if any(k is Ellipsis for k in keys):
        at = next(i for i, k in enumerate(keys) if k is Ellipsis)
        keys = (*keys[:at], *[slice(None)] * (len(shape) - len(keys) + 1), *keys[at + 1 :])
    for size, cut in itertools.zip_longest(shape, keys[: len(shape)], fillvalue=slice(None)):
        if isinstance(size, slice):
            break
        item *= 1 if isinstance(cut, (int, np.integer)) else len(range(size)[cut]) if isinstance(cut, slice) else size
    return item


def lazy_array(state: EntryState, path: str) -> LazyArray:
    """An array of an artifact by its path. Raises KeyError when there is none."""
    if state.held is not None:
        return LazyArray(state.held.parts()[path])
    if state.stored is None:
        raise KeyError(path)
    found = part(state.stored.group(), path)
    if found is None:
        raise KeyError(path)
    with LOCK:
        if attribute(found, "text") is not None or attribute(found, "time") is not None:
            return LazyArray(state.load(None).parts()[path])  # small, and its dtype in memory is another
    return LazyArray(found, f"'{state.entry.name}', {path}")


def names_of(data: Any) -> Mapping[str, Any]:
    """A mapping, whatever came."""
    return data if isinstance(data, Mapping) else {}
