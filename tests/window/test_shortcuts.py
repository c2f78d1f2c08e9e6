"""Every key that works somewhere is listed under Help, Keyboard shortcuts."""

import pytest
from PySide6.QtGui import QAction

from app.dialogs.shortcuts import VIEW_KEYS
from app.viewers.registry import create

GROUPS = {
    "scene": "In the 3D view",
    "splats": "In the splat view",
    "hand": "In the hand view",
    "photos": "In the photos view",
    "video": "In videos",
    "slice": "In the slice view",
    "transport": "In the transport view",
    "coupling": "In plans and potentials",
    "potentials": "In plans and potentials",
    "curves": "In curves and histograms",
    "histogram": "In curves and histograms",
    "image": "In images and tables",
    "table": "In images and tables",
}


@pytest.mark.parametrize("kind", GROUPS)
def test_the_keys_of_a_view_are_listed(themed, qtbot, kind):
    view = create(kind)
    qtbot.addWidget(view)
    listed = {key for _, keys in VIEW_KEYS[GROUPS[kind]] for key in keys.split(", ")}
    used = {k.toString(): a.text() for a in view.findChildren(QAction) for k in a.shortcuts()}
    assert used
    assert {key: text for key, text in used.items() if key not in listed} == {}
    view.close()


def test_every_action_of_the_menus_is_listed_with_its_keys(window, qtbot):
    from app.dialogs.shortcuts import ShortcutsDialog

    window.show_shortcuts()
    dialog = window.findChild(ShortcutsDialog)
    rows = {}
    for i in range(dialog.tree.topLevelItemCount()):
        group = dialog.tree.topLevelItem(i)
        rows |= {group.child(k).text(0): group.child(k).text(1) for k in range(group.childCount())}
    for _, action in window.actions_.listed():
        for keys in action.shortcuts():
            assert keys.toString() in {k for text in rows.values() for k in text.split(", ")} | set(rows.values())
    assert rows["Command palette"] == "Ctrl+K"
    dialog.reject()
