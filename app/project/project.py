"""A project: open, edit, undo, record runs, save."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from app.project import edits, recovery
from app.project.content import Content
from app.project.history import Command, History
from app.project.locks import OwnerLock
from app.project.migrations import migrated_copy
from app.project.ownership import OPEN_ELSEWHERE, clean_name, disown, interrupt, located, own
from app.project.records import Change, Entry, Role, RunRecord
from app.project.saving import Progress, Saver, Saving, write_file
from app.project.sources import Item, Link, LinkState, Provenance, moved_link
from app.project.state import CurveData, Handle, LazyArray, Series, lazy_array
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
        self._saver = Saver()
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
        self._saver.close()
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
        type is unknown here, its content damaged, or the file that it is linked to gone or changed."""
        content = self._content
        with content.lock:
            state = content.entries[key]
            cached = content.cache.get(key)
            name = state.entry.name
        if cached is not None and cached.name == name:
            return cached
        loaded = cached.replace(name=name) if cached is not None else state.load(content.folder)
        content.cache.put(key, loaded)
        return loaded

    def array(self, key: str, path: str) -> LazyArray:
        """An array of an artifact (``"vertices"``, ``"scalars/curvature"``) of which slicing reads just that part."""
        with self._content.lock:
            state = self._content.entries[key]
        return LazyArray(self.artifact(key).parts()[path]) if state.entry.link is not None else lazy_array(state, path)

    def link_state(self, key: str) -> LinkState | None:
        """Whether the file that an artifact is linked to is there; None when it is embedded. By its size only."""
        link = self.entries[key].link
        return link.state(self._content.folder) if link is not None else None

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
        provenance: Provenance | None = None,
        link: Link | None = None,
    ) -> Entry:
        """Add a dataset or result. It is in the journal soon; :meth:`flush` waits for it.

        With a ``link`` (see :func:`app.project.sources.link_to`) its arrays stay in their file.
        """
        item = Item(artifact, name or "", origin, provenance, link)
        state = edits.new_state(self._content, item, role, run, output)
        self._perform(edits.add(self._content, [state]))
        return state.entry

    def add_all(self, items: Iterable[Item | tuple[Artifact, str, str]], label: str = "") -> list[Entry]:
        """Add datasets (each with its name and origin at least) as one edit called ``label``."""
        states = [edits.new_state(self._content, Item(*item)) for item in items]
        self._perform(edits.add(self._content, states, label) if states else None)
        return [state.entry for state in states]

    def add_run(
        self, record: RunRecord, outputs: Mapping[str, Artifact], label: str, *, role: Role = "dataset"
    ) -> list[Entry]:
        """Add a run that is over, and what it gave, as one edit called ``label``. Sets ``record.outputs``."""
        made = [
            edits.new_state(self._content, Item(artifact, artifact.name), role, record.id, output)
            for output, artifact in outputs.items()
        ]
        self._perform(edits.add_run(self._content, record, made, label))
        return [state.entry for state in made]

    def remove(self, ids: str | Iterable[str]) -> None:
        """Remove artifacts. Raises KeyError when one does not exist."""
        self._perform(edits.remove(self._content, [ids] if isinstance(ids, str) else ids))

    def rename(self, key: str, name: str) -> None:
        """Raises :class:`UserError` for an empty name."""
        clean = clean_name(name)
        if not clean:
            raise UserError("The name is empty.", mend="Type a name.")
        self._perform(edits.change_entry(self._content, key, "Rename", name=clean))

    def star(self, key: str, starred: bool = True) -> None:
        self._perform(edits.change_entry(self._content, key, "Star" if starred else "Unstar", starred=starred))

    def embed(self, key: str) -> None:
        """Take what is linked into the project. Raises :class:`UserError` when its file is gone or was changed."""
        if self.entries[key].link is not None:
            self._perform(edits.embed(self._content, key, self.artifact(key)))

    def relink(self, key: str, path: str | Path) -> None:
        """Say where a linked file lies now. Raises :class:`UserError` when it holds something else or is no link."""
        entry = self.entries[key]
        if entry.link is None:
            raise UserError(f"'{entry.name}' is not linked.", "The project holds all of it.")
        moved = moved_link(entry.link, Path(path), entry.hash, self._content.folder)
        self._perform(edits.relink(self._content, key, moved))

    def annotate_run(self, run_id: str, text: str) -> None:
        """Set a run's note."""
        self._perform(edits.annotate_run(self._content, run_id, text))

    def remove_run(self, run_id: str) -> None:
        """Remove a run's record, curves and checkpoint; its outputs stay. Raises :class:`UserError` while it runs."""
        self._perform(edits.remove_run(self._content, run_id))

    def _perform(self, command: Command | None) -> None:
        if command is not None:
            self.history.perform(command)

    def set_view(self, view: Mapping[str, Any]) -> None:
        """Layout, cameras, colour maps: anything that JSON can say. Saved with the project; not an edit."""
        self._content.set_view(view)

    # what runs produce

    def put_run(self, record: RunRecord) -> None:
        """Add or update a run's record; on disk when this returns. Its note stays when the new record has none."""
        self._content.put_run(record)

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
            edits.new_state(
                self._content, Item(artifact, artifact.name or f"{title} {output}"), role, record.id, output
            )
            for output, artifact in outputs.items()
        ]
        self._content.finish_run(record, made)
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
            shot = shot.seen_from(target.parent, content.folder)
            main = write_file(target, shot, progress, cancelled)
        except BaseException:
            if moved:
                disown(lock)
            raise
        content.saved(main, states, runs, shot, revision)
        if moved:
            disown(self._lock_file)
            self._lock_file, self.path, self.read_only_reason = lock, target, ""
            content.follow_links(target.parent)
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
        return self._saver.start(
            lambda saving: self.save(path, progress=on_progress, cancelled=lambda: saving.cancelled), on_done
        )
