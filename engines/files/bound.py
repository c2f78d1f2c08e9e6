"""Gaussians on a mesh have no format of their own: they are written as splats, or as the mesh that carries them."""

from __future__ import annotations

from engines.blocks.splatting.bound_gaussians import to_cloud
from engines.data import BoundGaussians, GaussianCloud, Mesh
from engines.files.registry import conversion


@conversion(BoundGaussians, GaussianCloud)
def splats_of(bound: BoundGaussians) -> GaussianCloud:
    """Each Gaussian as it lies in space."""
    return to_cloud(bound)


@conversion(BoundGaussians, Mesh)
def mesh_of(bound: BoundGaussians) -> Mesh:
    """The triangles, with the colours of their vertices."""
    return bound.mesh
