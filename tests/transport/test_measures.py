"""Preparations that make measures and cost matrices: the mass is where it should be, and all of it."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.transport.histograms import cell_edges, overlaps, rebinned
from engines.core import Run, UserError
from engines.data import GridField, Image, Mesh, PointCloud, SampledField, Table
from engines.transport.cloud_measures import cloud_measure, mesh_measure
from engines.transport.density_measures import density_measure, grid_measure
from engines.transport.image_measure import image_measure
from engines.transport.table_measures import table_costs, table_measure


def made(method, artifact, **params):
    (slot,) = (spec.name for spec in method.inputs)
    outputs = method.run({slot: artifact}, method.params.parse(params), Run(seed=3))
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


# histograms ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("old", "new"), [(7, 3), (3, 7), (12, 12), (1, 5), (5, 1)])
def test_rebinning_loses_no_mass_and_keeps_even_mass_even(old, new):
    part = overlaps(np.linspace(0, 1, old + 1), np.linspace(0, 1, new + 1))
    np.testing.assert_allclose(part.sum(0), 1, atol=1e-14)
    np.testing.assert_allclose(part @ np.full(old, 1 / old), 1 / new, atol=1e-14)


def test_rebinning_by_a_whole_number_adds_neighbours_up():
    mass = np.random.default_rng(0).uniform(size=(6, 8))
    edges = [np.linspace(0, 1, n + 1) for n in mass.shape]
    found = rebinned(mass, edges, [np.linspace(0, 1, 4), np.linspace(0, 1, 3)])
    np.testing.assert_allclose(found, mass.reshape(3, 2, 2, 4).sum((1, 3)), atol=1e-14)


def test_cells_are_those_of_the_trapezium_rule():
    x = np.array([0.0, 0.5, 2, 3])
    assert np.sum(np.diff(cell_edges(x)) * x**2) == pytest.approx(np.trapezoid(x**2, x))
    assert np.diff(cell_edges(np.zeros(1))).tolist() == [1]


# clouds and meshes -----------------------------------------------------------------------------------


def test_a_cloud_keeps_its_points_colours_and_chosen_weights():
    draw = np.random.default_rng(1)
    cloud = PointCloud(
        points=draw.normal(size=(9, 3)), scalars={"mass": draw.uniform(1, 2, 9)}, unit="mm",
        colors=draw.integers(0, 255, (9, 4)),
    )  # fmt: skip
    found = made(cloud_measure, cloud, weights="mass")
    np.testing.assert_array_equal(found.points, cloud.points)
    np.testing.assert_array_equal(found.weights, cloud.scalars["mass"])
    np.testing.assert_array_equal(found.colors, cloud.colors)
    assert (found.unit, made(cloud_measure, cloud).weights) == ("mm", None)
    few = made(cloud_measure, cloud, weights="mass", most=4)
    rows = [int(np.flatnonzero((cloud.points == p).all(1))[0]) for p in few.points]
    assert len(set(rows)) == 4
    np.testing.assert_array_equal(few.weights, cloud.scalars["mass"][rows])
    np.testing.assert_array_equal(few.colors, cloud.colors[rows])


def test_a_flat_cloud_can_be_taken_in_the_plane():
    points = np.random.default_rng(1).normal(size=(5, 3))
    with pytest.raises(UserError, match="not flat"):
        made(cloud_measure, PointCloud(points=points), flat=True)
    points[:, 2] = 4
    assert made(cloud_measure, PointCloud(points=points), flat=True).points.tolist() == points[:, :2].tolist()


def test_the_mass_of_a_mesh_is_its_area():
    ring = Torus()
    found = made(mesh_measure, torus_mesh(ring, around=192, tube=96))
    area = 4 * np.pi**2 * ring.major * ring.minor
    assert found.weights.sum() == pytest.approx(area, rel=2e-3)
    assert made(mesh_measure, torus_mesh(ring, around=12, tube=6), weights="equal").weights is None
    square = Mesh(vertices=[[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [9, 9, 9]], faces=[[0, 1, 2], [0, 2, 3]])
    found = made(mesh_measure, square)
    np.testing.assert_allclose(found.weights, np.array([2, 1, 2, 1]) / 6)  # the loose vertex has none, and is left out


# images ----------------------------------------------------------------------------------------------


def test_pixels_are_where_they_are_seen():
    pixels = np.zeros((2, 4, 1), np.uint8)
    pixels[0, 3], pixels[1, 0] = 255, 51
    found = made(image_measure, Image(pixels=pixels))
    assert found.grid == (2, 4)
    np.testing.assert_allclose(found.weights.reshape(2, 4)[[0, 1], [3, 0]], [5 / 6, 1 / 6])
    np.testing.assert_allclose(found.points[3], [3.5 / 4, 1.5 / 4])  # up right
    np.testing.assert_allclose(found.points[4], [0.5 / 4, 0.5 / 4])  # down left
    few = made(image_measure, Image(pixels=pixels), empty="leave out", normalise=False, positions="pixels")
    assert few.points.tolist() == [[3.5, 1.5], [0.5, 0.5]]
    assert few.weights.tolist() == [1, pytest.approx(0.2)]
    assert few.grid == ()
    square = made(image_measure, Image(pixels=pixels), positions="unit square")
    np.testing.assert_allclose(square.points[3], [3.5 / 4, 3 / 4])


def test_dark_ink_colours_alpha_and_thresholds():
    pixels = np.array([[[255, 0, 0, 255], [0, 0, 255, 255], [0, 255, 0, 51]]], np.uint8)
    image = Image(pixels=pixels)

    def masses(**params):
        return made(image_measure, image, normalise=False, **params).weights

    np.testing.assert_allclose(masses(), [0.2126, 0.0722, 0.7152 / 5])
    np.testing.assert_allclose(masses(channel="blue"), [0, 1, 0])
    np.testing.assert_allclose(masses(ink="dark"), [1 - 0.2126, 1 - 0.0722, (1 - 0.7152) / 5])
    np.testing.assert_allclose(masses(threshold=0.1), [0.2126, 0, 0.7152 / 5])
    with pytest.raises(UserError, match="no colours"):
        made(image_measure, Image(pixels=np.ones((2, 2, 1), np.float32)), channel="red")
    with pytest.raises(UserError, match="No pixel of the image has mass"):
        made(image_measure, Image(pixels=np.full((2, 2, 1), 255, np.uint8)), ink="dark")


def test_two_images_of_different_shapes_meet_on_one_grid():
    draw = np.random.default_rng(4)
    images = [Image(pixels=draw.uniform(size=(*shape, 1)).astype(np.float32)) for shape in ((20, 30), (64, 96))]
    first, second = (made(image_measure, i, rows=8, columns=12) for i in images)
    assert first.grid == second.grid == (8, 12)
    np.testing.assert_allclose(first.points, second.points)
    assert first.weights.sum() == pytest.approx(1)
    assert made(image_measure, images[0], columns=6).grid == (4, 6)
    whole = made(image_measure, images[1], normalise=False)
    half = made(image_measure, images[1], normalise=False, rows=32, columns=48)
    np.testing.assert_allclose(half.weights.reshape(32, 48), whole.weights.reshape(32, 2, 48, 2).sum((1, 3)))


# fields ----------------------------------------------------------------------------------------------


def test_the_mass_of_a_density_is_its_integral():
    x, y = np.linspace(0, 1, 41) ** 2, np.linspace(-1, 1, 31)
    values = np.exp(-x[:, None]) * (1 + y)
    field = SampledField.of(values, x, y, length_unit="m")
    found = made(density_measure, field, normalise=False)
    assert found.weights.sum() == pytest.approx(np.trapezoid(np.trapezoid(values, y), x))
    assert (found.grid, found.unit) == ((31, 41), "m")
    grid = found.points.reshape(31, 41, 2)
    assert grid[0, 0].tolist() == [0, 1]  # the first row is the upper one
    np.testing.assert_allclose(grid[-1, :, 0], x)
    cells = np.outer(np.diff(cell_edges(x)), np.diff(cell_edges(y)))
    np.testing.assert_allclose(found.weights.reshape(31, 41)[::-1].T, values * cells)
    coarse = made(density_measure, field, normalise=False, nodes=(4, 5))
    assert coarse.grid == (5, 4)
    assert coarse.weights.sum() == pytest.approx(found.weights.sum())
    assert made(density_measure, field, normalise=False, mass="values").weights.sum() == pytest.approx(values.sum())
    assert made(density_measure, field).weights.sum() == pytest.approx(1)


def test_lines_and_bodies_and_the_last_time():
    x = np.linspace(0, 1, 5)
    line = SampledField.of(np.stack([x, x + 1]), x, times=np.array([0.0, 1]), coordinates=("s", "y", "z"))
    found = made(density_measure, line, normalise=False)
    np.testing.assert_allclose(found.weights, (x + 1) * [0.125, 0.25, 0.25, 0.25, 0.125])
    assert (found.grid, found.dimensions) == ((5,), ("s",))
    first = made(density_measure, line, normalise=False, time=0, empty="leave out")
    assert len(first.points) == 4  # nothing is at the first node
    values = np.random.default_rng(2).uniform(0.5, 1, (2, 3, 4))
    field = GridField(values=values, origin=[1, 2, 3], spacing=[1, 1, 2])
    found = made(grid_measure, field, mass="values", normalise=False)
    assert found.grid == (4, 3, 2)
    for point, weight in zip(found.points, found.weights, strict=True):
        i, j, k = np.rint((point - [1, 2, 3]) / [1, 1, 2]).astype(int)
        assert weight == np.float32(values[i, j, k])
    grid = found.points.reshape(4, 3, 2, 3)
    assert grid[0, 0, 0].tolist() == [1, 4, 3]
    flat = made(grid_measure, GridField(values=values[:, :, :1], origin=np.zeros(3), spacing=np.ones(3)))
    assert (flat.grid, flat.points.shape) == ((3, 2), (6, 2))


def test_what_is_negative_or_missing_has_no_mass_and_is_said():
    x = np.linspace(0, 1, 5)
    field = SampledField.of(np.array([1, -1, np.nan, 2, 1.0]), x)
    with pytest.raises(UserError, match=r"1 of 5, down to -1"):
        made(density_measure, field)
    found = made(density_measure, field, negative="take as zero", mass="values", normalise=False)
    assert found.weights.tolist() == [1, 0, 0, 2, 1]


# tables ----------------------------------------------------------------------------------------------


def table(**columns) -> Table:
    given = {"group": np.array(["b", "a", "b"]), "x": np.array([1, 2, 3]), "y": np.array([0.5, np.nan, 2])}
    return Table(name="t", columns=given | {"mass": np.array([1.0, 2, 3])} | columns, units={"x": "mm", "y": "mm"})


def test_rows_are_points_in_groups():
    found = made(table_measure, table(), groups="group", coordinates="x")
    first, second = found.values()
    assert [first.name, second.name] == ["b", "a"]
    assert first.points.tolist() == [[1], [3]]
    assert first.weights.tolist() == [1, 3]
    assert (first.dimensions, first.unit) == (("x",), "mm")
    with pytest.raises(UserError, match="the first is row 2"):
        made(table_measure, table())
    whole = made(table_measure, table(), incomplete="leave out")
    assert whole.points.tolist() == [[1, 0.5], [3, 2]]
    assert whole.dimensions == ("x", "y")
    with pytest.raises(UserError, match="no column 'z'"):
        made(table_measure, table(), weights="z")


def test_a_table_of_scores_is_a_cost_matrix_with_capacities():
    scores = Table(columns={"who": np.array(["a", "b"]), "p": np.array([1, 2]), "q": np.array([0.5, 3]),
                            "share": np.array([2, 1])})  # fmt: skip
    found = made(table_costs, scores, holds="scores", weights="share", capacities=(1, 2))
    assert found.costs.tolist() == [[-1, -0.5], [-2, -3]]
    assert found.source_weights.tolist() == [2, 1]
    assert found.target_weights.tolist() == [1, 2]
    assert (found.source_names, found.target_names) == (("a", "b"), ("p", "q"))
    assert made(table_costs, scores, targets="q").costs.tolist() == [[0.5], [3]]
    with pytest.raises(UserError, match="2 capacities for 1 targets"):
        made(table_costs, scores, targets="q", capacities=(1, 2))
