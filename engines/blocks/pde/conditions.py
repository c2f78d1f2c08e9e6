"""What holds at the faces of a problem's box, read from lines such as ``u = sin(pi*x) at t = 0``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr
from torch import Tensor

from engines.blocks.formulas import FormulaError, parse
from engines.blocks.pde.vocabulary import Formula, Index, Vocabulary
from engines.data import Problem


@dataclass(frozen=True)
class Condition:
    """What holds on one face of the box: residual = 0 where coordinate ``axis`` is at its lower (0) or upper (1) end.

    ``kind`` is "value" where it gives an unknown its value (``value``), "general" for others, and "periodic" where the
    unknowns and their derivatives agree with the opposite face (then there is no ``residual``).
    """

    text: str
    kind: str
    axis: int
    side: int
    at: float
    is_initial: bool
    unknown: str = ""
    residual: Formula | None = None
    value: Formula | None = None
    """(P, 1) value of the unknown, for kind "value"."""

    @property
    def needs(self) -> tuple[tuple[str, Index], ...]:
        return self.residual.needs if self.residual is not None else ()

    def place(self, points: Tensor) -> Tensor:
        """The points (P, D) moved to the face."""
        moved = points.clone()
        moved[..., self.axis] = self.at
        return moved


_PERIODIC = re.compile(r"\s*periodic\s+in\s+(.+)", re.IGNORECASE)
_PLACE = re.compile(r"(.*?)\s+(?:on|at)\s+(.*)", re.IGNORECASE | re.DOTALL)


def read_conditions(symbols: Vocabulary, exact: Mapping[str, Expr], text: str) -> list[Condition]:
    """One line: what holds, and on which faces."""
    problem = symbols.problem
    if match := _PERIODIC.fullmatch(text):
        found = []
        for name in re.split(r"\s*(?:,|and)\s*", match[1].strip()):
            if name not in problem.space:
                column = match.start(1)
                raise FormulaError(text, column, f"'{name}' is no coordinate in space ({', '.join(problem.space)}).")
            axis = problem.coordinates.index(name)
            found.append(Condition(text, "periodic", axis, 0, float(problem.lower[axis]), False))
        return found
    match = _PLACE.fullmatch(text)
    if match is None:
        raise FormulaError(
            text, len(text), "It does not say where it holds.",
            "Write for example 'u = 0 on boundary', 'u_x = 1 on x = 0' or 'u = sin(pi*x) at t = 0'.",
        )  # fmt: skip
    faces = _faces(problem, text, match.start(2))
    statement = match[1]
    column = statement.find("=")
    if column < 0:
        raise FormulaError(text, 0, "There is no equals sign.", "Write it as left side = right side on a face.")
    left = symbols.parse(statement[:column], whole=text)
    target = next((u for u, f in symbols.functions.items() if left.has(f)), "")
    if not target:
        raise FormulaError(text, 0, "Its left side holds no unknown.", "Write the unknown on the left.")

    def resolve(name: str) -> Expr | None:
        if name != "exact":
            return symbols.resolve(name)
        if target not in exact:
            raise FormulaError(text, column, f"The exact solution of {target} is not given.", "Type it, or a value.")
        return exact[target]

    right = parse(
        statement[column + 1 :], resolve, operators=symbols.operators, known=symbols.known,
        offset=column + 1, whole=text,
    )  # fmt: skip
    return [_condition(symbols, text, axis, side, left, right, target) for axis, side in faces]


def _condition(
    symbols: Vocabulary, text: str, axis: int, side: int, left: Expr, right: Expr, target: str
) -> Condition:  # fmt: skip
    problem = symbols.problem
    flat = symbols.flat(left - right)
    factor = flat.diff(symbols.jet(target, (0,) * len(problem.coordinates)))
    rest = flat - factor * symbols.jet(target, (0,) * len(problem.coordinates))
    given = not any(sympy.sympify(e).has(s) for s in symbols.jets for e in (factor, rest.expand())) and factor != 0
    value = symbols.formula([sympy.simplify(-rest / factor) if factor != 1 else -rest]) if given else None
    at = float((problem.lower, problem.upper)[side][axis])
    initial = problem.coordinates[axis] == problem.time
    kind = "value" if given else "general"
    return Condition(text, kind, axis, side, at, initial, target, symbols.formula([flat]), value)


def _faces(problem: Problem, text: str, start: int) -> list[tuple[int, int]]:
    """Faces named after "on" or "at": ``boundary``, or coordinates at one of their ends."""
    found: list[tuple[int, int]] = []
    for part in re.finditer(r"[^,]+", text[start:]):
        words, column = part.group().strip(), start + part.start()
        if words.lower() in ("boundary", "the boundary"):
            found += [(problem.coordinates.index(n), side) for n in problem.space for side in (0, 1)]
            continue
        name, sign, place = (p.strip() for p in words.partition("="))
        if name not in problem.coordinates or not sign:
            end = f"{problem.coordinates[0]} = {problem.lower[0]:g}"
            raise FormulaError(
                text, column, f"'{words}' is not a face of the domain.",
                f"Write 'boundary' or a coordinate at its end, such as '{end}'.",
            )  # fmt: skip
        axis = problem.coordinates.index(name)
        ends = float(problem.lower[axis]), float(problem.upper[axis])
        at = {"lower": ends[0], "upper": ends[1]}.get(place.lower())
        at = float(parse(place, {}, offset=column, whole=text)) if at is None else at
        sides = [side for side, end in enumerate(ends) if abs(at - end) <= 1e-9 * max(1.0, abs(end), ends[1] - ends[0])]
        if not sides:
            raise FormulaError(
                text, column, f"{name} = {at:g} is not an end of the domain.",
                f"{name} goes from {ends[0]:g} to {ends[1]:g}.",
            )  # fmt: skip
        found.append((axis, sides[0]))
    return found


__all__ = ["Condition", "read_conditions"]
