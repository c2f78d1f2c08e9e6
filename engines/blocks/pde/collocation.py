"""Points of a box at which equations and conditions are to hold."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.grids import tensor_points

Sampling = Literal["uniform", "Sobol", "Latin hypercube", "grid"]


def unit_points(sampling: Sampling, count: int, dimensions: int, rng: np.random.Generator) -> np.ndarray:
    """(P, D) points in [0, 1]^D.

    A grid has the same number of nodes along each axis, as many as ``count`` allows, and is moved by a random part of
    its spacing, so that it differs from draw to draw. Sobol points are scrambled (Owen); powers of two are best.
    """
    if dimensions == 0 or count == 0:
        return np.zeros((min(count, 1), dimensions))
    if sampling == "uniform":
        return rng.random((count, dimensions))
    if sampling == "grid":
        nodes = max(1, round(count ** (1 / dimensions)))
        return tensor_points([(np.arange(nodes) + rng.random()) / nodes for _ in range(dimensions)])
    from scipy.stats import qmc

    # SciPy spawns a generator from the one it is given, which a stored state of that one does not tell: give a number.
    seed = int(rng.integers(2**63))
    if sampling == "Latin hypercube":
        return np.asarray(qmc.LatinHypercube(dimensions, rng=seed).random(count))
    return np.asarray(qmc.Sobol(dimensions, rng=seed).random(1 << (count - 1).bit_length())[:count])


def in_box(
    sampling: Sampling, count: int, lower: np.ndarray, upper: np.ndarray, rng: np.random.Generator, like: Tensor
) -> Tensor:
    """(P, D) points of a box, with the dtype and on the device of ``like``."""
    unit = unit_points(sampling, count, len(lower), rng)
    return torch.as_tensor(lower + (upper - lower) * unit, dtype=like.dtype, device=like.device)


def on_face(
    sampling: Sampling,
    count: int,
    lower: np.ndarray,
    upper: np.ndarray,
    axis: int,
    at: float,
    rng: np.random.Generator,
    like: Tensor,
) -> Tensor:
    """(P, D) points of the box whose coordinate ``axis`` is ``at``; in one dimension it is one point."""
    rest = np.delete(np.arange(len(lower)), axis)
    unit = unit_points(sampling, count, len(rest), rng)
    points = np.full((len(unit), len(lower)), at)
    points[:, rest] = lower[rest] + (upper - lower)[rest] * unit
    return torch.as_tensor(points, dtype=like.dtype, device=like.device)


def resampled(points: Tensor, weights: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """(count, D) of ``points`` (P, D), drawn without repetition as often as ``weights`` (P,) >= 0 say."""
    share = weights.detach().double().cpu().numpy().clip(0)
    share = share + share.sum() * 1e-12 + 1e-300
    chosen = rng.choice(len(share), min(count, len(share)), replace=False, p=share / share.sum())
    return points[torch.as_tensor(np.sort(chosen), device=points.device)]


__all__ = ["Sampling", "in_box", "on_face", "resampled", "unit_points"]
