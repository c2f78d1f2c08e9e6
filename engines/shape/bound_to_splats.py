"""Gaussians without the mesh that they are bound to, as a plain cloud."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from engines.blocks.analytic_shapes import Torus, torus_mesh
from engines.blocks.splatting.bound_gaussians import to_cloud
from engines.core import Artifact, Example, Params, Run, UserError, method
from engines.data import BoundGaussians, GaussianCloud
from engines.shape.sugar_refine import bind


class BoundToSplatsParams(Params):
    pass


def _torus() -> Mapping[str, Artifact]:
    return {"bound": bind(torus_mesh(Torus()), 3, 0, 1e-6)}


def _empty() -> Mapping[str, Artifact]:
    bound = bind(torus_mesh(Torus()), 1, 0, 1e-6)
    changes = {name: getattr(bound, name)[:0] for name in ("log_scales", "turns", "opacity_logits", "sh")}
    return {"bound": bound.replace(faces=np.zeros((0, 3), np.int32), **changes)}


@method(
    key="bound-to-splats",
    title="Bound Gaussians to splats",
    family="shape",
    job="Take the Gaussians off a mesh, as a cloud that any splat viewer shows.",
    role="preparation",
    sample=Example(_torus, title="A torus"),
    degenerate=(Example(_empty, title="No triangle"),),
    tags=("splats", "convert", "SuGaR"),
)
def bound_to_splats(
    bound: Annotated[BoundGaussians, "on a mesh"], params: BoundToSplatsParams, run: Run
) -> GaussianCloud:
    """Centres, axes and scales in space; opacities and colours stay. The thickness becomes the smallest scale."""
    if not len(bound):
        raise UserError("No Gaussian is bound to this mesh.", "It has no triangles.", "Choose another one.")
    return to_cloud(bound)
