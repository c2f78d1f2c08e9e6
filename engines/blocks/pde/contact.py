"""Contact of points with fixed obstacles given by signed distances phi, negative within.

    E(q) = k / 2 min(phi(q), 0)^2,    force -grad E = k depth n,    depth = max(-phi, 0), n = grad phi

In the reference implementation of INSR-PDE the force is worked out first and does work along the step,
E = -force . (q - q_n), and a sphere of radius R pushes with k |q - c| instead of k (R - |q - c|): the nearer to its
middle, the less. :func:`published_energy` is that form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Plane:
    """A point (d,) and the unit normal (d,) towards where points may be."""

    point: Tensor
    normal: Tensor

    def distance(self, q: Tensor) -> Tensor:
        """(N,) signed, of points (N, d)."""
        return (q - self.point) @ self.normal

    def published_force(self, q: Tensor) -> Tensor:
        return self.distance(q).clamp(max=0).neg()[:, None] * self.normal


@dataclass(frozen=True)
class Sphere:
    middle: Tensor
    radius: float

    def distance(self, q: Tensor) -> Tensor:
        return self._away(q) - self.radius

    def _away(self, q: Tensor) -> Tensor:
        return (q - self.middle).square().sum(1).clamp(min=1e-24).sqrt()

    def published_force(self, q: Tensor) -> Tensor:
        return torch.where(self.distance(q)[:, None] < 0, q - self.middle, 0.0)


Obstacle = Plane | Sphere


def energy(q: Tensor, obstacles: Iterable[Obstacle], stiffness: float) -> Tensor:
    """(N,) of points (N, d)."""
    total = torch.zeros(len(q), dtype=q.dtype, device=q.device)
    for obstacle in obstacles:
        total = total + 0.5 * stiffness * obstacle.distance(q).clamp(max=0).square()
    return total


def published_energy(q: Tensor, before: Tensor, obstacles: Iterable[Obstacle], stiffness: float) -> Tensor:
    """(N,) -force . (q - q_n): ``before`` is q_n; the force does not follow q when this is differentiated."""
    total = torch.zeros(len(q), dtype=q.dtype, device=q.device)
    for obstacle in obstacles:
        total = total - stiffness * (obstacle.published_force(q.detach()) * (q - before)).sum(1)
    return total


def depth(q: Tensor, obstacles: Iterable[Obstacle]) -> float:
    """How deep the deepest point is in an obstacle; 0 if none is."""
    return max([0.0, *(float((-obstacle.distance(q)).amax()) for obstacle in obstacles)])


__all__ = ["Obstacle", "Plane", "Sphere", "depth", "energy", "published_energy"]
