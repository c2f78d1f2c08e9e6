"""SymPy expressions as lists of torch operations: no generated code, differentiable, on any device and dtype."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from sympy.functions.special.delta_functions import DiracDelta
from torch import Tensor

Value = Tensor | float


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(exponent, float):
        if exponent.is_integer() and 0 < exponent <= 8:
            result = base
            for _ in range(int(exponent) - 1):
                result = result * base
            return result
        if exponent == -1:
            return 1.0 / base
        if exponent == 0.5 and isinstance(base, Tensor):
            return base.sqrt()
        if exponent == -2:
            return 1.0 / (base * base)
        if exponent == -0.5 and isinstance(base, Tensor):
            return base.rsqrt()
    if isinstance(base, float) and isinstance(exponent, Tensor):
        return torch.pow(base, exponent)
    return base**exponent


def _sum(*terms: Value) -> Value:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _product(*factors: Value) -> Value:
    total = factors[0]
    for factor in factors[1:]:
        total = total * factor
    return total


def _piecewise(*parts: Value) -> Value:
    """value, condition, value, condition, …; the last one without a condition holds elsewhere."""
    values, conditions = parts[0::2], parts[1::2]
    like = next(p for p in parts if isinstance(p, Tensor))
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), torch.get_default_dtype())
    result = torch.as_tensor(values[-1] if len(values) > len(conditions) else math.nan, dtype=dtype, device=like.device)
    for value, condition in reversed(list(zip(values, conditions, strict=False))):
        chosen = torch.as_tensor(value, dtype=dtype, device=like.device)
        result = torch.where(torch.as_tensor(condition, device=like.device), chosen, result)
    return result


def _extreme(pick: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Value]:
    def fold(*values: Value) -> Value:
        like = next(v for v in values if isinstance(v, Tensor))
        first, *others = (v if isinstance(v, Tensor) else like.new_tensor(v) for v in values)
        for other in others:
            first = pick(first, other)
        return first

    return fold


def _step(at: Tensor, middle: Value = 0.5) -> Tensor:
    return torch.heaviside(at, at.new_tensor(float(middle)))


OPERATIONS: dict[str, Callable[..., Value]] = {
    "Add": _sum, "Mul": _product, "Pow": _power, "Piecewise": _piecewise,
    "Min": _extreme(torch.minimum), "Max": _extreme(torch.maximum), "Heaviside": _step,
    "sin": torch.sin, "cos": torch.cos, "tan": torch.tan, "asin": torch.asin, "acos": torch.acos, "atan": torch.atan,
    "sinh": torch.sinh, "cosh": torch.cosh, "tanh": torch.tanh, "exp": torch.exp, "log": torch.log,
    "Abs": torch.abs, "sign": torch.sign, "erf": torch.erf,
    "StrictLessThan": lambda a, b: a < b, "LessThan": lambda a, b: a <= b,
    "StrictGreaterThan": lambda a, b: a > b, "GreaterThan": lambda a, b: a >= b,
}  # fmt: skip


def _angle(y: Value, x: Value) -> Tensor:
    like = y if isinstance(y, Tensor) else x
    assert isinstance(like, Tensor)
    return torch.atan2(torch.as_tensor(y).to(like), torch.as_tensor(x).to(like))


OPERATIONS["atan2"] = _angle


@dataclass(frozen=True)
class Program:
    """Straight-line operations: slot i holds argument i, then each constant, then the value of each operation."""

    arguments: tuple[str, ...]
    constants: tuple[float, ...]
    operations: tuple[tuple[str, tuple[int, ...]], ...]
    results: tuple[int, ...]

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Values of all expressions, each of the shape that all arguments share.

        ``given``: one tensor for each argument, of one dtype and device.
        """
        slots: list[Value] = [*given, *self.constants]
        for name, places in self.operations:
            slots.append(OPERATIONS[name](*(slots[p] for p in places)))
        like = given[0] if given else torch.zeros((), dtype=torch.float64)
        shape = torch.broadcast_shapes(*(g.shape for g in given)) if given else ()
        return tuple(
            value.expand(shape) if isinstance(value, Tensor) else like.new_full(shape, value)
            for value in (slots[place] for place in self.results)
        )


def program(expressions: Sequence[sympy.Expr], arguments: Sequence[sympy.Symbol]) -> Program:
    """The operations that give the values of ``expressions``, common parts once.

    Raises ValueError naming what has no operation here or is not a finite real number.
    """
    steps, roots = sympy.cse([_kink_free(e) for e in expressions], order="none")
    constants: dict[float, int] = {}
    operations: list[tuple[str, tuple[int, ...]]] = []
    places: dict[Any, int] = {symbol: i for i, symbol in enumerate(arguments)}
    count = len(arguments)

    def constant(value: float) -> int:
        if not math.isfinite(value):
            raise ValueError("a part of the formula has no finite value")
        return constants.setdefault(value, -1 - len(constants))  # placed once their number is known

    def place(node: Any) -> int:
        if node in places:
            return places[node]
        if node in (sympy.true, sympy.false):
            return constant(float(bool(node)))
        if node.is_number:
            value = complex(node)
            if abs(value.imag) > 1e-12 * max(1.0, abs(value.real)):
                raise ValueError("a part of the formula is not a real number")
            return constant(value.real)
        if isinstance(node, sympy.Symbol):
            raise ValueError(f"'{node}' is not known here")
        name = type(node).__name__
        if name not in OPERATIONS:
            raise ValueError(f"{name} cannot be computed")
        if name == "Piecewise":
            inner = [part for value, condition in node.args for part in (value, condition)]
            inner = inner[:-1] if inner[-1] == sympy.true else inner
        else:
            inner = list(node.args)
        operations.append((name, tuple(place(a) for a in inner)))
        places[node] = found = count + len(operations) - 1  # constants are slipped in below
        return found

    for symbol, expression in steps:
        places[symbol] = place(expression)
    results = tuple(place(root) for root in roots)

    def settled(at: int) -> int:
        return count - 1 - at if at < 0 else at if at < count else at + len(constants)

    return Program(
        tuple(map(str, arguments)),
        tuple(constants),
        tuple((name, tuple(map(settled, at))) for name, at in operations),
        tuple(map(settled, results)),
    )


def _kink_free(expression: sympy.Expr) -> sympy.Expr:
    """Without the spikes that derivatives of kinks and steps have: they are zero almost everywhere."""
    expression = sympy.sympify(expression)
    return expression.replace(DiracDelta, lambda *a: sympy.Integer(0)) if expression.has(DiracDelta) else expression


__all__ = ["OPERATIONS", "Program", "program"]
