"""Elastic bodies: a mesh at rest, what it is made of, what pulls at it, what holds it and what it may run into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from engines.core import UserError, array
from engines.data.fields import MeshField


def cell_measures(points: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(E,) signed volumes of tetrahedra, or areas in the plane z = 0 of triangles."""
    edges = points[cells[:, 1:]] - points[cells[:, :1]]
    if cells.shape[1] == 4:
        return np.asarray(np.linalg.det(edges) / 6) if len(cells) else np.zeros(0)
    return np.asarray((edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) / 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class ElasticBody(MeshField):
    """A body of tetrahedra, or of triangles in the plane z = 0, at rest at ``points``; it is what a solver moves.

    Energies are densities: ``arap`` * |s - 1|^2 + ``volume`` * (s1 s2 s3 - 1)^2 for singular values s of the
    deformation gradient, ``inertia`` * |velocity|^2, and ``contact`` / 2 * depth^2 within an obstacle. They, the
    force and the velocity hold where lengths are measured in ``length``, half of the body's largest extent. Places
    (points, displacements that are held, obstacles) are in the lengths of the mesh.
    """

    title: ClassVar[str] = "Elastic body"

    force: np.ndarray = array("3", "float64", "per volume, acting until force_until")
    velocity: np.ndarray = array("3", "float64", "of every point at the start, in lengths per time")
    held: np.ndarray = array("V", "bool", "vertices that are held")
    held_displacements: np.ndarray = array("V 3", "float64", "where held vertices are held, from their place at rest")
    planes: np.ndarray = array("P 6", "float64", "obstacles: a point and the normal towards where the body may be")
    spheres: np.ndarray = array("S 4", "float64", "obstacles: middle and radius")
    arap: float = 20.0
    volume: float = 1e3
    inertia: float = 10.0
    contact: float = 1e4
    holding: float = 1e4
    force_until: float = 0.0

    def validate(self) -> None:
        super().validate()
        if self.cells.shape[1] == 3 and not self.is_flat:
            raise UserError(
                "The mesh is a surface in space.",
                "An elastic body is filled: tetrahedra, or triangles in the plane z = 0.",
                "Fill the surface with tetrahedra in a mesher such as Gmsh or TetWild first.",
            )
        if len(self.cells) == 0:
            raise UserError("The body has no cells.", mend="Use a mesh with tetrahedra, or with triangles in a plane.")
        measures = cell_measures(self.points, self.cells)
        bad = np.flatnonzero(measures <= 1e-12 * np.abs(measures).max())
        if len(bad):
            named = ", ".join(map(str, bad[:8])) + (" …" if len(bad) > 8 else "")
            raise UserError(
                f"{len(bad):,} of the {len(self.cells):,} cells of the body are flat or turned inside out: {named}.",
                "The deformation of such a cell is not defined.",
                "Mesh the body again, or remove these cells.",
            )
        low = [k for k in ("arap", "volume", "inertia", "contact", "holding", "force_until") if getattr(self, k) < 0]
        if low or self.inertia == 0:
            name = low[0] if low else "inertia"
            raise UserError(f"The body's {name} is {getattr(self, name):g}.", mend="Use a positive number.")
        if (np.linalg.norm(self.planes[:, 3:], axis=1) == 0).any() or (self.spheres[:, 3] <= 0).any():
            raise UserError(
                "An obstacle of the body is empty.",
                "A plane needs a normal that is not zero, and a sphere a radius above zero.",
                "Correct the obstacle.",
            )

    @classmethod
    def of(cls, points: np.ndarray, cells: np.ndarray, **more: Any) -> ElasticBody:
        """From vertices (V, 2 or 3) and cells (E, 3 or 4), with nothing that holds it; cells turned over are mended."""
        points, cells = np.asarray(points, float), np.array(cells, np.int32)
        if points.shape[1] == 2:
            points = np.pad(points, ((0, 0), (0, 1)))
        if len(cells) and (cell_measures(points, cells) < 0).all():
            cells[:, [0, 1]] = cells[:, [1, 0]]
        held = np.asarray(more.pop("held", np.zeros(len(points), bool)))
        given: dict[str, Any] = {
            "force": np.zeros(3), "velocity": np.zeros(3), "held_displacements": np.zeros((len(points), 3)),
            "planes": np.zeros((0, 6)), "spheres": np.zeros((0, 4)),
        }  # fmt: skip
        return cls(
            points=points, cells=cells, held=held, values=held[None, None].astype(np.float32), times=np.zeros(1),
            components=("held",), **(given | more),
        )  # fmt: skip

    @property
    def dimensions(self) -> int:
        return int(self.cells.shape[1] - 1)

    @property
    def middle(self) -> np.ndarray:
        """(3,) of its bounding box at rest."""
        return np.asarray((self.points.min(0) + self.points.max(0)) / 2)

    @property
    def length(self) -> float:
        """Half of the largest side of its bounding box: the length in which solvers work."""
        return float(np.ptp(self.points, axis=0).max() / 2)

    def summary(self) -> str:
        kind = "triangles" if self.cells.shape[1] == 3 else "tetrahedra"
        obstacles = len(self.planes) + len(self.spheres)
        return f"{len(self.points):,} vertices, {len(self.cells):,} {kind}, {obstacles} obstacles"


__all__ = ["ElasticBody", "cell_measures"]
