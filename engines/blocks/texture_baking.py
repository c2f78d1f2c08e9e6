"""A texture for a mesh from pictures with known cameras.

The colour of a texel, a point p on a triangle with normal n, is the mean over the cameras c that see p of the picture's
colour where p is seen, with the weight

    w = cos(theta)^k,    cos(theta) = n . (c - p) / |c - p|

A camera sees p if the triangle faces it, p lies in its picture, and no part of the mesh is between them (a ray from the
camera tells). The four pixels around the place of p are mixed bilinearly; those that show another part of the mesh, by
their depth, or the background, by their alpha, do not count, so that edges of what is in front leave no mark.

Texels that no camera sees take the colour of the nearest one that is seen on their triangle, or else the mean colours
of the nearest triangles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from engines.blocks.cameras import Camera
from engines.blocks.mesh_topology import face_normals
from engines.blocks.ray_casting import RayCaster
from engines.blocks.texture_atlas import Atlas
from engines.core import UserError

POINTS = 1 << 17
"""Texels looked at in one go."""
FLATTEST = 0.1
"""Cosines below which a triangle is seen too much from the side."""
SHARPNESS = 2.0
"""k, the power of the cosine."""
SLACK = 1.0
"""A pixel shows the same surface if its depth differs by no more than so many pixels' worth of the triangle's slope."""


@dataclass(frozen=True)
class Baked:
    """``colours`` (F, T, 3) float32 from 0 to 255 of the atlas's texels; ``seen`` (F, T): whether a camera saw it; and
    ``opacity`` (F,) from 0 to 1: the mean alpha of the pictures where they show a face, 1 for those never shown."""

    colours: np.ndarray
    seen: np.ndarray
    opacity: np.ndarray


def bake(
    vertices: np.ndarray,
    faces: np.ndarray,
    atlas: Atlas,
    cameras: Sequence[Camera],
    picture: Callable[[int], np.ndarray],
    steps: Iterable[int],
    check: Callable[[], object] = lambda: None,
) -> Baked:
    """Colours for every texel of a mesh: vertices (V, 3), faces (F, 3).

    ``picture(i)`` is what camera i shows, (H, W, 3) or (H, W, 4) in [0, 1]; it is asked for once, for each i of
    ``steps``, and may have more or fewer pixels than the camera says. Raises :class:`UserError` if nothing is seen.
    """
    corners = vertices[atlas.corners(faces)]
    weights, normals = atlas.weights, face_normals(vertices, faces)
    caster = RayCaster(vertices, faces, check)
    sums = np.zeros((len(faces), len(weights), 4), np.float32)
    looks = np.zeros(len(faces))
    chunk = max(1, POINTS // len(weights))
    for number in steps:
        pixels = np.asarray(picture(number), np.float32)
        camera = cameras[number].resized(pixels.shape[1], pixels.shape[0])
        depth = caster.depth(camera)
        facing = np.flatnonzero(((camera.centre - corners[:, 0]) * normals).sum(1) > 0)
        for begin in range(0, len(facing), chunk):
            check()
            chosen = facing[begin : begin + chunk]
            sights = sights_of(corners[chosen], normals[chosen], weights, camera)
            seen = np.flatnonzero(visible(sights, camera, caster))
            sights = sights.only(seen)
            part = np.zeros((len(chosen) * len(weights), 5), np.float32)
            share = sights.cosines**SHARPNESS
            part[seen] = share[:, None] * looked_up(sights, camera, pixels, depth)
            part = part.reshape(len(chosen), -1, 5)
            sums[chosen] += part[..., :4]
            looks[chosen] += part[..., 4].sum(1)
    good = sums[..., 3] > 1e-6
    if not good.any():
        raise UserError(
            "No camera sees the mesh.",
            f"{len(cameras)} cameras look, but it is out of their pictures, or turns its inside to them.",
            "Check that mesh and cameras belong together, and which way its triangles turn.",
        )
    colours = 255 * sums[..., :3] / np.maximum(sums[..., 3:], 1e-12)
    opacity = np.where(looks > 1e-6, sums[..., 3].sum(1) / np.maximum(looks, 1e-6), 1.0)
    return Baked(filled(colours, good, corners, atlas, check), good, opacity.clip(0, 1))


class Sights(NamedTuple):
    """What a camera has to do with N points of a mesh."""

    ways: np.ndarray  # (N, 3) from the camera to the point
    x: np.ndarray  # (N,) where it would be seen, in pixels
    y: np.ndarray
    z: np.ndarray  # (N,) in the camera's frame
    cosines: np.ndarray  # (N,) between the triangle's normal and the way to the camera

    def only(self, chosen: np.ndarray) -> Sights:
        return Sights(*(values[chosen] for values in self))


def sights_of(corners: np.ndarray, normals: np.ndarray, weights: np.ndarray, camera: Camera) -> Sights:
    """Of the points with barycentric coordinates (T, 3) in triangles (F, 3, 3) with normals (F, 3), N = F T.

    Ways to corners, and their homogeneous pixels, are linear in the weights: the points themselves are not needed.
    """
    ways = corners - camera.centre
    homogeneous = ways @ (camera.matrix @ camera.rotation).T
    across, down, z = (homogeneous[..., k] @ weights.T for k in range(3))
    inner = np.stack([(ways[..., k] @ weights.T).ravel() for k in range(3)], axis=1)
    lengths = np.sqrt(np.einsum("nk,nk->n", inner, inner)).reshape(z.shape)
    facing = -(ways[:, 0] * normals).sum(1)  # the same for all points of a plane
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y, cosines = across / z, down / z, facing[:, None] / np.maximum(lengths, 1e-30)
    return Sights(inner, x.ravel(), y.ravel(), z.ravel(), cosines.ravel())


def visible(sights: Sights, camera: Camera, caster: RayCaster) -> np.ndarray:
    """(N,) bool: which points of the caster's mesh a camera sees."""
    x, y = sights.x, sights.y
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (y >= 0) & (x <= camera.width) & (y <= camera.height)
    inside &= (sights.z > 0) & (sights.cosines > FLATTEST)
    some = np.flatnonzero(inside)
    inside[some] = ~caster.blocked(camera.centre, sights.ways[some])
    return np.asarray(inside)


def looked_up(sights: Sights, camera: Camera, pixels: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(N, 5) float32 of a picture (H, W, 3 or 4) at points that are seen: RGB times alpha, alpha, and 1, each times how
    much of the place is theirs, from 0 to 1. ``depth`` (H, W) is the mesh's z at the pixels' centres.
    """
    x, y = sights.x - 0.5, sights.y - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    slope = np.sqrt(1 - np.minimum(sights.cosines, 1) ** 2) / sights.cosines
    slack = SLACK * sights.z / min(camera.fx, camera.fy) * (1 + slope)
    made = np.ones((*pixels.shape[:2], 5), np.float32)
    made[..., : pixels.shape[2]] = pixels
    made[..., :3] *= made[..., 3:4]
    flat, distances = made.reshape(-1, 5), depth.reshape(-1)
    result = np.zeros((len(x), 5), np.float32)
    for right in (0, 1):
        for down in (0, 1):
            at = (top + down).clip(0, camera.height - 1) * camera.width + (left + right).clip(0, camera.width - 1)
            share = (1 - np.abs(x - left - right)) * (1 - np.abs(y - top - down))
            share *= np.abs(distances[at] - sights.z) <= slack
            result += share.astype(np.float32)[:, None] * flat[at]
    return result


def filled(
    colours: np.ndarray, seen: np.ndarray, corners: np.ndarray, atlas: Atlas, check: Callable[[], object]
) -> np.ndarray:
    """``colours`` (F, T, 3) with those of texels not ``seen`` (F, T) taken from near them; ``corners`` (F, 3, 3)."""
    colours = colours.copy()
    some = seen.any(1)
    partly = np.flatnonzero(some & ~seen.all(1))
    apart = ((atlas.pixels[:, None] - atlas.pixels[None]) ** 2).sum(2).astype(np.float32)  # (T, T)
    chunk = max(1, 4 * POINTS // apart.size)
    for begin in range(0, len(partly), chunk):
        check()
        chosen = partly[begin : begin + chunk]
        nearest = np.where(seen[chosen][:, None, :], apart, np.inf).argmin(2)
        colours[chosen] = np.take_along_axis(colours[chosen], nearest[..., None], axis=1)
    without = np.flatnonzero(~some)
    if len(without):
        with_colours = np.flatnonzero(some)
        mean = colours[with_colours].mean(1)
        tree = cKDTree(corners[with_colours].mean(1))
        count = min(4, len(with_colours))
        chunk = max(1, POINTS // len(atlas.weights))
        for begin in range(0, len(without), chunk):
            check()
            chosen = without[begin : begin + chunk]
            far, which = tree.query((atlas.weights @ corners[chosen]).reshape(-1, 3), k=[*range(1, count + 1)])
            near = 1 / np.maximum(far, 1e-12)
            blended = (mean[which] * (near / near.sum(1, keepdims=True))[..., None]).sum(1)
            colours[chosen] = blended.reshape(len(chosen), -1, 3)
    return colours
