"""Fields over time as ParaView's collections (``.pvd``): a list of files, one for each time, in a folder beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from engines.core import Artifact, Param, Params
from engines.data import MeshField, SampledField
from engines.files import guard
from engines.files.mesh_cells import MeshOptions
from engines.files.registry import Loaded, Tell, reader, silent, writer
from engines.files.vtk_document import VtkWriteOptions, open_document
from engines.files.vtk_grids import grid_field, save_grid
from engines.files.vtu import read_vtu, save_mesh

MOST_TIMES = 20_000
GRIDS = {".vti": "ImageData", ".vtr": "RectilinearGrid"}


class PvdWriteOptions(VtkWriteOptions):
    deformed: bool = Param(False, help="Write a mesh that moves where it has moved to, instead of at rest")


@reader(key="pvd", title="ParaView time series", extensions=(".pvd",), gives=(SampledField, MeshField))
def read_pvd(path: Path, options: Params, tell: Tell = silent) -> Loaded:
    """All files must hold the same grid, or the same cells; vertices that move become displacements."""
    entries = sorted(_entries(path))
    times, files = [time for time, _ in entries], [file for _, file in entries]
    if not files or len(files) > MOST_TIMES or len(set(times)) < len(times):
        raise guard.refuse(
            path,
            "does not list one file for each time.",
            f"It lists {len(files):,} files at {len(set(times)):,} times.",
            "Save each time as one piece.",
        )
    guard.room(path, sum(file.stat().st_size for file in files))
    frames, problems = [], []
    for index, file in enumerate(files):
        loaded = _one(file)
        problems += [p for p in loaded.problems if p not in problems]
        frames.append(loaded.artifacts[0])
        tell(index / len(files), "Reading times")
    whole = joined(path, frames, np.array(times))
    return Loaded((whole,), tuple(problems), tuple(files))


def _entries(path: Path) -> list[tuple[float, Path]]:
    document = open_document(path, "Collection")
    found = []
    for element in document.root.findall("Collection/DataSet")[: MOST_TIMES + 1]:
        try:
            time = float(element.get("timestep", "0"))
        except ValueError:
            time = np.nan
        if not np.isfinite(time):
            raise guard.refuse(path, "has a time that is no number.", f"It is '{element.get('timestep', '')[:40]}'.")
        found.append((time, guard.beside(path, element.get("file", ""), "a file of one time")))
    return found


def _one(file: Path) -> Loaded:
    """The field of one time."""
    kind = GRIDS.get(file.suffix.lower())
    if kind is not None:
        return grid_field(open_document(file, kind), kind)
    if file.suffix.lower() == ".vtu":
        return read_vtu(file, MeshOptions(kind="field"))
    raise guard.refuse(file, "cannot be a part of a series here.", "VTI, VTR and VTU are read.", "Convert it.")


def joined(path: Path, frames: Sequence[Artifact], times: np.ndarray) -> SampledField | MeshField:
    """One field from those of single times. Raises :class:`UserError` where they do not fit together."""
    first = frames[0]
    for number, frame in enumerate(frames):
        if type(frame) is not type(first) or not _alike(first, frame):
            raise guard.refuse(
                path,
                f"has a file that does not fit to the first one (number {number}).",
                "Grid, cells or components differ.",
                "Save all times on one mesh with the same values.",
            )
    if isinstance(first, SampledField):
        values = np.concatenate([f.values for f in frames if isinstance(f, SampledField)])
        return first.replace(values=values, times=times, name=path.stem)
    meshes = [f for f in frames if isinstance(f, MeshField)]
    at = np.stack([f.positions() for f in meshes])
    rest = meshes[0].points
    moves = any(f.displacements is not None for f in meshes) or bool((at != at[0]).any())
    values = np.concatenate([f.values for f in meshes])
    return meshes[0].replace(
        values=values, times=times, displacements=_displacements(meshes, at, rest) if moves else None, name=path.stem
    )


def _displacements(meshes: Sequence[MeshField], at: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """As they were written where they were, so that no bit of them is lost."""
    if all(m.displacements is not None and (m.points == rest).all() for m in meshes):
        return np.concatenate([m.displacements for m in meshes if m.displacements is not None])
    return np.asarray(at - rest)


def _alike(first: Artifact, other: Artifact) -> bool:
    if isinstance(first, SampledField) and isinstance(other, SampledField):
        same = all(np.array_equal(a, b) for a, b in zip(first.axes, other.axes, strict=False))
        return same and first.shape == other.shape and first.components == other.components
    if isinstance(first, MeshField) and isinstance(other, MeshField):
        return np.array_equal(first.cells, other.cells) and first.components == other.components
    return False


@writer(
    key="pvd", title="ParaView time series", extensions=(".pvd",), takes=(SampledField, MeshField),
    also="Each time has a file of its own in the folder '…_times' beside the list.",
    options=PvdWriteOptions, folder=True,
)  # fmt: skip
def write_pvd(field: SampledField | MeshField, path: Path, options: PvdWriteOptions) -> None:
    """``<name>.pvd``, and a folder ``<name>_times`` with a file for each time."""
    folder = path.parent / f"{path.stem}_times"
    folder.mkdir()
    ending = ".vtu" if isinstance(field, MeshField) else ".vti" if field.is_even else ".vtr"
    rows = []
    for index, time in enumerate(field.times.tolist()):
        file = folder / f"{index:05d}{ending}"
        if isinstance(field, MeshField):
            save_mesh(field, index, file, options.compress, options.deformed)
        else:
            save_grid(field, index, file, options.compress, GRIDS[ending])
        where = quoteattr(f"{folder.name}/{file.name}")
        rows.append(f'<DataSet timestep="{time!r}" group="" part="0" file={where}/>\n')
    path.write_text(
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="1.0" byte_order="LittleEndian">\n<Collection>\n'
        f"{''.join(rows)}</Collection>\n</VTKFile>\n",
        encoding="utf-8",
    )
