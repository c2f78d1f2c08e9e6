"""Formulas that people type: checked against a whitelist, turned into SymPy, and evaluated with torch.

A formula is Python's arithmetic with ``^`` for powers: ``2*sin(pi*x)^2 - u_xx``. Nothing that is typed is ever
executed: Python's parser gives a syntax tree, of which only numbers, known names, arithmetic, comparisons and calls of
the functions below are taken; and values are computed by walking a list of operations (:class:`Program`).
"""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy
from sympy import Expr

from engines.core import TextError

LONGEST = 4_000
"""Characters of a formula."""

MOST_NESTED = 60
LARGEST = 1e300


class FormulaError(TextError):
    """A formula that cannot be taken; ``column`` is where (from 0) in ``text``."""

    def __init__(self, text: str, column: int, why: str, mend: str = "Correct the formula.") -> None:
        shown = text if len(text) <= 120 else f"{text[:117]}…"
        at = max(0, min(column, len(text)))
        super().__init__(text, column, f"'{shown}' cannot be read at character {at + 1}.", why, mend)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.text, self.column, self.why, self.mend)


def _where(condition: Any, yes: Expr, no: Expr) -> Expr:
    return sympy.Piecewise((yes, condition), (no, True))


FUNCTIONS: dict[str, tuple[int | None, Callable[..., Any]]] = {
    "sin": (1, sympy.sin), "cos": (1, sympy.cos), "tan": (1, sympy.tan),
    "asin": (1, sympy.asin), "acos": (1, sympy.acos), "atan": (1, sympy.atan), "atan2": (2, sympy.atan2),
    "sinh": (1, sympy.sinh), "cosh": (1, sympy.cosh), "tanh": (1, sympy.tanh),
    "sech": (1, lambda a: 1 / sympy.cosh(a)),
    "exp": (1, sympy.exp), "log": (1, sympy.log), "sqrt": (1, sympy.sqrt), "abs": (1, sympy.Abs),
    "sign": (1, sympy.sign), "erf": (1, sympy.erf), "heaviside": (1, lambda a: sympy.Heaviside(a, 1)),
    "min": (None, sympy.Min), "max": (None, sympy.Max), "where": (3, _where),
}  # fmt: skip
"""Functions of a formula by name: how many arguments they take (None: one or more), and what they become."""

CONSTANTS: dict[str, Expr] = {"pi": sympy.pi, "e": sympy.E}

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_LAMBDA = "lambda_"  # a name to people, a keyword to Python
_REPLACED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+|[\^·×−π\n\r\t]|\blambda\b")
_PLAIN = {"^": "**", "·": "*", "×": "*", "−": "-", "π": "pi", "lambda": _LAMBDA, "\n": " ", "\r": " ", "\t": " "}


def _plain(text: str) -> tuple[str, list[int]]:
    """Python's way to write what people write, and for each of its characters the column of the original."""
    made, columns, last = "", [], 0
    for match in _REPLACED.finditer(text):
        made += text[last : match.start()]
        columns += range(last, match.start())
        found = match.group()
        new = _PLAIN.get(found) or f"**{found.translate(_SUPERSCRIPTS)}"
        made += new
        columns += [match.start()] * len(new)
        last = match.end()
    made += text[last:]
    columns += [*range(last, len(text)), len(text)]
    return made, columns


def plain_syntax(text: str) -> str:
    """A formula in Python's own syntax; nothing is checked."""
    return _plain(text)[0]


Resolve = Callable[[str], Expr | None]
"""What a name means; None when it is not known."""

Operator = Callable[..., Expr]
"""An operator such as ``lap``: takes the expressions of its arguments. May raise ValueError with a reason in words."""


class _Reader:
    """One pass over the syntax tree of one formula."""

    def __init__(
        self,
        text: str,
        resolve: Resolve,
        operators: Mapping[str, Operator],
        known: Sequence[str],
        offset: int,
        whole: str,
    ) -> None:
        self.text, self.whole, self.offset = text, whole, offset
        self.resolve, self.operators, self.known = resolve, operators, known
        plain, columns = _plain(text)
        self.columns = columns[len(plain) - len(plain.lstrip()) :]
        self.plain = plain.strip()
        # the tree counts bytes of UTF-8, people count characters
        self.characters = [i for i, c in enumerate(self.plain) for _ in c.encode("utf-8", "replace")] + [
            len(self.plain)
        ]

    def place(self, character: int) -> int:
        """The column in the whole line of a character of what is parsed."""
        return self.offset + self.columns[max(0, min(character, len(self.columns) - 1))]

    def fail(self, at: ast.expr, why: str, mend: str = "Correct the formula.") -> FormulaError:
        character = self.characters[min(at.col_offset, len(self.characters) - 1)]
        return FormulaError(self.whole, self.place(character), why, mend)

    def read(self) -> Expr:
        if not self.text.strip():
            raise FormulaError(self.whole, self.offset, "There is no formula here.", "Type one.")
        if len(self.text) > LONGEST:
            raise FormulaError(self.whole, self.offset + LONGEST, f"It is longer than {LONGEST:,} characters.")
        try:
            tree = ast.parse(self.plain, mode="eval")
        except SyntaxError as error:  # offset 0 means the end of the text
            place = self.place((error.offset or len(self.plain) + 1) - 1)
            raise FormulaError(self.whole, place, _syntax(error)) from None
        except (ValueError, RecursionError, MemoryError):
            why = "It is nested too deeply, or holds characters that no formula has."
            raise FormulaError(self.whole, self.offset, why) from None
        return self.value(tree.body, 0)

    def value(self, node: ast.expr, depth: int) -> Expr:
        found = self.visit(node, depth)
        if not isinstance(found, Expr):
            raise self.fail(node, "A comparison is no value.", "Use comparisons as the first argument of where().")
        if found.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
            raise self.fail(node, "This has no finite value: a division by zero, or the logarithm of zero.")
        if found.is_number:  # checked at each level, so that towers of exponentials are never written out
            number = found.evalf()
            if not number.is_real:
                raise self.fail(node, "This is not a real number.", "Take roots and logarithms of positive numbers.")
            if not abs(number) < LARGEST:
                raise self.fail(node, "This number is too large.")
        return found

    def visit(self, node: ast.expr, depth: int) -> Any:
        if depth > MOST_NESTED:
            raise self.fail(
                node, f"It is nested more than {MOST_NESTED} levels deep.", "Name parts of it by definitions."
            )
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                return self.number(node, value)
            case ast.Name(id=name):
                return self.name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.value(operand, depth + 1)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand, depth + 1)
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.value(left, depth + 1), self.value(right, depth + 1)
                return self.arithmetic(node, a, op, b)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.value(left, depth + 1), self.value(right, depth + 1)
                kinds = {ast.Lt: sympy.Lt, ast.LtE: sympy.Le, ast.Gt: sympy.Gt, ast.GtE: sympy.Ge}
                if type(op) not in kinds:
                    raise self.fail(node, "Of comparisons, <, <=, > and >= are known.")
                return kinds[type(op)](a, b)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self.call(node, name, args, depth)
            case ast.Tuple():
                raise self.fail(node, "A comma separates only the arguments of a function.", "Write 0.5 with a point.")
        raise self.fail(node, "Only numbers, names, arithmetic and calls of known functions are understood.")

    def number(self, node: ast.expr, value: float) -> Expr:
        if not abs(value) < LARGEST:
            raise self.fail(node, "The number is too large.")
        return sympy.Integer(value) if float(value).is_integer() and abs(value) < 1e15 else sympy.Float(float(value))

    def name(self, node: ast.expr, name: str) -> Expr:
        name = name.removesuffix("_") if name == _LAMBDA else name
        found = self.resolve(name)
        if found is None:
            found = CONSTANTS.get(name)
        if found is not None:
            return found
        if name in FUNCTIONS or name in self.operators:
            raise self.fail(node, f"'{name}' is a function.", f"Write its argument in brackets: {name}(…).")
        near = difflib.get_close_matches(name, [*self.known, *CONSTANTS, *FUNCTIONS, *self.operators], 1, 0.6)
        mend = f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(self.known)}; or define it."
        raise self.fail(node, f"'{name}' is not known here.", mend)

    def arithmetic(self, node: ast.BinOp, a: Expr, op: ast.operator, b: Expr) -> Expr:
        match op:
            case ast.Add():
                return a + b
            case ast.Sub():
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                if b == 0:
                    raise self.fail(node.right, "This divides by zero.")
                return a / b
            case ast.Pow():
                return self.power(node, a, b)
        raise self.fail(node, "Of operations, + − * / and ^ are known.")

    def power(self, node: ast.BinOp, a: Expr, b: Expr) -> Expr:
        if a.is_number and b.is_number:  # SymPy would write out all digits of 9^9^9
            try:
                size = math.pow(float(a), float(b))
            except (OverflowError, ValueError, ZeroDivisionError, TypeError):
                size = math.inf
            if not abs(size) < LARGEST:
                raise self.fail(node, "This power is too large, or not a real number.")
            return a**b if abs(float(b)) <= 64 and abs(size) < 1e30 else sympy.Float(size)
        if b.is_number and abs(float(b)) > 1_000:
            raise self.fail(node.right, "The exponent is larger than 1,000.")
        return a**b

    def call(self, node: ast.Call, name: str, args: Sequence[ast.expr], depth: int) -> Expr:
        if name in self.operators:
            given = [self.value(a, depth + 1) for a in args]
            try:
                return self.operators[name](*given)
            except TypeError:
                raise self.fail(node, f"{name}() does not take {len(given)} arguments.") from None
            except ValueError as error:
                raise self.fail(node, str(error)) from None
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, [*FUNCTIONS, *self.operators], 1, 0.6)
            mend = f"Did you mean {near[0]}()?" if near else f"Known are: {', '.join([*FUNCTIONS, *self.operators])}."
            if self.resolve(name) is not None or name in CONSTANTS:
                raise self.fail(node, f"'{name}' is no function.", f"To multiply, write {name}*(…).")
            raise self.fail(node, f"There is no function {name}().", mend)
        count, function = FUNCTIONS[name]
        if not args or (count is not None and len(args) != count):
            wanted = "one argument or more" if count is None else f"{count} argument{'s' if count > 1 else ''}"
            raise self.fail(node, f"{name}() takes {wanted}, not {len(args)}.")
        first = self.visit(args[0], depth + 1) if name == "where" else self.value(args[0], depth + 1)
        if name == "where" and isinstance(first, Expr):
            raise self.fail(args[0], "where() takes a comparison first, such as x < 0.")
        given = [first, *(self.value(a, depth + 1) for a in args[1:])]
        return function(*given)


def _syntax(error: SyntaxError) -> str:
    """Python's complaint in words that fit a formula."""
    said = str(error.msg)
    if "never closed" in said:
        return "This bracket is never closed."
    if "unmatched" in said or "does not match" in said:
        return "This closing bracket has no partner."
    if "invalid decimal literal" in said or "Perhaps you forgot a comma" in said:
        return "Something is missing here, perhaps a * between two factors."
    return "Something is missing or too much here."


def parse(
    text: str,
    resolve: Resolve | Mapping[str, Expr],
    *,
    operators: Mapping[str, Operator] | None = None,
    known: Sequence[str] = (),
    offset: int = 0,
    whole: str | None = None,
) -> Expr:
    """A formula as a SymPy expression. Nothing of the text is executed.

    ``resolve`` says what names mean and ``operators`` what calls beyond :data:`FUNCTIONS` do; ``known`` are names to
    tell people of. Where the formula is part of a ``whole`` line, it begins there at ``offset``. Raises
    :class:`FormulaError`, which points at the character.
    """
    if isinstance(resolve, Mapping):
        known, resolve = known or tuple(resolve), resolve.get
    reader = _Reader(text, resolve, operators or {}, known, offset, text if whole is None else whole)
    try:
        return sympy.sympify(reader.read())  # an expression already: this only settles its type
    except RecursionError:
        raise FormulaError(reader.whole, offset, "It is nested too deeply.") from None


def parse_equation(text: str, resolve: Resolve, **more: Any) -> Expr:
    """``left = right`` as the expression left − right. Raises :class:`FormulaError`."""
    signs = [m.start() for m in re.finditer(r"(?<![<>=])=(?!=)", text)]
    if len(signs) != 1:
        why = "An equation has one equals sign." if signs else "There is no equals sign."
        raise FormulaError(text, signs[1] if signs else len(text), why, "Write it as left side = right side.")
    at = signs[0]
    left = parse(text[:at], resolve, offset=0, whole=text, **more)
    return left - parse(text[at + 1 :], resolve, offset=at + 1, whole=text, **more)


__all__ = ["CONSTANTS", "FUNCTIONS", "FormulaError", "parse", "parse_equation", "plain_syntax"]
