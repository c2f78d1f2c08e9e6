"""Loss of an :class:`~engines.blocks.iterative_field.IterativeField` and its gradient, in closed form.

    E = mean_i BCE(sigmoid(L_i(x)), y) + lambda mean max(0, |g| - alpha),   i = 1 .. N,   g = grad_x L_N(x)

Autograd would need a double backward pass for the second term. LeakyReLU has no second derivative, so the term is
bilinear in what two cheap passes give. With v = dE/dg held fixed, <v, g> is the derivative of L_N along v; it is

    <v, g> = sum over layers of  delta^T (dW) u'      for a change dW of each weight matrix,

where delta is the adjoint of L_N (the pass that gives g anyway) and u' the tangent of the activations along v
(one forward pass with the masks that are known). Only the samples with |g| > alpha have v != 0, so the tangent
pass runs on those alone. Biases and the initial state do not enter g. Exact, but for the kinks of LeakyReLU.

Tests hold this against plain autograd and finite differences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engines.blocks.iterative_field import SLOPE, IterativeField

_leaky_backward = torch.ops.aten.leaky_relu_backward


@dataclass(frozen=True)
class Loss:
    """Means over the batch as 0-d tensors; ``active`` is the share of samples steeper than alpha."""

    bce: Tensor
    hinge: Tensor
    active: Tensor

    def total(self, weight: float) -> Tensor:
        return self.bce + weight * self.hinge


class _Trace:
    """What a forward pass over C samples leaves behind; buffers are made once and used again."""

    def __init__(self, field: IterativeField, count: int) -> None:
        sizes = field.architecture
        make = field.flat.new_empty
        n, self.count = sizes.iterations, count
        self.activations = make(sizes.depth, n, count, sizes.width)
        self.states = make(n + 1, count, sizes.state)
        self.value_deltas = make(sizes.depth, n, count, sizes.width)
        self.slope_deltas = make(sizes.depth, n, count, sizes.width)
        self.value_outputs = make(n, count, sizes.state)
        self.slope_outputs = make(n, count, sizes.state)
        self.ones = field.flat.new_ones(n * count)
        self.first = make(count, sizes.width)


class IterativeLoss:
    """Computes the loss of a batch and adds its gradient to a flat tensor."""

    def __init__(self, field: IterativeField, hinge_weight: float, hinge_threshold: float, chunk: int = 2048) -> None:
        self.field, self.hinge_weight, self.hinge_threshold = field, hinge_weight, hinge_threshold
        self.chunk = chunk
        self.gradient = torch.zeros_like(field.flat)
        self._parts = field.architecture.split(self.gradient)
        self._traces: dict[int, _Trace] = {}

    @torch.no_grad()
    def __call__(self, points: Tensor, labels: Tensor, check: Callable[[], None] | None = None) -> Loss:
        """Loss of points (B, 3) with labels (B,) in [0, 1]; its gradient is then in :attr:`gradient`.

        ``check`` is called between chunks and may raise; the gradient is then incomplete.
        """
        self.gradient.zero_()
        total = points.new_zeros(3)
        for start in range(0, len(points), self.chunk):
            if check is not None:
                check()
            part = points[start : start + self.chunk]
            total += self._chunk(part, labels[start : start + self.chunk], len(points))
        return Loss(total[0], total[1], total[2])

    def _chunk(self, points: Tensor, labels: Tensor, batch: int) -> Tensor:
        field, n = self.field, self.field.architecture.iterations
        trace = self._trace(len(points))
        encoded = field.encode(points)
        forward(field, encoded, trace)
        logits = trace.states[1:, :, 0]
        scale = 1.0 / (n * batch)
        bce = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="sum")
        errors = torch.sigmoid(logits).sub_(labels).mul_(scale)
        self._value_gradient(points, encoded, trace, errors)
        sums = points.new_zeros(3)
        sums[0] = bce * scale
        if self.hinge_weight > 0:
            last = torch.zeros_like(errors)
            last[-1] = 1.0
            adjoint, _ = backward(field, trace, last, trace.slope_deltas, trace.slope_outputs)
            slopes = encoding_pullback(field, points, encoded, adjoint)
            norms = slopes.norm(dim=1)
            over = norms - self.hinge_threshold
            sums[1], sums[2] = over.clamp_min(0).sum() / batch, (over > 0).sum() / batch
            pull = torch.where(over > 0, self.hinge_weight / batch / norms, 0.0)
            directions = slopes * pull[:, None]
            self._hinge_gradient(points, encoded, adjoint, trace, over > 0, directions)
        return sums

    def _trace(self, count: int) -> _Trace:
        if count not in self._traces:
            self._traces[count] = _Trace(self.field, count)
        return self._traces[count]

    def _value_gradient(self, points: Tensor, encoded: Tensor, trace: _Trace, errors: Tensor) -> None:
        field, grads, deltas = self.field, self._parts, trace.value_deltas
        adjoint, initial = backward(field, trace, errors, deltas, trace.value_outputs)
        _add_products(grads, trace.value_outputs, deltas, trace.activations, trace.states[:-1], encoded)
        first_sums = (trace.ones[None, None, : trace.count] @ deltas[0])[:, 0]  # faster than sum over a long axis
        grads["state_weight"][:, 1:].addmm_(first_sums.T, field.embedding)
        grads["bias.0"].add_(first_sums.sum(dim=0))
        for k in range(1, len(deltas)):
            grads[f"bias.{k}"].addmv_(deltas[k].flatten(0, 1).T, trace.ones)
        grads["output_bias"].addmv_(trace.value_outputs.flatten(0, 1).T, trace.ones)
        grads["initial_state"].add_(initial.sum(dim=0))
        by_cosine, by_sine = _waves(field, adjoint)
        wave_sine, wave_cosine = _quadratures(field, points)
        x = points[:, None, :]
        grads["cosine_frequencies"].sub_((by_cosine * wave_sine * x).sum(dim=(0, 2)))
        grads["sine_frequencies"].add_((by_sine * wave_cosine * x).sum(dim=(0, 2)))

    def _hinge_gradient(
        self, points: Tensor, encoded: Tensor, adjoint: Tensor, trace: _Trace, active: Tensor, directions: Tensor
    ) -> None:
        field, grads = self.field, self._parts
        activations, deltas, outputs = trace.activations, trace.slope_deltas, trace.slope_outputs
        if points.device.type == "cpu":  # a GPU would have to wait for the indices; it is faster with all samples
            index = active.nonzero()[:, 0]
            if len(index) == 0:
                return
            if len(index) < 0.8 * len(points):
                points, encoded, adjoint, directions = (t[index] for t in (points, encoded, adjoint, directions))
                activations, deltas = activations.index_select(2, index), deltas.index_select(2, index)
                outputs = outputs.index_select(1, index)
        wave_sine, wave_cosine = _quadratures(field, points)
        w_c, w_s = (field.parts[f"{kind}_frequencies"][None, :, None] for kind in ("cosine", "sine"))
        x, v = points[:, None, :], directions[:, None, :]
        moved = torch.cat([directions, (-w_c * wave_sine * v).flatten(1), (w_s * wave_cosine * v).flatten(1)], dim=1)
        tangents, states = tangent(field, moved, activations)
        _add_products(grads, outputs, deltas, tangents, states, moved)
        cosine, sine = _waves(field, encoded)
        by_cosine, by_sine = _waves(field, adjoint)
        grads["cosine_frequencies"].sub_((by_cosine * (wave_sine + w_c * x * cosine) * v).sum(dim=(0, 2)))
        grads["sine_frequencies"].add_((by_sine * (wave_cosine - w_s * x * sine) * v).sum(dim=(0, 2)))


def forward(field: IterativeField, encoded: Tensor, trace: _Trace) -> None:
    """Fill the activations and states of ``trace`` from e(x)."""
    p, u, states = field.parts, trace.activations, trace.states
    fixed = encoded @ p["encoding_weight"].T
    states[0] = p["initial_state"]
    for i, bias in enumerate(field.first_biases()):
        torch.add(fixed, bias, out=trace.first)
        torch.nn.functional.leaky_relu_(torch.addmm(trace.first, states[i], p["state_weight"].T, out=u[0, i]), SLOPE)
        for k, (weight, layer_bias) in enumerate(field.hidden_layers(), start=1):
            torch.nn.functional.leaky_relu_(torch.addmm(layer_bias, u[k - 1, i], weight.T, out=u[k, i]), SLOPE)
        torch.addmm(p["output_bias"], u[-1, i], p["output_weight"].T, out=states[i + 1])
        states[i + 1, :, 0] += states[i, :, 0]


def backward(
    field: IterativeField, trace: _Trace, logit_adjoints: Tensor, deltas: Tensor, outputs: Tensor
) -> tuple[Tensor, Tensor]:
    """Pull adjoints (N, C) of L_1 .. L_N back through the iterations.

    Fills ``deltas`` (depth, N, C, width) with the adjoints of the pre-activations and ``outputs`` (N, C, 1 + H)
    with those of the MLP's output. Returns the adjoints of e(x) and of the initial state.
    """
    p, u = field.parts, trace.activations
    depth, n = u.shape[:2]
    carried = torch.zeros_like(outputs[0])
    for i in range(n - 1, -1, -1):
        outputs[i] = carried
        outputs[i, :, 0] += logit_adjoints[i]
        torch.mm(outputs[i], p["output_weight"], out=deltas[-1, i])
        _mask(deltas[-1, i], u[-1, i])
        for k in range(depth - 1, 0, -1):
            torch.mm(deltas[k, i], p[f"weight.{k}"], out=deltas[k - 1, i])
            _mask(deltas[k - 1, i], u[k - 1, i])
        torch.mm(deltas[0, i], p["state_weight"], out=carried)
        carried[:, 0] += outputs[i, :, 0]  # L_{i+1} = L_i + dL
    return deltas[0].sum(dim=0) @ p["encoding_weight"], carried


def tangent(field: IterativeField, moved: Tensor, activations: Tensor) -> tuple[Tensor, Tensor]:
    """Tangents (depth, N, C, width) of the activations and (N, C, 1 + H) of the states for a tangent of e(x)."""
    p, result = field.parts, torch.empty_like(activations)
    depth, n, count = activations.shape[:3]
    states = moved.new_zeros(n, count, field.architecture.state)
    fixed = moved @ p["encoding_weight"].T
    for i in range(n):
        _mask(torch.addmm(fixed, states[i], p["state_weight"].T, out=result[0, i]), activations[0, i])
        for k in range(1, depth):
            _mask(torch.mm(result[k - 1, i], p[f"weight.{k}"].T, out=result[k, i]), activations[k, i])
        if i + 1 < n:
            torch.mm(result[-1, i], p["output_weight"].T, out=states[i + 1])
            states[i + 1, :, 0] += states[i, :, 0]
    return result, states


def encoding_pullback(field: IterativeField, points: Tensor, encoded: Tensor, adjoint: Tensor) -> Tensor:
    """Gradient (C, 3) with respect to x from the adjoint of e(x)."""
    by_cosine, by_sine = _waves(field, adjoint)
    wave_sine, wave_cosine = _quadratures(field, points)
    w_c, w_s = (field.parts[f"{kind}_frequencies"][None, :, None] for kind in ("cosine", "sine"))
    return adjoint[:, :3] + (w_s * wave_cosine * by_sine - w_c * wave_sine * by_cosine).sum(dim=1)


@torch.no_grad()
def gradients(
    field: IterativeField, points: Tensor, *, chunk: int = 2048, check: Callable[[], None] | None = None
) -> Tensor:
    """grad L_N (B, 3) at points (B, 3). ``check`` is called between chunks and may raise."""
    result, trace = torch.empty_like(points), None
    for start in range(0, len(points), chunk):
        if check is not None:
            check()
        part = points[start : start + chunk]
        if trace is None or trace.count != len(part):
            trace = _Trace(field, len(part))
        encoded = field.encode(part)
        forward(field, encoded, trace)
        last = part.new_zeros(field.architecture.iterations, len(part))
        last[-1] = 1.0
        adjoint, _ = backward(field, trace, last, trace.slope_deltas, trace.slope_outputs)
        result[start : start + chunk] = encoding_pullback(field, part, encoded, adjoint)
    return result


def _mask(values: Tensor, activations: Tensor) -> None:
    """Multiply in place by the LeakyReLU's slope; an activation has the sign of its input."""
    _leaky_backward.grad_input(values, activations, SLOPE, True, grad_input=values)


def _add_products(
    grads: dict[str, Tensor], outputs: Tensor, deltas: Tensor, activations: Tensor, states: Tensor, encoded: Tensor
) -> None:
    """Add sum delta u^T of each weight matrix; one product over all iterations and samples per layer."""
    grads["output_weight"].addmm_(outputs.flatten(0, 1).T, activations[-1].flatten(0, 1))
    for k in range(1, len(deltas)):
        grads[f"weight.{k}"].addmm_(deltas[k].flatten(0, 1).T, activations[k - 1].flatten(0, 1))
    grads["state_weight"].addmm_(deltas[0].flatten(0, 1).T, states.flatten(0, 1))
    grads["encoding_weight"].addmm_(deltas[0].sum(dim=0).T, encoded)


def _waves(field: IterativeField, encoded: Tensor) -> tuple[Tensor, Tensor]:
    """The cosine and sine parts (C, F, 3) of an encoding or of its adjoint."""
    count = 3 * field.architecture.frequencies
    cosine, sine = encoded[:, 3 : 3 + count], encoded[:, 3 + count :]
    return cosine.unflatten(1, (-1, 3)), sine.unflatten(1, (-1, 3))


def _quadratures(field: IterativeField, points: Tensor) -> tuple[Tensor, Tensor]:
    """sin(w_c x) and cos(w_s x) (C, F, 3): what the derivative of the encoding needs."""
    x = points[:, None, :]
    wave_sine = (field.parts["cosine_frequencies"][None, :, None] * x).sin_()
    wave_cosine = (field.parts["sine_frequencies"][None, :, None] * x).cos_()
    return wave_sine, wave_cosine
