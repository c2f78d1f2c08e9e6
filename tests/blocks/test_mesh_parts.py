"""Choosing parts of a mesh and moving them, against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engines.blocks import mesh_parts
from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.mesh_parts import (
    PartParams,
    Placement,
    edited,
    grown,
    part_of,
    part_text,
    pieces,
    placed,
    shrunk,
    turned_by,
    weights_of,
)
from engines.blocks.mesh_topology import edges_of
from engines.core import UserError

MESH = torus_mesh(Torus())


@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_a_part_as_text_is_exact(bits):
    part = np.array(bits)
    if part.any():
        assert np.array_equal(part_of(part_text(part), len(part)), part)


def test_many_ranges_are_packed_and_stay_short():
    part = np.random.default_rng(0).random(100_000) < 0.5
    text = part_text(part)
    assert text.startswith("bits:")
    assert len(text) < 18_000, "a command line takes some 100 kB"
    assert np.array_equal(part_of(text, len(part)), part)
    assert part_text(np.ones(5, bool)) == "all"
    assert part_text(np.array([1, 1, 0, 1], bool)) == "0-1,3"


@pytest.mark.parametrize("text", ["1-", "5-1", "-3", "99", "0-4", "bits:", "bits:%%", "bits:eJwDAAAAAAE=", "a"])
def test_what_is_no_part_of_this_mesh_is_refused(text):
    with pytest.raises(UserError, match="cannot be found"):
        part_of(text, 4)


def test_packed_bits_of_another_mesh_are_refused():
    text = part_text(np.random.default_rng(0).random(5000) < 0.5)
    for count in (10, 4000, 5008, 10_000):
        with pytest.raises(UserError, match="another mesh"):
            part_of(text, count)


def test_a_part_moves_as_the_formula_says():
    turn, pivot, move, scale = turned_by((10, 20, 30)), np.array([0.1, 0.2, 0.3]), np.array([1.0, 2, 3]), (1, 2, 0.5)
    x, y, z = (
        Rotation.from_rotvec(np.radians(a) * e).as_matrix() for a, e in zip((10, 20, 30), np.eye(3), strict=True)
    )
    assert np.allclose(turn, z @ y @ x)
    part = MESH.vertices[:, 0] > 0
    after = placed(MESH.vertices, part.astype(float), Placement(pivot, move, turn, np.array(scale)))
    expected = pivot + move + (MESH.vertices[part] - pivot) @ np.diag(scale) @ turn.T
    assert np.abs(after[part] - expected).max() < 1e-14
    assert np.array_equal(after[~part], MESH.vertices[~part])
    assert np.allclose(Placement(pivot, turn=turn).degrees, (10, 20, 30))


def test_half_the_weight_is_half_of_the_way():
    point, pivot = np.array([[1.0, 0, 0]]), np.zeros(3)
    turned = placed(point, np.array([0.5]), Placement(pivot, turn=turned_by((0, 0, 90))))
    assert np.abs(turned - [np.cos(np.pi / 4), np.sin(np.pi / 4), 0]).max() < 1e-15
    larger = placed(point, np.array([0.5]), Placement(pivot, scale=np.array([4.0, 1, 1])))
    assert np.abs(larger - [2, 0, 0]).max() < 1e-15
    shifted = placed(point, np.array([0.5]), Placement(pivot, move=np.array([0, 3.0, 0])))
    assert np.abs(shifted - [1, 1.5, 0]).max() < 1e-15


def test_weights_fall_smoothly_to_nothing():
    line = np.stack([np.linspace(0, 2, 201), np.zeros(201), np.zeros(201)], 1)
    weights = weights_of(line, line[:, 0] <= 0.5, falloff=1.0)
    assert (weights[:51] == 1).all()
    assert weights[100] == pytest.approx(0.5)  # half of the falloff away
    assert (weights[150:] < 1e-9).all()
    assert (np.diff(weights) <= 0).all()
    assert np.array_equal(weights_of(line, line[:, 0] <= 0.5), (line[:, 0] <= 0.5).astype(float))


def test_pieces_growing_and_shrinking():
    faces = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6]])
    found = pieces(faces, 8)
    assert len({*found[:4]}) == 1
    assert len({*found[4:7]}) == 1
    assert len({*found}) == 3
    edges = edges_of(faces)
    assert sorted(map(tuple, edges.tolist())) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 6)]
    only = np.arange(8) == 0
    assert np.flatnonzero(grown(only, edges)).tolist() == [0, 1, 2]
    assert np.flatnonzero(shrunk(grown(grown(only, edges), edges), edges)).tolist() == [0, 1, 2, 3]
    assert np.flatnonzero(shrunk(np.arange(8) < 3, edges)).tolist() == [0]


def test_an_edit_turns_about_the_middle_of_its_part_unless_told_otherwise():
    params = PartParams(vertices="0-99", turn=(0, 0, 180))
    after = edited(MESH.vertices, params)
    middle = MESH.vertices[:100].mean(0)
    assert np.allclose(after[:100].mean(0), middle)
    again = edited(MESH.vertices, PartParams(vertices="0-99", turn=(0, 0, 180), pivot=tuple(middle)))
    assert np.array_equal(again, after)
    with pytest.raises(UserError, match="pivot has 2 numbers"):
        edited(MESH.vertices, PartParams(vertices="0", move=(1, 0, 0), pivot=(1, 2)))


def test_params_survive_as_text():
    params = PartParams(vertices="0-3,7", move=(0.1, 0, -2), turn=(0, 33.3, 0), scale=(1, 2, 1), pivot=(1, 2, 3))
    assert PartParams.parse(params.texts()) == params
    with pytest.raises(UserError):
        PartParams.parse({"scale": "1 0 1"})
    assert PartParams().vertices == mesh_parts.ALL
