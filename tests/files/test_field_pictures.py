"""Fields as pictures, solutions on grids, and meshes by their surface."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.blocks.pde.forms import FORMS, form
from engines.core import UserError
from engines.data import Mesh, Problem, SampledField, Solution, Trajectory
from engines.files import read, write
from engines.files.field_picture import PictureOptions, colours, picture
from tests.files import made


def ramp():
    """x + 10 y on a rectangle twice as wide as high."""
    x, y = np.linspace(0, 2, 9), np.linspace(0, 1, 5)
    return SampledField.of(x[:, None] + 10 * y, x, y)


def test_a_picture_has_y_upwards_and_the_shape_of_the_field():
    found = picture(ramp(), PictureOptions(pixels=200, colours="grey"))
    assert found.shape == (100, 200, 3)
    assert found[0, -1, 0] > 250  # the upper right corner is the brightest
    assert found[-1, 0, 0] < 5
    x, y = (0.5 + 37) / 200 * 2, 1 - (0.5 + 11) / 100
    low, high = ramp().values.min(), ramp().values.max()
    assert found[11, 37, 0] == pytest.approx(255 * (x + 10 * y - low) / (high - low), abs=1)


def test_colours_follow_the_table_of_viridis():
    pyqtgraph = pytest.importorskip("pyqtgraph")
    table = pyqtgraph.colormap.get("viridis").getLookupTable(0, 1, 256)[:, :3]
    assert np.abs(255 * colours(np.linspace(0, 1, 256), "viridis") - table).max() < 4


def test_pictures_of_all_kinds_of_fields(tmp_path):
    for item in (made.flow(), made.steady(), made.profile()):
        write(item, tmp_path / "p.png")
        assert read(tmp_path / "p.png").artifacts[0].pixels.shape[2] == 3
    signed = picture(ramp().replace(values=ramp().values - 6), PictureOptions(colours="diverging", pixels=100))
    middle = np.abs(signed.astype(int) - 222).sum(2).min()
    assert middle < 9  # the zero is grey
    for options, words in ((PictureOptions(component="w"), "no component 'w'"), (PictureOptions(time=9), "no time")):
        with pytest.raises(UserError, match=words):
            write(made.flow(), tmp_path / "p.png", options)
    with pytest.raises(UserError, match="no picture"):
        write(SampledField.of(np.arange(3.0), np.arange(3)), tmp_path / "p.png")
    holes = ramp().values.copy()
    holes[..., 0, :, :] = np.nan
    assert (picture(ramp().replace(values=holes), PictureOptions(pixels=100))[:, 0] == 128).all()


def test_pictures_of_fields_on_meshes(tmp_path):
    """x + 2 y on a square of triangles, and on a plane through a cube."""
    pytest.importorskip("pyvista")
    flat = made.plate()
    flat = flat.replace(values=(flat.points[:, 0] + 2 * flat.points[:, 1])[None, None])
    write(flat, tmp_path / "m.png", PictureOptions(pixels=64, colours="grey"))
    pixels = read(tmp_path / "m.png").artifacts[0].pixels
    assert pixels.shape[:2] == (64, 64)
    i, j = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    wanted = 255 * (j + 2 * (63 - i)) / (3 * 63)
    assert np.abs(pixels[..., 0] - wanted).max() <= 2
    body = made.body()
    body = body.replace(displacements=None, times=[0.0], values=np.tile(body.points[:, 0], (1, 4, 1)))
    write(body, tmp_path / "b.png", PictureOptions(pixels=40, component="v", colours="grey"))
    pixels = read(tmp_path / "b.png").artifacts[0].pixels
    assert (np.diff(pixels[20, :, 0].astype(int)) > 0).all()
    curved = flat.replace(points=flat.points + [0, 0, 1] * flat.points[:, :1])
    with pytest.raises(UserError, match="surface in space"):
        write(curved, tmp_path / "c.png")


@pytest.fixture
def plane():
    """A form whose solution is a linear function of the coordinates."""

    @form("plane of a test")
    def build(weights, configuration):
        return lambda points: points @ weights["slope"][:, None]

    yield "plane of a test"
    FORMS.pop("plane of a test")


def test_solutions_are_written_on_a_grid(plane, tmp_path):
    problem = Problem(
        coordinates=("x", "t"), lower=[-1, 0], upper=[1, 2], time="t", equations=("u_t = u_xx",),
        conditions=("u = 0 on boundary", "u = 0 at t = 0"),
    )  # fmt: skip
    solution = Solution(problem=problem, form=plane, weights={"slope": np.array([2.0, 3.0])}, name="s")
    write(solution, tmp_path / "s.h5")
    field = read(tmp_path / "s.h5").artifacts[0]
    assert (field.shape, len(field.times), field.components) == ((257,), 51, ("u",))
    np.testing.assert_allclose(field.values[:, 0, :, 0, 0], 2 * field.x + 3 * field.times[:, None])
    write(solution, tmp_path / "s.npz")
    assert made.differences(solution, read(tmp_path / "s.npz").artifacts[0]) == []
    way = Trajectory(
        times=[0, 1], form=plane, lower=[0, 0], upper=[2, 1], weights={"slope": np.array([[1.0, 2], [3, 4]])}
    )
    write(way, tmp_path / "w.nc")
    field = read(tmp_path / "w.nc").artifacts[0]
    assert field.shape == (129, 65)
    np.testing.assert_allclose(field.component(0, 1), 3 * field.x[:, None] + 4 * field.y)
    with pytest.raises(UserError, match="form that is not known"):
        write(made.solution(), tmp_path / "u.h5")
    assert torch.is_grad_enabled()


def test_meshes_are_written_by_their_surface(tmp_path):
    body = made.body()
    write(body, tmp_path / "b.ply")
    surface = read(tmp_path / "b.ply").artifacts[0]
    assert isinstance(surface, Mesh)
    assert len(surface.faces) == 48  # two for each of the 24 squares
    assert set(surface.scalars) == set(body.components)
    edges = np.sort(surface.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    still = read(tmp_path / "b.ply").artifacts[0].vertices
    assert {tuple(p) for p in still.round(6)} <= {tuple(p) for p in body.positions(-1).round(6)}
