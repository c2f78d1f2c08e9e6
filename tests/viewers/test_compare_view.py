import json

import numpy as np
import pytest

from app.viewers.compare_view import Compared, CompareView, differing, joined_scores
from engines.data import Table
from tests.viewers.conftest import ball


def run(title, radius, **params):
    steps = np.arange(10)
    table = Table(columns={"Surface": np.array(["mesh"]), "IoU": np.array([0.9 * radius])})
    return Compared(title, ball(radius), {"loss": (steps, 1.0 / (1 + steps))}, params, table)


def test_params_and_scores_side_by_side():
    runs = [run("OReX", 1.0, steps=2000, hinge=1e-4), run("OReX", 0.9, steps=2000, hinge=0.0, extra=True)]
    table = differing(runs)
    assert table.columns["param"].tolist() == ["hinge", "extra"]
    assert table.columns["OReX (1)"].tolist() == ["0.0001", "–"]
    scores = joined_scores(runs)
    assert scores.columns["difference"] == pytest.approx([-0.09])
    assert differing([runs[0], runs[0]]).rows == 0
    assert joined_scores([Compared("a"), Compared("b")]) is None


def test_two_runs_share_camera_and_colour_scale(show, qtbot):
    view = show("", 640, 560, cls=CompareView, parent=None)
    with qtbot.waitSignal(view.distances_ready, timeout=20_000):
        view.set_runs(run("one", 0.95), run("two", 0.8), ball(1.0, around=40))
    assert np.median(view.distances[0]) == pytest.approx(0.05, abs=0.01)
    assert np.median(view.distances[1]) == pytest.approx(0.2, abs=0.01)
    first, second = (scene.layers["mesh"] for scene in view.scenes)
    assert first.scalar == second.scalar == "distance"
    assert first.value_range == second.value_range
    assert first.value_range[0] == 0
    assert len(view.histogram.counts) == 2
    view.scenes[0].set_pose(view.scenes[0].pose.orbited(0.3, 0.1))
    assert view.scenes[1].pose.same_as(view.scenes[0].pose)
    assert set(view.curves.series) == {("one", "loss"), ("two", "loss")}
    view.by_distance.click()
    assert first.scalar == ""
    assert view.scenes[0].colour_bars() == []
    shot = view.screenshot(320, 240)
    assert shot.shape == (240, 320, 3)
    assert shot.std() > 5
    state = json.loads(json.dumps(view.state()))
    view.restore(state)
    view.restore({"scenes": 3, "tab": 99, "sizes": ["a"]})


def test_a_run_without_surface_says_so(show):
    view = show("", 640, 560, cls=CompareView, parent=None)
    view.set_runs(run("one", 1.0), Compared("two"))
    assert "need a surface" in view.notice.text()
    assert not view.by_distance.isEnabled()
