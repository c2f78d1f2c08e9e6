"""Files that are broken, hostile, foreign, old or new: a valid project, or a UserError; never a crash."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from app.project import Project, RunRecord
from app.project.migrations import migrated_copy
from app.project.records import LogLine
from engines.core import Artifact, Checkpoint, UserError
from engines.data import Curve
from tests.project.samples import mesh, samples


@pytest.fixture
def path(tmp_path):
    return tmp_path / "p.fieldwright"


def example(path: Path, *, large: bool = True, only: tuple[str, ...] = ()) -> None:
    """A project with some of everything."""
    path.write_bytes(_example(large, only))


@functools.cache
def _example(large: bool, only: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, Project.new() as project:
        for name, artifact in samples().items():
            if "Odd" not in name and ("large" not in name or large) and (not only or name in only):
                project.add(artifact, name=name)
        for key in ("r1", "r2"):
            project.put_run(RunRecord(id=key, method="orex", status="running", log=(LogLine("note", "hello", 0.5),)))
            project.add_curve_points(key, [(i, {"loss": 1 / (i + 1)}) for i in range(3000)])
            project.put_checkpoint(key, Checkpoint(4, {"0": np.arange(5000.0)}, "{}"))
            project.finish_run(project.runs[key].replace(status="failed"), {"curve": Curve(x=[1], series={})})
        project.set_view({"layout": "x" * 5000})
        project.save(Path(folder) / "p.fieldwright")
        return (Path(folder) / "p.fieldwright").read_bytes()


def read_all(path: Path) -> int:
    """Open and read everything. Returns how much could be read, each as it was; raises only UserError."""
    count = 0
    with Project.open(path) as project:
        for key, entry in project.entries.items():
            try:
                found = project.artifact(key)
            except UserError:
                continue
            assert found.content_hash() == entry.hash  # damage is found, not read
            count += 1
        for key in project.runs:
            try:
                project.curves(key)
                project.checkpoint(key)
                count += 1
            except UserError:
                pass
    return count


def edit(path: Path, change) -> None:
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        change(file)


def first(file: h5py.File, name: str) -> h5py.Group:
    return next(g for g in file["artifacts"].values() if g.attrs["name"] == name.encode())


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"PK\x03\x04" * 100, b"\x89HDF\r\n\x1a\n", os.urandom(3000)])
def test_what_is_no_project_file(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError):
        Project.open(path)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for bad in (tmp_path, tmp_path / "missing", tmp_path / "pipe", tmp_path / ("x" * 5000), "a\0b", "/dev/zero"):
        with pytest.raises(UserError):
            Project.open(bad)


def test_another_hdf5_file(path):
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="not a Fieldwright project"):
        Project.open(path)


@pytest.mark.parametrize("link", [h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/runs")])
@pytest.mark.parametrize("where", ["artifacts/evil", "evil", "view/evil"])
def test_links_are_refused(path, link, where):
    example(path, large=False)
    edit(path, lambda file: file.__setitem__(where, link))
    with pytest.raises(UserError, match="links to other places"):
        Project.open(path)


def test_arrays_outside_the_file_are_refused(path, tmp_path):
    example(path, large=False)
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 1200)

    def change(file):
        group = first(file, "Mesh")
        del group["vertices"]
        group.create_dataset("vertices", (50, 3), "f8", external=[(str(secret), 0, 1200)])
        cloud = first(file, "PointCloud")
        del cloud["points"]
        layout = h5py.VirtualLayout((9, 3), "f8")
        layout[:] = h5py.VirtualSource(str(path.with_name("other.h5")), "x", (9, 3))
        cloud.create_virtual_dataset("points", layout)

    edit(path, change)
    with Project.open(path) as project:
        for entry in project.entries.values():
            if entry.name in ("Mesh", "PointCloud"):
                with pytest.raises(UserError, match="outside the file"):
                    project.artifact(entry.id)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda g: g.create_dataset("vertices", (10**9, 3), "f8", chunks=(1000, 3), compression="gzip"), "stores only"),
        (lambda g: g.create_dataset("vertices", (10**15, 3), "f8", chunks=(1000, 3)), "stores only"),
        (lambda g: g.create_dataset("vertices", (10**9, 3), "f8"), "stores only"),
        (lambda g: g.create_dataset("vertices", (50, 3), "f8", chunks=(2**26, 3), maxshape=(None, 3)), "pieces of"),
        (lambda g: g.create_dataset("vertices", (50, 3), h5py.string_dtype()), "type"),
        (lambda g: g.create_dataset("vertices", (50, 3), h5py.ref_dtype), "type"),
        (lambda g: g.create_dataset("vertices", data=h5py.Empty("f8")), "shape"),
        (lambda g: g.create_dataset("vertices", data=np.zeros((50, 2))), "length 2"),
        (lambda g: g.create_dataset("vertices", data=np.full((50, 3), np.nan)), "not finite"),
        (lambda g: g.create_group("vertices"), "no artifact"),
        (lambda g: None, "damaged"),
    ],
)
def test_absurd_arrays_are_refused_with_numbers(path, make, says):
    example(path, large=False)

    def change(file):
        group = first(file, "Mesh")
        del group["vertices"]
        make(group)

    edit(path, change)
    begun = time.monotonic()
    with Project.open(path) as project:
        key = next(e.id for e in project.entries.values() if e.name == "Mesh")
        with pytest.raises(UserError, match=says):
            project.artifact(key)
        assert read_all(path) >= 12  # the others are not harmed
    assert time.monotonic() - begun < 10


def test_absurd_arrays_are_not_sliced_or_copied_either(path):
    example(path, large=False)

    def change(file):
        group = first(file, "Mesh")
        del group["vertices"]
        group.create_dataset("vertices", (10**12, 3), "f8", chunks=(1000, 3), compression="gzip")

    edit(path, change)
    with Project.open(path) as project:
        key = next(e.id for e in project.entries.values() if e.name == "Mesh")
        with pytest.raises(UserError, match="stores only"):
            project.array(key, "vertices")
        with pytest.raises(UserError, match="stores only"):
            project.save(path.with_name("q.fieldwright"))


def test_absurd_memory_is_refused_with_numbers(path, monkeypatch):
    example(path)
    monkeypatch.setattr(
        "app.project.hdf5.psutil.virtual_memory", lambda: type("M", (), {"available": 10_000, "total": 10**9})()
    )
    with Project.open(path) as project:
        key = next(e.id for e in project.entries.values() if e.name == "Mesh, large")
        with pytest.raises(UserError, match="GB are free"):
            project.artifact(key)


def test_too_many_members_are_refused(path, monkeypatch):
    example(path, large=False)
    monkeypatch.setattr("app.project.hdf5.MAX_MEMBERS", 3)
    monkeypatch.setattr("app.project.hdf5.members.__defaults__", (3,))
    with pytest.raises(UserError, match="At most 3"):
        Project.open(path)
    monkeypatch.setattr("app.project.hdf5.MAX_LINKS", 20)
    with pytest.raises(UserError, match="more than 20"):
        Project.open(path)


def test_a_group_that_holds_itself_does_no_harm(path):
    example(path, large=False)

    def change(file):
        group = first(file, "Mesh")
        group["scalars/again"] = group
        group["unknown"] = file["artifacts"]

    edit(path, change)
    with Project.open(path) as project:
        key = next(e.id for e in project.entries.values() if e.name == "Mesh")
        assert project.artifact(key).content_hash() == mesh().content_hash()
        with pytest.raises(UserError, match="deep"):
            project.save(path.with_name("q.fieldwright"))


def test_one_broken_artifact_costs_only_itself(path):
    example(path, large=False)
    edit(path, lambda file: first(file, "Image").attrs.__setitem__("nbytes", np.zeros(3)))
    edit(path, lambda file: first(file, "Mesh").attrs.__delitem__("type"))
    edit(path, lambda file: file["runs/r1"].__delitem__("params") or file["runs/r1"].create_group("params"))
    edit(path, lambda file: file["view"].__delitem__("state") or file["view"].create_dataset("state", data=b"{"))
    with Project.open(path) as project:
        assert len(project.problems) == 3
        assert "damaged" in project.read_only_reason
        assert project.view == {}
        project.save(path.with_name("rescued.fieldwright"))
    with Project.open(path.with_name("rescued.fieldwright")) as project:
        assert project.problems == ()


class Passing:
    """A type that a plug-in declares."""


def test_an_unknown_type_is_listed_kept_and_refused(path, monkeypatch):
    example(path, large=False)
    with Project.open(path) as project:
        key = next(e.id for e in project.entries.values() if e.name == "Mesh")
        other = next(e.id for e in project.entries.values() if e.name == "Model")
    monkeypatch.delitem(Artifact.registry, "Mesh")
    monkeypatch.setattr("app.project.codec.catalog", lambda: None)
    with Project.open(path) as project:
        assert project.entries[key].type == "Mesh"
        with pytest.raises(UserError, match="plug-in"):
            project.artifact(key)
        project.rename(key, "kept")
        project.remove(other)
        project.save()
    monkeypatch.undo()
    with Project.open(path) as project:
        assert project.artifact(key).content_hash() == mesh().content_hash()
        assert project.entries[key].name == "kept"


def test_a_newer_version_says_so(path):
    example(path, large=False)
    edit(path, lambda file: file.attrs.modify("version", 7))
    with Project.open(path) as project:
        assert "newer Fieldwright (file version 7)" in project.read_only_reason
        assert read_all(path) > 10
        with pytest.raises(UserError, match="read-only"):
            project.save()
    edit(path, lambda file: file.attrs.modify("readable_from", 5))
    with pytest.raises(UserError, match="made by a newer Fieldwright"):
        Project.open(path)


def write_version_0(path: Path) -> None:
    """By hand, as the first drafts wrote it."""
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["format"], file.attrs["version"], file.attrs["created"] = b"fieldwright", 0, b"2026-01-01T00:00:00Z"
        group = file.create_group("items/old")
        group.attrs["kind"], group.attrs["name"], group.attrs["run"] = b"PointCloud", b"old points", b"r"
        group["points"] = np.arange(6.0).reshape(2, 3)
        run = file.create_group("runs/r")
        run.attrs["method"], run.attrs["status"] = b"orex", b"finished"
        run.attrs["params"], run.attrs["error"] = b'{"steps": 3}', b""


def test_an_old_version_is_migrated_on_a_copy(path):
    write_version_0(path)
    before = path.read_bytes()
    with Project.open(path) as project:
        assert project.entries["old"].role == "result"
        assert project.artifact("old").points.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert project.runs["r"].params == {"steps": 3}
        assert path.read_bytes() == before
        assert project.dirty
        project.save()
    with Project.open(path) as project:
        assert not project.dirty
        assert project.artifact("old").points.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert path.with_name("p.fieldwright.bak").read_bytes() == before
    with h5py.File(path) as file:
        assert file.attrs["version"] == 1


def test_migrations_form_a_chain(path):
    write_version_0(path)
    order = []
    steps = {n: lambda file, n=n: order.append((n, int(file.attrs["version"]))) for n in (0, 1, 2)}
    copy = migrated_copy(path, 0, steps, target=3)
    assert order == [(0, 0), (1, 1), (2, 2)]
    with h5py.File(copy) as file:
        assert file.attrs["version"] == 3
    del steps[1]
    with pytest.raises(UserError, match="no way from version 1 to 2"):
        migrated_copy(path, 0, steps, target=3)


def test_truncated_at_any_length(path):
    example(path, large=False)
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 60).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            read_all(path)


def _mutate(source: Path, target: Path, seed: int, count: int) -> None:
    draw = np.random.default_rng(seed)
    whole = np.frombuffer(source.read_bytes(), "u1")
    opened = 0
    for _ in range(count):
        data = whole.copy()
        kind = draw.integers(4)
        at = int(draw.integers(len(data))) if draw.random() < 0.5 else int(draw.integers(min(len(data), 8000)))
        if kind == 0:
            data[at] ^= 1 << draw.integers(8)
        elif kind == 1:
            data[at : at + 8] = draw.choice(np.array([0, 255, 127], "u1"))
        elif kind == 2:
            piece = draw.integers(0, 256, int(draw.integers(1, 64)), dtype="u1")
            data[at : at + len(piece)] = piece[: len(data) - at]
        else:
            data = np.delete(data, slice(at, at + int(draw.integers(1, 300))))
        target.write_bytes(data.tobytes())
        with contextlib.suppress(UserError):
            opened += read_all(target) > 0
    print(f"{opened} of {count} mutated files opened")


def mutate(tmp_path: Path, seed: int, count: int, seconds: float, only: tuple[str, ...] = ()) -> None:
    """In a process of its own: a crash of libhdf5 must not look like a pass, nor a hang block the tests."""
    example(tmp_path / "p.fieldwright", only=only)
    context = multiprocessing.get_context("spawn")
    arguments = (tmp_path / "p.fieldwright", tmp_path / "m.fieldwright", seed, count)
    process = context.Process(target=_mutate, args=arguments)
    process.start()
    process.join(seconds)
    hung = process.is_alive()
    if hung:
        process.kill()
        process.join()
    assert not hung
    assert process.exitcode == 0


def test_mutated_files(tmp_path):
    mutate(tmp_path, 0, 120, 120, ("Mesh", "GridField", "Table"))


@pytest.mark.claim
@pytest.mark.parametrize("seed", range(1, 5))
def test_two_thousand_mutated_files(tmp_path, seed):
    mutate(tmp_path, seed, 500, 280)
