"""How mouse and keys move the camera, the same in every 3D view.

The left button turns, the middle one pans, the right one and the wheel zoom; arrows turn, plus and minus zoom.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Protocol

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from app.viewers.camera import Pose
from app.viewers.toolbar import on_key

STILL_AFTER_MS = 180
"""So long after the last movement a view may take its time for a full picture."""
ZOOM_PER_STEP = 1.18
TURN = 0.15
"""Radians for one press of an arrow key."""


class Steered(Protocol):
    """A view with a camera."""

    @property
    def pose(self) -> Pose: ...

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None: ...


def add_keys(view: Steered, canvas: QWidget) -> None:
    """Arrows, plus and minus move the camera of the view while its canvas has the focus."""

    def turn(right: float, up: float) -> None:
        view.set_pose(view.pose.orbited(right * TURN, up * TURN), moving=True)

    def zoom(factor: float) -> None:
        view.set_pose(view.pose.zoomed(factor), moving=True)

    for key, right, up in (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, 1), ("Down", 0, -1)):
        on_key(canvas, key, partial(turn, right, up))
    for key, factor in (("+", ZOOM_PER_STEP), ("=", ZOOM_PER_STEP), ("-", 1 / ZOOM_PER_STEP)):
        on_key(canvas, key, partial(zoom, factor))


def dragged(pose: Pose, view: QWidget, event: QMouseEvent, last: QPointF, pressed_at: QPointF) -> Pose | None:
    """The camera after a drag from ``last`` to the event's place; None when its buttons move nothing.

    Left turns (with Control it rolls, with Shift it pans), middle pans, right zooms at where it was pressed.
    """
    delta, buttons, half = event.position() - last, event.buttons(), _half(view)
    shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
    if buttons & Qt.MouseButton.MiddleButton or (buttons & Qt.MouseButton.LeftButton and shift):
        return pose.panned(delta.x() / half, -delta.y() / half)
    if buttons & Qt.MouseButton.LeftButton:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return pose.rolled(delta.x() / half)
        speed = math.pi / 2 / half
        return pose.orbited(delta.x() * speed, delta.y() * -speed)
    if buttons & Qt.MouseButton.RightButton:
        return pose.zoomed(math.exp(-delta.y() / half), *_fractions(view, pressed_at))
    return None


def wheeled(pose: Pose, view: QWidget, event: QWheelEvent) -> Pose | None:
    """The camera after a turn of the wheel: it zooms at the cursor. None when it did not turn."""
    steps = event.angleDelta().y() / 120
    return pose.zoomed(ZOOM_PER_STEP**steps, *_fractions(view, event.position())) if steps else None


def _half(view: QWidget) -> float:
    return max(view.height() / 2, 1.0)


def _fractions(view: QWidget, at: QPointF) -> tuple[float, float]:
    """A pixel as parts of half the height, right and up from the middle."""
    half = _half(view)
    return (at.x() - view.width() / 2) / half, (half - at.y()) / half
