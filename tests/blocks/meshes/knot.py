"""A knotted tube before cameras around it, made of numbers alone: it hides parts of itself in every view."""

from __future__ import annotations

import numpy as np
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.meshes.rasterising import camera_tensors, to_camera


def mesh(rings: int = 90, sides: int = 10, radius: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) of a closed tube along a (2, 3) torus knot, within 1.3 of the origin, and faces (F, 3)."""
    t = 2 * np.pi * np.arange(rings) / rings

    def line(t: np.ndarray) -> np.ndarray:
        r = 0.75 + 0.3 * np.cos(3 * t)
        return np.stack([r * np.cos(2 * t), r * np.sin(2 * t), 0.35 * np.sin(3 * t)], axis=-1)

    along = line(t + 1e-4) - line(t - 1e-4)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    a = 2 * np.pi * np.arange(sides) / sides
    around = np.cos(a)[:, None] * side[:, None] + np.sin(a)[:, None] * np.cross(along, side)[:, None]
    k, j = np.divmod(np.arange(rings * sides), sides)
    corner = [(k + dk) % rings * sides + (j + dj) % sides for dk, dj in ((0, 0), (1, 0), (1, 1), (0, 1))]
    faces = np.concatenate([np.stack([corner[0], corner[i], corner[i + 1]], axis=1) for i in (1, 2)])
    return (line(t)[:, None] + radius * around).reshape(-1, 3), faces.astype(np.int32)


def views(count: int, width: int, height: int, *, far: float = 3.0, device="cpu", **sizes):
    """Points (B, V, 3) in the frames of cameras ``far`` away, faces, intrinsics."""
    vertices, faces = mesh(**sizes)
    focal = 0.35 * far * min(width, height)
    cameras = [
        Camera(look_at([far * np.cos(a), far * np.sin(a), 0.3 * far], [0, 0, 0]), focal, 1.1 * focal, width / 2 + 1.3,
               height / 2 - 2.1, width, height)
        for a in 0.4 + 2 * np.pi * np.arange(count) / count
    ]  # fmt: skip
    poses, lenses = camera_tensors(cameras, device)
    points = to_camera(torch.tensor(vertices, dtype=torch.float32, device=device), poses)
    return points, torch.tensor(faces, device=device), lenses
