"""Small AnnData files of every generation, written with h5py alone."""

from __future__ import annotations

import h5py
import numpy as np
import scipy.sparse

CELLS, GENES = 30, 6
NAMES = tuple(f"gene {i}" for i in range(GENES))
DRUGS = ("DMSO", "imatinib", "ünïtinib")
DRUG = np.repeat([0, 1, 2], [12, 10, 8])
BATCH = np.tile(["a", "b"], CELLS // 2)
TEXT = h5py.string_dtype()


def values() -> np.ndarray:
    """(CELLS, GENES) float32 counts with many zeros; the last gene is constant."""
    draw = np.random.default_rng(4)
    found = draw.poisson(0.7, (CELLS, GENES)).astype(np.float32)
    found[:, -1] = 3
    return found


def put_matrix(file, name: str, matrix: np.ndarray, form: str, older: bool = False) -> None:
    """``form`` is dense, csr or csc."""
    if form == "dense":
        file[name] = matrix
        return
    packed = getattr(scipy.sparse, f"{form}_matrix")(matrix)
    group = file.create_group(name)
    for key in ("data", "indices", "indptr"):
        group.create_dataset(key, data=getattr(packed, key), compression="gzip")
    if older:
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = form, packed.shape
    else:
        group.attrs["encoding-type"], group.attrs["shape"] = f"{form}_matrix", packed.shape


def _table(file, name: str, index) -> h5py.Group:
    table = file.create_group(name)
    table.attrs["_index"] = "_index"
    table.create_dataset("_index", data=[str(i) for i in index], dtype=TEXT)
    return table


def today(path, form: str = "dense"):
    """As anndata 0.8 and later write."""
    with h5py.File(path, "w") as file:
        put_matrix(file, "X", values(), form)
        put_matrix(file, "layers/doubled", 2 * values(), form)
        file["obsm/X_pca"] = values()[:, :2].astype(np.float64) - 1
        obs, var = _table(file, "obs", range(CELLS)), _table(file, "var", NAMES)
        var["mean"] = values().mean(0)
        drug = obs.create_group("drug")
        drug.create_dataset("categories", data=DRUGS, dtype=TEXT)
        drug["codes"] = DRUG.astype(np.int8)
        obs.create_dataset("batch", data=BATCH.tolist(), dtype=TEXT)
        obs["depth"] = values().sum(1)
        obs["dose"] = DRUG * 10
        seen = obs.create_group("seen")
        seen["values"], seen["mask"] = np.arange(CELLS) % 2 == 0, np.arange(CELLS) < 3
    return path


def before(path, form: str = "csr"):
    """As anndata 0.7: the categories stand beside the columns."""
    with h5py.File(path, "w") as file:
        put_matrix(file, "X", values(), form)
        put_matrix(file, "raw/X", values() + 1, form)
        _table(file.create_group("raw") if "raw" not in file else file["raw"], "var", NAMES)
        obs = _table(file, "obs", range(CELLS))
        _table(file, "var", NAMES)
        obs.create_dataset("__categories/drug", data=DRUGS, dtype=TEXT)
        obs["drug"] = DRUG.astype(np.int8)
        obs["drug"].attrs["categories"] = obs["__categories/drug"].ref
    return path


def long_ago(path, form: str = "csr"):
    """As anndata 0.6: tables in one piece."""
    with h5py.File(path, "w") as file:
        put_matrix(file, "X", values(), form, older=True)
        obs = np.zeros(CELLS, [("index", "S8"), ("drug", "i1"), ("batch", "S4"), ("depth", "f4")])
        obs["index"], obs["drug"], obs["batch"] = [str(i).encode() for i in range(CELLS)], DRUG, BATCH.astype("S4")
        obs["depth"] = values().sum(1)
        var = np.zeros(GENES, [("index", "S8"), ("mean", "f4")])
        var["index"] = [n.encode() for n in NAMES]
        file["obs"], file["var"] = obs, var
        file.create_dataset("uns/drug_categories", data=DRUGS, dtype=TEXT)
        pca = np.zeros(CELLS, [("X_pca", "f4", (2,))])
        pca["X_pca"] = values()[:, :2] - 1
        file["obsm"] = pca
    return path


GENERATIONS = {"today": today, "before": before, "long ago": long_ago}
