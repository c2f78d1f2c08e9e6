"""What a splat view remembers of itself, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.viewers import saved_state
from app.viewers.camera import Pose
from app.viewers.pinhole import LENS

if TYPE_CHECKING:
    from app.viewers.splat_view import SplatView


def of(view: SplatView) -> dict[str, Any]:
    return {
        "camera": view.pose.to_json(),
        "framed": view.framing.is_automatic,
        "lens": view.lens,
        "mode": view.look.mode,
        "degree": view.look.degree,
        "size": view.look.size,
        "background": view.background,
        "hidden": sorted(view.hidden),
        **({"path": view.path.state()} if len(view.path.edit) or view.path_action.isChecked() else {}),
    }


def restore(view: SplatView, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = saved_state.plain(state)
    view.set_mode(str(state.get("mode", "")))
    view.set_background(str(state.get("background", "")))
    degree, size, lens = (_number(state.get(key)) for key in ("degree", "size", "lens"))
    if degree is not None:
        view.set_degree(round(min(max(degree, 0), 3)))
    if size is not None:
        view.set_size(size)
    hidden = state.get("hidden")
    if isinstance(hidden, list):
        view.hidden = {key for key in hidden if isinstance(key, str)}
        view.show_artifacts(view.items)
    view.path.restore(state.get("path"))
    pose = Pose.from_json(state.get("camera"))
    if pose is None:
        return
    view.lens = lens if lens is not None and 1e-3 < lens < 20 else LENS
    saved_state.restore_camera(view, pose, state)


def _number(value: Any) -> float | None:
    sound = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if sound else None
