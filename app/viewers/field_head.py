"""The line above a map or a curve: whose it is, and its measures."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter
from PySide6.QtWidgets import QWidget

from app import theme
from app.viewers.field_values import Measures
from app.viewers.overlay import BESIDE, number

HEAD = 24
TAIL = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def in_words(found: Measures | None) -> list[str]:
    """The measures, most wanted first."""
    if found is None:
        return ["no values here"]
    least = 1e-10 * max(abs(found.low), abs(found.high))

    def told(value: float, digits: int = 4) -> str:
        return number(value if abs(value) > least else 0.0, digits)

    words = [f"min {told(found.low)}", f"max {told(found.high)}", f"mean {told(found.mean, 3)}"]
    return [*words, f"L² norm {told(found.norm)}", f"integral {told(found.integral)}"]


class Head(QWidget):
    """The name at the left, the measures at the right: as many as there is room for."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFixedHeight(HEAD)
        self.setObjectName("field-head")
        self.title, self.words = "", [""]
        theme.signals.changed.connect(self.update)

    def say(self, title: str, words: list[str], tip: str = "") -> None:
        self.title, self.words = title, words
        self.setAccessibleName(f"{title}: {', '.join(words)}")
        self.setToolTip(tip)
        self.update()

    def paintEvent(self, event) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colors().plot))
        box = QRectF(self.rect()).adjusted(10, 0, -10, 0)
        bold, plain = theme.font(0.95, bold=True), theme.font(0.88, numbers=True)
        measure, wide = QFontMetricsF(plain), QFontMetricsF(bold)
        name = min(wide.horizontalAdvance(self.title), 0.6 * box.width())
        words = list(self.words)
        while words and measure.horizontalAdvance("   ".join(words)) > box.width() - name - 16:
            words.pop()
        painter.setFont(plain)
        painter.setPen(QColor(theme.colors().muted))
        painter.drawText(box, TAIL, "   ".join(words))
        painter.setFont(bold)
        painter.setPen(QColor(theme.colors().text))
        room = box.width() - (measure.horizontalAdvance("   ".join(words)) + 16 if words else 0)
        painter.drawText(box, BESIDE, wide.elidedText(self.title, Qt.TextElideMode.ElideRight, room))
        painter.end()
