"""The density of a cloud of Gaussians and its slope, summed over the nearest few (Guédon and Lepetit 2024, eq. 1).

    d(p) = phi sum_k a_k G_k(p),     G_k(p) = exp(-|y_k|^2 / 2),     y_k = W_k (p - mu_k),     W_k = S_k^-1 R_k^T
    grad d(p) = -phi sum_k a_k G_k(p) W_k^T y_k

The sum runs over K Gaussians, the nearest ones to the Gaussian that p belongs to, by the distance of centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from engines.blocks.splatting.gaussians import Gaussians
from engines.core import UserError

COLUMNS = (3, 9, 1, 3, 1)


@dataclass(frozen=True)
class Shapes:
    """What the density needs of Gaussians, in one table, so that one look-up fetches all of it.

    Components come first, which keeps loops over many points long: mean (3), W row by row (9), opacity, normal (3: the
    axis of the smallest scale), that scale; then the Gaussians, in any shape (...).
    """

    table: Tensor  # (17, ...)

    @classmethod
    def of(cls, gaussians: Gaussians) -> Shapes:
        scales, turns = gaussians.log_scales.exp(), gaussians.rotations()
        whiten = (turns / scales[:, None, :]).transpose(1, 2)
        thinnest, axis = scales.min(dim=1)
        # The axes are R's columns, so the normal is the column of the smallest scale.
        normals = turns.gather(2, axis[:, None, None].expand(-1, 3, 1))[:, :, 0]
        opacities = gaussians.opacity_logits.sigmoid()
        parts = (gaussians.means, whiten.flatten(1), opacities[:, None], normals, thinnest[:, None])
        return cls(torch.cat(parts, dim=1).T.contiguous())

    def at(self, ids: Tensor) -> Shapes:
        """Those with the numbers ``ids`` of any shape, of a table (17, N)."""
        return Shapes(self.table.index_select(1, ids.reshape(-1)).reshape(-1, *ids.shape))

    @cached_property
    def _columns(self) -> tuple[Tensor, ...]:
        """Split once: the derivatives of single slices would each fill a table of their own."""
        return self.table.split(COLUMNS)

    @property
    def means(self) -> Tensor:
        """(3, ...)"""
        return self._columns[0]

    @property
    def whiten(self) -> Tensor:
        """(3, 3, ...)"""
        return self._columns[1].unflatten(0, (3, 3))

    @property
    def opacities(self) -> Tensor:
        """(...)"""
        return self._columns[2][0]

    @property
    def normals(self) -> Tensor:
        """(3, ...)"""
        return self._columns[3]

    @property
    def thinnest(self) -> Tensor:
        """(...)"""
        return self._columns[4][0]


def nearest(means: Tensor, count: int) -> Tensor:
    """(N, count) numbers of the nearest Gaussians of each, itself among them.

    Raises :class:`UserError` when there are not more than ``count``, or when so many share one place that
    neighbours say nothing.
    """
    if len(means) <= count:
        raise UserError(
            f"There are {len(means):,} Gaussians; {count} neighbours of each are looked at.",
            "The density needs more of them than neighbours.",
            "Train longer, prune at a lower opacity, or look at fewer neighbours.",
        )
    # A tree on the CPU, also for what lies on a GPU: all distances of 300,000 Gaussians would take far longer there.
    centres = means.detach().cpu().double().numpy()
    distances, found = cKDTree(centres).query(centres, k=count, workers=torch.get_num_threads())
    if count > 1 and (distances[:, -1] == 0).any():
        raise UserError(
            f"{int((distances[:, -1] == 0).sum()):,} Gaussians share their centre with {count - 1} others or more.",
            "The neighbours of such a Gaussian do not say where a surface is.",
            "Remove the copies, or train the cloud again.",
        )
    return torch.from_numpy(np.ascontiguousarray(found.reshape(len(means), count))).to(means.device)


def terms(points: Tensor, near: Shapes) -> tuple[Tensor, Tensor, Tensor]:
    """a_k G_k (P, K), y_k (3, P, K) and p - mu_k (3, P, K) of points (P, 3) for ``near`` (17, P, K)."""
    apart = points.T[:, :, None] - near.means
    white = (near.whiten * apart).sum(1)
    return near.opacities * torch.exp(-0.5 * white.square().sum(0)), white, apart


def density(points: Tensor, near: Shapes, factor: float = 1.0) -> Tensor:
    """d (P,) at points (P, 3); ``factor`` is phi."""
    return factor * terms(points, near)[0].sum(1)


def density_slope(points: Tensor, near: Shapes, factor: float = 1.0) -> Tensor:
    """grad d (P, 3), in closed form."""
    weights, white, _ = terms(points, near)
    return -factor * (near.whiten * (weights * white)[:, None]).sum(0).sum(2).T


def density_along(starts: Tensor, directions: Tensor, steps: Tensor, near: Shapes) -> Tensor:
    """d (P, T) at ``starts + t directions`` for the T values t of each ray in ``steps`` (P, T).

    Along a ray |y_k|^2 is a parabola in t, so each sample costs one exponential. It is taken from its lowest point:
    for Gaussians as thin as 1e-5 the sum of its three terms would be rounding alone.
    """
    base = (near.whiten * (starts.T[:, :, None] - near.means)).sum(1)
    rate = (near.whiten * directions.T[:, :, None]).sum(1)
    c = rate.square().sum(0)
    nearest_at = -(base * rate).sum(0) / c
    least = torch.addcmul(base, nearest_at, rate).square().sum(0)
    squares = least[:, None] + (steps[:, :, None] - nearest_at[:, None]).square() * c[:, None]
    return (near.opacities[:, None] * torch.exp(-0.5 * squares)).sum(-1)
