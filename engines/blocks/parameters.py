"""All parameters of a model in one flat tensor, and what they are called: an optimiser step is one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the parts, in the order of the flat tensor."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        return sum(math.prod(shape) for shape in self.shapes.values())

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of ``flat`` (size,) by name, through which gradients flow."""
        pieces = flat.split([math.prod(shape) for shape in self.shapes.values()])
        return {name: piece.view(shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)}

    def join(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The inverse of :meth:`split`. Raises KeyError or RuntimeError when names or shapes do not fit."""
        return torch.cat([parts[name].reshape(shape).flatten() for name, shape in self.shapes.items()])

    def arrays(self, flat: Tensor) -> dict[str, np.ndarray]:
        """Copies by name, for a solution."""
        return {name: part.detach().cpu().numpy().copy() for name, part in self.split(flat).items()}


__all__ = ["Layout"]
