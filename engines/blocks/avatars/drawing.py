"""Pictures of a posed surface: which points the pixels show, with normals, colours and codes, and their shading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engines.blocks.cameras import Camera
from engines.blocks.meshes.antialiasing import Edges
from engines.blocks.meshes.rasterising import (
    Fragments,
    antialias,
    camera_tensors,
    interpolate,
    rasterise,
    to_camera,
)
from engines.blocks.meshes.shading import harmonics


@dataclass(frozen=True)
class Posed:
    """A surface of N vertices in one pose, in the world's frame."""

    vertices: Tensor  # (N, 3) in m
    normals: Tensor  # (N, 3) of unit length
    albedo: Tensor  # (N, 3) in [0, 1], red, green, blue
    codes: Tensor  # (N, K) what the neural renderer is told of each vertex
    displacement: Tensor  # (N, 3) at rest, in m
    weights: Tensor  # (N, J)
    pose: Tensor  # (3 J,) axis-angle of the joints, in radians


@dataclass(frozen=True)
class Cameras:
    """B cameras that make pictures of one size."""

    world_to_camera: Tensor  # (B, 4, 4)
    lenses: Tensor  # (B, 4) float64: fx, fy, cx, cy in pixels
    width: int
    height: int

    @classmethod
    def of(cls, cameras: Sequence[Camera], device: torch.device | str) -> Cameras:
        return cls(*camera_tensors(cameras, device), cameras[0].width, cameras[0].height)

    def __getitem__(self, some: Sequence[int]) -> Cameras:
        return replace(self, world_to_camera=self.world_to_camera[some], lenses=self.lenses[some])

    def views(self, pixels: Tensor) -> Tensor:
        """(P,) the camera of each of these pixels, numbered through all pictures."""
        return torch.div(pixels, self.width * self.height, rounding_mode="floor")

    def rays(self, pixels: Tensor) -> Tensor:
        """(P, 3) unit directions in the world through the centres of these pixels."""
        view, within = self.views(pixels), pixels % (self.width * self.height)
        row = torch.div(within, self.width, rounding_mode="floor")
        at = torch.stack([within % self.width, row], dim=1).to(self.lenses) + 0.5
        lens = self.lenses[view]
        away = torch.cat([(at - lens[:, 2:]) / lens[:, :2], torch.ones_like(at[:, :1])], dim=1)
        turned = self.world_to_camera[:, :3, :3].to(self.lenses)[view].mT @ away[..., None]
        return normalize(turned[..., 0], dim=1).to(self.world_to_camera)


@dataclass(frozen=True)
class Shown:
    """What B pictures show of a surface; the P pixels are those where it is."""

    cameras: Cameras
    faces: Tensor
    edges: Edges
    fragments: Fragments
    places: Tensor  # (B, N, 3) the vertices in the cameras' frames
    pixels: Tensor  # (P,)
    normals: Tensor  # (P, 3)
    albedo: Tensor  # (P, 3)

    def shaded(self, gammas: Tensor) -> Tensor:
        """(P, 3) Lambertian colours under gammas (B, 9, 3), one light for each camera (see :mod:`.meshes.shading`)."""
        basis = harmonics(self.normals)
        if len(gammas) == 1:
            light = basis @ gammas[0]
        else:
            counts = torch.bincount(self.cameras.views(self.pixels), minlength=len(gammas)).tolist()
            parts = [b @ gamma for b, gamma in zip(basis.split(counts), gammas, strict=True)]
            light = torch.cat(parts)
        return (self.albedo * light).clamp(0, 1)

    def picture(self, colours: Tensor, smooth: bool = True) -> Tensor:
        """(B, H, W, 4) with colours (P, 3) on black, and how much of a pixel is covered: its edges are antialiased."""
        there = torch.cat([colours, torch.ones_like(colours[:, :1])], dim=1)
        image = self.fragments.picture(there, self.pixels)
        if not smooth:
            return image
        return antialias(
            image, self.fragments, self.places, self.faces, self.cameras.lenses, edges=self.edges
        )  # fmt: skip

    def at(self, vertices: Tensor) -> Tensor:
        """(P, C) what vertices (N, C) carry, at the pixels; differentiable by it, but not by where the vertices are."""
        plain = replace(self.fragments, barycentrics=self.fragments.barycentrics.detach())
        return interpolate(vertices, self.faces, plain, self.pixels)

    def of_pixels(self, image: Tensor) -> Tensor:
        """(P, C) of images (B, H, W, C)."""
        return image.flatten(0, 2)[self.pixels]


def show(posed: Posed, faces: Tensor, edges: Edges, cameras: Cameras) -> Shown:
    """Draw a posed surface with triangles (F, 3); differentiable by vertices, normals and albedo."""
    places = to_camera(posed.vertices, cameras.world_to_camera)
    fragments = rasterise(places, faces, cameras.lenses, cameras.width, cameras.height)
    pixels = fragments.covered()
    normals, albedo = interpolate(
        torch.cat([posed.normals, posed.albedo], dim=1), faces, fragments, pixels
    ).split(3, dim=1)  # fmt: skip
    return Shown(cameras, faces, edges, fragments, places, pixels, normalize(normals, dim=1), albedo)
