"""Differentiation on the nodes of an axis: Chebyshev, Fourier and second-order finite differences.

Spectral matrices as in Trefethen, Spectral Methods in MATLAB (2000), ch. 3 and 6; barycentric interpolation as in
Berrut and Trefethen, SIAM Review 46 (2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import toeplitz


@dataclass(frozen=True)
class DifferentiatedAxis:
    """Nodes (N,) and matrices (N, N) of d/dx and d^2/dx^2, dense or sparse. A periodic axis lacks its upper end."""

    nodes: np.ndarray
    first: Any
    second: Any
    is_periodic: bool = False
    kind: str = ""

    def matrix(self, order: int) -> Any:
        """Of the ``order``-th derivative, by products of those of first and second order."""
        if order == 0:
            return sp.identity(len(self.nodes), format="csr") if sp.issparse(self.first) else np.eye(len(self.nodes))
        found = self.second if order > 1 else self.first
        for _ in range(order // 2 - 1):
            found = found @ self.second
        return found @ self.first if order > 1 and order % 2 else found

    def interpolation(self, at: np.ndarray) -> np.ndarray:
        """(M, N) matrix that takes values at the nodes to values at ``at`` (M,), as exactly as the nodes allow."""
        if self.kind == "chebyshev":
            return _barycentric(self.nodes, at)
        if self.kind == "fourier":
            return _trigonometric(self.nodes, at)
        place = np.searchsorted(self.nodes, at, side="right").clip(1, len(self.nodes) - 1) - 1
        part = (at - self.nodes[place]) / (self.nodes[place + 1] - self.nodes[place])
        found = np.zeros((len(at), len(self.nodes)))
        rows = np.arange(len(at))
        found[rows, place], found[rows, place + 1] = 1 - part, part
        return found


def chebyshev(count: int, lower: float, upper: float) -> DifferentiatedAxis:
    """``count`` Chebyshev points of the second kind, rising, with both ends."""
    x = -np.cos(np.pi * np.arange(count) / (count - 1))
    c = np.ones(count)
    c[[0, -1]] = 2
    c *= (-1.0) ** np.arange(count)
    # Differences by sines of half sums are exact to rounding where those of cosines cancel.
    angle = np.pi * np.arange(count) / (count - 1)
    apart = 2 * np.sin((angle[:, None] + angle) / 2) * np.sin((angle[:, None] - angle) / 2)
    D = np.outer(c, 1 / c) / (apart + np.eye(count))
    D -= np.diag(D.sum(1))
    scale = 2 / (upper - lower)
    second = D @ D
    second -= np.diag(second.sum(1))  # constants have no second derivative, rounding or not
    return DifferentiatedAxis(lower + (x + 1) / scale, scale * D, scale**2 * second, kind="chebyshev")


def fourier(count: int, lower: float, upper: float) -> DifferentiatedAxis:
    """``count`` even nodes of a periodic axis."""
    h = 2 * np.pi / count
    scale = 2 * np.pi / (upper - lower)
    j = np.arange(1, count)
    sign = 0.5 * (-1.0) ** j
    if count % 2:
        column = np.concatenate([[0], sign / np.sin(j * h / 2)])
        second = np.concatenate([[-(np.pi**2) / (3 * h**2) + 1 / 12], -sign / (np.sin(j * h / 2) * np.tan(j * h / 2))])
    else:
        column = np.concatenate([[0], sign / np.tan(j * h / 2)])
        second = np.concatenate([[-(np.pi**2) / (3 * h**2) - 1 / 6], -sign / np.sin(j * h / 2) ** 2])
    nodes = lower + (upper - lower) * np.arange(count) / count
    return DifferentiatedAxis(nodes, scale * toeplitz(column, -column), scale**2 * toeplitz(second), True, "fourier")


def finite_differences(count: int, lower: float, upper: float, periodic: bool = False) -> DifferentiatedAxis:
    """``count`` even nodes with second-order differences: central inside, one-sided at the ends."""
    h = (upper - lower) / (count if periodic else count - 1)
    nodes = lower + h * np.arange(count)
    ones = np.ones(count)
    first = sp.diags([-ones[1:] / 2, ones[1:] / 2], [-1, 1], format="lil")
    second = sp.diags([ones[1:], -2 * ones, ones[1:]], [-1, 0, 1], format="lil")
    if periodic:
        first[0, -1], first[-1, 0] = -0.5, 0.5
        second[0, -1] = second[-1, 0] = 1
    else:
        first[0, :3], first[-1, -3:] = [-1.5, 2, -0.5], [0.5, -2, 1.5]
        second[0, :4], second[-1, -4:] = [2, -5, 4, -1], [-1, 4, -5, 2]
    return DifferentiatedAxis(nodes, first.tocsr() / h, second.tocsr() / h**2, periodic, "differences")


def on_grid(axes: Sequence[DifferentiatedAxis], orders: Sequence[int]) -> Any:
    """The matrix of a partial derivative for values on the tensor grid, the last axis fastest."""
    found = axes[0].matrix(orders[0])
    for axis, order in zip(axes[1:], orders[1:], strict=True):
        part = axis.matrix(order)
        found = sp.kron(found, part, format="csr") if sp.issparse(found) or sp.issparse(part) else np.kron(found, part)
    return found


def _barycentric(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] /= 2
    apart = at[:, None] - nodes
    hit = apart == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = weights / apart
        found = terms / terms.sum(1, keepdims=True)
    exact = hit.any(1)
    found[exact] = hit[exact]
    return found


def _trigonometric(nodes: np.ndarray, at: np.ndarray) -> np.ndarray:
    count = len(nodes)
    length = (nodes[1] - nodes[0]) * count
    half = np.pi * (at[:, None] - nodes) / length
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.sin(count * half) / (count * (np.sin(half) if count % 2 else np.tan(half)))
    near = np.abs(np.sin(half)) < 1e-12
    found[near.any(1)] = near[near.any(1)]
    return found


__all__ = ["DifferentiatedAxis", "chebyshev", "finite_differences", "fourier", "on_grid"]
