"""Preparations: a table as measures, or as a cost matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from engines.core import Example, Param, Params, Run, UserError, method
from engines.data import CostMatrix, Measure, Table

WEIGHTS = ("weight", "weights", "mass")
MOST_GROUPS = 200


class TableMeasureParams(Params):
    coordinates: str = Param("", empty="all numbers", help="Names of the columns with coordinates, with commas between")
    weights: str = Param("", empty="'weight' or 'mass'", help="Column of the mass of each row")
    groups: str = Param("", empty="none", help="Column that tells several measures apart")
    incomplete: Literal["refuse", "leave out"] = Param(
        "refuse", label="Rows with gaps", help="Rows where a coordinate or the mass is missing"
    )


@dataclass(frozen=True)
class TableMeasures:
    measures: Annotated[tuple[Measure, ...], "one, or one for each group"]


def _cells() -> dict[str, Table]:
    draw = np.random.default_rng(5)
    group = np.repeat(["control", "treated"], 40)
    columns = {"group": group, "a": draw.normal(size=80) + 2 * (group == "treated"), "b": draw.normal(size=80)}
    return {"table": Table(name="Cells", columns=columns | {"weight": draw.uniform(0.5, 1, 80)})}


def _with_a_gap() -> dict[str, Table]:
    return {"table": Table(columns={"x": np.array([1.0, np.nan]), "y": np.array([1.0, 2.0])})}


@method(
    key="table-measure", title="Table to measure", family="transport", role="preparation",
    job="Take the rows of a table as points with weights, in one measure or in one for each group.",
    sample=Example(_cells, {"groups": "group"}, "Two groups"), smoke=Example(_cells, {"groups": "group"}),
    degenerate=(
        Example(_cells, {"coordinates": "a, c"}, "a column that is not there"), Example(_with_a_gap, {}, "a gap"),
        Example(lambda: {"table": Table(columns={"name": np.array(["a"])})}, {}, "no column of numbers"),
    ),
    tags=("optimal transport", "weights", "columns", "groups"),
)  # fmt: skip
def table_measure(
    table: Annotated[Table, "a row for each point"], params: TableMeasureParams, run: Run
) -> TableMeasures:
    """Columns of text are left out. The groups come in the order in which the table has them."""
    weights = _column(table, params.weights) or next((n for n in table.columns if n.lower() in WEIGHTS), "")
    groups = _column(table, params.groups)
    wanted = [_column(table, n) for n in params.coordinates.split(",") if n.strip()]
    names = wanted or [n for n in table.columns if n not in (weights, groups) and _is_numbers(table.columns[n])]
    if not names:
        raise UserError("The table has no column of numbers for coordinates.", f"It has: {_list(table)}.",
                        "Choose another table.")  # fmt: skip
    for name in [*names, *([weights] if weights else [])]:
        if not _is_numbers(table.columns[name]):
            raise UserError(f"The column '{name}' holds no numbers.", mend="Choose another column.")
    for _ in run.steps(1, "Taking the rows"):
        used = np.stack([table.columns[n] for n in (*names, *([weights] if weights else []))], 1).astype(np.float64)
        whole = np.isfinite(used).all(1)
        if not whole.all():
            gaps = f"{int((~whole).sum()):,} of {len(whole):,} rows have no number in a column that is used"
            if params.incomplete == "refuse" or not whole.any():
                raise UserError("The table has gaps.", f"{gaps}; the first is row {int(np.argmin(whole)) + 1:,}.",
                                "Fill them, choose other columns, or leave those rows out.")  # fmt: skip
            run.warn(f"{gaps}; they were left out.")
        units = {table.units.get(n, "") for n in names}
        found = []
        for label, rows in _rows(table.columns[groups] if groups else np.zeros(len(whole))):
            rows = rows[whole[rows]]
            if len(rows):
                found.append(Measure(
                    name=label if groups else table.name, points=used[rows, : len(names)], dimensions=tuple(names),
                    weights=used[rows, -1] if weights else None, unit=units.copy().pop() if len(units) == 1 else "",
                ))  # fmt: skip
    return TableMeasures(tuple(found))


class TableCostsParams(Params):
    holds: Literal["costs", "scores"] = Param("costs", help="Of scores, where more is better, the costs are minus them")
    names: str = Param("", empty="the first of text", help="Column with the names of the sources (the rows)")
    weights: str = Param("", empty="all alike", help="Column with the mass of each source")
    targets: str = Param("", empty="all numbers", help="Names of the columns that are targets, with commas between")
    capacities: tuple[float, ...] = Param((), ge=0, empty="all alike", help="Mass that each target takes")


def _scores() -> dict[str, Table]:
    draw = np.random.default_rng(7)
    columns = {"worker": np.array([f"worker {i + 1}" for i in range(12)])}
    return {"table": Table(name="Scores", columns=columns | {f"task {j + 1}": draw.uniform(size=12) for j in range(4)})}


@method(
    key="table-costs", title="Table to cost matrix", family="transport", role="preparation",
    job="Take a table as the costs, or the scores, of bringing each row to each column.",
    sample=Example(_scores, {"holds": "scores"}, "Scores of twelve workers for four tasks"),
    smoke=Example(_scores, {"capacities": (3.0, 3.0, 3.0, 3.0)}),
    degenerate=(
        Example(_scores, {"capacities": (1.0, 2.0)}, "two capacities for four targets"),
        Example(_with_a_gap, {}, "a gap"),
        Example(lambda: {"table": Table(columns={"name": np.array(["a"])})}, {}, "no column of numbers"),
    ),
    tags=("optimal transport", "assignment", "capacity", "experts", "scores"),
)  # fmt: skip
def table_costs(table: Annotated[Table, "a row for each source"], params: TableCostsParams, run: Run) -> CostMatrix:
    """Rows are sources, columns are targets. Without weights and capacities each side has the same mass everywhere."""
    names = _column(table, params.names) or next((n for n, v in table.columns.items() if not _is_numbers(v)), "")
    weights = _column(table, params.weights)
    wanted = [_column(table, n) for n in params.targets.split(",") if n.strip()]
    targets = wanted or [n for n, v in table.columns.items() if n not in (names, weights) and _is_numbers(v)]
    if not targets:
        raise UserError("The table has no column of numbers for costs.", f"It has: {_list(table)}.",
                        "Choose another table.")  # fmt: skip
    if params.capacities and len(params.capacities) != len(targets):
        raise UserError(f"There are {len(params.capacities)} capacities for {len(targets)} targets.",
                        f"Targets: {', '.join(targets[:12])}.", "Give each target one, or none at all.")  # fmt: skip
    for name in [*targets, *([weights] if weights else [])]:
        values = table.columns[name]
        if not _is_numbers(values) or not np.isfinite(values).all():
            raise UserError(f"The column '{name}' does not hold a number in each row.",
                            "Every pair needs a cost, and every source a mass.",
                            "Fill it, or choose other columns; a pair that must not be gets a large cost.")  # fmt: skip
    for _ in run.steps(1, "Taking the columns"):
        costs = np.stack([table.columns[n] for n in targets], 1).astype(np.float64)
        made = CostMatrix(
            name=table.name, costs=-costs if params.holds == "scores" else costs,
            source_weights=table.columns[weights].astype(np.float64) if weights else None,
            target_weights=params.capacities or None,
            source_names=tuple(str(n) for n in table.columns[names]) if names else (), target_names=tuple(targets),
        )  # fmt: skip
    return made


def _column(table: Table, name: str) -> str:
    """The name, once the table has such a column; empty for an empty one."""
    if name.strip() and name.strip() not in table.columns:
        raise UserError(f"The table has no column '{name.strip()}'.", f"It has: {_list(table)}.", "Choose one of them.")
    return name.strip()


def _is_numbers(values: np.ndarray) -> bool:
    return values.dtype.kind in "iuf"


def _list(table: Table) -> str:
    shown = list(table.columns)
    return ", ".join(shown[:12]) + (", …" if len(shown) > 12 else "")


def _rows(labels: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Names of the groups in the order in which they come, and the rows of each."""
    found, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    if len(found) > MOST_GROUPS:
        raise UserError(f"The column has {len(found):,} groups.", f"At most {MOST_GROUPS} become measures.",
                        "Choose another column.")  # fmt: skip
    return [(str(found[g]), np.flatnonzero(codes.reshape(-1) == g)) for g in np.argsort(first)]
