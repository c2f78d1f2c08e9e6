"""Foreign programs read what we write, and we read what they write."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from engines.data import Mesh, PointCloud
from engines.files import read, write
from engines.files.csvtable import CsvReadOptions
from engines.files.vtk_document import VtkWriteOptions
from tests.files import made

trimesh = pytest.importorskip("trimesh")
pyvista = pytest.importorskip("pyvista")
sitk = pytest.importorskip("SimpleITK")
nibabel = pytest.importorskip("nibabel")


def _box() -> trimesh.Trimesh:
    return trimesh.creation.box((1, 2, 3))


# --- meshes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", [".ply", ".obj", ".stl", ".glb"])
def test_trimesh_reads_our_meshes(extension, tmp_path):
    item = made.mesh()
    write(item, tmp_path / f"m{extension}")
    back = trimesh.load(tmp_path / f"m{extension}", force="mesh", process=True)
    assert len(back.faces) == len(item.faces)
    assert back.is_watertight
    assert back.volume == pytest.approx(2 * np.pi**2 * 0.55 * 0.22**2, rel=0.15)
    np.testing.assert_allclose(back.bounds, item.bounds, atol=1e-6)


@pytest.mark.parametrize("extension", [".ply", ".obj", ".stl", ".glb"])
def test_we_read_meshes_of_trimesh(extension, tmp_path):
    _box().export(tmp_path / f"m{extension}")
    back = read(tmp_path / f"m{extension}").artifacts[0]
    assert (len(back.vertices), len(back.faces)) == (8, 12)
    np.testing.assert_allclose(back.bounds, _box().bounds, atol=1e-6)


def test_vtk_reads_our_poly_data(tmp_path):
    item = made.mesh()
    for compress in (True, False):
        write(item, tmp_path / "m.vtp", VtkWriteOptions(compress=compress))
        back = pyvista.read(tmp_path / "m.vtp")
        assert back.n_cells == len(item.faces)
        assert np.array_equal(back.points, item.vertices)
        assert np.array_equal(back.regular_faces, item.faces)
        assert np.array_equal(back.point_data["distance"], item.scalars["distance"])
        assert np.array_equal(back.point_data["RGBA"], item.colors)
    write(made.cloud(), tmp_path / "c.vtp")
    assert np.array_equal(pyvista.read(tmp_path / "c.vtp").points, made.cloud().points)


@pytest.mark.parametrize("mode", ["ascii", "binary", "appended"])
@pytest.mark.parametrize("packed", [True, False])
def test_we_read_poly_data_of_vtk(mode, packed, tmp_path):
    import vtk

    source = pyvista.Sphere(theta_resolution=60, phi_resolution=60)
    source["height"] = source.points[:, 2].astype(np.float32)
    out = vtk.vtkXMLPolyDataWriter()
    out.SetInputData(source)
    out.SetFileName(str(tmp_path / "s.vtp"))
    getattr(out, f"SetDataModeTo{mode.title()}")()
    out.SetCompressorTypeToZLib() if packed else out.SetCompressorTypeToNone()
    out.Write()
    back = read(tmp_path / "s.vtp").artifacts[0]
    np.testing.assert_allclose(back.vertices, source.points, atol=1e-6)
    assert np.array_equal(back.faces, source.regular_faces)
    np.testing.assert_allclose(back.scalars["height"], source["height"], atol=1e-6)


def test_scene_transforms_of_glb_are_applied(tmp_path):
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1])
    shift = trimesh.transformations.translation_matrix([10, 0, 0])
    scene.add_geometry(_box(), transform=shift @ turn)
    scene.add_geometry(_box(), transform=np.diag([-2.0, 1, 1, 1]))  # a mirror
    scene.export(tmp_path / "s.glb")
    loaded = read(tmp_path / "s.glb")
    back = loaded.artifacts[0]
    whole = scene.to_geometry()
    np.testing.assert_allclose(back.bounds, whole.bounds, atol=1e-6)
    assert "2 parts" in loaded.problems[0]
    ours = trimesh.Trimesh(back.vertices, back.faces, process=False)
    assert ours.volume == pytest.approx(6 + 12)  # a face turned inside out would count negative


def test_polygons_become_fans(tmp_path):
    (tmp_path / "p.obj").write_text(
        "# a house\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv .5 2 0\nv 0 1 0\nf -5/1/1 -4/1/1 -3/1/1 -2/1/1 -1/1/1\nvn 0 0 1\n"
    )
    assert read(tmp_path / "p.obj").artifacts[0].faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]
    header = "ply\nformat ascii 1.0\nelement vertex 5\nproperty float x\nproperty float y\nproperty float z\n"
    header += "element face 2\nproperty list uchar int vertex_indices\nproperty uchar red\nend_header\n"
    points = "0 0 0\n1 0 0\n1 1 0\n.5 2 0\n0 1 0\n"
    (tmp_path / "p.ply").write_text(header + points + "4 0 1 2 4 255\n3 2 3 4 0\n")
    assert read(tmp_path / "p.ply").artifacts[0].faces.tolist() == [[0, 1, 2], [0, 2, 4], [2, 3, 4]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_ragged_binary_ply_of_either_byte_order(order, tmp_path):
    kind = "little" if order == "<" else "big"
    header = f"ply\nformat binary_{kind}_endian 1.0\nelement vertex 5\n"
    header += "property short x\nproperty double y\nproperty float z\n"
    header += "element face 2\nproperty uchar flag\nproperty list uchar uint vertex_index\nend_header\n"
    table = np.zeros(5, [("x", order + "i2"), ("y", order + "f8"), ("z", order + "f4")])
    table["x"], table["y"] = [0, 1, 1, 2, 0], [0, 0, 1, 2, 1]
    body = table.tobytes() + b"\7\4" + np.array([0, 1, 2, 4], order + "u4").tobytes()
    body += b"\7\3" + np.array([2, 3, 4], order + "u4").tobytes()
    (tmp_path / "p.ply").write_bytes(header.encode() + body)
    back = read(tmp_path / "p.ply").artifacts[0]
    assert back.faces.tolist() == [[0, 1, 2], [0, 2, 4], [2, 3, 4]]
    assert back.vertices[3].tolist() == [2, 2, 0]


def test_ascii_stl_of_others(tmp_path):
    text = _box().export(file_type="stl_ascii")
    (tmp_path / "b.stl").write_text(text.replace("facet", "FACET", 2).replace("solid ", "solid  facet vertex "))
    assert len(read(tmp_path / "b.stl").artifacts[0].vertices) == 8
    (tmp_path / "c.stl").write_text(text + "\n" + text)  # two solids in one file
    assert len(read(tmp_path / "c.stl").artifacts[0].faces) == 24


def test_points_of_text(tmp_path):
    (tmp_path / "p.xyz").write_text("# x y z\n0 0 0 255 0 10\n1,2,3,0,255,0\n")
    back = read(tmp_path / "p.xyz").artifacts[0]
    assert isinstance(back, PointCloud)
    assert back.colors.tolist() == [[255, 0, 10, 255], [0, 255, 0, 255]]
    (tmp_path / "n.xyz").write_text("0 0 0 1 0 0\n1 2 3 0 0.6 0.8\n")
    assert read(tmp_path / "n.xyz").artifacts[0].normals is not None


def test_open3d_reads_our_ply(tmp_path):
    open3d = pytest.importorskip("open3d")
    item = made.mesh()
    write(item, tmp_path / "m.ply")
    back = open3d.io.read_triangle_mesh(str(tmp_path / "m.ply"))
    assert np.array_equal(np.asarray(back.triangles), item.faces)
    np.testing.assert_allclose(np.asarray(back.vertices), item.vertices)


# --- volumes and fields -------------------------------------------------------------------------


def _as_itk(item):
    """Values in ITK's order, direction times spacing, and origin as ITK should see them: in LPS, ours are RAS."""
    flip = np.diag([-1, -1, 1])
    return item.values.transpose(2, 1, 0), flip @ item.affine[:3, :3], flip @ item.affine[:3, 3]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".nrrd"])
def test_itk_reads_our_volumes(extension, dtype, tmp_path):
    item = made.volume(dtype)
    write(item, tmp_path / f"v{extension}")
    back = sitk.ReadImage(str(tmp_path / f"v{extension}"))
    values, axes, origin = _as_itk(item)
    assert np.array_equal(sitk.GetArrayFromImage(back), values)
    np.testing.assert_allclose(np.reshape(back.GetDirection(), (3, 3)) * back.GetSpacing(), axes, atol=1e-6)
    np.testing.assert_allclose(back.GetOrigin(), origin, atol=1e-6)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr"])
def test_we_read_volumes_of_itk(extension, compress, tmp_path):
    item = made.volume("int16")
    values, axes, origin = _as_itk(item)
    image = sitk.GetImageFromArray(np.ascontiguousarray(values))
    spacing = np.linalg.norm(axes, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(origin.tolist())
    image.SetDirection((axes / spacing).reshape(-1).tolist())
    sitk.WriteImage(image, str(tmp_path / f"v{extension}"), compress)
    back = read(tmp_path / f"v{extension}").artifacts[0]
    assert np.array_equal(back.values, item.values)
    np.testing.assert_allclose(back.affine, item.affine, atol=1e-5)


def test_nibabel_and_scaled_values(tmp_path):
    item = made.volume("int16")
    write(item, tmp_path / "v.nii.gz")
    back = nibabel.load(tmp_path / "v.nii.gz")
    assert np.array_equal(np.asarray(back.dataobj), item.values)
    np.testing.assert_allclose(back.affine, item.affine, atol=1e-6)
    assert back.header.get_xyzt_units()[0] == "mm"
    values = np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 4, 5)
    image = nibabel.Nifti1Image(values, np.eye(4))
    image.header.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "s.nii")
    scaled = read(tmp_path / "s.nii").artifacts[0]
    np.testing.assert_allclose(scaled.values, values, atol=1e-4)
    assert not scaled.is_label


def test_a_frame_of_a_series(tmp_path):
    from engines.files.voxels import VolumeReadOptions

    values = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "t.nii")
    loaded = read(tmp_path / "t.nii", VolumeReadOptions(frame=3))
    assert np.array_equal(loaded.artifacts[0].values, values[..., 3])
    assert "5 frames" in loaded.problems[0]


def test_nrrd_of_others(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    values = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for encoding in ("raw", "gzip", "bzip2", "ascii"):
        header = {"encoding": encoding, "space directions": np.diag([1.0, 2, 3]), "space": "left-posterior-superior"}
        nrrd.write(str(tmp_path / "v.nrrd"), values, header)
        back = read(tmp_path / "v.nrrd").artifacts[0]
        assert np.array_equal(back.values, values)
        assert back.spacing.tolist() == [1, 2, 3]


def test_nrrd_reads_our_fields(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    item = made.field()
    write(item, tmp_path / "f.nrrd")
    values, header = nrrd.read(str(tmp_path / "f.nrrd"))
    assert np.array_equal(values, item.values)
    np.testing.assert_allclose(header["space origin"], item.origin)
    assert header["space units"] == ["mm"] * 3


@pytest.mark.parametrize("extension", [".vti", ".vtkhdf"])
def test_vtk_reads_our_fields(extension, tmp_path):
    item = made.field()
    write(item, tmp_path / f"f{extension}")
    back = pyvista.read(tmp_path / f"f{extension}")
    assert back.dimensions == item.values.shape
    np.testing.assert_allclose(back.origin, item.origin)
    np.testing.assert_allclose(back.spacing, item.spacing)
    assert np.array_equal(back.point_data["logit"].reshape(item.values.shape, order="F"), item.values)


@pytest.mark.parametrize("mode", ["Ascii", "Binary", "Appended"])
def test_we_read_image_data_of_vtk(mode, tmp_path):
    import vtk

    item = made.field()
    image = pyvista.ImageData(dimensions=item.values.shape, spacing=item.spacing, origin=item.origin)
    image.point_data["logit"] = item.values.reshape(-1, order="F")
    out = vtk.vtkXMLImageDataWriter()
    out.SetInputData(image)
    out.SetFileName(str(tmp_path / "f.vti"))
    getattr(out, f"SetDataModeTo{mode}")()
    out.Write()
    back = read(tmp_path / "f.vti").artifacts[0]
    np.testing.assert_allclose(back.values, item.values, atol=1e-6)
    np.testing.assert_allclose(back.origin, item.origin)
    assert back.quantity == "logit"


def test_plain_h5py_and_numpy_read_our_fields(tmp_path):
    import h5py

    item = made.field()
    write(item, tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5") as file:
        assert np.array_equal(file["VTKHDF/PointData/logit"][...].T, item.values)
        assert file["VTKHDF"].attrs["length_unit"] == "mm"
    write(item, tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["values"], item.values)
        assert np.array_equal(archive["spacing"], item.spacing)


def test_numpy_reads_our_models(tmp_path):
    write(made.model(), tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["weights/net.0.weight"], made.model().weights["net.0.weight"])


# --- tables, curves, images ---------------------------------------------------------------------


def test_the_csv_module_reads_our_tables(tmp_path):
    write(made.table(), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["method", "IoU [1]", "steps"]
    assert rows[2] == ['naïve, "plain"', repr(1 / 3), "-2"]
    assert rows[3] == ["新", "", "3000000"]


def test_tables_of_others(tmp_path):
    (tmp_path / "t.csv").write_text("\ufeffa;b;a\n1;x;0.5\n2;007;\n\n", encoding="utf-8")
    table = read(tmp_path / "t.csv").artifacts[0]
    assert list(table.columns) == ["a", "b", "a (2)"]
    assert table.columns["a"].dtype == np.int64
    assert table.columns["b"].tolist() == ["x", "007"]
    assert np.isnan(table.columns["a (2)"][1])
    (tmp_path / "t.tsv").write_text("x\ty\n0\t1\n")
    curve = read(tmp_path / "t.tsv", CsvReadOptions(kind="curve")).artifacts[0]
    assert curve.series["y"].tolist() == [1]


def test_pillow_and_images(tmp_path):
    import PIL.Image

    item = made.image(4)
    write(item, tmp_path / "i.png")
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "i.png")), item.pixels)
    PIL.Image.fromarray(item.pixels[..., :3]).save(tmp_path / "i.jpg", quality=95)
    assert read(tmp_path / "i.jpg").artifacts[0].pixels.shape == (6, 9, 3)
    PIL.Image.fromarray((np.arange(12).reshape(3, 4) * 5000).astype(np.uint16)).save(tmp_path / "s.png")
    deep = read(tmp_path / "s.png").artifacts[0].pixels
    assert deep.dtype == np.float32
    np.testing.assert_allclose(deep[..., 0] * 65535, np.arange(12).reshape(3, 4) * 5000, atol=0.01)
    PIL.Image.new("P", (3, 2)).save(tmp_path / "p.png")
    assert read(tmp_path / "p.png").artifacts[0].pixels.shape == (2, 3, 3)


def test_real_stl_matches_trimesh():
    path = made.REAL / "eight_15_scaled.stl"
    if not path.exists():
        pytest.skip("no real data here")
    mine, other = read(path).artifacts[0], trimesh.load(path)
    assert isinstance(mine, Mesh)
    assert (len(mine.vertices), len(mine.faces)) == (len(other.vertices), len(other.faces)) == (5544, 11092)
