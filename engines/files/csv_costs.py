"""Cost matrices as tables (``.csv``): a row for each source, a column for each target.

The first row may name the targets and the first column the sources. A column called ``weight`` holds the mass of the
sources, a row of that name the mass of the targets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import CostMatrix
from engines.files import guard
from engines.files.csv_measure import WEIGHTS
from engines.files.csvtable import CsvWriteOptions, Separator, check_lengths, rows_of, save
from engines.files.registry import Loaded, reader, writer


class CsvCostsOptions(Params):
    holds: Literal["costs", "scores"] = Param("costs", help="Of scores, where more is better, the costs are minus them")
    separator: Separator = Param("auto", help="What stands between the columns")


@reader(
    key="csv-costs", title="CSV cost matrix", extensions=(".csv", ".tsv"), gives=(CostMatrix,), options=CsvCostsOptions
)
def read_csv_costs(path: Path, options: CsvCostsOptions) -> Loaded:
    """Names are told from numbers; a table of numbers alone is the matrix.

    Names of sources may be numbers, too, where the heading leaves out the first column or says nothing of it.
    """
    rows, lines = rows_of(path, options.separator)
    targets: list[str] = []
    if len(rows) > 1 and (not rows[0][0].strip() or not all(map(guard.is_number, rows[0][1:] or rows[0]))):
        targets, rows, lines = [cell.strip() for cell in rows[0]], rows[1:], lines[1:]
    width = len(rows[0])
    check_lengths(path, rows, lines, width, "the first has")
    apart = len(targets) == width - 1 or (len(targets) == width and not targets[0])
    named = width > 1 and (apart or not all(guard.is_number(row[0]) for row in rows))
    sources = [row[0].strip() for row in rows] if named else []
    if targets and len(targets) not in (width, width - named):
        raise guard.refuse(path, "has a heading of the wrong length.", f"{len(targets)} names for {width} columns.",
                           "Check the separator, or export the table again.")  # fmt: skip
    targets = targets[len(targets) - (width - named) :]
    matrix = [row[named:] for row in rows]
    source_weights = target_weights = None
    if found := [i for i, name in enumerate(targets) if name.lower() in WEIGHTS]:
        source_weights = [row.pop(found[0]) for row in matrix]
        targets.pop(found[0])
    if found := [i for i, name in enumerate(sources) if name.lower() in WEIGHTS]:
        target_weights = [matrix.pop(found[0])]
        sources.pop(found[0])
        at = lines.pop(found[0])
        target_weights = _numbers(path, target_weights, [at])[0].tolist()
        source_weights = None if source_weights is None else [w for i, w in enumerate(source_weights) if i != found[0]]
    costs = _numbers(path, matrix, lines)
    return Loaded(
        (
            CostMatrix(
                name=path.stem, costs=-costs if options.holds == "scores" else costs,
                source_weights=None if source_weights is None else _numbers(path, [source_weights], lines)[0],
                target_weights=target_weights, source_names=tuple(sources), target_names=tuple(targets),
            ),
        )
    )  # fmt: skip


def _numbers(path: Path, rows: list[list[str]], lines: list[int]) -> np.ndarray:
    """(rows, columns) float64; the first cell that is no finite number is refused with its line."""
    if not rows or not rows[0]:
        raise guard.refuse(path, "holds no costs.", "There is no number but names and weights.")
    if all(guard.is_number(cell) for row in rows for cell in row):
        found = np.array(rows, dtype=np.float64)
        if np.isfinite(found).all():
            return found
    for row, line in zip(rows, lines, strict=False):
        for cell in row:
            if not guard.is_number(cell) or not np.isfinite(float(cell)):
                raise guard.refuse(
                    path, f"has a cost that is no finite number at line {line}.", f"Found '{cell.strip()[:40]}'.",
                    "Give every pair a cost; one that must not be chosen, a large one.",
                )  # fmt: skip
    raise AssertionError("no cell is wrong, but the table is")


@writer(key="csv-costs", title="CSV matrix", extensions=(".csv",), takes=(CostMatrix,), options=CsvWriteOptions)
def write_csv_costs(matrix: CostMatrix, path: Path, options: CsvWriteOptions) -> None:
    """Names and weights stand at the sides where there are such; where only some are known, the others are numbered."""
    height, width = matrix.costs.shape
    at_sides = (matrix.source_names, matrix.target_names)
    weights = (matrix.source_weights, matrix.target_weights)
    if not any(at_sides) and all(w is None for w in weights):
        save(path, options.separator, (), (row.tolist() for row in matrix.costs))
        return
    sources = list(matrix.source_names) or [f"source {i + 1}" for i in range(height)]
    targets = list(matrix.target_names) or [f"target {j + 1}" for j in range(width)]
    rows: list[list[object]] = [[name, *row] for name, row in zip(sources, matrix.costs.tolist(), strict=True)]
    heading = ["", *targets]
    if matrix.source_weights is not None:
        heading.append("weight")
        rows = [[*row, w] for row, w in zip(rows, matrix.source_weights.tolist(), strict=True)]
    if matrix.target_weights is not None:
        last = ["weight", *matrix.target_weights.tolist()]
        rows.append(last if matrix.source_weights is None else [*last, ""])
    save(path, options.separator, heading, rows)
