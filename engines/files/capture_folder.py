"""A hand capture in a folder of one's own.

``images/<view>/<frame>.jpg`` or ``images/<frame>/<view>.jpg``, ``masks`` laid out alike if there are any, the cameras
as ``transforms.json`` or a COLMAP model that names one photo of each view or the view itself, and ``poses.csv`` or
``poses.json`` with a pose for each frame; a ``template.glb`` or a MANO file if it is not the open hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from engines.core import Param
from engines.data import HandCapture
from engines.files import colmap, guard, transforms
from engines.files.captures import CaptureOptions, Parts, by_name, capture_of, template_for
from engines.files.photo_folder import ENDINGS
from engines.files.photoset import MOST_PHOTOS, Shot, some
from engines.files.pose_files import PoseReadOptions, poses_in
from engines.files.registry import Loaded, Tell, reader, silent

POSES = ("poses.csv", "poses.json")
MODELS = ("", "sparse/0", "sparse", "colmap", "colmap/sparse/0")


class CaptureFolderOptions(CaptureOptions):
    layout: Literal["automatic", "images/view/frame", "images/frame/view"] = Param(
        "automatic", help="What the folders of photos are; automatic: as the cameras are called"
    )
    angles: Literal["as the file", "rad", "deg"] = Param("as the file", help="Unit of the poses' angles", advanced=True)
    rotations: Literal["axis-angle", "matrices"] = Param(
        "axis-angle", help="What stands for each joint of a pose", advanced=True
    )


@dataclass(frozen=True)
class _Photo:
    folder: str
    file: Path

    @property
    def stem(self) -> str:
        return self.file.stem


@reader(
    key="hand-capture",
    title="Hand capture",
    extensions=(),
    gives=(HandCapture,),
    options=CaptureFolderOptions,
    names=POSES,
    whole_folder=True,
    first=True,
)
def read_capture_folder(path: Path, options: CaptureFolderOptions, tell: Tell = silent) -> Loaded:
    problems: list[str] = []
    photos = _photos(path)
    cameras = _cameras(path)
    file = next(path / name for name in POSES if (path / name).is_file())
    given = PoseReadOptions(angles=options.angles, rotations=options.rotations)
    poses, named, more = poses_in(file, given)
    problems += more
    folders, files = (tuple(dict.fromkeys(x)) for x in ([p.folder for p in photos], [p.stem for p in photos]))
    by_view = _by_view(options.layout, folders, files, cameras)
    views, frames = (folders, _sorted(files)) if by_view else (_sorted(files), folders)
    number, without = by_name(frames, poses, named)
    if len(without) == len(frames):
        raise guard.refuse(path, "has no pose for any frame.", f"Frames: {some(frames, 8)}. Poses: {some(named, 8)}.",
                           "Name the poses as the frames are.")  # fmt: skip
    if without:
        problems.append(f"{len(without):,} of {len(frames):,} frames have no pose and were left out: {some(without)}.")
    if not named and len(poses) != len(frames):
        problems.append(f"There are {len(poses):,} poses and {len(frames):,} frames; they were matched in their order.")
    blind = [
        view
        for view in views
        if _camera(view, None, cameras) is None and not _own(path, photos, view, by_view, cameras)
    ]
    if len(blind) == len(views):
        raise guard.refuse(
            path, "has cameras that fit none of its views.",
            f"Views: {some(views, 8)}. Cameras: {some(sorted(cameras), 8)}.",
            "Let the cameras name a photo of each view, or the view.",
        )  # fmt: skip
    if blind:
        problems.append(f"{len(blind):,} of {len(views):,} views have no camera and were left out: {some(blind)}.")
    parts = Parts([], [], [], (), views, poses, template_for(path, options, problems), problems)
    used = sorted({n for n in number if n >= 0})
    parts.poses = poses.replace(
        rotations=poses.rotations[used], translations=poses.translations[used], scales=poses.scales[used]
    )
    parts.frames = tuple(frames[number.index(n)] for n in used)
    there = set()
    for photo in photos:
        view, frame = (photo.folder, photo.stem) if by_view else (photo.stem, photo.folder)
        pose = number[frames.index(frame)]
        shot = _camera(view, photo.file.relative_to(path).as_posix(), cameras)
        there.add((view, frame))
        if shot is None or pose < 0:
            continue
        mask = next((m for m in _masks(path, photo) if m.is_file()), None)
        name = photo.file.relative_to(path / "images").as_posix()
        parts.shots.append(replace(shot, name=name, file=photo.file, mask=mask or shot.mask))
        parts.frame.append(used.index(pose))
        parts.view.append(views.index(view))
    missing = [f"{v}/{f}" for v in views if v not in blind for f in frames if (v, f) not in there]
    if missing:
        problems.append(f"{len(missing):,} photos are missing: {some(missing)}.")
    return capture_of(path, parts, options, tell)


def _photos(path: Path) -> list[_Photo]:
    root = path / "images"
    folders = sorted((f for f in root.iterdir() if f.is_dir()), key=lambda f: _natural(f.name)) if root.is_dir() else []
    found = [
        _Photo(folder.name, file)
        for folder in folders
        for file in sorted(folder.iterdir(), key=lambda f: _natural(f.name))
        if file.suffix.lower() in ENDINGS and not file.name.startswith(".")
    ]
    if not found or len(found) > MOST_PHOTOS:
        raise guard.refuse(
            path, f"has {len(found):,} photos in folders of 'images'.",
            "There should be images/<view>/<frame>.jpg, or images/<frame>/<view>.jpg.",
            "Put the photos of each view into a folder of their own.",
        )  # fmt: skip
    return found


def _cameras(path: Path) -> dict[str, Shot]:
    """What the cameras are called by whoever calibrated them."""
    if (path / "transforms.json").is_file():
        shots = transforms.shots_in(path / "transforms.json")
    else:
        model = next(
            (
                path / m / f"cameras{e}"
                for m in MODELS
                for e in (".bin", ".txt")
                if (path / m / f"cameras{e}").is_file()
            ),
            None,
        )
        if model is None:
            raise guard.refuse(
                path, "has no cameras.", "A transforms.json or a COLMAP model in 'sparse' is expected.",
                "Put one beside 'images'; structure from motion can find it.",
            )  # fmt: skip
        shots = colmap.shots_in(model)
    return {shot.name.removeprefix("./").removeprefix("images/"): shot for shot in shots}


def _camera(view: str, photo: str | None, cameras: dict[str, Shot]) -> Shot | None:
    """That of the photo itself, else the one that is called as the view, or that is of a photo in its folder."""
    if photo is not None and (own := cameras.get(photo.removeprefix("images/"))) is not None:
        return own
    return _views_of(cameras).get(view)


def _views_of(cameras: dict[str, Shot]) -> dict[str, Shot]:
    """Cameras by the names of their views, as far as these tell."""
    found: dict[str, Shot] = {}
    for name, shot in cameras.items():
        where = PurePosixPath(name)
        for key in (where.stem, where.parent.name):
            if key and key not in found:
                found[key] = shot
    return found


def _own(path: Path, photos: list[_Photo], view: str, by_view: bool, cameras: dict[str, Shot]) -> bool:
    mine = [p for p in photos if (p.folder if by_view else p.stem) == view]
    return any(p.file.relative_to(path / "images").as_posix() in cameras for p in mine)


def _by_view(layout: str, folders: tuple[str, ...], files: tuple[str, ...], cameras: dict[str, Shot]) -> bool:
    if layout != "automatic":
        return layout == "images/view/frame"
    names = set(_views_of(cameras))
    parents = {PurePosixPath(name).parent.name for name in cameras} - {""}
    if parents:  # the cameras name photos in folders: one camera in each folder, or all in one
        stems = {PurePosixPath(name).stem for name in cameras}
        return len(parents) >= len(stems)
    return len(names & set(folders)) >= len(names & set(files))


def _masks(path: Path, photo: _Photo) -> list[Path]:
    return [path / "masks" / photo.folder / f"{photo.stem}{ending}" for ending in (".png", ".jpg", ".jpeg")]


def _sorted(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(names, key=_natural))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"(\d+)", name)]
