"""Quiet notices at the foot of the project panel: they come, offer a button, and fade by themselves.

There they lie beside the results that they tell of, and over nothing that one reads while a method works.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QPropertyAnimation, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QPainterPath, QRegion
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsDropShadowEffect,
    QGraphicsOpacityEffect,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.window.requests import Note
from app.window.widgets import Glyph, label, name, push_button, tool_button

ICONS = {"good": "ok", "warn": "warning", "bad": "error", "info": "info"}
ROLES = {"good": "good", "warn": "warn", "bad": "bad", "info": "accent"}
STAY_MS = {"good": 9000, "info": 6000, "warn": 12000, "bad": 20000}
FADE_MS = 260
WIDTHS = (240, 352)
RADIUS = 8
LIMIT = 4


class NoticeBox(QFrame):
    def __init__(self, note: Note, parent: QWidget) -> None:
        super().__init__(parent)
        self.note = note
        self.setProperty("kind", "notice")
        name(self, note.text, "Notice")
        self.setAccessibleDescription(note.detail)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 12, 8, 12)
        row.setSpacing(10)
        row.addWidget(
            Glyph(ICONS.get(note.tone, "info"), 18, ROLES.get(note.tone, "accent")), 0, Qt.AlignmentFlag.AlignTop
        )
        words = QVBoxLayout()
        words.setSpacing(3)
        words.addWidget(label(note.text, kind="heading", wrap=True))
        if note.detail:
            words.addWidget(label(note.detail, tone="muted", wrap=True))
        if note.button and note.act is not None:
            self.button = push_button(note.button, self._press, kind="link")
            words.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        row.addLayout(words, 1)
        row.addWidget(tool_button("close", "Dismiss", self.dismiss, size=13), 0, Qt.AlignmentFlag.AlignTop)
        shadow = QGraphicsDropShadowEffect(self)
        shadow.setBlurRadius(18)
        shadow.setOffset(0, 3)
        shadow.setColor(QColor(0, 0, 0, 110 if theme.colors().dark else 50))
        self.setGraphicsEffect(shadow)
        self._timer = QTimer(self, singleShot=True, interval=STAY_MS.get(note.tone, 6000))
        self._timer.timeout.connect(self._fade)
        self._timer.start()
        self._fading: QPropertyAnimation | None = None

    def go_above_views(self) -> None:
        """Over what is a native window only another one lies. It has no shadow, and its corners are cut."""
        if not self.testAttribute(Qt.WidgetAttribute.WA_NativeWindow):
            self.setGraphicsEffect(None)  # type: ignore[arg-type]
            self.setAttribute(Qt.WidgetAttribute.WA_NativeWindow)
            self.show()
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(self.rect()), RADIUS, RADIUS)
        self.setMask(QRegion(shape.toFillPolygon().toPolygon()))

    def _press(self) -> None:
        act = self.note.act
        self.dismiss()
        if act is not None:
            act()

    def _fade(self) -> None:
        effect = QGraphicsOpacityEffect(self)
        self.setGraphicsEffect(effect)  # instead of the shadow: a widget has one effect
        self._fading = QPropertyAnimation(effect, b"opacity", self)
        self._fading.setDuration(FADE_MS)
        self._fading.setStartValue(1.0)
        self._fading.setEndValue(0.0)
        self._fading.finished.connect(self.dismiss)
        self._fading.start()

    def enterEvent(self, event: QEvent) -> None:  # type: ignore[override]
        """Who reads it or goes for its button has all the time."""
        self._timer.stop()
        if self._fading is not None:
            self._fading.stop()
            self._fading = None
            self.setGraphicsEffect(None)  # type: ignore[arg-type]

    def leaveEvent(self, event: QEvent) -> None:
        self._timer.start()

    def dismiss(self) -> None:
        self._timer.stop()
        self.hide()
        self.deleteLater()


def height_of(box: NoticeBox, width: int) -> int:
    """What its words need, with the frame about them."""
    return max(box.layout().totalHeightForWidth(width), box.minimumSizeHint().height())


class NoticeCorner(QObject):
    """Stacks notices at the foot of the first of ``places`` that can be seen in ``host``; the last one always can."""

    def __init__(self, host: QWidget, places: Sequence[QWidget]) -> None:
        super().__init__(host)
        self._host, self._places = host, list(places)
        self._boxes: list[NoticeBox] = []
        for widget in places:
            widget.installEventFilter(self)

    def boxes(self) -> list[NoticeBox]:
        from shiboken6 import isValid

        self._boxes = [b for b in self._boxes if isValid(b) and not b.isHidden()]
        return list(self._boxes)

    def show(self, note: Note) -> NoticeBox:
        for old in self.boxes():
            if old.note.text == note.text:
                old.dismiss()
        while len(self.boxes()) >= LIMIT:
            self._boxes[0].dismiss()
        box = NoticeBox(note, self._host)
        box.destroyed.connect(lambda: QTimer.singleShot(0, self.arrange))
        box.show()
        self._boxes.append(box)
        self.arrange()
        fade = QPropertyAnimation(box, b"pos", box)
        fade.setDuration(140)
        fade.setStartValue(box.pos() + QPoint(0, 16))
        fade.setEndValue(box.pos())
        fade.start()
        return box

    def arrange(self) -> None:
        from shiboken6 import isValid

        if not isValid(self._host):
            return
        seen = [p for p in self._places if p.isVisible() and p.window() is self._host]
        place = seen[0] if seen else self._places[-1]
        corner = place.mapTo(self._host, place.rect().bottomRight())
        width = max(WIDTHS[0], min(WIDTHS[1], place.width() - 16))
        left, y = max(8, corner.x() - width - 8), corner.y()
        for box in reversed(self.boxes()):
            box.resize(width, height_of(box, width))
            y -= box.height() + 8
            box.move(left, y)
            if place.nativeParentWidget() is not self._host or place is self._places[-1]:
                box.go_above_views()
            box.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide):
            QTimer.singleShot(0, self, self.arrange)  # once the layout has settled
        return False
