"""Baselines, sources, and what is done with maps: applied to points, drawn as a field, scored."""

from __future__ import annotations

import numpy as np
import pytest

from engines.blocks.transport.maps import evaluate
from engines.core import Checkpointed, Noted, Run, UserError, catalog
from engines.data import Measure
from tests.contract.examples import Ear
from tests.transports import affine_map


def run(key: str, inputs: dict | None = None, ear: Ear | None = None, **values) -> dict:
    method = catalog().get(key)
    return method.run(inputs or {}, method.params.parse(values), Run(listener=ear))


def single(key: str, inputs: dict, **values):
    (found,) = run(key, inputs, **values).values()
    return found


def unexplained(made, known, points: np.ndarray) -> float:
    truth = evaluate(known, points)
    return float(((evaluate(made, points) - truth) ** 2).sum(1).mean() / truth.var(0).sum())


NEW = np.random.default_rng(9).normal(size=(300, 2))


@pytest.fixture(scope="module")
def gaussians() -> dict:
    return run("gaussian-clouds", points=1000)


def pair(made: dict) -> dict:
    return {k: made[k] for k in ("source", "target")}


def test_the_gaussian_map_takes_moments_to_moments(gaussians):
    made = single("gaussian-map", pair(gaussians))
    moved, target = evaluate(made, gaussians["source"].points), gaussians["target"].points
    np.testing.assert_allclose(moved.mean(0), target.mean(0), atol=1e-9)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(target.T), atol=1e-9)
    assert unexplained(made, gaussians["known"], NEW) < 0.02


def test_the_known_map_gives_the_covariance_that_the_target_is_drawn_from():
    made = run("gaussian-clouds", points=20_000, dimensions=3, shift=-1.0)
    moved, target = evaluate(made["known"], made["source"].points), made["target"].points
    np.testing.assert_allclose(moved.mean(0), -1, atol=0.1)
    np.testing.assert_allclose(np.cov(moved.T), np.cov(target.T), atol=0.05 * np.abs(np.cov(target.T)).max())
    matrix = made["known"].weights["matrix"]
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > 0


def test_the_entropic_map_comes_to_the_known_one_and_has_no_gap(gaussians):
    errors = [
        unexplained(single("entropic-map", pair(gaussians), epsilon=e), gaussians["known"], NEW)
        for e in (1.0, 0.1, 0.01)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1
    table = single(
        "map-scores", pair(gaussians) | {"map": single("entropic-map", pair(gaussians)), "known": gaussians["known"]}
    )
    scores = dict(zip(table.columns["Score"].tolist(), table.columns["Map"].tolist(), strict=True))
    assert abs(scores["Exact Monge gap"]) < 1e-9
    assert scores["L2-UVP (%)"] < 10


def test_the_entropic_map_takes_some_points_where_there_are_many_and_says_when_sweeps_end(gaussians):
    ear = Ear()
    (made,) = run("entropic-map", pair(gaussians), ear, points=100, epsilon=1e-4, sweeps=15).values()
    assert made.weights["points"].shape == (100, 2)
    assert any("cap of 15 sweeps" in event.text for event in ear.of(Noted))


def test_a_convex_potential_learns_the_shift_and_the_spread(gaussians):
    made = single("convex-map", pair(gaussians), steps=40, batch=128, hidden=(16, 16))
    assert unexplained(made, gaussians["known"], NEW) < 0.1
    apart = evaluate(made, NEW)[:, None] - evaluate(made, NEW)
    assert ((NEW[:, None] - NEW) * apart).sum(-1).min() >= -1e-12, "it is not monotone"


def test_a_map_is_applied_to_new_points_and_drawn_as_a_field():
    points = Measure(points=NEW[:20], weights=np.arange(1.0, 21), colors=np.full((20, 4), 9), unit="mm", name="New")
    ear = Ear()
    found = run("apply-map", {"map": affine_map(), "points": points}, ear, nodes=11, margin=0.0)
    np.testing.assert_allclose(found["moved"].ends, 2 * points.points + 1)
    images = found["images"]
    np.testing.assert_allclose(images.points, 2 * points.points + 1)
    assert (images.name, images.unit) == ("New moved", "mm")
    np.testing.assert_array_equal(images.weights, points.weights)
    np.testing.assert_array_equal(images.colors, points.colors)
    field = found["field"]
    x, y = np.meshgrid(field.x, field.y, indexing="ij")
    np.testing.assert_allclose(field.component(0), x + 1)
    np.testing.assert_allclose(field.component(1), y + 1)
    assert max(field.shape) == 11
    assert field.x[[0, -1]] == pytest.approx(points.bounds[:, 0])
    assert field.vectors == (("displacement", "displacement x", "displacement y"),)
    outside = ~(
        (points.points >= affine_map().source.bounds[0]) & (points.points <= affine_map().source.bounds[1])
    ).all(1)
    assert any(f"{outside.sum()} of 20 points lie outside" in event.text for event in ear.of(Noted))


def test_the_field_of_points_on_a_line_or_at_one_place_is_thin():
    for points in ([[0.0, 1], [4, 1]], [[3.0, 3]]):
        field = run("apply-map", {"map": affine_map(), "points": Measure(points=points)}, nodes=5)["field"]
        assert min(field.shape) >= 2
        assert np.isfinite(field.values).all()


def test_a_histogram_is_no_grid_any_more_once_its_points_have_moved():
    from tests.transports import measure

    found = run("apply-map", {"map": affine_map(), "points": measure()})
    assert found["images"].grid == ()


def test_four_dimensions_have_no_field():
    cloud = Measure(points=np.random.default_rng(0).normal(size=(9, 4)))
    made = single("gaussian-map", {"source": cloud, "target": cloud})
    found = run("apply-map", {"map": made, "points": cloud})
    assert "field" not in found
    np.testing.assert_allclose(found["moved"].ends, cloud.points, atol=1e-9)


@pytest.mark.parametrize("key", ["gaussian-map", "entropic-map", "convex-map"])
def test_clouds_of_different_dimensions_are_refused(key):
    with pytest.raises(UserError) as refused:
        run(key, {"source": Measure(points=np.eye(2)), "target": Measure(points=np.eye(3))})
    assert "2 coordinates and the target 3" in refused.value.what


def test_a_map_to_infinity_is_refused():
    far = affine_map(weights={"matrix": np.eye(2) * 1e300, "offset": np.ones(2)})
    with pytest.raises(UserError) as refused:
        run("apply-map", {"map": far, "points": Measure(points=[[1e300, 1], [0, 0]])})
    assert "infinity" in refused.value.what


def test_sources_are_what_they_say():
    made = run("moons-to-curve", points=4000, noise=0.0, angle=0.0, distance=3.0)
    moons, curve = made["source"].points, made["target"].points - [3, 0]
    upper, lower = np.hypot(*moons.T), np.hypot(moons[:, 0] - 1, moons[:, 1] - 0.5)
    np.testing.assert_allclose(np.minimum(abs(upper - 1), abs(lower - 1)), 0, atol=1e-9)
    np.testing.assert_allclose(curve[:, 0] ** 2 + (np.abs(curve[:, 1]) - 1) ** 2, 1, atol=1e-9)
    ring = run("cloud-to-ring", points=4000, clusters=5, radius=3.0, width=0.01)["target"].points
    np.testing.assert_allclose(np.hypot(*ring.T), 3, atol=0.1)
    angles = np.round(np.arctan2(ring[:, 1], ring[:, 0]) * 5 / (2 * np.pi)) % 5
    assert np.bincount(angles.astype(int), minlength=5).min() > 600
    sphere = run("sphere-clouds", points=500, caps=3)
    for cloud in sphere.values():
        np.testing.assert_allclose(np.linalg.norm(cloud.points, axis=1), 1)
    assert sphere["source"].points.mean(0)[2] > 0.7


def test_the_entropic_map_goes_on_with_the_points_that_it_drew(gaussians):
    """Points are drawn anew when a run goes on; they must be those of the first time."""
    ear, method = Ear(), catalog().get("entropic-map")
    params = method.params.parse({"points": 60})
    whole = method.run(pair(gaussians), params, Run(listener=ear, checkpoint_seconds=0))
    last = [event.checkpoint for event in ear.events if isinstance(event, Checkpointed)][-1]
    again = method.run(pair(gaussians), params, Run(checkpoint=last))
    assert [a.content_hash() for a in again.values()] == [a.content_hash() for a in whole.values()]


def test_a_map_of_the_sphere_is_applied_though_a_node_of_the_field_is_the_centre():
    corners = Measure(points=np.concatenate([np.eye(3), -np.eye(3)]))
    made = single("entropic-map", {"source": corners, "target": corners}, cost="sphere geodesic", epsilon=0.1)
    found = run("apply-map", {"map": made, "points": corners}, nodes=5)
    values = found["field"].values[0]
    assert np.isnan(values[:, 2, 2, 2]).all()
    assert np.isfinite(values).sum() == values.size - 3
    assert np.isfinite(found["moved"].ends).all()
