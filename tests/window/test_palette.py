"""The command palette finds actions, methods and artifacts."""

import pytest
from PySide6.QtCore import Qt

from app.window.palette import Command, fuzzy_score, matches
from tests.window import samples


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("save", "Save as", "Unsaved work"),
        ("spr", "Split right", "Show the project repair"),
        ("exp", "Export", "Take ended jobs off the list, expired"),
        ("or", "OReX", "Import data"),
    ],
)
def test_the_nearer_match_wins(query, better, worse):
    found = matches(query, [Command(worse, "g", int), Command(better, "g", int)])
    assert found[0].title == better


def test_letters_must_stand_in_order():
    assert fuzzy_score("xyz", "Export") is None
    assert fuzzy_score("ept", "Export") is not None


def test_what_cannot_be_done_now_comes_last():
    commands = [Command("Save", "File", int, enabled=False), Command("Save a picture", "View", int)]
    assert [c.title for c in matches("save", commands)] == ["Save a picture", "Save"]


def test_ctrl_k_opens_it_and_enter_does_it(window, add, qtbot):
    window.file_acts.new_project()
    add(samples.table(), name="Measured scores")
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    palette = window.palette_dialog
    qtbot.waitUntil(palette.isVisible)
    titles = {c.title for c in palette._commands}
    assert {"Export", "OReX", "Measured scores", "Reset layout"} <= titles
    qtbot.keyClicks(palette.search, "measscor")
    assert palette.model.items[0].title == "Measured scores"
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.views.current is not None)
    assert window.views.current.title() == "Measured scores"


def test_every_action_is_listed_with_a_name_and_shortcuts_do_not_collide(window):
    listed = list(window.actions_.listed())
    assert len(listed) > 40
    keys = [k.toString() for _, a in {id(a): (g, a) for g, a in listed}.values() for k in a.shortcuts()]
    assert len(keys) == len(set(keys))
