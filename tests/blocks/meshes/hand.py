"""The open hand, bent, before cameras around it."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np
import torch

from engines.blocks.cameras import Camera, look_at
from engines.blocks.meshes.rasterising import camera_tensors, to_camera

HAND = Path(__file__).parents[3] / "assets" / "templates" / "generic-hand" / "right.glb"


@functools.cache
def mesh(levels: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float64 in metres, bent so that fingers hide each other, and faces (F, 3) int32."""
    import trimesh

    found = trimesh.load(HAND, process=False).to_geometry()
    found.merge_vertices(merge_tex=True, merge_norm=True)
    if levels:
        found = found.subdivide_loop(levels)
    x, y, z = np.asarray(found.vertices, float).T
    turn = np.clip(-z - 0.02, 0, None) * 30 - 0.5
    bent = np.stack([x, y * np.cos(turn) - z * np.sin(turn), y * np.sin(turn) + z * np.cos(turn)], axis=1)
    return bent, np.asarray(found.faces, np.int32)


def cameras(count: int, width: int, height: int) -> list[Camera]:
    """Around the hand, fx != fy, the principal point off the middle."""
    centre, far, focal = mesh()[0].mean(0), 0.45, 2.2 * min(width, height)
    angles = [0.3 + 2 * math.pi * k / count for k in range(count)]
    eyes = [centre + far * np.array([math.cos(a), 0.3, math.sin(a)]) for a in angles]
    return [
        Camera(look_at(eye, centre, [0, 1, 0]), focal, 1.1 * focal, width / 2 + 1.3, height / 2 - 2.1, width, height)
        for eye in eyes
    ]


def views(levels: int, count: int, width: int, height: int, dtype=torch.float32):
    """Points (B, V, 3) in the cameras' frames, faces, intrinsics."""
    vertices, faces = mesh(levels)
    poses, lenses = camera_tensors(cameras(count, width, height), dtype=dtype)
    return to_camera(torch.tensor(vertices, dtype=dtype), poses), torch.tensor(faces), lenses
