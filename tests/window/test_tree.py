"""The project tree: sections, filter, rename, star, remove with undo."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QStyleOptionViewItem

from app.window.tree import FACTS_LEAST
from app.window.tree_model import first_fact
from tests.window import samples
from tests.window.conftest import find


def _names(window, section: int) -> list[str]:
    model = window.project_panel._proxy
    parent = model.index(section, 0)
    return [model.index(r, 0, parent).data() for r in range(model.rowCount(parent))]


def test_data_appears_and_the_filter_narrows(window, add, qtbot):
    window.file_acts.new_project()
    assert find(window, "The project is empty").isVisible()
    add(samples.table(), samples.curve())
    assert _names(window, 0) == ["Scores", "Loss"]
    qtbot.keyClicks(find(window, "Filter the project", QLineEdit), "los")
    assert _names(window, 0) == ["Loss"]


def test_rename_by_f2(window, add, qtbot):
    window.file_acts.new_project()
    (entry,) = add(samples.table())
    panel = window.project_panel
    panel.select([entry])
    panel.tree.setFocus()
    panel.rename_selected()
    editor = panel.tree.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "My scores")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.bench.entry(entry).name == "My scores")
    qtbot.waitUntil(lambda: _names(window, 0) == ["My scores"])
    qtbot.waitUntil(lambda: "name" in window.actions_["undo"].text().lower())
    window.edit_acts.undo()
    assert window.bench.entry(entry).name == "Scores"


def test_remove_is_undone_rather_than_confirmed(window, add, qtbot):
    window.file_acts.new_project()
    one, two = add(samples.table(), samples.curve())
    panel = window.project_panel
    panel.select([one])
    qtbot.keyClick(panel.tree, Qt.Key.Key_Delete)
    assert window.bench.entry(one) is None
    qtbot.waitUntil(lambda: _names(window, 0) == ["Loss"])
    (box,) = window.notices.boxes()
    box.button.click()
    qtbot.waitUntil(lambda: sorted(_names(window, 0)) == ["Loss", "Scores"])
    assert window.bench.entry(two) is not None


def test_stars_and_the_context_menu(window, add, qtbot):
    window.file_acts.new_project()
    one, _ = add(samples.table(), samples.curve())
    panel = window.project_panel
    panel.select([one])
    texts = [a.text() for a in panel.menu().actions() if a.text()]
    assert {"Show", "Export…", "Rename", "Add a star", "Remove", "Use as input"} <= set(texts)
    panel.star_selected()
    qtbot.waitUntil(lambda: window.bench.entry(one).starred)
    panel.starred.click()
    qtbot.waitUntil(lambda: _names(window, 0) == ["Scores"])


def test_a_dragged_artifact_carries_its_id(window, add):
    window.file_acts.new_project()
    one, two = add(samples.table(), samples.curve())
    model = window.project_panel.model
    data = model.mimeData([model.index_of(one), model.index_of(two)])
    assert bytes(data.data("application/x-fieldwright-artifacts").data()).decode().split() == [one, two]


def test_the_first_fact_has_all_that_it_is_about():
    assert first_fact("u, v on 49×49 nodes, 11 times") == "u, v on 49×49 nodes"
    assert first_fact("1,200 vertices, 2,396 triangles") == "1,200 vertices"
    assert first_fact("u_t = u_xx; u_y = 0 on x in [0, 1]") == "u_t = u_xx"
    assert first_fact("") == ""


def test_the_second_column_says_in_few_words_what_matters(window, add, qtbot):
    from app.project import RunRecord

    window.file_acts.new_project()
    project, model = window.bench.project, window.project_panel.model
    (ring,) = add(samples.slices(), name="Ring")
    run = RunRecord(id="r1", method="orex", title="OReX 1", status="running", inputs={"slices": ring})
    project.put_run(run)
    project.finish_run(run.replace(status="finished", seconds=26.0), {"mesh": samples.mesh()})
    mesh = project.runs["r1"].outputs["mesh"]
    qtbot.waitUntil(lambda: model.index_of(mesh).isValid())

    def said(item: str) -> tuple[str, str]:
        index = model.index_of(item)
        return index.siblingAtColumn(1).data(), index.data(Qt.ItemDataRole.ToolTipRole)

    assert said(ring)[0] == "4 planes"
    assert project.entries[ring].summary in said(ring)[1]
    assert said("r1")[0] == "26 s"
    assert "Finished, 26 s" in said("r1")[1]
    assert said(mesh)[0] == "OReX 1"
    assert "4 vertices" in said(mesh)[1]
    tree = window.project_panel.tree
    for item in (ring, "r1", mesh):  # nothing of it is cut off at the width that a new window has
        index = window.project_panel._proxy.mapFromSource(model.index_of(item)).siblingAtColumn(1)
        assert tree.itemDelegate().sizeHint(QStyleOptionViewItem(), index).width() <= tree.columnWidth(1)


def test_names_have_their_room_before_the_facts(window, add, qtbot):
    window.file_acts.new_project()
    tree, model = window.project_panel.tree, window.project_panel.model
    (one,) = add(samples.slices(), name="Ring")
    narrow = tree.columnWidth(1)
    title = "A name that needs more room"
    window.bench.project.rename(one, title)
    index = window.project_panel._proxy.mapFromSource(model.index_of(one))
    qtbot.waitUntil(lambda: index.data() == title)
    window.bench.project.rename(one, title + " than there is in any panel, however wide it is")
    qtbot.waitUntil(lambda: tree.columnWidth(1) == min(narrow, FACTS_LEAST))
    window.bench.project.rename(one, "Ring")
    qtbot.waitUntil(lambda: tree.columnWidth(1) == narrow)
    assert tree.columnWidth(0) + tree.columnWidth(1) == tree.viewport().width()
