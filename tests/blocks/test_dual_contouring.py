import numpy as np
import pytest

from engines.blocks.dual_contouring import dual_contouring
from engines.blocks.mesh_topology import edge_counts, euler_characteristic, is_watertight, volume
from engines.core import Cancelled, UserError
from tests.blocks.dual_contouring_by_cell import by_cell

RADIUS = 0.5


def nodes(resolution):
    axis = np.linspace(-1, 1, resolution + 1)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def sphere(resolution):
    return (nodes(resolution) ** 2).sum(-1) - RADIUS**2


def contour(values, gradient=None, **more):
    return dual_contouring(values, [-1] * 3, 2 / (len(values) - 1), gradient, **more)


def rms_error(surface, resolution):
    return np.sqrt(((np.linalg.norm(surface.vertices, axis=1) - RADIUS) ** 2).mean()) * resolution / 2


def test_sphere_is_closed_and_its_vertices_are_within_a_fiftieth_of_a_cell():
    surface = contour(sphere(64), lambda p: 2 * p)
    assert is_watertight(surface.faces)
    assert euler_characteristic(surface.faces) == 2
    assert np.abs(np.linalg.norm(surface.vertices, axis=1) - RADIUS).max() * 32 < 0.02
    assert volume(surface.vertices, surface.faces) == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=1e-3)


def test_a_saturated_field_ripples_and_its_crossings_gather_in_the_middle():
    exact = contour(sphere(64), lambda p: 2 * p)
    saturated = contour(np.tanh(200 * sphere(64)), lambda p: 2 * p)
    assert rms_error(saturated, 64) > 5 * rms_error(exact, 64)

    def middle(surface):
        return (np.abs(surface.ratios - 0.5) < 0.1).mean()

    assert 0.1 < middle(exact) < 0.3
    assert middle(saturated) > 2 * middle(exact)  # equal and opposite values cross in the middle


def test_equals_the_plain_loop_over_cells():
    grid = nodes(12)
    values = np.abs(grid - [0.03, -0.02, 0.05]).max(-1) - 0.52  # a cube: many minimisers leave their cell

    def gradient(points):
        local = points - [0.03, -0.02, 0.05]
        axis = np.abs(local).argmax(1)
        return np.eye(3)[axis] * np.sign(local[np.arange(len(local)), axis])[:, None]

    surface = contour(values, gradient)
    expected, faces, _ = by_cell(values, lambda p: gradient(p / 6 - 1))
    ours, theirs = (surface.vertices + 1) * 6, expected
    order, other = np.lexsort(ours.round(9).T), np.lexsort(theirs.round(9).T)
    np.testing.assert_allclose(ours[order], theirs[other], atol=1e-9)
    assert len(surface.faces) == len(faces)
    assert volume(surface.vertices * 6, surface.faces) == pytest.approx(volume(expected, faces), rel=0.02)


def test_sharp_corners_of_a_cube_are_found():
    values = np.abs(nodes(24)).max(-1) - 0.52

    def gradient(points):
        return np.eye(3)[np.abs(points).argmax(1)] * np.sign(
            np.take_along_axis(points, np.abs(points).argmax(1)[:, None], 1)
        )

    surface = contour(values, gradient)
    assert np.abs(np.abs(surface.vertices).max(0) - 0.52).max() < 1e-3
    corner = np.abs(np.abs(surface.vertices) - 0.52).max(1).min()
    assert corner < 1e-3


@pytest.mark.parametrize("seed", range(3))
def test_noise_gives_a_closed_oriented_surface(seed):
    values = np.random.default_rng(seed).normal(size=(24, 25, 26))
    surface = contour(values)
    assert is_watertight(surface.faces)
    shared = edge_counts(surface.faces)[1].sum(1)
    assert (shared == 2).mean() > 0.99  # two ambiguous cells side by side are the only exception


def test_two_sheets_in_one_cell_stay_apart():
    values = np.ones((6, 6, 6))
    values[2, 2, 2] = values[3, 3, 3] = -1.0  # opposite corners of the cell (2, 2, 2)
    surface = contour(values)
    assert euler_characteristic(surface.faces) == 4
    assert (edge_counts(surface.faces)[1].sum(1) == 2).all()


def test_a_solid_that_leaves_the_grid_is_closed_at_its_border():
    surface = contour(np.full((9, 9, 9), -1.0))
    assert is_watertight(surface.faces)
    assert volume(surface.vertices, surface.faces) > 0


def test_vertices_stay_in_their_cells_whatever_the_gradients():
    rng = np.random.default_rng(1)
    surface = contour(sphere(16), lambda p: rng.normal(size=p.shape))
    expected = contour(sphere(16))
    assert np.abs(surface.vertices - expected.vertices).max() <= 2 / 16 + 1e-9
    cells = np.floor((expected.vertices + 1) * 8)
    local = (surface.vertices + 1) * 8 - cells
    assert local.min() > -1e-9
    assert local.max() < 1 + 1e-9


def test_axes_may_differ_in_spacing_and_faces_turn_outwards():
    values = sphere(21)  # no node lies on the sphere
    surface = dual_contouring(values, [5.0, 0.0, -3.0], [0.1, 0.2, 0.3])
    middle = np.array([5.0, 0.0, -3.0]) + 10.5 * np.array([0.1, 0.2, 0.3])
    assert np.abs(surface.vertices.mean(0) - middle).max() < 1e-9
    assert volume(surface.vertices, surface.faces) == pytest.approx(4 / 3 * np.pi * 5.25**3 * 0.1 * 0.2 * 0.3, rel=0.06)


@pytest.mark.parametrize("level", [1.0, 0.0])
def test_no_zero_set_is_said_in_words(level):
    with pytest.raises(UserError, match="no zero level set"):
        contour(np.full((5, 5, 5), level))


def test_it_can_be_stopped():
    def stop():
        raise Cancelled

    with pytest.raises(Cancelled):
        contour(sphere(16), check=stop)
