import json
from dataclasses import replace

import numpy as np
import pytest

from app.viewers import overlay
from app.viewers.compare_view import CompareView
from app.viewers.compared import Compared, differing, joined_scores
from app.viewers.histogram_view import HistogramView, Shares
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
    view.restore({"scenes": 3, "tab": 99, "sizes": [10**30, 1]})


def test_a_run_without_surface_says_so(show):
    view = show("", 640, 560, cls=CompareView, parent=None)
    view.set_runs(run("one", 1.0), Compared("two"))
    assert "need a surface" in view.notice.text()
    assert not view.by_distance.isEnabled()


@pytest.fixture
def compared(show, qtbot):
    """Two measured balls, of which the second knows no unit."""
    view = show("", 700, 600, cls=CompareView, parent=None)
    second = run("two", 0.8)
    second = replace(second, mesh=second.mesh.replace(unit=""))
    with qtbot.waitSignal(view.distances_ready, timeout=20_000):
        view.set_runs(run("one", 0.95), second, ball(1.0, around=40))
    return view


def test_one_legend_with_its_unit_serves_both_sides_while_they_share_a_scale(compared):
    left, right = compared.scenes
    assert compared.legend.isVisible()
    assert compared.legend.bar.unit == "mm"  # that of the others, as the distances take it
    assert right.unit == "mm"
    assert left.stage.bars_elsewhere
    assert right.stage.bars_elsewhere
    right.set_style("mesh", replace(right.layers["mesh"].style, high=1.0))
    assert not compared.legend.isVisible()
    assert not left.stage.bars_elsewhere
    assert not right.stage.bars_elsewhere
    right.set_style("mesh", left.layers["mesh"].style)
    assert compared.legend.isVisible()
    compared.by_distance.click()
    assert not compared.legend.isVisible()


def test_the_tools_of_a_comparison_act_on_both_sides(compared, qtbot):
    left, right = compared.scenes
    assert not left.bar.isVisible()
    assert not right.bar.isVisible()
    action = {a.objectName(): a for a in compared.actions()}
    action["clip"].trigger()
    assert left.clip.active
    assert right.clip.active
    right.clip.set_plane([0.1, 0.2, 0.0], [0.0, 1.0, 0.0])  # as when its knob is dragged
    assert np.allclose(left.clip.origin, [0.1, 0.2, 0.0])
    assert np.allclose(left.clip.normal, [0, 1, 0])
    right.clip_action.trigger()  # as its key does
    assert not left.clip.active
    assert not action["clip"].isChecked()
    action["parallel"].trigger()
    assert left.pose.parallel
    assert right.pose.parallel
    right.parallel.trigger()
    assert not action["parallel"].isChecked()
    assert not any(scene.panel.isVisible() for scene in compared.scenes)
    compared.resize(1200, 600)  # wide enough for the panels: they stay shut all the same
    qtbot.waitUntil(lambda: not left.stage.is_narrow)
    assert not any(scene.panel.isVisible() for scene in compared.scenes)
    action["layers"].trigger()
    assert all(scene.panel.isVisible() for scene in compared.scenes)
    right.layers_action.trigger()
    assert not any(scene.panel.isVisible() for scene in compared.scenes)
    assert not action["layers"].isChecked()
    action["reset"].trigger()
    assert left.pose.same_as(right.pose)


def test_shares_compare_items_of_different_size_and_strays_do_not_take_the_axis(show):
    view = show("", 500, 300, cls=HistogramView, parent=None)
    values = np.linspace(0, 1, 2000)
    many = np.append(np.tile(values, 5), [40.0] * 10)
    view.set_values([("few", {"d": values}), ("many", {"d": many})], {"d": "mm"}, Shares("vertices", "Distance", 0.995))
    assert view.edges[-1] == pytest.approx(1.0, abs=0.01)
    few, all_ = (item.getData()[1] for item in view.plot.listDataItems())
    assert few.sum() == pytest.approx(100, abs=0.6)
    assert all_ == pytest.approx(few, abs=0.1)
    assert view.plot.getAxis("bottom").labelText == "Distance (mm)"
    said = view._legend.text
    assert "mean 0.5 mm" in said
    assert "0.5 % beyond 0.996 mm" in said  # what a quantile of 99.5 % leaves
    assert "up to 40 mm" in said


@pytest.mark.parametrize(("width", "height"), [(370, 260), (240, 300), (540, 260), (300, 180)])
def test_bars_of_a_small_view_keep_to_their_row_and_are_whole(app, width, height):
    from PySide6.QtCore import QSizeF
    from PySide6.QtGui import QImage, QPainter

    from app.viewers.camera import DEFAULT

    image = QImage(width, height, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter, size = QPainter(image), QSizeF(width, height)
    ends = overlay.draw_scale_bar(painter, size, DEFAULT, "mm")
    bar = overlay.ColourBar("distance", "viridis", 0.0, 8.47, "mm")
    overlay.draw_flat_bars(painter, size, [bar], ends + 24, width - 12)
    painter.end()
    painted = np.frombuffer(image.constBits(), np.uint8).reshape(height, width, 4)[..., 3] > 0
    assert not painted[: height - 44].any()
    assert not painted[:, width - 8 :].any()
    assert not painted[:, round(ends) + 4 : round(ends) + 20].any()  # the two stand apart
    assert painted[:, round(ends) + 24 :].sum() > 500
