"""Photos of the corner of a room, papered with blots: flat, full of detail, and with cameras that are known exactly.

Three squares meet at the origin: the floor and two walls, of side 2, where x, y and z are from 0 to 2. Paper is noise
of several sizes, in three colours.
"""

from __future__ import annotations

import numpy as np

from engines.blocks.cameras import Camera, look_at
from engines.data import Photos

SIDE = 2.0
CELLS = (6, 13, 29, 61)
"""Blots along a side, of each size."""


def corner_photos(count: int, width: int, height: int, seed: int = 0) -> Photos:
    """``count`` photos from a quarter circle that looks into the corner, each with its camera."""
    rng = np.random.default_rng(seed)
    papers = [[rng.uniform(size=(cells + 1, cells + 1, 3)) for cells in CELLS] for _ in range(3)]
    cameras = []
    for i in range(count):
        angle = np.radians(15 + 60 * (i + 0.5) / count)
        eye = np.array([2.6 * np.cos(angle), 2.6 * np.sin(angle), 1.3 + 0.35 * np.sin(1.7 * i)])
        focal = 1.1 * width
        pose = look_at(eye, np.array([0.45, 0.45, 0.5]))
        cameras.append(Camera(pose, focal, focal, width / 2, height / 2, width, height))
    return Photos.of(
        [_photo(camera, papers) for camera in cameras],
        world_to_camera=np.stack([c.world_to_camera for c in cameras]),
        intrinsics=np.array([[c.fx, c.fy, c.cx, c.cy] for c in cameras]),
        names=tuple(f"corner {i + 1:02d}.png" for i in range(count)),
        name="Photos of a corner",
    )


def _photo(camera: Camera, papers: list[list[np.ndarray]]) -> np.ndarray:
    """(H, W, 3) uint8, grey outside of the room. One ray a pixel is enough: the smallest blots have several pixels."""
    rays, eye = camera.rays()[0], camera.centre
    colours = np.full(rays.shape, 0.5)
    nearest = np.full(rays.shape[:2], np.inf)
    for axis, paper in enumerate(papers):
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = -eye[axis] / rays[..., axis]
            places = np.delete(eye + reach[..., None] * rays, axis, axis=-1) / SIDE
        hit = (reach > 0) & (reach < nearest) & ((places >= 0) & (places <= 1)).all(-1)
        nearest[hit] = reach[hit]
        light = 1.0 - 0.12 * axis
        colours[hit] = light * np.mean([_blots(cells, places[hit]) for cells in paper], axis=0)
    return np.rint(255 * np.clip(0.5 + 1.9 * (colours - 0.5), 0, 1)).astype(np.uint8)


def _blots(cells: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N, 3) colours at places (N, 2) in [0, 1]², linear between the values (C + 1, C + 1, 3) at the corners."""
    at = places * (len(cells) - 1)
    low = np.minimum(at.astype(int), len(cells) - 2)
    u, v = (at - low).T[..., None]
    i, j = low.T
    along = cells[i, j] * (1 - u) + cells[i + 1, j] * u, cells[i, j + 1] * (1 - u) + cells[i + 1, j + 1] * u
    return along[0] * (1 - v) + along[1] * v
