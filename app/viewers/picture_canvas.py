"""A surface for pictures that are drawn elsewhere: navigation as in every 3D view, and the latest picture.

:class:`app.viewers.canvas.Canvas` draws by VTK and is no base for this: here a picture comes from elsewhere whenever it
is ready.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QLinearGradient, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from app.viewers import navigation
from app.viewers.camera import DEFAULT, Pose
from app.viewers.drawn_picture import image_of
from app.viewers.navigation import STILL_AFTER_MS
from app.viewers.tool import Tool


class PictureCanvas(QWidget):
    moved = Signal()
    """The camera changed, by whatever cause."""
    moving_changed = Signal(bool)
    double_clicked = Signal(QPointF)
    resized = Signal()

    def __init__(self, parent: QWidget, paint_above: Callable[[QPainter, QSizeF], None], name: str, title: str) -> None:
        """``title`` is what assistive technology calls it."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.is_closed = False
        self._paint_above = paint_above
        self._pose = DEFAULT
        self._moving = False
        self._last: QPointF | None = None
        self._pressed_at = QPointF()
        self._still = QTimer(self, singleShot=True)
        self._still.timeout.connect(self._maybe_still)
        self._image: QImage | None = None
        self._background = (QColor("black"), QColor("black"))
        self.tools: list[Tool] = []
        """Take the left button before navigation does, and see the mouse pass by."""
        self.modifiers = Qt.KeyboardModifier.NoModifier
        """Keys that were held at the last event of the mouse."""
        self._taken_by: Tool | None = None
        self.setMouseTracking(True)

    # ---- what is shown ------------------------------------------------------------------------------------
    def show_picture(self, pixels: np.ndarray | None) -> None:
        """(h, w, 3) uint8, stretched over the whole; None: the background alone."""
        self._image = None if pixels is None else image_of(pixels)
        self.update()

    def set_background(self, top: QColor, bottom: QColor) -> None:
        self._background = (top, bottom)
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        if self._image is None:
            gradient = QLinearGradient(0, 0, 0, self.height())
            gradient.setColorAt(0, self._background[0])
            gradient.setColorAt(1, self._background[1])
            painter.fillRect(self.rect(), gradient)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(self.rect()), self._image)
        self._paint_above(painter, QSizeF(self.size()))
        painter.end()

    def resizeEvent(self, event) -> None:
        self.resized.emit()

    # ---- camera -------------------------------------------------------------------------------------------
    @property
    def pose(self) -> Pose:
        return self._pose

    @property
    def moving(self) -> bool:
        return self._moving

    def set_pose(self, pose: Pose, *, moving: bool = False) -> None:
        if self.is_closed:
            return
        self._pose = pose
        if moving:
            self._set_moving(True)
        self.moved.emit()
        self.update()

    def stir(self) -> None:
        """Something in the picture moves, as all of it does with the camera: coarse pictures will do."""
        self._set_moving(True)

    def _set_moving(self, moving: bool) -> None:
        if moving:
            self._still.start(STILL_AFTER_MS)
        if moving != self._moving:
            self._moving = moving
            self.moving_changed.emit(moving)

    def _maybe_still(self) -> None:
        if self._last is not None:  # the drag may go on
            self._still.start(STILL_AFTER_MS)
        else:
            self._set_moving(False)

    # ---- mouse --------------------------------------------------------------------------------------------
    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        self._last = self._pressed_at = at
        self.modifiers, self._taken_by = event.modifiers(), None
        if event.button() == Qt.MouseButton.LeftButton:
            self._taken_by = next((tool for tool in self.tools if tool.press(at)), None)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at, buttons = event.position(), event.buttons()
        self.modifiers = event.modifiers()
        if self._taken_by is not None:
            self._taken_by.move(at, True)
            return
        if self._last is None or buttons == Qt.MouseButton.NoButton:
            for tool in self.tools:
                tool.move(at, False)
            return
        pose = navigation.dragged(self._pose, self, event, self._last, self._pressed_at)
        self._last = at
        if pose is not None:
            self.set_pose(pose, moving=True)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.modifiers = event.modifiers()
        taken, self._taken_by, self._last = self._taken_by, None, None
        if event.button() == Qt.MouseButton.LeftButton:
            for tool in [taken] if taken is not None else self.tools:
                tool.release(event.position())
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.double_clicked.emit(event.position())

    def wheelEvent(self, event: QWheelEvent) -> None:
        pose = navigation.wheeled(self._pose, self, event)
        if pose is not None:
            self.set_pose(pose, moving=True)
        event.accept()
