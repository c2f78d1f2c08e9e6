"""Fields in the window: opened from the project, beside each other, at one time."""

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel, QWidget

from app.window.notices import NoticeBox, height_of
from app.window.requests import Note
from engines.data import Problem, SampledField, Table


def flow(times: int) -> SampledField:
    x, t = np.linspace(0, 1, 17), np.linspace(0, 1, times)
    X, Y = np.meshgrid(x, x, indexing="ij")
    return SampledField.of(np.sin(3 * X + t[:, None, None]) * Y, x, x, times=t, name=f"Field of {times} times")


def test_views_side_by_side_share_their_time_while_linked(window, add, qtbot):
    first, second = add(flow(11), flow(6))
    left = window.views.show_artifacts([first])
    qtbot.waitUntil(lambda: bool(left.viewers()), timeout=20_000)
    right = window.views.show_artifacts([second], "scene", side="right")
    qtbot.waitUntil(lambda: bool(right.viewers()), timeout=20_000)
    assert left.viewer_key == "field"
    window.views.link_cameras(True)
    left.viewers()[0].set_time(0.8)
    qtbot.waitUntil(lambda: right.viewers()[0].time == pytest.approx(0.8), timeout=5_000)
    window.views.link_cameras(False)
    left.viewers()[0].set_time(0.2)
    assert right.viewers()[0].time == pytest.approx(0.8)
    window.views.link_cameras(True)


def test_two_fields_open_together_with_their_difference_and_come_back(window, add, qtbot):
    ids = add(flow(5), flow(9))
    frame = window.views.show_artifacts(ids)
    qtbot.waitUntil(lambda: bool(frame.viewers()), timeout=20_000)
    view = frame.viewers()[0]
    assert len(view.panes) == 2
    view.difference_action.trigger()
    state = window.views.state()
    assert window.views.restore(state)
    (again,) = window.views.frames()
    qtbot.waitUntil(lambda: bool(again.viewers()) and len(again.viewers()[0].panes) == 3, timeout=20_000)


def test_a_table_that_is_selected_becomes_the_measurements_when_the_method_is_opened(window, add):
    window.file_acts.new_project()
    x = np.linspace(0, 1, 5)
    table = Table(columns={"x": x, "t": x, "u": x})
    problem = Problem(
        coordinates=("x", "t"), time="t", lower=[0, 0], upper=[1, 1], equations=("u_t = k*u_xx",), estimated={"k": 1.0},
        conditions=("u = 0 on boundary",),
    )  # fmt: skip
    what, measured = add(problem, table)
    page = window.method_panel.open_method("pig")
    assert page.inputs.ids() == {"problem": what}
    window.project_panel.select([measured])
    assert page.inputs.ids() == {"problem": what}  # looking about changes nothing
    window.method_panel.show_gallery()
    page = window.method_panel.open_method("pig")
    assert page.inputs.ids() == {"problem": what, "measurements": measured}


@pytest.mark.parametrize("width", range(240, 353, 8))
def test_a_notice_shows_all_that_it_says(themed, qtbot, width):
    host = QWidget()
    qtbot.addWidget(host)
    box = NoticeBox(Note("PIG 1 failed", "bad", detail="Coefficients are to be found (nu), but nothing is known"), host)
    box.ensurePolished()
    box.resize(width, height_of(box, width))
    box.layout().activate()
    for label in box.findChildren(QLabel):
        assert label.height() >= label.heightForWidth(label.width())
