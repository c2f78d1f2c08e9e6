"""Pictures of solids given by a formula, with exact depth: sphere tracing (Hart 1996) and Lambert's law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.blocks.analytic_shapes import Solid
from engines.blocks.cameras import Camera

LIGHT = np.array([0.45, -0.35, 0.82]) / np.linalg.norm([0.45, -0.35, 0.82])
AMBIENT = 0.45


@dataclass(frozen=True)
class Table:
    """A round table top z = ``height`` of a radius, drawn where it is seen from above."""

    height: float
    radius: float


@dataclass(frozen=True)
class Scene:
    """A solid whose value is at most the distance to its surface, painted, and perhaps a table below it."""

    solid: Solid
    table: Table | None = None


@dataclass(frozen=True)
class Picture:
    pixels: np.ndarray  # (H, W, 4) uint8, RGBA; transparent where nothing was hit
    depth: np.ndarray  # (H, W) z in the camera's frame, infinite where nothing was hit


def paint(points: np.ndarray) -> np.ndarray:
    """(N, 3) RGB in [0, 1] of a solid's surface at (N, 3) points: bands and a chequer, the same from everywhere."""
    x, y, z = points.T
    waves = np.stack([np.cos(7 * x + 2 * y), np.cos(6 * y - 3 * z + 1), np.cos(8 * z + 5 * x + 2)], axis=1)
    chequer = np.tanh(4 * np.sin(9 * x) * np.sin(9 * y) * np.cos(9 * z))[:, None]
    return np.clip(0.58 + 0.22 * waves + 0.12 * chequer, 0, 1)


def table_paint(points: np.ndarray) -> np.ndarray:
    """(N, 3) RGB of the table at (N, 3) points."""
    grid = np.tanh(5 * np.sin(7 * points[:, 0]) * np.sin(7 * points[:, 1]))[:, None]
    return np.array([0.72, 0.66, 0.58]) + grid * np.array([0.12, 0.12, 0.14])


def lit(colours: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) colours under one distant light and light from everywhere."""
    return colours * (AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1))[:, None]


def trace(
    scene: Scene, camera: Camera, *, oversampling: int = 2, steps: int = 128, check: Callable[[], object] = lambda: None
) -> Picture:
    """What the camera sees, ``oversampling`` rays along each side of a pixel; depth is that of the nearest of them."""
    fine = camera.resized(camera.width * oversampling, camera.height * oversampling)
    directions, z_per_step = fine.rays()
    directions, eye = directions.reshape(-1, 3), camera.centre
    far = float(np.linalg.norm(eye - scene.solid.bounds.mean(0)) + np.linalg.norm(np.ptp(scene.solid.bounds, axis=0)))
    along, hit = np.zeros(len(directions)), np.zeros(len(directions), bool)
    going = np.arange(len(directions))
    for _ in range(steps):
        check()
        value = scene.solid.value(eye + along[going, None] * directions[going])
        hit[going[value < 1e-5]] = True
        along[going] += np.maximum(value, 0)
        going = going[(value >= 1e-5) & (along[going] < far)]
        if not len(going):
            break
    along[~hit] = np.inf
    colours = np.zeros((len(directions), 3))
    points = eye + along[hit, None] * directions[hit]
    normals = scene.solid.gradient(points)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    colours[hit] = lit(paint(points), normals)
    if scene.table is not None:
        _add_table(scene.table, eye, directions, along, colours)
    shape = (camera.height, oversampling, camera.width, oversampling)
    covered = np.isfinite(along).reshape(shape).mean((1, 3))
    rgb = colours.reshape(*shape, 3).sum((1, 3)) / np.maximum(covered[..., None] * oversampling**2, 1e-9)
    rgba = np.concatenate([np.clip(rgb, 0, 1), covered[..., None]], axis=2)
    depth = (along * z_per_step.ravel()).reshape(shape).min((1, 3))
    return Picture(np.rint(255 * rgba).astype(np.uint8), depth)


def _add_table(table: Table, eye: np.ndarray, directions: np.ndarray, along: np.ndarray, colours: np.ndarray) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        to_table = (table.height - eye[2]) / directions[:, 2]
        points = eye + to_table[:, None] * directions
        seen = (to_table > 0) & (to_table < along) & (directions[:, 2] < 0)
        seen &= np.hypot(points[:, 0], points[:, 1]) < table.radius
    along[seen] = to_table[seen]
    colours[seen] = lit(table_paint(points[seen]), np.broadcast_to([0.0, 0.0, 1.0], (int(seen.sum()), 3)))
