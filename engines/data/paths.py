"""Ways of a camera through a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array

MOST_SECONDS = 24 * 3600.0
MOST_SIDE = 16_384


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraPath(Artifact):
    """N key views that a camera passes through, and how: :mod:`engines.blocks.camera_paths` says what lies between.

    Cameras follow OpenCV: x right, y down, z forward; their pixels are square and the principal point is the middle.
    A ``closed`` path goes back to its first key view, where it is again after ``seconds``; on an open one the camera
    stands still from the last key view to the end. With ``even_speed`` the times between the first and the last give
    way to a pace that is the same everywhere.
    """

    title: ClassVar[str] = "Camera path"

    world_to_camera: np.ndarray = array("N 4 4", "float64", "rigid")
    times: np.ndarray = array("N", "float64", "rising, from 0 on", unit="s")
    fields_of_view: np.ndarray = array("N", "float64", "from the bottom to the top of the picture", unit="°")
    seconds: float
    width: int = 1280
    height: int = 720
    rate: float = 25.0
    """Pictures a second."""
    closed: bool = False
    even_speed: bool = False
    unit: str = ""

    def validate(self) -> None:
        count = len(self.times)
        if not count:
            raise UserError("The camera path has no key view.", "There is nowhere to look from.", "Add a key view.")
        if self.times[0] < 0 or (np.diff(self.times) <= 0).any():
            raise UserError(
                "The times of the key views do not rise.",
                "Each must be later than the one before it, and none before 0 s.",
                "Give the key views other times.",
            )
        if not (0 < self.seconds <= MOST_SECONDS) or self.seconds < self.times[-1]:
            raise UserError(
                f"A camera path of {self.seconds:g} s cannot be.",
                f"Its last key view is at {self.times[-1]:g} s; a day is the longest.",
                "Choose another length.",
            )
        if self.closed and count > 1 and self.seconds <= self.times[-1]:
            raise UserError(
                "The closed path leaves no time for the way back to its first key view.",
                f"The last one is at {self.times[-1]:g} s of {self.seconds:g} s.",
                "Make the path longer, or open it.",
            )
        if (self.fields_of_view < 0.1).any() or (self.fields_of_view > 170).any():
            raise UserError(
                "A key view has a field of view outside of 0.1° to 170°.",
                "It is the angle from the bottom to the top of the picture.",
                "Choose another lens.",
            )
        if not all(16 <= side <= MOST_SIDE for side in (self.width, self.height)) or not 0 < self.rate <= 1000:
            raise UserError(
                f"Pictures of {self.width}×{self.height} pixels, {self.rate:g} a second, cannot be made.",
                f"Sides from 16 to {MOST_SIDE:,} pixels and up to 1,000 pictures a second are possible.",
                "Choose another size or rate.",
            )
        turned = self.world_to_camera[:, :3, :3]
        off = np.abs(turned.transpose(0, 2, 1) @ turned - np.eye(3)).max((1, 2))
        if (off > 1e-3).any() or (np.linalg.det(turned) < 0).any():
            raise UserError(
                f"Key view {int(np.argmax(off)) + 1} is not rigid.",
                "A camera can be turned and moved, not sheared, scaled or mirrored.",
                "Check how the path was written.",
            )

    def __len__(self) -> int:
        return len(self.times)

    @property
    def centres(self) -> np.ndarray:
        """(N, 3) where the camera stands at each key view."""
        turned, moved = self.world_to_camera[:, :3, :3], self.world_to_camera[:, :3, 3]
        return np.asarray(-np.einsum("nji,nj->ni", turned, moved))

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner of the centres."""
        return np.stack([self.centres.min(0), self.centres.max(0)])

    def summary(self) -> str:
        views = f"{len(self):,} key view{'s' if len(self) != 1 else ''}"
        return f"{views}, {'closed, ' if self.closed else ''}{self.seconds:g} s; {self.width}×{self.height} pixels"
