"""A similarity between the frame of a file and the unit frame in which methods work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Similarity:
    """unit = (file - center) / scale; lengths of the file are in ``length_unit``."""

    center: tuple[float, float, float]
    scale: float
    length_unit: str = ""

    @classmethod
    def of(cls, vertices: np.ndarray, margin: float = 1.1, length_unit: str = "") -> Similarity:
        """Mean of (V, 3) vertices to the origin, the largest coordinate to 1 / ``margin``."""
        center = vertices.mean(0)
        size = float(np.abs(vertices - center).max())
        return cls((float(center[0]), float(center[1]), float(center[2])), margin * (size or 1.0), length_unit)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float64 points of the file in the unit frame."""
        return (np.asarray(points, np.float64) - self.center) / self.scale

    def undo(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) float64 points of the unit frame in the file's."""
        return np.asarray(points, np.float64) * self.scale + self.center
