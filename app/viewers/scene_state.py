"""What a 3D view remembers of itself: camera, looks of the layers, clipping plane, panel. As JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.viewers import saved_state
from app.viewers.camera import Pose
from app.viewers.layer import Style

if TYPE_CHECKING:
    from app.viewers.scene import Scene3D

_PANELS = (("wide", "panel"), ("narrow", "panel_narrow"))


def of(scene: Scene3D) -> dict[str, Any]:
    styles = dict(scene.saved_styles) | {key: asdict(layer.style) for key, layer in scene.layers.items()}
    clip = scene.clip
    return {
        "camera": scene.pose.to_json(),
        "framed": scene.framing.is_automatic,
        "layers": styles,
        "clip": {"on": clip.active, "origin": clip.origin.tolist(), "normal": clip.normal.tolist()},
        **{key: scene.panel_open[breadth] for breadth, key in _PANELS},
    }


def restore(scene: Scene3D, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = saved_state.plain(state)
    _restore_styles(scene, state.get("layers"))
    _restore_clip(scene, state.get("clip"))
    for breadth, key in _PANELS:
        if isinstance(state.get(key), bool):
            scene.panel_open[breadth] = state[key]
    scene.panel.set_layers(scene.layers)
    scene.arrange()
    pose = Pose.from_json(state.get("camera"))
    if pose is None:
        return
    saved_state.restore_camera(scene, pose, state)


def _restore_styles(scene: Scene3D, styles: Any) -> None:
    found = {str(k): v for k, v in styles.items() if isinstance(v, dict)} if isinstance(styles, dict) else {}
    scene.saved_styles = found
    for key, layer in scene.layers.items():
        if key in found:
            scene.set_style(key, Style.from_json(found.pop(key), layer.style))


def _restore_clip(scene: Scene3D, clip: Any) -> None:
    if not isinstance(clip, dict):
        return
    try:
        scene.clip.set_plane(clip["origin"], clip["normal"])
    except (KeyError, TypeError, ValueError):
        return
    origin = scene.clip.origin.copy()
    scene.clip_action.setChecked(clip.get("on") is True)
    scene.clip.set_plane(origin, scene.clip.normal)
