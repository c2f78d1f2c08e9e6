"""How large the files of fields and solutions will be, before anything is computed or read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.core import Artifact, UserError
from engines.data import Mesh, MeshField, SampledField, Solution, Trajectory

if TYPE_CHECKING:
    from app.dialogs.export_plan import Target
    from app.project.project import Project

HEAD = 8_000
"""Bytes of names, settings and headers."""
TEXT = 20
"""Bytes of a number in a table, of which a row has a few for each value: coordinates and time."""
COMPONENTS = 4
"""More than solutions usually have."""


def field_estimate(
    target: Target, kind: type[Artifact], shape: type[Artifact], project: Project
) -> tuple[int, bool] | None:
    """Bytes, and whether that is an upper bound; None for what is no field."""
    if not issubclass(kind, (SampledField, MeshField, Solution, Trajectory)):
        return None
    entry, options = target.entry, target.params.model_dump()
    if target.writer.key in ("field-picture", "mesh-picture"):
        return 3 * int(options["pixels"]) ** 2 + HEAD, True
    if issubclass(shape, Mesh):
        return _surface(target, project)
    nbytes, bound = entry.nbytes, bool(options.get("compress"))
    if shape is not kind and issubclass(shape, SampledField):
        nbytes, bound = _sampled(target, kind, project), True
    elif "time" in options:
        nbytes = nbytes // max(1, project.array(entry.id, "times").shape[0])
        points = project.array(entry.id, "points").shape[0] if issubclass(kind, MeshField) else 0
        cells = project.array(entry.id, "cells") if issubclass(kind, MeshField) else None
        nbytes += 24 * points + (0 if cells is None else cells.shape[0] * (8 * cells.shape[1] + 9))
        bound = True  # the mesh counts with its whole size
    if target.writer.key == "csv-field":
        return nbytes // 8 * 4 * TEXT + HEAD, True
    if target.writer.key == "medit":
        return nbytes * 3 + HEAD, True
    if target.writer.key == "pvd":
        return 3 * nbytes + HEAD, True  # each time has the whole mesh
    return nbytes + HEAD, bound


def time_count(target: Target, project: Project) -> int:
    """How many times there are to write (two for many that a solution is sampled at); 1 of what has no time."""
    if target.entry.type in ("SampledField", "MeshField", "Trajectory"):
        return int(project.array(target.entry.id, "times").shape[0])
    return 2 if " times" in target.grid else 1


def grid_text(solution: Artifact) -> str:
    """``"129×65 nodes, 51 times"``; empty where no grid holds it. Reads a solution: not for the GUI thread."""
    from engines.files.field_conversions import grid_of

    assert isinstance(solution, (Solution, Trajectory))
    try:
        axes, times = grid_of(solution)
    except UserError:
        return ""
    nodes = f"{'×'.join(f'{len(axis):,}' for axis in axes)} nodes"
    return f"{nodes}, {len(times):,} times" if len(times) > 1 else nodes


def _sampled(target: Target, kind: type[Artifact], project: Project) -> int:
    """On the grid that a solution is written on, if its last coordinate is time."""
    from engines.files.field_conversions import NODES, TIMES

    if issubclass(kind, Trajectory):
        dimensions = project.array(target.entry.id, "lower").shape[0]
        return (
            8
            * project.array(target.entry.id, "times").shape[0]
            * int(NODES.get(dimensions, 1) ** dimensions)
            * COMPONENTS
        )
    dimensions = project.array(target.entry.id, "problem/lower").shape[0]
    still = NODES.get(dimensions, 1) ** dimensions
    moving = NODES.get(dimensions - 1, 1) ** (dimensions - 1) * TIMES
    return 8 * max(still, moving) * COMPONENTS


def _surface(target: Target, project: Project) -> tuple[int, bool]:
    """The outside of N tetrahedra is some 8 N^(2/3) triangles."""
    cells = project.array(target.entry.id, "cells").shape
    components = project.array(target.entry.id, "values").shape[1]
    faces = cells[0] if cells[1] == 3 else min(4 * cells[0], int(12 * cells[0] ** (2 / 3)))
    vertices = min(project.array(target.entry.id, "points").shape[0], 3 * faces)
    number = 3 if "digits" in target.params.model_dump() or target.extension == ".obj" else 1
    return number * (vertices * (24 + 4 * components) + faces * 50) + HEAD, True
