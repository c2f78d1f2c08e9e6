"""Gaussians that lie in the triangles of a mesh and move with them (SuGaR, sec. 4.3).

Each triangle (v0, v1, v2) carries n flat Gaussians at fixed barycentric coordinates. With the frame

    R_0 = normal,  B_1 = (v0 - v1) / |v0 - v1|,  B_2 = R_0 x B_1

and a complex number z = (x, y) / |z| that turns it in the plane, the axes are R_0, R_1 = x B_1 + y B_2 and
R_2 = -y B_1 + x B_2; the scales are a fixed thickness, s_1 and s_2.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import torch
from torch import Tensor

from engines.blocks.quaternions import quaternions_of
from engines.blocks.splatting.gaussians import Gaussians
from engines.blocks.splatting.harmonics_rotation import turned_each
from engines.data import BoundGaussians, GaussianCloud


def _corners(*weights: tuple[float, float, float]) -> np.ndarray:
    """The different permutations of each triple, one after the other."""
    return np.array([p for w in weights for p in dict.fromkeys(permutations(w))])


BARYCENTRICS = {
    1: np.full((1, 3), 1 / 3),
    3: _corners((1 / 2, 1 / 4, 1 / 4)),
    4: np.concatenate([np.full((1, 3), 1 / 3), _corners((2 / 3, 1 / 6, 1 / 6))]),
    6: _corners((2 / 3, 1 / 6, 1 / 6), (1 / 6, 5 / 12, 5 / 12)),
}
"""(n, 3) where the n Gaussians of a triangle lie."""

RADII = {1: 1 / (2 * 3**0.5), 3: 1 / (2 * (3**0.5 + 1)), 4: 1 / (4 * 3**0.5), 6: 1 / (4 + 2 * 3**0.5)}
"""Their first scale in shortest edges: for n = 1 and 4 the discs touch each other and the sides."""


def triangle_frames(corners: Tensor) -> Tensor:
    """(F, 3, 3) with the columns R_0, B_1 and B_2 for triangles (F, 3, 3)."""
    along = torch.nn.functional.normalize(corners[:, 0] - corners[:, 1], dim=1, eps=1e-30)
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal = torch.nn.functional.normalize(normal, dim=1, eps=1e-30)
    return torch.stack([normal, along, torch.linalg.cross(normal, along)], dim=2)


def gaussians_on(
    corners: Tensor, barycentrics: Tensor, log_scales: Tensor, turns: Tensor, opacity_logits: Tensor, sh: Tensor,
    thickness: float,
) -> Gaussians:  # fmt: skip
    """The n F Gaussians of F triangles (F, 3, 3), those of one triangle in a row; differentiable in all but n.

    ``log_scales`` and ``turns`` are (n F, 2), ``barycentrics`` (n, 3).
    """
    count = len(barycentrics)
    means = (barycentrics @ corners).reshape(-1, 3)
    normal, first, second = triangle_frames(corners).repeat_interleave(count, dim=0).unbind(2)
    x, y = torch.nn.functional.normalize(turns, dim=1, eps=1e-30).unbind(1)
    x, y = x[:, None], y[:, None]
    rotations = torch.stack([normal, x * first + y * second, x * second - y * first], dim=2)
    flat = torch.full_like(log_scales[:, :1], float(np.log(thickness)))
    return Gaussians(means, quaternions_of(rotations), torch.cat([flat, log_scales], dim=1), opacity_logits, sh)


def first_scales(corners: np.ndarray, count: int) -> np.ndarray:
    """(F,) the scale that the ``count`` Gaussians of each triangle (F, 3, 3) begin with: shortest edge times rho."""
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    return np.asarray(RADII[count] * edges.min(1))


def tensors(bound: BoundGaussians, device: torch.device | str = "cpu") -> Gaussians:
    """The Gaussians as they can be drawn."""

    def as_tensor(values: np.ndarray) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    return gaussians_on(
        as_tensor(bound.vertices[bound.faces]), as_tensor(bound.barycentrics), as_tensor(bound.log_scales),
        as_tensor(bound.turns), as_tensor(bound.opacity_logits), as_tensor(bound.sh), bound.thickness,
    )  # fmt: skip


def to_cloud(bound: BoundGaussians) -> GaussianCloud:
    """The Gaussians without their mesh."""
    found = tensors(bound)
    return GaussianCloud(
        means=found.means.numpy(), quaternions=found.quaternions.numpy(), log_scales=found.log_scales.numpy(),
        opacity_logits=found.opacity_logits.numpy(), sh=found.sh.numpy(), unit=bound.unit, name=bound.name,
    )  # fmt: skip


def moved(bound: BoundGaussians, vertices: np.ndarray) -> BoundGaussians:
    """The Gaussians after an edit of the mesh: they move and turn with their triangle, and grow with it.

    Both scales are multiplied by the triangle's stretch: the mean distance of its corners from their centroid, after
    against before. Colours turn as its frame does.
    """

    def size(corners: np.ndarray) -> np.ndarray:
        return np.asarray(np.linalg.norm(corners - corners.mean(1, keepdims=True), axis=2).mean(1))

    vertices, count = np.asarray(vertices, float), len(bound.barycentrics)
    changed = np.flatnonzero((vertices != bound.vertices).any(1)[bound.faces].any(1))
    before, after = bound.vertices[bound.faces[changed]], vertices[bound.faces[changed]]
    stretch = np.log(np.maximum(size(after), 1e-30) / np.maximum(size(before), 1e-30))
    log_scales = bound.log_scales.reshape(-1, count, 2).copy()
    log_scales[changed] += stretch[:, None, None].astype(np.float32)
    sh = bound.sh
    if sh.shape[1] > 1 and len(changed):
        old, new = (triangle_frames(torch.from_numpy(corners)) for corners in (before, after))
        sh = sh.reshape(-1, count, *sh.shape[1:]).copy()
        sh[changed] = turned_each(sh[changed], (new @ old.transpose(1, 2)).numpy())
    return bound.replace(vertices=vertices, log_scales=log_scales.reshape(-1, 2), sh=sh.reshape(bound.sh.shape))
