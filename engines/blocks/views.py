"""Photos as a trainer wants them: scaled, on the device, with their cameras, and some kept back to measure on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engines.blocks.cameras import Camera
from engines.data import Photos

KEPT_BYTES = 2_000_000_000
"""Decoded photos are kept up to this much; more are decoded each time."""


def camera_of(photos: Photos, index: int, scale: float = 1.0) -> Camera:
    """The camera of a photo whose sides are multiplied by ``scale``."""
    fx, fy, cx, cy = photos.intrinsics[index]
    width, height = (int(n) for n in photos.sizes[index])
    camera = Camera(photos.world_to_camera[index], float(fx), float(fy), float(cx), float(cy), width, height)
    if scale == 1:
        return camera
    return camera.resized(max(1, round(width * scale)), max(1, round(height * scale)))


@dataclass(frozen=True)
class View:
    """One photo: colours (3, H, W) in [0, 1] and, if it has one, its alpha (H, W)."""

    camera: Camera
    colours: Tensor
    alpha: Tensor | None

    def over(self, background: Tensor) -> Tensor:
        """(3, H, W) on a background (3,): rgb * a + bg * (1 - a), in the values as stored."""
        if self.alpha is None:
            return self.colours
        return self.colours * self.alpha + background[:, None, None] * (1 - self.alpha)


class Views:
    """The photos of a set by number."""

    def __init__(self, photos: Photos, scale: float, device: torch.device) -> None:
        self.photos, self.scale, self.device = photos, scale, device
        self.cameras = [camera_of(photos, i, scale) for i in range(len(photos))]
        self._kept: dict[int, Tensor] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.cameras)

    def __getitem__(self, index: int) -> View:
        pixels = self._kept.get(index)
        if pixels is None:
            pixels = self._decode(index)
            if self._bytes + pixels.numel() <= KEPT_BYTES:
                self._kept[index], self._bytes = pixels, self._bytes + pixels.numel()
        values = pixels.float() / 255
        return View(self.cameras[index], values[:3], values[3] if len(values) == 4 else None)

    def _decode(self, index: int) -> Tensor:
        pixels = torch.from_numpy(self.photos.pixels(index).copy()).permute(2, 0, 1)
        camera = self.cameras[index]
        if pixels.shape[1:] != (camera.height, camera.width):
            values = pixels.float()
            if len(values) == 4:  # what is transparent must not colour its neighbours
                values[:3] *= values[3:] / 255
            size = (camera.height, camera.width)
            values = torch.nn.functional.interpolate(values[None], size=size, mode="area")[0]
            if len(values) == 4:
                values[:3] *= 255 / values[3:].clamp_min(1e-3)
            pixels = values.round().clamp(0, 255).to(torch.uint8)
        return pixels.contiguous().to(self.device)

    @property
    def has_alpha(self) -> bool:
        return any(self[i].alpha is not None for i in range(min(len(self), 3)))


def held_out(photos: Photos, every: int) -> np.ndarray:
    """(N,) bool: what the dataset says, else every ``every``-th photo from the first on (0: none)."""
    if photos.held_out is not None and photos.held_out.any():
        return np.asarray(photos.held_out)
    return (np.arange(len(photos)) % every == 0) if every else np.zeros(len(photos), bool)
