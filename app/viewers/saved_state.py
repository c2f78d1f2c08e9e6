"""What views remember of themselves, as JSON: what several of them have in common. Junk is ignored everywhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox

if TYPE_CHECKING:  # they bring VTK, which the window starts without
    from app.viewers.camera import Pose
    from app.viewers.framing import Framing

LARGEST = 16_777_215
"""Pixels: Qt's own limit for a widget."""


class Colours(Protocol):
    """What the user chose of colours; "" and None are automatic."""

    cmap: str
    low: float | None
    high: float | None

    def restore(self, cmap: Any, span: Any) -> None: ...


class WithCamera(Protocol):
    framing: Framing

    def set_pose(self, pose: Pose) -> None: ...
    def frame(self) -> None: ...


def plain(state: Any) -> dict[str, Any]:
    return state if isinstance(state, dict) else {}


def is_number(value: Any) -> bool:
    # Whole numbers in JSON have no end: numpy takes none that is larger than its own.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def sizes_in(given: Any, least: int = 0) -> list[int] | None:
    """Pixels of the two parts of a splitter, each ``least`` or more; None for what cannot be."""
    fits = isinstance(given, list) and len(given) == 2 and all(type(s) is int and least <= s <= LARGEST for s in given)
    return given if fits and any(given) else None


def of_colours(colours: Colours) -> dict[str, Any]:
    return {"cmap": colours.cmap, "range": [colours.low, colours.high]}


def restore_colours(colours: Colours, cmaps: QComboBox, state: Mapping[str, Any]) -> None:
    colours.restore(state.get("cmap"), state.get("range"))
    cmaps.setCurrentIndex(max(0, cmaps.findData(colours.cmap)))


def of_switches(actions: Mapping[str, QAction]) -> dict[str, bool]:
    return {key: action.isChecked() for key, action in actions.items()}


def restore_switches(actions: Mapping[str, QAction], state: Mapping[str, Any]) -> None:
    for key, action in actions.items():
        if isinstance(state.get(key), bool):
            action.setChecked(state[key])


def of_places(places: Mapping[int, float]) -> dict[str, float]:
    """Of the cut across each axis."""
    return {str(axis): place for axis, place in places.items()}


def places_in(state: Mapping[str, Any], axes: int) -> dict[int, float] | None:
    """Places across the first ``axes`` axes; None where there are none."""
    found = state.get("places")
    if not isinstance(found, dict):
        return None
    known = {str(axis) for axis in range(axes)}
    return {int(axis): place for axis, place in found.items() if axis in known and is_number(place)}


def restore_camera(view: WithCamera, pose: Pose, state: Mapping[str, Any]) -> None:
    view.set_pose(pose)
    if state.get("framed") is True:
        # Nobody had moved the camera: only its direction counts, the rest follows the size of this view.
        view.framing.forget()
        view.set_pose(replace(pose, pivot=None))
        view.frame()
    else:
        view.framing.chosen = True
