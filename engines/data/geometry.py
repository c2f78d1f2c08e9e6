"""Meshes and point clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array, arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh(Artifact):
    """A triangle mesh; faces turn counter-clockwise seen from outside."""

    title: ClassVar[str] = "Mesh"

    vertices: np.ndarray = array("V 3", "float64", "positions")
    faces: np.ndarray = array("F 3", "int32", "vertex indices")
    normals: np.ndarray | None = array("V 3", "float32", "unit vertex normals", optional=True)
    colors: np.ndarray | None = array("V 4", "uint8", "RGBA", optional=True)
    scalars: dict[str, np.ndarray] = arrays("V", "float32", "named values at the vertices")
    unit: str = ""

    def validate(self) -> None:
        if len(self.faces) and (self.faces.min() < 0 or self.faces.max() >= len(self.vertices)):
            bad = int(np.flatnonzero((self.faces < 0).any(1) | (self.faces >= len(self.vertices)).any(1))[0])
            raise UserError(
                f"Face {bad} of the mesh points to a vertex that does not exist.",
                f"There are {len(self.vertices):,} vertices.",
                "Repair or export the mesh again.",
            )

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def summary(self) -> str:
        return f"{len(self.vertices):,} vertices, {len(self.faces):,} triangles"


@dataclass(frozen=True, kw_only=True, eq=False)
class PointCloud(Artifact):
    """Points with optional normals, colours and named values."""

    title: ClassVar[str] = "Point cloud"

    points: np.ndarray = array("N 3", "float64", "positions")
    normals: np.ndarray | None = array("N 3", "float32", "unit normals", optional=True)
    colors: np.ndarray | None = array("N 4", "uint8", "RGBA", optional=True)
    scalars: dict[str, np.ndarray] = arrays("N", "float32", "named values at the points")
    unit: str = ""

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner."""
        return np.stack([self.points.min(0), self.points.max(0)])

    def summary(self) -> str:
        return f"{len(self.points):,} points"
