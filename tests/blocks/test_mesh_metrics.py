"""Scores of meshes against closed forms, and fast paths against slow ones."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from engines.blocks import analytic_shapes as shapes
from engines.blocks.mesh_distance import MeshDistance, nearest_on_triangles, sample_surface
from engines.blocks.mesh_inside import MeshInside, inside_mesh
from engines.blocks.mesh_metrics import compare_surfaces, iou, random_points, score_mesh, score_table
from engines.blocks.mesh_topology import (
    euler_characteristic,
    face_areas,
    face_components,
    is_closed,
    is_watertight,
    volume,
)
from engines.core import UserError
from engines.data import Mesh


def box(low=(-0.5, -0.5, -0.5), high=(0.5, 0.5, 0.5)) -> Mesh:
    made = trimesh.creation.box(bounds=[low, high])
    return Mesh(vertices=made.vertices, faces=made.faces, name="Box")


def sphere(radius=0.5, center=(0, 0, 0), subdivisions=4) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions, radius)
    return Mesh(vertices=made.vertices + center, faces=made.faces, name="Sphere")


def rng(seed=0):
    return np.random.default_rng(seed)


# ---------------------------------------------------------------- inside


def test_inside_of_a_box_is_exact_also_on_a_grid_aligned_with_it():
    axis = np.linspace(-0.75, 0.75, 25)
    points = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    found = inside_mesh(box().vertices, box().faces, points)
    assert found[(np.abs(points) < 0.5 - 1e-9).all(1)].all()
    assert not found[(np.abs(points) > 0.5 + 1e-9).any(1)].any()


@pytest.mark.parametrize(
    ("solid", "mesh"),
    [
        (shapes.Torus(), shapes.torus_mesh(shapes.Torus())),
        (shapes.TwoHoles(), shapes.solid_mesh(shapes.TwoHoles(), 60)),
        (shapes.Sphere(0.4, (0.1, 0, 0)), shapes.solid_mesh(shapes.Sphere(0.4, (0.1, 0, 0)), 50)),
    ],
    ids=["torus", "two holes", "sphere"],
)
def test_inside_agrees_with_the_formula_away_from_the_surface(solid, mesh):
    points = random_points(mesh.bounds, 20_000, rng())
    away = np.abs(solid.value(points)) > 2e-3
    assert np.array_equal(inside_mesh(mesh.vertices, mesh.faces, points)[away], shapes.inside(solid, points)[away])


def test_inside_agrees_with_trimesh():
    mesh = shapes.solid_mesh(shapes.TwoHoles(), 40)
    points = random_points(mesh.bounds, 1500, rng())
    expected = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).contains(points)
    assert np.array_equal(inside_mesh(mesh.vertices, mesh.faces, points), expected)


def test_inside_knows_cavities_scales_and_far_origins():
    outer, inner = sphere(0.5), sphere(0.2)
    vertices = np.concatenate([outer.vertices, inner.vertices])
    faces = np.concatenate([outer.faces, inner.faces + len(outer.vertices)])
    points = rng().normal(size=(5000, 3)) * 0.3
    radius = np.linalg.norm(points, axis=1)
    clear = (np.abs(radius - 0.5) > 5e-3) & (np.abs(radius - 0.2) > 5e-3)
    shell = (radius < 0.5) & (radius > 0.2)
    for scale, shift in ((1, 0), (1e6, 0), (1e-6, 0), (1, 1e5)):
        found = inside_mesh(vertices * scale + shift, faces, points * scale + shift)
        assert np.array_equal(found[clear], shell[clear])


def test_inside_of_a_mesh_with_a_small_hole_is_right_nearly_everywhere():
    mesh = sphere()
    points = rng().uniform(-0.6, 0.6, (5000, 3))
    found = inside_mesh(mesh.vertices, mesh.faces[30:], points)
    assert (found == (np.linalg.norm(points, axis=1) < 0.5)).mean() > 0.985


def test_inside_of_nothing_is_nothing():
    assert not inside_mesh(np.zeros((3, 3)), np.zeros((0, 3), int), np.zeros((4, 3))).any()
    assert MeshInside(box().vertices, box().faces)(np.zeros((0, 3))).shape == (0,)


# ---------------------------------------------------------------- distances


def test_distance_to_a_box_is_the_closed_form():
    points = rng().uniform(-1.5, 1.5, (3000, 3))
    q = np.abs(points) - 0.5
    outside = np.linalg.norm(np.maximum(q, 0), axis=1)
    expected = np.where((q < 0).all(1), -q.max(1), outside)
    found = MeshDistance(box().vertices, box().faces)(points)
    assert np.allclose(found.distance, expected, atol=1e-12)
    assert np.allclose(np.linalg.norm(found.point - points, axis=1), expected, atol=1e-12)


def test_distance_agrees_with_trying_every_triangle():
    mesh = shapes.torus_mesh(shapes.Torus(), 24, 12)
    # One triangle far larger than the rest, and one without area.
    vertices = np.concatenate([mesh.vertices, [[3, -4, -4], [3, 5, -4], [3, 0, 6]]])
    last = len(mesh.vertices)
    faces = np.concatenate([mesh.faces, [[last, last + 1, last + 2], [0, 0, 1]]])
    points = rng().normal(size=(300, 3))
    corners = vertices[faces]
    every = nearest_on_triangles(np.repeat(points, len(faces), 0), np.tile(corners, (len(points), 1, 1)))
    expected = np.linalg.norm(every - np.repeat(points, len(faces), 0), axis=1).reshape(len(points), -1)
    found = MeshDistance(vertices, faces)(points)
    assert np.allclose(found.distance, expected.min(1), atol=1e-12)
    assert np.allclose(expected[np.arange(len(points)), found.face], expected.min(1), atol=1e-12)


def test_surface_samples_lie_on_the_surface_and_follow_the_area():
    mesh = box((0, 0, 0), (1, 1, 3))
    points, face = sample_surface(mesh.vertices, mesh.faces, 14_000, rng())
    assert MeshDistance(mesh.vertices, mesh.faces)(points).distance.max() < 1e-12
    expected = face_areas(mesh.vertices, mesh.faces) / 14 * 14_000
    assert np.abs(np.bincount(face, minlength=12) - expected).max() <= 2


# ---------------------------------------------------------------- topology


def test_topology_of_known_solids():
    torus = shapes.torus_mesh(shapes.Torus(), 24, 12)
    two = shapes.solid_mesh(shapes.TwoHoles(), 50)
    assert [euler_characteristic(m.faces) for m in (box(), torus, two)] == [2, 0, -2]
    assert all(is_watertight(m.faces) for m in (box(), torus, two))
    assert not is_watertight(box().faces[1:])
    turned = box().faces.copy()
    turned[0] = turned[0, ::-1]
    assert is_closed(turned)
    assert not is_watertight(turned)
    assert volume(box().vertices + 100, box().faces) == pytest.approx(1)
    assert volume(box().vertices, box().faces[:, ::-1]) == pytest.approx(-1)
    pair = np.concatenate([box().faces, box().faces + 8])
    assert np.array_equal(face_components(pair), np.repeat([0, 1], 12))


def test_volume_and_area_of_the_torus_mesh_approach_the_formula():
    torus = shapes.Torus()
    mesh = shapes.torus_mesh(torus, 256, 128)
    assert volume(mesh.vertices, mesh.faces) == pytest.approx(torus.volume, rel=1e-3)
    assert face_areas(mesh.vertices, mesh.faces).sum() == pytest.approx(torus.area, rel=1e-3)


# ---------------------------------------------------------------- scores


def test_a_mesh_against_itself_is_perfect():
    scores = score_mesh(sphere(), sphere(), rng(), 5000, 2000)
    assert scores["IoU"] == 1
    assert scores["Chamfer distance"] < 1e-12
    assert scores["Hausdorff distance"] < 1e-12
    assert scores["Normal error"] < 1e-4
    assert scores["F-score at 1 %"] == 1


def test_boxes_shifted_by_a_quarter_have_the_known_overlap():
    shifted = box((-0.25, -0.5, -0.5), (0.75, 0.5, 0.5))
    scores = score_mesh(shifted, box(), rng(), 100_000, 5000)
    assert scores["IoU"] == pytest.approx(0.75 / 1.25, abs=0.008)
    assert scores["Hausdorff distance"] == pytest.approx(0.25)


def test_concentric_spheres_have_the_known_distances():
    large, small = sphere(0.5, subdivisions=4), sphere(0.4, subdivisions=4)
    found = compare_surfaces(small, large, rng(), 4000)
    assert found.chamfer == pytest.approx(0.1, abs=1e-3)
    assert found.hausdorff == pytest.approx(0.1, abs=1e-3)
    assert found.normal_error < 1.5
    assert found.f_score == 0
    scores = score_mesh(small, large, rng(), 100_000, 1000)
    assert scores["IoU"] == pytest.approx(0.8**3, abs=0.01)


def test_a_mesh_turned_inside_out_has_normals_off_by_180_degrees():
    flipped = sphere().replace(faces=sphere().faces[:, ::-1])
    assert compare_surfaces(flipped, sphere(), rng(), 1000).normal_error > 179


def test_an_open_mesh_has_no_overlap_but_distances():
    scores = score_mesh(sphere().replace(faces=sphere().faces[3:]), sphere(), rng(), 1000, 1000)
    assert np.isnan(scores["IoU"])
    assert np.isfinite(scores["Chamfer distance"])
    assert scores["Watertight"] == 0


def test_scores_repeat_by_seed_and_refuse_what_has_no_surface():
    assert score_mesh(box(), sphere(), rng(3), 1000, 500) == score_mesh(box(), sphere(), rng(3), 1000, 500)
    with pytest.raises(UserError, match="no surface"):
        score_mesh(box().replace(faces=np.zeros((0, 3), int)), box(), rng())


def test_iou_of_empty_sets_and_score_table():
    nothing = np.zeros(5, bool)
    assert iou(nothing, nothing) == 1
    table = score_table([score_mesh(box(), box(), rng(), 1000, 500)], ["Box"], "mm")
    assert table.rows == 1
    assert table.units["Hausdorff distance"] == "mm"
    assert table.units["Normal error"] == "°"


def test_check_is_asked_during_long_queries():
    asked = []
    MeshDistance(box().vertices, box().faces)(np.zeros((20_000, 3)), lambda: asked.append(1))
    assert len(asked) >= 4
