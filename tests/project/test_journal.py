"""What was not saved comes back after a crash; what was given up does not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from app.project import Project, RunRecord
from app.project.journal import journal_folder
from engines.core import Checkpoint, UserError
from tests.project.samples import mesh, samples


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.fieldwright"


@pytest.fixture
def state() -> Path:
    return Path(os.environ["FIELDWRIGHT_STATE"])


def crash(project: Project) -> None:
    project.close(keep_journal=True)


def saved(path: Path) -> str:
    with Project.new() as project:
        key = project.add(mesh(), name="saved").id
        project.save(path)
    return key


def test_an_unsaved_project_comes_back_whole():
    project = Project.new()
    keys = {project.add(artifact, name=name).id: artifact for name, artifact in samples().items()}
    project.set_view({"layout": "wide"})
    crash(project)
    (found,) = Project.recoverable()
    assert found.project_path is None
    assert f"{len(keys)} artifacts" in found.summary
    with found.recover() as back:
        assert back.dirty
        assert back.path is None
        assert list(back.entries) == list(keys)
        assert back.view == {"layout": "wide"}
        for key, artifact in keys.items():
            assert back.artifact(key).content_hash() == artifact.content_hash()


def test_a_run_that_was_going_on_can_be_resumed(path):
    saved(path)
    project = Project.open(path)
    project.put_run(RunRecord(id="r", method="orex", status="running", params={"steps": 9}, command="fieldwright run"))
    project.add_curve_points("r", [(i, {"loss": 1.0 / (i + 1)}) for i in range(7)])
    project.put_checkpoint("r", Checkpoint(5, {"0": np.arange(4)}, '{"a": "0"}'))
    crash(project)
    with Project.open(path) as unaware:  # opening does not touch what was left
        assert not unaware.runs
    (found,) = Project.recoverable(path)
    assert found.project_path == path
    assert "1 interrupted" in found.summary
    with found.recover() as back:
        run = back.runs["r"]
        assert (run.status, run.has_checkpoint, run.params) == ("interrupted", True, {"steps": 9})
        assert back.checkpoint("r").step == 5
        assert len(back.curves("r")["loss"][0]) == 7
        back.rewind_curves("r", 5)
        back.put_run(run.replace(status="running"))
        back.add_curve_points("r", [(5, {"loss": 0.5})])
        back.finish_run(back.runs["r"].replace(status="finished"), {"mesh": mesh()})
        assert back.curves("r")["loss"][0].tolist() == [0, 1, 2, 3, 4, 5]
        back.save()
    with Project.open(path) as project:
        assert project.runs["r"].status == "finished"
        assert len(project.entries) == 2
    assert not Project.recoverable()


def test_a_run_may_be_finished_twice():
    project = Project.new()
    project.put_run(RunRecord(id="r", method="orex", status="running"))
    first = project.finish_run(project.runs["r"].replace(status="cancelled"), {"preview": mesh()})[0]
    project.put_run(project.runs["r"].replace(status="running"))
    second = project.finish_run(project.runs["r"].replace(status="finished"), {"mesh": mesh(9)})[0]
    crash(project)
    with Project.recoverable()[0].recover() as back:
        assert set(back.entries) == {first.id, second.id}
        assert back.runs["r"].outputs == {"preview": first.id, "mesh": second.id}
        assert len(back.artifact(first.id).vertices) == 50


def test_a_second_crash_loses_nothing(path):
    saved(path)
    project = Project.open(path)
    project.add(mesh(), name="first")
    crash(project)
    back = Project.recoverable()[0].recover()
    back.add(mesh(), name="second")
    back.history.undo()
    back.add(mesh(), name="third")
    crash(back)
    with Project.recoverable()[0].recover() as again:
        assert [e.name for e in again.entries.values()] == ["saved", "first", "third"]
        again.save()
    assert not Project.recoverable()


def test_nothing_is_offered_after_saving_or_closing(path, state):
    project = Project.new()
    project.add(mesh())
    project.flush()
    project.save(path)
    crash(project)
    assert not Project.recoverable()
    with Project.open(path) as project:
        project.add(mesh())
        project.flush()
        assert not Project.recoverable()  # its owner lives
    assert not Project.recoverable()
    assert not list((state / "journals").iterdir())
    assert not journal_folder(path).exists()


def test_a_crash_between_rename_and_clearing_offers_nothing(path, monkeypatch):
    project = Project.new()
    project.add(mesh())
    project.flush()
    monkeypatch.setattr("app.project.keeper.Keeper.clear", lambda *_: None)
    monkeypatch.setattr("app.project.keeper.Keeper.moved", lambda *_: None)
    project.save(path)
    project._content.keeper.journal.point_to(path)
    crash(project)
    assert not Project.recoverable()


def test_discarded_work_is_not_offered_again():
    project = Project.new()
    project.add(mesh())
    crash(project)
    Project.recoverable()[0].discard()
    assert not Project.recoverable()


def test_work_is_offered_where_the_pointer_is_lost(path, state):
    saved(path)
    project = Project.open(path)
    project.add(mesh(), name="new")
    crash(project)
    shutil.rmtree(state)
    assert not Project.recoverable()
    assert len(Project.recoverable(path)) == 1


def test_work_comes_back_though_the_file_is_gone(path):
    saved(path)
    project = Project.open(path)
    project.add(mesh(), name="new")
    crash(project)
    path.unlink()
    with Project.recoverable()[0].recover() as back:
        assert [e.name for e in back.entries.values()] == ["new"]
        assert back.path is None


def test_work_for_a_project_that_is_open_elsewhere_can_be_saved_elsewhere(path):
    saved(path)
    project = Project.open(path)
    project.add(mesh(), name="new")
    crash(project)
    with Project.open(path) as other, Project.recoverable()[0].recover() as back:
        assert not other.read_only
        assert back.read_only
        back.save(path.with_name("q.fieldwright"))
        assert len(back.entries) == 2


def test_a_broken_record_costs_only_itself():
    project = Project.new()
    for name in ("a", "b", "c"):
        project.add(mesh(), name=name)
        project.flush()
    records = project._content.keeper.journal.records()
    crash(project)
    records[1].write_bytes(records[1].read_bytes()[:200])
    with h5py.File(records[0], "r+", libver=("v110", "v110")) as file:
        file["evil"] = h5py.ExternalLink("/etc/passwd", "/")
    with Project.recoverable()[0].recover() as back:
        assert [e.name for e in back.entries.values()] == ["c"]
        assert len(back.problems) == 2


def test_recovery_can_be_taken_once():
    project = Project.new()
    project.add(mesh())
    crash(project)
    (found,) = Project.recoverable()
    with found.recover(), pytest.raises(UserError, match="another window"):
        found.recover()


def test_undo_of_a_removal_that_was_saved_survives_a_crash(path):
    project = Project.new()
    key = project.add(mesh()).id
    project.save(path)
    project.remove(key)
    project.save()
    project.history.undo()  # its content now lies in no file that has a name
    crash(project)
    with Project.recoverable()[0].recover() as back:
        assert back.artifact(key).content_hash() == mesh().content_hash()


def test_without_a_place_for_the_journal_work_goes_on(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIELDWRIGHT_STATE", str(tmp_path / "file"))
    with Project.new() as project:
        key = project.add(mesh()).id
        project.flush()
        assert "cannot be kept safe" in project.journal_problem
        assert project.artifact(key).content_hash() == mesh().content_hash()
        project.save(tmp_path / "p.fieldwright")
        project.star(key)
        project.flush()
        assert project.journal_problem == ""  # there is a place beside the file
    assert Project.recoverable() == []


def test_memory_is_given_back_when_the_journal_holds_an_artifact():
    with Project.new() as project:
        key = project.add(mesh()).id
        project.flush()
        state = project._content.entries[key]
        assert state.held is None
        project._content.cache.drop(key)
        assert project.artifact(key).content_hash() == mesh().content_hash()
