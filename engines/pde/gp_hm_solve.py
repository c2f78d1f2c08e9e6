"""The least-squares problem for the nodal values of GP-HM, given the kernels.

With U = W_1 Z W_2^T, where W_d W_d^T = K_d, and M the operator sum_m c_m K^(m) K^-1 W on white values z:

    minimise  |z|^2 + b^2 |(W z)_B - y|^2 + e^2 |M z - f|^2,        b = sqrt(lambda_b tau),  e = sqrt(v)

In one dimension W is the Cholesky factor and orthogonal factors solve it: the normal equations H would square a
condition that grows without bound as v does. In two dimensions W_d comes from the eigenvectors of K_d, in which the
derivatives are nearly diagonal. H is then solved by conjugate gradients, with an exact factor of H for the modes that
weigh most and its diagonal for the others as preconditioner: both have Kronecker structure where the coefficients
are constant, and take their means where they are not.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engines.blocks.pde.equations import Index
from engines.blocks.pde.kronecker import AxisKernel, GridPrior, along_all, conjugate_gradients

MOST_MODES = {"cpu": 900, "cuda": 6400}
"""Of the exact factor: it takes about 0.05 s on either."""


class Prescribed(Protocol):
    """Nodes at which u is prescribed, and its values there; both have the grid's shape."""

    @property
    def mask(self) -> Tensor: ...
    @property
    def values(self) -> Tensor: ...


def rows_of(
    problem: Prescribed, prior: GridPrior, coefficients: Mapping[Index, Tensor], right: Tensor, b: float, e: float
) -> tuple[Tensor, Tensor]:
    """All equations for white values as rows, the heaviest first for the orthogonal factors; and their right side.

    In two dimensions the Kronecker products are formed: for small grids only.
    """
    mask = problem.mask.reshape(-1)
    M = torch.zeros(mask.numel(), mask.numel(), dtype=right.dtype, device=right.device)
    for index, slope in coefficients.items():
        M += slope.reshape(-1, 1) * kronecker([a.whitened(k) for a, k in zip(prior.axes, index, strict=True)])
    L = kronecker([axis.factor for axis in prior.axes])[mask]
    rows = torch.cat([b * L, e * M, torch.eye(len(M), dtype=M.dtype, device=M.device)])
    return rows, torch.cat([b * problem.values.reshape(-1)[mask], e * right.reshape(-1), M.new_zeros(len(M))])


def kronecker(matrices: Sequence[Tensor]) -> Tensor:
    return functools.reduce(lambda a, b: torch.kron(a.contiguous(), b.contiguous()), matrices)


def solve_line(
    problem: Prescribed, prior: GridPrior, coefficients: Mapping[Index, Tensor], right: Tensor, b: float, e: float
) -> Tensor:
    """(N,) nodal values in one dimension."""
    rows, given = rows_of(problem, prior, coefficients, right, b, e)
    # R of [rows, given] holds Q^T given in its last column. LAPACK's own least squares differ in the last bits from
    # call to call, which the optimiser would make into different solutions.
    R = torch.linalg.qr(torch.cat([rows, given[:, None]], 1), mode="r").R
    z = torch.linalg.solve_triangular(R[:-1, :-1], R[:-1, -1:], upper=True)[:, 0]
    return prior.axes[0].factor @ z


@dataclass(frozen=True)
class Modes:
    """W = Q Lambda^(1/2) of one axis (N, N), the heaviest mode first, with its inverse and derivatives of each mode."""

    colour: Tensor
    whiten: Tensor
    derivatives: tuple[Tensor, ...]
    weights: Tensor

    @classmethod
    def of(cls, axis: AxisKernel) -> Modes:
        weights, Q = torch.linalg.eigh(axis.factor @ axis.factor.mT)
        weights, Q = weights.flip(0), Q.flip(1)
        root = weights.clamp(min=1e-14 * float(weights[0])).sqrt()
        colour = Q * root
        derivatives = (colour, *(K @ (Q / root) for K in axis.derivatives))
        return cls(colour, (Q / root).mT, derivatives, weights)


@dataclass(frozen=True)
class GridSystem:
    """See the module; two dimensions. ``coefficients`` c_m and ``right`` f have the grid's shape."""

    problem: Prescribed
    prior: GridPrior
    coefficients: Mapping[Index, Tensor]
    right: Tensor
    b: float
    e: float

    def solve(self, U: Tensor, products: int, tolerance: float = 1e-9) -> Tensor:
        """Nodal values from ``U`` on, by at most ``products`` products with H."""
        mask = self.problem.mask.to(U.dtype)

        def back(boundary: Tensor, equation: Tensor) -> Tensor:
            """The transpose of both maps."""
            found = along_all([m.colour.mT for m in self.modes], self.b**2 * mask * boundary)
            for index, slope in self.coefficients.items():
                found = found + along_all([d.mT for d in self._derivatives(index)], self.e**2 * slope * equation)
            return found

        def apply(Z: Tensor) -> Tensor:
            equation = torch.zeros_like(Z)
            for index, slope in self.coefficients.items():
                equation = equation + slope * along_all(self._derivatives(index), Z)
            return Z + back(along_all([m.colour for m in self.modes], Z), equation)

        start = along_all([m.whiten for m in self.modes], U)
        right = back(self.problem.values, self.right)
        Z, _ = conjugate_gradients(apply, right, start, self._preconditioner(), tolerance, products)
        return along_all([m.colour for m in self.modes], Z)

    @functools.cached_property
    def modes(self) -> tuple[Modes, ...]:
        return tuple(map(Modes.of, self.prior.axes))

    def _derivatives(self, index: Index) -> list[Tensor]:
        return [mode.derivatives[k] for mode, k in zip(self.modes, index, strict=True)]

    def _kept(self) -> tuple[int, int]:
        """How many modes of each axis the exact factor takes: those above one weight, as many as there is room for."""
        first, second = (mode.weights / mode.weights[0] for mode in self.modes)
        most = MOST_MODES.get(self.right.device.type, MOST_MODES["cpu"])
        levels = torch.cat([first, second]).sort(descending=True).values
        counts = torch.searchsorted(-first, -levels, right=True) * torch.searchsorted(-second, -levels, right=True)
        level = levels[max(0, int((counts <= most).sum()) - 1)]
        return int((first >= level).sum()), int((second >= level).sum())

    def _preconditioner(self):  # type: ignore[no-untyped-def]
        p, q = self._kept()
        factor = self._factor(p, q)
        diagonal = self._quadratic(lambda A, B: (A * B).sum(0)) + 1

        def precondition(R: Tensor) -> Tensor:
            found = R / diagonal
            block = R[:p, :q].reshape(-1, 1)
            found[:p, :q] = torch.cholesky_solve(block, factor).reshape(p, q)
            return found

        return precondition

    def _factor(self, p: int, q: int) -> Tensor:
        """The Cholesky factor of H for the first p and q modes; raised by what rounding may have taken."""
        block = self._quadratic(lambda A, B: A.mT @ B, (p, q))
        eye = torch.eye(len(block), dtype=block.dtype, device=block.device)
        lift = 1.0
        while True:
            L, failed = torch.linalg.cholesky_ex(block + lift * eye)
            if not failed:
                return L
            lift = max(10 * lift, 1e-15 * float(block.diagonal().max()))

    def _quadratic(self, inner, kept: tuple[int, int] | None = None) -> Tensor:  # type: ignore[no-untyped-def]
        """H - I as a sum of Kronecker products of ``inner`` products of the columns along each axis."""
        count = kept or tuple(len(m.weights) for m in self.modes)

        def term(A: Sequence[Tensor], B: Sequence[Tensor]) -> Tensor:
            parts = [inner(a[:, :n], b[:, :n]) for a, b, n in zip(A, B, count, strict=True)]
            return kronecker(parts) if parts[0].ndim == 2 else parts[0][:, None] * parts[1]

        total: Tensor | float = 0.0
        means = {index: float(slope.mean()) for index, slope in self.coefficients.items()}
        for one, c in means.items():
            for other, d in means.items():
                total = total + self.e**2 * c * d * term(self._derivatives(one), self._derivatives(other))
        colours = [m.colour for m in self.modes]
        for rows, sign in self._faces():
            part = [colour if row is None else colour[row] for colour, row in zip(colours, rows, strict=True)]
            total = total + sign * self.b**2 * term(part, part)
        return torch.as_tensor(total)

    def _faces(self) -> list[tuple[tuple[list[int] | None, list[int] | None], int]]:
        """The prescribed nodes as rows along each axis (None: all), corners counted once."""
        mask = self.problem.mask
        first = [i for i in (0, -1) if bool(mask[i].all())]
        second = [j for j in (0, -1) if bool(mask[:, j].all())]
        found: list[tuple[tuple[list[int] | None, list[int] | None], int]] = []
        found += [((first, None), 1)] if first else []
        found += [((None, second), 1)] if second else []
        return found + ([((first, second), -1)] if first and second else [])


__all__ = ["GridSystem", "Prescribed", "kronecker", "rows_of", "solve_line"]
