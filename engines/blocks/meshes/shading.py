"""Lambertian shading by real spherical harmonics of order 2, in the constants of XHand (Gan et al. 2024).

    image = clip(albedo * sum_k gamma_k Y_k(n), 0, 1),   k = 0 .. 8, gamma in R^3 (red, green, blue)

With a = (pi, 2 pi / sqrt 3, 2 pi / sqrt 8) and c = (1 / sqrt(4 pi), sqrt 3 / sqrt(4 pi), 3 sqrt 5 / sqrt(12 pi)), Y is

    a0 c0;  -a1 c1 y,  a1 c1 z,  -a1 c1 x;
    a2 c2 xy,  -a2 c2 yz,  a2 c2 (3 z^2 - 1) / (2 sqrt 3),  -a2 c2 xz,  a2 c2 (x^2 - y^2) / 2

The factors a are not those by which a cosine lobe dims each order (pi, 2 pi / 3, pi / 4; Ramamoorthi and Hanrahan
2001): gamma takes up the difference.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

CONSTANT = math.pi / math.sqrt(4 * math.pi)
LINEAR = 2 * math.pi / math.sqrt(3) * math.sqrt(3) / math.sqrt(4 * math.pi)
QUADRATIC = 2 * math.pi / math.sqrt(8) * 3 * math.sqrt(5) / math.sqrt(12 * math.pi)


def harmonics(normals: Tensor) -> Tensor:
    """(..., 9) Y_k of unit normals (..., 3)."""
    x, y, z = normals.unbind(-1)
    return torch.stack(
        [
            torch.full_like(x, CONSTANT), -LINEAR * y, LINEAR * z, -LINEAR * x,
            QUADRATIC * x * y, -QUADRATIC * y * z, QUADRATIC / (2 * math.sqrt(3)) * (3 * z * z - 1),
            -QUADRATIC * x * z, QUADRATIC / 2 * (x * x - y * y),
        ],
        dim=-1,
    )  # fmt: skip


def lambertian(albedo: Tensor, normals: Tensor, gammas: Tensor) -> Tensor:
    """(..., 3) shaded colours in [0, 1] of albedo and unit normals (..., 3) under gammas (9, 3).

    Gammas (B, 9, 3) light the B parts of normals (B, ..., 3).
    """
    light = harmonics(normals).reshape(*gammas.shape[:-2], -1, 9) @ gammas
    return (albedo * light.reshape(normals.shape)).clamp(0, 1)


def gammas_of(constant: np.ndarray, linear: np.ndarray, quadratic: np.ndarray | None = None) -> np.ndarray:
    """(9, 3) float64 with sum_k gamma_k Y_k(n) = constant + linear . n + n . quadratic n, exactly, for unit n.

    ``constant`` is (3,), ``linear`` (3, 3) with the axes as rows and the colours as columns, ``quadratic`` (3, 3, 3)
    symmetric in its first two.
    """
    constant, linear = np.asarray(constant, float), np.asarray(linear, float)
    Q = np.zeros((3, 3, 3)) if quadratic is None else np.asarray(quadratic, float)
    flat = (Q[0, 0] + Q[1, 1]) / 2  # times x^2 + y^2 = 1 - z^2
    tall = Q[2, 2] - flat
    return np.stack(
        [
            (constant + flat + tall / 3) / CONSTANT, -linear[1] / LINEAR, linear[2] / LINEAR, -linear[0] / LINEAR,
            2 * Q[0, 1] / QUADRATIC, -2 * Q[1, 2] / QUADRATIC, tall / 3 * 2 * math.sqrt(3) / QUADRATIC,
            -2 * Q[0, 2] / QUADRATIC, (Q[0, 0] - Q[1, 1]) / QUADRATIC,
        ]
    )  # fmt: skip


def surroundings(constant: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """(9, 3) gammas of the irradiance pi L0 + (2 pi / 3) L1 . n under the radiance L0 + L1 . w from direction w.

    ``constant`` L0 is (3,), ``linear`` L1 (3, 3) with the axes as rows. A white surface sends out 1 / pi of it.
    """
    return gammas_of(math.pi * np.asarray(constant, float), 2 * math.pi / 3 * np.asarray(linear, float))


def lamp(direction: np.ndarray, colour: np.ndarray, ambient: np.ndarray) -> np.ndarray:
    """(9, 3) gammas of a lamp far away, and of light from everywhere: ambient + colour max(0, n . d) to order 2.

    ``direction`` (3,) points to the lamp and may have any length but 0. ``ambient`` (3,) is what a white surface shows
    that is turned away from it, ``colour`` (3,) how much more when it faces it. The clamped cosine of the angle, c, is
    1/4 + c/2 + 5/32 (3 c^2 - 1), which is off by up to 0.1 (Ramamoorthi and Hanrahan 2001).
    """
    d, colour = np.asarray(direction, float), np.asarray(colour, float)
    d = d / np.linalg.norm(d)
    constant = np.asarray(ambient, float) + (1 / 4 - 5 / 32) * colour
    return gammas_of(constant, d[:, None] * colour / 2, 15 / 32 * np.multiply.outer(np.outer(d, d), colour))
