"""A project: open, edit, undo, record runs, save."""

from __future__ import annotations

import concurrent.futures
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from app.project import recovery
from app.project.content import Content
from app.project.history import Command, History
from app.project.locks import OwnerLock
from app.project.migrations import migrated_copy
from app.project.ownership import OPEN_ELSEWHERE, clean_name, disown, interrupt, located, own, short_name
from app.project.records import LIVE, Change, Entry, Role, RunRecord, now
from app.project.saving import Progress, Saving, write_file
from app.project.state import CurveData, EntryState, Handle, LazyArray, RunState, Series, lazy_array
from app.project.store import VERSION, Tree, check_format, read_tree
from engines.core import Artifact, Checkpoint, Logged, UserError

Row = Logged | tuple[int, Mapping[str, float]]


class Project:
    """What a person works on. Every method may be called from any thread; callbacks come on the calling thread.

    ``read_only`` says that it cannot be saved under its own name, and ``read_only_reason`` why. ``problems`` are
    things in the file that could not be read. ``journal_problem`` is not "" while unsaved work is not kept safe.
    Adding hashes the artifact and ``save`` waits for the disk: call both off the GUI thread for large data.
    """

    def __init__(self, path: Path | None, tree: Tree, main: Handle | None, lock: OwnerLock | None, why: str) -> None:
        self.path = path
        self.read_only_reason = why
        self.problems = tuple(tree.problems)
        self._lock_file = lock
        self._content = Content(tree, main)
        self._content.keeper.project = path
        self._migrated: Path | None = None
        self._closed = False
        self._saver: concurrent.futures.ThreadPoolExecutor | None = None
        self._save_lock = threading.Lock()
        self.history = History(lambda: self._content.tell("history"))

    # open and close

    @staticmethod
    def new() -> Project:
        """An empty project without a file."""
        return Project(None, Tree(), None, None, "")

    @staticmethod
    def open(path: str | Path) -> Project:
        """Open a file without reading its arrays. Raises :class:`UserError` when it is none, broken or too new.

        It is read-only when another process has it open, when it comes from a newer version, or is partly damaged.
        """
        where = located(path)
        main = Handle(where)
        version = check_format(main.file(), where.name)
        migrated = migrated_copy(where, version) if version < VERSION else None
        lock: OwnerLock | None = None
        try:
            if migrated is not None:
                main = Handle(migrated)
            tree = read_tree(main)
            lock, why = own(where)
            if version > VERSION:
                why = f"It was made by a newer Fieldwright (file version {version}); saving would lose what is new."
            elif tree.problems and not why:
                why = f"It is damaged in {len(tree.problems)} places; saving would lose them."
        except BaseException:
            if migrated is not None:
                shutil.rmtree(migrated.parent, ignore_errors=True)
            raise
        if OPEN_ELSEWHERE not in why:
            interrupt(tree)  # nothing of a project that was not open can be running
        project = Project(where, tree, main, lock, why)
        project._migrated = migrated
        if migrated is not None:
            project._content.revision += 1
        return project

    @staticmethod
    def recoverable(path: str | Path | None = None) -> list[recovery.Recovery]:
        """Unsaved work of sessions that ended without closing, the latest first (of one project's file only)."""
        return recovery.find(Project._recover, located(path) if path is not None else None)

    @staticmethod
    def _recover(found: recovery.Recovery) -> Project:
        journal = recovery.adopt(found)
        try:
            base = found.project_path
            opened = Project.open(base) if base is not None and base.exists() else None
        except UserError:
            opened = None  # the file is gone or broken: what the journal holds is worth having alone
        tree = Tree()
        if opened is not None:
            content = opened._content
            tree = Tree(list(content.entries.values()), list(content.runs.values()), content.view, content.created)
            tree.problems = list(opened.problems)
        last = recovery.replay(tree, found.path)
        interrupt(tree)
        if opened is None:
            project = Project(None, tree, None, None, "")
        else:
            project = Project(opened.path, tree, opened._content.main, opened._lock_file, opened.read_only_reason)
            project._migrated = opened._migrated
        project._content.keeper.journal = journal
        project._content.seq = max(last, project._content.seq)
        project._content.revision += 1
        return project

    def close(self, *, keep_journal: bool = False) -> None:
        """Let go of the file. What was not saved is given up, unless ``keep_journal`` leaves it for recovery."""
        if self._closed:
            return
        self._closed = True
        if self._saver is not None:
            self._saver.shutdown(wait=True)
        self._content.keeper.close(keep_journal)
        if self._content.main is not None:
            self._content.main.close()
        disown(self._lock_file)
        self._lock_file = None
        if self._migrated is not None:
            shutil.rmtree(self._migrated.parent, ignore_errors=True)

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # what is there

    @property
    def read_only(self) -> bool:
        return bool(self.read_only_reason)

    @property
    def dirty(self) -> bool:
        """Whether there are changes that the file does not have (the view alone does not count)."""
        return self._content.dirty

    @property
    def journal_problem(self) -> str:
        return self._content.journal_problem

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The artifacts by id, in the order in which they came; a fixed picture of this moment."""
        return self._content.entries_view()

    @property
    def runs(self) -> Mapping[str, RunRecord]:
        return self._content.runs_view()

    @property
    def view(self) -> dict[str, Any]:
        with self._content.lock:
            return dict(self._content.view)

    def artifact(self, key: str) -> Artifact:
        """Load an artifact; the same object while somebody holds it. Raises KeyError, or :class:`UserError` when its
        type is unknown here or its content damaged."""
        content = self._content
        with content.lock:
            state = content.entries[key]
            cached = content.cache.get(key)
            name = state.entry.name
        if cached is not None and cached.name == name:
            return cached
        loaded = cached.replace(name=name) if cached is not None else state.load()
        content.cache.put(key, loaded)
        return loaded

    def array(self, key: str, path: str) -> LazyArray:
        """An array of an artifact (``"vertices"``, ``"scalars/curvature"``) of which slicing reads just that part."""
        with self._content.lock:
            state = self._content.entries[key]
        return lazy_array(state, path)

    def curves(self, run_id: str) -> CurveData:
        """Name -> (steps int64 (N,), values float64 (N,)) of a run."""
        with self._content.lock:
            return self._content.runs[run_id].curves()

    def checkpoint(self, run_id: str) -> Checkpoint | None:
        """The last checkpoint of a run, if it has one."""
        with self._content.lock:
            state = self._content.runs[run_id]
        return state.load_checkpoint()

    def subscribe(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Be told of changes, on the thread that makes them; returns the function that ends it."""
        return self._content.subscribe(callback)

    # edits

    def add(
        self,
        artifact: Artifact,
        *,
        name: str | None = None,
        role: Role = "dataset",
        run: str | None = None,
        output: str | None = None,
        origin: str = "",
    ) -> Entry:
        """Add a dataset or result. It is in the journal soon; :meth:`flush` waits for it."""
        return self._add([self._state(artifact, name or artifact.name, role, run, output, origin)], "")[0]

    def add_all(self, items: Iterable[tuple[Artifact, str, str]], label: str = "") -> list[Entry]:
        """Add datasets, each with its name and origin, as one edit called ``label``."""
        return self._add(
            [self._state(a, name or a.name, "dataset", None, None, origin) for a, name, origin in items], label
        )

    def _add(self, states: list[EntryState], label: str) -> list[Entry]:
        if not states:
            return []
        keys, content = [state.entry.id for state in states], self._content
        one = short_name(states[0].entry.name) if len(states) == 1 else f"{len(states)} items"
        self.history.perform(
            Command(label or f"Add {one}", lambda: content.change(put=states), lambda: content.change(drop=keys))
        )
        return [state.entry for state in states]

    def remove(self, ids: str | Iterable[str]) -> None:
        """Remove artifacts. Raises KeyError when one does not exist."""
        keys = [ids] if isinstance(ids, str) else list(dict.fromkeys(ids))
        content = self._content
        with content.lock:
            states = [content.entries[key] for key in keys]
        if not states:
            return
        label = f"Remove {short_name(states[0].entry.name)}" if len(states) == 1 else f"Remove {len(states)} items"
        self.history.perform(Command(label, lambda: content.change(drop=keys), lambda: content.change(put=states)))

    def rename(self, key: str, name: str) -> None:
        """Raises :class:`UserError` for an empty name."""
        clean = clean_name(name)
        if not clean:
            raise UserError("The name is empty.", mend="Type a name.")
        self._edit_entry(key, f"Rename {short_name(self.entries[key].name)}", name=clean)

    def star(self, key: str, starred: bool = True) -> None:
        self._edit_entry(
            key, f"{'Star' if starred else 'Unstar'} {short_name(self.entries[key].name)}", starred=starred
        )

    def _edit_entry(self, key: str, label: str, **changes: Any) -> None:
        content = self._content
        with content.lock:
            old = {name: getattr(content.entries[key].entry, name) for name in changes}
        if old == changes:
            return

        def put(values: dict[str, Any]) -> None:
            with content.lock:
                state = content.entries[key]
                state.entry = Entry(**(state.entry.to_json() | values))
            content.change(put=[state])

        self.history.perform(Command(label, lambda: put(changes), lambda: put(old)))

    def annotate_run(self, run_id: str, text: str) -> None:
        """Set a run's note."""
        old = self.runs[run_id].note
        if old == text:
            return

        def put(note: str) -> None:
            with self._content.lock:
                state = self._content.runs[run_id]
                state.record = state.record.replace(note=note)
            self._content.change(runs=[state])

        self.history.perform(Command("Edit note", lambda: put(text), lambda: put(old)))

    def remove_run(self, run_id: str) -> None:
        """Remove a run's record, curves and checkpoint; its outputs stay. Raises :class:`UserError` while it runs."""
        content = self._content
        with content.lock:
            state = content.runs[run_id]
        if state.record.status in LIVE:
            raise UserError("This run is not over yet.", mend="Cancel it first.")
        self.history.perform(
            Command(
                f"Remove run {short_name(state.record.title or state.record.method)}",
                lambda: content.change(drop_runs=[run_id]),
                lambda: content.change(runs=[state], whole_runs=True),
            )
        )

    def set_view(self, view: Mapping[str, Any]) -> None:
        """Layout, cameras, colour maps: anything that JSON can say. Saved with the project; not an edit."""
        self._content.set_view(view)

    # what runs produce

    def put_run(self, record: RunRecord) -> None:
        """Add or update a run's record; on disk when this returns. Its note stays when the new record has none."""
        content = self._content
        with content.lock:
            state = content.runs.get(record.id)
            if state is None:
                state = RunState(record, content.next_order())
            state.record = record.replace(has_checkpoint=state.has_checkpoint, note=record.note or state.record.note)
        content.change(runs=[state], slot=f"run-{record.id}", at_once=True)

    def add_curve_points(self, run_id: str, rows: Iterable[Row]) -> None:
        """Points of live curves: :class:`Logged` events or (step, {name: value}). In the journal within a second."""
        content = self._content
        with content.lock:
            state = content.runs[run_id]
            series = state.load_series()
            for row in rows:
                step, values = (row.step, row.values) if isinstance(row, Logged) else row
                for name, value in values.items():
                    series.setdefault(str(name), Series()).add(int(step), float(value))
            content.touch_curves(run_id)
        content.keeper.curves_changed()
        content.tell("curves", [run_id])

    def rewind_curves(self, run_id: str, step: int) -> None:
        """Forget the points at ``step`` and later: what a run resumed from a checkpoint at ``step`` will log again."""
        with self._content.lock:
            for series in self._content.runs[run_id].load_series().values():
                series.rewind(step)
            self._content.touch_curves(run_id)
        self._content.keeper.curves_changed()
        self._content.tell("curves", [run_id])

    def put_checkpoint(self, run_id: str, checkpoint: Checkpoint) -> None:
        """Replace a run's checkpoint; on disk when this returns, with the curves so far."""
        self._content.put_checkpoint(run_id, checkpoint)

    def finish_run(self, record: RunRecord, outputs: Mapping[str, Artifact], *, role: Role = "result") -> list[Entry]:
        """End a run and add its outputs, all at once; on disk when this returns. Sets ``record.outputs``.

        The checkpoint of a run that ended well is dropped.
        """
        title = record.title or record.method
        made = [
            self._state(artifact, artifact.name or f"{title} {output}", role, record.id, output, "")
            for output, artifact in outputs.items()
        ]
        content, done = self._content, record.status == "finished"
        with content.lock:
            run = content.runs.get(record.id) or RunState(record, content.next_order())
            if done:
                run.checkpoint = run.checkpoint_stored = None
            given = dict(run.record.outputs) | {str(s.entry.output): s.entry.id for s in made}
            run.record = record.replace(
                outputs=given, has_checkpoint=run.has_checkpoint, note=record.note or run.record.note
            )
            content.runs[record.id] = run
        content.change(
            put=made,
            runs=[run],
            whole_runs=True,
            slot=f"finish-{record.id}",
            drop_checkpoints=[record.id] if done else [],
            at_once=True,
        )
        return [state.entry for state in made]

    def flush(self) -> None:
        """Wait until everything so far is in the journal."""
        self._content.keeper.flush()

    # saving

    def save(
        self,
        path: str | Path | None = None,
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Save, to another file if ``path`` is given (which then is the project's). Changes made meanwhile stay dirty.

        Blocks; call it off the GUI thread. Raises :class:`UserError`, or Cancelled when ``cancelled()`` says so; the
        old file is then as it was. The file before is kept as ``<name>.bak``.
        """
        with self._save_lock:
            self._save(path, progress, cancelled)

    def _save(self, path: str | Path | None, progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        if path is None and self.path is None:
            raise UserError("The project has no file yet.", mend="Choose where to save it.")
        target = located(path if path is not None else str(self.path))
        moved = self.path is None or target != self.path
        if self.read_only and not moved:
            raise UserError(f"'{target.name}' is read-only.", self.read_only_reason, "Save it under another name.")
        lock, why = own(target) if moved else (self._lock_file, "")
        if why:
            raise UserError(f"'{target.name}' cannot be replaced.", why, "Choose another name.")
        content = self._content
        try:
            shot, states, runs, revision = content.snapshot()
            main = write_file(target, shot, progress, cancelled)
        except BaseException:
            if moved:
                disown(lock)
            raise
        content.saved(main, states, runs, shot, revision)
        if moved:
            disown(self._lock_file)
            self._lock_file, self.path, self.read_only_reason = lock, target, ""
            content.keeper.moved(target)
        content.tell("saved")
        content.tell("dirty")

    def save_in_background(
        self,
        path: str | Path | None = None,
        on_done: Callable[[BaseException | None], None] | None = None,
        on_progress: Progress | None = None,
    ) -> Saving:
        """Save on the project's one writer thread; callbacks come on it. ``on_done`` gets the error, if any."""
        saving = Saving()

        def work() -> None:
            error: BaseException | None = None
            try:
                self.save(path, progress=on_progress, cancelled=lambda: saving.cancelled)
            except BaseException as caught:
                error = caught
            saving.finish(error)
            if on_done is not None:
                on_done(error)

        if self._saver is None:
            self._saver = concurrent.futures.ThreadPoolExecutor(1, "fieldwright-save")
        self._saver.submit(work)
        return saving

    def _state(
        self, artifact: Artifact, name: str, role: Role, run: str | None, output: str | None, origin: str
    ) -> EntryState:
        try:
            summary = artifact.summary()
        except Exception:  # a plug-in's bug in a line of text must not keep its result out of the project
            summary = ""
        entry = Entry(
            id=secrets.token_hex(6),
            type=type(artifact).__name__,
            name=clean_name(name) or artifact.title,
            created=now(),
            hash=artifact.content_hash(),
            run=run,
            output=output,
            summary=summary,
            nbytes=artifact.nbytes,
            role=role,
            origin=origin,
        )
        return EntryState(entry, self._content.next_order(), held=artifact)
