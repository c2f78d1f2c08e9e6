"""The program as a process: Ctrl+C, resuming, plug-ins, isolation."""

from __future__ import annotations

import json
import signal
import time

import pytest

from app.project import Project


def wait_for(process, text: str) -> str:
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}: {process.stderr.read()}")


def finish(process) -> tuple[int, list[dict], str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err


@pytest.mark.parametrize("isolated", [False, True])
def test_ctrl_c_cancels_keeps_the_checkpoint_and_says_how_to_resume(program, machine, points, isolated):
    words = ["run", "toy-walk", "-i", "points=@Start", "-s", "iterations=250", "-s", "pause=0.01", "-p", points]
    started = program(*words, "--json", *(["--isolated"] if isolated else []))
    wait_for(started, '"step": 1')
    began = time.monotonic()
    started.send_signal(signal.SIGINT)
    code, lines, err = finish(started)
    assert time.monotonic() - began < 5
    assert code == 4, err
    assert lines[-1]["event"] == "cancelled"
    assert lines[-1]["can_resume"]

    project = Project.open(points)
    (record,) = project.runs.values()
    assert record.status == "cancelled"
    done = len(project.curves(record.id)["size"][0])
    assert project.checkpoint(record.id).step == done
    project.close()

    assert machine("resume", points)[0] == 0
    project = Project.open(points)
    (record,) = project.runs.values()
    assert record.status == "finished"
    assert list(project.curves(record.id)["size"][0]) == list(range(250))
    project.close()


def test_a_killed_run_is_recovered_and_resumed(program, machine, points):
    words = ["-i", "@Start", "-s", "iterations=500", "-s", "pause=0.01", "-p", points, "--json"]
    started = program("run", "toy-walk", *words)
    wait_for(started, '"step": 20')
    started.send_signal(signal.SIGINT)  # leaves a checkpoint
    assert finish(started)[0] == 4
    resumed = program("resume", points, "--json")
    line = wait_for(resumed, '"event": "progress"')
    while json.loads(line)["step"] < 150:
        line = wait_for(resumed, '"event": "progress"')
    time.sleep(1.5)  # the journal has it by then, and the end is far
    resumed.kill()
    resumed.communicate()
    code, lines = machine("resume", points)
    assert code == 0, lines
    assert any("was recovered" in line.get("text", "") for line in lines)
    project = Project.open(points)
    (record,) = project.runs.values()
    assert record.status == "finished"
    assert list(project.curves(record.id)["size"][0]) == list(range(500))
    project.close()


def test_people_are_told_how_to_resume(program, points):
    started = program("run", "toy-walk", "-i", "@Start", "-s", "pause=0.05", "-s", "iterations=2000", "-p", points)
    assert any("Walking" in line for line in iter(started.stderr.readline, ""))
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert started.returncode == 4
    assert f"Resume it with: fieldwright resume {points} " in out
    assert "Cancelling at the next step" in err


def test_a_second_ctrl_c_ends_what_does_not_listen(program):
    started = program("run", "toy-spin", "-s", "seconds=60", "--device", "cpu")
    assert started.stderr.readline()  # the warning that nothing is kept
    time.sleep(1.0)
    for _ in range(2):
        started.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert started.wait(10) == 4
    started.communicate()


def test_a_third_partys_package_runs_apart_too(program, points):
    words = ["run", "example-centroid", "-i", "points=@Start", "-p", points, "--isolated", "--json"]
    code, lines, err = finish(program(*words))
    assert code == 0, err
    assert lines[-1]["outputs"]["table"]["columns"]["middle"] == [6.0, 7.0, 8.0]


def test_a_sample_that_does_not_exist_is_refused_at_once_with_those_that_do(program):
    from app.samples import samples

    process = program("--sample", "nosuch")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "'nosuch'" in said
    assert all(s.key in said for s in samples())
    process = program("--auto", "out")
    assert process.wait(timeout=60) == 2
    process.communicate()
