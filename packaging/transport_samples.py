"""Data of the samples of transport; make_samples.py asks for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from engines.core import Run
from engines.data import Image, Measure
from engines.files import write
from engines.transport.digit_pair import digit_pair
from engines.transport.experts import experts
from engines.transport.moving_clouds import moons_to_curve
from engines.transport.palette import palette

DIGITS = """# Source

Handwritten digits, 8 × 8 pixels, as scikit-learn ships them (`sklearn.datasets.load_digits`, BSD-3-Clause, see
`LICENSE-scikit-learn.txt`): the test set of

E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49. Licence: CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/).

"""
CHANGES = {
    "digits": "Changed: a 3 and a 5, interpolated to 28 × 28 pixels, with a background, scaled to a mass of 1.",
    "experts": "Changed: scores that a linear router gives 300 of them for 10 experts; no pixel is left.",
}
COLOURS = """# Sources

Two photos of scikit-image's sample data, every second pixel of each:

- `cat.png`: `skimage.data.chelsea()`, the cat Chelsea, by Stéfan van der Walt. CC0 by the photographer.
- `coffee.png`: `skimage.data.coffee()`, a cup of coffee, by Rachel Michetti. CC0 by the photographer, courtesy of
  Pikolo Espresso Bar.

`cat.npz` and `coffee.npz` are their palettes: 300 colours each, in Lab, as the preparation *Palette of an image* gives
them.
"""


def measures() -> dict[str, Measure]:
    """By the file that holds each."""
    digits = digit_pair.run({}, digit_pair.params(), Run())
    clouds = moons_to_curve.run({}, moons_to_curve.params(points=1000), Run(seed=0))
    return {
        "digits/three.npz": digits["first"], "digits/five.npz": digits["second"],
        "moons/moons.npz": clouds["source"], "moons/curve.npz": clouds["target"],
        **{f"colours/{name}.npz": _palette(photo) for name, photo in photos_of_colours().items()},
    }  # fmt: skip


def say_where_digits_come_from(folder: Path) -> None:
    from importlib.metadata import distribution

    files = distribution("scikit-learn").files or []
    licence = next(f for f in files if f.name == "COPYING" and "dist-info" in str(f)).locate()
    for key, changed in CHANGES.items():
        (folder / key / "SOURCE.md").write_text(f"{DIGITS}{changed}\n", encoding="utf-8")
        shutil.copyfile(licence, folder / key / "LICENSE-scikit-learn.txt")


def photos_of_colours() -> dict[str, Image]:
    """Every second pixel of two photos."""
    from skimage import data

    photos = {"cat": data.chelsea(), "coffee": data.coffee()}
    return {name: Image(name=name, pixels=np.ascontiguousarray(p[::2, ::2])) for name, p in photos.items()}


def _palette(photo: Image) -> Measure:
    return palette.run({"image": photo}, palette.params(), Run(seed=0))["measure"]


def write_scores(path: Path) -> None:
    """As a router gives them: a row for each token, a column for each expert; four decimals."""
    costs = experts.run({}, experts.params(), Run(seed=0))["costmatrix"]
    write(costs.replace(costs=-costs.costs.round(4)), path)


def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts (600, 80) of genes, which cells were treated (600,) and of which of two types they are (600,).

    Negative binomial about a mean for each type and gene, as counts of RNA are (dispersion 0.5; cells differ in depth).
    The drug switches a programme of 12 genes on in both types, and another of 8 off in the second one alone.
    """
    draw = np.random.default_rng(11)
    treated, kind = np.arange(600) >= 300, draw.uniform(size=600) < 0.4
    base = draw.gamma(1.2, 1.5, 80)
    logs = np.log(base) + np.where(kind[:, None], draw.normal(0, 0.8, 80), 0.0)
    logs[:, :12] += np.where(treated[:, None], draw.normal(1.6, 0.3, (600, 12)), 0.0)
    logs[:, 12:20] -= np.where((treated & kind)[:, None], draw.normal(1.8, 0.3, (600, 8)), 0.0)
    means = np.exp(logs) * draw.lognormal(0, 0.25, 600)[:, None]
    return draw.poisson(draw.gamma(2.0, means / 2.0)).astype(np.float32), treated, kind


def write_cells(path: Path) -> None:
    """As anndata writes it today: logarithms of counts for 10,000 a cell, sparse; columns for drug and type."""
    import h5py
    import scipy.sparse

    counts, treated, kind = cells()
    values = scipy.sparse.csr_matrix(np.log1p(counts / counts.sum(1, keepdims=True) * 1e4).astype(np.float32))
    text = h5py.string_dtype()
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["encoding-type"], file.attrs["encoding-version"] = "anndata", "0.1.0"
        whole = file.create_group("X")
        whole.attrs["encoding-type"], whole.attrs["encoding-version"] = "csr_matrix", "0.1.0"
        whole.attrs["shape"] = counts.shape
        for name in ("data", "indices", "indptr"):
            whole.create_dataset(name, data=getattr(values, name), compression="gzip", shuffle=True)
        columns = {"drug": (("control", "treated"), treated), "type": (("first", "second"), kind)}
        names = {"obs": [f"cell {i + 1}" for i in range(600)], "var": [f"gene {i + 1}" for i in range(80)]}
        for place, index in names.items():
            table = file.create_group(place)
            table.attrs["encoding-type"], table.attrs["encoding-version"] = "dataframe", "0.2.0"
            table.attrs["_index"] = "_index"
            table.attrs.create("column-order", list(columns) if place == "obs" else [], dtype=text)
            table.create_dataset("_index", data=index, dtype=text).attrs.update(
                {"encoding-type": "string-array", "encoding-version": "0.2.0"}
            )
        for name, (labels, codes) in columns.items():
            column = file["obs"].create_group(name)
            column.attrs.update({"encoding-type": "categorical", "encoding-version": "0.2.0", "ordered": False})
            column.create_dataset("categories", data=labels, dtype=text).attrs.update(
                {"encoding-type": "string-array", "encoding-version": "0.2.0"}
            )
            column.create_dataset("codes", data=codes.astype(np.int8)).attrs.update(
                {"encoding-type": "array", "encoding-version": "0.2.0"}
            )
