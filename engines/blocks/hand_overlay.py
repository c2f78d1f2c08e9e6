"""The template of a capture, posed into a photo: whether cameras and poses are right is seen before any training."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from scipy.ndimage import binary_dilation, binary_erosion

from engines.blocks.meshes.normals import VertexNormals
from engines.blocks.meshes.rasterising import interpolate, rasterise, to_camera
from engines.blocks.meshes.skinning import joint_transforms, posed_joints, skin
from engines.data import HandCapture

How = Literal["surface", "outline", "none"]


def posed(capture: HandCapture, frame: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices (V, 3) and joints (J, 3) of the template in the world, in m, in the pose of a frame."""
    template, poses = capture.template, capture.poses.for_joints(capture.template.joint_names)
    rest, weights, joints, turns = (
        torch.from_numpy(np.array(a, np.float64))
        for a in (template.vertices, template.weights, template.joints, poses.rotations[frame])
    )
    moves = joint_transforms(turns, joints, template.parents)
    scale, shift = float(poses.scales[frame]), torch.from_numpy(np.array(poses.translations[frame]))
    return scale * skin(rest, weights, moves) + shift, scale * posed_joints(moves, joints) + shift


def overlay(
    capture: HandCapture,
    photo: int,
    how: How = "surface",
    color: tuple[int, int, int] = (0, 114, 178),
    most: int = 1024,
) -> np.ndarray:
    """(H, W, 3) uint8: a photo with the posed template over it, at most ``most`` pixels along a side.

    ``surface`` is shaded and see-through, with its outline; ``outline`` that alone. Raises :class:`UserError` for a
    damaged photo.
    """
    import PIL.Image

    pixels = capture.photos.pixels(photo)
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    picture.thumbnail((most, most))
    found = np.array(picture)
    if how == "none":
        return found
    height, width = found.shape[:2]
    size = np.array([width / pixels.shape[1], height / pixels.shape[0]])
    intrinsics = torch.from_numpy(capture.photos.intrinsics[photo] * np.tile(size, 2))[None]
    camera = torch.from_numpy(capture.photos.world_to_camera[photo : photo + 1].astype(np.float32))
    vertices = posed(capture, int(capture.frame[photo]))[0].to(torch.float32)
    faces = torch.from_numpy(np.array(capture.template.faces))
    points = to_camera(vertices, camera)
    fragments = rasterise(points, faces, intrinsics, width, height)
    inside = fragments.mask[0].numpy()
    if how == "surface":
        normals = VertexNormals(capture.template.faces, len(vertices))(points[0])
        facing = interpolate(normals, faces, fragments)[0, ..., 2].abs().numpy()
        shaded = np.float32(color) * (0.35 + 0.65 * facing[..., None])
        found[inside] = (0.45 * found[inside] + 0.55 * shaded[inside]).astype(np.uint8)
    thick = max(1, round(max(width, height) / 400))
    edge = binary_dilation(inside, iterations=thick) & ~binary_erosion(inside, iterations=thick)
    found[edge] = color
    return found


def seen(capture: HandCapture, photo: int) -> float:
    """The part of the vertices that falls into a photo."""
    points = posed(capture, int(capture.frame[photo]))[0].numpy()
    matrix = capture.photos.world_to_camera[photo]
    local = points @ matrix[:3, :3].T + matrix[:3, 3]
    front = local[:, 2] > 1e-9
    fx, fy, cx, cy = capture.photos.intrinsics[photo]
    depth = np.where(front, local[:, 2], 1)
    x, y = fx * local[:, 0] / depth + cx, fy * local[:, 1] / depth + cy
    width, height = capture.photos.sizes[photo]
    return float((front & (x >= 0) & (x < width) & (y >= 0) & (y < height)).mean())
