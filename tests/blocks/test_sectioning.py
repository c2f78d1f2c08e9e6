"""Planes through closed forms: areas of sections, orientation, holes, conflicts."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.polygons import signed_areas
from engines.blocks.sectioning import (
    chain,
    conflicts,
    cut_grid,
    cut_grid_at,
    cut_mesh,
    cycles,
    join_loops,
    plane_frames,
    voxel_plane,
)
from engines.data import Mesh


def areas(slices):
    flat = np.einsum("vij,vj->vi", plane_frames(slices.normals)[slices.vertex_planes], slices.vertices)
    return signed_areas(flat, slices.loop_starts)


def cut(mesh, normals, offsets):
    loops, planes = [], []
    for i, (normal, offset) in enumerate(zip(normals, offsets, strict=True)):
        found, _ = cut_mesh(mesh, normal, offset)
        loops += found
        planes += [i] * len(found)
    return join_loops(np.asarray(normals), np.asarray(offsets), loops, planes)


def box():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return Mesh(vertices=corners, faces=np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))]))


def directions(count):
    normals = np.random.default_rng(3).normal(size=(count, 3))
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def test_frames_are_right_handed():
    normals = np.concatenate([directions(50), np.eye(3), -np.eye(3)])
    u, v = plane_frames(normals).transpose(1, 0, 2)
    np.testing.assert_allclose(np.cross(u, v), normals, atol=1e-12)


def test_torus_across_its_axis_gives_a_ring():
    solid = Torus()
    slices = cut(torus_mesh(solid, around=256, tube=128), [[0, 0, 1.0], [0, 0, -1.0]], [0.1, -0.1])
    half = np.sqrt(solid.minor**2 - 0.1**2)
    outer, inner = np.pi * (solid.major + half) ** 2, np.pi * (solid.major - half) ** 2
    assert sorted(slices.loop_parents.tolist()) == [-1, -1, *sorted(slices.loop_parents[slices.loop_parents >= 0])]
    np.testing.assert_allclose(np.sort(areas(slices)), [-inner, -inner, outer, outer], rtol=2e-3)
    assert ((areas(slices) > 0) == (slices.loop_parents < 0)).all()
    np.testing.assert_allclose(slices.vertices[:, 2], 0.1, atol=1e-12)


def test_the_contours_lie_on_the_mesh_and_turn_as_it_does():
    loops, opened = cut_mesh(torus_mesh(Torus(), around=96, tube=48), np.array([1.0, 0, 0]), 0.55)
    assert opened == 0
    flat = loops[0] @ plane_frames(np.array([1.0, 0, 0]))[0].T
    assert signed_areas(flat, np.array([0]))[0] > 0  # straight from the faces, before nesting turned anything


def test_vertices_on_the_plane_break_nothing():
    for offset, area in ((0.0, 0.0), (0.5, 1.0), (1.0, 1.0)):
        slices = cut(box(), [[0, 0, 1.0]], [offset])
        assert areas(slices).sum() == pytest.approx(area)
    diagonal = cut(box(), [np.array([1, -1, 0]) / np.sqrt(2)], [0.0])
    assert areas(diagonal).sum() == pytest.approx(np.sqrt(2))
    corner = cut(box(), [np.ones(3) / np.sqrt(3)], [np.sqrt(3) / 2])
    assert areas(corner).sum() == pytest.approx(3 * np.sqrt(3) / 4)  # the regular hexagon


def test_open_and_uneven_meshes_are_walked():
    whole = box()
    open_ = whole.replace(faces=whole.faces[:-2])  # without its lid at z = 1
    loops, opened = cut_mesh(open_, np.array([1.0, 0, 0]), 0.5)
    assert (len(loops), opened) == (1, 1)
    turned = whole.faces.copy()
    turned[::2] = turned[::2, ::-1]
    loops, opened = cut_mesh(whole.replace(faces=turned), np.array([0, 0, 1.0]), 0.25)
    assert (len(loops), opened) == (1, 0)
    assert areas(join_loops(np.array([[0, 0, 1.0]]), np.array([0.25]), loops, [0])).tolist() == pytest.approx([1.0])


def test_two_loops_that_share_a_node_are_all_used():
    edges = np.array([[0, 1], [1, 2], [2, 0], [0, 3], [3, 4], [4, 0]])
    loops, opened = chain(edges, 5)
    assert opened == 0
    assert sorted(len(loop) for loop in loops) == [3, 3]


def test_cycles_of_random_permutations():
    for count in (1, 2, 7, 1000):
        permutation = np.random.default_rng(count).permutation(count)
        order, starts = cycles(permutation)
        assert sorted(order.tolist()) == list(range(count))
        for cycle in np.split(order, starts[1:]):
            assert np.array_equal(permutation[cycle], np.roll(cycle, -1))


def test_random_planes_of_a_closed_mesh_never_contradict():
    normals = directions(15)
    slices = cut(torus_mesh(Torus(), around=96, tube=48), normals, np.linspace(-0.3, 0.3, 15))
    found = conflicts(slices)
    assert found.samples > 5000
    assert found.conflicting == 0


def test_a_contour_that_is_missing_contradicts():
    normals = np.array([[0, 0, 1.0], [1.0, 0, 0]])
    slices = cut(box(), normals, [0.5, 0.5])
    assert conflicts(slices).conflicting == 0
    found = conflicts(slices.select(slices.loop_planes == 0), samples_per_line=100)
    assert found.conflicting == pytest.approx(found.samples, abs=4)
    np.testing.assert_allclose(found.points[:, [0, 2]], 0.5)
    assert (found.planes == [0, 1]).all()


def test_each_label_must_agree():
    normals = np.array([[0, 0, 1.0], [1.0, 0, 0]])
    slices = cut(box(), normals, [0.5, 0.5])
    assert conflicts(slices.replace(loop_labels=np.array([1, 2]))).conflicting > 50


def test_parallel_planes_and_single_planes_have_nothing_to_contradict():
    slices = cut(box(), [[0, 0, 1.0], [0, 0, 1.0]], [0.3, 0.6])
    assert conflicts(slices).samples == 0
    assert conflicts(cut(box(), [[0, 0, 1.0]], [0.5])).samples == 0


def ball(size=40, radius=15.0):
    grid = np.stack(np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 3, indexing="ij"))
    return radius - np.linalg.norm(grid, axis=0)


def tilted():
    q, _ = np.linalg.qr(np.random.default_rng(8).normal(size=(3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = q * np.sign(np.linalg.det(q)) * 0.5
    affine[:3, 3] = [3, -2, 7]
    return affine


def test_grids_are_cut_in_physical_coordinates():
    affine, values = tilted(), ball()
    center = affine[:3, :3] @ np.full(3, 19.5) + affine[:3, 3]
    for axis in range(3):
        normal, offset = voxel_plane(affine, axis, 25)
        loops = cut_grid_at(values, affine, 0.0, axis, 25)
        radius = np.sqrt(15**2 - 5.5**2) / 2
        slices = join_loops(normal[None], np.array([offset]), loops, [0])
        assert areas(slices) == pytest.approx([np.pi * radius**2], rel=5e-3)
        np.testing.assert_allclose(np.linalg.norm(slices.vertices - center, axis=1), 7.5, atol=0.02)
    for normal in directions(5):
        offset = float(normal @ center) + 2.0
        loops = cut_grid(values, affine, 0.0, normal, offset)
        np.testing.assert_allclose(np.linalg.norm(loops[0] - center, axis=1), 7.5, atol=0.02)


def test_masks_are_cut_at_the_middle_between_voxels():
    mask = np.zeros((6, 6, 6), np.float32)
    mask[2:4, 2:4, 2:4] = 1
    loops = cut_grid_at(mask, np.eye(4), 0.5, 2, 2)
    assert np.ptp(loops[0], axis=0).tolist() == [2, 2, 0]


def test_what_reaches_the_border_is_closed_there():
    loops = cut_grid_at(np.ones((4, 5, 6), np.float32), np.eye(4), 0.5, 0, 1)
    assert len(loops) == 1
    assert np.ptp(loops[0], axis=0).tolist() == [0, 5, 6]
