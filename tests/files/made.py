"""Small artifacts of every type, for the tests of files."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.cameras import look_at
from engines.blocks.sectioning import cut_mesh, join_loops
from engines.core import Artifact
from engines.data import (
    BoundGaussians,
    CameraPath,
    Curve,
    DepthVideo,
    ElasticBody,
    GaussianCloud,
    GridField,
    Image,
    Mesh,
    MeshField,
    Model,
    Photos,
    PointCloud,
    Problem,
    SampledField,
    Slices,
    Solution,
    SpectrumTable,
    Table,
    Trajectory,
    UnposedPhotos,
    Video,
    Volume,
)
from tests import hands, transports

DATA = Path(os.environ.get("FIELDWRIGHT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
REAL = DATA / "slices"  # real files, where they are


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def mesh() -> Mesh:
    plain = torus_mesh(Torus(), around=16, tube=8)
    count = len(plain.vertices)
    normals = rng().normal(size=(count, 3))
    return Mesh(
        name="torus",
        vertices=plain.vertices,
        faces=plain.faces,
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
        colors=rng().integers(0, 256, (count, 4)).astype(np.uint8),
        scalars={"distance": rng().normal(size=count), "curvature": rng().normal(size=count)},
        unit="mm",
    )


def textured() -> Mesh:
    """With a picture of its own colour for each triangle, and repeated places as foreign files have them."""
    plain = mesh()
    count = len(plain.faces)
    uv = rng().uniform(0, 1, (count, 3, 2)).astype(np.float32)
    uv[1] = uv[0]
    return plain.replace(uv=uv, texture=rng().integers(0, 256, (7, 5, 3)).astype(np.uint8), colors=None, scalars={})


def cloud() -> PointCloud:
    m = mesh()
    return PointCloud(name="points", points=m.vertices, normals=m.normals, colors=m.colors, scalars=m.scalars, unit="m")


def slices() -> Slices:
    solid = torus_mesh(Torus(), around=32, tube=16)
    normals = np.array([[0, 0, 1.0], [0, 0, 1.0], [0.6, 0, 0.8], [0, 0, 1.0]])
    offsets = np.array([-0.1, 0.05, 0.1, 9.0])  # the last plane misses the torus
    loops, planes = [], []
    for plane in range(4):
        found, _ = cut_mesh(solid, normals[plane], offsets[plane])
        loops += found
        planes += [plane] * len(found)
    return join_loops(normals, offsets, loops, planes, [3] * len(loops), name="cut")


def affine() -> np.ndarray:
    q, _ = np.linalg.qr(rng().normal(size=(3, 3)))
    result = np.eye(4)
    result[:3, :3] = q * np.sign(np.linalg.det(q)) * [0.5, 1.0, 2.0]
    result[:3, 3] = [10, -3, 7.25]
    return result


def volume(dtype: str = "uint8") -> Volume:
    values = (rng().uniform(size=(5, 6, 7)) * 4).astype(dtype)
    return Volume(name="scan", values=values, affine=affine(), is_label=np.dtype(dtype).kind in "iu")


def field() -> GridField:
    values = rng().normal(size=(4, 5, 6)).astype(np.float32)
    return GridField(
        name="f", values=values, origin=[-1, 0.1, 2], spacing=[0.1, 0.2, 1 / 3], quantity="logit", unit="1/µm",
        length_unit="mm", level=0.25,
    )  # fmt: skip


def curve() -> Curve:
    loss = np.exp(-np.arange(9.0))
    return Curve(
        name="training", x=np.arange(9.0), series={"loss": loss, "IoU, smooth": np.where(loss > 0.1, np.nan, loss)}
    )


def table() -> Table:
    return Table(
        name="scores",
        columns={
            "method": np.array(["OReX", 'naïve, "plain"', "新"]),
            "IoU": np.array([0.97, 1 / 3, np.nan]),
            "steps": np.array([1, -2, 3000000]),
        },
        units={"IoU": "1"},
    )


def image(channels: int = 3) -> Image:
    return Image(name="i", pixels=rng().integers(0, 256, (6, 9, channels)).astype(np.uint8))


def model() -> Model:
    weights = {
        "net.0.weight": rng().normal(size=(4, 3)).astype(np.float32),
        "scale": np.array(2.0),
        "ids": np.arange(3),
    }
    return Model(name="m", weights=weights, method="orex", config='{"width": 64, "nested": {"a": [1, 2]}}')


def photos() -> Photos:
    """Six small photos around the origin, one of them held out."""
    count = 6
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    eyes = np.stack([3 * np.cos(angles), 3 * np.sin(angles), 1 + 0 * angles], axis=1)
    return Photos.of(
        [rng().integers(0, 256, (12, 16, 3)).astype(np.uint8) for _ in range(count)],
        name="photos",
        world_to_camera=np.stack([look_at(eye, np.zeros(3)) for eye in eyes]),
        intrinsics=np.tile([20.0, 21.0, 8.25, 5.5], (count, 1)),
        held_out=angles > 5,
        points=rng().normal(size=(20, 3)),
        point_colors=rng().integers(0, 256, (20, 3)).astype(np.uint8),
        names=tuple(f"images/photo {i}.png" for i in range(count)),
    )


def unposed() -> UnposedPhotos:
    """Four small photos without cameras."""
    return UnposedPhotos.of(
        [rng().integers(0, 256, (12, 16, 3)).astype(np.uint8) for _ in range(4)],
        name="unposed",
        names=tuple(f"photo {i}.png" for i in range(4)),
    )


def gaussians(degree: int = 3, count: int = 50) -> GaussianCloud:
    r = rng()
    return GaussianCloud(
        name="splats",
        means=r.normal(size=(count, 3)),
        quaternions=r.normal(size=(count, 4)),
        log_scales=r.uniform(-6, -1, (count, 3)),
        opacity_logits=r.normal(size=count) * 2,
        sh=r.normal(size=(count, (degree + 1) ** 2, 3)) * 0.2,
        unit="m",
    )


def bound() -> BoundGaussians:
    r = rng()
    solid = mesh()
    count = 3 * len(solid.faces)
    return BoundGaussians(
        name="bound",
        vertices=solid.vertices,
        faces=solid.faces,
        barycentrics=np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]),
        log_scales=r.uniform(-6, -1, (count, 2)),
        turns=r.normal(size=(count, 2)),
        opacity_logits=r.normal(size=count) * 2,
        sh=r.normal(size=(count, 4, 3)) * 0.2,
        thickness=1e-5,
        unit="m",
    )


def camera_path() -> CameraPath:
    """Five uneven key views on a closed way."""
    eyes = rng().normal(size=(5, 3)) * [3, 3, 1]
    return CameraPath(
        name="way",
        world_to_camera=np.stack([look_at(eye, np.zeros(3)) for eye in eyes]),
        times=np.array([0.0, 0.5, 1.75, 2.0, 3.0]),
        fields_of_view=np.array([40.0, 45, 50, 30, 60]),
        seconds=4.0,
        width=160,
        height=90,
        rate=12.5,
        closed=True,
        unit="m",
    )


def video() -> Video:
    import io

    import PIL.Image

    files = []
    for _ in range(4):
        out = io.BytesIO()
        PIL.Image.fromarray(rng().integers(0, 256, (10, 14, 3)).astype(np.uint8)).save(out, "PNG")
        files.append(out.getvalue())
    return Video.packed(files, 14, 10, 12.5, "film")


def depth_video() -> DepthVideo:
    depth = rng().uniform(0.5, 8, (3, 6, 9)).astype(np.float32)
    depth[:, :2, :3] = 0
    return DepthVideo(name="depth", depth=depth, rate=10.0, unit="m")


def flow() -> SampledField:
    """Velocity and pressure in the plane at three times, unevenly spaced along y."""
    return SampledField.of(
        rng().normal(size=(3, 3, 6, 5)),
        np.linspace(-1, 1, 6),
        np.array([0, 0.1, 0.3, 0.7, 2.0]),
        times=np.array([0, 0.5, 2]),
        name="flow",
        components=("u", "v", "p"),
        vectors=(("velocity", "u", "v"),),
        unit="m/s",
        length_unit="m",
        time_unit="s",
    )


def steady() -> SampledField:
    """One quantity in space, evenly spaced, single precision."""
    axes = (np.linspace(0, 1, 4), np.linspace(-1, 1, 5), np.linspace(2, 5, 7))
    return SampledField.of(rng().normal(size=(4, 5, 7)).astype(np.float32), *axes, name="steady", components=("T",))


def profile() -> SampledField:
    """Along a line, at eleven times."""
    return SampledField.of(
        rng().normal(size=(11, 8)), np.linspace(0, 1, 8), times=np.linspace(0, 1, 11), name="profile"
    )


def tetrahedra() -> tuple[np.ndarray, np.ndarray]:
    """A cube of two units cut into tetrahedra: (27, 3) vertices and (48, 4) cells, all turned the right way."""
    points = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    corner = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])
    six = np.array([[0, 4, 6, 7], [0, 6, 2, 7], [0, 2, 3, 7], [0, 3, 1, 7], [0, 1, 5, 7], [0, 5, 4, 7]])
    cubes = corner[None] + np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    return points, (cubes @ [9, 3, 1])[:, six].reshape(-1, 4)


def body() -> MeshField:
    """A cube of tetrahedra that moves, with a stress and a velocity."""
    points, cells = tetrahedra()
    return MeshField(
        name="body",
        points=points,
        cells=cells,
        values=rng().normal(size=(2, 4, len(points))).astype(np.float32),
        times=np.array([0, 0.25]),
        displacements=0.1 * rng().normal(size=(2, len(points), 3)),
        components=("stress", "u", "v", "w"),
        vectors=(("velocity", "u", "v", "w"),),
    )


def elastic() -> ElasticBody:
    points, cells = tetrahedra()
    return ElasticBody.of(points, cells, name="elastic", planes=[[0, 0, -1, 0, 0, 1]], arap=4.5)


def plate() -> MeshField:
    """Four triangles in the plane, at rest."""
    points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0]])
    cells = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    return MeshField(name="plate", points=points, cells=cells, values=rng().normal(size=(1, 1, 5)), times=[0.0])


def problem() -> Problem:
    return Problem(
        name="burgers",
        coordinates=("x", "t"),
        lower=[-1, 0],
        upper=[1, 0.99],
        time="t",
        equations=("u_t - nu*u_xx + u*u_x = 0",),
        conditions=("u = -sin(pi*x) at t = 0", "u = 0 on boundary"),
        definitions={"nu": "0.01/pi"},
        estimated={"kappa": 0.1},
        description='Zähe "Ströme"\nby \\ 新\x7f',
    )


def solution() -> Solution:
    weights = {"layer/0": rng().normal(size=(4, 3)), "bias": np.zeros(3, np.float32)}
    return Solution(name="s", problem=problem(), form="unknown form", weights=weights, config='{"a": [1, {"b": 2}]}')


def trajectory() -> Trajectory:
    return Trajectory(
        name="way through time",
        times=[0, 0.5, 0.75],
        form="unknown form",
        lower=[-1, -1],
        upper=[1, 1],
        weights={"w": rng().normal(size=(3, 5))},
        components=("u", "v"),
        coordinates=("x", "y"),
        problem=problem(),
    )


def spectrum() -> SpectrumTable:
    draw = rng()
    return SpectrumTable(
        name="learned",
        steps=[0, 5, 9],
        weights=draw.uniform(0, 1, (3, 2, 4)),
        frequencies=draw.uniform(0, 20, (3, 2, 4)),
        length_scales=draw.uniform(0.1, 1, (3, 2, 4)),
        source_frequencies=np.tile(np.arange(5.0), (2, 1)),
        source_amplitudes=draw.uniform(0, 1, (2, 5)),
        axes=("x", "t"),
        unit="m",
    )


FIELDS = (flow, steady, profile, body, plate, elastic, problem, solution, trajectory, spectrum)
EVERY = (mesh, textured, cloud, slices, volume, field, curve, table, image, model, photos, unposed, gaussians, bound)
HANDS = (hands.template, hands.poses, hands.capture, hands.avatar)
TRANSPORTS = (
    transports.measure, transports.costs, transports.coupling, transports.dense_coupling, transports.affine_map,
    transports.displacements,
)  # fmt: skip
MAKERS = {m.__name__: m for m in (*EVERY, camera_path, video, depth_video, *FIELDS, *HANDS, *TRANSPORTS)}


def _holds_arrays(value: object) -> bool:
    return isinstance(value, np.ndarray) or (isinstance(value, dict) and any(map(_holds_arrays, value.values())))


def differences(a: object, b: object, skip: tuple[str, ...] = ()) -> list[str]:
    """Names of the fields in which two artifacts of one type differ, names and ``skip`` apart."""
    assert type(a) is type(b)
    found = []
    parts_a, parts_b = a.parts(), b.parts()
    for key in sorted(parts_a.keys() | parts_b.keys()):
        if key.split("/")[0] in skip:
            continue
        x, y = parts_a.get(key), parts_b.get(key)
        same = x is not None and y is not None and x.dtype == y.dtype and x.shape == y.shape
        if not same or not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
            found.append(key)
    for key in itertools.chain(vars(a)):
        value = getattr(a, key)
        if key in ("name", *skip) or key not in a.__dataclass_fields__ or _holds_arrays(value):
            continue
        other = getattr(b, key)
        same = differences(value, other) == [] if isinstance(value, Artifact) and other is not None else value == other
        found += [] if same else [key]
    return found
