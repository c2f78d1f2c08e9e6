"""Where the Gaussians of a training run begin (Kerbl et al. 2023, sec. 4)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree

from engines.blocks.splatting.gaussians import C0, Gaussians

FIRST_OPACITY = 0.1
LEAST_SPACING = 1e-7
"""Squared; coincident points would give Gaussians without size."""


def initial_cloud(points: np.ndarray, colours: np.ndarray, degree: int) -> Gaussians:
    """Round Gaussians at points (N, 3) with RGB colours (N, 3) in [0, 1], on the CPU.

    The scale is the root mean square of the distances to the three nearest other points.
    """
    count = len(points)
    near = min(4, count)
    distances = cKDTree(points).query(points, k=near)[0].reshape(count, near)[:, 1:]
    spacing = (distances**2).mean(1) if near > 1 else np.ones(count)
    sh = torch.zeros(count, (degree + 1) ** 2, 3)
    sh[:, 0] = torch.from_numpy((colours - 0.5) / C0).float()
    return Gaussians(
        torch.tensor(points, dtype=torch.float32),
        torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        torch.from_numpy(0.5 * np.log(np.maximum(spacing, LEAST_SPACING))).float()[:, None].repeat(1, 3),
        torch.full((count,), float(np.log(FIRST_OPACITY / (1 - FIRST_OPACITY)))),
        sh,
    )


def spread_in_view(count: int, centres: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(count, 3) points at random where the cameras look: for photos without known points.

    ``centres`` (M, 3) are where the cameras stand, ``targets`` (M, 3) unit vectors along which they look. The middle is
    the point nearest to all their axes; the cube around it reaches half way to the nearest camera, and 1.5 times as
    far as the cameras spread if they all look the same way.
    """
    projectors = np.eye(3) - targets[:, :, None] * targets[:, None, :]
    system = projectors.sum(0)
    if np.linalg.cond(system) < 1e6:
        middle = np.linalg.solve(system, np.einsum("nij,nj->i", projectors, centres))
        half = 0.5 * float(np.linalg.norm(centres - middle, axis=1).min())
    else:
        middle = centres.mean(0)
        half = 1.5 * float(np.linalg.norm(centres - middle, axis=1).max())
    return middle + (half or 1.0) * rng.uniform(-1, 1, (count, 3))
