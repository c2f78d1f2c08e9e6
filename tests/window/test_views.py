"""Tabs and splits: open, split, move, close, and come back after a restart."""

import json

import pytest
from PySide6.QtCore import QPoint, QSize

from app.window.frames import common_viewers
from app.window.pane import width_cap, zone_at
from engines.data import GridField, Mesh, Slices, Table
from tests.window import samples


@pytest.fixture
def views(window):
    window.file_acts.new_project()
    return window.views


def test_several_kinds_of_things_meet_in_space():
    assert common_viewers([Slices, Mesh])[0].key == "scene"
    assert common_viewers([GridField])[0].key == "slice"
    assert common_viewers([GridField, Slices])[0].key == "scene"
    assert common_viewers([Table, Mesh])[:1] != [common_viewers([Mesh])[0]]
    assert common_viewers([]) == []


@pytest.mark.parametrize(
    ("at", "zone"),
    [((5, 50), "left"), ((95, 50), "right"), ((50, 5), "top"), ((50, 95), "bottom"), ((50, 50), "centre")],
)
def test_edges_split_and_the_middle_joins(at, zone):
    assert zone_at(QSize(100, 100), QPoint(*at)) == zone


def test_double_click_opens_the_right_viewer_once(window, views, add, qtbot):
    ids = add(samples.table(), samples.curve())
    panel = window.project_panel
    for entry in ids:
        panel.tree.doubleClicked.emit(panel._proxy.mapFromSource(panel.model.index_of(entry)))
    panel.tree.doubleClicked.emit(panel._proxy.mapFromSource(panel.model.index_of(ids[0])))
    assert [f.viewer_key for f in views.frames()] == ["table", "curves"]
    assert views.current.artifact_ids() == ids[:1]
    qtbot.waitUntil(lambda: bool(views.current.viewers()))


def test_split_move_and_close(views, add, qtbot):
    one, two = add(samples.table(), samples.curve())
    views.show_artifacts([one])
    views.show_artifacts([two])
    views.split("right")
    assert [len(p.frames()) for p in views.panes()] == [1, 1]
    views.split("bottom")
    assert len(views.panes()) == 3
    views.close_frame()
    assert len(views.panes()) == 2
    first, second = views.panes()
    views._move(second.current, first, "centre")
    assert [len(p.frames()) for p in views.panes()] == [2]
    for frame in views.frames():
        views.close_frame(frame)
    assert views.panes() == []
    assert views.current is None


def test_a_view_shows_several_artifacts_as_layers(views, add, qtbot):
    shape, ring = add(samples.mesh(), samples.slices())
    views.show_artifacts([shape])
    assert views.current.accepts([ring])
    assert views.add_to_current([ring])
    qtbot.waitUntil(lambda: bool(views.current.viewers()), timeout=20_000)
    assert views.current.artifact_ids() == [shape, ring]
    (table,) = add(samples.table())
    assert not views.add_to_current([table])


def test_the_layout_survives_a_round_trip_through_json(window, views, add, qtbot):
    one, two = add(samples.table(), samples.curve())
    views.show_artifacts([one])
    views.show_artifacts([two], side="right")
    views.show_artifacts([one], "histogram")
    state = json.loads(json.dumps(views.state()))
    assert views.restore(state)
    kept = [[f.viewer_key for f in p.frames()] for p in views.panes()]
    assert kept == [["table"], ["curves", "histogram"]]
    assert views.panes()[1].tabs.currentIndex() == 1


JUNK = [
    None,
    7,
    [],
    {"split": "h"},
    {"split": "h", "children": [{}, 3], "sizes": ["a", None]},
    {"tabs": [{"kind": "nonsense"}, 4, {"kind": "artifacts", "artifacts": ["gone"], "viewer": "scene"}]},
    {"tabs": [{"kind": "run", "run": 5}, {"kind": "compare", "runs": [1, 2]}, {"kind": "inspector"}]},
]


def test_broken_layouts_open_nothing_and_stop_nothing(views):
    for junk in JUNK:
        assert views.restore(junk) is False, junk
        assert views.panes() == [], junk


def test_what_was_removed_says_so_and_undo_brings_it_back(window, views, add, qtbot):
    (entry,) = add(samples.table())
    views.show_artifacts([entry])
    qtbot.waitUntil(lambda: bool(views.current.viewers()))
    window.bench.project.remove([entry])
    qtbot.waitUntil(lambda: not views.current.viewers())
    window.edit_acts.undo()
    qtbot.waitUntil(lambda: bool(views.current.viewers()))


def test_a_view_can_have_its_own_window(views, add, qtbot):
    (entry,) = add(samples.table())
    views.show_artifacts([entry])
    views.detach()
    assert views.panes() == []
    (window,) = views.floating
    qtbot.waitUntil(lambda: bool(window.frame.viewers()))
    window.close()
    assert views.floating == []


def test_long_titles_give_way_before_short_ones(window, views, add, qtbot):
    assert width_cap([100, 120, 200, 300], 2000) >= 300
    assert width_cap([100, 120, 200, 300], 620) == 200
    assert width_cap([100, 120, 200, 300], 500) == 140
    ids = add(samples.table(), samples.curve(), samples.mesh())
    window.bench.project.rename(ids[2], "A surface with a name that tells of all its settings, at length")
    for entry in ids:
        views.show_artifacts([entry])
    (pane,) = views.panes()
    tabs = pane.tabs
    qtbot.waitUntil(lambda: tabs.tabText(2).startswith("A surface"))
    qtbot.waitUntil(lambda: bool(views.current.viewers()), timeout=20_000)  # the choice of viewers takes room too
    full = [tabs._wanted_width(k) for k in range(3)]
    views.setMaximumWidth(views.width() - tabs.width() + full[0] + full[1] + 160)  # of these, 160 for the long title
    qtbot.waitUntil(lambda: tabs.width() < sum(full))
    assert [tabs.tabRect(k).width() for k in (0, 1)] == full[:2]
    assert tabs.tabRect(2).right() <= tabs.width()
    assert tabs.tabRect(2).right() > tabs.width() - 8  # no room is left unused
    assert "at length" in tabs.tabToolTip(2)
