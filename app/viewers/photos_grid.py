"""Small pictures of photos in a grid: decoded in the background, the ones in sight first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QBuffer,
    QByteArray,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app import theme
from app.background import Task, run_in_background
from engines.data import Photos, PhotoSet

LONGEST = 192
"""Pixels of a small picture's longer side."""
BATCH = 8
CELL = QSize(120, 112)
Index = QModelIndex | QPersistentModelIndex


def small_picture(photos: PhotoSet, index: int, longest: int = LONGEST) -> QImage | None:
    """Decoded at about this size; None where the file is damaged. Any thread."""
    data = photos.encoded[photos.starts[index] : photos.starts[index + 1]].tobytes()
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QBuffer.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setAutoTransform(False)  # the cameras are of the pixels as they are stored
    size = QSize(*(int(v) for v in photos.sizes[index]))
    if reader.size() != size:
        return None
    reader.setScaledSize(size.scaled(longest, longest, Qt.AspectRatioMode.KeepAspectRatio).expandedTo(QSize(1, 1)))
    image = reader.read()
    return None if image.isNull() else image


def square(image: QImage | None, side: int, size: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) uint8 of a picture, stretched to ``size`` parts of ``side``: all of a set are then of one size."""
    width, height = size
    if image is None:
        return np.full((height, width, 3), 128, np.uint8)
    on = QImage(image.size(), QImage.Format.Format_RGB888)
    on.fill(QColor("white"))
    painter = QPainter(on)
    painter.drawImage(0, 0, image)
    painter.end()
    fit = on.scaled(width, height, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
    fit = fit.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(fit.constBits(), np.uint8).reshape(height, fit.bytesPerLine())
    return rows[:, : 3 * width].reshape(height, width, 3).copy()


MOST_THUMBS = 400
"""More small pictures than this are not hung into space."""


def thumbnails(photos: PhotoSet, pictures: Mapping[int, QImage | None], longest: int) -> np.ndarray:
    """(N, h, w, 3) uint8, all of one size, from small pictures by number; grey where there is none."""
    width, height = (float(v) for v in np.median(photos.sizes, axis=0))
    side = longest / max(width, height)
    size = (max(2, round(width * side)), max(2, round(height * side)))
    return np.stack([square(pictures.get(i), longest, size) for i in range(len(photos))])


def all_thumbnails(photos: PhotoSet, longest: int, cancelled: Callable[[], bool]) -> np.ndarray | None:
    """The same from the photos themselves, which takes a while; None when there are too many, or it was cancelled."""
    if not 0 < len(photos) <= MOST_THUMBS:
        return None
    pictures = {}
    for index in range(len(photos)):
        if cancelled():
            return None
        pictures[index] = small_picture(photos, index, longest)
    return thumbnails(photos, pictures, longest)


class PhotoModel(QAbstractListModel):
    complete = Signal()
    """All small pictures are there."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.photos: PhotoSet | None = None
        self.pictures: dict[int, QImage | None] = {}
        self._task: Task | None = None
        self._urgent: list[int] = []

    def set_photos(self, photos: PhotoSet | None) -> None:
        if photos is self.photos:
            return
        self.stop()
        self.beginResetModel()
        self.photos, self.pictures = photos, {}
        self.endResetModel()
        self._next()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def want_first(self, rows: list[int]) -> None:
        """These are in sight."""
        self._urgent = rows

    def _next(self) -> None:
        photos = self.photos
        if photos is None:
            return
        missing = [i for i in self._urgent if i < len(photos) and i not in self.pictures]
        missing += [i for i in range(len(photos)) if i not in self.pictures and i not in missing]
        if not missing:
            self._task = None
            self.complete.emit()
            return
        batch = missing[:BATCH]
        self._task = run_in_background(
            lambda: {i: small_picture(photos, i) for i in batch}, done=self._came, owner=self
        )

    def _came(self, found: dict[int, QImage | None]) -> None:
        self.pictures |= found
        for i in found:
            self.dataChanged.emit(self.index(i), self.index(i))
        self._next()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if self.photos is None or (parent is not None and parent.isValid()) else len(self.photos)

    def is_held_out(self, row: int) -> bool:
        held_out = self.photos.held_out if isinstance(self.photos, Photos) else None
        return held_out is not None and bool(held_out[row])

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if self.photos is None or not index.isValid():
            return None
        row = index.row()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.photos.label(row)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            width, height = self.photos.sizes[row]
            held = ", held out" if self.is_held_out(row) else ""
            damaged = ", cannot be read" if self.pictures.get(row, 0) is None else ""
            return f"{self.photos.label(row)}, {width}×{height} pixels{held}{damaged}"
        return None


class _Cell(QStyledItemDelegate):
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return CELL

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        if not isinstance(model, PhotoModel):
            return
        colors, box = theme.colors(), option.rect.adjusted(3, 3, -3, -3)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        hover = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if chosen or hover:
            painter.setPen(QPen(QColor(colors.accent), 1.5) if chosen else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.accent_soft if chosen else colors.hover))
            painter.drawRoundedRect(QRectF(box), 5, 5)
        area = QRect(box.left() + 5, box.top() + 5, box.width() - 10, box.height() - 28)
        where = QRectF(area)
        if index.row() in model.pictures:
            picture = model.pictures[index.row()]
            if picture is None:
                theme.icon("warning", "bad").paint(painter, area.adjusted(28, 20, -28, -20))
            else:
                size = picture.size().scaled(area.size(), Qt.AspectRatioMode.KeepAspectRatio)
                where = QRectF(0, 0, size.width(), size.height())
                where.moveCenter(QRectF(area).center())
                path = QPainterPath()
                path.addRoundedRect(where, 3, 3)
                painter.setClipPath(path)
                painter.drawImage(where, picture)
                painter.setClipping(False)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(where, 3, 3)
        if model.is_held_out(index.row()):
            _badge(painter, where)
        painter.setPen(QColor(colors.text if chosen else colors.muted))
        painter.setFont(theme.font(0.9))
        line = QRect(box.left() + 4, box.bottom() - 21, box.width() - 8, 18)
        text = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, line.width())
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()


def _badge(painter: QPainter, where: QRectF) -> None:
    painter.setFont(theme.font(0.78, bold=True))
    text = "held out"
    width = painter.fontMetrics().horizontalAdvance(text) + 10
    box = QRectF(where.left() + 3, where.top() + 3, width, 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor("#E69F00"))
    painter.drawRoundedRect(box, 3, 3)
    painter.setPen(QColor("#1A2027"))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class PhotoGrid(QListView):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("photo-grid")
        self.setAccessibleName("Photos")
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setItemDelegate(_Cell(self))
        self.setMinimumSize(CELL.width() + 20, 90)
        self.pictures = PhotoModel(self)
        self.setModel(self.pictures)
        self.verticalScrollBar().valueChanged.connect(lambda _: self._tell_sight())
        theme.signals.changed.connect(self.viewport().update)

    def _tell_sight(self) -> None:
        top = self.indexAt(self.viewport().rect().topLeft() + QRect(8, 8, 1, 1).topLeft())
        if top.isValid():
            per_row = max(1, self.viewport().width() // CELL.width())
            rows = self.viewport().height() // CELL.height() + 2
            self.pictures.want_first(list(range(top.row(), top.row() + per_row * rows)))
