"""From a sample to a result, saved and opened again: what a person does, click by click."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox

from app.window.inspector import InspectorFrame
from app.window.run_frame import RunFrame
from tests.window import samples
from tests.window.conftest import find


@pytest.fixture
def at_orex(window, add, qtbot):
    """OReX with a small torus and settings of smoke size."""
    window.file_acts.new_project()
    (ring,) = add(samples.slices(), name="Ring")
    window.project_panel.select([ring])
    page = window.method_panel.open_method("orex")
    page.form.set_params(samples.smoke())
    qtbot.waitUntil(page.run_button.isEnabled)
    return page


def _run(window, page, click, qtbot):
    before = len(window.bench.queue.jobs)
    click(find(page, "Run"))
    qtbot.waitUntil(lambda: len(window.bench.queue.jobs) == before + 1, timeout=20_000)
    job = window.bench.queue.jobs[-1]
    qtbot.waitUntil(lambda: job.ended, timeout=60_000)
    assert job.status == "finished", job.error
    qtbot.waitUntil(lambda: bool(window.bench.project.runs[job.run_id].outputs), timeout=10_000)
    return job


def test_sample_to_result_saved_and_opened_again(window, click, qtbot, tmp_path):
    card = None

    def there():
        nonlocal card
        card = next((c for c in window.home._sample_cards if c.info.key == "torus"), None)
        return card is not None

    qtbot.waitUntil(there)
    click(card)
    qtbot.waitUntil(lambda: window.method_panel.page is not None, timeout=20_000)
    page = window.method_panel.page
    assert page.method.key == "orex"
    assert set(page.inputs.ids()) == {"slices", "reference"}
    combo = find(page.form, "Preset", QComboBox)
    combo.setCurrentIndex(combo.findData("quick"))
    combo.activated.emit(combo.currentIndex())
    assert page.form.preset() == "quick"
    page.form.set_params(samples.smoke())
    qtbot.waitUntil(page.run_button.isEnabled, timeout=10_000)
    job = _run(window, page, click, qtbot)

    assert isinstance(window.views.current, RunFrame)
    record = window.bench.project.runs[job.run_id]
    assert record.status == "finished"
    assert record.started
    assert {"mesh", "field", "scores"} <= set(record.outputs)
    results = window.project_panel.model._root.children[2].children
    qtbot.waitUntil(lambda: {n.id for n in results} == set(record.outputs.values()))
    qtbot.waitUntil(lambda: len(window.views.current.viewers()) == 2, timeout=10_000)
    (notice,) = [b for b in window.notices.boxes() if "finished" in b.note.text]
    notice.button.click()
    assert set(window.project_panel.selected_artifacts()) == set(record.outputs.values())

    window.project_panel.select([record.outputs["scores"]])
    window.project_panel.open_selected()
    qtbot.waitUntil(lambda: bool(window.views.current.viewers()))
    window.bench.project.rename(record.outputs["mesh"], "Best surface")
    assert window.edit_acts.can_undo()
    window.edit_acts.undo()
    window.edit_acts.redo()
    assert window.bench.entry(record.outputs["mesh"]).name == "Best surface"

    target = tmp_path / "ring project.fieldwright"
    window.file_acts.save_to(target)
    qtbot.waitUntil(lambda: not window.bench.project.dirty, timeout=20_000)
    assert target.exists()
    kinds = [type(f).__name__ for f in window.views.frames()]
    old = window.bench.project
    window.file_acts.open_path(target)
    qtbot.waitUntil(lambda: window.bench.project.path == target and window.bench.project is not old, timeout=20_000)
    assert window.bench.project.read_only_reason == ""
    assert window.windowTitle().startswith("ring project")
    assert window.bench.entry(record.outputs["mesh"]).name == "Best surface"
    assert [type(f).__name__ for f in window.views.frames()] == kinds
    qtbot.waitUntil(lambda: bool(window.views.current.viewers()), timeout=20_000)
    window.show_home()
    qtbot.waitUntil(lambda: window.home._recent.count() == 1)


def test_provenance_again_and_out_of_date(window, at_orex, click, qtbot):
    page = at_orex
    job = _run(window, page, click, qtbot)
    record = window.bench.project.runs[job.run_id]
    mesh = record.outputs["mesh"]
    model = window.project_panel.model
    assert model.stale_reason(mesh) == ""
    page.form.editor("steps").setText("61")
    qtbot.waitUntil(lambda: "other settings" in model.stale_reason(mesh))
    window.run_acts.inspect(job.run_id)
    frame = window.views.current
    assert isinstance(frame, InspectorFrame)
    click(find(frame, "Run again with these settings"))
    assert page.form.params().steps == 60
    qtbot.waitUntil(lambda: model.stale_reason(mesh) == "")
    qtbot.waitUntil(lambda: "fieldwright run orex" in frame._command.text())
    window.bench.project.remove([record.inputs["slices"]])
    qtbot.waitUntil(lambda: "removed" in model.stale_reason(mesh))
    window.project_panel.select([job.run_id])
    window.run_acts.again(job.run_id)
    qtbot.waitUntil(lambda: any("no longer" in b.note.text for b in window.notices.boxes()))


def test_a_second_run_is_compared_with_the_first(window, at_orex, click, qtbot):
    one = _run(window, at_orex, click, qtbot)
    find(at_orex, "Seed").setText("5")
    two = _run(window, at_orex, click, qtbot)
    window.project_panel.select([one.run_id, two.run_id])
    window.actions_["compare"].trigger()
    frame = window.views.current
    assert frame.title() == "OReX 1 and OReX 2"
    qtbot.waitUntil(lambda: bool(frame.viewers()), timeout=20_000)


def test_closing_asks_and_cancel_keeps_the_window(window, add, qtbot, tmp_path):
    from app.dialogs.save_changes import SaveChangesDialog

    window.file_acts.new_project()
    add(samples.table())
    window.close()
    dialog = window.findChild(SaveChangesDialog)
    assert dialog.isVisible()
    dialog.reject()
    assert window.isVisible()
    assert window.bench.project.dirty
    qtbot.wait(10)


def test_a_wrong_setting_blocks_run_and_a_missing_input_says_so(window, qtbot):
    window.file_acts.new_project()
    page = window.method_panel.open_method("orex")
    assert "needs slices" in find(page, "Why it cannot run").text().lower()
    assert not page.run_button.isEnabled()
    page.form.editor("steps").setText("none at all")
    assert not page.run_button.isEnabled()


def test_undo_goes_to_the_form_that_has_the_keyboard(window, qtbot):
    window.file_acts.new_project()
    window.activateWindow()
    page = window.method_panel.open_method("torus-slices")
    editor = page.form.editor("planes")
    editor.setFocus()
    qtbot.waitUntil(editor.hasFocus)
    editor.selectAll()
    qtbot.keyClicks(editor, "7")
    qtbot.keyClick(editor, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert page.form.params().planes == 12
    window.actions_["redo"].trigger()
    assert page.form.params().planes == 7


def test_dropped_files_open_or_are_imported(window, qtbot, tmp_path, monkeypatch):
    opened, imported = [], []
    monkeypatch.setattr(window.file_acts, "open_path", opened.append)
    monkeypatch.setattr(window.file_acts, "import_data", imported.append)
    window.file_acts.dropped([str(tmp_path / "a.fieldwright")])
    window.file_acts.dropped([str(tmp_path / "a.csl"), str(tmp_path / "b.stl")])
    assert [Path(p).name for p in opened] == ["a.fieldwright"]
    assert [Path(p).name for p in imported[0]] == ["a.csl", "b.stl"]


def test_a_file_that_is_no_project_is_refused_quietly(window, qtbot, tmp_path):
    path = tmp_path / "bad.fieldwright"
    path.write_bytes(b"not a project")
    window.file_acts.open_path(path)
    qtbot.waitUntil(lambda: any(b.note.tone == "bad" for b in window.notices.boxes()), timeout=10_000)
    assert window.isVisible()


def test_layout_is_remembered_and_can_be_reset(themed, qtbot):
    from app.settings import settings
    from app.window.main_window import MainWindow

    one = MainWindow()
    one.show()
    one.show_workspace()
    one.panels.docks["jobs"].hide()
    one.leave()
    settings().sync()
    two = MainWindow()
    two.show()
    two.show_workspace()
    assert two.panels.docks["jobs"].isHidden()
    two.reset_layout()
    assert not two.panels.docks["jobs"].isHidden()
    two.leave()
    settings().set("window/state", b"\x00junk")
    settings().set("window/geometry", b"junk")
    three = MainWindow()
    three.show()
    three.show_workspace()
    assert not three.panels.docks["project"].isHidden()
    three.leave()


def test_keys_reach_every_panel(window, qtbot):
    window.show_workspace()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.method_panel.gallery.search.hasFocus())
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: window.project_panel.filter.hasFocus())


def test_the_command_line_of_a_run_makes_the_same_mesh(window, at_orex, click, qtbot, tmp_path, capsys):
    import json
    import shlex

    from app.cli import main

    find(at_orex, "Seed").setText("3")
    job = _run(window, at_orex, click, qtbot)
    target = tmp_path / "a ring.fieldwright"
    window.file_acts.save_to(target)
    qtbot.waitUntil(lambda: window.bench.project.path == target and not window.bench.project.dirty, timeout=20_000)
    record = window.bench.project.runs[job.run_id]
    window.run_acts.inspect(job.run_id)
    box = window.views.current._command
    qtbot.waitUntil(lambda: str(target) in box.text())
    click(box.copy)
    shown = QApplication.clipboard().text()
    made = {name: window.bench.entry(i).hash for name, i in record.outputs.items()}
    window.file_acts.close_project()
    qtbot.waitUntil(lambda: all(e.is_set() for e in window.bench._closing), timeout=20_000)
    capsys.readouterr()
    program, *words = shlex.split(shown)
    assert program == "fieldwright"
    assert str(target) in words
    assert main([*words, "--json"]) == 0
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    again = {name: found["hash"] for name, found in end["outputs"].items()}
    assert again["mesh"] == made["mesh"]
    assert again["field"] == made["field"]
    assert end["run"] != job.run_id
