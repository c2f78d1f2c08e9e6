"""Meshes of triangles or tetrahedra, put together from what mesh files hold, with what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from engines.blocks.tetrahedra import boundary, measures, parts
from engines.core import Param, Params
from engines.data import Mesh, MeshField
from engines.files import guard
from engines.files.grid_assembly import plain
from engines.files.registry import Loaded
from engines.files.triangles import finite

CORNERS = {"triangle": 3, "quad": 4, "tetra": 4, "triangle6": 3, "quad8": 4, "quad9": 4, "tetra10": 4}
SOLID = ("tetra", "tetra10")
REFUSED = ("hexahedron", "wedge", "pyramid", "polyhedron")
"""Cells that fill space, and are not cut into tetrahedra here."""
FLAT = 1e-12
"""Part of the largest cell's measure below which a cell has none."""


class MeshOptions(Params):
    kind: Literal["auto", "field", "surface"] = Param(
        "auto", help="A field over the cells, or their surface alone; auto takes a surface where nothing fills it"
    )


class Cells(NamedTuple):
    """``corners`` (E, K) of cells of one kind, named as in :data:`CORNERS`; other kinds are left out."""

    kind: str
    corners: np.ndarray


def mesh_from(
    path: Path,
    points: np.ndarray,
    cells: Sequence[Cells],
    options: MeshOptions,
    components: Mapping[str, np.ndarray] | None = None,
    vectors: tuple[tuple[str, ...], ...] = (),
    labels: np.ndarray | None = None,
    time: float = 0.0,
    displacements: np.ndarray | None = None,
) -> Loaded:
    """A field on the vertices, or a surface, from (V, 2 or 3) points.

    ``components`` (V,) by name; where there are none, the vertices' ``labels``, or zeros, stand for them.
    """
    points = finite(path, np.pad(points.astype(np.float64), ((0, 0), (0, 3 - points.shape[1]))))
    simplices, problems = _simplices(path, cells, len(points))
    used = np.unique(simplices)
    if len(used) < len(points):
        problems.append(
            f"{len(points) - len(used):,} of {len(points):,} vertices belong to no cell; they are left out."
        )
        simplices = np.searchsorted(used, simplices)
    points, values = points[used], {k: plain(v)[used] for k, v in (components or {}).items()}
    surface = simplices.shape[1] == 3 and bool((points[:, 2] != 0).any())
    if options.kind == "surface" or (options.kind == "auto" and surface and not values):
        faces = boundary(simplices) if simplices.shape[1] == 4 else simplices
        scalars = {k: v.astype(np.float32) for k, v in values.items()}
        return Loaded((Mesh(name=path.stem, vertices=points, faces=faces, scalars=scalars),), tuple(problems))
    if not surface:
        simplices, found = _checked(points, simplices)
        problems += found
    if not values:
        values = {"region": np.zeros(len(points), np.int32) if labels is None else labels[used].astype(np.int32)}
    field = MeshField(
        name=path.stem,
        points=points,
        cells=simplices,
        values=np.stack(list(values.values()))[None],
        times=np.array([time]),
        components=tuple(values),
        vectors=vectors,
        displacements=None if displacements is None else displacements[used][None],
    )
    return Loaded((field,), tuple(problems))


def _simplices(path: Path, cells: Sequence[Cells], count: int) -> tuple[np.ndarray, list[str]]:
    """(E, 3 or 4) tetrahedra if there are any, else triangles, with quadrilaterals cut in two."""
    for kind in REFUSED:
        if number := sum(len(c.corners) for c in cells if c.kind == kind):
            raise guard.refuse(
                path,
                f"has {number:,} cells of the kind {kind}.",
                "Triangles, quadrilaterals and tetrahedra are read.",
                "Mesh it with tetrahedra, or split its cells in the program that made it.",
            )
    known = [c for c in cells if c.kind in CORNERS and len(c.corners)]
    solid = [c for c in known if c.kind in SOLID]
    chosen = solid or known
    if not chosen:
        raise guard.refuse(path, "holds no cells.", "It has neither triangles nor tetrahedra.", "Choose another file.")
    problems = []
    if any(c.kind[-1].isdigit() for c in chosen):
        problems.append("Cells with curved edges were read by their corners only.")
    found = []
    for kind, corners in chosen:
        corners = corners[:, : CORNERS[kind]].astype(np.int64)
        if corners.min() < 0 or corners.max() >= count:
            bad = int(np.flatnonzero(((corners < 0) | (corners >= count)).any(1))[0])
            raise guard.refuse(
                path,
                f"has a cell that points to a vertex that does not exist ({kind} {bad}).",
                f"There are {count:,} vertices.",
                "Repair the file in the program that made it.",
            )
        found += [corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]] if kind.startswith("quad") else [corners]
    return np.concatenate(found), problems


def _checked(points: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Cells turned the right way where all are turned the other, and what is wrong with the rest."""
    flat = cells.shape[1] == 3
    size = measures(torch.from_numpy(points[:, :2] if flat else points), torch.from_numpy(cells)).numpy()
    if len(size) and (size < 0).all():
        cells, size = cells[:, [1, 0, *range(2, cells.shape[1])]], -size
    problems, what = [], "triangles" if flat else "tetrahedra"
    limit = FLAT * float(np.abs(size).max(initial=0))
    for bad, how in ((np.abs(size) <= limit, "have no size"), (size < -limit, "are turned inside out")):
        if bad.any():
            ids = np.flatnonzero(bad)
            some = ", ".join(f"{i:,}" for i in ids[:8]) + (" …" if len(ids) > 8 else "")
            problems.append(f"{len(ids):,} of {len(cells):,} {what} {how}: {some}.")
    if (count := parts(cells, len(points))) > 1:
        problems.append(f"The mesh has {count:,} parts that do not hang together.")
    return cells, problems


__all__ = ["Cells", "MeshOptions", "mesh_from"]
