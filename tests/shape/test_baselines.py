"""Analytic sources, the classic baselines and mesh comparison, through their public doors."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks import analytic_shapes as shapes
from engines.blocks import polygons
from engines.blocks.contour_distance import signed_distance, spread
from engines.blocks.isosurface import closed_surface, grid_over
from engines.blocks.mesh_inside import inside_mesh
from engines.blocks.mesh_metrics import iou, random_points
from engines.blocks.mesh_topology import euler_characteristic, is_watertight, volume
from engines.blocks.sectioning import plane_frames
from engines.core import Run, UserError
from engines.data import GridField, Mesh, Slices
from engines.shape.analytic import torus_slices, two_hole_slices
from engines.shape.compare_meshes import compare_meshes
from engines.shape.poisson_contours import contour_points, poisson_contours
from engines.shape.shape_interpolation import shape_interpolation


def make(source, seed=0, **params):
    return source.run({}, source.params(**params), Run(seed=seed))


@pytest.fixture(scope="module")
def two_holes():
    return make(two_hole_slices, points_per_contour=100)


@pytest.fixture(scope="module")
def torus():
    return make(torus_slices, points_per_contour=100)


def cylinder(heights=(0.0, 1.0, 2.0), radius=0.5, label=1, center=(0.0, 0.0), count=64) -> Slices:
    """Equal circles on planes z = height."""
    turn = 2 * np.pi * np.arange(count) / count
    ring = np.stack([np.cos(turn) * radius + center[0], np.sin(turn) * radius + center[1]], 1)
    n = len(heights)
    return Slices(
        normals=np.tile([0.0, 0, 1], (n, 1)),
        offsets=np.array(heights, float),
        vertices=np.concatenate([np.column_stack([ring, np.full(count, h)]) for h in heights]),
        loop_starts=np.arange(n) * count,
        loop_planes=np.arange(n),
        loop_labels=np.full(n, label),
        loop_parents=np.full(n, -1),
    )


def join(a: Slices, b: Slices) -> Slices:
    """Loops of two slices on the same planes."""
    return a.replace(
        vertices=np.concatenate([a.vertices, b.vertices]),
        loop_starts=np.concatenate([a.loop_starts, b.loop_starts + len(a.vertices)]),
        loop_planes=np.concatenate([a.loop_planes, b.loop_planes]),
        loop_labels=np.concatenate([a.loop_labels, b.loop_labels]),
        loop_parents=np.concatenate([a.loop_parents, b.loop_parents]),
    )


# ---------------------------------------------------------------- sources


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("arrangement", ["oblique", "parallel"])
def test_torus_contours_lie_on_the_torus_and_on_their_planes(seed, arrangement):
    slices = make(torus_slices, seed, arrangement=arrangement, points_per_contour=60)["slices"]
    height = (slices.vertices * slices.normals[slices.vertex_planes]).sum(1)
    assert np.abs(shapes.Torus().value(slices.vertices)).max() < 1e-9
    assert np.abs(height - slices.offsets[slices.vertex_planes]).max() < 1e-12
    assert set(slices.loop_planes) == set(range(12))


def test_a_plane_across_the_hole_gives_a_ring_with_a_hole_in_it():
    torus = shapes.Torus()
    slices = shapes.slice_solid(torus, np.array([[0.0, 0, 1], [1, 0, 0]]), np.array([0.05, 0.0]))
    ring = np.flatnonzero(slices.loop_planes == 0)
    assert len(ring) == 2
    assert len(slices.loop_planes) == 4  # two separate circles through the tube
    hole = ring[slices.loop_parents[ring] >= 0]
    assert len(hole) == 1
    assert slices.loop_parents[hole[0]] == ring[ring != hole[0]][0]
    assert (slices.loop_parents[slices.loop_planes == 1] == -1).all()
    areas = polygons.signed_areas(slices.vertices @ plane_frames(slices.normals)[0].T, slices.loop_starts)[ring]
    half = np.sqrt(0.22**2 - 0.05**2)
    assert areas.sum() == pytest.approx(np.pi * ((0.55 + half) ** 2 - (0.55 - half) ** 2), rel=2e-3)


def test_contours_enclose_what_the_formula_calls_inside(torus):
    slices = torus["slices"]
    frames = plane_frames(slices.normals)
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 2))
    for plane in range(slices.plane_count):
        edges = slices.edges[slices.vertex_planes == plane]
        found = polygons.inside(points, slices.vertices[edges] @ frames[plane].T)
        lifted = points @ frames[plane] + slices.offsets[plane] * slices.normals[plane]
        value = shapes.Torus().value(lifted)
        clear = np.abs(value) > 5e-3
        assert np.array_equal(found[clear], value[clear] < 0)


def test_two_hole_solid_has_genus_two_and_exact_contours(two_holes):
    reference, slices = two_holes["reference"], two_holes["slices"]
    solid = shapes.TwoHoles()
    assert euler_characteristic(reference.faces) == -2
    assert is_watertight(reference.faces)
    assert volume(reference.vertices, reference.faces) > 0
    assert np.abs(solid.value(reference.vertices)).max() < 1e-6
    assert np.abs(solid.value(slices.vertices)).max() < 1e-9
    assert slices.plane_count == 13


def test_gradients_agree_with_differences():
    points = np.random.default_rng(0).uniform(-0.9, 0.9, (200, 3))
    for solid in (shapes.Torus(), shapes.TwoHoles(), shapes.Sphere()):
        h = 1e-6
        steps = [(solid.value(points + h * e) - solid.value(points - h * e)) / (2 * h) for e in np.eye(3)]
        assert np.allclose(np.stack(steps, 1), solid.gradient(points), atol=1e-5)


def test_sources_repeat_by_seed_and_differ_between_seeds():
    assert make(torus_slices, 5)["slices"].content_hash() == make(torus_slices, 5)["slices"].content_hash()
    assert make(torus_slices, 5)["slices"].content_hash() != make(torus_slices, 6)["slices"].content_hash()


def test_thin_tubes_are_found_too():
    slices = make(torus_slices, major_radius=1.0, minor_radius=0.02, points_per_contour=24)["slices"]
    assert set(slices.loop_planes) == set(range(12))


# ---------------------------------------------------------------- blocks


def test_signed_distance_of_a_square_with_a_square_hole():
    outer, inner = (
        2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]]),
        np.array([[-1, -1], [-1, 1], [1, 1], [1, -1.0]]),
    )
    segments = polygons.loop_segments(np.concatenate([outer, inner]), np.array([0, 4]))
    points = np.array([[0, 0], [1.5, 0], [3, 0], [3, 3], [1.25, 0.3], [0.9, 0]])
    expected = [1, -0.5, 1, np.sqrt(2), -0.25, 0.1]
    assert np.allclose(signed_distance(points, segments, 0.05), expected, atol=1e-12)


def test_spread_points_carry_normals_out_of_the_solid():
    outer, inner = (
        2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]]),
        np.array([[-1, -1], [1, -1], [1, 1], [-1, 1.0]]),
    )
    vertices, starts = np.concatenate([outer, inner]), np.array([0, 4])  # both loops turn the same way
    points, normals = spread(vertices, starts, 0.1)
    segments = polygons.loop_segments(vertices, starts)
    assert not polygons.inside(points + 1e-3 * normals, segments).any()
    assert polygons.inside(points - 1e-3 * normals, segments).all()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)


def test_closed_surface_closes_at_the_grids_edge_and_faces_outwards():
    origin, spacing, shape = grid_over(np.full(3, -0.3), np.full(3, 0.3), 30)
    axes = [origin[k] + spacing * np.arange(shape[k]) for k in range(3)]
    values = np.linalg.norm(np.stack(np.meshgrid(*axes, indexing="ij")), axis=0) - 0.5  # does not fit the grid
    mesh = closed_surface(GridField(values=values, origin=origin, spacing=np.full(3, spacing)))
    assert is_watertight(mesh.faces)
    assert volume(mesh.vertices, mesh.faces) > 0.15
    with pytest.raises(UserError, match="no surface"):
        closed_surface(GridField(values=np.ones((4, 4, 4)), origin=np.zeros(3), spacing=np.ones(3)))


# ---------------------------------------------------------------- shape-based interpolation


def interpolate(slices: Slices, reference: Mesh | None = None, **params):
    inputs = {"slices": slices} | ({"reference": reference} if reference else {})
    return shape_interpolation.run(inputs, shape_interpolation.params(**params), Run())


def test_interpolated_circles_give_a_cylinder_flat_or_round():
    flat = interpolate(cylinder(), resolution=64, caps="flat")["mesh"]
    assert volume(flat.vertices, flat.faces) == pytest.approx(np.pi * 0.25 * 2, rel=0.02)
    assert flat.bounds[:, 2] == pytest.approx([0, 2], abs=0.05)
    # Round: the radius at t spacings beyond the end is r (1 - 2t), a cone: 2 * pi r^2 / 3 * (1 / 2) more.
    rounded = interpolate(cylinder(), resolution=64)["mesh"]
    assert volume(rounded.vertices, rounded.faces) == pytest.approx(np.pi * 0.25 * (2 + 1 / 3), rel=0.02)
    assert is_watertight(rounded.faces)


def test_interpolated_radius_is_linear_between_slices():
    wide = cylinder((0.0, 1.0), 0.6)
    grow = np.where(wide.vertices[:, 2:] > 0.5, 0.5, 1.0)
    cone = wide.replace(vertices=wide.vertices * np.concatenate([grow, grow, np.ones_like(grow)], axis=1))
    mesh = interpolate(cone, resolution=96, caps="flat")["mesh"]
    inner = mesh.vertices[(mesh.vertices[:, 2] > 0.1) & (mesh.vertices[:, 2] < 0.9)]
    radius = np.hypot(inner[:, 0], inner[:, 1])
    assert np.abs(radius - (0.6 - 0.3 * inner[:, 2])).max() < 0.01


def test_interpolation_of_planes_tilted_in_space_is_the_same_shape(two_holes):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    slices = two_holes["slices"]
    turned = slices.replace(normals=slices.normals @ turn.T, vertices=slices.vertices @ turn.T)
    straight, tilted = interpolate(slices, resolution=64)["mesh"], interpolate(turned, resolution=96)["mesh"]
    points = random_points(straight.bounds, 20_000, np.random.default_rng(0))
    first = inside_mesh(straight.vertices, straight.faces, points)
    assert iou(first, inside_mesh(tilted.vertices, tilted.faces, points @ turn.T)) > 0.97


def test_interpolation_finds_both_holes_and_scores_itself(two_holes):
    made = interpolate(two_holes["slices"], two_holes["reference"], resolution=64)
    scores = {k: v[0] for k, v in made["scores"].columns.items()}
    assert scores["IoU"] > 0.9
    assert scores["Euler characteristic"] == -2
    assert made["field"].level == 0
    points = random_points(made["mesh"].bounds, 20_000, np.random.default_rng(0))
    exact = iou(
        inside_mesh(made["mesh"].vertices, made["mesh"].faces, points), shapes.inside(shapes.TwoHoles(), points)
    )
    assert exact == pytest.approx(scores["IoU"], abs=0.02)


def test_an_empty_plane_ends_the_shape_halfway():
    slices = cylinder((0.0, 1.0, 2.0, 3.0)).select(np.array([True, True, False, False]))
    mesh = interpolate(slices, resolution=64)["mesh"]
    assert mesh.bounds[1, 2] == pytest.approx(1.5, abs=0.05)


def test_each_label_gets_a_surface_and_a_field():
    both = join(cylinder(label=1), cylinder(label=5, center=(2, 0)))
    made = interpolate(both, resolution=32)
    assert set(made) == {"mesh/1", "mesh/2", "field/1", "field/2"}
    assert made["mesh/1"].bounds[1, 0] < 0.6 < made["mesh/2"].bounds[0, 0]


def test_opposite_normals_count_as_parallel_and_double_planes_are_left_out():
    slices = cylinder()
    flipped = slices.replace(normals=slices.normals * [[1], [-1], [1]], offsets=slices.offsets * [1, -1, 1])
    mesh, expected = interpolate(flipped, resolution=32)["mesh"], interpolate(slices, resolution=32)["mesh"]
    assert np.allclose(mesh.vertices, expected.vertices)
    assert is_watertight(interpolate(cylinder((0.0, 1.0, 1.0)), resolution=32)["mesh"].faces)


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (cylinder((1.0, 1.0)), "same height"),
        (cylinder().select(np.array([True, False, False])), "One slice cannot define a volume"),
        (cylinder().select(np.zeros(3, bool)), "no contour"),
    ],
    ids=["same height", "one plane", "empty"],
)
def test_interpolation_refuses_what_cannot_work(slices, message):
    with pytest.raises(UserError, match=message):
        interpolate(slices)


def test_interpolation_refuses_oblique_planes(torus):
    with pytest.raises(UserError, match="not parallel"):
        interpolate(torus["slices"])


# ---------------------------------------------------------------- Poisson


def test_contour_points_have_outward_normals_in_their_planes(torus):
    points, normals = contour_points(torus["slices"], 0.02)
    assert (shapes.Torus().value(points + 1e-2 * normals) > 0).all()
    away = np.abs(points @ torus["slices"].normals.T - torus["slices"].offsets)
    own = torus["slices"].normals[away.argmin(1)]
    assert np.abs((normals * own).sum(1)[(away < 1e-9).sum(1) == 1]).max() < 1e-9


def test_poisson_gives_a_closed_ring_twice_the_same(torus):
    params = poisson_contours.params(depth=6, resolution=24)
    first = poisson_contours.run(dict(torus), params, Run())
    second = poisson_contours.run({"slices": torus["slices"]}, params, Run())
    scores = {k: v[0] for k, v in first["scores"].columns.items()}
    assert scores["Watertight"] == 1
    assert scores["Euler characteristic"] == 0
    assert scores["IoU"] > 0.8
    assert scores["Volume"] > 0
    assert first["mesh"].content_hash() == second["mesh"].content_hash()
    assert first["field"].content_hash() == second["field"].content_hash()


def test_poisson_field_is_negative_inside(torus):
    field = poisson_contours.run({"slices": torus["slices"]}, poisson_contours.params(depth=6, resolution=32), Run())[
        "field"
    ]
    axes = [field.origin[k] + field.spacing[k] * np.arange(field.values.shape[k]) for k in range(3)]
    exact = shapes.Torus().value(np.stack(np.meshgrid(*axes, indexing="ij"), -1))
    clear = np.abs(exact) > 0.12
    assert np.array_equal(field.values[clear] < 0, exact[clear] < 0)


def test_poisson_does_not_mind_large_coordinates(torus):
    slices = torus["slices"]
    far = slices.replace(
        vertices=slices.vertices * 1e4 + 1e5, offsets=slices.offsets * 1e4 + 1e5 * slices.normals.sum(1)
    )
    params = poisson_contours.params(depth=5, resolution=16)
    near, moved = (poisson_contours.run({"slices": s}, params, Run())["mesh"] for s in (slices, far))
    ratio = volume(moved.vertices, moved.faces) / volume(near.vertices, near.faces)
    assert ratio == pytest.approx(1e12, rel=0.01)


# ---------------------------------------------------------------- compare


def test_comparison_of_shifted_spheres_is_the_closed_form():
    shift = 0.05
    mesh = shapes.solid_mesh(shapes.Sphere(0.5, (shift, 0, 0)), 40)
    reference = shapes.solid_mesh(shapes.Sphere(0.5), 40)
    made = compare_meshes.run(
        {"mesh": mesh, "reference": reference}, compare_meshes.params(points=5000, samples=2000), Run()
    )
    expected = np.linalg.norm(mesh.vertices, axis=1) - 0.5
    assert np.abs(made["distances"].scalars["distance"] - expected).max() < 2e-3
    assert made["scores"].columns["Hausdorff distance"][0] == pytest.approx(shift, abs=2e-3)
    histogram = made["histogram"]
    assert histogram.series["share of area"].sum() == pytest.approx(100)
    assert (histogram.x * histogram.series["share of area"]).sum() / 100 == pytest.approx(expected.mean(), abs=2e-3)


def test_comparison_with_an_open_reference_has_no_sign():
    mesh = shapes.solid_mesh(shapes.Sphere(0.45), 24)
    whole = shapes.solid_mesh(shapes.Sphere(0.5), 24)
    made = compare_meshes.run(
        {"mesh": mesh, "reference": whole.replace(faces=whole.faces[5:])},
        compare_meshes.params(points=1000, samples=500),
        Run(),
    )
    assert made["distances"].scalars["distance"].min() >= 0
    assert np.isnan(made["scores"].columns["IoU"][0])
    signed = compare_meshes.run(
        {"mesh": mesh, "reference": whole}, compare_meshes.params(points=1000, samples=500), Run()
    )
    assert signed["distances"].scalars["distance"].max() < 0


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize(
    "declared",
    [torus_slices, two_hole_slices, shape_interpolation, poisson_contours, compare_meshes],
    ids=lambda m: m.key,
)
def test_params_name_their_source_and_presets_are_valid(declared):
    assert all(spec.source and spec.help for spec in declared.params.specs())
    for preset in declared.presets:
        assert declared.preset(preset) != declared.params()
