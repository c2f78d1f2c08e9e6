"""Export: every format by the dialog, inline confirmation before a file is replaced, the same on the command line."""

import shlex
import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from app.dialogs.export_dialog import ExportDialog
from app.dialogs.export_plan import file_stem
from app.project.records import RunRecord
from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.core import catalog
from engines.data import Curve, GridField, Model, Table
from engines.files import read, readers_for, writers_for

MESH = torus_mesh(Torus(), around=24, tube=12)
FIELD = GridField(
    values=np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32),
    origin=np.array([1.0, 2, 3]),
    spacing=np.array([0.5, 0.5, 1.0]),
    quantity="occupancy",
)


@pytest.fixture
def open_dialog(app, project, qtbot, tmp_path):
    def make(*ids):
        dialog = ExportDialog(project, ids)
        qtbot.addWidget(dialog)
        dialog.show()
        qtbot.waitUntil(lambda: bool(dialog.targets) or dialog.notice.isVisible(), timeout=20_000)
        dialog.folder.setText(str(tmp_path))
        return dialog

    return make


def choose(dialog, key, extension):
    index = next(i for i in range(dialog.format.count()) if tuple(dialog.format.itemData(i)) == (key, extension))
    dialog.format.setCurrentIndex(index)
    dialog.format.activated.emit(index)


def export(qtbot, dialog):
    with qtbot.waitSignal(dialog.exported, timeout=20_000) as got:
        qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    return got.args[0]


def action(dialog, name):
    return dialog.findChild(QPushButton, f"export_notice_{name}")


@pytest.mark.parametrize("artifact", [MESH, FIELD], ids=["mesh", "field"])
def test_every_format(artifact, open_dialog, project, tmp_path, qtbot):
    key = project.add(artifact, name="Thing").id
    dialog = open_dialog(key)
    formats = [(w.key, e) for w in writers_for(type(artifact)) for e in w.extensions]
    offered = [tuple(dialog.format.itemData(i)) for i in range(dialog.format.count())]
    assert offered == formats
    assert len(formats) >= 5
    for writer, extension in formats:
        choose(dialog, writer, extension)
        assert dialog.file.text() == f"Thing{extension}"
        if (tmp_path / f"Thing{extension}").exists():
            dialog.file.setText(f"Thing-{writer}{extension}")
        (path,) = export(qtbot, dialog)
        assert path.endswith(extension)
        size = (tmp_path / path).stat().st_size
        assert size > 0
        assert dialog.notice.tone == "good"
        if artifact is MESH and extension == ".ply":
            back = read(path).artifacts[0]
            np.testing.assert_allclose(back.vertices, MESH.vertices, atol=1e-6)
        elif readers_for(path):
            assert read(path).artifacts


def test_size_estimates_of_meshes_hold(open_dialog, project, tmp_path, qtbot):
    from app.dialogs.export_plan import estimate

    big = torus_mesh(Torus(), around=96, tube=48)
    dialog = open_dialog(project.add(big, name="Torus").id)
    for writer, extension in [(w, e) for w in writers_for(type(big)) for e in w.extensions]:
        choose(dialog, writer.key, extension)
        for encoding in ("binary", "ascii"):
            if "encoding" in writer.options.model_fields:
                dialog._form.set_params(writer.options.parse({"encoding": encoding}))
            dialog.file.setText(f"{encoding}{extension}")
            said, at_most = estimate(dialog.current, project)
            (path,) = export(qtbot, dialog)
            real = (tmp_path / path).stat().st_size
            assert real <= 1.3 * said, path
            assert at_most or real >= said / 1.5, path


def test_an_existing_file_is_replaced_only_when_told(open_dialog, project, tmp_path, qtbot):
    target = tmp_path / "Torus.ply"
    target.write_text("precious")
    dialog = open_dialog(project.add(MESH, name="Torus").id)
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    assert "exists already" in dialog.notice.message
    assert target.read_text() == "precious"
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        action(dialog, "replace").click()
    assert read(target).artifacts[0].faces.shape == MESH.faces.shape
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)  # asked again, each time
    assert "exists already" in dialog.notice.message
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        action(dialog, "keep_both").click()
    assert (tmp_path / "Torus-2.ply").exists()
    action(dialog, "copy_path").click()
    assert QApplication.clipboard().text() == str(tmp_path / "Torus-2.ply")


def painted():
    """A torus in a picture of noise: it cannot be packed much."""
    draw = np.random.default_rng(0)
    uv = draw.uniform(size=(len(MESH.faces), 3, 2)).astype(np.float32)
    return MESH.replace(uv=uv, texture=draw.integers(0, 256, (64, 64, 3)).astype(np.uint8))


def test_a_texture_goes_to_one_file_at_first_and_to_three_as_obj(open_dialog, project, tmp_path, qtbot):
    mesh = painted()
    dialog = open_dialog(project.add(mesh, name="My torus").id)
    assert dialog.file.text() == "My torus.glb"
    assert not dialog.notice.isVisible()
    export(qtbot, dialog)
    assert np.array_equal(read(tmp_path / "My torus.glb").artifacts[0].texture, mesh.texture)
    choose(dialog, "obj", ".obj")
    (tmp_path / "My_torus.png").write_bytes(b"precious")  # of somebody else
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    assert "My_torus.png" in dialog.notice.message
    assert "exists already" in dialog.notice.message
    with qtbot.waitSignal(dialog.exported, timeout=20_000) as got:
        action(dialog, "keep_both").click()
    assert got.args[0] == [str(tmp_path / name) for name in ("My torus-2.obj", "My_torus-2.mtl", "My_torus-2.png")]
    assert (tmp_path / "My_torus.png").read_bytes() == b"precious"
    assert "3 files" in dialog.notice.message
    assert np.array_equal(read(tmp_path / "My torus-2.obj").artifacts[0].texture, mesh.texture)
    dialog.file.setText("My torus.obj")
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        action(dialog, "replace").click()
    assert np.array_equal(read(tmp_path / "My torus.obj").artifacts[0].texture, mesh.texture)


def test_two_textures_of_one_name_are_told(open_dialog, project, tmp_path, qtbot):
    dialog = open_dialog(*[project.add(painted(), name=name).id for name in ("a b", "c")])
    for row, name in enumerate(("a b", "a_b")):  # their pictures would both be a_b.png
        dialog.list.setCurrentRow(row)
        choose(dialog, "obj", ".obj")
        dialog.file.setText(f"{name}.obj")
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    assert "Two files would be called 'a_b.mtl'" in dialog.notice.message


@pytest.mark.parametrize(("key", "said"), [("ply", "the vertices keep its colours"), ("stl", "nor for colours")])
def test_formats_without_place_for_a_texture_say_so(key, said, open_dialog, project):
    dialog = open_dialog(project.add(painted(), name="Torus").id)
    choose(dialog, key, f".{key}")
    assert dialog.notice.isVisible()
    assert dialog.notice.message.startswith("The texture is left out.")
    assert said in dialog.notice.message
    choose(dialog, "glb", ".glb")
    assert not dialog.notice.isVisible()


def test_formats_that_write_a_folder_say_so(open_dialog, project):
    photos = catalog().get("gaussian-splatting").smoke.inputs()["photos"]
    dialog = open_dialog(project.add(photos, name="Ring").id)
    choose(dialog, "transforms", ".json")
    assert dialog.notice.isVisible()
    assert dialog.notice.message.startswith("More than one file is written.")


def test_size_estimates_with_a_texture_hold(open_dialog, project, tmp_path, qtbot):
    from app.dialogs.export_plan import estimate

    dialog = open_dialog(project.add(painted(), name="Torus").id)
    for key, extension in (("obj", ".obj"), ("glb", ".glb"), ("ply", ".ply"), ("stl", ".stl")):
        choose(dialog, key, extension)
        said, at_most = estimate(dialog.current, project)
        real = sum((tmp_path / path).stat().st_size for path in export(qtbot, dialog))
        assert real <= 1.3 * said, key
        assert real >= said / (3 if at_most else 1.5), key


def test_another_name_takes_back_the_permission_to_replace(open_dialog, project, tmp_path, qtbot):
    (tmp_path / "Torus.ply").write_text("a")
    dialog = open_dialog(project.add(MESH, name="Torus").id)
    qtbot.mouseClick(dialog.export_button, Qt.MouseButton.LeftButton)
    assert dialog.notice.isVisible()
    dialog.file.setText("Other.ply")
    assert not dialog.notice.isVisible()
    assert export(qtbot, dialog) == [str(tmp_path / "Other.ply")]
    assert (tmp_path / "Torus.ply").read_text() == "a"


def test_typing_an_extension_chooses_the_format(open_dialog, project):
    dialog = open_dialog(project.add(MESH, name="Torus").id)
    dialog.file.setText("part.stl")
    assert dialog.current.writer.key == "stl"
    assert dialog.file.text() == "part.stl"
    dialog.file.setText("part")
    assert dialog.current.whole_name() == "part.stl"


def test_options_reach_the_writer_and_the_command_line(open_dialog, project, tmp_path, qtbot):
    key = project.add(MESH, name="My torus").id
    project.save(tmp_path / "p.fieldwright")
    dialog = open_dialog(key)
    choose(dialog, "ply", ".ply")
    (binary,) = export(qtbot, dialog)
    name, value = next(
        (s.name, not s.default if s.kind == "bool" else next(c for c in s.choices if c != s.default))
        for s in dialog.current.writer.options.specs()
        if s.kind in ("bool", "choice")
    )
    dialog._form.set_params(dialog.current.writer.options.parse({name: value}))
    dialog.file.setText("other.ply")
    words = shlex.split(dialog.command.text())
    assert words[:5] == [
        "fieldwright", "export", str(tmp_path / "p.fieldwright"), "My torus", str(tmp_path / "other.ply"),
    ]  # fmt: skip
    assert words[5] == "--set"
    assert words[6].startswith(f"{name}=")
    (other,) = export(qtbot, dialog)
    assert (tmp_path / other).read_bytes() != (tmp_path / binary).read_bytes()
    dialog.findChild(QPushButton, "export_copy_command").click()
    assert shlex.split(QApplication.clipboard().text())[0] == "fieldwright"


def test_several_at_once(open_dialog, project, tmp_path, qtbot):
    curve = Curve(x=np.arange(3.0), series={"loss": np.array([3.0, 2, 1])})
    ids = [project.add(a, name=n).id for a, n in ((MESH, "Same"), (FIELD, "Field"), (MESH, "Same"), (curve, "Loss"))]
    dialog = open_dialog(*ids)
    assert dialog.list.count() == 4
    assert dialog.export_button.text() == "&Export 4 files"
    paths = export(qtbot, dialog)
    assert len(set(paths)) == 4
    assert (tmp_path / "Same-2.ply").exists()
    assert "loss" in (tmp_path / "Loss.csv").read_text().splitlines()[0]
    assert "4 files" in dialog.notice.message


def test_curves_of_a_run(open_dialog, project, tmp_path, qtbot):
    project.put_run(RunRecord(id="r1", method="orex", title="OReX"))
    project.add_curve_points("r1", [(0, {"loss": 2.0}), (1, {"loss": 1.0, "iou": 0.5})])
    dialog = open_dialog("r1")
    (path,) = export(qtbot, dialog)
    rows = (tmp_path / path).read_text().splitlines()
    assert "loss" in rows[0]
    assert "iou" in rows[0]
    assert len(rows) >= 3


def test_stop_between_files(open_dialog, project, tmp_path, monkeypatch, qtbot):
    from engines import files

    real, started, hold = files.write, threading.Event(), threading.Event()

    def slow(*args, **kwargs):
        started.set()
        hold.wait(20)
        real(*args, **kwargs)

    monkeypatch.setattr(files, "write", slow)
    dialog = open_dialog(*[project.add(MESH, name=f"T{i}").id for i in range(3)])
    dialog.export_button.click()
    qtbot.waitUntil(started.is_set)
    assert dialog.findChild(QWidget, "export_progress").isVisible()
    with qtbot.waitSignal(dialog.exported, timeout=20_000) as got:
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
        hold.set()
    assert len(got.args[0]) == 1
    assert dialog.isVisible()
    assert sorted(p.name for p in tmp_path.glob("*.ply")) == ["T0.ply"]


def test_errors_are_told(open_dialog, project, tmp_path, qtbot):
    dialog = open_dialog(project.add(MESH, name="Torus").id)
    dialog.folder.setText(str(tmp_path / "nowhere"))
    dialog.export_button.click()
    assert "There is no folder" in dialog.notice.message
    dialog.folder.setText(str(tmp_path))
    dialog.file.setText("a/b.ply")
    dialog.export_button.click()
    assert "not a file name" in dialog.notice.message
    (tmp_path / "dir.ply").mkdir()
    dialog.file.setText("dir.ply")
    dialog.export_button.click()
    action(dialog, "replace").click()
    qtbot.waitUntil(lambda: dialog.notice.tone == "bad", timeout=20_000)
    assert "cannot be written" in dialog.notice.message


def test_what_has_no_format_says_so(open_dialog, project):
    dialog = open_dialog(project.add(Table(columns={"a": np.arange(2)}), name="T").id, "gone")
    assert "1 of 2 cannot be exported" in dialog.notice.message
    model = project.add(Model(weights={"w": np.zeros(2)}), name="M").id
    dialog = open_dialog(model)
    assert dialog.targets or "No format is known" in dialog.notice.message


@pytest.mark.parametrize(("name", "stem"), [("a/b: c?", "a-b- c"), ("..", "artifact"), ("x" * 300, "x" * 100)])
def test_file_names(name, stem):
    assert file_stem(name) == stem
