"""L-BFGS with a line search to the strong Wolfe conditions, on one flat tensor, an iteration at a time.

Minimises f along d = -H g, with H in the compact form of Byrd, Nocedal & Schnabel (1994, eq. 3.1): with the m last
steps s and differences of gradients y in the rows of S and Y, R the upper triangle of S Y^T, D its diagonal and
gamma = s^T y / y^T y of the last,

    H g = gamma g + S^T b - gamma Y^T a,   a = R^-1 S g,   b = R^-T ((D + gamma Y Y^T) a - gamma Y g).

The same direction as the two loops over all pairs, in a few matrix products. The line search is that of Nocedal &
Wright (2006, alg. 3.5 and 3.6) with cubic steps. Between iterations the state is whole, so a run can be stopped,
stored and resumed after each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.linalg import solve_triangular
from torch import Tensor

Evaluate = Callable[[], tuple[Tensor, Tensor]]
"""Value () and gradient (N,) at where the parameters are now."""

SUFFICIENT, CURVATURE = 1e-4, 0.9
MOST_TRIALS = 25


class Lbfgs:
    """Works on ``flat`` (N,) in place. ``stalled`` tells that the last iteration found no lower value."""

    def __init__(self, flat: Tensor, history: int = 100, learning_rate: float = 1.0) -> None:
        self.flat, self.history, self.learning_rate = flat, history, learning_rate
        self.steps, self.changes = (flat.new_zeros(history, len(flat)) for _ in range(2))
        self.restart()

    def restart(self) -> None:
        """Forget all that was learnt, as when the function has changed."""
        self.order: list[int] = []
        """Rows of ``steps`` and ``changes`` that are in use, the oldest first."""
        self.products = np.zeros((0, 0))  # s_i . y_j
        self.squares = np.zeros((0, 0))  # y_i . y_j
        self.value: float | None = None
        self.gradient: Tensor | None = None
        self.stalled = False

    def iterate(self, evaluate: Evaluate) -> float:
        """One iteration; gives the value that was reached, which is not finite where the function is not."""
        flat = self.flat
        with torch.no_grad():
            if self.gradient is None or self.value is None:
                value, gradient = evaluate()
                self.value, self.gradient = float(value), gradient.clone()
            start, gradient = flat.detach().clone(), self.gradient
            direction = self._direction(gradient)
            slope = float(gradient @ direction)
            if not slope < 0 and self.order:  # rounding has spoilt the history
                value, kept = self.value, gradient
                self.restart()
                self.value, self.gradient = value, kept
                direction, slope = -gradient, -float(gradient @ gradient)
            if not slope < 0 or not math.isfinite(self.value):
                self.stalled = True
                return self.value
            first = self.learning_rate
            if not self.order:
                first *= min(1.0, 1.0 / float(gradient.abs().sum()))

            def trial(length: float) -> tuple[float, float, Tensor]:
                torch.add(start, direction, alpha=length, out=flat)
                value, gradient = evaluate()
                both = torch.stack([value.double(), (gradient @ direction).double()]).tolist()
                return both[0], both[1], gradient

            length, value, found = line_search(trial, self.value, slope, gradient, first)
            if length == 0.0 or not value <= self.value:
                flat.copy_(start)
                self.stalled = True
                return self.value
            step = direction * length
            torch.add(start, step, out=flat)
            self._remember(step, found - gradient)
            self.stalled = value == self.value
            self.value, self.gradient = value, found.clone()
            return value

    def _direction(self, gradient: Tensor) -> Tensor:
        if not self.order:
            return -gradient
        S, Y = self.steps[: len(self.order)], self.changes[: len(self.order)]
        p, q = torch.stack([S @ gradient, Y @ gradient]).double().cpu().numpy()[:, self.order]
        gamma = self.products[-1, -1] / self.squares[-1, -1]
        R = np.triu(self.products)
        a = solve_triangular(R, p, check_finite=False)
        right = np.diag(self.products) * a + gamma * (self.squares @ a - q)
        both = np.empty((2, len(self.order)))
        both[0, self.order] = solve_triangular(R, right, trans="T", check_finite=False)
        both[1, self.order] = gamma * a
        b, c = torch.as_tensor(both, dtype=gradient.dtype, device=gradient.device)
        return -(gamma * gradient + b @ S - c @ Y)

    def _remember(self, step: Tensor, change: Tensor) -> None:
        S, Y = self.steps[: len(self.order)], self.changes[: len(self.order)]
        dots = torch.stack([step @ change, change @ change, step @ step])
        told = torch.cat([dots, S @ change, Y @ change, Y @ step]).double().cpu().numpy()
        (along, square, length), (column, squares, row) = told[:3], told[3:].reshape(3, -1)
        if not along > 1e-10 * math.sqrt(square * length):
            return
        order = self.order
        column, squares, row = column[order], squares[order], row[order]
        if len(order) == self.history:
            place = order.pop(0)
            self.products, self.squares = self.products[1:, 1:], self.squares[1:, 1:]
            column, squares, row = column[1:], squares[1:], row[1:]
        else:
            place = len(order)
        order.append(place)
        self.steps[place], self.changes[place] = step, change
        self.products = _bordered(self.products, [*row, along], [*column, along])
        self.squares = _bordered(self.squares, [*squares, square], [*squares, square])

    def state(self) -> dict[str, Any]:
        """What it takes to go on; its pairs are not copied, so it holds until the next iteration has ended."""
        used = len(self.order)
        return {
            "steps": self.steps[:used], "changes": self.changes[:used], "order": list(self.order),
            "products": self.products, "squares": self.squares, "value": self.value, "gradient": self.gradient,
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.order = list(state["order"])
        self.steps[: len(self.order)], self.changes[: len(self.order)] = state["steps"], state["changes"]
        self.products, self.squares = state["products"], state["squares"]
        self.value, self.gradient = state["value"], state["gradient"]


def _bordered(square: np.ndarray, row: list[float], column: list[float]) -> np.ndarray:
    size = len(square)
    found = np.empty((size + 1, size + 1))
    found[:size, :size] = square
    found[size], found[:, size] = row, column
    return found


Trial = Callable[[float], tuple[float, float, Tensor]]
"""Value, slope and gradient at a length along the direction."""


def line_search(
    trial: Trial, value: float, slope: float, gradient: Tensor, first: float
) -> tuple[float, float, Tensor]:
    """A length that fulfils the strong Wolfe conditions, with its value and gradient; the lowest found where none does.

    ``value``, ``slope`` and ``gradient`` are those at length 0.
    """
    low = (0.0, value, slope, gradient)
    before, length = low, first
    best = low
    for count in range(MOST_TRIALS):
        at = (length, *trial(length))
        if math.isfinite(at[1]) and at[1] < best[1]:
            best = at
        if not math.isfinite(at[1]):  # too far: come back
            length = before[0] + 0.1 * (length - before[0])
            continue
        if at[1] > value + SUFFICIENT * length * slope or (count and at[1] >= before[1]):
            return _zoom(trial, value, slope, before, at, best, MOST_TRIALS - count - 1)
        if abs(at[2]) <= -CURVATURE * slope:
            return at[0], at[1], at[3]
        if at[2] >= 0:
            return _zoom(trial, value, slope, at, before, best, MOST_TRIALS - count - 1)
        longer = _cubic(before, at, at[0] + 0.01 * (at[0] - before[0]), 10 * at[0])
        before, length = at, longer
    return best[0], best[1], best[3]


Sample = tuple[float, float, float, Tensor]


def _zoom(
    trial: Trial, value: float, slope: float, low: Sample, high: Sample, best: Sample, trials: int
) -> tuple[float, float, Tensor]:
    """Between ``low``, the lowest so far that decreases enough, and ``high``."""
    slow = False
    for _ in range(trials):
        left, right = sorted((low[0], high[0]))
        width = right - left
        if width * abs(slope) < 1e-15 * max(1e-300, abs(value)) or width < 1e-12 * max(right, 1e-300):
            break
        length = _cubic(low, high, left, right)
        if min(length - left, right - length) < 0.1 * width:  # the interval must shrink
            if slow or length in (left, right):
                length = left + 0.1 * width if length - left < right - length else right - 0.1 * width
            slow = True
        else:
            slow = False
        at = (length, *trial(length))
        if math.isfinite(at[1]) and at[1] < best[1]:
            best = at
        if not at[1] <= value + SUFFICIENT * length * slope or at[1] >= low[1]:
            high = at if math.isfinite(at[1]) else (length, math.inf, math.inf, at[3])
            continue
        if abs(at[2]) <= -CURVATURE * slope:
            return at[0], at[1], at[3]
        if at[2] * (high[0] - low[0]) >= 0:
            high = low
        low = at
    return best[0], best[1], best[3]


def _cubic(one: Sample, other: Sample, lowest: float, highest: float) -> float:
    """Minimum of the cubic through two values and slopes, within bounds."""
    (a, fa, ga, _), (b, fb, gb, _) = (one, other) if one[0] <= other[0] else (other, one)
    middle = 0.5 * (lowest + highest)
    if a == b or not all(map(math.isfinite, (fa, fb, ga, gb))):
        return middle
    d1 = ga + gb - 3 * (fa - fb) / (a - b)
    under = d1 * d1 - ga * gb
    if under < 0:
        return middle
    d2 = math.sqrt(under)
    below = gb - ga + 2 * d2
    if below == 0:
        return middle
    return min(max(b - (b - a) * ((gb + d2 - d1) / below), lowest), highest)


__all__ = ["Evaluate", "Lbfgs", "line_search"]
