"""What people type: read as they mean it, refused at the character that is wrong, and never executed."""

from __future__ import annotations

import pickle
import time

import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.blocks.expressions import program
from engines.blocks.formulas import FUNCTIONS, FormulaError, parse, parse_equation

X, Y = sympy.symbols("x y", real=True)
NAMES = {"x": X, "y": Y, "lambda": sympy.Integer(3), "λ": sympy.Integer(5)}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x^2*y", X**2 * Y),
        ("x**2", X**2),
        ("-x^2", -(X**2)),
        ("2^x^y", 2 ** (X**Y)),
        ("x² + y³", X**2 + Y**3),
        ("2·sin(π*x)", 2 * sympy.sin(sympy.pi * X)),
        ("x − y", X - Y),
        ("lambda*x + λ", 3 * X + 5),
        ("where(x < 0, -x, x)", sympy.Piecewise((-X, X < 0), (X, True))),
        ("max(x, y, 1)", sympy.Max(X, Y, 1)),
        ("  x\n + y ", X + Y),
        ("sech(x)", 1 / sympy.cosh(X)),
    ],
)
def test_a_formula_means_what_people_mean(text, meant):
    assert sympy.simplify(parse(text, NAMES) - meant) == 0


@pytest.mark.parametrize(
    ("text", "column", "word"),
    [
        ("x + qq", 4, "not known"),
        ("x + sin", 4, "function"),
        ("é2 + 1", 0, "not known"),
        ("λ*λ + abc", 6, "not known"),
        ("(x + 1", 0, "bracket"),
        ("x + 1)", 5, "bracket"),
        ("x + y.real", 4, "understood"),
        ("sin(x, y)", 0, "takes 1 argument"),
        ("x^(y", 2, "bracket"),
        ("1/(2-2)", 3, "zero"),
        ("x*log(0)", 2, "finite"),
        ("sqrt(0-2)", 0, "real"),
        ("9^9^9", 0, "too large"),
        ("exp(exp(exp(exp(9))))", 8, "too large"),
        ("x + 1e999", 4, "too large"),
        ("x == y", 0, "comparisons"),
        ("x, y", 0, "comma"),
        ("", 0, "no formula"),
    ],
)
def test_an_error_points_at_the_character(text, column, word):
    with pytest.raises(FormulaError) as caught:
        parse(text, NAMES)
    assert caught.value.column == column
    assert word in caught.value.why
    again = pickle.loads(pickle.dumps(caught.value))  # runs in a process of their own send it
    assert (again.column, again.text, str(again)) == (column, text, str(caught.value))


def test_a_near_miss_is_guessed():
    with pytest.raises(FormulaError, match=r"Did you mean 'lambda'\?"):
        parse("lamda*x", NAMES)
    with pytest.raises(FormulaError, match=r"Did you mean sinh\(\)\?"):
        parse("sinhh(x)", NAMES)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "x.__class__.__mro__", "(lambda: 1)()", "[a for a in (1,)]", "'a'*10**9",
        "f'{x}'", "open(1)", "exec(x)", "x if x > 0 else y", "{x: y}", "x := 1", "globals()", "print(x)", "(x,)[0]",
    ],
)  # fmt: skip
def test_nothing_is_executed(text):
    with pytest.raises(FormulaError):
        parse(text, NAMES)


PARTS = [
    *"xy()+-*/^,.<=0123456789 eπλ²é\\'\"\n\t\0",
    "sin(",
    "where(",
    "max(",
    "lambda",
    "1e9",
    "**",
    "exp(",
    "__",
    "9^9^",
]


@settings(max_examples=100)
@given(st.lists(st.sampled_from(PARTS), max_size=25).map("".join) | st.text(max_size=30))
def test_any_text_is_read_or_refused_in_words_and_soon(text):
    began = time.process_time()
    refused = None
    try:
        found = parse(text, NAMES)
    except FormulaError as error:
        refused = error
    assert isinstance(found, sympy.Expr) if refused is None else refused.why and 0 <= refused.column <= len(text)
    assert time.process_time() - began < 5


def test_an_equation_is_left_minus_right_and_its_errors_count_from_the_line():
    assert parse_equation("x + y = 2*x", NAMES.get) == Y - X
    with pytest.raises(FormulaError) as caught:
        parse_equation("x + y = 2*z", NAMES.get)
    assert caught.value.column == 10
    for text in ("x + y", "x = y = 1"):
        with pytest.raises(FormulaError, match="equals sign"):
            parse_equation(text, NAMES.get)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_has_the_values_and_derivatives_of_sympy(name):
    count = FUNCTIONS[name][0] or 2
    text = {"where": "where(x < y, x^2, y*x)"}.get(name, f"{name}({', '.join(['x', 'y'][:count])})")
    expression = parse(text, NAMES)
    compute = program([expression, expression.diff(X)], [X, Y])
    x = torch.tensor([0.3, 0.61, 0.9], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.5, 0.2, 0.95], dtype=torch.float64)
    value, slope = compute(x, y)
    wanted = [float(expression.subs({X: a, Y: b}).evalf()) for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    torch.testing.assert_close(value, torch.tensor(wanted, dtype=torch.float64))
    if value.requires_grad and name not in ("sign", "heaviside"):
        (by_torch,) = torch.autograd.grad(value.sum(), x)
        torch.testing.assert_close(slope.detach(), by_torch)


def test_a_program_shares_parts_keeps_dtype_and_can_be_sent():
    expression = parse("sin(x*y)^2 + cos(sin(x*y)) + 2", NAMES)
    compute = pickle.loads(pickle.dumps(program([expression, sympy.Integer(7)], [X, Y])))
    assert sum(name == "sin" for name, _ in compute.operations) == 1
    x = torch.linspace(0, 1, 5)
    value, constant = compute(x, x)
    assert value.dtype == torch.float32
    assert constant.tolist() == [7.0] * 5
    torch.testing.assert_close(value, torch.sin(x * x) ** 2 + torch.cos(torch.sin(x * x)) + 2)


def test_an_unknown_symbol_is_named():
    with pytest.raises(ValueError, match="'z'"):
        program([sympy.Symbol("z")], [X])
