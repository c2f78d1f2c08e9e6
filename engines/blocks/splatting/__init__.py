"""Differentiable rendering of anisotropic 3D Gaussians (Kerbl et al. 2023).

:func:`render` is the door. Behind it stand a compiled CPU renderer (``kernels.cpp``) and its readable twin in plain
torch (:mod:`engines.blocks.splatting.twin`), which also serves where there is no compiler, and on other devices.
"""

from engines.blocks.splatting.gaussians import Gaussians
from engines.blocks.splatting.render import Projection, Rendering, project, rasterise, render

__all__ = ["Gaussians", "Projection", "Rendering", "project", "rasterise", "render"]
