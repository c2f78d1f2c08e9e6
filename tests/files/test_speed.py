"""Two million triangles, whole label volumes, a million Gaussians, real photos: seconds (make bench prints them)."""

from __future__ import annotations

import time  # process time, so that a busy machine measures the same

import numpy as np
import pytest

from engines.data import GaussianCloud, Mesh, Volume
from engines.files import read, write
from engines.files.ply import PlyWriteOptions
from engines.files.stl import StlWriteOptions
from tests.files.test_photos import REAL

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


def sheet(side: int) -> Mesh:
    """2 side² triangles."""
    node = np.arange((side + 1) ** 2).reshape(side + 1, side + 1)
    x, y = np.meshgrid(*[np.linspace(0, 1, side + 1)] * 2, indexing="ij")
    vertices = np.stack([x, y, np.sin(5 * x * y)], axis=-1).reshape(-1, 3)
    a, b, c, d = node[:-1, :-1], node[1:, :-1], node[1:, 1:], node[:-1, 1:]
    faces = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return Mesh(vertices=vertices, faces=faces)


@pytest.mark.parametrize(
    ("name", "options", "limit"),
    [
        ("m.ply", None, 3),
        ("m.stl", None, 10),
        ("m.glb", None, 5),
        ("m.vtp", None, 10),
        ("t.ply", PlyWriteOptions(encoding="ascii"), 20),
        ("m.obj", None, 30),
        ("t.stl", StlWriteOptions(encoding="ascii"), 60),
    ],
)
def test_two_million_triangles(name, options, limit, tmp_path):
    write(sheet(1000), tmp_path / name, options)
    began = time.process_time()
    mesh = read(tmp_path / name).artifacts[0]
    seconds = time.process_time() - began
    print(f"{name}: {(tmp_path / name).stat().st_size / 1e6:.0f} MB, 2,000,000 triangles read in {seconds:.2f} s")
    assert (len(mesh.faces), len(mesh.vertices)) == (2_000_000, 1_002_001)
    assert seconds < limit


@pytest.mark.parametrize("extension", [".nii.gz", ".mha", ".nrrd", ".npy"])
def test_a_label_volume_of_32_million_voxels(extension, tmp_path):
    values = np.zeros((500, 470, 136), np.uint8)
    values[100:300, 80:400, 20:100] = 3
    write(Volume(values=values, affine=np.eye(4), is_label=True), tmp_path / f"v{extension}")
    began = time.process_time()
    volume = read(tmp_path / f"v{extension}").artifacts[0]
    seconds = time.process_time() - began
    print(f"{extension}: 32 million voxels read in {seconds:.2f} s")
    assert volume.is_label
    assert seconds < 10


@pytest.mark.parametrize(("extension", "limit"), [(".ply", 5), (".splat", 5), (".spz", 10), (".glb", 10)])
def test_a_million_gaussians(extension, limit, tmp_path):
    rng, count = np.random.default_rng(0), 1_000_000
    cloud = GaussianCloud(
        means=rng.normal(size=(count, 3)),
        quaternions=rng.normal(size=(count, 4)),
        log_scales=rng.uniform(-7, -1, (count, 3)),
        opacity_logits=rng.normal(size=count),
        sh=0.2 * rng.normal(size=(count, 16, 3)),
    )
    began = time.process_time()
    write(cloud, tmp_path / f"g{extension}")
    between = time.process_time()
    back = read(tmp_path / f"g{extension}").artifacts[0]
    seconds = time.process_time() - between
    size = (tmp_path / f"g{extension}").stat().st_size / 1e6
    print(f"{extension}: {size:.0f} MB written in {between - began:.2f} s, read in {seconds:.2f} s")
    assert len(back) == count
    assert seconds < limit


@pytest.mark.parametrize(("name", "limit"), [("lego_400", 5), ("fox_half", 15)])
def test_real_photos(name, limit):
    if not (REAL / name).is_dir():
        pytest.skip(f"{name} is not here")
    began, wall = time.process_time(), time.perf_counter()
    loaded = read(REAL / name)
    seconds = time.process_time() - began
    wall = time.perf_counter() - wall
    print(f"{name}: {loaded.artifacts[0].summary()} in {wall:.2f} s, {seconds:.2f} core-seconds")
    assert seconds < limit
