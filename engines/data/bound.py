"""Gaussians that lie in the triangles of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array
from engines.data.geometry import Mesh


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundGaussians(Artifact):
    """F triangles with n flat Gaussians each; Gaussian i of triangle f has the number f n + i.

    Its centre is barycentrics_i times the triangle's corners. In the plane of the triangle its axes are those of the
    first edge, turned by the complex number ``turns``; across it, it is ``thickness`` thick (a standard deviation).
    See :mod:`engines.blocks.splatting.bound_gaussians`.
    """

    title: ClassVar[str] = "Bound Gaussians"

    vertices: np.ndarray = array("V 3", "float64", "positions")
    faces: np.ndarray = array("F 3", "int32", "vertex indices, counter-clockwise from outside")
    colors: np.ndarray | None = array("V 4", "uint8", "RGBA of the vertices", optional=True)
    barycentrics: np.ndarray = array("n 3", "float64", "where the Gaussians of a triangle lie")
    log_scales: np.ndarray = array("G 2", "float32", "natural logarithm of the standard deviations in the plane")
    turns: np.ndarray = array("G 2", "float32", "complex number of any length, as its two parts")
    opacity_logits: np.ndarray = array("G", "float32", "opacity = sigmoid")
    sh: np.ndarray = array("G K 3", "float32", "spherical harmonics of degree 0 to 3, RGB")
    thickness: float = 1e-6
    unit: str = ""

    def validate(self) -> None:
        self.mesh.validate()
        wanted = len(self.faces) * len(self.barycentrics)
        if len(self.log_scales) != wanted:
            raise UserError(
                f"There are {len(self.log_scales):,} Gaussians for {len(self.faces):,} triangles.",
                f"With {len(self.barycentrics)} on each there should be {wanted:,}.",
                "Bind the Gaussians to the mesh again.",
            )
        if not len(self.barycentrics) or np.abs(self.barycentrics.sum(1) - 1).max() > 1e-6:
            raise UserError(
                "The places of the Gaussians in their triangles are wrong.",
                "Barycentric coordinates sum to 1.",
                "Bind the Gaussians to the mesh again.",
            )
        if self.sh.shape[1] not in (1, 4, 9, 16):
            raise UserError(
                f"The Gaussians have {self.sh.shape[1]} colour coefficients.",
                "Degrees 0 to 3 have 1, 4, 9 or 16.",
                "Bind the Gaussians to the mesh again.",
            )
        if not self.thickness > 0 or (wanted and not np.abs(self.turns).max(1).all()):
            raise UserError(
                "A Gaussian has no thickness or no direction.",
                "Its thickness must be positive, and the complex number that turns it must not be 0.",
                "Bind the Gaussians to the mesh again.",
            )

    def __len__(self) -> int:
        return len(self.log_scales)

    @property
    def mesh(self) -> Mesh:
        """The triangles alone."""
        return Mesh(vertices=self.vertices, faces=self.faces, colors=self.colors, unit=self.unit, name=self.name)

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner of the mesh."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def summary(self) -> str:
        return f"{len(self):,} Gaussians on {len(self.faces):,} triangles"
