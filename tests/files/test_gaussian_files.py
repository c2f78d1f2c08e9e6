"""Gaussian clouds: formats keep what they can hold, axes turn with the colours, faults are named."""

from __future__ import annotations

import base64
import gzip
import json
import struct

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from engines.blocks.cameras import Camera, look_at
from engines.blocks.quaternions import rotation_matrices
from engines.blocks.splatting import Gaussians
from engines.blocks.splatting.bound_gaussians import to_cloud
from engines.blocks.splatting.gaussians import C0
from engines.blocks.splatting.twin import project
from engines.core import UserError
from engines.data import BoundGaussians, GaussianCloud, Mesh, PointCloud
from engines.files import WRITERS, read, spz, write, writers_for, written_as
from engines.files.gaussians import turned
from engines.files.glb import GlbReadOptions
from engines.files.gltf_gaussians import GltfGaussianOptions
from engines.files.ply import PlyReadOptions
from engines.files.spz import SpzReadOptions, SpzWriteOptions
from tests.files import made
from tests.files.mutator import mutate
from tests.files.test_bad_input import refused

FIELDS = ("means", "quaternions", "log_scales", "opacity_logits", "sh")
EXTENSIONS = (".ply", ".splat", ".spz", ".glb", ".gltf", ".npz")


def covariances(cloud: GaussianCloud) -> np.ndarray:
    R = rotation_matrices(torch.from_numpy(cloud.quaternions.astype(np.float64))).numpy()
    return np.einsum("nij,nj,nkj->nik", R, np.exp(2 * cloud.log_scales.astype(np.float64)), R)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def one(**changes) -> GaussianCloud:
    plain = {
        "means": [[0, 0, 0]], "quaternions": [[1, 0, 0, 0]], "log_scales": [[-1, -1, -1]], "opacity_logits": [0.0],
        "sh": [[[0, 0, 0]]],
    }  # fmt: skip
    return GaussianCloud(**(plain | changes))


# --- PLY ---------------------------------------------------------------------------------------------


def inria(cloud: GaussianCloud) -> bytes:
    """The file that the first implementation writes, made value by value."""
    rest = 3 * (cloud.sh.shape[1] - 1)
    names = ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", *(f"f_rest_{i}" for i in range(rest)),
             "opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"]  # fmt: skip
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(cloud)}\n"
    head += "".join(f"property float {n}\n" for n in names) + "end_header\n"
    rows = b""
    for i in range(len(cloud)):
        sh = cloud.sh[i]
        values = [*cloud.means[i], 0, 0, 0, *sh[0], *sh[1:, 0], *sh[1:, 1], *sh[1:, 2], cloud.opacity_logits[i],
                  *cloud.log_scales[i], *cloud.quaternions[i]]  # fmt: skip
        rows += struct.pack(f"<{len(values)}f", *values)
    return head.encode() + rows


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_ply_is_bit_exact(degree, tmp_path):
    cloud = made.gaussians(degree).replace(unit="")
    (tmp_path / "theirs.ply").write_bytes(inria(cloud))
    loaded = read(tmp_path / "theirs.ply")
    back = loaded.artifacts[0]
    assert loaded.problems == ()
    assert (type(back), back.degree) == (GaussianCloud, degree)
    for name in FIELDS:
        assert getattr(back, name).tobytes() == getattr(cloud, name).tobytes()
    write(back, tmp_path / "ours.ply")
    assert (tmp_path / "ours.ply").read_bytes() == (tmp_path / "theirs.ply").read_bytes()


def ply(columns: dict[str, np.ndarray], kind: str = "float") -> bytes:
    count = len(next(iter(columns.values())))
    head = f"ply\nformat ascii 1.0\nelement vertex {count}\n" + "".join(f"property {kind} {n}\n" for n in columns)
    rows = "\n".join(" ".join(repr(float(v)) for v in row) for row in zip(*columns.values(), strict=True))
    return (head + "end_header\n" + rows + "\n").encode()


def columns(cloud: GaussianCloud) -> dict[str, np.ndarray]:
    found = {a: cloud.means[:, i] for i, a in enumerate("xyz")}
    found |= {f"f_dc_{i}": cloud.sh[:, 0, i] for i in range(3)}
    found |= {"opacity": cloud.opacity_logits} | {f"scale_{i}": cloud.log_scales[:, i] for i in range(3)}
    return found | {f"rot_{i}": cloud.quaternions[:, i] for i in range(4)}


def test_ply_as_text_and_in_other_orders(tmp_path):
    cloud = made.gaussians(0)
    shuffled = dict(sorted(columns(cloud).items()))
    (tmp_path / "g.ply").write_bytes(ply(shuffled, "double"))
    back = read(tmp_path / "g.ply").artifacts[0]
    assert made.differences(cloud, back, ("unit",)) == []


def test_points_stay_points(tmp_path):
    cloud = made.gaussians(0)
    write(cloud, tmp_path / "g.ply")
    assert isinstance(read(tmp_path / "g.ply", PlyReadOptions(gaussians=False)).artifacts[0], PointCloud)
    for missing in ("opacity", "scale_2", "rot_0"):
        (tmp_path / "p.ply").write_bytes(ply({k: v for k, v in columns(cloud).items() if k != missing}))
        loaded = read(tmp_path / "p.ply")
        assert isinstance(loaded.artifacts[0], PointCloud)
        assert loaded.problems == (f"It looks like a Gaussian cloud but has no '{missing}': it was read as points.",)
    plain = {k: v for k, v in columns(cloud).items() if k in "xyz"} | {"opacity": cloud.means[:, 0]}
    (tmp_path / "p.ply").write_bytes(ply(plain))
    loaded = read(tmp_path / "p.ply")
    assert (loaded.problems, list(loaded.artifacts[0].scalars)) == ((), ["opacity"])


def test_wrong_numbers_of_coefficients(tmp_path):
    extra = {f"f_rest_{i}": np.zeros(50) for i in range(10)}
    (tmp_path / "g.ply").write_bytes(ply(columns(made.gaussians(0)) | extra))
    refused(tmp_path / "g.ply", "has 10 'f_rest' properties", "0, 9, 24 or 45")
    extra = {f"f_rest_{i + 1}": np.zeros(50) for i in range(9)}
    (tmp_path / "g.ply").write_bytes(ply(columns(made.gaussians(0)) | extra))
    refused(tmp_path / "g.ply", "numbered from 0")
    extra = {f"f_rest_{i}": np.full(50, float(i)) for i in range(72)}
    (tmp_path / "g.ply").write_bytes(ply(columns(made.gaussians(0)) | extra))
    loaded = read(tmp_path / "g.ply")
    assert loaded.problems == ("Colours of degree 4 were cut to degree 3.",)
    assert np.array_equal(loaded.artifacts[0].sh[0, 1:], np.arange(72).reshape(3, 24).T[:15])


def test_gsply_reads_and_writes_the_same(tmp_path):
    gsply = pytest.importorskip("gsply")
    for degree in (0, 1, 2, 3):
        cloud = made.gaussians(degree)
        write(cloud, tmp_path / "ours.ply")
        theirs = gsply.plyread(tmp_path / "ours.ply")
        same_as_gsply(theirs, cloud, 0)
        gsply.plywrite(tmp_path / "theirs.ply", theirs)
        assert made.differences(cloud, read(tmp_path / "theirs.ply").artifacts[0], ("unit",)) == []


def same_as_gsply(theirs, cloud: GaussianCloud, tolerance: float) -> None:
    np.testing.assert_allclose(theirs.means, cloud.means, atol=tolerance)
    np.testing.assert_allclose(theirs.scales, cloud.log_scales, atol=tolerance)
    np.testing.assert_allclose(np.asarray(theirs.opacities).reshape(-1), cloud.opacity_logits, atol=tolerance)
    np.testing.assert_allclose(theirs.quats, cloud.quaternions, atol=tolerance)
    np.testing.assert_allclose(theirs.sh0, cloud.sh[:, 0], atol=tolerance)
    if cloud.degree:
        np.testing.assert_allclose(theirs.shN, cloud.sh[:, 1:], atol=tolerance)


# --- .splat --------------------------------------------------------------------------------------------


def test_splat_by_the_bytes(tmp_path):
    cloud = one(
        means=[[1, 2, 3], [4, 5, 6]], quaternions=[[2, 0, 0, 0], [-0.5, 0.5, 0.5, -0.5]], opacity_logits=[0.0, 2.0],
        log_scales=np.log([[0.1, 0.2, 0.3], [1, 2, 3]]), sh=[[[0.0, 1.0, -1.0]], [[9.0, -9.0, 0.0]]],
    )  # fmt: skip
    write(cloud, tmp_path / "s.splat")
    raw = (tmp_path / "s.splat").read_bytes()
    assert struct.unpack("<6f4B4B", raw[:32]) == pytest.approx(  # the larger comes first
        (4, 5, 6, 1, 2, 3, 255, 0, 128, 225, 64, 192, 192, 64), abs=1
    )
    green, blue = round(255 * (0.5 + C0)), round(255 * (0.5 - C0))
    assert struct.unpack("<6f4B4B", raw[32:]) == pytest.approx(
        (1, 2, 3, 0.1, 0.2, 0.3, 128, green, blue, 128, 255, 128, 128, 128), rel=1e-6
    )


def test_splat_comes_back_within_its_steps(tmp_path):
    cloud = made.gaussians(3)
    write(cloud, tmp_path / "s.splat")
    back = read(tmp_path / "s.splat").artifacts[0]
    order = [int(np.where((cloud.means == m).all(1))[0][0]) for m in back.means]
    weight = np.exp(cloud.log_scales.sum(1)) * sigmoid(cloud.opacity_logits)
    assert (np.diff(weight[order]) <= 1e-9).all()
    expected = cloud.replace(**{name: getattr(cloud, name)[order] for name in FIELDS})
    np.testing.assert_allclose(back.log_scales, expected.log_scales, atol=1e-6)
    np.testing.assert_allclose(sigmoid(back.opacity_logits), sigmoid(expected.opacity_logits), atol=0.5 / 255 + 1e-6)
    seen = (0.5 + C0 * expected.sh[:, 0]).clip(0, 1)
    np.testing.assert_allclose(0.5 + C0 * back.sh[:, 0], seen, atol=0.5 / 255 + 1e-6)
    largest = np.exp(2 * expected.log_scales.max(1))[:, None, None]
    assert (np.abs(covariances(back) - covariances(expected)) / largest).max() < 0.05


def test_files_that_are_no_splats(tmp_path):
    (tmp_path / "s.splat").write_bytes(bytes(33))
    refused(tmp_path / "s.splat", "not a .splat file, or is cut off", "33 bytes")
    (tmp_path / "s.splat").write_bytes(b"Dear reader, this is a letter ..." * 32)
    refused(tmp_path / "s.splat", "s.splat")
    (tmp_path / "s.splat").write_bytes(b"\xff" * 320)
    refused(tmp_path / "s.splat", "not a .splat file", "make no sense")


# --- .spz ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
@pytest.mark.parametrize("axes", ["y down", "y up"])
def test_spz_comes_back_within_its_quantisation(degree, axes, tmp_path):
    cloud = made.gaussians(degree, 500)
    cloud = cloud.replace(sh=cloud.sh.clip(-0.9, 0.9))
    for harmonics, steps in (("full", (1, 1)), ("compact", (8, 16))):
        write(cloud, tmp_path / "g.spz", SpzWriteOptions(axes=axes, harmonics=harmonics))
        back = read(tmp_path / "g.spz", SpzReadOptions(axes=axes)).artifacts[0]
        assert np.abs(back.means - cloud.means).max() <= 0.5 / 4096 + 1e-6
        assert np.abs(back.log_scales - cloud.log_scales).max() <= 0.5 / 16 + 1e-5
        assert np.abs(sigmoid(back.opacity_logits) - sigmoid(cloud.opacity_logits)).max() <= 0.5 / 255 + 1e-6
        assert np.abs(back.sh[:, 0] - cloud.sh[:, 0]).max() <= 0.5 / 255 / 0.15 + 1e-5
        for start, end, step in ((1, 4, steps[0]), (4, 16, steps[1])):
            if back.sh.shape[1] > start:
                off = np.abs(back.sh[:, start:end] - cloud.sh[:, start:end]).max()
                assert off <= (0.5 * step + 0.5) / 128 + 1e-6
        unit = cloud.quaternions / np.linalg.norm(cloud.quaternions, axis=1, keepdims=True)
        assert (1 - np.abs((unit * back.quaternions).sum(1))).max() < 1e-5
        write(back, tmp_path / "again.spz", SpzWriteOptions(axes=axes, harmonics=harmonics))
        twice = read(tmp_path / "again.spz", SpzReadOptions(axes=axes)).artifacts[0]
        assert made.differences(back, twice, ("quaternions",)) == []  # what was quantised stays


def packed(version: int, count: int, degree: int, *streams: bytes, flags: int = 0, fraction: int = 12) -> bytes:
    return struct.pack("<IIIBBBB", 0x5053474E, version, count, degree, fraction, flags, 0) + b"".join(streams)


def test_older_versions_of_spz(tmp_path):
    alphas, colours, scales = bytes([255, 0]), bytes([128] * 6), bytes([160] * 6)
    turns = bytes([255, 128, 128, 128, 128, 128])  # x = 1, and none
    places = np.array([[1, 2, 3], [-1.5, 0.25, 100]])
    fixed = b"".join(round(v * 4096).to_bytes(3, "little", signed=True) for v in places.reshape(-1))
    half = places.astype("<f2").tobytes()
    for version, positions in ((1, half), (2, fixed)):
        data = packed(version, 2, 1, positions, alphas, colours, scales, turns, bytes(range(119, 137)))
        (tmp_path / "g.spz").write_bytes(gzip.compress(data))
        back = read(tmp_path / "g.spz", SpzReadOptions(axes="y up")).artifacts[0]
        assert back.means.tolist() == places.tolist()
        assert back.log_scales.tolist() == [[0, 0, 0]] * 2
        np.testing.assert_allclose(back.quaternions[0], [0, 1, 0.004, 0.004], atol=1e-2)
        np.testing.assert_allclose(back.quaternions[1], [1, 0.004, 0.004, 0.004], atol=1e-2)
        assert np.array_equal(
            back.sh[:, 1:].reshape(2, -1), (np.arange(119, 137) - 128).reshape(2, 9) / np.float32(128)
        )
        assert np.isfinite(back.opacity_logits).all()
        np.testing.assert_allclose(sigmoid(back.opacity_logits), [1, 0], atol=0.3 / 255)
        turned_ = read(tmp_path / "g.spz").artifacts[0]
        assert turned_.means.tolist() == (places * [1, -1, -1]).tolist()


def test_spz_of_gsply(tmp_path):
    gsply = pytest.importorskip("gsply")
    for degree in (0, 1, 2, 3):
        cloud = made.gaussians(degree, 300)
        write(cloud, tmp_path / "ours.spz", SpzWriteOptions(axes="y up"))
        ours = read(tmp_path / "ours.spz", SpzReadOptions(axes="y up")).artifacts[0]
        theirs = gsply.read_spz(tmp_path / "ours.spz")
        same_as_gsply(theirs, ours, 2e-5)
        gsply.write_spz(tmp_path / "theirs.spz", theirs)
        same_as_gsply(theirs, read(tmp_path / "theirs.spz", SpzReadOptions(axes="y up")).artifacts[0], 3e-3)


def test_spz_version_four(tmp_path, monkeypatch):
    count = 2
    raw = [bytes(18), bytes([255, 9]), bytes([128] * 6), bytes([160] * 6), bytes([0, 0, 0, 192] * 2), bytes([130] * 18)]
    head = struct.pack("<IIIBBBBI12x", 0x5053474E, 4, count, 1, 12, 0, 6, 32)

    class Plain:
        """Stands for zstd: what is packed is the data, backwards."""

        def decompress(self, data, most):
            return data[::-1][:most]

    def save(streams, toc=32, number=6):
        top = head[:15] + bytes([number]) + struct.pack("<I", toc) + bytes(12)
        table = b"".join(struct.pack("<QQ", len(s), len(s)) for s in streams)
        (tmp_path / "g.spz").write_bytes(top + table + b"".join(s[::-1] for s in streams))

    save(raw)
    with monkeypatch.context() as patch:
        patch.setattr(spz, "_zstd", lambda path: Plain)
        back = read(tmp_path / "g.spz").artifacts[0]
        assert (len(back), back.degree) == (2, 1)
        assert back.quaternions.tolist() == [[1, 0, 0, 0]] * 2
        assert np.abs(back.sh[:, 1:]).max() == np.float32(2 / 128)
        save([raw[0][:-1], *raw[1:]])
        refused(tmp_path / "g.spz", "wrong amount of data")
        save(raw, toc=2**31)
        refused(tmp_path / "g.spz", "table of contents")
        save(raw[:3], number=3)
        refused(tmp_path / "g.spz", "table of contents")
    save(raw)
    try:
        import compression.zstd  # noqa: F401
    except ImportError:
        refused(tmp_path / "g.spz", "version 4", "packed with zstd", "Export it as version 3")


def test_spz_of_version_four_by_gsply(tmp_path, monkeypatch):
    gsply, zstandard = pytest.importorskip("gsply"), pytest.importorskip("zstandard")

    class Unpack:
        def decompress(self, data, most):
            return zstandard.ZstdDecompressor().decompress(data, max_output_size=most)

    monkeypatch.setattr(spz, "_zstd", lambda path: Unpack)
    write(made.gaussians(3), tmp_path / "three.spz", SpzWriteOptions(axes="y up"))
    theirs = gsply.read_spz(tmp_path / "three.spz")
    gsply.write_spz(tmp_path / "four.spz", theirs, version=4)
    same_as_gsply(theirs, read(tmp_path / "four.spz", SpzReadOptions(axes="y up")).artifacts[0], 3e-3)


def test_broken_spz(tmp_path):
    path = tmp_path / "g.spz"
    body = [bytes(9), b"\x80", bytes(3), bytes(3), bytes(4)]
    cases = [
        (gzip.compress(b"NGSP"), "is cut off"),
        (gzip.compress(packed(7, 1, 0, *body)), "version 7"),
        (gzip.compress(b"XXXX" + packed(3, 1, 0, *body)[4:]), "not an .spz file"),
        (gzip.compress(packed(3, 0, 0)), "holds no Gaussians"),
        (gzip.compress(packed(3, 1, 9, *body)), "Degree 9"),
        (gzip.compress(packed(3, 1, 0, *body, fraction=40)), "40 fractional bits"),
        (gzip.compress(packed(3, 2**32 - 1, 3)), "4,294,967,295 Gaussians do not fit"),
        (gzip.compress(packed(3, 3, 0, *body)), "should take 60 bytes; found 20"),
        (gzip.compress(packed(3, 1, 0, *body) + bytes(100)), "or more"),
        (gzip.compress(packed(3, 1, 0, *body))[:-6], "wrong amount of data"),
        (gzip.compress(packed(3, 1, 0, *body))[:-8] + bytes(8), "damaged compressed data"),
        (b"NGSP" + struct.pack("<IIBBBBI12x", 5, 1, 0, 12, 0, 6, 32), "has version 5"),
        (b"NGSP" + struct.pack("<IIBBBBI12x", 4, 2**32 - 1, 3, 12, 0, 6, 32), "4,294,967,295 Gaussians do not fit"),
        (b"plain", "not an .spz file"),
    ]
    for data, said in cases:
        path.write_bytes(data)
        refused(path, said)
    path.write_bytes(gzip.compress(packed(3, 1, 0, *body, flags=2) + bytes(100)))  # what others add
    assert len(read(path).artifacts[0]) == 1
    path.write_bytes(gzip.compress(packed(3, 1, 4, *body, bytes(range(72)))))
    assert read(path).problems == ("Colours of degree 4 were cut to degree 3.",)


def test_damaged_streams_inside_of_spz(tmp_path):
    """Behind gzip's checksum, as from a program with a fault."""
    write(made.gaussians(2, 20), tmp_path / "g.spz")
    good, rng, refusals = gzip.decompress((tmp_path / "g.spz").read_bytes()), np.random.default_rng(0), 0
    for _ in range(300):
        (tmp_path / "g.spz").write_bytes(gzip.compress(mutate(good, rng), 1))
        try:
            assert read(tmp_path / "g.spz").artifacts[0].summary()
        except UserError:
            refusals += 1
    assert 0 < refusals < 300


def test_spz_of_wide_scenes(tmp_path):
    for reach in (1000, 5000, 1e6):
        write(one(means=[[reach, 0, 0]]), tmp_path / "g.spz")
        assert read(tmp_path / "g.spz").artifacts[0].means[0, 0] == pytest.approx(reach, rel=1e-6)
    with pytest.raises(UserError, match="further than 8 million"):
        write(one(means=[[1e9, 0, 0]]), tmp_path / "g.spz")


# --- glTF ----------------------------------------------------------------------------------------------


def same_picture(a: GaussianCloud, b: GaussianCloud, turn: np.ndarray, tolerance: float = 1e-4) -> None:
    """Both are seen alike from cameras that are turned with them."""
    eye = np.array([4.0, -3.0, 2.0])
    for cloud, R, found in ((a, np.eye(3), []), (b, turn, [])):
        pose = look_at(eye, np.zeros(3))
        pose[:3, :3] = pose[:3, :3] @ R.T
        gaussians = Gaussians(*(torch.from_numpy(getattr(cloud, n).astype(np.float64)) for n in FIELDS))
        found.append(project(gaussians, Camera(pose, 90, 80, 32, 24, 64, 48), cloud.degree, 0.1, 0.3, False))
        if cloud is a:
            first = found[0]
    for x, y in zip(first, found[0], strict=True):
        np.testing.assert_allclose(y.numpy(), x.numpy(), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("extension", [".glb", ".gltf"])
@pytest.mark.parametrize("up", ["-y", "y", "z"])
@pytest.mark.parametrize("degree", [0, 3])
def test_gltf_comes_back(extension, up, degree, tmp_path):
    cloud = made.gaussians(degree)
    write(cloud, tmp_path / f"g{extension}", GltfGaussianOptions(up=up))
    loaded = read(tmp_path / f"g{extension}", GlbReadOptions(up=up))
    back = loaded.artifacts[0]
    assert (loaded.problems, back.degree, back.unit) == ((), degree, "m")
    exact = up != "z"
    np.testing.assert_allclose(back.means, cloud.means, atol=0 if exact else 1e-6)
    np.testing.assert_allclose(back.sh, cloud.sh, atol=0 if exact else 1e-6)
    np.testing.assert_allclose(back.opacity_logits, cloud.opacity_logits, atol=1e-4)
    np.testing.assert_allclose(covariances(back), covariances(cloud), rtol=1e-4, atol=1e-7)
    to_file = {"-y": np.diag([1.0, -1, -1]), "y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])}[up]
    inside = read(tmp_path / f"g{extension}", GlbReadOptions(up="y")).artifacts[0]
    np.testing.assert_allclose(inside.means, cloud.means @ to_file.T, atol=1e-6)
    same_picture(cloud, inside, to_file)


def document(path) -> dict:
    raw = path.read_bytes()
    return json.loads(raw[20 : 20 + int.from_bytes(raw[12:16], "little")])


def test_gltf_is_as_the_extension_wants_it(tmp_path):
    cloud = one(quaternions=[[0.5, 0.1, 0.2, 0.3]], sh=np.full((1, 4, 3), 0.5))
    write(cloud, tmp_path / "g.glb", GltfGaussianOptions(up="y"))
    found = document(tmp_path / "g.glb")
    primitive = found["meshes"][0]["primitives"][0]
    assert found["extensionsUsed"] == ["KHR_gaussian_splatting"]
    assert primitive["mode"] == 0
    assert primitive["extensions"]["KHR_gaussian_splatting"]["kernel"] == "ellipse"
    assert primitive["extensions"]["KHR_gaussian_splatting"]["colorSpace"] == "srgb_rec709_display"
    named = [n.removeprefix("KHR_gaussian_splatting:") for n in primitive["attributes"]]
    assert named == ["POSITION", "COLOR_0", "ROTATION", "SCALE", "OPACITY", "SH_DEGREE_0_COEF_0", "SH_DEGREE_1_COEF_0",
                     "SH_DEGREE_1_COEF_1", "SH_DEGREE_1_COEF_2"]  # fmt: skip
    view = found["bufferViews"][2]
    raw = (tmp_path / "g.glb").read_bytes()
    start = 28 + int.from_bytes(raw[12:16], "little") + view["byteOffset"]
    q = np.array([0.1, 0.2, 0.3, 0.5])  # x y z w
    np.testing.assert_allclose(np.frombuffer(raw, "<f4", 4, start), q / np.linalg.norm(q), rtol=1e-6)


def test_trimesh_shows_the_points(tmp_path):
    trimesh = pytest.importorskip("trimesh")
    cloud = made.gaussians(1)
    write(cloud, tmp_path / "g.glb", GltfGaussianOptions(up="y"))
    shown = trimesh.load(tmp_path / "g.glb").geometry
    np.testing.assert_allclose(next(iter(shown.values())).vertices, cloud.means, atol=1e-6)


def rewritten(path, change):
    whole = json.loads(path.read_text())
    change(whole)
    path.write_text(json.dumps(whole))
    return path


@pytest.mark.parametrize("kind", ["turn", "scale", "mirror", "shear"])
def test_transforms_of_the_scene_turn_ellipsoids_and_colours(kind, tmp_path):
    R = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    linear = {"turn": R, "scale": 2 * R, "mirror": R @ np.diag([1.0, -1, 1]), "shear": R @ np.diag([1.0, 2, 0.5])}[kind]
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, [1, 2, 3]
    cloud = made.gaussians(3)
    write(cloud, tmp_path / "g.gltf", GltfGaussianOptions(up="y"))
    rewritten(tmp_path / "g.gltf", lambda d: d["nodes"][0].update(matrix=matrix.T.reshape(-1).tolist()))
    back = read(tmp_path / "g.gltf", GlbReadOptions(up="y")).artifacts[0]
    np.testing.assert_allclose(back.means, cloud.means @ linear.T + [1, 2, 3], atol=1e-5)
    expected = np.einsum("ij,njk,lk->nil", linear, covariances(cloud), linear)
    np.testing.assert_allclose(covariances(back), expected, rtol=1e-3, atol=1e-6)
    if kind == "turn":
        same_picture(cloud, back.replace(means=back.means - np.float32([1, 2, 3])), R, 1e-3)


def test_scenes_with_mesh_and_gaussians_keep_their_axes(tmp_path):
    write(made.gaussians(0), tmp_path / "g.gltf", GltfGaussianOptions(up="y"))
    triangle = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")

    def add(d):
        uri = "data:application/octet-stream;base64," + base64.b64encode(triangle.tobytes()).decode()
        d["buffers"].append({"byteLength": 36, "uri": uri})
        d["bufferViews"].append({"buffer": 1, "byteLength": 36})
        view = len(d["bufferViews"]) - 1
        d["accessors"].append({"bufferView": view, "componentType": 5126, "count": 3, "type": "VEC3"})
        d["meshes"][0]["primitives"].append({"attributes": {"POSITION": len(d["accessors"]) - 1}})

    loaded = read(rewritten(tmp_path / "g.gltf", add))
    assert [type(a).__name__ for a in loaded.artifacts] == ["Mesh", "GaussianCloud"]
    assert np.array_equal(loaded.artifacts[0].vertices, triangle)
    assert np.array_equal(loaded.artifacts[1].means, made.gaussians(0).means)
    assert loaded.problems == ("The axes of the Gaussians were kept, so that they fit the mesh.",)


def test_quantised_attributes(tmp_path):
    write(one(), tmp_path / "g.gltf", GltfGaussianOptions(up="y"))

    def quantise(d):
        values = {"ROTATION": np.array([0, 0, 127, 0], "i1"), "OPACITY": np.array([191, 0, 0, 0], "u1"),
                  "SCALE": np.array([-3, -2, 1, 0], "i1")}  # fmt: skip
        for name, data in values.items():
            index = d["meshes"][0]["primitives"][0]["attributes"][f"KHR_gaussian_splatting:{name}"]
            uri = "data:x;base64," + base64.b64encode(data.tobytes()).decode()
            d["buffers"].append({"byteLength": 4, "uri": uri})
            d["bufferViews"].append({"buffer": len(d["buffers"]) - 1, "byteLength": 4})
            kind = 5121 if data.dtype == np.uint8 else 5120
            d["accessors"][index] |= {"bufferView": len(d["bufferViews"]) - 1, "componentType": kind,
                                      "normalized": name != "SCALE"}  # fmt: skip

    back = read(rewritten(tmp_path / "g.gltf", quantise), GlbReadOptions(up="y")).artifacts[0]
    assert back.quaternions.tolist() == [[0, 0, 0, 1]]
    assert back.log_scales.tolist() == [[-3, -2, 1]]
    np.testing.assert_allclose(sigmoid(back.opacity_logits), [191 / 255], atol=1e-6)


def test_gltf_that_is_not_read(tmp_path):
    def primitive(d):
        return d["meshes"][0]["primitives"][0]

    def extension(d):
        return primitive(d)["extensions"]["KHR_gaussian_splatting"]

    spz_name = "KHR_gaussian_splatting_compression_spz_2"
    cases = {
        f"packed with {spz_name}": lambda d: extension(d).update(extensions={spz_name: {}}),
        "kernel 'box'": lambda d: extension(d).update(kernel="box"),
        "damaged scene": lambda d: primitive(d)["attributes"].pop("KHR_gaussian_splatting:SCALE"),
        "shorter than its scene says": lambda d: d["accessors"][0].update(count=10**12),
        "differ in length": lambda d: d["accessors"][3].update(count=2),
        "outside its folder": lambda d: d["buffers"][0].update(uri="../secret.bin"),
        "a buffer that is not there": lambda d: d["buffers"][0].update(uri="gone.bin"),
        "damaged data": lambda d: d["buffers"][0].update(uri="data:;base64,%%%"),
        "is not base64": lambda d: d["buffers"][0].update(uri="data:,abc"),
        "flat or not finite": lambda d: d["nodes"][0].update(scale=[0, 0, 0]),
    }
    for said, change in cases.items():
        write(made.gaussians(0, 3), tmp_path / "g.gltf")
        refused(rewritten(tmp_path / "g.gltf", change), said)
    write(made.gaussians(0, 3), tmp_path / "g.gltf")

    def linear(d):
        extension(d)["colorSpace"] = "lin_rec709_display"

    assert "lin_rec709_display; they were read as sRGB" in read(rewritten(tmp_path / "g.gltf", linear)).problems[0]


def test_buffers_beside_a_gltf_file(tmp_path):
    write(made.gaussians(1), tmp_path / "g.gltf")
    whole = json.loads((tmp_path / "g.gltf").read_text())
    (tmp_path / "g.bin").write_bytes(base64.b64decode(whole["buffers"][0]["uri"].split(",")[1]))
    rewritten(tmp_path / "g.gltf", lambda d: d["buffers"][0].update(uri="g.bin"))
    assert np.array_equal(read(tmp_path / "g.gltf").artifacts[0].means, made.gaussians(1).means)


# --- clouds that are no good -----------------------------------------------------------------------------


def broken(change) -> bytes:
    cloud = columns(made.gaussians(0, 10))
    cloud = {name: values.copy() for name, values in cloud.items()}
    change(cloud)
    names = list(cloud)
    head = "ply\nformat binary_little_endian 1.0\nelement vertex 10\n" + "".join(f"property float {n}\n" for n in names)
    return (head + "end_header\n").encode() + np.stack([cloud[n] for n in names], axis=1).astype("<f4").tobytes()


@pytest.mark.parametrize("name", ["x", "f_dc_1", "opacity", "scale_2", "rot_3"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_left_out(name, value, tmp_path):
    (tmp_path / "g.ply").write_bytes(broken(lambda c: c[name].__setitem__([2, 7], value)))
    loaded = read(tmp_path / "g.ply")
    if (name, value) == ("opacity", np.inf):  # wholly opaque is no fault
        assert (len(loaded.artifacts[0]), loaded.problems) == (10, ())
        assert loaded.artifacts[0].opacity_logits[2] == 30
        return
    assert loaded.problems == ("2 of 10 Gaussians are not finite and were left out.",)
    assert np.array_equal(loaded.artifacts[0].means, np.delete(made.gaussians(0, 10).means, [2, 7], axis=0))
    (tmp_path / "g.ply").write_bytes(broken(lambda c: c[name].fill(value)))
    refused(tmp_path / "g.ply", "no Gaussian that can be used", "10 of 10")


def test_flat_gaussians_stay(tmp_path):
    (tmp_path / "g.ply").write_bytes(broken(lambda c: c["scale_1"].fill(-np.inf)))
    loaded = read(tmp_path / "g.ply")
    assert loaded.problems == ()
    assert (loaded.artifacts[0].log_scales[:, 1] == -30).all()


def test_zero_quaternions_are_left_out(tmp_path):
    def zero(rows):
        return lambda c: [c[f"rot_{i}"].__setitem__(rows, 0) for i in range(4)]

    (tmp_path / "g.ply").write_bytes(broken(zero([0, 3, 4])))
    loaded = read(tmp_path / "g.ply")
    assert loaded.problems == ("3 of 10 Gaussians have no rotation and were left out.",)
    assert len(loaded.artifacts[0]) == 7
    (tmp_path / "g.ply").write_bytes(broken(zero(slice(None))))
    refused(tmp_path / "g.ply", "no Gaussian that can be used", "10 of 10 Gaussians have no rotation")
    write(made.gaussians(0, 10), tmp_path / "s.splat")
    raw = np.frombuffer((tmp_path / "s.splat").read_bytes(), np.uint8).reshape(10, 32).copy()
    raw[4, 28:] = 128
    (tmp_path / "s.splat").write_bytes(raw.tobytes())
    assert read(tmp_path / "s.splat").problems == ("1 of 10 Gaussians have no rotation and were left out.",)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_opacity_zero_everywhere(extension, tmp_path):
    cloud = made.gaussians(0, 10).replace(opacity_logits=np.full(10, -30.0))
    write(cloud, tmp_path / f"g{extension}")
    loaded = read(tmp_path / f"g{extension}")
    assert len(loaded.artifacts[0]) == 10
    assert sigmoid(loaded.artifacts[0].opacity_logits).max() < 1 / 255
    if extension != ".npz":
        assert loaded.problems == ("Every Gaussian is transparent: nothing of the cloud will be seen.",)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_one_gaussian(extension, tmp_path):
    write(one(), tmp_path / f"g{extension}")
    back = read(tmp_path / f"g{extension}").artifacts[0]
    assert (len(back), back.degree) == (1, 0)
    np.testing.assert_allclose(back.means, 0)


def test_absurd_counts_of_gaussians(tmp_path):
    data = (broken(lambda c: None)).replace(b"element vertex 10\n", b"element vertex 99999999999\n")
    (tmp_path / "g.ply").write_bytes(data)
    refused(tmp_path / "g.ply", "shorter than its header says", "99,999,999,999")


def test_turning_a_cloud_turns_what_is_seen():
    cloud = made.gaussians(3)
    for seed in range(3):
        R = Rotation.random(random_state=seed).as_matrix()
        same_picture(cloud, turned(cloud, R), R, 1e-3)
    flipped = turned(turned(cloud, np.diag([1.0, -1, -1])), np.diag([1.0, -1, -1]))
    assert made.differences(cloud, flipped) == []


# ---- Gaussians on a mesh ----------------------------------------------------------------------------------


def test_gaussians_on_a_mesh_are_written_as_splats_or_as_their_mesh(tmp_path):
    item = made.bound()
    kinds = {w.key: written_as(BoundGaussians, w) for w in writers_for(BoundGaussians)}
    assert next(iter(kinds)) == "npz", "what keeps all of it comes first"
    assert kinds["npz"] is BoundGaussians
    assert {k for k, t in kinds.items() if t is GaussianCloud} >= {"gaussian-ply", "splat", "spz", "gltf-gaussians"}
    assert {k for k, t in kinds.items() if t is Mesh} >= {"ply", "obj", "glb", "stl"}
    assert written_as(Mesh, WRITERS["splat"]) is None

    write(item, tmp_path / "b.ply")  # splats, where a name leaves it open
    back = read(tmp_path / "b.ply").artifacts[0]
    assert made.differences(to_cloud(item), back, ("name",)) == []
    write(item, tmp_path / "mesh.ply", format="ply")
    solid = read(tmp_path / "mesh.ply").artifacts[0]
    assert isinstance(solid, Mesh)
    assert np.array_equal(solid.faces, item.faces)
    np.testing.assert_allclose(solid.vertices, item.vertices, rtol=1e-6)
