"""The light on a hand: a ball to drag it about on, and the mouse on the picture while L is held."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers.hand_render import Light
from engines.blocks.cameras import Camera
from engines.blocks.meshes.shading import lambertian

SIZE = 56
STEP = 0.12
"""Radians for one press of an arrow key."""
LOWEST = -0.25
"""How far behind the hand the lamp may be, as the part of its direction towards the viewer."""
_HERE = Camera(np.eye(4), 1.0, 1.0, 0.0, 0.0, 1, 1)


def aimed(x: float, y: float) -> tuple[float, float, float]:
    """To a lamp that shines on the ball's place (x, y), in radii right and up from its middle; beyond, from behind."""
    r = math.hypot(x, y)
    if r <= 1:
        return (x, y, math.sqrt(1 - r * r))
    back = max(LOWEST, 1 - r)
    side = math.sqrt(1 - back * back) / r
    return (x * side, y * side, back)


def turned(light: Light, right: float, up: float) -> Light:
    """The lamp carried about the hand by angles in radians."""
    x, y, z = light.direction
    across = math.atan2(x, z) + right
    above = min(max(math.asin(min(max(y, -1), 1)) + up, -1.5), 1.5)
    flat = math.cos(above)
    return replace(light, captured=False, direction=(flat * math.sin(across), math.sin(above), flat * math.cos(across)))


class LightBall(QWidget):
    """A white ball in the light: dragging on it moves the lamp, the wheel changes its strength."""

    changed = Signal(object)
    """The light that is wanted."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("light-ball")
        self.setAccessibleName("Direction of the light")
        self.setAccessibleDescription("Arrow keys move the lamp.")
        self.setToolTip(
            "Drag to move the lamp; the wheel changes its strength, a double click sets it back.\n"
            "Hold L and drag to light the hand itself."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.resize(SIZE, SIZE)
        self.light = Light()
        self._image: QImage | None = None

    def sizeHint(self) -> QSize:
        return QSize(SIZE, SIZE)

    def show_light(self, light: Light) -> None:
        self.light, self._image = light, None
        self.setAccessibleDescription(
            "As it was photographed." if light.captured else "Arrow keys move the lamp, plus and minus its strength."
        )
        self.update()

    # ---- by hand ---
    def _aim(self, at: QPointF) -> None:
        radius = self.width() / 2 - 4
        x, y = (at.x() - self.width() / 2) / radius, (self.height() / 2 - at.y()) / radius
        self.changed.emit(replace(self.light, direction=aimed(x, y), captured=False))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._aim(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._aim(event.position())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.changed.emit(Light())

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._strengthen(0.05 * event.angleDelta().y() / 120)
        event.accept()

    def _strengthen(self, by: float) -> None:
        self.changed.emit(replace(self.light, strength=min(max(self.light.strength + by, 0.0), 2.0), captured=False))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        keys = Qt.Key
        moves = {keys.Key_Left: (-1, 0), keys.Key_Right: (1, 0), keys.Key_Up: (0, 1), keys.Key_Down: (0, -1)}
        if event.key() in moves:
            right, up = moves[event.key()]  # type: ignore[index]
            self.changed.emit(turned(self.light, STEP * right, STEP * up))
        elif event.key() in (keys.Key_Plus, keys.Key_Equal, keys.Key_Minus):
            self._strengthen(-0.05 if event.key() == keys.Key_Minus else 0.05)
        else:
            super().keyPressEvent(event)

    # ---- look ---
    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._image is None:
            self._image = ball_picture(self.light, round((SIZE - 8) * self.devicePixelRatioF()))
        box = QRectF(4, 4, SIZE - 8, SIZE - 8)
        painter.drawImage(box, self._image)
        c = theme.colors()
        painter.setPen(QPen(QColor(c.accent if self.hasFocus() else c.strong), 1.4 if self.hasFocus() else 1))
        painter.drawEllipse(box)
        if not self.light.captured:
            x, y, z = self.light.direction
            at = box.center() + QPointF(x, -y) * box.width() / 2 * 0.94
            painter.setPen(QPen(QColor(c.panel), 1.5))
            painter.setBrush(QColor(c.accent if z >= 0 else c.muted))
            painter.drawEllipse(at, 4, 4)
        painter.end()

    def focusInEvent(self, event) -> None:
        self.update()

    def focusOutEvent(self, event) -> None:
        self.update()


def ball_picture(light: Light, size: int) -> QImage:
    """A white ball of so many pixels in this light, clear around it."""
    steps = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(steps, -steps)
    r2 = x * x + y * y
    z = np.sqrt(np.clip(1 - r2, 0, 1))
    # Of the world whose axes are the camera's: right, down and forward.
    normals = torch.from_numpy(np.stack([x, -y, -z], -1) / np.sqrt(np.maximum(r2 + z * z, 1e-9))[..., None])
    shown = replace(light, captured=False) if not light.captured else Light((0.0, 0.0, 1.0), 0.1, 0.6)
    lit = lambertian(torch.ones(3, dtype=torch.float64), normals, torch.from_numpy(shown.gammas(_HERE))).numpy()
    pixels = np.zeros((size, size, 4), np.uint8)
    pixels[..., :3] = np.clip(lit * 255 + 0.5, 0, 255)
    pixels[..., 3] = np.clip((1 - np.sqrt(r2)) * size / 2 * 255, 0, 255)
    return QImage(pixels.data, size, size, 4 * size, QImage.Format.Format_RGBA8888).copy()


class LightTool(QObject):
    """While L is held over the picture, dragging moves the lamp and not the camera."""

    def __init__(self, canvas: QWidget, light: Callable[[], Light], set_light: Callable[[Light], Any]) -> None:
        super().__init__(canvas)
        self._canvas, self._light, self._set = canvas, light, set_light
        self._held = False
        self._last: QPointF | None = None
        canvas.installEventFilter(self)

    @property
    def held(self) -> bool:
        return self._held

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_L and not event.modifiers():
            if not event.isAutoRepeat():
                self._hold(event.type() != QEvent.Type.KeyRelease)
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
            return event.type() != QEvent.Type.ShortcutOverride
        if event.type() == QEvent.Type.FocusOut:
            self._hold(False)
        return False

    def _hold(self, on: bool) -> None:
        self._held = on
        if on:
            self._canvas.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self._canvas.unsetCursor()

    # ---- as a tool of the canvas ---
    def press(self, at: QPointF) -> bool:
        if self._held:
            self._last = at
        return self._held

    def move(self, at: QPointF, held: bool) -> bool:
        if not held or self._last is None:
            return False
        delta, self._last = at - self._last, at
        speed = math.pi / max(self._canvas.height(), 1)
        self._set(turned(self._light(), delta.x() * speed, -delta.y() * speed))
        return True

    def release(self, at: QPointF) -> bool:
        taken, self._last = self._last is not None, None
        return taken
