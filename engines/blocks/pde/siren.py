"""Networks of sines (SIREN) with derivatives in closed form.

With x scaled from its box to [-1, 1] and the frequency w (30), layers are

    h_0 = x,    y_l = w (W_l h_{l-1} + b_l),    h_l = sin y_l,    u = W_L h_{L-1} + b_L.

Beside the values run, through the same matrix products, tangents along some axes and second derivatives
Q(u) = sum_ij Q_ij u_{x_i x_j} for some quadratic forms Q (the Laplacian is one, not one for each axis):

    h' = cos(y) y',        Q(h) = cos(y) Q(y) - sin(y) sum_ij Q_ij y'_i y'_j,

and one backward pass in closed form gives the gradient with respect to all parameters, which live in one flat tensor.
Initialisation and frequency: Sitzmann et al. 2020, sec. 3.2, as in INSR-PDE. Orders above two are in
:mod:`engines.blocks.pde.siren_taylor`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.pde.forms import Evaluate, form

Quadratic = Mapping[tuple[int, int], float]
"""Coefficients Q_ij of second derivatives, by the places of their axes among those asked for."""


@dataclass(frozen=True)
class SirenShape:
    """Sizes of the network and the box that it is meant for; ``layers`` are the hidden ones after the first."""

    inputs: int
    outputs: int
    width: int
    layers: int
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    frequency: float = 30.0
    first_frequency: float = 30.0

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of each layer."""
        sizes = [self.inputs, *[self.width] * (self.layers + 1), self.outputs]
        return [(sizes[k + 1], sizes[k]) for k in range(len(sizes) - 1)]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(n * (m + 1) for n, m in self.matrices)

    def split(self, flat: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Views (weight, bias) of each layer in a flat tensor (size,)."""
        found, at = [], 0
        for n, m in self.matrices:
            found.append((flat[at : at + n * m].view(n, m), flat[at + n * m : at + n * (m + 1)]))
            at += n * (m + 1)
        return found

    def initialised(
        self, generator: torch.Generator, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """(size,) so that before each sine the values have a standard deviation of about 1."""
        flat = torch.rand(self.size, generator=generator, device=device, dtype=dtype).mul_(2).sub_(1)
        for k, (weight, bias) in enumerate(self.split(flat)):
            inputs = weight.shape[1]
            weight.mul_(1 / inputs if k == 0 else math.sqrt(6 / inputs) / self.frequency)
            bias.mul_(1 / math.sqrt(inputs))
        return flat

    def config(self) -> dict[str, Any]:
        return asdict(self)


def shape_of(config: Mapping[str, Any]) -> SirenShape:
    """The inverse of :meth:`SirenShape.config`."""
    names = SirenShape.__dataclass_fields__
    return SirenShape(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items() if k in names})


class _Jets(torch.autograd.Function):
    """Streams (1 + F + M, P, C): values, F tangents, M quadratic forms; differentiable in ``flat`` alone."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, flat: Tensor, points: Tensor, shape: SirenShape, axes: tuple[int, ...], forms: tuple[Quadratic, ...]
    ) -> Tensor:
        layers = shape.split(flat.detach())
        middle, per_half = _box(shape, flat.dtype, flat.device)
        x = ((points - middle) * per_half).contiguous()
        count, first = len(x), len(axes)
        streams = 1 + first + len(forms)
        weight, bias = layers[0]
        y = torch.addmm(bias, x, weight.T).mul_(shape.first_frequency)
        slopes = [weight[:, a] * (2 * shape.first_frequency / (shape.upper[a] - shape.lower[a])) for a in axes]
        tangents = torch.stack(slopes)[:, None].expand(-1, count, -1) if axes else y.new_empty(0, *y.shape)
        kept = [_sine(y, tangents, None, forms)]  # second derivatives of the first layer's argument vanish
        for weight, bias in layers[1:-1]:
            below = kept[-1][-1].view(streams * count, -1)
            z = (below @ (weight.T * shape.frequency)).view(streams, count, -1)
            kept.append(_sine(z[0].add_(bias * shape.frequency), z[1 : 1 + first], z[1 + first :], forms))
        weight, bias = layers[-1]
        h = kept[-1][-1]
        out = (h.view(streams * count, -1) @ weight.T).view(streams, count, -1)
        out[0] += bias
        ctx.x, ctx.layers, ctx.kept = x, layers, kept
        ctx.shape, ctx.axes, ctx.forms = shape, axes, forms
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:  # type: ignore[override]
        shape, axes, forms, layers, kept = ctx.shape, ctx.axes, ctx.forms, ctx.layers, ctx.kept
        first = len(axes)
        streams, count, _ = grad.shape
        flat = torch.empty(shape.size, dtype=grad.dtype, device=grad.device)
        parts = shape.split(flat)
        g = grad.reshape(streams * count, -1)
        w = 1.0
        for k in range(len(layers) - 1, 0, -1):
            sine, cosine, tangents, bends, h = kept[k - 1]
            weight, bias = parts[k]
            torch.mm(g.T, h.view(streams * count, -1), out=weight)
            torch.sum(g[:count], dim=0, out=bias)
            if w != 1.0:
                weight.mul_(w)
                bias.mul_(w)
            gh = (g @ (layers[k][0] * w)).view(streams, count, -1)
            gy = torch.empty_like(gh)
            tilt = gh[1 : 1 + first]
            torch.mul(cosine, tilt, out=gy[1 : 1 + first])
            torch.mul(cosine, gh[0], out=gy[0])
            if first:
                gy[0].addcmul_(sine, (tilt * tangents).sum(0), value=-1)
            for m, quadratic in enumerate(forms):
                turn = gh[1 + first + m]
                gy[0].addcmul_(cosine * turn, _form(quadratic, tangents), value=-1)
                through = sine * turn
                if bends is not None:
                    gy[0].addcmul_(through, bends[m], value=-1)
                    torch.mul(cosine, turn, out=gy[1 + first + m])
                for (i, j), value in quadratic.items():
                    gy[1 + i].addcmul_(through, tangents[j], value=-value)
                    gy[1 + j].addcmul_(through, tangents[i], value=-value)
            g, w = gy.view(streams * count, -1), shape.frequency
        weight, bias = parts[0]
        w = shape.first_frequency
        g = g.view(streams, count, -1)
        torch.mm(g[0].T, ctx.x, out=weight)
        torch.sum(g[0], dim=0, out=bias)
        for f, axis in enumerate(axes):
            weight[:, axis] += g[1 + f].sum(0) * (2 / (shape.upper[axis] - shape.lower[axis]))
        weight.mul_(w)
        bias.mul_(w)
        return flat, None, None, None, None


@functools.lru_cache(maxsize=64)
def _box(shape: SirenShape, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Middle of the box and one over half its sides; kept, for a CUDA graph cannot copy them from the host."""
    lower, upper = np.array(shape.lower), np.array(shape.upper)
    return (
        torch.tensor((lower + upper) / 2, dtype=dtype, device=device),
        torch.tensor(2 / (upper - lower), dtype=dtype, device=device),
    )


def _sine(y: Tensor, tangents: Tensor, bends: Tensor | None, forms: tuple[Quadratic, ...]) -> tuple[Any, ...]:
    """One layer's sine with its derivatives: (sin y, cos y, y', Q(y), all streams of h)."""
    sine, cosine, first = y.sin(), y.cos(), len(tangents)
    h = torch.empty(1 + first + len(forms), *y.shape, dtype=y.dtype, device=y.device)
    h[0] = sine
    torch.mul(cosine, tangents, out=h[1 : 1 + first])
    for m, quadratic in enumerate(forms):
        torch.mul(sine, _form(quadratic, tangents), out=h[1 + first + m]).neg_()
        if bends is not None:
            h[1 + first + m].addcmul_(cosine, bends[m])
    return sine, cosine, tangents, bends, h


def _form(quadratic: Quadratic, tangents: Tensor) -> Tensor:
    """sum_ij Q_ij y'_i y'_j (P, W) of tangents (F, P, W)."""
    total: Tensor | None = None
    for (i, j), value in quadratic.items():
        part = tangents[i] * tangents[j] if value == 1.0 else (tangents[i] * tangents[j]).mul_(value)
        total = part if total is None else total.add_(part)
    assert total is not None, "a quadratic form has at least one coefficient"
    return total


def jets(
    shape: SirenShape, flat: Tensor, points: Tensor, axes: Sequence[int] = (), forms: Sequence[Quadratic] = ()
) -> tuple[Tensor, Tensor, Tensor]:
    """Values (P, C), first derivatives (F, P, C) along ``axes``, and quadratic forms of second ones (M, P, C).

    ``points`` (P, D) are in the coordinates of the box; forms name axes by their place in ``axes``. Gradients flow
    to ``flat`` only.
    """
    out = _Jets.apply(flat, points, shape, tuple(axes), tuple(forms))
    return out[0], out[1 : 1 + len(axes)], out[1 + len(axes) :]


def values(shape: SirenShape, flat: Tensor, points: Tensor) -> Tensor:
    """(P, C) without derivatives; gradients flow to ``flat`` only."""
    return _Jets.apply(flat, points, shape, (), ())[0]


def laplacian(dimensions: int) -> Quadratic:
    return {(i, i): 1.0 for i in range(dimensions)}


@form("siren")
def build(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Evaluate:
    """``weights["network"]`` is the flat tensor; ``config`` is :meth:`SirenShape.config`, and perhaps ``scale``: one
    number, or one for each component, that the values are multiplied with."""
    shape, flat = shape_of(config), weights["network"].contiguous()
    if flat.shape != (shape.size,):
        raise ValueError(f"{flat.numel()} parameters where the network has {shape.size}")
    scale = torch.tensor(config.get("scale", 1.0), dtype=flat.dtype, device=flat.device)
    return lambda points: values(shape, flat, points.to(flat.dtype)) * scale


def stacked(history: Sequence[Tensor]) -> dict[str, np.ndarray]:
    """Weights of a trajectory from one flat tensor for each time."""
    return {"network": np.stack([flat.detach().cpu().numpy() for flat in history])}


__all__ = ["Quadratic", "SirenShape", "build", "jets", "laplacian", "shape_of", "stacked", "values"]
