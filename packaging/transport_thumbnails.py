"""Pictures of sources of measures and costs for New dataset; make_thumbnails.py asks for them."""

from __future__ import annotations

import numpy as np

from engines.core import Artifact
from engines.data import CostMatrix, Measure

BLUE, ORANGE = np.array([0, 114, 178]), np.array([230, 159, 0])
"""Source and target, from the Okabe-Ito palette."""
MARGIN, FINER = 12, 4
MOST = 700
"""Points of a cloud; more would be a blot."""


def of_transport(outputs: dict[str, Artifact], width: int, height: int) -> np.ndarray | None:
    """(height, width, 3) uint8 of the measures or the costs among what a source gives; None without such."""
    costs = next((a for a in outputs.values() if isinstance(a, CostMatrix)), None)
    if costs is not None:
        return of_costs(costs, width, height)
    measures = [a for a in outputs.values() if isinstance(a, Measure)][:2]
    if not measures:
        return None
    if all(len(m.grid) == 2 for m in measures):
        return of_pictures(measures, width, height)
    if all(len(m.grid) == 1 or m.points.shape[1] == 1 for m in measures):
        return of_lines(measures, width, height)
    return of_clouds(measures, width, height)


def of_costs(matrix: CostMatrix, width: int, height: int) -> np.ndarray:
    from matplotlib import colormaps

    rows = np.linspace(0, min(len(matrix.costs), height // 4) - 1, height).round().astype(int)
    columns = np.linspace(0, min(matrix.costs.shape[1], width // 4) - 1, width).round().astype(int)
    values = matrix.costs[np.ix_(rows, columns)]
    share = (values - values.min()) / (np.ptp(values) or 1)
    return np.rint(255 * colormaps["viridis"](share)[..., :3]).astype(np.uint8)


def of_pictures(measures: list[Measure], width: int, height: int) -> np.ndarray:
    """Side by side, the ink in the colour of each."""
    found = np.full((height, width, 3), 255.0)
    side = min(height - MARGIN, (width - MARGIN) // len(measures) - MARGIN)
    for index, (measure, colour) in enumerate(zip(measures, (BLUE, ORANGE), strict=False)):
        ink = measure.mass.reshape(measure.grid)
        ink = (ink - ink.min()) / (np.ptp(ink) or 1)
        place = np.linspace(0, 1, side)
        rows, columns = ((place * (n - 1)).round().astype(int) for n in ink.shape)
        shown = ink[np.ix_(rows, columns)][..., None]
        left = (index + 1) * MARGIN + index * side + (width - (len(measures) + 1) * MARGIN - len(measures) * side) // 2
        top = (height - side) // 2
        found[top : top + side, left : left + side] = 255 - shown * (255 - colour)
    return found.astype(np.uint8)


def of_lines(measures: list[Measure], width: int, height: int) -> np.ndarray:
    """Densities as filled curves."""
    high = max(m.mass.max() for m in measures)
    low, up = (reduce([reduce(m.points[:, 0]) for m in measures]) for reduce in (min, max))
    wide, tall = FINER * width, FINER * height
    places = np.linspace(low, up, wide - 2 * FINER * MARGIN)
    found = np.full((tall, wide, 3), 255.0)
    level = np.arange(tall)[::-1, None] - FINER * MARGIN
    for measure, colour in zip(measures, (BLUE, ORANGE), strict=False):
        order = np.argsort(measure.points[:, 0])
        values = np.interp(places, measure.points[order, 0], measure.mass[order])
        heights = np.full(wide, -1.0)
        heights[FINER * MARGIN : -FINER * MARGIN] = values / high * (tall - 2 * FINER * MARGIN)
        inside = ((level >= 0) & (level <= heights))[..., None]
        edge = ((level >= 0) & (np.abs(level - heights) < 1.6 * FINER))[..., None]
        found = np.where(inside, 0.65 * found + 0.35 * colour, found)
        found = np.where(edge, colour, found)
    return _smaller(found)


def of_clouds(measures: list[Measure], width: int, height: int) -> np.ndarray:
    """In two dimensions as they are; in more, as they are seen from the side and a little from above."""
    flat = [_seen(m.points) for m in measures]
    low, high = np.concatenate(flat).min(0), np.concatenate(flat).max(0)
    wide, tall = FINER * width, FINER * height
    scale = min((wide - 2 * FINER * MARGIN) / (high - low)[0], (tall - 2 * FINER * MARGIN) / (high - low)[1])
    found = np.full((tall, wide, 3), 255.0)
    y, x = np.mgrid[-6:7, -6:7]
    disc = np.stack([y, x], -1)[np.hypot(x, y) <= 5.5]
    draw = np.random.default_rng(0)
    for points, colour in zip(flat, (BLUE, ORANGE), strict=False):
        some = points[draw.choice(len(points), min(MOST, len(points)), replace=False)]
        place = (some - (low + high) / 2) * scale
        middle = np.rint(np.stack([tall / 2 - place[:, 1], wide / 2 + place[:, 0]], 1)).astype(int)
        for spot in middle:
            rows, columns = (spot + disc).T
            found[rows, columns] = 0.45 * found[rows, columns] + 0.55 * colour
    return _smaller(found)


def _seen(points: np.ndarray) -> np.ndarray:
    if points.shape[1] == 2:
        return points
    x, y, z = points[:, :3].T
    return np.stack([x - 0.35 * y, z + 0.3 * y], 1)


def _smaller(picture: np.ndarray) -> np.ndarray:
    tall, wide, _ = picture.shape
    parts = picture.reshape(tall // FINER, FINER, wide // FINER, FINER, 3)
    return np.rint(parts.mean((1, 3))).astype(np.uint8)
