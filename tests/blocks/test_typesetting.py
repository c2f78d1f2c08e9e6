"""Formulas as mathematics: what was typed, in its order."""

import pytest

from engines.blocks.formulas import FormulaError
from engines.blocks.typesetting import latex, latex_condition, symbol


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("u_xx + u_yy = q", "u_{xx} + u_{yy} = q"),
        ("u_t - 1e-4*u_xx", r"u_{t} - 10^{-4}\,u_{xx}"),
        ("2.5e-3*x", r"2.5 \cdot 10^{-3}\,x"),
        ("lambda*u", r"\lambda\,u"),
        ("λ*a1", r"\lambda\,a_{1}"),
        ("sin(pi*x)^2", r"\sin^{2} \left(\pi\,x\right)"),
        ("-(x + 1)^2/(2*w^2)", r"-\frac{\left(x + 1\right)^{2}}{2\,w^{2}}"),
        ("x - (y - 1)", r"x - \left(y - 1\right)"),
        ("(a + b)*c", r"\left(a + b\right)\,c"),
        ("x*2", r"x \cdot 2"),
        ("lap(u^2)", r"\Delta \left(u^{2}\right)"),
        ("diff(u, x, 2) + dt(u)", r"\partial_{x}^{2} u + \partial_t u"),
        ("sqrt(abs(x))", r"\sqrt{\left|x\right|}"),
        ("exp(-x²)", "e^{-x^{2}}"),
        ("hills", r"\mathrm{hills}"),
        ("max(x, 1)", r"\max \left(x,\ 1\right)"),
        ("sech(r)", r"\mathrm{sech}\, r"),
        ("where(x < 0, 1, 2)", r"\left\{ 1\ \mathrm{if}\ x < 0;\ 2\ \mathrm{otherwise} \right\}"),
    ],
)
def test_a_formula_is_set_in_the_order_in_which_it_was_typed(text, meant):
    assert latex(text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("u = 0 on boundary", ("u = 0", "on the boundary")),
        ("u = sin(x) at t = 0", (r"u = \sin x", "$t = 0$")),
        ("u_x = 1 on x = 0, x = 1", ("u_{x} = 1", r"$x = 0,\ x = 1$")),
        ("periodic in x, y", ("", "periodic in x, y")),
    ],
)
def test_a_condition_and_where_it_holds(text, meant):
    assert latex_condition(text) == meant


def test_what_is_no_formula_is_refused():
    for text in ("x +", "[1]", "x.y", "'a'"):
        with pytest.raises(FormulaError):
            latex(text)
    with pytest.raises(FormulaError):
        latex_condition("u = 0")


def test_symbols():
    assert symbol("lambda_") == r"\lambda"
    assert symbol("u_xt") == "u_{xt}"
    assert symbol("nu") == r"\nu"
