"""The program as a process: Ctrl+C, resuming, plug-ins, isolation."""

from __future__ import annotations

import json
import signal
import time

from app.project import Project


def wait_for(process, text: str) -> str:
    for line in process.stdout:
        if text in line:
            return line
    raise AssertionError(f"ended without {text!r}: {process.stderr.read()}")


def finish(process) -> tuple[int, list[dict], str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err


def test_ctrl_c_reaches_a_run_in_a_process_of_its_own_which_can_be_resumed(program, machine, points):
    words = ["run", "toy-walk", "-i", "points=@Start", "-s", "iterations=250", "-s", "pause=0.01", "-p", points]
    started = program(*words, "--json", "--isolated")
    wait_for(started, '"step": 1')
    began = time.monotonic()
    started.send_signal(signal.SIGINT)
    code, lines, err = finish(started)
    assert time.monotonic() - began < 5
    assert code == 4, err
    assert lines[-1]["event"] == "cancelled"
    assert lines[-1]["can_resume"]
    is_cancelled_at_its_checkpoint(points)
    assert machine("resume", points)[0] == 0
    is_finished(points, 250)


def is_cancelled_at_its_checkpoint(path):
    project = Project.open(path)
    (record,) = project.runs.values()
    assert record.status == "cancelled"
    assert project.checkpoint(record.id).step == len(project.curves(record.id)["size"][0])
    project.close()


def is_finished(path, steps):
    project = Project.open(path)
    (record,) = project.runs.values()
    assert record.status == "finished"
    assert list(project.curves(record.id)["size"][0]) == list(range(steps))
    project.close()


def test_ctrl_c_says_how_to_resume_and_what_is_killed_after_that_is_recovered(program, machine, points):
    started = program("run", "toy-walk", "-i", "@Start", "-s", "iterations=500", "-s", "pause=0.01", "-p", points)
    assert any("Walking" in line for line in iter(started.stderr.readline, ""))
    began = time.monotonic()
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert started.returncode == 4, err
    assert f"Resume it with: fieldwright resume {points} " in out
    assert "Cancelling at the next step" in err
    is_cancelled_at_its_checkpoint(points)
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
    is_finished(points, 500)


def test_a_second_ctrl_c_ends_what_does_not_listen(program):
    started = program("run", "toy-spin", "-s", "seconds=60", "--device", "cpu")
    assert started.stderr.readline()  # the warning that nothing is kept
    time.sleep(1.0)
    for _ in range(2):
        started.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert started.wait(10) == 4
    started.communicate()


def test_a_third_partys_package_runs_apart_too(machine, points):
    code, lines = machine("run", "example-centroid", "-i", "points=@Start", "-p", points, "--isolated")
    assert code == 0, lines
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
