"""The isolated runner: the same events and results, and an end within a second."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import psutil
import pytest

from app.jobs import JobQueue, JobSpec
from tests.jobs.test_queue import until, walk
from tests.toys import TOYS, SpinParams, WalkParams, _cloud


@pytest.fixture
def queue():
    made = JobQueue(TOYS.__getitem__)
    yield made
    assert made.shutdown(5) == []
    until(lambda: not multiprocessing.active_children(), 3)


def isolated(**params) -> JobSpec:
    return JobSpec("toy-walk", _cloud(), WalkParams(**params), seed=3, device="cpu", isolated=True)


def test_an_isolated_run_gives_the_same_events_and_outputs(queue):
    own, apart = queue.submit(walk(iterations=30)), queue.submit(isolated(iterations=30))
    assert own.wait(20)
    assert apart.wait(60)
    assert apart.status == "finished", apart.error
    assert {k: v.content_hash() for k, v in apart.outputs.items()} == {
        k: v.content_hash() for k, v in own.outputs.items()
    }
    assert list(apart.curves["size"][1]) == list(own.curves["size"][1])
    assert [line.text for line in apart.log] == ["walked"]
    assert not apart.outputs["path"].points.flags.writeable


def test_pause_preview_and_cancel_cross_the_pipe(queue):
    job = queue.submit(isolated(iterations=10_000, pause=0.002))
    job.watch_preview(True)
    until(lambda: job.latest_preview is not None, 60)
    job.pause()
    time.sleep(0.3)
    before = len(job.curves["size"][0])
    time.sleep(0.2)
    assert len(job.curves["size"][0]) == before
    job.resume()
    until(lambda: len(job.curves["size"][0]) > before)
    began = time.monotonic()
    job.cancel()
    assert job.wait(5)
    assert time.monotonic() - began < 0.5
    assert job.status == "cancelled"
    assert job.checkpoint.step == len(job.curves["size"][0])


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("user", "Lift your feet."),
        ("bug", "ZeroDivisionError: a bug of the toy"),
        ("apart", "ValueError: math domain error"),  # raised in a process that the worker began
        ("die", "SIGKILL"),
    ],
)
def test_failures_come_back_in_words(queue, how, text):
    job = queue.submit(isolated(fail=how))
    assert job.wait(60)
    assert job.status == "failed"
    assert text in job.error
    assert (job.user_error is None) == (how in ("bug", "apart"))
    assert len(job.curves["size"][0]) == 20


def test_kill_ends_what_does_not_listen_within_a_second(queue):
    job = queue.submit(JobSpec("toy-spin", {}, SpinParams(seconds=60), device="cpu", isolated=True))
    until(lambda: job.log, 60)  # it spins: a process that still starts would listen
    job.cancel()
    assert not job.wait(0.3)
    began = time.monotonic()
    job.kill()
    assert job.wait(5)
    assert time.monotonic() - began < 1.0
    assert job.status == "cancelled"


def test_kill_while_the_process_starts(queue):
    job = queue.submit(isolated())
    until(lambda: job.status == "running", 20)
    job.kill()
    assert job.wait(5)
    assert job.status == "cancelled"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_the_worker_ends_when_the_program_dies(tmp_path):
    import subprocess
    import sys

    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {os.getcwd()!r})\n"
        "from app.jobs import JobQueue, JobSpec\n"
        "from tests.toys import TOYS, WalkParams, _cloud\n"
        "if __name__ == '__main__':\n"
        "    queue = JobQueue(TOYS.__getitem__)\n"
        "    p = WalkParams(iterations=100_000, pause=0.01)\n"
        "    job = queue.submit(JobSpec('toy-walk', _cloud(), p, device='cpu', isolated=True))\n"
        "    while not job.curves: time.sleep(0.01)\n"
        "    print('running', flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline().strip() == "running"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert not alive
