"""A problem of one unknown solved by collocation on a tensor grid: Newton's method on equation and conditions.

At each node stands the equation, or on a face what holds there, in terms of derivatives u_m = D_m u:

    R(x, {D_m u}) = 0,      J = sum_m diag(dR/du_m) D_m

R depends on the jets at its own node alone, so that one gradient gives all diagonals. For a linear problem the first
step is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
import scipy.sparse.linalg as spla
import torch

from engines.blocks.pde.conditions import Condition
from engines.blocks.pde.differentiation import DifferentiatedAxis, on_grid
from engines.blocks.pde.equations import Compiled, Index
from engines.blocks.pde.field_metrics import difference, score_table
from engines.blocks.pde.tensor_grid import TensorGrid
from engines.core import Run, UserError
from engines.data import Problem, SampledField, Table

MOST_STEPS = 30
SINGULAR = 3e-16
"""Reciprocal of the condition of a matrix that is singular to rounding."""
DIRECT = {1: 10**9, 2: 400_000, 3: 30_000}
"""Nodes up to which sparse systems are factorised, by the number of axes; larger ones are iterated."""


@dataclass(frozen=True)
class ReferenceSolution:
    field: SampledField
    scores: Table | None
    error: SampledField | None


@dataclass(frozen=True)
class _Rows:
    """Nodes at which one residual holds."""

    nodes: np.ndarray
    condition: Condition | None


class CollocationSystem:
    """Residual and Jacobian of a compiled problem on differentiated axes."""

    def __init__(self, compiled: Compiled, axes: Sequence[DifferentiatedAxis]) -> None:
        self.compiled, self.axes = compiled, tuple(axes)
        self.shape = tuple(len(axis.nodes) for axis in axes)
        (self.unknown,) = compiled.unknowns
        grid = TensorGrid(compiled, tuple(torch.from_numpy(axis.nodes) for axis in axes))
        self.points = grid.points
        self.rows = self._rows()
        needs = set(compiled.needs[self.unknown])
        for rows in self.rows:
            needs |= {index for _, index in rows.condition.needs} if rows.condition else set()
        self.matrices = {index: on_grid(self.axes, index) for index in sorted(needs)}

    @property
    def is_sparse(self) -> bool:
        return all(sp.issparse(matrix) for matrix in self.matrices.values())

    def _rows(self) -> list[_Rows]:
        """Where conditions hold, values before others, each node once; and the equation everywhere else."""
        place = np.arange(int(np.prod(self.shape))).reshape(self.shape)
        free = np.ones(place.size, bool)
        found = []
        given = [c for c in self.compiled.conditions if c.residual is not None]
        for condition in sorted(given, key=lambda c: (not c.is_initial, c.kind != "value")):
            face = place[tuple(-condition.side if a == condition.axis else slice(None) for a in range(place.ndim))]
            nodes = face.reshape(-1)[free[face.reshape(-1)]]
            free[nodes] = False
            found.append(_Rows(nodes, condition))
        return [*found, _Rows(place.reshape(-1)[free], None)]

    def evaluate(self, u: np.ndarray) -> tuple[np.ndarray, Any]:
        """The residual (P,) at nodal values ``u`` and its Jacobian (P, P)."""
        values = {index: torch.from_numpy(matrix @ u).requires_grad_() for index, matrix in self.matrices.items()}
        residual = np.empty(len(u))
        diagonals = {index: np.zeros(len(u)) for index in self.matrices}
        for rows in self.rows:
            if not len(rows.nodes):
                continue
            at = torch.from_numpy(rows.nodes)
            formula = rows.condition.residual if rows.condition is not None else self.compiled.residual
            assert formula is not None
            found = formula(self.points[at], {self.unknown: {index: v[at] for index, v in values.items()}})[:, 0]
            residual[rows.nodes] = found.detach().numpy()
            if found.requires_grad:
                slopes = torch.autograd.grad(found.sum(), list(values.values()), allow_unused=True)
                for index, slope in zip(values, slopes, strict=True):
                    if slope is not None:
                        diagonals[index][rows.nodes] = slope.numpy()[rows.nodes]
        return residual, self._jacobian(diagonals)

    def _jacobian(self, diagonals: Mapping[Index, np.ndarray]) -> Any:
        if self.is_sparse:
            return sum((sp.diags(d) @ self.matrices[i] for i, d in diagonals.items() if d.any())).tocsc()  # type: ignore[union-attr]
        return sum(d[:, None] * np.asarray(self.matrices[i]) for i, d in diagonals.items() if d.any())

    def solve(self, run: Run, tolerance: float = 1e-9) -> np.ndarray:
        """Nodal values, in the grid's shape. Raises :class:`UserError` where Newton's method fails."""
        u = np.zeros(int(np.prod(self.shape)))
        residual, jacobian = self.evaluate(u)
        size = np.abs(residual).max(initial=1e-300)
        change = np.inf
        steps = MOST_STEPS if not self.is_linear else 1
        for step in run.steps(steps, "Newton's method" if steps > 1 else "Solving"):
            move = self._linear_solve(jacobian, -residual)
            length = 1.0
            for _ in range(8):
                trial = u + length * move
                trial_residual, trial_jacobian = self.evaluate(trial)
                if np.linalg.norm(trial_residual) <= np.linalg.norm(residual) or self.is_linear or length < 1e-2:
                    break
                length /= 2
            u, residual, jacobian = trial, trial_residual, trial_jacobian
            change = length * np.abs(move).max() / max(1.0, np.abs(u).max())
            run.log(step=step, residual=np.abs(residual).max() / size, change=change)
            if change < tolerance or not np.isfinite(change):
                break
        if not np.isfinite(u).all() or (steps > 1 and change > 1e-5):
            raise UserError(
                "Newton's method does not converge on this problem.",
                f"After {steps} steps the solution still changes by {change:.2g}.",
                "The problem may have no solution or several. Use more nodes, or another method.",
            )
        return u.reshape(self.shape)

    @property
    def is_linear(self) -> bool:
        return self.compiled.linear_operator() is not None and all(
            rows.condition is None or rows.condition.kind == "value" or _is_linear(rows.condition) for rows in self.rows
        )

    def _linear_solve(self, matrix: Any, right: np.ndarray) -> np.ndarray:
        """Rows are scaled first: those of conditions are smaller than those of the equation by powers of the nodes."""
        sparse = sp.issparse(matrix)
        largest = np.asarray(abs(matrix).max(axis=1).todense()).reshape(-1) if sparse else np.abs(matrix).max(1)
        scale = 1 / np.where(largest > 0, largest, 1.0)
        try:
            if not sparse:
                return _dense_solve(scale[:, None] * matrix, scale * right)
            scaled = (sp.diags(scale) @ matrix).tocsc()
            solve = _factorised if len(right) <= DIRECT[len(self.shape)] else _iterated
            return solve(scaled, scale * right)
        except (np.linalg.LinAlgError, RuntimeError) as error:
            raise UserError(
                "The equations at the nodes do not have one solution.",
                f"Their matrix is singular ({error}).",
                "Check that each side has a condition, and that a value is given somewhere.",
            ) from None


def _dense_solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    factor, pivots = scipy.linalg.lu_factor(matrix, check_finite=False)
    inverse_condition, _ = scipy.linalg.lapack.dgecon(factor, np.abs(matrix).sum(0).max())
    if not inverse_condition > SINGULAR:
        raise np.linalg.LinAlgError(f"its condition is {1 / max(inverse_condition, 1e-300):.1g}")
    return np.asarray(scipy.linalg.lu_solve((factor, pivots), right, check_finite=False))


def _factorised(matrix: Any, right: np.ndarray) -> np.ndarray:
    factor = spla.splu(matrix)
    condition = _inverse_norm(factor) * spla.norm(matrix, 1)
    if not condition * SINGULAR < 1:
        raise np.linalg.LinAlgError(f"its condition is {condition:.1g}")
    return np.asarray(factor.solve(right))


def _inverse_norm(factor: Any) -> float:
    """An estimate of the 1-norm of an inverse from its factors (Hager 1984); SciPy's own draws random numbers."""
    count = factor.shape[0]
    x, found = np.full(count, 1 / count), 0.0
    for _ in range(5):
        y = factor.solve(x)
        found = max(found, float(np.abs(y).sum()))
        slope = factor.solve(np.where(y < 0, -1.0, 1.0), "T")
        largest = int(np.abs(slope).argmax())
        if not np.abs(slope[largest]) > slope @ x:
            break
        x = np.zeros(count)
        x[largest] = 1
    return found


def _iterated(matrix: Any, right: np.ndarray) -> np.ndarray:
    factor = spla.spilu(matrix, drop_tol=1e-4, fill_factor=10)
    inner = spla.LinearOperator(matrix.shape, factor.solve)
    u, failed = spla.bicgstab(matrix, right, rtol=1e-11, atol=0.0, maxiter=500, M=inner)
    if failed:
        raise UserError(
            "The iteration for the linear system does not converge.", mend="Use fewer nodes: then it is direct."
        )
    return np.asarray(u)


def _is_linear(condition: Condition) -> bool:
    """Whether no slope of the residual by a derivative depends on another derivative."""
    import sympy

    assert condition.residual is not None
    (expression,) = condition.residual.expressions
    derivatives = {s for s in expression.free_symbols if str(s).endswith(" ")}
    return all(not sympy.diff(expression, s).free_symbols & derivatives for s in derivatives)


def reference(
    compiled: Compiled, axes: Sequence[DifferentiatedAxis], values: np.ndarray, samples: int
) -> ReferenceSolution:
    """The solution at evenly spaced points by the axes' own interpolation, with errors where the truth is known.

    ``samples`` points along each axis; 0: at the nodes themselves, with the upper end of periodic axes.
    """
    even = []
    spans = zip(axes, compiled.lower.tolist(), compiled.upper.tolist(), strict=True)
    for number, (axis, low, high) in enumerate(spans):
        at = np.linspace(low, high, samples or len(axis.nodes) + int(axis.is_periodic))
        even.append(torch.from_numpy(at))
        if samples or axis.is_periodic:
            wrapped = low + (at - low) % (high - low) if axis.is_periodic else at
            along = np.tensordot(axis.interpolation(wrapped), values, (1, number))
            values = np.moveaxis(along, 0, number)
    grid = TensorGrid(compiled, tuple(even))
    field, truth = grid.field(values, "Solution"), grid.exact()
    exact = None if truth is None else grid.field(truth)
    unknowns = int(np.prod([len(axis.nodes) for axis in axes]))
    scores = None if exact is None else score_table(field, exact, stored=unknowns)
    return ReferenceSolution(field, scores, None if exact is None else difference(field, exact))


def example(equation: str, exact: str, *coordinates: str, time: str = "") -> dict[str, Problem]:
    """A problem on the unit box whose solution is known, for trying a solver."""
    count = len(coordinates)
    made = Problem(
        name=exact, coordinates=coordinates, time=time, lower=np.zeros(count), upper=np.ones(count),
        equations=(equation,), definitions={"f": "manufactured"}, exact={"u": exact},
        conditions=("u = exact on boundary", *(("u = exact at t = 0",) if time else ())),
    )  # fmt: skip
    return {"problem": made}


__all__ = ["CollocationSystem", "ReferenceSolution", "example", "reference"]
