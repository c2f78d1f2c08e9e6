"""The lines that stand for a camera path in space."""

from __future__ import annotations

import numpy as np

from engines.data import CameraPath

EDGES = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3], [3, 4], [4, 1]])
"""Of a frustum, between the five points that :func:`frusta` gives."""


def frusta(path: CameraPath, depth: float) -> np.ndarray:
    """(N, 5, 3): the centre of each key view, and its picture's corners at ``depth``, clockwise from upper left."""
    tall = np.tan(np.radians(path.fields_of_view) / 2)
    wide = tall * path.width / path.height
    local = np.zeros((len(path), 5, 3))
    for corner, (x, y) in enumerate(((-1, -1), (1, -1), (1, 1), (-1, 1)), 1):
        local[:, corner] = np.stack([x * wide, y * tall, np.ones(len(path))], 1) * depth
    turn, shift = path.world_to_camera[:, :3, :3], path.world_to_camera[:, :3, 3]
    return np.asarray(np.einsum("nji,nkj->nki", turn, local - shift[:, None]))


def frustum_depth(path: CameraPath) -> float:
    """How long to draw the frusta: so that most of them do not run into each other, and none is lost to sight."""
    size = float(np.linalg.norm(np.ptp(path.centres, axis=0)))
    if len(path) < 2 or size == 0:
        return 1.0
    steps = np.linalg.norm(np.diff(path.centres, axis=0), axis=1)
    return float(np.clip(0.5 * np.median(steps), 0.03 * size, 0.12 * size))
