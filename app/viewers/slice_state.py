"""What a slice view remembers of itself, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.viewers import saved_state
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
        "places": saved_state.of_places(view.places),
        **saved_state.of_colours(view.window_of_values),
        **saved_state.of_switches(_switches(view)),
    }


def restore(view: SliceView, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = saved_state.plain(state)
    view.grid_id = str(state.get("field", ""))
    if (places := saved_state.places_in(state, 4)) is not None:
        view.places = {axis: max(0, place) for axis, place in places.items() if isinstance(place, int)}
        view.counts.clear()
    saved_state.restore_colours(view.window_of_values, view.cmaps, state)
    saved_state.restore_switches(_switches(view), state)
    if state.get("axis") in (0, 1, 2, PLANES):
        view.take_axis(state["axis"])
    view.content_changed()
