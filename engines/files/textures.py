"""What the formats with textures share: pictures from files, and several of them in one.

A mesh here has one picture. Where a file has more, they are put one above the other, each with a rim of its own
outermost pixels, so that a lookup between pixels stays in its picture; faces without a picture get a pixel of their
colour.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.data.photos import MOST_PIXELS
from engines.files import guard

WHITE = (1.0, 1.0, 1.0)
TALLEST = 65_536
"""Pixels along a side of the picture that several are joined to."""


@dataclass(frozen=True)
class Material:
    """A colour, RGB in [0, 1], and a picture (H, W, 3 or 4) uint8 if it has one."""

    colour: tuple[float, ...] = WHITE
    picture: np.ndarray | None = None

    @property
    def tile(self) -> np.ndarray:
        """(H, W, 4) uint8: the picture, or a pixel of the colour."""
        if self.picture is None:
            rgb = np.clip(np.nan_to_num(np.array(self.colour[:3], float)), 0, 1)
            return np.append(np.rint(255 * rgb), 255).astype(np.uint8).reshape(1, 1, 4)
        if self.picture.shape[2] == 4:
            return self.picture
        return np.concatenate([self.picture, np.full((*self.picture.shape[:2], 1), 255, np.uint8)], axis=2)


def picture_of(path: Path, data: bytes, what: str) -> np.ndarray:
    """(H, W, 3 or 4) uint8 from the bytes of a PNG or JPEG file that ``path`` names. Raises UserError."""
    import PIL.Image

    with guard.foreign(path, "texture"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MOST_PIXELS:
                size = f"{image.width:,}×{image.height:,}"
                raise guard.refuse(path, f"has a texture '{what[:60]}' that is too large.", f"It has {size} pixels.")
            guard.room(path, 8 * image.width * image.height)
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            return np.array(image.convert("RGBA" if has_alpha else "RGB"))


def png_bytes(picture: np.ndarray) -> bytes:
    """A PNG file of (H, W, 3 or 4) uint8."""
    import PIL.Image

    mode = "RGB" if picture.shape[2] == 3 else "RGBA"
    made = PIL.Image.frombytes(mode, (picture.shape[1], picture.shape[0]), np.ascontiguousarray(picture).tobytes())
    out = io.BytesIO()
    made.save(out, "PNG", compress_level=6)
    return out.getvalue()


def joined(
    materials: Sequence[Material], of_face: np.ndarray, uv: np.ndarray, problems: list[str]
) -> tuple[np.ndarray, np.ndarray] | None:
    """(F, 3, 2) places and one picture for faces whose materials have the numbers (F,) and whose own places are ``uv``.

    None if no face has a picture. What cannot be kept is added to ``problems``.
    """
    used = np.unique(of_face).tolist()
    if all(materials[i].picture is None for i in used):
        return None
    good = np.isfinite(uv).all((1, 2)) & (np.abs(uv).max((1, 2), initial=0) < 1e6)
    if not good.all():
        problems.append(f"{int((~good).sum()):,} faces have no proper place in the texture; they got its corner.")
        uv = np.where(good[:, None, None], uv, 0)
    if len(used) == 1:
        picture = materials[used[0]].picture
        assert picture is not None
        return uv.astype(np.float32), picture
    tiles = [np.pad(materials[i].tile, ((1, 1), (1, 1), (0, 0)), mode="edge") for i in used]
    width, height = max(tile.shape[1] for tile in tiles), sum(tile.shape[0] for tile in tiles)
    if max(width, height) > TALLEST or width * height > MOST_PIXELS:
        problems.append(f"{len(tiles)} textures were left out: together they would have {width:,}×{height:,} pixels.")
        return None
    place = np.searchsorted(used, of_face)
    # A repeating picture that a face shows in one piece can be shown from its first copy.
    inner = uv - np.floor(uv.min(1, keepdims=True) + 1e-4)
    across = (inner > 1 + 1e-3).any((1, 2)) & np.array([materials[i].picture is not None for i in used])[place]
    if across.any():
        problems.append(f"{int(across.sum()):,} faces show a texture more than once; they were cut to one copy.")
    inner = inner.clip(0, 1)
    tops = np.cumsum([0, *(tile.shape[0] for tile in tiles[:-1])])
    sizes = np.array([[tile.shape[1] - 2, tile.shape[0] - 2] for tile in tiles])[place]
    x = 1 + inner[..., 0] * sizes[:, :1]
    y = tops[place][:, None] + 1 + (1 - inner[..., 1]) * sizes[:, 1:]
    whole = np.full((height, width, 4), 255, np.uint8)
    for top, tile in zip(tops, tiles, strict=True):
        whole[top : top + tile.shape[0], : tile.shape[1]] = tile
    problems.append(f"{len(tiles)} materials were joined in one texture.")
    picture = whole if (whole[..., 3] < 255).any() else np.ascontiguousarray(whole[..., :3])
    return np.stack([x / width, 1 - y / height], axis=2).astype(np.float32), picture
