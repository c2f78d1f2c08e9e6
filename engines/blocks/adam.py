"""Adam for one flat tensor, with L2 weight decay added to the gradient.

    g <- g + w theta,   m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) g^2
    theta <- theta - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

The same as torch.optim.Adam, whose import alone takes seconds because it loads torch's compiler.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Adam:
    """Moments of a tensor of parameters; :meth:`state` is what it takes to go on."""

    def __init__(
        self, parameters: Tensor, weight_decay: float = 0.0, betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        self.parameters, self.weight_decay, self.betas = parameters, weight_decay, betas
        self.first, self.second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.steps = 0

    @torch.no_grad()
    def step(self, gradient: Tensor, learning_rate: float, epsilon: float = 1e-8) -> None:
        """Move the parameters in place. ``gradient`` is left as it is."""
        self.steps += 1
        b1, b2 = self.betas
        gradient = gradient.add(self.parameters, alpha=self.weight_decay)
        self.first.lerp_(gradient, 1 - b1)
        self.second.mul_(b2).addcmul_(gradient, gradient, value=1 - b2)
        spread = self.second.sqrt().div_((1 - b2**self.steps) ** 0.5).add_(epsilon)
        self.parameters.addcdiv_(self.first, spread, value=-learning_rate / (1 - b1**self.steps))

    def state(self) -> dict[str, Any]:
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.first.copy_(state["first"])
        self.second.copy_(state["second"])
        self.steps = int(state["steps"])
