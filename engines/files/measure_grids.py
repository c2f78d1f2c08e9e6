"""Measures on grids as arrays (``.npy``), and displacements as lines (``.vtp``) that ParaView draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.core import UserError
from engines.data import Displacements, Measure
from engines.files.measure_conversions import in_space
from engines.files.registry import NoOptions, writer
from engines.files.vtk_document import Appended, VtkWriteOptions


@writer(key="npy-measure", title="NumPy array", extensions=(".npy",), takes=(Measure,))
def write_npy_measure(measure: Measure, path: Path, options: NoOptions) -> None:
    """The mass at the nodes of a grid, in its shape: (rows, columns), (depth, rows, columns) or (bins,)."""
    if not measure.grid:
        raise UserError(
            "The measure is not on a grid.", "An array alone has no place for where its points are.",
            "Write a table (.csv), HDF5 (.h5) or an archive (.npz).",
        )  # fmt: skip
    with path.open("wb") as out:
        np.lib.format.write_array(out, measure.mass.reshape(measure.grid), allow_pickle=False)


@writer(
    key="vtp-displacements", title="VTK lines", extensions=(".vtp",), takes=(Displacements,), options=VtkWriteOptions
)
def write_vtp_displacements(moved: Displacements, path: Path, options: VtkWriteOptions) -> None:
    """A line from each start to its end; its length, and its weight, at both."""
    count = len(moved.starts)
    data = Appended(options.compress)
    arrays = {"length": np.linalg.norm(moved.ends - moved.starts, axis=1)}
    arrays |= {} if moved.weights is None else {"weight": moved.weights}
    values = "".join(data.element(name, np.tile(v, 2)) for name, v in arrays.items())
    points = data.element("Points", np.concatenate([in_space(moved.starts), in_space(moved.ends)]))
    pairs = np.stack([np.arange(count), np.arange(count) + count], 1)
    cells = data.element("connectivity", pairs.reshape(-1)) + data.element("offsets", 2 * (np.arange(count) + 1))
    data.save(
        path,
        "PolyData",
        f'<PolyData><Piece NumberOfPoints="{2 * count}" NumberOfLines="{count}"><PointData>{values}</PointData>'
        f"<Points>{points}</Points><Lines>{cells}</Lines></Piece></PolyData>",
    )
