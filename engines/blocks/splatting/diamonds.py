"""Depth of a cloud of Gaussians, each drawn as a flat diamond: two triangles in the plane of its two larger axes.

The corners lie 2 standard deviations from the centre, along these axes. A pixel's ray meets the plane at

    t = n . (mu - o) / n . v,      inside where |x| / (2 s_1) + |y| / (2 s_2) <= 1

and the nearest one met wins. Other than a blended depth, this says which Gaussian was seen, and leaves edges sharp.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.blocks.splatting.gaussians import Gaussians

REACH = 2.0
PAIRS = 1 << 21
"""Pairs of a diamond and a pixel looked at in one go."""


@dataclass(frozen=True)
class Seen:
    """Per pixel the z of the nearest diamond, infinite where there is none, and its number, -1 there."""

    depth: Tensor  # (H, W)
    owner: Tensor  # (H, W) int64


@torch.no_grad()
def diamond_depth(
    gaussians: Gaussians, camera: Camera, near: float = 0.01, check: Callable[[], object] = lambda: None
) -> Seen:
    """Nearest diamond at each pixel's centre. Diamonds that reach nearer than ``near`` are left out."""
    means, scales, turns = gaussians.means, gaussians.log_scales.exp(), gaussians.rotations()
    order = scales.argsort(dim=1, descending=True)
    axes = turns.gather(2, order[:, None, :].expand(-1, 3, -1))  # columns: largest, middle, normal
    reach = REACH * scales.gather(1, order)[:, :2]
    turn = means.new_tensor(camera.rotation)
    centre = means @ turn.T + means.new_tensor(camera.translation)
    across = turn @ axes  # in the camera's frame from here on
    arms = (across[:, :, :2] * reach[:, None, :]).transpose(1, 2)
    corners = centre[:, None] + torch.cat([arms, -arms], dim=1)
    z = corners[..., 2]
    ahead = (z > near).all(1)
    u = corners[..., 0] / z * camera.fx + camera.cx
    v = corners[..., 1] / z * camera.fy + camera.cy
    # Pixels i whose centre i + 0.5 lies within.
    left, right = (u.amin(1) - 0.5).ceil().clamp_min(0), (u.amax(1) - 0.5).floor().clamp_max(camera.width - 1)
    top, bottom = (v.amin(1) - 0.5).ceil().clamp_min(0), (v.amax(1) - 0.5).floor().clamp_max(camera.height - 1)
    drawn = (ahead & (left <= right) & (top <= bottom)).nonzero()[:, 0]
    left, top = left[drawn].long(), top[drawn].long()
    widths = right[drawn].long() - left + 1
    counts = widths * (bottom[drawn].long() - top + 1)
    # The nearest wins by the smallest (z, number): the bits of a positive float32 order like the float itself.
    best = torch.full((camera.height * camera.width,), torch.iinfo(torch.int64).max, device=means.device)
    ends = counts.cumsum(0)
    begin = 0
    while begin < len(drawn):
        check()
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(torch.searchsorted(ends, done + PAIRS, right=True)))
        row = torch.repeat_interleave(torch.arange(begin, end, device=means.device), counts[begin:end])
        inner = torch.arange(len(row), device=means.device) - (ends[row] - counts[row] - done)
        x, y = left[row] + inner % widths[row], top[row] + torch.div(inner, widths[row], rounding_mode="floor")
        which = drawn[row]
        ray = torch.stack([(x + 0.5 - camera.cx) / camera.fx, (y + 0.5 - camera.cy) / camera.fy], dim=1)
        ray = torch.cat([ray, torch.ones_like(ray[:, :1])], dim=1)
        normal = across[which, :, 2]
        depth = (normal * centre[which]).sum(1) / (normal * ray).sum(1)  # t, as the ray's z is 1
        met = ((ray * depth[:, None] - centre[which])[:, None, :] @ across[which, :, :2])[:, 0] / reach[which]
        hit = (met.abs().sum(1) <= 1) & (depth > near)  # an edge-on plane gives infinity or NaN: no hit
        key = (depth[hit].float().view(torch.int32).long() << 32) | which[hit]
        best.scatter_reduce_(0, (y * camera.width + x)[hit], key, "amin")
        begin = end
    none = best == torch.iinfo(torch.int64).max
    found = (best >> 32).int().view(torch.float32).to(means.dtype).masked_fill(none, torch.inf)
    owner = (best & 0xFFFFFFFF).masked_fill(none, -1)
    return Seen(found.view(camera.height, camera.width), owner.view(camera.height, camera.width))
