"""Fields as tables (``.csv``): a column for each coordinate, one for each component, a row for each node."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np

from engines.core import Param, Params, UserError
from engines.data import SampledField
from engines.files import guard
from engines.files.csvtable import SIGNS, CsvReadOptions, CsvWriteOptions, read_csv
from engines.files.grid_assembly import assembled, not_finite
from engines.files.grid_axes import Axis, known
from engines.files.registry import Loaded, reader, writer

MOST_ROWS = 20_000_000


class CsvGridOptions(Params):
    coordinates: str = Param("", empty="by their names", help="Names of the columns with coordinates: 't x y'")


@reader(
    key="csv-field", title="CSV field on a grid", extensions=(".csv", ".tsv"), gives=(SampledField,),
    options=CsvGridOptions,
)  # fmt: skip
def read_csv_field(path: Path, options: CsvGridOptions) -> Loaded:
    """Rows may come in any order; each node of the grid needs one."""
    table = read_csv(path, CsvReadOptions()).artifacts[0]
    columns = {n: v.astype(np.float64) for n, v in table.columns.items() if v.dtype.kind in "iuf"}  # type: ignore[attr-defined]
    names = options.coordinates.replace(",", " ").split() or [
        n for n in list(columns)[:-1] if n == n.lower() and known(n)
    ]
    missing = [n for n in names if n not in columns]
    if missing or not names or len(names) == len(columns) or len(names) > 4:
        raise guard.refuse(
            path,
            "does not say which columns are coordinates.",
            f"Columns of numbers: {', '.join(list(columns)[:12]) or 'none'}.",
            "Name the columns of the coordinates; the others are the values.",
        )
    nodes, place = _grid(path, {n: columns[n] for n in names})
    shape = tuple(len(n) for n in nodes)
    parts = {}
    for name in [n for n in columns if n not in names]:
        parts[name] = np.empty(shape)
        parts[name].reshape(-1)[place] = columns[name]
    axes = [Axis(n, len(v), v) for n, v in zip(names, nodes, strict=True)]
    units = table.units  # type: ignore[attr-defined]
    field = assembled(path, parts, axes, unit=units.get(next(iter(parts)), ""), units=units)
    return Loaded((field,), not_finite(field))


def _grid(path: Path, columns: dict[str, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Nodes along each axis, and the number of the node of each row; every node must have one row."""
    for name, values in columns.items():
        if not np.isfinite(values).all():
            line = int(np.flatnonzero(~np.isfinite(values))[0]) + 2
            raise guard.refuse(path, f"has a coordinate that is no number in row {line}.", f"Column '{name}'.")
    found = [np.unique(values, return_inverse=True) for values in columns.values()]
    nodes, rows = [n for n, _ in found], len(found[0][1])
    shape = tuple(len(n) for n in nodes)
    wanted = int(np.prod([float(n) for n in shape]))
    what = f"{' × '.join(f'{len(n):,} values of {k}' for k, n in zip(columns, nodes, strict=True))}"
    if wanted > MOST_ROWS or wanted != rows:
        raise guard.refuse(
            path,
            "does not hold a field on a grid.",
            f"{what} need {wanted:,} rows; it has {rows:,}.",
            "Give one row for each node, or read it as a table.",
        )
    place = np.ravel_multi_index([i.reshape(-1) for _, i in found], shape)
    count = np.bincount(place, minlength=rows)
    if (count != 1).any():
        at = np.unravel_index(int(np.flatnonzero(count == 0)[0]), shape)
        node = ", ".join(f"{k} = {n[i]:g}" for k, n, i in zip(columns, nodes, at, strict=True))
        raise guard.refuse(path, "does not hold a field on a grid.", f"There is no row for {node}.", "Add it.")
    return nodes, place


@writer(key="csv-field", title="CSV field", extensions=(".csv",), takes=(SampledField,), options=CsvWriteOptions)
def write_csv_field(field: SampledField, path: Path, options: CsvWriteOptions) -> None:
    """A row for each time and node, the last coordinate running fastest; numbers keep every bit."""
    rows = len(field.times) * int(np.prod(field.shape))
    if rows > MOST_ROWS:
        raise UserError(
            f"The field has {rows:,} nodes.", f"As a table at most {MOST_ROWS:,} are written.", "Choose HDF5 or NetCDF."
        )
    several = len(field.times) > 1
    axes = [*([field.times] if several else []), *field.axes]
    names = [*([field.time_name] if several else []), *field.coordinates[: field.dimensions]]
    units = [*([field.time_unit] if several else []), *[field.length_unit] * field.dimensions]
    names += field.components
    units += [field.unit] * len(field.components)
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out, delimiter=SIGNS[options.separator], lineterminator="\n")
        table.writerow([f"{n} [{u}]" if u else n for n, u in zip(names, units, strict=True)])
        lines = np.moveaxis(field.values, 1, -1).reshape(rows, -1)
        words = ([repr(v) for v in axis.tolist()] for axis in axes)
        for node, line in zip(itertools.product(*words), lines, strict=True):
            table.writerow([*node, *("" if np.isnan(v) else str(v) for v in line)])
