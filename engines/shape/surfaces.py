"""What the baselines of shape reconstruction give: one surface and field for each label, and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from engines.blocks.mesh_metrics import score_mesh, score_table
from engines.core import Run, UserError
from engines.data import GridField, Mesh, Slices, Table


@dataclass(frozen=True)
class Surfaces:
    mesh: Annotated[tuple[Mesh, ...], "closed surfaces, one for each label"]
    field: Annotated[tuple[GridField, ...], "fields whose zero level they are; negative inside"]
    scores: Annotated[Table | None, "against the reference, if one was given"]


def labelled(slices: Slices) -> list[tuple[str, Slices]]:
    """Each label's name (empty if there is only one) and contours. Raises UserError when nothing can be built."""
    if slices.loop_count == 0:
        raise UserError(
            "The slices have no contour.", "All planes are empty.", "Load slices with at least one closed contour."
        )
    if slices.plane_count < 2:
        raise UserError(
            "There is only one plane.", "One slice cannot define a volume.", "Load slices with at least two planes."
        )
    labels = slices.labels
    return [(f"label {label}" if len(labels) > 1 else "", slices.only(int(label))) for label in labels]


def scored(meshes: Sequence[Mesh], reference: Mesh | None, run: Run) -> Table | None:
    """The score table of a single surface; several labels cannot be held against one reference."""
    if reference is None:
        return None
    if len(meshes) > 1:
        run.warn("The reference is one surface, but the slices have several labels: no scores were computed.")
        return None
    for _ in run.steps(1, "Scoring"):
        row = score_mesh(meshes[0], reference, run.rng, check=run.check)
    for name in ("IoU", "Chamfer distance", "Hausdorff distance", "Normal error"):
        run.note(f"{name}: {row[name]:.4g}")
    return score_table([row], [meshes[0].name or "Surface"], reference.unit)
