"""Edits, undo and redo, and what subscribers are told."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.project import Change, Project, RunRecord, link_to
from engines.core import Checkpoint, Logged, UserError
from engines.files import read, write
from tests.project.samples import mesh


@pytest.fixture
def project():
    with Project.new() as made:
        yield made


def picture(project: Project):
    """All that edits can change."""
    runs = {
        key: (
            run,
            {name: values.tolist() for name, (_, values) in project.curves(key).items()},
            checkpoint(project, key),
        )
        for key, run in project.runs.items()
    }
    contents = {key: project.artifact(key).content_hash() for key in project.entries}
    entries = [  # the way from the project to a linked file is not edited, it follows where the project is saved
        entry if entry.link is None else replace(entry, link=replace(entry.link, relative=""))
        for entry in project.entries.values()
    ]
    return entries, runs, contents


def checkpoint(project: Project, key: str):
    found = project.checkpoint(key)
    return found and (found.step, {name: values.tolist() for name, values in found.arrays.items()}, found.tree)


class Editor:
    """Makes random edits and remembers what the project looked like after each."""

    def __init__(self, seed: int, folder) -> None:
        self.draw, self.folder = np.random.default_rng(seed), folder
        self.project = Project.new()
        for name in ("r1", "r2"):
            self.project.put_run(RunRecord(id=name, method="orex", title="OReX", status="running"))
            self.project.add_curve_points(name, [(0, {"loss": 1.0}), (1, {"loss": 0.5})])
            self.project.put_checkpoint(name, Checkpoint(1, {"0": np.arange(3)}, "{}"))
            self.project.finish_run(self.project.runs[name].replace(status="cancelled"), {"mesh": mesh(5)})
        self.pictures, self.at = [picture(self.project)], 0

    def any(self, items):
        items = list(items)
        return items[self.draw.integers(len(items))] if items else None

    def edit(self) -> None:
        """One edit of any kind; some change nothing, and then leave no trace in the history."""
        project, entry, run = self.project, self.any(self.project.entries), self.any(self.project.runs)
        edits = [lambda: project.add(mesh(int(self.draw.integers(1, 9)))), self.add_two, self.add_linked]
        if entry:
            edits += [
                lambda: project.remove([entry, self.any(project.entries)]),
                lambda: project.rename(entry, self.any(["x", "ünï", "long " * 300])),
                lambda: project.star(entry, bool(self.draw.integers(2))),
                lambda: project.embed(entry),
                lambda: self.relink(entry),
            ]
        if run:
            edits += [
                lambda: project.annotate_run(run, self.any(["", "good", "bad"])),
                lambda: project.remove_run(run),
            ]
        before = len(project.history._done)
        self.any(edits)()
        if len(project.history._done) > before:
            self.pictures = [*self.pictures[: self.at + 1], picture(project)]
            self.at += 1

    def add_two(self) -> None:
        self.project.add_all([(mesh(3), "a", "a.ply"), (mesh(4), "b", "b.ply")], "Import two files")
        assert self.project.history.undo_label == "Import two files"

    def add_linked(self) -> None:
        path = self.folder / f"{self.draw.integers(3)}.ply"
        if not path.exists():
            write(mesh(6), path)
        self.project.add(read(path).artifacts[0], link=link_to(path, "ply"))

    def relink(self, entry: str) -> None:
        link = self.project.entries[entry].link
        if link is not None:
            copy = self.folder / f"{self.draw.integers(3)} copy.ply"
            copy.write_bytes(Path(link.path).read_bytes())
            self.project.relink(entry, copy)

    def undo(self) -> None:
        assert self.project.history.undo() == (self.at > 0)
        self.at = max(0, self.at - 1)
        self.check()

    def redo(self) -> None:
        assert self.project.history.redo() == (self.at < len(self.pictures) - 1)
        self.at = min(self.at + 1, len(self.pictures) - 1)
        self.check()

    def save(self) -> None:
        self.project.save(self.folder / "p.fieldwright")
        assert not self.project.dirty
        for key in self.project.entries:
            self.project._content.cache.drop(key)  # so that all is read from the new file
        self.check()

    def crash(self) -> None:
        """End without closing, and come back by recovery: the same, but without history."""
        dirty = self.project.dirty
        self.project.close(keep_journal=True)
        found = Project.recoverable()
        assert len(found) == dirty
        self.project = found[0].recover() if dirty else Project.open(self.project.path)
        assert self.project.problems == ()
        self.check()
        self.pictures, self.at = [picture(self.project)], 0

    def check(self) -> None:
        assert picture(self.project) == self.pictures[self.at]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            act = self.draw.choice(6, p=[0.5, 0.2, 0.1, 0.07, 0.09, 0.04])
            [self.edit, self.undo, self.redo, self.check, self.save, self.crash][act]()
        while self.at:
            self.undo()
        while self.at < len(self.pictures) - 1:
            self.redo()
        self.project.close()


@pytest.mark.parametrize("seed", range(6))
def test_any_edits_can_be_undone_redone_saved_and_recovered(seed, tmp_path):
    Editor(seed, tmp_path).run(30)


@pytest.mark.claim
@pytest.mark.parametrize("seed", range(100, 150))
def test_many_more_edits_can_be_undone_redone_saved_and_recovered(seed, tmp_path):
    Editor(seed, tmp_path).run(100)


def test_labels_say_what_will_be_undone(project):
    entry = project.add(mesh(), name="Ball")
    assert (project.history.undo_label, project.history.redo_label) == ("Add 'Ball'", "")
    project.rename(entry.id, "Sphere")
    project.history.undo()
    assert (project.history.undo_label, project.history.redo_label) == ("Add 'Ball'", "Rename 'Ball'")
    project.star(entry.id)
    assert not project.history.can_redo


def test_names_become_one_line_of_bounded_length(project):
    entry = project.add(mesh(), name="  a\n\0b\t" + "x" * 1000)
    assert entry.name.startswith("a b x")
    assert len(entry.name) == 500
    project.rename(entry.id, "日本語 " * 40)
    assert project.artifact(entry.id).name == project.entries[entry.id].name == ("日本語 " * 40).strip()
    with pytest.raises(UserError, match="empty"):
        project.rename(entry.id, " \n")


def test_what_does_not_exist_is_a_key_error(project):
    for act in (project.artifact, project.remove, project.star, project.curves, project.remove_run, project.checkpoint):
        with pytest.raises(KeyError):
            act("nothing")


def test_a_loaded_artifact_is_the_same_object_while_it_is_held(project, tmp_path):
    entry = project.add(mesh())
    project.save(tmp_path / "p.fieldwright")
    assert project.artifact(entry.id) is project.artifact(entry.id)


def test_subscribers_are_told_on_the_calling_thread(project):
    told: list[tuple[Change, int]] = []
    stop = project.subscribe(lambda change: told.append((change, threading.get_ident())))
    project.subscribe(lambda change: 1 / 0)  # a broken one harms nobody
    entry = project.add(mesh())
    assert {change.kind for change, _ in told} == {"artifacts", "dirty", "history"}
    assert Change("artifacts", (entry.id,)) in [change for change, _ in told]
    assert {thread for _, thread in told} == {threading.get_ident()}
    told.clear()
    project.put_run(RunRecord(id="r", method="m"))
    project.add_curve_points("r", [Logged(3, 0.1, {"loss": 2.0})])
    project.set_view({"layout": "a"})
    project.set_view({"layout": "a"})
    assert [change.kind for change, _ in told] == ["runs", "curves", "view"]
    stop()
    project.star(entry.id)
    assert len(told) == 3


def test_runs_keep_curves_checkpoint_and_note(project):
    project.put_run(RunRecord(id="r", method="orex", title="OReX", status="running"))
    project.annotate_run("r", "promising")
    project.put_run(project.runs["r"].replace(seconds=2.0, note=""))
    assert project.runs["r"].note == "promising"
    project.add_curve_points("r", [(i, {"loss": i / 2, "iou": 1.0}) for i in range(5)])
    project.rewind_curves("r", 3)
    steps, values = project.curves("r")["loss"]
    assert (steps.tolist(), values.tolist()) == ([0, 1, 2], [0.0, 0.5, 1.0])
    project.put_checkpoint("r", Checkpoint(3, {}, "{}"))
    assert project.runs["r"].has_checkpoint
    with pytest.raises(UserError, match="not over"):
        project.remove_run("r")
    made = project.finish_run(project.runs["r"].replace(status="finished"), {"mesh/1": mesh(), "mesh/2": mesh()})
    assert project.runs["r"].outputs == {"mesh/1": made[0].id, "mesh/2": made[1].id}
    assert not project.runs["r"].has_checkpoint
    assert [e.name for e in made] == ["OReX mesh/1", "OReX mesh/2"]
    assert all(e.role == "result" and e.run == "r" for e in made)
    assert not project.history.can_redo


def test_many_threads_may_edit_at_once(project):
    project.put_run(RunRecord(id="r", method="m"))

    def work(n):
        for i in range(5):
            entry = project.add(mesh(3, seed=n), name=f"{n}-{i}")
            project.add_curve_points("r", [(i, {f"c{n}": 1.0})])
            project.artifact(entry.id)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(project.entries) == 20
    assert sum(len(steps) for steps, _ in project.curves("r").values()) == 20
