"""A part of a mesh moved, turned or scaled, and the Gaussians bound to it with it (SuGaR, sec. 4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.mesh_parts import PartParams, edited
from engines.blocks.splatting.bound_gaussians import moved
from engines.core import Artifact, Example, Run, method
from engines.data import BoundGaussians
from engines.shape.sugar_refine import bind


def _torus() -> Mapping[str, Artifact]:
    return {"bound": bind(torus_mesh(Torus()), 3, 1, 1e-6)}


@method(
    key="edit-bound",
    title="Edit bound Gaussians",
    family="shape",
    job="Move, turn or scale a part of a mesh; its Gaussians follow.",
    role="preparation",
    sample=Example(
        _torus, {"vertices": "0-400", "move": (0, 0, 0.3), "turn": (0, 20, 0), "falloff": 0.2}, "A part of a torus"
    ),
    degenerate=(
        Example(_torus, {"vertices": "", "move": (1, 0, 0)}, "No vertex"),
        Example(_torus, {"vertices": "0-99999999", "move": (1, 0, 0)}, "Vertices that do not exist"),
        Example(_torus, {}, "Nothing changes"),
    ),
    tags=("mesh", "splats", "deform", "transform", "SuGaR"),
)
def edit_bound(
    bound: Annotated[BoundGaussians, "on the mesh that is edited"], params: PartParams, run: Run
) -> BoundGaussians:
    """Gaussians move and turn with their triangle and grow with it, and what their colours owe to the direction of view
    turns too. The view of bound Gaussians makes such edits with the mouse.
    """
    return moved(bound, edited(bound.vertices, params))
