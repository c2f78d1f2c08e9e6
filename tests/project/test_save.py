"""Saving: whole or not at all, with the old file kept; nothing blocks and nothing is lost on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from app.project import Project, RunRecord, backup_path
from engines.core import Cancelled, Checkpoint, UserError
from engines.data import Table, Volume
from tests.project.samples import mesh


def noise(megabytes: float, seed: int = 0) -> Volume:
    values = np.random.default_rng(seed).integers(0, 255, (int(megabytes * 16), 256, 256), dtype="uint8")
    return Volume(values=values, affine=np.eye(4))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.fieldwright"


def leftovers(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_save_reopen_and_save_again(path):
    with Project.new() as project:
        key = project.add(mesh(name="a")).id
        project.put_run(RunRecord(id="r", method="m", status="running", params={"x": [1, 2]}, versions={"numpy": "2"}))
        project.add_curve_points("r", [(1, {"loss": 3.0})])
        project.put_checkpoint("r", Checkpoint(2, {"0": np.eye(3)}, '{"a": "0"}'))
        project.set_view({"cameras": {key: [1.0, 2.0]}})
        project.save(path)
        assert (project.path, project.dirty, project.read_only) == (path, False, False)
    for _ in range(2):
        with Project.open(path) as project:
            assert project.runs["r"].status == "interrupted"
            assert project.runs["r"].params == {"x": [1, 2]}
            assert project.view == {"cameras": {key: [1.0, 2.0]}}
            np.testing.assert_array_equal(project.checkpoint("r").arrays["0"], np.eye(3))
            assert project.curves("r")["loss"][1].tolist() == [3.0]
            assert project.artifact(key).content_hash() == mesh().content_hash()
            assert not project.dirty
            project.star(key, not project.entries[key].starred)
            assert project.dirty
            project.save()
    assert leftovers(path.parent) == {"p.fieldwright", "p.fieldwright.bak"}


def test_one_backup_is_kept(path):
    with Project.new() as project:
        for name in ("first", "second", "third"):
            project.add(mesh(), name=name)
            project.save(path)
    with Project.open(backup_path(path)) as backup:
        assert [e.name for e in backup.entries.values()] == ["first", "second"]


def test_the_name_is_never_without_a_file(path):
    with Project.new() as project:
        project.add(mesh())
        project.save(path)
        missing, stop = [], threading.Event()

        def watch():
            while not stop.is_set():
                if not path.exists():
                    missing.append(1)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for _ in range(8):
            project.save()
        stop.set()
        watcher.join()
    assert not missing


def test_unchanged_artifacts_are_copied_as_they_are(path, monkeypatch):
    with Project.new() as project:
        keys = [project.add(noise(3)).id, project.add(Table(columns={"a": np.array(["x", "y"])})).id]
        project.save(path)
    with Project.open(path) as project:
        hashes = [project.entries[key].hash for key in keys]
        monkeypatch.setattr("app.project.chunks.zlib.compress", None)
        project.rename(keys[0], "new name")
        project.save()
        project.history.undo()
        project.save(path.with_name("q.fieldwright"))
    for name, title in (("p", "new name"), ("q", "Volume")):
        with Project.open(path.with_name(f"{name}.fieldwright")) as project:
            assert project.entries[keys[0]].name == title
            assert [project.artifact(key).content_hash() for key in keys] == hashes


def test_changes_made_during_a_save_stay_unsaved(path):
    with Project.new() as project:
        first = project.add(noise(4), name="first").id
        project.put_run(RunRecord(id="r", method="m", status="running"))
        late = []

        def progress(fraction, label):
            if not late:
                late.append(project.add(mesh(), name="late").id)
                project.rename(first, "renamed")
                project.add_curve_points("r", [(0, {"loss": 1.0})])
                project.put_checkpoint("r", Checkpoint(1, {"0": np.ones(2)}, "{}"))

        project.save(path, progress=progress)
        assert project.dirty
        project.flush()
        with Project.open(path) as other:
            assert [e.name for e in other.entries.values()] == ["first"]
        assert len(project.artifact(late[0]).vertices) == 50
        assert project.checkpoint("r").step == 1
        project.close(keep_journal=True)
    with Project.recoverable()[0].recover() as back:
        assert [e.name for e in back.entries.values()] == ["renamed", "late"]
        assert back.curves("r")["loss"][1].tolist() == [1.0]
        assert back.checkpoint("r").step == 1
        back.save()
    with Project.open(path) as project:
        assert [e.name for e in project.entries.values()] == ["renamed", "late"]
        assert project.artifact(first).content_hash() == noise(4).content_hash()


def test_background_save_tells_progress_and_can_be_cancelled(path):
    seen, ended = [], []
    with Project.new() as project:
        project.add(noise(8))
        saving = project.save_in_background(path, ended.append, lambda fraction, label: seen.append(fraction))
        assert saving.wait(60)
        assert ended == [None]
        assert seen == sorted(seen)
        assert (seen[-1], len(seen) >= 2) == (1.0, True)
        project.add(noise(8, seed=1))
        before = path.read_bytes()
        saving = project.save_in_background(on_progress=lambda *_: saving.cancel())
        assert saving.wait(60)
        assert isinstance(saving.error, Cancelled)
        assert path.read_bytes() == before
        assert project.dirty
        project.flush()
        assert not [name for name in leftovers(path.parent) if "partial" in name]
        project.save()
        assert not project.dirty


def test_readers_are_not_kept_waiting_by_a_save(path):
    with Project.new() as project:
        small = project.add(mesh()).id
        project.add(noise(60))
        project.save(path)
        project.star(small)
        saving = project.save_in_background(path.with_name("q.fieldwright"))
        gaps = []
        while not saving.done:
            begun = time.perf_counter()
            project.array(small, "vertices")[:]
            gaps.append(time.perf_counter() - begun)
            time.sleep(0.001)
        assert saving.error is None
    assert max(gaps) < 0.5  # generous: the machine is shared


def test_save_as_moves_the_project(path):
    other = path.with_name("ünï other.fieldwright")
    with Project.new() as project:
        project.add(mesh())
        project.save(path)
        project.save(other)
        assert project.path == other
        with Project.open(path) as first, Project.open(other) as second:
            assert not first.read_only
            assert second.read_only
    assert leftovers(path.parent) == {path.name, other.name}


def test_a_second_opening_is_read_only_until_the_first_is_closed(path):
    with Project.new() as project:
        key = project.add(mesh()).id
        project.save(path)
        with Project.open(path) as second:
            assert "open in another window" in second.read_only_reason
            second.star(key)
            with pytest.raises(UserError, match="read-only"):
                second.save()
            second.save(path.with_name("copy.fieldwright"))
            assert not second.read_only
            with pytest.raises(UserError, match="cannot be replaced"):
                second.save(path)
    with Project.open(path) as again:
        assert not again.read_only


def test_another_process_has_it_open(path):
    with Project.new() as project:
        project.add(mesh())
        project.save(path)
    code = (
        "import sys; from app.project import Project; p = Project.open(sys.argv[1]); print('open', flush=True); input()"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=-1, stdout=-1, text=True)
    assert child.stdout.readline() == "open\n"
    with Project.open(path) as second:
        assert f"process {child.pid}" in second.read_only_reason
    child.kill()
    child.communicate()
    with Project.open(path) as third:
        assert not third.read_only


def test_without_a_place_and_with_impossible_places(tmp_path):
    with Project.new() as project:
        key = project.add(mesh()).id
        with pytest.raises(UserError, match="no file yet"):
            project.save()
        (tmp_path / "folder").mkdir()
        for bad in (
            tmp_path / "none" / "p.fieldwright",
            tmp_path / "folder",
            tmp_path / ("x" * 300),
            tmp_path / "a\0b",
        ):
            with pytest.raises(UserError):
                project.save(bad)
        assert project.dirty
        assert project.path is None
        longest = tmp_path / ("ü" * 120 + ".fieldwright")
        project.save(longest)
        project.star(key)
        project.save()
        assert {longest, backup_path(longest)} < set(tmp_path.iterdir())


def test_a_project_whose_file_vanished_can_still_be_saved(path):
    with Project.new() as project:
        key = project.add(mesh()).id
        project.save(path)
    with Project.open(path) as project:
        path.unlink()
        assert project.artifact(key).content_hash() == mesh().content_hash()
        project.save()
    with Project.open(path) as project:
        assert key in project.entries


def test_a_link_to_a_project_stays_a_link(path):
    with Project.new() as project:
        project.add(mesh())
        project.save(path)
    link = path.with_name("link.fieldwright")
    link.symlink_to(path)
    with Project.open(link) as project:
        project.add(mesh(), name="second")
        project.save()
    assert link.is_symlink()
    with Project.open(path) as project:
        assert len(project.entries) == 2


def test_without_hard_links_the_backup_is_a_copy(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "not here")

    monkeypatch.setattr(os, "link", refuse)
    with Project.new() as project:
        for name in ("first", "second"):
            project.add(mesh(), name=name)
            project.save(path)
    with Project.open(backup_path(path)) as backup:
        assert len(backup.entries) == 1


FULL = """
import resource, sys
import numpy as np
from app.project import Project
from engines.core import UserError
from engines.data import Volume

path, how = sys.argv[1:]
project = Project.open(path)
before = open(path, "rb").read()
values = np.random.default_rng(0).integers(0, 255, (100, 256, 256), dtype="uint8")
if how == "limit":  # no file may grow beyond 2 MB: what a full disk does, at the same calls
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
elif how == "late":
    import app.project.saving
    app.project.saving._check_space = lambda *_: None
kept = project.add(Volume(values=values, affine=np.eye(4)))
project.flush()
print("problem:", project.journal_problem)
for _ in range(2):
    try:
        project.save()
        print("saved")
    except UserError as error:
        print("refused:", error)
assert open(path, "rb").read() == before
assert project.dirty
assert project.artifact(kept.id).values.sum() == values.sum()
project.remove(kept.id)
project.save()
print("then saved")
project.close()
"""


def run_full(path: Path, how: str) -> str:
    env = os.environ | {"FIELDWRIGHT_STATE": str(path.parent / "state")}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), str(path), how], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_full_disk_leaves_the_old_file(path):
    with Project.new() as project:
        key = project.add(mesh()).id
        project.save(path)
    said = run_full(path, "limit")
    assert said.count("refused: The disk is full") == 2
    assert "problem: Unsaved work cannot be kept safe" in said
    assert "then saved" in said
    with Project.open(path) as project:
        assert list(project.entries) == [key]
    assert not [name for name in leftovers(path.parent) if "partial" in name]


@pytest.mark.parametrize("how", ["early", "late"])
def test_full_disk_for_real(tmp_path, how):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(disk)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with Project.new() as project:
            project.add(mesh())
            project.save(disk / "p.fieldwright")
        said = run_full(disk / "p.fieldwright", how)
        assert said.count("refused: " + ("Not enough space" if how == "early" else "The disk is full")) == 2
        assert "then saved" in said
        assert not [name for name in leftovers(disk) if "partial" in name]
    finally:
        subprocess.run(["umount", str(disk)], check=True)
