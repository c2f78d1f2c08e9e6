"""A problem compiled: which derivatives its equations take, their residuals, its conditions and its exact solution.

In the formulas of a problem a derivative is written as the unknown with the coordinates after an underscore (``u_xx``,
``u_xt``), or by an operator: ``diff(f, x)``, ``diff(f, x, 2)``, ``lap(f)`` (over space), ``dt(f)``. A definition may
use coordinates, unknowns and other definitions. The definition ``manufactured`` makes a source: what it has to be for
the exact solution to fulfil the equation that it stands in.

Derivatives are told by multi-indices: one order for each coordinate, (2, 0) for u_xx on (x, y). *Jets* hold their
values: ``jets["u"][(2, 0)]`` is a tensor (P,), one value for each of P points.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import sympy
import torch
from sympy import Expr
from sympy.core.function import AppliedUndef
from torch import Tensor

from engines.blocks.formulas import FormulaError
from engines.blocks.pde.conditions import Condition, read_conditions
from engines.blocks.pde.grids import tensor_points
from engines.blocks.pde.vocabulary import Formula, Index, Jets, Vocabulary, order
from engines.core import UserError
from engines.data import Problem


@dataclass(frozen=True)
class LinearOperator:
    """sum of coefficient · derivative = source. Each coefficient and the source give (P, 1)."""

    terms: dict[tuple[str, Index], Formula]
    source: Formula


@dataclass(frozen=True)
class Compiled:
    """See the module. ``time`` is the index of the coordinate that is time, or None."""

    problem: Problem
    symbols: Vocabulary = field(repr=False)
    residual: Formula
    """(P, E) left minus right side of each equation; takes (points, jets, coefficients)."""
    conditions: tuple[Condition, ...]
    exact_expressions: dict[str, Expr] = field(repr=False)
    definitions: dict[str, Expr] = field(repr=False)

    @property
    def coordinates(self) -> tuple[str, ...]:
        return self.problem.coordinates

    @property
    def unknowns(self) -> tuple[str, ...]:
        return self.problem.unknowns

    @property
    def time(self) -> int | None:
        return self.coordinates.index(self.problem.time) if self.problem.time else None

    @property
    def lower(self) -> np.ndarray:
        return self.problem.lower

    @property
    def upper(self) -> np.ndarray:
        return self.problem.upper

    @property
    def equations(self) -> int:
        return len(self.problem.equations)

    @functools.cached_property
    def needs(self) -> dict[str, frozenset[Index]]:
        """The derivatives that the equations take of each unknown."""
        found: dict[str, set[Index]] = {u: set() for u in self.unknowns}
        for unknown, index in self.residual.needs:
            found[unknown].add(index)
        return {u: frozenset(indices) for u, indices in found.items()}

    @property
    def order(self) -> int:
        """The highest order of a derivative in the equations."""
        return max((order(index) for _, index in self.residual.needs), default=0)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Along which coordinates the problem is periodic."""
        axes = {c.axis for c in self.conditions if c.kind == "periodic"}
        return tuple(i in axes for i in range(len(self.coordinates)))

    @property
    def has_exact(self) -> bool:
        return set(self.exact_expressions) == set(self.unknowns)

    def exact(self, points: Tensor) -> Tensor | None:
        """(P, U) exact values of the unknowns at ``points`` (P, D), or None where they are not known."""
        return self._exact_formula(points) if self.has_exact else None

    @functools.cached_property
    def _exact_formula(self) -> Formula:
        return self.symbols.formula([self.exact_expressions[u] for u in self.unknowns])

    def exact_jets(self, points: Tensor, needs: Mapping[str, Sequence[Index]] | None = None) -> Jets:
        """The exact solution's derivatives (all that the equations take, unless ``needs`` says which)."""
        wanted = [(u, i) for u, indices in (needs or self.needs).items() for i in sorted(indices)]
        values = self._exact_derivatives(tuple(wanted))(points)
        jets: dict[str, dict[Index, Tensor]] = {u: {} for u in self.unknowns}
        for (unknown, index), column in zip(wanted, values.unbind(-1), strict=True):
            jets[unknown][index] = column
        return jets

    def _exact_derivatives(self, wanted: tuple[tuple[str, Index], ...]) -> Formula:
        found = []
        for unknown, index in wanted:
            expression = self.exact_expressions[unknown]
            for symbol, times in zip(self.symbols.coordinates, index, strict=True):
                expression = expression.diff(symbol, times) if times else expression
            found.append(expression)
        return self.symbols.formula(found)

    def linear_operator(self, equation: int = 0) -> LinearOperator | None:
        """An equation as a sum of coefficients times derivatives, or None where it is not linear."""
        expression = self.residual.expressions[equation]
        jets = {s: key for s, key in self.symbols.jets.items() if expression.has(s)}
        source = -expression.xreplace(dict.fromkeys(jets, sympy.Integer(0)))
        terms = {}
        for symbol, key in jets.items():
            factor = expression.diff(symbol)
            if any(factor.has(other) for other in jets):
                return None
            terms[key] = self.symbols.formula([factor])
        return LinearOperator(terms, self.symbols.formula([source]))

    def evolution(self) -> dict[str, Formula] | None:
        """The equations as u_t = N[u]: the right side of each unknown, giving (P, 1).

        None where there is no time, where a time derivative is of higher order, or where the equations cannot be
        solved for the time derivatives of all unknowns.
        """
        if self.time is None:
            return None
        first = tuple(int(i == self.time) for i in range(len(self.coordinates)))
        timed = {s: key for s, key in self.symbols.jets.items() if key[1][self.time]}
        used = {s: key for s, key in timed.items() if any(e.has(s) for e in self.residual.expressions)}
        rates = {key[0]: s for s, key in used.items()}
        if set(rates) != set(self.unknowns) or any(index != first for _, index in used.values()):
            return None
        targets = [rates[u] for u in self.unknowns]
        try:
            matrix, right = sympy.linear_eq_to_matrix(self.residual.expressions, targets)
        except sympy.solvers.solveset.NonlinearError:
            return None
        if matrix.shape[0] != matrix.shape[1] or matrix.det() == 0:
            return None
        return {u: self.symbols.formula([n]) for u, n in zip(self.unknowns, matrix.LUsolve(right), strict=True)}

    def jumps(self, tolerance: float = 1e-4) -> list[str]:
        """Where two conditions give an unknown different values on the edge that their faces share, in words."""
        worst: dict[tuple[str, str], float] = {}
        valued = [c for c in self.conditions if c.value is not None and not c.value.coefficients]
        for i, one in enumerate(valued):
            for other in valued[i + 1 :]:
                if one.axis == other.axis or one.unknown != other.unknown:
                    continue
                lines = one.text, other.text
                worst[lines] = max(worst.get(lines, 0.0), self._jump(one, other))
        return [
            f"'{one}' and '{other}' differ by {jump:.3g} where their faces meet: no smooth solution fulfils both there."
            for (one, other), jump in worst.items()
            if jump > tolerance
        ]

    def _jump(self, one: Condition, other: Condition) -> float:
        axes = [np.linspace(a, b, 17) for a, b in zip(self.lower, self.upper, strict=True)]
        points = torch.from_numpy(tensor_points(axes))
        points = other.place(one.place(points))
        assert one.value is not None
        assert other.value is not None
        return float((one.value(points) - other.value(points)).abs().max())


def compile_problem(problem: Problem) -> Compiled:
    """Read all formulas of a problem.

    Raises :class:`~engines.blocks.formulas.FormulaError`, which points at the character, for a formula that cannot be
    read, and :class:`UserError` for names, conditions and sources that do not fit together.
    """
    symbols = Vocabulary(problem)
    for name in problem.definitions:
        symbols.definition(name)
    exact = {u: symbols.parse(text, plain=True) for u, text in problem.exact.items()}
    equations = [symbols.flat(_with_sources(symbols, exact, text)) for text in problem.equations]
    for text, expression in zip(problem.equations, equations, strict=True):
        if not any(expression.has(s) for s in symbols.jets):
            raise FormulaError(text, 0, f"It does not hold an unknown ({', '.join(problem.unknowns)}).")
    try:
        residual = symbols.formula(equations)
        conditions = tuple(c for text in problem.conditions for c in read_conditions(symbols, exact, text))
    except ValueError as error:
        raise UserError("The problem cannot be computed.", f"In it {error}.", "Correct its formulas.") from error
    return Compiled(problem, symbols, residual, conditions, exact, symbols.definitions)


def _with_sources(symbols: Vocabulary, exact: Mapping[str, Expr], text: str) -> Expr:
    """An equation with each manufactured source in it put in."""
    expression = symbols.equation(text)
    sources = [s for s in symbols.sources.values() if expression.has(s)]
    if not sources:
        return expression
    name = next(n for n, s in symbols.sources.items() if s is sources[0])
    factor = expression.diff(sources[0])
    if len(sources) > 1 or factor.has(sources[0]) or factor == 0 or factor.atoms(AppliedUndef):
        raise UserError(
            f"The source '{name}' cannot be made for '{text}'.",
            "It must stand alone in its equation, as a sum with the rest or with a known factor.",
            "Write the equation as … = " + name + ".",
        )
    if missing := set(symbols.functions) - set(exact):
        raise UserError(
            f"The source '{name}' cannot be made: the exact solution of {', '.join(sorted(missing))} is not given.",
            mend="Type the exact solution, or the source itself.",
        )
    rest = expression.xreplace({sources[0]: sympy.Integer(0)})
    known = rest.subs({symbols.functions[u]: e for u, e in exact.items()}).doit()
    source = -known / factor
    symbols.definitions[name] = source
    return expression.xreplace({sources[0]: source})


__all__ = [
    "Compiled", "Condition", "Formula", "Index", "Jets", "LinearOperator", "compile_problem", "order",
]  # fmt: skip
