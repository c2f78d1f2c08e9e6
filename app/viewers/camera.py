"""Where a 3D view looks from, and the moves of navigation, as plain mathematics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

VIEW_ANGLE = 30.0  # degrees from bottom to top of the view
_TAN = math.tan(math.radians(VIEW_ANGLE / 2))

STANDARD_VIEWS: tuple[tuple[str, tuple[float, float, float], tuple[float, float, float]], ...] = (
    ("Front", (0, -1, 0), (0, 0, 1)),
    ("Back", (0, 1, 0), (0, 0, 1)),
    ("Right", (1, 0, 0), (0, 0, 1)),
    ("Left", (-1, 0, 0), (0, 0, 1)),
    ("Top", (0, 0, 1), (0, 1, 0)),
    ("Bottom", (0, 0, -1), (0, 1, 0)),
)
"""Title, direction from the focus to the camera, and up: keys 1 to 6."""


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / (np.linalg.norm(vector) or 1.0)


def _rotate(vector: np.ndarray, axis: np.ndarray, angle: float) -> np.ndarray:
    """Rodrigues' formula; ``angle`` in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return vector * cos + np.cross(axis, vector) * sin + axis * float(axis @ vector) * (1 - cos)


def _centred(x: np.ndarray, depth: np.ndarray, low: float, high: float) -> float:
    """Where to look from along one axis, so that what is seen leaves as much room at one side as at the other."""
    at, middle = 0.0, (low + high) / 2
    for _ in range(12):
        seen = (x - at) / depth
        at += (float(seen.max() + seen.min()) / 2 - middle) * float(depth.mean())
    return at


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera. ``focal`` (3,) is looked at from the direction ``back`` (3, unit); ``half_height`` is half
    of what the view's height spans at the focus, in world units, so that perspective and orthographic
    views show the focus at the same size.
    """

    focal: np.ndarray
    back: np.ndarray
    up: np.ndarray
    half_height: float
    parallel: bool = False
    pivot: np.ndarray | None = None
    """(3,) What to turn about, while it is in view; else, and for None, the focus."""

    @property
    def distance(self) -> float:
        return self.half_height / _TAN

    @property
    def position(self) -> np.ndarray:
        return self.focal + self.back * self.distance

    @property
    def right(self) -> np.ndarray:
        return np.cross(self.up, self.back)

    def same_as(self, other: Pose) -> bool:
        """Equal but for rounding: what ends the echo between linked cameras."""
        size = max(self.half_height, 1e-300)
        return (
            self.parallel == other.parallel
            and abs(self.half_height - other.half_height) < 1e-9 * size
            and bool(np.abs(self.focal - other.focal).max() < 1e-9 * size)
            and bool(np.abs(self.back - other.back).max() < 1e-9)
            and bool(np.abs(self.up - other.up).max() < 1e-9)
        )

    def orbited(self, right: float, up: float) -> Pose:
        """Turn about the pivot by angles in radians, as if the object were dragged."""
        back = _rotate(self.back, self.up, -right)
        side = _unit(np.cross(self.up, back))
        back = _unit(_rotate(back, side, up))
        turned = replace(self, back=back, up=_unit(np.cross(back, side)))
        about = self.turning_point
        local = [float((self.focal - about) @ axis) for axis in (self.right, self.up, self.back)]
        focal = about + turned.right * local[0] + turned.up * local[1] + turned.back * local[2]
        return replace(turned, focal=focal)

    @property
    def turning_point(self) -> np.ndarray:
        """(3,) The pivot; the focus where the pivot has been zoomed or panned out of view."""
        if self.pivot is None:
            return self.focal
        aside = self.pivot - self.focal
        seen = max(abs(float(aside @ self.right)), abs(float(aside @ self.up))) <= self.half_height
        return self.pivot if seen else self.focal

    def rolled(self, angle: float) -> Pose:
        return replace(self, up=_unit(_rotate(self.up, self.back, angle)))

    def panned(self, right: float, up: float) -> Pose:
        """Shift by fractions of half the view's height."""
        return replace(self, focal=self.focal - (self.right * right + self.up * up) * self.half_height)

    def zoomed(self, factor: float, right: float = 0.0, up: float = 0.0) -> Pose:
        """Magnify; the point at (right, up), in half heights from the middle, stays where it is."""
        shift = (self.right * right + self.up * up) * self.half_height * (1 - 1 / factor)
        return replace(self, focal=self.focal + shift, half_height=max(self.half_height / factor, 1e-12))

    def project(self, points: Any, width: float, height: float) -> np.ndarray:
        """(n, 3) world points to (n, 3): pixels x and y in a view of this size, and depth from the camera."""
        local = np.asarray(points, float).reshape(-1, 3) - self.focal
        right, up, back = local @ self.right, local @ self.up, local @ self.back
        depth = self.distance - back
        shrink = 1.0 if self.parallel else self.distance / np.maximum(depth, 1e-9 * self.distance)
        scale = shrink * (height / 2) / self.half_height
        return np.stack([width / 2 + right * scale, height / 2 - up * scale, depth], axis=1)

    def ray(self, x: float, y: float, width: float, height: float) -> tuple[np.ndarray, np.ndarray]:
        """Origin (3,) and unit direction (3,) of the line of sight through a pixel."""
        half = max(height / 2, 1.0)
        on_focus = self.focal + (self.right * (x - width / 2) + self.up * (half - y)) / half * self.half_height
        if self.parallel:
            return on_focus + self.back * self.distance, -self.back
        direction = on_focus - self.position
        return self.position, direction / np.linalg.norm(direction)

    def looking_from(self, back: Any, up: Any) -> Pose:
        back = _unit(np.asarray(back, float))
        up = np.asarray(up, float)
        return replace(self, back=back, up=_unit(up - back * float(up @ back)))

    def framing(
        self, points: np.ndarray, aspect: float = 1.0, free: tuple[float, float, float, float] | None = None
    ) -> Pose:
        """The same direction, with these points (n, 3) as large as they can be in the middle of the view.

        ``free`` is the part of the view to fill: left, right, bottom, top, in half heights from its middle.
        """
        left, rightmost, bottom, top = free or (-aspect, aspect, -1.0, 1.0)
        margin = 0.05 * min(rightmost - left, top - bottom)
        sides = ((left + margin, rightmost - margin), (bottom + margin, top - margin))
        centre = (points.min(0) + points.max(0)) / 2
        local = points - centre
        flat, toward = (local @ self.right, local @ self.up), local @ self.back
        if self.parallel:
            half = max(float(np.ptp(x)) / (high - low) for x, (low, high) in zip(flat, sides, strict=True))
            half = max(half, 1e-9)
            at = [(x.max() + x.min() - half * (low + high)) / 2 for x, (low, high) in zip(flat, sides, strict=True)]
        else:
            # A point is seen at (x - at) / (distance - toward), which has to lie between the tangents of both sides.
            tangents = [(_TAN * low, _TAN * high) for low, high in sides]
            needed = [
                float((x + high * toward).max() - (x + low * toward).min()) / (high - low)
                for x, (low, high) in zip(flat, tangents, strict=True)
            ]
            distance = max(*needed, float(toward.max()) * 1.01, 1e-9 / _TAN)
            half = distance * _TAN
            at = [_centred(x, distance - toward, *ends) for x, ends in zip(flat, tangents, strict=True)]
        right, up = (x if abs(x) > 0.004 * half else 0.0 for x in at)  # less is not seen
        focal = centre + self.right * right + self.up * up
        return replace(self, focal=focal, half_height=half, pivot=centre)

    def to_json(self) -> dict[str, Any]:
        return {
            "focal": self.focal.tolist(),
            "back": self.back.tolist(),
            "up": self.up.tolist(),
            "half_height": float(self.half_height),
            "parallel": bool(self.parallel),
            "pivot": None if self.pivot is None else self.pivot.tolist(),
        }

    @staticmethod
    def from_json(data: Any) -> Pose | None:
        """The pose that :meth:`to_json` gave, or None for anything else."""
        try:
            focal, back, up = (np.array(data[k], float).reshape(3) for k in ("focal", "back", "up"))
            half = float(data["half_height"])
            pivot = None if data.get("pivot") is None else np.array(data["pivot"], float).reshape(3)
            pose = Pose(focal, _unit(back), up, half, bool(data.get("parallel", False)), pivot)
        except (TypeError, KeyError, ValueError, AttributeError):
            return None
        sound = (
            np.isfinite([*focal, *back, *up, half, *(() if pivot is None else pivot)]).all()
            and half > 0
            and np.linalg.norm(np.cross(up, back)) > 1e-6
        )
        return pose.looking_from(back, up) if sound else None


DEFAULT = Pose(np.zeros(3), np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0]), 1.0).orbited(-0.6, -0.42)
