"""Between the camera of a 3D view (:class:`~app.viewers.camera.Pose`) and a pinhole camera.

``lens`` is the tangent of half the angle from bottom to top. The pose says what is seen at the focus and how large;
the lens says from how far away. So views with different lenses can be linked, and a flat picture is one from very far.
"""

from __future__ import annotations

import math

import numpy as np

from app.viewers.camera import VIEW_ANGLE, Pose
from engines.blocks.cameras import Camera

LENS = math.tan(math.radians(VIEW_ANGLE / 2))
"""Of every 3D view."""
FLAT = 0.005
"""Instead of an orthographic picture, which the rasteriser does not have."""


def camera_of(pose: Pose, width: int, height: int, lens: float = LENS) -> Camera:
    """The camera that sees what the pose says, in so many pixels."""
    tangent = FLAT if pose.parallel else lens
    eye = pose.focal + pose.back * (pose.half_height / tangent)
    rotation = np.stack([pose.right, -pose.up, -pose.back])
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = rotation, -rotation @ eye
    focal = height / 2 / tangent
    return Camera(matrix, focal, focal, width / 2, height / 2, width, height)


def pose_of(camera: Camera, depth: float) -> tuple[Pose, float]:
    """The pose that sees what a camera sees, turning about what lies ``depth`` before it; and its lens.

    A view that is wider than the photo shows the whole of it and more at the sides; pixels that are not square and
    a middle that is not the photo's are left out of account.
    """
    rotation = camera.rotation
    lens = camera.height / 2 / camera.fy
    back, up = -rotation[2], -rotation[1]
    focal = camera.centre + rotation[2] * depth
    pose = Pose(focal, back, up, depth * lens, False, focal)
    return pose.looking_from(back, up), lens


def seen_at(points: np.ndarray, pose: Pose, width: int, height: int, lens: float = LENS) -> np.ndarray:
    """(n, 3) world points to pixels x, y and depth; those behind the camera are far outside."""
    pixels, depths = camera_of(pose, width, height, lens).pixels(np.asarray(points, float).reshape(-1, 3))
    behind = depths <= 0
    pixels = np.where(behind[:, None] | ~np.isfinite(pixels), -1e6, pixels)
    return np.column_stack([pixels, depths])


def ray_at(
    x: float, y: float, pose: Pose, width: int, height: int, lens: float = LENS
) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) and unit direction (3,) of the line of sight through a pixel."""
    camera = camera_of(pose, width, height, lens)
    local = np.array([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0])
    direction = camera.rotation.T @ local
    return camera.centre, direction / np.linalg.norm(direction)


def between(a: Pose, b: Pose, share: float) -> Pose:
    """On the way from one pose to another: evenly turned and zoomed; ``share`` from 0 to 1."""
    from scipy.spatial.transform import Rotation, Slerp

    frames = np.stack([np.stack([p.right, p.up, p.back], 1) for p in (a, b)])
    turned = Slerp([0, 1], Rotation.from_matrix(frames))([share]).as_matrix()[0]
    half = a.half_height * (b.half_height / a.half_height) ** share
    # The focus moves as the size does, so that it stays on screen when the way is long and the zoom large.
    ratio = b.half_height / a.half_height
    moved = share if abs(ratio - 1) < 1e-6 else (ratio**share - 1) / (ratio - 1)
    focal = a.focal + (b.focal - a.focal) * moved
    return Pose(focal, turned[:, 2], turned[:, 1], half, b.parallel, b.pivot)
