"""Fields on the command line: looked at, taken into a project, and written again."""

from __future__ import annotations

import numpy as np

from engines.files import read, write
from tests.files import grids, made


def test_fields_go_through_a_project(fieldwright, machine, tmp_path):
    grids.matlab(tmp_path)
    code, out, _ = fieldwright("info", str(tmp_path / "b.mat"))
    assert code == 0
    assert "usol on 12 nodes, 7 times" in out
    project = str(tmp_path / "p.fieldwright")
    np.save(tmp_path / "u.npy", np.arange(60.0).reshape(3, 4, 5))
    options = ("--format", "npy-field", "--set", "axes=t x y", "--set", "ranges=0,1,-1,1,-1,1")
    assert fieldwright("import", str(tmp_path / "u.npy"), "--project", project, *options)[0] == 0
    assert fieldwright("import", str(tmp_path / "b.mat"), "--project", project, "--link")[0] == 0
    for name in ("u.h5", "u.nc", "u.npz", "u.pvd", "u.csv", "u.png", "u.xdmf"):
        assert fieldwright("export", project, "u", str(tmp_path / "out" / name))[0] == 0, name
        (tmp_path / "out" / "u.h5").unlink(missing_ok=True)  # XDMF has one of the same name
    field = read(tmp_path / "out" / "u.nc").artifacts[0]
    assert field.y.tolist() == [-1, -0.5, 0, 0.5, 1]
    np.testing.assert_array_equal(field.values[:, 0, ..., 0], np.arange(60.0).reshape(3, 4, 5))
    assert fieldwright("export", project, "b", str(tmp_path / "b.h5"))[0] == 0
    assert len(read(tmp_path / "b.h5").artifacts[0].times) == 7


def test_problems_and_meshes_go_through_a_project(fieldwright, tmp_path):
    project = str(tmp_path / "p.fieldwright")
    write(made.problem(), tmp_path / "p.problem")
    write(made.body(), tmp_path / "b.mesh")
    assert fieldwright("import", str(tmp_path / "p.problem"), str(tmp_path / "b.mesh"), "--project", project)[0] == 0
    for artifact, name in (("p", "q.problem"), ("b", "b.vtu"), ("b", "b.ply"), ("b", "c.mesh")):
        assert fieldwright("export", project, artifact, str(tmp_path / name))[0] == 0, name
    assert made.differences(made.problem(), read(tmp_path / "q.problem").artifacts[0]) == []
    code, _, err = fieldwright("info", str(tmp_path / "gone.problem"))
    assert (code, "There is no file" in err) == (3, True)


def test_folders_and_files_with_others_beside_them_are_linked(fieldwright, tmp_path):
    (tmp_path / "heat").mkdir()
    grids.frames(tmp_path / "heat")
    write(made.flow(), tmp_path / "series.pvd")
    write(made.body(), tmp_path / "body.xdmf")
    project = str(tmp_path / "p.fieldwright")
    for what in ("heat", "series.pvd", "body.xdmf"):
        assert fieldwright("import", str(tmp_path / what), "--project", project, "--link")[0] == 0, what
    for name, again in (("series", "s.npz"), ("body", "b.npz"), ("heat", "h.npz")):
        assert fieldwright("export", project, name, str(tmp_path / again))[0] == 0, name
    assert made.differences(made.body(), read(tmp_path / "b.npz").artifacts[0]) == []
    np.save(tmp_path / "heat" / "heat_0.30.npy", np.zeros((4, 5)))
    code, _, err = fieldwright("export", project, "heat", str(tmp_path / "h2.npz"))
    assert (code, "heat_0.30.npy" in err) == (3, True)
