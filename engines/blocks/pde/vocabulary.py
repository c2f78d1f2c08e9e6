"""What the names of a problem mean: coordinates, unknowns, their derivatives, operators, definitions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sympy
import torch
from sympy import Expr, Symbol
from torch import Tensor

from engines.blocks.expressions import Program, program
from engines.blocks.formulas import CONSTANTS, FUNCTIONS, parse, parse_equation
from engines.core import UserError
from engines.data import Problem

Index = tuple[int, ...]
"""Orders of a derivative, one for each coordinate."""

Jets = Mapping[str, Mapping[Index, Tensor]]

HIGHEST_ORDER = 4
MANUFACTURED = "manufactured"
RESERVED = ("boundary", "exact", MANUFACTURED, "on", "at", "in", "periodic")
OPERATORS = ("diff", "lap", "dt")


def order(index: Index) -> int:
    return sum(index)


@dataclass(frozen=True)
class Formula:
    """Values of expressions in coordinates, derivatives and coefficients.

    ``needs`` are the derivatives it takes, as (unknown, multi-index), and ``coefficients`` the estimated ones.
    """

    program: Program
    needs: tuple[tuple[str, Index], ...]
    coefficients: tuple[str, ...]
    expressions: tuple[Expr, ...]

    def __call__(
        self, points: Tensor, jets: Jets | None = None, coefficients: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """(P, N) values of its N expressions at ``points`` (P, D)."""
        jets, coefficients = jets or {}, coefficients or {}
        given = [jets[unknown][index] for unknown, index in self.needs]
        given += [torch.as_tensor(coefficients[name]).to(points) for name in self.coefficients]
        return torch.stack(self.program(*points.unbind(-1), *given), -1)


class Vocabulary:
    """The SymPy side of a problem: what names mean, and symbols that stand for derivatives."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.names = dict(zip(problem.coordinates, (Symbol(n, real=True) for n in problem.coordinates), strict=True))
        self.coordinates = tuple(self.names.values())
        self.functions = {u: sympy.Function(u, real=True)(*self.coordinates) for u in problem.unknowns}
        self.coefficients = {n: Symbol(n, real=True) for n in problem.estimated}
        self.jets: dict[Symbol, tuple[str, Index]] = {}
        self._by_key: dict[tuple[str, Index], Symbol] = {}
        self.definitions: dict[str, Expr] = {}
        self.sources: dict[str, Symbol] = {}
        self._open: list[str] = []
        self.operators = {"diff": self._diff, "lap": self._lap, "dt": self._dt}
        self._check_names()

    def _check_names(self) -> None:
        problem = self.problem
        groups = {
            "coordinate": problem.coordinates, "unknown": problem.unknowns,
            "definition": tuple(problem.definitions), "estimated coefficient": tuple(problem.estimated),
        }  # fmt: skip
        taken: dict[str, str] = dict.fromkeys((*FUNCTIONS, *OPERATORS), "function") | dict.fromkeys(RESERVED, "word")
        for kind, names in groups.items():
            for name in names:
                if not name.isidentifier() or (kind != "definition" and "_" in name):
                    raise UserError(
                        f"'{name}' cannot be the name of a {kind}.",
                        "Names are letters and digits, with a letter first"
                        + ("." if kind == "definition" else "; what follows an underscore says a derivative."),
                        "Choose another name.",
                    )
                if name in taken or (name in CONSTANTS and kind != "definition"):
                    raise UserError(
                        f"The {kind} '{name}' has the name of a {taken.get(name, 'constant')}.",
                        mend="Give each a name of its own.",
                    )
                taken[name] = kind
        if unknown := set(problem.exact) - set(problem.unknowns):
            raise UserError(
                f"There is no unknown '{unknown.pop()}' to have an exact solution.", mend="Correct its name."
            )

    @property
    def known(self) -> tuple[str, ...]:
        derivatives = [f"{u}_{c}" for u in self.functions for c in self.names]
        return (*self.names, *self.functions, *self.problem.definitions, *self.coefficients, *derivatives)

    def resolve(self, name: str) -> Expr | None:
        """What a name means in an equation."""
        found = self.names.get(name) or self.functions.get(name) or self.coefficients.get(name)
        if found is None and name in self.problem.definitions:
            return self.definition(name)
        return found if found is not None else self._derivative(name)

    def resolve_plain(self, name: str) -> Expr | None:
        """The same without unknowns, for exact solutions and what is given."""
        if name in self.functions or (name not in self.problem.definitions and self._derivative(name) is not None):
            return None
        return self.resolve(name)

    def definition(self, name: str) -> Expr:
        if name in self.definitions:
            return self.definitions[name]
        text = self.problem.definitions[name]
        if text.strip() == MANUFACTURED:
            found: Expr = self.sources.setdefault(name, Symbol(f"{name} ", real=True))
        else:
            if name in self._open:
                loop = " → ".join([*self._open[self._open.index(name) :], name])
                raise UserError(f"The definitions go round in a circle: {loop}.", mend="Define one of them otherwise.")
            self._open.append(name)
            try:
                found = self.parse(text)
            finally:
                self._open.pop()
        self.definitions[name] = found
        return found

    def _derivative(self, name: str) -> Expr | None:
        """``u_xxt``: coordinates of several letters are taken whole, the longest first."""
        unknown, _, along = name.partition("_")
        if unknown not in self.functions or not along:
            return None
        pattern = "|".join(sorted(map(re.escape, self.names), key=len, reverse=True))
        if not re.fullmatch(f"(?:{pattern})+", along):
            return None
        found = self.functions[unknown]
        parts = re.findall(pattern, along)
        return self._checked(found.diff(*(self.names[p] for p in parts))) if len(parts) <= HIGHEST_ORDER else None

    def _checked(self, expression: Expr) -> Expr:
        for derivative in expression.atoms(sympy.Derivative):
            if sum(count for _, count in derivative.variable_count) > HIGHEST_ORDER:
                raise ValueError(f"Derivatives of an order above {HIGHEST_ORDER} are not taken.")
        return expression

    def _diff(self, expression: Expr, along: Expr, times: Expr = sympy.Integer(1)) -> Expr:
        if along not in self.coordinates:
            raise ValueError(f"The second argument of diff() is a coordinate: {', '.join(self.names)}.")
        if not (times.is_Integer and 1 <= int(times) <= HIGHEST_ORDER):
            raise ValueError(f"The third argument of diff() is how often: 1 to {HIGHEST_ORDER}.")
        return self._checked(expression.diff(along, int(times)).doit())

    def _lap(self, expression: Expr) -> Expr:
        return sympy.Add(*(self._diff(expression, self.names[n], sympy.Integer(2)) for n in self.problem.space))

    def _dt(self, expression: Expr) -> Expr:
        if not self.problem.time:
            raise ValueError("This problem has no time, so there is no dt().")
        return self._diff(expression, self.names[self.problem.time])

    def parse(self, text: str, *, plain: bool = False, offset: int = 0, whole: str | None = None) -> Expr:
        resolve = self.resolve_plain if plain else self.resolve
        return parse(text, resolve, operators=self.operators, known=self.known, offset=offset, whole=whole)

    def equation(self, text: str) -> Expr:
        return parse_equation(text, self.resolve, operators=self.operators, known=self.known)

    def jet(self, unknown: str, index: Index) -> Symbol:
        """The symbol that stands for a derivative."""
        key = (unknown, index)
        if key not in self._by_key:
            along = "".join(n * times for n, times in zip(self.names, index, strict=True))
            symbol = Symbol(f"{unknown}_{along} " if along else f"{unknown} ", real=True)  # no typed name ends so
            self._by_key[key], self.jets[symbol] = symbol, key
        return self._by_key[key]

    def flat(self, expression: Expr) -> Expr:
        """With symbols in the place of unknowns and their derivatives."""
        names = {f: u for u, f in self.functions.items()}
        swaps: dict[Expr, Expr] = {}
        for derivative in expression.atoms(sympy.Derivative):
            counts = dict(derivative.variable_count)
            swaps[derivative] = self.jet(names[derivative.expr], tuple(int(counts.get(c, 0)) for c in self.coordinates))
        flat = expression.xreplace(swaps)
        return flat.xreplace({f: self.jet(u, (0,) * len(self.coordinates)) for f, u in names.items()})

    def formula(self, expressions: Sequence[Expr]) -> Formula:
        """Expressions, flat already, as something that gives values."""
        free = set().union(*(e.free_symbols for e in expressions))
        jets = sorted((s for s in free if s in self.jets), key=lambda s: self.jets[s])
        coefficients = sorted((s for s in free if s in self.coefficients.values()), key=str)
        made = program(expressions, [*self.coordinates, *jets, *coefficients])
        return Formula(made, tuple(self.jets[s] for s in jets), tuple(map(str, coefficients)), tuple(expressions))


__all__ = ["HIGHEST_ORDER", "MANUFACTURED", "Formula", "Index", "Jets", "Vocabulary", "order"]
