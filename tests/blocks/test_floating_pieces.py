import numpy as np
import pytest

from engines.blocks.analytic_shapes import Sphere, slice_solid, solid_mesh
from engines.blocks.contour_sampling import plane_contours
from engines.blocks.floating_pieces import floating_faces
from engines.blocks.mesh_topology import face_components

MIDDLE = (0.0, 0.0, 0.0)
RADIUS = 0.6
REACH = 0.07


def planes(radius=RADIUS, offsets=(-0.4, 0.0, 0.4)):
    """A ball about the origin on planes across x."""
    slices = slice_solid(Sphere(radius, MIDDLE), np.tile([1.0, 0, 0], (len(offsets), 1)), np.array(offsets), 80)
    return plane_contours(slices, slices.vertices)


def ball(radius, middle, inward=False):
    mesh = solid_mesh(Sphere(radius, middle), 24, "Ball")
    return mesh.vertices, mesh.faces[:, ::-1] if inward else mesh.faces


def together(*parts):
    starts = np.cumsum([0, *(len(v) for v, _ in parts)])
    return (
        np.concatenate([v for v, _ in parts]),
        np.concatenate([f + s for (_, f), s in zip(parts, starts, strict=False)]),
    )


def floating(*parts, contours=None):
    """Which of the ``parts`` float."""
    vertices, faces = together(*parts)
    gone, count = floating_faces(vertices, faces, contours or planes(), REACH)
    owner = np.repeat(np.arange(len(parts)), [len(f) for _, f in parts])
    found = [bool(gone[owner == p].all()) for p in range(len(parts))]
    assert [bool(gone[owner == p].any()) for p in range(len(parts))] == found  # a piece goes whole or not at all
    assert count == sum(found)
    return found


def test_an_island_between_the_planes_floats_and_the_ball_does_not():
    assert floating(ball(RADIUS, MIDDLE), ball(0.1, (0.2, 0.75, 0.5))) == [False, True]


def test_an_island_on_a_plane_that_says_outside_floats():
    assert floating(ball(RADIUS, MIDDLE), ball(0.1, (0.4, 0.8, 0.0))) == [False, True]


def test_a_piece_that_a_contour_comes_near_stays_wherever_it_is():
    touching = ball(0.1, (0.0, RADIUS + 0.1 + 0.5 * REACH, 0.0))
    assert floating(ball(RADIUS, MIDDLE), touching) == [False, False]
    beyond = ball(0.1, (0.0, RADIUS + 0.1 + 1.5 * REACH, 0.0))
    assert floating(ball(RADIUS, MIDDLE), beyond) == [False, True]


def test_a_part_fitted_far_too_small_stays_because_a_section_asks_for_it():
    assert floating(ball(0.2, MIDDLE), ball(0.1, (0.2, 0.75, 0.5)), ball(0.1, (0.0, RADIUS, 0.0))) == [
        False,
        True,
        False,
    ]


def test_a_bubble_in_the_solid_floats_on_a_plane_and_between_planes():
    solid = ball(RADIUS, MIDDLE)
    assert floating(solid, ball(0.1, (0.0, 0.2, 0.0), inward=True)) == [False, True]
    assert floating(solid, ball(0.08, (0.2, 0.2, 0.0), inward=True)) == [False, True]


def test_what_a_floating_piece_encloses_goes_with_it():
    island, hollow = ball(0.3, (0.4, 1.2, 0.0)), ball(0.15, (0.4, 1.2, 0.0), inward=True)
    assert floating(ball(RADIUS, MIDDLE), island, hollow) == [False, True, True]


@pytest.mark.parametrize("parts", [1, 2])
def test_a_surface_without_any_support_is_left_as_it_is(parts):
    far = [ball(0.1, (0.2, 0.9 + k, 0.9)) for k in range(parts)]
    assert floating(*far) == [False] * parts


def test_the_parts_used_here_are_connected():
    assert face_components(ball(0.3, MIDDLE)[1]).max() == 0


def test_no_faces():
    gone, count = floating_faces(np.zeros((0, 3)), np.zeros((0, 3), np.int64), planes(), REACH)
    assert (len(gone), count) == (0, 0)
