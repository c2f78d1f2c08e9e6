"""Rotations as axis-angle vectors: the axis times the angle in radians. Any dtype, any device, differentiable.

    R(v) = cos t I + (sin t / t) [v]x + ((1 - cos t) / t^2) v v^T,   t = |v|            (Rodrigues)

Near t = 0 the factors are their Taylor series in t^2, so that values and derivatives are exact there too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.blocks.quaternions import quaternions_of

SMALL = 1e-2
"""Below this t^2, five terms of a series are exact in float64."""


def axis_angle_to_matrix(vectors: Tensor) -> Tensor:
    """(..., 3, 3) rotation matrices of axis-angle vectors (..., 3)."""
    squares = (vectors * vectors).sum(-1)
    cosine, first, second = _factors(squares)
    x, y, z = vectors.unbind(-1)
    a, b, c = (first * part for part in (x, y, z))
    p, q, r = (second * part for part in (x, y, z))
    xy, xz, yz = p * y, p * z, q * z
    rows = [
        cosine + p * x, xy - c, xz + b,
        xy + c, cosine + q * y, yz - a,
        xz - b, yz + a, cosine + r * z,
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def matrix_to_axis_angle(rotations: Tensor) -> Tensor:
    """(..., 3) axis-angle vectors, at most pi long, of rotation matrices (..., 3, 3)."""
    return quaternion_to_axis_angle(quaternions_of(rotations))


def axis_angle_to_quaternion(vectors: Tensor) -> Tensor:
    """(..., 4) unit quaternions w, x, y, z of axis-angle vectors (..., 3)."""
    squares = (vectors * vectors).sum(-1, keepdim=True) / 4
    cosine, sinc, _ = _factors(squares)
    return torch.cat([cosine, sinc / 2 * vectors], dim=-1)


def quaternion_to_axis_angle(quaternions: Tensor) -> Tensor:
    """(..., 3) axis-angle vectors, at most pi long, of quaternions (..., 4) w, x, y, z of any length but 0."""
    quaternions = torch.where(quaternions[..., :1] < 0, -quaternions, quaternions)  # both are the same rotation
    w, axis = quaternions[..., :1], quaternions[..., 1:]
    squares = (axis * axis).sum(-1, keepdim=True)
    near = squares < SMALL * w * w
    length = torch.where(near, 1.0, squares).sqrt()
    w_near = torch.where(near, w, 1.0)
    s = torch.where(near, squares / (w_near * w_near), 0.0)  # tan^2 of half of the angle
    series = 2 / w_near * (1 - s * (1 / 3 - s * (1 / 5 - s * (1 / 7 - s * (1 / 9 - s * (1 / 11 - s * (1 / 13)))))))
    return torch.where(near, series, 2 * torch.atan2(length, w) / length) * axis


def turned_about(angles: Tensor, axes: Tensor) -> Tensor:
    """(..., 3) axis-angle vectors of turns by ``angles`` (..., 3) in radians about a joint's ``axes`` (..., 3, 3).

    The rows a, b, c of ``axes`` are a right-handed orthonormal frame. R = R_a R_b R_c: the first turn carries the axes
    of the second and third, as flexing a finger carries the axes about which it spreads and twists.
    """
    a, b, c = (axis_angle_to_matrix(angles[..., k, None] * axes[..., k, :]) for k in range(3))
    return matrix_to_axis_angle(a @ b @ c)


def angles_about(vectors: Tensor, axes: Tensor) -> Tensor:
    """(..., 3) angles in radians of which :func:`turned_about` makes these axis-angle vectors (..., 3).

    The second lies in [-pi/2, pi/2], the others in [-pi, pi]. Where the second is +-pi/2, turns of the first and third
    kind are the same turn: all of it is given to the first.
    """
    m = axes @ axis_angle_to_matrix(vectors) @ axes.mT
    flat = m[..., 0, 2].abs() > 1 - 1e-3 * torch.finfo(m.dtype).eps ** 0.5
    second = torch.atan2(m[..., 0, 2], torch.hypot(m[..., 0, 0], m[..., 0, 1]))
    first = torch.where(flat, torch.atan2(m[..., 2, 1], m[..., 1, 1]), torch.atan2(-m[..., 1, 2], m[..., 2, 2]))
    third = torch.where(flat, 0.0, torch.atan2(-m[..., 0, 1], m[..., 0, 0]))
    return torch.stack([first, second, third], dim=-1)


def _factors(squares: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """cos t, sin t / t and (1 - cos t) / t^2 of t^2."""
    near = squares < SMALL
    s = torch.where(near, squares, 0.0)
    t = torch.where(near, 1.0, squares).sqrt()  # a root at 0 would have no derivative
    half = torch.sin(t / 2) / t
    sinc = torch.where(near, _series(s, (1, 6, 120, 5040, 362880, 39916800)), torch.sin(t) / t)
    versine = torch.where(near, _series(s, (2, 24, 720, 40320, 3628800, 479001600)), 2 * half * half)
    return 1 - squares * versine, sinc, versine


def _series(s: Tensor, factorials: tuple[int, ...]) -> Tensor:
    """sum_k (-s)^k / factorials[k]."""
    found = torch.full_like(s, 1 / factorials[-1])
    for factorial in factorials[-2::-1]:
        found = 1 / factorial - s * found
    return found
