"""What a hand view remembers of itself, as JSON."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from app.viewers.camera import Pose
from app.viewers.hand_render import MODES, Light
from app.viewers.pinhole import LENS
from engines.blocks.avatars.key_poses import HandPose

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView


def of(view: HandView) -> dict[str, Any]:
    pose = view.posing.pose
    return {
        "camera": view.pose.to_json(),
        "framed": view.framing.is_automatic,
        "lens": view.lens,
        "hand": view.chosen,
        "mode": view.mode,
        "joint": view.joint,
        "mirrored": view.mirrored,
        "light": asdict(view.light),
        "frame": view.captured.frame,
        "view": view.captured.camera,
        "side_by_side": view.side_action.isChecked(),
        "panel": view.panel_action.isChecked(),
        "open": view.panel.state(),
        "pose": [pose.rotations.tolist(), pose.translation.tolist(), pose.scale],
        "strip": view.strip.state(),
    }


def restore(view: HandView, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = state if isinstance(state, dict) else {}
    if isinstance(state.get("hand"), str):
        view.choose_hand(state["hand"])
    joint, frame, camera = (state.get(key) for key in ("joint", "frame", "view"))
    if _is_index(joint, len(view.posing.joint_names)):
        view.set_joint(joint)
    if state.get("mode") in MODES:
        view.set_mode(state["mode"])
    light = _light(state.get("light"))
    if light is not None:
        view.set_light(light)
    for action, key in ((view.mirror_action, "mirrored"), (view.panel_action, "panel")):
        if isinstance(state.get(key), bool):
            action.setChecked(state[key])
    view.panel.restore(state.get("open"))
    if view.choice is not None:
        if _is_index(frame, view.choice.frame_count):
            view.captured.frame = frame
        if _is_index(camera, view.choice.view_count):
            view.captured.camera = camera
    pose = _pose(state.get("pose"), len(view.posing.joint_names))
    view.strip.restore(state.get("strip"))
    if pose is not None:
        view.posing.show(pose)
    view.captured.show()
    if isinstance(state.get("side_by_side"), bool):
        view.side_action.setChecked(state["side_by_side"])
    camera_pose, lens = Pose.from_json(state.get("camera")), state.get("lens")
    if camera_pose is None:
        return
    sound = isinstance(lens, int | float) and not isinstance(lens, bool) and 1e-3 < lens < 20
    view.lens = float(lens) if sound else LENS
    view.set_pose(camera_pose)
    if state.get("framed") is True:
        # Nobody had moved the camera: only its direction counts, the rest follows the size of this view.
        view.framing.forget()
        view.set_pose(replace(camera_pose, pivot=None))
        view.frame()
    else:
        view.framing.chosen = True


def _is_index(value: Any, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _light(data: Any) -> Light | None:
    try:
        direction = np.array(data["direction"], float).reshape(3)
        size = float(np.linalg.norm(direction))
        numbers = [float(data[key]) for key in ("strength", "ambient", "warmth")]
        if not np.isfinite([*direction, *numbers]).all() or size < 1e-6:
            return None
        x, y, z = (direction / size).tolist()
        strength, ambient, warmth = numbers
        return Light(
            (x, y, z), min(max(strength, 0), 2), min(max(ambient, 0), 1.5), min(max(warmth, -1), 1),
            data["captured"] is True,
        )  # fmt: skip
    except (TypeError, KeyError, ValueError):
        return None


def _pose(data: Any, joints: int) -> HandPose | None:
    try:
        rotations, translation, scale = (np.array(part, float) for part in data)
        sound = rotations.shape == (joints, 3) and translation.shape == (3,) and scale.shape == () and scale > 0
        finite = all(np.isfinite(a).all() for a in (rotations, translation, scale))
        return HandPose(rotations, translation, float(scale)) if joints and sound and finite else None
    except (TypeError, ValueError):
        return None
