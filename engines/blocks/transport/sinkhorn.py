"""Entropic optimal transport by scaling (Sinkhorn), on a kernel that is kept near the solution.

With P 1 = a, P' 1 = b and one total mass T of both sides, two conventions are in use:

    "KL"       W = min <C, P> + eps sum P log(P / (a b'))     P = a b' exp((f + g - C) / eps)
    "entropy"  W = min <C, P> + eps sum P log P               P = exp((x + y - C) / eps - 1)

Both have the same plan, with x = f + eps (log a + 1) and y = g + eps log b, and values that differ by a constant:

    KL - entropy = -eps (sum a log a + sum b log b),     for uniform weights of mass 1:  eps (log m + log n)

so 2 eps log n for n points with n. With eta = 1/eps the "entropy" convention is that of sparse Newton iterations.

A sweep sets f, then g, so that the rows and then the columns of P have their mass. It is done on scalings s, t of a
kernel K = exp((f + g - C) / eps) of potentials f, g that are close to the present ones: s = 1 / K(b t),
t = 1 / K'(a s). They are absorbed into f and g before they leave exp(±50), so that nothing overflows and nothing that
counts is lost, however small eps. With ``kernel="recomputed"`` they are absorbed in each sweep, and K is never stored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Convention = Literal["KL", "entropy"]
KernelUse = Literal["auto", "stored", "recomputed"]

MOST_SCALING = 50.0
"""Largest |log s| and |log t| before they are absorbed."""
BLOCK_BYTES = {"cpu": 2 << 20, "cuda": 256 << 20}
"""Rows are taken in blocks of so many bytes; on a CPU they stay in the cache between the two products of a sweep."""
WHOLE_BYTES = 16 << 20
"""Up to this size the kernel is one block."""
STORED_BYTES = 2 << 30
"""Up to this size "auto" stores the kernel."""
LEAST_EXPONENT = -690.0
LEAST = math.exp(LEAST_EXPONENT + 1)
ANNEALING = 4.0
"""Each ε of :func:`annealed` is so many times the next."""


@dataclass(frozen=True)
class Values:
    """What a plan costs, <C, P>, and with either regularisation; dual values are never above the optimum."""

    transport: float
    kl: float
    kl_dual: float
    entropy: float
    entropy_dual: float
    mass: float


class Scaling:
    """Entropic transport in progress: costs C (m, n) and weights a (m,), b (n,), positive, of one total; float64.

    >>> scaling = Scaling(C, a, b, epsilon=1e-3)
    >>> while scaling.sweep(1e-9) > 1e-9: ...

    ``start`` is a potential g (n,) of the "KL" convention to start from; plain Sinkhorn starts from 0. Where the first
    sweep would find nothing but zeros in a column, its g is raised until it does. Bytes held beside C: 8mn with a
    stored kernel, else a block of rows.
    """

    @torch.no_grad()
    def __init__(
        self,
        costs: Tensor,
        a: Tensor,
        b: Tensor,
        epsilon: float,
        *,
        start: Tensor | None = None,
        kernel: KernelUse = "auto",
    ) -> None:
        if costs.dtype != torch.float64:
            raise TypeError(f"costs are {costs.dtype}; scaling needs float64")
        self.costs, self.a, self.b, self.epsilon = costs.contiguous(), a, b, float(epsilon)
        size = 8 * costs.numel()
        self.stored = kernel == "stored" or (kernel == "auto" and size <= STORED_BYTES)
        block = BLOCK_BYTES.get(costs.device.type, BLOCK_BYTES["cpu"])
        self._cached = min(len(a), max(1, block // (8 * len(b))))
        whole = self.stored and (size <= WHOLE_BYTES or costs.device.type != "cpu")
        self._rows = len(a) if whole else self._cached
        self._K = costs.new_empty(costs.shape if self.stored else (self._rows, len(b)))
        self._a, self._b = self._native(a), self._native(b)
        self._range = _spread(costs)
        self.sweeps, self.error = 0, math.inf
        self._drift, self._measured = math.inf, -1
        g = torch.zeros_like(b) if start is None else start.to(costs)
        # f as the c-transform of g: then no entry of the kernel exceeds 1, and each row has a 1.
        self._set(torch.cat([(C if start is None else C - g).amin(1) for C in costs.split(self._cached)]), g)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.split(self._rows)

    def _native(self, x: Tensor) -> Any:
        """A view for numpy on a CPU: its products are up to twice as fast, and small operations cost less."""
        return x.numpy() if x.device.type == "cpu" else x

    def _set(self, f: Tensor, g: Tensor) -> None:
        self.f, self.g = f, g
        self.s, self.t = self._native(torch.ones_like(self.a)), self._native(torch.ones_like(self.b))
        self._lowest = -(self._range + _spread(f) + _spread(g)) / self.epsilon
        if self.stored:
            for part, C, K in zip(*(x.split(self._cached) for x in (f, self.costs, self._K)), strict=True):
                self._exponentiate(part, C, K)

    def _exponentiate(self, f: Tensor, C: Tensor, out: Tensor) -> Tensor:
        """Entries below e^-690 become 0: they cannot count, and numbers that lose digits are ten times slower."""
        torch.add(f[:, None], C, alpha=-1, out=out)
        out.add_(self.g).mul_(1 / self.epsilon)
        if self._lowest > LEAST_EXPONENT:
            return out.exp_()
        return torch.nn.functional.threshold_(out.clamp_(min=LEAST_EXPONENT).exp_(), LEAST, 0.0)

    def _kernel_blocks(self) -> Iterator[Tensor]:
        """K by blocks of rows; each is overwritten by the next if the kernel is not stored."""
        if self.stored:
            yield from self._split(self._K)
        else:
            for f, C in zip(self._split(self.f), self._split(self.costs), strict=True):
                yield self._exponentiate(f, C, self._K[: len(f)])

    @torch.no_grad()
    def sweep(self, tolerance: float = 0.0, *, measure: bool = True) -> float:
        """Scale rows, then columns. Gives the L1 error of the rows' mass as it was before; the columns had theirs.

        Where that error is at most ``tolerance`` nothing is changed, so that what is held has this error. Without
        ``measure`` the last error is given again, and a GPU need not be waited for.
        """
        sums, columns = self._products(self._b * self.t)
        if not self.sweeps and not columns.all():
            self._raise(columns == 0)
            sums, columns = self._products(self._b * self.t)
        # The change of log s never grows from sweep to sweep (Hilbert's metric), so it need not be looked at always.
        measured = measure or self._drift * (self.sweeps - self._measured) > MOST_SCALING
        if measured:
            change = self.s * sums
            self._drift, self._measured = _farthest(change), self.sweeps
            if self.sweeps:  # before the first sweep the columns do not have their mass
                self.error = float(self._a @ abs(change - 1))
                if self.error <= tolerance:
                    return self.error
        self.s, self.t = 1 / sums, 1 / columns
        self.sweeps += 1
        if not self.stored or (measured and max(_farthest(self.s), _farthest(self.t)) > MOST_SCALING):
            self.absorb()
        return self.error

    def _raise(self, out_of_reach: Any) -> None:
        """Raise g where all of a column underflowed, as far as it goes: min_i (c_ij - f_i). One entry is 1 then."""
        highest = torch.full_like(self.g, math.inf)
        for C, f in zip(self.costs.split(self._cached), self.f.split(self._cached), strict=True):
            torch.minimum(highest, (C - f[:, None]).amin(0), out=highest)
        self._set(self.f, torch.where(torch.as_tensor(out_of_reach), highest, self.g))

    def _products(self, b: Any) -> tuple[Any, Any]:
        """K b and K' (a / K b), by blocks of rows, so that each is read from memory once."""
        if self.stored and self._rows >= len(self.a):
            K = self._native(self._K)
            sums = K @ b
            return sums, (self._a / sums) @ K
        sums, columns, start = self._native(torch.empty_like(self.a)), 0 * b, 0
        for K in map(self._native, self._kernel_blocks()):
            rows = slice(start, start := start + len(K))
            sums[rows] = part = K @ b
            columns += (self._a[rows] / part) @ K
        return sums, columns

    @torch.no_grad()
    def row_error(self) -> float:
        """L1 error of the rows' mass now; half the work of a sweep."""
        b = self._b * self.t
        sums = torch.cat([torch.as_tensor(self._native(K) @ b) for K in self._kernel_blocks()])
        return float((torch.as_tensor(self.s) * sums - 1).abs() @ self.a)

    @torch.no_grad()
    def absorb(self) -> None:
        """Move the scalings into f and g, and make the kernel anew."""
        self._set(*self.potentials())

    @property
    def kernel(self) -> Tensor:
        """K (m, n) of the plan diag(a s) K diag(b t), where it is stored."""
        if not self.stored:
            raise ValueError("this kernel is not stored")
        return self._K

    def potentials(self, convention: Convention = "KL") -> tuple[Tensor, Tensor]:
        """f (m,) and g (n,), or x and y of the "entropy" convention."""
        f = self.f + self.epsilon * torch.as_tensor(self.s).log()
        g = self.g + self.epsilon * torch.as_tensor(self.t).log()
        if convention == "KL":
            return f, g
        return f + self.epsilon * (self.a.log() + 1), g + self.epsilon * self.b.log()

    def _plan_blocks(self, found: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """P and C by blocks of rows; each block of P is overwritten by the next, if it is not put into ``found``."""
        a, b = self.a * torch.as_tensor(self.s), self.b * torch.as_tensor(self.t)
        buffer = torch.empty_like(self._K[: self._cached])
        start = 0
        for kernel, costs, weights in zip(self._kernel_blocks(), self._split(self.costs), self._split(a), strict=True):
            for K, C, part in zip(*(x.split(self._cached) for x in (kernel, costs, weights)), strict=True):
                out = buffer[: len(K)] if found is None else found[start : start + len(K)]
                start += len(K)
                yield torch.mul(K, part[:, None], out=out).mul_(b), C

    @torch.no_grad()
    def plan(self) -> Tensor:
        """(m, n) mass."""
        found = torch.empty_like(self.costs)
        for _ in self._plan_blocks(found):
            pass
        return found

    @torch.no_grad()
    def marginals(self) -> tuple[Tensor, Tensor]:
        """(m,) and (n,): the mass of each row and of each column."""
        rows, columns = [], torch.zeros_like(self.b)
        for block, _ in self._plan_blocks():
            rows.append(block.sum(1))
            columns += block.sum(0)
        return torch.cat(rows), columns

    @torch.no_grad()
    def errors(self) -> tuple[float, float]:
        """L1 error of the rows' and of the columns' mass."""
        rows, columns = self.marginals()
        return float((rows - self.a).abs().sum()), float((columns - self.b).abs().sum())

    @torch.no_grad()
    def values(self) -> Values:
        """In one pass over P."""
        rows, columns, transport = [], torch.zeros_like(self.b), 0.0
        for block, C in self._plan_blocks():
            rows.append(block.sum(1))
            columns += block.sum(0)
            transport += float(block.reshape(-1) @ C.reshape(-1))
        r, (f, g) = torch.cat(rows), self.potentials()
        kl = float(f @ r + g @ columns)  # as eps log(P / (a b')) = f + g - C
        missing = self.epsilon * float(self.a.sum() - r.sum())
        entropy = kl + self.epsilon * float(self.a.log() @ r + self.b.log() @ columns)
        entropies = self.epsilon * float(self.a.log() @ self.a + self.b.log() @ self.b)
        kl_dual = self.dual() + missing
        return Values(transport, kl, kl_dual, entropy, kl_dual + entropies, float(r.sum()))

    @torch.no_grad()
    def dual(self) -> float:
        """a·f + b·g: the dual value of the "KL" convention after a sweep, when P has all its mass."""
        f, g = self.potentials()
        return float(self.a @ f + self.b @ g)

    def state(self) -> dict[str, Any]:
        """What it takes to go on exactly as if it had not stopped."""
        scalings = {"s": torch.as_tensor(self.s), "t": torch.as_tensor(self.t)}
        seen = {"sweeps": self.sweeps, "error": self.error, "drift": self._drift, "measured": self._measured}
        return {"f": self.f, "g": self.g, **scalings, **seen}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._set(state["f"].to(self.costs), state["g"].to(self.costs))
        self.s, self.t = (self._native(state[name].to(self.costs)) for name in ("s", "t"))
        self.sweeps, self.error = int(state["sweeps"]), float(state["error"])
        self._drift, self._measured = float(state["drift"]), int(state["measured"])


def sinkhorn(
    costs: Tensor,
    a: Tensor,
    b: Tensor,
    epsilon: float,
    *,
    tolerance: float = 1e-9,
    sweeps: int = 10_000,
    check_every: int = 10,
    start: Tensor | None = None,
    kernel: KernelUse = "auto",
    anneal: bool = False,
) -> Scaling:
    """Sweep until the rows' mass is off by ``tolerance`` in L1, looked at every ``check_every`` sweeps, at most
    ``sweeps`` times. ``anneal`` comes to a small ε through larger ones. ``error`` of the result is that of its plan.
    """
    if anneal:
        for larger in annealed(costs, epsilon):
            rough = sinkhorn(costs, a, b, larger, tolerance=1e-2 * float(a.sum()), sweeps=100, start=start,
                             kernel=kernel)  # fmt: skip
            start = rough.potentials()[1]
            del rough
    scaling = Scaling(costs, a, b, epsilon, start=start, kernel=kernel)
    for index in range(sweeps):
        checked = index % check_every == 0 and index > 0
        if scaling.sweep(tolerance if checked else 0.0, measure=checked) <= tolerance and checked:
            return scaling
    scaling.error = scaling.row_error()
    return scaling


def annealed(costs: Tensor, epsilon: float) -> list[float]:
    """Regularisations above ε, falling, from about the spread of the costs."""
    count = math.ceil(math.log(max(1.0, _spread(costs) / epsilon), ANNEALING))
    return [epsilon * ANNEALING**k for k in range(count, 0, -1)]


@torch.no_grad()
def symmetric_potential(
    costs: Tensor, a: Tensor, epsilon: float, *, tolerance: float = 1e-9, sweeps: int = 1000, check_every: int = 5
) -> tuple[Tensor, float]:
    """f (n,) of a measure and itself, where f = g, and the L1 error of its plan; "KL" convention.

    For costs (n, n) that are symmetric and 0 on the diagonal. The geometric mean of s and 1 / K(a s) converges in a
    few steps. As P_ii = a_i^2 s_i^2 <= a_i and K <= 1, s stays between the roots of a and of 1/a: nothing overflows.
    """
    K = (costs * (-1 / epsilon)).exp_()
    s, error = torch.ones_like(a), math.inf
    for index in range(sweeps):
        sums = torch.mv(K, a * s)
        if index % check_every == 0:
            error = float((s * sums).sub_(1).abs_() @ a)
            if error <= tolerance:
                break
        s = s.div_(sums).sqrt_()
    else:
        error = float((s * torch.mv(K, a * s)).sub_(1).abs_() @ a)
    return s.log_().mul_(epsilon), error


def _spread(x: Tensor) -> float:
    lowest, highest = torch.aminmax(x)
    return float(highest - lowest)


def _farthest(scaling: Any) -> float:
    """Largest |log| of its elements."""
    return max(abs(math.log(scaling.max())), abs(math.log(scaling.min())))


__all__ = ["Convention", "KernelUse", "Scaling", "Values", "annealed", "sinkhorn", "symmetric_potential"]
