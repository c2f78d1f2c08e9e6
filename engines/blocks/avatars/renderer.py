"""The neural renderer of XHand (Gan et al. 2024): the colour of a pixel from what the mesh shows there.

    rgb = sigmoid(MLP([PE(x), I, n, albedo, code, PE(ray), theta]))

x is the point seen, I its Lambertian colour, n its normal, ``code`` the numbers z of displacement and albedo with a
code of the renderer's own, ``ray`` the unit direction of sight and theta the pose; all in the world's frame. Eight
layers with ReLU between them; the input joins again before the fourth. It sees everything detached, so that it cannot
bend the surface to paint better.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from engines.blocks.activations.frozen_network import FrozenNetwork
from engines.blocks.meshes.encoding import SIZE as ENCODED
from engines.blocks.meshes.encoding import positional_encoding

LAYERS = 8
JOINED = 3
"""The layer, counted from 0, that sees the input again."""
COLOURS = 3


@dataclass(frozen=True)
class Seen:
    """What P pixels show, each (P, C); ``pose`` (3 J,) is the same for all."""

    points: Tensor
    shaded: Tensor
    normals: Tensor
    albedo: Tensor
    codes: Tensor
    rays: Tensor
    pose: Tensor

    def features(self) -> Tensor:
        """(P, 183 + codes) everything but the pose, in the order of the formula."""
        parts = [
            positional_encoding(self.points), self.shaded, self.normals, self.albedo, self.codes,
            positional_encoding(self.rays),
        ]  # fmt: skip
        return torch.cat(parts, dim=1)


class NeuralRenderer(nn.Module):
    """``codes`` numbers of a code and ``pose`` of a pose: 223 + 48 = 271 inputs for 40 and 16 joints."""

    def __init__(self, codes: int, pose: int, width: int, draw: torch.Generator) -> None:
        super().__init__()
        self.own = 2 * ENCODED + 3 * COLOURS + codes
        self.inputs = self.own + pose
        sizes = [self.inputs, *[width] * (LAYERS - 1), COLOURS]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for layer, (before, after) in enumerate(pairwise(sizes)):
            fan = before + (self.inputs if layer == JOINED else 0)
            # Signals keep their size through the layers (He et al. 2015). With what torch starts from they fade, and
            # for its first hundreds of steps the renderer knows one colour.
            drawn = torch.randn(after, fan, generator=draw, device=draw.device)
            self.weights.append(nn.Parameter(drawn * ((2 if layer < LAYERS - 1 else 1) / fan) ** 0.5))
            self.biases.append(nn.Parameter(drawn.new_zeros(after)))

    def forward(self, seen: Seen) -> Tensor:
        """(P, 3) colours in [0, 1]. No derivative reaches ``seen``, but for codes that ask for it."""
        features, pose = seen.features(), seen.pose.detach()
        x = features
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer in (0, JOINED):
                # The pose is the same everywhere: its part of the product is found once.
                bias = bias + weight[:, -len(pose) :] @ pose
                weight = weight[:, : -len(pose)]
            if layer == JOINED:
                again = linear(features, weight[:, -self.own :], bias)
                x = torch.addmm(again, x, weight[:, : -self.own].T)
            else:
                x = linear(x, weight, bias)
            if layer < LAYERS - 1:
                x = x.relu_()
        return x.sigmoid()


class FrozenRenderer:
    """A renderer that does not learn any more."""

    def __init__(self, renderer: NeuralRenderer) -> None:
        with torch.no_grad():
            split = [
                w.tensor_split([w.shape[1] - n], dim=1) for w, n in zip(renderer.weights, _poses(renderer), strict=True)
            ]
            self.by_pose = [by_pose.clone() for _, by_pose in split]
            self.biases = [bias.detach().clone() for bias in renderer.biases]
            self.network = FrozenNetwork([rest for rest, _ in split], "relu", "sigmoid", joined=JOINED)

    @torch.no_grad()
    def __call__(self, seen: Seen) -> Tensor:
        """As the renderer's own, to rounding."""
        biases = [
            bias + by_pose @ seen.pose if by_pose.shape[1] else bias
            for bias, by_pose in zip(self.biases, self.by_pose, strict=True)
        ]
        return self.network(seen.features(), biases)


def _poses(renderer: NeuralRenderer) -> list[int]:
    """How many of a layer's inputs are the pose; they are the last."""
    return [renderer.inputs - renderer.own if layer in (0, JOINED) else 0 for layer in range(LAYERS)]
