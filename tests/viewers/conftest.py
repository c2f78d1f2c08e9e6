import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from app.background import wait_for_all
from engines.data import Curve, GridField, Image, Mesh, PointCloud, Slices, Table, Volume


@pytest.fixture
def app(light) -> QApplication:
    yield light
    wait_for_all(20)


@pytest.fixture
def show(app, qtbot):
    """Makes a viewer by its key, shows it small and closes it in the end."""
    from app.viewers.registry import create

    made = []

    def factory(key, width=320, height=240, **kwargs):
        viewer = create(key) if not kwargs else kwargs.pop("cls")(**kwargs)
        viewer.resize(width, height)
        viewer.show()
        qtbot.waitExposed(viewer)
        made.append(viewer)
        return viewer

    yield factory
    for viewer in made:
        viewer.close()
        viewer.deleteLater()


def ball(radius=1.0, around=24, unit="mm", **more) -> Mesh:
    """A sphere as a grid of quads in triangles; z points up."""
    polar = np.linspace(0, np.pi, around)
    turn = np.linspace(0, 2 * np.pi, 2 * around, endpoint=False)
    p, t = np.meshgrid(polar, turn, indexing="ij")
    vertices = radius * np.stack([np.sin(p) * np.cos(t), np.sin(p) * np.sin(t), np.cos(p)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(around - 1), np.arange(2 * around), indexing="ij")
    a, b = i * 2 * around + j, i * 2 * around + (j + 1) % (2 * around)
    c, d = a + 2 * around, b + 2 * around
    faces = np.concatenate([np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1).reshape(-1, 3)])
    return Mesh(vertices=vertices, faces=faces, unit=unit, **more)


def rings(planes=5) -> Slices:
    """Circles on parallel planes z = -0.8 … 0.8: what the unit ball is on them."""
    heights = np.linspace(-0.8, 0.8, planes)
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = np.sqrt(1 - heights**2)
    loops = [
        np.stack([r * np.cos(turn), r * np.sin(turn), np.full(40, z)], 1) for r, z in zip(radius, heights, strict=True)
    ]
    return Slices(
        normals=np.tile([0.0, 0.0, 1.0], (planes, 1)), offsets=heights, vertices=np.concatenate(loops),
        loop_starts=np.arange(planes) * 40, loop_planes=np.arange(planes), loop_labels=np.ones(planes),
        loop_parents=np.full(planes, -1), unit="mm",
    )  # fmt: skip


def ball_field(nodes=33, quantity="logit") -> GridField:
    """Positive outside the unit ball, on the box [-1.5, 1.5]³."""
    axis = np.linspace(-1.5, 1.5, nodes)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    values = 6 * (np.sqrt(x**2 + y**2 + z**2) - 1)
    return GridField(
        values=values, origin=[-1.5] * 3, spacing=[3 / (nodes - 1)] * 3, quantity=quantity, level=0.0, length_unit="mm"
    )


def two_labels() -> Volume:
    values = np.zeros((20, 24, 16), np.uint8)
    values[4:10, 4:20, 3:13] = 1
    values[10:16, 4:20, 3:13] = 2
    return Volume(values=values, affine=np.diag([1.0, 1.0, 1.5, 1.0]), is_label=True)


def cloud(count=500) -> PointCloud:
    points = np.random.default_rng(0).normal(size=(count, 3))
    return PointCloud(points=points, scalars={"height": points[:, 2]}, unit="m")


def curve(points=200) -> Curve:
    x = np.arange(points, dtype=float)
    return Curve(x=x, series={"loss": np.exp(-x / 50) + 0.01, "IoU": 1 - np.exp(-x / 60)})


def scores() -> Table:
    return Table(
        columns={
            "Surface": np.array(["b", "a", "c"]),
            "IoU": np.array([0.97, 0.95, np.nan]),
            "Volume": np.array([1e-7, 1234567.891, -3.0]),
        },
        units={"Volume": "mm³"},
    )


def picture() -> Image:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15, 0] = 255
    pixels[:, 15:, 2] = 200
    return Image(pixels=pixels)
