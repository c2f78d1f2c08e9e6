"""A small network applied several times to refine a scalar field (OReX, sec. 4).

With the encoding e(x) = [x, cos(w_c x), sin(w_s x)] (learnable frequencies, shared by the three axes), a logit
L_0 and a hidden state h_0 (both learnable), iteration i = 0 .. N-1 is

    [dL, h_{i+1}] = MLP([e(x), L_i, h_i + PE(i)]),        L_{i+1} = L_i + dL,

with PE(i) = [sin(2^k i), cos(2^k i)]. The MLP has LeakyReLU(0.01) hidden layers. L_N > 0 is outside.

All parameters live in one flat tensor, so that an optimiser step is one fused call; :attr:`IterativeField.parts` are
views of it. The first layer's part for e(x) does not depend on i and is computed once. Closed-form derivatives
are in :mod:`engines.blocks.iterative_loss`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SLOPE = 0.01  # of the LeakyReLU


@dataclass(frozen=True)
class Architecture:
    """Sizes of the network: N iterations, F frequencies, H hidden values, and the MLP's width and depth."""

    iterations: int = 10
    frequencies: int = 5
    hidden: int = 32
    width: int = 64
    depth: int = 7

    @property
    def encoded(self) -> int:
        """Length of e(x)."""
        return 3 + 6 * self.frequencies

    @property
    def state(self) -> int:
        """Length of [L, h]."""
        return 1 + self.hidden

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each parameter, in the order of the flat tensor."""
        w = self.width
        shapes: dict[str, tuple[int, ...]] = {
            "cosine_frequencies": (self.frequencies,),
            "sine_frequencies": (self.frequencies,),
            "initial_state": (self.state,),
            "encoding_weight": (w, self.encoded),
            "state_weight": (w, self.state),
            "bias.0": (w,),
        }
        for k in range(1, self.depth):
            shapes |= {f"weight.{k}": (w, w), f"bias.{k}": (w,)}
        return shapes | {"output_weight": (self.state, w), "output_bias": (self.state,)}

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of a flat tensor (size,) by name."""
        found, at = {}, 0
        for name, shape in self.shapes.items():
            count = math.prod(shape)
            found[name] = flat[at : at + count].view(shape)
            at += count
        return found


def iteration_embedding(iterations: int, hidden: int) -> np.ndarray:
    """PE (N, H) float64. In float32 the angles, up to 2^15 (N-1), would lose three digits."""
    angle = np.arange(iterations)[:, None] * 2.0 ** np.arange((hidden + 1) // 2)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)[:, :hidden]


class IterativeField:
    """The network with its parameters; works in the dtype and on the device of ``flat``."""

    def __init__(self, architecture: Architecture, flat: Tensor) -> None:
        self.architecture, self.flat = architecture, flat
        self.parts = architecture.split(flat)
        table = iteration_embedding(architecture.iterations, architecture.hidden)
        self.embedding = torch.as_tensor(table, dtype=flat.dtype, device=flat.device)

    @classmethod
    def initialised(
        cls,
        architecture: Architecture,
        generator: torch.Generator,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> IterativeField:
        """Xavier-uniform weights, biases and initial state in U(0, 1), frequencies 2^0 .. 2^(F-1)."""
        flat = torch.rand(architecture.size, generator=generator, device=device, dtype=dtype)
        parts = architecture.split(flat)
        fan_in = architecture.encoded + architecture.state
        for name, part in parts.items():
            if name.endswith("frequencies"):
                part.copy_(2.0 ** torch.arange(architecture.frequencies, device=device, dtype=dtype))
            elif "weight" in name:
                inputs = fan_in if name in ("encoding_weight", "state_weight") else part.shape[1]
                part.mul_(2).sub_(1).mul_(math.sqrt(6 / (inputs + part.shape[0])))
        return cls(architecture, flat)

    @classmethod
    def from_weights(
        cls, architecture: Architecture, weights: Mapping[str, np.ndarray], device: torch.device | str = "cpu"
    ) -> IterativeField:
        """The inverse of :meth:`weights`. Raises KeyError or RuntimeError when names or shapes do not fit."""
        flat = torch.empty(architecture.size, device=device)
        for name, part in architecture.split(flat).items():
            part.copy_(torch.as_tensor(np.array(weights[name])).view(part.shape))
        return cls(architecture, flat)

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all parameters by name."""
        return {name: part.detach().cpu().numpy().copy() for name, part in self.parts.items()}

    def encode(self, points: Tensor) -> Tensor:
        """e(x) (B, 3 + 6 F) of points (B, 3); frequency-major, axis-minor."""
        cosine = self.parts["cosine_frequencies"][None, :, None] * points[:, None, :]
        sine = self.parts["sine_frequencies"][None, :, None] * points[:, None, :]
        return torch.cat([points, cosine.cos().flatten(1), sine.sin().flatten(1)], dim=1)

    def hidden_layers(self) -> list[tuple[Tensor, Tensor]]:
        """(weight, bias) of the hidden layers after the first."""
        return [(self.parts[f"weight.{k}"], self.parts[f"bias.{k}"]) for k in range(1, self.architecture.depth)]

    def first_biases(self) -> Tensor:
        """(N, width) bias of the first layer at each iteration, PE(i) included."""
        return torch.addmm(self.parts["bias.0"], self.embedding, self.parts["state_weight"][:, 1:].T)

    @torch.no_grad()
    def logits(self, points: Tensor, *, chunk: int = 8192, check: Callable[[], None] | None = None) -> Tensor:
        """L_N (B,) at points (B, 3). ``check`` is called between chunks and may raise."""
        result = torch.empty(len(points), dtype=points.dtype, device=points.device)
        p, biases, layers = self.parts, self.first_biases(), self.hidden_layers()
        for start in range(0, len(points), chunk):
            if check is not None:
                check()
            encoded = self.encode(points[start : start + chunk])
            fixed = encoded @ p["encoding_weight"].T
            state = p["initial_state"].expand(len(encoded), -1)
            a, b = torch.empty_like(fixed), torch.empty_like(fixed)
            for bias in biases:
                torch.addmm(fixed + bias, state, p["state_weight"].T, out=a)
                torch.nn.functional.leaky_relu_(a, SLOPE)
                for weight, layer_bias in layers:
                    torch.addmm(layer_bias, a, weight.T, out=b)
                    a, b = torch.nn.functional.leaky_relu_(b, SLOPE), a
                change = torch.addmm(p["output_bias"], a, p["output_weight"].T)
                change[:, 0] += state[:, 0]
                state = change
            result[start : start + chunk] = state[:, 0]
        return result
