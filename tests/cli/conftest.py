"""A folder with third-party packages: a good one, the tests' toys, and a broken one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLUGIN = '''
"""A third party's method: nothing but the contract is imported."""

from engines.core import Params, Run, method
from engines.core.params import Param
from engines.data import PointCloud, Table


class CentroidParams(Params):
    power: float = Param(1.0, gt=0, help="Power mean")


@method(key="example-centroid", title="Centroid", family="shape", job="Find the middle of points.")
def centroid(points: PointCloud, params: CentroidParams, run: Run) -> Table:
    """The mean of all points."""
    for _ in run.steps(3, "Averaging"):
        run.log(count=len(points.points))
    middle = points.points.mean(axis=0)
    return Table(columns={"axis": ["x", "y", "z"], "middle": middle}, name="Middle")
'''


def distribution(folder: Path, name: str, points: dict[str, str]) -> None:
    """What an installer leaves of a package: its dist-info with entry points."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "\n".join(f"{key} = {value}" for key, value in points.items())
    (info / "entry_points.txt").write_text(f"[fieldwright.methods]\n{lines}\n")


@pytest.fixture(scope="session")
def plugins(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    (folder / "example_plugin.py").write_text(PLUGIN)
    (folder / "broken_plugin.py").write_text("import no_such_module_anywhere\n")
    distribution(folder, "example", {"centroid": "example_plugin"})
    distribution(folder, "toys", {"toys": "tests.toys"})
    distribution(folder, "broken", {"broken": "broken_plugin"})
    return folder


@pytest.fixture
def program(plugins, tmp_path):
    """Runs the real program in a process of its own."""
    environment = os.environ | {"PYTHONPATH": f"{plugins}{os.pathsep}{ROOT}", "NO_COLOR": "1"}

    def start(*words: str, **more) -> subprocess.Popen:
        command = [sys.executable, "-m", "app", *map(str, words)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, **(pipes | more))

    return start


@pytest.fixture
def fieldwright(plugins, monkeypatch, capsys, tmp_path):
    """Runs the command line in this process: (exit code, stdout, stderr)."""
    from app.cli import main
    from engines.core import catalog

    monkeypatch.syspath_prepend(str(plugins))
    monkeypatch.chdir(tmp_path)
    catalog.cache_clear()

    def call(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield call
    catalog.cache_clear()


@pytest.fixture
def machine(fieldwright):
    """The same with ``--json``: (exit code, documents)."""

    def call(*words: object) -> tuple[int, list]:
        code, out, _ = fieldwright(*words, "--json")
        return code, [json.loads(line) for line in out.splitlines()]

    return call


@pytest.fixture
def points(tmp_path) -> Path:
    """A small point cloud in a project, for runs of the toys."""
    import numpy as np

    from app.project import Project
    from engines.data import PointCloud

    project = Project.new()
    project.add(PointCloud(points=np.arange(15.0).reshape(5, 3)), name="Start")
    path = tmp_path / "points.fieldwright"
    project.save(path)
    project.close()
    return path
