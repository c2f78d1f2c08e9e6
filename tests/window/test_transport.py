"""Couplings in the window: what opens, what else there is to choose, and two that are compared."""

import numpy as np

from tests.viewers import transports


def test_a_coupling_opens_as_what_moves_and_can_be_seen_as_a_plan(window, add, qtbot):
    ids = add(transports.shift().replace(name="Plan"), transports.independent(*transports.clouds()))
    frame = window.views.show_artifacts(ids[:1])
    qtbot.waitUntil(lambda: bool(frame.viewers()) and frame.viewers()[0].is_settled, timeout=8000)
    assert frame.viewer_key == "transport"
    assert [spec.key for spec in frame.choices()] == ["transport", "coupling", "potentials"]
    assert len(frame.viewers()[0].panes[0].plot.links) == 8
    frame.set_viewer("coupling")
    qtbot.waitUntil(lambda: bool(frame.viewers()) and bool(frame.viewers()[0].panes), timeout=8000)
    both = window.views.show_artifacts(ids)
    qtbot.waitUntil(lambda: bool(both.viewers()) and len(both.viewers()[0].panes) == 2, timeout=8000)


def test_runs_that_gave_couplings_are_compared_with_their_transport(window, add, qtbot):
    from app.project import RunRecord

    made = [transports.shift(), transports.independent(*transports.clouds())]
    ids = add(*made)
    for k, i in enumerate(ids):
        window.bench.project.put_run(
            RunRecord(id=f"r{k}", method="sinkhorn", title=f"Run {k}", outputs={"coupling": i}, status="finished")
        )
    window.run_acts.compare(["r0", "r1"])
    frame = window.views.current
    qtbot.waitUntil(lambda: bool(frame.viewers()), timeout=8000)
    view = frame.viewers()[0]
    assert view.objectName() == "transport-compare-view"
    qtbot.waitUntil(lambda: len(view.transports.panes) == 2 and view.transports.is_settled, timeout=8000)
    titles = [pane.journey.title for pane in view.transports.panes]
    assert titles == ["Run 0", "Run 1"]
    assert np.isfinite(view.transports.time)
