"""Derivatives of networks at points: by closed forms through their layers, or by differentiating any of them.

A derivative is named by its multi-index, the order along each coordinate: (2, 0) is u_xx in (x, y), (0, 0) is u.
*Jets* are the derivatives of one quantity at P points: multi-index to values (P, W). In the closed forms an index that
is missing stands for zeros, and an entry may have one row for all points.

For h = W a + b and t = f(h), per coordinate i, j (orders 1 and 2):

    h_i = W a_i,    h_ij = W a_ij,    t_i = f'(h) h_i,    t_ij = f''(h) h_i h_j + f'(h) h_ij
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

from engines.core import UserError

Index = tuple[int, ...]
Jets = dict[Index, Tensor]
Network = Callable[[Tensor], Tensor]
"""Takes points (P, D) and gives values (P, C), each row from its own point alone."""

Activation = Callable[[Tensor, int], tuple[Tensor, ...]]
"""Takes h and an order, gives f(h) and its derivatives up to that order (at most 2)."""

CLOSED_ORDER = 2
"""The highest order that the closed forms through layers have."""


def order(index: Index) -> int:
    return sum(index)


def plus(index: Index, axis: int, by: int = 1) -> Index:
    """The index with the order along one axis raised by ``by``."""
    return (*index[:axis], index[axis] + by, *index[axis + 1 :])


def along(index: Index) -> tuple[int, ...]:
    """The axes it differentiates along, each as often as it does: (2, 0, 1) gives (0, 0, 2)."""
    return tuple(axis for axis, times in enumerate(index) for _ in range(times))


def closure(needs: Iterable[Index]) -> tuple[Index, ...]:
    """The indices and all that are below one of them, by order: what a chain rule needs."""
    found: set[Index] = set()

    def add(index: Index) -> None:
        if index not in found:
            found.add(index)
            for axis, times in enumerate(index):
                if times:
                    add(plus(index, axis, -1))

    for index in needs:
        add(index)
    return tuple(sorted(found, key=lambda index: (order(index), tuple(-i for i in index))))


# ---- closed forms, layer by layer ------------------------------------------------------------------------------------


def of_coordinates(points: Tensor, indices: Iterable[Index], scale: Sequence[float] | None = None) -> Jets:
    """Jets of the map x -> x (P, D), or of one whose derivative along axis j is ``scale[j]``."""
    jets: Jets = {}
    for index in indices:
        if order(index) == 0:
            jets[index] = points
        elif order(index) == 1:
            axis = along(index)[0]
            jets[index] = points.new_zeros(1, points.shape[1])
            jets[index][0, axis] = 1.0 if scale is None else scale[axis]
    return jets


def linear(jets: Mapping[Index, Tensor], weight: Tensor, bias: Tensor | None = None) -> Jets:
    """Jets after W a + b; ``weight`` is (out, in)."""
    found = {index: values @ weight.T for index, values in jets.items()}
    if bias is not None:
        zero = next(index for index in found if order(index) == 0)
        found[zero] = found[zero] + bias
    return found


def tanh(h: Tensor, highest: int) -> tuple[Tensor, ...]:
    t = torch.tanh(h)
    if highest == 0:
        return (t,)
    first = 1 - t * t
    return (t, first) if highest == 1 else (t, first, -2 * t * first)


def sine(h: Tensor, highest: int) -> tuple[Tensor, ...]:
    s = torch.sin(h)
    if highest == 0:
        return (s,)
    c = torch.cos(h)
    return (s, c) if highest == 1 else (s, c, -s)


def activated(jets: Mapping[Index, Tensor], f: Activation, indices: Iterable[Index]) -> Jets:
    """Jets after f, elementwise; ``indices`` are those wanted, of order 2 at most, closed under :func:`closure`."""
    indices = tuple(indices)
    zero = next(index for index in indices if order(index) == 0)
    slopes = f(jets[zero], max(map(order, indices)))
    found: Jets = {zero: slopes[0]}
    for index in indices:
        inner = jets.get(index)
        if order(index) == 1 and inner is not None:
            found[index] = slopes[1] * inner
        elif order(index) == 2:
            parts = [] if inner is None else [slopes[1] * inner]
            i, j = along(index)
            one, other = jets.get(plus(index, j, -1)), jets.get(plus(index, i, -1))
            if one is not None and other is not None:
                parts.append(slopes[2] * (one * other))
            if parts:
                found[index] = sum(parts[1:], parts[0])
    return found


def scaled(jets: Mapping[Index, Tensor], scale: Sequence[float]) -> Jets:
    """Jets with respect to x of what was differentiated with respect to y, where dy_j / dx_j = ``scale[j]``."""

    def factor(index: Index) -> float:
        product = 1.0
        for axis in along(index):
            product *= float(scale[axis])
        return product

    return {index: values if order(index) == 0 else values * factor(index) for index, values in jets.items()}


def whole(jets: Mapping[Index, Tensor], indices: Iterable[Index], zeros: Tensor) -> Jets:
    """The wanted jets with every row there: what is missing becomes zeros of the shape of ``zeros`` (P, W)."""
    empty = torch.zeros_like(zeros)
    return {index: jets[index].expand_as(zeros) if index in jets else empty for index in indices}


# ---- any network -----------------------------------------------------------------------------------------------------


def by_autograd(network: Network, points: Tensor, needs: Iterable[Index], *, create_graph: bool = True) -> Jets:
    """Jets (P, C) of any order by nested reverse differentiation.

    ``create_graph`` keeps them differentiable with respect to the network's parameters.
    """
    needs = tuple(needs)
    with torch.enable_grad():
        x = points.detach().requires_grad_(True)
        values = network(x)
        columns = [_nested(values[:, c], x, needs, create_graph) for c in range(values.shape[1])]
    return {index: torch.stack([column[index] for column in columns], 1) for index in needs}


def _nested(values: Tensor, x: Tensor, needs: tuple[Index, ...], create_graph: bool) -> Jets:
    found: Jets = {(0,) * x.shape[1]: values}
    wanted = set(_parents(needs))
    gradients: dict[Index, Tensor] = {}
    for index in sorted(wanted, key=order):
        if order(index) == 0:
            continue
        axis = along(index)[-1]
        below = plus(index, axis, -1)
        if below not in gradients:
            further = create_graph or any(order(other) > order(index) for other in wanted)
            gradients[below] = _gradient(found[below], x, further)
        found[index] = gradients[below][:, axis]
    return {index: found[index] for index in needs}


def _parents(needs: Iterable[Index]) -> set[Index]:
    """Each index with those it is differentiated from, one axis after the other."""
    found: set[Index] = set()
    for index in needs:
        while index not in found:
            found.add(index)
            if order(index):
                index = plus(index, along(index)[-1], -1)
    return found


def _gradient(values: Tensor, x: Tensor, create_graph: bool) -> Tensor:
    if not values.requires_grad:  # it does not depend on the points any more
        return torch.zeros_like(x)
    (found,) = torch.autograd.grad(values.sum(), x, create_graph=create_graph, retain_graph=True, allow_unused=True)
    return torch.zeros_like(x) if found is None else found


def by_forward(network: Network, points: Tensor, needs: Iterable[Index]) -> Jets:
    """Jets (P, C) by forward differentiation over forward, one nest for each index: low orders, many unknowns."""
    needs = tuple(needs)
    directions = torch.eye(points.shape[1], dtype=points.dtype, device=points.device)

    def derivative(f: Network, axis: int) -> Network:
        return lambda x: torch.func.jvp(f, (x,), (directions[axis].expand_as(x),))[1]

    found: Jets = {}
    for index in needs:
        f = network
        for axis in along(index):
            f = derivative(f, axis)
        found[index] = f(points)
    return found


# ---- for equations ---------------------------------------------------------------------------------------------------


def needed(needs: Mapping[str, Iterable[Index]], dimensions: int) -> tuple[Index, ...]:
    """The union over all unknowns, with the values themselves, by order."""
    union = {(0,) * dimensions}.union(*(set(n) for n in needs.values()))
    return tuple(sorted(union, key=lambda index: (order(index), index)))


def by_unknown(jets: Mapping[Index, Tensor], unknowns: Sequence[str]) -> dict[str, Jets]:
    """Jets (P,) of each unknown, from jets (P, C) with one column for each of them."""
    return {name: {index: values[:, c] for index, values in jets.items()} for c, name in enumerate(unknowns)}


def check_order(needs: Iterable[Index], highest: int, who: str) -> None:
    """Raises :class:`UserError` where a derivative is of a higher order than ``who`` can take."""
    found = max(map(order, needs), default=0)
    if found > highest:
        raise UserError(
            f"The equations hold a derivative of order {found}.",
            f"{who} takes orders up to {highest}.",
            "Introduce an unknown for a derivative and write the equation as a system of lower order.",
        )


__all__ = [
    "CLOSED_ORDER",
    "Activation",
    "Index",
    "Jets",
    "Network",
    "activated",
    "along",
    "by_autograd",
    "by_forward",
    "by_unknown",
    "check_order",
    "closure",
    "linear",
    "needed",
    "of_coordinates",
    "order",
    "plus",
    "scaled",
    "sine",
    "tanh",
    "whole",
]
