"""Gaussians over a map of the field that they make: each an ellipse at one standard deviation, by its weight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor

from app.viewers import colour_maps
from engines.data import GaussianFeatures

MOST = 4_000
"""Of more, those with the largest weights."""
FAINT = 2e-3
"""Share of the largest weight below which a Gaussian is not drawn."""
CORNERS = 28
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
"""Opacities, for weights up to these shares of the largest (in square roots)."""
ON_DARK, ON_LIGHT = ("#FFD28A", "#A9DCFF"), ("#7A3400", "#003E70")
"""For positive and negative weights, over maps that are dark and over those with a pale middle."""


def on_plane(
    features: GaussianFeatures, names: tuple[str, str], elsewhere: Mapping[str, float]
) -> GaussianFeatures | None:
    """The Gaussians that these are on the plane of two coordinates, where the others have the values of
    ``elsewhere``; None where they do not have these coordinates."""
    for name in features.coordinates[: features.dimensions]:
        if name not in names:
            if name not in elsewhere:
                return None
            features = features.section(name, elsewhere[name])
    own = features.coordinates[: features.dimensions]
    if set(own) != set(names):
        return None
    order = [own.index(name) for name in names]
    if order == [0, 1]:
        return features
    turned = features.rotations
    return features.replace(
        means=features.means[..., order],
        sigmas=features.sigmas if turned is not None else features.sigmas[..., order],
        rotations=None if turned is None else turned[..., order, :],
        coordinates=names,
    )


def outlines(features: GaussianFeatures) -> tuple[np.ndarray, np.ndarray]:
    """(N, CORNERS + 2, 2) closed outlines with a gap after each, and weights (N,); the strongest last."""
    weights = features.weights.reshape(-1)
    chosen = np.argsort(np.abs(weights))[-MOST:]
    chosen = chosen[np.abs(weights[chosen]) > FAINT * max(float(np.abs(weights).max(initial=0.0)), 1e-300)]
    turn = np.linspace(0, 2 * np.pi, CORNERS + 1)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    half = (features.axes * features.sigmas[..., None, :]).reshape(-1, 2, 2)[chosen]
    points = features.means.reshape(-1, 2)[chosen, None] + np.swapaxes(half @ circle, 1, 2)
    gap = np.full((len(points), 1, 2), np.nan)
    return np.concatenate([points, gap], 1), weights[chosen]


def ellipses(features: GaussianFeatures, cmap: str, scale: float) -> list[pg.GraphicsObject]:
    """What to draw over a map in these colours; pens are ``scale`` times as wide."""
    points, weights = outlines(features)
    if not len(weights):
        return []
    strength = np.sqrt(np.abs(weights) / np.abs(weights).max())
    tones = ON_LIGHT if cmap in colour_maps.DIVERGING else ON_DARK
    found: list[pg.GraphicsObject] = []
    below = 0.0
    for above in STRENGTHS:
        for tone, sign in zip(tones, (1, -1), strict=True):
            part = points[(strength > below) & (strength <= above + 1e-9) & (weights * sign > 0)].reshape(-1, 2)
            if len(part):
                colour = QColor(tone)
                colour.setAlphaF(0.2 + 0.75 * above)
                item = pg.PlotCurveItem(part[:, 0], part[:, 1], connect="finite", pen=pg.mkPen(colour, width=scale))
                item.opts["antialias"] = True
                found.append(item)
        below = above
    return found
