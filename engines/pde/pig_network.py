"""PIG's network: channels of moving Gaussians, and a small network over them (Kang et al. 2024, eq. 5 to 7).

    phi_c(x) = sum_g w_cg exp(-1/2 (x - m_cg)^T S_cg^-1 (x - m_cg)),      u(x) = W2 tanh(W1 phi(x) + b1) + b2

Coordinates are mapped from the problem's box to [-1, 1]^D first; means and sigmas are in that box. S is diagonal, or
R diag(sigma^2) R^T with R from a vector (2-D) or a quaternion (3-D) of any length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks import dense_layers
from engines.blocks.parameters import Layout
from engines.blocks.pde import derivatives, gaussian_features, mlp
from engines.blocks.pde.derivatives import Index, Jets, closure, order
from engines.blocks.pde.forms import Evaluate, OfNetwork, form, sizes
from engines.blocks.pde.residual_loss import COEFFICIENTS
from engines.core import Run
from engines.data import GaussianFeatures, Problem

SMALLEST = 1e-4
"""Added to |sigma|, so that none reaches 0."""

FLOAT32_ROWS = 1 << 22
"""Differences x - m that are held at once in single precision."""


@dataclass(frozen=True)
class PigShape:
    """Sizes; ``width`` 0 leaves the tanh layer out, ``turned`` are full covariances, fixed means are not trained."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    outputs: int
    channels: int
    gaussians: int
    width: int
    turned: bool = False
    moving: bool = True
    estimated: int = 0

    @property
    def dimensions(self) -> int:
        return len(self.lower)

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        hidden = (self.width,) if self.width else ()
        return dense_layers.shapes((self.channels, *hidden, self.outputs))

    @property
    def layout(self) -> Layout:
        cloud = (self.channels, self.gaussians)
        shapes: dict[str, tuple[int, ...]] = {"means": (*cloud, self.dimensions)} if self.moving else {}
        shapes |= {"sigmas": (*cloud, self.dimensions), "weights": cloud}
        shapes |= {"turns": (*cloud, 2 if self.dimensions == 2 else 4)} if self.turned else {}
        shapes |= self.layers
        return Layout(shapes | ({COEFFICIENTS: (self.estimated,)} if self.estimated else {}))


class PigNetwork:
    """A :class:`~engines.blocks.pde.residual_loss.Network`; ``fixed`` are the means (C, G, D) that do not move."""

    def __init__(self, shape: PigShape, fixed: Tensor | None, dtype: torch.dtype) -> None:
        self.shape, self.fixed, self.dtype = shape, fixed, dtype
        self.layout = shape.layout
        self.centre = [(a + b) / 2 for a, b in zip(shape.lower, shape.upper, strict=True)]
        self.scale = [2 / (b - a) for a, b in zip(shape.lower, shape.upper, strict=True)]

    def inside(self, points: Tensor) -> Tensor:
        """The box mapped to [-1, 1]^D."""
        return (points - points.new_tensor(self.centre)) * points.new_tensor(self.scale)

    def means(self, parts: Mapping[str, Tensor]) -> Tensor:
        if self.fixed is None:
            return parts["means"]
        return self.fixed

    def precision(self, parts: Mapping[str, Tensor]) -> Tensor:
        return gaussian_features.precision(parts["sigmas"].abs() + SMALLEST, parts.get("turns"))

    def features(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index]) -> Jets:
        """Jets (P, C) of the channels in the coordinates of the problem."""
        means, A = self.means(parts), self.precision(parts)
        found = gaussian_features.jets(self.inside(points), means, A, parts["weights"], indices)
        return derivatives.scaled(found, self.scale)

    def jets(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index]) -> Jets:
        """In closed form up to the second order; by nested differentiation of the whole network above it."""
        if max(map(order, indices)) > derivatives.CLOSED_ORDER:
            return derivatives.by_autograd(lambda x: self.plain(parts, x), points, indices)
        below = closure(indices) if self.shape.width else tuple(indices)
        rows = FLOAT32_ROWS // (self.shape.channels * self.shape.gaussians * self.shape.dimensions)
        if self.dtype == torch.float32 and len(points) > max(16, rows):
            return self._in_blocks(parts, points, indices, max(16, rows))
        found = mlp.jets(self.features(parts, points, below), parts, below)
        return derivatives.whole(found, indices, found[below[0]])

    def _in_blocks(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index], rows: int) -> Jets:
        """In single precision, where x - m is held, a block of points at a time that is computed again backward."""
        from torch.utils.checkpoint import checkpoint

        def block(some: Tensor) -> tuple[Tensor, ...]:
            return tuple(self.jets(parts, some, indices)[index] for index in indices)

        blocks = [checkpoint(block, some, use_reentrant=False) for some in points.split(rows)]
        return {index: torch.cat([b[i] for b in blocks]) for i, index in enumerate(indices)}

    def grid_jets(self, parts: Mapping[str, Tensor], axes: Sequence[Tensor], indices: Sequence[Index]) -> None:
        return None

    def plain(self, parts: Mapping[str, Tensor], points: Tensor) -> Tensor:
        """Values (P, U), which can be differentiated with respect to the points as often as one likes."""
        zero = (0,) * self.shape.dimensions
        features = gaussian_features.direct(
            self.inside(points), self.means(parts), self.precision(parts), parts["weights"], [zero]
        )
        return mlp.values(features[zero], parts)

    def evaluate(self, parts: Mapping[str, Tensor]) -> Evaluate:
        zero = (0,) * self.shape.dimensions
        return lambda points: self.jets(parts, points.to(self.dtype), (zero,))[zero]

    def cloud(self, parts: Mapping[str, Tensor], problem: Problem, name: str = "") -> GaussianFeatures:
        """The Gaussians in the units of the problem, the small network left out."""
        half = np.asarray(1 / np.array(self.scale))
        means = self.means(parts).detach().double().cpu().numpy() * half + np.array(self.centre)
        sigmas = parts["sigmas"].detach().double().abs().cpu().numpy() + SMALLEST
        axes = None
        if "turns" in parts:
            R = gaussian_features.rotations(parts["turns"].detach().double()).cpu().numpy()
            covariances = (R * sigmas[..., None, :] ** 2) @ R.swapaxes(-1, -2) * half[:, None] * half
            squares, axes = np.linalg.eigh(covariances)
            sigmas = np.sqrt(np.maximum(squares, SMALLEST**2 * half.min() ** 2))
        else:
            sigmas = sigmas * half
        return GaussianFeatures(
            means=means, sigmas=sigmas, weights=parts["weights"].detach().double().cpu().numpy(), rotations=axes,
            coordinates=problem.coordinates, time=problem.time, name=name,
        )  # fmt: skip


def start(
    shape: PigShape, run: Run, sigma: float, dtype: torch.dtype, guesses: Sequence[float]
) -> tuple[PigNetwork, Tensor]:
    """Means anywhere in the box, widths ``sigma``, weights N(0, 0.01^2), Glorot's layers."""
    flat = torch.zeros(shape.layout.size, dtype=torch.float64, device=run.device)
    parts = shape.layout.split(flat)
    drawn = run.rng.uniform(-1, 1, (shape.channels, shape.gaussians, shape.dimensions))  # the same on every device
    means = torch.as_tensor(drawn, dtype=torch.float64, device=run.device)
    if shape.moving:
        parts["means"].copy_(means)
    parts["sigmas"].fill_(sigma - SMALLEST)
    parts["weights"].normal_(0, 0.01, generator=run.generator)
    dense_layers.initialise({name: parts[name] for name in shape.layers}, "Glorot", run.generator)
    if guesses:
        parts[COEFFICIENTS].copy_(torch.as_tensor(guesses, dtype=torch.float64))
    network = PigNetwork(shape, None if shape.moving else means.to(dtype), dtype)
    return network, flat.to(dtype)


def turning(network: PigNetwork, flat: Tensor) -> tuple[PigNetwork, Tensor]:
    """The same field with Gaussians that can turn: full covariances, not turned yet."""
    shape = PigShape(**(asdict(network.shape) | {"turned": True}))
    parts = dict(network.layout.split(flat))
    turn = flat.new_tensor(gaussian_features.no_turn(shape.dimensions))
    parts["turns"] = turn.expand(shape.channels, shape.gaussians, -1)
    return PigNetwork(shape, network.fixed, network.dtype), shape.layout.join(parts)


@form("gaussian-features")
def build(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Evaluate:
    """The field of a solution by PIG."""
    shape = sizes(PigShape, config)
    some = weights["weights"]
    network = PigNetwork(shape, weights.get("fixed means"), some.dtype)
    return OfNetwork(network, weights)


__all__ = ["PigNetwork", "PigShape", "build", "start", "turning"]
