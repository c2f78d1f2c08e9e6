"""Events reach the GUI thread: coalesced, in order, and none is lost at the end."""

from __future__ import annotations

import threading
import time

import pytest

from app.jobs import JobQueue
from tests.jobs.test_queue import slow, walk
from tests.toys import TOYS


@pytest.fixture
def bridge(qapp):
    from app.jobs.bridge import JobBridge

    queue = JobQueue(TOYS.__getitem__)
    made = JobBridge(queue)
    yield made
    made.close()
    assert queue.shutdown(5) == []
    made.deleteLater()


def test_a_job_is_told_on_the_gui_thread_until_its_end(bridge, qtbot):
    threads, seen = set(), []
    bridge.changed.connect(lambda job_id: (threads.add(threading.current_thread()), seen.append(job_id)))
    with qtbot.waitSignal(bridge.finished, timeout=20_000) as ended:
        job = bridge.queue.submit(walk(iterations=30))
    assert ended.args == [job.id]
    assert bridge.job(job.id) is job
    assert job.status == "finished"
    assert threads == {threading.main_thread()}
    assert set(seen) == {job.id}


def test_signals_come_at_most_twenty_times_a_second(bridge, qtbot):
    seen = []
    bridge.changed.connect(lambda job_id: seen.append(time.monotonic()))
    job = bridge.queue.submit(walk(iterations=5_000, pause=0.0001))
    began = time.monotonic()
    qtbot.waitUntil(lambda: job.ended, timeout=30_000)
    qtbot.wait(100)
    assert 1 <= len(seen) <= 20 * (seen[-1] - began + 0.1) + 2


def test_previews_and_reordering_are_told(bridge, qtbot):
    with qtbot.waitSignal(bridge.queue_changed, timeout=5_000):
        job = bridge.queue.submit(slow())
    job.watch_preview(True)
    with qtbot.waitSignal(bridge.previewed, timeout=20_000):
        pass
    assert job.latest_preview is not None
    waiting = bridge.queue.submit(slow())
    qtbot.wait(100)
    with qtbot.waitSignal(bridge.queue_changed, timeout=5_000):
        bridge.queue.move(waiting, 0)


def test_after_close_nothing_is_told(bridge, qtbot):
    bridge.close()
    seen = []
    bridge.changed.connect(seen.append)
    job = bridge.queue.submit(walk())
    qtbot.waitUntil(lambda: job.ended, timeout=20_000)
    qtbot.wait(120)
    assert seen == []
