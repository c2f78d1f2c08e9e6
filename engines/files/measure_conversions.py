"""What measures and displacements can be written as besides themselves: clouds of points, and grids as pictures."""

from __future__ import annotations

import numpy as np

from engines.core import UserError
from engines.data import Displacements, Image, Measure, PointCloud
from engines.files.registry import conversion


@conversion(Measure, PointCloud)
def cloud_of(measure: Measure) -> PointCloud:
    """Points in up to three dimensions, with their weights as values. Raises UserError where there are more."""
    weights = {} if measure.weights is None else {"weight": measure.weights.astype(np.float32)}
    return PointCloud(
        name=measure.name, points=in_space(measure.points), colors=measure.colors, scalars=weights, unit=measure.unit
    )


@conversion(Measure, Image)
def picture_of(measure: Measure) -> Image:
    """A grid of rows and columns in grey: the largest mass is white. Raises UserError for what is no such grid."""
    if len(measure.grid) != 2:
        what = f"a grid of {'×'.join(map(str, measure.grid))} nodes" if measure.grid else "points without a grid"
        raise UserError(
            "The measure is no picture.", f"It is {what}; pictures have rows and columns.",
            "Write it as a table (.csv) or an archive (.npz).",
        )  # fmt: skip
    mass = measure.mass.reshape(measure.grid)
    return Image(name=measure.name, pixels=(mass / mass.max()).astype(np.float32)[..., None])


@conversion(Displacements, PointCloud)
def ends_of(moved: Displacements) -> PointCloud:
    """The points where they end, with how far each has come and with its weight. Raises UserError beyond 3D."""
    lengths = np.linalg.norm(moved.ends - moved.starts, axis=1).astype(np.float32)
    weights = {} if moved.weights is None else {"weight": moved.weights.astype(np.float32)}
    return PointCloud(
        name=moved.name, points=in_space(moved.ends), scalars={"length": lengths} | weights, unit=moved.unit
    )


def in_space(points: np.ndarray) -> np.ndarray:
    """(N, 3): coordinates that are missing are 0. Raises UserError where there are more than three."""
    if points.shape[1] > 3:
        raise UserError(
            f"The points have {points.shape[1]} coordinates.", "The format holds points in space, which have three.",
            "Write a table (.csv), HDF5 (.h5) or an archive (.npz).",
        )  # fmt: skip
    return np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
