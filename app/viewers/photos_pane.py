"""One photo, as large as there is room: the wheel zooms at the cursor, dragging pans, a double click fits."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from app import theme


class PhotoPane(QWidget):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("photo-pane")
        self.setAccessibleName("Photo")
        self.setMinimumSize(100, 90)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.message = ""
        self._image: QImage | None = None
        self._zoom, self._centre = 1.0, QPointF(0.5, 0.5)  # of the fitting size, and in parts of the photo
        self._last: QPointF | None = None
        theme.signals.changed.connect(self.update)

    @property
    def image(self) -> QImage | None:
        return self._image

    def show_pixels(self, pixels: np.ndarray | None, message: str = "") -> None:
        """(H, W, 3 or 4) uint8, or None with a message."""
        before = None if self._image is None else self._image.size()
        self.message = message
        if pixels is None:
            self._image = None
        else:
            height, width, channels = pixels.shape
            kind = QImage.Format.Format_RGBA8888 if channels == 4 else QImage.Format.Format_RGB888
            held = np.ascontiguousarray(pixels)
            self._image = QImage(held.data, width, height, channels * width, kind).copy()
            if self._image.size() != before:
                self.fit()
        self.update()

    def fit(self) -> None:
        self._zoom, self._centre = 1.0, QPointF(0.5, 0.5)
        self.update()

    def _place(self, size: QRectF) -> QRectF:
        """Where the photo lies in a view of this size."""
        assert self._image is not None
        room = size.adjusted(8, 8, -8, -8)
        fit = min(room.width() / self._image.width(), room.height() / self._image.height())
        width, height = (self._zoom * fit * v for v in (self._image.width(), self._image.height()))
        centre = size.center()
        return QRectF(centre.x() - self._centre.x() * width, centre.y() - self._centre.y() * height, width, height)

    def paint(self, painter: QPainter, size: QRectF) -> None:
        painter.fillRect(size, QColor(theme.colors().plot))
        if self._image is None:
            painter.setPen(QColor(theme.colors().muted))
            painter.drawText(size.adjusted(16, 16, -16, -16), _CENTRED, self.message)
            return
        where = self._place(size)
        if self._image.hasAlphaChannel():
            painter.fillRect(where.intersected(size), QColor("#FFFFFF"))
            painter.fillRect(where.intersected(size), QBrush(QColor("#C2C9D1"), Qt.BrushStyle.Dense6Pattern))
        # Pixels are shown as such once they are large enough to be looked at one by one.
        smooth = where.width() < 4 * self._image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(where, self._image)

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        self.paint(painter, QRectF(self.rect()))
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._image is None:
            return
        where, at = self._place(QRectF(self.rect())), event.position()
        held = QPointF((at.x() - where.left()) / where.width(), (at.y() - where.top()) / where.height())
        before = self._zoom
        self._zoom = min(max(before * 1.18 ** (event.angleDelta().y() / 120), 1.0), 60.0)
        share = before / self._zoom
        self._centre = held + (self._centre - held) * share
        if self._zoom == 1.0:
            self._centre = QPointF(0.5, 0.5)
        self.update()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._last = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._last is None or self._image is None:
            return
        where = self._place(QRectF(self.rect()))
        delta = event.position() - self._last
        self._last = event.position()
        if self._zoom > 1.0:
            self._centre -= QPointF(delta.x() / where.width(), delta.y() / where.height())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._last = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()


_CENTRED = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
