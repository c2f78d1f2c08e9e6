"""The optimal map between two Gaussians for the squared Euclidean cost (Bures and Wasserstein), in closed form."""

from __future__ import annotations

import numpy as np

from engines.data import Measure


def gaussian_map(source: Measure, target: Measure) -> tuple[np.ndarray, np.ndarray]:
    """A (d, d) and b (d,) of the optimal map x -> A x + b between the Gaussians of the measures' moments.

    A = S1^-1/2 (S1^1/2 S2 S1^1/2)^1/2 S1^-1/2 for the squared Euclidean cost (Bures and Wasserstein; Peyré and
    Cuturi 2019, eq. 2.40). Directions in which the source has no spread are not stretched: the inverse leaves them out.
    """
    (m1, s1), (m2, s2) = moments(source), moments(target)
    return bures(m1, s1, m2, s2)


def bures(m1: np.ndarray, s1: np.ndarray, m2: np.ndarray, s2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`gaussian_map`, for means (d,) and covariances (d, d)."""
    root, inverse = _powers(s1, 0.5), _powers(s1, -0.5)
    matrix = inverse @ _powers(root @ s2 @ root, 0.5) @ inverse
    return matrix, m2 - matrix @ m1


def moments(measure: Measure) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of a measure; weights that sum to one, no correction for the count."""
    share = measure.mass / measure.mass.sum()
    mean = share @ measure.points
    centred = measure.points - mean
    return mean, (centred * share[:, None]).T @ centred


def _powers(matrix: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    large = values > 1e-12 * max(values[-1], 1e-300)
    return (vectors * np.where(large, np.where(large, values, 1.0) ** power, 0.0)) @ vectors.T


__all__ = ["bures", "gaussian_map", "moments"]
