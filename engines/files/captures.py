"""What the readers of hand captures share: photos of frames from views, poses of frames and a template become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from engines.blocks import hand_anatomy as anatomy
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.core import Param, Params, UserError
from engines.data import HandCapture, Photos, PoseSequence, RiggedTemplate
from engines.files import guard
from engines.files.mano import LICENCE
from engines.files.photoset import Points, Shot, photos_of, some
from engines.files.registry import Loaded, Question, Tell, read
from engines.files.rigged_glb import the_open_hand

Length = Literal["m", "cm", "mm"]
METRES = {"m": 1.0, "cm": 0.01, "mm": 0.001}
SEEN = 0.1
"""A photo sees the hand if so large a part of the vertices falls into it."""
SMALL, LARGE = 0.03, 8.0
"""Of the longer side of a photo: a hand smaller or larger than that has the wrong unit."""
NO_DEPTHS = "No points of the scene are known: training begins with random ones."


class CaptureOptions(Params):
    template: str = Param("", help="GLB or MANO file; none: the one in the folder, else the open hand")
    hand: Literal["automatic", "left", "right"] = Param("automatic", help="Which hand was captured")
    mirror: bool = Param(False, help="Take the template's mirror image, where it is the other hand")
    cameras_in: Length = Param("m", help="Unit of length of the cameras", advanced=True)
    poses_in: Length = Param("m", help="Unit of length of the poses' translations", advanced=True)
    held_out_views: str = Param("", help="Names of cameras that are kept for testing, with ';' between them")
    held_out_frames: str = Param("", help="Names of frames that are kept for testing, with ';' between them")


@dataclass
class Parts:
    """What a reader found. Shot i shows frame ``frame[i]`` of the poses from view ``view[i]``."""

    shots: list[Shot]
    frame: list[int]
    view: list[int]
    frames: tuple[str, ...]
    views: tuple[str, ...]
    poses: PoseSequence
    template: RiggedTemplate
    problems: list[str] = field(default_factory=list)


def capture_of(path: Path, parts: Parts, options: CaptureOptions, tell: Tell) -> Loaded:
    """Check it all and read the photos.

    Raises :class:`Question` where units or sides do not fit, :class:`UserError` where no camera sees the hand.
    """
    said = list(parts.problems)
    template = _right_side(path, parts.template, options, said)
    poses = _fitting(path, parts.poses, template)
    poses = poses.replace(translations=METRES[options.poses_in] * poses.translations)
    keep = _held_out(path, parts, options, said)
    metres = METRES[options.cameras_in]
    shots = [
        replace(shot, world_to_camera=_scaled(shot.world_to_camera, metres), held_out=out)
        for shot, out in zip(parts.shots, keep, strict=True)
    ]
    name = path.resolve().name
    loaded = photos_of(path, shots, Points(), name, [], tell)
    photos = loaded.artifacts[0]
    assert isinstance(photos, Photos)
    said += [text for text in loaded.problems if text != NO_DEPTHS]
    where = {shot.name: number for number, shot in enumerate(shots)}
    kept = [where[label] for label in photos.names]
    capture = HandCapture(
        name=name, template=template, photos=photos, poses=poses,
        frame=np.array(parts.frame, np.int32)[kept], view=np.array(parts.view, np.int32)[kept],
        frame_names=parts.frames, view_names=parts.views,
    )  # fmt: skip
    _visible(path, capture, options, said)
    return Loaded((capture,), tuple(said), loaded.files)


def template_for(folder: Path, options: CaptureOptions, problems: list[str]) -> RiggedTemplate:
    """The template that was chosen, or that lies in the folder, or the open hand."""
    chosen = options.template.strip()
    file = Path(chosen).expanduser() if chosen else None
    if file is None:
        found = sorted(f for f in folder.iterdir() if f.suffix.lower() in (".glb", ".gltf", ".pkl") and f.is_file())
        file = next((f for f in found if f.stem.lower().startswith(("template", "mano"))), None)
    if file is None:
        side = options.hand if options.hand != "automatic" else "right"
        problems.append(f"There is no template in the folder: the {side} open hand was taken.")
        return the_open_hand(side)
    if not file.is_file():
        raise UserError(
            f"There is no template '{chosen[:200]}'.",
            LICENCE if file.suffix.lower() == ".pkl" else "",
            "Choose another file, or none for the open hand.",
        )
    loaded = read(file, format="mano" if file.suffix.lower() == ".pkl" else "rigged-glb")
    problems += [f"{file.name}: {text}" for text in loaded.problems]
    found_template = loaded.artifacts[0]
    assert isinstance(found_template, RiggedTemplate)
    return found_template


def _right_side(path: Path, template: RiggedTemplate, options: CaptureOptions, said: list[str]) -> RiggedTemplate:
    if options.mirror:
        said.append("The template was mirrored.")
        template = anatomy.mirrored_template(template)
    if options.hand != "automatic" and template.side not in ("", options.hand):
        raise Question(
            f"'{path.name}' shows a {options.hand} hand, and the template is a {template.side} one.",
            "The poses of one hand bend the other backwards.",
            "Choose a template of the same side, or mirror it ('mirror').",
            {
                "Mirror the template": {"mirror": not options.mirror},
                f"It is a {template.side} hand": {"hand": template.side},
            },
        )
    return template


def _fitting(path: Path, poses: PoseSequence, template: RiggedTemplate) -> PoseSequence:
    """For the joints of the template; poses whose joints have no names are taken in its order."""
    try:
        return poses.for_joints(template.joint_names)
    except UserError as error:
        unnamed = all(name == f"joint{i}" for i, name in enumerate(poses.joint_names))
        if unnamed and len(poses.joint_names) == len(template.joint_names):
            return poses.replace(joint_names=template.joint_names)
        raise guard.refuse(
            path,
            f"has poses of {len(poses.joint_names)} joints, and its template has {len(template.joint_names)}.",
            f"{error.what} {error.why}",
            "Choose the template for which the poses were made.",
        ) from None


def _scaled(world_to_camera: np.ndarray, metres: float) -> np.ndarray:
    found = world_to_camera.copy()
    found[:3, 3] *= metres
    return found


def _held_out(path: Path, parts: Parts, options: CaptureOptions, said: list[str]) -> list[bool]:
    chosen = []
    for text, names in ((options.held_out_views, parts.views), (options.held_out_frames, parts.frames)):
        wanted = [name.strip() for name in text.split(";") if name.strip()]
        lost = [name for name in wanted if name not in names]
        if lost:
            raise guard.refuse(
                path,
                f"has nothing called {some(lost, 5)}.",
                f"There is {some(names, 12)}.",
                "Correct the names of what is held out.",
            )
        chosen.append({names.index(name) for name in wanted})
    views, frames = chosen
    return [
        shot.held_out or view in views or frame in frames
        for shot, view, frame in zip(parts.shots, parts.view, parts.frame, strict=True)
    ]


# --- whether the cameras see the hand ------------------------------------------------------------------


def posed_vertices(template: RiggedTemplate, poses: PoseSequence, most: int = 400) -> np.ndarray:
    """(T, P, 3) at most so many of the vertices, spread over the hand, in each pose before it is moved."""
    some_of = np.unique(np.linspace(0, len(template.vertices) - 1, most).astype(np.int64))
    rest, weights, joints, turns = (
        torch.from_numpy(np.array(a, np.float64))
        for a in (template.vertices[some_of], template.weights[some_of], template.joints, poses.rotations)
    )
    found: np.ndarray = skin(rest, weights, joint_transforms(turns, joints, template.parents)).numpy()
    return found * poses.scales[:, None, None]


def seen_parts(capture: HandCapture, cameras: float = 1.0, moves: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the part of the hand that falls into each photo, and how large it is, in longer sides of the photo.

    With the places of cameras and the translations of poses that many times as far away.
    """
    photos = capture.photos
    world = posed_vertices(capture.template, capture.poses) + moves * capture.poses.translations[:, None]
    matrices = photos.world_to_camera
    points = world[capture.frame] @ matrices[:, :3, :3].transpose(0, 2, 1) + cameras * matrices[:, None, :3, 3]
    front = points[..., 2] > 1e-9
    pixels = points[..., :2] / np.where(front, points[..., 2], 1)[..., None]
    pixels = pixels * photos.intrinsics[:, None, :2] + photos.intrinsics[:, None, 2:]
    inside = front & (pixels >= 0).all(-1) & (pixels < photos.sizes[:, None]).all(-1)
    low = np.where(front[..., None], pixels, np.inf).min(1)
    high = np.where(front[..., None], pixels, -np.inf).max(1)
    size = np.where(front.any(1), (high - low).max(1), 0) / photos.sizes.max(1)
    return inside.mean(1), size


def _visible(path: Path, capture: HandCapture, options: CaptureOptions, said: list[str]) -> None:
    """List cameras that see no hand; ask for the unit where another one would show it."""

    now = _sees(*seen_parts(capture))
    if now.mean() < 0.5:
        _ask_for_units(path, capture, options, float(now.mean()))
    blind = [v for v in range(capture.view_count) if (capture.view == v).any() and not now[capture.view == v].any()]
    if len(blind) == len(np.unique(capture.view)):
        raise guard.refuse(
            path,
            "has no camera that sees the hand.",
            "In all photos the posed template falls outside of the picture, or is far too small or large.",
            "Check the units and axes of the cameras, and the translations of the poses.",
        )
    if blind:
        named = some([capture.view_label(v) for v in blind])
        said.append(f"{len(blind):,} of {capture.view_count:,} cameras do not see the hand: {named}.")
    lost = [f for f in np.unique(capture.frame).tolist() if not now[capture.frame == f].any()]
    if lost:
        said.append(f"In {len(lost):,} frames no camera sees the hand: {some([capture.frame_label(f) for f in lost])}.")


def _sees(part: np.ndarray, size: np.ndarray) -> np.ndarray:
    return (part >= SEEN) & (size >= SMALL) & (size <= LARGE)


def _ask_for_units(path: Path, capture: HandCapture, options: CaptureOptions, now: float) -> None:
    """Raises :class:`Question` where other units show the hand in more photos; best where it fills half of them."""
    found: list[tuple[float, float, dict[str, str]]] = []
    for ours in METRES:
        for theirs in METRES:
            scales = METRES[ours] / METRES[options.cameras_in], METRES[theirs] / METRES[options.poses_in]
            part, size = seen_parts(capture, *scales)
            sees = _sees(part, size)
            changes = (scales[0] != 1) + (scales[1] != 1)
            off = float(np.abs(np.log(2 * size[sees])).mean()) if sees.any() else np.inf
            found.append((float(sees.mean()), off + 0.1 * changes, {"cameras_in": ours, "poses_in": theirs}))
    most = max(score for score, *_ in found)
    if most < max(0.5, 2 * now):
        return
    likely = sorted((item for item in found if item[0] > 0.9 * most), key=lambda item: item[1])[:2]
    score, _, units = likely[0]
    raise Question(
        f"In '{path.name}' few cameras see the hand as the units are: {now:.0%} of the photos.",
        f"With cameras in {units['cameras_in']} and translations in {units['poses_in']} it is {score:.0%}.",
        "Choose the units ('cameras_in' and 'poses_in').",
        {f"Cameras in {u['cameras_in']}, translations in {u['poses_in']}": u for *_, u in likely},
    )


def by_name(frames: Sequence[str], poses: PoseSequence, named: Sequence[str]) -> tuple[list[int], list[str]]:
    """The number of the pose of each frame, -1 where there is none, and the frames that have none.

    By their names (``0007`` is ``7``) or, where the poses have none, in their order.
    """
    if not named:
        return [i if i < len(poses) else -1 for i in range(len(frames))], [
            f for i, f in enumerate(frames) if i >= len(poses)
        ]

    def plain(name: str) -> str:
        stem = Path(name).stem if not name.isdigit() else name
        digits = stem.lstrip("0") if stem.isdigit() else stem
        return digits or "0"

    where = {plain(name): number for number, name in enumerate(named)}
    found = [where.get(plain(frame), -1) for frame in frames]
    return found, [frame for frame, pose in zip(frames, found, strict=True) if pose < 0]
