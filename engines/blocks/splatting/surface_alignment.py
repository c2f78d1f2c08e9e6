"""Terms that pull a cloud of Gaussians onto a surface (SuGaR; Guédon and Lepetit, CVPR 2024, sec. 4.1).

Were the Gaussians flat, opaque and spread over a surface with little overlap, the density would be that of the nearest
one alone, and near it

    d_bar(p) = exp(-f(p)^2 / (2 beta^2)),        f(p) = +-beta sqrt(-2 ln d(p)),        beta = its smallest scale

with f the distance from the surface. Points p are drawn in Gaussians g, and what d or f is there is held against what
it should be: ``density`` compares d with d_bar of the distance from the plane of g, ``sdf`` compares |f| with the
distance from a rendered depth map. A third term turns normals to those of neighbours. :func:`entropy` drives
opacities to 0 or 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.blocks.splatting.density import Shapes, terms
from engines.blocks.splatting.gaussians import Gaussians

LEAST_DENSITY = 1e-16
LEAST_SCALE = 1e-6
FLAT = 2e-5
"""-2 ln d where d is so near to 1 that sqrt is taken as straight."""


def entropy(opacities: Tensor) -> Tensor:
    """Mean of -a ln(a + 1e-10) - (1 - a) ln(1 - a + 1e-10): 0 for opacities of 0 and 1, ln 2 for 1/2."""
    clear = 1 - opacities
    return (-opacities * (opacities + 1e-10).log() - clear * (clear + 1e-10).log()).mean()


def points_in(gaussians: Gaussians, owners: Tensor, noise: Tensor, spread: float) -> Tensor:
    """(P, 3) mu_g + R_g (spread s_g noise) for the Gaussians ``owners`` (P,) and standard normal ``noise`` (P, 3)."""
    own = gaussians.map(lambda t: t.index_select(0, owners))
    return own.means + (own.rotations() @ (spread * own.log_scales.exp() * noise)[..., None])[..., 0]


def clipped(density: Tensor) -> Tensor:
    """The density in [1e-16, 1]. Where it is 1 or more it is divided by its own value: 1, but with a slope of d'/d.

    Without this the logarithm that follows would lose its slope wherever Gaussians overlap.
    """
    return torch.where(density >= 1, density / density.detach().clamp_min(1), density).clamp_min(LEAST_DENSITY)


def distance_of(density: Tensor, beta: Tensor) -> Tensor:
    """f = beta sqrt(-2 ln d), the distance from the surface that a density stands for."""
    return beta * _root(-2 * clipped(density).log())


def _root(squares: Tensor) -> Tensor:
    """sqrt, but with the slope that it has at ``FLAT`` below there: at 0, where d = 1, its own is infinite."""
    straight = FLAT**0.5 + (squares - FLAT) / (2 * FLAT**0.5)
    soft = torch.where(squares < FLAT, straight, squares.clamp_min(FLAT).sqrt())
    return soft + (squares.clamp_min(0).sqrt() - soft).detach()


class Alignment:
    """Points in Gaussians, with what all terms need there: the K neighbours, the density and beta.

    ``factor`` phi is 1 for ``density`` and 1/16 for ``sdf``; beta is the mean of the neighbours' smallest scales.
    """

    def __init__(self, shapes: Shapes, points: Tensor, owners: Tensor, neighbours: Tensor, factor: float) -> None:
        self.points, self.own = points, shapes.at(owners)
        self.near = shapes.at(neighbours.index_select(0, owners))
        weights, _, self.apart = terms(points, self.near)
        self.weights = factor * weights
        self.density = self.weights.sum(1)
        self.beta = self.near.thinnest.mean(1)

    def density_loss(self) -> Tensor:
        """Mean |d - exp(-f^2 / (2 beta^2))| with f = (p - mu_g) . n_g."""
        away = ((self.points.T - self.own.means) * self.own.normals).sum(0)
        return (self.density - torch.exp(-0.5 * (away / self.beta).square())).abs().mean()

    def sdf_loss(self, depth: Tensor, camera: Camera, extent: float) -> Tensor:
        """Mean min(|f - |depth(pixel of p) - z(p)|| / (extent / 10), 10 extent), over points that the camera sees."""
        at, z = depth_under(self.points, depth, camera)
        seen = z > 0.01 * extent
        wanted = (at - z).abs()
        off = (distance_of(self.density, self.beta) - wanted).abs() / (extent / 10)
        return torch.where(seen, off.clamp_max(10 * extent), 0.0).sum() / seen.sum().clamp_min(1)

    def normal_loss(self) -> Tensor:
        """Mean |n_g - sum_k w_k n_k|^2: the slope of f against n_g, with weights that carry no slope themselves.

        w_k = phi a_k G_k |(p - mu_k) . n_k| / s_k^2, made to sum to 1; n_k is turned to the side of n_g.
        """
        own = self.own.normals[:, :, None]
        side = torch.sign((self.near.normals * own).sum(0)).detach()
        normals = self.near.normals * side
        with torch.no_grad():
            weights = (
                self.weights * (self.apart * normals).sum(0).abs() / self.near.thinnest.clamp_min(LEAST_SCALE).square()
            )
            weights = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
        blended = (weights * normals).sum(2)
        return (self.own.normals - blended).square().sum(0).mean()


def depth_under(points: Tensor, depth: Tensor, camera: Camera) -> tuple[Tensor, Tensor]:
    """The depth map (H, W) at the pixels of points (P, 3), bilinear, at its border outside; and their own z (P,)."""
    turn = points.new_tensor(camera.rotation)
    local = points @ turn.T + points.new_tensor(camera.translation)
    z = local[:, 2]
    safe = z.clamp_min(1e-6)
    x = local[:, 0] / safe * camera.fx + camera.cx
    y = local[:, 1] / safe * camera.fy + camera.cy
    grid = torch.stack([2 * x / camera.width - 1, 2 * y / camera.height - 1], dim=1)[None, None]
    found = torch.nn.functional.grid_sample(
        depth[None, None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[0, 0, 0], z


def spread_along(gaussians: Gaussians, directions: Tensor) -> Tensor:
    """(N,) standard deviation |s * R^T u| of each Gaussian along its own unit vector u (N, 3)."""
    local = (gaussians.rotations().transpose(1, 2) @ directions[..., None])[..., 0]
    return (gaussians.log_scales.exp() * local).norm(dim=1)


def near_depth(gaussians: Gaussians, depth: Tensor, camera: Camera, spreads: float) -> Tensor:
    """(N,) bool: centres that lie within so many ``spreads`` along the view ray of the depth map."""
    at, z = depth_under(gaussians.means, depth, camera)
    towards = torch.nn.functional.normalize(gaussians.means.new_tensor(camera.centre) - gaussians.means, dim=1)
    return ((at - z).abs() < spreads * spread_along(gaussians, towards)) & (z > 0)
