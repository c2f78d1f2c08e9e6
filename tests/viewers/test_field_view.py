import json
import time

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QPixmap
from PySide6.QtWidgets import QApplication

from app.viewers.colour_maps import table
from app.viewers.field_plots import Trace, TracePlot
from app.viewers.links import TimeLink
from app.viewers.registry import Shown
from engines.data import SampledField
from tests.viewers.fields import linear, pulse, taylor_green


def colour(view, pane, right, up):
    """(4,) RGBA that is drawn at a point of a map."""
    rect, image = pane.map.image.mapRectToParent(pane.map.image.boundingRect()), pane.map.image.image
    i = int((right - rect.left()) / rect.width() * image.shape[1])
    j = int((up - rect.top()) / rect.height() * image.shape[0])
    return image[j, i].astype(int)


def on_map(pane, right, up) -> QPoint:
    """Where a point of the plane is in the map's widget."""
    QApplication.processEvents()
    return pane.map.mapFromScene(pane.map.plot.vb.mapViewToScene(QPointF(right, up)))


def drag(widget, start: QPoint, end: QPoint) -> None:
    kinds, left, none = QEvent.Type, Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    moves = [(kinds.MouseMove, start + (end - start) * share, none, left) for share in (0.2, 0.6, 1.0)]
    steps = [(kinds.MouseMove, start, none, none), (kinds.MouseButtonPress, start, left, left), *moves]
    for kind, at, button, buttons in [*steps, (kinds.MouseButtonRelease, end, left, none)]:
        place = QPointF(widget.mapToGlobal(at))
        event = QMouseEvent(kind, QPointF(at), place, button, buttons, Qt.KeyboardModifier.NoModifier)
        time.sleep(0.02)  # of moves that follow each other faster, plots take the first only
        QApplication.sendEvent(widget, event)


def test_a_map_lies_right_and_has_zero_in_the_middle_of_its_colours(show):
    view = show("field", 640, 480)
    view.show_artifacts([Shown("f", "Flow", taylor_green())])
    (pane,) = view.panes
    name, low, high = view.drawing.colours
    assert name == "diverging"
    assert low == pytest.approx(-high)
    # u = −cos x sin y: −1 at (0, π/2), 1 at (π, π/2)
    below, above = colour(view, pane, 0.02, np.pi / 2), colour(view, pane, np.pi, np.pi / 2)
    assert np.abs(below[:3] - table("diverging")[0]).max() < 12
    assert np.abs(above[:3] - table("diverging")[255]).max() < 12
    assert "x = 3.142 m, y = 1.571 m   u = 1 m/s" in view.describe(pane, np.pi, np.pi / 2)
    assert view.describe(pane, 9.0, 1.0) == ""
    assert "L² norm" in pane.head.accessibleName()
    assert len(pane.map.contours.line.xData) > 100


def test_quantities_arrows_and_streamlines_of_a_vector(show):
    view = show("field", 640, 480)
    view.show_artifacts([Shown("f", "Flow", taylor_green())])
    assert [view.names.itemText(k) for k in range(view.names.count())] == [
        "u", "v", "|velocity|", "vorticity", "divergence",
    ]  # fmt: skip
    view.names.setCurrentIndex(3)
    view.names.activated.emit(3)
    assert float(view.high.text()) == pytest.approx(2.0, abs=0.05)
    pane = view.panes[0]
    for action, strokes in ((view.arrow_action, pane.map.arrows), (view.stream_action, pane.map.streams)):
        assert strokes.line.xData is None or not len(strokes.line.xData)
        action.trigger()
        assert len(strokes.line.xData) > 100
        action.trigger()
        assert not len(strokes.line.xData)
    view.show_artifacts([Shown("p", "Pulse", pulse())])
    assert not view.arrow_action.isVisible()


def test_a_click_pins_a_point_with_its_history_and_a_click_on_it_takes_it_away(show, qtbot):
    view = show("field", 700, 640)
    field = taylor_green(49, 9)
    view.show_artifacts([Shown("f", "Flow", field)])
    pane = view.panes[0]
    at = on_map(pane, np.pi, np.pi / 2)
    qtbot.mouseClick(pane.map.viewport(), Qt.MouseButton.LeftButton, pos=at)
    ((x, y),) = view.marks.pins
    assert (x, y) == pytest.approx((np.pi, np.pi / 2), abs=0.06)
    assert view.plots.history.isVisible()
    (trace,) = view.plots.history.traces
    assert trace.y == pytest.approx(-np.cos(x) * np.sin(y) * np.exp(-field.times), abs=5e-3)
    view.strip.set_index(4)
    assert view.plots.history.now.value() == pytest.approx(0.5)
    QApplication.processEvents()
    qtbot.mouseClick(pane.map.viewport(), Qt.MouseButton.LeftButton, pos=on_map(pane, np.pi, np.pi / 2))
    assert view.marks.pins == []
    assert not view.plots.isVisible()


def test_a_drag_draws_the_line_and_its_curve(show, qtbot):
    view = show("field", 700, 640)
    view.show_artifacts([Shown("f", "Flow", taylor_green())])
    view.line_action.trigger()
    pane = view.panes[0]
    area = pane.map.viewport()
    start, end = on_map(pane, 0.5, np.pi / 2), on_map(pane, 5.5, np.pi / 2)
    drag(area, start, end)
    assert view.marks.line == pytest.approx(np.array([[0.5, np.pi / 2], [5.5, np.pi / 2]]), abs=0.1)
    (trace,) = view.plots.profile.traces
    x0 = view.marks.line[0, 0]
    assert trace.y == pytest.approx(-np.cos(x0 + trace.x), abs=0.02)
    view.clear_action.trigger()
    assert view.marks.line is None
    assert not view.plots.isVisible()


def test_one_dimension_is_a_strip_in_time_with_the_curve_of_now(show):
    view = show("field", 640, 600)
    view.show_artifacts([Shown("p", "Pulse", pulse())])
    assert view.panes[0].map.shown.is_strip
    view.set_time(0.5)
    (trace,) = view.plots.profile.traces
    assert trace.x[trace.y.argmax()] == pytest.approx(0.5, abs=0.02)
    assert view.panes[0].map.now.value() == pytest.approx(0.5)
    view.marks.pin(0.8, 0.1)
    (history,) = view.plots.history.traces
    assert history.x[history.y.argmax()] == pytest.approx(0.8, abs=0.03)
    still = pulse().replace(values=pulse().values[:1], times=np.zeros(1))
    view.show_artifacts([Shown("s", "Still", still)])
    assert view.panes == []
    assert view.plots.profile.isVisible()
    assert "L² norm" in view.plots.head.accessibleName()
    assert view.plots.profile.describe(0.0) == "x (m) = 0   u = 0.99502"
    assert view.plots.profile.describe(9.0) == ""
    other = still.replace(values=2 * still.values)
    view.show_artifacts([Shown("s", "Still", still), Shown("o", "Other", other)])
    assert not view.plots.differences.isVisible()
    view.difference_action.trigger()
    (away,) = view.plots.differences.traces
    assert away.name == "Other − Still"
    assert away.y == pytest.approx(still.component("u"))
    assert not view.strip.isVisible()


def test_numbers_stand_at_the_ends_of_a_narrow_curve(app, qtbot):
    plot = TracePlot(None, "Profile")
    qtbot.addWidget(plot)
    plot.resize(300, 160)
    plot.show_traces([Trace(np.linspace(0, 1, 9), np.linspace(-1, 1, 9), "u", 0)], "x", "u", None)
    plot.show()
    qtbot.waitExposed(plot)
    QApplication.processEvents()
    page = QPixmap(8, 8)
    painter = QPainter(page)
    _, _, texts = plot.plot.getAxis("bottom").generateDrawSpecs(painter)
    painter.end()
    assert {"0", "1"} <= {text for _, _, text in texts}


def test_space_is_cut_across_each_axis(show):
    view = show("field", 640, 520)
    view.show_artifacts([Shown("l", "Linear", linear(11, 2))])
    assert view.slider.isVisible()
    for axis, action in enumerate(view.axis_actions):
        action.trigger()
        assert view.axis == axis
        assert view.slider.maximum() == 10 + axis
        view.slider.setValue(3)
        place = [0.5, 0.5, 0.5]
        place[axis] = float(linear().axes[axis][3])
        shown = view.panes[0].map.shown
        expected = place[0] + 10 * place[1] + 100 * place[2]
        assert float(shown.at(0.5, 0.5)) == pytest.approx(expected, rel=0.02)
    assert view.position_text.text().startswith("z = ")
    view.marks.pin(0.5, 0.5)
    assert len(view.marks.pins[0]) == 3
    assert view.plots.history.traces[0].y[1] > view.plots.history.traces[0].y[0]


def test_two_fields_share_their_colours_and_show_their_difference(show):
    view = show("field", 1000, 480)
    x = np.linspace(0, 1, 21)
    X, _ = np.meshgrid(x, x, indexing="ij")
    fine = np.linspace(0, 1, 64)
    first = SampledField.of(X, x, x)
    second = SampledField.of(np.repeat(fine[:, None], 64, 1) * 1.5, fine, fine)
    view.show_artifacts([Shown("a", "Coarse", first), Shown("b", "Fine", second)])
    assert len(view.panes) == 2
    bars = [pane.bar.bar for pane in view.panes]
    assert (bars[0].low, bars[0].high) == (bars[1].low, bars[1].high) == pytest.approx((0, 1.5), abs=0.01)
    assert colour(view, view.panes[0], 0.99, 0.5).tolist() != colour(view, view.panes[1], 0.99, 0.5).tolist()
    view.difference_action.trigger()
    assert len(view.panes) == 3
    away = view.panes[2].map.shown
    assert away.values.shape == (21, 21)
    assert np.allclose(away.values, 0.5 * X, atol=1e-6)
    assert view.panes[2].head.accessibleName().startswith("Fine − Coarse: relative L² 0.5")
    view.choose_field("b")
    assert len(view.panes) == 1
    assert not view.difference_action.isVisible()


def test_errors_and_other_quantities_have_scales_of_their_own(show):
    view = show("field", 900, 400)
    x = np.linspace(0, 1, 12)
    X, _ = np.meshgrid(x, x, indexing="ij")
    field, error = SampledField.of(10 * X, x, x), SampledField.of(0.01 * X, x, x)
    other = SampledField.of(1000 * X, x, x, components=("p",))
    view.show_artifacts([Shown("f", "Field", field), Shown("e", "Error of it", error), Shown("p", "Pressure", other)])
    assert [pane.bar.bar.high for pane in view.panes] == pytest.approx([10, 0.01, 1000])
    view.high.setText("5")
    view.high.setModified(True)
    view.range_edited()
    assert [pane.bar.bar.high for pane in view.panes] == pytest.approx([5, 0.01, 1000])


def test_times_of_linked_views_are_shared(show, qtbot):
    first, second = show("field", 400, 300), show("field", 400, 300)
    first.show_artifacts([Shown("f", "Flow", taylor_green(17, 11))])
    second.show_artifacts([Shown("p", "Pulse", pulse(51, 6))])
    link = TimeLink()
    link.link([first, second])
    first.set_time(0.7)
    assert second.time == pytest.approx(0.6, abs=0.21)
    second.set_time(0.2)
    assert first.time == pytest.approx(0.2)
    link.link([])
    first.set_time(1.0)
    assert second.time == pytest.approx(0.2)


def test_playing_goes_through_the_times_and_stops_when_hidden(show, qtbot):
    view = show("field", 400, 300)
    view.show_artifacts([Shown("f", "Flow", taylor_green(17, 60))])
    view.strip.toggle()
    assert view.strip.playing
    qtbot.waitUntil(lambda: view.strip.index > 3, timeout=4000)
    view.hide()
    assert not view.strip.playing


def test_state_comes_back_and_junk_is_ignored(show):
    view = show("field", 500, 400)
    items = [Shown("a", "A", taylor_green()), Shown("b", "B", taylor_green(31))]
    view.show_artifacts(items)
    view.choose_quantity("curl velocity")
    view.choose_cmap("soft")
    view.contour_action.trigger()
    view.difference_action.trigger()
    view.strip.set_index(3)
    view.marks.pin(1.0, 2.0)
    view.marks.draw_line(np.array([[1.0, 1.0], [2.0, 3.0]]))
    state = json.loads(json.dumps(view.state()))
    other = show("field", 500, 400)
    other.show_artifacts(items)
    other.restore(state)
    assert other.state() == state
    assert len(other.panes) == 3
    junk = {
        "quantity": 3,
        "axis": True,
        "places": [1],
        "pins": [[1, "a"], 4],
        "line": [[0]],
        "time": "now",
        "range": [1],
    }
    other.restore(junk)
    assert other.marks.pins == []
    assert other.marks.line is None
    assert other.key == "curl velocity"


def test_what_is_no_number_is_left_out(show):
    view = show("field", 400, 300)
    values = np.ones((20, 20))
    values[:10] = np.nan
    x = np.linspace(0, 1, 20)
    view.show_artifacts([Shown("f", "Half", SampledField.of(values, x, x))])
    assert colour(view, view.panes[0], 0.1, 0.5)[3] == 0
    assert colour(view, view.panes[0], 0.9, 0.5)[3] == 255
    view.show_artifacts([Shown("f", "None", SampledField.of(values * np.nan, x, x))])
    assert "no values here" in view.panes[0].head.accessibleName()
    single = SampledField.of(np.ones((1, 1)), np.zeros(1), np.zeros(1))
    view.show_artifacts([Shown("s", "One node", single)])


def test_a_live_preview_keeps_what_the_user_chose(show):
    view = show("field", 400, 300)
    view.show_artifacts([Shown("f", "Flow", taylor_green(17, 3))])
    view.choose_quantity("v")
    view.strip.set_index(2)
    view.show_artifacts([Shown("f", "Flow", taylor_green(33, 9))])
    assert view.key == "v"
    assert view.time == pytest.approx(1.0)


def test_a_solver_that_goes_on_in_time_is_followed_at_its_end(show):
    view = show("field", 400, 300)
    whole = taylor_green(17, 11)

    def until(count):
        part = whole.replace(values=whole.values[:count], times=whole.times[:count])
        view.show_artifacts([Shown("f", "Flow", part)])

    until(1)
    until(3)
    assert view.strip.index == 2
    until(6)
    assert view.strip.index == 5
    view.strip.set_index(2)
    until(8)
    assert view.strip.index == 2
    view.show_artifacts([])
    until(11)
    assert view.strip.index <= 2  # nothing was on show, so nothing is followed


def test_pictures_hold_map_colours_and_curves(show):
    view = show("field", 500, 400)
    view.show_artifacts([Shown("f", "Flow", taylor_green())])
    view.marks.pin(1.0, 2.0)
    shot = view.screenshot(640, 480)
    assert shot.shape == (480, 640, 3)
    assert len(np.unique(shot.reshape(-1, 3), axis=0)) > 200


# Times of the GUI thread on a core, so that what runs beside the tests does not count.


def test_two_hundred_times_of_256_squared_play_at_thirty_frames_a_second(show):
    view = show("field", 900, 700)
    view.show_artifacts([Shown("f", "Flow", taylor_green(256, 200))])
    view.strip.toggle()
    QApplication.processEvents()
    frames = []
    for index in range(0, 200, 4):
        start = time.thread_time()
        view.show_index(index)
        QApplication.processEvents()
        frames.append(time.thread_time() - start)
    assert np.median(frames) < 0.033, f"{np.median(frames) * 1e3:.1f} ms a frame"


def test_512_cubed_in_a_file_is_cut_at_once(show, tmp_path):
    count = 512
    store = np.memmap(tmp_path / "values", np.float32, "w+", shape=(1, 1, count, count, count))
    line = np.sin(np.linspace(0, 6, count, dtype=np.float32))
    for i in range(0, count, 64):
        store[0, 0, i : i + 64] = line[i : i + 64, None, None] * line[:, None] + line
    x = np.linspace(0, 1, count)
    start = time.thread_time()
    field = SampledField(values=store, times=np.zeros(1), x=x, y=x, z=x, dimensions=3)
    view = show("field", 900, 700)
    view.show_artifacts([Shown("f", "Large", field)])
    assert time.thread_time() - start < 5
    for axis in range(3):
        view.set_axis(axis)
        cuts = []
        for index in range(100, 400, 30):
            start = time.thread_time()
            view.slider.setValue(index)
            QApplication.processEvents()
            cuts.append(time.thread_time() - start)
        assert np.median(cuts) < 0.1, f"{np.median(cuts) * 1e3:.0f} ms a cut across axis {axis}"


def test_maps_stand_where_they_are_largest():
    from app.viewers.field_stage import columns_for

    assert columns_for(1, 800, 600) == 1
    assert columns_for(2, 800, 400) == 2
    assert columns_for(2, 400, 900) == 1
    assert columns_for(4, 900, 800) == 2
    assert columns_for(4, 900, 240) == 4
    assert columns_for(5, 1000, 500) == 3
