"""Problems as text that people read, edit and share (``.problem``): TOML, in UTF-8.

::

    time = "t"
    unknowns = ["u"]
    equations = ["u_t - nu*u_xx + u*u_x = 0"]
    conditions = ["u = -sin(pi*x) at t = 0", "u = 0 on boundary"]

    [domain]
    x = [-1.0, 1.0]
    t = [0.0, 1.0]

    [definitions]
    nu = "0.01/pi"

    [exact]          # the solution, where it is known

    [estimated]      # coefficients that are to be found, with a first guess
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Params, UserError
from engines.data import Problem
from engines.files import guard
from engines.files.registry import Loaded, NoOptions, reader, writer

LIMIT = 1 << 20
HEAD = "# A problem of Fieldwright: a partial differential equation on a box, in formulas.\n"
TEXTS = ("unknowns", "equations", "conditions")
TABLES = ("domain", "definitions", "exact", "estimated")
KNOWN = {"time", "description", *TEXTS, *TABLES}


@reader(key="problem", title="Problem", extensions=(".problem",), gives=(Problem,))
def read_problem(path: Path, options: Params) -> Loaded:
    text = guard.read_text(path, LIMIT)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise guard.refuse(path, "is not a problem file.", f"{error}.", "Correct it: it is a TOML text.") from None
    lists = {key: _list(path, document, key) for key in TEXTS}
    domain = _table(path, document, "domain")
    ranges = [_range(path, name, ends) for name, ends in domain.items()]
    problem = Problem(
        name=path.stem,
        coordinates=tuple(domain),
        lower=np.array([low for low, _ in ranges]),
        upper=np.array([high for _, high in ranges]),
        time=_text(path, document.get("time", ""), "time"),
        unknowns=lists["unknowns"] or ("u",),
        equations=lists["equations"],
        conditions=lists["conditions"],
        definitions=_texts(path, document, "definitions"),
        exact=_texts(path, document, "exact"),
        estimated={k: _number(path, v, k) for k, v in _table(path, document, "estimated").items()},
        description=_text(path, document.get("description", ""), "description"),
    )
    unknown = sorted(set(document) - KNOWN)
    left = (f"What is not known was left out: {', '.join(unknown[:6])}.",) if unknown else ()
    return Loaded((problem,), left + _doubts(problem))


def _doubts(problem: Problem) -> tuple[str, ...]:
    """What the formulas do not say clearly; such a problem can still be opened and mended."""
    from engines.blocks.pde.equations import compile_problem  # loads SymPy

    try:
        compile_problem(problem)
    except UserError as error:
        return (" ".join(part for part in (error.what, error.why, error.mend) if part),)
    return ()


def _table(path: Path, document: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise _wrong(path, key, found, "a table of names and values")
    return found


def _texts(path: Path, document: Mapping[str, Any], key: str) -> dict[str, str]:
    """Formulas by name; a plain number is one too."""
    found = _table(path, document, key)
    return {k: repr(v) if _is_number(v) else _text(path, v, f"{key}.{k}") for k, v in found.items()}


def _list(path: Path, document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = document.get(key, [])
    if not isinstance(found, list):
        raise _wrong(path, key, found, "a list of texts")
    return tuple(_text(path, v, key) for v in found)


def _text(path: Path, value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, key, value, "a text in quotation marks")
    return value


def _number(path: Path, value: Any, key: str) -> float:
    if not _is_number(value) or not abs(value) < 1e300:
        raise _wrong(path, key, value, "a number")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _range(path: Path, name: str, ends: Any) -> tuple[float, float]:
    if not isinstance(ends, list) or len(ends) != 2:
        raise _wrong(path, f"domain.{name}", ends, "its lower and its upper end, such as [0.0, 1.0]")
    return _number(path, ends[0], f"domain.{name}"), _number(path, ends[1], f"domain.{name}")


def _wrong(path: Path, key: str, value: Any, wanted: str) -> UserError:
    return guard.refuse(path, f"has a wrong '{key}'.", f"Found {str(value)[:60]!r}; it takes {wanted}.", "Correct it.")


@writer(key="problem", title="Problem", extensions=(".problem",), takes=(Problem,))
def write_problem(problem: Problem, path: Path, options: NoOptions) -> None:
    rows = []
    if problem.description:
        rows.append(f"description = {_quoted(problem.description)}")
    if problem.time:
        rows.append(f"time = {_quoted(problem.time)}")
    rows += [_listed(key, getattr(problem, key)) for key in TEXTS]
    ends = zip(problem.lower.tolist(), problem.upper.tolist(), strict=True)
    domain = {name: f"[{low!r}, {high!r}]" for name, (low, high) in zip(problem.coordinates, ends, strict=True)}
    rows += _section("domain", domain)
    rows += _section("definitions", {k: _quoted(v) for k, v in problem.definitions.items()})
    rows += _section("exact", {k: _quoted(v) for k, v in problem.exact.items()})
    rows += _section("estimated", {k: repr(float(v)) for k, v in problem.estimated.items()})
    path.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8", newline="\n")


def _listed(key: str, texts: tuple[str, ...]) -> str:
    if len(texts) < 2:
        return f"{key} = [{''.join(map(_quoted, texts))}]"
    return f"{key} = [\n" + "".join(f"    {_quoted(t)},\n" for t in texts) + "]"


def _section(name: str, rows: Mapping[str, str]) -> list[str]:
    return ["", f"[{name}]", *(f"{_key(k)} = {v}" for k, v in rows.items())] if rows else []


def _key(name: str) -> str:
    plain = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if plain else _quoted(name)


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's, but for the one character that only TOML wants escaped."""
    whole = text.encode("utf-8", "replace").decode("utf-8")  # half of a character pair has no place in a text file
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")
