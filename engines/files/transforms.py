"""``transforms.json``: photos with poses as NeRF-synthetic, instant-ngp and nerfstudio write them.

``transform_matrix`` is camera to world in OpenGL's axes (x right, y up, z backward); focal lengths in pixels (``fl_x``)
or by angle (``camera_angle_x``), for all photos or for each. With ``transforms_train.json`` come ``_val`` and ``_test``
beside it as photos that are held out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from engines.core import Param, Params
from engines.data import GaussianCloud, Mesh, Photos, PointCloud
from engines.files import guard
from engines.files.photoset import Optics, Points, Shot, finite_numbers, inside, photos_of, rigid
from engines.files.ply import PlyReadOptions, PlyWriteOptions, read_ply, write_ply
from engines.files.registry import Loaded, NoOptions, Tell, reader, silent, writer

PERSPECTIVE = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "PERSPECTIVE")
FISHEYE = ("OPENCV_FISHEYE", "FISHEYE")
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
"""Between the camera axes of OpenGL and OpenCV."""


class TransformsOptions(Params):
    original_axes: bool = Param(
        False, help="Go back to the coordinates from before nerfstudio's 'applied_transform'", advanced=True
    )


@reader(
    key="transforms",
    title="transforms.json of NeRF datasets",
    extensions=(".json",),
    gives=(Photos,),
    options=TransformsOptions,
    names=("transforms.json", "transforms_train.json", "transforms_*.json"),
)
def read_transforms(path: Path, options: TransformsOptions, tell: Tell = silent) -> Loaded:
    document = _document(path)
    problems: list[str] = []
    shots = _shots(path, document, options.original_axes, held_out=False)
    match = re.fullmatch(r"(.*_)train\.json", path.name, re.IGNORECASE)
    for split in ("val", "test") if match else ():
        other = path.with_name(f"{match[1]}{split}.json")  # type: ignore[index]
        if other.is_file() and other.stat().st_size:
            more = _shots(other, _document(other), options.original_axes, held_out=True)
            there = [s for s in more if s.file is not None and s.file.is_file()]
            if there:
                shots += more
            else:
                problems.append(f"The photos of '{other.name}' are not there; it was not used.")
    points = _points(path, document, options.original_axes)
    name = path.parent.resolve().name if path.name.lower().startswith("transforms") else path.stem
    return photos_of(path, shots, points, name, problems, tell)


def shots_in(path: Path) -> list[Shot]:
    """The photos that a transforms.json names, whether they are there or not."""
    return _shots(path, _document(path), original=False, held_out=False)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(guard.read_text(path, 1 << 28))
    except (ValueError, RecursionError) as error:
        raise guard.refuse(path, "is no valid JSON.", f"{error}"[:200].rstrip(".") + ".") from None
    if isinstance(document, dict) and {"camera_path", "keyframes"} & set(document):
        raise guard.refuse(
            path,
            "holds a way of the camera and no photos.",
            "It has a list 'camera_path' or 'keyframes'.",
            "Read it as a camera path: choose that format, or let its name end in '.camera_path.json'.",
        )
    if not isinstance(document, dict) or not isinstance(document.get("frames"), list):
        raise guard.refuse(
            path,
            "describes no photos.",
            "It has no list 'frames' with a pose for each photo.",
            "Choose a transforms.json of a NeRF dataset.",
        )
    return document


def _shots(path: Path, document: dict[str, Any], original: bool, held_out: bool) -> list[Shot]:
    undo = np.linalg.inv(_applied(path, document)) if original else np.eye(4)
    kept_back = _listed(document, "val_filenames") | _listed(document, "test_filenames")
    shots = []
    for number, frame in enumerate(document["frames"]):
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str) or not frame["file_path"]:
            raise guard.refuse(path, f"has a frame without a file, number {number}.", "", "Give each a 'file_path'.")
        name = frame["file_path"].removeprefix("./")
        if not re.search(r"\.[A-Za-z]{3,4}$", name):
            name += ".png"  # as NeRF-synthetic has it
        turned = undo @ _matrix(path, frame.get("transform_matrix"), name)
        scale = float(np.cbrt(np.linalg.det(undo[:3, :3])))
        if scale > 0 and scale != 1:
            turned[:3, :3] /= scale
        pose = rigid(path, turned, name) @ FLIP
        inverse = np.eye(4)
        inverse[:3, :3], inverse[:3, 3] = pose[:3, :3].T, -pose[:3, :3].T @ pose[:3, 3]
        mask = frame.get("mask_path")
        shots.append(
            Shot(
                name,
                inside(path.parent, name),
                _optics(path, {**document, **frame}, name),
                inverse,
                held_out or name in kept_back or frame["file_path"] in kept_back,
                inside(path.parent, mask) if isinstance(mask, str) and mask else None,
            )
        )
    return shots


def _listed(document: dict[str, Any], key: str) -> set[str]:
    names = document.get(key)
    return {n.removeprefix("./") for n in names if isinstance(n, str)} if isinstance(names, list) else set()


def _matrix(path: Path, rows: Any, name: str) -> np.ndarray:
    """(4, 4) from a 3×4 or 4×4 list."""
    fits = isinstance(rows, list) and len(rows) in (3, 4) and all(isinstance(r, list) and len(r) == 4 for r in rows)
    if not fits:
        raise guard.refuse(
            path,
            f"has no pose for '{name[:80]}'.",
            "A 'transform_matrix' of 4×4 numbers is expected.",
            "Estimate the poses again.",
        )
    matrix = np.eye(4)
    flat = [v for row in rows for v in row]
    if any(isinstance(v, float) and not np.isfinite(v) for v in flat):
        raise guard.refuse(
            path, "has a pose that is not finite.", f"It is that of '{name[:80]}'.", "Estimate it again."
        )
    matrix[: len(rows)] = np.reshape(finite_numbers(path, flat, f"The pose of '{name[:80]}'"), (-1, 4))
    return matrix


def _applied(path: Path, document: dict[str, Any]) -> np.ndarray:
    """(4, 4) what nerfstudio did to the coordinates."""
    if document.get("applied_transform") is None:
        return np.eye(4)
    applied = _matrix(path, document["applied_transform"], "applied_transform")
    (scale,) = finite_numbers(path, [document.get("applied_scale", 1.0)], "applied_scale")
    applied[:3] *= scale
    if not abs(np.linalg.det(applied[:3, :3])) > 1e-12:
        raise guard.refuse(path, "has an 'applied_transform' that cannot be undone.", "", "Read it as it is.")
    return applied


def _optics(path: Path, entry: dict[str, Any], name: str) -> Optics:
    model = str(entry.get("camera_model") or ("OPENCV_FISHEYE" if entry.get("is_fisheye") is True else "OPENCV"))
    if model.upper() not in (*PERSPECTIVE, *FISHEYE) or "ftheta_p0" in entry or entry.get("is_equirectangular"):
        found = model if model.upper() not in PERSPECTIVE else "ftheta or equirectangular"
        raise guard.refuse(
            path,
            f"has a camera of the model {found[:40]}.",
            f"Read are {', '.join((*PERSPECTIVE[:5], FISHEYE[0]))}.",
            "Undistort the photos first.",
        )

    def number(*keys: str) -> float | None:
        for key in keys:
            if entry.get(key) is not None:
                return finite_numbers(path, [entry[key]], f"{key} of '{name[:80]}'")[0]
        return None

    width, height = (number(k) for k in ("w", "h"))
    if width is not None and height is not None and not (1 <= width < 1 << 20 and 1 <= height < 1 << 20):
        raise guard.refuse(path, f"has a camera of {width:.4g}×{height:.4g} pixels, of '{name[:80]}'.")
    sized = width is not None and height is not None
    k = [number(f"k{i}") or 0.0 for i in range(1, 5)]
    plain = model.upper() in ("PINHOLE", "SIMPLE_PINHOLE")
    fisheye = model.upper() in FISHEYE
    return Optics(
        number("fl_x", "fl"), number("fl_y", "fl"), number("cx"), number("cy"),
        number("camera_angle_x", "x_fov"), number("camera_angle_y", "y_fov"),
        round(width) if sized and width else None, round(height) if sized and height else None,
        (0.0, 0.0, 0.0, 0.0) if plain else (k[0], k[1], k[2], k[3] if fisheye else 0.0),
        (0.0, 0.0) if plain or fisheye else (number("p1") or 0.0, number("p2") or 0.0),
        fisheye,
    )  # fmt: skip


def _points(path: Path, document: dict[str, Any], original: bool) -> Points:
    named = document.get("ply_file_path")
    if not isinstance(named, str) or not named:
        return Points()
    file = inside(path.parent, named)
    if file is None:
        return Points(problems=[f"The points lie outside of the dataset and are not read: {named[:80]}."])
    if not file.is_file() or not file.stat().st_size:
        return Points(problems=[f"The file of the points is missing: {named[:80]}."])
    with np.errstate(all="ignore"):
        found = read_ply(file, PlyReadOptions()).artifacts[0]
    colors = None
    if isinstance(found, GaussianCloud):
        places = found.means.astype(np.float64)
    else:
        places = found.vertices if isinstance(found, Mesh) else found.points  # type: ignore[attr-defined]
        colors = found.colors[:, :3] if found.colors is not None else None  # type: ignore[attr-defined]
    if original:
        undo = np.linalg.inv(_applied(path, document))
        places = places @ undo[:3, :3].T + undo[:3, 3]
    return Points(places, colors)


@writer(
    key="transforms",
    title="nerfstudio photos",
    extensions=(".json",),
    takes=(Photos,),
    folder=True,
    also="The photos go to a folder of their own beside the file, and the points to a PLY file.",
)
def write_transforms(photos: Photos, path: Path, options: NoOptions) -> None:
    """The photos go to a folder ``images`` and the points to ``points.ply`` beside it, both with the name before them
    unless it is ``transforms``."""
    before = "" if path.stem == "transforms" else f"{path.stem}_"
    folder = path.parent / f"{before}images"
    folder.mkdir()
    frames: list[dict[str, Any]] = []
    held_out: list[str] = []
    stems = _stems(photos)
    for index in range(len(photos)):
        data = photos.file(index)
        name = stems[index] + (".png" if data.startswith(b"\x89PNG") else ".jpg")
        (folder / name).write_bytes(data)
        seen = photos.world_to_camera[index]
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = seen[:3, :3].T, -seen[:3, :3].T @ seen[:3, 3]
        fx, fy, cx, cy = photos.intrinsics[index].tolist()
        width, height = photos.sizes[index].tolist()
        where = f"{folder.name}/{name}"
        frames.append(
            {"file_path": where, "fl_x": fx, "fl_y": fy, "cx": cx, "cy": cy, "w": width, "h": height,
             "transform_matrix": (pose @ FLIP).tolist()}
        )  # fmt: skip
        if photos.held_out is not None and photos.held_out[index]:
            held_out.append(where)
    document: dict[str, Any] = {"camera_model": "PINHOLE"}
    if held_out:
        document["train_filenames"] = [f["file_path"] for f in frames if f["file_path"] not in held_out]
        document["val_filenames"] = document["test_filenames"] = held_out
    if photos.points is not None and len(photos.points):
        colors = photos.point_colors
        rgba = None if colors is None else np.column_stack([colors, np.full(len(colors), 255, np.uint8)])
        file = path.parent / f"{before}points.ply"
        write_ply(PointCloud(points=photos.points, colors=rgba), file, PlyWriteOptions())
        document["ply_file_path"] = file.name
    path.write_text(json.dumps({**document, "frames": frames}, indent=1), encoding="utf-8")


def _stems(photos: Photos) -> list[str]:
    """File names without endings that every system takes: those of the photos if they differ, else numbered."""
    labels = [photos.label(i).replace("\\", "/").rsplit("/", 1)[-1] for i in range(len(photos))]
    stems = [re.sub(r"[^\w-]+", "_", re.sub(r"\.\w{3,4}$", "", label))[-80:] or "photo" for label in labels]
    if len({s.lower() for s in stems}) == len(stems):
        return stems
    return [f"{i:05d}_{stem}" for i, stem in enumerate(stems)]
