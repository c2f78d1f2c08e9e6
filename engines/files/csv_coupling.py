"""Couplings as tables (``.csv``): a row for each entry of the plan, and the potentials, a row for each point.

Rows and columns are counted from 0, as everywhere in Python. Such a table has no place for the weights: what is read
back is taken to give and to get what its entries say, and ends with the last source and the last target that have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params, UserError
from engines.data import Coupling, Measure
from engines.files import guard
from engines.files.csv_grid import MOST_ROWS
from engines.files.csv_measure import columns_of, numbers, place, save_columns
from engines.files.csvtable import CsvWriteOptions, Separator, save
from engines.files.registry import Loaded, reader, writer

AT_ONCE = 1 << 16
"""Entries that are turned into text together: a large plan would not fit into memory as such."""
EMPTY = 100
"""Sources, or targets, for each entry at most: a coupling has a weight for each, also for those without an entry."""


class CsvCouplingOptions(Params):
    counted: Literal["from 0", "from 1"] = Param("from 0", label="Rows and columns", help="Number of the first one")
    separator: Separator = Param("auto", help="What stands between the columns")


@reader(
    key="csv-coupling", title="CSV entries of a plan", extensions=(".csv", ".tsv"), gives=(Coupling,),
    options=CsvCouplingOptions,
)  # fmt: skip
def read_csv_coupling(path: Path, options: CsvCouplingOptions) -> Loaded:
    """Columns ``row``, ``column`` and ``mass``, or the first three; names in ``source`` and ``target``."""
    columns, _, lines = columns_of(path, options.separator)
    names = ["row", "column", "mass"] if {"row", "column", "mass"} <= set(columns) else list(columns)[:3]
    if len(names) < 3:
        raise guard.refuse(path, "holds no entries of a plan.", f"It has {len(columns)} columns.",
                           "Give row, column and mass of each entry.")  # fmt: skip
    rows, places, mass = (numbers(path, n, columns[n], lines) for n in names)
    first = int(options.counted == "from 1")
    ends = []
    for name, found in zip(names, (rows, places), strict=False):
        bad = (found != np.floor(found)) | (found < first) | (found >= EMPTY * len(mass) + 1_000)
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            why = f"Column '{name[:60]}': {found[at]:g}. They are counted {options.counted}."
            raise guard.refuse(path, f"has an impossible number at line {lines[at]}.", why, "Correct that line.")
        ends.append(found.astype(np.int64) - first)
    if (mass < 0).any():
        raise guard.refuse(path, f"has negative mass at line {lines[int(np.flatnonzero(mass < 0)[0])]}.", "",
                           "Mass is never negative: check the columns.")  # fmt: skip
    plan = Coupling(
        name=path.stem, rows=ends[0], columns=ends[1], mass=mass,
        source_weights=np.bincount(ends[0], mass), target_weights=np.bincount(ends[1], mass),
        source_names=_names(columns.get("source"), ends[0]), target_names=_names(columns.get("target"), ends[1]),
    )  # fmt: skip
    return Loaded((plan,))


def _names(words: np.ndarray | None, places: np.ndarray) -> tuple[str, ...]:
    """A name for each place, if every one of them has an entry that says it."""
    count = int(places.max()) + 1
    if words is None or len(np.unique(places)) < count:
        return ()
    found = np.empty(count, object)
    found[places] = words
    return tuple(map(str, found))


class CsvEntriesOptions(CsvWriteOptions):
    least: float = Param(0.0, ge=0, label="Smallest mass", help="Entries with at most so much mass are left out")


@writer(
    key="csv-coupling", title="CSV table of entries", extensions=(".csv",), takes=(Coupling,),
    options=CsvEntriesOptions,
)  # fmt: skip
def write_csv_coupling(plan: Coupling, path: Path, options: CsvEntriesOptions) -> None:
    rows, columns, mass = plan.entries(options.least)
    if not len(mass):
        raise UserError(f"No entry of the plan has more than {options.least:g} of mass.", mend="Lower that limit.")
    if len(mass) > MOST_ROWS:
        raise UserError(
            f"The plan has {len(mass):,} entries.", f"As a table at most {MOST_ROWS:,} are written.",
            "Leave out those with little mass, or choose HDF5 or a NumPy archive.",
        )  # fmt: skip
    known = [(side, np.array(names, object), where) for side, names, where in (
        ("source", plan.source_names, rows), ("target", plan.target_names, columns)) if names]  # fmt: skip

    def lines() -> Iterator[tuple[object, ...]]:
        for start in range(0, len(mass), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            words = [names[where[some]].tolist() for _, names, where in known]
            yield from zip(rows[some].tolist(), columns[some].tolist(), mass[some].tolist(), *words, strict=True)

    save(path, options.separator, ["row", "column", "mass", *(side for side, _, _ in known)], lines())


@writer(
    key="csv-potentials", title="CSV table of potentials", extensions=(".csv",), takes=(Coupling,),
    options=CsvWriteOptions,
)  # fmt: skip
def write_csv_potentials(plan: Coupling, path: Path, options: CsvWriteOptions) -> None:
    """Sources, then targets: side, number from 0, name and coordinates where they are known, weight, potential."""
    potentials = (plan.source_potential, plan.target_potential)
    if all(p is None for p in potentials):
        raise UserError("The coupling has no potentials.", "Its method gives none, or they were not kept.",
                        "Write its entries, or solve it again by another method.")  # fmt: skip
    sides = []
    for side, potential, weights, names, measure in (
        ("source", potentials[0], plan.source_weights, plan.source_names, plan.source),
        ("target", potentials[1], plan.target_weights, plan.target_names, plan.target),
    ):
        if potential is None:
            continue
        count = len(weights)
        found: dict[str, list[object]] = {"side": [side] * count, "number": list(range(count))}
        found |= {"name": list(names)} if names else {}
        found |= place(measure) if isinstance(measure, Measure) else {}
        sides.append(found | {"weight": weights.tolist(), "potential": potential.tolist()})
    last = ["weight", "potential"]
    titles = [*dict.fromkeys(n for found in sides for n in found if n not in last), *last]
    empty = {id(found): [""] * len(found["side"]) for found in sides}
    columns = {n: [v for found in sides for v in found.get(n, empty[id(found)])] for n in titles}
    save_columns(path, options.separator, columns)
