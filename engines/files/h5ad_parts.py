"""Parts of an AnnData file (``.h5ad``): its tables of cells and of features, and its matrices.

A file of today (anndata 0.8 and later) holds a table as a group with a dataset for each column; one of categories is
a group with ``categories`` and ``codes``. From 0.7 the categories lie in ``__categories`` of the table. Before, a table
is one compound dataset, and the categories of its codes are at ``uns/<column>_categories``. A matrix is a dataset, or
a group with ``data``, ``indices`` and ``indptr`` of compressed rows or columns. Only what the file itself holds is
followed: soft and external links, external and virtual datasets are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engines.files import guard
from engines.files.hdf5 import read_dataset, text
from engines.files.hdf5_texts import is_text, values_with_texts, words

MOST_COLUMNS = 2_000
MOST_NUMBERS = 10_000
"""Different numbers in a column that may still be labels."""
MOST_FEATURES = 1_000_000
FORMATS = {"csr": "csr_matrix", "csc": "csc_matrix"}


@dataclass(frozen=True)
class Labels:
    """A column of a table as labels: ``names[codes[i]]`` is that of row i; where it has none, the code is -1."""

    names: tuple[str, ...]
    codes: np.ndarray

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each label; those that none has are left out."""
        found = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
        return {name: int(n) for name, n in zip(self.names, found, strict=True) if n}

    def rows(self, name: str) -> np.ndarray:
        """Numbers of the rows with this label."""
        return np.flatnonzero(self.codes == self.names.index(name))


def part(group: Any, name: str) -> Any:
    """What a group holds under this name; None where there is nothing, or a link that leads elsewhere."""
    import h5py

    if not isinstance(group, h5py.Group) or "/" in name or name in ("", "."):
        return None
    return group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None


def parts(group: Any) -> list[str]:
    """Names of all that a group holds itself."""
    import h5py

    if not isinstance(group, h5py.Group):
        return []
    return [name for name in list(group)[:MOST_COLUMNS] if part(group, name) is not None]


# tables ----------------------------------------------------------------------------------------------


def column_names(table: Any) -> list[str]:
    """Of a table, without its index."""
    import h5py

    if isinstance(table, h5py.Dataset):
        return [n for n in table.dtype.names or () if n != "index"][:MOST_COLUMNS]
    index = text(table, "_index") if table is not None else ""
    return [n for n in parts(table) if n not in (index, "_index", "__categories")]


def table_length(path: Path, table: Any, what: str) -> int:
    import h5py

    if isinstance(table, h5py.Dataset) and table.dtype.names and len(table.shape) == 1:
        return int(table.shape[0])
    for name in (text(table, "_index") if table is not None else "", *parts(table)):
        found = part(table, name)
        found = part(found, "codes") or part(found, "values") if isinstance(found, h5py.Group) else found
        if isinstance(found, h5py.Dataset) and len(found.shape or ()) == 1:
            return int(found.shape[0])
    raise guard.refuse(path, f"has no table of {what}.", "An AnnData file has 'obs' for cells and 'var' for features.")


def index_names(path: Path, table: Any) -> tuple[str, ...]:
    """What the rows of a table are called; empty where it does not say, or says it twice."""
    import h5py

    if isinstance(table, h5py.Dataset):
        names = table.dtype.names or ()
        if "index" not in names or table.dtype["index"].kind not in "SO":
            return ()
        found = _texts(path, table, "index")
    else:
        index = part(table, text(table, "_index") or "_index")
        if not isinstance(index, h5py.Dataset) or not is_text(index.dtype):
            return ()
        found = _texts(path, index)
    return tuple(found) if len(set(found)) == len(found) else ()


def labels_of(path: Path, file: Any, column: str) -> Labels | None:
    """A column of the table of cells as labels; None where it holds something else, such as lists.

    Whole numbers, truth values and numbers are labels by their text.
    """
    import h5py

    table = part(file, "obs")
    if isinstance(table, h5py.Dataset):
        if column not in (table.dtype.names or ()) or table.dtype[column].shape:
            return None
        kind = table.dtype[column]
        if kind.kind in "SO":
            return _told(_texts(path, table, column)) if is_text(kind) else None
        values = values_with_texts(path, table)[column]
        older = part(part(file, "uns"), f"{column}_categories")
        if values.dtype.kind in "iu" and isinstance(older, h5py.Dataset) and is_text(older.dtype):
            return _coded(path, values, _texts(path, older))
        return _numbered(values)
    found = part(table, column)
    if isinstance(found, h5py.Group):
        return _grouped(path, found)
    if not isinstance(found, h5py.Dataset) or len(found.shape or ()) != 1:
        return None
    kept = part(part(table, "__categories"), column)
    if isinstance(kept, h5py.Dataset) and found.dtype.kind in "iu":
        return _coded(path, read_dataset(path, found), _listed(path, kept))
    if is_text(found.dtype):
        return _told(_texts(path, found))
    return _numbered(read_dataset(path, found)) if found.dtype.kind in "biuf" else None


def _grouped(path: Path, group: Any) -> Labels | None:
    """Categories with codes, or values of which some are masked."""
    import h5py

    names, codes = part(group, "categories"), part(group, "codes")
    if isinstance(names, h5py.Dataset) and isinstance(codes, h5py.Dataset) and codes.dtype.kind in "iu":
        return _coded(path, read_dataset(path, codes), _listed(path, names))
    values, mask = part(group, "values"), part(group, "mask")
    if not isinstance(values, h5py.Dataset) or not isinstance(mask, h5py.Dataset) or values.shape != mask.shape:
        return None
    found = _listed(path, values)
    hidden = np.asarray(read_dataset(path, mask), bool)
    return _told(["" if gone else word for word, gone in zip(found, hidden, strict=True)])


def _coded(path: Path, codes: np.ndarray, names: list[str]) -> Labels:
    codes = codes.astype(np.int64).reshape(-1)
    if len(codes) and (codes.min() < -1 or codes.max() >= len(names)):
        raise guard.refuse(path, "has a label without a name.", f"Codes go to {codes.max()}; {len(names)} names.")
    if len(set(names)) != len(names):
        return _told([names[c] if c >= 0 else "" for c in codes])
    return Labels(tuple(names), codes)


def _told(words: list[str]) -> Labels:
    """Labels in the order of the alphabet; an empty word is none."""
    found = sorted(set(words) - {""})
    numbers = {word: i for i, word in enumerate(found)}  # an array of texts would take the longest for each
    return Labels(tuple(found), np.array([numbers.get(word, -1) for word in words], dtype=np.int64))


def _numbered(values: np.ndarray) -> Labels | None:
    """Numbers as labels, in their order; None where there are too many different ones to tell anything apart."""
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        return None
    found, codes = np.unique(values, return_inverse=True)
    if len(found) > MOST_NUMBERS:
        return None
    names = _words(found)
    shown = {name: i for i, name in enumerate(dict.fromkeys(n for n in names if n))}  # such as 0.1 in two precisions
    places = np.array([shown.get(name, -1) for name in names], dtype=np.int64)
    return Labels(tuple(shown), places[codes.reshape(-1)] if len(found) else codes)


def _words(values: np.ndarray) -> list[str]:
    if values.dtype.kind == "f":
        return ["" if np.isnan(v) else f"{v:g}" for v in values.tolist()]
    return [str(v) for v in values.tolist()]


def _listed(path: Path, dataset: Any) -> list[str]:
    return _texts(path, dataset) if is_text(dataset.dtype) else _words(read_dataset(path, dataset).reshape(-1))


def _texts(path: Path, dataset: Any, column: str = "") -> list[str]:
    """A dataset of text, or a column of a compound one."""
    values = values_with_texts(path, dataset)
    return words(values[column] if column else values)


# matrices --------------------------------------------------------------------------------------------


def matrix_names(file: Any) -> dict[str, Any]:
    """Every matrix over the cells by its place: ``X``, ``raw``, ``layers/<name>`` and ``obsm/<name>``."""
    import h5py

    found: dict[str, Any] = {}
    if (whole := part(file, "X")) is not None:
        found["X"] = whole
    raw = part(part(file, "raw"), "X")
    raw = raw if raw is not None else part(file, "raw.X")
    if raw is not None:
        found["raw"] = raw
    for place in ("layers", "obsm"):
        held = part(file, place)
        if isinstance(held, h5py.Dataset):  # older: one compound dataset, a part for each
            names = [n for n in held.dtype.names or () if len(held.dtype[n].shape) == 1]
            found |= {f"{place}/{name}": (held, name) for name in names}
        else:
            found |= {f"{place}/{name}": part(held, name) for name in parts(held)}
    return {name: item for name, item in found.items() if isinstance(item, tuple) or _is_matrix(item)}


def _is_matrix(item: Any) -> bool:
    import h5py

    if isinstance(item, h5py.Dataset):
        return len(item.shape or ()) == 2 and item.dtype.kind in "biuf"
    return _sparse_format(item) in FORMATS


def _sparse_format(group: Any) -> str:
    return (text(group, "encoding-type") or text(group, "h5sparse_format")).removesuffix("_matrix")


def matrix(path: Path, item: Any, cells: int, features: int | None) -> Any:
    """(cells, features): an array, or a SciPy matrix of compressed rows. Raises UserError for what is damaged.

    Without a known number of ``features``, up to :data:`MOST_FEATURES` are read.
    """
    import h5py
    import scipy.sparse

    if isinstance(item, tuple):
        found: Any = values_with_texts(path, item[0])[item[1]]
    elif isinstance(item, h5py.Dataset):
        found = read_dataset(path, item)
    else:
        arrays = []
        for name in ("data", "indices", "indptr"):
            held = part(item, name)
            if not isinstance(held, h5py.Dataset) or len(held.shape or ()) != 1 or held.dtype.kind not in "biuf":
                raise guard.refuse(path, "has a sparse matrix that is not whole.", f"'{name}' is missing or no list.")
            arrays.append(read_dataset(path, held))
        shape = tuple(int(n) for n in np.asarray(_shape(item)).reshape(-1)[:2])
        _check_shape(path, shape, cells, features)  # before room is taken for so many rows or columns
        kind = FORMATS[_sparse_format(item)]
        try:
            found = getattr(scipy.sparse, kind)(tuple(arrays), shape=shape)
            found.check_format(full_check=True)
        except (ValueError, TypeError, OverflowError) as error:
            raise guard.refuse(path, "has a sparse matrix that does not fit together.", f"{error}."[:200]) from None
        found = found.tocsr()
        found.sum_duplicates()
    _check_shape(path, found.shape, cells, features)
    return found


def _check_shape(path: Path, shape: tuple[int, ...], cells: int, features: int | None) -> None:
    """Raises UserError for a matrix that does not fit the tables of its file."""
    if len(shape) != 2 or shape[0] != cells:
        rows = f"It has {shape[0]:,} rows" if len(shape) == 2 else f"Its shape is {shape}"
        raise guard.refuse(path, "has a matrix that does not fit its cells.", f"{rows} for {cells:,} cells.")
    if shape[1] > MOST_FEATURES or (features is not None and shape[1] != features):
        most = f"{features:,} features" if features is not None else f"at most {MOST_FEATURES:,}"
        raise guard.refuse(
            path, "has a matrix that does not fit its features.", f"It has {shape[1]:,} columns for {most}."
        )


def _shape(group: Any) -> Any:
    found = group.attrs.get("shape")
    return group.attrs.get("h5sparse_shape", ()) if found is None else found


__all__ = ["Labels", "column_names", "index_names", "labels_of", "matrix", "matrix_names", "part", "table_length"]
