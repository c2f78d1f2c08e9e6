"""What methods that move clouds ask of them: one space, and directions where the cost is that of the sphere."""

from __future__ import annotations

import numpy as np

from engines.core import Run, UserError
from engines.data import Measure

OFF_SPHERE = 1e-6


def check_dimensions(source: Measure, target: Measure) -> None:
    """Raises :class:`UserError` where the measures live in different spaces."""
    d, e = source.points.shape[1], target.points.shape[1]
    if d != e:
        raise UserError(
            f"The source has {d} coordinates and the target {e}.",
            "A map between them needs points of one space.",
            "Choose clouds with the same coordinates, in the same order.",
        )


def on_sphere(points: np.ndarray, name: str, run: Run) -> np.ndarray:
    """The points on the unit sphere, with a warning if they were not there."""
    radii = np.linalg.norm(points, axis=1)
    if not radii.min() > 0:
        raise UserError(
            f"A point of the {name} is at the centre of the sphere.",
            "The sphere geodesic cost takes the direction of a point from the origin.",
            "Remove that point, shift the cloud, or choose another cost.",
        )
    if np.abs(radii - 1).max() > OFF_SPHERE:
        run.warn(f"Points of the {name} are off the unit sphere (radii {radii.min():.4g} to {radii.max():.4g}); "
                 "they are brought onto it.")  # fmt: skip
    return points / radii[:, None]


__all__ = ["check_dimensions", "on_sphere"]
