"""Large files may stay where they are; what was prepared says how."""

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QPushButton, QRadioButton

from app.dialogs import import_item
from app.dialogs.import_item import KEEP
from app.dialogs.new_dataset import NewDatasetDialog
from app.listing import show_project
from app.project import Project
from app.terminal import Terminal
from engines.core import UserError

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def open_dialog(open_dialog, qtbot):
    def make(path):
        dialog = open_dialog(path)
        settle(qtbot, dialog)
        return dialog

    return make


def settle(qtbot, dialog):
    item = dialog.current
    qtbot.waitUntil(lambda: item.methods_known and item.state in ("ready", "refused"), timeout=60_000)


def add(qtbot, dialog):
    with qtbot.waitSignal(dialog.added, timeout=60_000) as told:
        qtbot.mouseClick(dialog.findChild(QPushButton, "import_dialog_add"), Qt.MouseButton.LeftButton)
    return told.args[0]


def choose(qtbot, dialog, plan):
    dialog.findChild(QRadioButton, f"plan:{plan}").click()
    qtbot.waitUntil(lambda: dialog.current.plan == plan)
    settle(qtbot, dialog)


def box(dialog):
    return dialog.page().findChild(QCheckBox, "import_link")


@pytest.fixture
def npy_file(tmp_path):
    """A file of grey values over the size from which linking is offered."""
    path = tmp_path / "large_scan.npy"
    np.save(path, np.random.default_rng(0).integers(0, 4000, (300, 300, 300)).astype("int16"))
    return path


def test_small_files_are_embedded_without_a_question(open_dialog, project, stl_file, qtbot):
    dialog = open_dialog(stl_file)
    choose(qtbot, dialog, KEEP)
    assert not box(dialog).isVisible()
    dialog.current.link = True  # even so
    (key,) = add(qtbot, dialog)
    assert project.entries[key].link is None


def test_a_large_file_is_embedded_unless_asked_otherwise(open_dialog, project, npy_file, qtbot):
    dialog = open_dialog(npy_file)
    assert box(dialog).isVisible()
    assert not box(dialog).isChecked()
    assert box(dialog).text() == "Keep in its file and link to it (54.0 MB)"
    assert box(dialog).accessibleName() == box(dialog).text()
    (key,) = add(qtbot, dialog)
    assert project.entries[key].link is None
    assert project.entries[key].provenance.reader == "npy"


def test_a_large_file_is_linked(open_dialog, project, npy_file, tmp_path, qtbot):
    dialog = open_dialog(npy_file)
    dialog.current.set_unit("µm")
    box(dialog).click()
    (key,) = add(qtbot, dialog)
    entry = project.entries[key]
    assert (entry.link.path, entry.link.size, entry.link.unit) == (str(npy_file), npy_file.stat().st_size, "µm")
    assert entry.origin == str(npy_file)
    project.save(tmp_path / "p.fieldwright")
    assert (tmp_path / "p.fieldwright").stat().st_size < 100_000
    with Project.open(tmp_path / "p.fieldwright") as again:
        assert again.artifact(key).unit == "µm"
        assert again.artifact(key).content_hash() == entry.hash
        npy_file.unlink()
        again._content.cache.drop(key)
        with pytest.raises(UserError, match="is gone"):
            again.artifact(key)
    project.history.undo()
    assert project.entries == {}


def test_only_what_is_in_the_file_is_linked(open_dialog, project, nifti_file, monkeypatch, qtbot):
    """Contours that were cut are embedded; the volume beside them may stay in its file."""
    monkeypatch.setattr(import_item, "LINK_BYTES", 100)
    dialog = open_dialog(nifti_file)
    assert not box(dialog).isVisible()
    dialog.findChild(QCheckBox, "import_keep_source").click()
    qtbot.waitUntil(box(dialog).isVisible)
    box(dialog).click()
    cut, volume = add(qtbot, dialog)
    assert project.entries[cut].link is None
    assert project.entries[volume].link.path == str(nifti_file)
    project._content.cache.drop(volume)
    assert project.artifact(volume).is_label


def test_a_preparation_says_how(open_dialog, project, nifti_file, tmp_path, capsys, qtbot):
    dialog = open_dialog(nifti_file)
    dialog.page().form.editor("every").setText("1")
    dialog.current.set_seed(5)
    settle(qtbot, dialog)
    dialog.findChild(QCheckBox, "import_keep_source").click()
    cut, volume = add(qtbot, dialog)
    how = project.entries[cut].provenance
    assert (how.role, how.method, how.seed, how.output) == ("preparation", "slice-volume", 5, "slices")
    assert (how.params["every"], how.params["label"]) == (1, 2)
    assert how.reader == "nifti"
    assert how.input_hash == project.entries[volume].hash
    assert project.entries[volume].provenance.method == ""
    assert project.entries[cut].origin == project.entries[volume].origin == str(nifti_file)
    # it is enough to make the same again
    from engines.core import Run, catalog

    method = catalog().get(how.method)
    again = method.run({"volume": project.artifact(volume)}, method.params.parse(how.params), Run(seed=how.seed))
    assert again[how.output].content_hash() == project.entries[cut].hash
    # and is shown
    project.save(tmp_path / "p.fieldwright")
    show_project(project, Terminal(False))
    said = " ".join(capsys.readouterr().out.split())
    assert "preparation" in said
    assert "slice-volume" in said
    show_project(project, Terminal(True))
    assert '"method": "slice-volume"' in capsys.readouterr().out


def test_a_source_says_how(app, project, viewer_factory, qtbot):
    dialog = NewDatasetDialog(project, viewer_factory=viewer_factory)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.add_button_.isEnabled, timeout=60_000)
    with qtbot.waitSignal(dialog.added, timeout=60_000) as told:
        dialog.add_button_.click()
    how = project.entries[told.args[0][0]].provenance
    assert (how.role, how.method, how.seed) == ("source", dialog.current.key, 0)
    assert how.params == dialog.current.params().model_dump(mode="json")
