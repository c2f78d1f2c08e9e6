import numpy as np
import pytest
from scipy.spatial import ConvexHull

from engines.blocks.contour_sampling import (
    hull_samples,
    on_hull,
    plane_contours,
    plane_sample_count,
    plane_samples,
    points_on_contours,
)
from engines.blocks.normalisation import Similarity
from engines.core import UserError
from engines.data import Slices

SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
HOLE = 0.4 * SQUARE[::-1]


def square_with_hole(normal=(0.0, 0.0, 1.0), heights=(-0.2, 0.0, 0.3)):
    """On each plane a square of side 1 with a square hole of side 0.4."""
    normal = np.array(normal) / np.linalg.norm(normal)
    u = np.cross(normal, [0.31, 0.52, -0.4])
    u /= np.linalg.norm(u)
    axes = np.stack([u, np.cross(normal, u)])
    loops = [h * normal + loop @ axes for h in heights for loop in (SQUARE, HOLE)]
    count = len(loops)
    return axes, Slices(
        normals=np.tile(normal, (len(heights), 1)),
        offsets=np.array(heights),
        vertices=np.concatenate(loops),
        loop_starts=4 * np.arange(count),
        loop_planes=np.arange(count) // 2,
        loop_labels=np.ones(count),
        loop_parents=np.where(np.arange(count) % 2, np.arange(count) - 1, -1),
    )


@pytest.mark.parametrize("normal", [(0, 0, 1), (0.2, -0.7, 0.4)])
def test_labels_of_every_kind_of_sample_for_a_square_with_a_hole(normal):
    axes, slices = square_with_hole(normal)
    plane = plane_contours(slices, slices.vertices)[2]
    radius, count, noise = 0.1, 3, 500
    samples = plane_samples(plane, radius, count, noise, np.random.default_rng(0))
    assert len(samples.labels) == plane_sample_count(plane, count, noise) == 3 * 8 + 2 * 3 * 8 + noise + 3 * 8
    offsets = (samples.points - 0.3 * np.array(normal) / np.linalg.norm(normal)) @ np.stack(
        [*axes, np.array(normal) / np.linalg.norm(normal)]
    ).T
    np.testing.assert_allclose(offsets[:, 2], 0, atol=1e-6)
    flat = np.abs(offsets[:, :2]).max(1)
    solid = (flat < 0.5) & (flat > 0.2)
    on_edge = slice(len(flat) - 3 * 8, None)
    assert (samples.labels[on_edge] == 0.5).all()
    distance = np.minimum(np.abs(flat - 0.5), np.abs(flat - 0.2))
    assert distance[on_edge].max() < 1e-6
    rest = np.arange(len(flat) - 3 * 8)
    clear = rest[distance[rest] > 1e-5]
    assert len(clear) > 0.9 * len(rest)
    np.testing.assert_array_equal(samples.labels[clear], np.where(solid[clear], 0, 1))


def test_samples_lie_where_they_should():
    _, slices = square_with_hole()
    plane = plane_contours(slices, slices.vertices)[0]
    samples = plane_samples(plane, 0.05, 4, 0, np.random.default_rng(0))
    flat = (samples.points - plane.origin) @ plane.axes.T
    around, beside, on_edge = flat[:32], flat[32:96], flat[96:]
    spokes = around.reshape(8, 4, 2) - plane.vertices[:, None]
    np.testing.assert_allclose(np.linalg.norm(spokes, axis=2), 0.05, atol=1e-6)
    np.testing.assert_allclose(spokes[:, 0], np.tile([-0.05, 0], (8, 1)), atol=1e-6)  # first angle -pi
    t = on_edge.reshape(8, 4, 2)
    ends = plane.segments
    np.testing.assert_allclose(t[:, 0], ends[:, 0], atol=1e-6)
    np.testing.assert_allclose(t[:, 2], ends.mean(1), atol=1e-6)
    moved = beside.reshape(2, 8, 4, 2)
    np.testing.assert_allclose(0.5 * (moved[0] + moved[1]), t, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(moved[0] - t, axis=2), 0.05, atol=1e-6)
    run = ends[:, 1] - ends[:, 0]
    assert np.abs(np.einsum("ekd,ed->ek", moved[0] - t, run)).max() < 1e-6


def test_hull_samples_lie_on_the_enlarged_hull():
    vertices = np.random.default_rng(3).normal(size=(60, 3)) * 0.3
    vertices -= vertices.mean(0)
    hull = ConvexHull(vertices)
    rng = np.random.default_rng(0)
    samples = hull_samples(vertices, 5000, 0.05, rng)
    assert (samples.labels == 1).all()
    heights = samples.points.astype(float) @ hull.equations[:, :3].T + 1.05 * hull.equations[:, 3]
    assert np.abs(heights.max(1)).max() < 1e-6  # float32 points
    exact = on_hull(vertices, 5000, 0.05, np.random.default_rng(0))
    heights = exact @ hull.equations[:, :3].T + 1.05 * hull.equations[:, 3]
    assert np.abs(heights.max(1)).max() < 1e-9
    areas = np.array([np.linalg.norm(np.cross(*(vertices[s[1:]] - vertices[s[0]]))) for s in hull.simplices])
    counts = np.bincount(heights.argmax(1), minlength=len(areas))
    np.testing.assert_allclose(counts / 5000, areas / areas.sum(), atol=0.03)


def test_vertices_in_one_plane_have_no_hull():
    flat = np.random.default_rng(0).normal(size=(20, 3)) * [1, 1, 0]
    with pytest.raises(UserError, match="One slice cannot define a volume"):
        hull_samples(flat, 10, 0.05, np.random.default_rng(0))


def test_the_frame_follows_the_normal_and_vertices_are_projected():
    _, slices = square_with_hole((0.2, -0.7, 0.4))
    bumpy = slices.vertices.copy()
    bumpy[3] += 0.01 * slices.normals[0]
    slices = slices.replace(vertices=bumpy)
    similarity = Similarity.of(slices.vertices)
    for plane, normal, offset in zip(
        plane_contours(slices, similarity.apply(slices.vertices)), slices.normals, slices.offsets, strict=True
    ):
        np.testing.assert_allclose(np.cross(*plane.axes), normal, atol=1e-12)
        back = similarity.undo(plane.lift(plane.vertices))
        np.testing.assert_allclose(back @ normal, offset, atol=1e-12)


def test_planes_without_contours_say_that_nothing_is_there():
    _, slices = square_with_hole()
    extra = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    slices = slices.replace(
        normals=np.concatenate([slices.normals, extra]), offsets=np.append(slices.offsets, [0.45, 50.0])
    )
    planes = plane_contours(slices, slices.vertices)
    assert len(planes) == 4  # the one far away is left out
    samples = plane_samples(planes[3], 0.1, 2, 100, np.random.default_rng(0))
    assert len(samples.labels) == 100
    assert (samples.labels == 1).all()
    np.testing.assert_allclose(samples.points[:, 2], 0.45, atol=1e-6)


def test_edges_without_length_give_no_samples():
    _, slices = square_with_hole()
    vertices = slices.vertices.copy()
    vertices[1] = vertices[0]
    plane = plane_contours(slices.replace(vertices=vertices), vertices)[0]
    assert len(plane.segments) == 7
    samples = plane_samples(plane, 0.1, 2, 10, np.random.default_rng(0))
    assert np.isfinite(samples.points).all()


def test_points_along_contours_leave_no_gap():
    _, slices = square_with_hole()
    points = points_on_contours(plane_contours(slices, slices.vertices)[:1], 0.03)
    assert len(points) >= (4 + 1.6) / 0.03
    flat = np.abs(points[:, None] - points[None]).max(-1)
    np.fill_diagonal(flat, 9)
    assert flat.min(1).max() <= 0.03 + 1e-9


def test_a_similarity_comes_back():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3)) * [3, 1e3, 1] + [1e5, 0, -7]
    similarity = Similarity.of(points)
    unit = similarity.apply(points)
    assert np.abs(unit).max() == pytest.approx(1 / 1.1)
    np.testing.assert_allclose(unit.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(similarity.undo(unit), points, rtol=1e-12, atol=1e-9)
