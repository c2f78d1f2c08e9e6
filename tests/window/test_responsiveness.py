"""The window stays quick while a method trains: gaps of a 10 ms timer on the GUI thread."""

import time

import numpy as np
import pytest
from PySide6.QtCore import QTimer

from app.jobs import JobSpec
from tests.window import samples


def gaps_while_training(window, qtbot, seconds: float, **changes) -> np.ndarray:
    """Milliseconds between ticks while OReX runs in the live view."""
    window.file_acts.new_project()
    params = samples.smoke(**{"steps": 50_000, **changes})
    spec = JobSpec(method="orex", inputs={"slices": samples.slices()}, params=params, device="cpu")
    job = window.bench.queue.submit(spec)
    window.run_acts.started(job.id)
    qtbot.waitUntil(lambda: job.latest_preview is not None, timeout=60_000)
    qtbot.wait(1500)  # the viewers are made once; this is about the steady state
    ticks: list[float] = []
    timer = QTimer()
    timer.setInterval(10)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    qtbot.wait(round(seconds * 1000))
    timer.stop()
    job.cancel()
    qtbot.waitUntil(lambda: job.ended, timeout=10_000)
    return np.diff(ticks) * 1000


def report(gaps: np.ndarray) -> str:
    return f"longest {gaps.max():.0f} ms, p99 {np.percentile(gaps, 99):.0f} ms, median {np.median(gaps):.0f} ms"


def test_the_window_lives_while_a_method_trains(window, qtbot):
    gaps = gaps_while_training(window, qtbot, 4)
    # Other work on the machine may take the only free core: the strict limits are those of the long variant.
    assert np.percentile(gaps, 95) < 100, report(gaps)


@pytest.mark.bench
def test_gaps_of_the_gui_timer(window, qtbot):
    gaps = gaps_while_training(window, qtbot, 30, batch=4096, width=64, depth=7, iterations=3, resolution=64)
    print(report(gaps))
    assert gaps.max() < 100, report(gaps)
    assert np.percentile(gaps, 99) < 33, report(gaps)
