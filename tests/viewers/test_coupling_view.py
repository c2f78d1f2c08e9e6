import json

import numpy as np
import pytest
from PySide6.QtCore import QPointF

from app.viewers import plan_pixels
from app.viewers.plan_pixels import Matrix, Window, pooled
from app.viewers.registry import Shown, viewers_for
from engines.data import CostMatrix, Coupling
from tests import transports as small
from tests.viewers import transports


@pytest.fixture
def look(show, qtbot):
    def shown(*artifacts, size=(700, 500), view=None):
        view = view or show("coupling", *size)
        view.show_artifacts([Shown(f"a{k}", f"No {k + 1}", a) for k, a in enumerate(artifacts)])
        settle(qtbot, view)
        return view

    return shown


def settle(qtbot, view):
    qtbot.waitUntil(lambda: view.is_settled and bool(view.panes), timeout=8000)


def test_which_types_it_shows():
    assert viewers_for(CostMatrix)[0].key == "coupling"
    assert "coupling" in [spec.key for spec in viewers_for(Coupling)]


def test_each_entry_is_a_pixel_and_zeros_are_blank(look):
    coupling = small.coupling()
    view = look(coupling)
    shown = view.panes[0].image.image
    assert shown.shape == (2, 3, 4)
    assert (shown[..., 3] > 0).tolist() == [[False, False, True], [True, False, False]]
    assert view.panes[0].facts.describe(0, 2) == (
        "source 0 → target 2   mass 0.5   100 % of what it gives, 100 % of what that gets"
    )
    assert "marginal errors: rows 0.25, columns 0.25" in ", ".join(view.panes[0].head.words)
    assert view.foot.text == "exact   marginal errors: rows 0.25, columns 0.25"


def test_what_lies_under_the_cursor_is_told(look):
    view = look(small.coupling())
    pane = view.panes[0]
    pane._hover(pane.plot.vb.mapViewToScene(QPointF(0.5, 1.5)))
    assert view.foot.text.startswith("source 1 → target 0   mass 0.25")
    pane._hover(pane.plot.vb.mapViewToScene(QPointF(-3, 1)))
    assert view.foot.text == "exact   marginal errors: rows 0.25, columns 0.25"


@pytest.mark.parametrize("dense", [True, False])
def test_no_entry_is_lost_when_there_are_more_than_pixels(dense):
    draw = np.random.default_rng(0)
    plan = np.zeros((503, 717))
    plan.ravel()[draw.choice(plan.size, 40, replace=False)] = draw.uniform(0.1, 1, 40)
    rows, columns = np.nonzero(plan)
    matrix = Matrix(plan.shape, plan) if dense else Matrix(plan.shape, None, rows, columns, plan[rows, columns])
    order = draw.permutation(503), draw.permutation(717)
    window = Window(0, 503, 0, 717)
    largest, mean = (pooled(matrix, order, window, (60, 81), pool) for pool in ("largest", "mean"))
    assert largest.shape == (60, 81)
    assert np.nanmax(largest) == plan.max()
    assert np.nansum(pooled(matrix, order, window, (60, 81), "sum")) == pytest.approx(plan.sum())
    # Each pixel is the largest, or the mean, of the entries between its edges.
    moved = plan[np.ix_(*order)]
    for y, x in ((0, 0), (30, 44), (59, 80), np.argwhere(largest > 0)[0]):
        block = moved[y * 503 // 60 : (y + 1) * 503 // 60, x * 717 // 81 : (x + 1) * 717 // 81]
        assert np.nan_to_num(largest[y, x]) == block.max()
        assert np.nan_to_num(mean[y, x]) == pytest.approx(block.mean())
    inner = Window(100, 140, 200, 230)
    assert np.nan_to_num(pooled(matrix, order, inner, (999, 999))) == pytest.approx(moved[100:140, 200:230])


def test_a_plan_that_is_a_permutation_is_sorted_to_its_diagonal():
    count = 40
    draw = np.random.default_rng(1)
    goes = draw.permutation(count)
    points = draw.normal(size=(count, 3))
    coupling = transports.independent(*transports.clouds(count, count, 3)).replace(
        plan=np.eye(count)[goes] / count, source_weights=np.full(count, 1 / count),
        target_weights=np.full(count, 1 / count), source=transports.clouds(count, count, 3)[0].replace(points=points),
    )  # fmt: skip
    rows, columns = plan_pixels.orders(coupling, by_barycentre=True)
    assert coupling.plan[np.ix_(rows, columns)] == pytest.approx(np.eye(count) / count)
    rows, columns = plan_pixels.orders(coupling.replace(source=None, target=None), by_barycentre=True)
    assert coupling.plan[np.ix_(rows, columns)] == pytest.approx(np.eye(count) / count)


def test_sorting_keeps_entries_with_their_rows(look, qtbot):
    coupling = transports.shift(30)
    view = look(coupling)
    view.sort_action.trigger()
    settle(qtbot, view)
    facts = view.panes[0].facts
    place = int(np.flatnonzero(facts.order[0] == 7)[0]), int(np.flatnonzero(facts.order[1] == 7)[0])
    assert facts.describe(*place).startswith("source 7 → target 7   mass")
    assert facts.matrix.at(7, 7) == coupling.mass[7]
    assert facts.matrix.at(7, 8) == 0


def test_cost_matrices_have_names_and_signs(look):
    costs = small.costs(source_names=("one", "two"))
    view = look(costs)
    assert view.looks.cmap == "diverging"
    assert view.looks.low == -view.looks.high
    assert not view.log_action.isChecked()
    assert view.panes[0].facts.describe(1, 2).startswith("two → ü   cost")
    axis = view.panes[0].axes[1]
    assert axis.tickStrings([0.5, 2.5], 1, 1) == ["a", "ü"]
    assert transports.inked(view.screenshot(300, 200)) > 0.005


def test_colours_are_logarithmic_or_not_and_of_a_range_that_is_chosen(look, qtbot):
    view = look(transports.independent(*transports.clouds(20, 30)))
    assert view.looks.log
    assert view.looks.low > 0
    view.log_action.trigger()
    assert view.looks.low == 0
    view.high.setText("0.5")
    view.high.setModified(True)
    view.high.editingFinished.emit()
    assert view.looks.high == 0.5
    view.choose_cmap("magma")
    assert view.looks.cmap == "magma"


def test_two_plans_are_zoomed_together_in_the_same_colours(look, qtbot):
    first = transports.independent(*transports.clouds(20, 30))
    view = look(first, first.replace(plan=first.plan[::-1].copy(), source_weights=first.source_weights[::-1].copy()))
    assert len(view.panes) == 2
    view.panes[0].zoom_to(5, 7)
    settle(qtbot, view)
    ranges = [np.ravel(pane.plot.vb.viewRange()) for pane in view.panes]
    assert ranges[1][2:] == pytest.approx(ranges[0][2:], abs=1.5)
    assert view.panes[0].looks == view.panes[1].looks
    assert transports.inked(view.screenshot(400, 200)) > 0.005
    view.choose("a1")
    assert len(view.panes) == 1


def test_state_comes_back_and_junk_is_ignored(look, show, qtbot):
    view = look(transports.shift())
    view.sort_action.trigger()
    view.log_action.trigger()
    view.choose_cmap("cividis")
    state = json.loads(json.dumps(view.state()))
    other = show("coupling")
    other.restore(state)
    look(transports.shift(), view=other)
    assert other.state() == state
    other.restore({"range": [10**400, 1]})
    other.restore({"pool": 3, "cmap": [], "range": "x", "log": "yes", "plan": 1})
    look(transports.shift(), view=other)
    assert other.is_settled
