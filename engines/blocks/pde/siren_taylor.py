"""Derivatives of networks of sines of any order, by multi-index.

Up to order two they come from :mod:`engines.blocks.pde.siren`. Above, Taylor coefficients z_0 .. z_k along a direction
pass through each layer; those of s = sin z and c = cos z follow one another (Griewank and Walther 2008, ch. 13),

    k s_k = sum_j j z_j c_{k-j},        k c_k = -sum_j j z_j s_{k-j},

and a mixed derivative is a fixed combination of derivatives along directions v with whole entries that add up to its
order k: d_v^k = sum over |a| = k of k!/a! v^a d^a, solved once for the d^a. Gradients are left to autograd there.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.siren import Quadratic, SirenShape, jets

Index = tuple[int, ...]


@dataclass(frozen=True)
class JetPlan:
    """Which streams give the derivatives that are wanted; ``jets`` evaluates them."""

    wanted: tuple[Index, ...]
    axes: tuple[int, ...]
    forms: tuple[Quadratic, ...]
    seconds: tuple[Index, ...]
    higher: tuple[int, ...]

    @classmethod
    def of(cls, wanted: Iterable[Index]) -> JetPlan:
        """For multi-indices over the coordinates in space."""
        found = tuple(sorted(set(wanted)))
        low = [i for i in found if 1 <= sum(i) <= 2]
        axes = tuple(sorted({a for i in low for a, times in enumerate(i) if times}))
        seconds = tuple(i for i in low if sum(i) == 2)
        forms = tuple(_quadratic(i, axes) for i in seconds)
        return cls(found, axes, forms, seconds, tuple(sorted({sum(i) for i in found if sum(i) > 2})))

    def jets(self, shape: SirenShape, flat: Tensor, points: Tensor) -> dict[Index, Tensor]:
        """(P, C) of each multi-index; gradients flow to ``flat``."""
        u, first, second = jets(shape, flat, points, self.axes, self.forms)
        found = {(0,) * shape.inputs: u}
        for axis, values in zip(self.axes, first, strict=True):
            found[tuple(int(a == axis) for a in range(shape.inputs))] = values
        found |= dict(zip(self.seconds, second, strict=True))
        for order in self.higher:
            found |= _of_order(shape, flat, points, order, tuple(i for i in self.wanted if sum(i) == order))
        return found


def _quadratic(index: Index, axes: tuple[int, ...]) -> Quadratic:
    pair = [axes.index(a) for a, times in enumerate(index) for _ in range(times)]
    return {(pair[0], pair[1]): 1.0}


@functools.lru_cache(maxsize=64)
def _directions(dimensions: int, order: int) -> tuple[np.ndarray, tuple[Index, ...], np.ndarray]:
    """Directions (N, D), the multi-indices of the order, and the matrix from d_v^k to d^a."""
    indices = tuple(i for i in itertools.product(range(order + 1), repeat=dimensions) if sum(i) == order)
    directions = np.array(indices, float)
    counts = np.array([math.factorial(order) / math.prod(map(math.factorial, i)) for i in indices])
    powers = np.prod(directions[:, None, :] ** np.array(indices)[None], axis=2)
    return directions, indices, np.linalg.inv(powers * counts)


def _of_order(
    shape: SirenShape, flat: Tensor, points: Tensor, order: int, wanted: tuple[Index, ...]
) -> dict[Index, Tensor]:
    directions, indices, mixing = _directions(shape.inputs, order)
    rows = mixing[[indices.index(i) for i in wanted]]
    used = np.flatnonzero(np.abs(rows).max(0) > 1e-12)
    along = torch.stack([taylor(shape, flat, points, directions[n], order)[order] for n in used])
    table = tuple(map(tuple, (rows[:, used] * math.factorial(order)).tolist()))
    mix = _constant(table, flat.dtype, flat.device)
    return dict(zip(wanted, torch.einsum("wn,npc->wpc", mix, along), strict=True))


@functools.lru_cache(maxsize=256)
def _constant(values: tuple[Any, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Kept on the device, for a CUDA graph cannot copy it from the host."""
    return torch.tensor(values, dtype=dtype, device=device)


def taylor(shape: SirenShape, flat: Tensor, points: Tensor, direction: np.ndarray, order: int) -> list[Tensor]:
    """Coefficients (P, C) of u(x + h v) in powers of h, 0 .. ``order``."""
    half = (np.array(shape.upper) - shape.lower) / 2
    middle = (np.array(shape.upper) + shape.lower) / 2
    fixed = [
        _constant(tuple(a.tolist()), flat.dtype, flat.device) for a in (middle, half, np.asarray(direction) / half)
    ]
    h = [(points - fixed[0]) / fixed[1]]
    h.append(fixed[2].expand_as(h[0]))
    layers = shape.split(flat)
    for k, (weight, bias) in enumerate(layers[:-1]):
        w = shape.first_frequency if k == 0 else shape.frequency
        z = [torch.nn.functional.linear(h[0], weight, bias) * w, *(w * (c @ weight.T) for c in h[1:])]
        z += [torch.zeros_like(z[0])] * (order + 1 - len(z))
        h = _sine(z)
    weight, bias = layers[-1]
    return [torch.nn.functional.linear(h[0], weight, bias), *(c @ weight.T for c in h[1:])]


def _sine(z: list[Tensor]) -> list[Tensor]:
    s, c = [z[0].sin()], [z[0].cos()]
    for k in range(1, len(z)):
        s.append(sum(j * z[j] * c[k - j] for j in range(1, k + 1)) / k)
        c.append(-sum(j * z[j] * s[k - j] for j in range(1, k + 1)) / k)
    return s


__all__ = ["JetPlan", "taylor"]
