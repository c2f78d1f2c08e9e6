"""The queue in threads: what a person does with jobs."""

from __future__ import annotations

import threading
import time

import pytest

from app.jobs import JobQueue, JobSpec, StatusChanged
from tests.toys import TOYS, WalkParams, _cloud


@pytest.fixture
def queue():
    made = JobQueue(TOYS.__getitem__)
    yield made
    assert made.shutdown(5) == []


def walk(**params) -> JobSpec:
    return JobSpec("toy-walk", _cloud(), WalkParams(**params), seed=3, device="cpu")


def slow(**params) -> JobSpec:
    return walk(iterations=10_000, pause=0.002, **params)


def until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.002)


def test_a_job_runs_to_its_end_and_keeps_curves_log_and_outputs(queue):
    job = queue.submit(walk(iterations=20))
    assert job.wait(10)
    assert job.status == "finished"
    steps, values = job.curves["size"]
    assert list(steps) == list(range(20))
    assert len(values) == 20
    assert [line.text for line in job.log] == ["walked"]
    assert sorted(job.outputs) == ["mesh", "path", "steps/1", "steps/2"]
    assert job.progress.fraction == 1.0
    assert job.error == ""


def test_one_job_per_device_runs_in_the_order_asked_for(queue):
    first, second, third = (queue.submit(slow()) for _ in range(3))
    until(lambda: first.status == "running")
    queue.move(third, 1)
    assert queue.jobs == [first, third, second]
    assert (second.status, third.status) == ("queued", "queued")
    first.cancel()
    until(lambda: third.status == "running")
    assert second.status == "queued"


def test_a_queued_job_can_be_cancelled_or_held_back(queue):
    first, second, third = (queue.submit(slow()) for _ in range(3))
    until(lambda: first.status == "running")
    second.cancel()
    assert second.status == "cancelled"
    third.pause()
    first.cancel()
    assert first.wait(2)
    time.sleep(0.05)
    assert third.status == "paused"
    third.resume()
    until(lambda: third.status == "running")


def test_pause_halts_and_resume_goes_on(queue):
    job = queue.submit(slow())
    until(lambda: "size" in job.curves)
    job.pause()
    time.sleep(0.1)
    before, clock = len(job.curves["size"][0]), job.seconds
    time.sleep(0.15)
    assert len(job.curves["size"][0]) == before
    assert job.seconds == clock
    assert job.checkpoint is not None
    job.resume()
    until(lambda: len(job.curves["size"][0]) > before)


def test_cancel_is_quick_and_keeps_curves_checkpoint_and_preview(queue):
    job = queue.submit(slow())
    job.watch_preview(True)
    until(lambda: job.latest_preview is not None)
    began = time.monotonic()
    job.cancel()
    assert job.wait(5)
    assert time.monotonic() - began < 0.5
    assert job.status == "cancelled"
    assert len(job.curves["size"][0]) > 0
    assert job.checkpoint.step == len(job.curves["size"][0])
    assert set(job.latest_preview) == {"preview"}


def test_cancel_ends_a_pause(queue):
    job = queue.submit(slow())
    until(lambda: "size" in job.curves)
    job.pause()
    job.cancel()
    assert job.wait(2)
    assert job.status == "cancelled"


@pytest.mark.parametrize(
    ("how", "text", "mendable"),
    [
        ("user", "Lift your feet.", True),
        ("bug", "ZeroDivisionError: a bug of the toy", False),
        ("exit", "SystemExit", False),
        ("memory", "The memory ran out.", True),
    ],
)
def test_a_failed_job_says_why_and_the_next_one_runs(queue, how, text, mendable):
    bad, good = queue.submit(walk(fail=how)), queue.submit(walk())
    assert bad.wait(10)
    assert good.wait(10)
    assert (bad.status, good.status) == ("failed", "finished")
    assert text in bad.error
    assert (bad.user_error is not None) == mendable
    assert len(bad.curves["size"][0]) == 20


def test_an_unknown_method_fails_the_job_only():
    queue = JobQueue()
    job = queue.submit(JobSpec("no-such-method", {}, WalkParams(), device="cpu"))
    assert job.wait(60)
    assert "There is no method 'no-such-method'." in job.error
    queue.shutdown()


def test_a_device_that_is_not_here_fails_the_job(queue):
    job = queue.submit(JobSpec("toy-walk", _cloud(), WalkParams(), device="cuda:7"))
    assert job.wait(20)
    assert "There is no device 'cuda:7'." in job.error


def test_a_missing_input_is_refused_before_anything_starts(queue):
    job = queue.submit(JobSpec("toy-walk", {}, WalkParams(), device="cpu"))
    assert job.wait(20)
    assert "needs an input 'points'" in job.error


def test_resuming_gives_what_the_uninterrupted_run_gives(queue):
    whole = queue.submit(walk(iterations=60))
    assert whole.wait(20)
    part = queue.submit(walk(iterations=60, pause=0.005))
    until(lambda: "size" in part.curves and len(part.curves["size"][0]) > 5)
    part.cancel()
    assert part.wait(5)
    rest = queue.submit(
        JobSpec(
            "toy-walk",
            _cloud(),
            WalkParams(iterations=60),
            seed=3,
            device="cpu",
            checkpoint=part.checkpoint,
            run_id=part.run_id,
            curves=part.curves,
            seconds=part.seconds,
        )
    )
    assert rest.wait(10)
    assert rest.status == "finished"
    assert rest.run_id == part.id
    assert {k: v.content_hash() for k, v in rest.outputs.items()} == {
        k: v.content_hash() for k, v in whole.outputs.items()
    }
    assert list(rest.curves["size"][0]) == list(range(60))
    assert rest.seconds > part.seconds


def test_a_snapshot_of_a_curve_does_not_change_later(queue):
    job = queue.submit(slow())
    until(lambda: "size" in job.curves)
    steps, _ = job.curves["size"]
    length = len(steps)
    until(lambda: len(job.curves["size"][0]) > length + 100)
    assert len(steps) == length
    assert not steps.flags.writeable


def test_subscribers_hear_every_status_and_a_broken_one_harms_nothing(queue, caplog):
    heard = []
    queue.subscribe(lambda job, event: 1 / 0)
    leave = queue.subscribe(lambda job, event: heard.append((job.id, event)))
    job = queue.submit(walk())
    assert job.wait(10)
    assert [e.status for _, e in heard if isinstance(e, StatusChanged)] == ["running", "finished"]
    leave()
    count = len(heard)
    assert queue.submit(walk()).wait(10)
    assert len(heard) == count
    assert "subscriber" in caplog.text


def test_ended_jobs_can_be_taken_off_the_list(queue):
    job = queue.submit(slow())
    queue.remove(job)
    assert queue.jobs == [job]
    job.cancel()
    assert job.wait(5)
    queue.remove(job)
    assert queue.jobs == []


def test_shutdown_cancels_what_runs_and_what_waits():
    queue = JobQueue(TOYS.__getitem__)
    jobs = [queue.submit(slow()) for _ in range(2)]
    until(lambda: jobs[0].status == "running")
    assert queue.shutdown(5) == []
    assert [job.status for job in jobs] == ["cancelled", "cancelled"]
    assert not [t for t in threading.enumerate() if t.name == "job queue"]
    with pytest.raises(RuntimeError):
        queue.submit(walk())


def test_submit_returns_at_once(queue):
    began = time.monotonic()
    queue.submit(JobSpec("toy-walk", _cloud(), WalkParams(), device="auto"))
    assert time.monotonic() - began < 0.1
