"""What a person wants to know of a field, a problem or a solution before it is added."""

from __future__ import annotations

import numpy as np

from engines.core import Artifact
from engines.data import MeshField, Problem, SampledField, Solution, Trajectory

LOOKED_AT = 1 << 22
"""Values that are looked at for a range; of larger fields a part, for they may lie in a file that is not read yet."""


def field_rows(artifact: Artifact) -> list[tuple[str, str]]:
    """Names and texts; nothing for other types. Not for the GUI thread."""
    if isinstance(artifact, SampledField):
        return _grid_rows(artifact)
    if isinstance(artifact, MeshField):
        return _mesh_rows(artifact)
    if isinstance(artifact, Problem):
        return _problem_rows(artifact)
    if isinstance(artifact, Solution):
        rows = [("Form", artifact.form), ("Numbers stored", f"{artifact.size:,}")]
        return rows + _problem_rows(artifact.problem)
    if isinstance(artifact, Trajectory):
        rows = [("Form", artifact.form), ("Numbers stored", f"{artifact.size:,} for each time")]
        return rows + _time_rows(artifact.times, "t", "")
    return []


def _grid_rows(field: SampledField) -> list[tuple[str, str]]:
    even = "" if field.is_even else ", unevenly spaced"
    rows = [("Nodes", " × ".join(f"{n:,}" for n in field.shape) + even)]
    for name, nodes in zip(field.coordinates, field.axes, strict=False):
        rows.append((name, span(nodes, field.length_unit)))
    rows += _time_rows(field.times, field.time_name, field.time_unit)
    return rows + _value_rows(field)


def _mesh_rows(field: MeshField) -> list[tuple[str, str]]:
    kind = "Triangles" if field.cells.shape[1] == 3 else "Tetrahedra"
    rows = [("Vertices", f"{len(field.points):,}"), (kind, f"{len(field.cells):,}")]
    if len(field.points):
        size = np.ptp(field.points, axis=0)[: 2 if field.is_flat else 3]
        rows.append(("Extent", f"{' × '.join(f'{s:.4g}' for s in size)} {field.length_unit}".rstrip()))
    if field.displacements is not None:
        rows.append(("Moves", f"by up to {np.linalg.norm(field.displacements, axis=2).max():.4g}"))
    return rows + _time_rows(field.times, field.time_name, field.time_unit) + _value_rows(field)


def _time_rows(times: np.ndarray, name: str, unit: str) -> list[tuple[str, str]]:
    if len(times) < 2:
        return []
    even = "" if np.ptp(np.diff(times)) <= 1e-3 * np.diff(times).mean() else ", unevenly spaced"
    return [("Times", f"{len(times):,}{even}"), (name, span(times, unit))]


def _value_rows(field: SampledField | MeshField) -> list[tuple[str, str]]:
    """Each component with its range, and vectors by their parts."""
    rows = []
    for index, name in enumerate(field.components[:12]):
        rows.append((name, range_text(field.values[:, index], field.unit)))
    if len(field.components) > 12:
        rows.append(("More", f"{len(field.components) - 12} other components"))
    rows += [(f"Vector {name}", ", ".join(parts)) for name, *parts in field.vectors]
    return rows


def span(nodes: np.ndarray, unit: str) -> str:
    return f"{nodes[0]:.4g} to {nodes[-1]:.4g} {unit}".rstrip()


def range_text(values: np.ndarray, unit: str = "") -> str:
    """The lowest and the highest value; of a large array, those of evenly spaced planes of it."""
    part = values.size > LOOKED_AT
    if part:
        axis = int(np.argmax(values.shape))
        per_plane = values.size // values.shape[axis]
        count = max(1, min(values.shape[axis], LOOKED_AT // max(per_plane, 1)))
        values = np.take(values, np.linspace(0, values.shape[axis] - 1, count).astype(int), axis)
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        return "no finite value"
    lost = values.size - finite.size
    tail = f", {lost:,} not finite" if lost else ""
    about = "about " if part else ""
    return f"{about}{finite.min():.4g} to {finite.max():.4g} {unit}".rstrip() + tail


def _problem_rows(problem: Problem) -> list[tuple[str, str]]:
    rows = [("Equation", "\n".join(problem.equations))]
    for name, low, high in zip(problem.coordinates, problem.lower, problem.upper, strict=True):
        what = " (time)" if name == problem.time else ""
        rows.append((name, f"{low:.4g} to {high:.4g}{what}"))
    if problem.conditions:
        rows.append(("Conditions", "\n".join(problem.conditions)))
    if problem.definitions:
        rows.append(("Where", "\n".join(f"{k} = {v}" for k, v in problem.definitions.items())))
    if problem.exact:
        rows.append(("Exact", "\n".join(f"{k} = {v}" for k, v in problem.exact.items())))
    if problem.estimated:
        rows.append(("To be found", ", ".join(f"{k} (from {v:g})" for k, v in problem.estimated.items())))
    return rows


__all__ = ["field_rows", "range_text", "span"]
