"""COLMAP models: ``cameras``, ``images`` and ``points3D`` as ``.bin`` or ``.txt``, with the photos in ``images``.

A model is opened by any of its files, or by its folder or that of the photos. Little endian; poses are world to
camera with quaternions w, x, y, z; the centre of the first pixel is (0.5, 0.5). Rigs and frames of newer models say
nothing more about the cameras and are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from engines.core import Param, Params
from engines.data import Photos
from engines.files import guard
from engines.files.photoset import Optics, Points, Shot, inside, photos_of, rigid
from engines.files.registry import Loaded, Tell, reader, silent

MODELS = {
    0: ("SIMPLE_PINHOLE", 3), 1: ("PINHOLE", 4), 2: ("SIMPLE_RADIAL", 4), 3: ("RADIAL", 5), 4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8), 6: ("FULL_OPENCV", 12), 7: ("FOV", 5), 8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5), 10: ("THIN_PRISM_FISHEYE", 12), 11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
    12: ("SIMPLE_DIVISION", 4), 13: ("DIVISION", 5), 14: ("SIMPLE_FISHEYE", 3), 15: ("FISHEYE", 4),
}  # fmt: skip
READ = tuple(name for number, (name, _) in MODELS.items() if number <= 5)
PARTS = ("cameras", "images", "points3D")
FOLDERS = ("images", "images_2", "images_4", "images_8")


class ColmapOptions(Params):
    photos: Literal["images", "images_2", "images_4", "images_8"] = Param(
        "images", help="Folder of the photos: as taken, or scaled down by 2, 4 or 8"
    )


@dataclass(frozen=True)
class _Image:
    name: str
    pose: np.ndarray  # w, x, y, z, tx, ty, tz
    camera: int


@reader(
    key="colmap",
    title="COLMAP model",
    extensions=(),
    gives=(Photos,),
    options=ColmapOptions,
    names=("cameras.bin", "cameras.txt", "images.bin", "images.txt", "points3d.bin", "points3d.txt"),
    within=("", "sparse/0", "sparse", "0"),
)
def read_colmap(path: Path, options: ColmapOptions, tell: Tell = silent) -> Loaded:
    model = path.parent
    kind = path.suffix.lower() if path.suffix.lower() in (".bin", ".txt") else ".bin"
    problems: list[str] = []
    root, folder = _photo_folder(path, options.photos, problems)
    others = [p for p in model.parent.glob("[0-9]*") if p.is_dir() and p != model] if model.name.isdigit() else []
    if others:
        problems.append(f"There are {len(others) + 1} models; the one in '{model.name}' was read.")
    shots = [replace(s, file=inside(root, str(Path(folder.name) / s.name))) for s in shots_in(path)]
    return photos_of(path, shots, _points(path, kind), root.resolve().name, problems, tell)


def shots_in(path: Path) -> list[Shot]:
    """The photos that a model names, in the order of their names, without their files."""
    kind = path.suffix.lower() if path.suffix.lower() in (".bin", ".txt") else ".bin"
    cameras = _cameras(_part(path, "cameras", kind))
    images = sorted(_images(_part(path, "images", kind)), key=lambda i: i.name)
    for image in images:
        if image.camera not in cameras:
            raise guard.refuse(path, f"names a camera that is not there, of '{image.name[:80]}'.", f"{image.camera}.")
    return [Shot(image.name, None, cameras[image.camera], _pose(path, image)) for image in images]


def _part(path: Path, name: str, kind: str) -> Path:
    """The file of a model with the same ending as the one that was opened, else with the other."""
    for ending in (kind, ".txt" if kind == ".bin" else ".bin"):
        file = path.with_name(name + ending)
        if file.is_file():
            return file
    raise guard.refuse(
        path,
        f"is a model without '{name}{kind}'.",
        "A COLMAP model has 'cameras' and 'images', both as .bin or .txt.",
        "Copy the whole folder of the model.",
    )


def _photo_folder(path: Path, wanted: str, problems: list[str]) -> tuple[Path, Path]:
    """(folder of the dataset, folder of the photos), up to three folders above the model."""
    for root in (path.parent, *path.parent.resolve().parents[:3]):
        present = [name for name in FOLDERS if (root / name).is_dir()]
        if wanted in present:
            return root, root / wanted
        if present and wanted == "images":
            problems.append(f"There is no folder 'images'; the photos in '{present[0]}' were taken.")
            return root, root / present[0]
        if present:
            raise guard.refuse(
                path,
                f"has no photos in a folder '{wanted}'.",
                f"There is {', '.join(present)}.",
                "Choose one of these in the options.",
            )
    raise guard.refuse(
        path,
        "has no folder with photos.",
        f"A folder '{wanted}' was looked for beside the model and up to three folders above it.",
        "Put the photos into a folder 'images' beside 'sparse'.",
    )


def _pose(path: Path, image: _Image) -> np.ndarray:
    w, x, y, z = image.pose[:4]
    length = float(np.linalg.norm(image.pose[:4]))
    if not np.isfinite(image.pose).all() or abs(length - 1) > 1e-2:
        raise guard.refuse(
            path,
            f"has a pose that is not rigid, that of '{image.name[:80]}'.",
            f"The length of its quaternion is {length:.3g}; it should be 1.",
            "Check how the poses were written.",
        )
    w, x, y, z = image.pose[:4] / length
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = image.pose[4:]
    return rigid(path, pose, image.name)


def _optics(path: Path, model: str, width: int, height: int, p: tuple[float, ...]) -> Optics:
    if model not in READ:
        raise guard.refuse(
            path,
            f"has a camera of the model {model[:40]}.",
            f"Read are {', '.join(READ)}.",
            "Undistort the photos with COLMAP's image_undistorter.",
        )
    if not np.isfinite(p).all():
        raise guard.refuse(path, "has a camera that is not finite.", "", "Calibrate the cameras again.")
    if not (0 < width < 1 << 20 and 0 < height < 1 << 20):
        raise guard.refuse(path, f"has a camera of {width:,}×{height:,} pixels.")
    fx, fy, cx, cy, *k = (p[0], *p) if model.startswith("SIMPLE") or model == "RADIAL" else p
    match model:
        case "OPENCV":
            return Optics(fx, fy, cx, cy, None, None, width, height, (k[0], k[1], 0.0, 0.0), (k[2], k[3]))
        case "OPENCV_FISHEYE":
            return Optics(fx, fy, cx, cy, None, None, width, height, (k[0], k[1], k[2], k[3]), fisheye=True)
    k1, k2 = (*k, 0.0, 0.0)[:2]
    return Optics(fx, fy, cx, cy, None, None, width, height, (k1, k2, 0.0, 0.0))


class _Bytes:
    """Reads packed values; a count is checked against what is left before anything is made."""

    def __init__(self, path: Path) -> None:
        self.path, self.raw, self.at = path, guard.read_bytes(path), 0

    def take(self, form: str) -> tuple:
        packed = struct.Struct("<" + form)
        if packed.size > len(self.raw) - self.at:
            raise self.short()
        self.at += packed.size
        return packed.unpack_from(self.raw, self.at - packed.size)

    def count(self, least: int) -> int:
        (count,) = self.take("Q")
        if count * least > len(self.raw) - self.at:
            raise self.short(f"It announces {count:,} entries. ")
        return int(count)

    def short(self, why: str = "") -> Exception:
        return guard.refuse(self.path, "is shorter than it says.", f"{why}It has {len(self.raw):,} bytes.")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(guard.read_text(path).splitlines(), 1):
        if not line.lstrip().startswith("#"):
            yield number, line


def _cameras(path: Path) -> dict[int, Optics]:
    found: dict[int, Optics] = {}
    if path.suffix == ".txt":
        for number, line in _lines(path):
            words = line.split()
            if not words:
                continue
            if len(words) < 4:
                raise guard.refuse(path, f"breaks off at line {number}.", f"Found '{line.strip()[:60]}'.")
            name, width, height = words[1], *(guard.integer_in(path, w, number, "Image size") for w in words[2:4])
            params = tuple(guard.number_in(path, w, number, "A camera's parameter") for w in words[4:])
            expected = dict(MODELS.values()).get(name)
            if expected is not None and len(params) != expected:
                raise guard.refuse(path, f"has {len(params)} parameters at line {number}.", f"{name} has {expected}.")
            found[guard.integer_in(path, words[0], number, "Camera")] = _optics(path, name, width, height, params)
    else:
        data = _Bytes(path)
        for _ in range(data.count(24)):
            number, model, width, height = data.take("IiQQ")
            if model not in MODELS:
                raise guard.refuse(path, f"has a camera of an unknown model, {model}.", f"Read are {', '.join(READ)}.")
            name, count = MODELS[model]
            found[number] = _optics(path, name, width, height, data.take(f"{count}d"))
    if not found:
        raise guard.refuse(path, "holds no camera.")
    return found


def _images(path: Path) -> list[_Image]:
    found: list[_Image] = []
    if path.suffix == ".txt":
        lines = _lines(path)
        for number, line in lines:
            words = line.split(maxsplit=9)
            if not words:
                continue
            if len(words) < 10:
                raise guard.refuse(path, f"breaks off at line {number}.", f"Found '{line.strip()[:60]}'.")
            pose = np.array([guard.number_in(path, w, number, "A pose") for w in words[1:8]])
            found.append(_Image(words[9].strip(), pose, guard.integer_in(path, words[8], number, "Camera")))
            next(lines, None)  # the points that were seen, perhaps none
    else:
        data = _Bytes(path)
        for _ in range(data.count(73)):
            _, *values, camera = data.take("I7dI")
            end = data.raw.find(b"\0", data.at, data.at + 4096)
            if end < 0:
                raise data.short("A name does not end. ")
            name = data.raw[data.at : end].decode("utf-8", "replace")
            data.at = end + 1
            seen = data.count(24)
            data.at += 24 * seen
            found.append(_Image(name, np.array(values), camera))
    return found


def _points(path: Path, kind: str) -> Points:
    """Points of the model. Raises UserError for a damaged file; none are no error."""
    for ending in (kind, ".txt" if kind == ".bin" else ".bin"):
        file = path.with_name("points3D" + ending)
        if file.is_file() and file.stat().st_size:
            break
    else:
        return Points()
    if file.suffix == ".txt":
        rows = [(n, " ".join(line.split(maxsplit=7)[1:7])) for n, line in _lines(file) if line.strip()]
        table = guard.floats(file, rows, 6, "A point") if rows else np.zeros((0, 6))
        places, colors = table[:, :3], table[:, 3:]
    else:
        data = _Bytes(file)
        count = data.count(51)
        record = np.dtype([("id", "<u8"), ("at", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("track", "<u8")])
        starts = np.zeros(count, np.int64)
        length = struct.Struct("<Q")
        for i in range(count):
            starts[i] = data.at
            if data.at + record.itemsize > len(data.raw):
                raise data.short()
            data.at += record.itemsize + 8 * length.unpack_from(data.raw, data.at + 43)[0]
            if data.at > len(data.raw):
                raise data.short()
        flat = np.frombuffer(data.raw, np.uint8)
        table = flat[starts[:, None] + np.arange(record.itemsize)].view(record).reshape(-1)
        places, colors = table["at"].astype(np.float64), table["rgb"]
    usable = np.isfinite(places).all(1) & (np.abs(places) < 1e30).all(1)
    problems = [] if usable.all() else [f"{int((~usable).sum()):,} points are not finite and were left out."]
    return Points(places[usable], np.clip(colors[usable], 0, 255).astype(np.uint8), problems)
