from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QSlider

from app.viewers.field_meshes import arrow_lines, boundary
from app.viewers.links import TimeLink
from app.viewers.overlay import number
from app.viewers.registry import Shown
from engines.data import Mesh, SampledField
from tests.viewers.fields import heat, linear, moving_box, pulse, taylor_green


def points_of(drawn) -> np.ndarray:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    data = drawn.mapper.GetInput()
    return vtk_to_numpy(data.GetPoints().GetData()).copy() if data.GetNumberOfPoints() else np.zeros((0, 3))


def test_the_boundary_of_tetrahedra_is_closed_and_faces_outwards():
    box = moving_box()
    kept, faces = boundary(box.cells, 8)
    assert len(kept) == 8
    assert len(faces) == 12
    a, b, c = (box.points[kept][faces[:, k]] for k in range(3))
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 == pytest.approx(1.0)
    normals, out = np.cross(b - a, c - a), (a + b + c) / 3 - 0.5
    assert (np.einsum("ij,ij->i", normals, out) > 0).all()
    kept, faces = boundary(np.array([[3, 5, 9]]), 12)
    assert kept.tolist() == [3, 5, 9]
    assert faces.tolist() == [[0, 1, 2]]


def test_arrows_go_from_the_points_along_the_flow():
    points = np.random.default_rng(0).normal(size=(50, 3))
    ends, lines = arrow_lines(points, np.tile([0.0, 0.0, 2.0], (50, 1)))
    assert ends.shape == (200, 3)
    assert lines.shape == (150, 2)
    along = ends[1::4] - ends[::4]
    assert np.allclose(along[:, :2], 0)
    assert (along[:, 2] > 0).all()
    assert len(arrow_lines(points, np.zeros((50, 3)))[0]) == 0


def test_a_field_over_the_plane_is_as_high_as_its_values_and_follows_the_time(show):
    view = show("scene", 400, 300)
    field = taylor_green(25, 5)
    view.show_artifacts([Shown("f", "Flow", field)])
    layer = view.layers["f"]
    assert view.clock.strip.isVisible()
    values = field.values[0, 0, :, :, 0].reshape(-1)
    heights = points_of(layer.fine)[:, 2]
    assert heights == pytest.approx(values * np.abs(heights).max() / np.abs(values).max(), abs=1e-5)
    view.set_time(1.0)
    assert points_of(layer.fine)[:, 2] == pytest.approx(heights * np.exp(-1.0), abs=1e-5)
    low, high = layer.value_range
    assert (low, high) == pytest.approx((-1.0, 1.0), abs=0.02)  # of all times
    view.set_style("f", replace(layer.style, quantity="curl velocity", height=2.0))
    assert layer.scalar_title == ("vorticity", "1/s")
    assert points_of(layer.fine)[:, 2].max() > heights.max() * 0.7
    view.set_style("f", replace(layer.style, by=""))
    assert layer.scalar == ""


def test_one_dimension_and_time_make_a_surface_and_a_still_curve_is_left_out(show):
    view = show("scene", 300, 200)
    view.show_artifacts([Shown("p", "Pulse", pulse())])
    assert list(view.layers) == ["p"]
    assert not view.clock.strip.isVisible()
    still = pulse().replace(values=pulse().values[:1], times=np.zeros(1))
    view.show_artifacts([Shown("s", "Still", still)])
    assert view.layers == {}
    assert view.empty.isVisible()


def said(view, slider: str) -> str:
    """What stands beside a slider of the panel."""
    return view.panel.findChild(QSlider, slider).parentWidget().value.text()


def test_a_field_in_space_is_a_surface_a_cloud_or_planes(show):
    view = show("scene", 400, 300)
    field = heat()
    view.show_artifacts([Shown("h", "Heat", field)])
    layer = view.layers["h"]
    for time in field.times:
        view.set_time(time)
        radius = np.linalg.norm(points_of(layer.fine), axis=1)
        expected = np.sqrt(-4 * time * np.log(layer.level * (4 * np.pi * time) ** 1.5))
        assert radius == pytest.approx(expected, abs=0.03)
    view.set_style("h", replace(layer.style, level=2 * layer.level))
    assert said(view, "layer-level") == number(2 * layer.level, 3)
    assert said(view, "layer-opacity") == "100 %"
    view.set_style("h", replace(layer.style, planes=True, cut_z=0.0))
    assert [said(view, f"layer-cut-{axis}") for axis in "xyz"] == ["0", "0", "−1"]
    assert not layer.fine.actor.GetVisibility()
    assert layer.slabs.actor.GetVisibility()
    points = points_of(layer.slabs)
    assert len(points) == 3 * 25 * 25
    assert (points[-625:, 2] == -1).all()
    assert layer.scalar_title == ("u", "")
    view.set_style("h", replace(layer.style, planes=False, volume=True))
    assert layer.is_cloud
    assert layer.ray.actor.GetVisibility()
    assert not layer.slabs.actor.GetVisibility()
    QApplication.processEvents()


def test_a_fine_field_in_space_is_drawn_coarsely_while_time_goes_on(show):
    view = show("scene", 300, 200)
    view.show_artifacts([Shown("h", "Heat", heat(80, 4))])
    layer = view.layers["h"]
    layer.software = True
    fine = len(points_of(layer.fine))
    view.clock.strip.toggle()
    view.clock.strip.set_index(1)
    assert layer.artifact.values.shape == (40, 40, 40)
    assert len(points_of(layer.fine)) < fine / 2
    view.clock.strip.toggle()
    assert layer.artifact.values.shape == (80, 80, 80)


def test_flow_in_space_has_arrows(show):
    view = show("scene", 300, 200)
    x = np.linspace(0, 1, 20)
    X, _, Z = np.meshgrid(x, x, x, indexing="ij")
    field = SampledField.of(np.stack([0 * X, 0 * X, 1 + Z]), x, x, x, components=("u", "v", "w"))
    view.show_artifacts([Shown("f", "Flow", field)])
    layer = view.layers["f"]
    assert "arrows" in layer.uses
    view.set_style("f", replace(layer.style, arrows=True))
    points = points_of(layer.flow)
    assert len(points) == 4 * 8**3
    along = points[1::4] - points[::4]
    assert np.allclose(along[:, :2], 0, atol=1e-6)
    assert along[:, 2].max() == pytest.approx(2 * along[:, 2].min(), rel=1e-4)
    view.set_style("f", replace(layer.style, arrows=False))
    assert not layer.flow.actor.GetVisibility()


def test_uneven_nodes_in_space_are_drawn_where_they_are(show):
    view = show("scene", 300, 200)
    field = linear(15, 1)
    view.show_artifacts([Shown("l", "Linear", field)])
    layer = view.layers["l"]
    points = points_of(layer.fine)
    value = points @ [1, 10, 100]
    assert np.median(np.abs(value - layer.level)) < 2.0
    assert np.allclose(layer.bounds, [[0, 0, 0], [1, 1, 1]])


def test_a_mesh_moves_with_its_time_and_more_so_if_exaggerated(show):
    view = show("scene", 400, 300)
    obstacle = Mesh(vertices=[[0, 0, -1], [3, 0, -1], [0, 3, -1]], faces=[[0, 1, 2]], unit="m")
    view.show_artifacts([Shown("b", "Box", moving_box()), Shown("o", "Floor", obstacle)])
    layer = view.layers["b"]
    assert view.unit == "m"
    view.set_time(2.0)
    assert points_of(layer.fine)[:, 0].min() == pytest.approx(2.0)
    assert layer.fine.arrays["value"].max() == pytest.approx(3.0)
    view.set_style("b", replace(layer.style, height=0.5, arrows=True))
    assert points_of(layer.fine)[:, 0].min() == pytest.approx(1.0)
    assert len(points_of(layer.flow)) == 4 * 8
    assert [q.title for q in layer.quantities] == ["u", "|displacement|"]
    view.set_style("b", replace(layer.style, quantity="|displacement|"))
    assert layer.value_range == pytest.approx((0.0, 2.0))
    view.panel.list.setCurrentRow(0)
    assert view.panel.rise.isVisibleTo(view.panel)
    assert "arrows" in layer.uses


def test_a_preview_keeps_actors_and_time(show):
    view = show("scene", 300, 200)
    view.show_artifacts(
        [Shown("f", "Flow", taylor_green(17, 3)), Shown("h", "Heat", heat(9, 2)), Shown("b", "Box", moving_box())]
    )
    view.set_time(0.5)
    actors = {key: layer.fine.actor for key, layer in view.layers.items()}
    view.show_artifacts(
        [Shown("f", "Flow", taylor_green(21, 9)), Shown("h", "Heat", heat(11, 2)), Shown("b", "Box", moving_box(5))]
    )
    assert {key: layer.fine.actor for key, layer in view.layers.items()} == actors
    assert len(points_of(view.layers["f"].fine)) == 21 * 21
    assert view.layers["f"].time == 4
    state = view.state()
    view.restore(state)
    assert view.state()["layers"] == state["layers"]


def test_maps_and_scenes_share_their_time(show):
    scene, view = show("scene", 300, 200), show("field", 300, 200)
    field = taylor_green(17, 11)
    scene.show_artifacts([Shown("f", "Flow", field)])
    view.show_artifacts([Shown("f", "Flow", field)])
    link = TimeLink()
    link.link([scene, view])
    view.set_time(0.3)
    assert scene.time == pytest.approx(0.3)
    assert scene.layers["f"].time == 3
    scene.set_time(0.8)
    assert view.time == pytest.approx(0.8)


def test_holes_in_a_field_are_holes_in_its_surface(show):
    view = show("scene", 300, 200)
    values = np.ones((12, 12))
    values[3:6, 3:6] = np.nan
    x = np.linspace(0, 1, 12)
    view.show_artifacts([Shown("f", "Holed", SampledField.of(values, x, x))])
    assert len(view.layers["f"].surface.faces) == 2 * (121 - 16)
