import json

import numpy as np
import pytest
from PySide6.QtCore import QPointF

from app.background import wait_for_all
from app.viewers.potential_sides import sides
from app.viewers.registry import Shown
from tests import transports as small
from tests.viewers import transports


def look(view, coupling):
    view.show_artifacts([Shown("c", "Plan", coupling)])
    return view


def test_over_a_line_they_are_curves_of_both_sides(show):
    view = look(show("potentials", 600, 400), transports.line())
    first, second = view.curves._lines
    x, y = first.getData()
    assert y == pytest.approx(x**2)
    assert second.getData()[1] == pytest.approx(-second.getData()[0])
    at = view.curves.plot.vb.mapViewToScene(QPointF(1.0, 0))
    assert "Potential of the sources: 1" in view.curves.describe(at)
    view.choose_side("target")
    assert len(view.curves._lines) == 1


def test_over_a_grid_they_are_maps_with_the_first_row_uppermost(show, qtbot):
    coupling = transports.moved_pixel()
    view = look(show("potentials", 700, 400), coupling)
    assert view.maps[0].isVisible()
    assert view.maps[1].isVisible()
    plane = view.maps[1].map.shown
    assert float(plane.at(3.0, 8.0)) == pytest.approx(8.0)
    assert float(plane.at(3.0, 0.0)) == pytest.approx(0.0)
    assert sides(coupling)[0].field().component(0)[4, 2] == pytest.approx(4.0)
    view.surface_action.trigger()
    qtbot.waitUntil(lambda: view.scene is not None and view.scene.isVisible(), timeout=20000)
    assert set(view.scene.layers) == {"source", "target"}


def test_a_view_that_is_closed_while_its_scene_is_imported_makes_none(show):
    view = look(show("potentials"), transports.moved_pixel())
    view.surface_action.trigger()
    assert not view.is_settled
    view.close()
    assert wait_for_all()
    assert view.scene is None


def test_over_a_cloud_they_are_colours_of_its_points(show):
    coupling = transports.shift()
    view = look(show("potentials", 700, 400), coupling)
    assert view.clouds[0].isVisible()
    points = view.clouds[0].points
    at = points.plot.vb.mapViewToScene(QPointF(*coupling.source.points[2]))
    assert points.describe(at).startswith("source 2 at (")
    order = np.argsort(coupling.source_potential)
    assert (np.diff(points._which[order]) >= 0).all()
    assert transports.inked(view.screenshot(300, 200)) > 0.005


def test_elsewhere_they_are_sorted_and_without_any_it_is_said(show):
    source, target = transports.clouds(20, 30, 5)
    values = np.random.default_rng(0).normal(size=20)
    view = look(show("potentials"), transports.independent(source, target, source_potential=values))
    assert view.curves._lines[0].getData()[1] == pytest.approx(np.sort(values)[::-1])
    look(view, small.dense_coupling())
    assert view.empty.isVisible()
    look(view, small.coupling())  # the sources lie on a line, of the targets nothing is known
    assert len(view.curves._lines) == 1


def test_state_comes_back(show):
    view = look(show("potentials"), transports.line())
    view.choose_side("source")
    state = json.loads(json.dumps(view.state()))
    other = show("potentials")
    other.restore(state)
    assert other.state() == state
    other.restore({"side": 3, "surface": "x", "coupling": 4})
    look(other, transports.line())
    assert other.side == ""
