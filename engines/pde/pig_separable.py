"""The separable variant of PIG: products of functions of one coordinate each (Kang et al. 2025, app. E).

    u_k(x) = sum_r prod_j f_kr^j(x_j),      f^j(x_j) = W2^j tanh(W1^j phi^j(x_j) + b1^j) + b2^j

where phi^j are sums of Gaussians of the j-th coordinate alone. On a tensor grid of N nodes along each of D axes only
D N values of f are computed, not N^D, and a derivative of u takes derivatives of the factors.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engines.blocks import dense_layers
from engines.blocks.parameters import Layout
from engines.blocks.pde import derivatives, gaussian_features, mlp
from engines.blocks.pde.derivatives import Index, Jets
from engines.blocks.pde.forms import Evaluate, OfNetwork, form, sizes
from engines.blocks.pde.residual_loss import COEFFICIENTS
from engines.core import Run
from engines.pde.pig_network import SMALLEST


@dataclass(frozen=True)
class SeparableShape:
    """Sizes; each coordinate has its own ``channels`` of ``gaussians`` and its own network."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    outputs: int
    channels: int
    gaussians: int
    width: int
    rank: int
    estimated: int = 0

    @property
    def dimensions(self) -> int:
        return len(self.lower)

    @property
    def layers(self) -> dict[str, tuple[int, ...]]:
        hidden = (self.width,) if self.width else ()
        return dense_layers.shapes((self.channels, *hidden, self.outputs * self.rank))

    @property
    def layout(self) -> Layout:
        cloud = (self.dimensions, self.channels, self.gaussians)
        shapes: dict[str, tuple[int, ...]] = {"means": (*cloud, 1), "sigmas": (*cloud, 1), "weights": cloud}
        for j in range(self.dimensions):
            shapes |= {f"{j}.{name}": shape for name, shape in self.layers.items()}
        return Layout(shapes | ({COEFFICIENTS: (self.estimated,)} if self.estimated else {}))


class SeparableNetwork:
    """A :class:`~engines.blocks.pde.residual_loss.Network`, quickest on tensor grids."""

    def __init__(self, shape: SeparableShape, dtype: torch.dtype) -> None:
        self.shape, self.dtype, self.layout = shape, dtype, shape.layout

    def factors(self, parts: Mapping[str, Tensor], x: Tensor, axis: int, orders: Sequence[int]) -> dict[int, Tensor]:
        """Derivatives (N, outputs, rank) of f^axis at x (N,) of the problem's coordinate, by their order."""
        low, high = self.shape.lower[axis], self.shape.upper[axis]
        scale = 2 / (high - low)
        inside = ((x - (low + high) / 2) * scale)[:, None]
        below = derivatives.closure([(max(orders),)])
        A = gaussian_features.precision(parts["sigmas"][axis].abs() + SMALLEST)
        features = gaussian_features.jets(inside, parts["means"][axis], A, parts["weights"][axis], below)
        own = {name: parts[f"{axis}.{name}"] for name in self.shape.layers}
        found = mlp.jets(derivatives.scaled(features, [scale]), own, below)
        found = derivatives.whole(found, below, found[(0,)])
        return {order: found[(order,)].view(len(x), self.shape.outputs, self.shape.rank) for order in orders}

    def _orders(self, indices: Sequence[Index]) -> list[list[int]]:
        return [sorted({index[j] for index in indices}) for j in range(self.shape.dimensions)]

    def jets(self, parts: Mapping[str, Tensor], points: Tensor, indices: Sequence[Index]) -> Jets:
        orders = self._orders(indices)
        factors = [self.factors(parts, points[:, j], j, orders[j]) for j in range(self.shape.dimensions)]
        found: Jets = {}
        for index in indices:
            product = factors[0][index[0]]
            for factor, order in zip(factors[1:], index[1:], strict=True):
                product = product * factor[order]
            found[index] = product.sum(-1)
        return found

    def grid_jets(self, parts: Mapping[str, Tensor], axes: Sequence[Tensor], indices: Sequence[Index]) -> Jets:
        orders = self._orders(indices)
        factors = [self.factors(parts, axis, j, orders[j]) for j, axis in enumerate(axes)]
        letters = string.ascii_lowercase[: len(axes)]
        sums = ",".join(f"{letter}yz" for letter in letters) + f"->{letters}y"
        return {
            index: torch.einsum(sums, *(f[o] for f, o in zip(factors, index, strict=True))).flatten(0, -2)
            for index in indices
        }

    def evaluate(self, parts: Mapping[str, Tensor]) -> Evaluate:
        zero = (0,) * self.shape.dimensions
        return lambda points: self.jets(parts, points.to(self.dtype), (zero,))[zero]


def start_separable(
    shape: SeparableShape, run: Run, sigma: float, dtype: torch.dtype, guesses: Sequence[float]
) -> tuple[SeparableNetwork, Tensor]:
    """Means anywhere, widths ``sigma``, and weights of order 1: products of small numbers would have no slope."""
    flat = torch.zeros(shape.layout.size, dtype=torch.float64, device=run.device)
    parts = shape.layout.split(flat)
    parts["means"].uniform_(-1, 1, generator=run.generator)
    parts["sigmas"].fill_(sigma - SMALLEST)
    parts["weights"].normal_(0, (shape.gaussians * sigma) ** -0.5, generator=run.generator)
    for j in range(shape.dimensions):
        dense_layers.initialise({name: parts[f"{j}.{name}"] for name in shape.layers}, "Glorot", run.generator)
    if guesses:
        parts[COEFFICIENTS].copy_(torch.as_tensor(guesses, dtype=torch.float64))
    return SeparableNetwork(shape, dtype), flat.to(dtype)


@form("separable-gaussian-features")
def build(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Evaluate:
    """The field of a solution by the separable variant."""
    shape = sizes(SeparableShape, config)
    network = SeparableNetwork(shape, weights["weights"].dtype)
    return OfNetwork(network, weights)


__all__ = ["SeparableNetwork", "SeparableShape", "build", "start_separable"]
