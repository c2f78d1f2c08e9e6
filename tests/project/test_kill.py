"""Kill -9 at any moment: what was promised is there, and the file opens."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from app.project import Project, backup_path
from tests.project import dying
from tests.project.samples import mesh

CONTEXT = multiprocessing.get_context("forkserver")  # imports once, then starts each process in no time
CONTEXT.set_forkserver_preload(["tests.project.dying"])


def die(path: Path, what: str, seconds: float) -> list[tuple]:
    """What the process had promised when it was killed."""
    here, there = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=dying.work, args=(str(path), what, os.environ["FIELDWRIGHT_STATE"], there))
    process.start()
    there.close()
    promised = []
    assert here.recv() == ("open",)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if here.poll(left):
            promised.append(here.recv())
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with contextlib.suppress(EOFError, OSError):  # a last word may be cut off
        while here.poll():
            promised.append(here.recv())
    return promised


def begin(path: Path) -> str:
    with Project.new() as project:
        key = project.add(mesh(), name="before").id
        project.save(path)
    return key


def check(project: Project, before: str, promised: list[tuple]) -> None:
    assert project.problems == ()
    assert before in project.entries
    for what, key, *rest in promised:
        if what in ("saved", "finished", "named"):
            assert project.artifact(key).content_hash() == rest[0]
        if what == "named":
            assert project.entries[key].name == rest[1]
        if what in ("run", "checkpoint"):
            assert key in project.runs
    for key, entry in project.entries.items():
        assert project.artifact(key).content_hash() == entry.hash


def kill_while_saving(path: Path, seconds: float) -> int:
    before = begin(path)
    saved = [line for line in die(path, "save", seconds) if line[0] == "saved"]
    with Project.open(path) as project:
        check(project, before, saved[-1:])
        entries = list(project.entries)
    if saved:
        with Project.open(backup_path(path)) as backup:
            assert backup.problems == ()
    for found in Project.recoverable():  # the edit after the last save
        with found.recover() as project:
            check(project, before, saved[-1:])
            project.save()
    with Project.open(path) as project:
        check(project, before, saved[-1:])
        assert len(project.entries) >= len(entries) - 1
    assert not Project.recoverable()
    return len(saved)


def kill_while_running(path: Path, seconds: float) -> int:
    before = begin(path)
    promised = die(path, "run", seconds)
    with Project.open(path) as project:
        assert list(project.entries) == [before]
    found = Project.recoverable(path)
    assert found or not promised
    if not found:
        return 0
    with found[0].recover() as project:
        check(project, before, promised)
        steps = {key: rest[0] for what, key, *rest in promised if what == "checkpoint"}
        for key, run in project.runs.items():
            assert run.status in ("finished", "interrupted")
            if run.status == "interrupted" and key in steps:
                checkpoint = project.checkpoint(key)
                assert steps[key] <= checkpoint.step <= steps[key] + 1
                np.testing.assert_array_equal(checkpoint.arrays["0"], checkpoint.step)
                assert len(project.curves(key)["loss"][0]) >= steps[key] + 1
            if run.status == "finished":
                assert set(run.outputs.values()) <= set(project.entries)
        project.save()
    with Project.open(path) as project:
        check(project, before, promised)
    return len(promised)


def kill_while_journaling(path: Path, seconds: float) -> int:
    before = begin(path)
    promised = die(path, "journal", seconds)
    found = Project.recoverable(path)
    assert found or not promised
    for recovery in found:
        with recovery.recover() as project:
            check(project, before, promised)
            project.save()
    with Project.open(path) as project:
        check(project, before, promised)
    assert not Project.recoverable()
    return len(promised)


KILLS = [kill_while_saving, kill_while_running, kill_while_journaling]


@pytest.mark.parametrize("kill", KILLS)
def test_killed_at_five_moments(kill, tmp_path):
    promises = 0
    for number in range(5):
        (tmp_path / f"{number}").mkdir()
        promises += kill(tmp_path / f"{number}" / "p.fieldwright", 0.05 + 0.2 * number)
    assert promises


@pytest.mark.claim
@pytest.mark.parametrize("kill", KILLS)
@pytest.mark.parametrize("seed", range(50))
def test_killed_at_fifty_moments(kill, seed, tmp_path):
    seconds = float(np.random.default_rng(seed).uniform(0, 1.2))
    kept = kill(tmp_path / "p.fieldwright", seconds)
    print(f"{kill.__name__} after {1000 * seconds:.0f} ms: all of {kept} promises kept")
