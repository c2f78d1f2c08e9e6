"""What all readers share: empty, missing, wrong, truncated and absurd files are refused in the user's words."""

from __future__ import annotations

import gzip
import json
import os
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from engines.core import UserError
from engines.data import Table
from engines.files import READERS, read, write
from engines.files.csvtable import CsvReadOptions
from engines.files.npy import NpyReadOptions
from engines.files.voxels import VolumeReadOptions
from tests.files import made

EXTENSIONS = sorted({e for r in READERS.values() for e in r.extensions})
TEXTS = {".csv", ".tsv", ".xyz", ".obj"}  # where any text is something


def refused(path, *words, options=None):
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as caught:
            read(path, options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert caught.value.mend
    for word in words:
        assert word in message, message
    size = os.path.getsize(path) if os.path.exists(path) else 0
    assert peak < 20_000_000 + 20 * size
    return message


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_empty_files(extension, tmp_path):
    (tmp_path / f"x{extension}").write_bytes(b"")
    refused(tmp_path / f"x{extension}", "is empty")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_missing_files_and_folders(extension, tmp_path):
    refused(tmp_path / f"gone{extension}", "There is no file")
    (tmp_path / f"folder{extension}").mkdir()
    refused(tmp_path / f"folder{extension}", "is not a file")
    os.symlink(tmp_path / "nowhere", tmp_path / f"link{extension}")
    refused(tmp_path / f"link{extension}", "is not a file")
    os.mkfifo(tmp_path / f"pipe{extension}")
    refused(tmp_path / f"pipe{extension}", "is not a file")  # and does not wait for a writer


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_binary_junk(extension, tmp_path):
    for seed in range(5):
        (tmp_path / f"junk{extension}").write_bytes(np.random.default_rng(seed).bytes(3000))
        refused(tmp_path / f"junk{extension}", "junk")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_another_kind_of_file(extension, tmp_path):
    """A picture, a text and an archive under a wrong name."""
    write(made.image(), tmp_path / "i.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    for source in ("i.png", "a.zip"):
        if extension not in (".png", ".jpg", ".jpeg") or source != "i.png":
            (tmp_path / f"wrong{extension}").write_bytes((tmp_path / source).read_bytes())
            refused(tmp_path / f"wrong{extension}", "wrong")
    (tmp_path / f"text{extension}").write_text("Dear reader,\nthis is a letter.\n")
    if extension not in (".csv", ".tsv"):
        refused(tmp_path / f"text{extension}", "text")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_unreadable_and_vanished_files(extension, tmp_path, monkeypatch):
    path = tmp_path / f"x{extension}"
    path.write_bytes(b"x" * 100)
    for error in (PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file or directory")):

        def fail(*args, error=error, **kwargs):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("pathlib.Path.open", fail)
            patch.setattr("pathlib.Path.read_bytes", fail)
            refused(path, "cannot be read", error.strerror)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    (tmp_path / "x.csl").write_text("CSLC")
    (tmp_path / "x.csl").chmod(0)
    refused(tmp_path / "x.csl", "Permission denied")


def test_names_that_no_system_takes(tmp_path):
    refused(tmp_path / ("x" * 5000 + ".csl"), "There is no file")
    refused(tmp_path / "x\0.csl", "There is no file")
    with pytest.raises(UserError, match="cannot be written"):
        write(made.mesh(), tmp_path / ("x" * 5000 + ".ply"))


def test_unknown_formats_name_the_known_ones(tmp_path):
    (tmp_path / "x.doc").write_text("x")
    refused(tmp_path / "x.doc", "unknown format", ".csl", ".nii.gz")


# --- counts that no file could hold: refused before anything is allocated ------------------------


NPY_HEAD = b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999, 99999, 99999), }"


def test_absurd_counts(tmp_path):
    cases = {
        "a.stl": b"x" * 80 + struct.pack("<I", 2**32 - 1) + b"x" * 50,
        "a.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 99999999999\nproperty float x\n"
        b"property float y\nproperty float z\nend_header\n" + bytes(24),
        "b.ply": b"ply\nformat ascii 1.0\nelement vertex 99999999999\nproperty float x\nproperty float y\n"
        b"property float z\nend_header\n0 0 0\n",
        "c.ply": b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
        b"property float z\nelement face 1\nproperty list uint uint vertex_indices\nend_header\n"
        + bytes(12) + b"\xff\xff\xff\xff" + bytes(9),
        "a.contour": b"1\n0 0 1 0\n999999999 999999999\n0 0 0\n",
        "a.mha": b"NDims = 3\nDimSize = 99999 99999 99999\nElementType = MET_DOUBLE\nElementDataFile = LOCAL\nxx",
        "b.mha": b"NDims = 3\nDimSize = 999 999 999\nElementType = MET_UCHAR\nCompressedData = True\n"
        b"ElementDataFile = LOCAL\n" + zlib.compress(bytes(100)),
        "a.nrrd": b"NRRD0004\ntype: double\ndimension: 3\nsizes: 99999 99999 99999\nencoding: raw\n\nxx",
        "a.npy": NPY_HEAD.ljust(127) + b"\n",
        "a.vti": b'<VTKFile type="ImageData" byte_order="LittleEndian"><ImageData WholeExtent="0 9999 0 9999 0 9999">'
        b'<Piece Extent="0 9999 0 9999 0 9999"><PointData><DataArray type="Float32" Name="a" format="ascii">1 2'
        b"</DataArray></PointData></Piece></ImageData></VTKFile>",
        "a.vtp": b'<VTKFile type="PolyData"><PolyData><Piece NumberOfPoints="99999999999" NumberOfPolys="0"><Points>'
        b'<DataArray type="Float32" NumberOfComponents="3" format="binary">AAAA</DataArray></Points></Piece>'
        b"</PolyData></VTKFile>",
        "a.mesh": b"MeshVersionFormatted 1\nDimension 3\nVertices\n99999999999\n0 0 0 1\n",
        "a.msh": b"$MeshFormat\n4.1 0 8\n$EndMeshFormat\n$Nodes\n1 99999999999 1 1\n3 1 0 99999999999\n$EndNodes\n"
        b"$Elements\n0 0 0 0\n$EndElements\n",
        "b.msh": b"$MeshFormat\n2.2 1 8\n\1\0\0\0\n$EndMeshFormat\n$Nodes\n99999999999\nxx\n$EndNodes\n$Elements\n0\n"
        b"$EndElements\n",
        "a.vtk": b"# vtk DataFile Version 3.0\nx\nBINARY\nDATASET UNSTRUCTURED_GRID\nPOINTS 999999999 double\nxx",
        "b.vtk": b"# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 9999999 9999999 9\n"
        b"POINT_DATA 1\nSCALARS a float\nLOOKUP_TABLE default\n1\n",
        "a.vtr": b'<VTKFile type="RectilinearGrid"><RectilinearGrid WholeExtent="0 99999999 0 0 0 0"><Piece><PointData>'
        b'</PointData><Coordinates><DataArray type="Float64" format="ascii">1</DataArray></Coordinates></Piece>'
        b"</RectilinearGrid></VTKFile>",
        "c.vti": b'<VTKFile type="ImageData"><ImageData WholeExtent="0 99999999999 0 0 0 0" Spacing="1 1 1"><FieldData>'
        b'<DataArray Name="settings" type="UInt8" format="ascii">123 125</DataArray></FieldData><Piece>'
        b"</Piece></ImageData></VTKFile>",
        "a.vtu": b'<VTKFile type="UnstructuredGrid"><UnstructuredGrid>'
        b'<Piece NumberOfPoints="99999999999" NumberOfCells="0"><Points>'
        b'<DataArray type="Float32" NumberOfComponents="3" format="binary">AAAA</DataArray></Points></Piece>'
        b"</UnstructuredGrid></VTKFile>",
        "d.vti": b'<VTKFile type="ImageData"><ImageData WholeExtent="0 9999999 0 9999999 0 9" Spacing="1 1 1"><Piece>'
        b'<PointData><DataArray Name="v" NumberOfComponents="3" type="UInt8" format="ascii">1</DataArray></PointData>'
        b"</Piece></ImageData></VTKFile>",
        "a.mat": b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + struct.pack("<II", 14, 4_000_000_000) + bytes(64),
        "b.mat": b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + struct.pack("<II", 15, 22)
        + zlib.compress(struct.pack("<II", 14, 4_000_000_000) + bytes(8)),
        "a.xdmf": b'<Xdmf><Domain><Grid><Topology TopologyType="Triangle"><DataItem Dimensions="9999999999 3">1 2 3'
        b'</DataItem></Topology><Geometry><DataItem Dimensions="9999999999 3">0</DataItem></Geometry></Grid></Domain>'
        b"</Xdmf>",
    }  # fmt: skip
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        refused(tmp_path / name, name)


def test_absurd_nifti_sizes(tmp_path):
    write(made.volume(), tmp_path / "v.nii")
    raw = bytearray((tmp_path / "v.nii").read_bytes())
    raw[42:48] = struct.pack("<3h", 30000, 30000, 30000)
    (tmp_path / "w.nii").write_bytes(raw)
    refused(tmp_path / "w.nii", "shorter than its header says", "27,000,000,000,000")
    raw[42:48] = struct.pack("<3h", 500, 500, 500)
    (tmp_path / "w.nii").write_bytes(raw)
    refused(tmp_path / "w.nii", "shorter than its header says")
    (tmp_path / "w.nii.gz").write_bytes(gzip.compress(bytes(raw)))
    refused(tmp_path / "w.nii.gz", "shorter than its header says")


def test_absurd_glb(tmp_path):
    write(made.mesh(), tmp_path / "m.glb")
    raw = (tmp_path / "m.glb").read_bytes()
    size = int.from_bytes(raw[12:16], "little")
    document = json.loads(raw[20 : 20 + size])
    refused(_glb(tmp_path, document | {"accessors": [document["accessors"][0] | {"count": 10**12}] * 4}, raw, size),
            "shorter than its scene says")  # fmt: skip
    cycle = document | {"nodes": [{"mesh": 0, "children": [0, 0]}]}
    refused(_glb(tmp_path, cycle, raw, size), "nested too deeply")
    outside = document | {"buffers": [{"byteLength": 10, "uri": "../../secret.bin"}]}
    refused(_glb(tmp_path, outside, raw, size), "a file outside itself", "secret")
    refused(_glb(tmp_path, document | {"nodes": [{"mesh": -1}]}, raw, size), "damaged scene")
    nan = document | {"nodes": [{"mesh": 0, "translation": [1e300, 1e308, float("nan")]}]}
    refused(_glb(tmp_path, nan, raw, size), "not finite")


def _glb(folder, document, raw, size):
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    rest = raw[20 + size :]
    head = b"glTF" + struct.pack("<II", 2, 20 + len(text) + len(rest)) + struct.pack("<II", len(text), 0x4E4F534A)
    (folder / "x.glb").write_bytes(head + text + rest)
    return folder / "x.glb"


# --- bombs ----------------------------------------------------------------------------------------


def test_decompression_bombs(tmp_path):
    zeros = zlib.compress(bytes(100_000_000))
    head = b"NDims = 3\nDimSize = 4 4 4\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n"
    (tmp_path / "b.mha").write_bytes(head + zeros)
    refused(tmp_path / "b.mha", "wrong amount of data", "64 bytes; found more")
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kind.npy", bytes(50_000_000))
    data = (tmp_path / "b.npz").read_bytes()
    at = data.rindex(b"PK\x01\x02")  # the directory says less than there is
    (tmp_path / "b.npz").write_bytes(data[: at + 24] + struct.pack("<I", 100) + data[at + 28 :])
    refused(tmp_path / "b.npz", "b.npz")


def test_packed_matrices_of_zeros(tmp_path):
    """A MATLAB file that unpacks to more than it says is read no further than it says."""
    import scipy.io

    scipy.io.savemat(tmp_path / "z.mat", {"u": np.zeros((100, 100)), "x": np.arange(100.0)}, do_compression=True)
    whole = (tmp_path / "z.mat").read_bytes()
    assert read(tmp_path / "z.mat").artifacts
    inside = zlib.decompress(whole[136 : 136 + struct.unpack("<I", whole[132:136])[0]])
    bomb = zlib.compress(inside + bytes(200_000_000))
    (tmp_path / "z.mat").write_bytes(whole[:128] + struct.pack("<II", 15, len(bomb)) + bomb)
    assert read(tmp_path / "z.mat").artifacts[0].values.size == 10_000


def test_image_bombs(tmp_path):
    write(made.image(), tmp_path / "i.png")
    raw = bytearray((tmp_path / "i.png").read_bytes())
    raw[16:24] = struct.pack(">II", 100_000, 100_000)
    raw[29:33] = struct.pack(">I", zlib.crc32(raw[12:29]))
    (tmp_path / "b.png").write_bytes(raw)
    refused(tmp_path / "b.png", "b.png")


def test_xml_bombs(tmp_path):
    text = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    (tmp_path / "b.vti").write_text(f'{text}<VTKFile type="ImageData">&b;</VTKFile>')
    refused(tmp_path / "b.vti", "declarations")


# --- nothing outside the file's folder, and no code -------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../secret.raw", "/etc/passwd", "sub/../../secret.raw", "link.raw", "http://x.y/z.raw"]
)
def test_headers_cannot_point_outside_their_folder(name, tmp_path):
    (tmp_path / "secret.raw").write_bytes(bytes(24))
    folder = tmp_path / "in"
    folder.mkdir()
    os.symlink(tmp_path / "secret.raw", folder / "link.raw")
    header = f"NDims = 3\nDimSize = 2 3 4\nElementType = MET_UCHAR\nElementDataFile = {name}\n"
    (folder / "v.mhd").write_text(header)
    refused(folder / "v.mhd", "outside its folder")
    header = f"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 3 4\nencoding: raw\ndata file: {name}\n\n"
    (folder / "v.nhdr").write_text(header)
    refused(folder / "v.nhdr", "outside its folder")


def test_data_files_beside_and_below_are_read_and_missing_ones_named(tmp_path):
    header = "NDims = 3\nDimSize = 2 3 4\nElementType = MET_UCHAR\nElementDataFile = sub/d.raw\n"
    (tmp_path / "v.mhd").write_text(header)
    refused(tmp_path / "v.mhd", "that is not there", "sub/d.raw")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.raw").write_bytes(bytes(range(24)))
    assert read(tmp_path / "v.mhd").artifacts[0].values[1, 2, 3] == 23
    (tmp_path / "sub" / "d.raw").write_bytes(bytes(23))
    refused(tmp_path / "v.mhd", "shorter than its header says")


def test_obj_materials_are_not_followed(tmp_path):
    (tmp_path / "m.obj").write_text("mtllib ../../etc/passwd\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl x\nf 1 2 3\n")
    assert read(tmp_path / "m.obj").problems == (
        "The materials are not loaded: the faces have no places in a texture.",
    )


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(tmp_path / "p.npy", "Python objects are never loaded")
    np.savez(tmp_path / "p.npz", kind=np.array({"type": "Model"}, dtype=object))
    refused(tmp_path / "p.npz", "Python objects are never loaded")


def test_links_in_hdf5_are_refused(tmp_path):
    import h5py

    write(made.field(), tmp_path / "other.h5")
    for link in (h5py.ExternalLink("other.h5", "/VTKHDF"), h5py.SoftLink("/elsewhere")):
        with h5py.File(tmp_path / "l.h5", "w") as file:
            file["VTKHDF"] = link
        refused(tmp_path / "l.h5", "has a link at 'VTKHDF'")
    with h5py.File(tmp_path / "e.h5", "w") as file:
        group = file.create_group("VTKHDF")
        group.attrs["Type"] = "ImageData"
        (tmp_path / "raw").write_bytes(bytes(8 * 8))
        group.create_dataset("PointData/a", (2, 2, 2), "f8", external=[(str(tmp_path / "raw"), 0, 64)])
    refused(tmp_path / "e.h5", "elsewhere")


# --- values ---------------------------------------------------------------------------------------


def test_not_finite_coordinates_are_named(tmp_path):
    bad = made.mesh().vertices.copy()
    bad[7, 1] = np.nan
    header = f"ply\nformat ascii 1.0\nelement vertex {len(bad)}\nproperty float x\nproperty float y\nproperty float z\n"
    (tmp_path / "m.ply").write_text(header + "end_header\n" + "\n".join(" ".join(map(str, r)) for r in bad))
    refused(tmp_path / "m.ply", "not finite at vertex 7")
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 inf 0\nv 0 1 0\nf 1 2 3\n")
    refused(tmp_path / "m.obj", "not finite at vertex 1")
    (tmp_path / "m.xyz").write_text("0 0 0\n1 nan 2\n")
    refused(tmp_path / "m.xyz", "not finite at point 1")
    record = np.zeros(1, [("n", "<f4", 3), ("c", "<f4", (3, 3)), ("a", "<u2")])
    record["c"][0, 2, 0] = np.inf
    (tmp_path / "m.stl").write_bytes(b"x" * 80 + struct.pack("<I", 1) + record.tobytes())
    refused(tmp_path / "m.stl", "not finite at corner 2")


def test_lines_are_named(tmp_path):
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 zero\nf 1 2 3\n")
    refused(tmp_path / "m.obj", "line 3", "zero")
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n")
    refused(tmp_path / "m.obj", "vertex that does not exist", "3 vertices")
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2\n")
    refused(tmp_path / "m.obj", "fewer than three corners at line 4")
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n")
    refused(tmp_path / "m.obj", "count from 1")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n1,2,3\n")
    refused(tmp_path / "t.csv", "wrong length at line 3", "3 cells")
    (tmp_path / "c.csv").write_text("x,y\n1,two\n")
    refused(tmp_path / "c.csv", "'y' holds text", options=CsvReadOptions(kind="curve"))
    (tmp_path / "s.contour").write_text("1\n0 0 1 0\n3 3\n0 0 0\n1 0 0\n0 1 0\n0 1 1 0\n1 2 1 0\n2 9 1 0\n")
    refused(tmp_path / "s.contour", "out of range at line 9")
    (tmp_path / "s.contour").write_text("1\n0 0 1 0\n3 3\n0 0 0\n1 0 0\n0 1\n0 1 1 0\n1 2 1 0\n2 0 1 0\n")
    refused(tmp_path / "s.contour", "line 6")


def test_truncated_files_name_the_loss(tmp_path):
    for maker, name in (("mesh", "m.ply"), ("mesh", "m.stl"), ("mesh", "m.glb"), ("mesh", "m.vtp"), ("volume", "v.nii"),
                        ("volume", "v.nii.gz"), ("volume", "v.mha"), ("volume", "v.nrrd"), ("volume", "v.npy"),
                        ("field", "f.vti"), ("field", "f.npz"), ("field", "f.h5"), ("image", "i.png"),
                        ("slices", "s.csl"), ("slices", "s.contour"), ("gaussians", "g.ply"), ("gaussians", "g.spz"),
                        ("gaussians", "g.glb"), ("gaussians", "g.gltf"), ("gaussians", "g.npz"),
                        ("photos", "p.npz")):  # fmt: skip
        write(made.MAKERS[maker](), tmp_path / name)
        whole = (tmp_path / name).read_bytes()
        for share in (0.2, 0.5, 0.9):
            (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
            refused(tmp_path / name, name)


def test_volumes_without_finite_voxels_and_without_place(tmp_path):
    np.save(tmp_path / "v.npy", np.full((2, 2, 2), np.nan))
    refused(tmp_path / "v.npy", "no finite value")
    values = np.ones((2, 2, 2))
    values[0, 0, 0] = np.nan
    np.save(tmp_path / "v.npy", values)
    assert read(tmp_path / "v.npy").problems == ("1 voxels are not finite.",)
    np.save(tmp_path / "v.npy", np.ones((2, 2, 2), complex))
    refused(tmp_path / "v.npy", "no plain numbers")
    np.save(tmp_path / "v.npy", np.ones(5))
    refused(tmp_path / "v.npy", "1 axes")
    np.save(tmp_path / "v.npy", np.ones((2, 2, 2)))
    refused(tmp_path / "v.npy", "one or three spacings", options=NpyReadOptions(spacing=(1, 2)))
    head = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementSpacing = 1 0 1\nElementDataFile = LOCAL\n"
    (tmp_path / "v.mha").write_bytes(head.encode() + bytes(8))
    refused(tmp_path / "v.mha", "where its voxels lie")


def test_frames_that_are_not_there(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((2, 2, 2, 3)))
    refused(tmp_path / "v.npy", "no frame 5", "3 frames", options=NpyReadOptions(frame=5))


def test_what_a_volume_holds_can_be_said(tmp_path):
    np.save(tmp_path / "v.npy", np.arange(8, dtype=np.uint8).reshape(2, 2, 2))
    assert read(tmp_path / "v.npy").artifacts[0].is_label
    assert not read(tmp_path / "v.npy", NpyReadOptions(kind="values")).artifacts[0].is_label
    np.save(tmp_path / "v.npy", np.arange(1000, dtype=np.uint16).reshape(10, 10, 10))
    assert not read(tmp_path / "v.npy").artifacts[0].is_label
    assert read(tmp_path / "v.npy", NpyReadOptions(kind="labels")).artifacts[0].is_label
    assert VolumeReadOptions().kind == "auto"


def test_writers_refuse_what_they_do_not_take(tmp_path):
    with pytest.raises(UserError, match=r"cannot be written as 't\.ply'"):
        write(Table(columns={"a": np.arange(3)}), tmp_path / "t.ply")


def test_what_does_not_fit_in_memory_is_refused_with_numbers(tmp_path, monkeypatch):
    from types import SimpleNamespace

    write(made.volume(), tmp_path / "v.nii.gz")
    write(made.field(), tmp_path / "f.vti")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100))
    refused(tmp_path / "v.nii.gz", "does not fit in memory", "GB are free")
    refused(tmp_path / "f.vti", "does not fit in memory")
