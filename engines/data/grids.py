"""Values on regular grids: volumes as scanners give them, fields as methods compute them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array


@dataclass(frozen=True, kw_only=True, eq=False)
class Volume(Artifact):
    """A scalar or label volume. ``affine`` takes a voxel index (i, j, k) to a position in ``unit``.

    Positions of scans are RAS everywhere in the program: x grows to the patient's right, y to the front (anterior),
    z to the head (superior), in mm. Files with another convention are converted when they are read and written.
    """

    title: ClassVar[str] = "Volume"

    values: np.ndarray = array("X Y Z", "number", "one value per voxel", finite=False)
    affine: np.ndarray = array("4 4", "float64", "voxel index to position")
    is_label: bool = False
    unit: str = "mm"

    def validate(self) -> None:
        if min(self.values.shape) < 1:
            raise UserError("The volume is empty.", mend="Load a volume with at least one voxel along each axis.")
        if abs(np.linalg.det(self.affine[:3, :3])) < 1e-30:
            raise UserError(
                "The volume's voxel axes do not span space.",
                "Its affine matrix is singular.",
                "Correct the spacing or direction in the file's header.",
            )

    @property
    def spacing(self) -> np.ndarray:
        """(3,) voxel size along each index."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def labels(self) -> np.ndarray:
        """Sorted non-zero labels."""
        found = np.unique(self.values)
        return np.asarray(found[found != 0])

    def summary(self) -> str:
        size = "×".join(map(str, self.values.shape))
        spacing = "×".join(f"{s:.3g}" for s in self.spacing)
        return f"{size} voxels of {spacing} {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True, eq=False)
class GridField(Artifact):
    """A scalar field at the nodes origin + index · spacing of a regular grid.

    Its positions are in the frame of what it was computed from: RAS mm for a scan (see :class:`Volume`).
    """

    title: ClassVar[str] = "Grid field"

    values: np.ndarray = array("X Y Z", "float32", "value at each node")
    origin: np.ndarray = array("3", "float64", "position of node (0, 0, 0)")
    spacing: np.ndarray = array("3", "float64", "distance of neighbouring nodes")
    quantity: str = "value"
    unit: str = ""
    length_unit: str = ""
    level: float | None = None

    def validate(self) -> None:
        if min(self.values.shape) < 1:
            raise UserError("The field is empty.", mend="Use at least one node along each axis.")
        if (self.spacing <= 0).any():
            raise UserError("The field's spacing must be positive.", mend="Correct the spacing.")

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) first and last node."""
        return np.stack([self.origin, self.origin + (np.array(self.values.shape) - 1) * self.spacing])

    def summary(self) -> str:
        return f"{self.quantity} on {'×'.join(map(str, self.values.shape))} nodes"
