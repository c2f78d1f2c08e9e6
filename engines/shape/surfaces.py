"""What the baselines of shape reconstruction give: one surface and field for each label, and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from engines.blocks.mesh_metrics import score_mesh, score_table
from engines.core import Run, UserError
from engines.data import GridField, Mesh, Slices, Table


@dataclass(frozen=True)
class Surfaces:
    mesh: Annotated[tuple[Mesh, ...], "closed surfaces, one for each label"]
    field: Annotated[tuple[GridField, ...], "fields whose zero level they are; negative inside"]
    scores: Annotated[Table | None, "against the reference, if one was given"]


def labelled(slices: Slices, run: Run) -> list[tuple[str, Slices]]:
    """Each label's name (empty if there is only one) and contours.

    Labels on one plane only are left out with a warning. Raises UserError when nothing is left.
    """
    if slices.loop_count == 0:
        raise UserError(
            "The slices have no contour.", "All planes are empty.", "Load slices with at least one closed contour."
        )
    labels = slices.labels
    parts = [(f"label {n}" if len(labels) > 1 else "", slices.only(int(n))) for n in labels]
    used = [(name, part) for name, part in parts if len(np.unique(part.loop_planes)) > 1]
    for name, _ in parts if used else ():
        if name not in dict(used):
            run.warn(f"{name.capitalize()} has contours on one plane only and is left out.")
    if not used:
        raise UserError(
            "All contours of a label lie on one plane.", "One slice cannot define a volume.", "Add a second slice."
        )
    return used


def scored(meshes: Sequence[Mesh], reference: Mesh | None, run: Run) -> Table | None:
    """The score table of a single surface; several labels cannot be held against one reference."""
    if reference is not None and len(meshes) > 1:
        run.warn("The reference is one surface, but the slices have several labels: no scores were computed.")
        reference = None
    row: dict[str, float] = {}
    for _ in run.steps(int(reference is not None), "Scoring"):  # none: only so that progress reaches its end
        row = score_mesh(meshes[0], reference, run.rng, check=run.check)
    if reference is None:
        return None
    for name in ("IoU", "Chamfer distance", "Hausdorff distance", "Normal error"):
        run.note(f"{name}: {row[name]:.4g}")
    return score_table([row], [meshes[0].name or "Surface"], reference.unit)
