"""Points on a level of the density of a cloud of Gaussians, found along rays (SuGaR, sec. 4.2).

A ray that meets the Gaussian g at q is walked through t_i in [-3, 3] sigma, sigma the standard deviation of g along
the ray. It gives a point if the density starts below the level and exceeds it later: between the first such t_i and
the one before, d is taken as linear, twice. The normal is -grad d / |grad d|, in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engines.blocks.splatting.density import Shapes, density_along, density_slope
from engines.blocks.splatting.gaussians import Gaussians
from engines.blocks.splatting.surface_alignment import spread_along

FLAT = 1e-4
"""No surface lies where the density changes by less, in parts of the level, over a standard deviation."""


@dataclass(frozen=True)
class Crossings:
    """For R rays: which of them crossed the level, where, and the largest density met on each."""

    rays: Tensor  # (M,) numbers of the rays that did
    points: Tensor  # (M, 3)
    normals: Tensor  # (M, 3), towards lower density
    largest: Tensor  # (R,)


@torch.no_grad()
def level_crossings(
    gaussians: Gaussians, shapes: Shapes, neighbours: Tensor, hits: Tensor, directions: Tensor, owners: Tensor,
    level: float, samples: int = 21, reach: float = 3.0,
) -> Crossings:  # fmt: skip
    """Where rays (R, 3) of unit length through ``hits`` (R, 3) on the Gaussians ``owners`` (R,) cross the level."""
    sigma = spread_along(gaussians.map(lambda t: t[owners]), directions)
    near = shapes.at(neighbours[owners])
    steps = sigma[:, None] * torch.linspace(-reach, reach, samples, dtype=hits.dtype, device=hits.device)
    values = density_along(hits, directions, steps, near).clamp_max(1)
    above = values > level
    rays = ((values[:, 0] < level) & above.any(1)).nonzero()[:, 0]
    after = above[rays].int().argmax(1, keepdim=True)  # the first; never 0
    v1, v0 = values[rays].gather(1, after)[:, 0], values[rays].gather(1, after - 1)[:, 0]
    t1, t0 = steps[rays].gather(1, after)[:, 0], steps[rays].gather(1, after - 1)[:, 0]
    near = Shapes(near.table[:, rays])
    t = t0 + (level - v0) / (v1 - v0) * (t1 - t0)
    # The density bends between samples: once more, from the sample beside, leaves 1 % of a step in place of 7 %.
    value = density_along(hits[rays], directions[rays], t[:, None], near)[:, 0]
    below = value < level
    t0, v0 = torch.where(below, t, t0), torch.where(below, value, v0)
    t1, v1 = torch.where(below, t1, t), torch.where(below, v1, value)
    t = t0 + (level - v0) / (v1 - v0).clamp_min(1e-12) * (t1 - t0)
    points = hits[rays] + t[:, None] * directions[rays]
    slopes = density_slope(points, near)
    steepness = slopes.norm(dim=1, keepdim=True)
    steep = steepness[:, 0] * sigma[rays] > FLAT * level  # where it is flat, rounding made the crossing up
    return Crossings(rays[steep], points[steep], -slopes[steep] / steepness[steep], values.amax(1))
