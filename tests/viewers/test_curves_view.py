import csv
import json
import time

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QToolButton

from app.viewers.curve_grid import cells
from app.viewers.curve_series import smoothed
from app.viewers.plot_axis import apart, nice, nice_powers, short
from app.viewers.registry import Shown
from engines.core import ELAPSED
from engines.data import Curve
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
    assert view._panels["hinge"].heading.values == [(0.25, "")]
    view.together.setChecked(True)
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
    assert set(view.legend.chips) == {"first", "second"}
    small = {key: view.pen_of(key) for key in view.series}
    assert small["first", "loss"].style() == small["first", "IoU"].style()
    view.together.setChecked(True)
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
    view.together.setChecked(True)
    view.findChild(QToolButton, "series-IoU").click()
    state = json.loads(json.dumps(view.state()))
    other = show("curves")
    other.restore(state)
    other.set_series("IoU", [1, 2], [1, 2])
    assert other.state() == state
    assert not other._series[("", "IoU")].on


def test_each_quantity_has_its_own_scale_and_one_x_axis_is_shared(show, qtbot):
    view = show("curves", 270, 170)
    x = np.arange(1, 1601, 5)
    view.set_series("hinge", x, np.linspace(0, 200, len(x)))
    view.set_series("learning rate", x, np.geomspace(1e-2, 1e-5, len(x)))
    view.set_series("iou", x, np.linspace(0, 0.9, len(x)))
    qtbot.wait(120)
    assert list(view._panels) == ["hinge", "learning rate", "iou"]
    for name, top in (("hinge", 200), ("learning rate", 1e-2), ("iou", 0.9)):
        low, high = view._panels[name].plot.vb.viewRange()[1]
        assert top < high < 1.3 * top
        assert low < 0.2 * top
    assert not view.grid.scrolls
    panels = [panel.geometry() for panel in view.grid.panels]
    assert not any(a.intersects(b) for k, a in enumerate(panels) for b in panels[k + 1 :])
    view.plot.vb.setXRange(300, 700, padding=0)
    assert all(p.plot.vb.viewRange()[0] == pytest.approx([300, 700]) for p in view._panels.values())
    view._panels["iou"].hovered.emit(801.0)
    assert all(panel.cross.isVisible() for panel in view._panels.values())
    assert view._panels["iou"].heading.values[0][0] == pytest.approx(0.45, abs=0.01)
    view.fit()
    assert view.plot.vb.viewRange()[0][1] > 1500
    view.together.trigger()
    assert list(view._panels) == [""]
    assert len(view.legend.chips) == 3


def test_series_of_one_quantity_share_a_plot(show):
    view = show("curves")
    view.show_artifacts([Shown("c", "Densities", curve().replace(y_label="density"))])
    assert view.together.isChecked()


@pytest.mark.parametrize("size", [(1200, 400), (600, 300), (280, 500), (270, 134)])
def test_plots_fill_what_room_there_is(size):
    for count in range(1, 13):
        found, needed = cells(count, *size)
        assert len(found) == count
        rects = [cell.rect for cell in found]
        assert all(rect.left() >= 0 and rect.right() < size[0] + 1 and rect.bottom() <= needed for rect in rects)
        assert not any(a.intersects(b) for k, a in enumerate(rects) for b in rects[k + 1 :])
        assert len({rect.left() for rect in rects}) <= 4
        assert sum(cell.is_last for cell in found) == len({rect.left() for rect in rects})


def test_axes_have_few_round_numbers():
    assert nice(0, 1600, 3) == [0, 1000]
    assert nice(0.15, 0.75, 2) == pytest.approx([0.2, 0.6])
    assert nice(-1, 1, 3) == [-1, 0, 1]
    assert nice(1, 1, 3) == []
    assert nice_powers(-5, -2, 4) == [-5, -4, -3, -2]
    assert [10**v for v in nice_powers(0.1, 0.9, 3)] == pytest.approx([2, 5])
    assert [short(v) for v in (0, 0.25, 1500, 1.18e-5, -2e7)] == ["0", "0.25", "1500", "1.18e−5", "−2e7"]


def test_the_x_axis_is_named_where_its_numbers_are(show, qtbot):
    view = show("curves", 270, 300)
    for name in ("bce", "hinge", "iou"):
        view.set_series(name, np.arange(100), np.arange(100.0))
    qtbot.wait(100)
    panels = view.grid.panels
    assert [p.x_word.isVisible() for p in panels] == [p.has_x_numbers for p in panels]
    last = panels[-1]
    assert last.x_word.text() == "step"
    word = last.x_word.sceneBoundingRect()
    assert word.right() < last.plot.vb.sceneBoundingRect().left()
    assert last.graphics.sceneRect().contains(word)
    view.together.setChecked(True)
    assert not view.grid.panels[0].x_word.isVisible()
    assert view.plot.getAxis("bottom").labelText == "step"


def test_all_in_one_plot_shows_everything_at_once(show, qtbot):
    view = show("curves", 600, 300)
    for name in ("bce", "hinge"):
        view.set_series(name, np.arange(1600), np.linspace(0, 14, 1600))
    view.smoothing_slider.setValue(45)
    view.together.setChecked(True)  # before the plots have been drawn once
    qtbot.wait(200)
    (low, high), (bottom, top) = view.plot.vb.viewRange()
    assert low <= 0 < 1599 <= high < 1800
    assert bottom <= 0
    assert top > 12


def test_points_that_cannot_be_drawn_do_no_harm(show, qtbot):
    view = show("curves", 600, 300)
    view.set_series("none", [], [])
    view.set_series("single", [5], [0.3])
    view.set_series("unknown", [1, 2, 3], [np.nan] * 3)
    view.set_series("endless", [1, 2, 3], [1, np.inf, 3])
    view.set_series("negative", [1, 2, 3], [-1, -2, -3])
    for log in (False, True):
        view.y_log.setChecked(log)
        view.x_log.setChecked(log)
        for together in (False, True):
            view.together.setChecked(together)
            view.smoothing_slider.setValue(40 if together else 0)
            qtbot.wait(90)
            for panel in view.grid.panels:
                assert np.isfinite(panel.plot.vb.viewRange()).all()
            view.show_values_at(2.0)
            assert view.screenshot(300, 200).shape == (200, 300, 3)


def test_curves_of_runs_can_be_read_against_seconds(show):
    view = show("curves", 480, 320)
    view.set_series("loss", [0, 10, 20], [3.0, 2.0, 1.0], run="slow")
    assert not view.against_time.isEnabled()  # nobody knows yet when that was
    view.set_series(ELAPSED, [0, 10, 20], [0.0, 5.0, 30.0], run="slow")
    view.set_series("loss", [0, 10, 20], [3.0, 1.5, 0.5], run="fast")
    view.set_series(ELAPSED, [0, 10, 20], [0.0, 1.0, 2.0], run="fast")
    assert view.names == ["loss"]  # the clock is no curve
    view.against_time.setChecked(True)
    assert view.series["slow", "loss"][0].tolist() == [0, 5, 30]
    assert view.series["fast", "loss"][0].tolist() == [0, 1, 2]
    view.set_series("loss", [0, 10, 20, 25], [3.0, 1.5, 0.5, 0.4], run="fast")
    view.set_series(ELAPSED, [0, 10, 20, 25], [0.0, 1.0, 2.0, 2.5], run="fast")
    assert view.series["fast", "loss"][0].tolist() == [0, 1, 2, 2.5]
    view.against_time.setChecked(False)
    assert view.series["slow", "loss"][0].tolist() == [0, 10, 20]


def test_series_over_the_union_of_their_steps_are_whole_lines(show):
    """Convergence of several solvers: where one has no value, its line goes on to the next that it has."""
    curve = Curve(
        x=[0, 1, 2, 3, 4], series={"Newton": [1, np.nan, 1e-6, np.nan, 1e-12], "Sinkhorn": [1, 0.5, np.nan, 0.2, 0.1]},
        y_log=True, y_label="marginal error",
    )  # fmt: skip
    view = show("curves", 600, 400)
    view.show_artifacts([Shown("c", "Convergence", curve)])
    x, y = view.series["", "Newton"]
    assert x.tolist() == [0, 2, 4]
    assert y.tolist() == [1, 1e-6, 1e-12]
    assert view.series["", "Sinkhorn"][0].tolist() == [0, 1, 3, 4]


def test_numbers_of_a_scale_have_as_many_figures_as_tell_them_apart():
    assert apart([7.821, 7.826, 7.831]) == ["7.821", "7.826", "7.831"]
    assert apart([0.0, 0.5, 1.0]) == ["0", "0.5", "1"]
    assert apart([3.316e-9, 3.318e-9]) == ["3.316e−9", "3.318e−9"]
    assert apart([12345.1, 12345.4]) == ["12345.1", "12345.4"]
    assert apart([]) == []
