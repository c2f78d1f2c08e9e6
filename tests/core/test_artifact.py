"""Artifacts check themselves, say what is wrong in words, and are known by their content."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from engines.core import Artifact, UserError, array
from engines.data import Curve, GridField, Image, Mesh, Model, PointCloud, Slices, Table, Volume


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair(Artifact):
    title: ClassVar[str] = "Pair"
    left: np.ndarray = array("N", "float32", "left")
    right: np.ndarray = array("N 2", "float32", "right")
    mesh: Mesh | None = None
    note: str = ""


def triangle(**more) -> Mesh:
    return Mesh(vertices=np.eye(3), faces=np.array([[0, 1, 2]]), **more)


def square(**changes) -> Slices:
    base = {
        "normals": [[0, 0, 1.0]],
        "offsets": [0.0],
        "vertices": [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]],
        "loop_starts": [0],
        "loop_planes": [0],
        "loop_labels": [1],
        "loop_parents": [-1],
    }
    return Slices(**{**base, **changes})


BAD = [
    (lambda: Pair(left=[1, 2], right=[[1, 2]]), "Pair, right has length 1 where 2 was expected as left has."),
    (lambda: Pair(left=[[1]], right=[[1, 2]]), "Pair, left has 2 dimensions; expected 1 (N)."),
    (lambda: Pair(left=[1], right=[[1, 2, 3]]), "length 3 where 2 was expected."),
    (lambda: Pair(left=["a"], right=[[1, 2]]), "Pair, left cannot be read as float32 numbers."),
    (lambda: Pair(left=[np.nan, 1], right=[[1, 2], [3, 4]]), "holds 1 values that are not finite."),
    (lambda: triangle(scalars={"heat": [1, 2]}), "Mesh, scalars[heat] has length 2 where 3 was expected"),
    (lambda: Mesh(vertices=np.eye(3), faces=[[0, 1, 3]]), "Face 0 of the mesh points to a vertex"),
    (lambda: Mesh(vertices=np.eye(3), faces=[[0, 1, -1]]), "Face 0 of the mesh points to a vertex"),
    (lambda: Mesh(vertices=np.full((3, 3), np.inf), faces=[[0, 1, 2]]), "not finite"),
    (lambda: PointCloud(points=np.zeros((4, 2))), "length 2 where 3 was expected"),
    (lambda: Volume(values=np.zeros((0, 2, 2)), affine=np.eye(4)), "The volume is empty."),
    (lambda: Volume(values=np.zeros((2, 2, 2)), affine=np.zeros((4, 4))), "do not span space"),
    (lambda: Volume(values=np.full((1, 1, 1), None), affine=np.eye(4)), "cannot be read as number"),
    (lambda: GridField(values=np.zeros((2, 2, 2)), origin=[0, 0, 0], spacing=[1, 0, 1]), "spacing must be positive"),
    (lambda: Curve(x=[0, 1], series={"a": [1]}), "Curve, series[a] has length 1"),
    (lambda: Table(columns={"a": [1, 2], "b": ["x"]}), "Table, columns[b] has length 1"),
    (lambda: Image(pixels=np.zeros((2, 2, 5), np.uint8)), "5 channels of uint8"),
    (lambda: Model(weights={}, config="{"), "not valid JSON"),
    (lambda: square(normals=np.zeros((0, 3)), offsets=[]), "The slices have no plane."),
    (lambda: square(normals=[[0, 0, 2.0]]), "The normal of plane 1 has length 2"),
    (lambda: square(loop_starts=[1]), "fewer than three vertices"),
    (lambda: square(loop_planes=[1]), "a plane that does not exist"),
    (lambda: square(loop_parents=[5]), "a loop that does not exist"),
    (lambda: triangle(uv=np.zeros((1, 3, 2))), "places in a texture but not the picture"),
    (lambda: triangle(texture=np.zeros((2, 2, 3))), "a texture but not places in it"),
    (lambda: triangle(uv=np.zeros((2, 3, 2)), texture=np.zeros((2, 2, 3))), "uv has length 2 where 1 was expected"),
    (lambda: triangle(uv=np.zeros((1, 3, 2)), texture=np.zeros((2, 2, 2))), "The texture is 2 × 2 × 2."),
]


@pytest.mark.parametrize(("make", "said"), BAD, ids=[said[:40] for _, said in BAD])
def test_what_cannot_be_is_refused_in_words(make, said):
    with pytest.raises(UserError) as refused:
        make()
    assert said in str(refused.value)


def test_arrays_are_read_only_and_of_the_declared_type():
    given = np.eye(3, dtype=np.float32)
    mesh = Mesh(vertices=given, faces=[[0, 1, 2]])
    assert mesh.vertices.dtype == np.float64
    assert mesh.faces.dtype == np.int32
    with pytest.raises(ValueError):
        mesh.vertices[0, 0] = 5
    given[0, 0] = 7  # the caller's own array stays writeable


def test_the_hash_knows_content_and_not_the_name():
    base = triangle(scalars={"heat": [1, 2, 3]})
    same = [base.replace(name="other"), triangle(scalars={"heat": np.float64([1, 2, 3])})]
    other = [
        triangle(),
        triangle(scalars={"cold": [1, 2, 3]}),
        triangle(scalars={"heat": [1, 2, 4]}),
        triangle(scalars={"heat": [1, 2, 3]}, unit="mm"),
        base.replace(faces=base.faces[:, ::-1]),
    ]
    assert {a.content_hash() for a in same} == {base.content_hash()}
    assert len({a.content_hash() for a in [base, *other]}) == 6
    assert PointCloud(points=np.eye(3)).content_hash() != Pair(left=[1], right=[[1, 2]]).content_hash()


def test_fields_that_came_later_leave_the_hashes_of_old_projects_alone():
    plain = Mesh(vertices=np.eye(3), faces=[[0, 1, 2]])
    assert plain.content_hash() == "7bbe3bf801b686d4bfb593cb3e6af444"  # as it was before meshes had textures
    painted = plain.replace(uv=np.zeros((1, 3, 2)), texture=np.zeros((2, 2, 3)))
    other = painted.replace(texture=np.ones((2, 2, 3)))
    assert len({a.content_hash() for a in (plain, painted, other)}) == 3


def test_a_texture_is_looked_up_from_its_lower_left_and_linear_between_pixels():
    picture = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype(np.uint8)
    uv = np.array([[[0.5 / 3, 0.75], [2.5 / 3, 0.75], [0.5 / 3, 0.25]]])
    mesh = triangle(uv=uv, texture=picture)
    at = np.array([[0.5 / 3, 0.75], [2.5 / 3, 0.25], [1 / 3, 0.5], [0, 1], [1, 0]])
    wanted = [picture[0, 0], picture[1, 2], picture[:, :2].mean((0, 1)), picture[0, 0], picture[1, 2]]
    np.testing.assert_allclose(mesh.texture_at(at), wanted, atol=1e-5)
    assert not mesh.texture_repeats
    tiled = mesh.replace(uv=uv + 1)
    assert tiled.texture_repeats
    at = np.array([[0.5 / 3 + 1, 0.75 - 2], [3, 0.75]])
    np.testing.assert_allclose(tiled.texture_at(at), [picture[0, 0], picture[0, [0, 2]].mean(0)], atol=1e-5)
    np.testing.assert_array_equal(mesh.plain().colors[:, :3], [picture[0, 0], picture[0, 2], picture[1, 0]])
    assert mesh.plain().texture is None
    colors = np.full((3, 4), 9, np.uint8)
    assert mesh.replace(colors=colors).plain().colors is not None
    np.testing.assert_array_equal(mesh.replace(colors=colors).plain().colors, colors)


def test_some_faces_keep_their_places_in_the_texture():
    uv = np.arange(12).reshape(2, 3, 2)
    mesh = Mesh(vertices=np.eye(4, 3), faces=[[0, 1, 2], [1, 2, 3]], uv=uv, texture=np.zeros((1, 1, 3)))
    assert mesh.only(np.array([False, True])).uv.tolist() == uv[1:].tolist()
    assert mesh.only(np.array([0])).faces.tolist() == [[0, 1, 2]]
    assert triangle().only(np.array([False])).uv is None


def test_the_hash_does_not_depend_on_the_order_of_keys_or_memory():
    a = Table(columns={"a": np.arange(4), "b": np.array(list("wxyz"))})
    b = Table(columns={"b": np.array(list("wxyz")), "a": np.arange(8)[::2] // 2})
    assert a.content_hash() == b.content_hash()
    fortran = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    assert PointCloud(points=fortran).content_hash() == PointCloud(points=fortran.copy("C")).content_hash()


def test_nested_artifacts_have_parts_bytes_and_hash():
    inner = triangle()
    pair = Pair(left=[1], right=[[1, 2]], mesh=inner)
    assert set(pair.parts()) >= {"left", "right", "mesh/vertices", "mesh/faces"}
    assert pair.nbytes == 4 + 8 + inner.nbytes
    assert pair.content_hash() != pair.replace(mesh=inner.replace(unit="mm")).content_hash()


@pytest.mark.parametrize(
    ("artifact", "text"),
    [
        (triangle(), "3 vertices, 1 triangles"),
        (
            triangle(uv=np.zeros((1, 3, 2)), texture=np.zeros((4, 5, 3))),
            "3 vertices, 1 triangles, texture of 5×4 pixels",
        ),
        (square(), "1 planes, 1 contours, 4 points"),
        (Volume(values=np.zeros((4, 5, 6)), affine=np.diag([1, 2, 3, 1.0])), "4×5×6 voxels of 1×2×3 mm"),
        (Image(pixels=np.zeros((2, 3, 4), np.uint8)), "3×2 pixels, 4 channels"),
        (Table(columns={"a": [1, 2]}), "2 rows × 1 columns"),
        (Curve(x=[0, 1], series={"loss": [1, 2]}), "loss; 2 points"),
        (Model(weights={"w": np.zeros((3, 4))}, method="orex"), "12 parameters of orex"),
        (Pair(left=[1], right=[[1, 2]]), "left 1, right 1×2"),
    ],
)
def test_summaries(artifact, text):
    assert artifact.summary() == text


def test_pickling_between_processes_keeps_content_and_protection():
    mesh = triangle(scalars={"heat": [1, 2, 3]}, name="A")
    square().vertex_planes  # noqa: B018 - fills a cache, which must not travel
    back = pickle.loads(pickle.dumps(mesh))
    assert back.content_hash() == mesh.content_hash()
    assert back.name == "A"
    assert not back.vertices.flags.writeable
    assert not back.scalars["heat"].flags.writeable


def test_slices_know_their_loops_labels_and_edges():
    both = square(
        vertices=[
            [0, 0, 0],
            [9, 0, 0],
            [9, 9, 0],
            [0, 9, 0],
            [1, 1, 0],
            [2, 1, 0],
            [2, 2, 0],
            [4, 4, 0],
            [5, 4, 0],
            [5, 5, 0],
        ],
        loop_starts=[0, 4, 7],
        loop_planes=[0, 0, 0],
        loop_labels=[1, 7, 2],
        loop_parents=[-1, 0, -1],
    )
    assert list(both.loop_counts) == [4, 3, 3]
    assert list(both.labels) == [1, 2]
    assert list(both.edges[3]) == [3, 0]
    assert list(both.edges[6]) == [6, 4]
    one = both.only(1)
    assert (one.loop_count, list(one.loop_parents), one.plane_count) == (2, [-1, 0], 1)
    assert both.only(2).vertices[0].tolist() == [4, 4, 0]
    empty = both.select(np.zeros(3, bool))
    assert (empty.loop_count, empty.plane_count, len(empty.edges)) == (0, 1, 0)
    assert [len(v) for _, v in both.loops()] == [4, 3, 3]


def test_what_a_clock_measured_does_not_count_for_the_hash():
    from engines.data import Curve, Table

    def table(seconds, clocked=("Time",)):
        return Table(columns={"Error": np.ones(2), "Time": np.array(seconds)}, clocked=clocked)

    def curve(x, clocked=("x",)):
        return Curve(x=x, series={"Error": np.ones(2)}, clocked=clocked)

    for make in (table, curve):
        assert make([1.0, 2.0]).content_hash() == make([1.5, 3.0]).content_hash()
        assert make([1.0, 2.0], ()).content_hash() != make([1.5, 3.0], ()).content_hash()
        assert make([1.0, 2.0]).content_hash() != make([1.0, 2.0], ()).content_hash()


def test_tables_and_curves_of_old_projects_keep_their_hashes():
    from engines.data import Curve, Table

    assert Table(columns={"a": np.arange(3)}).content_hash() == "9629610035e8a1ccecec9fd6f8bec2a0"
    assert Curve(x=np.arange(3), series={"a": np.ones(3)}).content_hash() == "b2696727e37fd072bc6582a890177814"
