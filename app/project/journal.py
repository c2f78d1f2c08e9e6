"""The journal: what happened since the last save, one small HDF5 file per record.

A session has a folder ``<token>/`` with a lock, ``session.json`` and the records ``<number>-<slot>.h5``; each is
written beside, flushed and renamed, so that it is there whole or not at all. It lies in ``.<name>.journal/`` beside the
project, or with the user's state while the project has no file. Records say what is, not what to do: replaying them in
order over the saved file, even twice, gives the state at the crash.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import platformdirs

from app.project.codec import write_json
from app.project.hdf5 import LOCK, put_attribute, sync_folder, written
from app.project.locks import OwnerLock
from app.project.records import now
from app.project.state import CurveData, EntryState, Handle, Stored
from app.project.store import EntryPart, write_checkpoint, write_curves, write_entry
from engines.core import Checkpoint

SUFFIX = ".h5"
REPLACED = ("run-", "curves-", "checkpoint-", "view")  # slots whose records hold all that the one before held


def state_folder() -> Path:
    """Where journals of unsaved projects and pointers to the others lie; ``FIELDWRIGHT_STATE`` moves it."""
    base = os.environ.get("FIELDWRIGHT_STATE") or platformdirs.user_state_dir("fieldwright", appauthor=False)
    return Path(base) / "journals"


def beside(path: Path, prefix: str, suffix: str) -> Path:
    """A name beside ``path``, shortened where the file system would refuse it."""
    name = path.name
    if len(f"{prefix}{name}{suffix}".encode()) > 240:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=6).hexdigest()
        name = name.encode("utf-8", "surrogateescape")[:150].decode("utf-8", "ignore") + digest
    return path.with_name(f"{prefix}{name}{suffix}")


def journal_folder(path: Path) -> Path:
    return beside(path, ".", ".journal")


@dataclass
class Record:
    """One record. ``patch`` is JSON; arrays lie in groups beside it. Some slots keep only their newest."""

    seq: int
    slot: str
    patch: dict[str, Any]
    artifacts: list[EntryPart] = field(default_factory=list)
    curves: Mapping[str, CurveData | Stored] = field(default_factory=dict)
    checkpoints: Mapping[str, Checkpoint | Stored] = field(default_factory=dict)
    states: list[EntryState] = field(default_factory=list)

    def write(self, file: h5py.File) -> None:
        with LOCK:
            put_attribute(file, "format", "fieldwright-journal")
            put_attribute(file, "seq", self.seq)
            groups = {name: file.create_group(name) for name in ("artifacts", "curves", "checkpoints")}
        write_json(file, "patch", self.patch)
        for part in self.artifacts:
            write_entry(groups["artifacts"], part)
        for key, curves in self.curves.items():
            write_curves(groups["curves"], key, curves)
        for key, checkpoint in self.checkpoints.items():
            write_checkpoint(groups["checkpoints"], key, checkpoint)


class Journal:
    """The folder of one session. Any thread may write records; they are numbered by the project."""

    def __init__(self, folder: Path, lock: OwnerLock, project: Path | None) -> None:
        self.folder, self.token = folder, folder.name
        self._owner = lock
        self._lock = threading.Lock()
        self._cleared = 0
        self.point_to(project)

    @staticmethod
    def start(project: Path | None) -> Journal:
        """A new session, beside the project if its folder can be written to. Raises OSError when nowhere."""
        token = secrets.token_hex(8)
        places = [journal_folder(project)] if project is not None else []
        for place in [*places, state_folder()]:
            folder = place / token
            try:
                folder.mkdir(parents=True)
                lock = OwnerLock.acquire(folder / "lock")
            except OSError:
                if place == state_folder():
                    raise
                continue
            if lock is not None:
                return Journal(folder, lock, project)
        raise OSError("the journal's folder cannot be locked")

    def point_to(self, project: Path | None) -> None:
        """Write whose journal this is, and where to find it."""
        info = {"project": str(project) if project is not None else None, "when": now()}
        write_small(self.folder / "session.json", info)
        if self.folder.parent != state_folder():
            with contextlib.suppress(OSError):  # found by opening the project, if not by its pointer
                state_folder().mkdir(parents=True, exist_ok=True)
                write_small(self._pointer, {"session": str(self.folder)})

    @property
    def _pointer(self) -> Path:
        return state_folder() / f"{self.token}.json"

    def write(self, record: Record, settle: Callable[[Path], None]) -> None:
        """Write a record; on return it is on disk. ``settle`` is told its path before anything can remove it.

        Does nothing when the record was already saved or replaced. Raises OSError (full disk).
        """
        name = f"{record.seq:012d}-{record.slot}{SUFFIX}"
        partial = self.folder / f"{name}.partial"
        if record.seq <= self._cleared:
            return
        with written(partial) as file:
            record.write(file)
        with self._lock:
            same = [p for p in self.records() if slot(p) == record.slot and record.slot.startswith(REPLACED)]
            if record.seq <= self._cleared or any(number(path) > record.seq for path in same):
                partial.unlink(missing_ok=True)
                return
            os.replace(partial, self.folder / name)
            sync_folder(self.folder)
            settle(self.folder / name)
            for path in same:
                _unlink(path)

    def records(self) -> list[Path]:
        """Record files in their order."""
        return records_in(self.folder)

    def holds(self, handle: Handle) -> bool:
        """Whether the handle's file is a record that is still there."""
        return handle.path.parent == self.folder and handle.path.exists()

    def clear(self, seq: int) -> None:
        """Forget the records up to ``seq``: they are saved."""
        with self._lock:
            self._cleared = max(self._cleared, seq)
            for path in self.records():
                if number(path) <= seq:
                    _unlink(path)

    def close(self) -> None:
        """Remove the session with all its records."""
        with self._lock:
            self._cleared = 1 << 62
            for path in self.records():
                _unlink(path)
        remove_session(self.folder, self._owner)

    def leave(self) -> None:
        """Let go of the session, its records staying for a later recovery."""
        self._owner.release()


def _unlink(path: Path) -> None:
    with contextlib.suppress(Exception):
        Handle.before_unlink(path)
    path.unlink(missing_ok=True)


def remove_session(folder: Path, lock: OwnerLock | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        lock.release()
    with contextlib.suppress(OSError):
        (state_folder() / f"{folder.name}.json").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        if folder.parent != state_folder():
            folder.parent.rmdir()  # only when empty


def write_small(path: Path, data: Mapping[str, Any]) -> None:
    """A small JSON file, whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(data, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def records_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and number(path) > 0)
    except OSError:
        return []


def number(path: Path) -> int:
    head = path.name.split("-", 1)[0]
    return int(head) if head.isascii() and head.isdigit() else 0


def slot(path: Path) -> str:
    return path.name.removesuffix(SUFFIX).split("-", 1)[-1]
