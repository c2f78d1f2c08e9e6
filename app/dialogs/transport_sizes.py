"""How large the files of measures, costs, plans, maps and displacements will be, before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.core import Artifact
from engines.data import Coupling, Displacements, Image, Measure, MeasureOrCost, PointCloud, TransportMap

if TYPE_CHECKING:
    from app.dialogs.export_plan import Target
    from app.project.project import Project

HEAD = 8_000
"""Bytes of names, settings and headers."""
TEXT = 26
"""Bytes of a number in a table, at most."""


def transport_estimate(
    target: Target, kind: type[Artifact], shape: type[Artifact], project: Project
) -> tuple[int, bool] | None:
    """Bytes, and whether that is an upper bound; None for what has nothing to do with transport."""
    if not issubclass(kind, (MeasureOrCost, Coupling, TransportMap, Displacements)):
        return None
    entry, options = target.entry, target.params.model_dump()
    head = HEAD + 4 * len(entry.summary)
    if shape is not kind:
        count = project.array(entry.id, "points" if issubclass(kind, Measure) else "starts").shape[0]
        if issubclass(shape, Image):
            return count + head, True
        assert issubclass(shape, PointCloud)
        text = 3 if options.get("encoding") == "ascii" else 1
        return text * count * 60 + head, True  # position, colour, two values, and its number as a cell
    if target.writer.key == "npy-measure":
        return 8 * project.array(entry.id, "points").shape[0] + head, True
    if target.writer.key == "csv-coupling":
        return 3 * TEXT * _entries(target, project) + head, True
    if target.extension == ".csv":
        return entry.nbytes // 8 * TEXT + head, True
    if target.writer.key == "vtp-displacements":
        return project.array(entry.id, "starts").shape[0] * (2 * (24 + 16) + 24) + head, True
    hdf5 = target.writer.key == "hdf5-transport"  # each array has a head, and what is packed an index of its parts
    nbytes = entry.nbytes * (2 if hdf5 and options.get("compress") else 1)
    return nbytes + head * (2 if hdf5 else 1), bool(options.get("compress"))


def _entries(target: Target, project: Project) -> int:
    """Of a plan: those that are listed, or all of a dense one."""
    try:
        return int(project.array(target.entry.id, "mass").shape[0])
    except KeyError:
        rows, columns = project.array(target.entry.id, "plan").shape
        return int(rows * columns)


__all__ = ["transport_estimate"]
