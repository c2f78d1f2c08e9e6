"""One scan, one place: whatever the format and whoever reads it, a voxel lies where it lay (here in RAS mm)."""

from __future__ import annotations

import nibabel
import nrrd
import numpy as np
import pytest

from engines.core import UserError
from engines.data import GridField, Mesh, Volume
from engines.files import read, write
from tests.files import made

sitk = pytest.importorskip("SimpleITK")

EXTENSIONS = [".nii", ".nii.gz", ".mha", ".nrrd"]
VOXELS = [(0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 6), (2, 3, 4)]
TURN = np.array([-1, -1, 1])  # ITK tells positions in LPS


def ours(path):
    volume = read(path).artifacts[0]
    assert volume.unit == "mm"
    return {v: (volume.affine @ [*v, 1])[:3] for v in VOXELS}, {v: volume.values[v] for v in VOXELS}


def itk(path):
    image = sitk.ReadImage(str(path))
    return {v: TURN * image.TransformIndexToPhysicalPoint(v) for v in VOXELS}, {v: image[v] for v in VOXELS}


def nib(path):
    image = nibabel.load(path)
    return {v: (image.affine @ [*v, 1])[:3] for v in VOXELS}, {v: image.dataobj[v] for v in VOXELS}


def pynrrd(path):
    values, header = nrrd.read(str(path))
    turn = {"right-anterior-superior": np.ones(3), "left-posterior-superior": TURN}[header["space"]]
    places = {v: turn * (header["space origin"] + np.array(v) @ header["space directions"]) for v in VOXELS}
    return places, {v: values[v] for v in VOXELS}


def same(found, wanted):
    for voxel in VOXELS:
        np.testing.assert_allclose(found[0][voxel], wanted[0][voxel], atol=1e-5)
        assert found[1][voxel] == wanted[1][voxel]


def positions(volume):
    return {v: (volume.affine @ [*v, 1])[:3] for v in VOXELS}, {v: volume.values[v] for v in VOXELS}


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_what_we_write_lies_there_for_everybody(extension, tmp_path):
    scan = made.volume("int16")
    path = tmp_path / f"v{extension}"
    write(scan, path)
    readers = [ours, itk] + ([nib] if ".nii" in extension else []) + ([pynrrd] if extension == ".nrrd" else [])
    for look in readers:
        same(look(path), positions(scan))


@pytest.mark.parametrize("extension", [*EXTENSIONS, ".mhd", ".nhdr"])
def test_what_itk_converts_stays_where_it_was(extension, tmp_path):
    """One scan of a scanner (nibabel), written in every format by ITK: we read all at the same places."""
    scan = made.volume("int16")
    image = nibabel.Nifti1Image(scan.values, scan.affine)
    image.set_qform(scan.affine, code=1)
    nibabel.save(image, tmp_path / "scan.nii.gz")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "scan.nii.gz")), str(tmp_path / f"v{extension}"))
    same(ours(tmp_path / f"v{extension}"), nib(tmp_path / "scan.nii.gz"))


def test_a_chain_through_all_formats_and_back(tmp_path):
    scan = item = made.volume("int16")
    for extension in [*EXTENSIONS, *reversed(EXTENSIONS)]:
        write(item, tmp_path / f"v{extension}")
        item = read(tmp_path / f"v{extension}").artifacts[0]
        np.testing.assert_allclose(item.affine, scan.affine, atol=1e-5)
        assert np.array_equal(item.values, scan.values)


@pytest.mark.parametrize(
    ("space", "turn"),
    [
        ("left-posterior-superior", [-1, -1, 1]), ("LPS", [-1, -1, 1]), ("left-anterior-superior", [-1, 1, 1]),
        ("right-anterior-superior", [1, 1, 1]), ("RAS", [1, 1, 1]),
    ],
)  # fmt: skip
def test_the_spaces_of_nrrd(space, turn, tmp_path):
    header = {"space": space, "space directions": np.diag([2.0, 3, 4]), "space origin": [10.0, 20, 30]}
    nrrd.write(str(tmp_path / "v.nrrd"), made.volume("int16").values, header)
    loaded = read(tmp_path / "v.nrrd")
    np.testing.assert_allclose(loaded.artifacts[0].affine @ [1, 1, 1, 1], [*(np.array(turn) * [12, 23, 34]), 1])
    assert not loaded.problems
    same(ours(tmp_path / "v.nrrd"), itk(tmp_path / "v.nrrd"))


@pytest.mark.parametrize("header", [{}, {"space": "3D-right-handed"}, {"spacings": [2.0, 3.0, 4.0]}])
def test_a_space_that_had_to_be_assumed_is_told(header, tmp_path):
    if "spacings" not in header:
        header = header | {"space directions": np.diag([2.0, 3, 4]), "space origin": [10.0, 20, 30]}
        header |= {} if "space" in header else {"space dimension": 3}
    nrrd.write(str(tmp_path / "v.nrrd"), made.volume("int16").values, header)
    loaded = read(tmp_path / "v.nrrd")
    assert "left-posterior-superior was assumed" in loaded.problems[0]
    same(({v: (loaded.artifacts[0].affine @ [*v, 1])[:3] for v in VOXELS}, itk(tmp_path / "v.nrrd")[1]),
         itk(tmp_path / "v.nrrd"))  # fmt: skip


@pytest.mark.parametrize("direction", [np.eye(3), np.diag([-1.0, -1, 1]), np.eye(3)[[1, 2, 0]], -np.eye(3)[[2, 0, 1]]])
def test_the_letters_of_metaimage_are_those_of_itk(direction, tmp_path):
    image = sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16))
    image.SetDirection(direction.reshape(-1).tolist())
    sitk.WriteImage(image, str(tmp_path / "i.mha"))
    write(read(tmp_path / "i.mha").artifacts[0], tmp_path / "o.mha")

    def letters(name):
        return next(t for t in (tmp_path / name).read_bytes().split(b"\n") if t.startswith(b"AnatomicalOrientation"))

    assert letters("o.mha") == letters("i.mha")


@pytest.mark.parametrize(("unit", "word", "scale"), [("m", "meter", 1000.0), ("µm", "micron", 0.001)])
def test_other_lengths_become_millimetres(unit, word, scale, tmp_path):
    scan = made.volume("int16")
    image = nibabel.Nifti1Image(scan.values, scan.affine)
    image.header.set_xyzt_units(word)
    nibabel.save(image, tmp_path / "v.nii")
    wanted = {v: scale * p for v, p in positions(scan)[0].items()}, positions(scan)[1]
    same(ours(tmp_path / "v.nii"), wanted)
    same(itk(tmp_path / "v.nii"), wanted)
    for extension in EXTENSIONS:  # the same volume in that unit, by us
        write(scan.replace(unit=unit), tmp_path / f"o{extension}")
        same(ours(tmp_path / f"o{extension}"), wanted)
        same(itk(tmp_path / f"o{extension}"), wanted)


# --- a field and the surface in it --------------------------------------------------------------


@pytest.fixture
def ball():
    """A signed distance, off centre in each axis, and its zero set as a mesh, in one frame."""
    from skimage.measure import marching_cubes

    origin, spacing = np.array([-20.0, 5.0, 40.0]), np.array([1.0, 1.5, 2.0])
    nodes = origin + spacing * np.stack(np.meshgrid(*map(np.arange, (24, 18, 15)), indexing="ij"), -1)
    values = (np.linalg.norm(nodes - [-9, 20, 52], axis=-1) - 8).astype(np.float32)
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=tuple(spacing))
    field = GridField(values=values, origin=origin, spacing=spacing, length_unit="mm", level=0.0)
    return field, Mesh(vertices=vertices + origin, faces=faces, unit="mm")


def test_a_field_overlays_its_mesh_in_foreign_readers(ball, tmp_path):
    pyvista = pytest.importorskip("pyvista")
    trimesh = pytest.importorskip("trimesh")
    field, mesh = ball
    write(mesh, tmp_path / "m.ply")
    points = np.asarray(trimesh.load(tmp_path / "m.ply", process=False).vertices)
    for extension in (".vti", *EXTENSIONS):
        write(field, tmp_path / f"f{extension}")
    # no convention in VTI and PLY: the same numbers
    near = pyvista.PolyData(points).sample(pyvista.read(tmp_path / "f.vti"))
    assert near["vtkValidPointMask"].all()
    assert np.abs(near[field.quantity]).max() < 0.06
    # NIfTI by nibabel: the same numbers, RAS
    for name in ("f.nii", "f.nii.gz"):
        image = nibabel.load(tmp_path / name)
        index = np.c_[points, np.ones(len(points))] @ np.linalg.inv(image.affine).T
        assert np.abs(_at(np.asarray(image.dataobj), index[:, :3])).max() < 0.06
    # ITK asks in LPS
    for extension in EXTENSIONS:
        image = sitk.ReadImage(str(tmp_path / f"f{extension}"))
        found = [image.EvaluateAtPhysicalPoint((TURN * p).tolist()) for p in points[::7]]
        assert np.abs(found).max() < 0.06


def _at(values, index):
    from scipy.ndimage import map_coordinates

    return map_coordinates(values, index.T, order=1)


def test_a_scan_that_was_cut_keeps_its_place(tmp_path):
    """Contours of the same label volume are the same, whichever format it came in."""
    from engines.core import Run, catalog

    values = np.zeros((12, 14, 16), np.uint8)
    values[2:7, 3:9, 4:13] = 1
    affine = np.diag([1.0, 2.0, 1.5, 1.0])
    affine[:3, 3] = [-30, 12, 5]
    write(Volume(values=values, affine=affine, is_label=True), tmp_path / "v.nii.gz")
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "v.nii.gz")), str(tmp_path / "v.mha"))
    cutters = [m for m in catalog() if m.role == "preparation" and "label" in m.params.model_fields]
    method = next(m for m in cutters if m.accepts(Volume))
    cuts = []
    for name in ("v.nii.gz", "v.mha"):
        volume = read(tmp_path / name).artifacts[0]
        cuts += method.run({method.accepts(volume): volume}, method.params(), Run()).values()
    np.testing.assert_allclose(cuts[0].bounds, cuts[1].bounds, atol=1e-4)
    low, high = affine @ [2, 3, 4, 1], affine @ [6, 8, 12, 1]
    assert (cuts[0].bounds[0] > low[:3] - [1, 2, 1.5]).all()
    assert (cuts[0].bounds[1] < high[:3] + np.array([1, 2, 1.5])).all()


def test_a_scan_without_a_place_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "v.nrrd"), made.volume("int16").values,
               {"space": "LPS", "space directions": np.diag([2.0, 0, 4]), "space origin": [1.0, 2, 3]})  # fmt: skip
    with pytest.raises(UserError, match="where its voxels lie"):
        read(tmp_path / "v.nrrd")
