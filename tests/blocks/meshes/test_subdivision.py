"""Loop subdivision against trimesh's, on closed, open and odd meshes."""

import numpy as np
import pytest
import trimesh

from engines.blocks.mesh_topology import edge_counts, edges_of, euler_characteristic, is_watertight, volume, welded
from engines.blocks.meshes.subdivision import loop_subdivision
from engines.files.rigged_glb import the_open_hand


def tube(rings=6, around=9):
    """A bent tube with two borders, no two vertices of which an inner edge joins: there trimesh weighs wrongly."""
    i, j = np.meshgrid(np.arange(rings), np.arange(around), indexing="ij")
    number = i * around + j
    a, c = number[:-1], number[1:]
    b, d = np.roll(a, -1, axis=1), np.roll(c, -1, axis=1)
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    angle = 2 * np.pi * j / around
    radius = 2 + np.sin(2 * i + j)
    vertices = np.stack([radius * np.cos(angle), radius * np.sin(angle), i], -1).reshape(-1, 3)
    return vertices, faces


def same_places(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two sets of points are the same but for their order."""
    sort = [x[np.lexsort(np.round(x, 9).T)] for x in (ours, np.asarray(theirs))]
    return bool(np.abs(sort[0] - sort[1]).max() < 1e-9)


def test_the_open_hand_has_the_counts_of_its_levels():
    hand = the_open_hand()
    assert (len(hand.vertices), len(hand.faces)) == (1159, 2314)
    assert is_watertight(hand.faces)
    assert euler_characteristic(hand.faces) == 2
    for levels, count in ((0, 1159), (1, 4630), (2, 18_514), (3, 74_050)):
        found = loop_subdivision(hand.faces, 1159, levels)
        assert len(found) == count
        assert found.faces.shape == (2314 * 4**levels, 3)
        assert found.faces.max() == count - 1
        assert found.smooth.shape == found.midpoint.shape == (count, 1159)
        if levels < 3:
            assert is_watertight(found.faces)


@pytest.mark.parametrize("levels", [1, 2])
def test_places_are_trimeshs(levels):
    hand = the_open_hand()
    for vertices, faces in ((hand.vertices, hand.faces), tube()):
        found = loop_subdivision(faces, len(vertices), levels)
        theirs, their_faces = trimesh.remesh.subdivide_loop(vertices, faces, levels)
        ours = found.smooth @ vertices
        assert len(ours) == len(theirs)
        assert same_places(ours, theirs)
        corners = [v[f].sum(1) for v, f in ((ours, found.faces), (theirs, their_faces))]
        assert same_places(*corners)
        if is_watertight(faces):
            assert volume(ours, found.faces) == pytest.approx(volume(theirs, their_faces), rel=1e-9)


def test_what_vertices_carry_is_halved_along_edges_and_old_vertices_stay_first():
    vertices, faces = tube()
    found = loop_subdivision(faces, len(vertices), 1)
    edges = edges_of(faces)
    carried = np.random.default_rng(0).normal(size=(len(vertices), 2))
    np.testing.assert_allclose(found.midpoint @ carried, np.concatenate([carried, carried[edges].mean(1)]))
    twice = loop_subdivision(faces, len(vertices), 2)
    again = loop_subdivision(found.faces, len(found), 1)
    assert np.array_equal(twice.faces, again.faces)
    assert abs(twice.smooth - again.smooth @ found.smooth).max() < 1e-15
    np.testing.assert_array_equal((twice.midpoint @ carried)[: len(carried)], carried)
    for matrix in (twice.smooth, twice.midpoint):
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-14)


def test_each_triangle_becomes_four_in_a_row_turned_the_same_way():
    found = loop_subdivision(np.array([[0, 1, 2]]), 3, 1)
    flat = found.midpoint @ np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    corners = flat[found.faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] / 2
    np.testing.assert_allclose(areas, 0.5)


def test_the_weights_of_loop():
    fan = np.array([[0, k, k % 6 + 1] for k in range(1, 7)])
    found = loop_subdivision(fan, 7, 1).smooth.toarray()
    np.testing.assert_allclose(found[0], [10 / 16, *[1 / 16] * 6])  # a vertex with six neighbours
    np.testing.assert_allclose(found[1], [0, 3 / 4, 1 / 8, 0, 0, 0, 1 / 8])  # on the border
    edges = edges_of(fan).tolist()
    np.testing.assert_allclose(found[7 + edges.index([0, 1])], [3 / 8, 3 / 8, 1 / 8, 0, 0, 0, 1 / 8])
    np.testing.assert_allclose(found[7 + edges.index([1, 2])], [0, 1 / 2, 1 / 2, 0, 0, 0, 0])


def test_odd_meshes_stay_finite_and_where_corners_meet_they_stay():
    two_at_a_point = np.array([[0, 1, 2], [0, 3, 4]])
    found = loop_subdivision(two_at_a_point, 6, 1)  # vertex 5 belongs to no triangle
    rows = found.smooth.toarray()
    np.testing.assert_array_equal(rows[[0, 5]], np.eye(6)[[0, 5]])
    three_on_an_edge = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    rows = loop_subdivision(three_on_an_edge, 5, 2).smooth.toarray()
    np.testing.assert_allclose(rows.sum(1), 1)
    assert (edge_counts(loop_subdivision(three_on_an_edge, 5, 1).faces)[1].sum(1) <= 3).all()
    assert loop_subdivision(np.zeros((0, 3), int), 4, 1).smooth.shape == (4, 4)


def test_vertices_at_one_place_become_one_and_keep_their_order():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [-0.0, 1, 0], [1, 1, 0]])
    kept, where, faces = welded(vertices, np.array([[0, 1, 2], [3, 5, 4]]))
    assert kept.tolist() == [0, 1, 2, 5]
    assert where.tolist() == [0, 1, 2, 1, 2, 3]
    assert faces.tolist() == [[0, 1, 2], [1, 3, 2]]
