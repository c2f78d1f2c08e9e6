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
    dialog.list.setCurrentRow(keys.index("two-hole-slices"))
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=30_000)
    assert dialog.preview.viewer.items[0].id.startswith("two-hole-slices:")
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert project.entries == {}
