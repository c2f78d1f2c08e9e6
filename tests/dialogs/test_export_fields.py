"""Export of fields: every format is offered with a size, and written."""

from __future__ import annotations

import pytest

from app.dialogs.export_plan import estimate, remarks, targets, write_all
from tests.files import made


def size(paths):
    return sum(f.stat().st_size for p in paths for f in ([p] if p.is_file() else p.rglob("*")) if f.is_file())


@pytest.mark.parametrize("maker", ["flow", "steady", "profile", "body", "plate", "elastic", "problem"])
def test_sizes_hold_for_every_format(maker, project, tmp_path):
    import threading

    key = project.add(made.MAKERS[maker](), name=maker).id
    (target,) = targets(project, [key], {})
    for writer in target.writers:
        for extension in writer.extensions[:1]:
            if (maker, writer.key) in (("flow", "vti-field"),):
                continue  # its nodes are not even
            target.choose(writer, extension)
            folder = tmp_path / f"{maker}-{writer.key}"
            said, at_most = estimate(target, project)
            write_all(project, [target], folder, threading.Event(), lambda fraction, text: None)
            written = size([folder])
            assert written <= said + 40_000, (writer.key, written, said)
            assert at_most or written > said / 20, (writer.key, written, said)


def test_solutions_are_offered_on_grids_too(project):
    for maker in ("solution", "trajectory"):
        key = project.add(made.MAKERS[maker](), name=maker).id
        (target,) = targets(project, [key], {})
        assert target.extension == ".npz"
        assert remarks(target, project) == []  # as it is
        for writer in target.writers:
            target.choose(writer, writer.extensions[0])
            assert estimate(target, project)[0] > 0
            if writer.key != "npz":
                assert any("on a grid" in what and "nodes" in what for what, _ in remarks(target, project))


def test_what_is_written_at_one_time_or_to_several_files_is_told(project):
    (target,) = targets(project, [project.add(made.MAKERS["flow"](), name="flow").id], {})
    told = {}
    for writer in target.writers:
        target.choose(writer, writer.extensions[0])
        told[writer.key] = [what for what, _ in remarks(target, project)]
    assert told["vtr"] == ["It is written at one time."]
    assert told["pvd"] == ["More than one file is written."]
    assert told["netcdf"] == []
