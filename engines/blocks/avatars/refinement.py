"""A rigged template with a finer surface (Loop subdivision)."""

from __future__ import annotations

import numpy as np

from engines.blocks.meshes.subdivision import loop_subdivision
from engines.data import RiggedTemplate


def subdivided(template: RiggedTemplate, levels: int) -> RiggedTemplate:
    """Places are smoothed; weights and colours are carried along by the means of edges. Old vertices stay in front."""
    if levels == 0:
        return template
    finer = loop_subdivision(template.faces, len(template.vertices), levels)
    colours = template.colors
    if colours is not None:
        colours = np.rint(finer.midpoint @ colours.astype(np.float64)).astype(np.uint8)
    weights = finer.midpoint @ template.weights
    return template.replace(
        vertices=finer.smooth @ template.vertices,
        faces=finer.faces,
        weights=weights / weights.sum(1, keepdims=True),
        colors=colours,
    )
