"""Positional encoding along the directions of an icosahedron (Mip-NeRF 360; Barron et al. 2022), as XHand uses it.

    PE(x) = [s x, sin(2^k s p_i . x), cos(2^k s p_i . x)],   s = 0.1, k = 0, 1, i = 1 .. 21

with the p_i the 42 corners and middles of edges of an icosahedron, one of each opposite pair: 3 + 21 * 2 * 2 = 87.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

SCALE = 0.1
OCTAVES = 2
SIZE = 87


@functools.cache
def icosahedron_directions() -> np.ndarray:
    """(21, 3) float64 unit vectors: the 6 axes through corners, then the 15 through middles of edges."""
    golden = (1 + 5**0.5) / 2
    plane = np.array([[0, 1, golden], [0, 1, -golden]])
    corners = np.concatenate([np.roll(plane, k, axis=1) for k in range(3)]) / np.hypot(1, golden)
    all_corners = np.concatenate([corners, -corners])
    near = all_corners @ all_corners.T
    a, b = np.nonzero(np.triu(np.abs(near - 1 / 5**0.5) < 1e-9))  # corners that share an edge
    middles = all_corners[a] + all_corners[b]
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    first = np.take_along_axis(middles, (np.abs(middles) > 1e-9).argmax(1)[:, None], axis=1)[:, 0]
    return np.concatenate([corners, middles[first > 0]])


def positional_encoding(points: Tensor) -> Tensor:
    """(..., 87) of points or directions (..., 3)."""
    scaled = SCALE * points
    phases = scaled @ torch.as_tensor(icosahedron_directions().T.copy(), dtype=points.dtype, device=points.device)
    sine, cosine = phases.sin(), phases.cos()
    # Of twice an angle both follow without another sine, which is most of the work.
    return torch.cat([scaled, sine, 2 * sine * cosine, cosine, 1 - 2 * sine * sine], dim=-1)
