"""New dataset: what the preview shows is what is added."""

import pytest
from PySide6.QtCore import Qt

from app.dialogs.new_dataset import NewDatasetDialog


@pytest.fixture
def dialog(app, project, viewer_factory, qtbot):
    made = NewDatasetDialog(project, source="torus-slices", viewer_factory=viewer_factory)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(made.add_button_.isEnabled, timeout=60_000)
    return made


def test_preview_and_add(dialog, project, qtbot):
    shown = dialog.preview.viewer.items
    assert shown
    with qtbot.waitSignal(dialog.added, timeout=20_000) as got:
        qtbot.keyClick(dialog, Qt.Key.Key_Return)
    ids = got.args[0]
    assert [project.artifact(i).content_hash() for i in ids] == [i.artifact.content_hash() for i in shown]
    assert project.entries[ids[0]].name == dialog.current.title
    project.history.undo()
    assert project.entries == {}


def test_the_preview_has_the_name_that_is_typed(dialog):
    assert dialog.preview.viewer.items[0].name == "Torus slices"
    dialog.name.selectAll()
    dialog.name.insert("Ring")
    dialog.name.textEdited.emit("Ring")
    names = [item.name for item in dialog.preview.viewer.items]
    assert names[0] == "Ring"
    assert all(name.startswith("Ring (") for name in names[1:])


def test_params_and_seed_change_the_preview(dialog, qtbot):
    before = dialog.preview.viewer.items[0].artifact.content_hash()
    dialog.seed_edit.box.setValue(9)
    assert not dialog.add_button_.isEnabled()
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=20_000)
    spec = next(s for s in dialog.current.params.specs() if s.kind == "int")
    editor = dialog.form.editor(spec.name)
    editor.setText("not a number")
    assert not dialog.add_button_.isEnabled()
    assert dialog.notice.isVisible()
    editor.setText(str(int(spec.default) + 1))
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=20_000)
    assert dialog.preview.viewer.items[0].artifact.content_hash() != before


def test_another_source(dialog, project, qtbot):
    keys = [m.key for m in dialog.sources]
    assert "two-hole-slices" in keys
    dialog.choose("two-hole-slices")
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=30_000)
    assert dialog.preview.viewer.items[0].id.startswith("two-hole-slices:")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert project.entries == {}


def test_a_mistake_in_a_formula_is_shown_at_its_word(app, project, viewer_factory, qtbot):
    dialog = NewDatasetDialog(project, source="typed-problem", viewer_factory=viewer_factory)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=60_000)
    editor = dialog.form.editor("conditions")
    editor.setFocus()
    editor.selectAll()
    qtbot.keyClicks(editor, "u = 0 on x = -1")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.keyClicks(editor, "u = sine(y) on x = 1")
    qtbot.waitUntil(lambda: editor.marked is not None, timeout=20_000)
    start, length = editor.marked
    assert editor.toPlainText()[start : start + length] == "sine"
    assert "Did you mean sin()?" in dialog.form.error("conditions")
    assert not dialog.notice.isVisible()  # it is said once
    assert not dialog.add_button_.isEnabled()
    qtbot.keyClick(editor, Qt.Key.Key_Tab)  # goes on, and types nothing
    assert app.focusWidget() is not editor
    assert "\t" not in editor.toPlainText()
    editor.setPlainText("u = 0 on x = -1\nu = sin(pi*y) on x = 1")
    assert editor.marked is None
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=20_000)
    with qtbot.waitSignal(dialog.added, timeout=20_000) as got:
        dialog.add_button_.click()
    problem = project.artifact(got.args[0][0])
    assert problem.conditions == ("u = 0 on x = -1", "u = sin(pi*y) on x = 1")


def test_typing_in_lines_is_undone_by_the_form(app, project, viewer_factory, qtbot):
    dialog = NewDatasetDialog(project, source="typed-problem", viewer_factory=viewer_factory)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=60_000)
    editor = dialog.form.editor("definitions")
    before, low = editor.toPlainText(), editor.height()
    editor.setPlainText(before + "\na = 1\nb = 2\nc = 3")
    assert editor.height() > low  # it grows with what is in it
    dialog.form.undo_stack.undo()
    assert editor.toPlainText() == before
    assert editor.height() == low
