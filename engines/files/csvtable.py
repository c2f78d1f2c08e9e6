"""CSV: tables and curves. A heading ``name [unit]`` carries the unit of its column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import Curve, Table
from engines.files import guard
from engines.files.registry import Loaded, reader, writer

TABLE_LIMIT = 1 << 28
MOST_COLUMNS = 10_000

Separator = Literal["auto", "comma", "semicolon", "tab"]


class CsvReadOptions(Params):
    kind: Literal["table", "curve"] = Param("table", help="A curve takes the first column for x")
    separator: Separator = Param("auto", help="What stands between the columns")


class CsvWriteOptions(Params):
    separator: Literal["comma", "semicolon", "tab"] = Param("comma", help="What stands between the columns")


SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t"}


@reader(key="csv", title="CSV table", extensions=(".csv", ".tsv"), gives=(Table, Curve), options=CsvReadOptions)
def read_csv(path: Path, options: CsvReadOptions) -> Loaded:
    rows, lines = rows_of(path, options.separator)
    names, units = headings(path, rows[0])
    check_lengths(path, rows[1:], lines[1:], len(names), "the heading has")
    columns = {n: column([row[i] for row in rows[1:]]) for i, n in enumerate(names)}
    if options.kind == "table":
        return Loaded((Table(name=path.stem, columns=columns, units=units),))
    for name, values in columns.items():
        if values.dtype.kind not in "iuf":
            raise guard.refuse(path, "cannot be read as a curve.", f"The column '{name}' holds text.")
    x_name = names[0]
    series = {n: v.astype(np.float64) for n, v in columns.items() if n != x_name}
    return Loaded((Curve(name=path.stem, x=columns[x_name].astype(np.float64), series=series, x_label=x_name),))


def rows_of(path: Path, separator: str) -> tuple[list[list[str]], list[int]]:
    """The cells of every row that is not empty, one row at least, and the number of its line."""
    text = guard.read_text(path, TABLE_LIMIT)
    first = next((line for line in text.splitlines() if line.strip()), "")
    sign = SIGNS.get(separator) or max(SIGNS.values(), key=first.count)
    rows, lines = [], []
    source = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    try:
        for row in source:
            if row and any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(source.line_num)
    except csv.Error as error:
        raise guard.refuse(path, f"is no clean CSV at line {source.line_num}.", f"{error}.") from None
    if not rows:
        raise guard.refuse(path, "has no row.")
    return rows, lines


def check_lengths(path: Path, rows: list[list[str]], lines: list[int], count: int, what: str) -> None:
    """Raises UserError for a row that has not ``count`` cells."""
    for row, line in zip(rows, lines, strict=True):
        if len(row) != count:
            raise guard.refuse(
                path,
                f"has a row of the wrong length at line {line}.",
                f"It has {len(row)} cells; {what} {count}.",
                "Check the separator, or export the table again.",
            )


def headings(path: Path, cells: list[str]) -> tuple[list[str], dict[str, str]]:
    if len(cells) > MOST_COLUMNS:
        raise guard.refuse(path, "has too many columns.", f"{len(cells):,}; at most {MOST_COLUMNS:,} are read.")
    names: list[str] = []
    units: dict[str, str] = {}
    taken: set[str] = set()
    for index, cell in enumerate(cells):
        match = re.fullmatch(r"(.*\S)\s*\[([^\[\]]+)\]", cell.strip())
        name = (match[1] if match else cell.strip()) or f"column {index + 1}"
        number, plain = 2, name
        while name in taken:
            name, number = f"{plain} ({number})", number + 1
        taken.add(name)
        names.append(name)
        if match:
            units[name] = match[2]
    return names, units


def column(cells: list[str]) -> np.ndarray:
    """Whole numbers, numbers (an empty cell is NaN) or text."""
    stripped = [cell.strip() for cell in cells]
    if stripped and any(re.match(r"[+-]?0\d", cell) for cell in stripped):
        return np.array(cells, dtype=str)  # such as 007: a name, not a number
    try:
        if all(re.fullmatch(r"-?\d{1,18}", cell) for cell in stripped):
            return np.array([int(cell) for cell in stripped], dtype=np.int64)
        return np.array([float(cell) if cell else np.nan for cell in stripped])
    except ValueError:
        return np.array(cells, dtype=str)


def save(path: Path, separator: str, heading: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers keep every bit. Without a ``heading`` it has none."""
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, delimiter=SIGNS[separator], lineterminator="\n")
        titles = list(heading)
        table.writerows([titles] if titles else [])
        table.writerows(rows)


@writer(key="csv", title="CSV table", extensions=(".csv",), takes=(Curve, Table), options=CsvWriteOptions)
def write_csv(item: Curve | Table, path: Path, options: CsvWriteOptions) -> None:
    """A missing value (NaN) is an empty cell; numbers keep every bit."""
    if isinstance(item, Curve):
        headings = [item.x_label or "x", *item.series]
        columns = [item.x, *item.series.values()]
    else:
        headings = [f"{n} [{item.units[n]}]" if item.units.get(n) else n for n in item.columns]
        columns = list(item.columns.values())
    save(path, options.separator, headings, zip(*[_cells(values) for values in columns], strict=True))


def _cells(values: np.ndarray) -> list[object]:
    if values.dtype.kind == "f":
        plain = values.astype(np.float64) if values.dtype.itemsize >= 8 else values
        return ["" if np.isnan(v) else str(v) for v in plain]
    return list(values.tolist())
