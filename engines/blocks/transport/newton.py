"""Newton's direction for the dual of entropic transport: with a sparsified Hessian, or with all of it.

At the plan P with row sums r and column sums c, the direction d = eta (dx, dy) solves

    [ diag(r)   P_s     ] [d_x]   [g_x]
    [ P_s'      diag(c) ] [d_y] = [g_y],      g = (a - r, b - c),

where P_s holds some entries of P; r and c are always the sums of all of P, which makes the matrix diagonally dominant
and so positive semidefinite, whatever P_s leaves out. If P_s = P, its null vector (1, -1) is orthogonal to g.

With A = diag(r)^-1/2 P_s diag(c)^-1/2 and the columns eliminated,

    (I - A A') p = g_x / sqrt(r) - A g_y / sqrt(c),   q = g_y / sqrt(c) - A' p,   d = (p / sqrt(r), q / sqrt(c)).

Conjugate gradients on this system take half as many iterations as on the first one with the preconditioner of Jacobi,
through the same iterates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engines.blocks.transport.scaled_plan import ScaledPlan, on_cpu, product, products

MOST_FACTORISED = 2500
"""Up to so many rows or columns, whichever are fewer, a system is factorised where that is asked for."""
GRAM_ROWS = 256
"""Rows of A A' that are made at a time, so that it can be cancelled."""
CHECK_ON_GPU = 16
"""Iterations between looks at the residual: each look waits for the device."""

Pair = tuple[Tensor, Tensor]
Check = Callable[[], None]


Found = tuple[Tensor, int, bool]
"""Solution, iterations, and whether they came to the tolerance."""


@dataclass(frozen=True)
class Direction:
    """d (m,) and (n,), as changes of the exponent; iterations of conjugate gradients, and whether they converged."""

    dx: Tensor
    dy: Tensor
    iterations: int = 0
    converged: bool = True


@dataclass(frozen=True)
class Normalised:
    """A as products with vectors. ``gram`` gives A A' (m, m); ``whole``: it holds all entries of P."""

    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]
    gram: Callable[[], Tensor]
    whole: bool

    def transposed(self, gram: Callable[[], Tensor]) -> Normalised:
        return Normalised(self.adjoint, self.forward, gram, self.whole)


Solve = Callable[[Normalised, Tensor, Tensor], Found]


def sparse_pair(places: Tensor, masses: Tensor, sums: Pair) -> tuple[Normalised, Normalised]:
    """A and A' from entries of P: their flat indices, ascending, and their mass."""
    root_r, root_c = (s.sqrt() for s in sums)
    m, n = len(root_r), len(root_c)
    rows = torch.div(places, n, rounding_mode="floor")
    columns = places - rows * n
    values = masses / (root_r[rows] * root_c[columns])
    A = _csr(rows, columns, values, (m, n))
    order = torch.argsort(columns, stable=True)
    At = _csr(columns[order], rows[order], values[order], (n, m))
    forward = Normalised(A.mv, At.mv, lambda: A @ At.to_dense(), False)
    return forward, forward.transposed(lambda: At @ A.to_dense())


def _csr(rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Entries sorted by rows. Indices of 32 bits are those that the libraries behind torch take without copying."""
    begins = torch.zeros(shape[0] + 1, dtype=torch.int32, device=rows.device)
    begins[1:] = torch.bincount(rows, minlength=shape[0]).cumsum(0)
    with warnings.catch_warnings():  # torch says once that this layout is new
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(begins, columns.int(), values, shape, check_invariants=False)


def full_pair(plan: ScaledPlan, sums: Pair, check: Check = lambda: None) -> tuple[Normalised, Normalised]:
    """A and A' from all of P, as products with the kernel. ``check`` may raise, to cancel."""
    left, right = plan.u / sums[0].sqrt(), plan.v / sums[1].sqrt()
    K, Kt = plan.kernel, plan.kernel.T

    def gram(by_rows: bool) -> Tensor:
        A = (K * right).mul_(left[:, None])
        A = A if by_rows else A.T
        found = torch.empty(len(A), len(A), dtype=A.dtype, device=A.device)
        for part, rows in zip(found.split(GRAM_ROWS), A.split(GRAM_ROWS), strict=True):
            check()
            torch.mm(rows, A.T, out=part)
        return found

    forward = Normalised(
        lambda q: left * product(K, right * q), lambda p: right * product(Kt, left * p), lambda: gram(True), True
    )
    return forward, forward.transposed(lambda: gram(False))


def solved(pair: tuple[Normalised, Normalised], sums: Pair, gradient: Pair, solve: Solve) -> Direction:
    """The direction, the longer side eliminated; ``solve`` takes A, the right side and sqrt of the sums of its rows."""
    turned = len(sums[0]) > len(sums[1])
    A = pair[turned]
    (root, other_root), (g, other_g) = ((s.sqrt() for s in sums), gradient)
    if turned:
        root, other_root, g, other_g = other_root, root, other_g, g
    scaled = other_g / other_root
    p, iterations, converged = solve(A, g / root - A.forward(scaled), root)
    d, other_d = p / root, (scaled - A.adjoint(p)) / other_root
    return Direction(other_d, d, iterations, converged) if turned else Direction(d, other_d, iterations, converged)


def iterated(
    tolerance: float, limit: int, check: Check = lambda: None
) -> Callable[[Normalised, Tensor, Tensor], Found]:
    """Solve by conjugate gradients to |residual| <= tolerance |right side|. ``check`` may raise, to cancel."""
    return lambda A, right, _: conjugate_gradients(
        lambda p: p - A.forward(A.adjoint(p)), right, tolerance, limit, check
    )


def conjugate_gradients(
    apply: Callable[[Tensor], Tensor], right: Tensor, tolerance: float, limit: int, check: Check = lambda: None
) -> Found:
    """A positive semidefinite system. On a GPU scalars stay there, and the residual is looked at now and then only."""
    found, residual, along = torch.zeros_like(right), right.clone(), right.clone()
    dot, add, every = _on_cpu() if on_cpu(right) else _on_gpu()
    square = dot(residual, residual)
    goal = tolerance**2 * float(square)
    if goal <= torch.finfo(right.dtype).tiny:
        return found, 0, True
    for iteration in range(1, limit + 1):
        image = apply(along)
        length = square / dot(along, image)
        add(found, along, length)
        add(residual, image, -length)
        before, square = square, dot(residual, residual)
        if iteration % every == 0 or iteration == limit:
            if float(square) <= goal:
                return found, iteration, True
            if iteration % 64 == 0:
                check()
        along.mul_(square / before).add_(residual)
    return found, limit, False


def _on_cpu() -> tuple[Any, Any, int]:
    """Products and sums of vectors with plain numbers; nothing is divided by zero."""
    tiny = torch.finfo(torch.float64).tiny
    return lambda p, q: max(float(p.dot(q)), tiny), lambda to, of, factor: to.add_(of, alpha=factor), 1


def _on_gpu() -> tuple[Any, Any, int]:
    tiny = torch.finfo(torch.float64).tiny
    return lambda p, q: p.dot(q).clamp_(min=tiny), lambda to, of, factor: to.addcmul_(of, factor), CHECK_ON_GPU


def factorised(A: Normalised, right: Tensor, root: Tensor) -> Found:
    """Solve by Cholesky's factors of I - A A'. Its null vector sqrt(r), if P_s = P, is given the eigenvalue 1."""
    matrix = A.gram().neg_()
    if A.whole:
        matrix.addr_(root, root, alpha=1 / float(torch.dot(root, root)))
    matrix.diagonal().add_(1)
    for shift in (0.0, 1e-15, 1e-13, 1e-11):  # eigenvalues may be lost in rounding, where P is all but a permutation
        matrix.diagonal().add_(shift)
        factor, broken = torch.linalg.cholesky_ex(matrix)
        if not int(broken):
            return torch.cholesky_solve(right[:, None], factor)[:, 0], 0, True
    return right, 0, False


def defect(plan: ScaledPlan, sums: Pair, gradient: Pair, found: Direction) -> float:
    """|H d - g| / |g| in L1, with all of P in H: how far d is from the direction of the full Hessian."""
    u, v, K = plan.u, plan.v, plan.kernel
    along_y, along_x = products(K, v * found.dy, u * found.dx)
    rows = sums[0] * found.dx + u * along_y - gradient[0]
    columns = sums[1] * found.dy + v * along_x - gradient[1]
    return float((rows.abs().sum() + columns.abs().sum()) / (gradient[0].abs().sum() + gradient[1].abs().sum()))


def can_factorise(plan: ScaledPlan) -> bool:
    return min(plan.kernel.shape) <= MOST_FACTORISED


def plan_gradient(
    plan: ScaledPlan, cotangent: Tensor, kept: int | None = None, tolerance: float = 1e-10, limit: int = 10_000
) -> Tensor:
    """dL/dC (m, n) of a loss L of the converged plan, from dL/dP (m, n), by implicit differentiation.

    With dP = eta P (dx + dy - dC) and the marginals held, dL/dC = eta P (l_x + l_y - dL/dP), where l solves the system
    above with the right side of the row and column sums of P dL/dP. ``kept`` entries of P stand in the system, as in
    the Newton steps; None: all, which is exact. (The gradient of the entropic optimum itself is P.)
    """
    sums, P = plan.sums(), plan.part(slice(None))
    weighed = P * cotangent
    pair = full_pair(plan, sums) if kept is None else sparse_pair(*plan.largest(kept), sums)
    found = solved(pair, sums, (weighed.sum(1), weighed.sum(0)), iterated(tolerance, limit))
    return (found.dx[:, None] + found.dy - cotangent).mul_(P).mul_(plan.eta)


__all__ = [
    "Direction",
    "Normalised",
    "Pair",
    "can_factorise",
    "conjugate_gradients",
    "defect",
    "factorised",
    "full_pair",
    "iterated",
    "plan_gradient",
    "solved",
    "sparse_pair",
]
