"""InterHand2.6M (Moon et al. 2020): captures of hands by some hundred cameras, with MANO poses (NeuralAnnot).

``images/<split>/Capture<c>/<sequence>/cam<id>/image<frame>.jpg``, the cameras in
``annotations/<split>/InterHand2.6M_<split>_camera.json`` (places in mm, rotations to the camera), and the poses in
``…_MANO_NeuralAnnot.json``: 48 numbers that are added to MANO's mean pose, a shape, and a translation in m.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.blocks import hand_anatomy as anatomy
from engines.blocks.meshes.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from engines.core import Param, UserError
from engines.data import HandCapture, PoseSequence, RiggedTemplate
from engines.files import guard
from engines.files.captures import CaptureOptions, Parts, capture_of
from engines.files.mano import LICENCE, mano_model
from engines.files.photoset import Optics, Shot, some
from engines.files.registry import Loaded, Question, Tell, reader, silent
from engines.files.rigged_glb import the_open_hand

MOST_BYTES = 1 << 30
WRIST = np.array([0.0957, 0.0064, 0.0062])
"""Where the wrist of MANO's mean right hand is, in m; that of the left one is its mirror image."""
TOWARDS, PALM = np.array([-1.0, 0, 0]), np.array([0.0, -1, 0])
"""Where the fingers and the palm of MANO's right hand point to; the left hand's fingers point to +x."""


class InterHandOptions(CaptureOptions):
    capture: int | None = Param(None, ge=0, empty="the first", help="Number of the capture")
    sequence: str = Param("", help="Name of the sequence; none: the first")
    frames: int = Param(50, ge=1, le=100_000, help="How many frames to take, evenly spaced", source="XHand, sec. 4")
    cameras: int = Param(50, ge=1, le=1000, help="How many cameras to take, evenly spaced", source="XHand, sec. 4")
    only_colour: bool = Param(True, help="Take the colour cameras alone (their number begins with 400)")
    open_hand: bool = Param(False, help="Take the open hand where there is no MANO file; poses then fit roughly")


@reader(
    key="interhand",
    title="InterHand2.6M capture",
    extensions=(),
    gives=(HandCapture,),
    options=InterHandOptions,
    names=("interhand2.6m_*_camera.json",),
    within=("", "annotations/train", "annotations/test", "annotations/val", "annotations"),
    whole_folder=True,
    first=True,
)
def read_interhand(path: Path, options: InterHandOptions, tell: Tell = silent) -> Loaded:
    problems: list[str] = []
    camera_file = next(f for w in _places(path) for f in sorted(w.glob("InterHand2.6M_*_camera.json")))
    split = camera_file.name.removeprefix("InterHand2.6M_").removesuffix("_camera.json")
    pose_file = camera_file.with_name(f"InterHand2.6M_{split}_MANO_NeuralAnnot.json")
    calibrated, posed = _json(camera_file), _json(pose_file)
    where = _sequence(path, split, options, sorted(posed, key=_number))
    number = re.sub(r"\D", "", where.parent.name) or "0"
    entries = posed.get(number)
    if not isinstance(entries, dict) or not isinstance(calibrated.get(number), dict):
        raise guard.refuse(
            path, f"has no annotations of capture {number}.", f"There are {some(sorted(posed, key=_number), 12)}.",
            "Choose another capture, or copy all annotations.",
        )  # fmt: skip
    try:
        side = _side(path, entries, options)
        cameras = _cameras(path, calibrated[number], options, problems)
        return _capture(path, where, entries, side, cameras, pose_file, options, problems, tell)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        detail = f"{type(error).__name__}: {error}"[:200].rstrip(".") + "."
        raise guard.refuse(path, "has damaged annotations.", detail, "Download the annotations again.") from error


def _places(path: Path) -> list[Path]:
    return [path, *(path / "annotations" / s for s in ("train", "test", "val")), path / "annotations"]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise guard.refuse(path, "is not there.", "It holds the poses.", "Copy all annotations of the dataset.")
    try:
        found = json.loads(guard.read_text(path, MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise guard.refuse(path, "is no valid JSON.", f"{error}"[:200].rstrip(".") + ".") from None
    if not isinstance(found, dict):
        raise guard.refuse(path, "holds no annotations.", "A dictionary by captures is expected.")
    return found


def _number(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() and len(name) < 12 else 10**12, name)


def _sequence(path: Path, split: str, options: InterHandOptions, captures: list[str]) -> Path:
    """The folder of the sequence that was chosen."""
    root = path / "images" / split
    wanted = None if options.capture is None else f"Capture{options.capture}"
    folders = sorted((f for f in root.glob("Capture*") if f.is_dir()), key=lambda f: _number(f.name[7:]))
    for folder in folders:
        if wanted in (None, folder.name):
            names = sorted(f.name for f in folder.iterdir() if f.is_dir())
            if names and (not options.sequence or options.sequence in names):
                return folder / (options.sequence or names[0])
            if options.sequence:
                raise guard.refuse(path, f"has no sequence '{options.sequence[:80]}' in {folder.name}.",
                                   f"There is {some(names, 12)}.", "Choose one of these.")  # fmt: skip
    raise guard.refuse(
        path, f"has no photos of {wanted or 'any capture'}.",
        f"There is {some([f.name for f in folders], 12) or 'nothing'} in 'images/{split}'.",
        "Copy the photos as the dataset lays them out.",
    )  # fmt: skip


def _side(path: Path, entries: dict[str, Any], options: InterHandOptions) -> str:
    """The hand that is in most frames, if none was chosen."""
    if options.hand != "automatic":
        return options.hand
    times = {side: sum(bool(e.get(side)) for e in entries.values()) for side in ("right", "left")}
    return max(times, key=lambda side: times[side])


def _cameras(
    path: Path, given: dict[str, Any], options: InterHandOptions, problems: list[str]
) -> dict[str, tuple[Optics, np.ndarray]]:
    """Optics and world to camera (4, 4) in m, by the number of the camera."""
    names = sorted(given["campos"], key=_number)
    if options.only_colour and (colour := [name for name in names if "400" in name]):
        names = colour
    if len(names) > options.cameras:
        names = [names[i] for i in np.linspace(0, len(names) - 1, options.cameras).round().astype(int)]
    found = {}
    for name in names:
        rotation = np.array(given["camrot"][name], np.float64).reshape(3, 3)
        place = np.array(given["campos"][name], np.float64).reshape(3) / 1000
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation, -rotation @ place
        off = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if not np.isfinite(matrix).all() or off > 1e-3:
            problems.append(f"Camera {name} has no rotation that could be one; it was left out.")
            continue
        (fx, fy), (cx, cy) = (np.array(given[k][name], np.float64).reshape(2) for k in ("focal", "princpt"))
        found[name] = Optics(fx=float(fx), fy=float(fy), cx=float(cx), cy=float(cy)), matrix
    return found


def _capture(
    path: Path, where: Path, entries: dict[str, Any], side: str, cameras: dict[str, tuple[Optics, np.ndarray]],
    pose_file: Path, options: InterHandOptions, problems: list[str], tell: Tell,
) -> Loaded:  # fmt: skip
    """Join what was found; frames are those that some camera has a photo of."""
    folders = {name: where / f"cam{name}" for name in cameras if (where / f"cam{name}").is_dir()}
    if lost := [name for name in cameras if name not in folders]:
        problems.append(f"{len(lost):,} of {len(cameras):,} cameras have no photos here: {some(lost)}.")
    files = {
        name: {f.stem.removeprefix("image"): f for f in folder.glob("image*.jpg")} for name, folder in folders.items()
    }
    every = sorted({frame for own in files.values() for frame in own}, key=_number)
    frames = [frame for frame in every if (entries.get(frame) or {}).get(side)]
    if bare := [frame for frame in every if frame not in set(frames)]:
        problems.append(f"{len(bare):,} of {len(every):,} frames have no pose of the {side} hand and were left out.")
    if not frames:
        raise guard.refuse(path, f"has no frame with a pose of a {side} hand.", f"Looked for in {pose_file.name}.",
                           "Choose another sequence, or the other hand.")  # fmt: skip
    if len(frames) > options.frames:
        frames = [frames[i] for i in np.linspace(0, len(frames) - 1, options.frames).round().astype(int)]
    given = [entries[frame][side] for frame in frames]
    angles = np.array([entry["pose"] for entry in given], np.float64).reshape(len(frames), 16, 3)
    moves = np.array([entry["trans"] for entry in given], np.float64).reshape(len(frames), 3)
    shape = np.array([entry.get("shape", [0.0] * 10) for entry in given], np.float64).mean(0)
    template, poses = _posed(path, side, angles, moves, shape, options, problems)
    parts = Parts([], [], [], tuple(frames), tuple(folders), poses, template, problems)
    missing = []
    for view, name in enumerate(folders):
        optics, matrix = cameras[name]
        for frame, label in enumerate(frames):
            file = files[name].get(label)
            if file is None:
                missing.append(f"cam{name}/image{label}.jpg")
                continue
            parts.shots.append(Shot(f"cam{name}/{file.name}", file, optics, matrix))
            parts.frame.append(frame)
            parts.view.append(view)
    if missing:
        problems.append(f"{len(missing):,} photos are missing: {some(missing)}.")
    return capture_of(path, parts, options.model_copy(update={"hand": side}), tell)


def _posed(
    path: Path, side: str, angles: np.ndarray, moves: np.ndarray, shape: np.ndarray, options: InterHandOptions,
    problems: list[str],
) -> tuple[RiggedTemplate, PoseSequence]:  # fmt: skip
    """The template, and its poses from those of MANO."""
    file = _mano_file(path, side, options)
    if file is not None:
        model = mano_model(file, side, problems, shaped=True)  # type: ignore[arg-type]
        template = model.template(shape)
        return template, PoseSequence.of(angles + model.mean_pose, template.joint_names, translations=moves)
    if not options.open_hand:
        raise Question(
            f"'{path.name}' has poses of MANO, and there is no MANO file.",
            LICENCE,
            f"Put MANO_{side.upper()}.pkl into the folder, name it as the template, or take the 'open_hand'.",
            {"Use the open hand": {"open_hand": True}},
        )
    problems.append(
        "The open hand stands in for MANO's: its shape and its rest pose are others, so that poses fit it roughly."
    )
    return _for_the_open_hand(side, angles, moves)


def _mano_file(path: Path, side: str, options: InterHandOptions) -> Path | None:
    if chosen := options.template.strip():
        file = Path(chosen).expanduser()
        if not file.is_file():
            raise UserError(
                f"There is no template '{chosen[:200]}'.", LICENCE, "Choose another file, or the open hand."
            )
        return file
    found = sorted(f for f in path.glob("*.pkl") if anatomy.side_in(f.stem) == side)
    return found[0] if found else None


def _for_the_open_hand(side: str, angles: np.ndarray, moves: np.ndarray) -> tuple[RiggedTemplate, PoseSequence]:
    """MANO's axes are others: with M from its rest to that of the open hand R becomes M R Mᵀ and, at the root, R Mᵀ."""
    hand = the_open_hand(side)
    _, normal = anatomy.across_the_palm(hand.joints, hand.joint_names, hand.parents)
    palm = normal if side == "right" else -normal
    ahead = hand.joints[hand.joint_names.index("middle1")] - hand.joints[0]
    mirror = np.array([1.0, 1, 1]) if side == "right" else np.array([-1.0, 1, 1])
    turn = torch.from_numpy(_frame(ahead, palm).T @ _frame(TOWARDS * mirror, PALM))
    given = axis_angle_to_matrix(torch.from_numpy(angles))
    found = turn @ given @ turn.T
    found[:, 0] = given[:, 0] @ turn.T
    places = WRIST * mirror + moves - hand.joints[0]
    rotations = matrix_to_axis_angle(found).numpy()
    return hand, PoseSequence.of(rotations, hand.joint_names, translations=places)


def _frame(ahead: np.ndarray, palm: np.ndarray) -> np.ndarray:
    """(3, 3) orthonormal rows: ahead, out of the palm, and their product."""
    first = ahead / np.linalg.norm(ahead)
    second = palm - palm @ first * first
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)])
