"""Measures as tables (``.csv``): a column for each coordinate and one for the weights, a row for each point.

Displacements have the coordinates twice, at the start and at the end: ``start x``, ``start y``, ``end x``, ``end y``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from engines.core import Param, Params
from engines.data import Displacements, Measure
from engines.files import guard
from engines.files.csvtable import CsvWriteOptions, Separator, check_lengths, column, headings, rows_of, save
from engines.files.registry import Loaded, reader, writer

WEIGHTS = ("weight", "weights", "mass")
GROUPS = ("group", "label", "condition", "set")
MOST_GROUPS = 200
UNNAMED = "no group"
NONE = "none"
"""What is typed for a column that is not to be looked for."""


class CsvMeasureOptions(Params):
    coordinates: str = Param("", empty="all numbers", help="Names of the columns with coordinates, with commas between")
    weights: str = Param("", empty="'weight' or 'mass'", help="Column of the weights; 'none' for points that are alike")
    groups: str = Param(
        "", empty="'group' or 'label'", help="Column that tells several measures apart; 'none' for one measure"
    )
    separator: Separator = Param("auto", help="What stands between the columns")


@reader(
    key="csv-measure", title="CSV points with weights", extensions=(".csv", ".tsv"), gives=(Measure,),
    options=CsvMeasureOptions,
)  # fmt: skip
def read_csv_measure(path: Path, options: CsvMeasureOptions) -> Loaded:
    """One measure, or one for each group. A first row of numbers alone is a point: the columns are numbered then."""
    columns, units, lines = columns_of(path, options.separator)
    weights = _named(path, columns, options.weights, WEIGHTS, "weights")
    groups = _named(path, columns, options.groups, GROUPS, "groups")
    wanted = list(dict.fromkeys(n.strip() for n in options.coordinates.split(",") if n.strip()))
    if missing := [n for n in wanted if n not in columns]:
        raise guard.refuse(
            path, f"has no column '{missing[0][:60]}'.", f"It has: {guard.some(columns)}.", "Choose of these."
        )
    rest = [n for n in columns if n not in (weights, groups)]
    names = wanted or [n for n in rest if columns[n].dtype.kind in "iuf"]
    if not names:
        raise guard.refuse(path, "has no column of coordinates.", f"It has: {guard.some(columns)}.", "Give numbers.")
    points = np.stack([numbers(path, n, columns[n], lines) for n in names], 1)
    mass = None if weights is None else numbers(path, weights, columns[weights], lines)
    left = [n for n in rest if n not in names]
    problems = (f"Columns that were left out: {guard.some(left)}.",) if left else ()
    own = {units.get(n, "") for n in names}
    unit = own.pop() if len(own) == 1 else ""
    dimensions = () if names == [str(i + 1) for i in range(len(names))] else tuple(names)
    found = []
    for label, rows in _groups(path, np.zeros(len(points)) if groups is None else columns[groups]):
        name, some = (path.stem if groups is None else label), (None if mass is None else mass[rows])
        found.append(Measure(name=name, points=points[rows], weights=some, dimensions=dimensions, unit=unit))
    return Loaded(tuple(found), problems)


def columns_of(path: Path, separator: str) -> tuple[dict[str, np.ndarray], dict[str, str], list[int]]:
    """Columns by name, their units, and the line of each row; a first row of numbers is no heading."""
    rows, lines = rows_of(path, separator)
    titles: tuple[list[str], dict[str, str]] = [str(i + 1) for i in range(len(rows[0]))], {}
    if not all(map(guard.is_number, rows[0])):
        titles = headings(path, rows[0])
        rows, lines = rows[1:], lines[1:]
    if not rows:
        raise guard.refuse(path, "has no row of numbers.", "There is a heading alone.")
    check_lengths(path, rows, lines, len(titles[0]), "the first row has")
    return {n: column([row[i] for row in rows]) for i, n in enumerate(titles[0])}, titles[1], lines


def numbers(path: Path, name: str, values: np.ndarray, lines: list[int]) -> np.ndarray:
    """A column as float64; what is no finite number is refused with its line."""
    if values.dtype.kind not in "iuf":
        bad = next((i for i, cell in enumerate(values.tolist()) if not guard.is_number(cell)), 0)
        why = f"Column '{name[:60]}': '{str(values[bad])[:40]}'."
        raise guard.refuse(
            path, f"has something that is no number at line {lines[bad]}.", why, "Correct it, or choose other columns."
        )
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        why = f"Column '{name[:60]}' is empty, NaN or infinite there."
        raise guard.refuse(path, f"has no finite number at line {lines[bad]}.", why, "Correct or remove that line.")
    return values.astype(np.float64)


def _named(path: Path, columns: dict[str, np.ndarray], given: str, usual: tuple[str, ...], what: str) -> str | None:
    """The column that was named, or the one that is called as usual."""
    wanted = given.strip()
    if wanted.lower() == NONE and NONE not in columns:
        return None
    if wanted and wanted not in columns:
        raise guard.refuse(path, f"has no column '{wanted[:60]}' of {what}.", f"It has: {guard.some(columns)}.",
                           "Choose one of them.")  # fmt: skip
    return wanted or next((n for n in columns if n.lower() in usual), None)


def _groups(path: Path, labels: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Names of the groups in the order in which they come, and the rows of each.

    Words are taken without the blanks around them; rows without a word, or without a number, are a group, too.
    """
    if labels.dtype.kind == "U":
        labels = np.char.strip(labels)
    found, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    if len(found) > MOST_GROUPS:
        raise guard.refuse(path, f"has {len(found):,} groups.", f"At most {MOST_GROUPS} are read as measures.",
                           "Choose another column, or type 'none'.")  # fmt: skip
    names = [f"{g:g}" if isinstance(g, float) and not np.isnan(g) else str(g) for g in found.tolist()]
    names = [UNNAMED if name in ("", "nan") else name for name in names]
    return [(names[g], np.flatnonzero(codes.reshape(-1) == g)) for g in np.argsort(first)]


def save_columns(path: Path, separator: str, columns: Mapping[str, Sequence[object]]) -> None:
    """A table of columns of equal length, by their headings."""
    save(path, separator, columns, zip(*columns.values(), strict=True))


def place(measure: Measure, before: str = "") -> dict[str, list[object]]:
    """A column for each coordinate, with its unit."""
    unit = f" [{measure.unit}]" if measure.unit else ""
    along = zip(measure.coordinates, measure.points.T, strict=True)
    return {f"{before}{name}{unit}": values.tolist() for name, values in along}


@writer(key="csv-measure", title="CSV table of points", extensions=(".csv",), takes=(Measure,), options=CsvWriteOptions)
def write_csv_measure(measure: Measure, path: Path, options: CsvWriteOptions) -> None:
    """Coordinates and weights; colours and the shape of a grid have no place."""
    weights = {} if measure.weights is None else {"weight": measure.weights.tolist()}
    save_columns(path, options.separator, place(measure) | weights)


# displacements ---------------------------------------------------------------------------------------


class CsvDisplacementsOptions(Params):
    separator: Separator = Param("auto", help="What stands between the columns")


@reader(
    key="csv-displacements", title="CSV displacements", extensions=(".csv", ".tsv"), gives=(Displacements,),
    options=CsvDisplacementsOptions,
)  # fmt: skip
def read_csv_displacements(path: Path, options: CsvDisplacementsOptions) -> Loaded:
    columns, units, lines = columns_of(path, options.separator)
    names = [n.removeprefix("start ") for n in columns if n.startswith("start ")]
    if not names or any(f"end {n}" not in columns for n in names):
        raise guard.refuse(
            path, "holds no displacements.", f"It has: {guard.some(columns)}.",
            "Give each coordinate two columns, such as 'start x' and 'end x'.",
        )  # fmt: skip
    starts, ends = (
        np.stack([numbers(path, f"{end} {n}", columns[f"{end} {n}"], lines) for n in names], 1)
        for end in ("start", "end")
    )
    mass = next((n for n in columns if n.lower() in WEIGHTS), None)
    weights = None if mass is None else numbers(path, mass, columns[mass], lines)
    plain = names == list(Measure(points=starts).coordinates)
    moved = Displacements(
        name=path.stem, starts=starts, ends=ends, weights=weights, dimensions=() if plain else tuple(names),
        unit=units.get(f"start {names[0]}", ""),
    )  # fmt: skip
    return Loaded((moved,))


@writer(
    key="csv-displacements", title="CSV table of starts and ends", extensions=(".csv",), takes=(Displacements,),
    options=CsvWriteOptions,
)  # fmt: skip
def write_csv_displacements(moved: Displacements, path: Path, options: CsvWriteOptions) -> None:
    ends = moved.moved
    weights = {} if moved.weights is None else {"weight": moved.weights.tolist()}
    starts = place(ends.replace(points=moved.starts), "start ")
    save_columns(path, options.separator, starts | place(ends, "end ") | weights)
