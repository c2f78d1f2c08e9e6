"""Videos: MP4 (H.264) and GIF, or one picture after the other as PNG with a small index in JSON.

The index of ``clip.frames.json`` names the pictures in the folder ``clip_frames`` and how many belong to a second. That
of depth, ``clip.depth.json``, also says what the grey levels of its 16-bit pictures are: the depth along the camera's
z axis is the level times ``scale``, in ``unit``; level 0 is nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.core import Param, Params, UserError
from engines.data import DepthVideo, Video
from engines.files.registry import NoOptions, writer

LEVELS = 65_535


class Film:
    """An MP4 or GIF file that takes pictures one by one; by its ending it is known which.

    ``quality`` from 1 to 10 is of MP4. H.264 stores colours for blocks of 2 by 2 pixels, so an odd last row or column
    is left out of it. GIF counts time in hundredths of a second.
    """

    def __init__(self, path: Path, rate: float, quality: int = 8) -> None:
        import imageio

        self._even = path.suffix.lower() != ".gif"
        self._out: Any
        if self._even:
            self._out = imageio.get_writer(path, fps=rate, codec="libx264", quality=quality, macro_block_size=2)
        else:
            self._out = imageio.get_writer(path, mode="I", duration=1000 / rate, loop=0)

    def add(self, pixels: np.ndarray) -> None:
        """(H, W, 3) uint8, all of one size."""
        if self._even:
            height, width = (max(2, side // 2 * 2) for side in pixels.shape[:2])
            grown = np.pad(pixels, [(0, max(0, 2 - n)) for n in pixels.shape[:2]] + [(0, 0)], mode="edge")
            pixels = np.ascontiguousarray(grown[:height, :width])
        self._out.append_data(pixels)

    def close(self) -> None:
        self._out.close()

    def abandon(self) -> None:
        """Close a file that is being thrown away."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            self._out.close()


class Mp4Options(Params):
    quality: int = Param(8, ge=1, le=10, help="Of the pictures: 5 is small, 10 is large")


class GifOptions(Params):
    width: int = Param(640, ge=16, le=4096, unit="pixels", help="Wider pictures are made as small as this")


@writer(key="mp4", title="MP4 video", extensions=(".mp4",), takes=(Video,), options=Mp4Options)
def write_mp4(video: Video, path: Path, options: Mp4Options) -> None:
    _write(video, path, Film(path, video.rate, options.quality), 0)


@writer(key="gif", title="GIF animation", extensions=(".gif",), takes=(Video,), options=GifOptions)
def write_gif(video: Video, path: Path, options: GifOptions) -> None:
    _write(video, path, Film(path, video.rate), options.width)


def _write(video: Video, path: Path, film: Film, most_wide: int) -> None:
    import PIL.Image

    try:
        for index in range(len(video)):
            pixels = video.pixels(index)
            if most_wide and video.width > most_wide:
                size = (most_wide, max(1, round(video.height * most_wide / video.width)))
                pixels = np.asarray(PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.LANCZOS))
            film.add(pixels)
        film.close()
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"'{path.name}' cannot be written.", f"The encoder says: {error}"[:300], "Choose another format."
        ) from error
    finally:
        film.abandon()


@writer(
    key="frames", title="PNG pictures, numbered", extensions=(".frames.json",), takes=(Video,), folder=True,
    also="The pictures go to a folder of their own beside the file.",
)  # fmt: skip
def write_frames(video: Video, path: Path, options: NoOptions) -> None:
    """The pictures as they are; those stored as JPEG keep that form."""
    folder, files = _folder(path, "frames"), []
    for index in range(len(video)):
        data = video.file(index)
        name = f"{index + 1:05d}.{'png' if data.startswith(bytes([137]) + b'PNG') else 'jpg'}"
        (folder / name).write_bytes(data)
        files.append(f"{folder.name}/{name}")
    _index(path, "video", video, files)


class DepthOptions(Params):
    scale: Literal["fine", "millimetres"] = Param(
        "fine", help="What a grey level stands for: the farthest depth over 65,535, or a thousandth of the unit"
    )


@writer(
    key="depth-frames",
    title="16-bit PNG pictures of depth, numbered",
    extensions=(".depth.json",),
    takes=(DepthVideo,),
    options=DepthOptions,
    folder=True,
    also="The pictures go to a folder of their own beside the file.",
)
def write_depth(video: DepthVideo, path: Path, options: DepthOptions) -> None:
    import PIL.Image

    far = video.range[1]
    scale = 1e-3 if options.scale == "millimetres" else (far / LEVELS or 1.0)
    if far / scale > LEVELS * (1 + 1e-6):
        raise UserError(
            f"Depths go up to {far:.4g}, and 16 bits count to {LEVELS * scale:g} in thousandths.",
            "What lies beyond could not be told apart.",
            "Choose the scale 'fine'.",
        )
    folder, files = _folder(path, "depth"), []
    for index, depth in enumerate(video.depth, 1):
        levels = np.rint(depth.astype(np.float64) / scale).clip(0, LEVELS)
        levels[(depth > 0) & (levels == 0)] = 1  # near is not nothing
        out = io.BytesIO()
        PIL.Image.fromarray(levels.astype(np.uint16)).save(out, "PNG")
        name = f"{index:05d}.png"
        (folder / name).write_bytes(out.getvalue())
        files.append(f"{folder.name}/{name}")
    _index(path, "depth along z of the camera", video, files, scale=scale, unit=video.unit, nothing=0)


def _folder(path: Path, word: str) -> Path:
    folder = path.parent / f"{path.name.split('.')[0]}_{word}"
    folder.mkdir()
    return folder


def _index(path: Path, holds: str, video: Video | DepthVideo, files: list[str], **more: Any) -> None:
    document = {"holds": holds, "width": video.width, "height": video.height, "rate": video.rate, **more}
    path.write_text(json.dumps({**document, "files": files}, indent=1), encoding="utf-8")
