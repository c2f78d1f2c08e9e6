"""Fields in the window: opened from the project, beside each other, at one time."""

import numpy as np
import pytest

from engines.data import SampledField


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
