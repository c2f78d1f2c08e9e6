"""Meshes and point clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array, arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh(Artifact):
    """A triangle mesh; faces turn counter-clockwise seen from outside.

    It may wear a picture: ``texture``, whose first row is the upper one. In it, each corner of a face has its place
    ``uv``: u runs to the right and v upwards from (0, 0), the lower left corner of the lower left pixel, to (1, 1).
    """

    title: ClassVar[str] = "Mesh"

    vertices: np.ndarray = array("V 3", "float64", "positions")
    faces: np.ndarray = array("F 3", "int32", "vertex indices")
    normals: np.ndarray | None = array("V 3", "float32", "unit vertex normals", optional=True)
    colors: np.ndarray | None = array("V 4", "uint8", "RGBA", optional=True)
    scalars: dict[str, np.ndarray] = arrays("V", "float32", "named values at the vertices")
    uv: np.ndarray | None = array(
        "F 3 2", "float32", "places of the faces' corners in the texture", optional=True, later=True
    )
    texture: np.ndarray | None = array("H W C", "uint8", "RGB or RGBA picture", optional=True, later=True)
    unit: str = ""

    def validate(self) -> None:
        if len(self.faces) and (self.faces.min() < 0 or self.faces.max() >= len(self.vertices)):
            bad = int(np.flatnonzero((self.faces < 0).any(1) | (self.faces >= len(self.vertices)).any(1))[0])
            raise UserError(
                f"Face {bad} of the mesh points to a vertex that does not exist.",
                f"There are {len(self.vertices):,} vertices.",
                "Repair or export the mesh again.",
            )
        if (self.uv is None) != (self.texture is None):
            has, lacks = ("a texture", "places in it") if self.uv is None else ("places in a texture", "the picture")
            raise UserError(f"The mesh has {has} but not {lacks}.", mend="Give both, or neither.")
        if self.texture is not None and (self.texture.shape[2] not in (3, 4) or not self.texture.size):
            raise UserError(
                f"The texture is {' × '.join(map(str, self.texture.shape))}.",
                "It should have rows, columns, and three (RGB) or four (RGBA) channels.",
                "Convert the picture.",
            )

    def only(self, faces: np.ndarray) -> Mesh:
        """The mesh with these of its faces: bool (F,), or their numbers. All vertices stay."""
        return self.replace(faces=self.faces[faces], uv=None if self.uv is None else self.uv[faces])

    @property
    def texture_repeats(self) -> bool:
        """Whether corners lie outside of the texture: it goes on there as from its other side."""
        return self.uv is not None and self.uv.size > 0 and bool(self.uv.min() < 0 or self.uv.max() > 1)

    def texture_at(self, uv: np.ndarray) -> np.ndarray:
        """(N, C) float32 from 0 to 255: the texture at places (N, 2), linear between pixels."""
        assert self.texture is not None
        height, width, _ = self.texture.shape
        x, y = width * uv[:, 0].astype(np.float64) - 0.5, height * (1 - uv[:, 1].astype(np.float64)) - 0.5
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        across, down = (x - left)[:, None].astype(np.float32), (y - top)[:, None].astype(np.float32)
        right, below = left + 1, top + 1
        if self.texture_repeats:
            left, right, top, below = left % width, right % width, top % height, below % height
        else:
            left, right = left.clip(0, width - 1), right.clip(0, width - 1)
            top, below = top.clip(0, height - 1), below.clip(0, height - 1)
        upper = (1 - across) * self.texture[top, left] + across * self.texture[top, right]
        lower = (1 - across) * self.texture[below, left] + across * self.texture[below, right]
        return np.asarray((1 - down) * upper + down * lower)

    def plain(self) -> Mesh:
        """Without texture, for what has no place for one: vertices that have no colours take the texture's."""
        if self.texture is None or self.uv is None:
            return self
        colors = self.colors
        if colors is None:
            found = np.full((3 * len(self.faces), 4), 255, np.float32)
            found[:, : self.texture.shape[2]] = self.texture_at(self.uv.reshape(-1, 2))
            corners = self.faces.reshape(-1)
            counts = np.bincount(corners, minlength=len(self.vertices))
            sums = [np.bincount(corners, column, len(self.vertices)) for column in found.T]
            mean = np.stack(sums, axis=1) / np.maximum(counts, 1)[:, None]
            mean[counts == 0] = 255
            colors = np.rint(mean).astype(np.uint8)
        return self.replace(uv=None, texture=None, colors=colors)

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    def summary(self) -> str:
        counts = f"{len(self.vertices):,} vertices, {len(self.faces):,} triangles"
        if self.texture is None:
            return counts
        height, width, _ = self.texture.shape
        return f"{counts}, texture of {width:,}×{height:,} pixels"


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
