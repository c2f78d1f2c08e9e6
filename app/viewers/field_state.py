"""What a field view remembers of itself, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from app.viewers import saved_state
from app.viewers.saved_state import is_number

if TYPE_CHECKING:
    from PySide6.QtGui import QAction

    from app.viewers.field_view import FieldView


def _switches(view: FieldView) -> dict[str, QAction]:
    return {
        "contours": view.contour_action,
        "arrows": view.arrow_action,
        "streamlines": view.stream_action,
        "gaussians": view.gaussian_action,
        "smooth": view.smooth_action,
        "difference": view.difference_action,
    }


def of(view: FieldView) -> dict[str, Any]:
    return {
        "field": view.chosen,
        "quantity": view.key,
        "time": view.strip.time,
        "axis": view.axis,
        "places": saved_state.of_places(view.places),
        **saved_state.of_colours(view.colours),
        "pins": [list(point) for point in view.marks.pins],
        "line": None if view.marks.line is None else view.marks.line.tolist(),
        **saved_state.of_switches(_switches(view)),
    }


def restore(view: FieldView, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = saved_state.plain(state)
    view.chosen = state["field"] if isinstance(state.get("field"), str) else view.chosen
    view.key = state["quantity"] if isinstance(state.get("quantity"), str) else view.key
    if state.get("axis") in (0, 1, 2) and not isinstance(state["axis"], bool):
        view.axis = state["axis"]
    if (places := saved_state.places_in(state, 3)) is not None:
        view.places = {axis: float(place) for axis, place in places.items()}
    saved_state.restore_colours(view.colours, view.cmaps, state)
    view.marks.pins, view.marks.line = _pins(state.get("pins")), _line(state.get("line"))
    saved_state.restore_switches(_switches(view), state)
    view.content_changed()
    if is_number(state.get("time")):
        view.strip.set_time(float(state["time"]))


def _pins(pins: Any) -> list[tuple[float, ...]]:
    good = [p for p in pins if isinstance(p, list) and 1 <= len(p) <= 3] if isinstance(pins, list) else []
    return [tuple(float(c) for c in p) for p in good if all(is_number(c) for c in p)][:7]


def _line(line: Any) -> np.ndarray | None:
    ends = line if isinstance(line, list) and len(line) == 2 else []
    good = all(isinstance(e, list) and len(e) == 2 and all(is_number(c) for c in e) for e in ends)
    return np.array(ends, float) if ends and good else None
