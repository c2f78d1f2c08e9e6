"""Turning coefficients of spherical harmonics with the scene that they colour.

If a scene is turned by R, a colour seen along d must afterwards be seen along R d: f'(d) = f(Rᵀ d). The harmonics of
each degree span a space that turns do not leave, so that coefficients c' = D c with D block diagonal (Wigner). D is
found by evaluating both sides in more directions than there are coefficients, which is exact up to rounding; it holds
for mirrors too.
"""

from __future__ import annotations

import functools

import numpy as np
import torch

from engines.blocks.splatting.twin import harmonics


@functools.cache
def _directions() -> np.ndarray:
    """(64, 3) unit vectors spread over the sphere (a Fibonacci lattice)."""
    i = np.arange(64)
    z = 1 - (2 * i + 1) / 64
    angle = np.pi * (3 - np.sqrt(5)) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)


def harmonics_rotation(rotation: np.ndarray, degree: int) -> np.ndarray:
    """D (K, K) float64 of an orthogonal matrix (3, 3), K = (degree + 1)², degree 0 to 3."""
    d = _directions()
    here, there = (harmonics(torch.from_numpy(np.ascontiguousarray(v)), degree).numpy() for v in (d, d @ rotation))
    found = np.linalg.lstsq(here, there, rcond=None)[0]
    blocks = np.repeat(np.arange(degree + 1), 2 * np.arange(degree + 1) + 1)
    found[blocks[:, None] != blocks[None, :]] = 0
    found[np.abs(found) < 1e-12] = 0  # a change of signs, or of axes, stays one
    return np.asarray(np.where(np.abs(np.abs(found) - 1) < 1e-12, np.sign(found), found))


def rotated_harmonics(sh: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Coefficients (N, K, 3) of a scene that was turned by an orthogonal matrix (3, 3), as float32."""
    degree = round(sh.shape[1] ** 0.5) - 1
    D = harmonics_rotation(rotation, degree)
    if np.array_equal(D, np.diag(np.diag(D))):
        return np.asarray(sh * np.diag(D)[:, None], dtype=np.float32)
    return np.asarray(np.einsum("kj,njc->nkc", D, sh, optimize=True), dtype=np.float32)


AT_ONCE = 2048
"""Turns that are worked out together: some 20 MB at degree 3."""
STILL = 1e-7
"""Turns that differ from none by less leave every bit as it is."""


def turned_each(sh: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """Coefficients (F, n, K, 3) float32, those of each row turned by a rotation (F, 3, 3) of its own.

    Rows that turn alike, as those of a part that is moved as a whole, share their D.
    """
    degree = round(sh.shape[2] ** 0.5) - 1
    turning = np.flatnonzero(np.abs(rotations - np.eye(3)).max((1, 2)) > STILL)
    found = sh.copy()
    if degree == 0 or not len(turning):
        return found
    alike, which = np.unique(rotations[turning].reshape(-1, 9).round(7), axis=0, return_inverse=True)
    fit = np.linalg.pinv(harmonics(torch.from_numpy(_directions()), degree).numpy())
    for start in range(0, len(alike), AT_ONCE):
        some = alike[start : start + AT_ONCE].reshape(-1, 3, 3)
        there = harmonics(torch.from_numpy((_directions() @ some).reshape(-1, 3)), degree).numpy()
        D = (fit @ there.reshape(len(some), -1, (degree + 1) ** 2)).astype(np.float32)
        mine = np.flatnonzero((which >= start) & (which < start + AT_ONCE))
        rows = turning[mine]
        found[rows] = np.einsum("fkj,fnjc->fnkc", D[which[mine] - start], sh[rows], optimize=True)
    return found
