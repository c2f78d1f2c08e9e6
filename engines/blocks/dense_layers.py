"""The layers of fully connected networks: their names, shapes and first weights, whatever stands between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

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


__all__ = ["Start", "initialise", "layers", "shapes"]
