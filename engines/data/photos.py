"""Photos: as files alone, and with known cameras."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from engines.core import Artifact, UserError, array

MOST_PIXELS = 200_000_000
"""A photo with more is refused: it would fill the memory when it is decoded."""


class PhotoSet(Artifact, abstract=True):
    """N photos as the encoded files (PNG or JPEG), with cameras or without: they are decoded when looked at.

    What both kinds share; their fields are declared by each, in the order that their hashes have.
    """

    title: ClassVar[str] = "Photo set"

    encoded: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    names: tuple[str, ...]

    def validate(self) -> None:
        count = len(self.sizes)
        if len(self.starts) != count + 1 or (np.diff(self.starts) < 0).any() or self.starts[-1] > len(self.encoded):
            raise UserError("The list of photos does not fit its data.", mend="Import the photos again.")
        if count and (self.sizes.min() < 1 or self.sizes.prod(1).max() > MOST_PIXELS):
            raise UserError(
                "A photo is empty or larger than 200 megapixels.", mend="Scale the photos down, then import them."
            )

    def __len__(self) -> int:
        return len(self.sizes)

    @classmethod
    def of(cls, images: Sequence[np.ndarray], **fields: object) -> Self:
        """From pixels (H, W, 3) or (H, W, 4) uint8, kept as PNG; the other fields as they are."""
        from PIL import Image

        files = []
        for pixels in images:
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG", compress_level=3)
            files.append(buffer.getvalue())
        sizes = np.array([[p.shape[1], p.shape[0]] for p in images], np.int64).reshape(-1, 2)
        return cls.packed(files, sizes=sizes, **fields)

    @classmethod
    def packed(cls, files: Sequence[bytes], **fields: object) -> Self:
        """From the contents of image files."""
        starts = np.cumsum([0, *map(len, files)]).astype(np.int64)
        given: dict[str, Any] = {"encoded": np.frombuffer(b"".join(files), np.uint8), "starts": starts, **fields}
        return cls(**given)

    def pixels(self, index: int) -> np.ndarray:
        """(H, W, 3) or (H, W, 4) uint8. Raises :class:`UserError` when the file is damaged."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(self.file(index)), formats=("PNG", "JPEG")) as image:
                if image.size != tuple(self.sizes[index]):
                    raise ValueError(f"it has {image.size[0]}×{image.size[1]} pixels")
                has_alpha = "A" in image.getbands() or "transparency" in image.info
                return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise UserError(
                f"The photo {self.label(index)} cannot be read.", f"{error}.", "Import the photos again."
            ) from None

    def file(self, index: int) -> bytes:
        """The content of a photo's file."""
        return self.encoded[self.starts[index] : self.starts[index + 1]].tobytes()

    def label(self, index: int) -> str:
        """What to call a photo on screen."""
        return self.names[index] if index < len(self.names) else f"photo {index + 1}"

    def name_for(self, what: str) -> str:
        """What to call a thing made of them: "Splats of a ring" or, from photos called "Castle", "Castle, splats"."""
        if not self.name:
            return what
        if self.name.startswith("Photos of "):
            return self.name.replace("Photos", what, 1)
        return f"{self.name}, {what[0].lower()}{what[1:]}"

    def summary(self) -> str:
        sizes = {(int(w), int(h)) for w, h in self.sizes}
        size = "{}×{} pixels".format(*sizes.pop()) if len(sizes) == 1 else "mixed sizes"
        return f"{len(self):,} photos, {size}"


@dataclass(frozen=True, kw_only=True, eq=False)
class UnposedPhotos(PhotoSet):
    """N photos and nothing else. What a camera wrote into its files (EXIF) stays in them."""

    title: ClassVar[str] = "Photos without cameras"

    encoded: np.ndarray = array("B", "uint8", "the files, one after the other")
    starts: np.ndarray = array("S", "int64", "where each begins, and the end of the last")
    sizes: np.ndarray = array("N 2", "int64", "width, height", unit="pixels")
    names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Photos(PhotoSet):
    """N photos, each with a pinhole camera.

    Cameras follow OpenCV: x right, y down, z forward; the centre of the first pixel is (0.5, 0.5). ``intrinsics``
    are fx, fy, cx, cy in pixels. A photo's alpha channel, if it has one, says what belongs to the subject.
    """

    title: ClassVar[str] = "Photos"

    encoded: np.ndarray = array("B", "uint8", "the files, one after the other")
    starts: np.ndarray = array("S", "int64", "where each begins, and the end of the last")
    world_to_camera: np.ndarray = array("N 4 4", "float64", "rigid")
    intrinsics: np.ndarray = array("N 4", "float64", "fx, fy, cx, cy", unit="pixels")
    sizes: np.ndarray = array("N 2", "int64", "width, height", unit="pixels")
    held_out: np.ndarray = array("N", "bool", "not to be trained on", optional=True)
    points: np.ndarray | None = array("P 3", "float64", "known points of the scene", optional=True)
    point_colors: np.ndarray | None = array("P 3", "uint8", "their RGB", optional=True)
    names: tuple[str, ...] = ()
    unit: str = ""

    def validate(self) -> None:
        super().validate()
        count = len(self)
        if count and not (self.intrinsics[:, :2] > 0).all():
            raise UserError(
                "A camera has a focal length that is not positive.",
                "Such a camera sees nothing.",
                "Calibrate the cameras again.",
            )
        turned = self.world_to_camera[:, :3, :3]
        off = np.abs(turned.transpose(0, 2, 1) @ turned - np.eye(3)).max((1, 2)) if count else np.zeros(0)
        if (off > 1e-3).any() or (count and (np.linalg.det(turned) < 0).any()):
            raise UserError(
                f"The pose of photo {int(np.argmax(off))} is not rigid.",
                "A camera can be turned and moved, not sheared, scaled or mirrored.",
                "Check how the poses were written.",
            )

    @property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner of the cameras and the points."""
        centres = -np.einsum("nji,nj->ni", self.world_to_camera[:, :3, :3], self.world_to_camera[:, :3, 3])
        every = centres if self.points is None else np.concatenate([centres, self.points])
        return np.stack([every.min(0), every.max(0)])

    def summary(self) -> str:
        points = f"; {len(self.points):,} points" if self.points is not None else ""
        return f"{super().summary()}{points}"
