"""Gaussian features go out as tables (a row for each Gaussian) and as points with named values (PLY and others)."""

from __future__ import annotations

from engines.data import GaussianFeatures, PointCloud, Table
from engines.files.registry import conversion


@conversion(GaussianFeatures, Table)
def as_table(features: GaussianFeatures) -> Table:
    return features.table().replace(name=features.name)


@conversion(GaussianFeatures, PointCloud)
def as_points(features: GaussianFeatures) -> PointCloud:
    return features.points()
