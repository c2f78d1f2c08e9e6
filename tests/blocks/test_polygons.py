"""Even-odd membership against winding by hand, areas, nesting and crossings."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engines.blocks.polygons import inside, loop_segments, nesting, self_crossing, signed_areas


def star(count, waves, radius=0.6, turn=0.0):
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    r = radius * (1 + 0.4 * np.sin(waves * t + turn))
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1)


def plain_inside(points, segments):
    """The textbook loop over edges."""
    odd = np.zeros(len(points), dtype=int)
    for (x0, y0), (x1, y1) in segments:
        if y0 == y1:
            continue
        level = (points[:, 1] >= min(y0, y1)) & (points[:, 1] < max(y0, y1))
        odd += level & (points[:, 0] < x0 + (points[:, 1] - y0) * (x1 - x0) / (y1 - y0))
    return odd % 2 == 1


def joined(*loops):
    starts = np.cumsum([0, *map(len, loops[:-1])])
    return np.concatenate(loops), starts


def test_against_the_plain_loop():
    rng = np.random.default_rng(0)
    for stretch in ([1, 1], [1, 0.01], [0.01, 1], [1e-6, 1e6]):
        vertices, starts = joined(star(101, 5), star(50, 3, 0.2), star(33, 4, 0.5, 1.0))  # crossing loops: even-odd
        segments = loop_segments(vertices * stretch, starts)
        points = rng.uniform(-1, 1, (5000, 2)) * stretch
        assert np.array_equal(inside(points, segments), plain_inside(points, segments))


def test_points_level_with_vertices_count_once():
    square = loop_segments(np.array([[0, 0], [1, 0], [1, 1], [0, 1.0]]), np.array([0]))
    diamond = loop_segments(np.array([[0, -1], [1, 0], [0, 1], [-1, 0.0]]), np.array([0]))
    assert inside([[0.5, 0.5], [2, 0], [-1, 0], [-1, 1], [2, 1]], square).tolist() == [True, False, False, False, False]
    assert inside([[0, 0], [-2, 0], [2, 0], [-2, 1], [0.5, 0]], diamond).tolist() == [True, False, False, False, True]


def test_an_island_in_a_hole_is_inside():
    vertices, starts = joined(star(40, 0, 1.0), star(40, 0, 0.6), star(40, 0, 0.3))
    found = inside([[0.8, 0], [0.45, 0], [0.1, 0]], loop_segments(vertices, starts))
    assert found.tolist() == [True, False, True]


def test_the_answer_for_a_point_does_not_depend_on_the_others():
    rng = np.random.default_rng(1)
    segments = loop_segments(star(64, 5), np.array([0]))
    points = np.concatenate([rng.uniform(-1, 1, (200, 2)), segments[:, 0], segments.mean(1)])
    assert np.array_equal(inside(points, segments), [inside(p[None], segments)[0] for p in points])


def test_nothing_asked_and_nothing_drawn():
    assert inside(np.zeros((0, 2)), np.zeros((3, 2, 2))).shape == (0,)
    assert not inside(np.zeros((2, 2)), np.zeros((0, 2, 2))).any()


def test_areas_far_from_the_origin():
    vertices, starts = joined(star(1000, 0, 1.0), star(1000, 0, 0.5)[::-1])
    areas = signed_areas(vertices + 1e6, starts)
    np.testing.assert_allclose(areas, [np.pi, -np.pi / 4], rtol=1e-4)


def test_nesting():
    vertices, starts = joined(star(30, 0, 0.3), star(40, 0, 1.0), star(40, 0, 0.6), np.add(star(20, 0, 0.2), [3, 0]))
    depths, parents = nesting(vertices, starts)
    assert depths.tolist() == [2, 0, 1, 0]
    assert parents.tolist() == [-1, -1, 1, -1]
    empty = nesting(np.zeros((0, 2)), np.zeros(0, dtype=int))
    assert [len(e) for e in empty] == [0, 0]


def test_crossings():
    eight = np.array([[0, 0], [1, 1], [1, 0], [0, 1.0]])
    touching = np.array([[0, 0], [2, 0], [2, 1], [1, 0], [0, 1.0]])  # a vertex on an edge
    vertices, starts = joined(star(500, 5), eight, touching, star(3, 0))
    assert self_crossing(vertices, starts).tolist() == [False, True, False, False]
    knot = star(300, 0, 1.0)
    knot[[10, 200]] = knot[[200, 10]]
    assert self_crossing(knot, np.array([0])).tolist() == [True]


@pytest.mark.parametrize("edges", [1000, 10_000])
def test_a_million_points_take_seconds(edges):
    points = np.random.default_rng(0).uniform(-1, 1, (1_000_000, 2))
    segments = loop_segments(star(edges, 7), np.array([0]))
    began = time.perf_counter()
    share = inside(points, segments).mean()
    assert time.perf_counter() - began < 8  # 0.6 s on an idle core
    assert share == pytest.approx(signed_areas(segments[:, 0], np.array([0]))[0] / 4, abs=2e-3)
