"""Camera paths made from a scene: once around it, or past the cameras of photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engines.blocks.cameras import Camera, look_at
from engines.data import CameraPath

SWEEPS = 60
"""More rounds of improvement of a tour are not made."""


def circle(middle: np.ndarray, up: np.ndarray, distance: float, elevation: float, count: int) -> np.ndarray:
    """World-to-camera (count, 4, 4), evenly around ``middle`` and looking at it; ``elevation`` in degrees."""
    up = np.asarray(up, float) / np.linalg.norm(up)
    side = np.roll(up, 1) if np.abs(up).max() > 0.999 else np.eye(3)[np.argmin(np.abs(up))]
    side = side - up * float(side @ up)
    side /= np.linalg.norm(side)
    across, tilt = np.cross(up, side), np.radians(elevation)
    found = []
    for angle in 2 * np.pi * np.arange(count) / count:
        flat = np.cos(angle) * side + np.sin(angle) * across
        eye = middle + distance * (np.cos(tilt) * flat + np.sin(tilt) * up)
        found.append(look_at(eye, middle, up))
    return np.stack(found)


def orbit(
    middle: np.ndarray,
    up: np.ndarray,
    distance: float,
    elevation: float,
    seconds: float,
    field_of_view: float,
    count: int = 24,
    **fields: Any,
) -> CameraPath:
    """Once around in ``seconds``, closed and evenly fast. Angles in degrees; the other fields as they are."""
    return CameraPath(
        world_to_camera=circle(middle, up, distance, elevation, count),
        times=np.arange(count) * seconds / count,
        fields_of_view=np.full(count, field_of_view),
        seconds=seconds,
        closed=True,
        even_speed=True,
        **fields,
    )


def middle_of(cameras: Sequence[Camera]) -> np.ndarray | None:
    """(3,) The point nearest to all lines of sight (least squares); None where they run side by side."""
    axes = np.stack([camera.rotation[2] for camera in cameras])
    centres = np.stack([camera.centre for camera in cameras])
    off_axis = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    total = off_axis.sum(0)
    if np.linalg.eigvalsh(total)[0] < 1e-3 * len(cameras):
        return None
    found = np.linalg.solve(total, np.einsum("nij,nj->i", off_axis, centres))
    ahead = ((found - centres) * axes).sum(1)
    return found if np.median(ahead) > 0 else None  # else they look away from each other


def up_of(cameras: Sequence[Camera]) -> np.ndarray:
    """(3,) What is up in the scene: that to which the sides of all pictures are level, if it can be told; else what
    is up in the middle of all pictures; z where that is nothing."""
    mean = -np.stack([camera.rotation[1] for camera in cameras]).mean(0)
    sides = np.stack([camera.rotation[0] for camera in cameras])
    spread, axes = np.linalg.eigh(sides.T @ sides / len(cameras))
    if spread[1] > 0.05 and spread[0] < 0.2 * spread[1] and abs(axes[:, 0] @ mean) > 0.1:
        return np.asarray(axes[:, 0] * np.sign(axes[:, 0] @ mean))
    length = float(np.linalg.norm(mean))
    return mean / length if length > 0.1 else np.array([0.0, 0.0, 1.0])


def around(cameras: Sequence[Camera], middle: np.ndarray, up: np.ndarray) -> tuple[float, float, float]:
    """How cameras stand about a point: their distance (median), elevation (median, degrees), and the widest gap
    between neighbours around ``up`` (degrees, 360 for one camera)."""
    aside = np.stack([camera.centre for camera in cameras]) - middle
    high = aside @ up
    flat = aside - high[:, None] * up
    distance = float(np.median(np.linalg.norm(aside, axis=1)))
    elevation = float(np.degrees(np.median(np.arctan2(high, np.linalg.norm(flat, axis=1)))))
    side = np.eye(3)[np.argmin(np.abs(up))]
    side = side - up * float(side @ up)
    angles = np.sort(np.degrees(np.arctan2(flat @ np.cross(up, side), flat @ side)))
    gaps = np.diff(np.append(angles, angles[0] + 360))
    return distance, elevation, float(gaps.max())


def field_of_view(camera: Camera) -> float:
    """Degrees, from the bottom to the top of the picture."""
    return float(np.degrees(2 * np.arctan(camera.height / 2 / camera.fy)))


def shortest_order(points: np.ndarray, closed: bool) -> np.ndarray:
    """(N,) an order of points (N, D) in which the way past all of them is short: nearest neighbour, then 2-opt.

    It cannot be shortened by turning round any part of it; the very shortest it need not be.
    """
    count = len(points)
    if count < 3:
        return np.arange(count)
    away = np.linalg.norm(points[:, None] - points[None], axis=2)
    if not closed:  # a place that is near to all makes a round trip of an open way
        away = np.pad(away, ((0, 1), (0, 1)))
    total = len(away)
    order = [total - 1]
    left = np.ones(total, bool)
    left[order[0]] = False
    if not closed:  # from the point that is farthest out
        order.append(int(np.linalg.norm(points - points.mean(0), axis=1).argmax()))
        left[order[1]] = False
    while left.any():
        candidates = np.flatnonzero(left)
        order.append(int(candidates[away[order[-1], candidates].argmin()]))
        left[order[-1]] = False
    tour = _untangled(np.array(order), away)
    if not closed:
        tour = np.roll(tour, -int(np.flatnonzero(tour == count)[0]))[1:]
        return tour if tour[0] < tour[-1] else tour[::-1]
    tour = np.roll(tour, -int(np.flatnonzero(tour == 0)[0]))
    return tour if tour[1] < tour[-1] else np.append(tour[:1], tour[:0:-1])


def _untangled(tour: np.ndarray, away: np.ndarray) -> np.ndarray:
    count = len(tour)
    for _ in range(SWEEPS):
        better = False
        for i in range(count - 2):
            a, b = tour[i], tour[i + 1]
            c, d = tour[i + 2 :], np.append(tour[i + 3 :], tour[0])
            gains = away[a, b] + away[c, d] - away[a, c] - away[b, d]
            best = int(gains.argmax())
            if gains[best] > 1e-9 * (1 + away[a, b]):
                j = i + 2 + best
                tour[i + 1 : j + 1] = tour[i + 1 : j + 1][::-1]
                better = True
        if not better:
            break
    return tour


def tour(cameras: Sequence[Camera], seconds: float, *, shortest: bool, closed: bool, **fields: Any) -> CameraPath:
    """Past cameras, in their order or on a short way; evenly fast. Each keeps its own field of view."""
    centres = np.stack([camera.centre for camera in cameras])
    order = shortest_order(centres, closed) if shortest else np.arange(len(cameras))
    count = len(order)
    legs = count if closed else max(count - 1, 1)
    return CameraPath(
        world_to_camera=np.stack([cameras[i].world_to_camera for i in order]),
        times=np.arange(count) * seconds / legs,
        fields_of_view=np.array([np.clip(field_of_view(cameras[i]), 0.1, 170) for i in order]),
        seconds=seconds,
        closed=closed and count > 1,
        even_speed=True,
        **fields,
    )
