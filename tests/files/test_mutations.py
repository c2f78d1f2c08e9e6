"""Damaged files of every format give an artifact or a UserError: no crash, no hang, nothing half-loaded."""

from __future__ import annotations

import time
import zlib

import numpy as np
import pytest

from engines.core import Artifact, UserError
from engines.files import READERS, read, write
from engines.files.capture_interhand import InterHandOptions
from engines.files.csvtable import CsvReadOptions
from engines.files.h5ad import H5adOptions
from engines.files.hdf5 import Hdf5WriteOptions
from engines.files.metaimage import MetaImageWriteOptions
from engines.files.netcdf import NetcdfWriteOptions
from engines.files.nrrd import NrrdWriteOptions
from engines.files.ply import PlyWriteOptions
from engines.files.stl import StlWriteOptions
from engines.files.vtk_document import VtkWriteOptions
from engines.files.vtkhdf import HdfWriteOptions
from tests.files import cells, grids, hand_sets, made, mano_files, meshes, photo_sets, rigs
from tests.files.mutator import mutate
from tests.files.test_paths_and_videos import nerfstudio_path

FEW, MANY = 80, 2000
SLOWEST = 2.0  # seconds for one file of a few kB, on a busy machine


def _written(folder, maker, name, options=None):
    write(made.MAKERS[maker](), folder / name, options)
    return folder / name


def _vtk(folder, mode):
    import pyvista
    import vtk

    out = vtk.vtkXMLPolyDataWriter()
    out.SetInputData(pyvista.Sphere(theta_resolution=8, phi_resolution=8))
    out.SetFileName(str(folder / "v.vtp"))
    getattr(out, f"SetDataModeTo{mode}")()
    out.Write()
    return folder / "v.vtp"


def _series(folder, maker):
    write(made.MAKERS[maker](), folder / "b.pvd")
    return folder


def _ragged(folder):
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 5\nproperty double x\nproperty double y\n"
    header += "property double z\nelement face 2\nproperty list uchar uint vertex_index\nend_header\n"
    body = np.arange(15.0).tobytes() + b"\4" + np.array([0, 1, 2, 4], "<u4").tobytes()
    (folder / "r.ply").write_bytes(header.encode() + body + b"\3" + np.array([2, 3, 4], "<u4").tobytes())
    return folder / "r.ply"


def _detached(folder, name, text):
    (folder / "data.raw").write_bytes(bytes(24))
    (folder / name).write_text(text)
    return folder / name


def _jpeg(folder):
    import PIL.Image

    PIL.Image.fromarray(made.image().pixels).save(folder / "i.jpg")
    return folder / "i.jpg"


def _nrrd(folder, encoding):
    import nrrd

    nrrd.write(str(folder / "n.nrrd"), made.volume().values, {"encoding": encoding, "spacings": [1.0, 2.0, 3.0]})
    return folder / "n.nrrd"


def _text(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


MHD = "NDims = 3\nDimSize = 2 3 4\nElementType = MET_UCHAR\nElementSpacing = 1 1 2\nElementDataFile = data.raw\n"
NHDR = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nspacings: 1 1 2\nencoding: raw\ndata file: data.raw\n\n"

TWO_DRUGS = H5adOptions(condition="drug", control="DMSO", treated="imatinib")
CALIBRATION = "annotations/test/InterHand2.6M_test_camera.json"
SAMPLES = {
    "csl": lambda f: _written(f, "slices", "s.csl"),
    "contour": lambda f: _written(f, "slices", "s.contour"),
    "stl": lambda f: _written(f, "mesh", "m.stl"),
    "stl text": lambda f: _written(f, "mesh", "m.stl", StlWriteOptions(encoding="ascii")),
    "ply": lambda f: _written(f, "mesh", "m.ply"),
    "ply text": lambda f: _written(f, "mesh", "m.ply", PlyWriteOptions(encoding="ascii")),
    "ply ragged": _ragged,
    "ply gaussians": lambda f: _written(f, "gaussians", "g.ply"),
    "splat": lambda f: _written(f, "gaussians", "g.splat"),
    "spz": lambda f: _written(f, "gaussians", "g.spz"),
    "colmap": lambda f: photo_sets.colmap(f) / "images.bin",
    "colmap cameras": lambda f: photo_sets.colmap(f) / "cameras.bin",
    "colmap points": lambda f: photo_sets.colmap(f) / "points3D.bin",
    "colmap text": lambda f: photo_sets.colmap(f, text=True) / "images.txt",
    "colmap text cameras": lambda f: photo_sets.colmap(f, text=True) / "cameras.txt",
    "colmap text points": lambda f: photo_sets.colmap(f, text=True) / "points3D.txt",
    "llff": photo_sets.llff,
    "photo-folder": _jpeg,
    "transforms": lambda f: _written(f, "photos", "transforms.json"),
    "transforms lens": lambda f: photo_sets.nerf(f, k1=0.05, k2=-0.02, p1=1e-3),
    "camera-path": lambda f: _written(f, "camera_path", "p.camera_path.json"),
    "camera-path foreign": lambda f: nerfstudio_path(f),
    "obj": lambda f: _written(f, "mesh", "m.obj"),
    "glb": lambda f: _written(f, "mesh", "m.glb"),
    "obj textured": lambda f: _written(f, "textured", "m.obj"),
    "glb textured": lambda f: _written(f, "textured", "m.glb"),
    "glb gaussians": lambda f: _written(f, "gaussians", "g.glb"),
    "glb text": lambda f: _written(f, "gaussians", "g.gltf"),
    "rigged-glb": lambda f: rigs.glb(f),
    "mano": lambda f: mano_files.write(f / "m.pkl", mano_files.small()),
    "poses": lambda f: _written(f, "poses", "p.poses.csv"),
    "poses json": lambda f: _written(f, "poses", "p.poses.json"),
    "hand-capture": lambda f: hand_sets.folder(f) / "poses.csv",
    "deephandmesh": lambda f: hand_sets.deephandmesh(f) / "annotations" / "KRT_512",
    "interhand": lambda f: hand_sets.interhand(f) / CALIBRATION,
    "xyz": lambda f: _text(f, "p.xyz", "0 0 0 1 0 0\n1 2 3 0 1 0\n" * 5),
    "vtp": lambda f: _written(f, "mesh", "m.vtp"),
    "vtp plain": lambda f: _written(f, "mesh", "m.vtp", VtkWriteOptions(compress=False)),
    "vtp base64": lambda f: _vtk(f, "Binary"),
    "vtp text": lambda f: _vtk(f, "Ascii"),
    "vti": lambda f: _written(f, "field", "f.vti"),
    "nifti": lambda f: _written(f, "volume", "v.nii"),
    "nifti packed": lambda f: _written(f, "volume", "v.nii.gz"),
    "metaimage": lambda f: _written(f, "volume", "v.mha"),
    "metaimage plain": lambda f: _written(f, "volume", "v.mha", MetaImageWriteOptions(compress=False)),
    "metaimage header": lambda f: _detached(f, "v.mhd", MHD),
    "nrrd": lambda f: _written(f, "volume", "v.nrrd"),
    "nrrd plain": lambda f: _written(f, "volume", "v.nrrd", NrrdWriteOptions(compress=False)),
    "nrrd text": lambda f: _nrrd(f, "ascii"),
    "nrrd bzip2": lambda f: _nrrd(f, "bzip2"),
    "nrrd header": lambda f: _detached(f, "v.nhdr", NHDR),
    "npy": lambda f: _written(f, "volume", "v.npy"),
    "npz": lambda f: _written(f, "field", "f.npz"),
    "npz model": lambda f: _written(f, "model", "m.npz"),
    "npz photos": lambda f: _written(f, "photos", "p.npz"),
    "npz camera path": lambda f: _written(f, "camera_path", "c.npz"),
    "npz video": lambda f: _written(f, "video", "v.npz"),
    "npz depth video": lambda f: _written(f, "depth_video", "d.npz"),
    "npz gaussians": lambda f: _written(f, "gaussians", "g.npz"),
    "npz bound gaussians": lambda f: _written(f, "bound", "b.npz"),
    **{f"npz {m}": (lambda f, m=m: _written(f, m, "f.npz")) for m in ("flow", "body", "solution", "trajectory")},
    "npz foreign": lambda f: grids.archive(f),
    "npy-field": lambda f: _written(f, "profile", "v.npy"),
    "csv-field": lambda f: _written(f, "profile", "v.csv"),
    "csv-measure": lambda f: _text(f, "m.csv", "group,x,y,weight\na,1,2.5,1\nb,2,-1,0.5\na,3,4,2\n"),
    "csv-displacements": lambda f: _written(f, "displacements", "d.csv"),
    "csv-costs": lambda f: _written(f, "costs", "c.csv"),
    "csv-coupling": lambda f: _written(f, "coupling", "c.csv"),
    "npz-points": lambda f: grids.archive(f, points=grids.VALUES, weights=grids.X**2),
    "hdf5 coupling": lambda f: _written(f, "coupling", "c.h5"),
    "hdf5 map": lambda f: _written(f, "affine_map", "c.h5", Hdf5WriteOptions(compress=True)),
    "hdf5": lambda f: _written(f, "flow", "f.h5"),
    "hdf5 packed": lambda f: _written(f, "flow", "f.h5", Hdf5WriteOptions(compress=True)),
    "hdf5 foreign": grids.foreign_hdf5,
    "h5ad": lambda f: cells.today(f / "c.h5ad"),
    "h5ad sparse": lambda f: cells.before(f / "c.h5ad"),
    "h5ad older": lambda f: cells.long_ago(f / "c.h5ad"),
    "netcdf": lambda f: _written(f, "flow", "f.nc"),
    "netcdf classic": lambda f: _written(f, "flow", "f.nc", NetcdfWriteOptions(version="3")),
    "mat": grids.matlab,
    "mat plain": lambda f: grids.matlab(f, packed=False),
    "mat hdf5": grids.matlab_hdf5,
    "frames": lambda f: grids.frames(f) / "heat_0.10.npy",
    "medit": lambda f: _written(f, "body", "b.mesh"),
    "vtr": lambda f: _written(f, "flow", "f.vtr"),
    "vti field": lambda f: _written(f, "steady", "f.vti"),
    "vtu": lambda f: _written(f, "body", "b.vtu"),
    "vtu foreign": meshes.vtk_mesh,
    "vtk": lambda f: meshes.vtk_mesh(f, "v.vtk"),
    "vtk binary": lambda f: meshes.vtk_mesh(f, "v_binary.vtk"),
    "vtk older": lambda f: meshes.meshio_mesh(f, "m.vtk", file_format="vtk42", binary=False),
    "gmsh": lambda f: _text(f, "m.msh", meshes.GMSH),
    "gmsh binary": lambda f: meshes.meshio_mesh(f, "m.msh", file_format="gmsh"),
    "gmsh older": lambda f: _text(f, "m.msh", meshes.GMSH_2),
    "gmsh older binary": lambda f: meshes.meshio_mesh(f, "m.msh", file_format="gmsh22"),
    "xdmf": lambda f: _written(f, "body", "b.xdmf"),
    "xdmf foreign": lambda f: meshes.meshio_mesh(f, "m.xdmf", data_format="XML"),
    "xdmf values": lambda f: _written(f, "flow", "b.xdmf").with_suffix(".h5"),
    "pvd": lambda f: _written(f, "profile", "f.pvd"),
    "pvd part": lambda f: _series(f, "body") / "b_times" / "00001.vtu",
    "problem": lambda f: _written(f, "problem", "p.problem"),
    "vtkhdf": lambda f: _written(f, "field", "f.h5"),
    "vtkhdf plain": lambda f: _written(f, "field", "f.h5", HdfWriteOptions(compress=False)),
    "image": lambda f: _written(f, "image", "i.png"),
    "image jpeg": _jpeg,
    "csv": lambda f: _written(f, "table", "t.csv"),
    "csv curve": lambda f: _written(f, "curve", "c.csv"),
}


def test_every_reader_has_a_sample():
    assert {name.split()[0] for name in SAMPLES} == set(READERS)


def survive(name, count, folder):
    """Read ``count`` damaged versions of a sample; returns how many were refused, and the longest in seconds."""
    path = SAMPLES[name](folder)
    options = {
        "csv curve": CsvReadOptions(kind="curve"),
        "interhand": InterHandOptions(open_hand=True),
        **dict.fromkeys(("h5ad", "h5ad sparse", "h5ad older"), TWO_DRUGS),
    }.get(name)
    good = path.read_bytes()
    what = path.parent if READERS[name.split()[0]].whole_folder else path
    roots = {
        "pvd part": folder / "b.pvd",
        "xdmf values": folder / "b.xdmf",
        "interhand": folder,
        "deephandmesh": folder,
    }
    what = roots.get(name, what)
    key = name.split()[0]
    assert read(what, options, key).artifacts
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    refused, longest = 0, 0.0
    for number in range(count):
        damaged = mutate(good, rng)
        path.write_bytes(damaged)
        began, said = time.perf_counter(), None
        try:
            loaded = read(what, options, key)
        except UserError as error:
            refused += 1
            said = error
        except BaseException as error:
            raise AssertionError(f"{name}, mutation {number}: {type(error).__name__}: {error}") from error
        else:
            assert loaded.artifacts
            for item in loaded.artifacts:  # made at all means validated; its summary must work
                assert isinstance(item, Artifact)
                assert item.summary()
                assert item.nbytes < 1000 * len(damaged) + (1 << 20)
        assert said is None or (said.what and said.mend), said
        longest = max(longest, time.perf_counter() - began)
        assert longest < SLOWEST, (name, number)
    return refused, longest


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_files(name, tmp_path):
    assert survive(name, FEW, tmp_path)[0] > 0


@pytest.mark.parametrize("part", ["m.mtl", "m.png"])
def test_damaged_materials_leave_the_shape_alone(part, tmp_path):
    path, item = _written(tmp_path, "textured", "m.obj"), made.textured()
    good, lost = (tmp_path / part).read_bytes(), 0
    rng = np.random.default_rng(5)
    for _ in range(FEW):
        (tmp_path / part).write_bytes(mutate(good, rng))
        loaded = read(path)
        assert np.array_equal(loaded.artifacts[0].faces, item.faces)
        gone = loaded.artifacts[0].texture is None
        assert not gone or loaded.problems or part == "m.mtl"
        lost += gone
    assert lost > FEW // 10


@pytest.mark.claim
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SAMPLES)
def test_two_thousand_damaged_files(name, tmp_path):
    refused, longest = survive(name, MANY, tmp_path)
    print(f"{name}: {MANY:,} damaged files, {refused:,} refused in words, the longest took {1000 * longest:.0f} ms")
    assert refused
