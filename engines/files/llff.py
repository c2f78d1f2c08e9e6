"""LLFF datasets: ``poses_bounds.npy`` with the photos in ``images``, in the order of their names.

A row holds a 3×5 matrix [R | t | (height, width, focal length)] and the nearest and farthest depth; R's columns point
down, right and back in the photo (Mildenhall et al. 2019).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import Photos
from engines.files import guard
from engines.files.npy import read_array
from engines.files.photoset import Optics, Points, Shot, inside, photos_of, rigid, some
from engines.files.registry import Loaded, Tell, reader, silent

ENDINGS = (".png", ".jpg", ".jpeg")


class LlffOptions(Params):
    photos: Literal["images", "images_2", "images_4", "images_8"] = Param(
        "images", help="Folder of the photos: as taken, or scaled down by 2, 4 or 8"
    )


@reader(
    key="llff", title="LLFF dataset", extensions=(), gives=(Photos,), options=LlffOptions, names=("poses_bounds.npy",)
)
def read_llff(path: Path, options: LlffOptions, tell: Tell = silent) -> Loaded:
    with path.open("rb") as stream:
        table = read_array(path, stream, path.stat().st_size)
    if table.ndim != 2 or table.shape[1] != 17 or table.dtype.kind not in "iuf" or not len(table):
        raise guard.refuse(
            path,
            "is not a table of poses.",
            f"It has the shape {table.shape}; N rows of 17 numbers are expected.",
            "Export it again with LLFF's imgs2poses.",
        )
    problems: list[str] = []
    photos = _photos(path, options.photos, len(table), problems)
    shots = []
    for row, file in zip(table.astype(np.float64), photos, strict=True):
        down, right, back, centre, (height, width, focal) = row[:15].reshape(3, 5).T
        turn = np.stack([right, down, -back])  # world to camera: x right, y down, z forward
        pose = np.eye(4)
        with np.errstate(all="ignore"):
            pose[:3, :3], pose[:3, 3] = turn, -turn @ centre
        pose = rigid(path, pose, file.name)
        if not (np.isfinite([height, width, focal]).all() and 0 < width < 1 << 20 and 0 < height < 1 << 20):
            raise guard.refuse(path, f"has a camera without a size, of '{file.name}'.", f"{width:.4g}×{height:.4g}.")
        optics = Optics(fx=float(focal), fy=float(focal), width=round(width), height=round(height))
        shots.append(Shot(file.name, inside(path.parent, f"{file.parent.name}/{file.name}"), optics, pose))
    return photos_of(path, shots, Points(), path.parent.resolve().name, problems, tell)


def _photos(path: Path, wanted: str, count: int, problems: list[str]) -> list[Path]:
    """The photos by name. Raises UserError unless there are as many as poses."""
    folders = {p.name: p for p in sorted(path.parent.glob("images*")) if p.is_dir()}
    folder = folders.get(wanted)
    if folder is None and folders and wanted == "images":
        folder = next(iter(folders.values()))
        problems.append(f"There is no folder 'images'; the photos in '{folder.name}' were taken.")
    if folder is None:
        raise guard.refuse(
            path,
            f"has no photos in a folder '{wanted}' beside it.",
            f"There is {', '.join(folders)}." if folders else "There is no folder 'images' at all.",
            "Choose another folder in the options, or copy the photos there.",
        )
    photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS)
    if len(photos) != count:
        raise guard.refuse(
            path,
            "does not fit its photos.",
            f"It has {count:,} poses; '{folder.name}' holds {len(photos):,} photos "
            f"({some([p.name for p in photos], 3) or 'none'}). Which pose is whose is known only by their order.",
            "Complete the photos, or remove those that were not used.",
        )
    return photos
