"""Linked inputs: in their file until they are used, checked on use, and undone, saved and recovered like all else."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil

import h5py
import numpy as np
import pytest

from app.project import Entry, Link, Project, Provenance, link_to
from engines.core import UserError
from engines.data import Volume
from engines.files import read, write
from tests.files import photo_sets


def scan(seed=0) -> Volume:
    draw = np.random.default_rng(seed)
    return Volume(
        values=draw.integers(0, 9, (30, 31, 32)).astype("int16"), affine=np.diag([1, 2, 3, 1.0]), is_label=True
    )


@pytest.fixture
def folder(tmp_path):
    """``study/`` with a scan beside the place for a project."""
    (tmp_path / "study" / "scans").mkdir(parents=True)
    write(scan(), tmp_path / "study" / "scans" / "head.mha")
    return tmp_path / "study"


def linked(project: Project, path, name="head") -> str:
    return project.add(read(path).artifacts[0], name=name, origin=str(path), link=link_to(path, "metaimage")).id


def forget(project, key):
    """As if nobody had loaded it."""
    project._content.cache.drop(key)


def saved(folder):
    """A project beside the scan, saved and closed."""
    with Project.new() as project:
        key = linked(project, folder / "scans" / "head.mha")
        project.save(folder / "p.fieldwright")
    return key


def test_the_project_holds_no_array_and_gives_the_same_artifact(folder):
    key = saved(folder)
    assert (folder / "p.fieldwright").stat().st_size < 20_000 < scan().nbytes
    with h5py.File(folder / "p.fieldwright") as file:
        group = file["artifacts"][key]
        assert list(group) == []
        about = json.loads(group.attrs["link"])
        assert about["relative"] == os.path.join("scans", "head.mha")
        assert about["size"] == (folder / "scans" / "head.mha").stat().st_size
    with Project.open(folder / "p.fieldwright") as project:
        entry = project.entries[key]
        assert (entry.name, entry.type, entry.nbytes) == ("head", "Volume", scan().nbytes)
        assert project.link_state(key) == "there"
        assert project.artifact(key).name == "head"
        assert project.artifact(key).content_hash() == entry.hash == scan().content_hash()
        np.testing.assert_array_equal(project.array(key, "values")[3, :, 4], scan().values[3, :, 4])
        assert not project.dirty


def test_opening_reads_no_linked_file(folder, monkeypatch):
    key = saved(folder)
    monkeypatch.setattr("app.project.sources.file_hash", None)
    monkeypatch.setattr("engines.files.read", None)
    with Project.open(folder / "p.fieldwright") as project:
        assert project.entries[key].summary == scan().summary()


def test_a_folder_that_moved_as_a_whole(folder, tmp_path):
    key = saved(folder)
    shutil.move(folder, tmp_path / "elsewhere")
    with Project.open(tmp_path / "elsewhere" / "p.fieldwright") as project:
        assert project.artifact(key).content_hash() == scan().content_hash()
        project.rename(key, "moved")
        project.save()
        project.save(tmp_path / "q.fieldwright")  # the link follows: it led nowhere but beside the project
        assert project.entries[key].link.path == str(tmp_path / "elsewhere" / "scans" / "head.mha")
        assert project.entries[key].link.relative == os.path.join("elsewhere", "scans", "head.mha")
    with Project.open(tmp_path / "q.fieldwright") as project:
        assert project.artifact(key).content_hash() == scan().content_hash()


def test_a_project_that_moved_alone_finds_the_old_place(folder, tmp_path):
    key = saved(folder)
    shutil.move(folder / "p.fieldwright", tmp_path / "p.fieldwright")
    with Project.open(tmp_path / "p.fieldwright") as project:
        assert project.link_state(key) == "there"
        assert project.artifact(key).content_hash() == scan().content_hash()


def test_beside_the_project_lies_another_file_of_that_name(folder, tmp_path):
    """It is not taken for the one that is meant, though it has the same size."""
    key = saved(folder)
    (tmp_path / "copy" / "scans").mkdir(parents=True)
    shutil.move(folder / "p.fieldwright", tmp_path / "copy" / "p.fieldwright")
    other = bytearray((folder / "scans" / "head.mha").read_bytes())
    other[-1] ^= 1
    (tmp_path / "copy" / "scans" / "head.mha").write_bytes(other)
    with Project.open(tmp_path / "copy" / "p.fieldwright") as project:
        assert project.artifact(key).content_hash() == scan().content_hash()


@pytest.mark.parametrize("how", ["longer", "same size", "other scan"])
def test_a_changed_file_is_refused(how, folder):
    key = saved(folder)
    path = folder / "scans" / "head.mha"
    raw = path.read_bytes()
    if how == "other scan":
        write(scan(1), path)
    else:
        path.write_bytes(raw + b"x" if how == "longer" else raw[:-1] + bytes([raw[-1] ^ 1]))
    with Project.open(folder / "p.fieldwright") as project:
        assert project.problems == ()
        assert project.link_state(key) == ("there" if how == "same size" else "changed")
        with pytest.raises(UserError, match=r"'head\.mha' was changed") as caught:
            project.artifact(key)
        assert "relink" in caught.value.mend
        with pytest.raises(UserError, match="changed"):
            project.embed(key)
        if how != "longer":  # what only has more behind it still holds the same
            with pytest.raises(UserError, match=r"holds something else|compressed data"):
                project.relink(key, path)
        path.write_bytes(raw)
        assert project.artifact(key).content_hash() == scan().content_hash()


def test_a_data_file_that_changed_behind_its_header(folder):
    raw = scan().values.tobytes(order="F")
    (folder / "v.raw").write_bytes(raw)
    (folder / "v.mhd").write_text("NDims = 3\nDimSize = 30 31 32\nElementType = MET_SHORT\nElementDataFile = v.raw\n")
    with Project.new() as project:
        key = linked(project, folder / "v.mhd")
        forget(project, key)
        project.artifact(key)
        forget(project, key)
        (folder / "v.raw").write_bytes(raw[:-1] + b"\1")
        with pytest.raises(UserError, match="was changed"):
            project.artifact(key)


def test_a_missing_file_is_located_anew(folder, tmp_path):
    key = saved(folder)
    path = folder / "scans" / "head.mha"
    shutil.move(path, tmp_path / "found.mha")
    with Project.open(folder / "p.fieldwright") as project:
        assert project.link_state(key) == "missing"
        with pytest.raises(UserError, match=r"'head\.mha' is gone") as caught:
            project.artifact(key)
        assert str(path) in caught.value.why
        write(scan(1), tmp_path / "other.mha")
        with pytest.raises(UserError, match="holds something else"):
            project.relink(key, tmp_path / "other.mha")
        with pytest.raises(UserError, match="no file"):
            project.relink(key, tmp_path / "nothing.mha")
        assert not project.dirty
        project.relink(key, tmp_path / "found.mha")
        assert project.history.undo_label == "Relink 'head'"
        assert project.artifact(key).content_hash() == scan().content_hash()
        project.history.undo()
        forget(project, key)
        with pytest.raises(UserError, match="is gone"):
            project.artifact(key)
        project.history.redo()
        project.save()
    with Project.open(folder / "p.fieldwright") as project:
        assert project.entries[key].link.relative == os.path.join("..", "found.mha")
        assert project.artifact(key).content_hash() == scan().content_hash()


def test_the_same_content_packed_anew_can_be_linked(folder, tmp_path):
    from engines.files.metaimage import MetaImageWriteOptions

    key = saved(folder)
    write(scan(), tmp_path / "plain.mha", MetaImageWriteOptions(compress=False))
    with Project.open(folder / "p.fieldwright") as project:
        project.relink(key, tmp_path / "plain.mha")
        forget(project, key)
        assert project.artifact(key).content_hash() == scan().content_hash()


def test_embedding_needs_the_file_no_more_and_can_be_undone(folder):
    key = saved(folder)
    with Project.open(folder / "p.fieldwright") as project:
        project.embed(key)
        assert project.history.undo_label == "Embed 'head'"
        assert project.entries[key].link is None
        assert project.link_state(key) is None
        assert project.dirty
        project.rename(key, "inside")
        project.save()
        project.history.undo()
        project.history.undo()
        assert project.entries[key].link is not None
        assert project.entries[key].name == "head"
        project.save()  # a link again
        assert (folder / "p.fieldwright").stat().st_size < 20_000
        project.history.redo()
        project.history.redo()
        (folder / "scans" / "head.mha").unlink()
        forget(project, key)
        assert project.artifact(key).name == "inside"
        project.save()
        project.embed(key)  # nothing to do
        assert not project.dirty
    with Project.open(folder / "p.fieldwright") as project:
        assert project.artifact(key).content_hash() == scan().content_hash()
        with pytest.raises(UserError, match="is not linked"):
            project.relink(key, folder)


def test_links_are_recovered_after_a_crash(folder):
    path = folder / "scans" / "head.mha"
    project = Project.new()
    kept = linked(project, path, "kept")
    inside = linked(project, path, "inside")
    back = linked(project, path, "back")
    project.embed(inside)
    project.save(folder / "p.fieldwright")
    project.embed(back)
    project.history.undo()
    project.rename(kept, "renamed")
    project.close(keep_journal=True)
    (found,) = Project.recoverable(folder / "p.fieldwright")
    with found.recover() as project:
        assert project.problems == ()
        assert [e.name for e in project.entries.values()] == ["renamed", "inside", "back"]
        assert [project.link_state(key) for key in (kept, inside, back)] == ["there", None, "there"]
        path.unlink()
        assert project.artifact(inside).content_hash() == scan().content_hash()
        with pytest.raises(UserError, match="is gone"):
            project.artifact(kept)
        project.save()
    with Project.open(folder / "p.fieldwright") as project:
        assert project.artifact(inside).content_hash() == scan().content_hash()


@pytest.mark.parametrize("saves", [(), ("linked",), ("embedded",), ("linked", "embedded")])
def test_a_crash_after_embedding_undoing_and_embedding_again(saves, folder):
    project = Project.new()
    key = linked(project, folder / "scans" / "head.mha")
    project.save(folder / "p.fieldwright")
    project.embed(key)
    if "embedded" in saves:
        project.save()
    project.history.undo()
    if "linked" in saves:
        project.save()
    project.history.redo()
    project.star(key)
    project.close(keep_journal=True)
    (folder / "scans" / "head.mha").unlink()
    (found,) = Project.recoverable(folder / "p.fieldwright")
    with found.recover() as project:
        assert project.problems == ()
        assert project.entries[key].link is None
        assert project.artifact(key).content_hash() == scan().content_hash()


def test_an_unsaved_project_with_links_comes_back(folder):
    project = Project.new()
    key = linked(project, folder / "scans" / "head.mha")
    project.close(keep_journal=True)
    (found,) = Project.recoverable()
    with found.recover() as project:
        assert project.artifact(key).content_hash() == scan().content_hash()
        project.save(folder / "p.fieldwright")
        assert project.entries[key].link.relative == os.path.join("scans", "head.mha")


def test_options_number_and_unit_of_a_link(tmp_path):
    np.save(tmp_path / "v.npy", scan().values)
    options = {"kind": "values", "spacing": [1.0, 2.0, 3.0]}
    link = link_to(tmp_path / "v.npy", "npy", options, unit="µm")
    from engines.files.npy import NpyReadOptions

    artifact = read(tmp_path / "v.npy", NpyReadOptions.parse(options)).artifacts[0].replace(unit="µm")
    with Project.new() as project:
        key = project.add(artifact, link=link).id
        forget(project, key)
        again = project.artifact(key)
        assert (again.unit, again.is_label, again.spacing.tolist()) == ("µm", False, [1, 2, 3])
        project.add(artifact, link=dataclasses.replace(link, index=3))


def test_links_from_hostile_or_other_versions(folder):
    key = saved(folder)
    good = json.loads(json.dumps(Link("/x", 1, "h", "metaimage").to_json()))
    assert Link.from_json(good | {"later": 1}) == Link("/x", 1, "h", "metaimage")
    for bad in (None, "", "{", "[]", 5, {"size": "x"}, {"path": ""}):
        assert Link.from_json(bad) is None
    assert Link.from_json({"path": "/x", "size": "big", "index": None, "options": 3}).size == 0
    for changes, said in [
        ({"path": "/dev/zero", "relative": ""}, "is gone"),  # not a file: never read
        ({"reader": "of a plug-in"}, "not known here"),
        ({"index": 9}, "was changed"),
        ({"options": {"kind": "nonsense"}}, "cannot be 'nonsense'"),
        ({"options": {"later": 1}}, "no setting 'later'"),
        ({"path": "a\0b", "relative": "\0"}, "is gone"),
    ]:
        with Project.open(folder / "p.fieldwright") as project:
            state = project._content.entries[key]
            state.entry = dataclasses.replace(state.entry, link=dataclasses.replace(state.entry.link, **changes))
            with pytest.raises(UserError, match=said):
                project.artifact(key)


def test_provenance_is_kept(tmp_path):
    how = Provenance(
        role="preparation",
        method="slice-volume",
        params={"count": 12, "spacing": [1.0, 2.0], "label": None},
        seed=7,
        output="slices",
        input_hash="ab",
        reader="nifti",
        options={"kind": "labels"},
    )
    with Project.new() as project:
        key = project.add(scan(), provenance=how, origin="/data/scan.nii.gz").id
        plain = project.add(scan(1)).id
        project.save(tmp_path / "p.fieldwright")
    with h5py.File(tmp_path / "p.fieldwright") as file:
        assert json.loads(file["artifacts"][key].attrs["provenance"])["seed"] == 7
    with Project.open(tmp_path / "p.fieldwright") as project:
        assert project.entries[key].provenance == how
        assert project.entries[key].provenance.versions["numpy"] == np.__version__
        assert project.entries[plain].provenance is None
        project.rename(key, "cut")
        project.close(keep_journal=True)
    (found,) = Project.recoverable()
    with found.recover() as project:
        assert project.entries[key].provenance == how


def test_broken_provenance_costs_nothing_else():
    for bad in ("{", "[]", 5, None, {}):
        assert Entry.from_json({"id": "a", "provenance": bad, "link": bad}).provenance is None
    assert Provenance.from_json({"method": 3, "seed": "x", "params": 4}).method == "3"


def test_very_many_params_are_kept(tmp_path):
    how = Provenance(method="m", params={"planes": list(range(30_000))})
    with Project.new() as project:
        key = project.add(scan(), provenance=how).id
        project.save(tmp_path / "p.fieldwright")
    with Project.open(tmp_path / "p.fieldwright") as project:
        assert project.entries[key].provenance == how


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything can be read")
def test_a_file_that_may_not_be_read(folder):
    key = saved(folder)
    (folder / "scans" / "head.mha").chmod(0)
    with Project.open(folder / "p.fieldwright") as project, pytest.raises(UserError, match="cannot be read"):
        project.artifact(key)


# --- photos: many files that are read together ---


@pytest.fixture(params=["transforms", "photo-folder"])
def photo_link(request, tmp_path):
    """(where photos lie, the link to them): by the file that names them, or a folder of photos alone."""
    where = tmp_path / "study" / "shots"
    where.mkdir(parents=True)
    posed = request.param == "transforms"
    if posed:
        photo_sets.nerf(where)
    else:
        photo_sets.save_photos(where)
    loaded = read(where)
    path = where / "transforms.json" if posed else where
    return where, link_to(path, request.param, files=loaded.files), loaded.artifacts[0]


def test_each_photo_is_watched(photo_link, tmp_path):
    where, link, photos = photo_link
    assert len(link.files) == 6
    sizes = sum(f.stat().st_size for f in where.rglob("*") if f.is_file())
    assert link.whole_size == sizes
    with Project.new() as project:
        key = project.add(photos, link=link).id
        project.save(tmp_path / "study" / "p.fieldwright")
    photo = where / next(name for name in link.files if "p3" in name)
    before = photo.read_bytes()
    with Project.open(tmp_path / "study" / "p.fieldwright") as project:
        assert project.entries[key].link.files == link.files
        assert project.link_state(key) == "there"
        assert project.artifact(key).content_hash() == photos.content_hash()
        forget(project, key)
        photo.write_bytes(before[:-1] + b"?")  # of the same size
        assert project.link_state(key) == "there"
        with pytest.raises(UserError, match=r"'p3.png' was changed"):
            project.artifact(key)
        photo.write_bytes(before + b"more")
        assert project.link_state(key) == "changed"
        photo.unlink()
        assert project.link_state(key) == "changed"
        with pytest.raises(UserError) as refused:
            project.artifact(key)
        assert "is not there any more" in refused.value.why


def test_photos_that_moved_are_found_by_their_new_folder(photo_link, tmp_path):
    where, link, photos = photo_link
    with Project.new() as project:
        key = project.add(photos, link=link).id
        shutil.move(where, tmp_path / "elsewhere")
        forget(project, key)
        assert project.link_state(key) == "missing"
        with pytest.raises(UserError, match="is gone"):
            project.artifact(key)
        project.relink(key, tmp_path / "elsewhere")
        assert project.link_state(key) == "there"
        assert project.artifact(key).content_hash() == photos.content_hash()
        lost = next(iter(link.files))
        (tmp_path / "elsewhere" / lost).unlink()
        with pytest.raises(UserError, match="1 of 6 files"):
            project.relink(key, tmp_path / "elsewhere")


def test_a_list_of_files_that_no_project_has_room_for(tmp_path, monkeypatch):
    photo_sets.nerf(tmp_path)
    monkeypatch.setattr("app.project.sources.MOST_LISTED", 100)
    loaded = read(tmp_path)
    assert link_to(tmp_path / "transforms.json", "transforms", files=loaded.files).files == {}
    with pytest.raises(UserError, match="too many files"):
        link_to(tmp_path / "images", "photo-folder", files=loaded.files)
