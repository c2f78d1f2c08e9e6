"""Accelerated gradient descent (Nesterov 1983) whose steps are found by trying, on one flat tensor.

    x+ = y - g(y) / L,   y+ = x+ + (t - 1)/t+ (x+ - x),   t+ = (1 + sqrt(1 + 4 t^2)) / 2

L doubles until f(x+) <= f(y) - |g(y)|^2 / (2 L), and falls by a tenth after each iteration; where the step goes
uphill, g(y).(x+ - x) > 0, the momentum starts again (O'Donoghue & Candès 2015). Stands in for
:class:`engines.blocks.lbfgs.Lbfgs`, of which it has what a caller uses.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from engines.blocks.lbfgs import Evaluate

MOST_DOUBLINGS = 60


class AcceleratedGradient:
    """Works on ``flat`` (N,) in place. ``stalled`` tells that no step was short enough to go down."""

    def __init__(self, flat: Tensor) -> None:
        self.flat, self.lipschitz = flat, 1.0
        self.restart()

    def restart(self) -> None:
        """Forget all that was learnt but the size of the steps."""
        self.ahead, self.momentum = self.flat.clone(), 1.0
        self.value: float | None = None
        self.gradient: Tensor | None = None
        self.stalled = False

    @torch.no_grad()
    def iterate(self, evaluate: Evaluate) -> float:
        """One iteration: two evaluations or more. Gives the value that was reached."""
        start = self.flat.clone()
        self.flat.copy_(self.ahead)
        value, gradient = evaluate()
        value, square = float(value), float(gradient @ gradient)
        for _ in range(MOST_DOUBLINGS):
            torch.add(self.ahead, gradient, alpha=-1 / self.lipschitz, out=self.flat)
            reached, slope = evaluate()
            # Rounding of the values must not be taken for going uphill.
            if float(reached) <= value - square / (2 * self.lipschitz) + 1e-15 * abs(value):
                break
            self.lipschitz *= 2
        else:
            self.flat.copy_(start)
            self.stalled = True
            return value if self.value is None else self.value
        step = self.flat - start
        if float(gradient @ step) > 0:
            self.ahead, self.momentum = self.flat.clone(), 1.0
        else:
            after = (1 + math.sqrt(1 + 4 * self.momentum**2)) / 2
            self.ahead = self.flat + (self.momentum - 1) / after * step
            self.momentum = after
        self.lipschitz *= 0.9
        self.value, self.gradient = float(reached), slope.clone()
        return self.value

    def state(self) -> dict[str, Any]:
        """What it takes to go on."""
        return {
            "ahead": self.ahead, "momentum": self.momentum, "lipschitz": self.lipschitz,
            "value": self.value, "gradient": self.gradient,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.ahead = state["ahead"].clone()
        self.momentum, self.lipschitz = float(state["momentum"]), float(state["lipschitz"])
        self.value, self.gradient = state["value"], state["gradient"]


__all__ = ["AcceleratedGradient"]
