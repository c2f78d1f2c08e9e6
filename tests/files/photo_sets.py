"""Small datasets of photos as other programs write them, made without our writers."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path

import numpy as np
import PIL.Image

from engines.data import Photos
from tests.files import made

MODELS = {
    "SIMPLE_PINHOLE": (0, 3), "PINHOLE": (1, 4), "SIMPLE_RADIAL": (2, 4), "RADIAL": (3, 5), "OPENCV": (4, 8),
    "OPENCV_FISHEYE": (5, 8), "FULL_OPENCV": (6, 12),
}  # fmt: skip


def quaternion(rotation: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotation).as_quat()[[3, 0, 1, 2]]


def save_photos(folder: Path, scale: int = 1) -> list[str]:
    photos = made.photos()
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for i in range(len(photos)):
        names.append(f"p{i}.png")
        image = PIL.Image.fromarray(photos.pixels(i))
        image.resize((image.width // scale, image.height // scale)).save(folder / names[-1])
    return names


def colmap(
    folder: Path,
    text: bool = False,
    model: str = "PINHOLE",
    params: tuple = (20.0, 21.0, 8.25, 5.5),
    points: bool = True,
) -> Path:
    """A model in ``sparse/0``, with its photos in ``images``; returns the folder of the model."""
    photos: Photos = made.photos()
    names = save_photos(folder / "images")
    where = folder / "sparse" / "0"
    where.mkdir(parents=True)
    poses = [(*quaternion(m[:3, :3]), *m[:3, 3]) for m in photos.world_to_camera]
    known = photos.points if points else np.zeros((0, 3))
    if text:
        numbers = " ".join(map(repr, map(float, params)))
        (where / "cameras.txt").write_text(f"# Camera list\n7 {model} 16 12 {numbers}\n")
        lines = ["# Image list with two lines of data per image:"]
        for i in reversed(range(len(names))):
            lines += [
                f"{i + 1} {' '.join(map(repr, map(float, poses[i])))} 7 {names[i]}",
                "1.5 2.5 -1" if i % 2 else "",
            ]
        (where / "images.txt").write_text("\n".join(lines) + "\n")
        rows = [
            f"{i} {' '.join(map(repr, map(float, p)))} {r} {g} {b} 0.5 1 0 2 1"
            for i, (p, (r, g, b)) in enumerate(zip(known, photos.point_colors, strict=False))
        ]
        (where / "points3D.txt").write_text("\n".join(["# 3D point list", *rows]) + "\n")
        return where
    number, count = MODELS[model]
    assert len(params) == count
    (where / "cameras.bin").write_bytes(struct.pack(f"<QIiQQ{count}d", 1, 7, number, 16, 12, *params))
    data = struct.pack("<Q", len(names))
    for i in reversed(range(len(names))):
        data += struct.pack("<I7dI", i + 1, *poses[i], 7) + names[i].encode() + b"\0"
        data += struct.pack("<Q", i + 3) + struct.pack("<ddq", 1.5, 2.5, -1) * (i + 3)
    (where / "images.bin").write_bytes(data)
    data = struct.pack("<Q", len(known))
    for i, (p, rgb) in enumerate(zip(known, photos.point_colors, strict=False)):
        data += struct.pack("<Q3d3BdQ", i, *p, *rgb, 0.5, i % 3) + struct.pack("<II", 1, 2) * (i % 3)
    (where / "points3D.bin").write_bytes(data)
    return where


def opengl(photos: Photos) -> list[np.ndarray]:
    """Camera to world with y up and z backward."""
    return [np.linalg.inv(m) @ np.diag([1.0, -1, -1, 1]) for m in photos.world_to_camera]


def nerf(folder: Path, name: str = "transforms.json", **settings: object) -> Path:
    """instant-ngp's and nerfstudio's form; ``settings`` are of the whole file."""
    photos = made.photos()
    names = save_photos(folder / "images")
    frames = [
        {"file_path": f"images/{n}", "sharpness": 30.0, "transform_matrix": m.tolist()}
        for n, m in zip(names, opengl(photos), strict=True)
    ]
    whole = {"fl_x": 20.0, "fl_y": 21.0, "cx": 8.25, "cy": 5.5, "w": 16, "h": 12, "aabb_scale": 4, **settings}
    (folder / name).write_text(json.dumps({k: v for k, v in whole.items() if v is not None} | {"frames": frames}))
    return folder / name


def blender(folder: Path, splits: tuple[str, ...] = ("train", "val", "test")) -> Path:
    """NeRF-synthetic's form: an angle, names without an ending, RGBA."""
    photos = made.photos()
    for number, split in enumerate(splits):
        (folder / split).mkdir(parents=True)
        frames = []
        for i, m in enumerate(opengl(photos)[2 * number : 2 * number + 2]):
            rgba = np.dstack([photos.pixels(i), np.full((12, 16), 128, np.uint8)])
            PIL.Image.fromarray(rgba).save(folder / split / f"r_{i}.png")
            frames.append({"file_path": f"./{split}/r_{i}", "rotation": 0.01, "transform_matrix": m.tolist()})
        text = json.dumps({"camera_angle_x": 2 * np.arctan(8 / 20), "frames": frames})
        (folder / f"transforms_{split}.json").write_text(text)
    return folder / f"transforms_{splits[0]}.json"


def llff(folder: Path) -> Path:
    photos = made.photos()
    save_photos(folder / "images")
    rows = []
    for m in photos.world_to_camera:
        right, down, forward = m[:3, :3]
        centre = -m[:3, :3].T @ m[:3, 3]
        rows.append([*np.stack([down, right, -forward, centre, [12, 16, 20.0]], axis=1).reshape(-1), 1.0, 9.0])
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder / "poses_bounds.npy"


def jpeg(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "JPEG", quality=95)
    return out.getvalue()
