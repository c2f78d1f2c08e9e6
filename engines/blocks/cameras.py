"""Pinhole cameras in the OpenCV frame: x right, y down, z forward; the centre of the first pixel is (0.5, 0.5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pixel u = fx x / z + cx, v = fy y / z + cy sees the point (x, y, z) of the camera's frame.

    ``world_to_camera`` is (4, 4) float64, rigid; focal lengths and the principal point are in pixels.
    """

    world_to_camera: np.ndarray
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3), world to camera; its rows are the camera's axes."""
        return self.world_to_camera[:3, :3]

    @property
    def translation(self) -> np.ndarray:
        """(3,), world to camera."""
        return self.world_to_camera[:3, 3]

    @property
    def centre(self) -> np.ndarray:
        """(3,), in the world."""
        return -self.rotation.T @ self.translation

    @property
    def matrix(self) -> np.ndarray:
        """The calibration matrix K (3, 3)."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], dtype=np.float64)

    def resized(self, width: int, height: int) -> Camera:
        """The same view with another number of pixels; the half-pixel convention is kept."""
        x, y = width / self.width, height / self.height
        return replace(self, fx=self.fx * x, fy=self.fy * y, cx=self.cx * x, cy=self.cy * y, width=width, height=height)

    def pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) and depths (N,) of world points (N, 3)."""
        local = points @ self.rotation.T + self.translation
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = local[:, :2] / local[:, 2:] * [self.fx, self.fy] + [self.cx, self.cy]
        return pixels, local[:, 2]

    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """World directions (H, W, 3) of unit length through the pixels' centres, and the z (H, W) of one such step."""
        x = (np.arange(self.width) + 0.5 - self.cx) / self.fx
        y = (np.arange(self.height) + 0.5 - self.cy) / self.fy
        local = np.stack(np.broadcast_arrays(x[None, :], y[:, None], 1.0), axis=2)
        lengths = np.linalg.norm(local, axis=2)
        return local / lengths[..., None] @ self.rotation, 1 / lengths


def look_at(eye: np.ndarray, target: np.ndarray, up: np.ndarray = (0.0, 0.0, 1.0)) -> np.ndarray:
    """World-to-camera (4, 4) of a camera at ``eye`` that looks at ``target``, with ``up`` up in the picture."""
    eye, forward = np.asarray(eye, float), np.asarray(target, float) - np.asarray(eye, float)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, np.asarray(up, float))
    if np.linalg.norm(right) < 1e-9:  # looking along ``up``: any direction is as good
        right = np.cross(forward, np.roll(np.asarray(up, float), 1))
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    result = np.eye(4)
    result[:3, :3], result[:3, 3] = rotation, -rotation @ eye
    return result


def extent(cameras: list[Camera]) -> float:
    """1.1 times the largest distance of a camera from the mean of all (Kerbl et al. 2023); 0 if all coincide."""
    centres = np.stack([camera.centre for camera in cameras])
    return float(1.1 * np.linalg.norm(centres - centres.mean(0), axis=1).max())
