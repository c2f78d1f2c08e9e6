"""Gaussians of a solution: covariances, sections and tables against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from engines.core import UserError
from engines.data import GaussianFeatures, PointCloud, Table
from engines.files import read, write


def features(turned: bool, dimensions: int = 3) -> GaussianFeatures:
    draw = np.random.default_rng(3)
    rotations = np.linalg.qr(draw.normal(size=(2, 7, dimensions, dimensions)))[0]
    return GaussianFeatures(
        means=draw.normal(size=(2, 7, dimensions)),
        sigmas=draw.uniform(0.3, 1, (2, 7, dimensions)),
        weights=draw.normal(size=(2, 7)),
        rotations=rotations if turned else None,
        coordinates=("x", "y", "t")[:dimensions],
        time="t" if dimensions == 3 else "",
    )


def values(of: GaussianFeatures, points: np.ndarray) -> np.ndarray:
    apart = points[:, None, None] - of.means
    powers = np.einsum("pcgi,cgij,pcgj->pcg", apart, np.linalg.inv(of.covariances), apart)
    return (of.weights * np.exp(-0.5 * powers)).sum(-1)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("coordinate", ["x", "t"])
def test_a_section_has_the_values_of_the_whole(turned, coordinate):
    whole, points = features(turned), np.random.default_rng(0).normal(size=(20, 3))
    at = whole.coordinates.index(coordinate)
    points[:, at] = 0.4
    section = whole.section(coordinate, 0.4)
    np.testing.assert_allclose(values(section, np.delete(points, at, 1)), values(whole, points), rtol=1e-10)
    assert coordinate not in section.coordinates
    assert section.time == ("" if coordinate == "t" else "t")


@pytest.mark.parametrize("turned", [False, True])
def test_they_go_out_as_tables_and_points(turned, tmp_path):
    whole = features(turned)
    write(whole, tmp_path / "g.csv")
    write(whole, tmp_path / "g.ply")
    table, points = read(tmp_path / "g.csv").artifacts[0], read(tmp_path / "g.ply").artifacts[0]
    assert isinstance(table, Table)
    assert isinstance(points, PointCloud)
    np.testing.assert_array_equal(table.columns["mean y"].reshape(2, 7), whole.means[..., 1])
    np.testing.assert_array_equal(table.columns["weight"].reshape(2, 7), whole.weights)
    np.testing.assert_array_equal(points.points.reshape(2, 7, 3), whole.means)
    np.testing.assert_allclose(points.scalars["sigma_3"].reshape(2, 7), whole.sigmas[..., 2])
    if turned:
        np.testing.assert_array_equal(table.columns["axis 2 t"].reshape(2, 7), whole.rotations[..., 2, 1])


def test_fallen_together_are_seen():
    whole = features(False, 2)
    assert (whole.spacings() > 0).all()
    means = whole.means.copy()
    means[0, 3] = means[0, 4]
    assert (whole.replace(means=means).spacings()[0, 3:5] == 0).all()


def test_collapsed_ones_are_refused():
    whole = features(False, 2)
    with pytest.raises(UserError, match="not above 0"):
        whole.replace(sigmas=np.zeros_like(whole.sigmas))
