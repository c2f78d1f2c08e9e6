"""What a slice view remembers of itself, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.viewers.slice_start import PLANES

if TYPE_CHECKING:
    from PySide6.QtGui import QAction

    from app.viewers.slice_view import SliceView


def _switches(view: SliceView) -> dict[str, QAction]:
    return {
        "probability": view.sigmoid_action,
        "line": view.line_action,
        "contours": view.contour_action,
        "smooth": view.smooth_action,
    }


def of(view: SliceView) -> dict[str, Any]:
    return {
        "field": view.grid_id,
        "axis": view.axis,
        "places": {str(axis): place for axis, place in view.places.items()},
        "cmap": view.window_of_values.cmap,
        "range": [view.window_of_values.low, view.window_of_values.high],
        **{key: action.isChecked() for key, action in _switches(view).items()},
    }


def restore(view: SliceView, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = state if isinstance(state, dict) else {}
    view.grid_id = str(state.get("field", ""))
    places = state.get("places")
    if isinstance(places, dict):
        view.places = {int(k): max(0, v) for k, v in places.items() if k in ("0", "1", "2", "3") and isinstance(v, int)}
        view.counts.clear()
    view.window_of_values.restore(state.get("cmap"), state.get("range"))
    view.cmaps.setCurrentIndex(max(0, view.cmaps.findData(view.window_of_values.cmap)))
    for key, action in _switches(view).items():
        if isinstance(state.get(key), bool):
            action.setChecked(state[key])
    if state.get("axis") in (0, 1, 2, PLANES):
        view.take_axis(state["axis"])
    view.content_changed()
