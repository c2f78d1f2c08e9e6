"""A problem that a person types: domain, equations, what holds at the faces, and the exact solution if known."""

from __future__ import annotations

import re

from engines.blocks.formulas import FormulaError, parse
from engines.blocks.pde.equations import compile_problem
from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import Problem


class TypedProblemParams(Params):
    domain: str = Param(
        "x in [-1, 1]\ny in [-1, 1]", lines=True, source="own choice",
        help="One line for each coordinate: its name and its range. A coordinate called t is time",
    )  # fmt: skip
    unknowns: str = Param("u", help="Names of what is sought, with commas between them", source="own choice")
    equations: str = Param(
        "u_xx + u_yy + k^2*u = q", lines=True, source="own choice",
        help="One line for each. u_xx is a derivative; diff(f, x), lap(f) and dt(f) derive formulas",
    )  # fmt: skip
    definitions: str = Param(
        "k = 1\nq = manufactured", lines=True, source="own choice",
        help="Names for numbers and formulas. A source that is 'manufactured' is made from the exact solution",
    )  # fmt: skip
    conditions: str = Param(
        "u = exact on boundary", lines=True, source="own choice",
        help="What holds at the faces: 'u = 0 on boundary', 'u_x = 1 on x = 0', 'u = sin(pi*x) at t = 0', "
        "'periodic in x'",
    )  # fmt: skip
    exact: str = Param(
        "u = sin(pi*x)*sin(2*pi*y)", lines=True, source="own choice", label="Exact solution",
        help="If it is known: to compare with, and to make sources from",
    )  # fmt: skip
    estimated: str = Param(
        "", lines=True, source="own choice", label="To be estimated", empty="nothing",
        help="Coefficients that are to be found from measurements, with a first guess: 'nu = 0.1'",
    )  # fmt: skip


EVOLVING = {
    "domain": "x in [-1, 1]\nt in [0, 1]", "equations": "u_t + u*u_x = nu*u_xx", "definitions": "nu = 0.01/pi",
    "conditions": "u = 0 on boundary\nu = -sin(pi*x) at t = 0", "exact": "",
}  # fmt: skip
INVERSE = {**EVOLVING, "definitions": "", "estimated": "nu = 0.1"}


@method(
    key="typed-problem", title="Typed problem", family="pde",
    job="Type an equation, its domain and its conditions.",
    presets={"in time": EVOLVING, "inverse": INVERSE},
    degenerate=(
        Example(params={"equations": "u_xx = f("}, title="Half a formula"),
        Example(params={"domain": "x in [1, 0]"}, title="An empty range"),
    ),
    tags=("problem", "equation", "formula"),
)  # fmt: skip
def typed_problem(params: TypedProblemParams, run: Run) -> Problem:
    """The formulas are read by :mod:`engines.blocks.pde.equations`; conditions that disagree are told."""
    ranges = [_range(line) for line in lines(params.domain)]
    names = tuple(name for name, _, _ in ranges)
    estimated = {}
    for name, formula, line, column in _assignments(params.estimated):
        value = parse(formula, {}, offset=column, whole=line)
        estimated[name] = float(value)
    problem = Problem(
        name="Typed problem", coordinates=names, time="t" if "t" in names else "",
        lower=[low for _, low, _ in ranges], upper=[high for _, _, high in ranges],
        unknowns=tuple(n.strip() for n in params.unknowns.split(",") if n.strip()),
        equations=tuple(lines(params.equations)), conditions=tuple(lines(params.conditions)),
        definitions=_named(params.definitions), exact=_named(params.exact), estimated=estimated,
    )  # type: ignore[arg-type]  # fmt: skip
    compiled = compile_problem(problem)
    for told in compiled.jumps():
        run.warn(told)
    if not compiled.conditions:
        run.warn("Nothing is said about the faces of the domain, so the problem has many solutions.")
    return problem


def lines(text: str) -> list[str]:
    """Lines that are not empty; on the command line semicolons stand between them."""
    return [part.strip() for part in re.split(r"[\n;]", text) if part.strip()]


def _assignments(text: str) -> list[tuple[str, str, str, int]]:
    """(name, formula, line, where the formula begins) of lines such as ``k = 2*pi``."""
    found = []
    for line in lines(text):
        name, sign, formula = line.partition("=")
        if not sign or not name.strip().isidentifier():
            raise FormulaError(line, 0, "It is not of the form name = formula.", "Write for example 'k = 2*pi'.")
        if any(name.strip() == other for other, *_ in found):
            raise FormulaError(line, 0, f"'{name.strip()}' is given twice.", "Remove one of the two.")
        found.append((name.strip(), formula.strip(), line, len(line) - len(formula.lstrip())))
    return found


def _named(text: str) -> dict[str, str]:
    return {name: formula for name, formula, _, _ in _assignments(text)}


_RANGE = re.compile(r"\s*(\w+)\s*(?:in|:|∈)\s*\[?([^,\]]+),([^,\]]+)\]?\s*")


def _range(line: str) -> tuple[str, float, float]:
    """``x in [-1, 2*pi]``."""
    match = _RANGE.fullmatch(line)
    if match is None:
        raise FormulaError(line, 0, "It is not a range.", "Write for example 'x in [-1, 1]'.")
    low, high = (float(parse(match[i], {}, offset=match.start(i), whole=line)) for i in (2, 3))
    if not low < high:
        raise UserError(f"The range '{line}' is empty.", mend="Its second number must be above its first.")
    return match[1], low, high
