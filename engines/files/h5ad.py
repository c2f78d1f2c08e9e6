"""Single-cell data (``.h5ad``, AnnData) as measures: the cells of two conditions, or all of them.

Read with h5py alone, of both generations of the format (:mod:`engines.files.h5ad_parts`). Which column tells the
conditions apart, and which of its labels are control and treated, no file says: where it is not given, the reader asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.blocks.principal_components import principal_components
from engines.core import Param, Params
from engines.data import Measure
from engines.files import guard
from engines.files.h5ad_parts import (
    Labels,
    column_names,
    index_names,
    labels_of,
    matrix,
    matrix_names,
    part,
    table_length,
)
from engines.files.hdf5_file import opened
from engines.files.registry import Loaded, Question, reader

MOST_LABELS = 200
"""A column with more different labels than this does not tell conditions apart."""
MOST_ANSWERS = 12
LONGEST_ANSWER, LONGEST_NAME = 34, 22
"""Letters: answers stand on buttons."""
CONDITIONS = re.compile(r"condition|drug|treat|perturb|stim|compound|group|sample|batch|time|dose|type", re.IGNORECASE)
CONTROLS = re.compile(
    r"control|contr|ctrl|ctl|dmso|vehicle|untreated|unstim\w*|non.?targeting|mock|baseline|before|wild.?type|wt|normal",
    re.IGNORECASE,
)


class H5adOptions(Params):
    take: Literal["two conditions", "all cells"] = Param("two conditions", help="Two measures, or one of all cells")
    condition: str = Param("", empty="asked for", help="Column of the cell table that tells the conditions apart")
    control: str = Param("", empty="asked for", help="Label of the cells to start from")
    treated: str = Param("", empty="asked for", help="Label of the cells to arrive at")
    values: str = Param(
        "", empty="X", label="Features", help="Matrix to take: X, raw, a layer, or coordinates such as obsm/X_pca"
    )
    components: int = Param(
        0, ge=0, le=500, label="Principal components",
        help="The features are replaced by so many of their principal components, over both conditions; 0: by none",
    )  # fmt: skip
    drop_constant: bool = Param(True, label="Drop constant features", help="Leave out features that never change")


@reader(key="h5ad", title="Single-cell data (AnnData)", extensions=(".h5ad",), gives=(Measure,), options=H5adOptions)
def read_h5ad(path: Path, options: H5adOptions) -> Loaded:
    with opened(path) as file:
        cells = table_length(path, part(file, "obs"), "cells")
        groups = _groups(path, file, options, cells)
        name, item = _chosen_matrix(path, matrix_names(file), options.values)
        whole = matrix(path, item, cells, _feature_count(path, file, name))
        features = _feature_names(path, file, name, whole.shape[1])
    if not whole.shape[1]:
        raise guard.refuse(path, "has no feature.", f"'{name}' has no column.", "Choose another matrix.")
    rows = np.concatenate(list(groups.values()))
    taken = whole[rows]
    values = taken.data if hasattr(taken, "tocsr") else taken
    if not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise guard.refuse(
            path, "holds values that are not finite.", f"{bad:,} values of '{name}' are NaN or infinite.",
            "Replace them in the source, or choose another matrix.",
        )  # fmt: skip
    problems: list[str] = []
    if options.drop_constant:
        taken, features = _varying(path, taken, features, problems)
    if options.components:
        taken, features = _reduced(path, taken, options.components)
    points = _dense(path, taken)
    ends = np.cumsum([len(r) for r in groups.values()])[:-1]
    measures = tuple(
        Measure(name=label, points=some, dimensions=features)
        for label, some in zip(groups, np.split(points, ends), strict=True)
    )
    return Loaded(measures, tuple(problems))


# which cells -----------------------------------------------------------------------------------------


def _groups(path: Path, file: Any, options: H5adOptions, cells: int) -> Mapping[str, np.ndarray]:
    """Row numbers of the cells of each measure, by its name."""
    if not cells:
        raise guard.refuse(path, "has no cell.", "Its table of cells is empty.", "Choose another file.")
    if options.take == "all cells":
        return {path.stem: np.arange(cells)}
    columns = column_names(part(file, "obs"))
    if not options.condition:
        raise _which_column(path, file, columns)
    labels = labels_of(path, file, options.condition) if options.condition in columns else None
    if labels is None:
        raise guard.refuse(
            path, f"has no column '{options.condition[:60]}' of labels.",
            f"Columns of its cells: {guard.some(columns) or 'none'}.", "Choose one of them.",
        )  # fmt: skip
    if len(labels.codes) != cells:
        raise guard.refuse(path, "has a column of the wrong length.", f"{len(labels.codes):,} labels, {cells:,} cells.")
    counts = labels.counts
    for given, side in ((options.control, "control"), (options.treated, "treated")):
        if given and given not in counts:
            why = "No cell has it" if given in labels.names else "It is not there"
            raise guard.refuse(
                path, f"has no cells '{given[:60]}' to take as {side}.",
                f"{why}. Labels in '{options.condition}': {_counted(counts) or 'none'}.", "Choose one of them.",
            )  # fmt: skip
    if len(counts) < 2:
        raise guard.refuse(
            path, f"has one label in '{options.condition}'." if counts else f"has no label in '{options.condition}'.",
            f"{_counted(counts) or 'No cell has one'}; two are needed, control and treated.",
            "Choose another column, or take all cells.",
        )  # fmt: skip
    control = options.control or _which_label(path, options, labels, "control")
    treated = options.treated or _which_label(path, options.model_copy(update={"control": control}), labels, "treated")
    if control == treated:
        raise guard.refuse(path, f"cannot be split: '{control[:60]}' is both control and treated.", "",
                           f"Choose two of: {_counted(counts)}.")  # fmt: skip
    return {control: labels.rows(control), treated: labels.rows(treated)}


def _which_column(path: Path, file: Any, columns: list[str]) -> Exception:
    """The question, with the columns that may tell conditions apart: those with a control, or named like one, first."""
    able: list[tuple[tuple[bool, bool, bool, int], str, Labels]] = []
    for name in columns:
        labels = labels_of(path, file, name)
        if labels is None or not 2 <= len(labels.counts) <= MOST_LABELS:
            continue
        few = len(labels.counts) <= 20
        controlled = few and any(CONTROLS.fullmatch(label) for label in labels.counts)
        able.append(((not controlled, not CONDITIONS.search(name), not few, len(labels.counts)), name, labels))
    able.sort(key=lambda entry: entry[0])
    answers: dict[str, dict[str, str]] = {}
    for _, name, labels in able[:MOST_ANSWERS]:
        first = sorted(labels.counts, key=lambda label: not CONTROLS.search(label))
        answers[_words(f"{_cut(name)}: {', '.join(map(_cut, first))}", answers)] = {"condition": name}
    answers["All cells as one measure"] = {"take": "all cells"}
    more = f" {len(able) - MOST_ANSWERS} more can be typed below." if len(able) > MOST_ANSWERS else ""
    return Question(
        "Which column tells treated cells from control?" if able else "The cells have no labels to tell them apart.",
        f"The table of cells has {len(columns)} column{'' if len(columns) == 1 else 's'};"
        f" {len(able) or 'none'} hold{'s' if len(able) == 1 else ''} a few labels.{more}",
        "Choose the column, or take all cells.",
        answers,
    )


def _which_label(path: Path, options: H5adOptions, labels: Labels, side: str) -> str:
    """The only label that is left, or else a question."""
    taken = {options.control, options.treated}
    left = {name: n for name, n in labels.counts.items() if name not in taken}
    if len(left) == 1:
        return next(iter(left))
    like_control = {name: bool(CONTROLS.search(name)) for name in left}
    ordered = sorted(left, key=lambda name: (not like_control[name] if side == "control" else False, -left[name]))
    more = f" {len(ordered) - MOST_ANSWERS} more can be typed below." if len(ordered) > MOST_ANSWERS else ""
    answers: dict[str, dict[str, str]] = {}
    for name in ordered[:MOST_ANSWERS]:
        answers[_words(f"{_cut(name)} ({left[name]:,} cells)", answers)] = {side: name}
    raise Question(
        f"Which label of '{options.condition[:40]}' is {'control' if side == 'control' else 'treated'}?",
        f"{'Transport begins at' if side == 'control' else 'Transport ends at'} these cells.{more}",
        "Choose the label.",
        answers,
    )


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _words(text: str, taken: Mapping[str, object]) -> str:
    """Short enough for a button, and not one that is taken."""
    short = text if len(text) <= LONGEST_ANSWER else f"{text[: LONGEST_ANSWER - 1]}…"
    number, found = 2, short
    while found in taken:
        found, number = f"{short[: LONGEST_ANSWER - 4]} ({number})", number + 1
    return found


def _counted(counts: Mapping[str, int]) -> str:
    return guard.some([f"{name} ({n:,})" for name, n in counts.items()])


# which features --------------------------------------------------------------------------------------


def _chosen_matrix(path: Path, known: Mapping[str, Any], wanted: str) -> tuple[str, Any]:
    wanted = wanted.strip()
    fitting = [n for n in known if n == wanted or n.partition("/")[2] == wanted] if wanted else list(known)[:1]
    if not fitting:
        raise guard.refuse(
            path, f"has no matrix '{wanted[:60]}'." if wanted else "has no matrix of features.",
            f"It has: {guard.some(known) or 'none'}.", "Choose one of them." if known else "Save it with its data.",
        )  # fmt: skip
    return fitting[0], known[fitting[0]]


def _feature_table(file: Any, name: str) -> Any:
    """That of the features of a matrix; None for coordinates, which have none."""
    if name.startswith("obsm/"):
        return None
    older = part(file, "raw.var")
    return part(file, "var") if name != "raw" else older if older is not None else part(part(file, "raw"), "var")


def _feature_count(path: Path, file: Any, name: str) -> int | None:
    """How many features a matrix should have; None where no table says."""
    table = _feature_table(file, name)
    return None if table is None else table_length(path, table, "features")


def _feature_names(path: Path, file: Any, name: str, count: int) -> tuple[str, ...]:
    """From the table of features; coordinates are numbered after the name that they have in the file."""
    table = _feature_table(file, name)
    if table is not None:
        return index_names(path, table)
    title = name.rpartition("/")[2].removeprefix("X_")
    return tuple(f"{title} {i + 1}" for i in range(count))


def _varying(path: Path, values: Any, names: tuple[str, ...], problems: list[str]) -> tuple[Any, tuple[str, ...]]:
    """Without the features that are the same in every cell that is taken."""
    high, low = (getattr(values, reduce)(axis=0) for reduce in ("max", "min"))
    high, low = (np.asarray(v.todense() if hasattr(v, "todense") else v).reshape(-1) for v in (high, low))
    kept = np.flatnonzero(high > low)
    lost = values.shape[1] - len(kept)
    if not len(kept):
        raise guard.refuse(
            path, "has only constant features.", f"All {lost:,} are the same in every cell that is taken.",
            "Choose other cells or another matrix, or keep constant features.",
        )  # fmt: skip
    if lost:
        named = [names[i] for i in np.flatnonzero(high <= low)] if names else []
        said = f": {guard.some(named, 6)}" if named else ""
        problems.append(f"{lost:,} constant feature{' was' if lost == 1 else 's were'} left out{said}.")
    return values[:, kept], tuple(names[i] for i in kept) if names else ()


def _reduced(path: Path, values: Any, count: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scores of principal components, which are called by their number and their share of the variance."""
    most = min(values.shape)
    if count > most:
        raise guard.refuse(
            path, f"has no {count} principal components.",
            f"{values.shape[0]:,} cells with {values.shape[1]:,} features have {most:,}.", "Ask for fewer.",
        )  # fmt: skip
    guard.room(path, values.shape[0] * count * 8)
    scores, shares = principal_components(values, count)
    return scores, tuple(f"PC{i + 1} ({100 * share:.2g} %)" for i, share in enumerate(shares))


def _dense(path: Path, values: Any) -> np.ndarray:
    guard.room(path, values.shape[0] * values.shape[1] * 8)
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, np.float64)
