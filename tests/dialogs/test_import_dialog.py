"""Import: look first, then add in one step."""

import threading

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QPushButton, QRadioButton, QSpinBox, QWidget

from app.dialogs.import_dialog import ImportDialog
from app.dialogs.import_item import KEEP, stem
from app.settings import settings
from engines.data import Mesh, Slices, Volume

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def open_dialog(open_dialog, qtbot):
    def make(*paths, wait=True):
        dialog = open_dialog(*paths)
        if wait:
            settle(qtbot, dialog)
        return dialog

    return make


def settle(qtbot, dialog):
    """Until nothing is read, looked up or prepared."""

    def over():
        return all(
            i.state in ("refused", "cancelled") or (i.state == "ready" and (i.methods_known or i.found is None))
            for i in dialog.items
        )

    qtbot.waitUntil(over, timeout=60_000)
    qtbot.waitUntil(lambda: all(i.state != "preparing" for i in dialog.items), timeout=60_000)


def click(qtbot, dialog, kind, name):
    widget = dialog.findChild(kind, name)
    assert widget is not None, name
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def facts(dialog):
    page = dialog.page()
    return {w.objectName()[5:]: w.text() for w in page.findChildren(QWidget) if w.objectName().startswith("fact:")}


def add(qtbot, dialog):
    with qtbot.waitSignal(dialog.added, timeout=20_000) as got:
        click(qtbot, dialog, QPushButton, "import_dialog_add")
    return got.args[0]


def test_csl(open_dialog, csl_file, project, qtbot):
    dialog = open_dialog(csl_file)
    shown = facts(dialog)
    assert shown["Planes"] == "5 (parallel)"
    assert shown["Contours"] == "5"
    assert shown["Extent"].endswith("× 4")
    assert [type(i.artifact) for i in dialog.preview.viewer.items] == [Slices]
    assert project.entries == {}
    name = dialog.findChild(QLineEdit, "import_name")
    name.clear()
    qtbot.keyClicks(name, "My cylinder")
    unit = dialog.findChild(QComboBox, "import_unit")
    unit.setCurrentIndex(unit.findData("mm"))
    unit.activated.emit(unit.currentIndex())
    (key,) = add(qtbot, dialog)
    entry = project.entries[key]
    assert (entry.name, entry.origin, entry.type) == ("My cylinder", str(csl_file), "Slices")
    assert project.artifact(key).unit == "mm"
    assert settings().folder() == str(csl_file.parent)


def test_stl_is_sliced_and_kept_in_one_step(open_dialog, stl_file, project, qtbot):
    dialog = open_dialog(stl_file)
    assert dialog.current.plan == "slice-mesh"
    assert {type(i.artifact) for i in dialog.preview.viewer.items} == {Slices, Mesh}
    count = dialog.page().form.editor("count")
    count.setText("7")
    arrangement = dialog.page().form.editor("arrangement")
    arrangement.setCurrentIndex(arrangement.findData("random"))
    dialog.findChild(QSpinBox, "import_seed").setValue(5)
    assert not dialog.findChild(QPushButton, "import_dialog_add").isEnabled()  # being prepared
    settle(qtbot, dialog)
    shown = next(i.artifact for i in dialog.preview.viewer.items if isinstance(i.artifact, Slices))
    assert shown.plane_count == 7
    first, second = add(qtbot, dialog)
    assert project.artifact(first).content_hash() == shown.content_hash()
    assert project.entries[first].name == "torus"
    assert project.entries[second].name == "torus (reference)"
    assert project.entries[second].type == "Mesh"
    project.history.undo()
    assert project.entries == {}
    project.history.redo()
    assert list(project.entries) == [first, second]


def test_same_seed_same_planes(open_dialog, stl_file, qtbot):
    hashes = []
    for seed in (3, 3, 4):
        dialog = open_dialog(stl_file)
        dialog.findChild(QSpinBox, "import_seed").setValue(seed)
        arrangement = dialog.page().form.editor("arrangement")
        arrangement.setCurrentIndex(arrangement.findData("random"))
        settle(qtbot, dialog)
        hashes.append(dialog.current.outputs()["slices"].content_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_mesh_in_its_texture_is_kept_as_it_is_at_first(open_dialog, tmp_path, project, qtbot):
    from engines.files import write
    from tests.files import made

    write(made.textured(), tmp_path / "m.obj")
    dialog = open_dialog(tmp_path / "m.obj")
    settle(qtbot, dialog)
    assert facts(dialog)["Texture"] == "5 × 7 pixels"
    add(qtbot, dialog)
    (entry,) = project.entries.values()
    assert (project.artifact(entry.id).texture == made.textured().texture).all()


def test_stl_as_a_mesh(open_dialog, stl_file, project, qtbot):
    dialog = open_dialog(stl_file)
    click(qtbot, dialog, QRadioButton, f"plan:{KEEP}")
    qtbot.waitUntil(lambda: dialog.current.plan == KEEP)
    (key,) = add(qtbot, dialog)
    assert project.entries[key].type == "Mesh"


def test_nifti_with_label_choice(open_dialog, nifti_file, project, qtbot):
    dialog = open_dialog(nifti_file)
    labels = dialog.page().labels
    rows = [[labels.topLevelItem(i).text(c) for c in (0, 1)] for i in range(labels.topLevelItemCount())]
    assert rows[0][0] == "All labels"
    assert rows[2] == ["1", "36"]
    assert labels.currentItem().text(0) == "2"  # the largest
    assert not dialog.page().form.editor("label").isVisible()
    assert dialog.current.outputs()["slices"].labels.tolist() == [2]
    labels.setCurrentItem(labels.topLevelItem(2))
    every = dialog.page().form.editor("every")
    every.setText("1")
    settle(qtbot, dialog)
    cut = dialog.current.outputs()["slices"]
    assert cut.labels.tolist() == [1]
    assert cut.plane_count == 4
    dialog.findChild(QCheckBox, "import_keep_source").click()
    slices, volume = add(qtbot, dialog)
    assert project.artifact(slices).unit == project.artifact(volume).unit == "mm"
    assert isinstance(project.artifact(volume), Volume)


def test_broken_file_says_what_why_and_mend(open_dialog, csl_file, qtbot):
    csl_file.write_text(csl_file.read_text()[:120])
    dialog = open_dialog(csl_file)
    item = dialog.current
    assert item.state == "refused"
    text = dialog.page().error.message
    assert item.error.what in text
    assert item.error.mend in text
    button = dialog.findChild(QPushButton, "import_dialog_add")
    assert not button.isEnabled()
    assert button.toolTip()
    assert dialog.preview.viewer is None


def test_unknown_format_names_the_known_ones(open_dialog, tmp_path):
    path = tmp_path / "notes.docx"
    path.write_text("hello")
    dialog = open_dialog(path, tmp_path / "gone.stl")
    assert ".csl" in dialog.page().error.message
    assert [i.state for i in dialog.items] == ["refused", "refused"]


def test_several_files_good_and_bad(open_dialog, csl_file, stl_file, tmp_path, project, qtbot):
    bad = tmp_path / "empty.stl"
    bad.touch()
    dialog = open_dialog(csl_file, bad, stl_file)
    button = dialog.findChild(QPushButton, "import_dialog_add")
    assert button.text() == "&Add 2 of 3 files"
    ids = add(qtbot, dialog)
    assert len(ids) == 3
    assert project.history.undo_label == "Import 2 files"
    project.history.undo()
    assert project.entries == {}


def test_invalid_settings_disable_add(open_dialog, stl_file, qtbot):
    dialog = open_dialog(stl_file)
    count = dialog.page().form.editor("count")
    count.setText("0")
    assert not dialog.findChild(QPushButton, "import_dialog_add").isEnabled()
    assert dialog.page().error.isVisible()
    count.setText("4")
    settle(qtbot, dialog)
    assert dialog.findChild(QPushButton, "import_dialog_add").isEnabled()
    assert not dialog.page().error.isVisible()


def test_stop_while_reading_then_read_again(open_dialog, csl_file, monkeypatch, qtbot):
    from engines import files

    hold, real = threading.Event(), files.read

    def slow(*args, **kwargs):
        hold.wait(20)
        return real(*args, **kwargs)

    monkeypatch.setattr(files, "read", slow)
    dialog = open_dialog(csl_file, wait=False)
    assert "Reading small_cylinder.csl" in dialog.findChild(QWidget, "preview_empty").text()
    assert dialog.findChild(QWidget, "preview_progress").isVisible()
    assert not dialog.findChild(QPushButton, "import_dialog_add").isEnabled()
    click(qtbot, dialog, QPushButton, "preview_stop")
    assert dialog.current.state == "cancelled"
    hold.set()
    qtbot.wait(100)
    assert dialog.current.state == "cancelled"  # the answer that came late is dropped
    click(qtbot, dialog, QPushButton, "import_error_read_again")
    settle(qtbot, dialog)
    assert dialog.current.state == "ready"


def test_escape_while_reading(open_dialog, csl_file, monkeypatch, project, qtbot):
    from engines import files

    hold = threading.Event()
    monkeypatch.setattr(files, "read", lambda *a, **k: hold.wait(20))
    dialog = open_dialog(csl_file, wait=False)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    hold.set()
    qtbot.wait(50)
    assert project.entries == {}


def test_files_are_dropped_and_removed(open_dialog, csl_file, stl_file, qtbot):
    dialog = open_dialog()
    assert "Drop files here" in dialog.findChild(QWidget, "preview_empty").text()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(csl_file)), QUrl.fromLocalFile(str(stl_file))])
    dialog.dropEvent(
        QDropEvent(
            QPointF(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        )
    )
    settle(qtbot, dialog)
    assert dialog.files.count() == 2
    dialog.files.setFocus()
    qtbot.keyClick(dialog.files, Qt.Key.Key_Delete)
    assert [i.path for i in dialog.items] == [stl_file]
    assert dialog.page().item is dialog.items[0]


def test_without_a_viewer_there_is_still_an_import(app, project, csl_file, qtbot):
    def no_opengl(key, parent):
        raise RuntimeError("no OpenGL")

    dialog = ImportDialog(project, [csl_file], viewer_factory=no_opengl)
    qtbot.addWidget(dialog)
    dialog.show()
    settle(qtbot, dialog)
    assert "cannot be shown" in dialog.findChild(QWidget, "preview_empty").text()
    assert len(add(qtbot, dialog)) == 1


@pytest.mark.parametrize(
    ("file", "name"), [("a_b.csl", "a b"), ("scan.nii.gz", "scan"), (".csl", ".csl"), ("x.y.stl", "x.y")]
)
def test_suggested_names(file, name):
    assert stem(file) == name


def test_with_the_real_3d_view(app, project, stl_file, qtbot):
    dialog = ImportDialog(project, [stl_file])
    dialog.show()
    settle(qtbot, dialog)
    qtbot.waitUntil(lambda: dialog.preview.viewer is not None, timeout=30_000)
    scene = dialog.preview.viewer
    qtbot.waitUntil(lambda: len(scene.layers) == 2, timeout=20_000)
    reference = next(layer for key, layer in scene.layers.items() if key.endswith("reference"))
    assert reference.style.opacity < 0.5
    pose = scene.pose.to_json()
    dialog.page().form.editor("count").setText("6")
    settle(qtbot, dialog)
    assert scene.pose.to_json() == pose  # new contours, same camera
    assert len(add(qtbot, dialog)) == 2
    assert dialog.preview.viewer is None
    dialog.deleteLater()
