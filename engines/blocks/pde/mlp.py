"""Small fully connected networks with tanh between their layers, and their derivatives in closed form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from engines.blocks.dense_layers import layers
from engines.blocks.pde.derivatives import Activation, Index, Jets, activated, closure, linear, of_coordinates, tanh


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


__all__ = ["jets", "jets_at", "values"]
