"""Small hand captures on disk as others lay them out, made without our writers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import PIL.Image

from engines.blocks.cameras import look_at
from engines.data import PoseSequence
from engines.files.rigged_glb import the_open_hand

VIEWS = ("cam0", "cam1", "cam2")
FRAMES = ("0001", "0002")
SIZE = (40, 32)
FOCAL = 60.0
DISTANCE = 0.5
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def poses() -> PoseSequence:
    draw = np.random.default_rng(7)
    return PoseSequence.of(
        draw.uniform(-0.5, 0.5, (len(FRAMES), 16, 3)), the_open_hand().joint_names, translations=np.full((2, 3), 0.02)
    )


def cameras() -> list[np.ndarray]:
    """(4, 4) world to camera, all around the hand."""
    middle = the_open_hand().vertices.mean(0)
    turns = np.linspace(0, 2, len(VIEWS))
    return [look_at(middle + DISTANCE * np.array([np.cos(t), np.sin(t), 0.3]), middle) for t in turns]


def photo(view: int, frame: int) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.full((SIZE[1], SIZE[0], 3), 40 * view + 10 * frame, np.uint8))


def folder(where: Path, *, by_frame: bool = False, masks: bool = False, scale: float = 1.0, each: bool = False) -> Path:
    """A generic one, with one camera for each view or for ``each`` photo. ``scale`` is how long a metre is for them."""
    shots = []
    for v, view in enumerate(VIEWS):
        matrix = np.linalg.inv(cameras()[v]) @ FLIP
        matrix[:3, 3] *= scale
        for f, frame in enumerate(FRAMES):
            place = f"{frame}/{view}" if by_frame else f"{view}/{frame}"
            for kind in ("images", "masks") if masks else ("images",):
                file = where / kind / f"{place}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                image = photo(v, f) if kind == "images" else PIL.Image.fromarray(np.eye(32, 40, dtype=np.uint8) * 255)
                image.save(file)
            if each or f == 0:
                shots.append({"file_path": f"images/{place}.png", "transform_matrix": matrix.tolist()})
    about = {"fl_x": FOCAL, "fl_y": FOCAL, "cx": SIZE[0] / 2, "cy": SIZE[1] / 2, "w": SIZE[0], "h": SIZE[1]}
    (where / "transforms.json").write_text(json.dumps(about | {"frames": shots}))
    write_poses(where / "poses.csv")
    return where


def write_poses(path: Path) -> None:
    names = [f"{joint}.{axis}" for joint in the_open_hand().joint_names for axis in "xyz"]
    lines = [",".join(["frame", *names, "tx", "ty", "tz"])]
    for frame, turns, move in zip(FRAMES, poses().rotations, poses().translations, strict=True):
        lines.append(",".join([frame, *map(repr, map(float, [*turns.reshape(-1), *move]))]))
    path.write_text("\n".join(lines))


def interhand(where: Path, side: str = "right", mean: np.ndarray | None = None) -> Path:
    """InterHand2.6M: two colour cameras and a grey one, two frames with a pose and one without."""
    notes = where / "annotations" / "test"
    notes.mkdir(parents=True)
    matrices = dict(zip(("400262", "400263", "410001"), cameras(), strict=True))
    given: dict[str, dict[str, list]] = {k: {} for k in ("campos", "camrot", "focal", "princpt")}
    for name, m in matrices.items():
        given["camrot"][name] = m[:3, :3].tolist()
        given["campos"][name] = (-1000 * m[:3, :3].T @ m[:3, 3]).tolist()
        given["focal"][name] = [FOCAL, FOCAL]
        given["princpt"][name] = [SIZE[0] / 2, SIZE[1] / 2]
        for f, frame in enumerate(("13", "16", "19")):
            file = where / "images" / "test" / "Capture3" / "ROM01" / f"cam{name}" / f"image{frame}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            photo(0, f).save(file)
    angles = poses().rotations.reshape(2, 48) - np.r_[np.zeros(3), np.zeros(45) if mean is None else mean]
    entries: dict[str, dict] = {
        frame: {"left": None, "right": None, side: {"pose": a.tolist(), "shape": [0.5] * 10, "trans": t.tolist()}}
        for frame, a, t in zip(("13", "19"), angles, poses().translations, strict=True)
    }
    entries["16"] = {"left": None, "right": None}
    (notes / "InterHand2.6M_test_camera.json").write_text(json.dumps({"3": given}))
    (notes / "InterHand2.6M_test_MANO_NeuralAnnot.json").write_text(json.dumps({"3": entries}))
    return where
