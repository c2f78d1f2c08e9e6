"""Rays against a triangle mesh, in single precision (Embree through Open3D), and pictures of a mesh made with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from engines.blocks.cameras import Camera
from engines.data import Mesh

AT_ONCE = 1 << 17
"""Rays of one call: it holds the interpreter, and cannot be stopped."""
APART = 1e-4
"""Nearer hits than this do not count as in the way, in diagonals of the mesh."""


class Hits(NamedTuple):
    """Where rays meet the mesh first."""

    along: np.ndarray  # (N,) float64 in lengths of the ray's direction, infinite where nothing is met
    faces: np.ndarray  # (N,) int64, -1 where nothing is met
    weights: np.ndarray  # (N, 3) float64 barycentric coordinates in the face


class RayCaster:
    """Answers questions of rays about one mesh: vertices (V, 3) and faces (F, 3).

    The mesh is moved to the origin and scaled to a diagonal of 1 first, for the sake of single precision.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, check: Callable[[], object] = lambda: None) -> None:
        import open3d as o3d

        self.check = check
        low, high = vertices.min(0), vertices.max(0)
        self.centre, self.size = (low + high) / 2, float(np.linalg.norm(high - low)) or 1.0
        self._tensor = o3d.core.Tensor.from_numpy
        self._scene = o3d.t.geometry.RaycastingScene()
        placed = ((vertices - self.centre) / self.size).astype(np.float32)
        self._scene.add_triangles(self._tensor(placed), self._tensor(np.ascontiguousarray(faces, np.uint32)))

    def _rays(self, starts: np.ndarray, ways: np.ndarray) -> np.ndarray:
        """(N, 6) float32 from starts (N, 3) or (3,) along ways (N, 3)."""
        rays = np.empty((len(ways), 6), np.float32)
        rays[:, :3] = (starts - self.centre) / self.size
        rays[:, 3:] = ways / self.size
        return rays

    def first(self, starts: np.ndarray, ways: np.ndarray) -> Hits:
        """What rays from (N, 3), or all from (3,), along (N, 3) meet first, from either side."""
        along, faces, places = [], [], []
        for begin in range(0, len(ways), AT_ONCE):
            self.check()
            part = slice(begin, begin + AT_ONCE)
            rays = self._rays(starts if starts.ndim == 1 else starts[part], ways[part])
            found = self._scene.cast_rays(self._tensor(rays))
            along.append(found["t_hit"].numpy())
            faces.append(found["primitive_ids"].numpy())
            places.append(found["primitive_uvs"].numpy())
        t = np.concatenate(along).astype(np.float64) if along else np.zeros(0)
        numbers = np.concatenate(faces).astype(np.int64) if faces else np.zeros(0, np.int64)
        second = np.concatenate(places).astype(np.float64) if places else np.zeros((0, 2))
        numbers[~np.isfinite(t)] = -1
        return Hits(t, numbers, np.column_stack([1 - second.sum(1), second]))

    def blocked(self, eye: np.ndarray, ways: np.ndarray) -> np.ndarray:
        """(N,) bool: whether something of the mesh lies between the eye (3,) and what is (N, 3) away from it.

        What is nearer to the end than ``APART`` does not count: an end on the mesh has its own faces around it.
        """
        result = np.zeros(len(ways), bool)
        lengths = np.sqrt(np.einsum("nk,nk->n", ways, ways))
        ends = 1 - APART * self.size / np.maximum(lengths, 1e-30)
        for begin in range(0, len(ways), AT_ONCE):
            self.check()
            part = slice(begin, begin + AT_ONCE)
            rays = self._tensor(self._rays(eye, ways[part] * ends[part, None]))
            result[part] = self._scene.test_occlusions(rays, 0.0, 1.0).numpy()
        return result

    def depth(self, camera: Camera) -> np.ndarray:
        """(H, W) z at the centres of a camera's pixels, infinite where it does not see the mesh."""
        ways, z_per_step = camera.rays()
        along = self.first(camera.centre, ways.reshape(-1, 3)).along
        return np.asarray(along.reshape(z_per_step.shape) * z_per_step)


def mesh_picture(mesh: Mesh, caster: RayCaster, camera: Camera, *, oversampling: int = 2) -> np.ndarray:
    """(H, W, 4) float32 RGBA in [0, 1]: the mesh in its own colours, unlit; those of its texture if it has one.

    ``oversampling`` rays along each side of a pixel; where none meets the mesh, the pixel is transparent.
    """
    fine = camera.resized(camera.width * oversampling, camera.height * oversampling)
    ways, _ = fine.rays()
    hits = caster.first(camera.centre, ways.reshape(-1, 3))
    met = hits.faces >= 0
    faces, weights = hits.faces[met], hits.weights[met]
    if mesh.uv is not None:
        colours = mesh.texture_at(np.einsum("nk,nkd->nd", weights, mesh.uv[faces]))[:, :3]
    elif mesh.colors is not None:
        colours = np.einsum("nk,nkd->nd", weights, mesh.colors[mesh.faces[faces], :3])
    else:
        colours = np.full((len(faces), 3), 127.5)
    rgba = np.zeros((len(met), 4), np.float32)
    rgba[met, :3], rgba[met, 3] = colours / 255, 1
    shape = (camera.height, oversampling, camera.width, oversampling, 4)
    sums = rgba.reshape(shape).sum((1, 3))
    sums[..., :3] /= np.maximum(sums[..., 3:], 1e-9)
    sums[..., 3] /= oversampling**2
    return sums
