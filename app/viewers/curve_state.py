"""What a curves view remembers of itself, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.viewers import saved_state

if TYPE_CHECKING:
    from app.viewers.curves_view import CurvesView


def of(view: CurvesView) -> dict[str, Any]:
    return {
        "x_log": view.x_log.isChecked(),
        "y_log": view.y_log.isChecked(),
        "together": view.together.isChecked(),
        "against_time": view.against_time.isChecked(),
        "smoothing": view.smoothing_slider.value(),
        "hidden": sorted(list(key) for key in view.hidden),
    }


def restore(view: CurvesView, state: Any) -> None:
    """Take over a state that :func:`of` gave; junk is ignored."""
    state = saved_state.plain(state)
    for key, action in (("x_log", view.x_log), ("y_log", view.y_log), ("against_time", view.against_time)):
        action.setChecked(state.get(key) is True)
    saved_state.restore_switches({"together": view.together}, state)
    if isinstance(smoothing := state.get("smoothing"), int):
        view.smoothing_slider.setValue(smoothing)
    if isinstance(hidden := state.get("hidden"), list):
        view.hidden = {(str(k[0]), str(k[1])) for k in hidden if isinstance(k, list) and len(k) == 2}
        view.mode_changed()
