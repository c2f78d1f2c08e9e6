"""Images: PNG and JPEG."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

from engines.core import Param, Params
from engines.data import Image
from engines.files import guard
from engines.files.registry import Loaded, NoOptions, reader, writer

MOST_PIXELS = 200_000_000
CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class ImageReadOptions(Params):
    grey: bool = Param(False, help="Convert to grey")


@reader(key="image", title="Image", extensions=(".png", ".jpg", ".jpeg"), gives=(Image,), options=ImageReadOptions)
def read_image(path: Path, options: ImageReadOptions) -> Loaded:
    import PIL.Image
    import PIL.ImageOps

    raw = guard.read_bytes(path, 1 << 30)
    with guard.foreign(path, "PNG or JPEG"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with PIL.Image.open(io.BytesIO(raw), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > MOST_PIXELS:
                size = f"{image.width:,}×{image.height:,}"
                raise guard.refuse(path, "is too large.", f"It has {size} pixels; 200 million are read.", "Reduce it.")
            upright = PIL.ImageOps.exif_transpose(image)
            pixels = _pixels(upright.convert("L") if options.grey and not upright.mode.startswith("I") else upright)
    return Loaded((Image(name=path.stem, pixels=pixels),))


def _pixels(image: object) -> np.ndarray:
    """(H, W, C) uint8, or float32 in [0, 1] where the file has 16 bits."""
    mode = image.mode  # type: ignore[attr-defined]
    if mode.startswith("I"):
        return (np.asarray(image).astype(np.float32) / 65535.0).clip(0, 1)[..., None]
    if mode in ("P", "PA"):
        mode = "RGBA" if "transparency" in image.info or mode == "PA" else "RGB"  # type: ignore[attr-defined]
    elif mode == "1":
        mode = "L"
    elif mode not in CHANNELS.values():
        mode = "RGB"
    pixels = np.array(image.convert(mode))  # type: ignore[attr-defined]
    return pixels[..., None] if pixels.ndim == 2 else pixels


@writer(key="image", title="PNG image", extensions=(".png",), takes=(Image,))
def write_image(image: Image, path: Path, options: NoOptions) -> None:
    """Float pixels are rounded to 8 bits."""
    import PIL.Image

    pixels = image.pixels
    if pixels.dtype != np.uint8:
        pixels = (pixels.astype(np.float64).clip(0, 1) * 255).round().astype(np.uint8)
    mode = CHANNELS[pixels.shape[2]]
    flat = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    out = io.BytesIO()
    PIL.Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), flat.tobytes()).save(out, "PNG")
    path.write_bytes(out.getvalue())
