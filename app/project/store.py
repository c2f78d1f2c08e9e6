"""The project file as a whole: write a snapshot of a project, read the tree of one."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from app.project.chunks import copy_group, stored_size
from app.project.codec import read_json, read_text, write_arrays, write_artifact, write_json, write_text
from app.project.hdf5 import LOCK, Tick, attribute, attributes, damaged, members, no_tick, put_attribute, subgroup
from app.project.records import Entry, RunRecord, now
from app.project.state import CurveData, EntryState, Handle, RunState, Stored
from engines.core import Artifact, Checkpoint, UserError

FORMAT = "fieldwright"
VERSION = 1
READABLE_FROM = 1  # the oldest program version that can still read what this one writes

_RUN_TEXTS = ("command", "error", "note")
_RUN_JSON = ("params", "versions", "inputs", "input_hashes", "outputs", "log")


@dataclass(frozen=True)
class EntryPart:
    """One artifact to be written: from memory, copied from where it lies, or (None) as a link only."""

    entry: Entry
    order: int
    source: Artifact | Stored | None

    @property
    def nbytes(self) -> int:
        return max(self.entry.nbytes, 1) if self.source is not None else 1

    def seen_from(self, folder: Path, before: Path | None) -> EntryPart:
        """The part with its link as a project in ``folder`` has it."""
        link = self.entry.link
        if link is None:
            return self
        return replace(self, entry=replace(self.entry, link=link.seen_from(folder, before)))


@dataclass(frozen=True)
class RunPart:
    record: RunRecord
    order: int
    curves: CurveData | Stored | None = None
    checkpoint: Checkpoint | Stored | None = None


@dataclass(frozen=True)
class Snapshot:
    """A project at one moment, to be written while it goes on changing."""

    entries: tuple[EntryPart, ...]
    runs: tuple[RunPart, ...]
    view: Mapping[str, Any]
    created: str
    journal: str = ""
    seq: int = 0

    def seen_from(self, folder: Path, before: Path | None) -> Snapshot:
        """The same with its links as a project in ``folder`` has them."""
        return replace(self, entries=tuple(part.seen_from(folder, before) for part in self.entries))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, not packed."""
        held = sum(p.checkpoint.nbytes for p in self.runs if isinstance(p.checkpoint, Checkpoint))
        return held + sum(p.nbytes for p in self.entries)

    def stored_bytes(self) -> int:
        """About what the file will take: what is copied takes what it takes now, the rest is counted not packed."""
        copied = [s for p in self.entries if isinstance(s := p.source, Stored)]
        copied += [s for p in self.runs for s in (p.curves, p.checkpoint) if isinstance(s, Stored)]
        held = sum(p.checkpoint.nbytes for p in self.runs if isinstance(p.checkpoint, Checkpoint))
        held += sum(p.nbytes for p in self.entries if not isinstance(p.source, Stored))
        return held + sum(stored_size(stored.group()) for stored in copied)


@dataclass
class Tree:
    """What opening a file tells, no array read. ``problems`` are artifacts and runs that could not be read."""

    entries: list[EntryState] = field(default_factory=list)
    runs: list[RunState] = field(default_factory=list)
    view: dict[str, Any] = field(default_factory=dict)
    created: str = ""
    version: int = VERSION
    journal: str = ""
    seq: int = 0
    problems: list[str] = field(default_factory=list)


def application() -> str:
    try:
        return f"Fieldwright {importlib.metadata.version('fieldwright')}"
    except importlib.metadata.PackageNotFoundError:  # run from a checkout
        return "Fieldwright"


def write_snapshot(file: h5py.File, snapshot: Snapshot, tick: Tick = no_tick) -> None:
    """Write a whole project. ``tick`` is told the bytes done after each piece, and may raise to stop."""
    with LOCK:
        put_attribute(file, "format", FORMAT)
        put_attribute(file, "version", VERSION)
        put_attribute(file, "readable_from", READABLE_FROM)
        put_attribute(file, "created", snapshot.created)
        put_attribute(file, "modified", now())
        put_attribute(file, "application", application())
        put_attribute(file, "journal", snapshot.journal)
        put_attribute(file, "journal_seq", snapshot.seq)
        artifacts, runs, view = (file.create_group(name) for name in ("artifacts", "runs", "view"))
    for entry in snapshot.entries:
        write_entry(artifacts, entry, tick)
    for run in snapshot.runs:
        write_run(runs, run, tick)
    write_json(view, "state", dict(snapshot.view))


def write_entry(parent: h5py.Group, item: EntryPart, tick: Tick = no_tick) -> None:
    """An artifact's group with its entry as attributes."""
    if item.source is None:
        with LOCK:
            parent.create_group(item.entry.id)
    elif isinstance(item.source, Stored):
        copy_group(item.source.group(), parent, item.entry.id, tick)
    else:
        write_artifact(parent, item.entry.id, item.source, tick)
    with LOCK:
        group = parent[item.entry.id]
        for key, value in item.entry.to_json().items():
            if key != "id" and value is not None:
                put_attribute(group, key, json.dumps(value) if isinstance(value, dict) else value)
        put_attribute(group, "order", item.order)


def write_run(parent: h5py.Group, item: RunPart, tick: Tick = no_tick) -> None:
    record = item.record.to_json()
    with LOCK:
        group = parent.create_group(item.record.id)
        for key, value in record.items():
            if key not in (*_RUN_TEXTS, *_RUN_JSON, "id") and value is not None:
                put_attribute(group, key, value)
        put_attribute(group, "order", item.order)
    for key in _RUN_TEXTS:
        write_text(group, key, record[key])
    for key in _RUN_JSON:
        write_json(group, key, record[key])
    if item.curves is not None:
        write_curves(group, "curves", item.curves, tick)
    if item.checkpoint is not None:
        write_checkpoint(group, "checkpoint", item.checkpoint, tick)


def write_curves(parent: h5py.Group, name: str, curves: CurveData | Stored, tick: Tick = no_tick) -> None:
    """Each curve as an (N, 2) array of step and value."""
    if isinstance(curves, Stored):
        copy_group(curves.group(), parent, name, tick)
    else:
        tables = {key: np.stack([steps.astype("float64"), values], axis=1) for key, (steps, values) in curves.items()}
        write_arrays(parent, name, tables)


def write_checkpoint(parent: h5py.Group, name: str, checkpoint: Checkpoint | Stored, tick: Tick = no_tick) -> None:
    if isinstance(checkpoint, Stored):
        copy_group(checkpoint.group(), parent, name, tick)
        return
    with LOCK:
        group = parent.create_group(name)
        put_attribute(group, "step", int(checkpoint.step))
    write_arrays(group, "arrays", checkpoint.arrays, tick)
    write_text(group, "tree", checkpoint.tree)


def check_format(file: h5py.File, name: str) -> int:
    """The file's format version. Raises :class:`UserError` when it is no project or cannot be read by this version."""
    with LOCK, damaged(f"'{name}'"):
        kind, version, floor = (attribute(file, key) for key in ("format", "version", "readable_from"))
    if kind != FORMAT or not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise UserError(
            f"'{name}' is not a Fieldwright project.", "It is another HDF5 file.", "Import it as a dataset instead."
        )
    if version > VERSION and not (isinstance(floor, int) and floor <= VERSION):
        raise UserError(
            f"'{name}' was made by a newer Fieldwright (file version {version}).",
            f"This one reads up to version {VERSION}.",
            "Update Fieldwright to open it.",
        )
    return version


def read_tree(handle: Handle) -> Tree:
    """Entries and runs of a project file, tolerant of single broken ones. Raises :class:`UserError` if all is lost."""
    file, name = handle.file(), handle.path.name
    tree = Tree(version=check_format(file, name))
    with LOCK, damaged(f"'{name}'"):
        about = attributes(file)
        tree.created, tree.journal = str(about.get("created") or ""), str(about.get("journal") or "")
        tree.seq = int(about.get("journal_seq") or 0)
        groups = {key: subgroup(file, key) for key in ("artifacts", "runs", "view")}
        listed = {key: members(group) for key, group in groups.items() if group is not None and key != "view"}
    for key in listed.get("artifacts", ()):
        try:
            tree.entries.append(_read_entry(groups["artifacts"], key, handle))
        except UserError as error:
            tree.problems.append(f"Artifact '{key}': {error}")
    for key in listed.get("runs", ()):
        try:
            tree.runs.append(_read_run(groups["runs"], key, handle))
        except UserError as error:
            tree.problems.append(f"Run '{key}': {error}")
    tree.entries.sort(key=lambda state: (state.order, state.entry.created, state.entry.id))
    tree.runs.sort(key=lambda state: (state.order, state.record.started, state.record.id))
    if groups["view"] is not None:
        try:
            tree.view = read_json(groups["view"], "state", {})
        except UserError as error:  # a broken view must not cost the data
            tree.problems.append(f"View: {error}")
    return tree


def _read_entry(parent: h5py.Group, key: str, handle: Handle) -> EntryState:
    with LOCK, damaged(f"The artifact '{key}'"):
        group = subgroup(parent, key)
        if group is None:
            raise UserError("It is not a group.")
        about = attributes(group)
        if not isinstance(about.get("type"), str):
            raise UserError("It has no type.")
        order = int(about.get("order") or 0)
        entry = Entry.from_json(about | {"id": key})
        return EntryState(entry, order, stored=Stored(handle, f"/artifacts/{key}") if entry.link is None else None)


def _read_run(parent: h5py.Group, key: str, handle: Handle) -> RunState:
    with LOCK, damaged(f"The run '{key}'"):
        group = subgroup(parent, key)
        if group is None:
            raise UserError("It is not a group.")
        data = attributes(group) | {"id": key}
        curves, checkpoint = subgroup(group, "curves"), subgroup(group, "checkpoint")
        for text in _RUN_TEXTS:
            data[text] = read_text(group, text)
        for item in _RUN_JSON:
            data[item] = read_json(group, item, [] if item == "log" else {})
        where = f"/runs/{key}"
        return RunState(
            RunRecord.from_json(data).replace(has_checkpoint=checkpoint is not None),
            int(data.get("order") or 0),
            curves_stored=Stored(handle, f"{where}/curves") if curves is not None else None,
            checkpoint_stored=Stored(handle, f"{where}/checkpoint") if checkpoint is not None else None,
        )
