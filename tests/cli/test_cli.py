"""What scripts rely on: words, exit codes, JSON, files."""

from __future__ import annotations

import json

import pytest

from app.headless import numbered
from app.project import Project
from engines.data import Table
from engines.files import read, write


def run_ids(path):
    project = Project.open(path)
    try:
        return list(project.runs)
    finally:
        project.close()


def test_methods_are_listed_with_third_parties_and_broken_ones_named(fieldwright):
    code, out, err = fieldwright("methods")
    assert code == 0
    assert "example-centroid" in out
    assert "torus-slices" in out
    assert "'broken' could not be loaded: ModuleNotFoundError: No module named 'no_such_module_anywhere'" in err


def test_methods_can_be_searched(machine):
    code, lines = machine("methods", "--search", "walk random")
    assert code == 0
    assert [m["key"] for m in lines[-1]] == ["toy-walk"]


def test_a_method_is_shown_in_full(fieldwright, machine):
    code, out, _ = fieldwright("methods", "toy-walk")
    assert code == 0
    for words in ("A random walk of all points", "points", "where to start", "iterations", "≥ 1, ≤ 100000", "quick"):
        assert words in out
    _, (facts,) = machine("methods", "toy-walk")
    assert {s["name"]: s["default"] for s in facts["settings"]}["levels"] == [1, 2]
    assert facts["outputs"][1] == {"name": "steps", "type": "Table", "optional": False, "many": True}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["methods", "toy-wolk"], 3, "Did you mean: toy-walk"),
        (["run", "toy-walk"], 3, "needs an input 'points'"),
        (["run", "toy-walk", "--set", "iterations"], 2, "should read NAME=VALUE"),
        (["run", "toy-walk", "--set", "iterations=0"], 3, "≥ 1"),
        (["run", "toy-walk", "--set", "speed=1"], 3, "no setting 'speed'"),
        (["run", "toy-walk", "--preset", "slow"], 3, "no preset 'slow'"),
        (["run", "toy-walk", "--input", "points=nowhere.ply"], 3, "There is no file 'nowhere.ply'"),
        (["run", "toy-walk", "--input", "pints=@Start"], 3, "no input 'pints'"),
        (["run", "toy-walk", "--input", "points=@Start"], 3, "Name the project with --project"),
        (["run", "toy-walk", "--seed", "-1"], 2, "--seed"),
        (["run", "toy-walk", "--export", "surface=a.ply"], 3, "gives no 'surface'"),
        (["run", "toy-walk", "--export", "mesh=a.docx"], 3, "cannot be written as 'a.docx'"),
        (["info", "nowhere.ply"], 3, "There is no file"),
        (["info", "nowhere.fieldwright"], 3, "There is no file"),
        (["resume", "nowhere.fieldwright"], 3, "There is no file"),
        (["export", "nowhere.fieldwright", "a", "b.ply"], 3, "There is no file"),
        (["import"], 2, "Missing argument"),
        (["metods"], 2, "No such command"),
    ],
)
def test_what_cannot_work_says_why_with_its_exit_code(fieldwright, words, code, said):
    got, out, err = fieldwright(*words)
    assert got == code
    assert said in " ".join(err.split())
    assert "Traceback" not in out + err


def test_errors_in_json(machine):
    code, (error,) = machine("info", "nowhere.ply")
    assert code == 3
    assert error == {"event": "error", "what": "There is no file 'nowhere.ply'.", "why": "", "mend": "Check the path."}


def test_a_run_from_the_project_is_kept_and_exported(machine, points, tmp_path):
    code, lines = machine(
        *("run", "toy-walk", "--input", "points=@Start", "--preset", "quick", "--set", "iterations=20", "--seed", "7"),
        *("--device", "cpu", "--project", points, "--export", "mesh=out.ply", "--export", "steps=all.csv"),
        *("--export", "curves=curves.csv"),
    )
    assert code == 0
    end = lines[-1]
    assert end["event"] == "finished"
    assert set(end["outputs"]) == {"path", "steps/1", "steps/2", "mesh"}
    assert end["exports"] == ["out.ply", "all-1.csv", "all-2.csv", "curves.csv"]
    assert len(read(tmp_path / "out.ply").artifacts[0].faces) == 1
    progress = [line for line in lines if line["event"] == "progress"]
    assert progress[-1]["fraction"] == 1.0
    assert set(progress[-1]["values"]) == {"size", "twice"}
    project = Project.open(points)
    record = project.runs[end["run"]]
    assert (record.status, record.seed, record.params["iterations"]) == ("finished", 7, 20)
    assert project.entries[end["outputs"]["mesh"]["id"]].hash == end["outputs"]["mesh"]["hash"]
    assert len(project.entries) == 5
    project.close()


def test_the_command_line_of_a_run_gives_the_same_result(machine, points):
    import shlex

    project = Project.open(points)
    project.add(project.artifact(next(iter(project.entries))).replace(name="Start 2"))
    project.add(Table(columns={"a": [1]}), name="Start")  # of the same name, but it does not fit
    project.save()
    project.close()
    words = ("run", "toy-walk", "-i", "points=@Start", "-s", "iterations=9", "--seed", "5", "-p", points)
    first = machine(*words)[1][-1]
    again = machine(*shlex.split(first["command"])[1:])[1][-1]
    assert {k: v["hash"] for k, v in again["outputs"].items()} == {k: v["hash"] for k, v in first["outputs"].items()}
    assert again["run"] != first["run"]


def test_files_are_imported_and_used_as_inputs(machine, points, tmp_path):
    project = Project.open(points)
    write(project.artifact(next(iter(project.entries))), tmp_path / "cloud.ply")
    project.close()
    _, (found,) = machine("info", "cloud.ply")
    assert found["artifacts"][0]["type"] == "PointCloud"
    assert machine("import", "cloud.ply", "--project", "new.fieldwright")[0] == 0
    code, lines = machine("run", "example-centroid", "-i", "points=cloud.ply", "-p", "new.fieldwright")
    assert code == 0
    assert lines[-1]["outputs"]["table"]["columns"] == {"axis": ["x", "y", "z"], "middle": [6.0, 7.0, 8.0]}
    _, (kept,) = machine("info", "new.fieldwright")
    assert [a["type"] for a in kept["artifacts"]] == ["PointCloud", "Table"]  # the same content is kept once
    assert kept["artifacts"][0]["origin"].endswith("cloud.ply")


def test_files_are_linked_located_anew_and_embedded(fieldwright, machine, tmp_path):
    import numpy as np

    np.save(tmp_path / "scan.npy", np.zeros((20, 21, 22), np.int16))
    words = ("import", "scan.npy", "--link", "-s", "spacing=1,2,3", "-s", "unit=mm", "-p", "p.fieldwright")
    assert machine(*words)[0] == 0
    _, (project,) = machine("info", "p.fieldwright")
    (scan,) = project["artifacts"]
    assert scan["provenance"]["options"] == {"kind": "auto", "frame": 0, "spacing": [1.0, 2.0, 3.0], "unit": "mm"}
    assert (scan["link"]["relative"], scan["link_state"]) == ("scan.npy", "there")
    said = " ".join(fieldwright("info", "p.fieldwright")[1].split())
    assert "Linked: 1 of 1 artifacts, 19 kB outside of the project" in said
    assert "read as npy kind=auto frame=0 spacing=1.0,2.0,3.0 unit=mm" in said
    (tmp_path / "scan.npy").rename(tmp_path / "other.npy")
    assert "missing" in fieldwright("info", "p.fieldwright")[1]
    code, _, err = fieldwright("export", "p.fieldwright", "scan", "out.nii")
    assert code == 3
    assert "'scan.npy' is gone" in err
    np.save(tmp_path / "wrong.npy", np.ones((20, 21, 22), np.int16))
    assert fieldwright("relink", "p.fieldwright", "scan", "wrong.npy")[0] == 3
    assert fieldwright("relink", "p.fieldwright", "scan", "other.npy")[0] == 0
    assert fieldwright("export", "p.fieldwright", "scan", "out.nii")[0] == 0
    assert fieldwright("embed", "p.fieldwright", "scan")[0] == 0
    (tmp_path / "other.npy").unlink()
    assert fieldwright("export", "p.fieldwright", "scan", "again.nii")[0] == 0
    assert (tmp_path / "again.nii").read_bytes() == (tmp_path / "out.nii").read_bytes()
    _, (project,) = machine("info", "p.fieldwright")
    assert (project["artifacts"][0]["link"], project["artifacts"][0]["link_state"]) == (None, None)


def test_a_file_of_another_kind_is_refused_with_a_way_out(fieldwright, tmp_path):
    import numpy as np

    from engines.data import Mesh

    write(Mesh(vertices=np.eye(3), faces=np.array([[0, 1, 2]])), tmp_path / "mesh.stl")
    code, _, err = fieldwright("run", "orex", "-i", "slices=mesh.stl")
    assert code == 3
    assert "fieldwright run slice-mesh" in err
    assert not list(tmp_path.glob("*.fieldwright"))


def test_nothing_is_imported_unless_all_can_be_read(fieldwright, points, tmp_path):
    (tmp_path / "junk.ply").write_bytes(b"ply\nnot really")
    before = points.read_bytes()
    assert fieldwright("import", points.name, "junk.ply", "-p", points)[0] == 3
    assert points.read_bytes() == before


def test_an_artifact_and_the_curves_of_a_run_are_exported(fieldwright, machine, points, tmp_path):
    end = machine("run", "toy-walk", "-i", "@Start", "-s", "iterations=4", "-p", points)[1][-1]
    assert fieldwright("export", points, "Walk", "walk.ply") == (0, "Wrote walk.ply\n", "")
    assert fieldwright("export", points, end["run"], "curves.csv")[0] == 0
    assert "size" in (tmp_path / "curves.csv").read_text()
    code, _, err = fieldwright("export", points, "Wolk", "walk.ply")
    assert code == 3
    assert "'Walk'" in err


def test_a_failing_run_has_its_exit_code_and_is_recorded(machine, fieldwright, points):
    code, lines = machine("run", "toy-walk", "-i", "@Start", "-s", "fail=user", "-p", points)
    assert (code, lines[-1]["event"], lines[-1]["mend"]) == (3, "failed", "Lift your feet.")
    code, _, err = fieldwright("run", "toy-walk", "-i", "@Start", "-s", "fail=bug", "-p", points)
    assert code == 1
    assert "ZeroDivisionError" in err
    assert "This is a bug" in err
    assert len(run_ids(points)) == 2


def test_nothing_kept_is_warned_about(fieldwright):
    code, out, err = fieldwright("sample", "toy-walk")
    assert code == 0
    assert "Nothing of this run will be kept" in err
    assert "5 points" in out


def test_info_of_a_project_lists_artifacts_and_runs(fieldwright, machine, points):
    machine("run", "toy-walk", "-i", "@Start", "-s", "iterations=4", "-p", points)
    code, out, _ = fieldwright("info", points)
    assert code == 0
    for words in ("Start", "PointCloud", "Toy walk", "finished"):
        assert words in out


def test_version_and_help(fieldwright):
    assert fieldwright("--version")[:2] == (0, "fieldwright 0.1.0\n")
    code, out, _ = fieldwright("--help")
    assert code == 0
    assert "Exit codes" in out


def test_a_project_opens_the_window(monkeypatch):
    import sys
    import types

    from app.cli import main

    seen = []
    fake = types.ModuleType("app.window.launch")
    fake.launch = lambda arguments: seen.append(arguments) or 0
    monkeypatch.setitem(sys.modules, "app.window.launch", fake)
    for words in ([], ["some.fieldwright"], ["--sample", "cortex", "--auto", "out"], ["--reset-settings"]):
        assert main(words) == 0
    assert seen == [[], ["some.fieldwright"], ["--sample", "cortex", "--auto", "out"], ["--reset-settings"]]


def test_numbered_files_keep_double_endings():
    from pathlib import Path

    assert numbered(Path("a/b.nii.gz"), "2") == Path("a/b-2.nii.gz")
    assert numbered(Path("b.ply"), "") == Path("b.ply")


def test_json_has_no_nan(machine, points):
    code, lines = machine("run", "toy-walk", "-i", "@Start", "-s", "iterations=2", "-p", points)
    assert code == 0
    assert "NaN" not in json.dumps(lines)


def test_a_folder_of_photos_is_told_linked_and_written(fieldwright, machine, tmp_path):
    import numpy as np

    from engines.blocks.cameras import look_at
    from engines.data import Photos

    rng = np.random.default_rng(0)
    poses = np.stack([np.asarray(look_at((3.0, y, 1.0), (0.0, 0.0, 0.0))) for y in (-1.0, 0.0, 1.0)])
    pixels = [rng.integers(0, 255, (12, 16, 3), dtype=np.uint8) for _ in poses]
    photos = Photos.of(pixels, world_to_camera=poses, intrinsics=np.tile([20.0, 20.0, 8.0, 6.0], (3, 1)))
    write(photos, tmp_path / "scene" / "transforms.json")
    code, out, _ = fieldwright("info", "scene")
    assert code == 0
    assert "3 photos" in out
    assert machine("import", "scene", "--link", "-p", "p.fieldwright")[0] == 0
    _, (project,) = machine("info", "p.fieldwright")
    (entry,) = project["artifacts"]
    assert entry["link"]["relative"].replace("\\", "/") == "scene/transforms.json"
    assert entry["link_state"] == "there"
    assert fieldwright("export", "p.fieldwright", entry["id"], "again/transforms.json")[0] == 0
    (again,) = read(tmp_path / "again").artifacts
    np.testing.assert_allclose(again.world_to_camera, poses, atol=1e-9)


def test_a_cloud_becomes_a_video_with_its_depth(fieldwright, machine, tmp_path):
    """Along an orbit that was written by one run and read by the next; exported at once and from the project."""
    from engines.shape.render_splats import ball

    write(ball()["cloud"], tmp_path / "ball.ply")
    way = "orbit.camera_path.json"
    code, _, _ = fieldwright(
        "run", "orbit-path", "-i", "cloud=ball.ply", "-s", "seconds=1", "-s", "rate=5", "-e", f"camerapath={way}"
    )
    assert code == 0
    size = ("-s", "width=32", "-s", "height=24", "-s", "shows=both")
    wanted = ("-e", "video=film.mp4", "-e", "depth=film.depth.json", "-p", "p.fieldwright")
    code, lines = machine("run", "render-path", "-i", "cloud=ball.ply", "-i", f"path={way}", *size, *wanted)
    assert code == 0
    assert {"video", "depth"} <= set(lines[-1]["outputs"])
    assert len(list((tmp_path / "film_depth").iterdir())) == 5
    for name in ("film.gif", "film.frames.json", "film.npz"):
        assert fieldwright("export", "p.fieldwright", lines[-1]["outputs"]["video"]["id"], name)[0] == 0
    assert len(read(tmp_path / "film.npz").artifacts[0]) == 5
    assert (tmp_path / "film.mp4").stat().st_size > 500
    assert (tmp_path / "film.gif").read_bytes().startswith(b"GIF89a")


def test_a_texture_that_a_format_cannot_hold_is_told(fieldwright, tmp_path):
    from engines.files import read, write
    from tests.files import made

    write(made.textured(), "m.glb")
    assert fieldwright("import", "m.glb", "-p", "p.fieldwright")[0] == 0
    code, out, err = fieldwright("export", "p.fieldwright", "m", "m.ply")
    assert code == 0
    assert "no place for the texture" in " ".join((out + err).split())
    assert read("m.ply").artifacts[0].colors[:, :3].std() > 20
    code, out, err = fieldwright("export", "p.fieldwright", "m", "m.obj")
    assert "no place" not in out + err
    assert sorted(p.name for p in tmp_path.glob("m.*")) == ["m.glb", "m.mtl", "m.obj", "m.ply", "m.png"]


def test_questions_of_readers_come_with_the_settings_that_answer_them(fieldwright, machine, tmp_path):
    from tests.files import cells

    cells.today(tmp_path / "cells.h5ad")
    code, _, err = fieldwright("import", "cells.h5ad", "-p", "p.fieldwright", "--set", "condition=drug")
    assert code == 3
    assert "Which label of 'drug' is control?" in err
    assert "--set control=DMSO  DMSO (12 cells)" in err
    _, (error,) = machine("import", "cells.h5ad", "-p", "p.fieldwright")
    assert error["answers"]["drug: DMSO, imatinib, ünïtinib"] == {"condition": "drug"}
    chosen = ("--set", "condition=drug", "--set", "control=DMSO", "--set", "treated=imatinib")
    assert fieldwright("import", "cells.h5ad", "-p", "p.fieldwright", *chosen)[0] == 0
    _, (project,) = machine("info", "p.fieldwright")
    assert [a["name"] for a in project["artifacts"]] == ["DMSO", "imatinib"]
