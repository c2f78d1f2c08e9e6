"""The changing heart of a project: its state under one lock, each change journaled and told to subscribers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from app.project.journal import Record
from app.project.keeper import Keeper
from app.project.records import Change, Entry, Kind, RunRecord, now
from app.project.state import Cache, CurveData, EntryState, Handle, RunState, Stored
from app.project.store import EntryPart, RunPart, Snapshot, Tree
from engines.core import Checkpoint

_log = logging.getLogger(__name__)


class Content:
    """Entries, runs and view. Nothing here waits for the disk while holding ``lock``."""

    def __init__(self, tree: Tree, main: Handle | None) -> None:
        self.lock = threading.RLock()
        self.entries = {state.entry.id: state for state in tree.entries}
        self.runs = {state.record.id: state for state in tree.runs}
        self.view = dict(tree.view)
        self.created = tree.created or now()
        self.cache = Cache()
        self.main = main
        self.keeper = Keeper(self._pending, self._settle, self._problem)
        self.journal_problem = ""
        self.revision = self.saved_revision = 0
        self.seq = tree.seq
        self._order = max([*(s.order for s in tree.entries), *(r.order for r in tree.runs)], default=0)
        self._curves_dirty: set[str] = set()
        self._view_dirty = False
        self._subscribers: list[Callable[[Change], None]] = []
        self._entries_view: Mapping[str, Entry] | None = None
        self._runs_view: Mapping[str, RunRecord] | None = None

    # what others read

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def tell(self, kind: Kind, ids: Iterable[str] = ()) -> None:
        change = Change(kind, tuple(ids))
        for callback in list(self._subscribers):
            try:
                callback(change)
            except Exception:  # one subscriber's bug must not undo an edit or keep it from the others
                _log.exception("A subscriber failed at %s", change)

    def entries_view(self) -> Mapping[str, Entry]:
        with self.lock:
            if self._entries_view is None:
                states = sorted(self.entries.values(), key=lambda state: state.order)
                self._entries_view = MappingProxyType({state.entry.id: state.entry for state in states})
            return self._entries_view

    def runs_view(self) -> Mapping[str, RunRecord]:
        with self.lock:
            if self._runs_view is None:
                states = sorted(self.runs.values(), key=lambda state: state.order)
                self._runs_view = MappingProxyType({state.record.id: state.record for state in states})
            return self._runs_view

    @property
    def folder(self) -> Path | None:
        """Where the project's file lies."""
        return self.keeper.project.parent if self.keeper.project is not None else None

    @property
    def dirty(self) -> bool:
        return self.revision != self.saved_revision

    def next_order(self) -> int:
        with self.lock:
            self._order += 1
            return self._order

    # changes

    def change(
        self,
        *,
        put: Iterable[EntryState] = (),
        drop: Iterable[str] = (),
        runs: Iterable[RunState] = (),
        drop_runs: Iterable[str] = (),
        whole_runs: bool = False,
        slot: str = "edit",
        drop_checkpoints: Iterable[str] = (),
        at_once: bool = False,
    ) -> None:
        """Put and drop entries and runs, journal it and tell it. ``whole_runs``: their curves and checkpoints too.

        ``at_once``: it is on disk when this returns.
        """
        put, drop, runs, drop_runs = list(put), list(drop), list(runs), list(drop_runs)
        with self.lock:
            was_dirty = self.dirty
            for state in put:
                self.entries[state.entry.id] = state
            for key in drop:
                self.entries.pop(key, None)
                self.cache.drop(key)
            for run in runs:
                self.runs[run.record.id] = run
            for key in drop_runs:
                self.runs.pop(key, None)
                self._curves_dirty.discard(key)
            self._entries_view = self._runs_view = None
            self.revision += 1
            self.seq += 1
            patch = {
                "entries": {s.entry.id: s.entry.to_json() | {"order": s.order} for s in put},
                "drop_entries": drop,
                "runs": {r.record.id: r.record.to_json() | {"order": r.order} for r in runs},
                "drop_runs": drop_runs,
                "drop_checkpoints": list(drop_checkpoints),
            }
            record = Record(self.seq, slot, patch, states=put)
            record.artifacts = [self._part(state) for state in put if self._needs_content(state)]
            if whole_runs:
                record.curves = {r.record.id: c for r in runs if (c := run_curves(r)) is not None}
                record.checkpoints = {r.record.id: k for r in runs if (k := run_checkpoint(r)) is not None}
        if at_once:
            self.keeper.put_now(record)
        else:
            self.keeper.put(record)
        if put or drop:
            self.tell("artifacts", [*(s.entry.id for s in put), *drop])
        if runs or drop_runs:
            self.tell("runs", [*(r.record.id for r in runs), *drop_runs])
        if not was_dirty:
            self.tell("dirty")

    def touch_curves(self, key: str) -> None:
        """Curves of a run have grown (the caller holds the lock)."""
        self._curves_dirty.add(key)
        self.revision += 1

    def put_run(self, record: RunRecord) -> None:
        with self.lock:
            run = self.runs.get(record.id) or RunState(record, self.next_order())
            run.record = record.replace(has_checkpoint=run.has_checkpoint, note=record.note or run.record.note)
        self.change(runs=[run], slot=f"run-{record.id}", at_once=True)

    def finish_run(self, record: RunRecord, made: list[EntryState]) -> None:
        done = record.status == "finished"
        with self.lock:
            run = self.runs.get(record.id) or RunState(record, self.next_order())
            if done:
                run.checkpoint = run.checkpoint_stored = None
            given = dict(run.record.outputs) | {str(s.entry.output): s.entry.id for s in made}
            note = record.note or run.record.note
            run.record = record.replace(outputs=given, has_checkpoint=run.has_checkpoint, note=note)
            self.runs[record.id] = run
        self.change(
            put=made,
            runs=[run],
            whole_runs=True,
            slot=f"finish-{record.id}",
            drop_checkpoints=[record.id] if done else [],
            at_once=True,
        )

    def put_checkpoint(self, key: str, checkpoint: Checkpoint) -> None:
        with self.lock:
            run = self.runs[key]
            run.checkpoint, run.checkpoint_stored = checkpoint, None
            run.record = run.record.replace(has_checkpoint=True)
            self._runs_view = None
            self.revision += 1
            self.seq += 1
            patch = {"runs": {key: run.record.to_json() | {"order": run.order}}}
            curves = run_curves(run)
            record = Record(self.seq, f"checkpoint-{key}", patch, checkpoints={key: checkpoint})
            record.curves = {key: curves} if curves is not None else {}
        self.keeper.put_now(record)
        self.tell("runs", [key])

    def set_view(self, view: Mapping[str, Any]) -> None:
        with self.lock:
            if self.view == view:
                return
            self.view = dict(view)
            self._view_dirty = True
            if self.dirty:
                self.keeper.curves_changed()
        self.tell("view")

    # journal

    def _part(self, state: EntryState) -> EntryPart:
        if state.entry.link is not None:
            return EntryPart(state.entry, state.order, None)
        source = state.held if state.held is not None else state.stored
        assert source is not None
        return EntryPart(state.entry, state.order, source)

    def _needs_content(self, state: EntryState) -> bool:
        """Whether a recovery could find the content neither in the saved file nor in an earlier record."""
        if state.entry.link is not None:
            return False
        if state.stored is None or state.held is not None:
            return True
        journal = self.keeper.journal
        return state.stored.handle is not self.main and not (journal is not None and journal.holds(state.stored.handle))

    def _pending(self) -> list[Record]:
        with self.lock:
            found: list[Record] = []
            if not self.dirty:
                self._curves_dirty.clear()  # saved meanwhile
                return found
            for key in sorted(self._curves_dirty):
                run = self.runs.get(key)
                if run is not None:
                    self.seq += 1
                    found.append(Record(self.seq, f"curves-{key}", {}, curves={key: run.curves()}))
            self._curves_dirty.clear()
            if self._view_dirty:
                self.seq += 1
                found.append(Record(self.seq, "view", {"view": self.view}))
                self._view_dirty = False
            return found

    def _settle(self, record: Record, path: Path) -> None:
        """A record is on disk: memory need not hold its arrays any more."""
        handle = Handle(path)
        written = {part.entry.id for part in record.artifacts}
        with self.lock:
            for state in record.states:
                if state.entry.id in written and state.held is not None:
                    self.cache.put(state.entry.id, state.held)
                    state.stored, state.held = Stored(handle, f"/artifacts/{state.entry.id}"), None
            for key, checkpoint in record.checkpoints.items():
                run = self.runs.get(key)
                if run is not None and run.checkpoint is not None and run.checkpoint is checkpoint:
                    run.checkpoint, run.checkpoint_stored = None, Stored(handle, f"/checkpoints/{key}")

    def _problem(self, text: str) -> None:
        if text != self.journal_problem:
            self.journal_problem = text
            if text:
                _log.warning(text)
            self.tell("dirty")

    # saving

    def snapshot(self) -> tuple[Snapshot, list[EntryState], list[tuple[RunState, RunPart]], int]:
        """The project as it is now, the states that were taken, and the revision."""
        with self.lock:
            states = sorted(self.entries.values(), key=lambda state: state.order)
            runs = [(r, RunPart(r.record, r.order, run_curves(r), run_checkpoint(r))) for r in self.runs.values()]
            journal = self.keeper.journal
            shot = Snapshot(
                tuple(self._part(state) for state in states),
                tuple(part for _, part in runs),
                dict(self.view),
                self.created,
                journal.token if journal is not None else "",
                self.seq,
            )
            return shot, states, runs, self.revision

    def saved(
        self,
        main: Handle,
        states: list[EntryState],
        runs: list[tuple[RunState, RunPart]],
        shot: Snapshot,
        revision: int,
    ) -> None:
        """A snapshot now lies in ``main``: read from there from now on."""
        with self.lock:
            self.main = main
            for state, part in zip(states, shot.entries, strict=True):
                if part.source is None:  # linked
                    continue
                if state.held is not None and state.held is part.source:
                    self.cache.put(state.entry.id, state.held)
                state.stored, state.held = Stored(main, f"/artifacts/{part.entry.id}"), None
            for run, taken in runs:
                where = f"/runs/{taken.record.id}"
                if taken.curves is not None and run.series is None:
                    run.curves_stored = Stored(main, f"{where}/curves")
                present = run.checkpoint if run.checkpoint is not None else run.checkpoint_stored
                if taken.checkpoint is not None and present is not None and _same(present, taken.checkpoint):
                    run.checkpoint, run.checkpoint_stored = None, Stored(main, f"{where}/checkpoint")
            self.saved_revision = revision
            # when nothing changed meanwhile, records that were only numbered later are in the file too
            upto = self.seq if revision == self.revision else shot.seq
            self._view_dirty = self.view != shot.view
        self.keeper.clear(upto)

    def follow_links(self, folder: Path) -> None:
        """The project's file now lies in ``folder``: its links lead on to the same files."""
        with self.lock:
            links = [(s, s.entry.link) for s in self.entries.values() if s.entry.link is not None]
        moved = [(state, link, link.seen_from(folder, self.folder)) for state, link in links]  # looks at the disk
        with self.lock:
            for state, link, fresh in moved:
                if state.entry.link is link:
                    state.entry = replace(state.entry, link=fresh)
            self._entries_view = None


def _same(present: Checkpoint | Stored, taken: Checkpoint | Stored) -> bool:
    """Whether a checkpoint is still the one that was taken (the journal may have moved it to disk meanwhile)."""
    return present is taken or (isinstance(taken, Checkpoint) and isinstance(present, Stored)) or present == taken


def run_curves(run: RunState) -> CurveData | Stored | None:
    return run.curves() if run.series is not None else run.curves_stored


def run_checkpoint(run: RunState) -> Checkpoint | Stored | None:
    return run.checkpoint if run.checkpoint is not None else run.checkpoint_stored
