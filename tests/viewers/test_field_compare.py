"""Runs with fields compared: errors against the truth, standings, maps at one scale."""

import numpy as np
import pytest

from app.viewers.compared import Compared, judged, standings
from app.viewers.field_compare import ERRORS, FieldCompareView
from tests.viewers.fields import pulse, taylor_green


def off_by(amount: float, **more) -> Compared:
    field = pulse()
    return Compared(
        "Solver", field=field.replace(values=field.values + amount), truth=field, stored=101, seconds=2.5,
        curves={"loss": ([0, 1, 2], [3.0, 2.0, 1.0])}, params={"step": amount}, **more,
    )  # fmt: skip


def test_standings_are_the_closed_forms_and_a_run_without_truth_takes_the_others():
    runs = [off_by(0.1), Compared("Other", field=off_by(0.2).field), Compared("Mesh only")]
    table = standings(runs, judged(runs))
    norm = np.linalg.norm(pulse().values)
    expected = 0.1 * np.sqrt(pulse().values.size) / norm
    assert table.columns["relative L2 error"][:2] == pytest.approx([expected, 2 * expected])
    assert table.columns["largest error"][:2] == pytest.approx([0.1, 0.2])
    assert np.isnan(table.columns["largest error"][2])
    assert judged(runs)[2].why == "no field"


def test_three_runs_side_by_side_with_their_errors(show, qtbot, tmp_path):
    view = show("field", 900, 700, cls=FieldCompareView)
    with qtbot.waitSignal(view.judged_ready, timeout=20_000):
        view.set_runs([off_by(0.1), off_by(0.2), off_by(-0.3)])
    assert [s.name for s in view.maps.shown_sources][:3] == ["Solver (1)", "Solver (2)", "Solver (3)"]
    assert view.standings.findChildren(object)
    view.choice[ERRORS].click()
    assert len(view.maps.shown_sources) == 3
    for source, amount in zip(view.maps.shown_sources, (0.1, 0.2, -0.3), strict=True):
        np.testing.assert_allclose(source.artifact.values, amount)
    assert {run for run, _ in view.over_time.series} == {"Solver (1)", "Solver (2)", "Solver (3)"}
    assert {run for run, _ in view.curves.series} == {"Solver (1)", "Solver (2)", "Solver (3)"}
    assert view.screenshot(600, 500).std() > 5
    state = view.state()
    again = show("field", 900, 700, cls=FieldCompareView)
    with qtbot.waitSignal(again.judged_ready, timeout=20_000):
        again.set_runs([off_by(0.1), off_by(0.2)])
        again.restore(state)
    assert again.state()["which"] == ERRORS
    again.restore({"which": 7, "tab": "x", "sizes": [0], "maps": 3, "curves": None})


def test_fields_of_other_quantities_are_told(show, qtbot):
    view = show("field", 900, 700, cls=FieldCompareView)
    with qtbot.waitSignal(view.judged_ready, timeout=20_000):
        view.set_runs([off_by(0.1), Compared("Flow", field=taylor_green())])
    assert view.notice.text()
    assert view.choice[ERRORS].isEnabled()  # of the one that is known
