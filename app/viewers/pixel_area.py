"""Pixels to zoom and pan, with the one under the cursor told: what the views of images and of videos have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QStackedLayout, QWidget

from app import theme
from app.viewers import plotting
from app.viewers.empty_state import EmptyState


class PixelArea(QWidget):
    def __init__(
        self, parent: QWidget, accessible: str, empty: tuple[str, str, str], tell: Callable[[str], None]
    ) -> None:
        """``empty``: icon, title and words of the empty state. ``tell`` takes what is said of the pixel hovered."""
        super().__init__(parent)
        self._tell = tell
        self.values: np.ndarray | None = None
        """(H, W, C) numbers of the picture on screen, as they are told; None: nothing is told."""
        self.in_words: Callable[[np.ndarray], str] = str
        self._size: tuple[int, int] | None = None
        self._stack = QStackedLayout(self)
        self.empty = EmptyState(self, *empty)
        self.graphics = pg.GraphicsView(self)
        self.graphics.setAccessibleName(accessible)
        self.graphics.setFrameShape(self.graphics.Shape.NoFrame)
        self.box = pg.ViewBox(lockAspect=True, invertY=True, enableMenu=False)
        self.graphics.setCentralItem(self.box)
        self.item = pg.ImageItem(axisOrder="row-major")
        self.box.addItem(self.item)
        self.graphics.scene().sigMouseMoved.connect(self._hover)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.graphics)
        theme.signals.changed.connect(self._theme_changed)
        self._theme_changed()

    def show_size(self, size: tuple[int, int] | None) -> None:
        """Width and height of what is shown from now on, which is fitted if they are new; None: nothing is."""
        self._stack.setCurrentWidget(self.graphics if size is not None else self.empty)
        if size is None:
            self.values = None
        if size != self._size:
            self._size = size
            self.fit()

    def fit(self) -> None:
        if self._size is not None:
            self.box.setRange(QRectF(0, 0, *self._size), padding=0.02)

    def actual_size(self) -> None:
        """One pixel of the picture for one of the screen, around the same middle."""
        ratio = self.devicePixelRatioF()
        width, height = self.graphics.width() * ratio, self.graphics.height() * ratio
        centre = self.box.viewRect().center()
        self.box.setRange(QRectF(centre.x() - width / 2, centre.y() - height / 2, width, height), padding=0)

    def describe(self, x: float, y: float) -> str:
        """Place and value of a pixel; "" outside."""
        column, row = int(np.floor(x)), int(np.floor(y))
        if self.values is None or not (0 <= row < self.values.shape[0] and 0 <= column < self.values.shape[1]):
            return ""
        return f"x {column}, y {row}   {self.in_words(self.values[row, column])}"

    def picture(self, width: int, height: int) -> QImage:
        return plotting.grab(self.graphics, width, height)

    def _hover(self, at: QPointF) -> None:
        point = self.box.mapSceneToView(at)
        self._tell(self.describe(point.x(), point.y()))

    def _theme_changed(self) -> None:
        self.graphics.setBackground(theme.colors().window)
