import json
import threading
import time

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QComboBox

from app.background import wait_for_all
from app.viewers.registry import Shown, viewers_for
from engines.data import Coupling, Displacements, Measure, TransportMap
from tests import transports as small
from tests.viewers import transports


@pytest.fixture
def look(show, qtbot):
    """Shows artifacts in a transport view, and waits until they are drawn."""

    def shown(*artifacts, size=(700, 500), view=None):
        view = view or show("transport", *size)
        items = [Shown(f"a{k}", a.name or f"No {k + 1}", a) for k, a in enumerate(artifacts)]
        view.show_artifacts(items)
        settle(qtbot, view)
        return view

    return shown


def settle(qtbot, view):
    qtbot.waitUntil(lambda: view.is_settled and bool(view.panes), timeout=8000)


def test_what_moves_mass_is_seen_moving_at_first():
    for kind in (Coupling, Measure, Displacements, TransportMap):
        assert viewers_for(kind)[0].key == "transport"


def test_links_go_from_the_points_of_each_entry_and_the_slider_carries_mass_along_them(look, qtbot):
    coupling = transports.shift()
    view = look(coupling)
    plot = view.panes[0].plot
    heaviest = int(np.argmax(coupling.mass))
    assert plot.links.starts[0] == pytest.approx(coupling.source.points[heaviest])
    assert plot.links.ends[0] == pytest.approx(coupling.target.points[heaviest])
    assert plot.links.widths[0] == plot.links.widths.max()
    assert view.foot.text == "exact   8 links"
    view.set_time(0.5)
    order = np.argsort(-np.asarray(coupling.mass))
    halfway = (coupling.source.points + coupling.target.points)[order] / 2
    assert plot._travel.at(view.time) == pytest.approx(halfway)
    assert transports.inked(view.screenshot(400, 300)) > 0.005


def test_of_many_links_the_heaviest_are_drawn_and_it_is_said_how_much_they_carry(look, qtbot):
    coupling = transports.independent(*transports.clouds(80, 90))
    view = look(coupling)
    some = np.sort(coupling.plan.ravel())[::-1][:2000]
    assert len(view.panes[0].plot.links) == 2000
    assert f"2,000 of 7,200 links, {100 * some.sum():.0f} % of the mass" in view.foot.text
    view.findChild(QComboBox, "most-links").setCurrentText("200 links")
    view.most.activated.emit(0)
    assert len(view.panes[0].plot.links) == 200
    view.link_action.trigger()
    assert "links" not in view.foot.text


def test_a_sample_stands_for_all_of_a_dense_plan(look):
    coupling = transports.independent(*transports.clouds(100, 120))
    entries = look(coupling).journeys[0].entries
    some = entries.some(5000)
    assert len(some) == 5000
    assert some.mass.sum() == pytest.approx(1)
    # Marginals of the sample are those of the plan, to the mass of one of it for each source.
    given = np.bincount(some.rows, some.mass, 100)
    assert np.abs(given - coupling.source_weights).max() <= 1.01 / 5000
    few = look(transports.independent(*transports.clouds(5, 6))).journeys[0].entries
    assert np.sort(few.sample.mass) == pytest.approx(np.sort(few.mass))  # all of them, each with its own mass


def test_a_point_under_the_cursor_tells_where_its_mass_goes(look):
    coupling = transports.shift()
    view = look(coupling)
    plot = view.panes[0].plot
    at = plot.plot.vb.mapViewToScene(QPointF(*coupling.source.points[3]))
    assert plot.point_at(at) == (0, 3)
    plot._hover(at)
    assert view.foot.text.startswith("Source 3 at (")
    assert view.foot.text.endswith(f"gives {coupling.mass[3]:.4g} to Target 3")
    assert "gets" in plot.describe(1, 3)
    plot._hover(QPointF(-5, -5))
    assert view.foot.text == "exact   8 links"


def test_images_are_shown_as_images_and_what_is_between_them_lies_between(look, qtbot):
    view = look(transports.moved_pixel())
    images = view.panes[0].images
    assert images.isVisible()
    assert not view.panes[0].plot.isVisible()
    view.set_time(0.5)
    settle(qtbot, view)
    between = images.boxes[1].values
    assert between[3, 3] == pytest.approx(1)  # halfway: two columns and one row on
    assert between.sum() == pytest.approx(1)
    view.set_time(0.25)
    settle(qtbot, view)
    assert images.boxes[1].values[2:4, 2] == pytest.approx([0.5, 0.5])
    assert images.describe(0, 1.5, 2.5) == "row 2, column 1   mass 1"
    view.point_action.trigger()
    assert view.panes[0].plot.isVisible()
    assert transports.inked(view.screenshot(300, 200)) > 0.005


def test_densities_on_a_line_are_curves_of_the_same_mass(look, qtbot):
    view = look(transports.line())
    curves = view.panes[0].plot.curves
    assert curves.is_on
    view.set_time(0.5)
    settle(qtbot, view)
    x, y = curves._moving.getData()
    width = x[1] - x[0]
    density = (y - 0.5) / 0.75 * curves._highest
    inner = np.r_[0.5, np.ones(len(x) - 2), 0.5]
    assert (density * inner).sum() * width == pytest.approx(1, abs=1e-6)
    assert (x * density * inner).sum() * width == pytest.approx(1.0, abs=0.02)


def test_clouds_in_many_dimensions_are_projected_and_it_is_said(look, qtbot):
    source, target = transports.clouds(30, 40, dimensions=6)
    view = look(transports.independent(source, target))
    assert "Principal components 1 and 2" in view.foot.text
    view.choose_axes(("2", "4", ""))
    settle(qtbot, view)
    assert view.panes[0].seen.places[0] == pytest.approx(source.points[:, [2, 4]])
    assert "Principal" not in view.foot.text
    view.choose_axes(("junk", "4", ""))
    settle(qtbot, view)
    assert view.panes[0].seen.choice == ("pc0", "pc1", "")


def test_principal_components_hold_the_variance(look):
    from app.viewers.transport_axes import principal
    from app.viewers.transport_content import Cloud

    draw = np.random.default_rng(0)
    points = draw.normal(size=(400, 9)) * np.array([5, 3, 1, *[0.1] * 6])
    _, components, shares = principal([Cloud("", points, np.ones(400))])
    values, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
    assert shares == pytest.approx(values[::-1][:3] / values.sum())
    assert np.abs(components @ vectors[:, ::-1][:, :3]) == pytest.approx(np.eye(3), abs=1e-6)


def test_an_answer_about_an_earlier_preview_of_a_map_is_not_taken_for_the_next(show, qtbot, monkeypatch):
    from app.viewers import transport_content

    first, second = small.affine_map(), small.affine_map()
    may_go, begun = {id(first): threading.Event(), id(second): threading.Event()}, threading.Event()

    def displaced(made: TransportMap) -> Displacements:
        begun.set()
        assert may_go[id(made)].wait(8)
        starts = made.source.points
        return Displacements(starts=starts, ends=starts + (made is second))

    monkeypatch.setattr(transport_content, "displaced", displaced)
    view = show("transport")
    view.show_artifacts([Shown("a", "Map", first)])
    assert begun.wait(8)
    view.show_artifacts([Shown("a", "Map", second)])
    with qtbot.waitSignal(view.shown, timeout=8000):
        may_go[id(first)].set()
    view.choose_axes(("1", "0", ""))  # while the second is sent through
    may_go[id(second)].set()
    settle(qtbot, view)
    before, after = view.journeys[0].clouds[:2]
    assert after.points == pytest.approx(before.points + 1)


def test_points_that_all_lie_in_one_place_of_many_dimensions_are_shown(look):
    view = look(Measure(points=np.ones((12, 9))))
    assert view.shown_pairs[0][1].places[0] == pytest.approx(np.zeros((12, 2)))


def test_a_view_that_is_closed_while_its_scene_is_imported_makes_none(look):
    from app.viewers import transport_axes, transport_content, transport_ink

    view = look(transports.shift())
    pane = view.panes[0]
    coupling = transports.independent(*transports.clouds(5, 6, dimensions=3))
    [journey] = transport_content.journeys([Shown("s", "In space", coupling)], {})
    seen = transport_axes.seen(journey, transport_axes.AUTOMATIC)
    lines = transport_ink.links(seen.places, journey.entries, 100, arrows=False)
    pane.show_journey(journey, seen, lines, 0.0, as_points=False, crossings=False, heading=False)
    assert not pane.is_settled
    view.close()
    assert wait_for_all()
    assert pane.scene is None


def test_clouds_in_space_are_layers_of_a_3d_view(look, qtbot):
    view = look(transports.independent(*transports.clouds(20, 25, dimensions=3)))
    pane = view.panes[0]
    qtbot.waitUntil(lambda: pane.scene is not None, timeout=20000)
    assert list(pane.scene.layers) == ["cloud-0", "cloud-1", "links", "travel"]
    travel = pane.scene.layers["travel"]
    assert not travel.fine.actor.GetVisibility()
    view.set_time(0.5)
    assert travel.moment == pytest.approx(0.5)
    assert travel.fine.actor.GetVisibility()
    assert transports.inked(view.screenshot(300, 200)) > 0.005
    at = pane.scene.canvas.project(pane.seen.places[1][4][None])[0]
    pane.scene.move(QPointF(at[0], at[1]), False)
    assert view.foot.text.startswith("After 4 at (")
    assert len(pane.scene.lit.others) == 20  # it gets from all
    pane.scene.move(QPointF(-50, -50), False)
    assert pane.scene.lit is None
    view.choose_axes(("0", "1", ""))
    settle(qtbot, view)
    assert pane.plot.isVisible()


def test_without_positions_sources_and_targets_stand_in_two_columns(look):
    names = ("cat", "dog", "ünï"), ("left", "right")
    coupling = Coupling(
        plan=[[0.25, 0], [0.25, 0], [0, 0.5]], source_weights=[0.25, 0.25, 0.5], target_weights=[0.5, 0.5],
        source_names=names[0], target_names=names[1],
    )  # fmt: skip
    view = look(coupling)
    assert view.journeys[0].is_listed
    assert "no common positions are known" in view.foot.text
    assert "dog" in view.panes[0].plot.describe(0, 1)
    assert view.panes[0].plot.describe(1, 1).endswith("gets 0.5 from ünï")
    look(small.coupling(), view=view)  # one side only has positions
    assert view.journeys[0].is_listed


def test_displacements_are_arrows_with_the_target_behind_and_crossings_are_counted(look):
    view = look(transports.arrows(20, crossed=True))
    assert [cloud.title for cloud in view.journeys[0].clouds] == ["Before", "After", "Target"]
    assert view.foot.text == "20 arrows"
    view.crossing_action.trigger()
    assert "190 of 190 pairs of arrows cross: 100 %" in view.foot.text
    look(transports.arrows(20, crossed=False), view=view)
    assert "0 of 190 pairs" in view.foot.text
    assert view.panes[0].plot.describe(0, 4).endswith("moves by 1 m")


def test_measures_together_are_source_and_target_and_stay_put(look):
    view = look(*transports.clouds())
    assert [cloud.role for cloud in view.journeys[0].clouds] == ["source", "target"]
    assert not view.strip.isVisible()
    assert not view.link_action.isVisible()
    look(small.measure(), view=view)
    assert view.panes[0].images.isVisible()


def test_two_couplings_stand_side_by_side_and_one_can_be_chosen(look, qtbot):
    pair = transports.clouds()
    view = look(transports.shift(), transports.independent(*pair))
    assert len(view.panes) == 2
    assert transports.inked(view.screenshot(500, 300)) > 0.005
    view.choose("a1")
    settle(qtbot, view)
    assert len(view.panes) == 1
    assert view.panes[0].journey.title == "No 2"


def test_a_map_is_asked_where_its_points_go(look, monkeypatch):
    pytest.importorskip("engines.blocks.transport.maps")
    made = small.affine_map()
    view = look(made)
    journey = view.journeys[0]
    assert journey.arrows
    assert journey.clouds[1].points == pytest.approx(2 * made.source.points + 1)


def test_a_live_preview_does_not_jump_and_is_framed_anew_when_it_has_left(look, qtbot):
    moved = transports.arrows(20)
    view = look(moved)
    plot = view.panes[0].plot.plot
    before = plot.vb.viewRange()
    look(moved.replace(ends=moved.ends + 0.02), view=view)
    assert plot.vb.viewRange() == before
    look(moved.replace(ends=moved.ends + 3), view=view)
    assert plot.vb.viewRange()[0][1] > 4
    plot.vb.scaleBy((0.5, 0.5))
    plot.vb.sigRangeChangedManually.emit(None)
    zoomed = plot.vb.viewRange()
    look(moved, view=view)
    assert plot.vb.viewRange() == zoomed  # somebody chose it


def test_pixels_without_mass_are_no_points(look):
    view = look(transports.moved_pixel())
    view.point_action.trigger()
    assert [len(ink.places) for ink in view.panes[0].plot._clouds] == [1, 1]


def test_a_map_that_cannot_be_asked_shows_its_clouds_and_says_so(look):
    view = look(small.affine_map(form="nonsense"))
    assert "cannot be asked" in view.foot.text
    assert len(view.journeys[0].clouds) == 2


def test_displacements_of_no_point_are_nothing_to_show(show, qtbot):
    nothing = Displacements(starts=np.zeros((0, 2)), ends=np.zeros((0, 2)))
    for key in ("transport", "histogram"):
        view = show(key)
        view.show_artifacts([Shown("n", "Nothing", nothing)])
        qtbot.waitUntil(lambda view=view: view.empty.isVisible(), timeout=8000)
        assert not view.bar.isVisible()


@pytest.mark.parametrize(
    "points", [np.zeros((1, 2)), np.ones((5, 2)), np.eye(4)[:, :1], np.ones((3, 5)), [[1e200, 0], [0, 1]]]
)
def test_clouds_without_extent_are_shown_too(look, points):
    cloud = Measure(points=points)
    view = look(cloud)
    count = len(cloud.points)
    look(transports.independent(cloud, cloud), view=view)
    assert len(view.journeys[0].entries) == count * count
    assert view.screenshot(200, 150).shape == (150, 200, 3)


def test_playing_and_keys(look, qtbot):
    view = look(transports.shift())
    view.activateWindow()
    view.strip.timeline.setFocus()
    before = view.time
    qtbot.keyClick(view.strip.timeline, Qt.Key.Key_Right)
    assert view.time > before
    view.strip.toggle()
    assert view.strip.playing
    view.hide()
    assert not view.strip.playing


def test_state_comes_back_and_junk_is_ignored(look, show, qtbot):
    view = look(transports.independent(*transports.clouds(10, 12, 5)))
    view.choose_axes(("1", "3", ""))
    view.link_action.trigger()
    view.set_time(0.5)
    settle(qtbot, view)
    state = json.loads(json.dumps(view.state()))
    other = show("transport")
    other.restore(state)
    look(transports.independent(*transports.clouds(10, 12, 5)), view=other)
    assert other.state() == state
    other.restore({"axes": [1, 2, 3], "time": "noon", "most": True, "links": 7, "transport": None})
    other.restore({"time": 10**400, "most": 10**30})
    look(transports.shift(), view=other)
    assert other.is_settled


def test_a_large_dense_plan_and_the_slider_leave_the_window_alone(look, qtbot):
    plan = transports.independent(*transports.clouds(500, 500))
    view = look(transports.shift())
    view.most.setCurrentIndex(view.most.findData(5000))
    began = time.thread_time()
    look(plan, view=view)
    assert time.thread_time() - began < 0.15
    frames = []
    for t in np.linspace(0.1, 0.9, 9):
        began = time.thread_time()
        view.set_time(float(t))
        view.panes[0].plot.viewport().repaint()
        frames.append(time.thread_time() - began)
    assert np.median(frames) < 0.016


def test_opacity_of_a_line_is_its_own_and_lines_that_cross_let_through_what_both_do():
    from app.viewers.link_raster import opacities

    def line(*ends, width=3.0, alpha=0.5):
        starts, stops = np.array([e[:2] for e in ends], float), np.array([e[2:] for e in ends], float)
        return opacities(starts, stops, np.full(len(ends), width), np.full(len(ends), alpha), (40, 30))

    flat = line((5, 15.5, 35, 15.5))
    assert flat[15, 10:30] == pytest.approx(0.5)
    assert flat[14:17, 20].sum() == pytest.approx(1.5)  # as thick as it is
    assert flat[:, :4].max() == 0
    cross = line((5, 15.5, 35, 15.5), (20.5, 2, 20.5, 28))
    assert cross[15, 20] == pytest.approx(0.75)
    steep = line((10, 2, 14, 28), width=1.0)
    assert steep[5:25].sum(1) == pytest.approx(0.5 * np.hypot(26, 4) / 26, rel=0.05)
    assert line((-500, 15.5, 500, 15.5))[15] == pytest.approx(0.5)
    assert line((3, 3, 3, 3)).max() <= 0.5  # of no length
    assert line((50, 50, 90, 80)).max() == 0


def test_lines_that_lie_over_each_other_get_fainter_and_are_no_block():
    from app.viewers.transport_ink import Links, Mapping, link_opacities

    def strongest(count: int) -> float:
        y = np.linspace(10.5, 20.5, count)
        starts, ends = np.stack([np.full(count, 5.0), y], 1), np.stack([np.full(count, 95.0), y], 1)
        lines = Links(starts, ends, np.full(count, 1.0), np.full(count, 0.4))
        return float(link_opacities(lines, Mapping(1, 0, 1, 0), (100, 30), 1.0).max())

    assert strongest(1) == pytest.approx(0.4, abs=0.01)
    assert strongest(3) == pytest.approx(0.4, abs=0.01)
    assert 0.3 < strongest(300) < 0.75


def test_runs_that_gave_couplings_are_compared(show, qtbot):
    from app.viewers.compared import Compared
    from app.viewers.transport_compare import TransportCompareView
    from engines.data import Table

    view = show("", 700, 600, cls=TransportCompareView)
    cost = [Table(columns={"cost": [c]}) for c in (1.0, 1.5)]
    runs = [
        Compared("Exact", scores=cost[0], transport=transports.shift(), curves={"error": (np.arange(3), np.ones(3))}),
        Compared("Sinkhorn", scores=cost[1], transport=transports.independent(*transports.clouds()), params={"η": 9}),
    ]
    view.set_runs(runs)
    qtbot.waitUntil(lambda: len(view.transports.panes) == 2 and view.transports.is_settled, timeout=8000)
    qtbot.waitUntil(lambda: len(view.plans.panes) == 2, timeout=8000)
    assert [pane.heading.text() for pane in view.transports.panes] == ["Exact", "Sinkhorn"]
    assert view.scores.table.columns["difference"].tolist() == [0.5]
    state = json.loads(json.dumps(view.state()))
    view.restore(state | {"tab": "x", "sizes": [1]})
    view.restore(state | {"tab": 10**30, "sizes": [10**30, 1]})
    assert view.state()["transports"] == state["transports"]
    assert transports.inked(view.screenshot(400, 400)) > 0.005


def test_what_was_said_of_a_point_goes_when_others_come(look):
    view = look(transports.shift())
    view.panes[0].plot._light((0, 3))
    assert "gives" in view.foot.text
    look(transports.shift(by=(1.0, 2.0)), view=view)
    assert view.foot.text == "exact   8 links"


def test_curves_are_as_wide_on_a_screen_of_twice_the_pixels(look, monkeypatch):
    plot = look(transports.line()).panes[0].plot
    curve = plot.curves._items[0][0]
    before = curve.opts["pen"].widthF()
    monkeypatch.setattr(plot, "devicePixelRatioF", lambda: 2.0)
    plot.dress()
    assert curve.opts["pen"].widthF() == pytest.approx(2 * before)


def test_a_measure_that_a_map_holds_is_not_shown_twice():
    from app.viewers.transport_content import displaced, journeys

    made = small.affine_map()
    other = Measure(points=np.ones((5, 2)), name="Other")
    items = [
        Shown("m", "Map", made),
        Shown("s", "Source", made.source.replace(name="Source")),
        Shown("o", "Other", other),
    ]
    (journey,) = journeys(items, {"m": displaced(made)})
    assert [cloud.title for cloud in journey.clouds if cloud.role == "other"] == ["Other"]


def test_scores_of_different_methods_stand_in_one_table():
    from app.viewers.compared import Compared, joined_scores
    from engines.data import Table

    first = Table(columns={"Transport cost": np.array([2.0]), "Newton steps": np.array([8])})
    second = Table(columns={"Plan": np.array(["dual"]), "Transport cost": np.array([3.0]), "Entries": np.array([7])})
    found = joined_scores([Compared("a", scores=first), Compared("b", scores=second)])
    assert found.columns["score"].tolist() == ["Transport cost", "Newton steps", "Entries"]
    assert found.columns["difference"][0] == 1
    assert np.isnan(found.columns["a"][2])
