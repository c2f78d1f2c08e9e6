"""Differentiable rendering of anisotropic 3D Gaussians (Kerbl et al. 2023).

:func:`render` is the door. Behind it stand a compiled renderer for the CPU (``kernels.cpp``), one for CUDA devices that
is compiled at run time (``kernels.cu``), and their readable twin in plain torch (:mod:`.twin`), which also serves where
there is no compiler, and on other devices.
"""

from engines.blocks.splatting.differentiable import without_fast_renderer
from engines.blocks.splatting.gaussians import Gaussians
from engines.blocks.splatting.render import Projection, Rendering, project, rasterise, render

__all__ = ["Gaussians", "Projection", "Rendering", "project", "rasterise", "render", "without_fast_renderer"]
