import csv
import json
import time

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QToolButton

from app.viewers.curve_series import smoothed
from app.viewers.registry import Shown
from tests.viewers.conftest import curve


def test_smoothing_is_the_moving_average_without_its_bias():
    values = np.array([2.0, 4.0, np.nan, 1.0, 5.0])
    weight, mean, seen = 0.6, 0.0, []
    for k, y in enumerate(values[np.isfinite(values)]):
        mean = weight * mean + (1 - weight) * y
        seen.append(mean / (1 - weight ** (k + 1)))
    found = smoothed(values, weight)
    assert np.isnan(found[2])
    assert found[np.isfinite(found)] == pytest.approx(seen)
    assert smoothed(np.full(50, 3.0), 0.95) == pytest.approx(3.0)


def test_a_curve_and_live_series(show, qtbot):
    view = show("curves", 480, 320)
    view.show_artifacts([Shown("c", "Loss", curve())])
    assert set(view.series) == {("", "loss"), ("", "IoU")}
    qtbot.wait(100)
    assert view.screenshot(400, 300).std() > 5
    for n in range(1, 20):
        view.set_series("hinge", list(range(n)), [1.0 / (k + 1) for k in range(n)])
    qtbot.wait(120)
    assert len(view._series[("", "hinge")].line.getData()[0]) == 19
    view.show_values_at(3.2)
    chip = view.findChild(QToolButton, "series-hinge")
    assert "0.25" in chip.text()
    chip.click()
    assert not view._series[("", "hinge")].line.isVisible()
    view.show_artifacts([])
    assert set(view.series) == {("", "hinge")}


def test_runs_differ_by_colour_and_quantities_by_dash(show):
    view = show("curves")
    for run in ("first", "second"):
        for name in ("loss", "IoU"):
            view.set_series(name, [0, 1, 2], [1, 2, 3], run=run)
    pens = {key: view.pen_of(key) for key in view.series}
    assert pens["first", "loss"].color() == pens["first", "IoU"].color() != pens["second", "loss"].color()
    assert pens["first", "loss"].style() == pens["second", "loss"].style() != pens["first", "IoU"].style()


def test_a_million_points_stay_quick(show, qtbot):
    view = show("curves", 800, 400)
    x = np.arange(1_000_000, dtype=float)
    y = np.sin(x / 5e4) + np.random.default_rng(0).normal(0, 0.1, len(x))
    view.set_series("loss", x, y)
    view.smoothing_slider.setValue(50)
    start = time.perf_counter()
    view._refresh()
    QApplication.processEvents()
    view.grab()
    first = time.perf_counter() - start
    start = time.perf_counter()
    for k in range(5):
        view.plot.setXRange(1e5 * k, 1e5 * k + 3e5)
        view.grab()
    zoom = (time.perf_counter() - start) / 5
    assert first < 4.0, first
    assert zoom < 0.6, zoom


def test_csv_has_every_series_over_the_joined_steps(show, tmp_path):
    view = show("curves")
    view.set_series("loss", [0, 1, 2, 4], [1.5, 1.25, 1.0, np.nan])
    view.set_series("IoU", [2, 4], [0.5, 0.75])
    view.export_csv(tmp_path / "c.csv")
    with open(tmp_path / "c.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["step", "loss", "IoU"], ["0", "1.5", ""], ["1", "1.25", ""], ["2", "1", "0.5"], ["4", "", "0.75"]]


def test_log_axes_and_state(show):
    view = show("curves")
    view.show_artifacts([Shown("c", "Loss", curve().replace(y_log=True))])
    assert view.y_log.isChecked()
    view.x_log.trigger()
    view.smoothing_slider.setValue(30)
    view.findChild(QToolButton, "series-IoU").click()
    state = json.loads(json.dumps(view.state()))
    other = show("curves")
    other.restore(state)
    other.set_series("IoU", [1, 2], [1, 2])
    assert other.state() == state
    assert not other._series[("", "IoU")].on
