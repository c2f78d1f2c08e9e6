"""What dead sessions left behind, and how it is replayed over the saved file."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.project.codec import read_json
from app.project.hdf5 import LOCK, attribute, damaged, members, subgroup
from app.project.journal import (
    Journal,
    journal_folder,
    number,
    records_in,
    remove_session,
    slot,
    state_folder,
    write_small,
)
from app.project.locks import OwnerLock, read_owner
from app.project.records import LIVE, Entry, RunRecord
from app.project.state import EntryState, Handle, RunState, Stored
from app.project.store import Tree
from engines.core import UserError

if TYPE_CHECKING:
    from app.project.project import Project


TRASH_DAYS = 30.0


@dataclass(frozen=True)
class Recovery:
    """What a session that ended without saving left. ``when`` is ISO text in UTC, ``summary`` says what is there."""

    path: Path
    project_path: Path | None
    when: str
    summary: str
    _take: Callable[[Recovery], Project] = field(repr=False)

    def recover(self) -> Project:
        """The project as it was, unsaved; its journal stays until it is saved. Raises :class:`UserError`."""
        return self._take(self)

    def discard(self) -> Path:
        """Move it to the trash folder, where it stays for 30 days. Returns where it lies; raises :class:`UserError`.

        :meth:`bring_back` undoes it.
        """
        where = trash_folder() / self.path.name
        try:
            lock = OwnerLock.acquire(self.path / "lock")
            if lock is None:
                raise UserError("This work is being recovered by another window.", mend="Use that window.")
            try:
                where.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(self.path, where)
                os.utime(where)
            finally:
                lock.release()
        except OSError as error:
            raise _immovable(error) from error
        remove_session(self.path, None)
        return where

    def bring_back(self) -> None:
        """Take it out of the trash folder again."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(trash_folder() / self.path.name, self.path)
            if self.path.parent != state_folder():
                write_small(state_folder() / f"{self.path.name}.json", {"session": str(self.path)})
        except OSError as error:
            raise _immovable(error) from error


def _immovable(error: OSError) -> UserError:
    return UserError("The unsaved work cannot be moved.", f"{error}.", "Check the folder's permissions.")


def trash_folder() -> Path:
    return state_folder().parent / "trash"


def empty_trash(days: float = TRASH_DAYS) -> None:
    """Remove what was discarded more than ``days`` ago."""
    with contextlib.suppress(OSError):
        for folder in trash_folder().iterdir():
            if time.time() - folder.stat().st_mtime > days * 86_400:
                shutil.rmtree(folder, ignore_errors=True)


def sessions(beside: Path | None) -> list[Path]:
    """Folders of sessions, living and dead; those of one project only when ``beside`` is given."""
    if beside is not None:
        return _folders(journal_folder(beside))
    found = _folders(state_folder())
    with contextlib.suppress(OSError):
        for pointer in sorted(state_folder().glob("*.json")):
            folder = Path(str(read_owner(pointer).get("session") or ""))
            if folder.is_dir() and folder.name == pointer.stem:
                found.append(folder)
            else:
                pointer.unlink(missing_ok=True)
    return found


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if (path / "session.json").is_file())
    except OSError:
        return []


def find(take: Callable[[Recovery], Project], beside: Path | None = None) -> list[Recovery]:
    """Dead sessions with unsaved work, the latest first. Those without are removed on the way."""
    empty_trash()
    found = []
    for folder in sessions(beside):
        try:
            lock = OwnerLock.acquire(folder / "lock")
        except OSError:
            continue
        if lock is None:
            continue  # its owner lives
        session = read_owner(folder / "session.json")
        project = Path(session["project"]) if isinstance(session.get("project"), str) else None
        try:
            unsaved = [path for path in records_in(folder) if number(path) > _saved(project, folder.name)]
            if not unsaved:
                remove_session(folder, lock)
                continue
            when = datetime.fromtimestamp(max(path.stat().st_mtime for path in unsaved), UTC)
        finally:
            lock.release()
        text = when.isoformat(timespec="seconds").replace("+00:00", "Z")
        found.append(Recovery(folder, project, text, _summary(unsaved), take))
    return sorted(found, key=lambda item: item.when, reverse=True)


def _saved(project: Path | None, token: str) -> int:
    """The last record of this session that the project file already holds."""
    if project is None or not project.exists():
        return 0
    try:
        file = Handle(project).file()
        with LOCK, damaged("The project"):
            same = attribute(file, "journal") == token
            return int(attribute(file, "journal_seq") or 0) if same else 0
    except UserError:
        return 0


def _summary(records: list[Path]) -> str:
    artifacts: set[str] = set()
    runs: dict[str, str] = {}
    edits = 0
    for path in records:
        with contextlib.suppress(UserError):
            patch = read_json(Handle(path).file(), "patch", {})
            artifacts |= set(patch.get("entries", {}))
            artifacts -= set(patch.get("drop_entries", ()))
            runs |= {key: str(run.get("status")) for key, run in patch.get("runs", {}).items()}
            edits += slot(path) == "edit"
    broken = sum(status in LIVE for status in runs.values())
    parts = [
        f"{len(artifacts)} artifact{'s' * (len(artifacts) != 1)}" if artifacts else "",
        f"{len(runs)} run{'s' * (len(runs) != 1)}" if runs else "",
        f"{broken} interrupted" if broken else "",
        f"{edits} edit{'s' * (edits != 1)}" if edits else "",
    ]
    return ", ".join(part for part in parts if part) or "Unsaved changes"


def replay(tree: Tree, folder: Path) -> int:
    """Apply a session's records to a tree, in order. Returns the last number. Broken records are noted and passed."""
    entries = {state.entry.id: state for state in tree.entries}
    pool = dict(entries)  # removed ones too: an undo may have brought them back
    runs = {state.record.id: state for state in tree.runs}
    known = dict(runs)  # those too whose record comes later, since newer ones replaced the one that made them
    last = 0
    for path in records_in(folder):
        last = max(last, number(path))
        try:
            handle = Handle(path)
            patch = read_json(handle.file(), "patch", {})
            with damaged(f"The record '{path.name}'"):
                _apply(patch, handle, tree, entries, pool, runs, known)
        except UserError as error:
            tree.problems.append(f"Journal: {error}")
    tree.entries = sorted(entries.values(), key=lambda state: state.order)
    tree.runs = sorted(runs.values(), key=lambda state: state.order)
    for state in tree.runs:
        state.record = state.record.replace(has_checkpoint=state.has_checkpoint)
    return last


def _apply(
    patch: dict[str, Any],
    handle: Handle,
    tree: Tree,
    entries: dict[str, EntryState],
    pool: dict[str, EntryState],
    runs: dict[str, RunState],
    known: dict[str, RunState],
) -> None:
    with LOCK:
        groups = {name: subgroup(handle.file(), name) for name in ("artifacts", "curves", "checkpoints")}
        held = {name: members(group) if group is not None else [] for name, group in groups.items()}
    for key, data in patch.get("entries", {}).items():
        entry = Entry.from_json(data | {"id": key})
        stored = Stored(handle, f"/artifacts/{key}") if key in held["artifacts"] else None
        if stored is None and key in pool and entry.link is None:
            stored = pool[key].stored
        if stored is None and entry.link is None:
            tree.problems.append(f"Journal: the content of '{data.get('name')}' is missing.")
            continue
        entries[key] = EntryState(entry, int(data["order"]), stored=stored)
        if entry.link is None:  # else what it held before it was a link again may be asked for by a later record
            pool[key] = entries[key]
    for key in patch.get("drop_entries", ()):
        entries.pop(key, None)
    for key, data in patch.get("runs", {}).items():
        run = runs[key] = known.setdefault(key, RunState(RunRecord(key, ""), 0))
        run.record, run.order = RunRecord.from_json(data | {"id": key}), int(data["order"])
    for key in held["curves"]:
        run = known.setdefault(key, RunState(RunRecord(key, ""), 0))
        run.curves_stored, run.series = Stored(handle, f"/curves/{key}"), None
    for key in held["checkpoints"]:
        run = known.setdefault(key, RunState(RunRecord(key, ""), 0))
        run.checkpoint, run.checkpoint_stored = None, Stored(handle, f"/checkpoints/{key}")
    for key in patch.get("drop_checkpoints", ()):
        if key in known:
            known[key].checkpoint = known[key].checkpoint_stored = None
    for key in patch.get("drop_runs", ()):
        runs.pop(key, None)
    if isinstance(patch.get("view"), dict):
        tree.view = patch["view"]


def adopt(recovery: Recovery) -> Journal:
    """Take over a dead session. Raises :class:`UserError` when another process was quicker."""
    try:
        lock = OwnerLock.acquire(recovery.path / "lock")
        if lock is not None:
            return Journal(recovery.path, lock, recovery.project_path)
    except OSError as error:
        raise UserError("The unsaved work cannot be read.", f"{error}.", "Check the folder's permissions.") from error
    raise UserError("This work is being recovered by another window.", mend="Use that window.")
