"""Networks that do not learn any more: all layers at once, for a few rows after the other.

    x_1 = f(W_0 x_0 + b_0),   x_2 = f(W_1 x_1 + b_1),   …,   y = g(W x + b)

What goes from layer to layer stays in the processor's cache, biases and functions cost no passes of their own, and all
threads meet only once, at the end: on a machine that has other work they need not wait for each other at each layer.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import linear

from engines.blocks import compiled_library
from engines.blocks.activations.softplus import softplus

Between = Literal["nothing", "relu", "softplus", "sigmoid"]
CODES: dict[Between, int] = {"nothing": 0, "relu": 1, "softplus": 2, "sigmoid": 3}
PANEL = 16


def library() -> ctypes.CDLL | None:
    """The library beside this file; None where it was not built or does not load."""
    return compiled_library.load(Path(__file__).parent, "network_forward")


class FrozenNetwork:
    """Layers with weights (outputs, inputs), held as they are on their device, and packed for the CPU.

    ``joined`` is the number of the layer, from 0, that sees the input x_0 once more, if one does: its weights are those
    of x first, then those of x_0.
    """

    def __init__(
        self, weights: Sequence[Tensor], between: Between, last: Between = "nothing", *, beta: float = 1.0,
        joined: int | None = None,
    ) -> None:  # fmt: skip
        self.weights = [weight.detach().clone() for weight in weights]
        self.inputs, self.beta, self.joined = self.weights[0].shape[1], beta, joined
        self.after: list[Between] = [between] * (len(weights) - 1) + [last]
        like = self.weights[0]
        self.serves = like.device.type == "cpu" and like.dtype == torch.float32 and library() is not None
        if self.serves:
            self._pack()

    def __call__(self, x: Tensor, biases: Sequence[Tensor]) -> Tensor:
        """(P, outputs) of x (P, inputs), with biases (outputs,) of each layer; without derivatives."""
        if not self.serves:
            return self._by_torch(x, biases)
        lib = library()
        assert lib is not None
        given = x.detach().contiguous()
        held = given.new_zeros(sum(self.padded))
        for part, bias in zip(held.split(self.padded), biases, strict=True):
            part[: len(bias)] = bias
        found = given.new_empty(len(given), len(self.weights[-1]))
        compiled_library.call(
            lib, "network_forward", len(given), given, found, self.inputs, len(self.weights), self.sizes, self.packed,
            held, float(self.beta), torch.get_num_threads(),
        )  # fmt: skip
        return found

    @torch.no_grad()
    def _by_torch(self, x: Tensor, biases: Sequence[Tensor]) -> Tensor:
        start = x
        for layer, (weight, bias, after) in enumerate(zip(self.weights, biases, self.after, strict=True)):
            x = linear(torch.cat([x, start], dim=1) if layer == self.joined else x, weight, bias)
            if after == "relu":
                x = x.relu_()
            elif after == "softplus":
                x = softplus(x, self.beta)
            elif after == "sigmoid":
                x = x.sigmoid_()
        return x

    def _pack(self) -> None:
        """Panels of 16 outputs, (panels, inputs, 16), filled up with zeros."""
        parts, sizes = [], []
        for layer, (weight, after) in enumerate(zip(self.weights, self.after, strict=True)):
            again = layer == self.joined
            outputs, width = len(weight), weight.shape[1] - (self.inputs if again else 0)
            filled = torch.nn.functional.pad(weight, (0, 0, 0, -outputs % PANEL))
            for part in filled.split([width, self.inputs], dim=1) if again else (filled,):
                parts.append(part.reshape(-1, PANEL, part.shape[1]).transpose(1, 2).flatten())
            sizes.append([width, outputs, CODES[after], int(again)])
        self.packed = torch.cat(parts)
        self.sizes = torch.tensor(sizes, dtype=torch.int32)
        self.padded = [outputs - outputs % -PANEL for _, outputs, *_ in sizes]
