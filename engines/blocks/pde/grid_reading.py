"""A field that is given at the nodes of a tensor grid, read anywhere in its box, on any device.

Cubic splines along each axis carry it to an even grid of nodes so near that reading between these linearly does no
harm: with nodes eight times as near, the linear part is within a 64th of the grid's own linear error.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.interpolate import make_interp_spline
from torch import Tensor

MOST_NODES = 4_000_000
"""Of the finer grid, all components together."""


def reader(values: np.ndarray, axes: Sequence[np.ndarray]) -> Callable[[Tensor], Tensor]:
    """``read(points (P, D)) -> (P, C)`` of values (C, X[, Y[, Z]]) at nodes along ``axes``.

    Beyond the box it goes on as at its edge.
    """
    fine, lower, upper = _refined(np.asarray(values, float), axes)
    kept = torch.tensor(fine.reshape(len(fine), -1).T.copy())
    shape = fine.shape[1:]
    strides = [int(np.prod(shape[k + 1 :])) for k in range(len(shape))]
    on = functools.cache(lambda device, dtype: kept.to(device, dtype))

    def read(points: Tensor) -> Tensor:
        table = on(points.device, points.dtype)
        cells, parts = [], []
        for k, column in enumerate(points.unbind(1)):
            place = ((column - lower[k]) * ((shape[k] - 1) / (upper[k] - lower[k]))).clamp(0, shape[k] - 1)
            cell = place.floor().clamp(max=shape[k] - 2)
            cells.append(cell.long())
            parts.append(place - cell)
        total = torch.zeros(len(points), table.shape[1], dtype=points.dtype, device=points.device)
        for corner in itertools.product((0, 1), repeat=len(shape)):
            weight, index = torch.ones_like(parts[0]), torch.zeros_like(cells[0])
            for k, far in enumerate(corner):
                weight = weight * (parts[k] if far else 1 - parts[k])
                index = index + (cells[k] + far) * strides[k]
            total = total + weight[:, None] * table[index]
        return total

    return read


def _refined(values: np.ndarray, axes: Sequence[np.ndarray]) -> tuple[np.ndarray, list[float], list[float]]:
    room = max(1.0, MOST_NODES / values.size) ** (1 / len(axes))
    finer = int(min(8, room))
    for k, nodes in enumerate(axes, 1):
        even = np.linspace(nodes[0], nodes[-1], finer * (len(nodes) - 1) + 1)
        values = make_interp_spline(nodes, values, k=min(3, len(nodes) - 1), axis=k)(even)
    return values, [float(a[0]) for a in axes], [float(a[-1]) for a in axes]


__all__ = ["reader"]
