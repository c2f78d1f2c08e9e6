"""What is compared of runs, and the tables that say it: params that differ, scores, how far fields are off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engines.blocks.pde.comparison import shared_parts
from engines.blocks.pde.field_metrics import largest_error, relative_l2
from engines.core import UserError
from engines.data import Coupling, Displacements, Mesh, SampledField, Table


@dataclass(frozen=True, eq=False)
class Compared:
    """What is known of one run. ``curves``: name to (steps, values); ``params``: name to value."""

    title: str
    mesh: Mesh | None = None
    curves: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    scores: Table | None = None
    field: SampledField | None = None
    truth: SampledField | None = None
    """What the field should be, at its own nodes or others."""
    stored: int = 0
    """How many numbers its solution is kept in; for a field over time, each of its times."""
    seconds: float = 0.0
    transport: Coupling | Displacements | None = None


def differing(runs: Sequence[Compared]) -> Table:
    """The params that are not the same in all runs; "–" where a run does not have one."""
    names = list(dict.fromkeys(name for run in runs for name in run.params))
    rows = [name for name in names if len({repr(run.params.get(name, "–")) for run in runs}) > 1]
    columns = {"param": np.array(rows, dtype=str)}
    for k, run in enumerate(runs):
        values = [str(run.params.get(name, "–")) for name in rows]
        columns[heading(runs, k)] = np.array(values, dtype=str)
        del run
    return Table(columns=columns)


def joined_scores(runs: Sequence[Compared]) -> Table | None:
    """One row per score with a column per run, and the difference of the last from the first."""
    tables = [run.scores for run in runs]
    known = [table for table in tables if table is not None and table.rows]
    if not known:
        return None
    units: dict[str, str] = {}
    for table in known:
        for name, values in table.columns.items():
            if values.dtype.kind in "fiub":
                units.setdefault(name, table.units.get(name, ""))
    numeric = list(units)
    columns: dict[str, np.ndarray] = {
        "score": np.array([f"{n} ({unit})" if unit else n for n, unit in units.items()], dtype=str)
    }
    found = []
    for k, table in enumerate(tables):
        values = [
            float(table.columns[n][0]) if table is not None and n in table.columns and table.rows else np.nan
            for n in numeric
        ]
        found.append(np.array(values))
        columns[heading(runs, k)] = found[-1]
    if len(found) > 1:
        columns["difference"] = found[-1] - found[0]
    return Table(columns=columns)


def heading(runs: Sequence[Compared], index: int) -> str:
    """A run's title, told apart from others of the same title."""
    title = runs[index].title
    same = [k for k, run in enumerate(runs) if run.title == title]
    return title if len(same) == 1 else f"{title} ({same.index(index) + 1})"


@dataclass(frozen=True, eq=False)
class Judged:
    """A run's field and the truth with the same components at the same nodes; ``why`` where there is none."""

    field: SampledField | None = None
    truth: SampledField | None = None
    why: str = ""


def judged(runs: Sequence[Compared]) -> list[Judged]:
    """Each run's field against its truth; where a run knows none, against the first that is known. May take a while."""
    known = next((run.truth for run in runs if run.truth is not None), None)
    found = []
    for run in runs:
        truth = run.truth if run.truth is not None else known
        if run.field is None or truth is None:
            found.append(Judged(run.field, None, "no field" if run.field is None else "no truth is known"))
            continue
        try:
            found.append(Judged(*shared_parts(run.field, truth)))
        except UserError as error:
            found.append(Judged(run.field, None, error.what))
    return found


def standings(runs: Sequence[Compared], judgements: Sequence[Judged]) -> Table:
    """One row for each run: how far its field is off, what it stores and how long it took."""
    errors = []
    for one in judgements:
        known = one.field is not None and one.truth is not None
        pair = (one.field.values, one.truth.values) if known else None  # type: ignore[union-attr]
        errors.append((relative_l2(*pair), largest_error(*pair)) if pair else None)
    unit = next((run.field.unit for run in runs if run.field is not None and run.field.unit), "")
    return Table(
        columns={
            "run": np.array([heading(runs, k) for k in range(len(runs))], dtype=str),
            "relative L2 error": np.array([e[0] if e else np.nan for e in errors]),
            "largest error": np.array([e[1] if e else np.nan for e in errors]),
            "numbers stored": np.array([float(run.stored) if run.stored else np.nan for run in runs]),
            "time": np.array([run.seconds or np.nan for run in runs]),
        },
        units={"time": "s", "largest error": unit},
    )


__all__ = ["Compared", "Judged", "differing", "heading", "joined_scores", "judged", "standings"]
