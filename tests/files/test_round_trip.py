"""What is written comes back: by our readers unchanged but for what a format cannot hold."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.data import Curve, GridField, Image, Mesh, Volume
from engines.files import READERS, WRITERS, read, write, writers_for
from engines.files.csl import CslWriteOptions
from engines.files.csvtable import CsvReadOptions
from engines.files.glb import GlbWriteOptions
from engines.files.npy import NpyReadOptions
from engines.files.obj import ObjWriteOptions
from engines.files.ply import PlyWriteOptions
from engines.files.stl import StlWriteOptions
from engines.files.vtk_document import VtkWriteOptions
from tests.files import made

# (artifact, extension, what the format has no place for)
CASES = [
    ("mesh", ".ply", ()),
    ("mesh", ".obj", ("scalars", "unit", "colors")),
    ("textured", ".obj", ("unit",)),
    ("textured", ".glb", ("unit", "vertices", "uv")),
    ("textured", ".ply", ("uv", "texture", "colors")),
    ("mesh", ".vtp", ("unit",)),
    ("mesh", ".glb", ("scalars", "unit", "vertices")),
    ("mesh", ".stl", ("scalars", "unit", "vertices", "faces", "normals", "colors")),
    ("cloud", ".ply", ()),
    ("cloud", ".vtp", ("unit",)),
    ("slices", ".csl", ()),
    ("slices", ".contour", ("vertices", "loop_starts", "loop_parents")),
    ("volume", ".nii", ("affine",)),
    ("volume", ".nii.gz", ("affine",)),
    ("volume", ".mha", ()),
    ("volume", ".nrrd", ()),
    ("field", ".vti", ()),
    ("field", ".npz", ()),
    ("field", ".vtkhdf", ()),
    ("field", ".h5", ()),
    ("model", ".npz", ("config",)),
    ("table", ".csv", ()),
    ("image", ".png", ()),
    ("photos", ".npz", ()),
    ("unposed", ".npz", ()),
    ("photos", ".json", ("names", "world_to_camera")),  # more in test_photos
    ("camera_path", ".npz", ()),
    ("camera_path", ".camera_path.json", ("world_to_camera",)),  # more in test_paths_and_videos
    ("video", ".npz", ()),
    ("depth_video", ".npz", ()),
    *((maker.__name__, ".npz", ()) for maker in made.FIELDS if maker is not made.problem),
    *((maker, extension, ()) for maker in ("flow", "steady", "profile") for extension in (".h5", ".nc")),
    *((maker, ".pvd", ()) for maker in ("flow", "steady", "profile", "body", "plate")),
    *((maker, ".vti", ("x",)) for maker in ("steady",)),
    *((maker, ".vtr", ()) for maker in ("steady",)),
    ("plate", ".vtu", ()),
    ("body", ".vtu", ("times", "values", "displacements")),  # one time of two
    ("body", ".mesh", ("values", "times", "displacements", "components", "vectors")),
    ("problem", ".problem", ()),
    ("spectrum", ".npz", ()),
    ("gaussians", ".npz", ()),
    ("bound", ".npz", ()),
    *((maker.__name__, ".npz", ()) for maker in (*made.HANDS, *made.TRANSPORTS)),
    *((maker.__name__, ".h5", ()) for maker in made.TRANSPORTS),
    ("poses", ".poses.csv", ()),
    ("poses", ".poses.json", ()),
    ("gaussians", ".ply", ()),  # more in test_gaussian_files
    ("gaussians", ".glb", ("quaternions", "opacity_logits")),
    ("gaussians", ".gltf", ("quaternions", "opacity_logits")),
    ("gaussians", ".splat", ("means", "quaternions", "log_scales", "opacity_logits", "sh", "unit")),
    ("gaussians", ".spz", ("means", "quaternions", "log_scales", "opacity_logits", "sh", "unit")),
]


@pytest.mark.parametrize(("maker", "extension", "lost"), CASES, ids=[f"{m}{e}" for m, e, _ in CASES])
def test_comes_back(maker, extension, lost, tmp_path):
    item = made.MAKERS[maker]()
    write(item, tmp_path / f"ünï 文件{extension}")
    loaded = read(tmp_path / f"ünï 文件{extension}")
    assert made.differences(item, loaded.artifacts[0], lost) == []
    assert loaded.artifacts[0].name == "ünï 文件"


def test_every_writer_is_covered_and_every_type_can_be_written():
    covered = {(e, type(made.MAKERS[m]()).__name__) for m, e, _ in CASES}
    others = {("npy", "Volume"), ("csv", "Curve")}  # below
    others |= {("xdmf", "SampledField"), ("xdmf", "MeshField")}  # in test_mesh_files: its name takes no blanks
    others |= {
        ("mesh-picture", "MeshField"),
        ("field-picture", "SampledField"),
        ("vti-field", "SampledField"),
        ("vtr", "SampledField"),
    }
    others |= {("npy-field", "SampledField"), ("csv-field", "SampledField")}  # in test_grid_files
    others |= {("mp4", "Video"), ("gif", "Video"), ("frames", "Video"), ("depth-frames", "DepthVideo")}  # one way only
    others |= {(k, t) for k in ("rigged-glb", "hand-meshes") for t in ("RiggedTemplate", "HandCapture", "HandAvatar")}
    # These are in test_rigged_out.
    others |= {("csv-measure", "Measure"), ("npy-measure", "Measure"), ("csv-costs", "CostMatrix")}
    others |= {("csv-coupling", "Coupling"), ("csv-potentials", "Coupling")}
    others |= {(f"{k}-displacements", "Displacements") for k in ("csv", "vtp")}  # all of these in test_transport_files
    for key, writer in WRITERS.items():
        for kind in writer.takes:
            as_volume = kind is GridField and key in ("nifti", "nrrd", "metaimage")
            if as_volume or (key, kind.__name__) in others:
                continue
            assert any((e, kind.__name__) in covered for e in writer.extensions), (key, kind)
    for maker in made.MAKERS.values():
        assert writers_for(type(maker()))


def test_every_extension_that_is_written_is_read():
    readable = {e for r in READERS.values() for e in r.extensions}
    written = {e for w in WRITERS.values() for e in w.extensions}
    assert written - readable == {".camera_path.json", ".mp4", ".gif", ".frames.json", ".depth.json", ".meshes.json"}
    # The first is read by its name; the others are for other programs, tested in test_paths_and_videos.


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mha", ".nrrd", ".npy"])
def test_volumes_keep_values_and_type(dtype, extension, tmp_path):
    item = made.volume(dtype)
    write(item, tmp_path / f"v{extension}")
    back = read(tmp_path / f"v{extension}").artifacts[0]
    assert back.values.dtype == item.values.dtype
    assert np.array_equal(back.values, item.values)
    assert back.is_label == item.is_label
    if extension != ".npy":
        np.testing.assert_allclose(back.affine, item.affine, atol=1e-6)


@pytest.mark.parametrize("extension", [".nii.gz", ".mha", ".nrrd"])
def test_fields_go_out_as_volumes(extension, tmp_path):
    item = made.field()
    write(item, tmp_path / f"f{extension}")
    back = read(tmp_path / f"f{extension}").artifacts[0]
    assert isinstance(back, Volume)
    assert not back.is_label
    assert np.array_equal(back.values, item.values)
    np.testing.assert_allclose(back.affine[:3, 3], item.origin, atol=1e-6)
    np.testing.assert_allclose(back.spacing, item.spacing, atol=1e-6)


def test_npy_takes_its_spacing_from_the_options(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(np.arange(24).reshape(2, 3, 4)))
    back = read(tmp_path / "a.npy", NpyReadOptions(spacing=(1, 2, 3), unit="mm")).artifacts[0]
    assert np.array_equal(back.values, np.arange(24).reshape(2, 3, 4))
    assert back.spacing.tolist() == [1, 2, 3]
    assert back.unit == "mm"


def test_stl_corners_are_merged(tmp_path):
    item = made.mesh()
    for encoding in ("binary", "ascii"):
        write(item, tmp_path / "m.stl", StlWriteOptions(encoding=encoding))
        back = read(tmp_path / "m.stl").artifacts[0]
        assert (len(back.vertices), len(back.faces)) == (len(item.vertices), len(item.faces))
        corners = back.vertices[back.faces]
        assert np.array_equal(corners, item.vertices[item.faces].astype(np.float32))


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("encoding", ["binary", "ascii"])
@pytest.mark.parametrize("maker", ["mesh", "cloud"])
def test_ply_in_all_its_forms(encoding, precision, maker, tmp_path):
    item = made.MAKERS[maker]()
    write(item, tmp_path / "m.ply", PlyWriteOptions(encoding=encoding, precision=precision))
    back = read(tmp_path / "m.ply").artifacts[0]
    skip = () if precision == "double" else ("vertices", "points")
    assert made.differences(item, back, skip) == []
    np.testing.assert_allclose(back.bounds, item.bounds, atol=1e-6)


def test_obj_without_faces_is_points(tmp_path):
    write(Mesh(vertices=np.eye(3), faces=np.zeros((0, 3))), tmp_path / "m.obj")
    assert np.array_equal(read(tmp_path / "m.obj").artifacts[0].points, np.eye(3))


def test_obj_keeps_bits_and_colours(tmp_path):
    item = made.mesh()
    write(item, tmp_path / "m.obj", ObjWriteOptions())
    back = read(tmp_path / "m.obj").artifacts[0]
    assert np.array_equal(back.colors[:, :3], item.colors[:, :3])
    np.testing.assert_allclose(back.normals, item.normals, atol=1e-6)


def test_glb_positions_are_single(tmp_path):
    item = made.mesh()
    write(item, tmp_path / "m.glb")
    back = read(tmp_path / "m.glb").artifacts[0]
    assert np.array_equal(back.vertices, item.vertices.astype(np.float32))
    assert back.unit == "m"


def test_glb_keeps_texture_places_and_the_joints_of_the_mesh(tmp_path):
    item = made.textured()
    for unlit in (True, False):
        write(item, tmp_path / "m.glb", GlbWriteOptions(unlit=unlit))
        back = read(tmp_path / "m.glb").artifacts[0]
        assert np.array_equal(back.vertices, item.vertices.astype(np.float32))
        np.testing.assert_allclose(back.uv, item.uv, atol=1e-7)
        assert (b"KHR_materials_unlit" in (tmp_path / "m.glb").read_bytes()) == unlit


@pytest.mark.parametrize("extension", [".obj", ".glb"])
def test_textures_with_transparency(extension, tmp_path):
    picture = made.rng().integers(0, 256, (4, 6, 4)).astype(np.uint8)
    write(made.textured().replace(texture=picture), tmp_path / f"m{extension}")
    assert np.array_equal(read(tmp_path / f"m{extension}").artifacts[0].texture, picture)


@pytest.mark.parametrize("extension", [".ply", ".vtp"])
def test_formats_without_textures_keep_the_colours_at_the_vertices(extension, tmp_path):
    item = made.textured()
    write(item, tmp_path / f"m{extension}")
    back = read(tmp_path / f"m{extension}").artifacts[0]
    assert np.array_equal(back.colors, item.plain().colors)
    assert back.colors[:, :3].std() > 20


def test_obj_brings_its_material_and_picture_and_replaces_only_its_own(tmp_path):
    item = made.textured()
    write(item, tmp_path / "my mesh.obj")
    names = ["my mesh.obj", "my_mesh.mtl", "my_mesh.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert read(tmp_path / "my mesh.obj").problems == ()
    other = item.replace(texture=255 - item.texture)
    write(other, tmp_path / "my mesh.obj")  # written again, with all that belongs to it
    assert np.array_equal(read(tmp_path / "my mesh.obj").artifacts[0].texture, other.texture)
    (tmp_path / "new.png").write_bytes(b"precious")
    with pytest.raises(UserError, match=r"already something called 'new\.png'"):
        write(item, tmp_path / "new.obj")
    assert not (tmp_path / "new.obj").exists()
    assert not (tmp_path / "new.mtl").exists()
    write(item.plain(), tmp_path / "new.obj")  # brings no picture
    assert (tmp_path / "new.png").read_bytes() == b"precious"
    write(item, tmp_path / "new.obj", replace=True)
    assert np.array_equal(read(tmp_path / "new.obj").artifacts[0].texture, item.texture)
    assert sorted(p.name for p in tmp_path.iterdir()) == [*names, "new.mtl", "new.obj", "new.png"]


@pytest.mark.parametrize("compress", [True, False])
def test_vtk_with_and_without_compression(compress, tmp_path):
    for item, extension in ((made.field(), ".vti"), (made.mesh(), ".vtp")):
        write(item, tmp_path / f"x{extension}", VtkWriteOptions(compress=compress))
        assert made.differences(item, read(tmp_path / f"x{extension}").artifacts[0], ("unit",)) == []


def test_contour_keeps_loops_labels_and_planes(tmp_path):
    from engines.blocks.polygons import signed_areas
    from engines.blocks.sectioning import plane_frames

    item = made.slices()
    write(item, tmp_path / "s.contour")
    back = read(tmp_path / "s.contour").artifacts[0]

    def areas(s):
        flat = np.einsum("vij,vj->vi", plane_frames(s.normals)[s.vertex_planes], s.vertices)
        return sorted(zip(s.loop_planes.tolist(), signed_areas(flat, s.loop_starts).round(9).tolist(), strict=True))

    assert areas(back) == areas(item)
    assert (back.loop_parents >= 0).sum() == (item.loop_parents >= 0).sum()


def test_csl_digits(tmp_path):
    item = made.slices()
    write(item, tmp_path / "s.csl", CslWriteOptions(digits=6))
    back = read(tmp_path / "s.csl").artifacts[0]
    np.testing.assert_allclose(back.vertices, item.vertices, atol=1e-5)


def test_curves_through_csv(tmp_path):
    item = made.curve()
    write(item, tmp_path / "c.csv")
    back = read(tmp_path / "c.csv", CsvReadOptions(kind="curve")).artifacts[0]
    assert isinstance(back, Curve)
    assert made.differences(item, back) == []
    assert back.x_label == "step"


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_all_channels(channels, tmp_path):
    item = made.image(channels)
    write(item, tmp_path / "i.png")
    assert made.differences(item, read(tmp_path / "i.png").artifacts[0]) == []


def test_float_images_are_rounded_to_eight_bits(tmp_path):
    pixels = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 4, 3)
    write(Image(pixels=pixels), tmp_path / "i.png")
    assert np.array_equal(read(tmp_path / "i.png").artifacts[0].pixels, (pixels * 255).round().astype(np.uint8))


def test_model_configuration(tmp_path):
    write(made.model(), tmp_path / "m.npz")
    assert read(tmp_path / "m.npz").artifacts[0].configuration == made.model().configuration


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for maker, extension, _ in CASES:
        names_others = extension in (".json", ".pvd") or (maker, extension) == ("textured", ".obj")
        if extension in (".vtkhdf", ".h5", ".nc") or names_others:
            continue
        item = made.MAKERS[maker]()
        write(item, tmp_path / f"a{extension}")
        write(item, tmp_path / f"b{extension}")
        assert (tmp_path / f"a{extension}").read_bytes() == (tmp_path / f"b{extension}").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "m.ply"
    target.write_text("old")
    with pytest.raises(UserError, match="cannot be written as"):
        write(made.mesh(), tmp_path / "m.csl")
    with pytest.raises(UserError, match="cannot be written"):
        write(made.mesh(), target / "below.ply")
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.ply"]


def test_the_longest_name_that_the_system_takes(tmp_path):
    name = "🧠" * 62 + "é.ply"  # 254 bytes
    write(made.mesh(), tmp_path / name)
    assert isinstance(read(tmp_path / name).artifacts[0], Mesh)
