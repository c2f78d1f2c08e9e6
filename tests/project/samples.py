"""One artifact of each type, and a made-up one that uses every kind of field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from engines.core import Artifact, array, arrays
from engines.data import (
    BoundGaussians,
    CameraPath,
    Curve,
    DepthVideo,
    ElasticBody,
    GaussianCloud,
    GaussianFeatures,
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Odd(Artifact):
    """Every kind of field that an artifact may have."""

    title: ClassVar[str] = "Odd"

    data: np.ndarray = array("...", "any", finite=False)
    more: np.ndarray | None = array("N", "float32", optional=True)
    parts_by_name: dict[str, np.ndarray] = arrays("...", "any", finite=False)
    inner: Artifact | None = None
    labels: tuple[str, ...] = ()
    pairs: tuple[tuple[str, float], ...] = ()
    words: dict[str, str] = field(default_factory=dict)
    text: str = ""
    count: int = 0
    ratio: float = 0.0
    flag: bool = False
    level: float | None = None


def mesh(n: int = 50, seed: int = 0, name: str = "") -> Mesh:
    draw = np.random.default_rng(seed)
    return Mesh(
        name=name,
        vertices=draw.normal(size=(n, 3)),
        faces=draw.integers(0, n, (2 * n, 3)),
        normals=draw.normal(size=(n, 3)),
        colors=draw.integers(0, 255, (n, 4)),
        scalars={"distance": draw.normal(size=n), "Krümmung / mm": draw.normal(size=n)},
        unit="mm",
    )


def problem() -> Problem:
    return Problem(
        coordinates=("x", "t"),
        lower=[-1, 0],
        upper=[1, 2],
        time="t",
        unknowns=("u",),
        equations=("u_t - nu*u_xx + u*u_x = 0",),
        definitions={"nu": "0.01/pi"},
        conditions=("u = -sin(pi*x) at t = 0", "u = 0 on boundary"),
        estimated={"kappa": 0.5},
        description="Ströme",
    )


def samples() -> dict[str, Artifact]:
    draw = np.random.default_rng(1)
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    return {
        "Mesh": mesh(),
        "Mesh, textured": mesh().replace(
            uv=np.random.default_rng(1).uniform(size=(len(mesh().faces), 3, 2)), texture=np.arange(60).reshape(4, 5, 3)
        ),
        "Mesh, empty": Mesh(vertices=np.zeros((0, 3)), faces=np.zeros((0, 3))),
        "Mesh, large": mesh(20_000),
        "PointCloud": PointCloud(points=draw.normal(size=(9, 3)), scalars={}),
        "Slices": Slices(
            normals=[[0, 0, 1], [0, 0, 1]],
            offsets=[0, 1],
            vertices=square,
            loop_starts=[0],
            loop_planes=[0],
            loop_labels=[3],
            loop_parents=[-1],
            unit="µm",
        ),
        "Volume": Volume(values=draw.integers(0, 9, (40, 41, 42)).astype("uint16"), affine=np.eye(4), is_label=True),
        "Volume, signed": Volume(values=draw.normal(size=(3, 1, 2)), affine=np.diag([1, 2, 3, 1.0])),
        "GridField": GridField(values=draw.normal(size=(30, 20, 70)), origin=[0, 0, 0], spacing=[1, 1, 2], level=0.5),
        "Curve": Curve(x=[1, 2, 3], series={"zeta": [1, np.nan, 3], "alpha": [1, np.inf, 3]}, x_log=True),
        "Table": Table(
            columns={"word": np.array(["a", "ünï", "日本語", ""]), "n": np.arange(4), "ok": np.array([True] * 4)},
            units={"n": "mm"},
        ),
        "SpectrumTable": SpectrumTable(
            steps=[0, 10],
            weights=draw.uniform(size=(2, 1, 3)),
            frequencies=draw.normal(size=(2, 1, 3)),
            length_scales=np.ones((2, 1, 3)),
        ),
        "Table, empty": Table(columns={}),
        "Image": Image(pixels=draw.integers(0, 255, (8, 9, 3)).astype("uint8")),
        "Model": Model(
            weights={
                "layer.0/weight": draw.normal(size=(8, 8)).astype("float16"),
                "batches": np.array(7),
                "none": np.zeros((0, 5), "float32"),
            },
            method="orex",
            config='{"width": 8}',
        ),
        "Photos": Photos.of(
            [draw.integers(0, 255, (5, 7, 4)).astype("uint8"), draw.integers(0, 255, (6, 4, 3)).astype("uint8")],
            world_to_camera=np.stack([np.eye(4)] * 2),
            intrinsics=np.full((2, 4), 6.0),
            held_out=np.array([False, True]),
            points=draw.normal(size=(4, 3)),
            point_colors=draw.integers(0, 255, (4, 3)).astype("uint8"),
            names=("a/ü.png", "b"),
        ),
        "UnposedPhotos": UnposedPhotos.of(
            [draw.integers(0, 255, (5, 7, 3)).astype("uint8")] * 3, names=("a", "ü", "c")
        ),
        "GaussianCloud": GaussianCloud(
            means=draw.normal(size=(6, 3)),
            quaternions=draw.normal(size=(6, 4)),
            log_scales=draw.normal(size=(6, 3)),
            opacity_logits=draw.normal(size=6),
            sh=draw.normal(size=(6, 9, 3)),
            unit="m",
        ),
        "RiggedTemplate": hands.template(colors=np.full((4, 4), 9), side="left"),
        "PoseSequence": hands.capture().poses,
        "HandCapture": hands.capture(frame_names=("fist", "flat")),
        "HandAvatar": hands.avatar(),
        "Measure": transports.measure(),
        "CostMatrix": transports.costs(),
        "Coupling": transports.coupling(),
        "Coupling, dense": transports.dense_coupling(),
        "TransportMap": transports.affine_map(),
        "Displacements": transports.displacements(),
        "ElasticBody": ElasticBody.of(np.eye(4, 3), [[0, 1, 2, 3]], planes=[[0, 0, -1, 0, 0, 1]], force_until=0.5),
        "GaussianFeatures": GaussianFeatures(
            means=draw.normal(size=(2, 5, 2)),
            sigmas=draw.uniform(0.1, 1, (2, 5, 2)),
            weights=draw.normal(size=(2, 5)),
            coordinates=("x", "t"),
            time="t",
        ),
        "CameraPath": CameraPath(
            world_to_camera=np.stack([np.eye(4)] * 3),
            times=np.array([0, 0.5, 2]),
            fields_of_view=np.array([40.0, 50, 60]),
            seconds=2.5,
            even_speed=True,
            unit="m",
        ),
        "Video": Video.packed([draw.bytes(40), draw.bytes(50)], 7, 5, 24.0),
        "DepthVideo": DepthVideo(depth=draw.uniform(0, 3, (2, 4, 5)), unit="m"),
        "BoundGaussians": BoundGaussians(
            vertices=square,
            faces=[[0, 1, 2], [0, 2, 3]],
            barycentrics=[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]],
            log_scales=draw.normal(size=(4, 2)),
            turns=np.ones((4, 2)),
            opacity_logits=draw.normal(size=4),
            sh=draw.normal(size=(4, 1, 3)),
        ),
        "SampledField": SampledField.of(
            draw.normal(size=(3, 2, 6, 5)).astype("float32"),
            np.linspace(0, 1, 6) ** 2,
            np.linspace(-1, 1, 5),
            times=np.array([0, 0.5, 2]),
            components=("u", "v"),
            vectors=(("velocity", "u", "v"),),
            unit="m/s",
        ),
        "SampledField, not finite": SampledField.of(np.array([1, np.nan, np.inf]), np.arange(3)),
        "MeshField": MeshField(
            points=square,
            cells=[[0, 1, 2], [0, 2, 3]],
            values=draw.normal(size=(2, 1, 4)),
            times=[0, 1],
            displacements=draw.normal(size=(2, 4, 3)),
            time_unit="s",
        ),
        "Problem": problem(),
        "Solution": Solution(
            problem=problem(), form="gaussians", weights={"layer/0": draw.normal(size=(4, 2))}, config='{"size": 4}'
        ),
        "Trajectory": Trajectory(
            times=[0, 0.5],
            form="siren",
            lower=[-1],
            upper=[1],
            weights={"w": draw.normal(size=(2, 4))},
            coordinates=("x",),
            problem=problem(),
        ),
        "Odd": Odd(
            data=np.array(["2020-01-01", "2021-02-03"], "datetime64[D]"),
            more=[1, 2],
            parts_by_name={"": np.array(1 + 2j), ".": np.array([b"a\0b", b""]), "%0": np.array(["x\0y", "\ud800"])},
            inner=mesh(7, name="nested name"),
            labels=("a", "", "ü\n"),
            pairs=(("x", 1.5), ("y", float("inf"))),
            words={"a": "b"},
            text="nul \0 and " + "long " * 9_000,
            count=-(2**40),
            ratio=0.1,
            flag=True,
        ),
    }
