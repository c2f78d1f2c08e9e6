"""The feature embedding of XHand (Gan et al. 2024): what each vertex of a surface is like in a pose.

With the pose c and a learned code l_v of each vertex,

    z_v = MLP([c, l_v]),      f_v = mean_v + z_v softmax(Q)

where the MLP's layers are weight-normalised (W = g V / |V| by rows; Salimans and Kingma 2016) with softplus (beta 100)
between them, and Q (K, D) mixes the K numbers of z into the D of f; the softmax goes down each of its columns. The same
thing serves three times: for displacements (D = 3), logits of the albedo (3) and logarithms of skinning weights (J).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from engines.blocks.activations.frozen_network import FrozenNetwork
from engines.blocks.activations.softplus import softplus

SHARPNESS = 100.0
"""beta of softplus(x) = log(1 + exp(beta x)) / beta."""
SMALL = 1e-3
"""Length of the last layer's rows, at the mean."""
Start = Literal["published", "at the mean"]


class NormedLinear(nn.Module):
    """y = (g V / |V|) x + b, with |V| by rows."""

    def __init__(self, inputs: int, outputs: int, mean: float, spread: float, bias: float, draw: torch.Generator):
        super().__init__()
        drawn = torch.randn(outputs, inputs, generator=draw, device=draw.device)
        self.direction = nn.Parameter(mean + spread * drawn)
        self.length = nn.Parameter(self.direction.detach().norm(dim=1))
        self.bias = nn.Parameter(torch.full((outputs,), bias, device=draw.device))

    @property
    def weight(self) -> Tensor:
        """(outputs, inputs)."""
        return self.direction * (self.length / self.direction.norm(dim=1))[:, None]


class FeatureEmbedding(nn.Module):
    """Values (N, D) of N vertices in a pose, about their ``mean`` (N, D), and the numbers z (N, K) behind them.

    ``conditions`` numbers describe a pose. Where it is not ``active`` z is 0 and the values are the mean, exactly.

    The published start makes every z about 1 - |c|: displacements of a metre, which a long training forgets in its
    first epochs. The start "at the mean" makes the last layer so small that the values are the mean to about 1e-3.
    ``unit`` is what one of z counts in the values: f = mean + unit z softmax(Q), published as 1.
    """

    def __init__(
        self, mean: Tensor, conditions: int, width: int, depth: int, draw: torch.Generator, *,
        numbers: int = 10, code: int = 10, start: Start = "published", unit: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", mean.detach().clone())
        self.codes = nn.Parameter(mean.new_zeros(len(mean), code))
        self.mixing = nn.Parameter(mean.new_zeros(numbers, mean.shape[1]))
        self.active, self.unit = True, unit
        sizes = [conditions + code, *[width] * depth]
        hidden = [
            NormedLinear(before, after, 0.0, math.sqrt(2 / after), 0.0, draw)
            for before, after in itertools.pairwise(sizes)
        ]
        published = start == "published"
        toward, spread = (-math.sqrt(math.pi / sizes[-1]), 1e-4) if published else (0.0, 1.0)
        last = NormedLinear(sizes[-1], numbers, toward, spread, 1.0 if published else 0.0, draw)
        if not published:
            last.length.data.fill_(SMALL)
        self.layers = nn.ModuleList([*hidden, last])

    def folded(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each layer."""
        return [(layer.weight, layer.bias) for layer in self.layers]  # type: ignore[misc]

    def forward(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Values (N, D) and z (N, K) in the pose ``condition`` (C,)."""
        if not self.active:
            return self.mean, self.mean.new_zeros(len(self.codes), len(self.mixing))
        layers = self.folded()
        weight, _ = layers[0]
        by_code = self.codes @ weight[:, len(condition) :].T
        return self.values(self.numbers(condition, by_code, layers))

    def values(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """f of z, and z."""
        return self.mean + z @ (self.unit * self.mixing.softmax(0)), z

    @staticmethod
    def numbers(condition: Tensor, by_code: Tensor, layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """z (N, K). The pose is the same for all vertices: the first layer meets it once, and the codes apart."""
        weight, bias = layers[0]
        x = by_code + (weight[:, : len(condition)] @ condition + bias)
        for weight, bias in layers[1:]:
            x = linear(softplus(x, SHARPNESS), weight, bias)
        return x


class FrozenEmbedding:
    """An embedding that does not learn any more: what no pose changes is made ready once."""

    def __init__(self, embedding: FeatureEmbedding) -> None:
        self.active = embedding.active
        self.mean = embedding.mean.detach().clone()
        self.kinds = len(embedding.mixing)
        self.codes = embedding.codes.detach().clone()
        with torch.no_grad():
            weights, self.biases = zip(*((w.clone(), b.clone()) for w, b in embedding.folded()), strict=True)
            self.by_condition, by_code = weights[0].split(
                [weights[0].shape[1] - self.codes.shape[1], self.codes.shape[1]], 1
            )
            self.network = FrozenNetwork([by_code, *weights[1:]], "softplus", beta=SHARPNESS)
            self.mixing = embedding.unit * embedding.mixing.softmax(0)

    @torch.no_grad()
    def __call__(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """As the embedding's own, to rounding."""
        if not self.active:
            return self.mean, self.mean.new_zeros(len(self.mean), self.kinds)
        z = self.network(self.codes, [self.biases[0] + self.by_condition @ condition, *self.biases[1:]])
        return self.mean + z @ self.mixing, z


LOG_SCALE, LOG_FLOOR = 1000.0, 1e-6


def log_weights(weights: Tensor) -> Tensor:
    """log(1000 (w + 1e-6)): what the softmax over the joints turns into the skinning weights w again, to J * 1e-6."""
    return torch.log(LOG_SCALE * (weights + LOG_FLOOR))
