"""Camera paths: nerfstudio's ``camera_path.json``, and the poses of a ``transforms.json`` as a path.

``camera_path`` lists the pictures of a video, ``camera_to_world`` as 16 numbers row by row in OpenGL's axes (x right,
y up, z backward) and ``fov`` as the angle from bottom to top in degrees; ``keyframes`` are the views that somebody set,
with ``matrix`` likewise (older files: a text of 16 numbers column by column). What that form has no place for goes
into ``key_views``, which other programs leave alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engines.blocks.camera_paths import Track, picture_times
from engines.core import Param, Params
from engines.data import CameraPath
from engines.files import guard
from engines.files.photoset import finite_numbers, rigid
from engines.files.registry import Loaded, NoOptions, reader, writer

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
"""Between the camera axes of OpenGL and OpenCV."""
MOST_VIEWS = 100_000
USUAL_ANGLE = 45.0


class CameraPathOptions(Params):
    views: Literal["pictures", "keyframes"] = Param(
        "pictures", help="Take every picture of the video as a key view, or only the views that were set"
    )
    seconds: float = Param(10.0, gt=0, le=86_400, unit="s", help="Length of a path that does not say it")


@reader(
    key="camera-path",
    title="Camera path",
    extensions=(".json",),
    gives=(CameraPath,),
    options=CameraPathOptions,
    names=("camera_path*.json", "*.camera_path.json", "*_camera_path.json"),
)
def read_camera_path(path: Path, options: CameraPathOptions) -> Loaded:
    document = _document(path)
    width = _whole(path, document.get("render_width"), 1280, "render_width")
    height = _whole(path, document.get("render_height"), 720, "render_height")
    problems: list[str] = []
    own = document.get("key_views")
    if isinstance(own, dict) and options.views == "pictures":
        found = _own(path, own)
    elif "frames" in document and "camera_path" not in document:
        found, problems = _poses(path, document, options.seconds)
        width, height = (
            d if document.get(k) is None else round(np.clip(finite_numbers(path, [document[k]], k)[0], 16, 16_384))
            for k, d in (("w", width), ("h", height))
        )
    else:
        found = _pictures(path, document, options)
    kind = document.get("camera_type", "perspective")
    if kind != "perspective":
        problems.append(f"The path was made for a camera of the type '{str(kind)[:40]}'; it is read as perspective.")
    rate = finite_numbers(path, [document.get("fps", 25.0)], "fps")[0]
    name = path.name.removesuffix(".json").removesuffix(".camera_path")
    return Loaded((CameraPath(width=width, height=height, rate=rate, name=name, **found),), tuple(problems))


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(guard.read_text(path, 1 << 28))
    except (ValueError, RecursionError) as error:
        raise guard.refuse(path, "is no valid JSON.", f"{error}"[:200].rstrip(".") + ".") from None
    if not isinstance(document, dict) or not {"camera_path", "keyframes", "frames"} & set(document):
        raise guard.refuse(
            path,
            "describes no camera path.",
            "It has no list 'camera_path', 'keyframes' or 'frames'.",
            "Choose a file that nerfstudio or this program wrote.",
        )
    return document


def _whole(path: Path, value: Any, default: int, what: str) -> int:
    if value is None:
        return default
    number = finite_numbers(path, [value], what)[0]
    if not 16 <= number <= 16_384:
        raise guard.refuse(path, f"asks for pictures with a {what} of {number:g}.", "16 to 16,384 pixels are possible.")
    return round(number)


def _list(path: Path, document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The views of a list, each a dictionary, at least one and not too many."""
    found = document.get(key)
    if not isinstance(found, list) or not all(isinstance(view, dict) for view in found):
        raise guard.refuse(path, f"has a '{key}' that is no list of views.")
    if not 1 <= len(found) <= MOST_VIEWS:
        raise guard.refuse(path, f"has {len(found):,} views in '{key}'.", f"1 to {MOST_VIEWS:,} are read.")
    return found


def _matrix(path: Path, flat: Any, name: str) -> np.ndarray:
    """(4, 4) world to camera, OpenCV, from 16 numbers, or rows of them, of camera to world, OpenGL."""
    transposed = isinstance(flat, str)  # as three.js writes it
    if transposed:
        try:
            flat = json.loads(flat)
        except (ValueError, RecursionError):
            flat = None
    if isinstance(flat, list) and len(flat) in (3, 4) and all(isinstance(row, list) for row in flat):
        flat = [value for row in flat for value in row]
    if not isinstance(flat, list) or len(flat) not in (12, 16):
        raise guard.refuse(path, f"has no pose for {name}.", "16 numbers are expected.", "Export the path again.")
    numbers = np.array(finite_numbers(path, flat, f"The pose of {name}")).reshape(-1, 4)
    pose = rigid(path, numbers.T if transposed and len(numbers) == 4 else numbers, name) @ FLIP
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = pose[:3, :3].T, -pose[:3, :3].T @ pose[:3, 3]
    return found


def _pictures(path: Path, document: dict[str, Any], options: CameraPathOptions) -> dict[str, Any]:
    """The views of a video, evenly in its time, so that as many pictures are the same ones again."""
    keys = ("keyframes", "camera_path") if options.views == "keyframes" else ("camera_path", "keyframes")
    key = next((k for k in keys if document.get(k)), keys[0])
    views = _list(path, document, key)
    pose = "matrix" if key == "keyframes" else "camera_to_world"
    count = len(views)
    closed = document.get("is_cycle") is True and count > 1
    rate = finite_numbers(path, [document.get("fps", 25.0)], "fps")[0]
    given = document.get("seconds")
    if given is not None:
        seconds = finite_numbers(path, [given], "seconds")[0]
    else:
        seconds = count / rate if key == "camera_path" and rate > 0 else options.seconds
    if seconds <= 0:
        raise guard.refuse(path, f"describes a path of {seconds:g} s.", "It needs some time.")
    angles = [v.get("fov", document.get("default_fov", USUAL_ANGLE)) for v in views]
    return {
        "world_to_camera": np.stack([_matrix(path, v.get(pose), f"view {i}") for i, v in enumerate(views, 1)]),
        "times": np.linspace(0, seconds, count, endpoint=not closed) if count > 1 else np.zeros(1),
        "fields_of_view": np.array(finite_numbers(path, angles, "fov")),
        "seconds": seconds,
        "closed": closed,
        "even_speed": key == "keyframes",
    }


def _own(path: Path, own: dict[str, Any]) -> dict[str, Any]:
    views = _list(path, own, "views")
    return {
        "world_to_camera": np.stack(
            [_matrix(path, v.get("camera_to_world"), f"key view {i}") for i, v in enumerate(views, 1)]
        ),
        "times": np.array(finite_numbers(path, [v.get("time") for v in views], "time")),
        "fields_of_view": np.array(finite_numbers(path, [v.get("fov") for v in views], "fov")),
        "seconds": finite_numbers(path, [own.get("seconds")], "seconds")[0],
        "closed": own.get("closed") is True,
        "even_speed": own.get("even_speed") is True,
        "unit": str(own.get("unit", ""))[:20],
    }


def _poses(path: Path, document: dict[str, Any], seconds: float) -> tuple[dict[str, Any], list[str]]:
    """The poses of photos, in their order, evenly fast."""
    frames = _list(path, document, "frames")
    unknown = 0
    angles = []
    for frame in frames:
        angle = _angle(path, {**document, **frame})
        unknown += angle is None
        angles.append(USUAL_ANGLE if angle is None else angle)
    problems = [f"{unknown:,} views do not say their lens; {USUAL_ANGLE:g}° were taken."] if unknown else []
    names = [str(frame.get("file_path", f"frame {i}"))[:80] for i, frame in enumerate(frames, 1)]
    return {
        "world_to_camera": np.stack(
            [_matrix(path, f.get("transform_matrix"), n) for f, n in zip(frames, names, strict=True)]
        ),
        "times": np.linspace(0, seconds, len(frames)) if len(frames) > 1 else np.zeros(1),
        "fields_of_view": np.array(angles),
        "seconds": seconds,
        "even_speed": True,
    }, problems


def _angle(path: Path, entry: dict[str, Any]) -> float | None:
    """Degrees from bottom to top, from what a frame says of its lens; None when that is not enough."""

    def number(key: str) -> float | None:
        value = None if entry.get(key) is None else finite_numbers(path, [entry[key]], key)[0]
        return value if value is not None and value > 0 else None

    height, width = number("h"), number("w")
    focal = number("fl_y") or number("fl_x")
    if focal is not None and height is not None:
        return float(np.degrees(2 * np.arctan(height / 2 / focal)))
    if (upright := number("camera_angle_y")) is not None:
        return float(np.degrees(upright))
    if (across := number("camera_angle_x")) is not None and across < np.pi:
        aspect = width / height if width is not None and height is not None else 1.0  # NeRF-synthetic is square
        return float(np.degrees(2 * np.arctan(np.tan(across / 2) / aspect)))
    return None


@writer(
    key="camera-path", title="nerfstudio camera path", extensions=(".camera_path.json", ".json"), takes=(CameraPath,)
)
def write_camera_path(made: CameraPath, path: Path, options: NoOptions) -> None:
    """Every picture of the video, the key views, and how they are joined."""
    aspect = made.width / made.height
    poses, angles = Track(made).poses(picture_times(made))
    keys, fovs = _opengl(made.world_to_camera), made.fields_of_view.tolist()
    document = {
        "camera_type": "perspective",
        "render_width": made.width,
        "render_height": made.height,
        "fps": made.rate,
        "seconds": made.seconds,
        "is_cycle": made.closed,
        "smoothness_value": 0.0,
        "default_fov": fovs[0],
        "keyframes": [{"matrix": m, "fov": f, "aspect": aspect} for m, f in zip(keys, fovs, strict=True)],
        "camera_path": [
            {"camera_to_world": m, "fov": f, "aspect": aspect}
            for m, f in zip(_opengl(poses), angles.tolist(), strict=True)
        ],
        "key_views": {
            "closed": made.closed,
            "even_speed": made.even_speed,
            "seconds": made.seconds,
            "unit": made.unit,
            "views": [
                {"time": t, "camera_to_world": m, "fov": f}
                for t, m, f in zip(made.times.tolist(), keys, fovs, strict=True)
            ],
        },
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _opengl(world_to_camera: np.ndarray) -> list[list[float]]:
    """Camera to world in OpenGL's axes, 16 numbers each, row by row."""
    found = np.tile(np.eye(4), (len(world_to_camera), 1, 1))
    turned = world_to_camera[:, :3, :3].transpose(0, 2, 1)
    found[:, :3, :3] = turned
    found[:, :3, 3] = -np.einsum("nij,nj->ni", turned, world_to_camera[:, :3, 3])
    return [[float(v) for v in m.reshape(-1)] for m in found @ FLIP]
