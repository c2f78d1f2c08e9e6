"""What the package's docstring promises to people without this package."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import app.project
from app.project import LogLine, Project, RunRecord
from engines.core import Checkpoint
from engines.data import GridField
from tests.project.samples import mesh

READER = """
import h5py, json, sys
with h5py.File(sys.argv[1]) as file:
    for key, group in file["artifacts"].items():
        print(group.attrs["type"].decode(), group.attrs["name"].decode(), group.attrs["hash"].decode())
        for field, item in group.items():
            print(field, *(list(item) if isinstance(item, h5py.Group) else (item.shape, item.dtype)))
    for key, run in file["runs"].items():
        print(run.attrs["method"].decode(), json.loads(run["params"][()]), json.loads(run["log"][()]))
        print({name: curve[:].tolist() for name, curve in run["curves"].items()}, json.loads(run["outputs"][()]))
"""


def test_ten_lines_of_plain_h5py_read_a_project(tmp_path):
    path, ball = tmp_path / "p.fieldwright", mesh(name="Bällchen")
    with Project.new() as project:
        project.add(ball)
        project.put_run(RunRecord(id="r", method="orex", params={"steps": 5}, log=(LogLine("note", "hi", 1.0),)))
        project.add_curve_points("r", [(0, {"loss": 2.0}), (1, {"loss": 1.0})])
        made = project.finish_run(project.runs["r"].replace(status="finished"), {"mesh": ball})
        project.save(path)
    assert len(READER.strip().splitlines()) <= 10
    done = subprocess.run([sys.executable, "-I", "-c", READER, str(path)], capture_output=True, text=True, check=True)
    assert f"Mesh Bällchen {ball.content_hash()}" in done.stdout
    assert "vertices (50, 3) float64" in done.stdout
    assert "orex {'steps': 5} [['note', 'hi', 1.0]]" in done.stdout
    assert f"{{'loss': [[0.0, 2.0], [1.0, 1.0]]}} {{'mesh': '{made[0].id}'}}" in done.stdout


def test_the_example_in_the_docstring_runs(tmp_path, monkeypatch, capsys):
    lines = app.project.__doc__.split("    import h5py\n")[1].split("\n\nA file is")[0]
    with Project.new() as project:
        project.add(mesh(name="ball"))
        project.save(tmp_path / "P.fieldwright")
    monkeypatch.chdir(tmp_path)
    exec("import h5py\n" + textwrap.dedent(lines))
    assert "Mesh ball" in capsys.readouterr().out


def test_a_project_needs_neither_torch_nor_a_window(tmp_path):
    code = "import sys, app.project; print([m for m in ('torch', 'PySide6', 'scipy', 'vtk') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tree_is_read_without_arrays_and_slices_read_their_part(tmp_path, monkeypatch):
    import numpy as np

    path = tmp_path / "p.fieldwright"
    field = GridField(values=np.arange(2_000_000.0).reshape(100, 100, 200), origin=[0, 0, 0], spacing=[1, 1, 1])
    with Project.new() as project:
        key = project.add(field, name="Field").id
        project.put_run(RunRecord(id="r", method="orex"))
        project.put_checkpoint("r", Checkpoint(4, {"0": np.arange(3)}, "{}"))
        project.save(path)
    with Project.open(path) as project:
        monkeypatch.setattr("app.project.chunks.read_array", None)
        monkeypatch.setattr("app.project.codec.read_array", None)
        entry = project.entries[key]
        assert (entry.name, entry.nbytes, entry.hash) == ("Field", field.nbytes, field.content_hash())
        assert entry.summary == field.summary()
        lazy = project.array(key, "values")
        assert (lazy.shape, lazy.dtype, lazy.nbytes, len(lazy)) == ((100, 100, 200), np.float32, 8_000_000, 100)
        np.testing.assert_array_equal(lazy[3, :, 7], field.values[3, :, 7])
        np.testing.assert_array_equal(lazy[..., 5], field.values[..., 5])
        np.testing.assert_array_equal(np.asarray(lazy), field.values)
        assert project.runs["r"].has_checkpoint
