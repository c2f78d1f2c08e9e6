"""Typed formulas as LaTeX, in the order in which they were typed."""

from __future__ import annotations

import ast
import re

from engines.blocks.formulas import FormulaError, plain_syntax

GREEK = (
    *(
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
    ),
    *("pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
    *("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"),
)
_LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", GREEK, strict=True))
_NAMED = {"sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "min", "max"}
_ROMAN = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "sech": "sech", "erf": "erf", "sign": "sgn",
          "heaviside": "H", "atan2": "atan2"}  # fmt: skip

SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
"""How strongly the parts of a formula hold together."""


def latex(text: str) -> str:
    """A formula, or an equation ``left = right``, as LaTeX. Raises :class:`FormulaError` where it is none."""
    parts = re.split(r"(?<![<>=])=(?!=)", text)
    return " = ".join(_formula(part, text) for part in parts)


def latex_condition(text: str) -> tuple[str, str]:
    """What holds, as LaTeX, and where, in words or as LaTeX: ``("u = 0", "on the boundary")``.

    The second part is plain words unless it begins with ``$``.
    """
    if match := re.fullmatch(r"\s*(periodic)\s+in\s+(.+)", text, re.IGNORECASE):
        return "", f"periodic in {match[2].strip()}"
    match = re.fullmatch(r"(.*?)\s+(on|at)\s+(.*)", text, re.IGNORECASE | re.DOTALL)
    if match is None:
        raise FormulaError(text, len(text), "It does not say where it holds.")
    where = match[3].strip()
    if where.lower() in ("boundary", "the boundary"):
        return latex(match[1]), "on the boundary"
    places = [latex(part) for part in where.split(",") if "lower" not in part and "upper" not in part]
    between = r",\ "
    return latex(match[1]), f"${between.join(places)}$" if places else f"{match[2]} {where}"


def _formula(text: str, whole: str) -> str:
    try:
        tree = ast.parse(plain_syntax(text).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise FormulaError(whole, 0, "It cannot be read.") from None
    return _Writer(whole).visit(tree.body)[0]


class _Writer:
    def __init__(self, whole: str) -> None:
        self.whole = whole

    def visit(self, node: ast.expr) -> tuple[str, int]:
        """LaTeX, and how strongly it holds together."""
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                return _number(value)
            case ast.Name(id=name):
                return symbol(name), ATOM
            case ast.UnaryOp(op=op, operand=operand) if isinstance(op, (ast.USub, ast.UAdd)):
                return f"{'-' if isinstance(op, ast.USub) else '+'}{self.held(operand, PRODUCT)}", SIGN
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(left, op, right)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                signs = {ast.Lt: "<", ast.LtE: r"\leq", ast.Gt: ">", ast.GtE: r"\geq"}
                if type(op) in signs:
                    return f"{self.visit(left)[0]} {signs[type(op)]} {self.visit(right)[0]}", SUM
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, args)
        raise FormulaError(self.whole, 0, "It cannot be set as mathematics.")

    def held(self, node: ast.expr, strength: int) -> str:
        """In brackets where it holds together less strongly than that."""
        text, own = self.visit(node)
        return text if own >= strength else _bracketed(text)

    def binary(self, left: ast.expr, op: ast.operator, right: ast.expr) -> tuple[str, int]:
        match op:
            case ast.Add():
                return f"{self.visit(left)[0]} + {self.term(right)}", SUM
            case ast.Sub():
                return f"{self.visit(left)[0]} - {self.term(right)}", SUM
            case ast.Mult():
                first, second = self.held(left, PRODUCT), self.held(right, PRODUCT)
                between = r" \cdot " if second[:1].isdigit() else r"\,"
                return f"{first}{between}{second}", PRODUCT
            case ast.Div() if isinstance(left, ast.UnaryOp) and isinstance(left.op, ast.USub):
                return rf"-\frac{{{self.visit(left.operand)[0]}}}{{{self.visit(right)[0]}}}", SIGN
            case ast.Div():
                return rf"\frac{{{self.visit(left)[0]}}}{{{self.visit(right)[0]}}}", PRODUCT
            case ast.Pow():
                return self.power(left, right)
        raise FormulaError(self.whole, 0, "It cannot be set as mathematics.")

    def term(self, node: ast.expr) -> str:
        """What stands after a plus or a minus."""
        text = self.held(node, PRODUCT)
        return _bracketed(text) if text[:1] in "+-" else text

    def power(self, base: ast.expr, exponent: ast.expr) -> tuple[str, int]:
        raised = self.visit(exponent)[0]
        match base:
            case ast.Call(func=ast.Name(id=name), args=[argument]) if name in _NAMED - {"exp", "min", "max"}:
                return rf"\{name}^{{{raised}}} {_argument(*self.visit(argument))}", PRODUCT
        return f"{self.held(base, ATOM)}^{{{raised}}}", POWER

    def call(self, name: str, args: list[ast.expr]) -> tuple[str, int]:
        given = [self.visit(a) for a in args]
        texts = [text for text, _ in given]
        match name, given:
            case "sqrt", [_]:
                return rf"\sqrt{{{texts[0]}}}", ATOM
            case "abs", [_]:
                return rf"\left|{texts[0]}\right|", ATOM
            case "exp", [_]:
                return f"e^{{{texts[0]}}}", POWER
            case "lap", [one]:
                return rf"\Delta {_argument(*one)}", PRODUCT
            case "dt", [one]:
                return rf"\partial_t {_argument(*one)}", PRODUCT
            case "diff", [one, _, *_]:
                times = f"^{{{texts[2]}}}" if len(texts) > 2 and texts[2] != "1" else ""
                return rf"\partial_{{{texts[1]}}}{times} {_argument(*one)}", PRODUCT
            case "where", [_, _, _]:
                otherwise = rf"{texts[2]}\ \mathrm{{otherwise}}"
                return rf"\left\{{ {texts[1]}\ \mathrm{{if}}\ {texts[0]};\ {otherwise} \right\}}", ATOM
        word = rf"\{name}" if name in _NAMED else rf"\mathrm{{{_ROMAN.get(name, name)}}}"
        inside = _argument(*given[0]) if len(given) == 1 else _bracketed(r",\ ".join(texts))
        return rf"{word}\, {inside}" if word.startswith(r"\mathrm") else f"{word} {inside}", PRODUCT


def _argument(text: str, strength: int) -> str:
    """What a function is taken of: a single symbol needs no brackets."""
    return text if strength == ATOM and not text.startswith(r"\left") else _bracketed(text)


def _bracketed(text: str) -> str:
    return rf"\left({text}\right)"


def _number(value: float) -> tuple[str, int]:
    if value == 0 or 1e-2 <= abs(value) < 1e6:
        return f"{value:.12g}", ATOM
    mantissa, _, exponent = f"{value:.12e}".partition("e")
    mantissa, power = mantissa.rstrip("0").removesuffix("."), f"10^{{{int(exponent)}}}"
    return (power, POWER) if mantissa == "1" else (rf"{mantissa} \cdot {power}", PRODUCT)


def symbol(name: str) -> str:
    """A name as mathematics: ``u_xx``, ``lambda``, ``a1`` and ``hills`` with subscripts, letters and upright words."""
    name = "lambda" if name == "lambda_" else name
    head, _, below = name.partition("_")
    match = re.fullmatch(r"([^\W\d]+?)(\d+)", head)
    if match and not below:
        head, below = match[1], match[2]
    shown = f"\\{_LETTERS[head]}" if head in _LETTERS else f"\\{head}" if head in GREEK else head
    shown = rf"\mathrm{{{head}}}" if len(head) > 1 and not shown.startswith("\\") else shown
    under = "".join(f"\\{_LETTERS[c]} " if c in _LETTERS else c for c in below)
    return f"{shown}_{{{under}}}" if below else shown


__all__ = ["latex", "latex_condition", "symbol"]
