"""Small fully connected networks with tanh between their layers, and their derivatives in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from engines.blocks.pde.derivatives import Activation, Index, Jets, activated, closure, linear, of_coordinates, tanh

Start = Literal["Glorot", "uniform"]


def shapes(sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the layers between widths such as (2, 25, 25, 1)."""
    found: dict[str, tuple[int, ...]] = {}
    for k in range(len(sizes) - 1):
        found |= {f"weight.{k}": (sizes[k + 1], sizes[k]), f"bias.{k}": (sizes[k + 1],)}
    return found


def initialise(parts: Mapping[str, Tensor], start: Start, generator: torch.Generator) -> None:
    """Fill the layers in place: Glorot's normal weights and no bias, or both uniform in +-1 / sqrt(inputs)."""
    for name, part in parts.items():
        if name.startswith("weight."):
            outputs, inputs = part.shape
            if start == "Glorot":
                part.normal_(0, math.sqrt(2 / (inputs + outputs)), generator=generator)
                continue
            bound = 1 / math.sqrt(inputs)
            part.uniform_(-bound, bound, generator=generator)
            parts[name.replace("weight", "bias")].uniform_(-bound, bound, generator=generator)
        elif start == "Glorot" and name.startswith("bias."):
            part.zero_()


def layers(parts: Mapping[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """(weight, bias) of each layer, in order."""
    count = sum(name.startswith("weight.") for name in parts)
    return [(parts[f"weight.{k}"], parts[f"bias.{k}"]) for k in range(count)]


def jets(inputs: Jets, parts: Mapping[str, Tensor], indices: Iterable[Index], f: Activation = tanh) -> Jets:
    """Jets of the network over jets of its inputs, for ``indices`` of order 2 at most and all below them."""
    indices = closure(indices)
    first, *others = layers(parts)
    found = linear(inputs, *first)
    for weight, bias in others:
        found = linear(activated(found, f, indices), weight, bias)
    return found


def values(x: Tensor, parts: Mapping[str, Tensor], f: Activation = tanh) -> Tensor:
    """(P, outputs) at x (P, inputs)."""
    first, *others = layers(parts)
    x = torch.addmm(first[1], x, first[0].T)
    for weight, bias in others:
        x = torch.addmm(bias, f(x, 0)[0], weight.T)
    return x


def jets_at(
    points: Tensor, scale: Sequence[float], parts: Mapping[str, Tensor], indices: Iterable[Index], f: Activation = tanh
) -> Jets:
    """Jets of the network over coordinates; ``points`` are scaled already, ``scale`` says how much along each axis."""
    indices = closure(indices)
    return jets(of_coordinates(points, indices, scale), parts, indices, f)


__all__ = ["Start", "initialise", "jets", "jets_at", "layers", "shapes", "values"]
