"""Single-cell data: every generation and form, the questions that the reader asks, and files that mean harm."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from engines.core import UserError
from engines.data import Measure
from engines.files import Question, read
from engines.files.h5ad import H5adOptions
from tests.files import cells

DATA = Path(os.environ.get("FIELDWRIGHT_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
REAL = DATA / "cells" / "dummy_data.h5ad"
PAIR = {"condition": "drug", "control": "DMSO", "treated": "imatinib"}


def taken(path, **options):
    return read(path, H5adOptions(**(PAIR | options)))


def rows(drug: int) -> np.ndarray:
    return cells.values()[drug == cells.DRUG].astype(float)


@pytest.mark.parametrize("form", ["dense", "csr", "csc"])
@pytest.mark.parametrize("generation", cells.GENERATIONS)
def test_two_conditions_of_every_generation(generation, form, tmp_path):
    path = cells.GENERATIONS[generation](tmp_path / "c.h5ad", form)
    loaded = taken(path)
    for measure, drug in zip(loaded.artifacts, (0, 1), strict=True):
        assert isinstance(measure, Measure)
        assert measure.name == cells.DRUGS[drug]
        np.testing.assert_array_equal(measure.points, rows(drug)[:, :-1])
        assert measure.dimensions == cells.NAMES[:-1]
        assert measure.weights is None
    assert loaded.problems == ("1 constant feature was left out: gene 5.",)
    whole = taken(path, drop_constant=False, treated="ünïtinib").artifacts[1]
    np.testing.assert_array_equal(whole.points, rows(2))


@pytest.mark.parametrize(
    ("generation", "values", "wanted", "names"),
    [
        ("today", "layers/doubled", 2 * rows(0)[:, :-1], cells.NAMES[:-1]),
        ("today", "doubled", 2 * rows(0)[:, :-1], cells.NAMES[:-1]),
        ("today", "obsm/X_pca", rows(0)[:, :2] - 1, ("pca 1", "pca 2")),
        ("long ago", "X_pca", rows(0)[:, :2] - 1, ("pca 1", "pca 2")),
        ("before", "raw", rows(0)[:, :-1] + 1, cells.NAMES[:-1]),
    ],
)
def test_other_matrices(generation, values, wanted, names, tmp_path):
    path = cells.GENERATIONS[generation](tmp_path / "c.h5ad", "csr")
    found = taken(path, values=values).artifacts[0]
    np.testing.assert_array_equal(found.points, wanted)
    assert found.dimensions == names


def test_all_cells_as_one_measure(tmp_path):
    (found,) = read(cells.today(tmp_path / "cells.h5ad"), H5adOptions(take="all cells")).artifacts
    assert found.name == "cells"
    np.testing.assert_array_equal(found.points, cells.values()[:, :-1])


@pytest.mark.parametrize("form", ["dense", "csr"])
def test_principal_components_are_those_of_both_conditions(form, tmp_path):
    from sklearn.decomposition import PCA

    loaded = taken(cells.today(tmp_path / "c.h5ad", form), components=3)
    both = np.concatenate([rows(0), rows(1)])
    wanted = PCA(3, svd_solver="full").fit(both)
    found = np.concatenate([m.points for m in loaded.artifacts])
    np.testing.assert_allclose(np.abs(found), np.abs(wanted.transform(both)), atol=1e-10)
    shares = wanted.explained_variance_ratio_
    assert loaded.artifacts[0].dimensions == tuple(f"PC{i + 1} ({100 * s:.2g} %)" for i, s in enumerate(shares))
    with pytest.raises(UserError, match="22 cells with 5 features have 5"):
        taken(cells.today(tmp_path / "c.h5ad"), components=6)


# questions -------------------------------------------------------------------------------------------


def asked(path, **options) -> Question:
    with pytest.raises(Question) as found:
        read(path, H5adOptions(**options))
    return found.value


@pytest.mark.parametrize("generation", cells.GENERATIONS)
def test_it_asks_for_the_column_and_the_labels(generation, tmp_path):
    path = cells.GENERATIONS[generation](tmp_path / "c.h5ad")
    first = asked(path)
    assert first.what == "Which column tells treated cells from control?"
    words, choice = next(iter(first.answers.items()))
    assert choice == {"condition": "drug"}
    assert words == "drug: DMSO, imatinib, ünïtinib"
    assert list(first.answers.values())[-1] == {"take": "all cells"}
    second = asked(path, **choice)
    assert second.what == "Which label of 'drug' is control?"
    assert list(second.answers) == ["DMSO (12 cells)", "imatinib (10 cells)", "ünïtinib (8 cells)"]
    third = asked(path, condition="drug", control="imatinib")
    assert third.answers == {"DMSO (12 cells)": {"treated": "DMSO"}, "ünïtinib (8 cells)": {"treated": "ünïtinib"}}


def test_answers_are_short_enough_for_buttons_and_differ(tmp_path):
    def rename(file):
        del file["obs/drug/categories"]
        names = [f"a very long name of a compound at {i} µM" for i in range(3)]
        file["obs/drug"].create_dataset("categories", data=names, dtype=cells.TEXT)

    path = edited(tmp_path, rename)
    for answers in (asked(path).answers, asked(path, condition="drug").answers):
        assert max(map(len, answers)) <= 34
    assert len(answers) == 3
    assert [a["control"][-4] for a in answers.values()] == ["0", "1", "2"]


def test_columns_of_every_kind_are_offered_and_can_be_chosen(tmp_path):
    path = cells.today(tmp_path / "c.h5ad")
    offered = {a["condition"] for a in asked(path).answers.values() if "condition" in a}
    assert offered == {"drug", "batch", "dose", "seen", "depth"}
    for column, control, treated, count in (
        ("batch", "a", "b", 15), ("dose", "0", "20", 8), ("seen", "True", "False", 14), ("depth", "5", "6", None),
    ):  # fmt: skip
        found = read(path, H5adOptions(condition=column, control=control, treated=treated)).artifacts
        assert found[1].name == treated
        assert count is None or len(found[1].points) == count


def test_numbers_are_labels_in_their_order_unless_they_are_measured(tmp_path, monkeypatch):
    from engines.files import h5ad_parts

    path = cells.today(tmp_path / "c.h5ad")
    words = next(w for w, a in asked(path).answers.items() if a.get("condition") == "dose")
    assert words == "dose: 0, 10, 20"
    monkeypatch.setattr(h5ad_parts, "MOST_NUMBERS", 4)
    offered = {a.get("condition") for a in asked(path).answers.values()}
    assert offered == {"drug", "batch", "dose", "seen", None}
    with pytest.raises(UserError, match="no column 'depth' of labels"):
        read(path, H5adOptions(condition="depth"))


def test_of_two_labels_the_other_one_is_treated(tmp_path):
    found = read(cells.today(tmp_path / "c.h5ad"), H5adOptions(condition="batch", control="b")).artifacts
    assert [m.name for m in found] == ["b", "a"]


# what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"condition": "drugs"}, "no column 'drugs'.*Columns of its cells: batch, depth, dose, drug, seen"),
        ({"control": "DMSQ"}, r"no cells 'DMSQ' to take as control.*DMSO \(12\), imatinib \(10\), ünïtinib \(8\)"),
        ({"treated": "none"}, "no cells 'none' to take as treated"),
        ({"treated": "DMSO"}, "both control and treated"),
        ({"values": "spliced"}, "no matrix 'spliced'.*It has: X, layers/doubled, obsm/X_pca"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(options, words, tmp_path):
    with pytest.raises(UserError, match=words):
        taken(cells.today(tmp_path / "c.h5ad"), **options)


def edited(tmp_path, change, form="csr"):
    path = cells.today(tmp_path / "c.h5ad", form)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def put(name, value):
    def change(file):
        del file[name]
        file[name] = value

    return change


def a_label_without_cells(file):
    del file["obs/drug/categories"]
    file["obs/drug"].create_dataset("categories", data=[*cells.DRUGS, "placebo"], dtype=cells.TEXT)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (a_label_without_cells, {"control": "placebo"}, "no cells 'placebo'.*No cell has it"),
        (put("obs/drug/codes", np.zeros(cells.CELLS, np.int8)), {"control": "", "treated": ""}, "one label in 'drug'"),
        (put("obs/drug/codes", np.full(cells.CELLS, 7, np.int8)), {}, "has a label without a name"),
        (put("obs/drug/codes", np.zeros(5, np.int8)), {}, "column of the wrong length|one label"),
        (put("X/indices", np.full(3, 2)), {}, "sparse matrix that does not fit together"),
        (put("X/indptr", np.arange(cells.CELLS + 1) * 99), {}, "sparse matrix that does not fit together"),
        (lambda f: f["X"].attrs.modify("shape", (10**12, 6)), {}, "1,000,000,000,000 rows for 30 cells"),
        (lambda f: f["X"].attrs.modify("shape", (30, 10**12)), {}, "1,000,000,000,000 columns for 6 features"),
        (lambda f: f["X/data"].__setitem__(2, np.nan), {}, "1 values of 'X' are NaN or infinite"),
        (lambda f: f.__delitem__("obs"), {}, "no table of cells"),
        (lambda f: f.__delitem__("X/indptr"), {}, "sparse matrix that is not whole"),
    ],
)  # fmt: skip
def test_damaged_and_empty_ones_are_refused_in_words(change, options, words, tmp_path):
    with pytest.raises(UserError, match=words):
        taken(edited(tmp_path, change), drop_constant=False, **options)


@pytest.mark.parametrize("kind", ["soft", "external", "dataset elsewhere", "virtual"])
def test_links_that_lead_elsewhere_are_not_followed(kind, tmp_path):
    other = tmp_path / "secret.h5"
    with h5py.File(other, "w") as file:
        file["X"] = cells.values()
    (tmp_path / "raw.bin").write_bytes(cells.values().tobytes())
    path = cells.today(tmp_path / "c.h5ad")
    with h5py.File(path, "r+") as file:
        del file["X"], file["layers"], file["obsm"]
        if kind == "soft":
            file["X"] = h5py.SoftLink("/hidden/X")
        elif kind == "external":
            file["X"] = h5py.ExternalLink(str(other), "/X")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((cells.CELLS, cells.GENES), "f4")
            layout[:] = h5py.VirtualSource(str(other), "X", (cells.CELLS, cells.GENES))
            file.create_virtual_dataset("X", layout)
        else:
            file.create_dataset(
                "X", (cells.CELLS, cells.GENES), "f4", external=[(str(tmp_path / "raw.bin"), 0, 30 * 6 * 4)]
            )
    with pytest.raises(UserError, match=r"has no matrix of features|holds its values elsewhere"):
        taken(path)


def test_a_huge_claim_takes_no_memory(tmp_path):
    def grow(file):
        del file["X"], file["var"]
        file.create_dataset("X", (cells.CELLS, 10**10), "f4", chunks=(1, 1000), compression="gzip")

    with pytest.raises(UserError, match="too much data"):
        taken(edited(tmp_path, grow))


def test_one_long_label_takes_no_room_for_the_others(tmp_path):
    import tracemalloc

    names = ["a", "b"] * (cells.CELLS // 2 - 1) + ["a", "x" * 500_000]

    def tell(file):
        del file["obs/drug"]
        file["obs"].create_dataset("drug", data=names, dtype=cells.TEXT)

    path = edited(tmp_path, tell)
    tracemalloc.start()
    try:
        control, treated = taken(path, condition="drug", control="a", treated="b").artifacts
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(control.points), len(treated.points)) == (names.count("a"), names.count("b"))
    assert most < 10e6


# files of others -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["dense", "csr", "csc"])
def test_what_anndata_writes_is_read(form, tmp_path):
    anndata = pytest.importorskip("anndata")
    import pandas
    import scipy.sparse

    packed = cells.values() if form == "dense" else getattr(scipy.sparse, f"{form}_matrix")(cells.values())
    names = [cells.DRUGS[i] for i in cells.DRUG]
    obs = pandas.DataFrame(
        {"drug": pandas.Categorical(names), "n": np.arange(cells.CELLS), "word": cells.BATCH},
        index=[f"cell {i}" for i in range(cells.CELLS)],
    )
    made = anndata.AnnData(packed, obs=obs, var=pandas.DataFrame(index=list(cells.NAMES)))
    made.layers["doubled"] = packed * 2
    made.write_h5ad(tmp_path / "a.h5ad", compression="gzip" if form == "csr" else None)
    for values, factor in (("", 1), ("doubled", 2)):
        loaded = taken(tmp_path / "a.h5ad", values=values)
        np.testing.assert_array_equal(loaded.artifacts[1].points, factor * rows(1)[:, :-1])
        assert loaded.artifacts[1].dimensions == cells.NAMES[:-1]
    assert {a.get("condition") for a in asked(tmp_path / "a.h5ad").answers.values()} == {"drug", "word", "n", None}


@pytest.mark.skipif(not REAL.exists(), reason="the cells of the sheet are not here")
def test_the_cells_of_the_sheet():
    loaded = read(REAL, H5adOptions(condition="drug", control="control", treated="dacinostat"))
    control, treated = loaded.artifacts
    assert control.points.shape == treated.points.shape == (1000, 100)
    # Known of these data: the mean of the features moves by 40.8 (sheet 35, over a held-out part of the cells).
    assert np.linalg.norm(control.points.mean(0) - treated.points.mean(0)) == pytest.approx(40.8, abs=1.0)


@pytest.mark.parametrize("kind", ["plain", "packed", "compound", "compound packed"])
def test_lengths_of_texts_are_found_in_the_file(kind, tmp_path):
    """What is compared with the size of the file, before libhdf5 takes room for it, is what the texts take."""
    from engines.files import hdf5_texts

    words = [f"wörd {'x' * i}" for i in range(50)]
    options = {"chunks": (7,), "compression": "gzip", "shuffle": True} if "packed" in kind else {}
    with h5py.File(tmp_path / "t.h5", "w") as file:
        if "compound" in kind:
            values = np.zeros(50, [("n", "f8"), ("a", cells.TEXT), ("m", "i1"), ("b", cells.TEXT), ("l", "i4")])
            values["a"], values["b"] = words, "ü"
            file.create_dataset("t", data=values, **options)
        else:
            file.create_dataset("t", data=words, dtype=cells.TEXT, **options)
    with h5py.File(tmp_path / "t.h5") as file:
        places, width = hdf5_texts._references(file["t"])
        blocks = list(hdf5_texts._blocks(tmp_path / "t.h5", file["t"], width))
        found = sum(hdf5_texts._length(block, places, width) for block in blocks)
        assert found == sum(len(w.encode()) for w in words) + (100 if "compound" in kind else 0)
        values = hdf5_texts.values_with_texts(tmp_path / "t.h5", file["t"])
    assert hdf5_texts.words(values["a"] if "compound" in kind else values) == words


@pytest.mark.timeout(20)
def test_a_text_that_is_said_to_be_longer_than_its_file_is_refused(tmp_path):
    path = cells.today(tmp_path / "c.h5ad")
    with h5py.File(path) as file:
        at = file["obs/drug/categories"].id.get_offset()
    raw = bytearray(path.read_bytes())
    raw[at : at + 4] = (2**32 - 1).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(UserError, match="A text is said to be longer than the file"):
        taken(path)
