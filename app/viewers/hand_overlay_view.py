"""A capture's photos with the template posed over them, by frame and camera: a wrong camera or pose shows at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, QSizeF, Qt, Signal
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app import theme
from app.background import Task, run_in_background
from app.viewers import plotting
from app.viewers.empty_state import EmptyState
from app.viewers.photos_pane import PhotoPane
from app.viewers.registry import Shown
from app.viewers.toolbar import ViewBar
from engines.core import UserError
from engines.data import HandCapture

WAYS = (("surface", "Hand over the photo"), ("outline", "Outline"), ("none", "Photo alone"))


class HandOverlayView(QWidget):
    title_changed = Signal(str)
    drawn = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("hand-overlay-view")
        self.setAccessibleName("Photos with the posed hand")
        self.capture: HandCapture | None = None
        self._id = ""
        self.frame = self.view = 0
        self.way = "surface"
        self._task: Task | None = None
        self._again = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.bar = ViewBar(self)
        self.frames = self.bar.choice("frames", "Frame", "video")
        self.frames.activated.connect(lambda index: self.show_photo(frame=index))
        self.views = self.bar.choice("views", "Camera", "camera")
        self.views.activated.connect(lambda index: self.show_photo(view=index))
        self.ways = self.bar.choice("ways", "What is drawn", "layers")
        for key, title in WAYS:
            self.ways.addItem(title, key)
        self.ways.activated.connect(lambda _: self.draw_as(self.ways.currentData()))
        self.bar.stretch()
        self.said = self.bar.text("said", "How much of the hand is in the photo")
        self.pane = PhotoPane(self)
        column.addWidget(self.bar)
        column.addWidget(self.pane, 1)
        self.empty = EmptyState(
            self.pane, "hand", "No capture to show yet", "Choose a capture of a hand in the project, or import one."
        )
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.signals.changed.connect(self.draw)
        self._show_nothing()

    # ---- what is shown ---
    def show_artifacts(self, items: Sequence[Shown]) -> None:
        item = next((i for i in items if isinstance(i.artifact, HandCapture)), None)
        if item is None:
            self.capture, self._id = None, ""
            self._show_nothing()
            return
        if item.id != self._id:
            self.frame = self.view = 0
        self._id, self.capture = item.id, item.artifact
        self.frames.clear()
        self.views.clear()
        for frame in range(len(self.capture.poses)):
            self.frames.addItem(self.capture.frame_label(frame))
        for view in range(self.capture.view_count):
            self.views.addItem(self.capture.view_label(view))
        self.frame = min(self.frame, max(0, self.frames.count() - 1))
        self.view = min(self.view, max(0, self.views.count() - 1))
        if self.capture.photo(self.frame, self.view) is None and len(self.capture.photos):
            self.frame, self.view = int(self.capture.frame[0]), int(self.capture.view[0])
        self.bar.setVisible(True)
        self.empty.hide()
        self.show_photo()

    def show_photo(self, frame: int | None = None, view: int | None = None) -> None:
        """A frame from a camera; what is not given stays."""
        if self.capture is None:
            return
        self.frame = self.frame if frame is None else frame
        self.view = self.view if view is None else view
        self.frames.setCurrentIndex(self.frame)
        self.views.setCurrentIndex(self.view)
        self.draw()

    def draw_as(self, way: str) -> None:
        """One of :data:`WAYS`."""
        self.way = way
        self.ways.setCurrentIndex(max(0, self.ways.findData(way)))
        self.draw()

    def _show_nothing(self) -> None:
        self.bar.setVisible(False)
        self.empty.show()
        self.said.clear()
        self.pane.show_pixels(None)

    # ---- drawing, off the GUI thread ---
    def draw(self) -> None:
        """Draw again; while one picture is made the last wish waits."""
        if self.capture is None:
            return
        photo = self.capture.photo(self.frame, self.view)
        if photo is None:
            self.said.clear()
            self.pane.show_pixels(None, "This camera has no photo of this frame.")
            self.drawn.emit()
            return
        if self._task is not None:
            self._again = True
            return
        accent = theme.colors().accent
        color = (int(accent[1:3], 16), int(accent[3:5], 16), int(accent[5:7], 16))
        asked = (self._id, self.frame, self.view, self.way)
        self._task = run_in_background(
            _drawn, self.capture, photo, self.way, color,
            done=partial(self._show, asked), failed=self._failed, owner=self,
        )  # fmt: skip

    def _show(self, asked: tuple[str, int, int, str], answer: tuple[np.ndarray, float]) -> None:
        self._task = None
        if asked == (self._id, self.frame, self.view, self.way):
            pixels, part = answer
            self.pane.show_pixels(pixels)
            self.said.setText("not in view" if part == 0 else f"{part:.0%} in view")
            self.drawn.emit()
        self._go_on()

    def _failed(self, error: BaseException) -> None:
        self._task = None
        self.said.clear()
        self.pane.show_pixels(None, str(error) if isinstance(error, UserError) else "The log says what went wrong.")
        self.drawn.emit()
        self._go_on()

    def _go_on(self) -> None:
        if self._again:
            self._again = False
            self.draw()

    # ---- as every view ---
    def resizeEvent(self, event) -> None:
        super().resizeEvent(event)
        self.empty.setGeometry(self.pane.rect())

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self.empty.setGeometry(self.pane.rect())

    def keyPressEvent(self, event) -> None:
        steps = {
            Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0),
        }.get(event.key())  # fmt: skip
        if steps is None or self.capture is None:
            super().keyPressEvent(event)
            return
        frames, views = max(1, self.frames.count()), max(1, self.views.count())
        self.show_photo((self.frame + steps[1]) % frames, (self.view + steps[0]) % views)

    def picture(self, width: int, height: int) -> QImage:
        image = QImage(width, height, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        self.pane.paint(painter, QRectF(0, 0, *QSizeF(width, height).toTuple()))
        painter.end()
        return image

    def screenshot(self, width: int, height: int) -> np.ndarray:
        return plotting.pixels(self.picture(width, height))

    def state(self) -> dict[str, Any]:
        return {"frame": self.frame, "view": self.view, "way": self.way}

    def restore(self, state: dict[str, Any]) -> None:
        state = state if isinstance(state, dict) else {}
        if state.get("way") in {key for key, _ in WAYS}:
            self.draw_as(state["way"])
        frame, view = state.get("frame"), state.get("view")
        if isinstance(frame, int) and isinstance(view, int) and self.capture is not None:
            self.show_photo(
                min(max(frame, 0), max(0, self.frames.count() - 1)), min(max(view, 0), max(0, self.views.count() - 1))
            )


def _drawn(capture: HandCapture, photo: int, way: str, color: tuple[int, int, int]) -> tuple[np.ndarray, float]:
    from engines.blocks.hand_overlay import overlay, seen

    return overlay(capture, photo, way, color), seen(capture, photo)  # type: ignore[arg-type]
