"""The plan of entropic transport as a scaled kernel, in which nothing overflows or underflows.

For potentials x, y and the inverse regularisation eta, in the convention of the entropy P log P,

    P_ij = exp(eta (x_i + y_j - C_ij) - 1) = u_i K_ij v_j,     K_ij = exp(eta (x0_i + y0_j - C_ij) - 1),

where x0, y0 have been absorbed into the kernel and u = exp(eta (x - x0)), v = exp(eta (y - y0)) stay moderate. Row
sums, column sums and the dual value at any potentials near x0, y0 are products of K with a vector: one pass over memory
and no exponential. (Stabilised scaling: Schmitzer 2019.) The scalings, not the potentials, hold the digits: in double
precision eta x knows its last digit to 1e-13 at eta = 1,000, while u K v can meet its marginals to 1e-16.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engines.blocks.transport.sinkhorn import LEAST_EXPONENT, Scaling

ABSORB = 50.0
"""Scalings whose logarithm is larger than this go into the kernel."""
LARGEST_EXPONENT = 700.0
"""exp of it is finite in double precision: a trial far away gives a huge mass, not infinity."""
BLOCK_ON_CPU = 1 << 17
"""Entries in a block of rows, which stays in the cache of a core while several operations pass over it."""
BLOCK_ON_GPU = 1 << 26
IN_CACHE = 16 << 20
"""Bytes of a matrix that need not be read from memory each time."""


@dataclass
class ScaledPlan:
    """P = diag(u) K diag(v) for costs (m, n) and weights a (m,), b (n,), all float64 on one device.

    Besides the costs it holds one (m, n) matrix, and a second one only while a trial step is too far for it.
    """

    costs: Tensor
    a: Tensor
    b: Tensor
    eta: float
    x0: Tensor
    y0: Tensor
    u: Tensor
    v: Tensor
    kernel: Tensor
    Kv: Tensor = field(init=False)
    Ku: Tensor = field(init=False)
    """K v (m,) and K' u (n,)."""

    def __post_init__(self) -> None:
        self.Kv, self.Ku = products(self.kernel, self.v, self.u)

    @classmethod
    def of(cls, scaling: Scaling) -> ScaledPlan:
        """The plan that Sinkhorn's sweeps have come to, on their kernel, which must be a stored one."""
        return cls(
            scaling.costs, scaling.a, scaling.b, 1 / scaling.epsilon, scaling.f + scaling.epsilon, scaling.g,
            scaling.a * torch.as_tensor(scaling.s), scaling.b * torch.as_tensor(scaling.t), scaling.kernel,
        )  # fmt: skip

    def rebuilt(self) -> ScaledPlan:
        """With all of the potentials absorbed into the kernel, in its memory: then :meth:`state` gives it to the digit.

        Nothing can be asked of what shared the kernel.
        """
        x0, y0 = self.potentials
        _build(self.kernel, self.costs, self.eta, x0, y0)
        ones = torch.ones_like(self.a), torch.ones_like(self.b)
        return ScaledPlan(self.costs, self.a, self.b, self.eta, x0, y0, *ones, self.kernel)

    @classmethod
    def restored(cls, costs: Tensor, a: Tensor, b: Tensor, eta: float, state: Mapping[str, Any]) -> ScaledPlan:
        """As it was when :meth:`state` was taken, to the last digit."""
        parts = [state[name].to(costs.device) for name in ("x0", "y0", "u", "v")]
        kernel = torch.empty_like(costs)
        _build(kernel, costs, eta, parts[0], parts[1])
        return cls(costs, a, b, eta, *parts, kernel)

    def state(self) -> dict[str, Any]:
        return {"x0": self.x0, "y0": self.y0, "u": self.u, "v": self.v}

    @property
    def potentials(self) -> tuple[Tensor, Tensor]:
        """x (m,) and y (n,)."""
        return self.x0 + self.u.log() / self.eta, self.y0 + self.v.log() / self.eta

    def sums(self) -> tuple[Tensor, Tensor]:
        """P 1 (m,) and P' 1 (n,)."""
        return self.u * self.Kv, self.v * self.Ku

    @property
    def mass(self) -> float:
        """The sum of all entries."""
        return float(torch.dot(self.u, self.Kv))

    def dual(self) -> float:
        """f(x, y) = x.a + y.b - (1/eta) sum P, which the entropic optimum maximises."""
        x, y = self.potentials
        return float(torch.dot(x, self.a) + torch.dot(y, self.b)) - self.mass / self.eta

    def primal(self) -> tuple[float, float]:
        """<C, P> and sum P log P, from the entries of P alone."""
        cost, log_mass = 0.0, 0.0
        for rows in _blocks(self.kernel):
            part = self.part(rows)
            cost += float(torch.dot(part.view(-1), self.costs[rows].reshape(-1)))
            log_mass -= float(torch.special.entr(part).sum())
        return cost, log_mass

    def shifted(self, dx: Tensor, dy: Tensor) -> ScaledPlan:
        """The plan where eta x and eta y are larger by dx (m,) and dy (n,). It shares the kernel with this one, unless
        the shift is so large that it must have its own.
        """
        log_u, log_v = self.u.log() + dx, self.v.log() + dy
        if max(float(log_u.abs().max()), float(log_v.abs().max())) <= ABSORB:
            return ScaledPlan(
                self.costs, self.a, self.b, self.eta, self.x0, self.y0, log_u.exp_(), log_v.exp_(), self.kernel
            )
        x0, y0 = self.x0 + log_u / self.eta, self.y0 + log_v / self.eta
        kernel = torch.empty_like(self.kernel)
        _build(kernel, self.costs, self.eta, x0, y0)
        ones = torch.ones_like(self.a), torch.ones_like(self.b)
        return ScaledPlan(self.costs, self.a, self.b, self.eta, x0, y0, *ones, kernel)

    def part(self, rows: slice) -> Tensor:
        """Rows of P, as a new matrix."""
        return (self.kernel[rows] * self.v).mul_(self.u[rows, None])

    def into_dense(self) -> Tensor:
        """P (m, n), in the memory of the kernel: nothing else can be asked of this plan afterwards."""
        return self.kernel.mul_(self.v).mul_(self.u[:, None])

    def at(self, places: Tensor) -> Tensor:
        """Mass at flat indices."""
        n = len(self.b)
        rows = torch.div(places, n, rounding_mode="floor")
        return self.kernel.view(-1)[places] * self.u[rows] * self.v[places - rows * n]

    def above(self, least: float) -> tuple[Tensor, Tensor]:
        """Flat indices and mass of the entries that are not below ``least``."""
        return _joined([self._found(rows, least) for rows in _blocks(self.kernel)])

    def largest(self, count: int, least: float = 0.0) -> tuple[Tensor, Tensor]:
        """Flat indices (ascending) and mass of the ``count`` largest entries of P.

        ``least`` is a lower bound of them, if one is known, which spares most of the work. Each block of rows adds the
        entries that are not below the smallest that may still count, so that memory stays bounded.
        """
        count, total = min(count, self.kernel.numel()), 0
        found: list[tuple[Tensor, Tensor]] = []
        for rows in _blocks(self.kernel):
            found.append(self._found(rows, least))
            total += len(found[-1][0])
            if total > 2 * count:
                found = [_top(*_joined(found), count)]
                least, total = max(least, float(found[0][1].min())), count
        return _top(*_joined(found), count) if total > count else _joined(found)

    def _found(self, rows: slice, least: float) -> tuple[Tensor, Tensor]:
        """Entries that are not below ``least``, by one comparison of the kernel with what they must be there at least;
        where that lets too much through, from the entries themselves.
        """
        kernel, start = self.kernel[rows], rows.start * len(self.b)
        if least <= 0:
            part = self.part(rows).reshape(-1)
            return torch.arange(start, start + len(part), device=part.device), part
        bound = least / float(self.u[rows].max() * self.v.max()) * (1 - 1e-12)
        places = _nonzero(kernel, bound)
        if 8 * len(places) > kernel.numel():
            part = self.part(rows).reshape(-1)
            places = _nonzero(part, least)
            return places + start, part[places]
        masses = self.at(places + start)
        kept = masses >= least
        return places[kept] + start, masses[kept]


def _joined(found: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    places, masses = zip(*found, strict=True)
    return torch.cat(places), torch.cat(masses)


def _nonzero(values: Tensor, least: float) -> Tensor:
    """Flat indices of what is not below ``least``; numpy looks for them five times as fast as torch does on a CPU."""
    if not on_cpu(values):
        return torch.nonzero((values >= least).reshape(-1))[:, 0]
    return torch.from_numpy(np.flatnonzero(values.numpy() >= least))


def on_cpu(x: Tensor) -> bool:
    """Whether numpy can look at it, and a number of it be had without waiting."""
    return x.device.type == "cpu"


def product(matrix: Tensor, vector: Tensor) -> Tensor:
    """A matrix with a vector; on a CPU by numpy, whose products are up to twice as fast."""
    if not on_cpu(matrix):
        return torch.mv(matrix, vector)
    return torch.from_numpy(matrix.numpy() @ vector.numpy())


def products(matrix: Tensor, right: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix with ``right``, and its transpose with ``left``, in one pass over it."""
    if not on_cpu(matrix) or matrix.nbytes <= IN_CACHE:
        return product(matrix, right), product(matrix.T, left)
    K, r, u = matrix.numpy(), right.numpy(), left.numpy()
    found, columns = np.empty_like(u), np.zeros_like(r)
    for rows in _blocks(matrix):
        found[rows] = K[rows] @ r
        columns += u[rows] @ K[rows]
    return torch.from_numpy(found), torch.from_numpy(columns)


def _build(kernel: Tensor, costs: Tensor, eta: float, x0: Tensor, y0: Tensor) -> None:
    """K from the costs and the absorbed potentials, exponents clipped."""
    along_x, along_y = (eta * x0 - 1)[:, None], eta * y0
    for rows in _blocks(kernel):
        part = kernel[rows]
        torch.add(along_y, costs[rows], alpha=-eta, out=part)
        part.add_(along_x[rows]).clamp_(LEAST_EXPONENT, LARGEST_EXPONENT).exp_()
        torch.nn.functional.threshold_(part, math.exp(LEAST_EXPONENT + 1), 0.0)  # they cannot count, but cost time


def _blocks(matrix: Tensor) -> Iterator[slice]:
    """Blocks of rows that are worked on one after the other."""
    m, n = matrix.shape
    step = max(1, (BLOCK_ON_CPU if on_cpu(matrix) else BLOCK_ON_GPU) // n)
    return (slice(i, min(i + step, m)) for i in range(0, m, step))


def _top(places: Tensor, masses: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest, in the order in which they are; of those that are equal to the smallest, the first."""
    least = torch.topk(masses, count, sorted=False).values.min()
    kept = masses >= least
    surplus = int(kept.sum()) - count
    if surplus:
        kept[torch.nonzero(masses == least)[-surplus:, 0]] = False
    return places[kept], masses[kept]


__all__ = ["ABSORB", "ScaledPlan", "on_cpu", "product", "products"]
