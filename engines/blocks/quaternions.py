"""Rotations as quaternions w, x, y, z, and as matrices; any dtype, any device, differentiable."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_matrices(quaternions: Tensor) -> Tensor:
    """(..., 3, 3) from quaternions (..., 4) of any length but 0."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def quaternions_of(rotations: Tensor) -> Tensor:
    """(..., 4) unit quaternions of rotation matrices (..., 3, 3); differentiable everywhere (Shepperd 1978).

    Of the four ways to write it, each matrix takes the one whose leading component is largest, and not near 0.
    """
    a, b, c, d, e, f, g, h, i = rotations.flatten(-2).unbind(-1)
    ways = torch.stack(
        [
            torch.stack([1 + a + e + i, h - f, c - g, d - b], dim=-1),
            torch.stack([h - f, 1 + a - e - i, b + d, c + g], dim=-1),
            torch.stack([c - g, b + d, 1 - a + e - i, f + h], dim=-1),
            torch.stack([d - b, c + g, f + h, 1 - a - e + i], dim=-1),
        ],
        dim=-2,
    )
    best = ways.detach().diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = ways.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    return torch.nn.functional.normalize(chosen, dim=-1)
