"""Quiet notices in the corner of the window: they come, offer a button, and go by themselves."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPropertyAnimation, Qt, QTimer
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QGraphicsDropShadowEffect, QHBoxLayout, QVBoxLayout, QWidget

from app import theme
from app.window.widgets import Glyph, label, name, push_button, tool_button
from app.window.workbench import Note

ICONS = {"good": "ok", "warn": "warning", "bad": "error", "info": "info"}
ROLES = {"good": "good", "warn": "warn", "bad": "bad", "info": "accent"}
STAY_MS = {"good": 9000, "info": 6000, "warn": 12000, "bad": 20000}
LIMIT = 4


class NoticeBox(QFrame):
    def __init__(self, note: Note, parent: QWidget) -> None:
        super().__init__(parent)
        self.note = note
        self.setProperty("kind", "notice")
        name(self, note.text, "Notice")
        self.setAccessibleDescription(note.detail)
        self.setFixedWidth(352)
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
        self._timer.timeout.connect(self.dismiss)
        self._timer.start()

    def _press(self) -> None:
        act = self.note.act
        self.dismiss()
        if act is not None:
            act()

    def enterEvent(self, event: QEvent) -> None:  # type: ignore[override]
        self._timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self._timer.start()

    def dismiss(self) -> None:
        self._timer.stop()
        self.hide()
        self.deleteLater()


class NoticeCorner(QObject):
    """Stacks notices over the lower right corner of ``place``, a widget inside ``host``."""

    def __init__(self, host: QWidget, place: QWidget) -> None:
        super().__init__(host)
        self._host, self._place = host, place
        self._boxes: list[NoticeBox] = []
        place.installEventFilter(self)

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
        fade.setStartValue(box.pos() + _down())
        fade.setEndValue(box.pos())
        fade.start()
        return box

    def arrange(self) -> None:
        from shiboken6 import isValid

        if not isValid(self._host):
            return
        corner = self._place.mapTo(self._host, self._place.rect().bottomRight())
        y = corner.y() - 8
        for box in reversed(self.boxes()):
            box.resize(box.width(), max(box.layout().heightForWidth(box.width()), box.minimumSizeHint().height()))
            y -= box.height() + 8
            box.move(corner.x() - box.width() - 16, y)
            box.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self.arrange()
        return False


def _down():  # type: ignore[no-untyped-def]
    from PySide6.QtCore import QPoint

    return QPoint(0, 16)
