import json
from dataclasses import replace

import numpy as np
import pytest

from app.viewers import sections
from app.viewers.colour_maps import table
from app.viewers.registry import Shown
from app.viewers.slice_legend import arrange
from app.viewers.slice_start import PLANES
from engines.data import GridField, Volume
from tests.viewers.conftest import ball_field, rings, two_labels
from tests.viewers.fields import linear, taylor_green


def pixel(view, right, up):
    """What is drawn at a point of the section: (4,) RGBA."""
    left, bottom, width, height = view.section.rect
    rows, columns = view.image.image.shape[:2]
    place = int((up - bottom) / height * rows), int((right - left) / width * columns)
    return view.image.image[place].astype(int)


def test_section_values_and_positions_match_the_grid():
    field = ball_field(21)
    for axis in range(3):
        section = sections.across(field, axis, 7)
        point = section.position(0.3, -0.45)
        assert point[axis] == pytest.approx(field.origin[axis] + 7 * field.spacing[axis])
        index = np.round((point - field.origin) / field.spacing).astype(int)
        assert section.value(0.3, -0.45) == pytest.approx(float(field.values[tuple(index)]))
        assert section.value(9, 9) is None


def test_section_of_a_volume_with_flipped_axes_lies_right():
    values = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(np.float32)
    affine = np.array([[-2.0, 0, 0, 10], [0, 3.0, 0, -5], [0, 0, -1.0, 7], [0, 0, 0, 1]])
    volume = Volume(values=values, affine=affine)
    for axis, index in ((0, 1), (1, 4), (2, 3)):
        section = sections.across(volume, axis, index)
        voxel = np.array([2, 3, 4])
        voxel[axis] = index
        position = affine[:3, :3] @ voxel + affine[:3, 3]
        r, u = position[list(sections.IN_PLANE[axis])]
        assert section.value(r, u) == values[tuple(voxel)]
        assert np.allclose(section.position(r, u), position)


def test_oblique_section_samples_a_linear_field_exactly():
    axis = np.linspace(-2, 2, 30)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = GridField(values=x + 2 * y - 3 * z, origin=[-2] * 3, spacing=[4 / 29] * 3)
    normal = np.array([1.0, 2.0, 2.0]) / 3
    slices = rings().replace(normals=np.tile(normal, (5, 1)), offsets=np.zeros(5), vertices=rings().vertices * 0.4)
    section = sections.on_plane(field, slices, 2, pixels=50)
    left, bottom, width, height = section.rect
    r, u = left + width * 30.5 / 50, bottom + height * 11.5 / 50
    point = section.position(r, u)
    assert point @ normal == pytest.approx(0, abs=1e-9)
    assert section.value(r, u) == pytest.approx(point @ [1, 2, -3], abs=1e-5)


def test_contours_and_level_line_coincide_for_the_ball():
    field, slices = ball_field(65), rings()
    section = sections.on_plane(field, slices, 1)
    (loop,) = sections.contours_on(slices, section, 1e-6)
    radius = np.linalg.norm(loop - loop.mean(0), axis=1)
    assert radius == pytest.approx(np.sqrt(1 - 0.4**2), abs=0.03)
    (line,) = sections.level_lines(section, 0.0)
    assert np.linalg.norm(line, axis=1) == pytest.approx(np.sqrt(1 - 0.4**2), abs=0.02)


def test_a_field_shows_inside_and_outside_in_two_colours(show):
    view = show("slice", 420, 360)
    view.show_artifacts([Shown("f", "Field", ball_field()), Shown("s", "Slices", rings())])
    view.set_axis(2)
    view.slider.setValue(16)
    centre, corner = pixel(view, 0, 0), pixel(view, -1.45, -1.45)
    assert corner[:3].min() > 170  # the outside takes most of the picture and stays pale
    assert centre[2] > centre[0] + 60
    assert corner[0] > corner[2] + 60
    assert "probability" in view.describe(0, 0)
    assert "mm" in view.describe(0, 0)
    assert view.position.text().startswith("Z = 0 mm")
    assert len(view.level_line.getData()[0]) > 20
    assert len(view.loops.getData()[0]) > 20
    view.sigmoid_action.trigger()
    assert "probability" not in view.describe(0, 0)
    low, high = float(view.low.text()), float(view.high.text())
    assert low == -high


def test_planes_of_the_input_and_the_wheel_move(show):
    view = show("slice", 420, 360)
    view.show_artifacts([Shown("f", "Field", ball_field())])
    view.set_axis(PLANES)
    assert view.axis != PLANES  # nothing to follow without slices
    view.show_artifacts([Shown("f", "Field", ball_field()), Shown("s", "Slices", rings())])
    view.set_axis(PLANES)
    assert view.slider.maximum() == 4
    assert view.position.text() == "Plane 3 of 5"  # where the contours spread furthest
    view.graphics.wheeled.emit(1)
    assert view.position.text() == "Plane 4 of 5"
    shot = view.screenshot(300, 200)
    assert shot.shape == (200, 300, 3)
    assert len(np.unique(shot.reshape(-1, 3), axis=0)) > 50


def test_a_finer_preview_keeps_the_position(show):
    view = show("slice")
    view.show_artifacts([Shown("f", "Field", ball_field(17))])
    view.slider.setValue(4)
    where = view.section.origin[2]
    view.show_artifacts([Shown("f", "Field", ball_field(33))])
    assert view.slider.value() == 8
    assert view.section.origin[2] == pytest.approx(where)


def test_labels_have_their_own_colours_and_windows_narrow_scalars(show):
    view = show("slice")
    view.show_artifacts([Shown("v", "Labels", two_labels())])
    view.set_axis(2)
    view.slider.setValue(8)
    rgba = view.image.image
    assert rgba[10, 6, :3].tolist() != rgba[10, 12, :3].tolist()
    assert rgba[0, 0, 3] == 0
    assert "label 1" in view.describe(6, 10)
    assert "label 2" in view.describe(12, 10)
    assert not view.bar.offers(view.colours)
    scan = Volume(values=np.random.default_rng(0).normal(100, 20, (12, 12, 12)), affine=np.eye(4))
    view.show_artifacts([Shown("v", "Scan", scan)])
    assert view.bar.offers(view.colours)
    before = view.image.image.copy()
    view.high.setText("105")
    view.high.setModified(True)
    view.high.editingFinished.emit()
    assert (view.image.image != before).any()
    assert view.state()["range"][1] == 105


def test_values_that_are_no_numbers_are_transparent(show):
    view = show("slice")
    values = np.ones((6, 6, 6), np.float32)
    values[2, 3, 4] = np.nan
    view.show_artifacts([Shown("v", "Scan", Volume(values=values, affine=np.eye(4)))])
    view.slider.setValue(4)
    for smooth in (True, False):
        view.smooth_action.setChecked(smooth)
        assert pixel(view, 2, 3)[3] == pixel(view, 2.45, 2.55)[3] == 0
        assert pixel(view, 0, 0)[3] == pixel(view, 2.55, 3)[3] == 255
    assert view.describe(2, 3) == ""


def test_state_comes_back(show):
    items = [Shown("f", "Field", ball_field()), Shown("s", "Slices", rings())]
    view = show("slice")
    view.show_artifacts(items)
    view.set_axis(0)
    view.slider.setValue(9)
    view.set_axis(PLANES)
    view.slider.setValue(3)
    view.contour_action.trigger()
    state = json.loads(json.dumps(view.state()))
    other = show("slice")
    other.restore(state)
    other.show_artifacts(items)
    other.restore(state)
    assert json.loads(json.dumps(other.state())) == state
    assert other.slider.value() == 3


def test_a_field_starts_where_most_of_it_is_inside(show):
    axis = np.linspace(-1.5, 1.5, 31)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    low = ball_field(31).replace(values=6 * (np.sqrt(x**2 + y**2 + (z + 0.7) ** 2) - 0.6))
    assert sections.fullest(low, 2) in (8, 9)  # of nearly equal ones the nearer to the middle
    assert sections.fullest(low, 0) == 15
    assert sections.fullest(low.replace(quantity="density", values=-low.values), 2) in (8, 9)  # large inside, for once
    assert sections.fullest(low.replace(values=np.ones((31, 31, 31))), 2) == 15
    view = show("slice")
    view.show_artifacts([Shown("f", "Field", low)])
    assert view.slider.value() in (8, 9)


def test_the_section_fills_the_view_until_somebody_zooms(show, qtbot):
    view = show("slice", 280, 500)
    view.show_artifacts([Shown("f", "Field", ball_field())])

    def spans():
        return [high - low for low, high in view.plot.vb.viewRange()]

    for size in ((280, 500), (700, 400), (300, 300)):
        view.resize(*size)
        qtbot.wait(30)
        assert min(spans()) == pytest.approx(3.1 * 1.06, rel=0.03)
    view.plot.vb.scaleBy((0.5, 0.5))
    view.plot.vb.sigRangeChangedManually.emit([True, True])
    zoomed = min(spans())
    view.resize(340, 340)
    qtbot.wait(30)
    assert min(spans()) < 0.7 * 3.1
    assert min(spans()) == pytest.approx(zoomed, rel=0.3)
    view.fit()
    assert min(spans()) > 3.1


def test_colours_and_lines_are_named_below(show):
    view = show("slice", 280, 420)
    view.show_artifacts([Shown("f", "Field", ball_field()), Shown("s", "Slices", rings())])
    assert [entry.words for entry in view.legend.entries] == [
        "colours from inside to outside", "Surface", "Input contours",
    ]  # fmt: skip
    boxes, height = arrange(view.legend.entries, 280)
    assert height <= view.legend.height() + 1
    assert all(box.right() <= 280 for box in boxes)
    view.contour_action.trigger()
    assert len(view.legend.entries) == 2
    view.sigmoid_action.trigger()
    assert view.legend.entries[0].low.startswith("inside −")
    view.show_artifacts([Shown("v", "Labels", two_labels())])
    assert [entry.words for entry in view.legend.entries] == ["Label 1", "Label 2"]


def test_vertices_of_contours_are_marked_when_near(show):
    view = show("slice", 300, 300)
    view.show_artifacts([Shown("f", "Field", ball_field()), Shown("s", "Slices", rings())])
    view.set_axis(PLANES)
    view.plot.vb.setRange(xRange=(-8, 8), yRange=(-8, 8))
    assert not len(view.lines.dots.data)
    view.plot.vb.setRange(xRange=(0.5, 1), yRange=(0, 0.5))
    assert len(view.lines.dots.data) == 40


def test_the_soft_map_is_even_and_pale_in_the_middle():
    colours = table("soft").astype(int)
    assert colours[128].min() > 225
    assert colours[0][2] > colours[0][0] + 60  # blue
    assert colours[-1][0] > colours[-1][2] + 60  # red
    lightness = colours @ [0.21, 0.72, 0.07]
    assert lightness[0] == pytest.approx(lightness[-1], abs=14)
    assert (np.diff(lightness)[:126] >= -0.5).all()
    assert (np.diff(lightness)[129:] <= 0.5).all()


def test_values_between_nodes_are_smooth_and_agree_with_the_level_line(show):
    field = ball_field(9)
    section = sections.across(field, 2, 4)
    fine = sections.refined(section, 300)
    assert fine.rect == section.rect
    assert fine.values.shape[0] >= 270
    assert np.abs(np.diff(fine.values, axis=0)).max() < 0.2 * np.abs(np.diff(section.values, axis=0)).max()
    nodes = [-1.125, -0.375, 0.0, 0.75]
    for r in nodes:
        for u in nodes:
            assert fine.value(r, u) == pytest.approx(section.value(r, u), abs=0.2)
    for line in sections.level_lines(section, 0.0):
        assert max(abs(fine.value(r, u)) for r, u in line) < 0.25  # a pixel is 0.15 in these values
    view = show("slice")
    view.show_artifacts([Shown("f", "Field", field)])
    colours = len(np.unique(view.image.image.reshape(-1, 4), axis=0))
    view.smooth_action.trigger()
    assert view.image.image.shape[:2] == (9, 9)
    assert len(np.unique(view.image.image.reshape(-1, 4), axis=0)) < colours / 3


def test_a_plane_between_two_nodes_that_are_nan_and_not(show):
    values = np.ones((2, 1, 1), np.float32)
    section = sections.Section(values[:, :, 0], (0, 0, 2, 1), np.zeros(3), np.eye(3)[0], np.eye(3)[1])
    assert np.allclose(sections.refined(section).values, 1)
    broken = sections.refined(replace(section, values=np.array([[1.0], [np.nan]], np.float32)))
    assert np.allclose(broken.values[: len(broken.values) // 2], 1)
    assert np.isnan(broken.values[len(broken.values) // 2 :]).all()


def turned(slices, axis):
    """The rings stacked along another axis."""
    order = {0: [2, 0, 1], 1: [0, 2, 1], 2: [0, 1, 2]}[axis]
    return slices.replace(vertices=slices.vertices[:, order], normals=slices.normals[:, order])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_it_starts_on_the_input_plane_in_the_middle_of_the_stack(show, axis):
    view = show("slice", 420, 360)
    view.show_artifacts([Shown("f", "Field", ball_field()), Shown("s", "S", turned(rings(4), axis))])
    assert view.axis == axis
    assert abs(view.section.origin[axis]) == pytest.approx(0.8 / 3, abs=0.05)
    assert len(view.loops.getData()[0]) > 20
    assert view.legend.entries[-1].words == "Input contours"
    view.set_axis((axis + 1) % 3)
    view.show_artifacts([Shown("f", "Field", ball_field(17)), Shown("s", "S", turned(rings(4), axis))])
    assert view.axis == (axis + 1) % 3  # what was chosen stays


def test_finer_grids_keep_the_cut_on_its_input_plane_until_it_is_moved(show):
    slices, view = rings(4), show("slice")
    for nodes in (9, 24, 61):
        view.show_artifacts([Shown("f", "Field", ball_field(nodes)), Shown("s", "S", slices)])
        assert view.legend.entries[-1].words == "Input contours"
        assert abs(abs(view.section.origin[2]) - 0.8 / 3) <= 1.5 / (nodes - 1) + 1e-9
    view.slider.setValue(48)
    where = view.section.origin[2]
    view.show_artifacts([Shown("f", "Field", ball_field(31)), Shown("s", "S", slices)])
    assert view.section.origin[2] == pytest.approx(where)


def test_oblique_planes_are_followed(show):
    slices = rings()
    c, s = np.cos(0.4), np.sin(0.4)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    oblique = slices.replace(vertices=slices.vertices @ turn.T, normals=slices.normals @ turn.T)
    view = show("slice")
    view.show_artifacts([Shown("f", "Field", ball_field()), Shown("s", "S", oblique)])
    assert view.axis == PLANES
    assert view.position.text() == "Plane 3 of 5"


def test_between_two_planes_the_nearest_contour_is_drawn_weaker_and_named(show):
    field = ball_field(61)
    slices = rings()
    view = show("slice")
    view.show_artifacts([Shown("f", "Field", field), Shown("s", "S", slices)])
    assert view.legend.entries[-1].words == "Input contours"
    view.slider.setValue(view.slider.value() + 3)  # 0.15 above the plane at 0; the next is at 0.4
    assert view.legend.entries[-1].words == "Nearest input, 0.15 mm away"
    assert np.nanmax(view.loops.getData()[0]) == pytest.approx(1.0, abs=0.01)
    view.slider.setValue(0)  # far below the lowest plane
    assert view.legend.entries[-1].words == "Surface"
    assert view.loops.getData()[0] is None or not len(view.loops.getData()[0])
    assert sections.distances(slices, sections.across(field, 0, 3)).min() == np.inf


def test_the_picture_follows_the_theme(show, app):
    from app import theme

    view = show("slice")
    view.show_artifacts([Shown("f", "Field", ball_field())])
    light = pixel(view, -1.4, -1.4)
    theme.apply(app, "dark")
    dark = pixel(view, -1.4, -1.4)
    theme.apply(app, "light")
    assert dark[:3].max() < 90 < 170 < light[:3].min()


def test_a_still_field_in_space_is_cut_on_even_nodes_by_component(show):
    view = show("slice", 400, 300)
    field = linear().replace(components=("T",))
    view.show_artifacts([Shown("f", "Field", field)])
    view.set_axis(0)
    view.slider.setValue(5)
    assert view.section.value(0.3, 0.5) == pytest.approx(0.5 + 3 + 50, abs=6)  # of the nearest node
    assert "T" in view.describe(0.3, 0.5)
    assert not view.fields.isVisible()
    assert len(view.legend.entries) == 1  # no line for a level that the values do not reach
    both = field.replace(values=np.concatenate([field.values, -field.values], 1), components=("T", "S"))
    view.show_artifacts([Shown("f", "Field", both)])
    assert [view.fields.itemText(k) for k in range(view.fields.count())] == ["Field, T", "Field, S"]
    view.choose_field("f/S")
    assert view.section.value(0.3, 0.5) < 0
    assert view.low.text().startswith("-")
    assert view.low.cursorPosition() == 0  # so that its sign is seen
    state = json.loads(json.dumps(view.state()))
    view.choose_field("f/T")
    view.restore(state)
    assert view.grid_id == "f/S"


def test_fields_that_change_or_have_gaps_or_are_flat_are_left_to_the_field_view(show):
    view = show("slice", 400, 300)
    gap = np.array(linear().values)
    gap[..., 0] = np.nan
    for field in (linear(times=3), taylor_green(9, 1), linear().replace(values=gap)):
        view.show_artifacts([Shown("f", "Field", field)])
        assert view.empty.isVisible()
        assert view.grid is None
