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


def deephandmesh(where: Path, side: str = "right") -> Path:
    """DeepHandMesh, with the open hand as its hand; keypoints are where the joints are in the poses."""
    from tests.files.test_rigged_files import posed_joints

    hand = the_open_hand(side)
    names = [f"b_r_{name}" for name in hand.joint_names]
    model = where / "hand_model"
    model.mkdir(parents=True)
    lines = [f"v {x} {y} {z}" for x, y, z in (100 * hand.vertices).tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (hand.faces + 1).tolist()]
    (model / "hand.obj").write_text("\n".join(lines))
    last = len(names) - 1  # their root comes last
    above = [last - p if p >= 0 else -1 for p in hand.parents]
    rows = [f"{name} {last - i} {above[i]}" for i, name in enumerate(names)]
    (model / "skeleton.txt").write_text("# name id parent\n" + "\n".join(reversed(rows)))
    pairs = [" ".join(f"{names[j]} {w[j]}" for j in np.flatnonzero(w)) for w in hand.weights]
    rows = [f"{vertex} {pair} \n" for vertex, pair in enumerate(pairs)]
    (model / "skinning_weight.txt").write_text("".join(rows))
    frames = np.tile(np.eye(4), (len(names), 1, 1))
    frames[:, :3, 3] = 1000 * hand.joints
    (model / "global_pose.txt").write_text(
        "".join(f"{n} {' '.join(map(str, m.reshape(-1)))} \n" for n, m in zip(names, frames, strict=True))
    )
    notes = where / "annotations"
    (notes / "keypoints" / "subject_1").mkdir(parents=True)
    blocks = []
    for name, m in zip(("400002", "400004", "410001"), cameras(), strict=True):
        inner = np.array([[FOCAL * 8, 0, 167], [0, FOCAL * 8, 256], [0, 0, 1]])
        outer = np.c_[m[:3, :3], 1000 * m[:3, 3]]
        numbers = ["\n".join(" ".join(map(str, row)) for row in table) for table in (inner, [[0] * 5], outer)]
        blocks.append("\n".join([name, *numbers, ""]))
        for f, frame in enumerate(("0007", "0008", "0009")):
            file = where / "images" / "subject_1" / "0000_fist" / f"cam{name}" / f"image{frame}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(np.full((64, 42, 3), 30 * f, np.uint8)).save(file)
    (notes / "KRT_512").write_text("\n".join(blocks) + "\n")
    order = [f"b_r_{n}{e}" for n in ("thumb", "index", "middle", "ring", "pinky") for e in ("_null", 3, 2, 1)]
    order.append("b_r_wrist")
    for number, frame in enumerate((7, 9)):
        places = 1000 * (posed_joints(hand, poses().rotations[number]) + poses().translations[number])
        shown = {i: places[names.index(name)] for i, name in enumerate(order) if name in names}
        rows = [f"{i} {' '.join(map(str, place))} 1.0 9" for i, place in shown.items()]
        (notes / "keypoints" / "subject_1" / f"keypoints{frame:04d}.pts").write_text("\n".join([*rows, "25 0 0 0 1 9"]))
    return where
