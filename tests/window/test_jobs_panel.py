"""Jobs: pause, resume and cancel by the buttons, order of the queue, errors in three sentences."""

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel

from app.jobs import JobSpec
from app.window.job_detail import scores_text
from app.window.jobs_panel import status_text
from app.window.wording import left_text
from engines.data import Table
from tests.window import samples
from tests.window.conftest import find


@pytest.fixture
def submit(window, qtbot):
    """Queue OReX on a small torus with many steps."""
    window.file_acts.new_project()
    ring = samples.slices()

    def go(**changes):
        params = samples.smoke(**{"steps": 50_000, **changes})
        job = window.bench.queue.submit(JobSpec(method="orex", inputs={"slices": ring}, params=params, device="cpu"))
        qtbot.waitUntil(lambda: window.jobs_panel.row(job.id) is not None)
        return job

    return go


def test_pause_resume_and_cancel_by_the_buttons(window, submit, click, qtbot):
    job = submit()
    row = window.jobs_panel.row(job.id)
    qtbot.waitUntil(lambda: job.status == "running" and job.progress is not None, timeout=30_000)
    qtbot.waitUntil(lambda: find(row, "Pause").isVisible())
    click(find(row, "Pause"))
    assert job.status == "paused"
    qtbot.waitUntil(lambda: find(row, "Resume").isVisible())
    click(find(row, "Resume"))
    assert job.status == "running"
    click(find(row, "Cancel"))
    qtbot.waitUntil(lambda: job.status == "cancelled", timeout=5_000)
    qtbot.waitUntil(lambda: row.cancel.isHidden())
    assert "Cancelled" in find(row, "Status of the job", QLabel).text()
    qtbot.waitUntil(lambda: window.bench.project.runs[job.run_id].status == "cancelled")


def test_the_order_of_the_queue_can_be_changed(window, submit, qtbot):
    first, second, third = submit(), submit(), submit()
    qtbot.waitUntil(lambda: first.status == "running", timeout=30_000)
    assert status_text(third, 2) == "Queued, number 2"
    menu = window.jobs_panel._menu_of(third)
    next(a for a in menu.actions() if a.text() == "Run sooner").trigger()
    qtbot.waitUntil(lambda: window.bench.queue.jobs == [first, third, second])
    for job in (third, second, first):
        job.cancel()
    qtbot.waitUntil(lambda: all(j.ended for j in (first, second, third)), timeout=10_000)
    window.jobs_panel.clear_ended()
    qtbot.waitUntil(lambda: window.jobs_panel.list.count() == 0)
    assert find(window.jobs_panel, "Nothing runs").isVisible()


def test_a_run_shows_curves_log_and_the_line_that_repeats_it(window, submit, qtbot):
    job = submit(steps=60)
    qtbot.waitUntil(lambda: job.ended, timeout=60_000)
    detail = window.jobs_panel.detail
    window.jobs_panel.select(job.id)
    qtbot.waitUntil(lambda: detail._curves is not None)
    qtbot.waitUntil(lambda: "fieldwright run orex" in detail.command.text())
    assert detail.error.isHidden()


def test_what_the_user_can_mend_is_said_so(window, submit, qtbot):
    ring = samples.slices()
    lone = ring.select(ring.loop_planes == 0).replace(normals=ring.normals[:1], offsets=ring.offsets[:1])
    params = samples.smoke()
    job = window.bench.queue.submit(JobSpec(method="orex", inputs={"slices": lone}, params=params, device="cpu"))
    qtbot.waitUntil(lambda: job.ended, timeout=30_000)
    assert job.status == "failed"
    window.jobs_panel.select(job.id)
    qtbot.waitUntil(lambda: not window.jobs_panel.detail.error.isHidden())
    assert job.user_error.what in window.jobs_panel.detail.error._what.text()
    qtbot.waitUntil(lambda: any("failed" in b.note.text for b in window.notices.boxes()))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.2, "less than 1 s left"),
        (7.4, "7 s left"),
        (45, "45 s left"),
        (131, "2 min 10 s left"),
        (7300, "2 h 1 min left"),
    ],
)
def test_time_left_is_said_as_a_person_would(seconds, text):
    assert left_text(seconds) == text


def test_a_resumed_job_takes_the_place_of_the_one_that_was_cancelled(window, add, qtbot):
    from app.jobs import JobSpec

    window.file_acts.new_project()
    params = samples.smoke(steps=50_000)
    job = window.bench.queue.submit(
        JobSpec(method="orex", inputs={"slices": samples.slices()}, params=params, device="cpu", title="Long")
    )
    qtbot.waitUntil(lambda: bool(job.curves), timeout=60_000)
    job.cancel()
    qtbot.waitUntil(lambda: any("was cancelled" in b.note.text for b in window.notices.boxes()), timeout=20_000)
    (box,) = [b for b in window.notices.boxes() if "was cancelled" in b.note.text]
    box.button.click()
    qtbot.waitUntil(lambda: [j.id for j in window.bench.queue.jobs] not in ([job.id], []), timeout=20_000)
    (again,) = window.bench.queue.jobs
    assert again.run_id == job.run_id
    qtbot.waitUntil(lambda: window.jobs_panel.selected() is again)
    assert not [b for b in window.notices.boxes() if "was cancelled" in b.note.text]
    again.cancel()
    qtbot.waitUntil(lambda: again.ended, timeout=20_000)


def test_a_method_without_curves_says_so_at_its_end_and_gives_its_scores(window, add, qtbot):
    from engines.core import catalog

    method = catalog().get("poisson-contours")
    spec = JobSpec(
        method=method.key,
        inputs={"slices": samples.slices()},
        params=method.params.parse(method.smoke.params),
        device="cpu",
    )
    job = window.bench.queue.submit(spec)
    window.jobs_panel.select(job.id)
    qtbot.waitUntil(lambda: job.ended, timeout=60_000)
    assert job.status == "finished", job.error
    assert not job.curves
    page = window.jobs_panel.detail._no_curves
    qtbot.waitUntil(lambda: page.title.text() == "This method reports no curves")
    columns = {
        "Surface": np.array(["a"]),
        "IoU": np.array([0.9412]),
        "Chamfer distance": np.array([0.4501]),
        "Volume": np.array([5e5]),
        "Reference volume": np.array([5e5]),
        "Normal error": np.array([np.nan]),
    }
    table = Table(columns=columns, units={"Chamfer distance": "mm", "Volume": "mm³"})
    assert scores_text(table) == "Scores: IoU 0.941, Chamfer distance 0.45\u00a0mm"
