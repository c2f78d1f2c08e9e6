"""Pictures that follow each other in time: colours, and depth."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from engines.core import Artifact, UserError, array


@dataclass(frozen=True, kw_only=True, eq=False)
class Video(Artifact):
    """T pictures of one size, each as an encoded file (PNG or JPEG): they are decoded when looked at."""

    title: ClassVar[str] = "Video"

    encoded: np.ndarray = array("B", "uint8", "the files, one after the other")
    starts: np.ndarray = array("S", "int64", "where each begins, and the end of the last")
    width: int
    height: int
    rate: float = 25.0
    """Pictures a second."""

    def validate(self) -> None:
        broken = len(self.starts) < 2 or (np.diff(self.starts) < 0).any() or self.starts[0] < 0
        if broken or self.starts[-1] > len(self.encoded):
            raise UserError("The list of pictures does not fit the video's data.", mend="Render the video again.")
        _check(self.width, self.height, self.rate)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def packed(cls, files: Sequence[bytes], width: int, height: int, rate: float, name: str = "") -> Video:
        """From the contents of image files."""
        starts = np.cumsum([0, *map(len, files)]).astype(np.int64)
        data = np.frombuffer(b"".join(files), np.uint8)
        return cls(encoded=data, starts=starts, width=width, height=height, rate=rate, name=name)

    def pixels(self, index: int) -> np.ndarray:
        """(height, width, 3) uint8. Raises :class:`UserError` when the picture is damaged."""
        from PIL import Image, UnidentifiedImageError

        data = self.encoded[self.starts[index] : self.starts[index + 1]].tobytes()
        try:
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                if image.size != (self.width, self.height):
                    raise ValueError(f"it has {image.size[0]}×{image.size[1]} pixels")
                return np.asarray(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise UserError(
                f"Picture {index + 1} of the video cannot be read.", f"{error}.", "Render the video again."
            ) from None

    def file(self, index: int) -> bytes:
        """The encoded picture."""
        return bytes(self.encoded[self.starts[index] : self.starts[index + 1]].tobytes())

    @property
    def seconds(self) -> float:
        return len(self) / self.rate

    def summary(self) -> str:
        return _summary(len(self), self.width, self.height, self.seconds)


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthVideo(Artifact):
    """T pictures of how far away is what is seen: along the camera's z axis, 0 where nothing is."""

    title: ClassVar[str] = "Depth video"

    depth: np.ndarray = array("T H W", "float32", "along z of the camera, 0 for nothing")
    rate: float = 25.0
    unit: str = ""

    def validate(self) -> None:
        if self.depth.size and self.depth.min() < 0:
            raise UserError("A depth is negative.", "What is seen lies before the camera.", "Render the video again.")
        if not len(self.depth):
            raise UserError("The depth video has no picture.", mend="Render it again.")
        _check(self.depth.shape[2], self.depth.shape[1], self.rate)

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def width(self) -> int:
        return int(self.depth.shape[2])

    @property
    def height(self) -> int:
        return int(self.depth.shape[1])

    @property
    def seconds(self) -> float:
        return len(self) / self.rate

    @property
    def range(self) -> tuple[float, float]:
        """The nearest and the farthest depth that there is; (0, 0) if there is none."""
        near, far = np.inf, 0.0
        for picture in self.depth:  # no copy of all of it
            seen = picture[picture > 0]
            if seen.size:
                near, far = min(near, float(seen.min())), max(far, float(seen.max()))
        return (near, far) if far else (0.0, 0.0)

    def summary(self) -> str:
        return _summary(len(self), self.width, self.height, self.seconds)


def _check(width: int, height: int, rate: float) -> None:
    if not (1 <= width <= 16_384 and 1 <= height <= 16_384 and 0 < rate <= 1000):
        raise UserError(
            f"A video of {width}×{height} pixels, {rate:g} pictures a second, cannot be.",
            "Sides go up to 16,384 pixels, rates up to 1,000 a second.",
            "Render it again with another size or rate.",
        )


def _summary(count: int, width: int, height: int, seconds: float) -> str:
    return f"{count:,} picture{'s' if count != 1 else ''}, {width}×{height} pixels, {seconds:.3g} s"
