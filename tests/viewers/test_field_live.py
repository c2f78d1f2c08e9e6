import json
import threading

import numpy as np
import pytest
import torch

from app.viewers.field_live import FINE, Sampler
from app.viewers.registry import Shown
from engines.blocks.pde.forms import FORMS
from engines.data import Problem, Solution, Trajectory


@pytest.fixture
def wave(monkeypatch):
    """Solutions of the form "test wave" are a sin(k · x) in each component, with a and k among their weights."""

    def build(weights, config):
        def evaluate(points):
            build.asked.append((len(points), threading.current_thread().name))
            return weights["a"] * torch.sin(points @ weights["k"])[:, None]

        return evaluate

    build.asked = []
    monkeypatch.setitem(FORMS, "test wave", build)
    return build


def problem(coordinates, time=""):
    count = len(coordinates)
    return Problem(
        coordinates=coordinates, lower=np.zeros(count), upper=np.arange(1.0, count + 1), time=time,
        equations=("u = 0",),
    )  # fmt: skip


def solution(coordinates, time="", components=1) -> Solution:
    k = np.arange(1.0, len(coordinates) + 1)
    given = problem(coordinates, time).replace(unknowns=("u", "v", "w")[:components])
    return Solution(problem=given, form="test wave", weights={"k": k, "a": np.arange(1.0, components + 1)})


def still(view, qtbot):
    """Until everything is as fine as it gets."""
    qtbot.waitUntil(
        lambda: (
            all(s._planes.get(s._place, (0,))[0] == FINE for s in view.sources) and not view.sources[0].evaluator.busy
        ),
        timeout=20_000,
    )


def test_grids_of_a_solution_hold_its_values(wave):
    made = Sampler(solution(("x", "t", "y"), "t", 2)).field(
        [np.linspace(0, 1, 5), np.linspace(0, 3, 7)], np.array([0.5]), bool
    )
    X, Y = np.meshgrid(made.x, made.y, indexing="ij")
    assert made.coordinates[:2] == ("x", "y")
    assert np.allclose(made.values[0, 1, :, :, 0], 2 * np.sin(X + 2 * 0.5 + 3 * Y), atol=1e-6)
    assert made.vectors == (("velocity", "u", "v"),)


def test_a_solution_over_the_plane_is_played_coarsely_and_refined_when_still(show, qtbot, wave):
    view = show("field", 500, 400)
    view.show_artifacts([Shown("s", "Solution", solution(("x", "y", "t"), "t"))])
    assert len(view.strip.times) == 101
    assert "being computed" in view.panes[0].head.accessibleName()
    still(view, qtbot)
    view.set_time(3.0)
    still(view, qtbot)
    shown = view.panes[0].map.shown
    assert float(shown.at(0.3, 1.1)) == pytest.approx(np.sin(0.3 + 2.2 + 9.0), abs=2e-3)
    assert view.drawing.colours[2] > 0.9
    assert all(name == "solution" for _, name in wave.asked)  # never the GUI thread
    view.marks.pin(0.3, 1.1)
    qtbot.waitUntil(lambda: len(view.plots.history.traces) == 1, timeout=5_000)
    trace = view.plots.history.traces[0]
    assert trace.y == pytest.approx(np.sin(0.3 + 2.2 + 3 * trace.x), abs=1e-3)


def test_one_dimension_in_time_is_a_strip(show, qtbot, wave):
    view = show("field", 500, 400)
    view.show_artifacts([Shown("s", "Solution", solution(("t", "x"), "t"))])
    still(view, qtbot)
    shown = view.panes[0].map.shown
    assert shown.is_strip
    assert shown.names == ("x", "t")
    assert float(shown.at(0.7, 0.4)) == pytest.approx(np.sin(0.4 + 1.4), abs=2e-3)


def test_space_is_asked_for_by_the_plane(show, qtbot, wave):
    view = show("field", 500, 400)
    a, k = np.array([2.0, -1.0, 1.5]), np.array([1.0, 2.0, 3.0])
    made = solution(("x", "y", "z"), components=3).replace(weights={"k": k, "a": a})
    view.show_artifacts([Shown("s", "Solution", made)])
    still(view, qtbot)
    view.set_axis(0)
    view.slider.setValue(50)
    still(view, qtbot)
    x = view.position
    assert float(view.panes[0].map.shown.at(0.5, 1.5)) == pytest.approx(2 * np.sin(x + 1.0 + 4.5), abs=1e-2)
    view.choose_quantity("curl velocity")
    expected = abs(np.cos(x + 1.0 + 4.5)) * np.linalg.norm(np.cross(k, a))
    assert float(view.panes[0].map.shown.at(0.5, 1.5)) == pytest.approx(expected, abs=0.02)


def test_a_trajectory_has_weights_of_its_own_at_each_time(show, qtbot, wave):
    view = show("field", 500, 400)
    times = np.array([0.0, 1.0, 3.0])
    made = Trajectory(
        times=times, form="test wave", lower=np.zeros(2), upper=np.ones(2),
        weights={"k": np.tile([1.0, 2.0], (3, 1)), "a": 1 + times[:, None]},
    )  # fmt: skip
    view.show_artifacts([Shown("t", "Trajectory", made)])
    assert view.strip.times.tolist() == [0, 1, 3]
    view.set_time(3.0)
    still(view, qtbot)
    assert float(view.panes[0].map.shown.at(0.25, 0.5)) == pytest.approx(4 * np.sin(1.25), abs=2e-3)
    view.facts_action.trigger()
    assert "test wave" in view.facts.label.text()


def test_a_form_that_is_not_known_is_told(show, qtbot):
    view = show("field", 500, 300)
    bad = solution(("x", "y")).replace(form="of another program", config=json.dumps({}))
    view.show_artifacts([Shown("s", "Solution", bad)])
    pane = view.panes[0]
    qtbot.waitUntil(lambda: "not known here" in pane.head.accessibleName(), timeout=30_000)
    assert pane.map.shown is None
    assert "not known here" in pane.note
    told = view.screenshot(500, 300)[80:-60]  # between the head and the foot
    assert (told != told[0, 0]).any()
