"""The camera that a 3D view chooses by itself: everything in the middle, as large as it fits.

It holds until somebody moves the camera. It follows the size of the view and things that come or go, but not the
updates of what is on show, unless they leave it far too large or too small: a live preview must not make the picture
jump, and its first guess, which may fill all space, must not leave the result tiny.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from app.viewers.camera import Pose
from app.viewers.layer import Layer, Style
from app.viewers.overlay import foot_height

STRAYS, ASTRAY = 0.06, 0.2
"""Of the diagonal of what was framed: as far its ends may move before it is framed anew, when things come or go, and
when those on show are updated."""


@dataclass(frozen=True)
class Room:
    """A view's size in device-independent pixels, and how many at its right are taken."""

    width: float
    height: float
    right: float = 0.0

    @property
    def free(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top of the free part, in half heights from the middle of the view."""
        half = max(self.height, 1.0) / 2
        across = max(self.width, 1.0) / 2 / half
        right = across - min(self.right, 0.6 * self.width) / half
        foot = foot_height(self.width, self.height) / half
        return -across, right, foot - 1, 1.0


@dataclass(eq=False)
class Extent:
    """Points (n, 3) that a thing spans which is no layer, for :class:`Framing`."""

    points: np.ndarray
    style: Style = field(default_factory=Style)

    def extent(self) -> np.ndarray:
        return self.points


class Framing:
    def __init__(self, pose: Callable[[], Pose], set_pose: Callable[[Pose], None]) -> None:
        self._pose, self._set_pose = pose, set_pose
        self._given: Pose | None = None
        self._points = np.zeros((0, 3))
        self.chosen = False
        """A camera was chosen: by framing, by the user or by a saved state."""

    @property
    def is_automatic(self) -> bool:
        """Whether the camera is where framing put it."""
        return self._given is not None and self._given is self._pose()

    def forget(self) -> None:
        """Nothing is on show: what comes next is framed."""
        self.chosen = False

    def frame(self, layers: Collection[Layer | Extent], room: Room) -> None:
        """Show everything that is visible, from the direction of now."""
        points = _span(layers)
        if len(points):
            self._points = points
            self._apply(room)

    def follow_content(self, layers: Collection[Layer | Extent], room: Room, *, update: bool) -> None:
        """Things came or went, or (``update``) those on show were given anew."""
        limit = ASTRAY if update else STRAYS
        if not self.chosen or (self.is_automatic and self._has_strayed(layers, limit)):
            self.frame(layers, room)

    def follow_size(self, layers: Collection[Layer | Extent], room: Room) -> None:
        """The view got another size: the same points give the same camera for the same size."""
        if self.is_automatic:
            if self._has_strayed(layers):
                self._points = _span(layers)
            self._apply(room)

    def pose_for(self, room: Room, *, turning: bool = False) -> Pose:
        """The camera for a picture: where nobody chose a view, one that fills it; ``turning``: at every angle."""
        pose = self._pose()
        if not self.is_automatic or not len(self._points):
            return pose
        points = self._points
        if turning:
            points = np.concatenate([_turned(points, pose.up, angle) for angle in np.linspace(0, 2 * np.pi, 25)[:-1]])
        return pose.framing(points, free=room.free)

    def _apply(self, room: Room) -> None:
        self._set_pose(self._pose().framing(self._points, free=room.free))
        self._given, self.chosen = self._pose(), True

    def _has_strayed(self, layers: Collection[Layer | Extent], limit: float = STRAYS) -> bool:
        points = _span(layers)
        if not len(points):
            return False
        if not len(self._points):
            return True
        before, now = _ends(self._points), _ends(points)
        return float(np.abs(now - before).max()) > limit * min(
            float(np.linalg.norm(box[1] - box[0])) for box in (before, now)
        )


def _ends(points: np.ndarray) -> np.ndarray:
    return np.stack([points.min(0), points.max(0)])


def _span(layers: Collection[Layer | Extent]) -> np.ndarray:
    """Points (n, 3) that span what is visible, or everything where nothing is."""
    seen = [layer.extent() for layer in layers if layer.style.visible]
    parts = [part for part in seen or [layer.extent() for layer in layers] if len(part)]
    return np.concatenate(parts) if parts else np.zeros((0, 3))


def _turned(points: np.ndarray, up: np.ndarray, angle: float) -> np.ndarray:
    """Points turned about the upright through their middle."""
    centre = _ends(points).mean(0)
    local = points - centre
    along = np.outer(local @ up, up)
    return centre + along + (local - along) * np.cos(angle) + np.cross(up, local) * np.sin(angle)
