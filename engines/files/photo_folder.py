"""A folder of photos without cameras: PNG and JPEG as they came from the camera, in the order of their names."""

from __future__ import annotations

import io
import re
from pathlib import Path

from engines.core import Param, Params
from engines.data import UnposedPhotos
from engines.files import guard
from engines.files.photoset import MOST_PHOTOS, brief, decoded, each, some
from engines.files.registry import Loaded, Tell, reader, silent

ENDINGS = (".png", ".jpg", ".jpeg")
OTHERS = (".heic", ".heif", ".tif", ".tiff", ".bmp", ".webp", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf")
"""Kinds of photos that are not read, which is said."""
ORIENTATION, FOCAL_35, EXIF = 0x0112, 0xA405, 0x8769
"""Tags of EXIF."""


class PhotoFolderOptions(Params):
    only: str = Param("", help="Names of the photos to take, with ';' between them; all if empty", advanced=True)


@reader(
    key="photo-folder",
    title="Folder of photos",
    extensions=(),
    gives=(UnposedPhotos,),
    options=PhotoFolderOptions,
    names=tuple(f"*{ending}" for ending in ENDINGS),
    within=("", "images"),
    whole_folder=True,
)
def read_photo_folder(path: Path, options: PhotoFolderOptions, tell: Tell = silent) -> Loaded:
    """Photos that a camera held on its side stored lying are turned upright."""
    problems: list[str] = []
    files = _files(path, options.only, problems)
    guard.room(path, sum(f.stat().st_size for f in files))
    found = list(zip(files, each(_upright, files, tell, "Reading photos"), strict=True))
    bad = [f"{file.name} ({trouble})" for file, (_, _, trouble, _) in found if trouble]
    if bad:
        problems.append(f"{len(bad):,} of {len(files):,} photos cannot be read and were left out: {some(bad)}.")
    good = [(file, data, size) for file, (data, size, trouble, _) in found if not trouble]
    if not good:
        raise guard.refuse(path, "holds no photo that can be read.", brief(problems[-1:]), "Copy the photos again.")
    turned = sum(turn for _, (_, _, _, turn) in found)
    if turned:
        problems.append(f"{turned:,} of {len(good):,} photos were turned upright, as their camera says.")
    if len({size for _, _, size in good}) > 1:
        problems.append(f"The photos have {len({size for _, _, size in good})} different sizes.")
    photos = UnposedPhotos.packed(
        [data for _, data, _ in good],
        name=path.resolve().name,
        sizes=[size for _, _, size in good],
        names=tuple(file.name for file, _, _ in good),
    )
    return Loaded((photos,), tuple(problems), tuple(file for file, _, _ in good))


def photo_files(folder: Path) -> list[Path]:
    """The photos in a folder, or else in its folder ``images``, as a person would count them (2 before 10)."""
    for place in (folder, folder / "images"):
        if place.is_dir():
            found = [f for f in place.iterdir() if f.suffix.lower() in ENDINGS and not f.name.startswith(".")]
            if found := [f for f in found if f.is_file()]:
                return sorted(found, key=lambda f: _natural(f.name))
    return []


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", name)] + [
        (0, name)
    ]


def _files(path: Path, only: str, problems: list[str]) -> list[Path]:
    files = photo_files(path)
    wanted = [name.strip() for name in only.split(";") if name.strip()]
    if wanted:
        there = {f.name for f in files}
        lost = [name for name in wanted if name not in there]
        if lost:
            problems.append(f"{len(lost):,} of {len(wanted):,} photos are missing: {some(lost)}.")
        files = [f for f in files if f.name in set(wanted)]
    elif files:
        others = sorted(f.name for f in files[0].parent.iterdir() if f.suffix.lower() in OTHERS)
        if others:
            of = f"{len(others):,} of {len(files) + len(others):,}"
            problems.append(f"{of} photos are neither PNG nor JPEG and were left out: {some(others)}.")
    if len(files) > MOST_PHOTOS:
        raise guard.refuse(path, "holds too many photos.", f"{len(files):,}; {MOST_PHOTOS:,} are read.", "Split it.")
    if not files:
        raise guard.refuse(
            path,
            "holds none of these photos.",
            brief(problems),
            "Choose the folder that the photos are in.",
        )
    return files


def _upright(file: Path) -> tuple[bytes, tuple[int, int], str, bool]:
    """Content, size and trouble as :func:`decoded` says, and whether the photo was turned (and so encoded anew)."""
    import PIL.Image
    import PIL.ImageOps

    data, size, trouble = decoded(file)
    if trouble:
        return data, size, trouble, False
    with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
        if image.getexif().get(ORIENTATION, 1) not in range(2, 9):
            return data, size, "", False
        exif, kind = image.getexif(), image.format
        exif.get_ifd(EXIF)  # else it is not written again
        turned = PIL.ImageOps.exif_transpose(image)
    del exif[ORIENTATION]
    out = io.BytesIO()
    options = {"quality": 96, "subsampling": 0} if kind == "JPEG" else {"compress_level": 3}
    turned.save(out, kind, exif=exif.tobytes(), **options)
    return out.getvalue(), turned.size, "", True


def focal_length_35mm(data: bytes) -> float | None:
    """The focal length that the camera wrote into a photo, in mm on 36 × 24 mm film; None if it wrote none."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            value = float(image.getexif().get_ifd(EXIF).get(FOCAL_35, 0))
    except (OSError, ValueError, TypeError, SyntaxError, ZeroDivisionError):
        return None
    return value if 1 <= value <= 10_000 else None
