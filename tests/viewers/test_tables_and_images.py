import csv
import json

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from app.viewers.registry import Shown
from engines.data import Displacements, Measure, Model
from tests.viewers.conftest import ball_field, picture, scores


def column(view, index):
    model = view.view.model()
    return [model.data(model.index(row, index)) for row in range(model.rowCount())]


def test_a_table_is_sorted_copied_and_saved(show, tmp_path):
    view = show("table", 420, 240)
    view.show_artifacts([Shown("t", "Scores", scores())])
    assert column(view, 1) == ["0.97", "0.95", "–"]
    assert view.view.model().headerData(2, Qt.Orientation.Horizontal) == "Volume (mm³)"
    view.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert column(view, 0) == ["b", "a", "c"]  # what was not measured comes last
    view.view.sortByColumn(2, Qt.SortOrder.AscendingOrder)
    assert column(view, 0) == ["c", "b", "a"]
    view.copy()
    lines = QGuiApplication.clipboard().text().split("\n")
    assert lines[0].split("\t") == ["Surface", "IoU", "Volume (mm³)"]
    assert lines[3].split("\t") == ["a", "0.95", "1234567.891"]
    view.export_csv(tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        assert [row[0] for row in csv.reader(file)] == ["Surface", "c", "b", "a"]
    state = json.loads(json.dumps(view.state()))
    other = show("table")
    other.restore(state)
    other.show_artifacts([Shown("t", "Scores", scores())])
    assert column(other, 0) == ["c", "b", "a"]


def test_a_model_is_a_table_of_its_weights(show):
    view = show("table")
    weights = {"net.0.weight": np.full((2, 3), 0.5, np.float32), "net.0.bias": np.array([1.0, 3.0])}
    view.show_artifacts([Shown("w", "Network", Model(weights=weights, method="orex"))])
    assert column(view, 0) == ["net.0.weight", "net.0.bias"]
    assert column(view, 1) == ["2 × 3", "2"]
    assert column(view, 3) == ["0.5", "2"]


def test_a_histogram_counts_every_value(show):
    view = show("histogram", 480, 300)
    field = ball_field(quantity="logit")
    view.show_artifacts([Shown("f", "Field", field)])
    assert view.counts[0].sum() == field.values.size
    assert view.screenshot(300, 200).std() > 5
    view.bins.setValue(10)
    assert len(view.counts[0]) == 10
    view.set_values([("one", {"distance": np.array([0.0, 1, 2])}), ("two", {"distance": np.array([1.0, np.nan])})])
    assert [int(c.sum()) for c in view.counts] == [3, 1]  # over the same bins
    view.restore({"values": "nothing like it", "bins": 20, "y_log": True})
    assert len(view.counts[0]) == 20


def test_a_histogram_of_what_moved_weighs_its_points_before_after_and_at_the_target(show):
    moved = Displacements(
        starts=[[0.0, 0], [1, 0]], ends=[[2.0, 0], [3, 5]], weights=[0.25, 0.75],
        target=Measure(points=[[3.0, 5]], weights=[1.0]), dimensions=("gene", "other"), unit="counts",
    )  # fmt: skip
    view = show("histogram", 480, 300)
    view.show_artifacts([Shown("d", "Drug", moved)])
    assert [round(float(c.sum()), 6) for c in view.counts] == [1, 1, 1]
    assert view.counts[0][0] == pytest.approx(0.25)
    assert "before mean 0.75 counts" in view.facts.text().replace("Drug: ", "")
    assert view.plot.getAxis("left").labelText == "mass"
    assert view.plot.getAxis("left").autoSIPrefixScale == 1.0
    view.choose("other")
    assert view.counts[1][-1] == pytest.approx(0.75)
    view.log.setChecked(True)
    view.show_artifacts([Shown("m", "Cloud", moved.target)])
    assert view.counts[0].sum() == pytest.approx(1)


def test_an_image_shows_its_pixels_channels_and_values(show):
    view = show("image")
    view.show_artifacts([Shown("i", "Image", picture())])
    assert view.describe(3.5, 7.2) == "x 3, y 7   255, 0, 0"
    assert view.describe(-1, 0) == ""
    shot = view.screenshot(300, 200)
    assert shot[100, 60].tolist() == [255, 0, 0]
    assert shot[100, 240].tolist() == [0, 0, 200]
    view.set_channel(2)
    assert view.item.image[0, 20].tolist() == [200, 200, 200, 255]
    state = json.loads(json.dumps(view.state()))
    other = show("image")
    other.show_artifacts([Shown("i", "Image", picture())])
    other.restore(state)
    assert other.state()["channel"] == 2
    assert other.state()["view"] == pytest.approx(state["view"], abs=0.01)
