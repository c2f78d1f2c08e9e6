"""How the weights of a transport map become T: one function for each form, found by its name.

    network             T(x) = c_t + s_t N((x - c_s) / s_s), or x + (c_t - c_s) + s_t N(…) with ``residual``
    affine              T(x) = A x + b
    barycentric         T(x) = sum_j y_j p_j(x),  p_j(x) ~ b_j exp((g_j - c(x, y_j)) / eps): the entropic map
    convex potential    T = grad of a convex network (Amos et al. 2017), in the same frame as ``network``

N is a network of fully connected layers; centres c and spreads s are those of source and target, or 0 and 1. A map
that was learned on some of the coordinates only names them (``kept``); the others stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks import dense_layers
from engines.blocks.transport.costs import Cost
from engines.core import UserError
from engines.data import TransportMap

Apply = Callable[[Tensor], Tensor]
"""Takes points (n, d) and gives where they go (n, d)."""
Build = Callable[[Mapping[str, Tensor], Mapping[str, Any]], Apply]
FORMS: dict[str, Build] = {}
AT_ONCE = 4_000_000
"""How many numbers an intermediate result of a chunk may have."""
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "GELU": torch.nn.functional.gelu,
    "SiLU": torch.nn.functional.silu,
    "tanh": torch.tanh,
    "ReLU": torch.relu,
}


def form(name: str) -> Callable[[Build], Build]:
    """Register ``build(weights, configuration) -> apply`` under the name that transport maps give as their form."""

    def register(build: Build) -> Build:
        FORMS[name] = build
        return build

    return register


def frame(source: Tensor, target: Tensor, standardised: bool) -> dict[str, Tensor]:
    """Centres (d,) and spreads () of two clouds, or 0 and 1: where a network sees its points.

    The spread is one number for all coordinates, the root mean square of them all, so that distances keep their ratios.
    """
    found = {}
    for name, points in (("source", source), ("target", target)):
        centre = points.mean(0) if standardised else torch.zeros_like(points[0])
        spread = (points - centre).square().mean().sqrt()
        found[f"{name}_centre"] = centre
        found[f"{name}_spread"] = spread if standardised and float(spread) > 0 else torch.ones_like(spread)
    return found


def network(points: Tensor, parts: Mapping[str, Tensor], config: Mapping[str, Any]) -> Tensor:
    """T(x) (n, d) of a network at points (n, d). ``parts``: layers (:mod:`.dense_layers`) and the :func:`frame`."""
    activation = ACTIVATIONS[config["activation"]]
    if config.get("sphere"):
        points = torch.nn.functional.normalize(points, dim=1)
    first, *others = dense_layers.layers(parts)
    h = torch.addmm(first[1], _seen(points, parts), first[0].T)
    for weight, bias in others:
        h = torch.addmm(bias, activation(h), weight.T)
    start = points - parts["source_centre"] if config.get("residual") else 0
    moved = parts["target_centre"] + start + parts["target_spread"] * h
    return torch.nn.functional.normalize(moved, dim=1) if config.get("sphere") else moved


def convex(points: Tensor, parts: Mapping[str, Tensor]) -> Tensor:
    """psi(x) (n,) of an input-convex network with softplus between layers, plus a share of |x|^2 / 2.

    The share is softplus of ``quadratic`` (1,): a whole |x|^2 / 2 would keep the map from contracting. ``x.k`` (h_k, d)
    and ``bias.k`` read the points, ``z.k`` (h_k, h_k-1) the layer before; z.k is taken through
    softplus, so it is positive: sums and increasing convex functions of convex functions are convex.
    """
    count = sum(name.startswith("bias.") for name in parts)
    z = points.new_zeros(())
    for k in range(count):
        before = torch.nn.functional.softplus(parts[f"z.{k}"]) if k else None
        z = torch.addmm(parts[f"bias.{k}"], points, parts[f"x.{k}"].T) + (0 if before is None else z @ before.T)
        z = torch.nn.functional.softplus(z) if k < count - 1 else z
    return z[:, 0] + torch.nn.functional.softplus(parts["quadratic"]) * points.square().sum(1) / 2


def convex_shapes(dimensions: int, hidden: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the parts of :func:`convex`."""
    sizes, found = [*hidden, 1], {"quadratic": (1,)}
    for k, size in enumerate(sizes):
        found |= {f"x.{k}": (size, dimensions), f"bias.{k}": (size,)}
        found |= {f"z.{k}": (size, sizes[k - 1])} if k else {}
    return found


def convex_gradient(points: Tensor, parts: Mapping[str, Tensor], create_graph: bool = False) -> Tensor:
    """grad psi (n, d) at points (n, d)."""
    with torch.enable_grad():
        at = points if points.requires_grad else points.detach().requires_grad_()
        (found,) = torch.autograd.grad(convex(at, parts).sum(), at, create_graph=create_graph)
    return found


def _seen(points: Tensor, parts: Mapping[str, Tensor]) -> Tensor:
    return (points - parts["source_centre"]) / parts["source_spread"]


@form("network")
def _of_network(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Apply:
    return lambda points: network(points, weights, config)


@form("affine")
def _affine(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Apply:
    return lambda points: points @ weights["matrix"].T + weights["offset"]


@form("barycentric")
def _barycentric(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Apply:
    cost = Cost(config["cost"], float(config.get("p", 1.5)), float(config.get("tau", 1.0)))
    y, prior = weights["points"], weights["potential"] / config["epsilon"] + weights["weights"].log()

    def apply(points: Tensor) -> Tensor:
        found = torch.softmax(prior - cost.pairwise(points, y) / config["epsilon"], 1) @ y
        return torch.nn.functional.normalize(found, dim=1) if config.get("sphere") else found

    return apply


@form("convex potential")
def _gradient_of_convex(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Apply:
    parts = {name: part for name, part in weights.items() if name.split(".")[0] in ("quadratic", "x", "z", "bias")}

    def apply(points: Tensor) -> Tensor:
        moved = convex_gradient(_seen(points, weights), parts)
        return weights["target_centre"] + weights["target_spread"] * moved

    return apply


def mapper(transport_map: TransportMap, device: torch.device | str = "cpu") -> Apply:
    """T as a function of points (n, d) float64 on ``device``, without gradients and in chunks.

    Raises :class:`UserError` when its form is unknown or its weights do not fit the form, and, where it is called,
    when the points are not of its dimensions.
    """
    build = FORMS.get(transport_map.form)
    if build is None:
        raise UserError(
            f"The transport map is of a form that is not known here: '{transport_map.form}'.",
            f"Known are: {', '.join(sorted(FORMS))}.",
            "Learn the map again.",
        )
    weights = {k: torch.tensor(np.asarray(w), device=device) for k, w in transport_map.weights.items()}
    weights = {k: w.double() if w.is_floating_point() else w for k, w in weights.items()}
    dimensions, kept = transport_map.source.points.shape[1], weights.pop("kept", None)
    inner = dimensions if kept is None else len(kept)
    widest = max((max(w.shape, default=1) for w in weights.values()), default=1)

    def apply(points: Tensor) -> Tensor:
        if points.ndim != 2 or points.shape[1] != dimensions:
            raise UserError(
                f"The points have {points.shape[-1]} coordinates; the map takes {dimensions}.",
                "A map moves points of the space that it was learned in.",
                "Choose points with the same coordinates, in the same order.",
            )
        if kept is None:
            return within(points)
        moved = points.clone()
        moved[:, kept] = within(points[:, kept])
        return moved

    def within(points: Tensor) -> Tensor:
        size = max(1, AT_ONCE // max(widest, inner))
        return torch.cat([built(part) for part in points.split(size)]) if len(points) else points.clone()

    try:
        built = torch.no_grad()(build(weights, transport_map.configuration))
        within(torch.zeros(1, inner, dtype=torch.float64, device=device))  # weights of other shapes fail here
    except (KeyError, ValueError, RuntimeError, TypeError, IndexError) as error:
        raise UserError(
            "The weights of the transport map do not fit its form.", f"{error}.", "Learn the map again."
        ) from error
    return apply


def evaluate(transport_map: TransportMap, points: np.ndarray, device: torch.device | str = "cpu") -> np.ndarray:
    """(n, d) float64: where the map takes points (n, d). Raises :class:`UserError` as :func:`mapper` does."""
    at = torch.tensor(np.asarray(points), dtype=torch.float64, device=device)
    return mapper(transport_map, device)(at).cpu().numpy()


__all__ = ["ACTIVATIONS", "FORMS", "Apply", "convex", "convex_gradient", "convex_shapes", "evaluate", "form", "frame",
           "mapper", "network"]  # fmt: skip
